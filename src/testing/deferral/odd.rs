//! Bytes that a peer could send and we would not.

use super::values::{message, server_uri};
use crate::deferral::message::Message;
use crate::deferral::{DeferKind, MessageKind};
use crate::frame::Native as _;
use crate::testing::{Choices, damaged, native};
use std::format;
use std::vec::Vec;

/// A text that may name a server: in the spelling that is ours, in another one, or none.
pub fn odd_uri(choices: &mut Choices<'_>) -> Vec<u8> {
    let uris: [&[u8]; 60] = [
        b"",
        b"http://a",
        b"https://db1.example.org/csf",
        b"handover://10.0.0.1:7999",
        b"handovers://[2001:db8::1]:1/x/y",
        b"handover://[::ffff:1.2.3.4]:9",
        b"handover://[1:0:0:2::3]:9",
        b"x+y.z-1://0:65535",
        b"http://1.2.3",
        b"http://0x7f",
        b"http://0x7f.0xavier",
        b"http://a.0x",
        b"http://1.2.3.04",
        b"http://256.1.1.1",
        b"http://1.2.3.4.",
        b"http://a.",
        b"http://a..b",
        b"http://.a",
        b"http://A",
        b"HTTP://a",
        b"http://a/",
        b"http://a//",
        b"http://a/b/",
        b"http://a//b",
        b"http://a/./b",
        b"http://a:80",
        b"https://a:443/x",
        b"https://a:80/x",
        b"http://a:443",
        b"http://a:081",
        b"http://a:0",
        b"http://a:65536",
        b"http://a:",
        b"http://a:+1",
        b"handover://a",
        b"http://",
        b"http:///a",
        b"http:/a",
        b"://a",
        b"1http://a",
        b"ht_tp://a:1",
        b"http//a:80",
        b"http://u@a",
        b"http://u:p@a:80",
        b"http://a/u@b",
        b"http://a?q",
        b"http://a#f",
        b"http://a\\b",
        b"http://a/?",
        b"http://a b",
        b"http://a\n",
        b"http://a\0",
        b"http://\xc3\xa4",
        b"http://a/\xff",
        b"http://[::1",
        b"http://[::1]x",
        b"http://[::1]:80",
        b"handover://[0::1]:2",
        b"handover://[::FFFF:1.2.3.4]:2",
        b"handover://[::102:0304]:2",
    ];
    match choices.below(8) {
        0..3 => choices.pick(&uris).to_vec(),
        3 => {
            let labels = choices.pick(&["x", "x.", "x.x.", "0."]).repeat(1 + choices.below(300));
            format!("http://{labels}y").into_bytes()
        }
        4 => format!("http://h/{}", "p".repeat(1010 + choices.below(10))).into_bytes(),
        5 => damaged(server_uri(choices).as_str().into(), choices),
        _ => server_uri(choices).as_str().into(),
    }
}

/// What is laid out by hand.
struct Body<'c, 'b> {
    bytes: Vec<u8>,
    choices: &'c mut Choices<'b>,
}

impl Body<'_, '_> {
    fn fixed(&mut self, size: usize) {
        self.bytes.extend((0..size).map(|_| self.choices.byte()));
    }

    fn u32(&mut self) {
        self.bytes.extend(self.choices.edge_u32().to_be_bytes());
    }

    /// A value with its size in so many bytes, which now and then is another one.
    fn sized(&mut self, width: usize, value: &[u8]) {
        let size = match self.choices.byte() {
            255 => u64::from(u32::MAX),
            254 => value.len() as u64 + 1,
            _ => value.len() as u64,
        };
        self.bytes.extend_from_slice(&size.to_be_bytes()[8 - width..]);
        self.bytes.extend_from_slice(value);
    }

    fn blob(&mut self, width: usize, max: usize) {
        let value = self.choices.bytes(max);
        self.sized(width, &value);
    }

