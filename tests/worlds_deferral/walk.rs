//! A client that walks through a world of servers, and what came of it.

use handover::deferral::client::{
    Client, Config, Credentials, Event, Input, Outcome, Output, Peer, Report, State, Task,
};
use handover::deferral::message::{Alternate, Command, CommandName, Message, Request};
use handover::deferral::{DeferKind, RefusalCode, RequestFlags, RequestId, ServerId, ServerUri};
use handover::error::Error;
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// No walk is longer: one that is would never end.
pub(crate) const MOST_CONTACTS: usize = 60;

/// The servers of a world, as the client sees them.
pub(crate) trait Servers {
    /// The client dials the server with this name: who is there, if anybody.
    fn dial(&mut self, now: Instant, link: LinkId, name: usize) -> Option<Peer>;
    /// What the client sends.
    fn take(&mut self, now: Instant, link: LinkId, message: Message);
    /// The client has closed a link.
    fn closed(&mut self, _now: Instant, _link: LinkId) {}
    /// What comes to the client next: a message, or the link's end.
    fn next(&mut self, now: Instant) -> Option<(LinkId, Option<Message>)>;
    /// When something happens by itself.
    fn due(&self) -> Option<Instant> {
        None
    }
    fn pass(&mut self, _now: Instant) {}
}

/// A server that was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contact {
    pub(crate) server: usize,
    pub(crate) epoch: u16,
    pub(crate) priority: bool,
    pub(crate) link: LinkId,
    /// Whether it was reached, and what was said of the request that was sent to it.
    pub(crate) opened: bool,
    /// Who it has proved to be.
    pub(crate) id: ServerId,
    pub(crate) request: Option<Request>,
    /// It has said how the request ended, or that it does not carry it out.
    pub(crate) settled: bool,
    /// It has said that it does carry it out.
    pub(crate) executing: bool,
    pub(crate) lost: bool,
}

impl Contact {
    /// It has the request, and has not said that it never carried it out.
    pub(crate) fn may_have_done_it(&self) -> bool {
        self.request.is_some() && (self.executing || !self.settled)
    }

    pub(crate) fn again(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.flags.contains(RequestFlags::AGAIN))
    }
}

/// Everything that happened.
#[derive(Debug, Default)]
pub(crate) struct Tale {
    pub(crate) contacts: Vec<Contact>,
    /// Who has deferred in which epoch and round, and how.
    pub(crate) deferred: Vec<(usize, u16, bool, DeferKind)>,
    pub(crate) continued: u16,
    pub(crate) asked: u32,
    pub(crate) paused: u32,
    pub(crate) events: Vec<&'static str>,
    /// Whom the client was told of.
    pub(crate) named: Vec<usize>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) violations: u32,
    /// The walk has not come to an end.
    pub(crate) endless: bool,
    pub(crate) elapsed: Duration,
}

impl Tale {
    pub(crate) fn outcome(&self) -> &Outcome {
        self.outcomes.first().expect("it has ended")
    }

    pub(crate) fn report(&self) -> Option<&Report> {
        match self.outcome() {
            Outcome::Failed(_, report) | Outcome::Indeterminate { report, .. } => Some(report),
            _ => None,
        }
    }

    pub(crate) fn path(&self) -> Vec<(usize, u16, bool)> {
        self.contacts.iter().map(|contact| (contact.server, contact.epoch, contact.priority)).collect()
    }

