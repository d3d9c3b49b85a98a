//! One direction of a connection from its first byte on: messages, cut into packets.

use super::login::login;
use super::migration::{migration, options};
use super::token::{Tokens, byte_order};
use crate::tds5::connection::Item;
use crate::tds5::login::Login;
use crate::tds5::migration::Migration;
use crate::tds5::packet::{Packet, PacketHeader};
use crate::tds5::stream::{Data, Piece, Sender};
use crate::tds5::token::Token;
use crate::tds5::{PacketStatus, PacketType};
use crate::testing::Choices;
use crate::wire::{ByteOrder, Encode as _};
use bytes::Bytes;
use std::boxed::Box;
use std::vec::Vec;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The login message.
    Login(Box<Login>),
    /// Tokens that do not belong to the exchange.
    Tokens(Vec<Token>),
    /// A message of the exchange, and its tokens.
    Migration(Migration, Vec<Token>),
    /// Bytes.
    Data,
    /// Nothing: the header is all.
    Signal,
}

/// A message and how it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    /// Its type.
    pub ty: PacketType,
    /// What it says.
    pub said: Said,
    /// How it is cut.
    pub packets: Vec<Packet>,
}

/// All that one end of a connection sends.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Which end.
    pub sender: Sender,
    /// The byte order of the payload.
    pub order: ByteOrder,
    /// The messages.
    pub messages: Vec<Spoken>,
}

impl Conversation {
    /// The bytes of the stream.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for packet in self.messages.iter().flat_map(|message| &message.packets) {
            bytes.extend(packet.header.to_vec().expect("a header can be encoded"));
            bytes.extend_from_slice(&packet.payload);
        }
        bytes
    }

    /// What a [`MessageStream`](crate::tds5::stream::MessageStream) must find, but for the packets themselves.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for message in &self.messages {
            match &message.said {
                Said::Login(login) => {
                    pieces.push(Piece::Login(login.record.clone()));
                    pieces.push(Piece::Token(login.capabilities.clone().into()));
                    pieces.extend(login.extra.iter().cloned().map(Piece::Token));
                }
                Said::Tokens(tokens) | Said::Migration(_, tokens) => {
                    pieces.extend(tokens.iter().cloned().map(Piece::Token));
                }
                Said::Data => pieces.extend(message.data().map(|data| Piece::Data { ty: message.ty, data })),
                Said::Signal => {}
            }
            pieces.push(Piece::End(message.ty));
        }
        pieces
    }

    /// What a connection must find.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for message in &self.messages {
            match &message.said {
                Said::Login(login) => {
                    items.push(Item::Login(login.clone()));
                    continue;
                }
                Said::Tokens(tokens) => items.extend(tokens.iter().cloned().map(Item::Token)),
                Said::Migration(migration, _) => items.push(Item::Migration(migration.clone())),
                Said::Data => items.extend(message.data().map(|data| Item::Data { ty: message.ty, data })),
                Said::Signal => {}
            }
            items.push(Item::End(message.ty));
        }
        items
    }
}

impl Spoken {
    fn data(&self) -> impl Iterator<Item = Data> {
        let payloads = self.packets.iter().map(|packet| packet.payload.clone());
        payloads.filter(|payload| !payload.is_empty()).map(Data)
    }
}

/// A header with any field, for a packet that is not empty or is.
pub fn packet_header(choices: &mut Choices<'_>) -> PacketHeader {
    let ty = PacketType(if choices.one_in(4) { choices.byte() } else { choices.byte() % 29 });
    PacketHeader {
        ty,
        status: PacketStatus::from_bits_retain(choices.byte()),
        length: choices.edge_u16().max(8),
        channel: choices.edge_u16(),
        number: choices.byte(),
        window: choices.byte(),
    }
}

/// The size of packets once one is settled: what anybody asks for, and anything from 512 to 65 535.
pub fn packet_size(choices: &mut Choices<'_>) -> u16 {
    match choices.byte() {
        0..=95 => 512,
        96..=127 => 2048,
        128..=143 => u16::MAX,
        _ => 512 + choices.u16() % (u16::MAX - 511),
    }
}

