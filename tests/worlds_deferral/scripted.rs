//! Servers that follow a script, and every world of three of them.

use super::walk::{Harm, Servers, Tale, User, client, command, names, task, walk};
use handover::deferral::client::{Config, Failure, Outcome, Peer};
use handover::deferral::message::{Alternate, Defer, End, Message, Request, RequestKey};
use handover::deferral::{DeferKind, RequestFlags, ServerId, ServerUri};
use handover::frame::{Extensions, Text};
use handover::machine::LinkId;
use handover::time::Instant;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Ok,
    Dead,
    /// It serves whoever has priority.
    Busy,
    AlwaysBusy,
    NoService,
    /// Its first answer is a continuation; it carries out everything else.
    ContinueOnce,
    ContinueAlways,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 7] =
        [Self::Ok, Self::Dead, Self::Busy, Self::AlwaysBusy, Self::NoService, Self::ContinueOnce, Self::ContinueAlways];

    /// Whether it carries out what it is asked, perhaps not at once.
    pub(crate) const fn is_able(self) -> bool {
        matches!(self, Self::Ok | Self::Busy | Self::ContinueOnce)
    }
}

/// What a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    End,
    Defer(DeferKind),
}

/// How many servers, each with what it does and whom it names (a bit each).
pub(crate) type Script<const N: usize> = [(Behaviour, u8); N];

/// The next answer of a server; `continued`: it has continued before.
pub(crate) fn answer(behaviour: Behaviour, priority: bool, continued: &mut bool) -> Option<Answer> {
    Some(match behaviour {
        Behaviour::Dead => return None,
        Behaviour::Ok => Answer::End,
        Behaviour::Busy if priority => Answer::End,
        Behaviour::Busy | Behaviour::AlwaysBusy => Answer::Defer(DeferKind::BUSY),
        Behaviour::NoService => Answer::Defer(DeferKind::NO_SERVICE),
        Behaviour::ContinueOnce if std::mem::replace(continued, true) => Answer::End,
        Behaviour::ContinueOnce | Behaviour::ContinueAlways => Answer::Defer(DeferKind::CONTINUE),
    })
}

pub(crate) fn end(key: RequestKey) -> Message {
    Message::End(End { key, status: 0, text: Text::EMPTY, extensions: Extensions::NONE })
}

pub(crate) fn defer(key: RequestKey, kind: DeferKind, alternates: Vec<Alternate>) -> Defer {
    Defer {
        key,
        kind,
        server: ServerId::UNKNOWN,
        reason: Text::EMPTY,
        queue_length: None,
        estimate_ms: None,
        retry_after_ms: None,
        receipt: Default::default(),
        alternates,
        next: (kind == DeferKind::CONTINUE).then(|| command("next")),
        next_flags: RequestFlags::empty(),
        extensions: Extensions::NONE,
    }
}

/// The servers that `mask` names.
pub(crate) fn alternates(names: &[ServerUri], mask: u8) -> Vec<Alternate> {
    let named = names.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0);
    named.map(|(_, uri)| Alternate::new(uri.clone())).collect()
}

/// Servers that follow a script.
pub(crate) struct Scripted<'a, const N: usize> {
    script: Script<N>,
    /// Which server each name leads to, and whether the transport proves who it is.
    houses: &'a [usize],
    proved: bool,
    names: &'a [ServerUri],
    continued: [bool; N],
    at: usize,
    says: VecDeque<(LinkId, Option<Message>)>,
}

impl<'a, const N: usize> Scripted<'a, N> {
    pub(crate) fn new(script: Script<N>, names: &'a [ServerUri]) -> Self {
        Self::under_names(script, names, &[0, 1, 2, 3, 4, 5, 6, 7], false)
    }

    pub(crate) fn under_names(script: Script<N>, names: &'a [ServerUri], houses: &'a [usize], proved: bool) -> Self {
        Self { script, houses, proved, names, continued: [false; N], at: 0, says: VecDeque::new() }
    }

    fn request(&mut self, link: LinkId, request: &Request) {
        let (behaviour, mask) = self.script[self.at];
        let priority = request.flags.contains(RequestFlags::PRIORITY);
        let message = match answer(behaviour, priority, &mut self.continued[self.at]) {
            Some(Answer::End) => end(request.key),
            Some(Answer::Defer(kind)) => {
                Message::Defer(Box::new(defer(request.key, kind, alternates(self.names, mask))))
            }
            None => return self.says.push_back((link, None)),
        };
        self.says.push_back((link, Some(message)));
    }
}

