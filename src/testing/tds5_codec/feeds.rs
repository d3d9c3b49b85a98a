//! Ways of feeding a connection, which must all give the same.

use crate::error::DecodeError;
use crate::limits::Tds5Limits;
use crate::tds5::connection::{ClientConnection, Item, ServerConnection};
use crate::tds5::login::{Login, LoginRecord};
use crate::tds5::migration::Options;
use crate::tds5::stream::{MessageStream, Sender};
use crate::wire::{ByteOrder, Framer, StreamDecode as _};
use bytes::BytesMut;
use std::boxed::Box;
use std::vec::Vec;

/// The end of a connection that reads what a sender says.
pub(super) enum End {
    Client(Box<ClientConnection>),
    Server(Box<ServerConnection>),
}

impl End {
    /// The other end of `sender`'s, with a client that has said its byte order.
    pub(super) fn new(sender: Sender, order: ByteOrder, limits: Tds5Limits, options: Options) -> Self {
        if sender == Sender::Client {
            return Self::Server(Box::new(ServerConnection::new(limits, options)));
        }
        let mut client = ClientConnection::new(limits, options);
        let login = Login::new(LoginRecord::new(order), true);
        client.login(&login, &mut BytesMut::new()).expect("it is ours");
        Self::Client(Box::new(client))
    }

    fn receive(&mut self, data: &[u8]) {
        match self {
            Self::Client(client) => client.receive(data),
            Self::Server(server) => server.receive(data),
        }
    }

    fn next_item(&mut self) -> Result<Option<Item>, DecodeError> {
        match self {
            Self::Client(client) => client.next_item(),
            Self::Server(server) => server.next_item(),
        }
    }

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<Item>, DecodeError> {
        match self {
            Self::Client(client) => client.decode_next(src),
            Self::Server(server) => server.decode_next(src),
        }
    }
}

/// What came, and how it ended: message, field and kind of the error. (Its numbers may be about what had come.)
pub(super) type Fed = (Vec<Item>, Option<(&'static str, &'static str, &'static str)>);

fn kind(error: DecodeError) -> (&'static str, &'static str, &'static str) {
    (error.message, error.field, error.kind.name())
}

/// Everything in one piece.
pub(super) fn whole(end: End, stream: &[u8]) -> Fed {
    in_pieces(end, [stream])
}

fn in_pieces<'b>(mut end: End, pieces: impl IntoIterator<Item = &'b [u8]>) -> Fed {
    let mut items = Vec::new();
    for piece in pieces {
        end.receive(piece);
        loop {
            match end.next_item() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => {
                    end.receive(&[4, 1, 0, 8, 0, 0, 0, 0]);
                    assert_eq!(end.next_item(), Err(error), "an error stays");
                    return (items, Some(kind(error)));
                }
            }
        }
        assert_eq!(end.next_item(), Ok(None), "it needed more, and then did not although nothing had come");
    }
    (items, None)
}

/// From a buffer that is the caller's.
fn from_buffer<'b>(mut end: End, pieces: impl IntoIterator<Item = &'b [u8]>) -> Fed {
    let (mut src, mut items) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        src.extend_from_slice(piece);
        loop {
            match end.decode_next(&mut src) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(kind(error))),
            }
        }
    }
    (items, None)
}

/// Contract line 4 on a live connection: in one piece, cut, byte by byte, pushed or from the caller's buffer. What
/// came.
pub(super) fn feeds(make: impl Fn() -> End, stream: &[u8], cuts: &[usize]) -> Fed {
    let fed = whole(make(), stream);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([0, stream.len()]).collect();
    cuts.sort_unstable();
    let pieces = || cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
    assert_eq!(in_pieces(make(), pieces()), fed, "cut at {cuts:?}");
    assert_eq!(in_pieces(make(), stream.chunks(1)), fed, "byte by byte");
    assert_eq!(from_buffer(make(), [stream]), fed, "from a buffer");
    assert_eq!(from_buffer(make(), pieces()), fed, "from a buffer, cut at {cuts:?}");
    fed
}

/// `needed` is honest: with fewer bytes than it asks for, the decoder has nothing to say. (A [`Framer`] relies on it,
/// and would else keep an error back until a packet is whole.)
pub(super) fn honest(mut decoder: MessageStream, stream: &[u8]) {
    let mut src = BytesMut::new();
    for byte in stream {
        src.extend_from_slice(&[*byte]);
        loop {
            let (have, needed) = (src.len(), decoder.needed(&src));
            match decoder.decode_next(&mut src) {
                Ok(None) => break,
                Ok(Some(piece)) => assert!(have >= needed, "{needed} bytes are needed, and {have} say {piece:?}"),
                Err(error) => {
                    assert!(have >= needed, "{needed} bytes are needed, and {have} say {error}");
                    return;
                }
            }
        }
    }
}

/// M13: what is held was pushed, and no announced length makes room for more.
pub(super) fn bounded(decoder: MessageStream, stream: &[u8]) {
    let mut framer = Framer::new(decoder);
    for (pushed, byte) in (1..).zip(stream) {
        framer.push(&[*byte]);
        let mut items = 0;
        loop {
            let held = framer.buffered() + framer.decoder().begun();
            assert!(held <= pushed, "M13: {held} bytes are held of {pushed} pushed");
            match framer.next_item() {
                Ok(Some(_)) => items += 1,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!((framer.next_item(), framer.buffered()), (Err(error), 0), "an error stays");
                    return;
                }
            }
            assert!(items <= 8 * pushed + 8, "items come out of nothing");
        }
        assert!(framer.buffer_mut().capacity() <= 2 * stream.len() + 64, "M13: it grows with what is pushed");
    }
}
