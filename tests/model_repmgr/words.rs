//! Words to messages and back, stimuli to inputs, outputs to effects.
//!
//! What a message says is tested here, against what the machines really hand out, and reduced to a [`Word`]; a
//! delivered [`Word`] becomes a message again.

use super::adapter::{Effect, Form, Note, Stimulus};
use super::configs::Setup;
use super::ghost::{Outcome, Why};
use super::world::{Body, Code, Kind, Site, Task, Word};
use bytes::Bytes;
use handover::machine::LinkId;
use handover::repmgr::channel::{self, Answer, Failure, Master, MessageId, RequestId, RequestOptions, Response};
use handover::repmgr::connection::{self, Traffic};
use handover::repmgr::dispatcher::{self, Handle};
use handover::repmgr::handshake::{
    Confirmation, Control, Handshake, Parameters, Proposal, SiteParameters, VersionRange,
};
use handover::repmgr::message::{AppMessage, AppResponse, Message, ResponseError, Wanted};
use handover::repmgr::{AckPolicy, ConnectionFlags, ErrorCode, Host, Segments, SiteAddress, Via};

/// What two segments of one byte take: each with its padding, the table's end, and two pairs.
const BLOCK: u32 = 8 + 8 + 4 + 16;

pub(crate) fn address(site: Site) -> SiteAddress {
    SiteAddress::new(&format!("{site:?}"), 5000).expect("an address")
}

fn site(address: &SiteAddress) -> Site {
    Site::ALL.into_iter().find(|site| self::address(*site) == *address).expect("a site of the model")
}

pub(crate) fn small(number: u32) -> u8 {
    u8::try_from(number).expect("small numbers")
}

pub(crate) const fn link(number: u8) -> LinkId {
    LinkId(number as u32)
}

fn number(link: LinkId) -> u8 {
    small(link.0)
}

const fn via(number: u8) -> Via {
    if number == 0 { Via::Local } else { Via::Link(link(number)) }
}

/// `count` segments of one byte.
fn segments(byte: u8, count: usize) -> Segments {
    std::iter::repeat_n(Bytes::copy_from_slice(&[byte]), count).collect()
}

fn only_byte(segments: &Segments) -> u8 {
    let byte = segments.slice(0).expect("a segment")[0];
    assert_eq!(*segments, self::segments(byte, 1), "what the application has sent");
    byte
}

const fn options(kind: Kind) -> (bool, Option<u32>) {
    match kind {
        Kind::Plain => (false, None),
        Kind::Limited => (false, Some(1)),
        Kind::Bulk => (true, Some(BLOCK)),
    }
}

fn kind(bulk: bool, limit: Option<u32>) -> Kind {
    let kinds = [Kind::Plain, Kind::Limited, Kind::Bulk];
    kinds.into_iter().find(|kind| options(*kind) == (bulk, limit)).expect("what an application wants")
}

fn code(code: ErrorCode) -> Code {
    match code {
        ErrorCode::NO_SERVER => Code::NoServer,
        ErrorCode::KEY_EMPTY => Code::KeyEmpty,
        ErrorCode::BUFFER_SMALL => Code::BufferSmall,
        other => unreachable!("no machine says {other:?}"),
    }
}

const fn error_code(code: Code) -> ErrorCode {
    match code {
        Code::Zero => ErrorCode::NONE,
        Code::NoServer => ErrorCode::NO_SERVER,
        Code::KeyEmpty => ErrorCode::KEY_EMPTY,
        Code::BufferSmall => ErrorCode::BUFFER_SMALL,
    }
}

fn bytes(body: Body) -> Bytes {
    match body {
        Body::One(byte) => Bytes::copy_from_slice(&[byte]),
        Body::Two(byte) => Bytes::copy_from_slice(&[byte, byte]),
        Body::Block(byte) => AppResponse::bulk(0, &segments(byte, 2)).expect("two bytes").body,
    }
}

fn body(bytes: &Bytes) -> Body {
    let bodies = [Body::One(bytes[0]), Body::Two(bytes[0]), Body::Block(bytes[0])];
    bodies.into_iter().find(|body| self::bytes(*body) == *bytes).expect("what an application answers")
}

fn app_message(word: Word) -> AppMessage {
    match word {
        Word::Message(number) => AppMessage::new(segments(number, 1)),
        Word::Request { tag, number, kind } => {
            let (bulk, limit) = options(kind);
            AppMessage::request(segments(number, 1), Wanted { tag: tag.into(), bulk, limit })
        }
        other => unreachable!("{other:?} is no message"),
    }
}

fn message_word(message: &AppMessage) -> Word {
    let number = only_byte(&message.segments);
    let word = match message.wanted() {
        None => Word::Message(number),
        Some(Wanted { tag, bulk, limit }) => Word::Request { tag: small(tag), number, kind: kind(bulk, limit) },
    };
    assert_eq!(*message, app_message(word), "nothing else is in it");
    word
}

