//! The live page, and the stream that feeds it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{Html, IntoResponse, Redirect, Response};
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::interface::{answer, ended, refusal};
use super::metrics;
use super::server::Shared;

/// The names of the page's parts, and the paths at which each is alone, as JupyterLab asks for them.
pub(super) const PARTS: [(&str, &str); 4] = [
    ("Task Stream", "/individual-task-stream"),
    ("Progress", "/individual-progress"),
    ("Workers", "/individual-workers"),
    ("Cluster Memory", "/individual-cluster-memory"),
];

/// All that the page needs comes from here: it works without other servers, and nothing that a key
/// or an error says can run as code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'";

const LONGEST_PAUSE: u64 = 60_000;
const SHORTEST_PAUSE: u64 = 100;
const PAUSE: u64 = 500;

pub(super) async fn health() -> &'static str {
    "ok"
}

pub(super) async fn root() -> Redirect {
    // Relative, so that it works behind a proxy that adds to the path.
    Redirect::temporary("status")
}

pub(super) async fn status() -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, Html(include_str!("pages/status.html"))).into_response()
}

pub(super) async fn script() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/javascript"), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("pages/status.js")).into_response()
}

pub(super) async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css"), (header::CACHE_CONTROL, "no-cache")];
    (headers, include_str!("pages/status.css")).into_response()
}

pub(super) async fn individual_plots() -> Response {
    answer(&PARTS.iter().map(|(name, path)| ((*name).to_owned(), json!(path))).collect())
}

pub(super) async fn json_index() -> Html<&'static str> {
    Html(
        "<!doctype html><title>JSON</title><ul><li><a href=\"counts.json\">counts.json</a>\
         <li><a href=\"identity.json\">identity.json</a></ul>",
    )
}

pub(super) async fn sitemap() -> Response {
    let mut paths = vec![
        "/health",
        "/metrics",
        "/status",
        "/events",
        "/sitemap.json",
        "/individual-plots.json",
        "/json/counts.json",
        "/json/identity.json",
        "/json/index.html",
        "/api/v1",
        "/api/v1/get_workers",
        "/api/v1/adaptive_target",
        "/api/v1/check_idle",
        "/api/v1/retire_workers",
    ];
    paths.extend(PARTS.map(|(_, path)| path));
    answer(&json!({ "paths": paths }))
}

pub(super) async fn measured(State(shared): State<Arc<Shared>>) -> Response {
    match shared.source.snapshot(u64::MAX).await {
        Some(snapshot) => {
            let text = metrics::write(&snapshot, &shared.namespace);
            ([(header::CONTENT_TYPE, metrics::TYPE)], text).into_response()
        }
        None => ended(),
    }
}

/// What a listener asks for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wishes {
    /// Milliseconds between two states.
    interval: Option<u64>,
    /// The first event that it wants.
    since: Option<u64>,
}

struct Listening {
    shared: Arc<Shared>,
    since: u64,
    pause: Duration,
    first: bool,
    _place: OwnedSemaphorePermit,
}

/// States of the scheduler, one after the other, as server-sent events.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    Query(wishes): Query<Wishes>,
) -> Response {
    let Ok(place) = Arc::clone(&shared.listeners).try_acquire_owned() else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open");
    };
    let pause = wishes.interval.unwrap_or(PAUSE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
    let listening = Listening {
        shared,
        since: wishes.since.unwrap_or(0),
        pause: Duration::from_millis(pause),
        first: true,
        _place: place,
    };
    let states = stream::unfold(listening, |mut listening| async move {
        if !listening.first {
            tokio::time::sleep(listening.pause).await;
        }
        listening.first = false;
        let snapshot = listening.shared.source.snapshot(listening.since).await?;
        listening.since = snapshot.next_event;
        // Figures that are no numbers become null; there is nothing else that can fail.
        let data = serde_json::to_string(&snapshot).ok()?;
        Some((Ok::<_, Infallible>(Event::default().data(data)), listening))
    });
    Sse::new(states).keep_alive(KeepAlive::default()).into_response()
}
