//! What programs ask: Dask's JSON pages and its programming interface.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::server::Shared;
use super::snapshot::{Retire, Snapshot, Worker};

/// The answer to a request that is not served.
pub(super) fn refusal(status: StatusCode, reason: &str) -> Response {
    (status, [(header::CONTENT_TYPE, JSON)], json!({ "Error": reason }).to_string()).into_response()
}

const JSON: &str = "application/json";

pub(super) fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, JSON)], value.to_string()).into_response()
}

/// The answer when the scheduler has ended.
pub(super) fn ended() -> Response {
    refusal(StatusCode::SERVICE_UNAVAILABLE, "the scheduler has ended")
}

/// Answers with what is made of the state.
async fn from_snapshot(shared: &Shared, make: impl FnOnce(Snapshot) -> Value) -> Response {
    match shared.source.snapshot(u64::MAX).await {
        Some(snapshot) => answer(&make(snapshot)),
        None => ended(),
    }
}

/// What is known of a worker, with Dask's names.
fn worker(worker: &Worker) -> Value {
    json!({
        "type": "Worker",
        "id": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "resources": worker.resources,
        "local_directory": worker.local_directory,
        "name": worker.name,
        "nthreads": worker.nthreads,
        "memory_limit": worker.memory_limit,
        "last_seen": worker.last_seen,
        "services": {},
        "metrics": {
            "cpu": worker.cpu,
            "memory": worker.memory.process,
            "managed_bytes": worker.memory.managed,
            "spilled_bytes": { "memory": worker.memory.spilled, "disk": worker.memory.spilled },
            "task_counts": {
                "executing": worker.executing,
                "ready": worker.ready,
                "memory": worker.in_memory,
            },
            "transfer": worker.transfers,
            "host_net_io": { "read_bps": worker.network.read, "write_bps": worker.network.written },
            "host_disk_io": { "read_bps": worker.disks.read, "write_bps": worker.disks.written },
            "num_fds": worker.descriptors,
            "time": worker.last_seen,
        },
        "status": worker.status,
        "nanny": null,
    })
}

fn by_address(workers: &[Worker]) -> Map<String, Value> {
    workers.iter().map(|found| (found.address.clone(), worker(found))).collect()
}

pub(super) async fn counts(State(shared): State<Arc<Shared>>) -> Response {
    from_snapshot(&shared, |snapshot| {
        let workers = &snapshot.workers;
        let hosts: std::collections::BTreeSet<_> = workers.iter().map(|w| &w.host).collect();
        json!({
            "bytes": snapshot.prefixes.iter().map(|prefix| prefix.output_bytes).sum::<u64>(),
            "clients": snapshot.clients,
            "cores": workers.iter().map(|worker| u64::from(worker.nthreads)).sum::<u64>(),
            "erred": snapshot.tasks.erred,
            "hosts": hosts.len(),
            "idle": workers.iter().filter(|worker| worker.idle).count(),
            "memory": snapshot.tasks.memory,
            "processing": snapshot.tasks.processing,
            "released": snapshot.tasks.released,
            "saturated": workers.iter().filter(|worker| worker.saturated).count(),
            "tasks": snapshot.tasks.total(),
            "unrunnable": snapshot.tasks.no_worker,
            "waiting": snapshot.tasks.waiting,
            "queued": snapshot.tasks.queued,
            "workers": workers.len(),
            "desired_workers": snapshot.desired_workers,
        })
    })
    .await
}

pub(super) async fn identity(State(shared): State<Arc<Shared>>) -> Response {
    let port = shared.port;
    from_snapshot(&shared, move |snapshot| {
        let workers = &snapshot.workers;
        json!({
            "type": "Scheduler",
            "id": snapshot.id,
            "address": snapshot.address,
            "services": { "dashboard": port },
            "started": snapshot.started,
            "n_workers": workers.len(),
            "total_threads": workers.iter().map(|worker| u64::from(worker.nthreads)).sum::<u64>(),
            "total_memory": workers.iter().map(|worker| worker.memory_limit).sum::<u64>(),
            "workers": by_address(workers),
        })
    })
    .await
}

pub(super) async fn get_workers(State(shared): State<Arc<Shared>>) -> Response {
    from_snapshot(&shared, |snapshot| {
        let workers: Vec<_> = snapshot
            .workers
            .iter()
            .map(|worker| json!({ "name": worker.name, "address": worker.address }))
            .collect();
        json!({ "num_workers": workers.len(), "workers": workers })
    })
    .await
}

pub(super) async fn adaptive_target(State(shared): State<Arc<Shared>>) -> Response {
    from_snapshot(&shared, |snapshot| json!({ "workers": snapshot.desired_workers })).await
}

pub(super) async fn check_idle(State(shared): State<Arc<Shared>>) -> Response {
    from_snapshot(&shared, |snapshot| json!({ "idle_since": snapshot.idle_since })).await
}

/// Lets workers go: `{"workers": [addresses]}`, `{"n": number}` or `{}`.
pub(super) async fn retire_workers(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = forbidden(&shared, &headers) {
        return refused;
    }
    let request = match retirement(&body) {
        Ok(request) => request,
        Err(reason) => return refusal(StatusCode::BAD_REQUEST, &reason),
    };
    match shared.source.retire(request).await {
        Ok(workers) => answer(&Value::Object(by_address(&workers))),
        Err(reason) => refusal(StatusCode::BAD_REQUEST, &reason),
    }
}

fn retirement(body: &[u8]) -> Result<Retire, String> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|error| format!("retire_workers takes an object of JSON: {error}"))?;
    let Value::Object(mut body) = body else {
        return Err("retire_workers takes an object of JSON".to_owned());
    };
    match (body.remove("workers"), body.remove("n")) {
        (None | Some(Value::Null), None | Some(Value::Null)) => Ok(Retire::Idle),
        (None | Some(Value::Null), Some(count)) => count
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .map(Retire::Count)
            .ok_or_else(|| format!("retire_workers: n must be a number of workers, not {count}")),
        (Some(workers), None | Some(Value::Null)) => {
            serde_json::from_value(workers).map(Retire::Workers).map_err(|error| {
                format!("retire_workers: workers must be a list of addresses: {error}")
            })
        }
        _ => Err("retire_workers takes workers or n, not both".to_owned()),
    }
}

/// Why a request may not change anything: it does not show the token, or where there is none, it
/// comes from a web page.
fn forbidden(shared: &Shared, headers: &HeaderMap) -> Option<Response> {
    let Some(token) = &shared.token else {
        return headers
            .contains_key(header::ORIGIN)
            .then(|| refusal(StatusCode::FORBIDDEN, "web pages may not change a cluster"));
    };
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if shown.is_some_and(|shown| token.is(shown)) {
        return None;
    }
    Some(refusal(
        StatusCode::UNAUTHORIZED,
        "changing a cluster takes its token, as in Authorization: Bearer TOKEN",
    ))
}
