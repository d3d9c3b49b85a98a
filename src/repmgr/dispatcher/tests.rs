//! The orders and items of spec/repmgr.md 6.3, one by one.

use super::*;
use crate::error::{Error, Misuse};
use crate::machine::Machine;
use crate::repmgr::ids::{ErrorCode, MessageFlags};
use crate::repmgr::message::{AppMessage, AppResponse, ResponseError};
use crate::time::Instant;
use alloc::vec::Vec;

const ONE: LinkId = LinkId(1);
const TWO: LinkId = LinkId(2);

/// A request that wants one segment at most, and any size.
const PLAIN: Wanted = Wanted { tag: 7, bulk: false, limit: None };

fn bulk(limit: Option<u32>) -> Wanted {
    Wanted { tag: 7, bulk: true, limit }
}

fn parts(parts: &[&'static str]) -> Segments {
    parts.iter().copied().collect()
}

fn response(body: &'static str) -> Output {
    on(ONE, Traffic::Response(AppResponse::single(7, body)))
}

fn failure(link: LinkId, code: ErrorCode) -> Output {
    on(link, Traffic::Error(ResponseError { tag: 7, code }))
}

fn message(link: LinkId, text: &'static str) -> Output {
    on(link, Traffic::Message(AppMessage::new(Segments::one(text))))
}

fn on(link: LinkId, traffic: Traffic) -> Output {
    Output::Send { link, traffic }
}

fn lost(handle: Handle) -> Output {
    Output::Event(Event::Lost(handle))
}

/// A dispatcher and what it wants.
struct Bench(Dispatcher);

impl Bench {
    fn new() -> Self {
        Self(Dispatcher::new(Config::default()))
    }

    /// With room for so many of one link, and of all.
    fn bounded(incoming: usize, total: usize) -> Self {
        let mut config = Config::default();
        config.limits.incoming = incoming;
        config.limits.incoming_total = total;
        Self(Dispatcher::new(config))
    }

    fn give(&mut self, input: Input) -> Result<(), Error> {
        let before = self.0.clone();
        let result = self.0.handle(Instant::ZERO, input);
        if matches!(result, Err(Error::Misuse(_))) {
            assert!(before == self.0, "a misuse changes nothing");
        }
        result
    }

    fn fine(&mut self, input: Input) {
        self.give(input).unwrap();
    }

    /// A message comes; its handle.
    fn message(&mut self, link: LinkId) -> Handle {
        self.come(link, AppMessage::new(Segments::one("news")))
    }

    /// A request comes; its handle.
    fn request(&mut self, link: LinkId, wanted: Wanted) -> Handle {
        self.come(link, AppMessage::request(Segments::one("hi"), wanted))
    }

    /// The event stands first, whatever follows it.
    fn come(&mut self, link: LinkId, message: AppMessage) -> Handle {
        self.fine(Input::Received { link, message });
        match self.0.poll_output() {
            Some(Output::Event(Event::Message { handle, .. } | Event::Request { handle, .. })) => handle,
            other => panic!("{other:?}"),
        }
    }

    fn answer(&mut self, handle: Handle, segments: &[&'static str]) -> Result<(), Error> {
        self.give(Input::Answer { handle, segments: parts(segments) })
    }

    fn reply(&mut self, handle: Handle, text: &'static str) -> Result<(), Error> {
        self.give(Input::Reply { handle, segments: Segments::one(text) })
    }

    fn outputs(&mut self) -> Vec<Output> {
        core::iter::from_fn(|| self.0.poll_output()).collect()
    }

    #[track_caller]
    fn wants<const N: usize>(&mut self, expected: [Output; N]) {
        assert_eq!(self.outputs(), expected);
    }
}

fn is_misuse(result: Result<(), Error>) -> bool {
    matches!(result, Err(Error::Misuse(_)))
}

#[track_caller]
fn bound(result: Result<(), Error>) -> &'static str {
    let Err(Error::Misuse(Misuse::Limit(limit))) = result else { panic!("{result:?}") };
    assert!(limit.got > limit.limit, "{limit}");
    limit.what
}

#[test]
fn everything_that_comes_is_told_in_order_with_what_it_wants() {
    let mut bench = Bench::new();
    let wanted = [PLAIN, bulk(None), bulk(Some(0)), Wanted { limit: Some(9), ..PLAIN }];
    for (number, wanted) in (1..).zip(wanted) {
        bench.fine(Input::Received { link: ONE, message: AppMessage::request(Segments::one("hi"), wanted) });
        let Wanted { bulk, limit, .. } = wanted;
        let segments = Segments::one("hi");
        bench.wants([Output::Event(Event::Request { handle: Handle(number), link: ONE, segments, bulk, limit })]);
    }
    bench.fine(Input::Received { link: TWO, message: AppMessage::new(Segments::EMPTY) });
    let news = Event::Message { handle: Handle(5), link: TWO, segments: Segments::EMPTY };
    bench.wants([Output::Event(news)]);
    assert_eq!(bench.0.unfinished(), 5);
}

/// Bits that nobody knows mean nothing, and a limit without a request does not either.
#[test]
fn flags_that_are_not_for_requests_are_passed_over() {
    let mut bench = Bench::new();
    let flags = MessageFlags::BULK | MessageFlags::RESPONSE_LIMIT | MessageFlags::from_bits_retain(0x80);
    let odd = AppMessage { segments: Segments::one("news"), tag: 3, limit: 4, flags };
    bench.fine(Input::Received { link: ONE, message: odd.clone() });
    assert!(matches!(bench.outputs()[..], [Output::Event(Event::Message { .. })]));
    bench.fine(Input::Received { link: ONE, message: AppMessage { flags: flags | MessageFlags::REQUEST, ..odd } });
    let outputs = bench.outputs();
    assert!(matches!(outputs[..], [Output::Event(Event::Request { bulk: true, limit: Some(4), .. })]), "{outputs:?}");
}

#[test]
fn a_request_is_answered_once() {
    let mut bench = Bench::new();
    let handle = bench.request(ONE, PLAIN);
    bench.answer(handle, &["hello"]).unwrap();
    bench.wants([response("hello")]);
    for again in [bench.answer(handle, &["again"]), bench.reply(handle, "again")] {
        assert!(matches!(again, Err(Error::Misuse(Misuse::Refused { .. }))), "{again:?}");
    }
    bench.fine(Input::Finish(handle));
    bench.wants([]);
    assert!(is_misuse(bench.give(Input::Finish(handle))), "it is not known any more");
    assert!(is_misuse(bench.answer(handle, &["again"])));
    assert_eq!((bench.0.unfinished(), bench.0.fits(handle, &Segments::EMPTY)), (0, None));
}

#[test]
fn a_request_that_is_finished_without_an_answer_is_told_so() {
    let mut bench = Bench::new();
    let handle = bench.request(ONE, PLAIN);
    bench.fine(Input::Finish(handle));
    bench.wants([failure(ONE, ErrorCode::KEY_EMPTY)]);
}

#[test]
fn without_anything_that_takes_messages_requests_are_told_so() {
    let mut bench = Bench(Dispatcher::new(Config { serving: false, ..Config::default() }));
    let request = || Input::Received { link: ONE, message: AppMessage::request(Segments::EMPTY, PLAIN) };
    let news = || Input::Received { link: ONE, message: AppMessage::new(Segments::EMPTY) };
    bench.fine(request());
    bench.fine(news());
    bench.wants([failure(ONE, ErrorCode::NO_SERVER), Output::Event(Event::Unserved(ONE))]);
    assert_eq!((bench.0.unfinished(), bench.0.state()), (0, State::Refusing));
    bench.fine(Input::Serve(true));
    let handle = bench.request(ONE, PLAIN);
    bench.fine(Input::Serve(true));
    bench.fine(Input::Serve(false));
    bench.fine(Input::Serve(false));
    // What has come is still brought to its end.
    bench.answer(handle, &["x"]).unwrap();
    bench.wants([response("x")]);
    bench.fine(request());
    bench.wants([failure(ONE, ErrorCode::NO_SERVER)]);
}

/// The empty answers, and those of several segments.
#[test]
fn what_is_answered_is_what_was_wanted() {
    for (wanted, segments, body) in [
        (PLAIN, &[][..], ""),
        (PLAIN, &[""], ""),
        (PLAIN, &["hello"], "hello"),
        (bulk(None), &[], "\u{0}"),
        (bulk(None), &[""], "\u{0}"),
        (bulk(None), &["one", "", "three"], "\u{0}"),
    ] {
        let mut bench = Bench::new();
        let handle = bench.request(ONE, wanted);
        assert_eq!(bench.0.fits(handle, &parts(segments)), Some(Ok(())));
        bench.answer(handle, segments).unwrap();
        if wanted.bulk {
            bench.wants([on(ONE, Traffic::Response(AppResponse::bulk(7, &parts(segments)).unwrap()))]);
        } else {
            bench.wants([response(body)]);
        }
    }
}

/// Four segments with 60 bytes in all, as measured: at 59 libdb says DB_BUFFER_SMALL.
#[test]
fn answers_beyond_the_limit_are_an_error_and_count_as_the_answer() {
    let four = &["aaaaaaaa", "", "bbbb", "cc"][..];
    assert_eq!(parts(four).encoded_len(), 60);
    for (wanted, segments, size) in [
        (bulk(Some(60)), four, None),
        (bulk(Some(59)), four, Some(60)),
        (bulk(Some(3)), &[], Some(4)),
        (bulk(Some(4)), &[], None),
        (PLAIN, &["a", "b"], Some(2)),
        (Wanted { limit: Some(5), ..PLAIN }, &["hello"], None),
        (Wanted { limit: Some(4), ..PLAIN }, &["hello"], Some(5)),
        (Wanted { limit: Some(0), ..PLAIN }, &[], None),
        (Wanted { limit: Some(0), ..PLAIN }, &[""], None),
        (Wanted { limit: Some(0), ..PLAIN }, &["x"], Some(1)),
    ] {
        let mut bench = Bench::new();
        let handle = bench.request(ONE, wanted);
        let fits = if let Some(size) = size { Err(size) } else { Ok(()) };
        assert_eq!(bench.0.fits(handle, &parts(segments)), Some(fits), "{wanted:?} {segments:?}");
        bench.answer(handle, segments).unwrap();
        let outputs = bench.outputs();
        match size {
            None => assert!(matches!(outputs[..], [Output::Send { traffic: Traffic::Response(_), .. }])),
            Some(size) => {
                let told = Output::Event(Event::TooLarge { handle, size });
                assert_eq!(outputs, [failure(ONE, ErrorCode::BUFFER_SMALL), told], "{wanted:?} {segments:?}");
            }
        }
        assert!(is_misuse(bench.answer(handle, &[])), "a smaller one comes too late");
        bench.fine(Input::Finish(handle));
        bench.wants([]);
    }
}

#[test]
fn an_answer_is_no_larger_than_a_message_may_be() {
    let mut bench = Bench::new();
    bench.0.config.limits.message = 20;
    let handle = bench.request(ONE, PLAIN);
    assert_eq!(bound(bench.answer(handle, &["123456781234567812345"])), "message");
    bench.answer(handle, &["12345678123456781234"]).unwrap();
    bench.outputs();
    let handle = bench.request(ONE, bulk(None));
    assert_eq!(bound(bench.answer(handle, &["123456789"])), "message");
    bench.answer(handle, &["12345678"]).unwrap();
}

/// As large as the peer takes it, which reads tag, limit and flags too, and counts the segments.
#[test]
fn a_reply_is_no_larger_than_a_message_may_be() {
    let mut bench = Bench::new();
    (bench.0.config.limits.message, bench.0.config.limits.segments) = (44, 2);
    let handle = bench.message(ONE);
    bench.reply(handle, "1234567812345678").unwrap();
    assert_eq!(bound(bench.reply(handle, "12345678123456781")), "message");
    bench.give(Input::Reply { handle, segments: parts(&["", ""]) }).unwrap();
    assert_eq!(bound(bench.give(Input::Reply { handle, segments: parts(&["", "", ""]) })), "segments");
}

#[test]
fn messages_can_be_replied_to_any_number_of_times() {
    let mut bench = Bench::new();
    let handle = bench.message(ONE);
    for text in ["one", "two", "three"] {
        bench.reply(handle, text).unwrap();
        bench.wants([message(ONE, text)]);
    }
    assert!(matches!(bench.answer(handle, &["x"]), Err(Error::Misuse(Misuse::Refused { .. }))));
    assert_eq!(bench.0.fits(handle, &Segments::EMPTY), None, "it wants none");
    bench.fine(Input::Finish(handle));
    bench.wants([]);
    assert!(is_misuse(bench.reply(handle, "four")));
}

#[test]
fn a_request_is_answered_and_not_replied_to() {
    let mut bench = Bench::new();
    let handle = bench.request(ONE, PLAIN);
    let result = bench.reply(handle, "x");
    assert_eq!(result, Err(Misuse::Refused { what: "Reply", reason: "it wants an answer" }.into()));
}

/// Never an error into a connection that is gone: where libdb panics.
#[test]
fn who_has_gone_is_told_nothing() {
    let mut bench = Bench::new();
    let (request, answered, news) = (bench.request(ONE, PLAIN), bench.request(ONE, PLAIN), bench.message(ONE));
    let other = bench.request(TWO, PLAIN);
    bench.answer(answered, &["x"]).unwrap();
    bench.outputs();
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(request), lost(answered), lost(news)]);
    assert_eq!(bench.0.unfinished(), 4, "the application is through with them when it says so");
    assert!(is_misuse(bench.answer(request, &["x"])) && is_misuse(bench.reply(news, "x")));
    for handle in [request, answered, news] {
        bench.fine(Input::Finish(handle));
    }
    bench.wants([]);
    bench.fine(Input::Closed(ONE));
    bench.wants([]);
    bench.answer(other, &["x"]).unwrap();
    assert_eq!((bench.outputs().len(), bench.0.unfinished()), (1, 1));
}

