//! Implementations that are wrong in one way each: what a machine is given is kept from it, or what it does is
//! changed, before the world sees it. A property that no mutant refutes would prove nothing.

use super::adapter::{Effect, Note, Stimulus};
use super::ghost::{Fate, Property};
use super::world::{Peer, Word, World};
use handover::error::{Error, Misuse};
use handover::machine::Machine;
use handover::tds5::client::State as ClientState;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The shipped machines.
    #[default]
    None,
    RequestToAnybody,
    ServerEndsNever,
    ServerEndsTwice,
    ContinueWithoutSync,
    ContinueTwice,
    ContinueAndIgnore,
    StaleSyncCounts,
    CancelBehindContinue,
    EventOnCancel,
    ReadyTwice,
    FailureUnsaid,
    DoneTwice,
    DoneForgotten,
    NotHeld,
    RowLost,
    ResumeDropped,
    ResumeDoubled,
    ResumeAlways,
    SentBeforeAnswer,
    PieceTwice,
    QueueLost,
    ClosedEarly,
    SwitchedEarly,
    OtherId,
    OldId,
    SyncNever,
    ContinueNever,
    LinkKept,
    SyncTwice,
    FailUnsaid,
    ResumeAtOld,
    DoneBehindContinue,
    ClientEndsTwice,
    LoginEndsNever,
    DeafToTimer,
    CancelRefused,
    EnterForgotten,
    LoginTwice,
}

/// Which configuration shows it, by name.
pub(crate) const MUTANTS: &[(Property, Mutant, &str)] = &[
    (Property::M5, Mutant::RequestToAnybody, "not able"),
    (Property::M5, Mutant::ServerEndsNever, "small"),
    (Property::M5, Mutant::ServerEndsTwice, "small"),
    (Property::M6, Mutant::ContinueWithoutSync, "small"),
    (Property::M6, Mutant::ContinueTwice, "small"),
    (Property::M6, Mutant::ContinueAndIgnore, "small"),
    (Property::M6, Mutant::StaleSyncCounts, "again"),
    (Property::M7, Mutant::CancelBehindContinue, "again"),
    (Property::M8, Mutant::EventOnCancel, "again"),
    (Property::M8, Mutant::ReadyTwice, "small"),
    (Property::M8, Mutant::FailureUnsaid, "refused"),
    (Property::M9, Mutant::DoneTwice, "small"),
    (Property::M9, Mutant::DoneForgotten, "small"),
    (Property::M9, Mutant::NotHeld, "again"),
    (Property::M9, Mutant::RowLost, "small"),
    (Property::M9, Mutant::ResumeDropped, "small"),
    (Property::M10, Mutant::SentBeforeAnswer, "small"),
    (Property::M10, Mutant::PieceTwice, "small"),
    (Property::M10, Mutant::QueueLost, "small"),
    (Property::M11, Mutant::ClosedEarly, "small"),
    (Property::M11, Mutant::SwitchedEarly, "small"),
    (Property::M12, Mutant::OtherId, "small"),
    (Property::M12, Mutant::OldId, "chain"),
    (Property::M14, Mutant::SyncNever, "small"),
    (Property::M14, Mutant::ContinueNever, "small"),
    (Property::M14, Mutant::LinkKept, "refused"),
    (Property::M14, Mutant::FailUnsaid, "refused"),
    (Property::Answers, Mutant::SyncTwice, "small"),
    (Property::Resume, Mutant::ResumeDropped, "again"),
    (Property::Resume, Mutant::ResumeDoubled, "again"),
    (Property::Resume, Mutant::ResumeAlways, "again"),
    (Property::Owner, Mutant::ResumeAtOld, "small"),
    (Property::Owner, Mutant::DoneBehindContinue, "small"),
    (Property::OneEnd, Mutant::ClientEndsTwice, "small"),
    (Property::OneEnd, Mutant::LoginEndsNever, "refused"),
    (Property::Moves, Mutant::SyncNever, "small"),
    (Property::Timers, Mutant::DeafToTimer, "slow"),
    (Property::NoMisuse, Mutant::CancelRefused, "again"),
    (Property::NoMisuse, Mutant::EnterForgotten, "small"),
    (Property::NoViolation, Mutant::LoginTwice, "small"),
];

