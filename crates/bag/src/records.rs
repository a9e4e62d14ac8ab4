//! Records that no type is known for: values, functions of them as data, and reductions.

mod accumulate;
mod evaluate;
mod json;
mod owned;
mod plan;
mod run;
mod strings;
mod value;

pub use accumulate::{Accumulator, Counter, Reduction, Sum};
pub use evaluate::{Comparison, Ends, Form};
pub use owned::Owned;
pub use plan::{Operation, Plan, Source};
pub use run::{Output, Prepared, RecordsProgram, compute, prepare};
pub use value::Value;
