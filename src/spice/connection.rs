//! One live link: bytes to messages and back, from the first byte of the link stage on (spec/spice.md 2 and 3).
//!
//! [`ClientConnection`] is the end that dials, [`ServerConnection`] the end that accepts. Both keep the link
//! stage's order, settle the data header, count serials and enforce the limits; neither knows what a message
//! means. What needs a key is asked of the caller: the client's ticket, the server's verdict on it.
//!
//! ```
//! use bytes::BytesMut;
//! use handover::limits::SpiceLimits;
//! use handover::spice::connection::{ClientConnection, ClientEvent, ServerConnection, ServerEvent};
//! use handover::spice::link::{LinkReply, PublicKey, Ticket};
//! use handover::spice::{Capabilities, ChannelId, ClientMessage, CommonCaps, LinkError};
//!
//! let caps = CommonCaps::AUTH_SELECTION | CommonCaps::AUTH_SPICE | CommonCaps::MINI_HEADER;
//! let limits = SpiceLimits::DEFAULT;
//! let mut client = ClientConnection::new(0, ChannelId::new(3.into(), 0), caps, Capabilities::default(), limits);
//! let mut server = ServerConnection::new(limits);
//! let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
//!
//! client.start(&mut up)?;
//! server.receive(&up.split());
//! let Some(ServerEvent::Link(mess)) = server.next_event()? else { panic!() };
//! assert_eq!(mess.connection_id(), 0);
//! server.reply(&LinkReply::accept(PublicKey([7; 162]), caps, Capabilities::default()), &mut down)?;
//!
//! client.receive(&down.split());
//! let Some(ClientEvent::TicketWanted(_key)) = client.next_event()? else { panic!() };
//! client.answer_ticket(&Ticket([1; 128]), &mut up)?;
//! server.receive(&up.split());
//! let Some(ServerEvent::Ticket(_ticket)) = server.next_event()? else { panic!() };
//! server.finish(LinkError::OK, &mut down)?;
//!
//! client.receive(&down.split());
//! let Some(ClientEvent::Linked { .. }) = client.next_event()? else { panic!() };
//! client.send(&ClientMessage::Ack.into(), &mut up)?;
//! server.receive(&up.split());
//! let Some(ServerEvent::Message(packet)) = server.next_event()? else { panic!() };
//! assert_eq!(packet.message, ClientMessage::Ack);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use super::header::{HeaderKind, Packet};
use super::ids::{Capabilities, ChannelId, CommonCaps, LinkError, Mechanism};
use super::link::{AuthMechanism, LinkMess, LinkReply, LinkResult, PublicKey, Ticket};
use super::message::{ClientMessage, Message, ServerMessage};
use super::stream::{ClientItem, ClientStream, ServerItem, ServerStream};
use crate::error::{DecodeError, DecodeErrorKind, EncodeError};
use crate::limits::SpiceLimits;
use crate::wire::{Encode, Framer, StreamDecode};
use bytes::BytesMut;

/// How far the sending side of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Nothing,
    Link,
    Mechanism,
    Data,
    Refused,
}

const OUT_OF_ORDER: EncodeError =
    EncodeError::Invalid { message: "Connection", field: "stage", reason: "not possible at this stage of the link" };

/// The sending side: which header, which serial.
#[derive(Clone, Copy, Debug)]
struct Outgoing {
    sent: Sent,
    serial: u64,
}

impl Outgoing {
    const NEW: Self = Self { sent: Sent::Nothing, serial: 1 };

    fn expect(&self, stages: &[Sent]) -> Result<(), EncodeError> {
        if stages.contains(&self.sent) { Ok(()) } else { Err(OUT_OF_ORDER) }
    }

    fn packet<M: Message>(
        &mut self,
        header: Option<HeaderKind>,
        packet: &Packet<M>,
        dst: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        self.expect(&[Sent::Data])?;
        packet.framed(header.ok_or(OUT_OF_ORDER)?, self.serial).encode_to(dst)?;
        self.serial = packet.serial.unwrap_or(self.serial).saturating_add(1);
        Ok(())
    }
}

/// What a [`ClientConnection`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClientEvent {
    /// Encrypt the password (and a NUL) for this key and call [`ClientConnection::answer_ticket`].
    TicketWanted(PublicKey),
    /// The link stage is over: the server's capabilities.
    Linked {
        /// For every channel.
        common: CommonCaps,
        /// For this channel.
        channel: Capabilities,
    },
    /// The server refuses the link; `authentication` says whether it did so after the ticket.
    Refused {
        /// Why.
        error: LinkError,
        /// Whether it is the link result that says so.
        authentication: bool,
    },
    /// A message. Sub-messages come as messages of their own before the one that carries them.
    Message(Packet<ServerMessage>),
}

