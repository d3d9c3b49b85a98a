//! From pieces to items: the login message as one, a migration message with its parameters as one.

use super::Item;
use crate::error::DecodeError;
use crate::limits::Tds5Limits;
use crate::tds5::ids::{MessageId, PacketType};
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::{Migration, Options};
use crate::tds5::stream::{MessageStream, Piece, Sender};
use crate::tds5::token::{Format, Formats, Token};
use crate::wire::{ByteOrder, Framer, StreamDecode};
use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};

/// A migration message whose parameters are to come.
#[derive(Clone, Debug)]
struct Begun {
    id: MessageId,
    /// Its own format, once it is there.
    format: Option<Format>,
    /// The formats of the conversation around it, which go on behind it.
    around: Formats<Bytes>,
}

/// The receiving side of a link.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pieces: Framer<MessageStream>,
    accept_anywhere: bool,
    /// The type of the message that is being read.
    message: Option<PacketType>,
    begun: Option<Begun>,
    login: Option<Box<Login>>,
    /// What was found wrong behind the framing: the link is over.
    failed: Option<DecodeError>,
}

impl Incoming {
    pub(super) fn new(sender: Sender, limits: Tds5Limits, options: Options) -> Self {
        Self {
            pieces: Framer::new(MessageStream::new(sender, limits)),
            accept_anywhere: options.accept_anywhere,
            message: None,
            begun: None,
            login: None,
            failed: None,
        }
    }

    pub(super) fn order(&self) -> ByteOrder {
        self.pieces.decoder().order()
    }

    pub(super) fn set_order(&mut self, order: ByteOrder) {
        self.pieces.decoder_mut().set_order(order);
    }

    pub(super) fn params_format(&self) -> Option<&Format> {
        self.pieces.decoder().params_format()
    }

    pub(super) fn rows_format(&self) -> Option<&Format> {
        self.pieces.decoder().rows_format()
    }

    pub(super) fn inherit(&mut self, from: &Self) {
        let formats = from.pieces.decoder().formats().clone();
        self.pieces.decoder_mut().set_formats(formats);
    }

    /// Whether a message has begun and not ended.
    #[cfg(feature = "tokio-util")]
    pub(super) fn in_message(&self) -> bool {
        self.message.is_some()
    }

    pub(super) fn receive(&mut self, data: &[u8]) {
        // Nothing more is read after an error: nothing is kept for it.
        if self.failed.is_none() {
            self.pieces.push(data);
        }
    }

    /// Whether more bytes are needed, as far as is known: most calls, if they come one by one.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        self.pieces.waits()
    }

    #[inline(never)]
    pub(super) fn next_item(&mut self) -> Result<Option<Item>, DecodeError> {
        self.failed.map_or(Ok(()), Err)?;
        while let Some(piece) = self.pieces.next_item()? {
            if let Some(item) = self.item(piece).inspect_err(|error| self.failed = Some(*error))? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    pub(super) fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        self.failed.map_or(Ok(()), Err)?;
        while let Some(piece) = self.pieces.decoder_mut().decode_next(src)? {
            if let Some(item) = self.item(piece).inspect_err(|error| self.failed = Some(*error))? {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }

    /// What a piece completes, if anything.
    fn item(&mut self, piece: Piece) -> Result<Option<Item>, DecodeError> {
        Ok(match piece {
            Piece::Packet(header) => {
                self.message = Some(header.ty);
                None
            }
            Piece::Login(record) => {
                self.login = Some(Box::new(login(*record)));
                None
            }
            Piece::Data { ty, data } => Some(Item::Data { ty, data }),
            Piece::Token(token) => self.token(token)?,
            Piece::End(ty) => {
                if let Some(begun) = self.begun.take() {
                    return Err(without_parameters(begun.id));
                }
                self.message = None;
                match self.login.take() {
                    Some(login) => Some(Item::Login(login)),
                    None => Some(Item::End(ty)),
                }
            }
        })
    }

    fn token(&mut self, token: Token) -> Result<Option<Item>, DecodeError> {
        if let Some(mut begun) = self.begun.take() {
            return match token {
                Token::Format(format) if begun.format.is_none() && !format.kind().is_rows() => {
                    begun.format = Some(format);
                    self.begun = Some(begun);
                    Ok(None)
                }
                Token::Params(values) if begun.format.is_some() => {
                    let parameters = begun.format.as_ref().map(|format| (format, &*values.data));
                    let migration = Migration::from_parameters(begun.id, parameters);
                    self.pieces.decoder_mut().set_formats(begun.around);
                    Ok(migration.map(Item::Migration))
                }
                _ => Err(without_parameters(begun.id)),
            };
        }
        match token {
            Token::Message(message) if self.is_ours(message.id) => {
                if message.has_parameters() {
                    let around = self.pieces.decoder().formats().clone();
                    self.begun = Some(Begun { id: message.id, format: None, around });
                    return Ok(None);
                }
                Ok(Migration::from_parameters::<Bytes>(message.id, None).map(Item::Migration))
            }
            other => match &mut self.login {
                Some(login) => {
                    match other {
                        Token::Capability(capabilities) => login.capabilities = capabilities,
                        other => login.extra.push(other),
                    }
                    Ok(None)
                }
                None => Ok(Some(Item::Token(other))),
            },
        }
    }

    fn is_ours(&self, id: MessageId) -> bool {
        let here = self.accept_anywhere || self.message == Some(PacketType::MIGRATE) || id == MessageId::HA_FAILOVER;
        here && Migration::is_ours(id)
    }
}

fn login(record: LoginRecord) -> Login {
    Login { record: Box::new(record), capabilities: Default::default(), extra: alloc::vec::Vec::new() }
}

#[cold]
fn without_parameters(id: MessageId) -> DecodeError {
    let reason = "says that parameters follow: PARAMFMT and PARAMS must";
    DecodeError::invalid("Message", "status", reason, u64::from(id.0))
}
