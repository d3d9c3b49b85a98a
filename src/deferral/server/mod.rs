//! Who is admitted, who waits in line, and who is sent on (spec/deferral.md 5).

mod admission;
mod handle;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use table::{Event as TableEvent, State, TABLE, step};
pub use types::{Config, Credentials, Event, Input, Job, JobId, Output};

use super::message::{Message, Request, RequestKey};
use crate::machine::{LinkId, Outbox};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

/// A server: it admits requests as far as it has room, lets the others wait in one line or sends them on, carries each
/// out once at most, and says again how it ended if it is asked again.
///
/// A request with priority is never sent on by a server that is able to carry it out.
///
/// ```
/// use handover::deferral::message::{Command, CommandName, Message, Request, RequestKey};
/// use handover::deferral::server::{Config, Event, Input, Output, Server};
/// use handover::deferral::{RequestFlags, RequestId};
/// use handover::frame::{Extensions, Text};
/// use handover::machine::{LinkId, Machine};
/// use handover::time::Instant;
///
/// let (now, link) = (Instant::ZERO, LinkId(1));
/// let mut server = Server::new(Config::default());
/// let command = Command { name: CommandName::new("help").unwrap(), arguments: Vec::new() };
/// let message = Message::Request(Box::new(Request::new(RequestKey { id: RequestId([7; 16]), epoch: 0 }, command)));
/// server.handle(now, Input::Message { link, message, random: 4 })?;
/// assert!(matches!(server.poll_output(), Some(Output::Send { message: Message::Executing(_), .. })));
/// let Some(Output::Event(Event::Execute(job))) = server.poll_output() else { panic!() };
/// server.handle(now, Input::End { job: job.id, status: 0, text: Text::EMPTY })?;
/// assert!(matches!(server.poll_output(), Some(Output::Send { message: Message::End(_), .. })));
/// # Ok::<(), handover::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    config: Config,
    state: State,
    now: Instant,
    last_job: u32,
    last_place: u64,
    /// Who waits, in the order of arrival.
    queue: BTreeMap<Place, Waiting>,
    running: BTreeMap<JobId, Running>,
    /// Which requests are known, and what became of them.
    known: BTreeMap<RequestKey, Fate>,
    /// When each of those that have ended or were sent on may be forgotten.
    forget: VecDeque<(Instant, RequestKey)>,
    /// Whether anything was.
    has_forgotten: bool,
    /// When those who wait do so no longer.
    deadlines: BTreeSet<(Instant, Place)>,
    /// Links that it has closed and that are not over yet, the latest ones.
    shut: BTreeSet<LinkId>,
    outbox: Outbox<Output>,
}

/// A place in line: who comes later has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Place(u64);

/// A request in line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiting {
    link: LinkId,
    request: Box<Request>,
    deadline: Option<Instant>,
}

/// A command that is carried out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Running {
    key: RequestKey,
    /// Whether it must not be carried out again.
    once: bool,
    /// Who wants the result; `None` if nobody does any more.
    link: Option<LinkId>,
    /// Whether the application was told that nobody does.
    abandoned: bool,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Fate {
    Waits(Place),
    Runs(JobId),
    /// It was carried out, and this was said at its end.
    Ended(Message),
    /// It came again, on another link, and was not carried out: if it still comes on the link that was lost, it must not
    /// be either, for somebody else has it now.
    SentOn {
        /// Whether it had priority: it may come back with it.
        priority: bool,
    },
}

impl Server {
    /// A server that takes requests.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            state: State::Serving,
            now: Instant::ZERO,
            last_job: 0,
            last_place: 0,
            queue: BTreeMap::new(),
            running: BTreeMap::new(),
            known: BTreeMap::new(),
            forget: VecDeque::new(),
            has_forgotten: false,
            deadlines: BTreeSet::new(),
            shut: BTreeSet::new(),
            outbox: Outbox::new(),
        }
    }

    /// How many requests wait in line.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// How many commands are carried out.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }
}
