use super::*;
use crate::wire::{Encode, Framer, StreamDecode};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bytes::BytesMut;

fn items(body: &[u8]) -> Vec<Item> {
    items_of(AnswerStream::default(), body).0
}

fn items_of(stream: AnswerStream, body: &[u8]) -> (Vec<Item>, Ending) {
    let mut answer = Framer::new(stream);
    answer.push(body);
    let mut items = Vec::new();
    while let Some(item) = answer.next_item().expect("nothing is too long") {
        items.push(item);
    }
    (items, answer.decoder().finish())
}

fn unknown(doubt: Doubt) -> Item {
    Item::End(Ending::Unknown(doubt))
}

#[test]
fn a_line_is_read_by_the_measured_grammar() {
    let display = |text: &'static str| vec![Item::Directive(Directive::Display(text.into()))];
    let cases: [(&[u8], &'static str); 10] = [
        (b"DISPLAY \"done\"\n", "done"),
        (b"DISPLAY plain text \n", "plain text "),
        (b"DISPLAY    \"several blanks\"\n", "several blanks"),
        (b"DISPLAY\n", ""),
        (b"DISPLAY \n", ""),
        (b"DISPLAY \"q\\\" b\\\\ n\\n\"\n", "q\" b\\ nn"),
        (b"DISPLAY \"l1\nl2\n\nl4\rX\n\"\n", "l1\nl2\n\nl4\rX\n"),
        (b"DISPLAY a \"b\"\n", "a \"b\""),
        (b"DISPLAY \"x\"!", "x"),
        (b"DISPLAY \r\n", "\r"),
    ];
    for (line, text) in cases {
        assert_eq!(items(line), display(text), "{}", line.escape_ascii());
    }
    // Each byte is itself.
    assert_eq!(items(b"DISPLAY \"\xf6\xff\0\"\n"), [Item::Directive(Directive::Display(b"\xf6\xff\0"[..].into()))]);
}

#[test]
fn a_token_is_exact() {
    for token in ["display", "DISPLAY\t", "\u{feff}DISPLAY", "DISPLAY\r", "RETURNS", "\tRETURN"] {
        let found = items(format!("{token} \"x\"\n").as_bytes());
        let expected = Directive::Unknown { token: token.to_string().into(), argument: "x".into() };
        assert_eq!(found, [Item::Directive(expected)]);
    }
    assert_eq!(items(b"STARTFSA now\n"), [Item::Directive(Directive::StartFileAgent)]);
}

#[test]
fn numbers_have_a_sign_and_digits() {
    let edges = [("0", 0), ("+0", 0), ("-0", 0), ("000", 0), ("-7", -7), ("2147483647", i32::MAX), ("\"12\"", 12)];
    for (text, status) in edges {
        let expected = [Item::Directive(Directive::Return(status)), Item::End(Ending::Returned(status))];
        assert_eq!(items(format!("RETURN {text}\n").as_bytes()), expected, "{text}");
        assert_eq!(items(format!("TRACE {text}\n").as_bytes()), [Item::Directive(Directive::Trace(status))], "{text}");
    }
    for text in ["", " ", " x", " 5 ", " 0\r", " 0x1", " 2147483648", " +", " --1", " 1.0", " \"\"", " \"1", " \u{661}"]
    {
        let line = format!("RETURN{text}\n\"\n");
        assert_eq!(items(line.as_bytes()), [unknown(Doubt::NoStatus)], "{text:?}");
    }
    for text in ["TRACE\n", "TRACE \n", "TRACE \"\"\n"] {
        assert_eq!(items(text.as_bytes()), [Item::Skipped("TRACE without a number")]);
    }
    assert_eq!(items(b"TRACE on\nRETURN 0\n"), [unknown(Doubt::NoLevel)]);
}

#[test]
fn what_the_original_takes_for_success_is_unknown() {
    let cases: [(&[u8], Doubt, usize); 9] = [
        (b"", Doubt::EndOfStream, 0),
        (b"DISPLAY \"half\"\n", Doubt::EndOfStream, 1),
        (b"DISPLAY \"half", Doubt::EndOfStream, 0),
        (b"RETURN 0", Doubt::EndOfStream, 0),
        (b"REDIRECT :BUSY http://a/", Doubt::EndOfStream, 0),
        (b"DISPLAY \"one\"\n\nRETURN 0\n", Doubt::BlankLine, 2),
        (b" RETURN 0\n", Doubt::BlankLine, 1),
        (b"DISPLAY \"one\"\r\nRETURN 0\r\n", Doubt::BlankLine, 2),
        (b"REDIRECT :ELSEWHERE http://a/\nRETURN 0\n", Doubt::UnknownRedirect, 1),
    ];
    for (body, doubt, count) in cases {
        let (items, ending) = items_of(AnswerStream::default(), body);
        assert_eq!((items.len(), ending), (count, Ending::Unknown(doubt)), "{}", body.escape_ascii());
    }
    for kind in [":busy", "BUSY", ":BUSY,", ":NOSERVICE", "http://a/"] {
        assert_eq!(items(format!("REDIRECT {kind}\n").as_bytes()), [unknown(Doubt::UnknownRedirect)], "{kind}");
    }
}

#[test]
fn redirections() {
    let server = |name: &str| bytes::Bytes::from(format!("http://{name}/"));
    let found = |line: &[u8]| match &items(line)[..] {
        [Item::Directive(Directive::Redirect(redirect)), Item::End(Ending::Redirected(kind))] => {
            assert_eq!(redirect.kind, *kind);
            redirect.clone()
        }
        other => panic!("{}: {other:?}", line.escape_ascii()),
    };
    let busy = Redirect::new(RedirectKind::Busy, vec![server("a"), server("b")]);
    assert_eq!(found(b"REDIRECT :BUSY http://a/ http://b/\n"), busy);
    assert_eq!(found(b"REDIRECT  :BUSY \t http://a/\x0c\rhttp://b/ \r\n"), busy);
    assert_eq!(found(b"REDIRECT \":BUSY\nhttp://a/\nhttp://b/\"\n"), busy);
    for (kind, name) in [(RedirectKind::NoService, ":NO-SERVICE"), (RedirectKind::ReadOnly, ":READ-ONLY")] {
        assert_eq!(found(format!("REDIRECT {name}\n").as_bytes()), Redirect::new(kind, vec![]));
        assert_eq!(found(format!("REDIRECT {name} \n").as_bytes()), Redirect::new(kind, vec![]));
    }
    let path = |path: &'static str, servers| Redirect {
        path: Some(path.into()),
        ..Redirect::new(RedirectKind::Continue, servers)
    };
    assert_eq!(found(b"REDIRECT :CONTINUE csf/command/x http://a/\n"), path("csf/command/x", vec![server("a")]));
    assert_eq!(found(b"REDIRECT :CONTINUE x?k=v\n"), path("x?k=v", vec![]));
    // It is taken for the path.
    assert_eq!(found(b"REDIRECT :CONTINUE http://a/\n"), path("http://a/", vec![]));
    assert_eq!(found(b"REDIRECT :CONTINUE \"x\"\n"), path("\"x\"", vec![]));

    for skipped in ["REDIRECT\n", "REDIRECT \n", "REDIRECT \"\"\n", "REDIRECT :CONTINUE\n", "REDIRECT :CONTINUE \n"] {
        let body = format!("{skipped}DISPLAY \"went on\"\nRETURN 0\n");
        assert!(matches!(items(body.as_bytes())[..], [Item::Skipped(_), _, _, Item::End(Ending::Returned(0))]));
    }
}

