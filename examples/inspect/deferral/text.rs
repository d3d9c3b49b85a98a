//! The historical text protocol: a request with its head, an answer with its head and its directives, and in between
//! what the file agent is asked and answers.

mod fields;
mod head;

use crate::decode::Direction;
use crate::input::{Conversation, Stream};
use crate::record::{Fault, Fields, Head, Record};
use bytes::{Buf, Bytes, BytesMut};
use handover::deferral::text::{
    AgentReplies, AgentReply, AgentRequest, AgentRequests, AnswerStream, Argument, Call, Directive, Doubt, Ending,
    Item, Line,
};
use handover::error::{DecodeError, EncodeError};
use handover::wire::{Encode, StreamDecode};
use head::{RequestHead, ResponseHead};

/// The largest head.
const HEAD: usize = 1 << 20;

/// Whether a conversation that the user did not choose can be this protocol's.
pub(super) fn is_plausible(conversation: &Conversation) -> bool {
    let request = head::request(&conversation.client.bytes).is_some_and(|head| head.call.is_ok());
    request || head::response(&conversation.server.bytes).is_some_and(|head| head.is_answer)
}

pub(super) fn decode(conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
    let Conversation { client, server, .. } = conversation;
    let (down, agent) = answer(server, verify);
    [asked(client, agent, verify), down]
}

/// A record without a number: the protocol has none.
fn named(name: &'static str, fields: Fields) -> Head {
    Head { name, ty: None, size: None, sub: false, fields }
}

/// What a client sends.
enum Asked {
    Head(Box<RequestHead>),
    Reply(AgentReply),
    /// What stands behind the request, and is nobody's.
    Rest(Bytes),
}

struct Asks {
    head: bool,
    /// Whether the answer hands the connection to the file agent.
    agent: bool,
    replies: AgentReplies,
}

impl StreamDecode for Asks {
    type Item = Asked;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Asked>, DecodeError> {
        if !self.head {
            let Some(head) = head::request(src) else { return too_long("Request", src) };
            src.advance(head.length);
            self.head = true;
            return Ok(Some(Asked::Head(Box::new(head))));
        }
        if self.agent {
            return Ok(self.replies.decode_next(src)?.map(Asked::Reply));
        }
        Ok((!src.is_empty()).then(|| Asked::Rest(src.split().freeze())))
    }
}

/// A head that has no end may come yet, or never.
fn too_long<T>(message: &'static str, src: &[u8]) -> Result<Option<T>, DecodeError> {
    if src.len() > HEAD {
        return Err(DecodeError::limit(message, "head", "head", HEAD as u64, src.len() as u64));
    }
    Ok(None)
}

fn asked(stream: &Stream, agent: bool, verify: bool) -> Vec<Record> {
    let asks = Asks { head: false, agent, replies: AgentReplies::default() };
    let mut direction = Direction::new(asks, stream, verify);
    while let Some(item) = direction.next_item() {
        match item {
            Asked::Head(head) => request(&mut direction, &head),
            Asked::Reply(reply) => {
                direction.push(named("AgentReply", fields::reply(&reply)), || reply.to_vec());
            }
            Asked::Rest(bytes) => {
                direction
                    .push(named("Rest", Fields::default().with_opaque("size", "bytes", &bytes)), || Ok(bytes.to_vec()));
                direction.complain(invalid("Request", "end", "nothing may stand behind a request"));
            }
        }
    }
    direction.finish(None)
}

fn request(direction: &mut Direction<'_, Asks>, head: &RequestHead) {
    let RequestHead { method, base, call, headers, .. } = head;
    match call {
        Ok(call) => {
            let fields = fields::call(base, call).with("headers", headers.clone());
            let encode = || {
                let target = call.target(base)?;
                Ok(head.with_target(&target))
            };
            direction.push(named(method, fields), encode);
        }
        Err(reason) => {
            let fields = Fields::default().with("headers", headers.clone());
            direction.push_at(direction.place(), named(method, fields));
            direction.complain(invalid("Call", "target", reason));
        }
    }
}

fn invalid(message: &'static str, field: &'static str, reason: &str) -> Fault {
    Fault { kind: "invalid", message, field, reason: reason.to_owned() }
}

/// What a server sends.
enum Answered {
    Head(ResponseHead),
    Item(Item, Line),
    Request(AgentRequest),
    Rest(Bytes),
}

struct Answers {
    head: bool,
    /// `None`: the answer does not count.
    answer: Option<AnswerStream>,
    requests: AgentRequests,
    over: bool,
    /// Whether the file agent has had the connection.
    agent: bool,
}

