//! Generators of values.

use crate::frame::{
    Capabilities, Close, CloseReason, Extension, ExtensionType, Extensions, Frame, FrameFlags, Header, Hello, Identity,
    Offer, Protocol, Text, VersionRange,
};
use crate::testing::Choices;
use std::string::String;
use std::vec::Vec;

/// A protocol, half of the time one with a name.
pub fn protocol(choices: &mut Choices<'_>) -> Protocol {
    let number = choices.byte();
    if number < 128 { Protocol(number % 4) } else { Protocol(choices.byte()) }
}

/// Any flags.
pub fn flags(choices: &mut Choices<'_>) -> FrameFlags {
    let bits = choices.byte();
    FrameFlags::from_bits_retain(if bits < 128 { bits % 2 } else { bits })
}

/// The header of any frame, its length not within any limit.
pub fn header(choices: &mut Choices<'_>) -> Header {
    Header { length: choices.edge_u32(), protocol: protocol(choices), kind: choices.byte(), flags: flags(choices) }
}

/// Any frame, its body within the default limits.
pub fn frame(choices: &mut Choices<'_>) -> Frame {
    let most = [300, 300, 300, 8192][choices.below(4)];
    Frame { protocol: protocol(choices), kind: choices.byte(), flags: flags(choices), body: choices.bytes(most).into() }
}

/// A text, now and then as long as one can be.
pub fn text(choices: &mut Choices<'_>) -> Text {
    if choices.one_in(16) {
        let character = *choices.pick(&['x', 'é', '漢', '🦀']);
        return Text::fitting(&String::from_iter([character; 256]));
    }
    if choices.boolean() {
        return Text::EMPTY;
    }
    Text::new(choices.text(60)).expect("sixty characters without a control character fit")
}

/// An identity, or none.
pub fn identity(choices: &mut Choices<'_>) -> Identity {
    Identity::new(choices.bytes(Identity::MAX)).expect("it is short")
}

/// Any capabilities.
pub fn capabilities(choices: &mut Choices<'_>) -> Capabilities {
    Capabilities::from_bits_retain(choices.edge_u64())
}

/// Offers of up to 255 protocols, mostly of few.
pub fn offers(choices: &mut Choices<'_>) -> Vec<Offer> {
    let count = if choices.one_in(32) { 255 } else { choices.below(6) };
    let mut offers: Vec<Offer> = Vec::new();
    for number in 0..count {
        let protocol = if count == 255 { Protocol(255 - number as u8) } else { protocol(choices) };
        if protocol == Protocol::LINK || offers.iter().any(|offer| offer.protocol == protocol) {
            continue;
        }
        let mut ends = [choices.edge_u16(), choices.edge_u16()];
        ends.sort_unstable();
        let versions = VersionRange { min: ends[0], max: ends[1] };
        offers.push(Offer { protocol, versions, capabilities: capabilities(choices) });
    }
    offers
}

fn list(choices: &mut Choices<'_>, ty: impl Fn(u16) -> u16) -> Extensions {
    let count = choices.below(5).saturating_sub(1);
    let list: Vec<(u16, Vec<u8>)> = (0..count).map(|_| (ty(choices.edge_u16()), choices.bytes(40))).collect();
    let list = list.iter().map(|(ty, value)| Extension { ty: ExtensionType(*ty), value });
    Extensions::new(list).expect("every value is short")
}

/// Extensions that nobody has to understand.
pub fn extensions(choices: &mut Choices<'_>) -> Extensions {
    list(choices, |ty| ty & 0x7fff)
}

/// Any extensions. One that must be understood keeps a message from being read.
pub fn critical_extensions(choices: &mut Choices<'_>) -> Extensions {
    list(choices, |ty| ty)
}

/// A hello that can be said and read.
pub fn hello(choices: &mut Choices<'_>) -> Hello {
    Hello {
        max_body: choices.edge_u32().max(Hello::LEAST_BODY),
        boot: choices.edge_u32(),
        identity: identity(choices),
        agent: text(choices),
        offers: offers(choices),
        extensions: extensions(choices),
    }
}

/// Why a link is closed, known or not.
pub fn close_reason(choices: &mut Choices<'_>) -> CloseReason {
    CloseReason(if choices.boolean() { choices.edge_u16() } else { u16::from(choices.byte() % 11) })
}

/// A close that can be said and read.
pub fn close(choices: &mut Choices<'_>) -> Close {
    Close { reason: close_reason(choices), text: text(choices), extensions: extensions(choices) }
}
