//! What stands on one direction of a link, and how to take it apart (spec/spice.md 2 and 3).
//!
//! The two decoders are passive: they need what the other direction settles (a client's capabilities decide
//! how its server's messages are framed, and the other way round), and whoever sees both tells them. The
//! [connections](super::connection) do so for a live link, an analyser does so for a capture.

use super::header::{DataHeader, HeaderKind, Packet};
use super::ids::{ChannelType, CommonCaps, LinkError, Mechanism};
use super::link::{AuthMechanism, LinkHeader, LinkMess, LinkReply, LinkResult, MAGIC, Ticket};
use super::message::{Body, ClientMessage, Receive, ServerMessage};
use super::sub_list::sub_messages;
use crate::error::DecodeError;
use crate::limits::SpiceLimits;
use crate::wire::StreamDecode;
use alloc::collections::VecDeque;
use bytes::{Buf, Bytes, BytesMut};

/// What a client sends on a link, in the order in which it may come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientItem {
    /// The link message, with its header.
    Link(LinkMess),
    /// The choice of mechanism, if both sides select.
    Mechanism(AuthMechanism),
    /// The encrypted ticket.
    Ticket(Ticket),
    /// A message that stood in the sub-message list of the message that comes next.
    SubMessage(Packet<ClientMessage>),
    /// A message.
    Message(Packet<ClientMessage>),
}

/// What a server sends on a link, in the order in which it may come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerItem {
    /// The link reply, with its header. With an error also in the place of the link result.
    Reply(LinkReply),
    /// The link result.
    Result(LinkResult),
    /// A message that stood in the sub-message list of the message that comes next.
    SubMessage(Packet<ServerMessage>),
    /// A message.
    Message(Packet<ServerMessage>),
}

/// Both sides' common capabilities, as far as they are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Negotiation {
    pub(crate) client: Option<CommonCaps>,
    pub(crate) server: Option<CommonCaps>,
}

impl Negotiation {
    /// What both sides have; `None` until both are known.
    fn both(self) -> Option<CommonCaps> {
        Some(self.client?.intersection(self.server?))
    }

    /// Whether the client names its mechanism.
    pub(crate) fn selects_mechanism(self) -> Option<bool> {
        self.both().map(|caps| caps.contains(CommonCaps::AUTH_SELECTION))
    }

    /// The data header in use.
    pub(crate) fn header(self) -> Option<HeaderKind> {
        let mini = self.both()?.contains(CommonCaps::MINI_HEADER);
        Some(if mini { HeaderKind::Mini } else { HeaderKind::Full })
    }
}

/// The data stage of one direction.
#[derive(Clone, Debug)]
struct DataStage<M> {
    received: u64,
    /// Sub-messages and their message, in the order in which they are to be seen. Filled only by lists.
    pending: VecDeque<(bool, Packet<M>)>,
}

impl<M: Receive> DataStage<M> {
    const fn new() -> Self {
        Self { received: 0, pending: VecDeque::new() }
    }

    /// How many bytes [`next`](Self::next) needs at least.
    #[inline]
    fn needed(&self, src: &[u8], kind: HeaderKind, limits: &SpiceLimits) -> usize {
        if !self.pending.is_empty() {
            return 0;
        }
        match kind.parse(src) {
            Some(header) if header.size > M::body_limit(header.ty, limits).1 => 0,
            Some(header) => usize::try_from(header.size).unwrap_or(usize::MAX).saturating_add(kind.size()),
            None => kind.size(),
        }
    }

    /// The next packet as an item; `item` is told whether it is a sub-message.
    #[inline]
    fn next<I>(
        &mut self,
        src: &mut BytesMut,
        kind: HeaderKind,
        channel: ChannelType,
        limits: &SpiceLimits,
        item: impl FnOnce(bool, Packet<M>) -> I,
    ) -> Result<Option<I>, DecodeError> {
        if let Some((sub, packet)) = self.pending.pop_front() {
            return Ok(Some(item(sub, packet)));
        }
        let Some(header) = kind.parse(src) else { return Ok(None) };
        let (what, limit) = M::body_limit(header.ty, limits);
        if header.size > limit {
            return Err(DecodeError::limit("DataHeader", "size", what, u64::from(limit), u64::from(header.size)));
        }
        let size = usize::try_from(header.size).unwrap_or(usize::MAX);
        if src.len().saturating_sub(kind.size()) < size {
            return Ok(None);
        }
        let mut body = src.split_to(size.saturating_add(kind.size())).freeze();
        body.advance(kind.size());
        self.received = self.received.saturating_add(1);
        let serial = Some(header.serial.unwrap_or(self.received));
        if header.sub_list != 0 || (header.ty == LIST && M::LISTS) {
            self.list(header, serial, &body, channel, limits)?;
            return Ok(self.pending.pop_front().map(|(sub, packet)| item(sub, packet)));
        }
        M::receive(channel, header.ty, &body, |message, extra| {
            Some(item(false, Packet { message, serial, sub_list: 0, extra }))
        })
    }

