//! What is explored: who can do what, and how often the environment does what.

use super::mutants::Mutant;
use super::words::addresses;
use super::world::{Budget, Host};
use handover::tds5::client::{self, SafePoint, Trust};
use handover::tds5::server::{self, SyncRule};
use handover::tds5::target::{self, SessionIdDelivery};

#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    /// Whether the session is there when the model begins.
    pub(crate) starts_logged_in: bool,
    /// Where the client connects to.
    pub(crate) first: &'static [Host],
    /// Where servers send their clients to, in order.
    pub(crate) routes: &'static [(Host, &'static [Host])],
    /// Which servers give their clients an id, and which one. The first server, where it is met logged in, has.
    pub(crate) ids: &'static [(Host, u8)],
    /// How.
    pub(crate) delivery: SessionIdDelivery,
    /// Whether a target becomes a server as soon as the client is logged in, or only when that client is to migrate.
    pub(crate) early: bool,
    /// Whether client and server have settled on migration.
    pub(crate) able: bool,
    /// Where the client may stop.
    pub(crate) safe_point: SafePoint,
    /// Whether it says LOGOUT to the server that it leaves.
    pub(crate) logout_old: bool,
    /// Whether commands have two pieces.
    pub(crate) split: bool,
    /// Whether anything can happen between two items of a message.
    pub(crate) fine: bool,
    pub(crate) budget: Budget,
    pub(crate) mutant: Mutant,
}

impl Setup {
    pub(crate) fn route(&self, from: Host) -> &'static [Host] {
        self.routes.iter().find(|(host, _)| *host == from).map_or(&[], |(_, route)| route)
    }

    pub(crate) fn gives(&self, host: Host) -> u8 {
        self.ids.iter().find(|(giver, _)| *giver == host).map_or(0, |(_, id)| *id)
    }

    /// Whether the client was asked to go somewhere, and nothing has happened that could have kept it.
    pub(crate) fn goes_well(&self, left: &Budget) -> bool {
        let Budget { requests, commands, attentions, rows, .. } = self.budget;
        let undisturbed = Budget { requests, commands, attentions, rows, ..*left } == self.budget;
        undisturbed && left.requests < requests && self.route(Host::A).contains(&Host::B)
    }

    pub(crate) fn client(&self) -> client::Config {
        let mut config = client::Config::default();
        config.migratable = self.able;
        config.trust = Trust::List(addresses(&[Host::A, Host::B, Host::C, Host::Dead]));
        config.safe_point = self.safe_point;
        config.logout_old = self.logout_old;
        config
    }

    pub(crate) fn server(&self) -> server::Config {
        let mut config = server::Config::default();
        if self.mutant == Mutant::StaleSyncCounts {
            config.sync_rule = SyncRule::NewestOnly;
        }
        config
    }

    pub(crate) fn target(&self) -> target::Config {
        let mut config = target::Config::default();
        config.session_id_delivery = self.delivery;
        config
    }
}

const TO_B: &[(Host, &[Host])] = &[(Host::A, &[Host::B])];
const CHAIN: &[(Host, &[Host])] = &[(Host::A, &[Host::B]), (Host::B, &[Host::C])];
const NOTHING: Budget = Budget {
    requests: 0,
    cancels: 0,
    commands: 0,
    attentions: 0,
    logouts: 0,
    rows: 0,
    losses: 0,
    refusals: 0,
    denials: 0,
    quits: 0,
    timers: 0,
};

/// One attempt, one command, nothing goes wrong.
fn base(name: &'static str) -> Setup {
    Setup {
        name,
        starts_logged_in: true,
        first: &[Host::A],
        routes: TO_B,
        ids: &[],
        delivery: SessionIdDelivery::Automatic,
        early: true,
        able: true,
        safe_point: SafePoint::BetweenMessages,
        logout_old: false,
        split: false,
        fine: false,
        budget: Budget { requests: 1, commands: 1, rows: 1, ..NOTHING },
        mutant: Mutant::None,
    }
}

