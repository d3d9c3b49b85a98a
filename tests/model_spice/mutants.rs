//! Implementations that are wrong in one way each: what a machine is given is kept from it, or what it does
//! is changed, before the world sees it. A property that no mutant refutes would prove nothing.

use super::adapter::{Effect, Note, Stimulus};
use super::ghost::Property;
use super::world::{BYSTANDER, Chan, Peer, SESSION, Word, World};
use handover::machine::Machine;
use handover::spice::client::State as ClientState;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The shipped machines.
    #[default]
    None,
    EndTwice,
    MigrateForEnd,
    SourceNeverEnds,
    AnswerNotCounted,
    AnswerOutlivesAttempt,
    ChatBehindMigrate,
    AbsentPortAs65535,
    PingWhileParked,
    InitTwice,
    InitOfAnother,
    AckForgotten,
    ParkedLinksKept,
    BystanderClosed,
    SettledTooEarly,
    SettledNever,
    TargetDeadlineIgnored,
    ErrorUnsaid,
    ErrorTwice,
    ConnectedTooEarly,
    SeamlessUnsaid,
    DataBehindQueue,
    DataChanged,
    PongBeforeEnd,
    ChatBehindFlushMark,
    PongBeforeSwitch,
    TargetLinksKept,
    OldIdForNewSession,
    DeafWhileConnecting,
    QueueLost,
    QueueDoubled,
    HeldMessagesLost,
    ClientEndsTwice,
    ClientKept,
    InitWantedTwice,
    AckTwice,
}

/// Which configuration shows it, by name.
pub(crate) const MUTANTS: &[(Property, Mutant, &str)] = &[
    (Property::S1, Mutant::EndTwice, "refusing"),
    (Property::S2, Mutant::MigrateForEnd, "refusing"),
    (Property::S3, Mutant::SourceNeverEnds, "small"),
    (Property::S4, Mutant::AnswerNotCounted, "again"),
    (Property::S5, Mutant::AnswerOutlivesAttempt, "again"),
    (Property::S6, Mutant::ChatBehindMigrate, "small"),
    (Property::S7, Mutant::AbsentPortAs65535, "small"),
    (Property::T1, Mutant::PingWhileParked, "small"),
    (Property::T2, Mutant::InitTwice, "refusing"),
    (Property::T3, Mutant::InitOfAnother, "refusing"),
    (Property::T4, Mutant::AckForgotten, "small"),
    (Property::T5, Mutant::ParkedLinksKept, "small"),
    (Property::T6, Mutant::BystanderClosed, "rogue"),
    (Property::T7, Mutant::SettledTooEarly, "small"),
    (Property::T7, Mutant::SettledNever, "small"),
    (Property::T7, Mutant::TargetDeadlineIgnored, "slow"),
    (Property::K1, Mutant::ErrorUnsaid, "again"),
    (Property::K1, Mutant::ErrorTwice, "again"),
    (Property::K2, Mutant::ConnectedTooEarly, "small"),
    (Property::K3, Mutant::SeamlessUnsaid, "small"),
    (Property::K4, Mutant::DataBehindQueue, "chatty"),
    (Property::K4, Mutant::DataChanged, "small"),
    (Property::K4, Mutant::PongBeforeEnd, "refusing"),
    (Property::K5, Mutant::ChatBehindFlushMark, "small"),
    (Property::K6, Mutant::PongBeforeSwitch, "chatty"),
    (Property::K7, Mutant::TargetLinksKept, "small"),
    (Property::K8, Mutant::OldIdForNewSession, "small"),
    (Property::K9, Mutant::DeafWhileConnecting, "chatty"),
    (Property::K10, Mutant::QueueLost, "chatty"),
    (Property::K10, Mutant::QueueDoubled, "chatty"),
    (Property::K10, Mutant::HeldMessagesLost, "chatty"),
    (Property::OneEnd, Mutant::ClientEndsTwice, "small"),
    (Property::NoDeadlock, Mutant::ClientKept, "small"),
    (Property::NoMisuse, Mutant::InitWantedTwice, "refusing"),
    (Property::NoViolation, Mutant::AckTwice, "small"),
];

fn is_target_link(world: &World, id: u8) -> bool {
    world.link(id).is_some_and(|link| link.server == Peer::Target)
}

