//! Login records, login messages and capabilities.

use super::token::{byte_order, control, done};
use crate::tds5::SessionId;
use crate::tds5::capability::{Capabilities, CapabilityType, Mask};
use crate::tds5::login::{HaLogin, Login, LoginRecord};
use crate::testing::Choices;
use crate::wire::{ByteOrder, Encode as _};
use std::boxed::Box;
use std::vec::Vec;

/// A session id: never zero.
pub fn session_id(choices: &mut Choices<'_>) -> SessionId {
    let mut bytes: [u8; 6] = core::array::from_fn(|_| choices.byte());
    if bytes == [0; 6] {
        bytes[5] = 1;
    }
    SessionId::new(bytes).expect("it is not zero")
}

/// A mask of any length, the empty one and the longest among them.
pub fn mask(choices: &mut Choices<'_>) -> Mask {
    let length = match choices.byte() {
        0..=159 => *choices.pick(&[14, 7, 10, 11, 12, 13]),
        160..=175 => 0,
        176..=191 => 255,
        _ => choices.byte(),
    };
    let style = choices.byte() % 4;
    let bytes: Vec<u8> = (0..length)
        .map(|_| match style {
            0 => 0,
            1 => 0xff,
            _ => choices.byte(),
        })
        .collect();
    Mask::new(bytes.into()).expect("the generator keeps to the rules")
}

/// Capabilities: two masks, as everyone sends them, or a few of any type in any order, unknown and repeated ones
/// among them.
pub fn capabilities(choices: &mut Choices<'_>) -> Capabilities {
    if choices.one_in(3) {
        let count = choices.below(7);
        return (0..count).map(|_| (capability_type(choices), mask(choices))).collect();
    }
    Capabilities::new(&mask(choices), &mask(choices))
}

fn capability_type(choices: &mut Choices<'_>) -> CapabilityType {
    CapabilityType(if choices.one_in(4) { choices.byte() } else { 1 + choices.byte() % 3 })
}

/// Offset and size of the texts of a record (spec/tds5.md 2.1), each with its length behind it.
const TEXTS: [(usize, usize); 11] = [
    (0, 30),
    (31, 30),
    (62, 30),
    (93, 30),
    (140, 30),
    (171, 30),
    (202, 255),
    (462, 10),
    (480, 30),
    (525, 30),
    (557, 6),
];

/// What else is in a record, and is any byte.
const BYTES: [(usize, usize); 9] =
    [(126, 14), (459, 3), (473, 7), (511, 1), (514, 2), (516, 7), (523, 2), (556, 1), (564, 4)];

/// The bytes of a record that is acceptable: any text in any field, zeros behind it or not, any flags.
pub fn login_record_bytes(order: ByteOrder, choices: &mut Choices<'_>) -> Vec<u8> {
    let mut bytes = LoginRecord::new(order).to_vec().expect("it is ours");
    let odd = choices.one_in(3);
    for (at, size) in TEXTS {
        let text = choices.bytes(size);
        if odd {
            bytes[at..at + size].fill(choices.byte());
        }
        bytes[at..at + text.len()].copy_from_slice(&text);
        bytes[at + size] = text.len() as u8;
    }
    for (at, size) in BYTES {
        if odd || choices.one_in(4) {
            bytes[at..at + size].fill_with(|| choices.byte());
        }
    }
    bytes
}

/// A record by this crate's constructors, or one that a peer has sent, with any field and padding.
pub fn login_record(order: ByteOrder, choices: &mut Choices<'_>) -> LoginRecord {
    if choices.boolean() {
        let bytes = login_record_bytes(order, choices);
        return LoginRecord::parse(&bytes).expect("the generator keeps to the rules");
    }
    let names: [Vec<u8>; 7] = core::array::from_fn(|_| choices.bytes(30));
    let record = LoginRecord::new(order)
        .with_user(&names[0], &names[1])
        .and_then(|record| record.with_host(&names[2], choices.edge_u32()))
        .and_then(|record| record.with_names(&names[3], &names[4]))
        .and_then(|record| record.with_program(b"a program", choices.u32().to_be_bytes()))
        .and_then(|record| record.with_locale(&names[5], &names[6]))
        .and_then(|record| record.with_packet_size(choices.edge_u32() % 1_000_000))
        .expect("the generator keeps to the rules");
    match choices.byte() % 4 {
        0 => record,
        1 => LoginRecord { ha_login: HaLogin::from_bits_retain(choices.byte()), ..record },
        _ => record.with_migration(session_id(choices)),
    }
}

/// A login message, now and then with tokens that no known client sends.
pub fn login(choices: &mut Choices<'_>) -> Login {
    let record = Box::new(login_record(byte_order(choices), choices));
    let capabilities = capabilities(choices);
    let mut extra = Vec::new();
    if choices.one_in(8) {
        extra.push(done(choices).into());
        extra.push(control(choices).into());
    }
    Login { record, capabilities, extra }
}
