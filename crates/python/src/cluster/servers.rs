//! Schedulers and workers in this process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTimeoutError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use samite::cluster::http::{HttpOptions, HttpServer};
use samite::cluster::scheduler::{SchedulerOptions, SchedulerServer};
use samite::cluster::security::{Credentials, Pem, Security, SecurityOptions, TlsVersion, Token};
use samite::cluster::transport::Address;
use samite::cluster::worker::{MemoryShares, WorkerHandle, WorkerServer, WorkerSettings};
use samite::cluster::{ClusterError, Plain};
use samite::scheduling::WorkerOptions;

use crate::cluster::executor::{self, PyExecutor};
use crate::cluster::settings::{self as cluster_settings, fetching_of};
use crate::cluster::{plain, submit};
use crate::gil;

/// A duration from seconds; what is negative or no number is none at all.
pub fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0)).unwrap_or(Duration::MAX / 4)
}

/// The exception of a cluster's error.
pub fn raised(failed: impl Into<ClusterError>) -> PyErr {
    let failed = failed.into();
    let text = failed.to_string();
    match failed {
        ClusterError::TimedOut { .. } => PyTimeoutError::new_err(text),
        ClusterError::Transport(_) | ClusterError::Closed | ClusterError::Journal(_) => {
            PyOSError::new_err(text)
        }
        ClusterError::Security(_) => PyValueError::new_err(text),
        _ => PyRuntimeError::new_err(text),
    }
}

/// A dict with any of `token` (str), `authority`, `certificate`, `key` (PEM text or paths),
/// `require_encryption`, `verify_names` (bool), `lowest_version`, `highest_version` ("1.2" or
/// "1.3") and `ciphers` (OpenSSL's names, with colons between). None means no protection.
pub fn security_of(security: Option<&Bound<'_, PyDict>>) -> PyResult<Security> {
    let Some(security) = security else { return Ok(Security::open()) };
    let mut options = SecurityOptions::default();
    for (name, value) in security.iter() {
        if value.is_none() {
            continue;
        }
        let pem = || Ok::<_, PyErr>(Some(Pem::guess(&value.extract::<String>()?)));
        let version = || {
            let version = TlsVersion::parse(&value.extract::<String>()?);
            Ok::<_, PyErr>(Some(version.map_err(raised)?))
        };
        match name.extract::<String>()?.as_str() {
            "token" => {
                let token = Token::new(value.extract::<String>()?);
                options.token = Some(token.map_err(raised)?);
            }
            "authority" => options.authority = pem()?,
            "certificate" => options.certificate = pem()?,
            "key" => options.key = pem()?,
            "require_encryption" => options.require_encryption = value.is_truthy()?,
            "lowest_version" => options.lowest_version = version()?,
            "highest_version" => options.highest_version = version()?,
            "ciphers" => options.ciphers = Some(value.extract()?),
            "verify_names" => options.verify_names = value.is_truthy()?,
            other => {
                return Err(PyTypeError::new_err(format!("security has no setting {other:?}")));
            }
        }
    }
    Security::new(options).map_err(raised)
}

/// A token of 256 random bits.
#[pyfunction]
pub fn generate_token() -> PyResult<String> {
    let token = Token::generate().map_err(raised)?;
    Ok(token.text().unwrap_or_default().to_owned())
}

/// A token and certificates for one cluster: a dict with `token`, `authority`, `certificate` and
/// `key`, the latter three as PEM text.
#[pyfunction]
pub fn generate_credentials(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let made = gil::released(Credentials::generate).map_err(raised)?;
    let found = PyDict::new(py);
    found.set_item("token", made.token.text().unwrap_or_default())?;
    found.set_item("authority", made.authority)?;
    found.set_item("certificate", made.certificate)?;
    found.set_item("key", made.key)?;
    Ok(found)
}

/// A scheduler on threads of its own.
#[pyclass(frozen, module = "samite._engine")]
pub struct ClusterScheduler {
    server: SchedulerServer,
    pages: Mutex<Option<HttpServer>>,
}

