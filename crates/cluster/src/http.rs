//! What a scheduler shows to browsers, monitoring and launchers, over HTTP.
//!
//! | path | what it is |
//! |---|---|
//! | `/health` | `ok`, for load balancers |
//! | `/metrics` | figures in Prometheus' text format, with Dask's names |
//! | `/json/counts.json`, `/json/identity.json` | the state as Dask's dashboard has it |
//! | `/api/v1/…` | workers, the number that is wanted, retirement: what Dask's Kubernetes operator asks |
//! | `/status` | the live page: task stream, progress, workers, memory; fed by `/events` |
//!
//! All of it comes from a [`Source`], which the scheduler's core answers. Reading is open to whoever
//! reaches the address, as with Dask; changing something takes the cluster's token, where it has
//! one. Connections, headers and requests have limits of number, size and time.

mod interface;
mod metrics;
mod pages;
mod server;
mod snapshot;
#[cfg(test)]
mod tests;

pub use server::{HttpError, HttpOptions, HttpServer};
pub use snapshot::{
    Answer, Memory, Prefix, Rates, Retire, Snapshot, Source, States, TaskEvent, Totals, Transfers,
    Worker,
};
