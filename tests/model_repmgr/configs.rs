//! What is explored: who can do what, and how often the environment does what.

use super::choices::Prank;
use super::mutants::Mutant;
use super::world::{Budget, Kind, Site};
use handover::limits::RepmgrLimits;
use handover::repmgr::channel::{self, RequestTimeout};
use handover::repmgr::{connection, dispatcher};
use std::time::Duration;

/// A tag that no channel of the model comes to.
pub(crate) const NEVER_GIVEN: u8 = 15;

/// How long requests of an even number may take; the others take what the channel's settings say, which is longer.
const SHORT: Duration = Duration::from_secs(3);

/// What is bounded, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// What waits in a channel; requests of a channel.
    pub(crate) held: usize,
    pub(crate) requests: usize,
    /// What an application has of a link, and of all.
    pub(crate) incoming: usize,
    pub(crate) total: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    /// How many sites there are, from the first on.
    pub(crate) sites: usize,
    /// Who has a channel, and to whom; nobody: to the master.
    pub(crate) channels: &'static [(Site, Option<Site>)],
    /// Who is the master in the beginning, and who will be.
    pub(crate) first_master: Option<Site>,
    pub(crate) masters: &'static [Option<Site>],
    /// What requests want, in turn.
    pub(crate) kinds: &'static [Kind],
    /// Whether requests wait for ever.
    pub(crate) patient: bool,
    /// Whether anything can happen between the steps by which a link is established.
    pub(crate) fine: bool,
    /// Whether an application is through with a request as soon as it has answered it.
    pub(crate) brisk: bool,
    /// Whose listener has no manners, and what it may say.
    pub(crate) rogue: Option<Site>,
    pub(crate) pranks: &'static [Prank],
    pub(crate) bounds: Bounds,
    pub(crate) budget: Budget,
    pub(crate) mutant: Mutant,
}

impl Setup {
    pub(crate) fn is_rogue(&self, site: Site) -> bool {
        self.rogue == Some(site)
    }

    /// Whether something is sent to a site, so that it matters whether it takes messages.
    pub(crate) fn serves(&self, site: Site) -> bool {
        let moved = || self.masters.iter().chain([&self.first_master]).any(|master| *master == Some(site));
        let target = |to: &Option<Site>| to.map_or_else(moved, |to| to == site);
        !self.is_rogue(site) && self.channels.iter().any(|(_, to)| target(to))
    }

    /// Whether nothing has happened that can keep a request from its answer, or a message from being sent.
    pub(crate) fn goes_well(&self, left: &Budget) -> bool {
        let Budget { messages, requests, replies, connects, closes, congestions, .. } = *left;
        let undisturbed = Budget { messages, requests, replies, connects, closes, congestions, ..self.budget };
        undisturbed == *left && self.rogue.is_none() && !self.masters.contains(&None)
    }

    pub(crate) fn kind(&self, count: u8) -> Kind {
        self.kinds[usize::from(count) % self.kinds.len()]
    }

    pub(crate) fn timeout(&self, number: u8) -> RequestTimeout {
        match number % 2 {
            _ if self.patient => RequestTimeout::Never,
            0 => RequestTimeout::After(SHORT),
            _ => RequestTimeout::Default,
        }
    }

    /// How long a request of the model may take.
    pub(crate) fn patience(&self, number: u8) -> Option<Duration> {
        match self.timeout(number) {
            RequestTimeout::Default => self.channel().request_timeout,
            RequestTimeout::Never => None,
            RequestTimeout::After(time) => Some(time),
        }
    }

    fn limits(&self) -> RepmgrLimits {
        let Bounds { held, requests, incoming, total } = self.bounds;
        let mut limits = RepmgrLimits::DEFAULT;
        let loose = usize::from(self.mutant == Mutant::Boundless);
        (limits.held_messages, limits.requests) = (held + loose, requests + loose);
        (limits.incoming, limits.incoming_total) = (incoming + loose, total + loose);
        limits
    }

    pub(crate) fn channel(&self) -> channel::Config {
        let mut config = channel::Config::default();
        config.limits = self.limits();
        config
    }

    pub(crate) fn connection(&self) -> connection::Config {
        connection::Config::default()
    }

    pub(crate) fn dispatcher(&self) -> dispatcher::Config {
        let mut config = dispatcher::Config::default();
        config.limits = self.limits();
        config
    }
}

