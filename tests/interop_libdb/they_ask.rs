//! Real sites open channels to us, who are no member of their group. What their library returns is what counts.

use crate::ours::{Note, Ours, parts};
use crate::real_sites::{master, start};
use crate::support::libdb::{Answer, Role, Site, SiteOptions, pattern};
use handover::repmgr::Segments;
use handover::repmgr::dispatcher::Event;
use handover::repmgr::endpoint::{LinkEvent, SiteCommand};

/// A real site with a channel to us.
fn pair() -> Option<(Site, Ours)> {
    let mut site = master()?;
    let ours = Ours::start();
    connect(&mut site, &ours, 0);
    Some((site, ours))
}

#[track_caller]
fn connect(site: &mut Site, ours: &Ours, channel: u32) {
    let opened = site.call(&format!("channel {channel} {}", ours.port())).unwrap();
    assert_eq!(opened.name(), "OK", "{}", site.stderr());
}

#[track_caller]
fn end(site: Site, ours: Ours) {
    site.quit().unwrap();
    ours.finish();
}

/// What a request on channel 0 brings.
#[track_caller]
fn ask(site: &mut Site, how: &str, expected: &str) -> Answer {
    let answer = site.call(&format!("request 0 {how}")).unwrap();
    assert_eq!(answer.name(), expected, "{how}: {}", site.stderr());
    answer
}

/// The number of the link that the real site has opened.
#[track_caller]
fn link(ours: &Ours) -> handover::machine::LinkId {
    ours.log.wait("a message", |note| match note {
        Note::Dispatcher(Event::Unserved(link)) => Some(*link),
        _ => None,
    })
}

#[test]
fn messages_come_as_they_were_sent() {
    let Some((mut site, ours)) = pair() else { return };
    let many = vec![pattern(8); 1000];
    let messages: [(&str, Segments); 9] = [
        ("t:one", parts([b"one"])),
        ("t:one t:and t:another", parts([b"one", b"and", b"another"])),
        ("e t:middle e e", parts([b"", b"middle", b"", b""])),
        ("e", parts([b""])),
        ("", Segments::EMPTY),
        // Its library pads by its own addresses, not by ours.
        ("u:3:hello u:1:world! u:5:abc", parts([b"hello", b"world!", b"abc"])),
        ("n:100000 t:x", parts([&pattern(100_000), b"x"])),
        ("n:1048576 e n:1048577", parts([&pattern(1 << 20), b"", &pattern((1 << 20) + 1)])),
        ("r:1000:8", many.into_iter().collect()),
    ];
    for (how, expected) in messages {
        assert_eq!(site.call(&format!("send 0 {how}")).unwrap().name(), "OK", "{how}");
        let received = ours.next_dispatch();
        assert!(received.segments == expected && !received.request, "{how}: {received:?}");
    }
    end(site, ours);
}

#[test]
fn requests_are_answered() {
    let Some((mut site, ours)) = pair() else { return };
    assert!(ask(&mut site, "0 single malloc t:anything t:else", "OK").carries(["anything"]));
    for size in [0, 1, 7, 8, 9, 100_000, 1 << 20] {
        assert!(ask(&mut site, &format!("0 single malloc t:echo n:{size}"), "OK").carries([pattern(size)]), "{size}");
        assert!(ask(&mut site, &format!("0 single malloc t:big:{size}"), "OK").carries([pattern(size)]), "{size}");
    }
    for empty in ["t:zero", "t:empty", ""] {
        let answer = ask(&mut site, &format!("0 single malloc {empty}"), "OK");
        assert!(answer.number("size") == 0 && answer.carries([""]), "{empty}: {answer:?}");
    }
    let request = ours.next_dispatch();
    assert_eq!((request.request, request.bulk, request.limit), (true, false, None));
    end(site, ours);
}

#[test]
fn bulk_answers_have_any_number_of_segments() {
    let Some((mut site, ours)) = pair() else { return };
    for count in [0, 1, 2, 3, 500] {
        let answer = ask(&mut site, &format!("0 bulk malloc t:multi:{count}"), "OK");
        assert!(answer.carries(crate::ours::multi(count).slices()), "{count}: {answer:?}");
    }
    assert!(ask(&mut site, "0 bulk malloc t:zero", "OK").carries([""; 0]));
    assert!(ask(&mut site, "0 bulk malloc t:empty", "OK").carries([""]));
    assert!(ask(&mut site, "0 bulk malloc t:big:1000000", "OK").carries([pattern(1_000_000)]));
    assert!(ask(&mut site, "0 bulk malloc t:echo t:a n:100000 e t:b", "OK").carries([
        b"a".as_slice(),
        &pattern(100_000),
        b"",
        b"b"
    ]));
    end(site, ours);
}

