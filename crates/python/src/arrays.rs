//! The door to arrays: NumPy's memory as chunks and back, expressions, and their computation.

pub mod call;
pub mod convert;
pub mod dense;
pub mod expr;
pub mod task;

use pyo3::prelude::*;

/// Adds the classes and functions of arrays to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    dense::register(module)?;
    module.add("UnexpectedBlock", module.py().get_type::<call::UnexpectedBlock>())?;
    module.add_class::<expr::ArrayExpr>()?;
    module.add_class::<task::ArrayTask>()?;
    module.add_class::<convert::NativeValue>()?;
    module.add_function(wrap_pyfunction!(expr::resolve_ufunc, module)?)?;
    module.add_function(wrap_pyfunction!(task::array_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(crate::session::run_arrays, module)?)?;
    module.add_function(wrap_pyfunction!(crate::session::persist_arrays, module)?)
}