/// Cuts the payload of a message into packets: full ones of a settled size, or any sizes, empty ones too. What else a
/// header says is anything.
pub fn packets(ty: PacketType, payload: &[u8], choices: &mut Choices<'_>) -> Vec<Packet> {
    let size = usize::from(packet_size(choices)) - PacketHeader::SIZE;
    let odd = choices.one_in(3);
    let mut pieces = Vec::new();
    let mut rest = payload;
    loop {
        let most = rest.len().min(size);
        // A migration message has something in its first packet.
        let least = usize::from(ty == PacketType::MIGRATE && pieces.is_empty());
        let take = if odd && pieces.len() < 200 { choices.length(most).max(least) } else { most };
        let (piece, behind) = rest.split_at(take);
        pieces.push(piece);
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    if odd && choices.one_in(4) {
        pieces.push(&[]);
    }
    let last = pieces.len() - 1;
    let packet = |(at, payload): (usize, &[u8])| {
        let length = u16::try_from(payload.len()).expect("it was cut to size");
        let mut header = PacketHeader::new(ty, at == last, length);
        if odd {
            header.status |= PacketStatus::from_bits_retain(choices.byte() & !1);
            (header.channel, header.number, header.window) = (choices.edge_u16(), choices.byte(), choices.byte());
        }
        Packet { header, payload: Bytes::copy_from_slice(payload) }
    };
    pieces.into_iter().enumerate().map(packet).collect()
}

/// The bytes of tokens, one behind the other.
pub fn payload_of(tokens: &[Token], order: ByteOrder) -> Vec<u8> {
    let bytes = |token: &Token| token.in_order(order).to_vec().expect("the generator keeps to the rules");
    tokens.iter().flat_map(bytes).collect()
}

/// Types of messages without tokens.
const RAW: [PacketType; 10] = [
    PacketType::LANGUAGE,
    PacketType::RPC,
    PacketType::BULK,
    PacketType::UNFORMATTED,
    PacketType::ECHO,
    PacketType::END_PARAM,
    PacketType::HELLO,
    PacketType::COMMAND_SEQUENCE_NORMAL,
    PacketType(0),
    PacketType(200),
];

/// Types of messages that are a header and nothing else.
const SIGNALS: [PacketType; 6] = [
    PacketType::ATTENTION,
    PacketType::SETUP,
    PacketType::CLOSE,
    PacketType::ERROR,
    PacketType::PROTOCOL_ACK,
    PacketType::LOGOUT,
];

/// All that one end sends: the login, if it is a client, and up to seven messages: tokens, bytes, attentions, and the
/// exchange in packets of type 17 and in others.
pub fn conversation(choices: &mut Choices<'_>) -> Conversation {
    let sender = if choices.boolean() { Sender::Client } else { Sender::Server };
    let mut order = byte_order(choices);
    let mut messages = Vec::new();
    let mut say = |ty, said, payload: &[u8], choices: &mut Choices<'_>| {
        messages.push(Spoken { ty, said, packets: packets(ty, payload, choices) });
    };
    if sender == Sender::Client {
        let login = Box::new(login(choices));
        order = login.record.order().expect("a generated record has one");
        let mut payload = login.record.to_vec().expect("the generator keeps to the rules");
        payload.extend(payload_of(&[login.capabilities.clone().into()], order));
        payload.extend(payload_of(&login.extra, order));
        say(PacketType::LOGIN, Said::Login(login), &payload, choices);
    }
    let options = options(choices);
    // Only in a message of type 17 a format is for that message alone (spec/tds5.md 3.2).
    let ordinary = if sender == Sender::Client { PacketType::NORMAL } else { PacketType::RESPONSE };
    let mut source = Tokens::new(order);
    for _ in 0..choices.below(8) {
        match choices.below(8) {
            0 => {
                let migration = migration(choices);
                let tokens = migration.tokens(order, &options).expect("the generator keeps to the rules");
                let payload = payload_of(&tokens, order);
                let ty = if options.migrate_packets { PacketType::MIGRATE } else { ordinary };
                if ty != PacketType::MIGRATE {
                    source.forget_parameters();
                }
                say(ty, Said::Migration(migration, tokens), &payload, choices);
            }
            1 => {
                let (migration, tokens) = super::odd_migration(order, choices);
                let payload = payload_of(&tokens, order);
                // More than a migration message may have goes as an ordinary one.
                let fits = payload.len() <= 8 << 10;
                let ty = if fits && choices.boolean() { PacketType::MIGRATE } else { ordinary };
                if ty != PacketType::MIGRATE {
                    source.forget_parameters();
                }
                say(ty, Said::Migration(migration, tokens), &payload, choices);
            }
            2 => {
                let ty = *choices.pick(&RAW);
                say(ty, Said::Data, &choices.bytes(3000), choices);
            }
            3 => say(*choices.pick(&SIGNALS), Said::Signal, &[], choices),
            _ => {
                let ty = *choices.pick(&[ordinary, ordinary, PacketType::URGENT]);
                let tokens: Vec<Token> = (0..choices.below(6)).flat_map(|_| source.some(choices)).collect();
                let payload = payload_of(&tokens, order);
                say(ty, Said::Tokens(tokens), &payload, choices);
            }
        }
    }
    Conversation { sender, order, messages }
}