/// Puts `more` behind each effect that `wanted` picks.
fn behind(effects: &mut Vec<Effect>, mut wanted: impl FnMut(Effect) -> Option<Effect>) {
    *effects = effects.drain(..).flat_map(|effect| [Some(effect), wanted(effect)]).flatten().collect();
}

fn twice(effects: &mut Vec<Effect>, wanted: impl Fn(Effect) -> bool) {
    behind(effects, |effect| wanted(effect).then_some(effect));
}

fn change(effects: &mut [Effect], wanted: impl Fn(Effect) -> Effect) {
    effects.iter_mut().for_each(|effect| *effect = wanted(*effect));
}

fn sends(effect: Effect, wanted: Word) -> bool {
    matches!(effect, Effect::Send(_, word) if word == wanted)
}

const fn is_sync(effect: Effect) -> bool {
    matches!(effect, Effect::Send(_, Word::Sync(_)))
}

const fn is_end(effect: Effect) -> bool {
    matches!(effect, Effect::Note(Note::Ended(..)))
}

impl Mutant {
    /// Whether a machine is not given what came.
    pub(crate) fn swallows(self, world: &World, peer: Peer, stimulus: Stimulus) -> bool {
        match (self, peer, stimulus) {
            (Self::DeafToTimer, Peer::Client, Stimulus::Timeout) => true,
            (Self::RowLost, Peer::Client, Stimulus::Word(_, Word::Row(_))) => true,
            (Self::EnterForgotten, _, Stimulus::Enter(_)) => true,
            (Self::CancelRefused, Peer::Server(_), Stimulus::Cancel(_)) => true,
            (Self::SentBeforeAnswer, Peer::Client, Stimulus::Piece(..)) => {
                world.client.get().state() == ClientState::Synced
            }
            _ => false,
        }
    }

    /// Changes what a machine does.
    pub(crate) fn tampers(
        self,
        world: &World,
        peer: Peer,
        stimulus: Stimulus,
        result: &mut Result<(), Error>,
        effects: &mut Vec<Effect>,
    ) {
        match peer {
            Peer::Client => self.tampers_client(world, stimulus, effects),
            Peer::Server(id) => self.tampers_server(world, id, stimulus, result, effects),
        }
    }

    fn tampers_server(
        self,
        world: &World,
        id: u8,
        stimulus: Stimulus,
        result: &mut Result<(), Error>,
        effects: &mut Vec<Effect>,
    ) {
        let is_continue = |effect| sends(effect, Word::Continue);
        let order = matches!(stimulus, Stimulus::Migrate(_));
        let cancel = matches!(stimulus, Stimulus::Cancel(_));
        let told = world.wire(id).fate == Fate::Told;
        match self {
            Self::RequestToAnybody if order => {
                (*result, *effects) = (Ok(()), vec![Effect::Send(id, Word::Request(0))]);
            }
            Self::ServerEndsNever => effects.retain(|effect| !is_end(*effect)),
            Self::ServerEndsTwice => twice(effects, is_end),
            Self::ContinueWithoutSync if order => effects.push(Effect::Send(id, Word::Continue)),
            Self::ContinueTwice => twice(effects, is_continue),
            Self::ContinueAndIgnore => {
                behind(effects, |effect| is_continue(effect).then_some(Effect::Send(id, Word::Ignore)));
            }
            Self::ContinueNever => effects.retain(|effect| !is_continue(*effect)),
            Self::CancelBehindContinue if cancel && told => {
                (*result, *effects) = (Ok(()), vec![Effect::Send(id, Word::Ignore)]);
            }
            Self::CancelRefused if cancel => {
                let refused = Misuse::Refused { what: "Cancel", reason: "a mutant" };
                (*result, *effects) = (Err(refused.into()), Vec::new());
            }
            Self::EventOnCancel if cancel && result.is_ok() => effects.push(Effect::Note(Note::Failed)),
            Self::ReadyTwice => twice(effects, |effect| matches!(effect, Effect::Note(Note::Ready(_)))),
            Self::FailureUnsaid => effects.retain(|effect| *effect != Effect::Note(Note::Failed)),
            Self::DoneTwice => twice(effects, |effect| matches!(effect, Effect::Send(_, Word::Done(1, _)))),
            Self::DoneForgotten => effects.retain(|effect| !matches!(effect, Effect::Send(_, Word::Done(1, _)))),
            Self::NotHeld => {
                if let (Stimulus::Done(command), Err(_)) = (stimulus, &*result) {
                    let done = [Word::Done(command, false), Word::End].map(|word| Effect::Send(id, word));
                    (*result, *effects) = (Ok(()), done.into());
                }
            }
            Self::DoneBehindContinue if effects.iter().any(|effect| is_continue(*effect)) => {
                let command = world.app(id).owed[0];
                effects.extend([Word::Done(command, false), Word::End].map(|word| Effect::Send(id, word)));
            }
            Self::LoginEndsNever => effects.retain(|effect| !matches!(effect, Effect::Note(Note::LoginEnded(_)))),
            _ => {}
        }
    }

