//! What stands on one direction of a connection, and how to take it apart (spec/tds5.md 1.4 and 3.1).
//!
//! [`MessageStream`] is passive: the payload's byte order is settled by the client's login record, and whoever sees
//! both directions tells the server's. The [connections](super::connection) do so for a live link, an analyser does
//! so for a capture.

use super::ids::{PacketType, TokenType};
use super::login::LoginRecord;
use super::packet::{Packet, PacketHeader, PacketStream};
use super::token::{Extent, Format, Formats, Token};
use crate::error::{DecodeError, to_u64};
use crate::limits::Tds5Limits;
use crate::wire::{ByteOrder, StreamDecode, share};
use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};

/// A piece of one direction of a connection, in the order in which it stands there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Piece {
    /// A packet begins. A token that the packet before it has begun may end in it.
    Packet(PacketHeader),
    /// The login record: the first 568 bytes of the first login message.
    Login(Box<LoginRecord>),
    /// A whole token.
    Token(Token),
    /// Bytes of a message that does not consist of tokens.
    Data {
        /// The kind of message.
        ty: PacketType,
        /// The bytes, as they came in one packet.
        data: Data,
    },
    /// The message is over.
    End(PacketType),
}

/// Bytes of a message without tokens. Never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Data(pub Bytes);

impl core::fmt::Debug for Data {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Data({} bytes)", self.0.len())
    }
}

/// Which end of the connection has sent what is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The client: the first login message begins with a login record.
    Client,
    /// The server.
    Server,
}

/// Takes one direction of a connection apart, however it is cut.
///
/// The formats of rows and parameters are kept from message to message: a migration message in the middle of a
/// response does not end the response.
#[derive(Clone)]
pub struct MessageStream {
    packets: PacketStream,
    limits: Tds5Limits,
    order: ByteOrder,
    /// Whether a login record is to come.
    login_awaited: bool,
    formats: Formats<Bytes>,
    /// The formats around a migration message, which go on behind it.
    around: Option<Formats<Bytes>>,
    /// The message that is being read.
    message: Option<PacketType>,
    /// Whether it began with the login record, or will.
    is_login: bool,
    /// How many bytes of it have come.
    size: usize,
    /// Whether the packet that is being read is the message's last.
    last: bool,
    /// What is left of the packet.
    packet: Bytes,
    /// A token or record that the packets so far have begun, and how many bytes it needs at least.
    begun: BytesMut,
    needed: usize,
}

impl MessageStream {
    /// One direction of a connection, little-endian until its byte order is known.
    #[must_use]
    pub fn new(sender: Sender, limits: Tds5Limits) -> Self {
        Self {
            packets: PacketStream::new(&limits),
            limits,
            order: ByteOrder::Little,
            login_awaited: sender == Sender::Client,
            formats: Formats::default(),
            around: None,
            message: None,
            is_login: false,
            size: 0,
            last: false,
            packet: Bytes::new(),
            begun: BytesMut::new(),
            needed: 0,
        }
    }

    /// The byte order of the payload.
    #[must_use]
    pub const fn order(&self) -> ByteOrder {
        self.order
    }

    /// Tells it what the client's login record asks for. (The client's own direction finds it by itself.)
    pub fn set_order(&mut self, order: ByteOrder) {
        self.order = order;
    }

    /// The format of the values in the last [`Token::Params`]. That of a migration message holds for its message only.
    #[must_use]
    pub fn params_format(&self) -> Option<&Format> {
        self.formats.params()
    }

    /// The format of the values in the last [`Token::Row`].
    #[must_use]
    pub fn rows_format(&self) -> Option<&Format> {
        self.formats.rows()
    }

    /// Whether a message has begun and not ended.
    #[must_use]
    pub const fn in_message(&self) -> bool {
        self.message.is_some()
    }

    /// Bytes of a token that has begun and not ended.
    #[must_use]
    pub fn begun(&self) -> usize {
        self.begun.len()
    }

    pub(crate) fn formats(&self) -> &Formats<Bytes> {
        &self.formats
    }

    pub(crate) fn set_formats(&mut self, formats: Formats<Bytes>) {
        self.formats = formats;
    }

    /// The next piece of the message out of what has been taken off the stream; `None` if a packet is needed.
    fn next_piece(&mut self) -> Result<Option<Piece>, DecodeError> {
        let Some(ty) = self.message else { return Ok(None) };
        if !self.packet.is_empty() {
            if !ty.has_tokens() {
                return Ok(Some(Piece::Data { ty, data: Data(core::mem::take(&mut self.packet)) }));
            }
            if let Some(piece) = self.next_token()? {
                return Ok(Some(piece));
            }
        }
        if !self.last {
            return Ok(None);
        }
        if ty == PacketType::LOGIN && self.login_awaited {
            return Err(DecodeError::short("LoginRecord", "body", LoginRecord::SIZE, self.begun.len()));
        }
        if !self.begun.is_empty() {
            return Err(DecodeError::short("Token", "body", self.needed, self.begun.len()));
        }
        if let Some(around) = self.around.take() {
            self.formats = around;
        }
        self.message = None;
        Ok(Some(Piece::End(ty)))
    }

