//! Serves pages, within limits.
//!
//! One task accepts; each connection has a task of its own. All of them end when the server is
//! dropped.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::snapshot::Source;
use super::{interface, pages};
use crate::security::Token;

/// The pause after the system could not accept.
const PAUSE: Duration = Duration::from_millis(50);

/// How pages are served.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Host and port; port zero takes a free one.
    pub address: String,
    /// Certificates, for `https`.
    pub tls: Option<Arc<ServerConfig>>,
    /// What whoever changes something has to show.
    pub token: Option<Token>,
    /// The beginning of the names of figures; Dask's dashboards know `dask`.
    pub namespace: String,
    /// What stands before all paths, as `/cluster`; empty for nothing.
    pub prefix: String,
    /// How many connections there are at once.
    pub connections: usize,
    /// How many live pages there are at once.
    pub listeners: usize,
    /// How long the head of a request may take.
    pub head_time: Duration,
    /// How long a request may take until its answer begins.
    pub request_time: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            address: "127.0.0.1:8787".to_owned(),
            tls: None,
            token: None,
            namespace: "dask".to_owned(),
            prefix: String::new(),
            connections: 256,
            listeners: 64,
            head_time: Duration::from_secs(10),
            request_time: Duration::from_secs(30),
        }
    }
}

/// Why pages cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The address cannot be used.
    #[error(
        "cannot serve pages at {address}: {source}; choose another address, or :0 for a free port"
    )]
    Bind {
        /// The address.
        address: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The threads for connections cannot be started.
    #[error("cannot serve pages: {0}")]
    Runtime(String),
    /// A setting is not usable.
    #[error("cannot serve pages: {what} {value:?} {reason}")]
    Setting {
        /// The setting.
        what: &'static str,
        /// What it is.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// What the handlers share.
pub(super) struct Shared {
    pub(super) source: Arc<dyn Source>,
    pub(super) token: Option<Token>,
    pub(super) namespace: String,
    pub(super) port: u16,
    pub(super) listeners: Arc<Semaphore>,
}

/// Serves pages until it is dropped.
#[derive(Debug)]
pub struct HttpServer {
    address: SocketAddr,
    task: AbortHandle,
}

impl HttpServer {
    /// Begins to serve. The tasks run on the current runtime.
    ///
    /// # Errors
    /// Where the address is taken or no address, and where a setting is not usable.
    pub async fn bind(options: HttpOptions, source: Arc<dyn Source>) -> Result<Self, HttpError> {
        check(&options)?;
        let failed = |source| HttpError::Bind { address: options.address.clone(), source };
        let address = match options.address.strip_prefix(':') {
            Some(port) => format!("0.0.0.0:{port}"),
            None => options.address.clone(),
        };
        let listener = TcpListener::bind(&address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared {
            source,
            token: options.token.clone(),
            namespace: options.namespace.clone(),
            port: address.port(),
            listeners: Arc::new(Semaphore::new(options.listeners.min(Semaphore::MAX_PERMITS))),
        });
        let pages = routes(shared);
        let pages = match options.prefix.trim_end_matches('/') {
            "" => pages.route("/", get(pages::root)),
            prefix => {
                // Where a browser is, decides what a relative path means.
                let last = prefix.rsplit('/').next().unwrap_or_default();
                let inside = format!("{last}/status");
                Router::new()
                    .nest(prefix, pages)
                    .route(prefix, get(move || async move { Redirect::temporary(&inside) }))
                    .route(&format!("{prefix}/"), get(pages::root))
            }
        };
        let task = tokio::spawn(accept(listener, pages, options)).abort_handle();
        Ok(Self { address, task })
    }

    /// Where it serves, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn check(options: &HttpOptions) -> Result<(), HttpError> {
    let HttpOptions { namespace, prefix, .. } = options;
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if namespace.is_empty()
        || namespace.starts_with(|character: char| character.is_ascii_digit())
        || !namespace.chars().all(is_name)
    {
        return Err(HttpError::Setting {
            what: "the namespace of figures",
            value: namespace.clone(),
            reason: "must be letters, digits and underscores",
        });
    }
    let is_path =
        |character: char| character.is_ascii_alphanumeric() || "/-_.~".contains(character);
    let is_plain = prefix.starts_with('/') && prefix.chars().all(is_path);
    if !(prefix.is_empty() || is_plain) {
        return Err(HttpError::Setting {
            what: "the prefix of paths",
            value: prefix.clone(),
            reason: "must begin with a slash and be a plain path",
        });
    }
    Ok(())
}

fn routes(shared: Arc<Shared>) -> Router {
    let mut pages = Router::new()
        .route("/health", get(pages::health))
        .route("/metrics", get(pages::measured))
        .route("/status", get(pages::status))
        .route("/statics/status.js", get(pages::script))
        .route("/statics/status.css", get(pages::style))
        .route("/events", get(pages::events))
        .route("/sitemap.json", get(pages::sitemap))
        .route("/individual-plots.json", get(pages::individual_plots))
        .route("/json/index.html", get(pages::json_index))
        .route("/json/counts.json", get(interface::counts))
        .route("/json/identity.json", get(interface::identity))
        .route("/api/v1", get(|| async { "API V1" }))
        .route("/api/v1/get_workers", get(interface::get_workers))
        .route("/api/v1/adaptive_target", get(interface::adaptive_target))
        .route("/api/v1/check_idle", get(interface::check_idle))
        .route("/api/v1/retire_workers", post(interface::retire_workers));
    for (_, path) in pages::PARTS {
        pages = pages.route(path, get(pages::status));
    }
    pages.with_state(shared)
}

async fn accept(listener: TcpListener, pages: Router, options: HttpOptions) {
    let places = Arc::new(Semaphore::new(options.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, _)) => {
                let (pages, options) = (pages.clone(), options.clone());
                connections.spawn(async move {
                    enter(socket, pages, options).await;
                    drop(place);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn enter(socket: TcpStream, pages: Router, options: HttpOptions) {
    // A browser that is gone is nobody's error.
    _ = socket.set_nodelay(true);
    match options.tls.clone() {
        None => serve(socket, pages, &options).await,
        Some(config) => {
            let session =
                timeout(options.head_time, TlsAcceptor::from(config).accept(socket)).await;
            if let Ok(Ok(session)) = session {
                serve(session, pages, &options).await;
            }
        }
    }
}

async fn serve(
    socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    pages: Router,
    options: &HttpOptions,
) {
    let pages = TowerToHyperService::new(pages);
    let limit = options.request_time;
    let timed = service_fn(move |request| {
        let answering = pages.call(request);
        async move {
            match timeout(limit, answering).await {
                Ok(answer) => answer.map_err(io::Error::other),
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
            }
        }
    });
    // What ends a connection early concerns the other end only.
    _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_time)
        .serve_connection(TokioIo::new(socket), timed)
        .await;
}
