//! What the messages of every native protocol go through, on any value that the API can build and on any bytes.

use bytes::Bytes;
use handover::frame::{Extensions, Frame, FrameFlags, FrameStream};
use handover::limits::FrameLimits;
use handover::testing::frame::reference::Reader;
use handover::testing::native::{Subject, check_message};
use handover::testing::{Choices, Rng, check_chunking, check_unencodable};
use handover::wire::{Encode, Framer};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const LIMITS: FrameLimits = FrameLimits::DEFAULT;

/// The tests that every protocol's messages have. Strategies are those of the protocol's `strategies`, and the oracles
/// its own, which are also run on fixed random bytes out of a seed.
macro_rules! message_tests {
    ($message:ty, messages: $messages:expr, roundtrip: $roundtrip:expr, seed: $seed:literal $(,)?) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(1024))]

            #[test]
            fn any_message(decisions in prop::collection::vec(any::<u8>(), 0..600)) {
                $roundtrip(&decisions);
            }

            #[test]
            fn messages_in_a_row_however_they_are_cut(messages in strategies::messages(), cuts in any::<[usize; 4]>()) {
                crate::native::in_a_row::<$message>(&messages, &cuts);
            }

            #[test]
            fn messages_that_are_cut_anywhere(message in strategies::message()) {
                crate::native::cut_anywhere::<$message>(&message);
            }

            #[test]
            fn odd_messages((kind, body) in strategies::odd_message(), flags in any::<u8>()) {
                check_message(&crate::native::frame::<$message>(kind, flags, body));
            }

            #[test]
            fn any_bytes(
                kind in prop::sample::select(crate::native::kinds::<$message>()),
                body in any::<Vec<u8>>(),
            ) {
                check_message(&crate::native::frame::<$message>(kind, 0, body));
            }

            #[test]
            fn flags_of_the_frame_mean_nothing(message in strategies::message(), flags in any::<u8>()) {
                crate::native::flags_mean_nothing::<$message>(&message, flags);
            }

            #[test]
            fn messages_survive_serde(message in strategies::message()) {
                crate::native::survives_serde::<$message>(&message);
            }

            #[test]
            fn the_oracle_on_any_bytes(decisions in prop::collection::vec(any::<u8>(), 0..700)) {
                $messages(&decisions);
            }
        }

        /// The oracles of the fuzz targets on fixed random bytes, so that plain `cargo test` runs them.
        #[test]
        fn oracles_on_random_bytes() {
            crate::native::on_random_bytes($seed, $messages, $roundtrip);
        }
    };
}
pub(crate) use message_tests;

pub(crate) fn frame<M: Subject>(kind: u8, flags: u8, body: impl Into<Bytes>) -> Frame {
    Frame { protocol: M::PROTOCOL, kind, flags: FrameFlags::from_bits_retain(flags), body: body.into() }
}

/// Every kind that is known.
pub(crate) fn kinds<M: Subject>() -> Vec<u8> {
    (0..=u8::MAX).filter(|kind| M::kind_name(*kind).is_some()).collect()
}

pub(crate) fn in_a_row<M: Subject>(messages: &[M], cuts: &[usize; 4]) {
    let bytes: Vec<u8> = messages.iter().flat_map(|message| message.framed().to_vec().unwrap()).collect();
    check_chunking(|| FrameStream::new(&LIMITS), &bytes, cuts);
    let mut framer = Framer::new(FrameStream::new(&LIMITS));
    let mut again = Vec::new();
    for piece in bytes.chunks(1 + cuts[0] % 100) {
        framer.push(piece);
        while let Some(frame) = framer.next_item().unwrap() {
            again.push(M::from_frame(&frame).unwrap());
        }
    }
    assert_eq!(again, messages);
}

pub(crate) fn cut_anywhere<M: Subject>(message: &M) {
    let whole = message.to_frame().unwrap();
    // A longer one is cut in some places by the oracle.
    for end in 0..whole.body.len().min(700) {
        check_message::<M>(&frame::<M>(whole.kind, 0, whole.body.slice(..end)));
    }
}

