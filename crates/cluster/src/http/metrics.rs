//! Figures in Prometheus' text format, version 0.0.4, with the names that Dask's scheduler has.

use std::fmt::{Display, Write};

use super::snapshot::{Memory, Rates, Snapshot, Worker};

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

/// What a worker tells.
type Figure = fn(&Worker) -> f64;

/// The figures of each worker, which Dask's workers serve themselves.
fn write_workers(page: &mut Page<'_>, workers: &[Worker]) {
    let place = |worker: &Worker| [worker.address.clone(), worker.name.clone()];
    let of = |worker: &Worker, more: &[(&str, &str)]| {
        let [address, name] = place(worker);
        let known = [("worker", &*address), ("worker_name", &*name)];
        labels(&known.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
    };
    let each = |value: fn(&Worker) -> f64| {
        workers.iter().map(|worker| (of(worker, &[]), value(worker))).collect::<Vec<_>>()
    };
    let tasks = workers.iter().flat_map(|worker| {
        let states = [
            ("executing", worker.executing),
            ("ready", worker.ready),
            ("memory", worker.in_memory),
        ];
        states.map(|(state, count)| (of(worker, &[("state", state)]), count))
    });
    page.figure("worker_tasks", "gauge", "Tasks of workers by state", tasks.collect::<Vec<_>>());
    page.figure("worker_threads", "gauge", "Threads for tasks", each(|w| f64::from(w.nthreads)));
    let memory = workers.iter().flat_map(|worker| {
        let Memory { process, managed, spilled } = worker.memory;
        let unmanaged = process.saturating_sub(managed);
        let kinds = [("managed", managed), ("unmanaged", unmanaged), ("spilled", spilled)];
        kinds.map(|(kind, bytes)| (of(worker, &[("type", kind)]), bytes))
    });
    page.figure("worker_memory_bytes", "gauge", "Memory of workers", memory.collect::<Vec<_>>());
    page.figure(
        "worker_cpu_percent",
        "gauge",
        "Use of processors, in percent of one",
        each(|w| w.cpu),
    );
    page.figure(
        "worker_open_files",
        "gauge",
        "Files and sockets that the process has open",
        each(|w| w.descriptors as f64),
    );
    for (name, help, value) in [
        (
            "worker_host_network_bytes_per_second",
            "Bytes that the worker's machine receives and sends",
            (|w: &Worker| w.network) as fn(&Worker) -> Rates,
        ),
        (
            "worker_host_disk_bytes_per_second",
            "Bytes that the worker's machine reads and writes",
            |w: &Worker| w.disks,
        ),
    ] {
        let rates = workers.iter().flat_map(|worker| {
            let Rates { read, written } = value(worker);
            let ways = [("read", read), ("write", written)];
            ways.map(|(way, bytes)| (of(worker, &[("direction", way)]), bytes))
        });
        page.figure(name, "gauge", help, rates.collect::<Vec<_>>());
    }
    let totals: [(&str, &str, Figure); 4] = [
        (
            "worker_transfer_incoming_bytes_total",
            "Bytes of inputs that came from other workers",
            |w| w.transfers.incoming_bytes_total as f64,
        ),
        ("worker_transfer_incoming_count_total", "Requests to other workers for inputs", |w| {
            w.transfers.incoming_count_total as f64
        }),
        ("worker_transfer_outgoing_bytes_total", "Bytes of results that went to others", |w| {
            w.transfers.outgoing_bytes_total as f64
        }),
        ("worker_transfer_outgoing_count_total", "Requests of others for results", |w| {
            w.transfers.outgoing_count_total as f64
        }),
    ];
    for (name, help, value) in totals {
        page.figure(name, "counter", help, each(value));
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
    write_workers(&mut page, &snapshot.workers);
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