#[test]
fn one_bad_url_voids_the_line_unless_it_is_to_be_left_out() {
    for bad in ["b", "//b/", "http://b:x/", "http://b:1:2/", "1http://b/", "http://me@b/", "http://b\u{7f}/", ":7/"] {
        let body = format!("REDIRECT :BUSY http://a/ {bad} http://c/\n");
        let (found, ending) = items_of(AnswerStream::default(), body.as_bytes());
        assert_eq!(found, [Item::Skipped("REDIRECT with a URL that is none")], "{bad}");
        assert_eq!(ending, Ending::Unknown(Doubt::EndOfStream));
        let (found, _) = items_of(AnswerStream::default().bad_url(BadUrl::LeftOut), body.as_bytes());
        let [Item::Directive(Directive::Redirect(redirect)), Item::End(_)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(redirect.servers, ["http://a/", "http://c/"], "{bad}");
    }
    for good in ["https://b:99999/x?y#z", "http://[::1]:80/", "http://b:", "file:/x", "HTTP://b", "ftp://b/me@home"] {
        let body = format!("REDIRECT :BUSY {good}\n");
        assert_eq!(items(body.as_bytes()).len(), 2, "{good}");
    }
}

#[test]
fn what_the_original_would_not_read_is_not_written() {
    let server = |url: &'static str| Directive::Redirect(Redirect::new(RedirectKind::Busy, vec![url.into()]));
    for url in [
        "a",
        "https://a/",
        "http://a",
        "http:///",
        "http://:80/",
        "http://me@a/",
        "http://a b/",
        "http://a:x/",
        "http://\u{e9}/",
        "HTTP://a/",
        "file:/a/",
    ] {
        assert!(server(url).to_vec().is_err(), "{url}");
    }
    for url in ["http://a/", "http://[::1]:7999/pre/fix/", "http://127.0.0.1:17001/?x=/"] {
        assert!(server(url).to_vec().is_ok(), "{url}");
    }
    let next = |path: Option<&'static str>| {
        let redirect = Redirect::new(RedirectKind::Continue, vec![]);
        Directive::Redirect(Redirect { path: path.map(Into::into), ..redirect }).to_vec().is_ok()
    };
    assert!(next(Some("csf/command/x")) && next(Some("x?y")) && next(Some("\u{e9}")));
    assert!(!(next(None) || next(Some("")) || next(Some("/x")) || next(Some("a b")) || next(Some("a\tb"))));
    let stray = Redirect { path: Some("x".into()), ..Redirect::new(RedirectKind::Busy, vec![]) };
    assert!(Directive::Redirect(stray).to_vec().is_err());
    let word = |token: &'static str| Directive::Unknown { token: token.into(), argument: "".into() }.to_vec();
    assert_eq!(word("FROB").as_deref(), Ok(&b"FROB\n"[..]));
    for token in ["", "A B", "A\n", "A\r", "CD", "REDIRECT"] {
        assert!(word(token).is_err(), "{token:?}");
    }
}