/// A flag that is not known changes nothing; the flags are the frame's own.
pub(crate) fn flags_mean_nothing<M: Subject>(message: &M, flags: u8) {
    let plain = message.to_frame().unwrap();
    let flags = FrameFlags::from_bits_retain(flags);
    let is_unknown = M::kind_name(message.kind()).is_none();
    let again = M::from_frame(&Frame { flags, ..plain });
    assert_eq!(again.is_err(), is_unknown && flags.contains(FrameFlags::CRITICAL));
    again.iter().for_each(|again| assert_eq!(again, message));
}

/// Whoever knows the extensions of a message can read it; whoever must and does not, reads nothing.
pub(crate) fn must_be_understood<M: Subject>(message: &M, extensions: &Extensions) {
    let critical = extensions.iter().any(|extension| extension.ty.0 >= 0x8000);
    let frame = message.to_frame().unwrap();
    assert_eq!(M::from_frame(&frame).is_err(), critical);
    let knowing = M::read(frame.kind, 0, &frame.body, Reader::KnowsAll).unwrap();
    assert_eq!(knowing, message.parts());
}

pub(crate) fn survives_serde<M: Subject + Serialize + DeserializeOwned>(message: &M) {
    let text = serde_json::to_string(message).unwrap();
    assert_eq!(serde_json::from_str::<M>(&text).unwrap(), *message);
}

pub(crate) fn on_random_bytes(seed: u64, messages: impl Fn(&[u8]), roundtrip: impl Fn(&[u8])) {
    let mut rng = Rng::new(seed);
    for round in 0..1500 {
        let length = [40, 200, 700][round % 3];
        for form in 0..4 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            messages(&bytes);
            roundtrip(&bytes[1..]);
        }
    }
}

/// Of so many odd messages out of so many bytes each, many of every kind are accepted and many are not; refused are,
/// among others, those of these names, on these fields, with these kinds of errors.
pub(crate) fn often_accepted_and_often_not<M: Subject>(rounds: u32, length: usize, expected: &[(&str, &str, &str)]) {
    let mut rng = Rng::new(6);
    let (mut tried, mut errors): (BTreeMap<_, u32>, BTreeSet<_>) = Default::default();
    for _ in 0..rounds {
        let bytes = rng.bytes(length);
        let (kind, body) = M::odd(&mut Choices::new(&bytes));
        let read = M::read(kind, 0, &body, Reader::KnowsNone);
        let name = M::kind_name(kind).unwrap_or("Unknown");
        *tried.entry((name, read.is_ok())).or_default() += 1;
        errors.extend(read.err().map(|(field, why)| (name, field, why)));
    }
    let often = |what, good| tried.get(&(what, good)).is_some_and(|&count| count >= 30);
    let names: Vec<_> = kinds::<M>().into_iter().filter_map(M::kind_name).collect();
    let seldom: Vec<_> = names.iter().filter(|what| !often(what, true) || !often(what, false)).collect();
    assert!(seldom.is_empty(), "{seldom:?}: {tried:?}");
    let missing: Vec<_> = expected.iter().filter(|error| !errors.contains(*error)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[track_caller]
pub(crate) fn refuses<M: Subject>(message: &M) -> String {
    let error = check_unencodable(&message.framed());
    assert_eq!(message.to_frame(), Err(error));
    error.to_string()
}

/// A message that is within the limits comes through a stream.
pub(crate) fn is_carried<M: Subject>(message: &M) {
    let mut framer = Framer::new(FrameStream::new(&LIMITS));
    framer.push(&message.framed().to_vec().unwrap());
    let frame = framer.next_item().unwrap().expect("it is within the limits");
    check_message::<M>(&frame);
    assert_eq!(M::from_frame(&frame).as_ref(), Ok(message));
}