/// Puts `more` behind each effect that `wanted` picks.
fn behind(effects: &mut Vec<Effect>, mut wanted: impl FnMut(Effect) -> Option<Effect>) {
    *effects = effects.drain(..).flat_map(|effect| [Some(effect), wanted(effect)]).flatten().collect();
}

fn change(effects: &mut [Effect], mut wanted: impl FnMut(Effect) -> Effect) {
    effects.iter_mut().for_each(|effect| *effect = wanted(*effect));
}

impl Mutant {
    /// Whether a machine is not given what came.
    pub(crate) fn swallows(self, world: &World, peer: Peer, stimulus: &Stimulus) -> bool {
        match (self, peer, stimulus) {
            (Self::AnswerNotCounted, Peer::Source, Stimulus::Word(_, word)) => {
                word.is_answer() && world.ghost.owed[0] != 0
            }
            (Self::TargetDeadlineIgnored, Peer::Target, Stimulus::Timeout) => true,
            (Self::DeafWhileConnecting, Peer::Client, Stimulus::Word(_, Word::Ping)) => {
                let state = world.client.as_ref().map(|client| client.get().state());
                state == Some(ClientState::ConnectingSeamless)
            }
            _ => false,
        }
    }

    /// Changes what a machine does.
    pub(crate) fn tampers(self, world: &World, peer: Peer, stimulus: &Stimulus, effects: &mut Vec<Effect>) {
        match peer {
            Peer::Source => self.tampers_source(world, effects),
            Peer::Target => self.tampers_target(world, effects),
            Peer::Client => self.tampers_client(world, stimulus, effects),
        }
    }

    fn tampers_source(self, world: &World, effects: &mut Vec<Effect>) {
        match self {
            Self::EndTwice => behind(effects, |effect| match effect {
                Effect::Send(_, Word::End) => Some(effect),
                _ => None,
            }),
            Self::MigrateForEnd => change(effects, |effect| match effect {
                Effect::Send(link, Word::End) => Effect::Send(link, Word::Migrate),
                other => other,
            }),
            Self::SourceNeverEnds => effects.retain(|effect| !matches!(effect, Effect::Note(Note::Ended(..)))),
            Self::AnswerOutlivesAttempt if world.ghost.attempts == 2 => change(effects, |effect| match effect {
                Effect::Send(link, Word::SwitchHost(_)) => Effect::Send(link, Word::End),
                other => other,
            }),
            Self::ChatBehindMigrate => behind(effects, |effect| match effect {
                Effect::Send(link, Word::Migrate) => Some(Effect::Send(link, Word::App(9))),
                _ => None,
            }),
            Self::AbsentPortAs65535 => change(effects, |effect| match effect {
                Effect::Send(link, Word::BeginSeamless(0)) => Effect::Send(link, Word::BeginSeamless(u16::MAX)),
                other => other,
            }),
            Self::ClientKept => {
                effects.retain(|effect| !matches!(effect, Effect::Close(_) | Effect::Send(_, Word::SwitchHost(_))));
            }
            _ => {}
        }
    }

    fn tampers_target(self, world: &World, effects: &mut Vec<Effect>) {
        let gone = effects.contains(&Effect::Note(Note::Gone));
        let data = effects.iter().find_map(|effect| match effect {
            Effect::Note(Note::Data(link)) => Some(*link),
            _ => None,
        });
        match self {
            Self::PingWhileParked => behind(effects, |effect| match effect {
                Effect::Accept(link) => Some(Effect::Send(link, Word::Ping)),
                _ => None,
            }),
            Self::InitTwice => behind(effects, |effect| match effect {
                Effect::Send(_, Word::Init(_)) => Some(effect),
                _ => None,
            }),
            Self::InitOfAnother => change(effects, |effect| match effect {
                Effect::Send(link, Word::Init(_)) => Effect::Send(link, Word::Init(SESSION + 1)),
                other => other,
            }),
            Self::AckForgotten => effects.retain(|effect| !matches!(effect, Effect::Send(_, Word::SeamlessAck))),
            Self::AckTwice => behind(effects, |effect| match effect {
                Effect::Send(_, Word::SeamlessAck) => Some(effect),
                _ => None,
            }),
            Self::ParkedLinksKept => effects.retain(|effect| !matches!(effect, Effect::Close(_))),
            Self::BystanderClosed if gone && world.ghost.rogue => effects.push(Effect::Close(BYSTANDER)),
            Self::SettledTooEarly => {
                let settled = effects.iter().any(|effect| matches!(effect, Effect::Note(Note::Settled { .. })));
                let main = data.and_then(|link| world.link(link)).and_then(|link| world.link(link.main));
                if let Some(main) = main.filter(|_| !settled) {
                    effects.push(Effect::Note(Note::Settled { client: main.client, seamless: true }));
                }
            }
            Self::SettledNever => effects.retain(|effect| !matches!(effect, Effect::Note(Note::Settled { .. }))),
            Self::InitWantedTwice => behind(effects, |effect| match effect {
                Effect::Note(Note::InitWanted(_)) => Some(effect),
                _ => None,
            }),
            _ => {}
        }
    }