    /// Takes a list of sub-messages apart, and the message that carries it.
    #[cold]
    fn list(
        &mut self,
        header: DataHeader,
        serial: Option<u64>,
        body: &Bytes,
        channel: ChannelType,
        limits: &SpiceLimits,
    ) -> Result<(), DecodeError> {
        let (message, extra) = M::from_body(channel, header.ty, body)?;
        for (message, extra) in sub_messages(channel, body, header.sub_list, limits.sub_messages)? {
            self.pending.push_back((true, Packet { message, serial, sub_list: 0, extra }));
        }
        self.pending.push_back((false, Packet { message, serial, sub_list: header.sub_list, extra }));
        Ok(())
    }
}

const LIST: u16 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientStage {
    Link,
    Mechanism,
    Ticket,
    Data,
    Sasl,
}

/// Takes apart what a client sends.
#[derive(Clone, Debug)]
pub struct ClientStream {
    limits: SpiceLimits,
    negotiation: Negotiation,
    channel: ChannelType,
    stage: ClientStage,
    data: DataStage<ClientMessage>,
}

impl ClientStream {
    /// A stream from its first byte.
    #[must_use]
    pub fn new(limits: SpiceLimits) -> Self {
        Self {
            limits,
            negotiation: Negotiation::default(),
            channel: ChannelType::MAIN,
            stage: ClientStage::Link,
            data: DataStage::new(),
        }
    }

    /// Tells what the server answered. Until it has accepted, nothing beyond the link message can be read.
    pub fn set_reply(&mut self, reply: &LinkReply) {
        if reply.error() == LinkError::OK {
            self.negotiation.server = Some(reply.common_caps().common());
        }
    }

    /// The data header in use, once both sides have spoken.
    #[must_use]
    pub fn header(&self) -> Option<HeaderKind> {
        self.negotiation.header()
    }
}

impl StreamDecode for ClientStream {
    type Item = ClientItem;

