//! What a peer could send and we would not.

use super::messages::{message, message_flags};
use crate::repmgr::Segments;
use crate::repmgr::message::AppMessage;
use crate::testing::{Choices, damaged};
use crate::wire::Encode as _;
use bytes::Bytes;
use std::vec::Vec;

/// A data area and a table that point to each other in an odd way: segments in another order, with any bytes between
/// them, at any offset, empty ones anywhere, or parts that overlap. And the segments.
pub fn odd_block(choices: &mut Choices<'_>) -> (Vec<Bytes>, Vec<u8>) {
    let count = choices.below(7);
    let (mut area, mut places) = (Vec::new(), std::vec![(0, 0); count]);
    if choices.one_in(4) {
        // Parts of whatever is there; together not more than it.
        area = choices.bytes(300);
        let mut left = area.len();
        for place in &mut places {
            let size = choices.below(left.min(area.len()) + 1);
            *place = (choices.below(area.len() - size + 1), size);
            left -= size;
        }
    } else {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, choices.below(at + 1));
        }
        for index in order {
            area.extend(choices.bytes(9));
            let segment = choices.bytes(60);
            places[index] = (area.len(), segment.len());
            area.extend(segment);
        }
        area.extend(choices.bytes(9));
        for place in places.iter_mut().filter(|place| place.1 == 0) {
            place.0 = choices.below(area.len() + 1);
        }
    }
    let segments = places.iter().map(|&(offset, size)| Bytes::copy_from_slice(&area[offset..][..size])).collect();
    area.extend([0xff; 4]);
    for (offset, size) in places.into_iter().rev() {
        area.extend((size as u32).to_be_bytes());
        area.extend((offset as u32).to_be_bytes());
    }
    (segments, area)
}

/// A message of an application, the number of its segments, and a body with it that is laid out in an odd way.
pub fn odd_app_message(choices: &mut Choices<'_>) -> (AppMessage, u32, Vec<u8>) {
    let (segments, mut body) = odd_block(choices);
    let count = segments.len() as u32;
    let (tag, limit, flags) = (choices.edge_u32(), choices.edge_u32(), message_flags(choices));
    for word in [tag, limit, flags.bits()] {
        body.extend(word.to_be_bytes());
    }
    (AppMessage { segments: Segments::from(segments), tag, limit, flags }, count, body)
}

/// Any message, with a few changes to its bytes.
pub fn damaged_message(choices: &mut Choices<'_>) -> Vec<u8> {
    let bytes = message(choices).to_vec().expect("the generator keeps to the rules");
    damaged(bytes, choices)
}
