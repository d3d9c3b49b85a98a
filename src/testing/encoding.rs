//! The contract of [`Encode`], as a check.

use crate::error::EncodeError;
use crate::wire::Encode;
use bytes::BytesMut;
use std::vec::Vec;

/// What every value keeps to that can be encoded: the size is exact, a short buffer is refused and left alone, and all ways
/// of encoding give the same bytes. Those bytes.
///
/// ```
/// use handover::frame::{Header, FrameFlags, Protocol};
/// use handover::testing::check_encoding;
///
/// let header = Header { length: 3, protocol: Protocol::GROUP, kind: 6, flags: FrameFlags::empty() };
/// assert_eq!(check_encoding(&header), [0, 0, 0, 3, 1, 2, 6, 0]);
/// ```
///
/// # Panics
/// It does not, or it cannot be encoded.
pub fn check_encoding(value: &impl Encode) -> Vec<u8> {
    let bytes = value.to_vec().expect("it can be encoded");
    assert_eq!(bytes.len(), value.encoded_len(), "the size");
    let mut room = std::vec![0xa5; bytes.len() + 3];
    assert_eq!(value.encode(&mut room), Ok(bytes.len()), "into a slice");
    assert_eq!((&room[..bytes.len()], &room[bytes.len()..]), (&bytes[..], &[0xa5; 3][..]), "into a slice");
    if let Some(got) = bytes.len().checked_sub(1) {
        let needed = bytes.len();
        room.fill(0xa5);
        assert_eq!(value.encode(&mut room[..got]), Err(EncodeError::ShortBuffer { needed, got }), "a short slice");
        assert!(room.iter().all(|byte| *byte == 0xa5), "nothing may be written on error");
    }
    let mut behind = BytesMut::from(&b"before"[..]);
    value.encode_to(&mut behind).expect("it can be encoded");
    assert_eq!((&behind[..6], &behind[6..]), (&b"before"[..], &bytes[..]), "behind a buffer");
    bytes
}

/// What every value keeps to that cannot be encoded: wherever it was to go, everything is as it was. Why it cannot be.
///
/// # Panics
/// It can be encoded, or is written in part.
#[track_caller]
pub fn check_unencodable(value: &impl Encode) -> EncodeError {
    let mut room = [0xa5; 64];
    let error = value.encode(&mut room).expect_err("it cannot be encoded");
    assert!(!matches!(error, EncodeError::ShortBuffer { .. }), "{error}");
    assert_eq!(room, [0xa5; 64], "nothing may be written on error");
    let mut behind = BytesMut::from(&b"before"[..]);
    assert_eq!(value.encode_to(&mut behind), Err(error), "behind a buffer");
    assert_eq!(&behind[..], b"before", "nothing may be written on error");
    assert_eq!(value.to_vec(), Err(error), "as a vector");
    error
}