#[test]
fn a_line_keeps_its_spelling() {
    let bodies: [&[u8]; 9] = [
        b"CD /plain\n",
        b"CD   \"quoted\"\n",
        b"CD\n",
        b"CD  \n",
        b"X \"a\\b\\\"\\\\\"?",
        b"TRACE +01\n",
        b"REDIRECT :BUSY \n",
        b"MENU 2 \"a\" \"b\"\n",
        b"REDIRECT :ELSEWHERE\n",
    ];
    for body in bodies {
        let mut src = BytesMut::from(body);
        let mut stream = AnswerStream::default();
        assert!(stream.decode_next(&mut src).unwrap().is_some());
        assert_eq!((stream.line().to_vec().as_deref(), src.len()), (Ok(body), 0), "{}", body.escape_ascii());
    }
    let line = |argument| Line { token: "X".into(), argument };
    for argument in [
        Argument::Plain { blanks: 0, text: "x".into() },
        Argument::Plain { blanks: 1, text: " x".into() },
        Argument::Plain { blanks: 1, text: "\"".into() },
        Argument::Plain { blanks: 1, text: "a\n".into() },
        Argument::Quoted { blanks: 0, raw: "x".into(), after: b'\n' },
        Argument::Quoted { blanks: 1, raw: "x\"".into(), after: b'\n' },
        Argument::Quoted { blanks: 1, raw: "x\\".into(), after: b'\n' },
    ] {
        assert!(line(argument.clone()).to_vec().is_err(), "{argument:?}");
    }
    assert!(Line::default().to_vec().is_err());
}

