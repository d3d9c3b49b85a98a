//! Who is admitted (5.2).

use super::*;

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Answer {
    Executes,
    Waits,
    Defers(DeferKind, Vec<alloc::string::String>),
    Refuses(RefusalCode),
}

fn answer(bench: &mut Bench, flags: RequestFlags) -> Answer {
    bench.asks(LinkId(50), request(50, flags));
    let Drained { sent, executes, .. } = bench.drain();
    let [(LinkId(50), message)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(executes.len(), usize::from(matches!(message, Message::Executing(_))));
    match message {
        Message::Executing(_) => Answer::Executes,
        Message::Queued(_) => Answer::Waits,
        Message::Defer(defer) => Answer::Defers(defer.kind, names(&defer.alternates)),
        Message::Refused(refused) => Answer::Refuses(refused.code),
        other => panic!("{other:?}"),
    }
}

fn defers(kind: DeferKind, names: &[&str]) -> Answer {
    Answer::Defers(kind, names.iter().map(|name| (*name).into()).collect())
}

const BOTH: [RequestFlags; 2] = [PLAIN, PRIORITY];

#[test]
fn who_is_not_able_names_those_who_may_be_with_and_without_priority() {
    for flags in BOTH {
        let reader = || Config { abilities: ServerAbilities::READ, ..config() };
        assert_eq!(answer(&mut Bench::new(reader()), flags), defers(DeferKind::NO_SERVICE, &["rw", "x"]));
        assert_eq!(answer(&mut Bench::new(reader()), flags | READ), Answer::Executes);
        let nothing = || Config { abilities: ServerAbilities::empty(), ..config() };
        assert_eq!(answer(&mut Bench::new(nothing()), flags | READ), defers(DeferKind::NO_SERVICE, &["r", "rw", "x"]));
        // Who may change things can read.
        let writer = || Config { abilities: ServerAbilities::WRITE, ..config() };
        assert_eq!(answer(&mut Bench::new(writer()), flags | READ), Answer::Executes);
    }
}

#[test]
fn who_has_room_carries_it_out() {
    for flags in BOTH {
        assert_eq!(answer(&mut Bench::new(config()), flags), Answer::Executes);
        assert_eq!(answer(&mut Bench::at_work(Config { slots: 2, ..config() }), flags), Answer::Executes);
    }
    // There is always one.
    assert_eq!(answer(&mut Bench::new(Config { slots: 0, ..config() }), PLAIN), Answer::Executes);
}

#[test]
fn a_short_wait_is_no_reason_to_send_anybody_on() {
    // 1 s, 2 s, 3 s; the threshold is 2 s.
    let mut bench = Bench::at_work(config());
    assert_eq!(answer(&mut bench, PLAIN), Answer::Waits);
    let mut bench = Bench::with_line(config(), 1);
    assert_eq!(answer(&mut bench, PLAIN), Answer::Waits);
    let mut bench = Bench::with_line(config(), 2);
    assert_eq!(answer(&mut bench, PLAIN), defers(DeferKind::BUSY, &["rw", "x"]));
}

#[test]
fn who_is_busy_sends_on_whom_it_may() {
    let busy = || Config { busy_threshold: Duration::ZERO, ..config() };
    assert_eq!(answer(&mut Bench::at_work(busy()), PLAIN), defers(DeferKind::BUSY, &["rw", "x"]));
    assert_eq!(answer(&mut Bench::at_work(busy()), READ), defers(DeferKind::BUSY, &["r", "rw", "x"]));
    assert_eq!(answer(&mut Bench::at_work(busy()), PRIORITY), Answer::Waits);
    // There is nobody else, or nobody else who could.
    let alone = Config { alternates: Vec::new(), ..busy() };
    assert_eq!(answer(&mut Bench::at_work(alone), PLAIN), Answer::Waits);
    let readers = Config { alternates: Vec::from([alternate("r", ServerAbilities::READ)]), ..busy() };
    assert_eq!(answer(&mut Bench::at_work(readers.clone()), PLAIN), Answer::Waits);
    assert_eq!(answer(&mut Bench::at_work(readers), READ), defers(DeferKind::BUSY, &["r"]));
}

#[test]
fn a_full_line_takes_nobody() {
    let full = |config| Config { limits: DeferralLimits { queue: 2, ..DeferralLimits::DEFAULT }, ..config };
    let mut bench = Bench::with_line(full(alone()), 2);
    assert_eq!(answer(&mut bench, PLAIN), defers(DeferKind::BUSY, &[]));
    assert_eq!(answer(&mut bench, PRIORITY), Answer::Refuses(RefusalCode::OVERLOADED));
    assert_eq!(bench.server.queued(), 2);
    let none = Config { limits: DeferralLimits { queue: 0, ..DeferralLimits::DEFAULT }, ..alone() };
    let mut bench = Bench::at_work(none);
    assert_eq!(answer(&mut bench, PLAIN), defers(DeferKind::BUSY, &[]));
    assert_eq!(answer(&mut bench, PRIORITY), Answer::Refuses(RefusalCode::OVERLOADED));
}

#[test]
fn who_prefers_readers_sends_on_what_changes_nothing_if_there_are_any() {
    let prefers = || Config { prefer_readers: true, ..config() };
    assert_eq!(answer(&mut Bench::new(prefers()), READ), defers(DeferKind::PREFER_OTHER, &["r", "rw", "x"]));
    assert_eq!(answer(&mut Bench::new(prefers()), READ | PRIORITY), Answer::Executes);
    assert_eq!(answer(&mut Bench::new(prefers()), PLAIN), Answer::Executes);
    let without = Config { alternates: Vec::from([alternate("rw", ServerAbilities::all())]), ..prefers() };
    assert_eq!(answer(&mut Bench::new(without), READ), Answer::Executes);
    let reader = Config { abilities: ServerAbilities::READ, ..prefers() };
    assert_eq!(answer(&mut Bench::new(reader), READ), Answer::Executes);
}

/// P4: whatever it is told of itself, it never defers who has priority if it is able.
#[test]
fn priority_is_never_deferred_by_who_is_able() {
    for draining in [false, true] {
        for waiting in 0..5 {
            let limits = DeferralLimits { queue: 4, ..DeferralLimits::DEFAULT };
            for prefer_readers in [false, true] {
                let config = Config { prefer_readers, busy_threshold: Duration::ZERO, limits, ..config() };
                let mut bench = Bench::with_line(config, waiting);
                if draining {
                    bench.fine(Input::Drain);
                }
                for flags in [PRIORITY, PRIORITY | READ] {
                    let mut twin = Bench { server: bench.server.clone(), now: bench.now };
                    let expected = if waiting == 4 { Answer::Refuses(RefusalCode::OVERLOADED) } else { Answer::Waits };
                    assert_eq!(answer(&mut twin, flags), expected);
                }
            }
        }
    }
}

#[test]
fn a_deferral_says_who_and_how_busy() {
    let receipt = Bytes::from_static(b"was here");
    let busy = Config {
        busy_threshold: Duration::ZERO,
        retry_after: Some(Duration::from_secs(3)),
        receipt: receipt.clone(),
        slots: 1,
        ..config()
    };
    let mut bench = Bench::with_line(busy.clone(), 2);
    bench.asks(ONE, request(20, PLAIN));
    let defer = bench.defers();
    assert_eq!((defer.key, defer.kind, defer.server), (key(20), DeferKind::BUSY, ServerId([9; 16])));
    assert_eq!((defer.queue_length, defer.estimate_ms, defer.retry_after_ms), (Some(2), Some(3000), Some(3000)));
    assert_eq!((defer.receipt, defer.next), (receipt.clone(), None));
    // Other kinds say nothing of load.
    let mut bench = Bench::new(Config { abilities: ServerAbilities::empty(), ..busy });
    bench.asks(ONE, request(20, PLAIN));
    let defer = bench.defers();
    assert_eq!((defer.queue_length, defer.estimate_ms, defer.retry_after_ms), (None, None, None));
    assert_eq!(defer.receipt, receipt);
}

#[test]
fn estimates_are_shared_among_the_slots_and_bounded() {
    let config = Config { slots: 1, service_time: Duration::from_secs(u64::MAX), ..alone() };
    let mut bench = Bench::with_line(config, 1);
    bench.asks(TWO, request(20, PLAIN));
    let [(_, Message::Queued(Queued { estimate_ms, .. }))] = &bench.says()[..] else { panic!() };
    assert_eq!(*estimate_ms, None);
    let mut bench = Bench::new(Config { slots: 2, ..alone() });
    for number in 0..6 {
        bench.asks(ONE, request(number, PRIORITY));
    }
    let expected = [queued(2, 0, 1000), queued(3, 1, 1000), queued(4, 2, 2000), queued(5, 3, 2000)];
    let said: Vec<Message> = bench.drain().sent.into_iter().skip(2).map(|(_, message)| message).collect();
    assert_eq!(said, expected);
}

#[test]
fn a_server_does_not_name_itself() {
    let own = |server| Alternate { server, ..Alternate::new(uri("self")) };
    for (id, named) in [(ServerId([9; 16]), false), (ServerId([8; 16]), true), (ServerId::UNKNOWN, true)] {
        let config = Config { abilities: ServerAbilities::empty(), alternates: Vec::from([own(id)]), ..config() };
        let mut bench = Bench::new(config);
        bench.asks(ONE, request(1, PLAIN));
        assert_eq!(bench.defers().alternates.len(), usize::from(named));
    }
    // Who does not know its own id does not know which one it is.
    let config = Config { id: ServerId::UNKNOWN, alternates: Vec::from([own(ServerId::UNKNOWN)]), ..config() };
    let mut bench = Bench::new(Config { abilities: ServerAbilities::empty(), ..config });
    bench.asks(ONE, request(1, PLAIN));
    assert_eq!(bench.defers().alternates.len(), 1);
}

/// The order in which alternates are named, for a random number.
fn order(config: &Config, random: u64) -> Vec<ServerUri> {
    let mut bench = Bench::new(Config { abilities: ServerAbilities::empty(), ..config.clone() });
    let message = Message::Request(Box::new(request(1, PLAIN)));
    bench.fine(Input::Message { link: ONE, message, random });
    bench.defers().alternates.into_iter().map(|one| one.uri).collect()
}

#[test]
fn the_order_of_alternates_is_the_random_numbers_alone() {
    let alternates: Vec<Alternate> = (0..4).map(|number| Alternate::new(uri(&alloc::format!("h{number}")))).collect();
    let config = Config { alternates, ..config() };
    let mut firsts = BTreeMap::new();
    let mut orders = BTreeSet::new();
    for random in 0..4800_u64 {
        let random = random.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let one = order(&config, random);
        assert_eq!(one, order(&config, random));
        let mut sorted = one.clone();
        sorted.sort();
        assert!(sorted.iter().eq(config.alternates.iter().map(|one| &one.uri)));
        *firsts.entry(one.first().cloned()).or_insert(0_u32) += 1;
        orders.insert(one);
    }
    assert_eq!(orders.len(), 24);
    // P10: chi-square with 3 degrees of freedom; 16.27 is exceeded once in a thousand.
    let chi: f64 = firsts.values().map(|&count| (f64::from(count) - 1200.0).powi(2) / 1200.0).sum();
    assert!(firsts.len() == 4 && chi < 16.27, "{firsts:?}");
}

#[test]
fn no_more_than_32_are_named_and_each_may_be() {
    let alternates: Vec<Alternate> = (0..100).map(|number| Alternate::new(uri(&alloc::format!("h{number}")))).collect();
    let config = Config { alternates, ..config() };
    let mut seen = BTreeSet::new();
    for random in 0..40 {
        let order = order(&config, random);
        assert_eq!(order.len(), 32);
        let once: BTreeSet<&ServerUri> = order.iter().collect();
        assert_eq!(once.len(), 32);
        seen.extend(order);
    }
    assert_eq!(seen.len(), 100);
}

#[test]
fn alternates_may_change_within_their_bound() {
    let limits = DeferralLimits { alternates: 1, ..DeferralLimits::DEFAULT };
    let mut bench = Bench::new(Config { limits, abilities: ServerAbilities::empty(), ..alone() });
    bench.fine(Input::Alternates(Vec::from([Alternate::new(uri("new"))])));
    bench.asks(ONE, request(1, PLAIN));
    assert_eq!(names(&bench.defers().alternates), ["new"]);
    let two = Vec::from([Alternate::new(uri("a")), Alternate::new(uri("b"))]);
    assert!(matches!(bench.give(Input::Alternates(two)), Err(Error::Misuse(Misuse::Limit(_)))));
}
