//! Partitioned collections of records.
//!
//! [`Bag`] is for Rust programs: records of any type, and closures over them. [`records`] is for
//! records that no type is known for, lines of text and JSON: a [`records::Plan`] says what is done with each
//! and what is made of all, and runs without an object for each of them.
//!
//! Invariant: no Python. A record is looked at once and is gone when the next ones come: what a
//! partition keeps is what its reduction needs. Where a record has no exact answer by Python's
//! rules here, the run ends with [`BagError::NotNative`], and never with another answer.

mod bag;
mod error;
mod input;
pub mod records;
mod text;

pub use bag::Bag;
pub use error::BagError;
pub use input::Compression;
pub use text::TextBlock;
