//! Clusters: clients, schedulers and workers of Python processes.

pub mod calls;
pub mod client;
pub mod executor;
pub mod frames;
pub mod future;
pub mod names;
pub mod parts;
pub mod payload;
pub mod plain;
pub mod servers;
pub mod settings;
pub mod submit;
pub mod tasks;

use pyo3::prelude::*;

/// Registers what this module gives Python code.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<client::ClusterClient>()?;
    module.add_class::<calls::CallBatch>()?;
    module.add_class::<future::FutureBase>()?;
    module.add_class::<servers::ClusterScheduler>()?;
    module.add_class::<servers::ClusterWorker>()?;
    module.add_class::<servers::TaskWorker>()?;
    module.add_function(wrap_pyfunction!(names::take_integers, module)?)?;
    module.add_function(wrap_pyfunction!(tasks::graph_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(servers::current_task, module)?)?;
    module.add_function(wrap_pyfunction!(servers::running_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(servers::current_worker, module)?)?;
    module.add_function(wrap_pyfunction!(servers::secede, module)?)?;
    module.add_function(wrap_pyfunction!(servers::rejoin, module)?)?;
    module.add_function(wrap_pyfunction!(servers::generate_token, module)?)?;
    module.add_function(wrap_pyfunction!(servers::generate_credentials, module)?)
}
