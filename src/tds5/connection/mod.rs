//! One live link: bytes to items and back, from the login record on (spec/tds5.md 1, 2 and 4).
//!
//! [`ClientConnection`] is the end that dials, [`ServerConnection`] the end that accepts. Both cut and join packets,
//! follow the byte order of the login record and the packet size that is settled, and join a migration message with
//! its parameters; neither knows what a message means.
//!
//! ```
//! use bytes::{Bytes, BytesMut};
//! use handover::limits::Tds5Limits;
//! use handover::tds5::connection::{ClientConnection, Item, ServerConnection};
//! use handover::tds5::login::{Login, LoginRecord};
//! use handover::tds5::migration::{Migration, Options};
//! use handover::tds5::token::{Done, Language, Token};
//! use handover::tds5::PacketType;
//! use handover::wire::ByteOrder;
//!
//! let (limits, options) = (Tds5Limits::DEFAULT, Options::DEFAULT);
//! let mut client = ClientConnection::new(limits, options);
//! let mut server = ServerConnection::new(limits, options);
//! let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
//!
//! let record = LoginRecord::new(ByteOrder::Little).with_user(b"guest", b"secret")?;
//! client.login(&Login::new(record, true), &mut up)?;
//! server.receive(&up.split());
//! let Some(Item::Login(login)) = server.next_item()? else { panic!() };
//! assert_eq!(login.record.user_name.as_bytes(), b"guest");
//!
//! client.token(PacketType::NORMAL, &Language::new("select 1").into(), &mut up)?;
//! client.end(&mut up);
//! server.receive(&up.split());
//! assert!(matches!(server.next_item()?, Some(Item::Token(Token::Language(_)))));
//! assert_eq!(server.next_item()?, Some(Item::End(PacketType::NORMAL)));
//!
//! server.token(&Done::FINAL.into(), &mut down)?;
//! server.end(&mut down);
//! server.migration(&Migration::Ignore, &mut down)?;
//! client.receive(&down.split());
//! assert_eq!(client.next_item()?, Some(Item::Token(Done::FINAL.into())));
//! assert_eq!(client.next_item()?, Some(Item::End(PacketType::RESPONSE)));
//! assert_eq!(client.next_item()?, Some(Item::Migration(Migration::Ignore)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "tokio-util")]
mod codec;
mod incoming;

use super::ids::{PacketStatus, PacketType};
use super::login::Login;
use super::migration::{Migration, Options};
use super::packet::{PacketHeader, Packets};
use super::secret::SessionId;
use super::stream::{Data, Sender};
use super::token::{Logout, Token};
use crate::error::{DecodeError, EncodeError};
use crate::limits::Tds5Limits;
use crate::wire::{ByteOrder, Encode, StreamDecode};
use alloc::boxed::Box;
use bytes::BytesMut;
use incoming::Incoming;

/// What comes on a link, in either direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Item {
    /// The whole login message.
    Login(Box<Login>),
    /// A token of a message, unless it belongs to a migration message.
    Token(Token),
    /// A migration message with its parameters, or the session id.
    Migration(Migration),
    /// Bytes of a message that does not consist of tokens.
    Data {
        /// The kind of message.
        ty: PacketType,
        /// The bytes, as they came in one packet.
        data: Data,
    },
    /// The message is over. For an attention it is all there is.
    End(PacketType),
}

impl Item {
    /// What it is, without contents.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Login(_) => "LOGINREC",
            Self::Token(_) => "a token",
            Self::Migration(migration) => migration.name(),
            Self::Data { .. } => "data",
            Self::End(_) => "the end of a message",
        }
    }
}

/// The sending side of a link.
#[derive(Clone, Debug)]
struct Outgoing {
    packets: Packets,
    options: Options,
    size_limit: u16,
}

impl Outgoing {
    fn new(limits: &Tds5Limits, options: Options) -> Self {
        Self { packets: Packets::new(), options, size_limit: limits.packet_size }
    }