const NOTHING: Budget = Budget {
    messages: 0,
    requests: 0,
    replies: 0,
    connects: 0,
    closes: 0,
    aborts: 0,
    congestions: 0,
    silences: 0,
    floods: 0,
    serves: 0,
    losses: 0,
    refusals: 0,
    quits: 0,
    pranks: 0,
    timers: 0,
};
const ROOM: Bounds = Bounds { held: 8, requests: 8, incoming: 8, total: 8 };
const TO_A: &[(Site, Option<Site>)] = &[(Site::Home, Some(Site::A))];
const TO_MASTER: &[(Site, Option<Site>)] = &[(Site::Home, None)];

/// A channel from one site to another, two requests, nothing goes wrong.
fn base(name: &'static str) -> Setup {
    Setup {
        name,
        sites: 2,
        channels: TO_A,
        first_master: None,
        masters: &[],
        kinds: &[Kind::Plain],
        patient: false,
        fine: false,
        brisk: true,
        rogue: None,
        pranks: &[],
        bounds: ROOM,
        budget: Budget { requests: 2, ..NOTHING },
        mutant: Mutant::None,
    }
}

const ALL_KINDS: &[Kind] = &[Kind::Plain, Kind::Limited, Kind::Bulk];

/// The configurations that the mutants need, small.
pub(crate) fn small() -> Vec<Setup> {
    let to_b: &[_] = &[(Site::Home, Some(Site::B)), (Site::A, Some(Site::B))];
    vec![
        base("small"),
        Setup { budget: Budget { messages: 2, ..NOTHING }, ..base("messages") },
        Setup { budget: Budget { messages: 1, replies: 1, ..NOTHING }, ..base("replies") },
        Setup { kinds: ALL_KINDS, budget: Budget { requests: 3, silences: 1, floods: 1, ..NOTHING }, ..base("kinds") },
        Setup { budget: Budget { requests: 2, timers: 1, ..NOTHING }, ..base("slow") },
        Setup { budget: Budget { messages: 1, requests: 2, losses: 1, ..NOTHING }, ..base("broken") },
        Setup { budget: Budget { messages: 1, requests: 1, refusals: 1, ..NOTHING }, ..base("refused") },
        Setup { budget: Budget { messages: 2, congestions: 1, losses: 1, ..NOTHING }, ..base("congested") },
        Setup { budget: Budget { messages: 1, requests: 1, closes: 1, ..NOTHING }, ..base("closing") },
        Setup { rogue: Some(Site::A), budget: Budget { requests: 1, closes: 1, ..NOTHING }, ..base("lingering") },
        Setup {
            rogue: Some(Site::A),
            kinds: &[Kind::Limited],
            pranks: &[Prank::Answer, Prank::Huge, Prank::Zero, Prank::Stray],
            budget: Budget { requests: 1, pranks: 2, ..NOTHING },
            ..base("rogue")
        },
        Setup {
            sites: 3,
            channels: TO_MASTER,
            first_master: Some(Site::A),
            masters: &[Some(Site::B)],
            budget: Budget { messages: 1, requests: 1, ..NOTHING },
            ..base("moves")
        },
        Setup {
            bounds: Bounds { held: 1, requests: 1, incoming: 1, total: 1 },
            budget: Budget { messages: 2, requests: 1, ..NOTHING },
            ..base("full")
        },
        Setup { sites: 3, channels: to_b, budget: Budget { requests: 2, ..NOTHING }, ..base("two for one") },
    ]
}

/// What is explored to the end.
pub(crate) fn large() -> Vec<Setup> {
    [to_a_site(), to_the_master(), without_manners()].concat()
}

