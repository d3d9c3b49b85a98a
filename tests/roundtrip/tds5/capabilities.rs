//! M4: whether a capability is set does not depend on the length of the mask.

use super::tokens_in;
use handover::tds5::capability::{Capabilities, CapabilityType, Mask, RequestCapability, ResponseCapability};
use handover::tds5::token::Token;
use handover::testing::check_encoding;
use handover::testing::tds5::strategies;
use handover::testing::tds5_codec::check_capabilities;
use handover::wire::ByteOrder;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A mask with these numbers, padded to `length` bytes.
fn padded(numbers: &BTreeSet<u16>, length: usize) -> Mask {
    let shortest = Mask::of(numbers.iter().copied()).unwrap();
    let missing = length.max(shortest.as_bytes().len()) - shortest.as_bytes().len();
    Mask::new([vec![0; missing], shortest.as_bytes().to_vec()].concat().into()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn m4_set_and_get_do_not_depend_on_the_length(
        numbers in proptest::collection::btree_set(0_u16..2040, 0..40),
        length in 0_usize..=255,
        changes in proptest::collection::vec((0_u16..2100, any::<bool>()), 0..20),
    ) {
        let mut model = numbers.clone();
        let (mut short, mut long) = (padded(&numbers, 0), padded(&numbers, length));
        for (number, on) in changes {
            let (first, second) = (short.set(number, on), long.set(number, on));
            prop_assert_eq!(first.is_err(), on && number >= 2040);
            prop_assert_eq!(first, second);
            if first.is_ok() {
                if on { model.insert(number); } else { model.remove(&number); }
            }
        }
        prop_assert!(long.as_bytes().len() >= length, "a mask never shrinks");
        for mask in [&short, &long] {
            prop_assert!(mask.iter().eq(model.iter().copied()));
            for number in 0..2100 {
                prop_assert_eq!(mask.contains(number), model.contains(&number));
            }
        }
    }

    /// Unknown types, unknown bits, any length, any order: all of it is written back.
    #[test]
    fn m4_what_is_not_known_survives(capabilities in strategies::capabilities()) {
        check_capabilities(&capabilities);
        let token = Token::from(capabilities.clone());
        for order in [ByteOrder::Little, ByteOrder::Big] {
            let bytes = check_encoding(&token.in_order(order));
            let read = tokens_in(order, &bytes).unwrap();
            let [Token::Capability(read)] = &read[..] else { panic!("{read:?}") };
            prop_assert_eq!(read, &capabilities);
            let masks = |of: &Capabilities| -> Vec<(CapabilityType, Vec<u8>)> {
                of.masks().map(|(ty, mask)| (ty, mask.as_bytes().to_vec())).collect()
            };
            prop_assert_eq!(masks(read), masks(&capabilities));
        }
    }

    #[test]
    fn m4_migrate_in_a_short_mask_is_false(bytes in proptest::collection::vec(any::<u8>(), 0..=255)) {
        let mask = Mask::new(bytes.clone()).unwrap();
        let expected = bytes.len() >= 12 && bytes[bytes.len() - 12] & 0x02 != 0;
        prop_assert_eq!(mask.contains(89), expected);
        let capabilities = Capabilities::new(&mask, &Mask::zero(0));
        prop_assert_eq!(capabilities.request(RequestCapability::MIGRATE), expected);
    }

    #[test]
    fn m4_granted_is_what_both_have(ours in strategies::capabilities(), theirs in strategies::capabilities()) {
        let granted = theirs.granted(&ours);
        for number in 0..2048 {
            let both = theirs.request(RequestCapability(number)) && ours.request(RequestCapability(number));
            prop_assert_eq!(granted.request(RequestCapability(number)), both);
            let both = theirs.response(ResponseCapability(number)) && ours.response(ResponseCapability(number));
            prop_assert_eq!(granted.response(ResponseCapability(number)), both);
        }
    }
}

#[test]
fn m4_the_check_vector() {
    let mut mask = Mask::zero(14);
    for number in [8, 81, 89] {
        mask.set(number, true).unwrap();
    }
    assert_eq!(mask.as_bytes(), [0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
    for length in 12..=255 {
        let set: BTreeSet<u16> = [8, 81, 89].into();
        let mask = padded(&set, length);
        assert_eq!(mask.as_bytes().len(), length);
        assert!(mask.iter().eq([8, 81, 89]));
    }
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let token = Token::from(Capabilities::new(&mask, &Mask::zero(0)));
        let bytes = check_encoding(&token.in_order(order));
        let length = if order == ByteOrder::Big { [0, 18] } else { [18, 0] };
        assert_eq!(bytes[..5], [0xe2, length[0], length[1], 1, 14], "only the length has a byte order");
        assert_eq!(bytes[5..], [0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0]);
    }
}
