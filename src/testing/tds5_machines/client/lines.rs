//! What servers say, by number: one thing, or several that belong together.

use super::super::words::{data, id, login, reason, request, response};
use super::{address, row};
use crate::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability};
use crate::tds5::connection::Item;
use crate::tds5::migration::{Migration, Options, Request};
use crate::tds5::stream::Data;
use crate::tds5::token::{Done, Eed, EedStatus, LoginAck, LoginStatus, Message, Token};
use crate::tds5::{DoneStatus, MessageId, PacketType};
use crate::wire::ByteOrder;
use bytes::Bytes;
use std::vec::Vec;

pub(super) const ACCEPTED: u8 = 0;
pub(super) const NEGOTIATED: u8 = 16;
pub(super) const ASKED: u8 = 32;
pub(super) const REFUSED: u8 = 48;
pub(super) const ELSEWHERE: u8 = 64;
pub(super) const REQUEST: u8 = 80;
pub(super) const CONTINUED: u8 = 96;
pub(super) const IGNORED: u8 = 112;
pub(super) const RESULTS: u8 = 128;
pub(super) const PART: u8 = 144;
pub(super) const CANCELLED: u8 = 160;

const RESPONSE: Item = Item::End(PacketType::RESPONSE);
const MIGRATE: Item = Item::End(PacketType::MIGRATE);

fn acknowledged(status: LoginStatus) -> Item {
    Item::Token(LoginAck::new(status, "server", [1, 0, 0, 0]).into())
}

fn granted(number: u8) -> Item {
    let own = Capabilities::offered(false);
    let own = own.mask(CapabilityType::REQUEST).expect("it is there");
    let migrate = (number % 8 != 7).then_some(RequestCapability::MIGRATE.0);
    let request = Mask::of(own.iter().chain(migrate)).expect("they are small");
    Item::Token(Capabilities::new(&request, &Mask::zero(1)).into())
}

fn told(number: u8) -> Item {
    Item::Migration(Migration::SessionId((number % 8 != 6).then(|| id(number))))
}

fn done(status: DoneStatus) -> Item {
    Item::Token(Done { status, ..Done::FINAL }.into())
}

/// REQ with addresses that are trusted more or less.
fn asks(number: u8) -> Item {
    let lists = [&[1][..], &[1], &[1, 2], &[2, 1, 0], &[0], &[3], &[], &[3, 1]];
    let addresses = lists[usize::from(number) % 8].iter().map(|&at| address(at)).collect();
    Item::Migration(match number % 16 {
        14 => Migration::Request(Request { addresses, unreadable: Vec::from([Bytes::from_static(b"?")]) }),
        _ => request(addresses),
    })
}

/// "Go there instead", in three tokens.
fn elsewhere(number: u8) -> Vec<Item> {
    let addresses = [&[2][..], &[3], &[2, 1], &[]][usize::from(number) % 4].iter().map(|&at| address(at)).collect();
    let tokens = request(addresses).tokens(ByteOrder::Little, &Options::DEFAULT).expect("they can be carried");
    let state = if number / 4 % 4 == 3 { 2 } else { 1 };
    let status = EedStatus(EedStatus::INFO.0 | if number.is_multiple_of(2) { EedStatus::FOLLOWS.0 } else { 0 });
    let notice = Eed { state, status, ..Eed::new(1, 0, "") };
    [Token::from(notice)].into_iter().chain(tokens.into_iter().skip(1)).map(Item::Token).collect()
}

/// What only clients say.
fn clients(number: u8, unique: u32) -> Item {
    match number {
        0 => Item::Login(login(number).into()),
        1 => Item::Data { ty: PacketType::RPC, data: data(unique) },
        2 => Item::Data { ty: PacketType::UNFORMATTED, data: data(unique) },
        3 => Item::End(PacketType::LANGUAGE),
        4 => Item::End(PacketType::UNFORMATTED),
        5 => Item::End(PacketType::BULK),
        6 => Item::End(PacketType::LOGIN),
        _ => Item::End(PacketType::ATTENTION),
    }
}