#[pymethods]
impl ClusterScheduler {
    /// Listens at the addresses.
    #[new]
    #[pyo3(signature = (listen, *, security=None, options=None))]
    fn new(
        listen: Vec<String>,
        security: Option<&Bound<'_, PyDict>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let listen: Vec<Address> =
            listen.iter().map(|text| text.parse().map_err(raised)).collect::<PyResult<_>>()?;
        let security = security_of(security)?;
        let mut settings = SchedulerOptions::default();
        for (name, value) in options.into_iter().flat_map(|options| options.iter()) {
            match name.extract::<String>()?.as_str() {
                "allowed_failures" => settings.scheduling.allowed_failures = value.extract()?,
                "saturation" => settings.scheduling.saturation = value.extract()?,
                "stealing" => settings.scheduling.stealing = value.extract()?,
                "unknown_duration" => {
                    let duration = seconds(value.extract()?).as_nanos();
                    settings.scheduling.unknown_duration =
                        u64::try_from(duration).unwrap_or(u64::MAX);
                }
                "bandwidth" => {
                    let bytes: f64 = value.extract()?;
                    settings.scheduling.bandwidth = (bytes as u64).max(1);
                }
                "journal" => settings.journal = value.extract()?,
                "memory" => settings.memory = cluster_settings::manager_of(value.cast()?)?,
                "patiences" => settings.patiences = cluster_settings::patiences_of(value.cast()?)?,
                "connections" => settings.limits = fetching_of(Some(value.cast()?))?.limits,
                other => {
                    return Err(PyTypeError::new_err(format!(
                        "a scheduler has no option {other:?}"
                    )));
                }
            }
        }
        let start = || SchedulerServer::start(&listen, &security, settings);
        let server = gil::released(start).map_err(raised)?;
        Ok(Self { server, pages: Mutex::new(None) })
    }

    /// Shows the state over HTTP at `address` (host and port) until the scheduler is closed. Reading
    /// is open to whoever reaches the address; changes take `token`, if there is one. The names of figures
    /// for Prometheus begin with `namespace`.
    ///
    /// Returns host and port, where port zero has become a free one. Raises OSError where the
    /// address cannot be used.
    #[pyo3(signature = (address, token=None, prefix="", namespace=None))]
    fn show_pages(
        &self,
        address: &str,
        token: Option<&str>,
        prefix: &str,
        namespace: Option<String>,
    ) -> PyResult<String> {
        let token = token.map(|token| Token::new(token).map_err(raised)).transpose()?;
        let mut options = HttpOptions {
            address: address.to_owned(),
            token,
            prefix: prefix.to_owned(),
            ..HttpOptions::default()
        };
        options.namespace = namespace.unwrap_or(options.namespace);
        let pages = gil::released(|| self.server.show_pages(options))
            .map_err(|failed| PyOSError::new_err(failed.to_string()))?;
        let address = pages.address().to_string();
        *self.pages.lock() = Some(pages);
        Ok(address)
    }

    /// Where members connect to.
    #[getter]
    fn addresses(&self) -> Vec<String> {
        self.server.addresses().iter().map(ToString::to_string).collect()
    }

    /// A name that no other scheduler has.
    #[getter]
    fn id(&self) -> &str {
        self.server.id()
    }

    /// Stops, and tells the members.
    #[pyo3(signature = (timeout=5.0))]
    fn close(&self, timeout: f64) {
        self.pages.lock().take();
        gil::released(|| self.server.close(seconds(timeout)));
    }
}

/// A worker on threads of its own.
#[pyclass(frozen, module = "samite._engine")]
pub struct ClusterWorker {
    server: WorkerServer,
}

