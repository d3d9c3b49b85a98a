//! The native frame on any value that its API can build, and on any bytes (spec/frame.md 8: F1 to F3, F5).

use bytes::Bytes;
use handover::frame::{
    Capabilities, Close, CloseReason, Extension, ExtensionType, Extensions, Frame, FrameFlags, FrameStream, Hello,
    Native, Offer, Protocol, Settled, Spoken, VersionRange,
};
use handover::limits::FrameLimits;
use handover::testing::frame::reference::{self, Reader};
use handover::testing::frame::{self as values, check_message, run_roundtrip, run_stream, strategies};
use handover::testing::{Choices, Rng, check_chunking, check_unencodable};
use handover::wire::Encode;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: FrameLimits = FrameLimits::DEFAULT;

fn of_link(kind: u8, body: Vec<u8>) -> Frame {
    Frame { protocol: Protocol::LINK, kind, flags: FrameFlags::empty(), body: body.into() }
}

/// What an end settles, as the reference says it.
fn told(settled: Option<&Settled>) -> Vec<(u8, u16, u64)> {
    let spoken = settled.map(|settled| &settled.spoken[..]).unwrap_or_default();
    spoken.iter().map(|spoken| (spoken.protocol.0, spoken.version, spoken.capabilities.bits())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn f1_any_value(form in 0_u8..4, decisions in prop::collection::vec(any::<u8>(), 0..500)) {
        run_roundtrip(&[&[form], &decisions[..]].concat());
    }

    #[test]
    fn f1_frames_in_a_row_however_they_are_cut(frames in strategies::frames(), cuts in any::<[usize; 4]>()) {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.to_vec().unwrap()).collect();
        check_chunking(|| FrameStream::new(&LIMITS), &bytes, &cuts);
        let (parts, left) = reference::frames(&bytes, u64::MAX, u64::MAX);
        let expected: Vec<_> = frames.iter().map(reference::parts).collect();
        prop_assert_eq!((parts, left), (expected, Ok(0)));
    }

    #[test]
    fn f1_odd_hellos(body in strategies::odd_hello()) {
        check_message(&of_link(Hello::KIND, body));
    }

    #[test]
    fn f1_odd_closes(body in strategies::odd_close()) {
        check_message(&of_link(Close::KIND, body));
    }

    /// Whoever knows an extension can read the list; whoever must and does not, reads nothing.
    #[test]
    fn extensions_that_must_be_understood(extensions in strategies::critical_extensions()) {
        let close = Close { extensions: extensions.clone(), ..Close::new(CloseReason::DONE) };
        let frame = close.to_frame().unwrap();
        let critical = extensions.iter().any(|extension| extension.ty.0 >= 0x8000);
        prop_assert_eq!(Close::from_frame(&frame).is_err(), critical);
        let knowing = reference::close(&frame.body, Reader::KnowsAll).unwrap();
        prop_assert_eq!(knowing, reference::close_parts(&close));
        let again: Extensions = Bytes::from(extensions.clone()).try_into().unwrap();
        prop_assert_eq!(again, extensions);
    }

    /// F5: both ends come to the same, and it is what trying every version gives.
    #[test]
    fn f5_both_ends_settle_the_same(one in strategies::hello(), other in strategies::hello()) {
        // Two that were chosen apart seldom have much in common.
        let mut other = other;
        for (at, offer) in one.offers.iter().enumerate() {
            let before = other.offers.iter().position(|before| before.protocol == offer.protocol);
            let versions = VersionRange { min: offer.versions.min / 2, max: offer.versions.max.saturating_sub(at as u16) };
            if before.is_none() && at % 3 < 2 && versions.min <= versions.max {
                other.offers.insert(0, Offer { versions, ..*offer });
            }
        }
        let here = one.settle(other.clone());
        let there = other.settle(one.clone());
        prop_assert_eq!(told(here.as_ref()), told(there.as_ref()));
        let expected = reference::settled(&reference::hello_parts(&one), &reference::hello_parts(&other));
        prop_assert_eq!(here.is_some(), !expected.is_empty());
        prop_assert_eq!(told(here.as_ref()), expected);
        if let Some(here) = here {
            prop_assert_eq!(here.peer, other);
        }
    }

    #[test]
    fn the_oracle_on_any_stream(decisions in prop::collection::vec(any::<u8>(), 0..700)) {
        run_stream(&decisions);
    }
}