#[test]
fn the_agent_comes_and_goes() {
    let mut answer = Framer::new(AnswerStream::default());
    answer.push(b"STARTFSA\nHELO\nCURR\nQUIT T\nCD \"x\"\nSTARTFSA\nQUIT NIL\nRETURN 0\n");
    let mut asked = Vec::new();
    let mut directives = Vec::new();
    let mut requests = AgentRequests::new(100);
    loop {
        while answer.decoder().is_handed_over() {
            let request = requests.decode_next(answer.buffer_mut()).unwrap().expect("it is there");
            if request.name == AgentRequest::QUIT {
                answer.decoder_mut().resume();
            }
            asked.push(request.to_vec().unwrap());
        }
        match answer.next_item().unwrap() {
            Some(item) => directives.push(item),
            None if answer.decoder().is_handed_over() => {}
            None => break,
        }
    }
    assert_eq!(asked, [&b"HELO\n"[..], b"CURR\n", b"QUIT T\n", b"QUIT NIL\n"]);
    assert_eq!(directives.len(), 5);
    assert_eq!(answer.decoder().finish(), Ending::Returned(0));

    let mut src = BytesMut::from(&b"200 1\n221\n200 \n2x0\n"[..]);
    let mut replies = AgentReplies::default();
    let mut next = || replies.decode_next(&mut src);
    assert_eq!(next(), Ok(Some(AgentReply { code: 200, text: Some("1".into()) })));
    assert_eq!(next(), Ok(Some(AgentReply { code: AgentReply::BYE, text: None })));
    assert_eq!(next(), Ok(Some(AgentReply { code: 200, text: Some("".into()) })));
    assert!(next().unwrap_err().to_string().contains("three digits are expected"));
    for (line, good) in [("QUI\n", false), ("QUITS\n", false), ("QU1T\n", false), ("\n", false), ("quit \n", true)] {
        let found = AgentRequests::default().decode_next(&mut BytesMut::from(line));
        assert_eq!(found.is_ok(), good, "{line:?}");
    }
    assert!(AgentReply { code: 99, text: None }.to_vec().is_err());
    assert!(AgentRequest::new(*b"A\nBC", None).to_vec().is_err());
    assert!(AgentRequest::new(*b"ABCD", Some("x\ny".into())).to_vec().is_err());
}

#[test]
fn calls_as_the_original_sends_them() {
    let target =
        b"http://127.0.0.1:17001/csf/command/a b?c=d#e?0=arg&ALLOW-REDIRECT=NIL&USER-NAME=&CLIENT-PLATFORM=Linux\
        &CURRENT-DIRECTORY=%2Fx%2F&USER-HOME-DIRECTORY=%2Fhome&TIMEZONE-OFFSET=-210&CHANGESAFERC=&RCPATH=%2F.csf";
    let call = Call::parse(target).unwrap();
    assert_eq!(call.command(), Some(&b"a b?c=d#e"[..]));
    assert_eq!((&call.arguments[..], call.allow_redirect), (&["arg".into()][..], false));
    assert_eq!(call.context.timezone_offset, -210);
    assert_eq!(call.context.rc, Some(RcFile { contents: "".into(), path: "/.csf".into() }));
    assert_eq!(call.target("http://127.0.0.1:17001/").unwrap(), target);
    assert_eq!(Call::split(target).unwrap().0, b"http://127.0.0.1:17001/");
    // A command of o-umlaut.
    let call = Call::new(b"\xf6", Context::default());
    let target = call.target(b"http://h/pre/fix/").unwrap();
    assert!(target.starts_with(b"http://h/pre/fix/csf/command/\xf6?ALLOW-REDIRECT=T&"));
    assert_eq!(Call::parse_below(b"pre/fix/", &target), Ok(call.clone()));
    assert_eq!(Call::parse(&target).unwrap().path, &b"pre/fix/csf/command/\xf6"[..]);
    assert_eq!(Call::parse_below(b"other/", &target), Err(CallError::NoPath));
    let shown = format!("{call:?}");
    assert!(shown.contains("csf/command/") && shown.contains("timezone_offset"), "{shown}");
}

