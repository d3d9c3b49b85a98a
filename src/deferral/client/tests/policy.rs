//! Which servers may be asked, and what they are shown (4.4).

use super::*;

/// Whether the server `from` may name `to`.
fn may(policy: Policy, from: &str, to: &str) -> bool {
    let mut bench = Bench::new(Config { policy, ..Config::default() }, task(&[from]));
    bench.drain();
    bench.reached(Peer::default());
    bench.declines(&[to]);
    let Drained { dials, events, .. } = bench.drain();
    if dials == uris(&[to]) {
        return true;
    }
    let Some(Event::Ended(Outcome::Failed(_, report))) = events.last() else { panic!("{events:?}") };
    assert_eq!((dials, &report.denied[..]), (Vec::new(), &uris(&[to])[..]));
    false
}

fn listed(hosts: &[&str]) -> Policy {
    let hosts = hosts.iter().map(|host| alloc::string::String::from(*host)).collect();
    Policy { hosts: Hosts::Listed(hosts), ..Policy::default() }
}

#[test]
fn by_default_only_the_hosts_that_are_known() {
    assert!(may(Policy::default(), "a", "handover://a:1"));
    assert!(may(Policy::default(), "a", "handover://A.:1/path"));
    assert!(!may(Policy::default(), "a", "b"));
    assert!(!may(Policy::default(), "a", "a.b"));
    let mut bench = Bench::new(Config::default(), task(&["a", "b"]));
    bench.asks("a");
    bench.declines(&["handover://b:9"]);
    bench.asks("b");
    bench.declines(&[]);
    bench.asks("handover://b:9");
}

#[test]
fn hosts_that_are_listed_and_names_with_a_listed_end() {
    let policy = || listed(&["db1", "[::1]", ".example.org", "10.0.0.1"]);
    for allowed in ["a", "db1", "x.example.org", "x.y.example.org", "10.0.0.1"] {
        assert!(may(policy(), "a", if allowed == "a" { "handover://a:1" } else { allowed }), "{allowed}");
    }
    for denied in ["db11", "xdb1", "db1.example", "example.org", "xexample.org", "example.org.evil", "10.0.0.11"] {
        assert!(!may(policy(), "a", denied), "{denied}");
    }
    assert!(may(listed(&["fd00::1"]), "a", "handover://[fd00::1]:1"));
}

#[test]
fn never_a_weaker_scheme_unless_that_is_wanted() {
    let any = |weaker| Policy { hosts: Hosts::Any, weaker, ..Policy::default() };
    let pairs = [
        ("handovers://a:1", "handovers://b:1", true),
        ("handover://a:1", "handovers://b:1", true),
        ("http://a", "https://b", true),
        ("handovers://a:1", "handover://b:1", false),
        ("https://a", "http://b", false),
        ("https://a", "handovers://b:1", false),
        ("http://a", "handover://b:1", false),
        ("x://a:1", "x://b:1", true),
        ("x://a:1", "xs://b:1", false),
    ];
    for (from, to, fine) in pairs {
        assert_eq!(may(any(false), from, to), fine, "{from} {to}");
        assert!(may(any(true), from, to));
    }
    // The same host is no excuse.
    assert!(!may(Policy::default(), "handovers://a:1", "handover://a:1"));
}

#[test]
fn who_is_elsewhere_names_nobody_here() {
    let any = |local| Policy { hosts: Hosts::Any, local, ..Policy::default() };
    let here = ["localhost", "x.localhost", "127.0.0.1", "127.9.9.9", "169.254.1.1", "0.0.0.0"];
    let here = here.map(|host| alloc::format!("handover://{host}:1"));
    let brackets = ["[::1]", "[fe80::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:169.254.1.1]"];
    let brackets = brackets.map(|host| alloc::format!("handover://{host}:1"));
    for to in here.iter().chain(&brackets) {
        assert!(!may(any(false), "a", to), "{to}");
        assert!(may(any(true), "a", to), "{to}");
        assert!(may(any(false), "handover://127.0.0.1:7", to), "{to}");
    }
    assert!(may(any(false), "handover://127.0.0.1:7", "b"));
}

