//! The oracles of [`native`], for messages of this protocol: each panics with the name of the property (spec/deferral.md
//! 8: D13) that does not hold.

use super::reference::{self, Part, Reader, Refused};
use crate::deferral::message::Message;
use crate::deferral::{MessageKind, ServerUri};
use crate::frame::Frame;
use crate::testing::{Choices, native};
use std::format;
use std::vec::Vec;

impl native::Subject for Message {
    const PROPERTY: &'static str = "D13";

    type Part = Part;

    fn kind_name(kind: u8) -> Option<&'static str> {
        MessageKind(kind).name()
    }

    fn any(choices: &mut Choices<'_>) -> Self {
        super::message(choices)
    }

    fn odd(choices: &mut Choices<'_>) -> (u8, Vec<u8>) {
        super::odd_message(choices)
    }

    fn read(kind: u8, flags: u8, body: &[u8], reader: Reader) -> Result<Option<Vec<Part>>, Refused> {
        reference::message(kind, flags, body, reader)
    }

    fn parts(&self) -> Option<Vec<Part>> {
        reference::parts(self)
    }

    /// What is said of a URI is in its text.
    fn check_read(&self) {
        let uris: Vec<&ServerUri> = match self {
            Self::Request(request) => request.referrer.iter().collect(),
            Self::Defer(defer) => defer.alternates.iter().map(|alternate| &alternate.uri).collect(),
            _ => Vec::new(),
        };
        uris.into_iter().for_each(check_uri);
    }
}

/// One message, or one direction of a link, of anybody.
///
/// The first byte chooses: a message's kind, flags and body; the same out of a generator; cuts and a stream; cuts and
/// decisions of a generator of [`stream`](fn@super::stream)s. Every message is then cut in many places,
/// and its URIs are read once more.
///
/// # Panics
/// Something is not read as [`reference`](mod@reference) reads it, a way of cutting gives something else, or what was
/// accepted is not written back byte for byte (D13).
pub fn run_messages(bytes: &[u8]) {
    native::run_messages::<Message>(bytes);
}

/// A frame as the codec reads it, beside [`reference`](mod@reference).
///
/// # Panics
/// They differ, or what was accepted is not written back byte for byte (D13).
pub fn check_message(frame: &Frame) {
    native::check_message::<Message>(frame);
}

/// The parts of a URI make up its text, and its text is how it is read.
///
/// # Panics
/// They do not.
pub fn check_uri(uri: &ServerUri) {
    let text = uri.as_str();
    assert!(reference::is_canonical_uri(text.as_bytes()), "D13: {text} is not the canonical spelling");
    assert_eq!(text.parse().as_ref(), Ok(uri), "D13: a URI");
    let [scheme, host, path] = [uri.scheme(), uri.host(), uri.path()];
    let host = if host.contains(':') { format!("[{host}]") } else { host.into() };
    let spelled = [format!("{scheme}://{host}:{}{path}", uri.port()), format!("{scheme}://{host}{path}")];
    assert!(spelled.iter().any(|spelled| spelled == text), "D13: {text} is not {spelled:?}");
    assert!(uri.same_origin(uri) && uri.is_as_strong_as(uri));
}

/// A message through its bytes and back.
///
/// # Panics
/// It is not the same, or a size is not what was said (D13).
pub fn run_roundtrip(bytes: &[u8]) {
    native::run_roundtrip::<Message>(bytes);
}