#[test]
fn calls_that_are_none() {
    let cases = [
        ("", CallError::NoPath),
        ("csf/command/x?0=http://h/?", CallError::NoPath),
        ("http://h", CallError::NoPath),
        ("http:///x?", CallError::NoPath),
        ("://h/x?", CallError::NoPath),
        ("http://h?0=a/b", CallError::NoPath),
        ("/x", CallError::NoPath),
        ("/?ALLOW-REDIRECT=T", CallError::NoPath),
        ("/a\tb?", CallError::Control),
        ("/x?0=%", CallError::Percent),
        ("/x?0=%4", CallError::Percent),
        ("/x?%zz=", CallError::Percent),
        ("/x?1=a", CallError::Arguments),
        ("/x?00=a", CallError::Arguments),
        ("/x?0=a&0=b", CallError::Arguments),
        ("/x?99999999999999999999999=a", CallError::Arguments),
        ("/x?ALLOW-REDIRECT=t", CallError::Value),
        ("/x?ALLOW-REDIRECT=", CallError::Value),
        ("/x?TIMEZONE-OFFSET=1.5", CallError::Value),
        ("/x?ALLOW-REDIRECT=T&ALLOW-REDIRECT=NIL", CallError::Twice),
        ("/x?CHANGESAFERC=", CallError::RcFile),
        ("/x?RCPATH=", CallError::RcFile),
    ];
    for (target, error) in cases {
        assert_eq!(Call::parse(target.as_bytes()), Err(error), "{target}");
    }
    let many = format!("/x?{}", "k=v&".repeat(1025));
    assert_eq!(Call::parse(many.as_bytes()), Err(CallError::TooMany));
    // What is not said is the default; what need not be encoded may be.
    let call = Call::parse(b"/csf/command/help?&0=%61~&&x").unwrap();
    assert_eq!(call.arguments, ["a~"]);
    assert_eq!(call.unknown, [("x".into(), "".into())]);
    assert!(call.allow_redirect);
}

#[test]
fn targets_that_cannot_be_written() {
    let call = Call::new("x", Context::default());
    for base in ["", "h", "http://h", "http:///", "http://me:secret@h/", "http://h/ /", "http://h/\r\n", "//h/"] {
        assert!(call.target(base).is_err(), "{base:?}");
    }
    assert!(call.target("/").is_ok());
    for path in [&b""[..], b"x\r\nHost: h", b"\0"] {
        let call = Call { path: path.into(), ..call.clone() };
        assert!(call.target("http://h/").is_err(), "{}", path.escape_ascii());
    }
    for key in ["0", "17", "RCPATH", "ALLOW-REDIRECT"] {
        let call = Call { unknown: vec![(key.into(), "".into())], ..call.clone() };
        assert!(call.target("http://h/").is_err(), "{key}");
    }
    let most = Call { arguments: vec!["".into(); Call::MAX_PAIRS - 6], ..call };
    assert_eq!(Call::parse(&most.target("/").unwrap()).unwrap(), most);
    let mut more = most;
    more.context.rc = Some(RcFile::default());
    assert!(more.target("/").is_err());
}

#[test]
fn a_walk_is_bounded() {
    let server = |at: usize| Server::new(format!("http://{at}/"));
    let mut walk = Walk::new(server(0), "x");
    let mut asked = 0;
    let mut fresh = 1;
    // Each names 300 that are not known, and has nothing to do with it.
    while let Step::Ask(_) = walk.next() {
        asked += 1;
        let named = (fresh..fresh + 300).map(server).collect();
        fresh += 300;
        walk.redirected(RedirectKind::NoService, None, named);
    }
    assert_eq!(asked, Walk::MAX_SERVERS);
}
