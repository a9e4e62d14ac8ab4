//! The Python module `samite._engine`: lazy calls, the compiler from Python graphs to plans, and
//! the session that runs them. The only crate that knows Python.

// Nothing of this crate is a Rust API: `pub` says that the whole crate may use an item.
#![allow(unreachable_pub)]

mod allocator;
mod arrays;
mod bags;
mod cluster;
mod compile;
mod error;
mod frames;
mod gil;
mod helpers;
mod node;
mod numpy_memory;
mod observer;
mod pickled;
mod processes;
mod program;
mod read_graph;
mod session;
mod spec;
mod task_spec;
mod template;
mod token;
mod unpack;
mod value;

use pyo3::prelude::*;

#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    allocator::set_up();
    module.add_class::<node::Node>()?;
    module.add_class::<template::TemplateObject>()?;
    module.add_class::<program::BoundTask>()?;
    module.add_class::<observer::RunView>()?;
    module.add_function(wrap_pyfunction!(node::make_leaf, module)?)?;
    module.add_function(wrap_pyfunction!(node::make_attribute, module)?)?;
    module.add_function(wrap_pyfunction!(node::make_literal, module)?)?;
    module.add_function(wrap_pyfunction!(node::make_function_call, module)?)?;
    module.add_function(wrap_pyfunction!(helpers::count_annotations, module)?)?;
    module.add_function(wrap_pyfunction!(session::run_nodes, module)?)?;
    module.add_function(wrap_pyfunction!(session::run_graph, module)?)?;
    module.add_function(wrap_pyfunction!(session::order, module)?)?;
    module.add_function(wrap_pyfunction!(unpack::scan, module)?)?;
    module.add_function(wrap_pyfunction!(unpack::fill, module)?)?;
    module.add_function(wrap_pyfunction!(numpy_memory::kept_memory, module)?)?;
    module.add_function(wrap_pyfunction!(numpy_memory::trim_memory, module)?)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    arrays::register(module)?;
    bags::register(module)?;
    cluster::register(module)?;
    frames::register(module)?;
    error::register(module)?;
    gil::register_exit(module)
}
