//! Implementations that are wrong in one way each: what a machine is given is kept from it, or what it does is
//! changed, before the world sees it. A property that no mutant refutes would prove nothing.

use super::adapter::{Effect, Form, Note, Stimulus};
use super::configs::NEVER_GIVEN;
use super::ghost::{Outcome, Property, Why, Wish};
use super::world::{Body, Code, Kind, Peer, Side, Site, Task, Word, World};
use handover::error::{Error, Misuse};

macro_rules! mutants {
    ($($property:ident { $($mutant:ident in $setup:literal,)+ })+) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub(crate) enum Mutant {
            /// The shipped machines.
            #[default]
            None,
            $($($mutant),+),+
        }

        /// What refutes it, and which configuration shows it, by name.
        pub(crate) const MUTANTS: &[(Property, Mutant, &str)] =
            &[$($((Property::$property, Mutant::$mutant, $setup)),+),+];
    };
}

mutants! {
    P9 { TagUsedTwice in "small", TagFreedByTime in "slow", }
    P10 {
        AnswerTwice in "small", AnswerForgotten in "small", MessageAnswered in "messages", KeyEmptyBehindAnswer in "small",
        AnswerToOtherLink in "two for one",
    }
    P11 { LateToNext in "slow", AnswersSwapped in "small", StrayTolerated in "rogue", }
    P13 { LimitIgnored in "kinds", LimitRefused in "kinds", TooLargeTaken in "rogue", }
    P14 { BlockCut in "kinds", SegmentsAnyway in "kinds", BulkUnsaid in "kinds", }
    P15 { WaitersForgotten in "broken", LossCalledUnsent in "broken", }
    P16 { ZeroTaken in "rogue", }
    P17 {
        SentForDropped in "refused", DroppedUnsaid in "refused", SentUnsaid in "messages", MessageNotSent in "messages",
        LossUnsaid in "broken", LossMiscounted in "broken", WordNotWritten in "messages",
    }
    P18 { ClosedWithoutDrain in "closing", LingersNot in "lingering", LeftAtOnce in "moves", }
    P19 { HeartbeatWhenReady in "small", }
    P20 { FinishedUnanswered in "kinds", }
    P21 {
        OldMaster in "moves", RedialForgotten in "congested", HeldGivenUp in "congested", ResentAfterLoss in "broken", AskedAgainElsewhere in "moves",
        NotDialledAfterMove in "moves", SentTwice in "messages",
    }
    P22 { HeardTwice in "messages", HeardNever in "messages", Overtaken in "messages", ReplyLost in "replies", }
    Once { CompletedTwice in "small", CompletedNever in "slow", }
    Flow { WritesCongested in "congested", PauseForgotten in "full", ResumeForgotten in "full", }
    Bounds { Boundless in "full", }
    Waits { DrainUnheard in "congested", HeldLostAtMove in "moves", }
    Ends { CloseForgotten in "closing", LinkKept in "closing", }
    OneEnd { ClosedTwice in "closing", LostTwice in "broken", OverTwice in "broken", HandleLostUnsaid in "broken", }
    Served { DroppedForCongestion in "congested", NothingForAnswer in "small", }
    Timers { DeafToTimer in "slow", EarlyTimer in "small", }
    NoMisuse { RefusedForNothing in "small", ReadyTwice in "small", }
    NoViolation { ProposalTwice in "small", }
}

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

fn drop_each(effects: &mut Vec<Effect>, unwanted: impl Fn(Effect) -> bool) {
    effects.retain(|effect| !unwanted(*effect));
}

const fn is_message(effect: Effect) -> bool {
    matches!(effect, Effect::Send(_, Word::Message(_)))
}

const fn is_completed(effect: Effect) -> bool {
    matches!(effect, Effect::Note(Note::Completed(..)))
}

fn refusal() -> Error {
    Misuse::Refused { what: "anything", reason: "a mutant" }.into()
}

/// What a channel sends for a wish.
const fn wanted(Wish { number, kind, .. }: Wish, tag: u8) -> Word {
    match kind {
        Some(kind) => Word::Request { tag, number, kind },
        None => Word::Message(number),
    }
}

