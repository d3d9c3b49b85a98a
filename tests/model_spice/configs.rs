//! What is explored: who can do what, and how often the environment does what.

use super::choices::Action;
use super::mutants::Mutant;
use super::world::{Budget, Chan, Peer};
use handover::spice::{MainCaps, Port};

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    /// The session's channels, the main channel first.
    pub(crate) channels: &'static [Chan],
    /// On which of them applications talk.
    pub(crate) chat: Chan,
    /// The source's option.
    pub(crate) seamless: bool,
    /// The newest version that the target takes; the source says 1.
    pub(crate) target_version: u32,
    /// Whether the target says that it can do seamless.
    pub(crate) target_seamless: bool,
    /// Whether the target serves several clients; another one is there then.
    pub(crate) several: bool,
    pub(crate) client_caps: MainCaps,
    /// Whether the target has a TLS port; a refused link is refused for want of TLS then.
    pub(crate) tls: bool,
    /// Whether nothing is read from a paused link. A driver may have read on, so that both are explored.
    pub(crate) honour_pause: bool,
    /// Whether applications answer their machine at once, instead of any time later.
    pub(crate) prompt: bool,
    /// Whether the client's application opens its display again in a new session.
    pub(crate) reopens: bool,
    /// Which outcomes of the move there may be: completed, failed, cancelled.
    pub(crate) outcomes: (bool, bool, bool),
    /// What the client's application may do.
    pub(crate) commands: &'static [Action],
    /// Who may die.
    pub(crate) mortal: &'static [Peer],
    pub(crate) budget: Budget,
    pub(crate) mutant: Mutant,
}

impl Setup {
    /// As it is announced; 65535 is how QEMU says that there is none.
    pub(crate) const fn tls_port(&self) -> Port {
        Port::from_wire(if self.tls { 5901 } else { u16::MAX })
    }

    pub(crate) fn target_caps(&self) -> MainCaps {
        let all = every_cap();
        if self.target_seamless { all } else { all - MainCaps::SEAMLESS_MIGRATE }
    }
}

fn every_cap() -> MainCaps {
    MainCaps::SEMI_SEAMLESS_MIGRATE
        | MainCaps::NAME_AND_UUID
        | MainCaps::AGENT_CONNECTED_TOKENS
        | MainCaps::SEAMLESS_MIGRATE
}

const ONE: &[Chan] = &[Chan::Main];
const TWO: &[Chan] = &[Chan::Main, Chan::Display];
const THREE: &[Chan] = &[Chan::Main, Chan::Display, Chan::Cursor];
const NOTHING: Budget = Budget {
    attempts: 0,
    losses: 0,
    refusals: 0,
    deaths: 0,
    timers: 0,
    pings: 0,
    client_says: 0,
    source_says: 0,
    target_says: 0,
    commands: 0,
    rogue: 0,
};

/// One attempt, seamless where it comes so far, nothing goes wrong.
fn base(name: &'static str) -> Setup {
    Setup {
        name,
        channels: TWO,
        chat: Chan::Display,
        seamless: true,
        target_version: 1,
        target_seamless: true,
        several: false,
        client_caps: every_cap(),
        tls: false,
        honour_pause: true,
        prompt: true,
        reopens: false,
        outcomes: (true, false, true),
        commands: &[],
        mortal: &[],
        budget: Budget { attempts: 1, ..NOTHING },
        mutant: Mutant::None,
    }
}

/// The configurations that the mutants need, small.
pub(crate) fn small() -> Vec<Setup> {
    vec![
        base("small"),
        Setup { target_version: 0, ..base("refusing") },
        Setup { budget: Budget { attempts: 2, ..NOTHING }, ..base("again") },
        Setup { budget: Budget { attempts: 1, timers: 1, ..NOTHING }, ..base("slow") },
        Setup {
            honour_pause: false,
            budget: Budget { attempts: 1, pings: 1, client_says: 2, source_says: 1, target_says: 1, ..NOTHING },
            ..base("chatty")
        },
        Setup { several: true, budget: Budget { attempts: 1, rogue: 1, ..NOTHING }, ..base("rogue") },
    ]
}

/// What is explored to the end.
pub(crate) fn large() -> Vec<Setup> {
    use Peer::{Client, Source, Target};
    let old = MainCaps::NAME_AND_UUID;
    vec![
        Setup {
            channels: THREE,
            honour_pause: false,
            prompt: false,
            budget: Budget { attempts: 1, pings: 1, client_says: 2, source_says: 2, target_says: 1, ..NOTHING },
            ..base("seamless, three channels, both applications talk")
        },
        Setup {
            channels: THREE,
            chat: Chan::Cursor,
            honour_pause: false,
            budget: Budget { attempts: 1, client_says: 2, source_says: 1, target_says: 1, ..NOTHING },
            ..base("seamless, talk on a channel without state")
        },
        Setup {
            target_version: 0,
            channels: THREE,
            prompt: false,
            honour_pause: false,
            budget: Budget { attempts: 1, pings: 1, client_says: 1, source_says: 1, ..NOTHING },
            ..base("semi-seamless, three channels, both applications talk")
        },
        Setup {
            honour_pause: false,
            prompt: false,
            budget: Budget { attempts: 1, losses: 2, timers: 2, client_says: 1, ..NOTHING },
            ..base("seamless, links break, peers are slow")
        },
        Setup {
            target_seamless: false,
            honour_pause: false,
            prompt: false,
            reopens: true,
            budget: Budget { attempts: 1, losses: 2, timers: 2, client_says: 1, ..NOTHING },
            ..base("semi-seamless, links break, peers are slow")
        },
        Setup {
            tls: true,
            reopens: true,
            outcomes: (true, true, false),
            mortal: &[Source, Target, Client],
            budget: Budget { attempts: 1, losses: 1, deaths: 1, refusals: 2, timers: 1, ..NOTHING },
            ..base("links are refused, peers die")
        },
        Setup {
            outcomes: (true, true, true),
            budget: Budget { attempts: 2, losses: 1, refusals: 1, pings: 1, timers: 1, ..NOTHING },
            ..base("the move is announced again")
        },
        Setup {
            seamless: false,
            client_caps: old,
            reopens: true,
            budget: Budget { attempts: 2, losses: 1, timers: 1, client_says: 1, ..NOTHING },
            ..base("an old client")
        },
        Setup {
            channels: ONE,
            honour_pause: false,
            prompt: false,
            commands: &[Action::OpenDisplay],
            budget: Budget { attempts: 1, losses: 1, timers: 1, commands: 1, client_says: 1, ..NOTHING },
            ..base("a channel is opened in between")
        },
        Setup {
            channels: &[Chan::Main, Chan::Inputs],
            honour_pause: false,
            commands: &[Action::OpenDisplay],
            budget: Budget { attempts: 1, timers: 1, commands: 1, client_says: 1, ..NOTHING },
            ..base("another channel is opened in between")
        },
        Setup {
            honour_pause: false,
            commands: &[Action::OpenDisplay, Action::CloseDisplay, Action::Abandon, Action::Disconnect],
            budget: Budget { attempts: 1, commands: 2, client_says: 1, ..NOTHING },
            ..base("the application changes its mind")
        },
        Setup {
            honour_pause: false,
            budget: Budget { attempts: 1, rogue: 2, ..NOTHING },
            ..base("a client breaks the protocol, seamless")
        },
        Setup {
            several: true,
            honour_pause: false,
            budget: Budget { attempts: 1, rogue: 2, ..NOTHING },
            ..base("a client breaks the protocol beside another")
        },
    ]
}
