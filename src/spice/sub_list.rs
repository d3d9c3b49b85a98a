//! Sub-message lists: several messages in one body (spec/spice.md 3.4).

use super::ids::ChannelType;
use super::message::{Body, Message, ServerMessage};
use crate::error::{DecodeError, EncodeError, Limit, to_u64};
use crate::wire::{Encode, Payload, Writer, fixed, parse};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

const MESSAGE: &str = "SubList";

/// A body that consists of messages. Type 8, server to client: u16 count, count × u32 offset from the start
/// of the body; at each offset u16 type, u32 size and the sub-message's body.
///
/// The same list may stand at the end of any body whose full header has a `sub_list` offset. Either way the
/// sub-messages come before the message that carries them. A list inside a list is refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SubList<B = Bytes> {
    body: B,
}

impl<B> SubList<B> {
    /// The same message with its payload held in another way.
    #[must_use]
    pub fn map<C>(self, convert: &mut impl FnMut(B) -> C) -> SubList<C> {
        SubList { body: convert(self.body) }
    }
}

impl SubList {
    /// A list of `messages`.
    ///
    /// # Errors
    /// There are more than `u16` can count, one cannot be encoded or is a list itself, or the whole is too
    /// long for u32 offsets.
    pub fn new(messages: &[ServerMessage]) -> Result<Self, EncodeError> {
        let count = u16::try_from(messages.len()).map_err(|_| EncodeError::TooLong {
            message: MESSAGE,
            field: "count",
            max: u64::from(u16::MAX),
            got: to_u64(messages.len()),
        })?;
        let mut offsets = Vec::with_capacity(messages.len());
        let mut bodies = BytesMut::new();
        let table = messages.len().saturating_mul(4).saturating_add(2);
        for message in messages {
            if matches!(message, ServerMessage::List(_)) {
                return Err(EncodeError::Invalid {
                    message: MESSAGE,
                    field: "type",
                    reason: "a list must not hold a list",
                });
            }
            let offset = bodies.len().saturating_add(table);
            crate::wire::fits_u32(MESSAGE, "offset", offset.saturating_add(message.encoded_len()))?;
            offsets.push(crate::wire::length_u32(offset));
            bodies.put_u16_le(message.wire_type());
            bodies.put_u32_le(crate::wire::length_u32(message.encoded_len()));
            message.encode_to(&mut bodies)?;
        }
        let mut body = BytesMut::with_capacity(table.saturating_add(bodies.len()));
        body.put_u16_le(count);
        offsets.into_iter().for_each(|offset| body.put_u32_le(offset));
        body.put_slice(&bodies);
        Ok(Self { body: body.freeze() })
    }

    /// The sub-messages, each with what its body holds beyond its layout.
    ///
    /// # Errors
    /// See [`sub_messages`].
    pub fn messages(&self, channel: ChannelType, limit: u16) -> Result<Vec<(ServerMessage, Bytes)>, DecodeError> {
        sub_messages(channel, &self.body, 0, limit)
    }
}

/// Reads the list that stands at `offset` in `body`; at most `limit` sub-messages.
///
/// # Errors
/// An offset or size does not lie within the body, a sub-message overlaps the list's table, is malformed or is
/// a list itself, or there are too many.
pub fn sub_messages<M: Message>(
    channel: ChannelType,
    body: &Bytes,
    offset: u32,
    limit: u16,
) -> Result<Vec<(M, Bytes)>, DecodeError> {
    let outside = |field, at: u64| DecodeError::invalid(MESSAGE, field, "must lie within the body", at);
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let list = body.get(start..).ok_or_else(|| outside("sub_list", u64::from(offset)))?;
    let (mut offsets, (count,)) = fixed!(MESSAGE, list, { count: u16 });
    if count > limit {
        let limit = Limit { what: "sub_messages", limit: u64::from(limit), got: u64::from(count) };
        return Err(DecodeError::limit(MESSAGE, "count", limit.what, limit.limit, limit.got));
    }
    let table_end = start.saturating_add(usize::from(count).saturating_mul(4)).saturating_add(2);
    let mut messages = Vec::new();
    for _ in 0..count {
        let (rest, (at,)) = fixed!(MESSAGE, offsets, { offset: u32 });
        offsets = rest;
        let at_wide = u64::from(at);
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let sub = body.get(at..).ok_or_else(|| outside("offset", at_wide))?;
        let (sub, (ty, size)) = fixed!(MESSAGE, sub, { ty: u16, size: u32 });
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let (_, part) = parse::slice(size)(sub).map_err(|_| outside("size", to_u64(size)))?;
        let end = at.saturating_add(6).saturating_add(part.len());
        if at < table_end && end > start {
            return Err(DecodeError::invalid(MESSAGE, "offset", "a sub-message must not overlap its list", at_wide));
        }
        if M::LISTS && ty == LIST {
            return Err(DecodeError::invalid(MESSAGE, "type", "a list must not hold a list", u64::from(ty)));
        }
        messages.push(M::from_body(channel, ty, &crate::wire::share(body, part))?);
    }
    Ok(messages)
}

const LIST: u16 = 8;

impl<'a> Body<'a> for SubList<&'a [u8]> {
    fn parse(body: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let (_, (_count,)) = fixed!(MESSAGE, body, { count: u16 });
        Ok((Self { body }, &[]))
    }
}

impl<B: Payload> Encode for SubList<B> {
    fn encoded_len(&self) -> usize {
        self.body.as_ref().len()
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.put(self.body.as_ref());
    }
}