#[test]
fn the_requesters_limit_is_kept_to_the_byte() {
    let Some((mut site, ours)) = pair() else { return };
    assert!(ask(&mut site, "0 single user:1000 t:big:1000", "OK").carries([pattern(1000)]));
    ask(&mut site, "0 single user:999 t:big:1000", "DB_BUFFER_SMALL");
    assert_eq!(ours.next_dispatch().limit, Some(1000));
    assert_eq!(ours.next_dispatch().limit, Some(999));
    let too_large = |note: &Note| match note {
        Note::Dispatcher(Event::TooLarge { size, .. }) => Some(*size),
        _ => None,
    };
    assert_eq!(ours.next("too large", too_large), 1000);
    ask(&mut site, "0 single user:0 t:big:1", "DB_BUFFER_SMALL");
    assert!(ask(&mut site, "0 single user:0 t:empty", "OK").carries([""]));
    assert!(ask(&mut site, "0 single user:0 t:zero", "OK").carries([""]));
    // Of a bulk answer, the padding and the table count: 8 + 0 + 8 + 28.
    assert!(ask(&mut site, "0 bulk user:44 t:multi:3", "OK").carries(["part0", "", "part2"]));
    ask(&mut site, "0 bulk user:43 t:multi:3", "DB_BUFFER_SMALL");
    assert!(ask(&mut site, "0 bulk user:4 t:zero", "OK").carries([""; 0]));
    // Several segments for somebody who wants one.
    ask(&mut site, "0 single malloc t:multi:2", "DB_BUFFER_SMALL");
    assert!(ask(&mut site, "0 single malloc t:multi:1", "OK").carries(["part0"]));
    end(site, ours);
}

#[test]
fn every_request_has_one_answer_even_if_the_application_has_none_or_two() {
    let Some((mut site, ours)) = pair() else { return };
    ask(&mut site, "0 single malloc t:none", "DB_KEYEMPTY");
    ask(&mut site, "0 bulk malloc t:none", "DB_KEYEMPTY");
    assert!(ask(&mut site, "0 single malloc t:two", "OK").carries(["first"]));
    assert_eq!(ours.next_answered(), Ok(()));
    assert!(ours.next_answered().is_err());

    ours.command(SiteCommand::Serve(false));
    ask(&mut site, "0 single malloc t:anything", "DB_NOSERVER");
    // For a message there is nothing to be said, and nothing is.
    assert_eq!(site.call("send 0 t:anything").unwrap().name(), "OK");
    ours.next("unserved", |note| matches!(note, Note::Dispatcher(Event::Unserved(_))).then_some(()));
    ask(&mut site, "0 single malloc t:anything", "DB_NOSERVER");
    ours.command(SiteCommand::Serve(true));
    assert!(ask(&mut site, "0 single malloc t:anything", "OK").carries(["anything"]));
    end(site, ours);
}

#[test]
fn a_late_answer_is_the_requesters_loss_and_the_next_request_works() {
    let Some((mut site, ours)) = pair() else { return };
    ask(&mut site, "100000 single malloc t:gate:late", "DB_TIMEOUT");
    assert!(ask(&mut site, "0 single malloc t:meanwhile", "OK").carries(["meanwhile"]));
    ours.open_gate("late");
    assert_eq!(ours.next_answered(), Ok(()));
    for n in 0..3 {
        assert!(ask(&mut site, &format!("0 single malloc t:after{n}"), "OK").carries([format!("after{n}")]));
    }
    end(site, ours);
}

#[test]
fn answers_in_another_order_reach_those_who_asked() {
    let Some((mut site, ours)) = pair() else { return };
    let names = ["a", "b", "c", "d", "e"];
    let pending = names.map(|name| site.begin(&format!("request 0 0 single malloc t:gate:{name}")).unwrap());
    for _ in names {
        ours.next_dispatch();
    }
    assert!(ask(&mut site, "0 single malloc t:quick", "OK").carries(["quick"]));
    for (name, pending) in names.into_iter().zip(pending).rev() {
        ours.open_gate(name);
        assert!(site.finish(pending).unwrap().carries([format!("gate:{name}")]), "{name}");
    }
    end(site, ours);
}

