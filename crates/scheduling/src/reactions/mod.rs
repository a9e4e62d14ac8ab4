//! What each event changes. Reactions never choose a worker: placement does that later.

mod graph;
mod replica;
mod task;
mod worker;
