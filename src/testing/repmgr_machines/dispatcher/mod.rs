//! Operations for a dispatcher.

mod model;

pub use model::DispatcherModel;

use super::words::{answer, segments, wanted};
use crate::machine::{LinkId, Machine, Table};
use crate::repmgr::MessageFlags;
use crate::repmgr::dispatcher::{Config, Dispatcher, Event, Handle, Input, Output, State, TABLE, TableEvent};
use crate::repmgr::message::{AppMessage, Wanted};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use std::vec::Vec;

/// One thing that happens to a dispatcher. What has come is named by how old it is, from 240 on by its number, whether
/// there is such a thing or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DispatcherOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// Something takes messages, or nothing does.
    Serve(bool),
    /// Something comes.
    Come {
        /// On which link.
        link: u8,
        /// A message, or what kind of request.
        wanted: u8,
        /// What it consists of.
        shape: u8,
    },
    /// The application answers.
    Answer {
        /// What.
        which: u8,
        /// By what.
        shape: u8,
    },
    /// It sends something back.
    Reply {
        /// To what.
        which: u8,
        /// What it sends.
        shape: u8,
    },
    /// It is through with something.
    Finish(u8),
    /// A link is over.
    Closed(u8),
    /// It cannot take more.
    Congested(u8),
    /// It can again.
    Drained(u8),
    /// The timeout input, which does nothing.
    Timeout,
}

impl DispatcherOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=69 => Self::Forward(c.byte()),
            70..=77 => Self::Serve(c.boolean()),
            78..=127 => Self::Come { link: c.byte(), wanted: c.byte(), shape: c.byte() },
            128..=157 => Self::Answer { which: c.byte(), shape: c.byte() },
            158..=182 => Self::Reply { which: c.byte(), shape: c.byte() },
            183..=217 => Self::Finish(c.byte()),
            218..=225 => Self::Closed(c.byte()),
            226..=238 => Self::Congested(c.byte()),
            239..=252 => Self::Drained(c.byte()),
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops DispatcherOp);

/// How many links there are.
const LINKS: u8 = 4;

/// A dispatcher for the contract suite and for [`run_dispatcher`](super::run_dispatcher).
#[derive(Clone, Debug, Default)]
pub struct DispatcherSubject {
    config: Config,
    /// What has come and is not finished, oldest first.
    open: Vec<Handle>,
    unique: u32,
}

impl DispatcherSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config { serving: !choices.one_in(8), ..Config::default() };
        if choices.boolean() {
            config.limits.incoming = choices.below(6);
            config.limits.incoming_total = choices.below(12);
        }
        if choices.one_in(3) {
            config.limits.held_messages = choices.below(4);
            config.limits.held_bytes = choices.below(120);
        }
        if choices.one_in(6) {
            config.limits.message = choices.below(120);
            config.limits.segments = u32::from(choices.byte() % 12);
        }
        config
    }

    fn handle(&self, which: u8) -> Handle {
        let open = self.open.get(usize::from(which) % self.open.len().max(1));
        open.filter(|_| which < 240).copied().unwrap_or(Handle(u32::from(which % 16)))
    }
}

const fn link(number: u8) -> LinkId {
    LinkId((number % LINKS) as u32)
}

impl Subject for DispatcherSubject {
    on_trial!(subject Dispatcher, Input::Serve(true));

    const OUTPUTS_PER_INPUT: usize = 512;

    fn machine(&mut self, choices: &mut Choices<'_>) -> Dispatcher {
        self.config = Self::config(choices);
        Dispatcher::new(self.config.clone())
    }

    fn is_terminal(_machine: &Dispatcher) -> bool {
        false
    }

    fn observe(&mut self, output: &Output) {
        if let Output::Event(Event::Message { handle, .. } | Event::Request { handle, .. }) = output {
            self.open.push(*handle);
        }
    }

    fn wind_down(&mut self, machine: &Dispatcher) -> Option<Input> {
        self.open.pop().map(Input::Finish).filter(|_| machine.unfinished() > 0)
    }
}

impl Trial for DispatcherSubject {
    on_trial!(trial Dispatcher, DispatcherOp, DispatcherModel);

    fn forward(&self, number: u8, machine: &Dispatcher) -> DispatcherOp {
        let come = DispatcherOp::Come { link: number / 8, wanted: number / 16, shape: 0 };
        match (machine.state(), machine.unfinished(), number % 8) {
            (State::Refusing, _, 0..=5) => DispatcherOp::Serve(true),
            (_, 0, _) | (_, _, 0 | 1) => come,
            (_, _, 2 | 3) => DispatcherOp::Answer { which: number / 8, shape: number.wrapping_mul(5) },
            (_, _, 4) => DispatcherOp::Reply { which: number / 8, shape: number },
            (_, _, 5) => DispatcherOp::Drained(number / 8),
            _ => DispatcherOp::Finish(number / 8),
        }
    }

    fn resolve(&mut self, op: &DispatcherOp) -> Input {
        self.unique += 1;
        let unique = self.unique;
        match *op {
            // `forward` gives no more than one step.
            DispatcherOp::Forward(_) | DispatcherOp::Timeout => Input::Timeout,
            DispatcherOp::Serve(serve) => Input::Serve(serve),
            DispatcherOp::Come { link: number, wanted: what, shape } => {
                let segments = segments(shape, unique);
                let message = match what % 8 {
                    0..=2 => AppMessage::new(segments),
                    // A limit without a request, and bits that nobody knows.
                    3 => AppMessage { segments, tag: 1, limit: 2, flags: MessageFlags::from_bits_retain(0xf5) },
                    _ => {
                        let Wanted { bulk, limit, .. } = wanted(what / 8, 0);
                        AppMessage::request(segments, Wanted { tag: unique, bulk, limit })
                    }
                };
                Input::Received { link: link(number), message }
            }
            DispatcherOp::Answer { which, shape } => {
                Input::Answer { handle: self.handle(which), segments: answer(shape, unique) }
            }
            DispatcherOp::Reply { which, shape } => {
                Input::Reply { handle: self.handle(which), segments: segments(shape, unique) }
            }
            DispatcherOp::Finish(which) => {
                let handle = self.handle(which);
                self.open.retain(|other| *other != handle);
                Input::Finish(handle)
            }
            DispatcherOp::Closed(number) => Input::Closed(link(number)),
            DispatcherOp::Congested(number) => Input::Congested(link(number)),
            DispatcherOp::Drained(number) => Input::Drained(link(number)),
        }
    }

    fn model(&self, _machine: &Dispatcher) -> DispatcherModel {
        DispatcherModel::new(self.config.clone())
    }
}