#[test]
fn messages_go_back_by_the_way_that_a_message_has_come() {
    let Some((mut site, ours)) = pair() else { return };
    site.call("send 0 t:reply:3").unwrap();
    let replies: Vec<Answer> = (0..3).map(|_| site.wait_dispatch().unwrap()).collect();
    for n in 0..3 {
        assert!(replies.iter().any(|reply| reply.carries([format!("reply{n}")])), "{replies:?}");
    }
    // Several segments, and none, go back too; an answer to them may come in its turn.
    site.call("send 0 t:echo t:a e t:b").unwrap();
    assert!(site.wait_dispatch().unwrap().carries(["a", "", "b"]));
    site.call("send 0 t:echo").unwrap();
    assert!(site.wait_dispatch().unwrap().carries([""; 0]));
    site.call("send 0 t:echo t:reply:2").unwrap();
    assert!(site.wait_dispatch().unwrap().carries(["reply:2"]));
    let come_back = |ours: &Ours| loop {
        let dispatch = ours.next_dispatch();
        if dispatch.segments.slice(0).is_some_and(|first| first.starts_with(b"reply") && first.len() == 6) {
            return dispatch.segments;
        }
    };
    assert_eq!([come_back(&ours), come_back(&ours)], [parts([b"reply0"]), parts([b"reply1"])]);
    // Also while a request waits for its answer.
    let pending = site.begin("request 0 0 single malloc t:gate:g").unwrap();
    site.call("send 0 t:reply:1").unwrap();
    assert!(site.wait_dispatch().unwrap().carries(["reply0"]));
    ours.open_gate("g");
    assert!(site.finish(pending).unwrap().carries(["gate:g"]));
    end(site, ours);
}

#[test]
fn two_channels_are_two_links() {
    let Some((mut site, ours)) = pair() else { return };
    connect(&mut site, &ours, 1);
    let pending = site.begin("request 1 0 single malloc t:gate:one").unwrap();
    ours.next_dispatch();
    assert!(ask(&mut site, "0 single malloc t:other", "OK").carries(["other"]));
    assert_eq!(site.call("close 0").unwrap().name(), "OK");
    ours.next("the end of a link", |note| matches!(note, Note::Link(LinkEvent::Closed(_))).then_some(()));
    ours.open_gate("one");
    assert!(site.finish(pending).unwrap().carries(["gate:one"]));
    end(site, ours);
}

#[test]
fn a_link_that_we_close_ends_its_requests_at_once() {
    let Some((mut site, ours)) = pair() else { return };
    ours.command(SiteCommand::Serve(false));
    site.call("send 0 t:whoever").unwrap();
    let link = link(&ours);
    ours.command(SiteCommand::Serve(true));
    let pending = site.begin("request 0 0 single malloc t:gate:never").unwrap();
    ours.next_dispatch();
    ours.command(SiteCommand::Disconnect(link));
    assert_eq!(site.finish(pending).unwrap().name(), "DB_REP_UNAVAIL");
    // A real channel to a site does not recover; a new one does.
    ask(&mut site, "0 single malloc t:again", "DB_REP_UNAVAIL");
    connect(&mut site, &ours, 1);
    assert!(site.call("request 1 0 single malloc t:again").unwrap().carries(["again"]));
    end(site, ours);
}

#[test]
fn a_requester_that_goes_is_told_once_and_what_is_answered_goes_nowhere() {
    let Some((mut site, ours)) = pair() else { return };
    let _first = site.begin("request 0 0 single malloc t:gate:a").unwrap();
    let _second = site.begin("request 0 0 single malloc t:gate:b").unwrap();
    ours.next_dispatch();
    ours.next_dispatch();
    drop(site);
    for _ in 0..2 {
        ours.next("the loss", |note| matches!(note, Note::Dispatcher(Event::Lost(_))).then_some(()));
    }
    ours.open_gate("a");
    assert!(ours.next_answered().is_err());
    ours.open_gate("b");
    assert!(ours.next_answered().is_err());
    let others = Ours::start();
    let channel = others.open_to(ours.port());
    assert_eq!(others.ask(channel, parts([b"still here"])).unwrap(), b"still here");
    others.finish();
    ours.finish();
}

#[test]
fn a_client_site_asks_as_a_master_does() {
    let Some(master) = master() else { return };
    let mut client = start(&SiteOptions::new(Role::Client(master.port()))).unwrap();
    let ours = Ours::start();
    connect(&mut client, &ours, 0);
    assert!(ask(&mut client, "0 bulk malloc t:multi:3", "OK").carries(["part0", "", "part2"]));
    assert_eq!(client.call("ask 0 a 500 1000 0").unwrap().number("succeeded"), 500);
    let numbered = ours.numbered('a');
    assert_eq!((numbered.fresh, numbered.repeated, numbered.late), (500, 0, 0));
    client.quit().unwrap();
    master.quit().unwrap();
    ours.finish();
}
