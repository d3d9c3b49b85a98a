//! A link over native frames under the contract suite, two ends over bytes, and a proxy between two ends.

use crate::lists::lists;
use handover::error::Error;
use handover::frame::link::{Config, Ending, Event, Input, Link, Output, State};
use handover::frame::{
    Capabilities, Frame, FrameFlags, FrameStream, Hello, Native, Offer, Protocol, Settled, VersionRange,
};
use handover::limits::FrameLimits;
use handover::machine::Machine;
use handover::testing::frame::{self as values, reference};
use handover::testing::frame_machines::{LinkSubject, run_link};
use handover::testing::{Choices, Rng};
use handover::time::Instant;
use handover::wire::{Encode, Framer};
use proptest::prelude::*;

handover::contract_tests!(link_contract: LinkSubject);

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Beside the model, by proptest, which makes a list that fails smaller.
    #[test]
    fn any_list(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        run_link(&bytes);
    }
}

#[test]
fn fixed_lists() {
    lists(2_000).for_each(|bytes| run_link(&bytes));
}

/// A link with its stream: what a driver is made of. Its transport gives bytes, cut anywhere.
struct End {
    hello: Hello,
    link: Link,
    stream: Framer<FrameStream>,
    out: Vec<u8>,
    settled: Option<Settled>,
    got: Vec<Frame>,
    ends: Vec<Ending>,
    shut: bool,
}

impl End {
    fn new(config: Config) -> Self {
        let stream = Framer::new(FrameStream::new(&config.limits));
        let (hello, link) = (config.hello.clone(), Link::new(config, Instant::ZERO));
        Self { hello, link, stream, out: vec![], settled: None, got: vec![], ends: vec![], shut: false }
    }

    fn input(&mut self, input: Input) -> Result<(), Error> {
        let result = self.link.handle(Instant::ZERO, input);
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Send(frame) => self.out.extend(frame.to_vec().unwrap()),
                Output::Close => self.shut = true,
                Output::Event(Event::Ready(settled)) => self.settled = Some(settled),
                Output::Event(Event::Frame(frame)) => self.got.push(frame),
                Output::Event(Event::Closed(ending)) => self.ends.push(ending),
                other => panic!("{other:?}"),
            }
        }
        result
    }

    /// Bytes come. They keep to the rules.
    fn receive(&mut self, bytes: &[u8]) {
        self.stream.push(bytes);
        while let Some(frame) = self.stream.next_item().unwrap() {
            if self.link.state() == State::Closed {
                return;
            }
            self.input(Input::Frame(frame)).unwrap();
        }
    }
}

/// Up to so many bytes go from one end to the other.
fn carry(from: &mut End, to: &mut End, most: usize) -> bool {
    let size = most.min(from.out.len());
    let bytes: Vec<u8> = from.out.drain(..size).collect();
    to.receive(&bytes);
    if from.out.is_empty() && from.shut && to.link.state() != State::Closed {
        to.input(Input::Closed).unwrap();
    }
    size > 0
}

/// What hellos settle, by the other reading.
fn expected(one: &Hello, other: &Hello) -> Vec<(u8, u16, u64)> {
    reference::settled(&reference::hello_parts(one), &reference::hello_parts(other))
}

fn parts(settled: Option<&Settled>) -> Vec<(u8, u16, u64)> {
    let spoken = settled.map(|settled| &settled.spoken[..]).unwrap_or_default();
    spoken.iter().map(|spoken| (spoken.protocol.0, spoken.version, spoken.capabilities.bits())).collect()
}

