//! Tables of segments (spec/repmgr.md 3.1 and 3.5): each of these has crashed a libdb site, or made it tell what was
//! in its memory.

use super::{APP_MESSAGE, LIMITS, assert_invalid, error, header, limit, message, messages, ready, short, taken, waits};
use bytes::Bytes;
use handover::error::DecodeError;
use handover::repmgr::message::{AppMessage, AppResponse, Message};
use handover::repmgr::stream::MessageStream;
use handover::repmgr::{MessageFlags, Segments, Version};
use handover::wire::{Encode, StreamDecode};

/// A data area, then words, then metadata of nothing.
fn body(area: &[u8], words: &[u32]) -> Vec<u8> {
    [area, &words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>(), &[0; 12]].concat()
}

const END: u32 = u32::MAX;

/// The error of a message; the same from its body alone, and behind other messages.
#[track_caller]
fn refused(count: u32, body: &[u8]) -> DecodeError {
    let bytes = message(APP_MESSAGE, body, count);
    let error = error(&bytes);
    if let Err(alone) = AppMessage::parse(count, Bytes::copy_from_slice(body)) {
        assert_eq!(alone.message, error.message);
    } else {
        panic!("accepted by itself: {error}");
    }
    error
}

#[track_caller]
fn parts_of(count: u32, body: &[u8]) -> Vec<Vec<u8>> {
    let Message::App(message) = taken(&message(APP_MESSAGE, body, count)) else { panic!("an APP_MESSAGE") };
    message.segments.slices().map(<[u8]>::to_vec).collect()
}

#[test]
fn bodies_too_short_for_metadata_and_an_end() {
    for size in 0..16_u32 {
        // The header tells.
        let expected = short("AppMessage", "segments", 16, size.into());
        assert_eq!(error(&header(APP_MESSAGE, size, 0)), expected);
        assert_eq!(refused(0, &vec![0xff; size as usize]), expected);
    }
    assert_eq!(AppMessage::parse(0, Bytes::from_static(&[0; 11])), Err(short("AppMessage", "metadata", 12, 11)));
    assert_eq!(parts_of(0, &body(b"", &[END])), Vec::<Vec<u8>>::new());
    // 12 bytes and no end.
    assert_eq!(refused(0, &[0; 12]), short("AppMessage", "segments", 16, 12));
}

#[test]
fn counts_that_lie() {
    let one = body(b"hello\0\0\0", &[END, 5, 0]);
    assert_eq!(parts_of(1, &one), [b"hello"]);
    // More than there is room for: the header tells.
    for count in [3, 5, 6, 1000, 0x0fff_ffff, 0x1fff_ffff, 0x2000_0000, u32::MAX] {
        let (needed, left) = (16 + 8 * u64::from(count), one.len() as u64);
        assert_eq!(refused(count, &one), short("AppMessage", "segments", needed, left), "{count}");
        assert_eq!(error(&header(APP_MESSAGE, 32, count)), short("AppMessage", "segments", needed, 32), "{count}");
    }
    // Fewer, or more than there are, where there is room.
    assert_invalid(&refused(0, &one), "AppMessage", "terminator", 0);
    assert_invalid(&refused(2, &one), "AppMessage", "terminator", u64::from(u32::from_be_bytes(*b"hell")));
    let two = body(&[7; 16], &[END, 5, 8, 5, 0]);
    assert_eq!(parts_of(2, &two).len(), 2);
    assert_invalid(&refused(1, &two), "AppMessage", "terminator", 8);
    assert_invalid(&refused(0, &two), "AppMessage", "terminator", 0);
    assert_invalid(&refused(3, &two), "AppMessage", "terminator", 0x0707_0707);
    // An end that a longer table has for an offset is no end.
    assert_invalid(&refused(2, &body(&[7; 8], &[END, 1, END, 1, 0])), "AppMessage", "offset", END.into());
}

#[test]
fn tables_without_an_end() {
    for word in [0, 1, END - 1, 0x7fff_ffff] {
        assert_invalid(&refused(1, &body(b"hello\0\0\0", &[word, 5, 0])), "AppMessage", "terminator", word.into());
        assert_invalid(&refused(0, &body(b"", &[word])), "AppMessage", "terminator", word.into());
    }
    let block = |words: &[u32]| {
        let bytes = body(b"", words);
        Segments::parse(&Bytes::copy_from_slice(&bytes[..bytes.len() - 12]))
    };
    assert_eq!(block(&[]), Err(short("Segments", "terminator", 4, 0)));
    assert_eq!(block(&[1]), Err(short("Segments", "size", 4, 0)));
    assert_eq!(block(&[1, 2]), Err(short("Segments", "terminator", 4, 0)));
    assert_eq!(block(&[1, 2, 3]), Err(short("Segments", "size", 4, 0)));
    assert_eq!(block(&[END]).map(|segments| segments.len()), Ok(0));
    // An answer with bytes of any kind is one all the same; only who wants segments looks for them.
    for bytes in [&b""[..], b"abc", b"12", &[0xff; 3]] {
        let answer = AppResponse::single(1, Bytes::copy_from_slice(bytes));
        taken(&answer.to_vec().unwrap());
        assert!(answer.segments().is_err());
    }
}