    fn token(
        &mut self,
        ty: PacketType,
        order: ByteOrder,
        token: &Token,
        dst: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let encoded = token.in_order(order);
        // Before a message is opened, which would have to be ended.
        encoded.check()?;
        encoded.encode_to(self.packets.message(ty)?)?;
        self.note_size(token);
        self.packets.flush(false, dst);
        Ok(())
    }

    /// Packets are of the new size from the next message on.
    fn note_size(&mut self, token: &Token) {
        if let Token::EnvironmentChange(change) = token
            && let Some(size) = change.packet_size()
        {
            self.packets.set_size(u16::try_from(size).unwrap_or(u16::MAX).min(self.size_limit));
        }
    }

    fn migration(
        &mut self,
        ordinary: PacketType,
        order: ByteOrder,
        migration: &Migration,
        dst: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if self.packets.open().is_some() {
            return Err(NOT_BETWEEN);
        }
        let tokens = migration.tokens(order, &self.options)?;
        let ty = if self.options.migrate_packets { PacketType::MIGRATE } else { ordinary };
        let mut checked = BytesMut::new();
        for token in &tokens {
            token.in_order(order).encode_to(&mut checked)?;
        }
        self.packets.message(ty)?.extend_from_slice(&checked);
        self.packets.flush(true, dst);
        Ok(())
    }

    /// A message that is a header and nothing else.
    fn signal(&mut self, ty: PacketType, dst: &mut BytesMut) -> Result<(), EncodeError> {
        if self.packets.open().is_some() {
            return Err(NOT_BETWEEN);
        }
        let status = PacketStatus::END_OF_MESSAGE;
        PacketHeader { status, ..PacketHeader::new(ty, true, 0) }.encode_to(dst)
    }
}

const NOT_BETWEEN: EncodeError =
    EncodeError::Invalid { message: "PacketHeader", field: "ty", reason: "a message is being sent: end it first" };