/// The configurations that the mutants need, small.
pub(crate) fn small() -> Vec<Setup> {
    vec![
        Setup { budget: Budget { requests: 1, commands: 2, rows: 1, ..NOTHING }, ..base("small") },
        Setup { budget: Budget { requests: 2, cancels: 1, commands: 1, ..NOTHING }, ..base("again") },
        Setup { budget: Budget { requests: 1, commands: 1, denials: 1, ..NOTHING }, ..base("refused") },
        Setup { budget: Budget { requests: 1, commands: 1, timers: 1, ..NOTHING }, ..base("slow") },
        Setup {
            routes: CHAIN,
            ids: &[(Host::B, 2)],
            budget: Budget { requests: 2, commands: 1, ..NOTHING },
            ..base("chain")
        },
        Setup { able: false, ..base("not able") },
    ]
}

/// What is explored to the end.
pub(crate) fn large() -> Vec<Setup> {
    let to_c: &[(Host, &[Host])] = &[(Host::A, &[Host::C, Host::B])];
    vec![
        Setup {
            budget: Budget { requests: 3, cancels: 2, commands: 2, rows: 1, ..NOTHING },
            ..base("taken back, asked again")
        },
        Setup {
            budget: Budget { requests: 2, cancels: 1, commands: 2, rows: 1, timers: 2, ..NOTHING },
            ..base("nobody waits long")
        },
        Setup {
            budget: Budget { requests: 2, cancels: 1, commands: 2, attentions: 2, rows: 1, timers: 1, ..NOTHING },
            ..base("attention")
        },
        Setup {
            routes: to_c,
            budget: Budget {
                requests: 1,
                cancels: 1,
                commands: 2,
                attentions: 1,
                rows: 1,
                losses: 2,
                timers: 1,
                refusals: 1,
                denials: 1,
                ..NOTHING
            },
            ..base("links break")
        },
        Setup {
            routes: to_c,
            budget: Budget { requests: 2, commands: 2, rows: 1, refusals: 2, denials: 2, timers: 1, ..NOTHING },
            ..base("logins fail")
        },
        Setup {
            routes: &[(Host::A, &[Host::Dead, Host::Stranger, Host::B])],
            budget: Budget { requests: 2, commands: 2, rows: 1, denials: 2, timers: 1, ..NOTHING },
            ..base("the first address is dead")
        },
        Setup {
            routes: &[(Host::A, &[Host::Stranger])],
            budget: Budget { requests: 3, cancels: 2, commands: 2, rows: 1, timers: 1, ..NOTHING },
            ..base("nobody to go to")
        },
        Setup {
            routes: CHAIN,
            early: false,
            ids: &[(Host::B, 2), (Host::C, 3)],
            budget: Budget { requests: 2, cancels: 1, commands: 3, rows: 2, attentions: 1, ..NOTHING },
            ..base("from A to B and on to C")
        },
        Setup {
            routes: CHAIN,
            ids: &[(Host::B, 2)],
            delivery: SessionIdDelivery::Negotiate,
            logout_old: true,
            budget: Budget { requests: 2, commands: 2, rows: 1, denials: 1, losses: 1, timers: 1, ..NOTHING },
            ..base("from A to B and on to C, with faults")
        },
        Setup {
            routes: &[(Host::A, &[Host::B]), (Host::B, &[Host::A])],
            early: false,
            budget: Budget { requests: 2, cancels: 1, commands: 2, attentions: 1, rows: 1, timers: 1, ..NOTHING },
            ..base("there and back")
        },
        Setup {
            safe_point: SafePoint::WhenIdle,
            budget: Budget { requests: 3, cancels: 2, commands: 2, rows: 1, timers: 2, ..NOTHING },
            ..base("only when idle")
        },
        Setup {
            split: true,
            fine: true,
            budget: Budget { requests: 2, cancels: 1, commands: 2, rows: 1, attentions: 1, ..NOTHING },
            ..base("in pieces")
        },
        Setup {
            starts_logged_in: false,
            first: &[Host::Dead, Host::A],
            ids: &[(Host::A, 1)],
            budget: Budget { requests: 1, commands: 1, losses: 1, refusals: 1, denials: 1, timers: 2, ..NOTHING },
            ..base("from the first login on")
        },
        Setup {
            budget: Budget {
                requests: 1,
                cancels: 1,
                commands: 2,
                rows: 1,
                quits: 1,
                logouts: 1,
                timers: 1,
                ..NOTHING
            },
            ..base("farewells")
        },
        Setup { able: false, budget: Budget { requests: 1, cancels: 1, commands: 2, ..NOTHING }, ..base("not able") },
    ]
}