fn to_a_site() -> Vec<Setup> {
    let both: &[_] = &[(Site::Home, Some(Site::A)), (Site::A, Some(Site::Home))];
    let to_b: &[_] = &[(Site::Home, Some(Site::B)), (Site::A, Some(Site::B))];
    vec![
        Setup {
            budget: Budget { messages: 2, requests: 2, congestions: 1, timers: 2, closes: 1, ..NOTHING },
            ..base("nobody waits long")
        },
        Setup {
            budget: Budget { messages: 1, requests: 2, congestions: 1, losses: 2, refusals: 1, timers: 1, ..NOTHING },
            ..base("links break")
        },
        Setup {
            budget: Budget {
                messages: 1,
                requests: 2,
                losses: 1,
                quits: 1,
                timers: 1,
                closes: 1,
                aborts: 1,
                ..NOTHING
            },
            ..base("farewells")
        },
        Setup {
            kinds: ALL_KINDS,
            patient: true,
            budget: Budget { messages: 1, requests: 3, silences: 1, floods: 1, serves: 1, ..NOTHING },
            ..base("applications do as they like")
        },
        Setup {
            kinds: ALL_KINDS,
            brisk: false,
            budget: Budget { requests: 3, congestions: 1, silences: 1, losses: 1, ..NOTHING },
            ..base("answers wait")
        },
        Setup {
            budget: Budget { messages: 2, requests: 1, replies: 2, congestions: 1, losses: 1, ..NOTHING },
            ..base("replies")
        },
        Setup {
            channels: both,
            budget: Budget { messages: 1, requests: 2, replies: 1, losses: 1, closes: 1, ..NOTHING },
            ..base("both ways")
        },
        Setup {
            bounds: Bounds { held: 1, requests: 2, incoming: 1, total: 2 },
            brisk: false,
            budget: Budget { messages: 2, requests: 3, replies: 1, congestions: 1, timers: 1, ..NOTHING },
            ..base("little room")
        },
        Setup {
            sites: 3,
            channels: to_b,
            bounds: Bounds { held: 2, requests: 2, incoming: 2, total: 2 },
            budget: Budget { messages: 1, requests: 2, silences: 1, losses: 1, ..NOTHING },
            ..base("two for one")
        },
        Setup {
            fine: true,
            budget: Budget {
                messages: 1,
                requests: 1,
                connects: 1,
                congestions: 1,
                losses: 1,
                refusals: 1,
                timers: 1,
                closes: 1,
                aborts: 1,
                ..NOTHING
            },
            ..base("step by step")
        },
    ]
}

fn to_the_master() -> Vec<Setup> {
    vec![
        Setup {
            sites: 3,
            channels: TO_MASTER,
            first_master: Some(Site::A),
            masters: &[Some(Site::B), Some(Site::Home), Some(Site::A)],
            budget: Budget { messages: 1, requests: 2, congestions: 1, closes: 1, ..NOTHING },
            ..base("the master moves")
        },
        Setup {
            sites: 3,
            channels: TO_MASTER,
            first_master: Some(Site::A),
            masters: &[Some(Site::B), Some(Site::A)],
            budget: Budget { requests: 2, losses: 1, congestions: 1, timers: 1, ..NOTHING },
            ..base("the master moves, with faults")
        },
        Setup {
            sites: 3,
            channels: TO_MASTER,
            first_master: Some(Site::A),
            masters: &[Some(Site::B), None, Some(Site::A)],
            budget: Budget { messages: 1, requests: 1, losses: 1, refusals: 1, quits: 1, closes: 1, ..NOTHING },
            ..base("the old master goes")
        },
        Setup {
            channels: TO_MASTER,
            masters: &[Some(Site::A), None, Some(Site::Home), None],
            budget: Budget { messages: 1, requests: 2, congestions: 1, refusals: 1, timers: 1, aborts: 1, ..NOTHING },
            ..base("no master for a while")
        },
        Setup {
            channels: TO_MASTER,
            first_master: Some(Site::Home),
            masters: &[Some(Site::A)],
            kinds: ALL_KINDS,
            bounds: Bounds { held: 2, requests: 3, incoming: 2, total: 2 },
            budget: Budget {
                messages: 1,
                requests: 2,
                replies: 1,
                silences: 1,
                floods: 1,
                timers: 1,
                closes: 1,
                ..NOTHING
            },
            ..base("to itself")
        },
    ]
}

fn without_manners() -> Vec<Setup> {
    vec![
        Setup {
            rogue: Some(Site::A),
            kinds: ALL_KINDS,
            pranks: &[Prank::Answer, Prank::Huge, Prank::NoAnswer],
            budget: Budget { requests: 3, pranks: 3, closes: 1, ..NOTHING },
            ..base("answers late, twice, never")
        },
        Setup {
            rogue: Some(Site::A),
            pranks: &[Prank::Answer, Prank::Zero, Prank::Stray, Prank::Message],
            budget: Budget { messages: 1, requests: 2, pranks: 2, losses: 1, closes: 1, ..NOTHING },
            ..base("faults of a peer")
        },
        Setup {
            sites: 3,
            rogue: Some(Site::A),
            channels: TO_MASTER,
            first_master: Some(Site::A),
            masters: &[Some(Site::B), Some(Site::A)],
            pranks: &[Prank::Answer],
            budget: Budget { messages: 1, requests: 2, pranks: 2, timers: 1, closes: 1, ..NOTHING },
            ..base("the old master answers late")
        },
    ]
}