    #[inline]
    fn needed(&self, src: &[u8]) -> usize {
        match (self.stage, self.negotiation.header()) {
            (ClientStage::Data, Some(kind)) => self.data.needed(src, kind, &self.limits),
            _ => 0,
        }
    }

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<ClientItem>, DecodeError> {
        loop {
            match self.stage {
                ClientStage::Link => {
                    let sizes = LinkMess::sizes(&self.limits);
                    let Some((minor, body)) = link_body(src, sizes)? else { return Ok(None) };
                    let mess = LinkMess::parse(minor, &body, &self.limits)?;
                    self.channel = mess.channel().ty;
                    self.negotiation.client = Some(mess.common_caps().common());
                    self.stage = ClientStage::Mechanism;
                    return Ok(Some(ClientItem::Link(mess)));
                }
                ClientStage::Mechanism => match self.negotiation.selects_mechanism() {
                    None => return Ok(None),
                    Some(false) => self.stage = ClientStage::Ticket,
                    Some(true) => {
                        let Some(mechanism) = take_fixed::<AuthMechanism>(src, 4)? else { return Ok(None) };
                        let sasl = mechanism.mechanism == Mechanism::SASL.0;
                        self.stage = if sasl { ClientStage::Sasl } else { ClientStage::Ticket };
                        return Ok(Some(ClientItem::Mechanism(mechanism)));
                    }
                },
                ClientStage::Ticket => {
                    let Some(ticket) = src.first_chunk::<{ Ticket::SIZE }>().copied() else { return Ok(None) };
                    src.advance(Ticket::SIZE);
                    self.stage = ClientStage::Data;
                    return Ok(Some(ClientItem::Ticket(Ticket(ticket))));
                }
                ClientStage::Data => {
                    let Some(kind) = self.negotiation.header() else { return Ok(None) };
                    return self.data.next(src, kind, self.channel, &self.limits, |sub, packet| {
                        if sub { ClientItem::SubMessage(packet) } else { ClientItem::Message(packet) }
                    });
                }
                ClientStage::Sasl if src.is_empty() => return Ok(None),
                ClientStage::Sasl => {
                    let reason = "the SASL exchange is not part of this codec";
                    return Err(DecodeError::unsupported(
                        "AuthMechanism",
                        "mechanism",
                        reason,
                        u64::from(Mechanism::SASL.0),
                    ));
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerStage {
    Reply,
    Result,
    Data,
    Refused,
}

/// Takes apart what a server sends.
#[derive(Clone, Debug)]
pub struct ServerStream {
    limits: SpiceLimits,
    negotiation: Negotiation,
    channel: ChannelType,
    stage: ServerStage,
    data: DataStage<ServerMessage>,
}

impl ServerStream {
    /// A stream from its first byte.
    #[must_use]
    pub fn new(limits: SpiceLimits) -> Self {
        Self {
            limits,
            negotiation: Negotiation::default(),
            channel: ChannelType::MAIN,
            stage: ServerStage::Reply,
            data: DataStage::new(),
        }
    }

    /// Tells what the client asked for. Until then no message can be read.
    pub fn set_link(&mut self, mess: &LinkMess) {
        self.channel = mess.channel().ty;
        self.negotiation.client = Some(mess.common_caps().common());
    }

    /// The data header in use, once both sides have spoken.
    #[must_use]
    pub fn header(&self) -> Option<HeaderKind> {
        self.negotiation.header()
    }

    fn reply(&mut self, src: &mut BytesMut) -> Result<Option<LinkReply>, DecodeError> {
        let Some((minor, body)) = link_body(src, LinkReply::sizes(&self.limits))? else { return Ok(None) };
        LinkReply::parse(minor, &body, &self.limits).map(Some)
    }
}

impl StreamDecode for ServerStream {
    type Item = ServerItem;

    #[inline]
    fn needed(&self, src: &[u8]) -> usize {
        match (self.stage, self.negotiation.header()) {
            (ServerStage::Data, Some(kind)) => self.data.needed(src, kind, &self.limits),
            _ => 0,
        }
    }

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<ServerItem>, DecodeError> {
        match self.stage {
            ServerStage::Reply => {
                let Some(reply) = self.reply(src)? else { return Ok(None) };
                self.negotiation.server = Some(reply.common_caps().common());
                self.stage = if reply.error() == LinkError::OK { ServerStage::Result } else { ServerStage::Refused };
                Ok(Some(ServerItem::Reply(reply)))
            }
            ServerStage::Result => {
                // A server that refuses the mechanism answers with a whole link reply (spec/spice.md 2.5).
                if src.starts_with(&MAGIC) {
                    let Some(reply) = self.reply(src)? else { return Ok(None) };
                    self.stage = ServerStage::Refused;
                    return Ok(Some(ServerItem::Reply(reply)));
                }
                let Some(result) = take_fixed::<LinkResult>(src, 4)? else { return Ok(None) };
                self.stage = if result.error == LinkError::OK { ServerStage::Data } else { ServerStage::Refused };
                Ok(Some(ServerItem::Result(result)))
            }
            ServerStage::Data => {
                let Some(kind) = self.negotiation.header() else { return Ok(None) };
                self.data.next(src, kind, self.channel, &self.limits, |sub, packet| {
                    if sub { ServerItem::SubMessage(packet) } else { ServerItem::Message(packet) }
                })
            }
            // The first byte is named, not their number, which depends on how the stream was cut.
            ServerStage::Refused => match src.first() {
                None => Ok(None),
                Some(&got) => {
                    Err(DecodeError::invalid("LinkResult", "end", "nothing may follow a refusal", u64::from(got)))
                }
            },
        }
    }
}

/// The minor version and the body of a link message, once it is whole.
fn link_body(
    src: &mut BytesMut,
    sizes: core::ops::RangeInclusive<u32>,
) -> Result<Option<(u32, bytes::Bytes)>, DecodeError> {
    let Some(header) = LinkHeader::parse(src, sizes)? else { return Ok(None) };
    let size = usize::try_from(header.size).unwrap_or(usize::MAX);
    if src.len().saturating_sub(LinkHeader::SIZE) < size {
        return Ok(None);
    }
    src.advance(LinkHeader::SIZE);
    Ok(Some((header.minor, src.split_to(size).freeze())))
}

/// A body of fixed size, once it is whole.
fn take_fixed<T: for<'a> Body<'a>>(src: &mut BytesMut, size: usize) -> Result<Option<T>, DecodeError> {
    if src.len() < size {
        return Ok(None);
    }
    let (value, _) = T::parse(&src.split_to(size))?;
    Ok(Some(value))
}