#[pymethods]
impl ClusterWorker {
    /// Connects to the scheduler and begins to work.
    #[new]
    #[pyo3(signature = (
        scheduler, *, name, nthreads, memory_limit=None, resources=None, local_directory=None,
        listen, security=None, options=None, timeout=30.0
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        scheduler: &str,
        name: &str,
        nthreads: u32,
        memory_limit: Option<u64>,
        resources: Option<&Bound<'_, PyDict>>,
        local_directory: Option<&str>,
        listen: &str,
        security: Option<&Bound<'_, PyDict>>,
        options: Option<&Bound<'_, PyDict>>,
        timeout: f64,
    ) -> PyResult<Self> {
        let address: Address = scheduler.parse().map_err(raised)?;
        let listen: Address = listen.parse().map_err(raised)?;
        let security = security_of(security)?;
        let mut able = WorkerOptions::with_slots(nthreads.max(1));
        able.name = Arc::from(name);
        able.memory_limit = memory_limit.unwrap_or(0);
        able.capacity = nthreads.max(1).saturating_mul(16).max(64);
        for (name, amount) in resources.into_iter().flat_map(|resources| resources.iter()) {
            able.resources.push(submit::resource(&name, &amount)?);
        }
        let about = match options.map(|options| options.get_item("about")).transpose()?.flatten() {
            Some(about) => plain::of_python(&about)?,
            None => Plain::None,
        };
        let patience = match options.map(|options| options.get_item("patience")).transpose()? {
            Some(Some(patience)) => patience.extract()?,
            _ => 300.0,
        };
        let memory = match options.map(|options| options.get_item("memory")).transpose()?.flatten()
        {
            Some(given) => cluster_settings::memory_of(given.cast::<PyDict>()?)?,
            None => MemoryShares::default(),
        };
        // A nanny sets plugins up only once it knows that its worker is there.
        let wait = match options.map(|options| options.get_item("await_plugins")).transpose()? {
            Some(Some(wait)) => wait.is_truthy()?,
            _ => true,
        };
        let connections = options.map(|options| options.get_item("connections")).transpose()?;
        let connections = connections.flatten();
        let fetching = fetching_of(connections.as_ref().map(Bound::cast).transpose()?)?;
        let settings = WorkerSettings {
            options: able,
            memory,
            listen,
            about,
            folder: local_directory.map(PathBuf::from),
            limits: fetching.limits.clone(),
            fetching,
            timeout: seconds(timeout),
            patience: seconds(patience),
        };
        let executor = Arc::new(PyExecutor);
        let start = || {
            let server = WorkerServer::start(&address, &security, settings, executor)?;
            if wait {
                // Whoever has started it finds its plugins set up.
                server.wait_until_prepared(seconds(timeout));
            }
            Ok::<_, ClusterError>(server)
        };
        Ok(Self { server: gil::released(start).map_err(raised)? })
    }

    /// Where it serves values.
    #[getter]
    fn address(&self) -> String {
        self.server.handle().address.to_string()
    }

    /// Its name.
    #[getter]
    fn id(&self) -> &str {
        &self.server.handle().name
    }

    /// Waits until it was closed, by whomever; False where `timeout` seconds were over.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let end = timeout.map(|timeout| std::time::Instant::now() + seconds(timeout));
        loop {
            let left = end.map(|end| end.saturating_duration_since(std::time::Instant::now()));
            let pause = Duration::from_millis(50);
            let pause = left.map_or(pause, |left| left.min(pause));
            if gil::released(|| self.server.wait(pause)) {
                return Ok(true);
            }
            py.check_signals()?;
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }

    /// Leaves the cluster.
    #[pyo3(signature = (timeout=5.0))]
    fn close(&self, timeout: f64) {
        gil::released(|| self.server.close(seconds(timeout)));
    }
}

/// What a task sees of the worker that runs it.
#[pyclass(frozen, module = "samite._engine")]
pub struct TaskWorker {
    handle: Arc<WorkerHandle>,
}

#[pymethods]
impl TaskWorker {
    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.handle.name
    }

    /// Its name, as of the worker's own object.
    #[getter]
    fn id(&self) -> &str {
        &self.handle.name
    }

    /// Where it serves values.
    #[getter]
    fn address(&self) -> String {
        self.handle.address.to_string()
    }

    /// Where its scheduler is.
    #[getter]
    fn scheduler(&self) -> String {
        self.handle.scheduler.to_string()
    }

    /// The scheduler's name.
    #[getter]
    fn scheduler_id(&self) -> &str {
        &self.handle.scheduler_id
    }

    /// How many tasks it runs at once.
    #[getter]
    fn nthreads(&self) -> u32 {
        self.handle.slots
    }

    /// The bytes of values that it may hold; None for unknown.
    #[getter]
    fn memory_limit(&self) -> Option<u64> {
        (self.handle.memory_limit > 0).then_some(self.handle.memory_limit)
    }
}

/// `(worker, key, attempt)` of the task that this thread runs; None where it runs none.
#[pyfunction]
pub fn current_task() -> Option<(TaskWorker, Option<String>, u32)> {
    executor::current(|context, key| {
        let worker = TaskWorker { handle: context.worker.clone() };
        key.map(|key| (worker, Some(key.to_string()), context.attempt))
    })
    .flatten()
}

/// `(thread, address of the worker, key)` of each task that a thread of this process runs.
#[pyfunction]
pub fn running_tasks() -> Vec<(u64, String, String)> {
    executor::running()
}

/// The worker on whose behalf this thread runs a task or a call; None where there is none.
#[pyfunction]
pub fn current_worker() -> Option<TaskWorker> {
    executor::current(|context, _| TaskWorker { handle: context.worker.clone() })
}

/// Lets another task take this one's place among those that the worker runs at once.
#[pyfunction]
pub fn secede() -> bool {
    executor::current(|context, _| context.secede()).unwrap_or(false)
}

/// Takes the place back that `secede` gave away.
#[pyfunction]
pub fn rejoin() -> bool {
    gil::released(|| executor::current(|context, _| context.rejoin())).unwrap_or(false)
}
