//! Operations for a link.

mod model;

pub use model::LinkModel;

use crate::error::DecodeError;
use crate::frame::link::{Config, Event, Input, Link, Output, State, TABLE, TableEvent};
use crate::frame::{
    Capabilities, Close, CloseReason, Extension, ExtensionType, Extensions, Frame, FrameFlags, Hello, Identity,
    Native as _, Offer, Protocol, Text, VersionRange,
};
use crate::machine::{Machine, Table};
use crate::testing::Choices;
use crate::testing::contract::{InputOf, Subject};
use crate::testing::trial::{Trial, on_trial};
use crate::time::Instant;
use bytes::Bytes;
use core::time::Duration;
use std::vec::Vec;

/// One thing that happens to a link. Numbers choose between variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOp {
    /// What would come next if all went well.
    Forward(u8),
    /// The transport is there.
    Open,
    /// The other end says hello: one that fits, one with nothing in common, a malformed one.
    Hello(u8),
    /// It closes.
    Close(u8),
    /// It says something else of the link's own.
    Own(u8),
    /// It sends a frame.
    Frame {
        /// Of which protocol.
        protocol: u8,
        /// How large.
        size: u8,
    },
    /// The application sends one.
    Send {
        /// Of which protocol.
        protocol: u8,
        /// How large.
        size: u8,
    },
    /// The decoder refuses something.
    Refuse(u8),
    /// The transport goes.
    Lose,
    /// The application closes.
    CloseLocal(u8),
    /// The timeout input, due or not.
    Timeout,
}

impl LinkOp {
    /// Any operation.
    pub fn choose(c: &mut Choices<'_>) -> Self {
        match c.byte() {
            0..=127 => Self::Forward(c.byte()),
            128..=139 => Self::Open,
            140..=159 => Self::Hello(c.byte()),
            160..=165 => Self::Close(c.byte()),
            166..=179 => Self::Own(c.byte()),
            180..=205 => Self::Frame { protocol: c.byte(), size: c.byte() },
            206..=232 => Self::Send { protocol: c.byte(), size: c.byte() },
            233..=235 => Self::Refuse(c.byte()),
            236..=237 => Self::Lose,
            238..=241 => Self::CloseLocal(c.byte()),
            _ => Self::Timeout,
        }
    }
}

on_trial!(ops LinkOp);

/// A link for the contract suite and for [`run_link`](super::run_link).
///
/// That a link ends once (line 7) is left to the model: it has no event with which it begins.
#[derive(Clone, Debug)]
pub struct LinkSubject {
    config: Config,
    /// What the other end has said that it takes.
    takes: u32,
    unique: u32,
}

impl Default for LinkSubject {
    fn default() -> Self {
        Self { config: Config::new(Hello::new([])), takes: Hello::LEAST_BODY, unique: 0 }
    }
}

/// An extension of each type, with a value of this size.
fn extensions(types: &[u16], size: usize) -> Extensions {
    let value = std::vec![0xee; size];
    let list = types.iter().map(|ty| Extension { ty: ExtensionType(*ty), value: &value });
    Extensions::new(list).expect("every value is short")
}

fn config(choices: &mut Choices<'_>) -> Config {
    let numbers = [&[1_u8, 2, 200][..], &[2], &[3, 1], &[255, 1, 2, 3]];
    let numbers = if choices.one_in(16) { &[] } else { numbers[choices.below(4)] };
    let offers = numbers.iter().map(|number| {
        let min = u16::from(*choices.pick(&[1_u8, 2, 0]));
        let versions = VersionRange { min, max: min + *choices.pick(&[0, 1, 3]) };
        let capabilities = Capabilities::from_bits_retain(*choices.pick(&[0, 1, 3, 1 << 63, u64::MAX]));
        Offer { protocol: Protocol(*number), versions, capabilities }
    });
    let mut hello = Hello::new(offers.collect::<Vec<_>>());
    hello.max_body = *choices.pick(&[1024, 1025, 4000, 262_144, u32::MAX]);
    hello.boot = choices.u32();
    hello.agent = Text::fitting(choices.pick::<&str>(&["", "trial/1"]));
    hello.extensions = extensions(choices.pick::<&[u16]>(&[&[], &[1], &[7, 0x7fff], &[0x8001]]), 3);
    if choices.one_in(8) {
        // What cannot be said.
        match choices.below(6) {
            0 => hello.max_body = 1023,
            1 => hello.offers.push(Offer::new(Protocol::LINK, Capabilities::empty())),
            2 => hello.offers.extend([Offer::new(Protocol(9), Capabilities::empty()); 2]),
            3 => hello.offers.extend([Offer::new(Protocol(9), Capabilities::empty()); 256]),
            4 => hello.extensions = extensions(&[1], 8192),
            _ => hello.offers.push(Offer {
                versions: VersionRange { min: 2, max: 1 },
                ..Offer::new(Protocol(9), Capabilities::empty())
            }),
        }
    }
    let mut config = Config::new(hello);
    config.pass_on = choices.one_in(3);
    if choices.one_in(3) {
        config.open_timeout = Duration::from_millis(u64::from(choices.byte()) * 64);
        config.hello_timeout = Duration::from_millis(u64::from(choices.byte()) * 64);
    }
    if choices.one_in(3) {
        config.limits.frame = *choices.pick(&[1500, 1024, 10]);
    }
    if choices.one_in(6) {
        config.limits.outputs = *choices.pick(&[3, 1]);
    }
    config
}

