//! Operations for a server.

mod model;

pub use model::ServerModel;

use super::words::{alternate, command, defer, key, server_id, uri};
use crate::deferral::message::{Message, Queued, Request};
use crate::deferral::server::{Config, Event, Input, JobId, Output, Server, State, TABLE, TableEvent};
use crate::deferral::{DeferKind, MessageKind, RefusalCode, RequestFlags, ServerAbilities};
use crate::frame::{Extensions, Text};
use crate::machine::{LinkId, Machine, Table};
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use crate::testing::{Choices, Rng};
use bytes::Bytes;
use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

/// One thing that happens to a server. Links and requests have a few numbers; jobs are named by how old they are, from 240
/// on by their number, whether there is one or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerOp {
    /// What would come next; the number chooses.
    Forward(u8),
    /// A client wants something.
    Request {
        /// On which link.
        link: u8,
        /// Which request, and which command of it.
        key: u8,
        /// What is said of it.
        flags: u8,
    },
    /// It wants that no longer.
    Cancel {
        /// On which link.
        link: u8,
        /// Which request.
        key: u8,
    },
    /// It says what clients do not say, or what nobody knows.
    Odd {
        /// On which link.
        link: u8,
        /// Which message.
        what: u8,
    },
    /// A link is over.
    Closed(u8),
    /// A piece of a result.
    Data(u8),
    /// A job is done.
    End(u8),
    /// It is done, and another command follows.
    Continue(u8, u8),
    /// It was not done.
    Refuse(u8),
    /// Others may be asked from now on.
    Alternates(u8),
    /// Sends on whom it may.
    Drain,
    /// Takes requests.
    Serve,
    /// Takes none.
    Stop,
    /// The timeout input, due or not.
    Timeout,
}

impl ServerOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=79 => Self::Forward(c.byte()),
            80..=144 => Self::Request { link: c.byte(), key: c.byte(), flags: c.byte() },
            145..=158 => Self::Cancel { link: c.byte(), key: c.byte() },
            159..=164 => Self::Odd { link: c.byte(), what: c.byte() },
            165..=179 => Self::Closed(c.byte()),
            180..=190 => Self::Data(c.byte()),
            191..=208 => Self::End(c.byte()),
            209..=218 => Self::Continue(c.byte(), c.byte()),
            219..=225 => Self::Refuse(c.byte()),
            226..=230 => Self::Alternates(c.byte()),
            231..=233 => Self::Drain,
            234..=238 => Self::Serve,
            239..=241 => Self::Stop,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ServerOp);

/// A server for the contract suite and for [`run_server`](super::run_server).
///
/// That a job ends once (line 7) is left to the model: its end is an input.
#[derive(Clone, Debug, Default)]
pub struct ServerSubject {
    config: Config,
    /// Those that run, oldest first.
    jobs: Vec<JobId>,
    unique: u64,
}

fn config(choices: &mut Choices<'_>) -> Config {
    let mut config = Config { id: server_id(*choices.pick(&[1, 0])), ..Config::default() };
    let abilities = *choices.pick(&[3, 3, 3, 1, 2, 0, 0x83]);
    config.abilities = ServerAbilities::from_bits_retain(abilities);
    config.slots = *choices.pick(&[1, 2, 0, 3]);
    config.busy_threshold = Duration::from_millis(*choices.pick(&[2000, 0, 1000, 60_000]));
    config.prefer_readers = choices.one_in(3);
    config.retry_after = choices.one_in(3).then(|| Duration::from_millis(choices.byte().into()));
    config.receipt = Bytes::from(std::vec![7; choices.below(3)]);
    if choices.one_in(3) {
        config.service_time = *choices.pick(&[Duration::ZERO, Duration::from_millis(300), Duration::MAX]);
    }
    if choices.one_in(3) {
        config.remember = Duration::from_millis(u64::from(choices.byte()) * 32);
    }
    config.alternates = alternates(choices.byte());
    if choices.one_in(2) {
        config.limits.queue = choices.below(5);
        config.limits.remembered = choices.below(4);
        config.limits.alternates = choices.below(4);
    }
    if choices.one_in(12) {
        config.limits.outputs = *choices.pick(&[9, 1, 3]);
    }
    config
}

fn alternates(number: u8) -> Vec<crate::deferral::message::Alternate> {
    let mut rng = Rng::new(u64::from(number));
    (0..number % 7).map(|_| alternate(&mut rng)).collect()
}

impl ServerSubject {
    fn job(&self, number: u8) -> JobId {
        let job = self.jobs.get(usize::from(number) % self.jobs.len().max(1));
        job.filter(|_| number < 240).copied().unwrap_or(JobId(u32::from(number % 16)))
    }

    fn end(&mut self, number: u8) -> JobId {
        let job = self.job(number);
        self.jobs.retain(|other| *other != job);
        job
    }