    /// What holds in every world (spec/deferral.md 8): `names` are the servers' names, `known` those that the client
    /// began with, `continuations` the most that it may see.
    pub(crate) fn check(&self, names: &[ServerUri], known: usize, continuations: u16) -> Result<(), String> {
        let claim = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("{what}: {self:#?}")) };
        claim(!self.endless, "D1: endless")?;
        claim(self.outcomes.len() == 1, "one end")?;
        let again = self.contacts.iter().filter(|contact| contact.again()).count();
        // A lost link may be dialled once more, and not be reached.
        let redials = self.contacts.windows(2).filter(|two| two[0].lost && two[0].server == two[1].server).count();
        claim(again <= redials, "D2: again without a lost link")?;
        let bound = 2 * names.len() * (usize::from(continuations) + 1);
        claim(self.contacts.len() - redials <= bound, "D1: more contacts than 2 M (C + 1)")?;
        for (at, contact) in self.contacts.iter().enumerate() {
            let same = |other: &&Contact| {
                (other.server, other.epoch, other.priority) == (contact.server, contact.epoch, contact.priority)
            };
            let before = &self.contacts[..at];
            let redial = before.last().is_some_and(|last| last.lost && last.server == contact.server);
            let times = before.iter().filter(same).count();
            claim(times <= usize::from(redial), "D2: the same server, command and priority")?;
            let busy = [DeferKind::BUSY, DeferKind::PREFER_OTHER];
            let earned = self
                .deferred
                .iter()
                .any(|&(_, epoch, priority, kind)| epoch == contact.epoch && !priority && busy.contains(&kind));
            claim(!contact.priority || earned, "D3: priority that was not earned")?;
        }
        let plain = |contact: &Contact| {
            let flags = contact.request.as_ref().map_or(RequestFlags::READ_ONLY, |request| request.flags);
            !flags.intersects(RequestFlags::READ_ONLY | RequestFlags::IDEMPOTENT)
        };
        for (at, contact) in self.contacts.iter().enumerate().filter(|(_, contact)| contact.may_have_done_it()) {
            let rest = &self.contacts[at + 1..];
            let elsewhere = rest.iter().any(|next| next.epoch == contact.epoch && next.server != contact.server);
            // Unless it was asked again and has said how it ended.
            let told =
                rest.iter().any(|next| next.server == contact.server && next.again() && !next.may_have_done_it());
            claim(!plain(contact) || !elsewhere || told, "D6: two that may have carried it out")?;
        }
        let Some(report) = self.report() else { return Ok(()) };
        // D9: each in one list, and nobody is missing.
        let Report { declined, dead, violators, aliases, denied, busy, untried, .. } = report;
        let lists = [declined, dead, violators, aliases, denied, busy, untried];
        let mut reported: Vec<usize> = Vec::new();
        for uri in lists.into_iter().flatten() {
            reported.push(names.iter().position(|name| name == uri).expect("a server of this world"));
        }
        reported.sort_unstable();
        let mut expected: Vec<usize> = (0..known).chain(self.named.iter().copied()).collect();
        expected.sort_unstable();
        expected.dedup();
        if report.ignored == 0 {
            claim(reported == expected, "D9: no partition of the known servers")?;
        }
        let once = reported.windows(2).all(|two| two[0] != two[1]);
        claim(once, "D9: in two lists")?;
        let asked = self.contacts.iter().all(|contact| reported.contains(&contact.server));
        claim(asked, "D9: asked, and in no list")
    }
}

/// What the user does when asked whether to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Waits,
    Leaves,
}