impl<const N: usize> Servers for Scripted<'_, N> {
    fn dial(&mut self, _now: Instant, _link: LinkId, name: usize) -> Option<Peer> {
        self.at = self.houses[name];
        let id = if self.proved { ServerId([u8::try_from(self.at).ok()? + 1; 16]) } else { ServerId::UNKNOWN };
        (self.script[self.at].0 != Behaviour::Dead).then_some(Peer { id, ..Peer::default() })
    }

    fn take(&mut self, _now: Instant, link: LinkId, message: Message) {
        if let Message::Request(request) = message {
            self.request(link, &request);
        }
    }

    fn next(&mut self, _now: Instant) -> Option<(LinkId, Option<Message>)> {
        self.says.pop_front()
    }
}

pub(crate) fn run<const N: usize>(config: &Config, names: &[ServerUri], script: Script<N>) -> Tale {
    let client = client(config, task(vec![names[0].clone()], Harm::Plain));
    walk(client, names, &mut Scripted::new(script, names), User::Waits)
}

/// Who can be come to at all: the first, and everybody who is named by one who can be come to and defers.
///
/// That is exact: who carries out the command names nobody, who is dead says nothing, and whoever defers names all of
/// its list at once, whatever it was asked with.
pub(crate) fn reachable<const N: usize>(script: &Script<N>) -> Vec<usize> {
    let mut reached = vec![0];
    let mut at = 0;
    while let Some(&server) = reached.get(at) {
        let (behaviour, mask) = script[server];
        if !matches!(behaviour, Behaviour::Ok | Behaviour::Dead) {
            let named = (0..N).filter(|other| mask & 1 << other != 0);
            named.for_each(|other| {
                if !reached.contains(&other) {
                    reached.push(other);
                }
            });
        }
        at += 1;
    }
    reached
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Done,
    NoServer,
    Limit,
    Endless,
}

pub(crate) fn ending(tale: &Tale) -> Ending {
    if tale.endless {
        return Ending::Endless;
    }
    match tale.outcome() {
        Outcome::Done { .. } => Ending::Done,
        Outcome::Failed(Failure::NoServer, _) => Ending::NoServer,
        Outcome::Failed(Failure::ContinuedTooOften, _) => Ending::Limit,
        other => panic!("{other:?}"),
    }
}

/// One row of the figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) worlds: u32,
    pub(crate) done: u32,
    pub(crate) errors: u32,
    pub(crate) limit: u32,
    pub(crate) endless: u32,
    /// Errors, or ends at the limit, although somebody could be come to who is able.
    pub(crate) errors_though_able: u32,
    pub(crate) limit_though_able: u32,
    pub(crate) most: usize,
    /// Same server, command and priority.
    pub(crate) same: usize,
}

impl Figures {
    pub(crate) fn count<const N: usize>(&mut self, script: &Script<N>, ending: Ending, path: &[(usize, u16, bool)]) {
        let able = || reachable(script).into_iter().any(|server| script[server].0.is_able());
        self.worlds += 1;
        match ending {
            Ending::Done => self.done += 1,
            Ending::Endless => self.endless += 1,
            Ending::NoServer => {
                self.errors += 1;
                self.errors_though_able += u32::from(able());
            }
            Ending::Limit => {
                self.limit += 1;
                self.limit_though_able += u32::from(able());
            }
        }
        self.most = self.most.max(path.len());
        let same = path.iter().map(|contact| path.iter().filter(|other| *other == contact).count()).max();
        self.same = self.same.max(same.unwrap_or(0));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.worlds += other.worlds;
        self.done += other.done;
        self.errors += other.errors;
        self.limit += other.limit;
        self.endless += other.endless;
        self.errors_though_able += other.errors_though_able;
        self.limit_though_able += other.limit_though_able;
        self.most = self.most.max(other.most);
        self.same = self.same.max(other.same);
    }
}

/// Every world of three, one part of two: `visit` is given each.
pub(crate) fn every_world(part: usize, mut visit: impl FnMut(Script<3>)) {
    let each: Vec<(Behaviour, u8)> =
        Behaviour::ALL.into_iter().flat_map(|behaviour| (0..8).map(move |mask| (behaviour, mask))).collect();
    for (at, &first) in each.iter().enumerate() {
        if at % 2 != part {
            continue;
        }
        for &second in &each {
            for &third in &each {
                visit([first, second, third]);
            }
        }
    }
}

pub(crate) fn in_two_parts<T: Send>(work: impl Fn(usize) -> T + Sync) -> [T; 2] {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(1));
        [work(0), other.join().expect("no panic")]
    })
}

pub(crate) fn three() -> Vec<ServerUri> {
    names(3)
}
