//! Two real sites with each other: what the other tests take for granted.

use crate::support::libdb::{PACKAGE, Role, Site, SiteOptions, is_installed, pattern};
use crate::support::require;

/// A site that is the master of a group; `None` without the library.
pub fn master() -> Option<Site> {
    start(&SiteOptions::new(Role::Master))
}

/// A site as `options` say; `None` without the library.
pub fn start(options: &SiteOptions) -> Option<Site> {
    require(is_installed(), PACKAGE).then(|| Site::start(options).unwrap())
}

#[test]
fn what_a_site_is_told_is_what_its_library_does() {
    let Some(mut master) = master() else { return };
    let mut client = start(&SiteOptions::new(Role::Client(master.port()))).unwrap();
    assert!(client.call("master").unwrap().number("port") == u64::from(master.port()));
    assert!(master.call("master").unwrap().is("own"));
    assert_eq!(client.call(&format!("channel 0 {}", master.port())).unwrap().name(), "OK");
    assert_eq!(client.call("channel 1 master").unwrap().name(), "OK");

    // Segments go through as they are given, of whatever size and wherever they stand in memory.
    assert_eq!(client.call("send 0 t:hello e n:100000 u:3:abc x:00ff").unwrap().name(), "OK");
    let message = master.wait_dispatch().unwrap();
    assert!(message.carries([b"hello".as_slice(), b"", &pattern(100_000), b"abc", b"\x00\xff"]), "{message:?}");
    assert!(!message.is("request") && !message.carries(["hello", ""]));

    // What the dispatch function does, and what the requester is told.
    let mut ask = |how: &str, expected: &str| {
        let answer = client.call(&format!("request {how}")).unwrap();
        assert_eq!(answer.name(), expected, "{how}");
        answer
    };
    assert!(ask("0 0 single malloc t:echo n:5", "OK").carries([pattern(5)]));
    assert!(ask("1 0 bulk malloc t:multi:3", "OK").carries(["part0", "", "part2"]));
    assert!(ask("1 0 single malloc t:anything t:else", "OK").carries(["anything"]));
    assert!(ask("1 0 single user:11 t:big:11", "OK").carries([pattern(11)]));
    ask("1 0 single user:10 t:big:11", "DB_BUFFER_SMALL");
    ask("1 0 single malloc t:multi:2", "DB_BUFFER_SMALL");
    ask("1 0 single malloc t:none", "DB_KEYEMPTY");
    ask("1 100000 single malloc t:gate:late", "DB_TIMEOUT");
    assert!(ask("1 0 single malloc t:two", "OK").carries(["first"]));
    master.call("open late").unwrap();
    while master.wait_answered().unwrap() != ["OK", "EINVAL"] {}
    master.call("dispatch off").unwrap();
    ask("0 0 single malloc t:echo", "DB_NOSERVER");
    master.call("dispatch on").unwrap();

    // Messages come back by the way the message came.
    client.call("send 1 t:reply:3").unwrap();
    (0..3).for_each(|_| drop(client.wait_dispatch().unwrap()));

    // Numbered ones are counted; requests come one after the other, and all of them.
    master.call("report off").unwrap();
    assert_eq!(client.call("ask 0 a 50 1000 0").unwrap().number("succeeded"), 50);
    let received = master.wait_numbered('a', 50).unwrap();
    assert_eq!((received.number("fresh"), received.number("repeated"), received.number("highest")), (50, 0, 50));

    // Without its master the client becomes master itself.
    master.quit().unwrap();
    client.wait_event("ELECTED").unwrap();
    client.wait_event("MASTER").unwrap();
    assert!(client.call("master").unwrap().is("own"));
    client.quit().unwrap();
}

/// The library's own weakness, which nobody here may share: it says of each message that it has sent it.
#[test]
fn a_real_site_loses_messages_in_silence() {
    let Some(mut master) = master() else { return };
    let mut client = start(&SiteOptions::new(Role::Client(master.port()))).unwrap();
    client.call(&format!("channel 0 {}", master.port())).unwrap();
    master.freeze().unwrap();
    assert_eq!(client.call("flood 0 a 8000 10000").unwrap().number("succeeded"), 8000);
    let dropped = client.call("statistics").unwrap().number("dropped");
    master.thaw().unwrap();
    assert!(dropped > 0);
    let received = master.wait_numbered('a', 8000 - dropped).unwrap();
    assert_eq!(received.number("fresh"), 8000 - dropped);
    client.quit().unwrap();
    master.quit().unwrap();
}