/// The end of a link that dials.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    incoming: Incoming,
    outgoing: Outgoing,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl ClientConnection {
    /// A link on which nothing was sent.
    #[must_use]
    pub fn new(limits: Tds5Limits, options: Options) -> Self {
        Self {
            incoming: Incoming::new(Sender::Server, limits, options),
            outgoing: Outgoing::new(&limits, options),
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("link", side = "client"),
        }
    }

    /// Sends the login message: the record, which settles the byte order, and the capabilities.
    ///
    /// # Errors
    /// The record cannot be sent, or a message is being sent. Nothing was written.
    pub fn login(&mut self, login: &Login, dst: &mut BytesMut) -> Result<(), EncodeError> {
        if self.outgoing.packets.open().is_some() {
            return Err(NOT_BETWEEN);
        }
        let order = login.record.order().map_err(|_| MIXED_ORDER)?;
        let mut message = BytesMut::new();
        login.record.encode_to(&mut message)?;
        Token::from(login.capabilities.clone()).in_order(order).encode_to(&mut message)?;
        for token in &login.extra {
            token.in_order(order).encode_to(&mut message)?;
        }
        self.incoming.set_order(order);
        self.outgoing.packets.message(PacketType::LOGIN)?.extend_from_slice(&message);
        self.end(dst);
        Ok(())
    }

    /// Sends a token of a message of type `ty`, of which more may follow: [`end`](Self::end) ends it.
    ///
    /// # Errors
    /// The token cannot be encoded, or a message of another type is being sent. Nothing was written.
    pub fn token(&mut self, ty: PacketType, token: &Token, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.token(ty, self.incoming.order(), token, dst)
    }

    /// Sends a piece of a message of type `ty`, of which more may follow: [`end`](Self::end) ends it.
    ///
    /// # Errors
    /// A message of another type is being sent.
    pub fn data(&mut self, ty: PacketType, data: &[u8], dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.packets.message(ty)?.extend_from_slice(data);
        self.outgoing.packets.flush(false, dst);
        Ok(())
    }

    /// Ends the message that is being sent, if there is one.
    pub fn end(&mut self, dst: &mut BytesMut) {
        self.outgoing.packets.flush(true, dst);
    }

    /// Sends a migration message of its own.
    ///
    /// # Errors
    /// A message is being sent, or this one cannot be encoded. Nothing was written.
    pub fn migration(&mut self, migration: &Migration, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.migration(PacketType::NORMAL, self.incoming.order(), migration, dst)
    }

    /// Answers a session id that came in a login negotiation (spec/tds5.md 2.5).
    ///
    /// # Errors
    /// A message is being sent.
    pub fn session_id_received(&mut self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        for token in Migration::SessionId(None).tokens(self.incoming.order(), &self.outgoing.options)? {
            self.token(PacketType::NORMAL, &token, dst)?;
        }
        self.end(dst);
        Ok(())
    }

    /// Asks for the running command to be cancelled.
    ///
    /// # Errors
    /// A message is being sent.
    pub fn attention(&mut self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.signal(PacketType::ATTENTION, dst)
    }

    /// Says goodbye. The server answers with a final DONE.
    ///
    /// # Errors
    /// A message is being sent.
    pub fn logout(&mut self, dst: &mut BytesMut) -> Result<(), EncodeError> {
        if self.outgoing.packets.open().is_some() {
            return Err(NOT_BETWEEN);
        }
        self.token(PacketType::NORMAL, &Logout::default().into(), dst)?;
        self.end(dst);
        Ok(())
    }

    /// Any item, as [`StreamDecode`] and the codec of `tokio-util` see a link.
    ///
    /// # Errors
    /// The item cannot be encoded, or not now. Nothing was written.
    pub fn encode_item(&mut self, item: &Item, dst: &mut BytesMut) -> Result<(), EncodeError> {
        match item {
            Item::Login(login) => self.login(login, dst),
            Item::Token(token) => {
                let ty = self.outgoing.packets.open().unwrap_or(PacketType::NORMAL);
                self.token(ty, token, dst)
            }
            Item::Migration(Migration::SessionId(_)) => self.session_id_received(dst),
            Item::Migration(migration) => self.migration(migration, dst),
            Item::Data { ty, data } => self.data(*ty, &data.0, dst),
            Item::End(ty) if ty.is_header_only() => self.outgoing.signal(*ty, dst),
            // A migration message is sent as a whole: its end has gone.
            Item::End(_) => {
                self.end(dst);
                Ok(())
            }
        }
    }

    /// Takes bytes as they came from the transport.
    pub fn receive(&mut self, data: &[u8]) {
        self.incoming.receive(data);
    }

    /// The next item, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The server has sent something malformed. The link is over.
    #[inline]
    pub fn next_item(&mut self) -> Result<Option<Item>, DecodeError> {
        if self.incoming.waits() {
            return Ok(None);
        }
        #[cfg(feature = "tracing")]
        let _entered = self.span.clone().entered();
        let item = self.incoming.next_item()?;
        if let Some(Item::Token(token)) = &item {
            self.outgoing.note_size(token);
            #[cfg(feature = "tracing")]
            if let Token::LoginAck(ack) = token {
                tracing::debug!(status = %ack.status, "login answered");
            }
        }
        Ok(item)
    }

    /// Goes on with the formats of another link: a result set that has begun there ends here (spec/tds5.md 4.3 c).
    pub fn inherit_formats(&mut self, from: &Self) {
        self.incoming.inherit(&from.incoming);
    }

    /// The format of the values in the last [`Token::Params`].
    #[must_use]
    pub fn params_format(&self) -> Option<&super::token::Format> {
        self.incoming.params_format()
    }

    /// The format of the values in the last [`Token::Row`].
    #[must_use]
    pub fn rows_format(&self) -> Option<&super::token::Format> {
        self.incoming.rows_format()
    }

    /// The byte order of the payload.
    #[must_use]
    pub fn order(&self) -> ByteOrder {
        self.incoming.order()
    }
}

const MIXED_ORDER: EncodeError =
    EncodeError::Invalid { message: "LoginRecord", field: "int2", reason: "its byte orders are not one" };

