//! Records that no type is known for: values, functions of them as data, and reductions.

mod accumulate;
mod arithmetic;
mod evaluate;
mod json;
mod keyed;
mod owned;
mod plan;
mod project;
mod reader;
mod run;
mod scan;
mod strings;
mod tally;
mod value;
mod words;

pub use accumulate::{Accumulator, Reduction, Sum};
pub use arithmetic::Arithmetic;
pub use evaluate::{Comparison, Ends, Form};
pub use keyed::{Fold, Keyed};
pub use owned::Owned;
pub use plan::{Operation, Plan, Source};
pub use reader::{Batch, JsonReader, Wanted};
pub use run::{Output, Prepared, RecordsProgram, compute, prepare};
pub use scan::Row;
pub use simd_json::Node;
pub use value::Value;
