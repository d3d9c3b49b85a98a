//! The Replication Manager: the messages of both directions. Which of the two opened the connection shows in what they
//! begin with; the listener says which version it is; and only a request says what its answer looks like.

mod begin;
mod fields;
mod said;

use crate::decode::{Direction, Protocol};
use crate::input::{Conversation, Stream};
use crate::record::{Fault, Head, Record};
use begin::Begin;
use bytes::BytesMut;
use handover::error::{DecodeError, EncodeError};
use handover::limits::RepmgrLimits;
use handover::repmgr::handshake::VersionRange;
use handover::repmgr::message::{Message, ResponseError};
use handover::repmgr::stream::{MessageStream, Side};
use handover::repmgr::{Header, MessageType, Version};
use handover::wire::{Encode, StreamDecode};
use said::{Answer, Said};

const LIMITS: RepmgrLimits = RepmgrLimits::DEFAULT;

/// The protocol.
pub(crate) struct Repmgr;

impl Protocol for Repmgr {
    fn recognises(&self, conversation: &Conversation) -> bool {
        let Conversation { client, server, .. } = conversation;
        let first = if client.bytes.is_empty() { server } else { client };
        begin::is_plausible(&first.bytes)
    }

    fn decode(&self, conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
        let Conversation { client, server, .. } = conversation;
        let (up, down) = (Begin::of(&client.bytes), Begin::of(&server.bytes));
        let (up, down) = (Reader::new(up, down, true), Reader::new(down, up, false));
        let (asked, answered) = (Said::by(&up, &client.bytes), Said::by(&down, &server.bytes));
        [
            records(up, client, asked.answers_to(&answered), verify),
            records(down, server, answered.answers_to(&asked), verify),
        ]
    }
}

/// Decodes one direction. `answers`: what those in it look like.
fn records(reader: Reader, stream: &Stream, answers: Vec<Answer>, verify: bool) -> Vec<Record> {
    let mut direction = Direction::new(reader, stream, verify);
    let mut answers = answers.into_iter();
    while let Some(message) = direction.next_item() {
        let (block, fault) = match (&message, is_answer(&message).then(|| answers.next()).flatten()) {
            (Message::Response(response), Some(answer @ (Answer::Block | Answer::Either))) => match response.segments()
            {
                Ok(block) => (Some(block), None),
                Err(error) => (None, (answer == Answer::Block).then(|| Fault::from(&error))),
            },
            _ => (None, None),
        };
        let head = Head {
            name: message.name(),
            ty: Some(message.ty().0.into()),
            size: Header::parse(direction.frame()).map(|header| header.body_len()),
            sub: false,
            fields: fields::message(&message, block.as_ref()),
        };
        direction.push(head, || encode(&message));
        if let Some(fault) = fault {
            direction.complain(fault);
        }
    }
    direction.finish(None)
}

fn is_answer(message: &Message) -> bool {
    matches!(message, Message::Response(_) | Message::Error(_))
}

/// A message as it stands on the wire.
fn encode(message: &Message) -> Result<Vec<u8>, EncodeError> {
    match *message {
        // One of number 0 may be looked at, although it must not be sent.
        Message::Error(ResponseError { tag, code }) => {
            Header { ty: MessageType::RESPONSE_ERROR, word1: code.0, word2: tag }.to_vec()
        }
        _ => message.to_vec(),
    }
}

/// What decodes one direction, from where it begins.
#[derive(Clone)]
struct Reader(MessageStream);

impl Reader {
    /// For a direction that begins so, while the other one begins with `other`. `first`: whether it is the one that
    /// the input says opened the connection.
    fn new(begin: Begin, other: Begin, first: bool) -> Self {
        let dials = match (begin, other) {
            (Begin::Proposal(_), _) | (_, Begin::Confirmation(_)) => true,
            (_, Begin::Proposal(_)) | (Begin::Confirmation(_), _) => false,
            _ => first,
        };
        Self(match begin {
            Begin::Inside => MessageStream::established(Version::V4, &LIMITS),
            _ if dials => MessageStream::new(Side::Dialler, versions(begin, other), &LIMITS),
            _ => MessageStream::new(Side::Listener, VersionRange::ALL, &LIMITS),
        })
    }
}

/// What the listener can speak: of what is known, the version that it confirmed.
fn versions(begin: Begin, other: Begin) -> VersionRange {
    match (begin, other) {
        (Begin::Proposal(proposed), Begin::Confirmation(version)) => {
            let confirmed = VersionRange { min: version, max: version };
            if confirmed.select(proposed).is_some() { confirmed } else { VersionRange::ALL }
        }
        _ => VersionRange::ALL,
    }
}

impl StreamDecode for Reader {
    type Item = Message;

    fn needed(&self, src: &[u8]) -> usize {
        self.0.needed(src)
    }

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Message>, DecodeError> {
        let message = self.0.decode_next(src)?;
        // Sites take messages of later versions on connections of earlier ones; so does who looks on.
        if self.0.is_established() && self.0.version() != Some(Version::V4) {
            self.0 = MessageStream::established(Version::V4, &LIMITS);
        }
        Ok(message)
    }
}