/// Offset and size are added in 64 bits.
#[test]
fn segments_outside() {
    for (size, offset, field, got) in [
        (5000, 0, "size", 5000),
        (9, 0, "size", 9),
        (8, 1, "size", 8),
        (1, 8, "size", 1),
        (0, 9, "offset", 9),
        (1, 0x7fff_ffff, "offset", 0x7fff_ffff),
        (0, END - 1, "offset", 0xffff_fffe),
        (2, END - 1, "offset", 0xffff_fffe),
        (END, 1, "size", 0xffff_ffff),
        (END, 0, "size", 0xffff_ffff),
        (0x8000_0000, 0x8000_0000, "offset", 0x8000_0000),
    ] {
        let error = refused(1, &body(&[7; 8], &[END, size, offset]));
        assert_invalid(&error, "AppMessage", field, got);
        let block = [&[7; 8][..], &END.to_be_bytes(), &size.to_be_bytes(), &offset.to_be_bytes()].concat();
        assert_invalid(&Segments::parse(&block.into()).unwrap_err(), "Segments", field, got);
    }
    // The table is not part of the data area.
    assert_invalid(&refused(1, &body(b"", &[END, 4, 0])), "AppMessage", "size", 4);
    // Of many, one is enough.
    assert_invalid(&refused(2, &body(&[7; 8], &[END, 4, 5, 4, 0])), "AppMessage", "size", 4);
    assert_eq!(parts_of(1, &body(&[7; 8], &[END, 8, 0])), [[7; 8]]);
    assert_eq!(parts_of(1, &body(&[7; 8], &[END, 0, 8])), [[0; 0]]);
}

/// Nobody makes a small message look large.
#[test]
fn segments_that_overlap() {
    assert_eq!(parts_of(2, &body(b"abcdefgh", &[END, 4, 2, 4, 0])), [b"abcd", b"cdef"]);
    assert_eq!(parts_of(2, &body(b"abcdefgh", &[END, 4, 0, 4, 0])), [b"abcd", b"abcd"]);
    assert_invalid(&refused(2, &body(b"abcdefgh", &[END, 4, 0, 5, 0])), "AppMessage", "size", 9);
    let many: Vec<u32> = [END].into_iter().chain([8, 0].repeat(1000)).collect();
    assert_invalid(&refused(1000, &body(b"abcdefgh", &many)), "AppMessage", "size", 8000);
}

/// Nothing is assumed about alignment, order or what lies between segments.
#[test]
fn odd_tables_that_are_taken() {
    let unaligned = body(b"helloworld!\0abc", &[END, 3, 12, 6, 5, 5, 0]);
    assert_eq!(parts_of(3, &unaligned), [&b"hello"[..], b"world!", b"abc"]);
    assert_eq!(parts_of(1, &body(b"\xee\xee\xeehi\xee", &[END, 2, 3])), [b"hi"]);
    assert_eq!(parts_of(2, &body(b"second.first", &[END, 6, 0, 5, 7])), [&b"first"[..], b"second"]);
    let empties = body(b"x", &[END, 0, 1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(parts_of(4, &empties), [&b""[..], b"", b"x", b""]);
    assert_eq!(parts_of(0, &body(b"nobody points here", &[END])), Vec::<Vec<u8>>::new());
    // All ones in the data area, right before the end.
    assert_eq!(parts_of(1, &body(&[0xff; 8], &[END, 8, 0])), [[0xff; 8]]);
}

#[test]
fn flags_that_are_not_known_or_say_nothing() {
    for (tag, limit, flags) in [(0, 0, 0xffff_ffff), (7, 9, 0), (1, 2, 4), (0, 0, 1), (u32::MAX, u32::MAX, 0x8000_0002)]
    {
        let metadata = [tag, limit, flags].map(u32::to_be_bytes).concat();
        let bytes = message(APP_MESSAGE, &[&END.to_be_bytes()[..], &metadata].concat(), 0);
        let Message::App(message) = taken(&bytes) else { panic!("an APP_MESSAGE") };
        assert_eq!((message.tag, message.limit, message.flags.bits()), (tag, limit, flags));
        let wanted = message.wanted();
        assert_eq!(wanted.is_some(), flags & 2 != 0, "without REQUEST the others mean nothing");
        let has_limit = message.flags.contains(MessageFlags::RESPONSE_LIMIT);
        assert_eq!(wanted.and_then(|wanted| wanted.limit), (wanted.is_some() && has_limit).then_some(limit));
    }
}

#[test]
fn more_segments_than_the_limit() {
    let mut limits = LIMITS;
    limits.segments = 3;
    let make = || MessageStream::established(Version::V4, &limits);
    for count in [3_u8, 4, 5] {
        let segments: Segments = vec![b"x".to_vec(); count.into()].into_iter().collect();
        let bytes = AppMessage::new(segments).to_vec().unwrap();
        let expected = (count > 3).then(|| limit("AppMessage", "segments", "segments", 3, count.into()));
        let (said, error) = messages(make, &bytes);
        assert_eq!((said.len(), error), (usize::from(count == 3), expected));
        // The header alone tells.
        assert_eq!(messages(make, &bytes[..9]).1, expected);
    }
    waits(ready, &header(APP_MESSAGE, 16 + 8 * 65_536, 65_536), 9 + 16 + 8 * 65_536);
    let expected = limit("AppMessage", "segments", "segments", 65_536, 65_537);
    assert_eq!(error(&header(APP_MESSAGE, 16 + 8 * 65_537, 65_537)), expected);
    assert_eq!(ready().needed(&header(APP_MESSAGE, 16 + 8 * 65_537, 65_537)), 0, "there is an error to tell");
}

/// Every truncation of the body with a header that keeps up: only the whole is taken.
#[test]
fn every_truncation_of_a_body() {
    let segments: Segments = ["hello", "", "world!!!"].into_iter().collect();
    let whole = AppMessage::new(segments).to_vec().unwrap();
    for size in 0..whole.len() - 9 {
        refused(3, &whole[9..9 + size]);
        refused(3, &whole[whole.len() - size..]);
    }
}