    fn random(&mut self) -> u64 {
        self.unique += 1;
        // Some come twice.
        Rng::new(self.unique / 2).next_u64()
    }

    fn say(&mut self, link: u8, message: Message) -> Input {
        Input::Message { link: LinkId(u32::from(link % 6)), message, random: self.random() }
    }
}

fn request_key(number: u8) -> crate::deferral::message::RequestKey {
    key(number % 12, u16::from(number / 12 % 8 == 7))
}

impl Subject for ServerSubject {
    on_trial!(subject Server, Input::Serve);

    fn machine(&mut self, choices: &mut Choices<'_>) -> Server {
        self.config = config(choices);
        Server::new(self.config.clone())
    }

    /// It can always be started again.
    fn is_terminal(_machine: &Server) -> bool {
        false
    }

    fn observe(&mut self, output: &Output) {
        if let Output::Event(Event::Execute(job)) = output {
            self.jobs.push(job.id);
        }
    }

    fn wind_down(&mut self, machine: &Server) -> Option<Input> {
        // Jobs have no deadline, and who waits for one need not have any.
        if machine.running() == 0 {
            return None;
        }
        let job = self.end(0);
        Some(Input::End { job, status: 0, text: Text::EMPTY })
    }
}

impl Trial for ServerSubject {
    on_trial!(trial Server, ServerOp, ServerModel);

    fn forward(&self, number: u8, machine: &Server) -> ServerOp {
        let key = number.wrapping_mul(11);
        match number % 16 {
            0..=6 => ServerOp::Request { link: number / 16, key, flags: number.wrapping_mul(29) },
            7 | 8 if machine.running() > 0 => ServerOp::End(0),
            9 if machine.running() > 0 => ServerOp::Data(0),
            10 if machine.running() > 0 => ServerOp::Continue(0, number),
            11 if machine.state() != State::Serving => ServerOp::Serve,
            12 => ServerOp::Cancel { link: number / 16, key },
            13 => ServerOp::Closed(number / 16),
            14 => ServerOp::Timeout,
            _ => ServerOp::Request { link: number / 16, key, flags: 1 },
        }
    }

    fn resolve(&mut self, op: &ServerOp) -> Input {
        match *op {
            // `forward` gives no more than one step.
            ServerOp::Forward(_) | ServerOp::Timeout => Input::Timeout,
            ServerOp::Request { link, key, flags } => {
                let bits = [0, 1, 8, 2, 4, 9, 3, 10][usize::from(flags % 8)] | u16::from(flags & 0x80) << 4;
                let request = Request {
                    flags: RequestFlags::from_bits_retain(bits),
                    deadline_ms: [0, 0, 0, 700, 1, u32::MAX][usize::from(flags / 8 % 6)],
                    receipt: Bytes::from(std::vec![1; usize::from(flags % 3)]),
                    credentials: Bytes::from_static(b"secret"),
                    referrer: (flags % 5 == 0).then(|| uri(0)),
                    ..Request::new(request_key(key), command(key))
                };
                self.say(link, Message::Request(Box::new(request)))
            }
            ServerOp::Cancel { link, key } => self.say(link, Message::Cancel(request_key(key).into())),
            ServerOp::Odd { link, what } => {
                let key = request_key(what / 4);
                let message = match what % 8 {
                    0..=3 => Message::Unknown { kind: MessageKind(0x40 | what), body: Bytes::new() },
                    4 => Message::Executing(key.into()),
                    5 => Message::Queued(Queued { key, position: 0, estimate_ms: None, extensions: Extensions::NONE }),
                    6 => Message::Cancelled(key.into()),
                    _ => Message::Defer(Box::new(defer(key, DeferKind::BUSY, what))),
                };
                self.say(link, message)
            }
            ServerOp::Closed(link) => Input::Closed(LinkId(u32::from(link % 6))),
            ServerOp::Data(job) => {
                Input::Data { job: self.job(job), bytes: Bytes::from(std::vec![job; usize::from(job % 5)]) }
            }
            ServerOp::End(job) => Input::End { job: self.end(job), status: job.into(), text: Text::EMPTY },
            ServerOp::Continue(job, shape) => Input::Continue {
                job: self.end(job),
                next: command(shape),
                read_only: shape % 2 == 0,
                random: self.random(),
            },
            ServerOp::Refuse(job) => {
                Input::Refuse { job: self.end(job), code: RefusalCode(u16::from(job % 8)), text: Text::fitting("no") }
            }
            ServerOp::Alternates(number) => Input::Alternates(alternates(number)),
            ServerOp::Drain => Input::Drain,
            ServerOp::Serve => Input::Serve,
            ServerOp::Stop => Input::Stop { random: self.random() },
        }
    }

    fn model(&self, _machine: &Server) -> ServerModel {
        ServerModel::new(self.config.clone())
    }
}
