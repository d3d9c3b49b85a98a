//! What nobody should send on the historical deferral wire: a clear error, a documented skip, or an outcome that is
//! unknown; never success, and never more memory than the limit.

use handover::deferral::text::{
    AgentReplies, AgentRequests, AnswerStream, BadUrl, Call, CallError, Context, Directive, Doubt, Ending, Item,
    Redirect, RedirectKind, Server, Step, Walk, is_answer, request_line,
};
use handover::deferral::{ServerUri, UriError};
use handover::error::{DecodeError, DecodeErrorKind, EncodeError, Limit};
use handover::testing::check_chunking;
use handover::wire::{Encode, Framer, StreamDecode};

/// Everything up to the error, if there is one, and how it ends; the same however the bytes are cut.
fn judge(make: impl Fn() -> AnswerStream, body: &[u8]) -> (Vec<Item>, Result<Ending, DecodeError>) {
    check_chunking(&make, body, &[1, 2, body.len() / 2, body.len().saturating_sub(1)]);
    let mut answer = Framer::new(make());
    answer.push(body);
    let mut items = Vec::new();
    loop {
        match answer.next_item() {
            Ok(Some(item)) => items.push(item),
            Ok(None) => return (items, Ok(answer.decoder().finish())),
            Err(error) => {
                // It stays so, and nothing of what comes is kept.
                answer.push(b"RETURN 0\n");
                assert_eq!((answer.next_item(), answer.buffered()), (Err(error), 0));
                assert!(!matches!(answer.decoder().finish(), Ending::Returned(_)) || !items.is_empty());
                return (items, Err(error));
            }
        }
    }
}

fn ending(body: &[u8]) -> Ending {
    judge(AnswerStream::default, body).1.expect("it is not too long")
}

fn limit(message: &'static str, field: &'static str, what: &'static str, limit: u64, got: u64) -> DecodeError {
    DecodeError { message, field, kind: DecodeErrorKind::Limit(Limit { what, limit, got }) }
}

const UNKNOWN: fn(Doubt) -> Ending = Ending::Unknown;

#[test]
fn cr_lf_is_never_success() {
    // Each line of an answer in turn, and all of them.
    let lines = ["DISPLAY \"one\"", "DISPLAY plain", "CD /x", "TRACE 1", "RETURN 0"];
    let all: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    assert_eq!(ending(all.as_bytes()), UNKNOWN(Doubt::BlankLine));
    for (at, line) in lines.iter().enumerate() {
        let with = |end: &dyn Fn(usize) -> &'static str| -> String {
            lines.iter().enumerate().map(|(at, line)| format!("{line}{}", end(at))).collect()
        };
        let body = with(&|other| if other == at { "\r\n" } else { "\n" });
        let expected = match *line {
            "DISPLAY \"one\"" => UNKNOWN(Doubt::BlankLine),
            "RETURN 0" => UNKNOWN(Doubt::NoStatus),
            "TRACE 1" => UNKNOWN(Doubt::NoLevel),
            // The text has a carriage return at its end.
            _ => Ending::Returned(0),
        };
        assert_eq!(ending(body.as_bytes()), expected, "{line}");
    }
    // Only words of a redirection are separated by it.
    assert_eq!(ending(b"REDIRECT :BUSY http://a/\r\n"), Ending::Redirected(RedirectKind::Busy));
    assert_eq!(ending(b"REDIRECT \":BUSY\"\r\n"), Ending::Redirected(RedirectKind::Busy));
}

#[test]
fn blank_lines_end_in_doubt() {
    for body in ["\n", "\r\n\nRETURN 0\n", " RETURN 0\n", " \nRETURN 0\n", "DISPLAY \"a\"\n\nRETURN 0\n"] {
        assert_eq!(ending(body.as_bytes()), UNKNOWN(Doubt::BlankLine), "{body:?}");
    }
    // The byte behind a string is passed over, whatever it is: what follows is a line of its own.
    assert_eq!(ending(b"DISPLAY \"a\"RETURN 0\n"), UNKNOWN(Doubt::EndOfStream));
    assert_eq!(ending(b"DISPLAY \"a\"\"RETURN 0\n"), Ending::Returned(0));
    assert_eq!(ending(b"DISPLAY \"a\" RETURN 0\n"), Ending::Returned(0));
    assert_eq!(ending(b"DISPLAY \"a\"  RETURN 0\n"), UNKNOWN(Doubt::BlankLine));
}

