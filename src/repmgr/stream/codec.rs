//! `Decoder` and `Encoder` over a connection's messages.

use super::MessageStream;
use crate::repmgr::message::Message;
use crate::wire::{CodecError, Encode, StreamDecode};
use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
impl Decoder for MessageStream {
    type Item = Message;
    type Error = CodecError;

    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Message>, CodecError> {
        Ok(self.decode_next(src)?)
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Message>, CodecError> {
        match self.decode_next(src)? {
            None if !src.is_empty() => Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            message => Ok(message),
        }
    }
}

/// What is sent is the other direction of the connection: it does not change what may come.
#[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
impl Encoder<Message> for MessageStream {
    type Error = CodecError;

    fn encode(&mut self, message: Message, dst: &mut BytesMut) -> Result<(), CodecError> {
        Ok(message.encode_to(dst)?)
    }
}