impl LinkSubject {
    /// One of the protocols of this end, now and then another one.
    fn protocol(&self, number: u8) -> Protocol {
        let offers = &self.config.hello.offers;
        match usize::from(number).checked_rem(offers.len()) {
            Some(at) if number < 224 => offers[at].protocol,
            _ => Protocol([99, 0, 200, 1][usize::from(number) % 4]),
        }
    }

    /// A frame with a body of about the size that is `most`, or a small one.
    fn frame(&mut self, protocol: u8, size: u8, most: u32) -> Frame {
        self.unique += 1;
        let sizes = [0, 4, most.saturating_sub(1), most, most.saturating_add(1)];
        let size = sizes[usize::from(size) % 5].min(300_000);
        let mut body = std::vec![0; usize::try_from(size).expect("it is small")];
        body.iter_mut().zip(self.unique.to_be_bytes()).for_each(|(byte, unique)| *byte = unique);
        let flags = FrameFlags::from_bits_retain([0, 1, 0x82][usize::from(protocol) % 3]);
        Frame { protocol: self.protocol(protocol), kind: protocol, flags, body: body.into() }
    }

    /// What the other end says first.
    fn hello(&self, number: u8) -> Frame {
        let bits = u16::from(number / 8);
        let offers = self.config.hello.offers.iter().rev().map(|offer| {
            let VersionRange { min, max } = offer.versions;
            let versions = VersionRange { min: min + (bits & 1), max: max.max(min + 1) + (bits >> 1 & 1) };
            Offer { versions, capabilities: Capabilities::from_bits_retain(u64::from(bits)), ..*offer }
        });
        let mut hello = Hello {
            max_body: [1024, 1025, 5000, u32::MAX][usize::from(number / 16) % 4],
            boot: u32::from(number),
            identity: Identity::new(std::vec![number; usize::from(number % 4)]).expect("it is short"),
            agent: Text::fitting("them"),
            offers: offers.chain([Offer::new(Protocol(98), Capabilities::empty())]).collect(),
            extensions: Extensions::NONE,
        };
        hello.offers.sort_by_key(|offer| (offer.protocol, offer.versions.min));
        hello.offers.dedup_by_key(|offer| offer.protocol);
        hello.offers.retain(|offer| offer.protocol != Protocol::LINK && offer.versions.min <= offer.versions.max);
        match number % 8 {
            4 => hello.offers.retain(|offer| offer.protocol == Protocol(98)),
            5 => hello.offers.iter_mut().for_each(|offer| offer.versions = VersionRange { min: 9000, max: 9001 }),
            6 => hello.extensions = extensions(&[5, 0x8000 + u16::from(number / 128)], 2),
            _ => {}
        }
        let mut frame = hello.to_frame().expect("it can be said");
        match number % 8 {
            3 => frame.flags = FrameFlags::from_bits_retain(number & 0xfe),
            7 => frame.body = spoilt(&frame.body, number / 8),
            _ => {}
        }
        frame
    }

