//! Bytes that a peer could send and we would not.

use super::layout::{Field, KINDS, Record, WISHES};
use super::messages::message;
use crate::frame::Native as _;
use crate::group::message::Message;
use crate::testing::{Choices, damaged, native};
use std::vec::Vec;

/// Fields that are laid out by hand, out of the table of layouts.
struct Body<'c, 'b> {
    bytes: Vec<u8>,
    choices: &'c mut Choices<'b>,
}

impl Body<'_, '_> {
    /// A number in so many bytes.
    fn number(&mut self, width: usize, number: u64) {
        self.bytes.extend_from_slice(&number.to_be_bytes()[8 - width..]);
    }

    /// Yes or no, and now and then neither.
    fn flag(&mut self) -> bool {
        let byte = match self.choices.byte() {
            255 => 2,
            254 => 0xff,
            byte => byte % 2,
        };
        self.bytes.push(byte);
        byte == 1
    }

    fn record(&mut self, record: &Record) {
        record.fields.iter().for_each(|(_, field)| self.field(field));
    }

    /// So many bytes of anything; their size is now and then another one.
    fn sized(&mut self, width: usize, value: &[u8]) {
        let size = match self.choices.byte() {
            255 => u64::from(u32::MAX),
            254 => value.len() as u64 + 1,
            _ => value.len() as u64,
        };
        self.number(width, size);
        self.bytes.extend_from_slice(value);
    }

    fn field(&mut self, field: &Field) {
        match field {
            Field::Number(width) => {
                let number = self.choices.edge_u64();
                self.number(*width, number);
            }
            Field::Flag => _ = self.flag(),
            Field::Sized(width, least, most) => {
                // At the bounds and beyond them, or something short.
                let edges = [*least, *most, least.saturating_sub(1), most + 1];
                let edge = if *most < 4096 { edges[self.choices.below(4)] } else { *least };
                let size = if self.choices.one_in(8) { edge } else { *least + self.choices.below(6) as u64 };
                let filler = self.choices.byte();
                self.sized(*width, &std::vec![filler; size as usize]);
            }
            Field::Text => {
                let texts: [&[u8]; 9] = [
                    b"",
                    b"plain",
                    b"10.0.0.7:4000",
                    "caf\u{e9}".as_bytes(),
                    &[b'l'; 255],
                    b"new\nline",
                    "next line \u{85}".as_bytes(),
                    b"\xc3",
                    b"\xed\xa0\x80",
                ];
                // The first few are good.
                let text = texts[if self.choices.one_in(4) { self.choices.below(9) } else { self.choices.below(4) }];
                self.sized(1, text);
            }
            Field::Optional(inner) => {
                if self.flag() {
                    self.field(inner);
                }
            }
            Field::List(inner) => {
                let count = self.choices.below(3);
                let said = match self.choices.byte() {
                    255 => u64::from(u16::MAX),
                    254 => count as u64 + 1,
                    _ => count as u64,
                };
                self.number(2, said);
                (0..count).for_each(|_| self.record(inner));
            }
            Field::Record(inner) => self.record(inner),
            Field::Wish => {
                let (number, _, form) = self.choices.pick(&WISHES);
                let said = if self.choices.one_in(16) { *self.choices.pick(&[0, 6, 255]) } else { *number };
                self.number(1, said);
                self.field(form);
            }
        }
    }

    fn extensions(&mut self) {
        for _ in 0..self.choices.below(5).saturating_sub(2) {
            let ty = *self.choices.pick(&[0, 1, 0x7fff, 0x7000, 0x8000]);
            self.number(2, ty);
            let value = self.choices.bytes(20);
            self.sized(2, &value);
        }
    }
}

/// The kind and body of a message: laid out by hand, good or with something that is wrong; or one of ours that was
/// damaged.
pub fn odd_message(choices: &mut Choices<'_>) -> (u8, Vec<u8>) {
    if choices.one_in(3) {
        let message = message(choices);
        let body = message.to_frame().expect("the generator keeps to the rules").body;
        return (message.kind(), damaged(body.to_vec(), choices));
    }
    if choices.one_in(32) {
        return (*choices.pick(&[0x7f, 0, 0x0e, 0x80, 0x8d, 0xbf, 0xc7, 0xff]), choices.bytes(40));
    }
    let (kind, record) = *choices.pick(&KINDS);
    let mut body = Body { bytes: Vec::new(), choices };
    body.record(record);
    body.extensions();
    (kind, body.bytes)
}

/// Frames in a row: messages of ours, odd ones, frames of anything else, and some with bytes changed.
pub fn stream(choices: &mut Choices<'_>) -> Vec<u8> {
    native::stream::<Message>(choices)
}
