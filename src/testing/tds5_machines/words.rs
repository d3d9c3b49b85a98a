//! What is said in trials, by number.

use crate::tds5::connection::Item;
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::{Address, FailReason, Migration, Request};
use crate::tds5::stream::Data;
use crate::tds5::token::{Done, DoneKind, Language, Logout, ReturnStatus, Token};
use crate::tds5::{DoneStatus, PacketType, SessionId};
use crate::wire::ByteOrder;
use bytes::Bytes;
use std::vec::Vec;

pub(super) use crate::testing::must::{Must, broken};

pub(super) fn id(number: u8) -> SessionId {
    SessionId::new([number | 1; 6]).expect("it is not zero")
}

/// One to a few addresses, seldom none, seldom more than may be.
pub(super) fn addresses(number: u8) -> Vec<Address> {
    let count = match number % 16 {
        0 => 0,
        15 => 33,
        other => 1 + other / 6,
    };
    (0..count).filter_map(|at| Address::new("server", 5000 + u16::from(number / 16) + u16::from(at))).collect()
}

pub(super) fn request(addresses: Vec<Address>) -> Migration {
    Migration::Request(Request { addresses, unreadable: Vec::new() })
}

/// Bytes that are the only ones of their kind.
pub(super) fn data(number: u32) -> Data {
    Data(Bytes::copy_from_slice(&number.to_le_bytes()))
}

/// A token that is one of its kind.
pub(super) fn token(number: u32) -> Token {
    Language::new(Bytes::copy_from_slice(&number.to_le_bytes())).into()
}

pub(super) fn reason(number: u8) -> Option<FailReason> {
    (number % 2 == 1).then(|| FailReason::new(i32::from(number % 5), "why"))
}

/// What a client says once it is logged in, and what it should not.
pub(super) fn said(number: u8, unique: u32) -> Item {
    let migration = match number % 32 {
        0..=4 => Migration::Sync,
        5..=7 => Migration::Fail(reason(number / 32)),
        8..=11 => Migration::Resume,
        12 => request(addresses(number / 32)),
        13 => [Migration::Continue, Migration::Ignore][usize::from(number / 32) % 2].clone(),
        14 => Migration::SessionId((number >= 128).then(|| id(number))),
        15..=17 => return Item::Token(token(unique)),
        18..=22 => return Item::End(PacketType::NORMAL),
        23 => {
            let ty = [PacketType::RPC, PacketType::BULK][usize::from(number / 32) % 2];
            return Item::Data { ty, data: data(unique) };
        }
        24 => {
            let ty = [PacketType::LANGUAGE, PacketType::RPC, PacketType::BULK, PacketType::UNFORMATTED];
            return Item::End(ty[usize::from(number / 32) % 4]);
        }
        25 | 26 => return Item::End(PacketType::ATTENTION),
        27 | 28 => return Item::End(PacketType::MIGRATE),
        29 => {
            let ty = [PacketType::LOGIN, PacketType::URGENT, PacketType::LOGOUT, PacketType::ECHO, PacketType::SETUP];
            return Item::End(ty[usize::from(number / 32) % 5]);
        }
        30 if number < 64 => return Item::Token(Logout::default().into()),
        31 if number < 64 => return Item::Login(login(number).into()),
        _ => return Item::Token(Done::FINAL.into()),
    };
    Item::Migration(migration)
}

/// A login of some client.
pub(super) fn login(number: u8) -> Login {
    Login::new(LoginRecord::new(ByteOrder::Little), number.is_multiple_of(2))
}

/// A token of a response, often one that ends it.
pub(super) fn response(number: u8, unique: u32) -> Token {
    let bits = [DoneStatus::empty(), DoneStatus::COUNT, DoneStatus::ERROR, DoneStatus::IN_TRANSACTION];
    let status = bits[usize::from(number / 16) % 4];
    let (kind, status) = match number % 16 {
        0..=4 => (DoneKind::Done, status),
        5 => (DoneKind::Procedure, status | DoneStatus::PROCEDURE),
        6 => (DoneKind::Done, status | DoneStatus::MORE),
        7 => (DoneKind::Procedure, status | DoneStatus::MORE),
        8 => (DoneKind::InProcedure, status),
        9 => (DoneKind::Done, status | DoneStatus::EVENT),
        10 => (DoneKind::Done, status | DoneStatus::ATTENTION),
        11 => return ReturnStatus { value: i32::from(number) }.into(),
        _ => return token(unique),
    };
    Done { kind, status, count: i32::from(number), ..Done::FINAL }.into()
}

/// Whether a token completes a command (spec/tds5.md 3.4; 9, 18).
pub(super) fn is_final(token: &Token) -> bool {
    let Token::Done(done) = token else { return false };
    done.kind != DoneKind::InProcedure && !done.status.intersects(DoneStatus::MORE | DoneStatus::EVENT)
}

/// The same token, with ATTN if it is a DONE and acknowledges an attention.
pub(super) fn acknowledging(token: &Token, attention: bool) -> Token {
    match token {
        Token::Done(done) if attention => Done { status: done.status | DoneStatus::ATTENTION, ..*done }.into(),
        other => other.clone(),
    }
}

/// A message to which a response is owed (spec/tds5.md, words).
pub(super) fn is_command(ty: PacketType) -> bool {
    let commands =
        [PacketType::LANGUAGE, PacketType::RPC, PacketType::BULK, PacketType::UNFORMATTED, PacketType::NORMAL];
    commands.contains(&ty)
}
