//! Figures in Prometheus' text format, version 0.0.4, with the names that Dask's scheduler has.

use std::fmt::{Display, Write};

use super::snapshot::{Snapshot, Worker};

/// The media type.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes figures of one namespace.
struct Page<'a> {
    namespace: &'a str,
    text: String,
}

impl Page<'_> {
    /// A figure with its values by labels.
    fn figure<V: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        values: impl IntoIterator<Item = (String, V)>,
    ) {
        let namespace = self.namespace;
        // Writing to text cannot fail.
        _ = writeln!(self.text, "# HELP {namespace}_{name} {help}");
        _ = writeln!(self.text, "# TYPE {namespace}_{name} {kind}");
        for (labels, value) in values {
            _ = writeln!(self.text, "{namespace}_{name}{labels} {value}");
        }
    }

    fn gauge<V: Display>(&mut self, name: &str, help: &str, value: V) {
        self.figure(name, "gauge", help, [(String::new(), value)]);
    }

    fn counter<V: Display>(&mut self, name: &str, help: &str, value: V) {
        self.figure(name, "counter", help, [(String::new(), value)]);
    }
}

/// Labels as they stand behind a name.
fn labels(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The state that Dask counts a worker under.
fn worker_state(worker: &Worker) -> &'static str {
    match worker.status.as_str() {
        "paused" => "paused",
        "closing_gracefully" => "retiring",
        _ if worker.saturated => "saturated",
        _ if worker.idle => "idle",
        _ => "partially_saturated",
    }
}

/// All figures. The namespace is `dask` where Dask's dashboards are to understand them.
pub(super) fn write(snapshot: &Snapshot, namespace: &str) -> String {
    let mut page = Page { namespace, text: String::new() };
    let totals = &snapshot.totals;
    page.gauge("scheduler_clients", "Clients that are connected", snapshot.clients);
    page.counter(
        "scheduler_client_connections_added_total",
        "Connections of clients that were made",
        totals.clients_added,
    );
    page.counter(
        "scheduler_client_connections_removed_total",
        "Connections of clients that ended",
        totals.clients_removed,
    );
    page.gauge(
        "scheduler_desired_workers",
        "Workers that would be of use",
        snapshot.desired_workers,
    );
    let states = ["idle", "partially_saturated", "saturated", "paused", "retiring"];
    let count = |state| snapshot.workers.iter().filter(|w| worker_state(w) == state).count();
    let workers = states.map(|state| (labels(&[("state", state)]), count(state)));
    page.figure("scheduler_workers", "gauge", "Workers by state", workers);
    page.counter("scheduler_workers_added_total", "Workers that came", totals.workers_added);
    page.counter("scheduler_workers_removed_total", "Workers that went", totals.workers_removed);
    let tasks = snapshot.tasks.named();
    let tasks = tasks.map(|(state, count)| (labels(&[("state", state)]), count));
    page.figure("scheduler_tasks", "gauge", "Tasks by state", tasks);
    page.gauge("scheduler_task_groups", "Groups of tasks", snapshot.groups);
    page.counter(
        "scheduler_tasks_forgotten_total",
        "Tasks that are not known any more",
        totals.tasks_forgotten,
    );
    let by_prefix = |value: fn(&super::Prefix) -> f64| {
        let named = move |prefix: &super::Prefix| {
            (labels(&[("task_prefix_name", &prefix.name)]), value(prefix))
        };
        snapshot.prefixes.iter().map(named).collect::<Vec<_>>()
    };
    page.figure(
        "scheduler_tasks_suspicious_total",
        "counter",
        "How often tasks ran on a worker that was lost",
        by_prefix(|prefix| prefix.suspicious as f64),
    );
    page.figure(
        "scheduler_tasks_compute_seconds_total",
        "counter",
        "Seconds of running tasks",
        by_prefix(|prefix| prefix.compute_seconds),
    );
    page.figure(
        "scheduler_tasks_transfer_seconds_total",
        "counter",
        "Seconds of moving inputs of tasks",
        by_prefix(|prefix| prefix.transfer_seconds),
    );
    page.figure(
        "scheduler_tasks_output_bytes",
        "gauge",
        "Bytes of results, without copies",
        by_prefix(|prefix| prefix.output_bytes as f64),
    );
    let entered = snapshot.prefixes.iter().flat_map(|prefix| {
        prefix.entered.named().into_iter().filter(|(_, count)| *count > 0).map(|(state, count)| {
            (labels(&[("task_prefix_name", &prefix.name), ("state", state)]), count)
        })
    });
    page.figure(
        "scheduler_prefix_state_totals_total",
        "counter",
        "How often tasks came into each state",
        entered,
    );
    page.text
}