#[test]
fn half_strings_swallow_what_follows() {
    for body in
        ["DISPLAY \"half\nRETURN 0\n", "DISPLAY \"half\\\"\nRETURN 0\n", "DISPLAY \"half\\", "DISPLAY \"whole\""]
    {
        let (items, end) = judge(AnswerStream::default, body.as_bytes());
        assert_eq!((items.len(), end), (0, Ok(UNKNOWN(Doubt::EndOfStream))), "{body:?}");
    }
    // A string that never ends is held up to the limit.
    let body = [&b"DISPLAY \""[..], &[b'x'; 500]].concat();
    let (items, end) = judge(|| AnswerStream::new(100), &body);
    assert!(items.is_empty() && matches!(end, Err(DecodeError { kind: DecodeErrorKind::Limit(_), .. })), "{end:?}");
}

#[test]
fn unknown_directives_are_passed_over() {
    let body = b"FROB\nQUERY \"who?\"\nMENU 2 \"a\" \"b\"\nreturn 1\nRETURN: 2\n\xef\xbb\xbfRETURN 3\nRETURN 4\n";
    let (items, end) = judge(AnswerStream::default, body);
    let unknown = items.iter().filter(|item| matches!(item, Item::Directive(Directive::Unknown { .. })));
    assert_eq!((unknown.count(), end), (6, Ok(Ending::Returned(4))));
}

#[test]
fn an_answer_cut_at_every_byte_has_no_result() {
    let bodies: [&[u8]; 6] = [
        b"DISPLAY \"q\\\" b\\\\\"\nTRACE 1\nCD /x\nRETURN 0\n",
        b"REDIRECT :BUSY http://a/ http://b/\n",
        b"REDIRECT :CONTINUE csf/command/x http://a/\n",
        b"REDIRECT \":READ-ONLY\nhttp://a/\"\n",
        b"FROB 1\nRETURN \"17\"\n",
        b"REDIRECT :NO-SERVICE\n",
    ];
    for body in bodies {
        assert!(!matches!(ending(body), Ending::Unknown(_)));
        for end in 0..body.len() {
            let (items, cut) = judge(AnswerStream::default, &body[..end]);
            assert_eq!(cut, Ok(UNKNOWN(Doubt::EndOfStream)), "{}", body[..end].escape_ascii());
            assert!(!items.iter().any(|item| matches!(item, Item::End(_))));
        }
    }
}

/// Every bit of an answer turned over: never a result that is not there.
#[test]
fn a_bit_that_is_turned_over_is_no_success() {
    let body = b"DISPLAY \"failed\"\nRETURN 10005\n";
    for bit in 0..8 * body.len() {
        let mut other = body.to_vec();
        other[bit / 8] ^= 1 << (bit % 8);
        let Ok(end) = judge(AnswerStream::default, &other).1 else { continue };
        assert_ne!(end, Ending::Returned(0), "{}", other.escape_ascii());
    }
}

#[test]
fn lists_without_end_are_refused() {
    // As many as there may be, and one more.
    let list = |count: usize| format!("REDIRECT :BUSY{}\n", " http://a/".repeat(count));
    let (items, _) = judge(AnswerStream::default, list(256).as_bytes());
    let [Item::Directive(Directive::Redirect(redirect)), Item::End(_)] = &items[..] else { panic!("{items:?}") };
    assert_eq!(redirect.servers.len(), Redirect::MAX_SERVERS);
    let (items, end) = judge(AnswerStream::default, list(257).as_bytes());
    assert_eq!((items.len(), end), (0, Err(limit("Redirect", "servers", "servers", 256, 257))));
    // 2^32 of them never come to an end: the line is too long long before.
    let mut answer = Framer::new(AnswerStream::new(10_000));
    answer.push(b"REDIRECT :BUSY");
    let mut pushed = 14;
    let error = loop {
        answer.push(b" http://a/");
        pushed += 10;
        match answer.next_item() {
            Ok(item) => assert!(item.is_none() && answer.buffered() <= 10_000),
            Err(error) => break error,
        }
    };
    assert_eq!((error, pushed), (limit("Directive", "length", "directive", 10_000, 10_004), 10_004));
    assert_eq!(answer.decoder().finish(), UNKNOWN(Doubt::EndOfStream));
    // Nor can they be written.
    let redirect = Redirect::new(RedirectKind::Busy, vec!["http://a/".into(); 257]);
    let refused = EncodeError::TooLong { message: "Redirect", field: "servers", max: 256, got: 257 };
    assert_eq!(Directive::Redirect(redirect).to_vec(), Err(refused));
}