#[test]
fn what_cannot_be_written_waits_in_order() {
    let mut bench = Bench::new();
    let (first, second, news) = (bench.request(ONE, PLAIN), bench.request(ONE, PLAIN), bench.message(ONE));
    let other = bench.message(TWO);
    bench.fine(Input::Congested(ONE));
    bench.reply(news, "reply").unwrap();
    bench.answer(second, &["two"]).unwrap();
    bench.fine(Input::Finish(first));
    bench.reply(other, "elsewhere").unwrap();
    bench.wants([message(TWO, "elsewhere")]);
    bench.fine(Input::Drained(ONE));
    bench.wants([message(ONE, "reply"), response("two"), failure(ONE, ErrorCode::KEY_EMPTY)]);
    bench.fine(Input::Drained(ONE));
    bench.reply(news, "at once").unwrap();
    bench.wants([message(ONE, "at once")]);
}

#[test]
fn a_link_that_closes_takes_with_it_what_waits_for_it() {
    let mut bench = Bench::new();
    let news = bench.message(ONE);
    bench.fine(Input::Congested(ONE));
    bench.reply(news, "reply").unwrap();
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(news)]);
    bench.fine(Input::Drained(ONE));
    bench.wants([]);
}

#[test]
fn what_waits_for_a_link_is_bounded() {
    let mut bench = Bench::new();
    (bench.0.config.limits.held_messages, bench.0.config.limits.held_bytes) = (2, 40);
    let (request, news) = (bench.request(ONE, PLAIN), bench.message(ONE));
    bench.fine(Input::Congested(ONE));
    bench.reply(news, "1").unwrap();
    bench.reply(news, "2").unwrap();
    assert_eq!(bound(bench.reply(news, "3")), "held_messages");
    assert_eq!(bound(bench.answer(request, &["an answer"])), "held_bytes");
    // It can be offered again.
    bench.fine(Input::Drained(ONE));
    bench.reply(news, "3").unwrap();
    bench.answer(request, &["an answer"]).unwrap();
    assert_eq!(bench.outputs().len(), 4);
}