/// The end of a link that dials.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    incoming: Framer<ServerStream>,
    outgoing: Outgoing,
    mess: LinkMess,
    reply: Option<LinkReply>,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl ClientConnection {
    /// A link that will ask for `channel` of the session `connection_id` (0 for a new session).
    #[must_use]
    pub fn new(
        connection_id: u32,
        channel: ChannelId,
        common: CommonCaps,
        channel_caps: Capabilities,
        limits: SpiceLimits,
    ) -> Self {
        let mess = LinkMess::new(connection_id, channel, common, channel_caps);
        let mut stream = ServerStream::new(limits);
        stream.set_link(&mess);
        Self {
            incoming: Framer::new(stream),
            outgoing: Outgoing::NEW,
            mess,
            reply: None,
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("link", side = "client", channel = %channel.ty, id = channel.id),
        }
    }

    /// Starts the link stage.
    ///
    /// # Errors
    /// It was started already.
    pub fn start(&mut self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        let mess = self.mess.clone();
        self.encode_item(&ClientItem::Link(mess), dst)
    }

    /// Sends the ticket (and before it the mechanism, where both sides select one).
    ///
    /// # Errors
    /// No ticket is wanted now.
    pub fn answer_ticket(&mut self, ticket: &Ticket, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.expect(&[Sent::Link])?;
        if self.selects_mechanism()? {
            let mechanism = AuthMechanism { mechanism: Mechanism::TICKET.0 };
            self.encode_item(&ClientItem::Mechanism(mechanism), dst)?;
        }
        self.encode_item(&ClientItem::Ticket(*ticket), dst)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The link stage is not over, or the message cannot be encoded. Nothing was written.
    pub fn send(&mut self, packet: &Packet<ClientMessage>, dst: &mut BytesMut) -> Result<(), EncodeError> {
        let header = self.incoming.decoder().header();
        self.outgoing.packet(header, packet, dst)
    }

    /// Encodes any item, in the link stage's order.
    ///
    /// # Errors
    /// The item is out of order or cannot be encoded. Nothing was written.
    pub fn encode_item(&mut self, item: &ClientItem, dst: &mut BytesMut) -> Result<(), EncodeError> {
        #[cfg(feature = "tracing")]
        let _entered = self.span.clone().entered();
        match item {
            ClientItem::Link(mess) => {
                self.outgoing.expect(&[Sent::Nothing])?;
                mess.encode_to(dst)?;
                self.incoming.decoder_mut().set_link(mess);
                self.mess.clone_from(mess);
                self.outgoing.sent = Sent::Link;
            }
            ClientItem::Mechanism(mechanism) => {
                self.outgoing.expect(&[Sent::Link])?;
                if !self.selects_mechanism()? {
                    return Err(OUT_OF_ORDER);
                }
                mechanism.encode_to(dst)?;
                self.outgoing.sent = Sent::Mechanism;
            }
            ClientItem::Ticket(ticket) => {
                let after = if self.selects_mechanism()? { Sent::Mechanism } else { Sent::Link };
                self.outgoing.expect(&[after])?;
                dst.extend_from_slice(&ticket.0);
                self.outgoing.sent = Sent::Data;
            }
            ClientItem::Message(packet) => return self.send(packet, dst),
            // It stands in the body of the message that carries it.
            ClientItem::SubMessage(_) => return Ok(()),
        }
        Ok(())
    }

    fn selects_mechanism(&self) -> Result<bool, EncodeError> {
        let reply = self.reply.as_ref().ok_or(OUT_OF_ORDER)?;
        let both = reply.common_caps().common().intersection(self.mess.common_caps().common());
        Ok(both.contains(CommonCaps::AUTH_SELECTION))
    }

    /// Takes bytes as they came from the transport.
    pub fn receive(&mut self, data: &[u8]) {
        self.incoming.push(data);
    }

    /// The next event, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The server sent something malformed, or offers no way to authenticate. The link is over.
    pub fn next_event(&mut self) -> Result<Option<ClientEvent>, DecodeError> {
        #[cfg(feature = "tracing")]
        let _entered = self.span.clone().entered();
        loop {
            match self.incoming.next_item()? {
                None => return Ok(None),
                // Nothing but a list: its messages have come already.
                Some(ServerItem::Message(Packet { message: ServerMessage::List(_), .. })) => {}
                Some(item) => return self.event(item).map(Some),
            }
        }
    }

    fn event(&mut self, item: ServerItem) -> Result<ClientEvent, DecodeError> {
        Ok(match item {
            ServerItem::Reply(reply) if self.reply.is_some() || reply.error() != LinkError::OK => {
                let authentication = self.reply.is_some();
                self.outgoing.sent = Sent::Refused;
                #[cfg(feature = "tracing")]
                tracing::debug!(error = %reply.error(), "link refused");
                ClientEvent::Refused { error: reply.error(), authentication }
            }
            ServerItem::Reply(reply) => {
                let common = reply.common_caps().common();
                let key = reply.public_key();
                self.reply = Some(reply);
                let selects =
                    common.intersection(self.mess.common_caps().common()).contains(CommonCaps::AUTH_SELECTION);
                if selects && !common.contains(CommonCaps::AUTH_SPICE) {
                    let reason = "the server takes no tickets";
                    let got = u64::from(common.bits());
                    return Err(DecodeError::unsupported("LinkReply", "common_caps", reason, got));
                }
                ClientEvent::TicketWanted(key)
            }
            ServerItem::Result(result) if result.error != LinkError::OK => {
                self.outgoing.sent = Sent::Refused;
                #[cfg(feature = "tracing")]
                tracing::debug!(error = %result.error, "link refused");
                ClientEvent::Refused { error: result.error, authentication: true }
            }
            ServerItem::Result(_) => {
                let (common, channel) = match &self.reply {
                    Some(reply) => (reply.common_caps().common(), reply.channel_caps().clone()),
                    None => Default::default(),
                };
                #[cfg(feature = "tracing")]
                tracing::debug!("linked");
                ClientEvent::Linked { common, channel }
            }
            ServerItem::SubMessage(packet) | ServerItem::Message(packet) => ClientEvent::Message(without_list(packet)),
        })
    }
}

/// What a [`ServerConnection`] reports.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerEvent {
    /// A client opens a channel: answer with [`ServerConnection::reply`].
    Link(LinkMess),
    /// The ticket, to be decrypted and judged: answer with [`ServerConnection::finish`].
    Ticket(Ticket),
    /// The client wants another mechanism than the ticket: answer with
    /// [`ServerConnection::refuse_mechanism`] and close.
    UnsupportedMechanism(Mechanism),
    /// A message. Sub-messages come as messages of their own before the one that carries them.
    Message(Packet<ClientMessage>),
}

