//! Operations for a channel.

mod model;

pub use model::ChannelModel;

use super::words::{answer, segments, site, wanted};
use crate::machine::{LinkId, Machine, Table};
use crate::repmgr::channel::{
    Answer, Channel, Config, Input, Master, MessageId, Output, RequestId, RequestOptions, RequestTimeout, State, TABLE,
    TableEvent, To,
};
use crate::repmgr::message::{AppResponse, ResponseError, Wanted};
use crate::repmgr::{ErrorCode, Via};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use core::time::Duration;
use std::vec::Vec;

/// One thing that happens to a channel. Links are named by how new they are, from 240 on
/// by their number, whether there is one or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelOp {
    /// What would come next if all went well; the number chooses where there are several ways.
    Forward(u8),
    /// Another site is the master, or none is.
    Master(u8),
    /// A link is wanted.
    Connect,
    /// A message is to be sent: its number, and what it consists of.
    Send(u8),
    /// A request is to be sent.
    Request {
        /// Its number, and what it consists of.
        id: u8,
        /// What it wants.
        options: u8,
        /// How long it may take.
        time: u8,
    },
    /// A link is ready.
    Ready(u8),
    /// An answer comes.
    Answer {
        /// On which way: a link, or this site itself.
        way: u8,
        /// To which of the requests that were sent there, counted from the oldest without an answer; 240 and more:
        /// another tag.
        which: u8,
        /// What it says.
        what: u8,
    },
    /// A link is over.
    Closed(u8),
    /// It cannot take more.
    Congested(u8),
    /// It can again.
    Drained(u8),
    /// No more is to be accepted.
    Close,
    /// All is to end now.
    CloseNow,
    /// The timeout input, due or not.
    Timeout,
}

impl ChannelOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        let link = |c: &mut Choices<'_>| if c.one_in(3) { c.byte() } else { 0 };
        match c.byte() {
            0..=89 => Self::Forward(c.byte()),
            90..=103 => Self::Master(c.byte()),
            104..=108 => Self::Connect,
            109..=133 => Self::Send(c.byte()),
            134..=163 => Self::Request { id: c.byte(), options: c.byte(), time: c.byte() },
            164..=173 => Self::Ready(link(c)),
            174..=208 => Self::Answer { way: link(c), which: c.byte(), what: c.byte() },
            209..=220 => Self::Closed(link(c)),
            221..=230 => Self::Congested(link(c)),
            231..=240 => Self::Drained(link(c)),
            241 | 242 => Self::Close,
            243 => Self::CloseNow,
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops ChannelOp);

/// A channel for the contract suite and for [`run_channel`](super::run_channel).
///
/// That each message and request ends once (line 7) is left to the model: they have no event with which they begin.
#[derive(Clone, Debug, Default)]
pub struct ChannelSubject {
    config: Config,
    /// `None`: the master.
    to: Option<u8>,
    links: Vec<LinkId>,
    /// Requests without an answer, by way and tag, oldest first.
    asked: Vec<(Via, Wanted)>,
    unique: u32,
}

impl ChannelSubject {
    fn config(choices: &mut Choices<'_>) -> Config {
        let mut config = Config::default();
        if choices.one_in(3) {
            let mut time = || Duration::from_millis(u64::from(choices.byte()) * 8);
            config.linger = time();
            (config.request_timeout, config.send_timeout) = (Some(time()), Some(time()));
        }
        if choices.one_in(6) {
            (config.request_timeout, config.send_timeout) = (None, None);
        }
        if choices.one_in(3) {
            config.limits.held_messages = choices.below(5);
            config.limits.held_bytes = choices.below(200);
            config.limits.requests = choices.below(6);
        }
        if choices.one_in(6) {
            config.limits.message = 24 + choices.below(150);
            config.limits.segments = u32::from(choices.byte() % 12);
        }
        config
    }

    fn link(&self, number: u8) -> LinkId {
        let newest = self.links.iter().rev().nth(usize::from(number) % self.links.len().max(1));
        newest.filter(|_| number < 240).copied().unwrap_or(LinkId(u32::from(number % 16)))
    }

    /// Nobody asks there any more.
    fn forget(&mut self, link: LinkId) {
        self.links.retain(|other| *other != link);
        self.asked.retain(|(via, _)| *via != Via::Link(link));
    }

    fn way(&self, number: u8) -> Via {
        if number % 4 == 3 { Via::Local } else { Via::Link(self.link(number / 4)) }
    }

    /// The answer to one of the requests that were sent on a way, or to none of them.
    fn answer(&mut self, way: u8, which: u8, what: u8) -> Input {
        let via = self.way(way);
        let there: Vec<usize> = (0..self.asked.len()).filter(|&at| self.asked[at].0 == via).collect();
        let chosen = there.get(usize::from(which) % there.len().max(1)).filter(|_| which < 240);
        let none = Wanted { tag: u32::from(which % 16), bulk: false, limit: None };
        let Wanted { tag, bulk, .. } = match chosen {
            // Seldom it comes twice.
            Some(&at) if what % 16 == 15 => self.asked[at].1,
            Some(&at) => self.asked.remove(at).1,
            None => none,
        };
        let codes = [ErrorCode::KEY_EMPTY, ErrorCode::NO_SERVER, ErrorCode::BUFFER_SMALL, ErrorCode(u32::from(what))];
        let answer = match what / 16 {
            0..=3 => Answer::Error(ResponseError { tag, code: codes[usize::from(what / 16)] }),
            // Malformed, if it is to be a block.
            4 => Answer::Response(AppResponse::single(tag, "no block")),
            _ => {
                let segments = answer(what, self.unique);
                let single = AppResponse::single(tag, segments.get(0).unwrap_or_default());
                let bulk = if bulk { AppResponse::bulk(tag, &segments).ok() } else { None };
                Answer::Response(bulk.unwrap_or(single))
            }
        };
        Input::Received { via, answer }
    }
}

