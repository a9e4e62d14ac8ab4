//! Functions that clients run on workers, and plugins, which also new workers are given.

use bytes::Bytes;
use rustc_hash::FxHashMap;
use samite_scheduling::WorkerId;

use super::coordination::Asker;
use super::core::Core;
use super::members::{Outgoing, Worker};
use crate::encoded::Encoded;
use crate::plain::{Fault, Plain};
use crate::protocol::{PREPARE, ToWorker};

/// The number of calls to whose answer nobody listens.
const UNHEARD: u64 = 0;

/// A request that waits for workers.
struct Call {
    asker: Asker,
    missing: Vec<WorkerId>,
    answers: Vec<(Plain, Plain)>,
}

struct Plugin {
    /// Who sets it up: the worker, or by way of the worker the nanny that watches it.
    kind: String,
    name: String,
    payload: Encoded,
}

/// Calls under way, and plugins.
#[derive(Default)]
pub(super) struct Calls {
    next: u64,
    open: FxHashMap<u64, Call>,
    plugins: Vec<Plugin>,
}

impl Calls {
    pub(super) fn greet(&mut self, out: &mut Outgoing<ToWorker>) {
        for plugin in &self.plugins {
            out.push(ToWorker::Call { id: PREPARE, payload: plugin.payload.clone() });
        }
    }
}

fn payload(arguments: &Plain, name: &str) -> Result<Encoded, Fault> {
    let bytes = arguments.get(name).and_then(Plain::as_bytes);
    let bytes = bytes.ok_or_else(|| Fault::value(format!("{name:?} must be a pickled call")))?;
    Ok(Encoded { kind: 0, frames: vec![Bytes::copy_from_slice(bytes)] })
}

/// The kind of a plugin, and its name; plugins of two kinds may share a name.
fn plugin_named(arguments: &Plain) -> (String, String) {
    let text = |name| arguments.get(name).and_then(Plain::as_text).unwrap_or_default().to_owned();
    (text("kind"), text("name"))
}

fn plain(answer: Result<Encoded, (String, Encoded)>) -> Plain {
    match answer {
        Ok(encoded) => {
            let bytes: Vec<u8> = encoded.frames.iter().flat_map(|frame| frame.to_vec()).collect();
            Plain::List(vec![Plain::text("ok"), Plain::Bytes(bytes.into())])
        }
        Err((text, _)) => Plain::List(vec![Plain::text("error"), Plain::text(text)]),
    }
}

impl Core {
    /// Runs a function on workers; answers `{address: ["ok", bytes] or ["error", text]}`.
    pub(super) fn run_function(&mut self, asker: Asker, arguments: &Plain) {
        let payload = match payload(arguments, "function") {
            Ok(payload) => payload,
            Err(fault) => return self.reply(asker, Err(fault)),
        };
        let workers = self.chosen(arguments);
        let named = arguments.get("workers").map(Plain::texts).unwrap_or_default();
        let unknown = named
            .into_iter()
            .find(|name| !self.workers.values().any(|worker| worker.answers_to(name)));
        if let Some(unknown) = unknown {
            let text = format!("run: there is no worker {unknown:?} in this cluster");
            return self.reply(asker, Err(Fault::new("OSError", text)));
        }
        let wait = arguments.get("wait").is_none_or(Plain::is_true);
        self.call(asker, &workers, &payload, wait);
    }

    fn call(&mut self, asker: Asker, workers: &[WorkerId], payload: &Encoded, wait: bool) {
        let id = if wait {
            self.pending.calls.next += 1;
            self.pending.calls.next
        } else {
            UNHEARD
        };
        for worker in workers {
            if let Some(worker) = self.workers.get_mut(worker) {
                worker.out.push(ToWorker::Call { id, payload: payload.clone() });
            }
        }
        if !wait || workers.is_empty() {
            return self.reply(asker, Ok(Plain::Map(Vec::new())));
        }
        let call = Call { asker, missing: workers.to_vec(), answers: Vec::new() };
        self.pending.calls.open.insert(id, call);
    }

    /// A worker has answered.
    pub(super) fn called(
        &mut self,
        worker: WorkerId,
        id: u64,
        answer: Result<Encoded, (String, Encoded)>,
    ) {
        let address = self.workers.get(&worker).map(|worker| worker.address.to_string());
        self.answered(worker, id, address.unwrap_or_default(), plain(answer));
    }

    fn answered(&mut self, worker: WorkerId, id: u64, address: String, answer: Plain) {
        let Some(call) = self.pending.calls.open.get_mut(&id) else { return };
        let Some(place) = call.missing.iter().position(|other| *other == worker) else { return };
        call.missing.swap_remove(place);
        call.answers.push((Plain::text(address), answer));
        if call.missing.is_empty()
            && let Some(call) = self.pending.calls.open.remove(&id)
        {
            self.reply(call.asker, Ok(Plain::Map(call.answers)));
        }
    }

    /// A worker is gone, and will not answer.
    pub(super) fn call_answers_lost(&mut self, worker: WorkerId, gone: &Worker) {
        let open = self.pending.calls.open.iter();
        let mut waited: Vec<u64> =
            open.filter(|(_, call)| call.missing.contains(&worker)).map(|(id, _)| *id).collect();
        waited.sort_unstable();
        for id in waited {
            let text = Plain::text("the worker was lost before it answered");
            let answer = Plain::List(vec![Plain::text("error"), text]);
            self.answered(worker, id, gone.address.to_string(), answer);
        }
        self.worker_gone(worker);
    }

    pub(super) fn register_plugin(&mut self, asker: Asker, arguments: &Plain) {
        let (kind, name) = plugin_named(arguments);
        let payload = match payload(arguments, "data") {
            Ok(payload) => payload,
            Err(fault) => return self.reply(asker, Err(fault)),
        };
        let plugins = &mut self.pending.calls.plugins;
        plugins.retain(|plugin| plugin.name != name || plugin.kind != kind);
        plugins.push(Plugin { kind, name, payload: payload.clone() });
        self.note_request("register_plugin", arguments);
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        self.call(asker, &workers, &payload, true);
    }

    pub(super) fn unregister_plugin(&mut self, asker: Asker, arguments: &Plain) {
        self.note_request("unregister_plugin", arguments);
        let (kind, name) = plugin_named(arguments);
        let plugins = &mut self.pending.calls.plugins;
        let before = plugins.len();
        plugins.retain(|plugin| plugin.name != name || plugin.kind != kind);
        if plugins.len() == before {
            return self.reply(asker, Ok(Plain::Bool(false)));
        }
        match payload(arguments, "data") {
            Ok(payload) => {
                let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
                self.call(asker, &workers, &payload, true);
            }
            Err(fault) => self.reply(asker, Err(fault)),
        }
    }
}