impl StreamDecode for Answers {
    type Item = Answered;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Answered>, DecodeError> {
        if !self.head {
            let Some(head) = head::response(src) else { return too_long("Response", src) };
            src.advance(head.length);
            self.head = true;
            self.answer = head.is_answer.then(AnswerStream::default);
            return Ok(Some(Answered::Head(head)));
        }
        let Some(answer) = self.answer.as_mut().filter(|_| !self.over) else {
            return Ok((!src.is_empty()).then(|| Answered::Rest(src.split().freeze())));
        };
        if answer.is_handed_over() {
            self.agent = true;
            let request = self.requests.decode_next(src)?;
            if request.as_ref().is_some_and(|request| request.name == AgentRequest::QUIT) {
                answer.resume();
            }
            return Ok(request.map(Answered::Request));
        }
        let item = answer.decode_next(src)?;
        self.over = matches!(item, Some(Item::End(_)));
        Ok(item.map(|item| Answered::Item(item, answer.line().clone())))
    }
}

/// An answer; and whether the file agent has had the connection.
fn answer(stream: &Stream, verify: bool) -> (Vec<Record>, bool) {
    let answers = Answers { head: false, answer: None, requests: AgentRequests::default(), over: false, agent: false };
    let mut direction = Direction::new(answers, stream, verify);
    let mut end = 0;
    while let Some(item) = direction.next_item() {
        match item {
            Answered::Head(head) => response(&mut direction, head),
            Answered::Item(item, line) => directive(&mut direction, item, line, &mut end),
            Answered::Request(request) => {
                direction.push(named("AgentRequest", fields::request(&request)), || request.to_vec());
            }
            Answered::Rest(bytes) => {
                // The original has gone by now.
                let fields = Fields::default().with_opaque("size", "bytes", &bytes);
                direction.push(named("Rest", fields), || Ok(bytes.to_vec()));
            }
        }
        end = direction.place().end;
    }
    let agent = direction.decoder.agent;
    let counts = direction.decoder.answer.as_ref().filter(|answer| !direction.decoder.over && !answer.is_handed_over());
    // Cut inside a line there is no end to tell.
    if counts.is_some() && end == stream.bytes.len() && stream.hole.is_none() {
        direction.push_at(end..end, named("End", fields::ending(Ending::Unknown(Doubt::EndOfStream))));
    }
    (direction.finish(None), agent)
}

fn response(direction: &mut Direction<'_, Answers>, head: ResponseHead) {
    let fields = Fields::default()
        .with("status_line", head.status_line.clone())
        .with("content_type", head.content_type.clone())
        .with("headers", head.headers.clone());
    let is_answer = head.is_answer;
    direction.push(named("Response", fields), || Ok(head.bytes.to_vec()));
    if !is_answer {
        direction.complain(invalid(
            "Response",
            "Content-Type",
            "not cli/response: the original counts the server as dead",
        ));
    }
}

fn directive(direction: &mut Direction<'_, Answers>, item: Item, line: Line, end: &mut usize) {
    let encode = || -> Result<Vec<u8>, EncodeError> { line.to_vec() };
    match item {
        Item::Directive(directive) => {
            direction.push(named(name(&directive), fields::directive(&directive)), encode);
            if matches!(line.argument, Argument::Quoted { after, .. } if after != b'\n') {
                direction.complain(invalid("Line", "after", "a newline is expected behind the quotation mark"));
            }
        }
        Item::Skipped(reason) => {
            direction.push(named("Skipped", fields::line(&line)), encode);
            direction.complain(invalid("Directive", "argument", reason));
        }
        Item::End(ending) => {
            let reason = match ending {
                Ending::Unknown(Doubt::BlankLine) => Some("a blank line ends the answer"),
                Ending::Unknown(Doubt::UnknownRedirect) => Some("a kind of redirection that is not known"),
                Ending::Unknown(Doubt::NoStatus) => Some("RETURN without a number"),
                Ending::Unknown(Doubt::NoLevel) => Some("TRACE without a number"),
                _ => None,
            };
            // A line that is no directive, and ends it. A blank one is not taken.
            let mut at = direction.place().end;
            if at > *end {
                at = direction.place().start;
                direction.push(named("Skipped", fields::line(&line)), encode);
            }
            let end = direction.place().end;
            direction.push_at(end..end, named("End", fields::ending(ending)));
            if let Some(reason) = reason {
                direction.complain_at(at, invalid("Answer", "end", reason));
            }
        }
    }
}

fn name(directive: &Directive) -> &'static str {
    match directive {
        Directive::Display(_) => "DISPLAY",
        Directive::Return(_) => "RETURN",
        Directive::Trace(_) => "TRACE",
        Directive::StartFileAgent => "STARTFSA",
        Directive::ChangeDirectory(_) => "CD",
        Directive::Redirect(_) => "REDIRECT",
        _ => "Unknown",
    }
}

/// Why a target is no call.
fn reason(target: &[u8]) -> Result<Call, String> {
    Call::parse(target).map_err(|error| error.to_string())
}