#[test]
fn a_link_whose_messages_are_not_finished_is_paused() {
    let mut bench = Bench::bounded(2, 100);
    let first = bench.message(ONE);
    bench.wants([]);
    let second = bench.request(ONE, PLAIN);
    bench.wants([Output::Pause(ONE)]);
    assert!(bench.0.is_paused(ONE) && !bench.0.is_paused(TWO));
    let more = || Input::Received { link: ONE, message: AppMessage::new(Segments::EMPTY) };
    assert_eq!(bound(bench.give(more())), "incoming");
    // An answer does not finish a request.
    bench.answer(second, &["x"]).unwrap();
    bench.wants([response("x")]);
    let third = bench.message(TWO);
    bench.wants([]);
    bench.fine(Input::Finish(third));
    bench.wants([]);
    bench.fine(Input::Finish(first));
    bench.wants([Output::Resume(ONE)]);
    bench.fine(more());
    assert!(matches!(bench.outputs()[..], [Output::Event(_), Output::Pause(ONE)]));
}

/// Whoever does not read its answers is not asked for more.
#[test]
fn answers_that_wait_count_too() {
    let mut bench = Bench::bounded(2, 100);
    bench.fine(Input::Congested(ONE));
    for expected in [&[Output::Pause(ONE), Output::Resume(ONE)][..], &[Output::Pause(ONE)]] {
        let handle = bench.request(ONE, PLAIN);
        bench.answer(handle, &["x"]).unwrap();
        bench.fine(Input::Finish(handle));
        assert_eq!(bench.outputs(), expected);
    }
    bench.fine(Input::Drained(ONE));
    bench.wants([response("x"), response("x"), Output::Resume(ONE)]);
}