/// F5, F7, F8: any two hellos, any frames, streams that are cut anywhere, a close by either.
#[test]
fn two_ends_over_bytes() {
    let (mut spoken, mut frames) = (0, 0);
    for seed in 0..600 {
        let mut rng = Rng::new(seed);
        let bytes = rng.bytes(600);
        let choices = &mut Choices::new(&bytes);
        let mut hellos = [values::hello(choices), values::hello(choices)];
        let shared = Offer::new(Protocol::GROUP, Capabilities::from_bits_retain(rng.below(8)));
        if rng.below(4) > 0 {
            hellos
                .iter_mut()
                .filter(|hello| hello.offers.iter().all(|offer| offer.protocol != shared.protocol))
                .for_each(|hello| hello.offers.push(shared));
        }
        let mut ends = hellos.clone().map(|hello| End::new(Config::new(hello)));
        let mut sent: [Vec<Frame>; 2] = Default::default();
        ends.iter_mut().for_each(|end| end.input(Input::Opened).unwrap());
        for _ in 0..300 {
            let from = usize::try_from(rng.below(2)).unwrap();
            let [one, two] = &mut ends;
            let (end, other) = if from == 0 { (one, two) } else { (two, one) };
            match rng.below(8) {
                0..=4 => drop(carry(end, other, usize::try_from(rng.below(70)).unwrap())),
                5..=6 if end.link.state() == State::Ready => {
                    let bytes = rng.bytes(40);
                    let frame = values::frame(&mut Choices::new(&bytes));
                    let protocol = end.settled.as_ref().unwrap().spoken[0].protocol;
                    let frame = Frame { protocol, ..frame };
                    if end.input(Input::Send(frame.clone())).is_ok() {
                        sent[from].push(frame);
                    }
                }
                7 if rng.below(60) == 0 && end.link.state() != State::Closed => {
                    end.input(Input::Close(values::close(&mut Choices::new(&[1, 2, 3])))).unwrap();
                }
                _ => {}
            }
        }
        // What is under way arrives.
        let [one, two] = &mut ends;
        while carry(one, two, usize::MAX) | carry(two, one, usize::MAX) {}
        let settled = expected(&hellos[0], &hellos[1]);
        for (at, end) in ends.iter().enumerate() {
            // (An end that closes may not have heard the other's hello.)
            assert!(end.settled.is_none() || parts(end.settled.as_ref()) == settled, "F5: {seed}");
            let got = &end.got[..];
            assert!(sent[1 - at].starts_with(got), "F7: {seed}");
            let over = end.link.state() == State::Closed;
            assert_eq!(end.ends.len(), usize::from(over), "F8: {seed}");
            assert!(over || (got == sent[1 - at] && end.link.state() == State::Ready), "F7, F10: {seed}");
            spoken += usize::from(end.settled.is_some());
            frames += got.len();
        }
        assert_eq!(ends[0].shut, ends[1].shut, "both close, or none: {seed}");
    }
    assert!(spoken > 600 && frames > 5000, "{spoken} {frames}");
}

/// spec/frame.md 7.2: the way to settle the same on both sides of a proxy that does not know what it passes on.
#[test]
fn a_proxy_settles_the_same_on_both_sides() {
    let offer = |protocol, min, max, bits| Offer {
        protocol: Protocol(protocol),
        versions: VersionRange { min, max },
        capabilities: Capabilities::from_bits_retain(bits),
    };
    let mut client = End::new(Config::new(Hello::new([offer(2, 1, 5, 7), offer(200, 1, 2, 9), offer(9, 1, 1, 0)])));
    let mut server =
        End::new(Config::new(Hello { max_body: 3000, ..Hello::new([offer(200, 2, 9, 8), offer(2, 2, 3, 6)]) }));
    let direct = expected(&client.hello, &server.hello);
    assert_eq!(direct, [(2, 3, 6), (200, 2, 8)]);
    client.input(Input::Opened).unwrap();
    server.input(Input::Opened).unwrap();

    // It reads the hello of the side that has come, and offers the same to the other side.
    let mut stream = Framer::new(FrameStream::new(&FrameLimits::DEFAULT));
    stream.push(&client.out.split_off(0));
    let greeting = stream.next_item().unwrap().unwrap();
    let theirs = Hello::from_frame(&greeting).unwrap();
    let mut far = End::new(Config::new(Hello { boot: 1, ..Hello::new(theirs.offers) }));
    far.input(Input::Opened).unwrap();
    while carry(&mut far, &mut server, 5) | carry(&mut server, &mut far, 7) {}
    // Then it offers to the first side what that has settled.
    let settled = far.settled.clone().unwrap();
    let offers = settled.spoken.iter().map(|spoken| {
        let versions = VersionRange { min: spoken.version, max: spoken.version };
        Offer { protocol: spoken.protocol, versions, capabilities: spoken.capabilities }
    });
    let mut near = End::new(Config::new(Hello { max_body: settled.peer.max_body, ..Hello::new(offers) }));
    near.input(Input::Opened).unwrap();
    near.input(Input::Frame(greeting)).unwrap();
    while carry(&mut near, &mut client, 3) {}
    for end in [&client, &near, &far, &server] {
        assert_eq!(parts(end.settled.as_ref()), direct);
    }
    // Frames go through, whatever is in them, and what the far side does not take is not sent.
    let frame = |size| Frame {
        protocol: Protocol(200),
        kind: 77,
        flags: FrameFlags::from_bits_retain(0xa5),
        body: vec![3; size].into(),
    };
    client.input(Input::Send(frame(3000))).unwrap();
    assert!(client.input(Input::Send(frame(3001))).is_err());
    while carry(&mut client, &mut near, 100) {}
    near.got.drain(..).for_each(|frame| far.input(Input::Send(frame)).unwrap());
    while carry(&mut far, &mut server, 1000) {}
    assert_eq!(server.got, [frame(3000)]);
}