/// Hosts of 10 kB, users' names, control characters: the line is void, or the word is left out; and none can be written.
#[test]
fn urls_that_nobody_should_name() {
    let long = format!("http://{}/", "h".repeat(10_000));
    let bad = [
        long.as_str(),
        "http://me:secret@a/",
        "http://me@a:80/",
        "http://a\u{1}/",
        "http://a\u{7f}/",
        "http://a\u{0}/",
        "http://\u{e9}/",
        "http://a:8o/",
        "http://a:-1/",
        "a",
        "/a",
        ":",
        "://a/",
    ];
    for url in bad {
        let body = format!("REDIRECT :CONTINUE next http://good/ {url}\n");
        let (items, end) = judge(AnswerStream::default, body.as_bytes());
        assert_eq!(items, [Item::Skipped("REDIRECT with a URL that is none")], "{url}");
        assert_eq!(end, Ok(UNKNOWN(Doubt::EndOfStream)), "{url}");
        let (items, _) = judge(|| AnswerStream::default().bad_url(BadUrl::LeftOut), body.as_bytes());
        let [Item::Directive(Directive::Redirect(redirect)), Item::End(_)] = &items[..] else { panic!("{items:?}") };
        assert_eq!(redirect.servers, ["http://good/"]);
        let redirect = Redirect::new(RedirectKind::Busy, vec![url.to_owned().into()]);
        let Err(EncodeError::Invalid { message: "Redirect", field: "servers", .. }) =
            Directive::Redirect(redirect).to_vec()
        else {
            panic!("{url}");
        };
    }
    // What is taken is still for the client to judge.
    let (items, _) = judge(AnswerStream::default, b"REDIRECT :BUSY http://a:99999/\n");
    let [Item::Directive(Directive::Redirect(redirect)), _] = &items[..] else { panic!("{items:?}") };
    let url = std::str::from_utf8(&redirect.servers[0]).unwrap();
    assert!(url.parse::<ServerUri>().is_err());
    assert_eq!("http://me@a/".parse::<ServerUri>(), Err(UriError::UserInfo));
    // Paths that could not stand in a request line.
    for path in ["a\u{1}b".to_owned(), "p".repeat(1025)] {
        let body = format!("REDIRECT :CONTINUE {path}\nRETURN 0\n");
        let (items, end) = judge(AnswerStream::default, body.as_bytes());
        let why = "REDIRECT :CONTINUE with a path that is none";
        assert_eq!((items.first(), end), (Some(&Item::Skipped(why)), Ok(Ending::Returned(0))));
    }
}

#[test]
fn nothing_counts_behind_the_end() {
    for (first, end) in [
        ("RETURN 0\n", Ending::Returned(0)),
        ("RETURN 7\n", Ending::Returned(7)),
        ("REDIRECT :BUSY\n", Ending::Redirected(RedirectKind::Busy)),
        ("\n", UNKNOWN(Doubt::BlankLine)),
        ("RETURN x\n", UNKNOWN(Doubt::NoStatus)),
        ("REDIRECT :LATER\n", UNKNOWN(Doubt::UnknownRedirect)),
    ] {
        for second in ["RETURN 0\n", "REDIRECT :BUSY http://a/\n", "\n", "DISPLAY \"", "STARTFSA\n"] {
            let (items, found) = judge(AnswerStream::default, format!("{first}{second}").as_bytes());
            assert_eq!((items.last(), found), (Some(&Item::End(end)), Ok(end)), "{first:?} {second:?}");
        }
        // Whoever goes on for ever is not heard out.
        let body = [first.as_bytes(), &[b'x'; 200]].concat();
        let (items, found) = judge(|| AnswerStream::new(100), &body);
        assert_eq!(items.last(), Some(&Item::End(end)));
        assert!(matches!(found, Err(DecodeError { kind: DecodeErrorKind::Limit(_), .. })), "{found:?}");
    }
}

#[test]
fn numbers_that_are_none() {
    for number in ["", "0 ", "\"0 \"", "0x0", "00000000000000000000001x", "2147483648", "-2147483649", "+-0", "\u{b2}"]
    {
        assert_eq!(ending(format!("RETURN {number}\n").as_bytes()), UNKNOWN(Doubt::NoStatus), "{number:?}");
    }
    assert_eq!(ending(b"RETURN -2147483648\n"), Ending::Returned(i32::MIN));
}