/// The oracles of the fuzz targets on fixed random bytes, so that plain `cargo test` runs them.
#[test]
fn oracles_on_random_bytes() {
    let mut rng = Rng::new(21);
    for round in 0..2000 {
        let length = [40, 200, 700][round % 3];
        for form in 0..4 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            run_stream(&bytes);
            run_roundtrip(&bytes);
        }
    }
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn odd_layouts_are_often_accepted_and_often_not() {
    let mut rng = Rng::new(6);
    let (mut tried, mut errors): (BTreeMap<_, u32>, BTreeSet<_>) = Default::default();
    for _ in 0..4000 {
        let bytes = rng.bytes(500);
        let choices = &mut Choices::new(&bytes);
        let hello = reference::hello(&values::odd_hello(choices), Reader::KnowsNone).map(|_| ());
        let close = reference::close(&values::odd_close(choices), Reader::KnowsNone).map(|_| ());
        *tried.entry(("hello", hello.is_ok())).or_default() += 1;
        *tried.entry(("close", close.is_ok())).or_default() += 1;
        let (frames, _) = reference::frames(&values::stream(choices), 262_144, 8192);
        *tried.entry(("frames", frames.len() > 1)).or_default() += 1;
        errors.extend([hello, close].into_iter().filter_map(Result::err));
    }
    let often = |what, good| tried.get(&(what, good)).is_some_and(|&count| count >= 400);
    let seldom: Vec<_> = ["hello", "close", "frames"].into_iter().filter(|what| !often(what, true)).collect();
    assert!(seldom.is_empty() && often("hello", false) && often("close", false), "{tried:?}");
    let expected = [
        ("max_body", "invalid"),
        ("identity_size", "invalid"),
        ("protocol", "invalid"),
        ("min_version", "invalid"),
        ("agent", "invalid"),
        ("text", "invalid"),
        ("extensions", "unsupported"),
        ("extension_type", "short"),
        ("extension_size", "short"),
        ("extension_value", "short"),
        ("max_body", "short"),
        ("boot", "short"),
        ("identity", "short"),
        ("agent", "short"),
        ("capabilities", "short"),
        ("reason", "short"),
        ("text", "short"),
    ];
    let missing: Vec<_> = expected.iter().filter(|error| !errors.contains(*error)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_the_wire_cannot_carry_is_refused_and_nothing_is_written() {
    let offer = |protocol, min, max| Offer {
        protocol: Protocol(protocol),
        versions: VersionRange { min, max },
        capabilities: Capabilities::empty(),
    };
    let refused = |hello: Hello| {
        let error = check_unencodable(&hello.framed());
        assert_eq!(hello.to_frame(), Err(error));
        error.to_string()
    };
    let good = Hello::new([offer(1, 1, 1)]);
    assert_eq!(refused(Hello { max_body: 1023, ..good.clone() }), "Hello.max_body: at least 1024");
    for offers in [vec![offer(0, 1, 1)], vec![offer(7, 1, 1), offer(7, 2, 2)], vec![offer(7, 2, 1)]] {
        assert!(refused(Hello { offers, ..good.clone() }).starts_with("Hello.offers: each protocol once"));
    }
    let offers = vec![offer(1, 1, 1); 256];
    assert_eq!(refused(Hello { offers, ..good.clone() }), "Hello.offers is too long: 256, at most 255");
    // All protocols that there are.
    let all = Hello { offers: (1..=255).map(|protocol| offer(protocol, 1, 1)).collect(), ..good };
    assert_eq!(all.framed().to_vec().unwrap().len(), 8 + 11 + 255 * 13);
}

#[test]
fn parts_that_are_too_long_cannot_be_made() {
    use handover::frame::{Identity, Text};
    assert!(Identity::new(vec![1; 64]).is_some() && Identity::new(vec![1; 65]).is_none());
    let value = vec![0; 65_536];
    let one = |value| Extensions::new([Extension { ty: ExtensionType(1), value }]);
    assert!(one(&value[1..]).is_some() && one(&value).is_none());
    assert!(Text::new("x".repeat(255)).is_some() && Text::new("x".repeat(256)).is_none());
    assert!(Text::new("é".repeat(127)).is_some() && Text::new("é".repeat(128)).is_none());
    assert!(Extensions::try_from(Bytes::from_static(&[0, 1, 0])).is_err());
}

/// 3.2, the example.
#[test]
fn the_example_of_the_text() {
    let offer = |protocol, min, max, bits| Offer {
        protocol,
        versions: VersionRange { min, max },
        capabilities: Capabilities::from_bits_retain(bits),
    };
    let ours = [offer(Protocol::GROUP, 1, 2, 3), offer(Protocol::SESSION, 1, 1, 1), offer(Protocol(200), 1, 1, 0)];
    let theirs = [offer(Protocol::SESSION, 2, 2, 1), offer(Protocol::GROUP, 2, 4, 5)];
    let settled = Hello::new(ours).settle(Hello::new(theirs)).unwrap();
    let capabilities = Capabilities::from_bits_retain(1);
    assert_eq!(settled.spoken, [Spoken { protocol: Protocol::GROUP, version: 2, capabilities }]);
    assert_eq!(Hello::new(theirs).settle(Hello::new(ours)).unwrap().spoken, settled.spoken);
    assert!(Hello::new(ours).settle(Hello::new([])).is_none());
}