#[test]
fn all_links_together_are_bounded() {
    let mut bench = Bench::bounded(100, 2);
    let first = bench.message(ONE);
    let second = bench.message(TWO);
    bench.wants([Output::Pause(TWO)]);
    // A link that was not paused may say one more thing.
    let third = bench.message(ONE);
    bench.wants([Output::Pause(ONE)]);
    bench.fine(Input::Finish(first));
    bench.wants([]);
    bench.fine(Input::Finish(second));
    bench.wants([Output::Resume(ONE), Output::Resume(TWO)]);
    bench.fine(Input::Closed(ONE));
    bench.wants([lost(third)]);
}

#[test]
fn a_link_that_closes_is_not_paused_any_more() {
    let mut bench = Bench::bounded(1, 100);
    let handle = bench.message(ONE);
    bench.wants([Output::Pause(ONE)]);
    bench.fine(Input::Closed(ONE));
    assert!(!bench.0.is_paused(ONE));
    bench.wants([lost(handle)]);
    bench.fine(Input::Finish(handle));
    bench.wants([]);
}

/// A bound of 0 would let nothing in at all.
#[test]
fn one_message_may_always_come() {
    let mut bench = Bench::bounded(0, 0);
    let handle = bench.message(ONE);
    bench.wants([Output::Pause(ONE)]);
    bench.fine(Input::Finish(handle));
    bench.wants([Output::Resume(ONE)]);
}

