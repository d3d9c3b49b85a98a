//! What a client notes on its way.

use crate::driver::Sight;
use crate::ledger::Ending;
use crate::work::{Work, Works, command};
use bytes::Bytes;
use handover::deferral::client::{Event, Outcome, Task};
use handover::deferral::{RequestId, ServerUri};
use std::time::Instant;

/// One request of one client.
pub struct Visit {
    works: Works,
    id: RequestId,
    command: &'static str,
    argument: Bytes,
    /// The command of the chain that it is about now.
    last: &'static str,
    epoch: u16,
    contacts: usize,
    result: Vec<u8>,
    since: Instant,
}

impl Visit {
    pub fn new(works: Works, id: RequestId, command: &'static str, argument: Bytes) -> Self {
        let (result, since) = (Vec::new(), Instant::now());
        Self { works, id, command, argument, last: command, epoch: 0, contacts: 0, result, since }
    }

    /// The same for the crate's client, which is to begin with these servers.
    pub fn task(&self, servers: Vec<ServerUri>) -> Task {
        let mut task = Task::new(self.id, servers, command(self.command, vec![self.argument.clone()]));
        task.read_only = Work::find(self.works, self.command).is_some_and(|work| work.read_only);
        task
    }

    pub fn see(&mut self, sight: &Sight<'_>) {
        match sight {
            Sight::Dials(_) => self.contacts += 1,
            // From here on the result begins anew.
            Sight::Event(Event::Executing(_)) => self.result.clear(),
            Sight::Event(Event::Data(piece)) => self.result.extend_from_slice(&piece.0),
            Sight::Event(Event::Continued(next)) => {
                self.epoch += 1;
                self.last = Work::find(self.works, next.name.as_str()).map_or("", |work| work.name);
            }
            _ => {}
        }
    }

    pub fn end(self, outcome: Result<Outcome, String>, name: impl Fn(&ServerUri) -> char, walk: Vec<String>) -> Ending {
        let Self { works, id, command, argument, last, epoch, contacts, result, since } = self;
        let server = match &outcome {
            Ok(Outcome::Done { server, .. } | Outcome::Indeterminate { server, .. }) => Some(name(server)),
            _ => None,
        };
        let intact = Work::find(works, last).is_some_and(|work| result == work.result(&[argument]));
        Ending { id, command, epoch, outcome, server, intact, contacts, walk, time: since.elapsed() }
    }
}