    /// The next token; `None` if what is left of the packet is only the beginning of one.
    fn next_token(&mut self) -> Result<Option<Piece>, DecodeError> {
        if !self.begun.is_empty() {
            // The token has begun in an earlier packet: this packet is joined to it.
            self.begun.extend_from_slice(&self.packet);
            self.packet = Bytes::new();
            if self.begun.len() < self.needed {
                return Ok(None);
            }
            match self.extent(&self.begun)? {
                Extent::Needs(needed) => {
                    self.needed = needed;
                    return Ok(None);
                }
                Extent::Whole(_) => self.packet = core::mem::take(&mut self.begun).freeze(),
            }
        }
        match self.extent(&self.packet)? {
            Extent::Whole(size) => {
                let token = self.packet.split_to(size.min(self.packet.len()));
                self.piece(&token).map(Some)
            }
            Extent::Needs(needed) => {
                self.needed = needed;
                self.begun = BytesMut::from(&*core::mem::take(&mut self.packet));
                Ok(None)
            }
        }
    }

    fn extent(&self, input: &[u8]) -> Result<Extent, DecodeError> {
        let record = self.login_awaited && self.message == Some(PacketType::LOGIN);
        if record {
            let size = LoginRecord::SIZE;
            return Ok(if input.len() < size { Extent::Needs(size) } else { Extent::Whole(size) });
        }
        let limit = match self.message {
            Some(PacketType::MIGRATE) => ("migration", self.limits.migration),
            Some(PacketType::LOGIN) => ("login", self.limits.login),
            _ => ("token", self.limits.token),
        };
        self.formats.extent(self.order, input, limit)
    }

    /// What a whole token, or the login record, says.
    fn piece(&mut self, bytes: &Bytes) -> Result<Piece, DecodeError> {
        if self.login_awaited && self.message == Some(PacketType::LOGIN) {
            let record = LoginRecord::parse(bytes)?;
            self.order = record.order()?;
            self.login_awaited = false;
            return Ok(Piece::Login(Box::new(record)));
        }
        let ty = TokenType(bytes.first().copied().unwrap_or_default());
        let body = bytes.get(ty.head()..).unwrap_or_default();
        let token = Token::parse(self.order, ty, body)?;
        if let Token::Format(format) = &token {
            let (count, limit) = (u64::from(format.count()), u64::from(self.limits.columns));
            if count > limit {
                return Err(DecodeError::limit("Format", "count", "columns", limit, count));
            }
        }
        if let Some(kind) = ty.format() {
            self.formats.note(self.order, kind, body, |format| format.map(&mut |part| share(bytes, part)))?;
        }
        Ok(Piece::Token(token.share(bytes)))
    }
}

impl core::fmt::Debug for MessageStream {
    /// What was taken off the stream may hold a password: it is not shown.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { order, message, size, .. } = self;
        let mut shown = f.debug_struct("MessageStream");
        shown.field("order", order).field("message", message).field("size", size).finish_non_exhaustive()
    }
}

impl StreamDecode for MessageStream {
    type Item = Piece;

    fn needed(&self, src: &[u8]) -> usize {
        // What was taken off the stream already may hold more.
        let waiting = self.message.is_some() && (self.last || !self.packet.is_empty());
        if waiting { 0 } else { self.packets.needed(src) }
    }

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Piece>, DecodeError> {
        if let Some(piece) = self.next_piece()? {
            return Ok(Some(piece));
        }
        let Some(Packet { header, payload }) = self.packets.decode_next(src)? else { return Ok(None) };
        if self.message.is_none() {
            self.size = 0;
            self.is_login = header.ty == PacketType::LOGIN && self.login_awaited;
            self.around = (header.ty == PacketType::MIGRATE).then(|| self.formats.clone());
        }
        self.size = self.size.saturating_add(payload.len());
        let (message, what, limit) = match header.ty {
            PacketType::LOGIN if self.is_login => ("LoginRecord", "login", self.limits.login),
            PacketType::MIGRATE => ("Migration", "migration", self.limits.migration),
            _ => ("Message", "", usize::MAX),
        };
        if self.size > limit {
            return Err(DecodeError::limit(message, "length", what, to_u64(limit), to_u64(self.size)));
        }
        self.message = Some(header.ty);
        self.last = header.ends_message();
        self.packet = payload;
        Ok(Some(Piece::Packet(header)))
    }
}