/// One thing.
pub(super) fn item(number: u8, unique: u32) -> Item {
    let low = number / 32;
    match number % 32 {
        0..=2 => asks(low * 2 + number % 2),
        3..=5 => Item::Migration(Migration::Continue),
        6..=8 => Item::Migration(Migration::Ignore),
        9 => told(low),
        10 => Item::Migration(
            [Migration::Sync, Migration::Fail(reason(low)), Migration::Resume][usize::from(low) % 3].clone(),
        ),
        11..=13 => row(unique),
        14..=17 => Item::Token(response(number, unique)),
        18..=22 => RESPONSE,
        23 => MIGRATE,
        24 => Item::End([PacketType::NORMAL, PacketType::URGENT, PacketType::ECHO][usize::from(low) % 3]),
        25 => Item::Data { ty: PacketType::ECHO, data: Data(Bytes::from_static(b"data")) },
        26 => elsewhere(low)[usize::from(low) % elsewhere(low).len()].clone(),
        27 => Item::Token(Eed { status: EedStatus::INFO, ..Eed::new(i32::from(low), 10, "notice") }.into()),
        28 => acknowledged(LoginStatus([5, 6, 7, 0x85][usize::from(low) % 4])),
        29 => granted(low),
        30 => Item::Token(Message::new(MessageId::EMPTY, false).into()),
        _ => clients(low, unique),
    }
}

/// Several things.
pub(super) fn lines(number: u8, unique: u32) -> Vec<Item> {
    let (kind, low) = (number / 16 * 16, number % 16);
    match kind {
        ACCEPTED if low % 4 == 3 => {
            Vec::from([acknowledged(LoginStatus::SUCCEED), granted(low), done(DoneStatus::empty()), RESPONSE])
        }
        ACCEPTED => {
            let head = [row(unique), acknowledged(LoginStatus::SUCCEED), told(low)];
            head.into_iter().chain([granted(low), done(DoneStatus::empty()), RESPONSE]).collect()
        }
        NEGOTIATED => Vec::from([acknowledged(LoginStatus::NEGOTIATE), told(low), done(DoneStatus::empty()), RESPONSE]),
        ASKED => {
            let asks = Item::Token(Message::new(MessageId::SECURITY_ENCRYPT, false).into());
            Vec::from([acknowledged(LoginStatus::NEGOTIATE), asks, done(DoneStatus::empty()), RESPONSE])
        }
        REFUSED => Vec::from([acknowledged(LoginStatus::FAIL), done(DoneStatus::ERROR), RESPONSE]),
        ELSEWHERE => {
            let tail = [acknowledged(LoginStatus::FAIL), done(DoneStatus::ERROR), RESPONSE];
            elsewhere(low).into_iter().chain(tail).collect()
        }
        REQUEST => Vec::from([asks(low), MIGRATE]),
        CONTINUED => Vec::from([Item::Migration(Migration::Continue), MIGRATE]),
        IGNORED => Vec::from([Item::Migration(Migration::Ignore), MIGRATE]),
        RESULTS => Vec::from([row(unique), Item::Token(Done::FINAL.into()), RESPONSE]),
        PART => Vec::from([row(unique), RESPONSE]),
        CANCELLED => Vec::from([done(DoneStatus::ATTENTION), RESPONSE]),
        // In the midst of a response.
        176 => Vec::from([row(unique), asks(low), RESPONSE]),
        192 => Vec::from([row(unique), Item::Token(Done::FINAL.into()), Item::Migration(Migration::Ignore), RESPONSE]),
        208 => {
            Vec::from([row(unique), Item::Token(Done::FINAL.into()), Item::Migration(Migration::Continue), RESPONSE])
        }
        // Two at once.
        224 => Vec::from([Item::Migration(Migration::Ignore), MIGRATE, asks(low), MIGRATE]),
        _ => Vec::from([
            done(DoneStatus::EVENT),
            row(unique),
            Item::Token(Done::FINAL.into()),
            Item::End(PacketType::URGENT),
        ]),
    }
}