    /// What the other end says last.
    fn close(number: u8) -> Frame {
        let text = Text::fitting(["", "bye"][usize::from(number % 2)]);
        let types = [&[][..], &[3], &[0xffff], &[]][usize::from(number / 2) % 4];
        let close = Close { reason: CloseReason(number.into()), text, extensions: extensions(types, 1) };
        let mut frame = close.to_frame().expect("it can be said");
        if number % 8 == 7 {
            frame.body = spoilt(&frame.body, number / 8);
        }
        frame
    }
}

/// A body with something wrong.
fn spoilt(body: &Bytes, number: u8) -> Bytes {
    let mut spoilt = body.to_vec();
    match number % 4 {
        0 => spoilt.truncate(usize::from(number) % body.len()),
        1 => spoilt[..4.min(body.len())].fill(0xff),
        2 => spoilt.extend([0, 1, 0]),
        _ => spoilt.extend([0x80, 0, 0, 0]),
    }
    spoilt.into()
}

impl Subject for LinkSubject {
    on_trial!(subject Link, Input::Closed);

    fn machine(&mut self, choices: &mut Choices<'_>) -> Link {
        self.config = config(choices);
        Link::new(self.config.clone(), Instant::ZERO)
    }

    fn is_terminal(machine: &Link) -> bool {
        machine.state() == State::Closed
    }

    fn observe(&mut self, output: &Output) {
        if let Output::Event(Event::Ready(settled)) = output {
            self.takes = settled.peer.max_body;
        }
    }

    fn wind_down(&mut self, machine: &Link) -> Option<Input> {
        // What has no deadline ends when the transport does.
        (machine.state() == State::Ready).then_some(Input::Closed)
    }
}

impl Trial for LinkSubject {
    on_trial!(trial Link, LinkOp, LinkModel);

    fn forward(&self, number: u8, machine: &Link) -> LinkOp {
        match (machine.state(), number % 8) {
            (State::Opening, _) => LinkOp::Open,
            (State::Greeting, _) => LinkOp::Hello((number & !7) + number % 4),
            (State::Ready, 0..=2) => LinkOp::Frame { protocol: number / 8, size: number / 8 % 4 },
            (State::Ready, 3..=5) => LinkOp::Send { protocol: number / 8, size: number / 8 % 4 },
            (State::Ready, 6) => LinkOp::Own(number & !1),
            (State::Ready, _) if number < 240 => LinkOp::Timeout,
            (State::Ready, _) => LinkOp::Close(number % 7),
            (State::Closed, _) => LinkOp::Timeout,
        }
    }

    fn resolve(&mut self, op: &LinkOp) -> Input {
        match *op {
            // No further than one step.
            LinkOp::Forward(_) | LinkOp::Timeout => Input::Timeout,
            LinkOp::Open => Input::Opened,
            LinkOp::Hello(number) => Input::Frame(self.hello(number)),
            LinkOp::Close(number) => Input::Frame(Self::close(number)),
            LinkOp::Own(number) => Input::Frame(Frame {
                protocol: Protocol::LINK,
                kind: [0, 3, 4, 255][usize::from(number / 2) % 4],
                flags: FrameFlags::from_bits_retain(number),
                body: Bytes::new(),
            }),
            LinkOp::Frame { protocol, size } => {
                let most = self.config.hello.max_body.min(self.config.limits.frame.max(Hello::LEAST_BODY));
                Input::Frame(self.frame(protocol, size, most))
            }
            LinkOp::Send { protocol, size } => Input::Send(self.frame(protocol, size, self.takes)),
            LinkOp::Refuse(number) => Input::Malformed(match number % 4 {
                0 => DecodeError::limit("Header", "length", "frame", 10, 11),
                1 => DecodeError::unsupported("Header", "version", "tomorrow's", 2),
                2 => DecodeError::invalid("Header", "kind", "another message", 1),
                _ => DecodeError::short("Hello", "boot", 4, 0),
            }),
            LinkOp::Lose => Input::Closed,
            LinkOp::CloseLocal(number) => {
                let size = if number % 8 == 7 { 8186 + usize::from(number / 8 % 8) } else { 2 };
                let types = [&[][..], &[1], &[0x8000]][usize::from(number) % 3];
                let types = if size > 2 { &[1] } else { types };
                let text = Text::fitting(["", "enough"][usize::from(number) % 2]);
                Input::Close(Close { reason: CloseReason(number.into()), text, extensions: extensions(types, size) })
            }
        }
    }

    fn model(&self, _machine: &Link) -> LinkModel {
        LinkModel::new(self.config.clone())
    }
}
