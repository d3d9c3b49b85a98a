//! TDS 5.0: the tokens of both directions. The client's login record says in which byte order the server's are.

mod fields;
mod names;

use crate::decode::{Direction, Protocol};
use crate::input::{Conversation, Stream};
use crate::record::{Fields, Head, Record};
use handover::limits::Tds5Limits;
use handover::tds5::login::LoginRecord;
use handover::tds5::packet::PacketHeader;
use handover::tds5::stream::{MessageStream, Piece, Sender};
use handover::tds5::token::Token;
use handover::tds5::{MessageId, PacketType};
use handover::wire::{ByteOrder, Encode};
use std::collections::VecDeque;
use std::ops::Range;

/// The protocol.
pub(crate) struct Tds5;

impl Protocol for Tds5 {
    fn recognises(&self, conversation: &Conversation) -> bool {
        const CLIENT: &[u8] = &[1, 2, 3, 5, 6, 7, 15, 17];
        const SERVER: &[u8] = &[4, 15, 16, 17];
        let Conversation { client, server, .. } = conversation;
        let (first, types) = if client.bytes.is_empty() { (&server.bytes, SERVER) } else { (&client.bytes, CLIENT) };
        match first.as_slice() {
            [ty, _, high, low, channel_high, channel_low, _, window, ..] => {
                let length = u16::from_be_bytes([*high, *low]);
                types.contains(ty) && length >= 8 && [channel_high, channel_low, window] == [&0; 3]
            }
            [ty, ..] => types.contains(ty),
            [] => false,
        }
    }

    fn decode(&self, conversation: &Conversation, verify: bool) -> [Vec<Record>; 2] {
        // A capture may begin behind the login.
        let logs_in = conversation.client.bytes.first() == Some(&PacketType::LOGIN.0);
        let mut client = Side::new(if logs_in { Sender::Client } else { Sender::Server }, &conversation.client, verify);
        client.pull();
        let mut server = Side::new(Sender::Server, &conversation.server, verify);
        server.direction.decoder.set_order(client.order());
        server.pull();
        [client.finish(), server.finish()]
    }
}

/// One direction.
struct Side<'a> {
    direction: Direction<'a, MessageStream>,
    /// The message that is being read.
    message: Option<Message>,
    /// Its payload, as far as it was not taken apart, by its places in the stream.
    payload: VecDeque<Range<usize>>,
    /// Whether parameters that come now may be shown.
    shown: bool,
}

/// What is known of a message that is being read.
struct Message {
    ty: PacketType,
    /// Where its packets stand.
    place: Range<usize>,
    /// How long their payload is.
    size: usize,
}

impl<'a> Side<'a> {
    fn new(sender: Sender, stream: &'a Stream, verify: bool) -> Self {
        let decoder = MessageStream::new(sender, Tds5Limits::DEFAULT);
        let direction = Direction::new(decoder, stream, verify);
        Self { direction, message: None, payload: VecDeque::new(), shown: false }
    }

    fn order(&self) -> ByteOrder {
        self.direction.decoder.order()
    }

    /// Takes everything.
    fn pull(&mut self) {
        while let Some(piece) = self.direction.next_item() {
            match piece {
                Piece::Packet(header) => self.packet(header),
                Piece::Login(record) => self.login(&record),
                Piece::Token(token) => self.token(&token),
                Piece::Data { data, .. } => {
                    let places = self.take(data.0.len());
                    self.direction.compare_parts(&places, "Data", || Ok(data.0.to_vec()));
                }
                Piece::End(_) => self.end(),
                _ => {}
            }
        }
    }

    fn packet(&mut self, header: PacketHeader) {
        let place = self.direction.place();
        let payload = place.start + PacketHeader::SIZE..place.end;
        self.direction.compare(place.start..payload.start, "PacketHeader", || header.to_vec());
        let begun = Message { ty: header.ty, place: place.clone(), size: 0 };
        let message = self.message.get_or_insert(begun);
        message.place.end = place.end;
        message.size += payload.len();
        if !payload.is_empty() {
            self.payload.push_back(payload);
        }
    }

    /// The next `size` bytes of the payload, by their places in the stream.
    fn take(&mut self, size: usize) -> Vec<Range<usize>> {
        let mut places = Vec::new();
        let mut left = size;
        while left > 0
            && let Some(mut place) = self.payload.pop_front()
        {
            if place.len() > left {
                self.payload.push_front(place.start + left..place.end);
                place.end = place.start + left;
            }
            left -= place.len();
            places.push(place);
        }
        places
    }

    /// The next `size` bytes of the payload are this.
    fn push(&mut self, size: usize, head: Head, encoded: &impl Encode) {
        let places = self.take(size);
        let first = places.first().map_or(0, |place| place.start);
        let name = head.name;
        self.direction.push_at(first..places.last().map_or(first, |place| place.end), head);
        self.direction.compare_parts(&places, name, || encoded.to_vec());
    }

    /// The beginning of the fields of all that stands in the message.
    fn fields(&self) -> Fields {
        match &self.message {
            Some(message) => packet_field(message.ty),
            None => Fields::default(),
        }
    }

    fn login(&mut self, record: &LoginRecord) {
        let fields = fields::login(self.fields(), record);
        let (ty, size) = (Some(PacketType::LOGIN.0.into()), Some(LoginRecord::SIZE as u64));
        let head = Head { name: "LOGINREC", ty, size, sub: false, fields };
        self.push(LoginRecord::SIZE, head, record);
    }

    fn token(&mut self, token: &Token) {
        let decoder = &self.direction.decoder;
        let format = if matches!(token, Token::Row(_)) { decoder.rows_format() } else { decoder.params_format() };
        let fields = fields::token(self.fields(), token, format, self.shown);
        self.shown = match token {
            Token::Message(message) => {
                let public = matches!(message.id, MessageId::MIGRATION_REQUEST | MessageId::MIGRATION_FAIL);
                message.has_parameters() && public
            }
            Token::Eed(eed) => eed.status.0 != 0,
            Token::Format(format) if !format.kind().is_rows() => self.shown,
            _ => false,
        };
        let ty = token.token_type();
        let encoded = token.in_order(self.order());
        let (name, size) = (names::token(ty).unwrap_or("Unknown"), Some(encoded.body_len() as u64));
        let head = Head { name, ty: Some(ty.0.into()), size, sub: false, fields };
        self.push(encoded.encoded_len(), head, &encoded);
    }

    /// The message is over. It is shown itself if it holds nothing that was.
    fn end(&mut self) {
        self.shown = false;
        self.payload.clear();
        let Some(Message { ty, place, size }) = self.message.take() else { return };
        if size == 0 || !ty.has_tokens() {
            let (name, fields) = (names::packet(ty).unwrap_or("Unknown"), packet_field(ty));
            let head = Head { name, ty: Some(ty.0.into()), size: Some(size as u64), sub: false, fields };
            self.direction.push_at(place, head);
        }
    }

    fn finish(mut self) -> Vec<Record> {
        let begun = match &self.message {
            Some(message) if !message.ty.has_tokens() => Some(message.place.start),
            _ => self.payload.front().map(|place| place.start),
        };
        if let Some((offset, fault)) = self.direction.fault()
            && fault.message != "PacketHeader"
        {
            *offset = begun.unwrap_or(*offset);
        }
        self.direction.finish(begun)
    }
}

fn packet_field(ty: PacketType) -> Fields {
    match names::packet(ty) {
        Some(name) => Fields::default().with("packet", name),
        None => Fields::default().with("packet", ty.0),
    }
}
