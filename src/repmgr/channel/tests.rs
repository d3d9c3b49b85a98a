//! The orders and items of spec/repmgr.md 6.2, one by one.

mod answers;
mod ends;
mod master;
mod sending;

use super::*;
use crate::error::{Error, Misuse};
use crate::machine::Machine;
use crate::repmgr::ids::ErrorCode;
use crate::repmgr::message::{AppMessage, AppResponse, ResponseError, Wanted};
use crate::repmgr::segments::Segments;
use alloc::vec::Vec;
use core::time::Duration;

const ALL: [State; 7] =
    [State::Idle, State::Dialling, State::Open, State::Congested, State::Local, State::Draining, State::Closed];

const ONE: LinkId = LinkId(1);
const TWO: LinkId = LinkId(2);

fn site(host: &str) -> SiteAddress {
    SiteAddress::new(host, 5000).unwrap()
}

fn remote(host: &str) -> Option<Master> {
    Some(Master::Remote(site(host)))
}

/// What the message or request of a number consists of.
fn text(id: u32) -> Segments {
    Segments::one(id.to_be_bytes().to_vec())
}

fn on(link: LinkId) -> Via {
    Via::Link(link)
}

fn dial(link: LinkId, host: &str) -> Output {
    Output::Dial { link, address: site(host) }
}

/// A message on its way, and what is said of it.
fn sent(via: Via, id: u32) -> [Output; 2] {
    [Output::Send { via, message: AppMessage::new(text(id)) }, Output::Event(Event::Sent(MessageId(id)))]
}

/// A request on its way.
fn asked(via: Via, tag: u32, id: u32) -> Output {
    Output::Send { via, message: AppMessage::request(text(id), Wanted { tag, bulk: false, limit: None }) }
}

fn completed(id: u32, result: Result<Response, Failure>) -> Output {
    Output::Event(Event::Completed { id: RequestId(id), result })
}

fn single(body: &'static str) -> Response {
    Response::Single(Payload(body.into()))
}

fn dropped(id: u32, reason: DropReason) -> Output {
    Output::Event(Event::Dropped { id: MessageId(id), reason })
}

fn lost(link: LinkId, messages: u32) -> Output {
    Output::Event(Event::LinkLost { link, messages })
}

fn over(messages: u32, requests: u32) -> Output {
    Output::Event(Event::Closed { messages, requests })
}

const NOT_SENT: Failure = Failure::Unavailable { sent: false };
const UNANSWERED: Failure = Failure::Unavailable { sent: true };

/// A channel and what it wants.
struct Bench {
    channel: Channel,
    now: Instant,
}

impl Bench {
    fn new(config: Config, to: To) -> Self {
        Self { channel: Channel::new(config, to), now: Instant::ZERO }
    }

    /// A channel to the site "a".
    fn to_site() -> Self {
        Self::new(Config::default(), To::Site(site("a")))
    }

    /// A channel to the master, which is the site "a".
    fn to_master() -> Self {
        let mut bench = Self::new(Config::default(), To::Master);
        bench.fine(Input::Master(remote("a")));
        bench
    }

    /// A channel to the master in a state, drained. What is ready is the link 1.
    fn at(state: State) -> Self {
        let mut bench = Self::to_master();
        let inputs: &[Input] = match state {
            State::Idle => &[],
            State::Dialling => &[Input::Connect],
            State::Open => &[Input::Connect, Input::Ready(ONE)],
            State::Congested => &[Input::Connect, Input::Ready(ONE), Input::Congested(ONE)],
            State::Local => &[Input::Master(Some(Master::Local))],
            State::Draining => {
                bench.at_rest_with_a_request();
                &[Input::Close]
            }
            State::Closed => &[Input::CloseNow],
        };
        inputs.iter().for_each(|input| bench.fine(input.clone()));
        bench.outputs();
        assert_eq!(bench.channel.state(), state);
        bench
    }

    /// The link 1 is ready, and the request 99 has the tag 0 there.
    fn at_rest_with_a_request(&mut self) {
        self.fine(Input::Connect);
        self.fine(Input::Ready(ONE));
        self.request(99).unwrap();
        self.outputs();
    }

    fn give(&mut self, input: Input) -> Result<(), Error> {
        let before = self.channel.clone();
        let result = self.channel.handle(self.now, input);
        if matches!(result, Err(Error::Misuse(_))) {
            assert!(before == self.channel, "a misuse changes nothing");
        }
        result
    }

    fn fine(&mut self, input: Input) {
        self.give(input).unwrap();
    }

    fn send(&mut self, id: u32) -> Result<(), Error> {
        self.give(Input::Send { id: MessageId(id), segments: text(id) })
    }

    fn request(&mut self, id: u32) -> Result<(), Error> {
        self.request_with(id, RequestOptions::default())
    }

    fn request_with(&mut self, id: u32, options: RequestOptions) -> Result<(), Error> {
        self.give(Input::Request { id: RequestId(id), segments: text(id), options })
    }

    fn answer(&mut self, via: Via, tag: u32, body: &'static str) -> Result<(), Error> {
        self.give(Input::Received { via, answer: Answer::Response(AppResponse::single(tag, body)) })
    }

    fn error(&mut self, via: Via, tag: u32, code: ErrorCode) -> Result<(), Error> {
        self.give(Input::Received { via, answer: Answer::Error(ResponseError { tag, code }) })
    }

    fn after(&mut self, millis: u64) {
        self.now = self.now.saturating_add(Duration::from_millis(millis));
    }

    /// The deadline comes.
    fn due(&mut self) {
        self.now = self.channel.poll_timeout().expect("there is a deadline");
        self.fine(Input::Timeout);
    }

    fn outputs(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.channel.poll_output()).collect()
    }

    #[track_caller]
    fn wants<const N: usize>(&mut self, expected: [Output; N]) {
        assert_eq!(self.outputs(), expected);
    }
}

fn is_misuse(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Misuse(_)))
}

/// The bound that was reached.
#[track_caller]
fn bound(result: Result<(), Error>) -> &'static str {
    let Err(Error::Misuse(Misuse::Limit(limit))) = result else { panic!("{result:?}") };
    assert!(limit.got > limit.limit, "{limit}");
    limit.what
}
