//! What `--verify` says when a message is not reproduced. No codec here gives it a reason to, so a protocol of
//! this file's own does: bytes, each a message.

use crate::decode::Direction;
use crate::input::Stream;
use crate::record::{Fields, Head, Record};
use bytes::{Buf, BytesMut};
use handover::error::{DecodeError, EncodeError};
use handover::wire::StreamDecode;

struct Bytewise;

impl StreamDecode for Bytewise {
    type Item = u8;

    fn decode_next(&mut self, src: &mut BytesMut) -> Result<Option<u8>, DecodeError> {
        match src.first() {
            Some(0xff) => Err(DecodeError::invalid("Bytewise", "byte", "must not be 255", 255)),
            Some(_) => Ok(Some(src.get_u8())),
            None => Ok(None),
        }
    }
}

/// Everything in `bytes`, when each byte is written back as `encode` says.
fn records(bytes: &[u8], verify: bool, encode: impl Fn(u8) -> Result<Vec<u8>, EncodeError>) -> Vec<String> {
    let stream = Stream { dir: "c2s".to_owned(), bytes: bytes.to_vec(), hole: None };
    let mut direction = Direction::new(Bytewise, &stream, verify);
    while let Some(byte) = direction.next_item() {
        assert_eq!(direction.frame(), [byte]);
        let head = Head { name: "Byte", ty: None, size: None, sub: false, fields: Fields::default() };
        direction.push(head, || encode(byte));
    }
    let faults = direction.finish(None).into_iter().filter_map(|record| match record {
        Record::Error { offset, error } => Some(format!("{offset} {} {}: {}", error.kind, error.field, error.reason)),
        _ => None,
    });
    faults.collect()
}

#[test]
fn what_is_reproduced_is_well() {
    assert!(records(&[1, 2, 3], true, |byte| Ok(vec![byte])).is_empty());
}

#[test]
fn what_is_not_is_named_and_the_stream_goes_on() {
    let encode = |byte| match byte {
        2 => Ok(vec![0]),
        3 => Ok(vec![3, 0]),
        4 => Err(EncodeError::ShortBuffer { needed: 2, got: 1 }),
        other => Ok(vec![other]),
    };
    assert_eq!(
        records(&[1, 2, 3, 4, 5, 255, 6], true, encode),
        [
            "1 verify bytes: 1 bytes came, encoding gives 1, they differ from byte 0 on",
            "2 verify bytes: 1 bytes came, encoding gives 2, they differ from byte 1 on",
            "3 verify bytes: cannot be encoded: the buffer has 1 bytes, 2 are needed",
            "5 invalid byte: must not be 255 (got 255)",
        ]
    );
    // Only if that was asked for.
    assert_eq!(records(&[1, 2, 3, 4], false, encode), [""; 0]);
}