    fn receipt(&mut self) {
        if self.choices.one_in(16) { self.sized(1, &[9; 65]) } else { self.blob(1, 20) }
    }

    fn text(&mut self, width: usize) {
        let long = "l".repeat(256);
        let texts: [&[u8]; 12] = [
            b"plain",
            b"csf/command/ws_sync",
            "caf\u{e9}".as_bytes(),
            "\u{10ffff}".as_bytes(),
            b"",
            &long.as_bytes()[..255],
            if width == 1 { b"255" } else { long.as_bytes() },
            b"new\nline",
            b"delete\x7f",
            "next line \u{85}".as_bytes(),
            b"\xc3",
            b"\xed\xa0\x80",
        ];
        // The first few are good.
        let text = texts[if self.choices.one_in(6) { self.choices.below(12) } else { self.choices.below(4) }];
        self.sized(width, text);
    }

    fn uri(&mut self) {
        let uri = if self.choices.one_in(4) { odd_uri(self.choices) } else { server_uri(self.choices).as_str().into() };
        self.sized(2, &uri);
    }

    fn command(&mut self) {
        self.text(2);
        let count = self.choices.below(4);
        let said = if self.choices.one_in(16) { u16::MAX } else { count as u16 };
        self.bytes.extend(said.to_be_bytes());
        (0..count).for_each(|_| self.blob(4, 30));
    }

    fn extensions(&mut self) {
        for _ in 0..self.choices.below(5).saturating_sub(2) {
            self.bytes.extend(self.choices.pick(&[0_u16, 1, 0x7fff, 0x7000, 0x8000]).to_be_bytes());
            self.blob(2, 20);
        }
    }

    fn request(&mut self) {
        self.fixed(18 + 2);
        self.u32();
        self.receipt();
        self.blob(2, 40);
        if self.choices.boolean() {
            self.uri();
        } else {
            self.sized(2, b"");
        }
        self.command();
    }

    fn defer(&mut self) {
        self.fixed(18);
        let kind = *self.choices.pick(&[1, 2, 3, 4, 3, 1, 0, 5, 255]);
        self.bytes.push(kind);
        self.fixed(16);
        self.text(1);
        (0..3).for_each(|_| self.u32());
        self.receipt();
        let count = self.choices.below(4);
        let said = match self.choices.byte() {
            253 => 32,
            254 => 33,
            255 => 255,
            _ => count as u8,
        };
        self.bytes.push(said);
        for _ in 0..count {
            self.fixed(17);
            self.uri();
        }
        if kind == DeferKind::CONTINUE.0 || self.choices.one_in(8) {
            self.fixed(2);
            self.command();
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
    let kinds = [
        MessageKind::REQUEST,
        MessageKind::DEFER,
        MessageKind::CANCEL,
        MessageKind::QUEUED,
        MessageKind::EXECUTING,
        MessageKind::DATA,
        MessageKind::END,
        MessageKind::CANCELLED,
        MessageKind::REFUSED,
        MessageKind::REQUEST,
        MessageKind::DEFER,
        MessageKind(0x70),
    ];
    let kind = *choices.pick(&kinds);
    let mut body = Body { bytes: Vec::new(), choices };
    match kind {
        MessageKind::REQUEST => body.request(),
        MessageKind::DEFER => body.defer(),
        _ => body.fixed(18),
    }
    match kind {
        MessageKind::QUEUED => {
            body.u32();
            body.u32();
        }
        MessageKind::DATA => body.blob(4, 300),
        MessageKind::END => {
            body.u32();
            body.text(1);
        }
        MessageKind::REFUSED => {
            body.fixed(2);
            body.text(1);
        }
        _ => {}
    }
    body.extensions();
    (kind.0, body.bytes)
}

/// Frames in a row: messages of ours, odd ones, frames of anything else, and some with bytes changed.
pub fn stream(choices: &mut Choices<'_>) -> Vec<u8> {
    native::stream::<Message>(choices)
}