#[test]
fn whom_one_must_not_name_another_may() {
    let policy = Policy { hosts: Hosts::Any, ..Policy::default() };
    let mut bench = Bench::new(Config { policy, ..Config::default() }, task(&["https://a", "http://b"]));
    bench.drain();
    bench.reached(Peer::default());
    bench.declines(&["http://c"]);
    assert_eq!(bench.client.report().denied, uris(&["http://c"]));
    bench.asks("http://b");
    bench.declines(&["http://c"]);
    assert_eq!(bench.client.report().denied, []);
    bench.asks("http://c");
    bench.declines(&[]);
    assert_eq!(bench.fails().declined, uris(&["https://a", "http://b", "http://c"]));
}

#[test]
fn credentials_are_shown_to_own_origins_only() {
    let credentials = Credentials(Bytes::from_static(b"secret"));
    let mut bench = Bench::new(anywhere(), Task { credentials, ..task(&["handover://a:1"]) });
    let shown = [
        ("handover://a:1", true),
        ("handover://a:2", false),
        ("handovers://a:1", false),
        ("handover://b:1", false),
        ("handover://a:1/path", true),
    ];
    for (at, (to, own)) in shown.into_iter().enumerate() {
        let request = bench.asks(to);
        assert_eq!(request.credentials.is_empty(), !own, "{to}");
        let names: Vec<&str> = if at == 0 { shown.iter().skip(1).map(|(name, _)| *name).collect() } else { Vec::new() };
        bench.declines(&names);
    }
    bench.fails();
}

#[test]
fn who_was_named_is_told_by_whom_and_shown_the_receipt_of_that_one() {
    let mut bench = Bench::of(&["a", "b"]);
    let request = bench.asks("a");
    assert_eq!((request.referrer, &request.receipt[..]), (None, &b""[..]));
    let receipt = Bytes::from_static(b"was here");
    bench.defers(Defer { receipt, ..defer(DeferKind::BUSY, &["b", "c"]) });
    let request = bench.asks("b");
    assert_eq!((request.referrer, &request.receipt[..]), (None, &b""[..]));
    bench.defers(Defer { receipt: Bytes::from_static(b"other"), ..defer(DeferKind::BUSY, &["c"]) });
    let request = bench.asks("c");
    assert_eq!((request.referrer, &request.receipt[..]), (Some(uri("a")), &b"was here"[..]));
    bench.is_busy(&[]);
    bench.waits();
    // In the second round, too.
    bench.asks("a");
    bench.declines(&[]);
    bench.asks("b");
    bench.declines(&[]);
    assert_eq!(&bench.asks("c").receipt[..], b"was here");
}

#[test]
fn nothing_that_is_secret_or_the_applications_is_shown() {
    let credentials = Credentials(Bytes::from_static(b"0123456789abcdef"));
    let mut bench = Bench::new(anywhere(), Task { credentials, ..task(&["a", "b"]) });
    let mut shown = alloc::vec::Vec::new();
    let link = LinkId(1);
    let data = Message::Data(Data {
        key: bench.client.key,
        bytes: Bytes::from_static(b"0123456789abcdef"),
        extensions: Extensions::NONE,
    });
    for input in [Input::Opened { link, peer: Peer::default() }, Input::Message { link, message: data }] {
        shown.push(alloc::format!("{input:?}"));
        bench.fine(input);
        shown.push(alloc::format!("{:?}", bench.client));
    }
    while let Some(output) = bench.client.poll_output() {
        shown.push(alloc::format!("{output:?}"));
    }
    assert!(shown.iter().any(|text| text.contains("Piece(16 bytes)")));
    for secret in ["0123456789abcdef", "argument", "48, 49, 50", "303132"] {
        let found = shown.iter().find(|text| text.contains(secret) && !text.contains("1 arguments"));
        assert_eq!(found, None, "{secret}");
    }
    assert!(shown.iter().all(|text| !text.contains("b\"argument\"")));
}
