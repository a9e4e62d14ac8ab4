//! Tests of the array crate through its public interface.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod calls;
mod evaluate;
mod expressions;
mod fourier;
mod interchange;
mod layouts;
mod linalg;
mod matmul;
mod mirrored;
mod random;
mod reduce;
mod reduce_dtypes;
mod scan;
mod shared;
mod ufuncs;
mod values;
mod views;

/// How many random cases a test tries: few where the interpreter of undefined behaviour runs it,
/// which takes a thousand times as long.
const fn cases(many: u32) -> u32 {
    if cfg!(miri) { 1 + many / 150 } else { many }
}
