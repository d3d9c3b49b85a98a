//! One direction of a connection from its first byte on.

use super::handshake::{confirmation, legacy, parameters, proposal, version};
use super::messages::established;
use super::own::own_message;
use crate::limits::RepmgrLimits;
use crate::repmgr::Version;
use crate::repmgr::handshake::{Handshake, VersionRange};
use crate::repmgr::message::Message;
use crate::repmgr::stream::{MessageStream, Side};
use crate::testing::Choices;
use crate::wire::Encode as _;
use std::vec::Vec;

/// All that one end of a connection sends.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Which end; `None`: either, behind the handshakes.
    pub side: Option<Side>,
    /// The version that it comes to.
    pub version: Version,
    /// The messages.
    pub messages: Vec<Message>,
}

impl Conversation {
    /// The bytes of the stream.
    ///
    /// # Panics
    /// A message cannot be encoded.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let encoded = |message: &Message| message.to_vec().unwrap_or_else(|error| panic!("{message:?}: {error}"));
        self.messages.iter().flat_map(encoded).collect()
    }

    /// A decoder for it, of somebody who speaks all versions.
    #[must_use]
    pub const fn decoder(&self, limits: &RepmgrLimits) -> MessageStream {
        match self.side {
            Some(side) => MessageStream::new(side, VersionRange::ALL, limits),
            None => MessageStream::established(self.version, limits),
        }
    }
}

/// What a dialler, a listener or either of them could say.
pub fn conversation(choices: &mut Choices<'_>) -> Conversation {
    let side = *choices.pick(&[Some(Side::Dialler), Some(Side::Listener), None]);
    let mut version = if choices.one_in(16) { Version::V1 } else { version(choices) };
    let mut messages: Vec<Message> = Vec::new();
    let mut say = |step: Handshake| messages.push(step.into());
    match side {
        Some(_) if version == Version::V1 => say(legacy(choices).into()),
        Some(Side::Dialler) => {
            // A site may ask for membership in place of its parameters, if the version is 4.
            let asks = choices.one_in(8);
            if asks {
                version = Version::V4;
            }
            say(proposal(version, choices).into());
            if asks {
                messages.push(own_message(choices).into());
            } else {
                say(parameters(version, choices).into());
            }
            for _ in 0..choices.below(4).saturating_sub(1) {
                messages.insert(0, Message::Heartbeat(None));
            }
        }
        Some(Side::Listener) => say(confirmation(version, choices).into()),
        None => {}
    }
    for _ in 0..choices.below(6) {
        messages.push(established(version, choices));
    }
    Conversation { side, version, messages }
}