/// The end of a link that accepts.
#[derive(Clone, Debug)]
pub struct ServerConnection {
    incoming: Framer<ClientStream>,
    outgoing: Outgoing,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl ServerConnection {
    /// A link of which nothing is known yet.
    #[must_use]
    pub fn new(limits: SpiceLimits) -> Self {
        Self {
            incoming: Framer::new(ClientStream::new(limits)),
            outgoing: Outgoing::NEW,
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("link", side = "server"),
        }
    }

    /// Answers the link message. With an error in it, the link is over: close it once the bytes are out.
    ///
    /// # Errors
    /// It was answered already, or the reply cannot be encoded.
    pub fn reply(&mut self, reply: &LinkReply, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.encode_item(&ServerItem::Reply(reply.clone()), dst)
    }

    /// Ends the link stage with a verdict on the ticket. Unless it is OK, close once the bytes are out.
    ///
    /// # Errors
    /// The link stage is not that far.
    pub fn finish(&mut self, error: LinkError, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.encode_item(&ServerItem::Result(LinkResult { error }), dst)
    }

    /// Refuses the client's mechanism as the real server does: a whole link reply in the place of the result.
    ///
    /// # Errors
    /// The link stage is not that far.
    pub fn refuse_mechanism(&mut self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.encode_item(&ServerItem::Reply(LinkReply::refuse(LinkError::INVALID_DATA)), dst)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The link stage is not over, or the message cannot be encoded. Nothing was written.
    pub fn send(&mut self, packet: &Packet<ServerMessage>, dst: &mut BytesMut) -> Result<(), EncodeError> {
        let header = self.incoming.decoder().header();
        self.outgoing.packet(header, packet, dst)
    }

    /// Encodes any item, in the link stage's order.
    ///
    /// # Errors
    /// The item is out of order or cannot be encoded. Nothing was written.
    pub fn encode_item(&mut self, item: &ServerItem, dst: &mut BytesMut) -> Result<(), EncodeError> {
        #[cfg(feature = "tracing")]
        let _entered = self.span.clone().entered();
        match item {
            ServerItem::Reply(reply) => {
                let refused = reply.error() != LinkError::OK;
                self.outgoing.expect(if refused { &[Sent::Nothing, Sent::Link] } else { &[Sent::Nothing] })?;
                reply.encode_to(dst)?;
                self.incoming.decoder_mut().set_reply(reply);
                self.outgoing.sent = if refused { Sent::Refused } else { Sent::Link };
            }
            ServerItem::Result(result) => {
                self.outgoing.expect(&[Sent::Link])?;
                result.encode_to(dst)?;
                self.outgoing.sent = if result.error == LinkError::OK { Sent::Data } else { Sent::Refused };
            }
            ServerItem::Message(packet) => return self.send(packet, dst),
            // It stands in the body of the message that carries it.
            ServerItem::SubMessage(_) => return Ok(()),
        }
        Ok(())
    }

    /// Takes bytes as they came from the transport.
    pub fn receive(&mut self, data: &[u8]) {
        self.incoming.push(data);
    }

    /// The next event, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The client sent something malformed. The link is over; [`refusal`] says how to answer.
    pub fn next_event(&mut self) -> Result<Option<ServerEvent>, DecodeError> {
        #[cfg(feature = "tracing")]
        let _entered = self.span.clone().entered();
        loop {
            let item = self.incoming.next_item()?;
            let Some(item) = item else { return Ok(None) };
            return Ok(Some(match item {
                ClientItem::Link(mess) => {
                    #[cfg(feature = "tracing")]
                    tracing::debug!(channel = %mess.channel().ty, id = mess.channel().id, "link requested");
                    ServerEvent::Link(mess)
                }
                ClientItem::Mechanism(mechanism) if mechanism.mechanism == Mechanism::TICKET.0 => continue,
                ClientItem::Mechanism(mechanism) => ServerEvent::UnsupportedMechanism(Mechanism(mechanism.mechanism)),
                ClientItem::Ticket(ticket) => ServerEvent::Ticket(ticket),
                ClientItem::SubMessage(packet) | ClientItem::Message(packet) => {
                    ServerEvent::Message(without_list(packet))
                }
            }));
        }
    }
}

/// A packet whose sub-messages have come as packets of their own: sent on as it is, it would bring them again.
fn without_list<M>(packet: Packet<M>) -> Packet<M> {
    if packet.sub_list == 0 { packet } else { Packet { sub_list: 0, extra: bytes::Bytes::new(), ..packet } }
}

/// How a server answers a link message that cannot be decoded, as the real server does: a link error for a
/// reply, or `None` to close without a word (spec/spice.md 2.6).
#[must_use]
pub fn refusal(error: &DecodeError) -> Option<LinkError> {
    match (error.message, error.field, error.kind) {
        ("LinkHeader", "magic", _) => Some(LinkError::INVALID_MAGIC),
        ("LinkHeader", "major", DecodeErrorKind::Unsupported { got: 0, .. }) => None,
        ("LinkHeader", "major", _) => Some(LinkError::VERSION_MISMATCH),
        ("LinkHeader" | "LinkMess", _, _) => Some(LinkError::INVALID_DATA),
        _ => None,
    }
}

impl StreamDecode for ClientConnection {
    type Item = ServerItem;

    /// The next item straight from the caller's buffer, for drivers that have one of their own.
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<ServerItem>, DecodeError> {
        let item = self.incoming.decoder_mut().decode_next(src)?;
        if let Some(ServerItem::Reply(reply)) = &item
            && self.reply.is_none()
        {
            self.reply = Some(reply.clone());
        }
        Ok(item)
    }
}

impl StreamDecode for ServerConnection {
    type Item = ClientItem;

    /// The next item straight from the caller's buffer, for drivers that have one of their own.
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<ClientItem>, DecodeError> {
        self.incoming.decoder_mut().decode_next(src)
    }
}

/// `Decoder` and `Encoder` over a connection's items.
#[cfg(feature = "tokio-util")]
mod codec {
    use super::{BytesMut, ClientConnection, ClientItem, ServerConnection, ServerItem, StreamDecode};
    use crate::wire::CodecError;
    use tokio_util::codec::{Decoder, Encoder};

    macro_rules! codec {
        ($connection:ident sends $sends:ident receives $receives:ident) => {
            #[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
            impl Decoder for $connection {
                type Item = $receives;
                type Error = CodecError;

                fn decode(&mut self, src: &mut BytesMut) -> Result<Option<$receives>, CodecError> {
                    Ok(self.decode_next(src)?)
                }
            }

            #[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
            impl Encoder<$sends> for $connection {
                type Error = CodecError;

                fn encode(&mut self, item: $sends, dst: &mut BytesMut) -> Result<(), CodecError> {
                    Ok(self.encode_item(&item, dst)?)
                }
            }
        };
    }

    codec!(ClientConnection sends ClientItem receives ServerItem);
    codec!(ServerConnection sends ServerItem receives ClientItem);
}
