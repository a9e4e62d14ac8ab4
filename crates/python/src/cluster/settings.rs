//! Settings of schedulers, workers and clients, from the dicts that Python gives.

use std::time::Duration;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use samite::cluster::Fetching;
use samite::cluster::scheduler::{Measure, MemoryOptions, Patiences};
use samite::cluster::transport::Compression;
use samite::cluster::worker::MemoryShares;

use crate::cluster::servers::seconds;

fn unknown(whose: &str, name: &str) -> PyErr {
    PyTypeError::new_err(format!("{whose} have no setting {name:?}"))
}

/// How members talk to each other: a dict with any of `compression` (`"never"`, `"remote"`,
/// `"always"`), `idle_time`, `connect`, `first_pause`, `longest_pause` (seconds) and `retries`.
///
/// # Errors
/// Where there is no such setting, or a value has another type.
pub fn fetching_of(given: Option<&Bound<'_, PyDict>>) -> PyResult<Fetching> {
    let mut found = Fetching::default();
    for (name, value) in given.into_iter().flat_map(|given| given.iter()) {
        let time = || Ok::<Duration, PyErr>(seconds(value.extract()?));
        match name.extract::<String>()?.as_str() {
            "compression" => {
                found.limits.compression = match value.extract::<String>()?.as_str() {
                    "never" => Compression::Never,
                    "remote" => Compression::Remote,
                    "always" => Compression::Always,
                    other => {
                        let text = format!("connections have no compression {other:?}");
                        return Err(PyValueError::new_err(text));
                    }
                }
            }
            "idle_time" => {
                found.limits.idle_time = time()?;
                // Whoever is there has to show it more often than others look.
                found.limits.keepalive = found.limits.keepalive.min(time()? / 3);
            }
            "connect" => found.timeout = time()?,
            "retries" => found.retries = value.extract()?,
            "first_pause" => found.first_pause = time()?,
            "longest_pause" => found.longest_pause = time()?,
            other => return Err(unknown("connections", other)),
        }
    }
    Ok(found)
}

/// How a scheduler manages copies: a dict with any of `start`, `reduce` (bool), `interval`, `recent`
/// (seconds) and `measure`.
///
/// # Errors
/// Where there is no such setting or measure, or a value has another type.
pub fn manager_of(given: &Bound<'_, PyDict>) -> PyResult<MemoryOptions> {
    let mut options = MemoryOptions::default();
    for (name, value) in given {
        match name.extract::<String>()?.as_str() {
            "start" => options.start = value.is_truthy()?,
            "reduce" => options.reduce = value.is_truthy()?,
            "interval" => options.interval = seconds(value.extract()?),
            "recent" => options.recent = seconds(value.extract()?),
            "measure" => {
                let named: String = value.extract()?;
                options.measure = Measure::named(&named).ok_or_else(|| {
                    PyValueError::new_err(format!("there is no measure of memory {named:?}"))
                })?;
            }
            other => return Err(unknown("memory managers", other)),
        }
    }
    Ok(options)
}

/// What a scheduler gives up after which time: a dict with any of `worker`, `no_workers` and `lease`
/// (seconds, or None for never).
///
/// # Errors
/// Where there is no such setting, or a value has another type.
pub fn patiences_of(given: &Bound<'_, PyDict>) -> PyResult<Patiences> {
    let mut patiences = Patiences::default();
    for (name, value) in given {
        let time = value.extract::<Option<f64>>()?.map(seconds);
        match name.extract::<String>()?.as_str() {
            "worker" => patiences.worker = time,
            "no_workers" => patiences.no_workers = time,
            "lease" => patiences.lease = time.unwrap_or(Duration::MAX / 4),
            other => return Err(unknown("patiences", other)),
        }
    }
    Ok(patiences)
}

/// What a worker does as memory gets short.
///
/// # Errors
/// Where there is no such setting, or a value has another type.
pub fn memory_of(given: &Bound<'_, PyDict>) -> PyResult<MemoryShares> {
    let mut memory = MemoryShares::default();
    for (name, value) in given {
        match name.extract::<String>()?.as_str() {
            "target" => memory.target = value.extract()?,
            "spill" => memory.spill = value.extract()?,
            "pause" => memory.pause = value.extract()?,
            "max_spill" => memory.most_on_disk = value.extract()?,
            "interval" => memory.interval = seconds(value.extract()?),
            "spill_parts" => memory.spill_parts = value.extract()?,
            "owns_process" => memory.owns_process = value.extract()?,
            other => {
                let text = format!("the memory of a worker has no setting {other:?}");
                return Err(PyTypeError::new_err(text));
            }
        }
    }
    Ok(memory)
}