fn answer(word: Word) -> Answer {
    match word {
        Word::Response { tag, body } => Answer::Response(AppResponse { tag: tag.into(), body: bytes(body) }),
        Word::Error { tag, code } => Answer::Error(ResponseError { tag: tag.into(), code: error_code(code) }),
        other => unreachable!("{other:?} is no answer"),
    }
}

fn traffic(word: Word) -> Traffic {
    match word {
        Word::Message(_) | Word::Request { .. } => Traffic::Message(app_message(word)),
        word => match answer(word) {
            Answer::Response(response) => Traffic::Response(response),
            Answer::Error(error) => Traffic::Error(error),
        },
    }
}

fn traffic_word(traffic: &Traffic) -> Word {
    match traffic {
        Traffic::Message(message) => message_word(message),
        Traffic::Response(response) => Word::Response { tag: small(response.tag), body: body(&response.body) },
        Traffic::Error(error) => Word::Error { tag: small(error.tag), code: code(error.code) },
        other => unreachable!("{other:?}"),
    }
}

/// What an end of a link says before it is ready; all sites say the same of themselves.
fn handshake(word: Word) -> Option<Handshake> {
    let host = Host::new("localhost").expect("no zero in it");
    Some(match word {
        Word::Proposal => Proposal::new(host, 0, 0, VersionRange::CHANNELS).into(),
        Word::Confirmation => {
            let control = Control::v4(AckPolicy::QUORUM, ConnectionFlags::empty());
            Confirmation::new(SiteParameters::new(host, 0, control)).into()
        }
        Word::Parameters => Parameters::channel(host, 0).into(),
        _ => return None,
    })
}

fn message(word: Word) -> Message {
    match handshake(word) {
        Some(handshake) => handshake.into(),
        None if word == Word::Heartbeat => Message::Heartbeat(None),
        None => traffic(word).into(),
    }
}

fn word(message: &Message) -> Word {
    match message {
        Message::Handshake(got) => {
            let words = [Word::Proposal, Word::Confirmation, Word::Parameters];
            words.into_iter().find(|word| handshake(*word).as_ref() == Some(got)).expect("a handshake of the model")
        }
        Message::App(message) => message_word(message),
        Message::Response(response) => traffic_word(&Traffic::Response(response.clone())),
        Message::Error(error) => traffic_word(&Traffic::Error(*error)),
        other => unreachable!("nobody says {other:?}"),
    }
}

pub(crate) fn channel_input(setup: &Setup, site: Site, stimulus: Stimulus) -> channel::Input {
    use channel::Input;
    match stimulus {
        Stimulus::Master(master) => Input::Master(self::master(site, master)),
        Stimulus::Connect => Input::Connect,
        Stimulus::Send { id, number } => Input::Send { id: MessageId(id.into()), segments: segments(number, 1) },
        Stimulus::Request { id, number, kind } => {
            let (bulk, limit) = options(kind);
            let options = RequestOptions { timeout: setup.timeout(number), limit, bulk };
            Input::Request { id: RequestId(id.into()), segments: segments(number, 1), options }
        }
        Stimulus::Ready(number) => Input::Ready(link(number)),
        Stimulus::Answer(number, word) => Input::Received { via: via(number), answer: answer(word) },
        Stimulus::Closed(number) => Input::Closed(link(number)),
        Stimulus::Congested(number) => Input::Congested(link(number)),
        Stimulus::Drained(number) => Input::Drained(link(number)),
        Stimulus::Close => Input::Close,
        Stimulus::CloseNow => Input::CloseNow,
        Stimulus::Timeout => Input::Timeout,
        other => unreachable!("not for a channel: {other:?}"),
    }
}

pub(crate) fn master(own: Site, master: Option<Site>) -> Option<Master> {
    master.map(|site| if site == own { Master::Local } else { Master::Remote(address(site)) })
}

fn outcome(result: &Result<Response, Failure>) -> Outcome {
    match result {
        Ok(Response::Single(payload)) => Outcome::Answer(body(&payload.0)),
        Ok(Response::Bulk(parts)) => {
            let byte = parts.slice(0).expect("a segment")[0];
            assert_eq!(*parts, segments(byte, 2), "what an application answers");
            Outcome::Answer(Body::Block(byte))
        }
        Err(Failure::NoServer) => Outcome::NoServer,
        Err(Failure::NoAnswer) => Outcome::NoAnswer,
        Err(Failure::TooLarge) => Outcome::TooLarge,
        Err(Failure::Malformed) => Outcome::Malformed,
        Err(Failure::Timeout { sent }) => Outcome::Timeout(*sent),
        Err(Failure::Unavailable { sent }) => Outcome::Unavailable(*sent),
        Err(Failure::Closed { sent }) => Outcome::Closed(*sent),
        Err(other) => unreachable!("{other:?}"),
    }
}