impl Mutant {
    /// Whether a machine is not given what came.
    pub(crate) fn swallows(self, _: &World, peer: Peer, stimulus: Stimulus) -> bool {
        match (self, peer, stimulus) {
            (Self::DeafToTimer, Peer::Channel(_), Stimulus::Timeout)
            | (Self::OldMaster, Peer::Channel(_), Stimulus::Master(_))
            | (Self::DrainUnheard, Peer::Channel(_), Stimulus::Drained(_))
            | (Self::RefusedForNothing, Peer::Channel(_), Stimulus::Request { .. }) => true,
            (Self::ZeroTaken, Peer::Link(..), Stimulus::Word(Word::Error { code: Code::Zero, .. })) => true,
            (Self::StrayTolerated, Peer::Channel(_), Stimulus::Answer(_, Word::Response { tag, .. })) => {
                tag == NEVER_GIVEN
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
            Peer::Channel(site) => {
                self.tampers_requests(world, site, stimulus, result, effects);
                self.tampers_links(world, site, stimulus, effects);
            }
            Peer::Dispatcher(site) => self.tampers_dispatcher(world, site, stimulus, effects),
            Peer::Link(id, side) => self.tampers_end(id, side, stimulus, effects),
        }
    }

    /// A channel, and what becomes of messages and requests.
    fn tampers_requests(
        self,
        world: &World,
        site: Site,
        stimulus: Stimulus,
        result: &mut Result<(), Error>,
        effects: &mut Vec<Effect>,
    ) {
        let wishes = &world.place(site).ghost.wishes;
        let waiting = |effect: Effect| {
            let Effect::Note(Note::Completed(own, _)) = effect else { return None };
            wishes.iter().find(|wish| wish.kind.is_some() && wish.id != own && wish.sent.is_some())
        };
        match self {
            Self::TagUsedTwice | Self::TagFreedByTime => change(effects, |effect| match effect {
                Effect::Send(via, Word::Request { number, kind, .. }) => {
                    let used = |tag: &u8| wishes.iter().any(|wish| wish.sent == Some((via, *tag)));
                    let free = (0..).find(|tag| !used(tag)).unwrap_or_default();
                    let tag = if self == Self::TagUsedTwice { 0 } else { free };
                    Effect::Send(via, Word::Request { tag, number, kind })
                }
                other => other,
            }),
            Self::LateToNext => {
                let next = wishes.iter().find(|wish| wish.kind.is_some());
                if let (Stimulus::Answer(_, Word::Response { body, .. }), Some(next)) = (stimulus, next) {
                    change(effects, |effect| match effect {
                        Effect::Note(Note::Ignored) => Effect::Note(Note::Completed(next.id, Outcome::Answer(body))),
                        other => other,
                    });
                }
            }
            Self::AnswersSwapped => change(effects, |effect| match (effect, waiting(effect)) {
                (Effect::Note(Note::Completed(_, outcome)), Some(other)) => {
                    Effect::Note(Note::Completed(other.id, outcome))
                }
                _ => effect,
            }),
            Self::StrayTolerated if self.swallows(world, Peer::Channel(site), stimulus) => {
                effects.push(Effect::Note(Note::Ignored));
            }
            Self::TooLargeTaken => {
                if let Stimulus::Answer(_, Word::Response { body, .. }) = stimulus {
                    change(effects, |effect| match effect {
                        Effect::Note(Note::Completed(id, Outcome::TooLarge)) => {
                            Effect::Note(Note::Completed(id, Outcome::Answer(body)))
                        }
                        other => other,
                    });
                }
            }
            Self::BulkUnsaid => change(effects, |effect| match effect {
                Effect::Send(via, Word::Request { tag, number, kind: Kind::Bulk }) => {
                    Effect::Send(via, Word::Request { tag, number, kind: Kind::Plain })
                }
                other => other,
            }),
            Self::WaitersForgotten if matches!(stimulus, Stimulus::Closed(_)) => drop_each(effects, is_completed),
            Self::LossCalledUnsent => change(effects, |effect| match effect {
                Effect::Note(Note::Completed(id, Outcome::Unavailable(true))) => {
                    Effect::Note(Note::Completed(id, Outcome::Unavailable(false)))
                }
                other => other,
            }),
            Self::SentForDropped => change(effects, |effect| match effect {
                Effect::Note(Note::Dropped(id, _)) => Effect::Note(Note::Sent(id)),
                other => other,
            }),
            Self::DroppedUnsaid => drop_each(effects, |effect| matches!(effect, Effect::Note(Note::Dropped(..)))),
            Self::SentUnsaid => drop_each(effects, |effect| matches!(effect, Effect::Note(Note::Sent(_)))),
            Self::MessageNotSent => drop_each(effects, is_message),
            Self::SentTwice => twice(effects, is_message),
            Self::CompletedTwice => twice(effects, is_completed),
            Self::CompletedNever if stimulus == Stimulus::Timeout => drop_each(effects, is_completed),
            Self::DroppedForCongestion if matches!(stimulus, Stimulus::Send { .. }) && effects.is_empty() => {
                let Stimulus::Send { id, .. } = stimulus else { return };
                effects.push(Effect::Note(Note::Dropped(id, Why::Unavailable)));
            }
            Self::NothingForAnswer => change(effects, |effect| match effect {
                Effect::Note(Note::Completed(id, Outcome::Answer(_))) => {
                    Effect::Note(Note::Completed(id, Outcome::NoAnswer))
                }
                other => other,
            }),
            Self::EarlyTimer => change(effects, |effect| match effect {
                Effect::Note(Note::Completed(id, _)) => Effect::Note(Note::Completed(id, Outcome::Timeout(true))),
                other => other,
            }),
            Self::RefusedForNothing if matches!(stimulus, Stimulus::Request { .. }) => *result = Err(refusal()),
            _ => {}
        }
    }

    /// A channel, and what it does with its links.
    fn tampers_links(self, world: &World, site: Site, stimulus: Stimulus, effects: &mut Vec<Effect>) {
        let wishes = &world.place(site).ghost.wishes;
        let current = world.current(site);
        let asking = current.filter(|link| link.wire.open != 0).map(|link| Effect::Close(link.number));
        let is_dial = |effect| matches!(effect, Effect::Dial(..));
        match (self, stimulus) {
            (Self::LossUnsaid, _) => drop_each(effects, |effect| matches!(effect, Effect::Note(Note::LinkLost(..)))),
            (Self::LostTwice, _) => twice(effects, |effect| matches!(effect, Effect::Note(Note::LinkLost(..)))),
            (Self::LossMiscounted, _) => change(effects, |effect| match effect {
                Effect::Note(Note::LinkLost(number, messages)) => Effect::Note(Note::LinkLost(number, messages + 1)),
                other => other,
            }),
            (Self::ClosedWithoutDrain, Stimulus::Close) | (Self::LeftAtOnce, Stimulus::Master(_)) => {
                effects.extend(asking);
            }
            (Self::LingersNot, Stimulus::Timeout) if world.place(site).ghost.closing => {
                let parts = effects.iter().any(|effect| matches!(effect, Effect::Close(_)));
                effects.extend(asking.filter(|_| !parts));
            }
            (Self::RedialForgotten, Stimulus::Closed(_)) | (Self::NotDialledAfterMove, Stimulus::Master(_)) => {
                drop_each(effects, is_dial);
            }
            (Self::HeldGivenUp, Stimulus::Closed(_)) => {
                drop_each(effects, is_dial);
                let unsent = world.unsent(site).filter(|wish| wish.kind.is_none());
                effects.extend(unsent.map(|wish| Effect::Note(Note::Dropped(wish.id, Why::Unavailable))));
            }
            (Self::ResentAfterLoss, Stimulus::Closed(_)) => drop_each(effects, is_completed),
            (Self::ResentAfterLoss | Self::AskedAgainElsewhere, Stimulus::Ready(number)) => {
                let again = wishes.iter().filter(|wish| wish.sent.is_some_and(|(via, _)| via != number));
                effects.extend(again.map(|wish| Effect::Send(number, wanted(*wish, 9))));
            }
            (Self::HeldLostAtMove, Stimulus::Ready(number)) if number > 1 => effects.clear(),
            (Self::Overtaken, Stimulus::Ready(_)) => {
                if let [Effect::Send(_, one), _, Effect::Send(_, two), _] = &mut effects[..] {
                    std::mem::swap(one, two);
                }
            }
            (Self::WritesCongested, Stimulus::Send { id, number }) if effects.is_empty() => {
                let link = current.map_or(0, |link| link.number);
                effects.extend([Effect::Send(link, Word::Message(number)), Effect::Note(Note::Sent(id))]);
            }
            (Self::CloseForgotten, _) => {
                drop_each(effects, |effect| matches!(effect, Effect::Note(Note::Closed { .. })));
            }
            (Self::ClosedTwice, _) => twice(effects, |effect| matches!(effect, Effect::Note(Note::Closed { .. }))),
            (Self::LinkKept, _) => drop_each(effects, |effect| matches!(effect, Effect::Close(_))),
            _ => {}
        }
    }

    fn tampers_dispatcher(self, world: &World, site: Site, stimulus: Stimulus, effects: &mut Vec<Effect>) {
        let is_answer = |effect| matches!(effect, Effect::Send(_, Word::Response { .. }));
        let task = |handle: u8| world.place(site).tasks.iter().find(|task| task.handle == handle);
        match (self, stimulus) {
            (Self::AnswerTwice, _) => twice(effects, is_answer),
            (Self::AnswerForgotten, _) => drop_each(effects, is_answer),
            (Self::MessageAnswered, Stimulus::Received(link, Word::Message(number))) => {
                effects.push(Effect::Send(link, Word::Response { tag: 0, body: Body::One(number) }));
            }
            (Self::KeyEmptyBehindAnswer, Stimulus::Finish(handle)) => {
                if let Some(&Task { link, wanted: Some((tag, _)), answered: true, .. }) = task(handle) {
                    effects.push(Effect::Send(link, Word::Error { tag, code: Code::KeyEmpty }));
                }
            }
            (Self::AnswerToOtherLink, _) => change(effects, |effect| match effect {
                Effect::Send(own, word) => {
                    let other = world.links.iter().find(|link| link.id != own && link.to == site);
                    Effect::Send(other.map_or(own, |link| link.id), word)
                }
                other => other,
            }),
            (Self::LimitIgnored | Self::SegmentsAnyway, Stimulus::Respond { handle, form: Form::TooMuch }) => {
                let ignored = if self == Self::LimitIgnored { Kind::Limited } else { Kind::Plain };
                let Some(&Task { link, number, wanted: Some((tag, kind)), .. }) = task(handle) else { return };
                if kind == ignored {
                    *effects = vec![Effect::Send(link, Word::Response { tag, body: Body::Two(number) })];
                }
            }
            (Self::LimitRefused, Stimulus::Respond { handle, form: Form::Fits }) => {
                if let Some(&Task { link, wanted: Some((tag, Kind::Limited)), .. }) = task(handle) {
                    *effects = vec![Effect::Send(link, Word::Error { tag, code: Code::BufferSmall })];
                }
            }
            (Self::BlockCut, _) => change(effects, |effect| match effect {
                Effect::Send(link, Word::Response { tag, body: Body::Block(number) }) => {
                    Effect::Send(link, Word::Response { tag, body: Body::One(number) })
                }
                other => other,
            }),
            (Self::FinishedUnanswered, Stimulus::Finish(_)) => {
                drop_each(effects, |effect| matches!(effect, Effect::Send(..)));
            }
            (Self::HeardTwice, _) => twice(effects, |effect| matches!(effect, Effect::Note(Note::Message { .. }))),
            (Self::HeardNever, _) => drop_each(effects, |effect| matches!(effect, Effect::Note(Note::Message { .. }))),
            (Self::ReplyLost, Stimulus::Reply { .. }) => drop_each(effects, is_message),
            (Self::PauseForgotten, _) => drop_each(effects, |effect| matches!(effect, Effect::Pause(_))),
            (Self::ResumeForgotten, _) => drop_each(effects, |effect| matches!(effect, Effect::Resume(_))),
            (Self::HandleLostUnsaid, _) => drop_each(effects, |effect| matches!(effect, Effect::Note(Note::Lost(_)))),
            _ => {}
        }
    }

    fn tampers_end(self, id: u8, side: Side, stimulus: Stimulus, effects: &mut Vec<Effect>) {
        match (self, stimulus) {
            (Self::ZeroTaken, Stimulus::Word(Word::Error { tag, code: Code::Zero })) => {
                effects.push(Effect::Note(Note::Received(Word::Response { tag, body: Body::One(0) })));
            }
            (Self::WordNotWritten, Stimulus::Write(_)) => effects.clear(),
            (Self::HeartbeatWhenReady, Stimulus::Write(_)) => effects.push(Effect::Send(id, Word::Heartbeat)),
            (Self::OverTwice, _) => twice(effects, |effect| matches!(effect, Effect::Note(Note::Over(_)))),
            (Self::ReadyTwice, _) if side == Side::Dialler => {
                twice(effects, |effect| effect == Effect::Note(Note::Ready));
            }
            (Self::ProposalTwice, _) => twice(effects, |effect| effect == Effect::Send(id, Word::Proposal)),
            _ => {}
        }
    }
}