    fn tampers_client(self, world: &World, stimulus: &Stimulus, effects: &mut Vec<Effect>) {
        let home = world.links.iter().find(|link| link.is_main_of(Peer::Source) && link.client_open);
        let to_target = |link: u8| is_target_link(world, link);
        match self {
            Self::ErrorUnsaid => effects.retain(|effect| !matches!(effect, Effect::Send(_, Word::ConnectError))),
            Self::ErrorTwice => behind(effects, |effect| match effect {
                Effect::Send(_, Word::ConnectError) => Some(effect),
                _ => None,
            }),
            Self::ConnectedTooEarly => {
                let linked = matches!(stimulus, Stimulus::Opened(link) if to_target(*link));
                if let Some(home) = home.filter(|_| linked) {
                    effects.push(Effect::Send(home.id, Word::Connected));
                }
            }
            Self::SeamlessUnsaid => change(effects, |effect| match effect {
                Effect::Send(link, Word::ConnectedSeamless) => Effect::Send(link, Word::Connected),
                other => other,
            }),
            Self::DataBehindQueue => {
                let at = effects.iter().position(|effect| matches!(effect, Effect::Send(_, Word::Data(_))));
                let next = at.and_then(|at| effects.get(at + 1).map(|next| (at, *next)));
                if let Some((at, Effect::Send(_, Word::App(_)))) = next {
                    effects.swap(at, at + 1);
                }
            }
            Self::DataChanged => change(effects, |effect| match effect {
                Effect::Send(link, Word::Data(_)) => Effect::Send(link, Word::Data(255)),
                other => other,
            }),
            Self::PongBeforeEnd => {
                if let Some(Effect::Send(link, Word::End)) = effects.first().copied() {
                    effects.insert(0, Effect::Send(link, Word::Pong));
                }
            }
            Self::ChatBehindFlushMark => behind(effects, |effect| match effect {
                Effect::Send(link, Word::FlushMark) => Some(Effect::Send(link, Word::App(9))),
                _ => None,
            }),
            Self::PongBeforeSwitch => {
                if let Stimulus::Word(link, Word::Ping) = stimulus
                    && to_target(*link)
                    && effects.is_empty()
                {
                    effects.push(Effect::Send(*link, Word::Pong));
                }
            }
            Self::TargetLinksKept if matches!(stimulus, Stimulus::Word(_, Word::Cancel)) => {
                effects.retain(|effect| !matches!(effect, Effect::Close(_)));
            }
            Self::OldIdForNewSession => change(effects, |effect| match effect {
                Effect::Open { link, server, chan: Chan::Main, connection_id: 0, tls } => {
                    Effect::Open { link, server, chan: Chan::Main, connection_id: SESSION.into(), tls }
                }
                other => other,
            }),
            Self::QueueLost => {
                effects.retain(|effect| !matches!(effect, Effect::Send(link, Word::App(_)) if to_target(*link)));
            }
            Self::QueueDoubled => behind(effects, |effect| match effect {
                Effect::Send(link, Word::App(_)) if to_target(link) => Some(effect),
                _ => None,
            }),
            Self::HeldMessagesLost if matches!(stimulus, Stimulus::Word(_, Word::Data(_))) => {
                effects.retain(|effect| !matches!(effect, Effect::Note(Note::Message(..))));
            }
            Self::ClientEndsTwice => behind(effects, |effect| match effect {
                Effect::Note(Note::Ended(..)) => Some(effect),
                _ => None,
            }),
            _ => {}
        }
    }
}