/// How long a request may take.
fn time(number: u8) -> RequestTimeout {
    match number % 8 {
        0..=4 => RequestTimeout::Default,
        5 => RequestTimeout::Never,
        _ => RequestTimeout::After(Duration::from_millis(u64::from(number / 8) * 16)),
    }
}

fn master(number: u8) -> Option<Master> {
    match number % 8 {
        0..=4 => Some(Master::Remote(site(number / 8))),
        5 | 6 => Some(Master::Local),
        _ => None,
    }
}

impl Subject for ChannelSubject {
    on_trial!(subject Channel, Input::CloseNow);

    const OUTPUTS_PER_INPUT: usize = 512;

    fn machine(&mut self, choices: &mut Choices<'_>) -> Channel {
        self.config = Self::config(choices);
        self.to = choices.one_in(3).then(|| choices.byte());
        Channel::new(self.config.clone(), self.to.map_or(To::Master, |number| To::Site(site(number))))
    }

    fn is_terminal(machine: &Channel) -> bool {
        machine.state() == State::Closed
    }

    fn observe(&mut self, output: &Output) {
        match output {
            Output::Dial { link, .. } => self.links.push(*link),
            Output::Close(link) => self.forget(*link),
            Output::Send { via, message } => self.asked.extend(message.wanted().map(|wanted| (*via, wanted))),
            Output::Event(_) => {}
        }
    }

    fn wind_down(&mut self, machine: &Channel) -> Option<Input> {
        match machine.state() {
            State::Closed => None,
            // What is on its way comes to its end by itself, or by its deadline, unless it has none.
            State::Draining if machine.poll_timeout().is_some() => None,
            State::Draining => Some(Input::CloseNow),
            _ => Some(Input::Close),
        }
    }
}

impl Trial for ChannelSubject {
    on_trial!(trial Channel, ChannelOp, ChannelModel);

    fn forward(&self, number: u8, machine: &Channel) -> ChannelOp {
        let send = ChannelOp::Send(number);
        let request = ChannelOp::Request { id: number, options: number / 4, time: number };
        let answer = |way| ChannelOp::Answer { way, which: number / 16, what: number.wrapping_mul(7) };
        match (machine.state(), number % 8) {
            (State::Idle, 0) => ChannelOp::Connect,
            (State::Idle, 1 | 2) => ChannelOp::Master(number / 8 % 4 * 8),
            (State::Idle | State::Open | State::Local, 3) => send,
            (State::Idle, _) => request,
            (State::Dialling, 0) => send,
            (State::Dialling, 1) => request,
            (State::Dialling, 2) if number >= 192 => ChannelOp::Closed(0),
            (State::Dialling, 2) if number >= 128 => ChannelOp::Congested(0),
            (State::Dialling, _) => ChannelOp::Ready(0),
            (State::Open, 4) => ChannelOp::Congested(0),
            (State::Open, 5 | 6) => answer(number / 64 * 4),
            (State::Open, 7) if number >= 192 => ChannelOp::Master(number),
            (State::Open | State::Local, 0..=2) => request,
            (State::Congested, 0 | 1) => send,
            (State::Congested, 2) => request,
            (State::Congested, 3) if number >= 128 => ChannelOp::Closed(0),
            (State::Congested, 3) => ChannelOp::Master(number),
            (State::Congested, _) => ChannelOp::Drained(0),
            (State::Local, 4) => ChannelOp::Master(number / 4),
            (State::Local, _) => answer(3),
            (State::Draining, 0) => ChannelOp::Ready(0),
            (State::Draining, 1) => ChannelOp::Drained(0),
            (State::Draining, 2) => ChannelOp::Timeout,
            (State::Draining, 3) => answer(3),
            (State::Open | State::Draining, _) => answer(0),
            (State::Closed, _) => ChannelOp::Timeout,
        }
    }

    fn resolve(&mut self, op: &ChannelOp) -> Input {
        self.unique += 1;
        match *op {
            // `forward` gives no more than one step.
            ChannelOp::Forward(_) | ChannelOp::Timeout => Input::Timeout,
            ChannelOp::Master(number) => Input::Master(master(number)),
            ChannelOp::Connect => Input::Connect,
            ChannelOp::Send(number) => {
                Input::Send { id: MessageId(u32::from(number % 16)), segments: segments(number / 16, self.unique) }
            }
            ChannelOp::Request { id, options, time: span } => {
                let Wanted { bulk, limit, .. } = wanted(options, 0);
                let options = RequestOptions { timeout: time(span), limit, bulk };
                Input::Request { id: RequestId(u32::from(id % 16)), segments: segments(id / 16, self.unique), options }
            }
            ChannelOp::Ready(link) => Input::Ready(self.link(link)),
            ChannelOp::Answer { way, which, what } => self.answer(way, which, what),
            ChannelOp::Closed(link) => {
                let link = self.link(link);
                self.forget(link);
                Input::Closed(link)
            }
            ChannelOp::Congested(link) => Input::Congested(self.link(link)),
            ChannelOp::Drained(link) => Input::Drained(self.link(link)),
            ChannelOp::Close => Input::Close,
            ChannelOp::CloseNow => Input::CloseNow,
        }
    }

    fn model(&self, machine: &Channel) -> ChannelModel {
        ChannelModel::new(self.config.clone(), machine.to().clone())
    }
}
