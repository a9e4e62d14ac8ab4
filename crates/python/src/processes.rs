//! Tasks in worker processes.
//!
//! A request is a list of groups of frames: how to set up, the task, and each of its inputs; the
//! first frame holds the number of frames of each group. Results stay pickled in this process and
//! go to the next worker as they are. The other side is `samite._worker`.

use std::ffi::OsString;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use samite::runtime::processes::{Frame, ProcessError, ProcessOptions, ProcessPool};
use samite::runtime::{Context, Value};

use crate::error;
use crate::gil;
use crate::helpers;
use crate::pickled::{self, PickledValue};
use crate::program::Op;
use crate::spec;
use crate::value::to_python;

/// The first frame of an answer that is a result; any other is an error's.
const RESULT: &[u8] = b"\0";

/// Runs tasks in worker processes.
pub struct ProcessMode {
    pool: Arc<ProcessPool>,
    /// Pickled settings that every worker applies before its next task.
    setup: Vec<u8>,
    /// How often a task whose process died is tried again.
    retries: usize,
}

impl ProcessMode {
    /// From a dict with `command` (list of str), `workers` (int), `environment` (dict of str),
    /// `setup` (bytes) and `retries` (int).
    pub fn new(settings: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = settings.py();
        let command: Vec<OsString> = settings.get_item(intern!(py, "command"))?.extract()?;
        let workers: usize = settings.get_item(intern!(py, "workers"))?.extract()?;
        let mut options = ProcessOptions::new(command, workers);
        let environment = settings.get_item(intern!(py, "environment"))?;
        for (name, value) in environment.cast::<PyDict>()?.iter() {
            options.environment.push((name.extract()?, value.extract()?));
        }
        let setup = settings.get_item(intern!(py, "setup"))?;
        Ok(Self {
            pool: Arc::new(ProcessPool::new(options)),
            setup: setup.cast::<PyBytes>()?.as_bytes().to_vec(),
            retries: settings.get_item(intern!(py, "retries"))?.extract()?,
        })
    }

    /// Sends a task to a process and waits for its result.
    pub fn run(
        &self,
        py: Python<'_>,
        op: &Op,
        context: &Context<'_>,
        inputs: &[Value],
    ) -> PyResult<Value> {
        let name = op.name(py);
        let task = spec::of_operation(py, op)?;
        let task = helpers::dump_task(py)?.call1((task, &name))?;
        let task = pickled::dumped(&task)?.into_frames(py)?;
        // A value that was made in this process, where there is one, is pickled for the journey.
        let mut local: Vec<Option<Vec<Vec<u8>>>> = Vec::with_capacity(inputs.len());
        for value in inputs {
            local.push(match value.as_any().downcast_ref::<PickledValue>() {
                Some(_) => None,
                None => Some(pickled::dump(&to_python(py, value)?)?.into_frames(py)?),
            });
        }
        let mut counts: Vec<u32> = vec![1, task.len() as u32];
        let mut frames: Vec<&[u8]> = vec![&[], &self.setup];
        frames.extend(task.iter().map(Vec::as_slice));
        for (value, local) in inputs.iter().zip(&local) {
            let before = frames.len();
            match (local, value.as_any().downcast_ref::<PickledValue>()) {
                (Some(local), _) => frames.extend(local.iter().map(Vec::as_slice)),
                (None, Some(pickled)) => frames.extend(pickled.frames().iter().map(|f| &**f)),
                (None, None) => {}
            }
            counts.push((frames.len() - before) as u32);
        }
        let counts: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        frames[0] = &counts;
        let mut answer = gil::released(|| self.call(&frames, context))
            .map_err(|failed| named(&failed, &name))?;
        if answer.first().is_some_and(|status| &**status == RESULT) {
            answer.remove(0);
            return Ok(PickledValue::value(answer));
        }
        if !answer.is_empty() {
            answer.remove(0);
        }
        let failure = pickled::load(py, &answer)?;
        Err(match helpers::remote_failure(py)?.call1((failure,)) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        })
    }

    fn call(&self, frames: &[&[u8]], context: &Context<'_>) -> Result<Vec<Frame>, ProcessError> {
        let mut left = self.retries;
        let mut lease = self.pool.acquire()?;
        loop {
            match lease.call(frames, context.cancelled()) {
                Err(ProcessError::Died { .. }) if left > 0 => left -= 1,
                answer => return answer,
            }
        }
    }
}

fn named(failed: &ProcessError, name: &str) -> PyErr {
    match failed {
        ProcessError::Died { .. } => {
            error::WorkerProcessDied::new_err(format!("{failed} while it ran task {name}"))
        }
        _ => error::from_process(failed),
    }
}
