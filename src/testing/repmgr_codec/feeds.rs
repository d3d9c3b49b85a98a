//! Ways of feeding a stream, which must all give the same.

use crate::error::DecodeError;
use crate::repmgr::ErrorCode;
use crate::repmgr::message::{Message, ResponseError};
use crate::repmgr::stream::MessageStream;
use crate::wire::{Encode as _, Framer, StreamDecode as _};
use bytes::BytesMut;
use std::vec::Vec;

/// What came, and the error that ended it.
pub(super) type Fed = (Vec<Message>, Option<DecodeError>);

/// P5 with a buffer of its own: pushed in these pieces.
pub(super) fn framed<'b>(decoder: MessageStream, pieces: impl IntoIterator<Item = &'b [u8]>) -> Fed {
    let (mut framer, mut messages) = (Framer::new(decoder), Vec::new());
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next_item() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => {
                    framer.push(&[7, 0, 0, 0, 1, 0, 0, 0, 0]);
                    assert_eq!((framer.next_item(), framer.buffered()), (Err(error), 0), "an error stays");
                    return (messages, Some(error));
                }
            }
        }
        assert_eq!(framer.next_item(), Ok(None), "it needed more, and then did not although nothing had come");
    }
    (messages, None)
}

/// P4: what is held was pushed, no announced length makes room for more, and `needed` is honest: with fewer bytes
/// than it asks for, the decoder has nothing to say.
pub(super) fn bounded(mut decoder: MessageStream, stream: &[u8]) {
    let mut src = BytesMut::new();
    for byte in stream {
        src.extend_from_slice(&[*byte]);
        loop {
            let (have, needed) = (src.len(), decoder.needed(&src));
            match decoder.decode_next(&mut src) {
                Ok(None) => {
                    assert!(needed > have, "P5: it has {have} bytes and needs {needed}, and says nothing");
                    break;
                }
                Ok(Some(message)) => assert!(have >= needed, "P5: {needed} are needed, and {have} say {message:?}"),
                Err(error) => {
                    assert!(have >= needed, "P5: {needed} are needed, and {have} say {error}");
                    return;
                }
            }
            assert!(src.capacity() <= 2 * stream.len() + 64, "P4: it grows with what is pushed");
        }
    }
}

/// Every message that was accepted is written as it came; what no site could bear is not written. The lengths.
pub(super) fn reproduces(messages: &[Message], stream: &[u8]) -> Vec<usize> {
    let (mut lengths, mut rest) = (Vec::new(), stream);
    for message in messages {
        let length = message.encoded_len();
        assert!(length <= rest.len(), "P1: {message:?} is {length} bytes of {}", rest.len());
        let (came, behind) = rest.split_at(length);
        match message {
            Message::Error(ResponseError { code: ErrorCode::NONE, .. }) => {
                assert_eq!((message.to_vec().is_err(), &came[..5]), (true, &[7, 0, 0, 0, 0][..]), "P16");
            }
            _ => {
                let written = message.to_vec().unwrap_or_else(|error| panic!("P1: {message:?} came: {error}"));
                assert!(written == came, "P1: {message:?} is {written:?}, not {came:?}");
            }
        }
        assert_eq!(message.ty().0, came[0], "P1: {message:?}");
        let _ = (std::format!("{message:?}"), message.name());
        lengths.push(length);
        rest = behind;
    }
    lengths
}