#[test]
fn the_agent_hears_nonsense() {
    for line in ["\n", "HEL\n", "HELLO\n", "HE O\n", "HELO\r\n", "\u{e9}\u{e9}\n", "1234\n"] {
        check_chunking(AgentRequests::default, line.as_bytes(), &[2]);
        let error = AgentRequests::default().decode_next(&mut line.as_bytes().into()).unwrap_err();
        assert_eq!((error.message, error.field, error.kind.name()), ("AgentRequest", "name", "invalid"), "{line:?}");
    }
    for line in ["\n", "22\n", "2211\n", "099\n", "2x1\n", "221\r\n", "+22\n"] {
        check_chunking(AgentReplies::default, line.as_bytes(), &[2]);
        let error = AgentReplies::default().decode_next(&mut line.as_bytes().into()).unwrap_err();
        assert_eq!((error.message, error.field, error.kind.name()), ("AgentReply", "code", "invalid"), "{line:?}");
    }
    let endless = vec![b'x'; 70_000];
    let error = AgentRequests::default().decode_next(&mut endless[..].into()).unwrap_err();
    assert_eq!(error, limit("AgentRequest", "length", "line", 65_536, 70_001));
    // A connection that is lost while the agent has it: nobody knows.
    assert_eq!(ending(b"STARTFSA\nRETURN 0\n"), UNKNOWN(Doubt::EndOfStream));
}

#[test]
fn targets_that_are_no_calls() {
    let cases: [(&[u8], CallError); 10] = [
        (b"*", CallError::NoPath),
        (b"db1:7999", CallError::NoPath),
        (b"http://db1", CallError::NoPath),
        (b"http://db1?ALLOW-REDIRECT=T", CallError::NoPath),
        (b"/csf/command/help", CallError::NoPath),
        (b"/csf\0/command/help?", CallError::Control),
        (b"/csf/command/x\r\nHost: evil?", CallError::Control),
        (b"/x?0=a&2=c", CallError::Arguments),
        (b"/x?0=%e", CallError::Percent),
        (b"/x?ALLOW-REDIRECT=F", CallError::Value),
    ];
    for (target, error) in cases {
        assert_eq!(Call::parse(target), Err(error), "{}", target.escape_ascii());
    }
    // 2^32 pairs never come to an end either.
    let many = [&b"/x?"[..], &b"&k".repeat(100_000)].concat();
    assert_eq!(Call::parse(&many), Err(CallError::TooMany));
    // A target cut at every byte: another call at most, and nothing that is not there.
    let context = Context { timezone_offset: -210, ..Context::default() };
    let whole = Call { arguments: vec!["a".into(), "b c".into()], ..Call::new("x", context) }.target("/").unwrap();
    for end in 0..whole.len() {
        if let Ok(call) = Call::parse(&whole[..end]) {
            assert!(call.arguments.len() <= 2 && call.context.rc.is_none() && call.unknown.len() <= 1);
        }
    }
    // A command cannot bring a header line along.
    let smuggled = Call::new("x HTTP/1.1\r\nHost: evil\r\n\r\n", Context::default());
    assert!(matches!(smuggled.target("/"), Err(EncodeError::Invalid { message: "Call", field: "path", .. })));
    for line in [&b""[..], b"GET", b"GET /", b"GET  HTTP/1.1", b" "] {
        assert_eq!(request_line(line), None, "{}", line.escape_ascii());
    }
}

#[test]
fn other_types_are_no_answers() {
    for other in
        ["", "cli/response;", "cli/response; charset=utf-8", "Cli/Response", "text/html", "cli /response", "\r"]
    {
        assert!(!is_answer(other.as_bytes()), "{other:?}");
    }
}

/// Servers that lie: loops of every length, and endless names. The walk is the original's, and need not end by itself; what
/// it remembers is bounded.
#[test]
fn loops_of_every_length() {
    for length in 1..30 {
        let ring: Vec<Server> = (0..length).map(|at| Server::new(format!("http://{at}/"))).collect();
        // Each continues at the next one: it goes round for ever, and keeps no more than the ring.
        let mut walk = Walk::new(ring[0].clone(), "x");
        let mut contacts = 0;
        while contacts < 200 {
            let Step::Ask(asked) = walk.next() else { panic!("a ring of {length} ends") };
            let at = ring.iter().position(|server| *server == asked).unwrap();
            contacts += 1;
            walk.redirected(RedirectKind::Continue, Some("y".into()), vec![ring[(at + 1) % length].clone()]);
        }
        // Each is busy and names the next one: both rounds end.
        let mut walk = Walk::new(ring[0].clone(), "x");
        let mut contacts = 0;
        while let Step::Ask(asked) = walk.next() {
            let at = ring.iter().position(|server| *server == asked).unwrap();
            contacts += 1;
            walk.redirected(RedirectKind::Busy, None, vec![ring[(at + 1) % length].clone()]);
        }
        assert_eq!((contacts, walk.allow_redirect()), (2 * length, false));
    }
}
