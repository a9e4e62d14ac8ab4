//! Calls of Python where the scheduler is: the client of the process that has started it carries them
//! out, and the scheduler passes them on.

use std::collections::BTreeMap;

use super::coordination::Asker;
use super::core::Core;
use super::members::ClientId;
use crate::plain::{Fault, Plain};
use crate::protocol::ToClient;

/// Under this topic the host is told of calls.
const TOPIC: &str = "scheduler-host";

/// Who carries calls out, and those that are under way.
#[derive(Default)]
pub(super) struct Hosting {
    host: Option<ClientId>,
    next: u64,
    open: BTreeMap<u64, Asker>,
}

impl Core {
    /// A client carries calls out from now on.
    pub(super) fn host(&mut self, client: ClientId) -> Plain {
        self.pending.hosting.host = Some(client);
        Plain::text(TOPIC)
    }

    /// Passes a call on; it is answered when it has been carried out.
    pub(super) fn run_on_host(&mut self, asker: Asker, arguments: &Plain) {
        let hosting = &mut self.pending.hosting;
        let function = arguments.get("function").cloned();
        let host = hosting.host.and_then(|client| self.clients.get_mut(&client));
        let (Some(host), Some(function)) = (host, function) else {
            let text = "no Python answers where the scheduler runs: it has to be one of this process, \
                        or to be started by 'samite scheduler --no-journal'";
            return self.reply(asker, Err(Fault::new("RuntimeError", text)));
        };
        hosting.next += 1;
        let call = hosting.next;
        hosting.open.insert(call, asker);
        let event = Plain::map([("call", Plain::count(call)), ("function", function)]);
        host.out.push(ToClient::Event { topic: TOPIC.to_owned(), event });
    }

    /// The host has carried a call out.
    pub(super) fn host_ran(&mut self, client: ClientId, arguments: &Plain) -> Plain {
        let hosting = &mut self.pending.hosting;
        let call = arguments.get("call").and_then(Plain::as_int);
        let call = call.and_then(|call| u64::try_from(call).ok()).unwrap_or(0);
        if hosting.host == Some(client)
            && let Some(asker) = hosting.open.remove(&call)
        {
            let answer = arguments.get("answer").cloned().unwrap_or_default();
            self.reply(asker, Ok(answer));
        }
        Plain::None
    }

    /// Nobody waits for a client that has gone.
    pub(super) fn host_gone(&mut self, client: ClientId) {
        let hosting = &mut self.pending.hosting;
        hosting.open.retain(|_, asker| asker.client != client);
        if hosting.host != Some(client) {
            return;
        }
        hosting.host = None;
        for (_, asker) in std::mem::take(&mut hosting.open) {
            let text = "the process that carries out calls on the scheduler is gone";
            self.reply(asker, Err(Fault::new("CommClosedError", text)));
        }
    }
}