/// Lets a client walk until it ends, or has asked too often.
pub(crate) fn walk(mut client: Client, names: &[ServerUri], servers: &mut impl Servers, user: User) -> Tale {
    let mut tale = Tale::default();
    let mut now = Instant::ZERO;
    let mut inbox: VecDeque<Input> = VecDeque::new();
    loop {
        let mut ask = false;
        let (mut heard, mut named) = (None, Vec::new());
        while let Some(output) = client.poll_output() {
            assert!(tale.outcomes.is_empty(), "nothing comes behind the end");
            match output {
                Output::Dial { link, server } => {
                    let name = names.iter().position(|name| *name == server).expect("a server of this world");
                    tale.contacts.push(Contact {
                        server: name,
                        epoch: client.epoch(),
                        priority: client.priority(),
                        link,
                        opened: false,
                        id: ServerId::UNKNOWN,
                        request: None,
                        settled: false,
                        executing: false,
                        lost: false,
                    });
                    inbox.push_back(match servers.dial(now, link, name) {
                        Some(peer) => Input::Opened { link, peer },
                        None => Input::Closed(link),
                    });
                }
                Output::Send { link, message } => {
                    if let (Message::Request(request), Some(contact)) = (&message, tale.contacts.last_mut()) {
                        contact.request = Some((**request).clone());
                    }
                    servers.take(now, link, message);
                }
                Output::Close(link) => {
                    inbox.clear();
                    servers.closed(now, link);
                }
                Output::Event(event) => match event {
                    Event::AskWait { .. } => (ask, tale.asked) = (true, tale.asked + 1),
                    Event::Ended(outcome) => tale.outcomes.push(outcome),
                    Event::Continued(_) => tale.continued += 1,
                    Event::Queued { .. } => tale.events.push("queued"),
                    Event::Executing(_) => tale.events.push("executing"),
                    Event::Data(_) => tale.events.push("data"),
                    _ => {}
                },
                other => panic!("{other:?}"),
            }
        }
        if !tale.outcomes.is_empty() {
            assert_eq!((client.state(), client.poll_timeout()), (State::Ended, None));
            tale.elapsed = now.saturating_duration_since(Instant::ZERO);
            return tale;
        }
        if tale.contacts.len() > MOST_CONTACTS {
            tale.endless = true;
            return tale;
        }
        let input = if ask {
            Input::Wait(user == User::Waits)
        } else if let Some(input) = inbox.pop_front() {
            if let (Input::Opened { peer, .. }, Some(contact)) = (&input, tale.contacts.last_mut()) {
                (contact.opened, contact.id) = (true, peer.id);
            }
            input
        } else if let Some((link, message)) = servers.next(now) {
            // What comes on a link that the client has closed reaches nobody.
            let Some(contact) = tale.contacts.last_mut().filter(|contact| contact.link == link) else { continue };
            if client.state() == State::Pausing || client.state() == State::Asking {
                continue;
            }
            match message {
                Some(message) => {
                    let (epoch, priority) = (client.epoch(), client.priority());
                    let ours = message.key().is_some_and(|key| key.epoch == epoch);
                    if let Message::Defer(defer) = &message
                        && ours
                    {
                        heard = Some((contact.server, epoch, priority, defer.kind));
                        let flags = contact.request.as_ref().map(|request| request.flags).unwrap_or_default();
                        let read_only = flags.contains(RequestFlags::READ_ONLY);
                        named = told_of(names, contact.id, &defer.alternates, read_only);
                        contact.executing |= defer.kind == DeferKind::CONTINUE;
                    }
                    contact.executing |=
                        ours && matches!(message, Message::Executing(_) | Message::Data(_) | Message::End(_));
                    // An application may refuse what it has only now looked at: then it was not carried out.
                    let not_done = |code| ![RefusalCode::FORGOTTEN, RefusalCode::DUPLICATE].contains(&code);
                    contact.executing &=
                        !matches!(&message, Message::Refused(refused) if ours && not_done(refused.code));
                    contact.settled |= ours
                        && match &message {
                            Message::End(_) | Message::Defer(_) | Message::Cancelled(_) => true,
                            // That says that it does not know.
                            Message::Refused(refused) => match refused.code {
                                RefusalCode::FORGOTTEN => false,
                                // It is still busy with it, for somebody who is gone.
                                RefusalCode::DUPLICATE => contact.request.as_ref().is_none_or(|request| {
                                    !request.flags.intersects(RequestFlags::READ_ONLY | RequestFlags::IDEMPOTENT)
                                }),
                                _ => true,
                            },
                            _ => false,
                        };
                    Input::Message { link, message }
                }
                None => {
                    contact.lost = true;
                    Input::Closed(link)
                }
            }
        } else {
            let timeout = client.poll_timeout();
            match (servers.due(), timeout) {
                (Some(due), _) if timeout.is_none_or(|timeout| due <= timeout) => {
                    now = now.max(due);
                    servers.pass(now);
                    continue;
                }
                (_, Some(timeout)) => {
                    now = now.max(timeout);
                    match client.state() {
                        State::Pausing => tale.paused += 1,
                        // It closes the link itself.
                        State::Executing => {
                            tale.contacts.last_mut().into_iter().for_each(|contact| contact.lost = true);
                        }
                        _ => {}
                    }
                    Input::Timeout
                }
                _ => {
                    tale.endless = true;
                    return tale;
                }
            }
        };
        match client.handle(now, input) {
            Ok(()) => {
                tale.deferred.extend(heard);
                tale.named.append(&mut named);
            }
            Err(Error::Violation(_)) => {
                tale.violations += 1;
                // Nothing that it has said is to be relied on.
                tale.contacts.last_mut().into_iter().for_each(|contact| contact.settled = false);
            }
            Err(error) => panic!("{error}: {tale:#?}"),
        }
    }
}

/// Whom a list names that may be able to carry out the command, and is not said to be another name of who says so or of
/// one who is named before.
fn told_of(names: &[ServerUri], from: ServerId, alternates: &[Alternate], read_only: bool) -> Vec<usize> {
    let able = alternates.iter().enumerate().filter(|(at, alternate)| {
        let id = alternate.server;
        let before = from == id || alternates[..*at].iter().any(|before| before.server == id);
        alternate.may_serve(read_only) && !(id.is_known() && before)
    });
    able.map(|(_, alternate)| alternate)
        .map(|alternate| names.iter().position(|name| *name == alternate.uri).expect("a server of this world"))
        .collect()
}

/// A name that the default policy lets anybody give to the others.
pub(crate) fn name(server: usize) -> ServerUri {
    format!("handover://db:{}", server + 1).parse().expect("a name")
}

pub(crate) fn names(count: usize) -> Vec<ServerUri> {
    (0..count).map(name).collect()
}

pub(crate) fn command(name: &str) -> Command {
    Command { name: CommandName::new(name).expect("a name"), arguments: Vec::new() }
}

/// What a task may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// It may be carried out once only.
    Plain,
    Idempotent,
    ReadOnly,
}

impl Harm {
    pub(crate) const ALL: [Self; 3] = [Self::Plain, Self::Idempotent, Self::ReadOnly];
}

pub(crate) fn task(servers: Vec<ServerUri>, harm: Harm) -> Task {
    Task {
        read_only: harm == Harm::ReadOnly,
        idempotent: harm == Harm::Idempotent,
        credentials: Credentials(vec![42].into()),
        ..Task::new(RequestId([7; 16]), servers, command("first"))
    }
}

pub(crate) fn client(config: &Config, task: Task) -> Client {
    Client::new(config.clone(), task, Instant::ZERO).expect("a client")
}
