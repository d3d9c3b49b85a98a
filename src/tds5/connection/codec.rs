//! `Decoder` and `Encoder` over a connection's items.

use super::{ClientConnection, Item, ServerConnection};
use crate::wire::{CodecError, StreamDecode};
use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

macro_rules! codec {
    ($connection:ident) => {
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
        impl Decoder for $connection {
            type Item = Item;
            type Error = CodecError;

            fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Item>, CodecError> {
                Ok(self.decode_next(src)?)
            }

            fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Item>, CodecError> {
                match self.decode_next(src)? {
                    // Packets of a message that has not ended were taken off already.
                    None if !src.is_empty() || self.incoming.in_message() => {
                        Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
                    }
                    item => Ok(item),
                }
            }
        }

        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-util")))]
        impl Encoder<Item> for $connection {
            type Error = CodecError;

            fn encode(&mut self, item: Item, dst: &mut BytesMut) -> Result<(), CodecError> {
                Ok(self.encode_item(&item, dst)?)
            }
        }
    };
}

codec!(ClientConnection);
codec!(ServerConnection);