pub(crate) fn channel_effect(output: &channel::Output) -> Effect {
    use channel::{DropReason, Event, Output};
    match output {
        Output::Dial { link, address } => Effect::Dial(number(*link), site(address)),
        Output::Send { via: Via::Local, message } => Effect::Send(0, message_word(message)),
        Output::Send { via: Via::Link(link), message } => Effect::Send(number(*link), message_word(message)),
        Output::Close(link) => Effect::Close(number(*link)),
        Output::Event(event) => Effect::Note(match event {
            Event::Sent(id) => Note::Sent(small(id.0)),
            Event::Dropped { id, reason } => {
                let why = match reason {
                    DropReason::TimedOut => Why::TimedOut,
                    DropReason::Unavailable => Why::Unavailable,
                    DropReason::Closed => Why::Closed,
                    other => unreachable!("{other:?}"),
                };
                Note::Dropped(small(id.0), why)
            }
            Event::Completed { id, result } => Note::Completed(small(id.0), outcome(result)),
            Event::LinkLost { link, messages } => Note::LinkLost(number(*link), *messages),
            Event::Ignored => Note::Ignored,
            Event::Closed { messages, requests } => Note::Closed { messages: *messages, requests: *requests },
            other => unreachable!("{other:?}"),
        }),
        other => unreachable!("{other:?}"),
    }
}

/// What an application answers to a task.
fn respond(tasks: &[Task], handle: u8, form: Form) -> Segments {
    let task = tasks.iter().find(|task| task.handle == handle);
    let Some(Task { number, wanted: Some((_, kind)), .. }) = task.copied() else { return Segments::EMPTY };
    match (form, kind) {
        (Form::Fits, Kind::Plain | Kind::Limited) => segments(number, 1),
        (Form::Fits, Kind::Bulk) | (Form::TooMuch, Kind::Plain) => segments(number, 2),
        (Form::TooMuch, Kind::Limited) => Segments::one(bytes(Body::Two(number))),
        (Form::TooMuch, Kind::Bulk) => segments(number, 3),
    }
}

pub(crate) fn dispatcher_input(tasks: &[Task], stimulus: Stimulus) -> dispatcher::Input {
    use dispatcher::Input;
    let known = |handle: u8| Handle(handle.into());
    match stimulus {
        Stimulus::Serve(serve) => Input::Serve(serve),
        Stimulus::Received(number, word) => Input::Received { link: link(number), message: app_message(word) },
        Stimulus::Respond { handle, form } => {
            Input::Answer { handle: known(handle), segments: respond(tasks, handle, form) }
        }
        Stimulus::Reply { handle, number } => Input::Reply { handle: known(handle), segments: segments(number, 1) },
        Stimulus::Finish(handle) => Input::Finish(known(handle)),
        Stimulus::Closed(number) => Input::Closed(link(number)),
        Stimulus::Congested(number) => Input::Congested(link(number)),
        Stimulus::Drained(number) => Input::Drained(link(number)),
        other => unreachable!("not for a dispatcher: {other:?}"),
    }
}

pub(crate) fn dispatcher_effect(output: &dispatcher::Output) -> Effect {
    use dispatcher::{Event, Output};
    match output {
        Output::Send { link, traffic } => Effect::Send(number(*link), traffic_word(traffic)),
        Output::Pause(link) => Effect::Pause(number(*link)),
        Output::Resume(link) => Effect::Resume(number(*link)),
        Output::Event(event) => Effect::Note(match event {
            Event::Message { handle, link, segments } => {
                Note::Message { handle: small(handle.0), link: number(*link), number: only_byte(segments) }
            }
            Event::Request { handle, link, segments, bulk, limit } => Note::Request {
                handle: small(handle.0),
                link: number(*link),
                number: only_byte(segments),
                kind: kind(*bulk, *limit),
            },
            Event::Lost(handle) => Note::Lost(small(handle.0)),
            Event::TooLarge { handle, .. } => Note::TooLarge(small(handle.0)),
            Event::Unserved(link) => Note::Unserved(number(*link)),
            other => unreachable!("{other:?}"),
        }),
        other => unreachable!("{other:?}"),
    }
}

pub(crate) fn connection_input(stimulus: Stimulus) -> connection::Input {
    use connection::Input;
    match stimulus {
        Stimulus::Opened => Input::Opened,
        Stimulus::Word(word) => Input::Message(message(word)),
        Stimulus::Write(word) => Input::Send(traffic(word)),
        Stimulus::Malformed => Input::Malformed,
        Stimulus::Closed(_) => Input::Closed,
        Stimulus::Disconnect => Input::Disconnect,
        Stimulus::Timeout => Input::Timeout,
        other => unreachable!("not for an end of a link: {other:?}"),
    }
}

pub(crate) fn connection_effect(id: u8, output: &connection::Output) -> Effect {
    use connection::{Event, Output};
    match output {
        Output::Send(message) => Effect::Send(id, word(message)),
        Output::Close => Effect::Close(id),
        Output::Event(event) => Effect::Note(match event {
            Event::Ready(_) => Note::Ready,
            Event::Received(traffic) => Note::Received(traffic_word(traffic)),
            Event::Closed(reason) => Note::Over(*reason),
            Event::Ignored(_) => Note::Skipped,
            other => unreachable!("{other:?}"),
        }),
        other => unreachable!("{other:?}"),
    }
}
