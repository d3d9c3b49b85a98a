//! Native frames: the link's own messages, and those of the protocols that are known here. Frames of others are shown
//! as they are.

mod fields;
mod group;

use crate::decode::Direction;
use crate::input::{Conversation, Stream};
use crate::record::{Head, Record};
use bytes::BytesMut;
use handover::deferral::message::Message as Deferral;
use handover::error::{DecodeError, EncodeError};
use handover::frame::{Close, Frame, FrameStream, Hello, Native, Protocol};
use handover::group::message::Message as Group;
use handover::limits::FrameLimits;
use handover::wire::{Encode, StreamDecode};

/// Whether both directions, as far as there is something in them, begin with a hello.
pub(crate) fn is_plausible(conversation: &Conversation) -> bool {
    let streams = [&conversation.client.bytes, &conversation.server.bytes];
    let is_hello = |bytes: &Vec<u8>| bytes.iter().skip(4).zip(&[1, 0, 1]).all(|(byte, expected)| byte == expected);
    streams.iter().any(|bytes| bytes.len() >= 8) && streams.into_iter().all(is_hello)
}

pub(crate) fn decode(conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
    [&conversation.client, &conversation.server].map(|stream| records(stream, verify))
}

fn records(stream: &Stream, verify: bool) -> Vec<Record> {
    let mut direction = Direction::new(Reader(FrameStream::new(&FrameLimits::DEFAULT)), stream, verify);
    while let Some(Item { frame, content }) = direction.next_item() {
        let (name, fields) = match &content {
            Content::Hello(hello) => ("HELLO", fields::hello(hello)),
            Content::Close(close) => ("CLOSE", fields::close(close)),
            Content::Deferral(message) => {
                let kind = handover::deferral::MessageKind(message.kind());
                (kind.name().unwrap_or("Unknown"), fields::deferral(message))
            }
            Content::Group(message) => {
                let kind = handover::group::MessageKind(message.kind());
                (kind.name().unwrap_or("Unknown"), group::group(message))
            }
            Content::Unknown => ("Unknown", fields::unknown(&frame)),
        };
        let (ty, size) = (Some(u32::from(frame.kind)), Some(frame.body.len() as u64));
        direction.push(Head { name, ty, size, sub: false, fields }, || content.encode(frame));
    }
    direction.finish(None)
}

/// A frame, and what is in it.
struct Item {
    frame: Frame,
    content: Content,
}

enum Content {
    Hello(Hello),
    Close(Close),
    Deferral(Deferral),
    Group(Group),
    Unknown,
}

impl Content {
    fn of(frame: &Frame) -> Result<Self, DecodeError> {
        Ok(match (frame.protocol, frame.kind) {
            (Protocol::LINK, Hello::KIND) => Self::Hello(Hello::from_frame(frame)?),
            (Protocol::LINK, Close::KIND) => Self::Close(Close::from_frame(frame)?),
            (Protocol::DEFERRAL, _) => Self::Deferral(Deferral::from_frame(frame)?),
            (Protocol::GROUP, _) => Self::Group(Group::from_frame(frame)?),
            _ => Self::Unknown,
        })
    }

    /// The same frame, its body written anew. Its flags are the frame's own.
    fn encode(&self, frame: Frame) -> Result<Vec<u8>, EncodeError> {
        let anew = match self {
            Self::Hello(hello) => hello.to_frame()?,
            Self::Close(close) => close.to_frame()?,
            Self::Deferral(message) => message.to_frame()?,
            Self::Group(message) => message.to_frame()?,
            Self::Unknown => frame.clone(),
        };
        Frame { flags: frame.flags, ..anew }.to_vec()
    }
}

struct Reader(FrameStream);

impl StreamDecode for Reader {
    type Item = Item;

    fn needed(&self, src: &[u8]) -> usize {
        self.0.needed(src)
    }

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        let Some(frame) = self.0.decode_next(src)? else { return Ok(None) };
        let content = Content::of(&frame)?;
        Ok(Some(Item { frame, content }))
    }
}