/// The end of a link that accepts.
#[derive(Clone, Debug)]
pub struct ServerConnection {
    incoming: Incoming,
    outgoing: Outgoing,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl ServerConnection {
    /// A link of which nothing is known yet.
    #[must_use]
    pub fn new(limits: Tds5Limits, options: Options) -> Self {
        Self {
            incoming: Incoming::new(Sender::Client, limits, options),
            outgoing: Outgoing::new(&limits, options),
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("link", side = "server"),
        }
    }

    /// Sends a token of the response, of which more may follow: [`end`](Self::end) ends it.
    ///
    /// # Errors
    /// The token cannot be encoded. Nothing was written.
    pub fn token(&mut self, token: &Token, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.token(PacketType::RESPONSE, self.incoming.order(), token, dst)
    }

    /// Tells the client the id of its session, within the response to its login.
    ///
    /// # Errors
    /// The type that was chosen for ids is none that can carry them.
    pub fn session_id(&mut self, id: SessionId, dst: &mut BytesMut) -> Result<(), EncodeError> {
        let tokens = Migration::SessionId(Some(id)).tokens(self.incoming.order(), &self.outgoing.options)?;
        tokens.iter().try_for_each(|token| self.token(token, dst))
    }

    /// Ends the message that is being sent, if there is one.
    pub fn end(&mut self, dst: &mut BytesMut) {
        self.outgoing.packets.flush(true, dst);
    }

    /// Sends a migration message of its own.
    ///
    /// # Errors
    /// A message is being sent, or this one cannot be encoded. Nothing was written.
    pub fn migration(&mut self, migration: &Migration, dst: &mut BytesMut) -> Result<(), EncodeError> {
        self.outgoing.migration(PacketType::RESPONSE, self.incoming.order(), migration, dst)
    }

    /// Any item, as [`StreamDecode`] and the codec of `tokio-util` see a link.
    ///
    /// # Errors
    /// The item cannot be encoded, or not now, or is none that a server sends. Nothing was written.
    pub fn encode_item(&mut self, item: &Item, dst: &mut BytesMut) -> Result<(), EncodeError> {
        match item {
            Item::Token(token) => self.token(token, dst),
            Item::Migration(Migration::SessionId(Some(id))) => self.session_id(*id, dst),
            Item::Migration(migration) => self.migration(migration, dst),
            Item::End(_) => {
                self.end(dst);
                Ok(())
            }
            Item::Login(_) | Item::Data { .. } => {
                let reason = "only a client sends it";
                Err(EncodeError::Invalid { message: "Item", field: "kind", reason })
            }
        }
    }

    /// Takes bytes as they came from the transport.
    pub fn receive(&mut self, data: &[u8]) {
        self.incoming.receive(data);
    }

    /// The next item, `None` if more bytes are needed.
    ///
    /// # Errors
    /// The client has sent something malformed. The link is over.
    #[inline]
    pub fn next_item(&mut self) -> Result<Option<Item>, DecodeError> {
        if self.incoming.waits() {
            return Ok(None);
        }
        #[cfg(feature = "tracing")]
        let _entered = self.span.clone().entered();
        let item = self.incoming.next_item()?;
        #[cfg(feature = "tracing")]
        if matches!(item, Some(Item::Login(_))) {
            tracing::debug!("login requested");
        }
        Ok(item)
    }

    /// The format of the values in the last [`Token::Params`].
    #[must_use]
    pub fn params_format(&self) -> Option<&super::token::Format> {
        self.incoming.params_format()
    }

    /// The byte order of the payload, as the client's login record asks for it.
    #[must_use]
    pub fn order(&self) -> ByteOrder {
        self.incoming.order()
    }
}

impl StreamDecode for ClientConnection {
    type Item = Item;

    /// The next item straight from the caller's buffer, for drivers that have one of their own.
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        let item = self.incoming.decode_next(src)?;
        if let Some(Item::Token(token)) = &item {
            self.outgoing.note_size(token);
        }
        Ok(item)
    }
}

impl StreamDecode for ServerConnection {
    type Item = Item;

    /// The next item straight from the caller's buffer, for drivers that have one of their own.
    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        self.incoming.decode_next(src)
    }
}