    fn tampers_client(self, world: &World, stimulus: Stimulus, effects: &mut Vec<Effect>) {
        let current = world.ghost.current;
        let is_resume = |effect| sends(effect, Word::Resume);
        let is_login = |effect| matches!(effect, Effect::Send(_, Word::Login(_)));
        let is_piece = |effect| matches!(effect, Effect::Send(_, Word::Piece(..)));
        match (self, stimulus) {
            (Self::SyncNever, _) => effects.retain(|effect| !is_sync(*effect)),
            (Self::SyncTwice, _) => twice(effects, is_sync),
            (Self::ResumeDropped, _) => effects.retain(|effect| !is_resume(*effect)),
            (Self::ResumeDoubled, _) => twice(effects, is_resume),
            (Self::ResumeAlways, Stimulus::Word(_, Word::Ignore)) => {
                effects.retain(|effect| !is_resume(*effect));
                effects.push(Effect::Send(current, Word::Resume));
            }
            (Self::ResumeAtOld, _) => {
                let old = effects.iter().find_map(|effect| match effect {
                    Effect::Switch(from, _) => Some(*from),
                    _ => None,
                });
                let to = old.unwrap_or(current);
                change(effects, |effect| if is_resume(effect) { Effect::Send(to, Word::Resume) } else { effect });
            }
            (Self::SentBeforeAnswer, Stimulus::Piece(number, end)) if effects.is_empty() => {
                effects.push(Effect::Send(current, Word::Piece(number, end)));
            }
            (Self::PieceTwice, _) => twice(effects, is_piece),
            (Self::QueueLost, Stimulus::Word(..)) => effects.retain(|effect| !is_piece(*effect)),
            (Self::ClosedEarly, Stimulus::Word(_, Word::Continue)) => effects.push(Effect::Close(current)),
            (Self::SwitchedEarly, Stimulus::Opened(id)) => effects.push(Effect::Switch(current, id)),
            (Self::OtherId, _) => {
                change(effects, |effect| match effect {
                    Effect::Send(id, Word::Login(_)) => Effect::Send(id, Word::Login(9)),
                    other => other,
                });
            }
            (Self::OldId, _) => {
                change(effects, |effect| match effect {
                    Effect::Send(id, Word::Login(2)) => Effect::Send(id, Word::Login(1)),
                    other => other,
                });
            }
            (Self::LoginTwice, _) => twice(effects, is_login),
            (Self::LinkKept, _) => effects.retain(|effect| !matches!(effect, Effect::Close(_))),
            (Self::FailUnsaid, _) => effects.retain(|effect| !matches!(effect, Effect::Send(_, Word::Fail(..)))),
            (Self::ClientEndsTwice, _) => twice(effects, is_end),
            _ => {}
        }
    }
}