#[test]
fn handles_that_nobody_has_are_misuse() {
    let mut bench = Bench::new();
    bench.message(ONE);
    for handle in [Handle(0), Handle(2), Handle(u32::MAX)] {
        let unknown = Err(Misuse::Unknown { what: "handle", id: handle.0 }.into());
        assert_eq!(bench.answer(handle, &[]), unknown);
        assert_eq!(bench.reply(handle, ""), unknown);
        assert_eq!(bench.give(Input::Finish(handle)), unknown);
    }
}

#[test]
fn it_has_no_deadlines() {
    let mut bench = Bench::new();
    bench.message(ONE);
    let before = bench.0.clone();
    bench.fine(Input::Timeout);
    assert!(before == bench.0 && bench.0.poll_timeout().is_none());
}

#[test]
fn outputs_that_nobody_takes_are_bounded() {
    let mut bench = Bench::new();
    bench.0.config.limits.outputs = 1;
    let handle = bench.request(ONE, PLAIN);
    bench.answer(handle, &["x"]).unwrap();
    let result = bench.give(Input::Finish(handle));
    assert!(matches!(result, Err(Error::Misuse(Misuse::Limit(limit))) if limit.what == "outputs"), "{result:?}");
    bench.outputs();
    bench.fine(Input::Finish(handle));
}
