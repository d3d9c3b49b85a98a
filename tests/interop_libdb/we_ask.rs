//! Our channels to real sites, which know nothing of us but that we connect.

use crate::ours::{Note, Ours, address, bulk, multi, parts, single, within};
use crate::real_sites::{master, start};
use crate::support::libdb::{Role, Site, SiteOptions, pattern};
use handover::repmgr::Segments;
use handover::repmgr::channel::{DropReason, Event, Failure, RequestId, RequestOptions, To};
use handover::repmgr::endpoint::{ChannelId, SiteCommand, SiteConfig};
use std::time::Duration;

const BULK: RequestOptions = bulk_within(None);

const fn bulk_within(limit: Option<u32>) -> RequestOptions {
    RequestOptions { timeout: handover::repmgr::channel::RequestTimeout::Default, limit, bulk: true }
}

/// A master, and our channel to it.
fn pair() -> Option<(Site, Ours, ChannelId)> {
    let site = master()?;
    let ours = Ours::start();
    let channel = ours.open_to(site.port());
    Some((site, ours, channel))
}

/// Ends both in order: the real site has survived, and ours has nothing to complain of.
#[track_caller]
fn end(site: Site, ours: Ours, channel: ChannelId) {
    ours.command(SiteCommand::CloseChannel(channel));
    ours.wait_channel(channel, "the end of the channel", |event| matches!(event, Event::Closed { .. }));
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn messages_of_all_sizes_arrive_as_they_are() {
    let Some((mut site, ours, channel)) = pair() else { return };
    let large = pattern(1 << 20);
    let many: Segments = (0..3000).map(|n| format!("segment {n}")).collect();
    let messages = [
        parts([b"one"]),
        parts([b"one", b"and", b"another of any length"]),
        parts([b"", b"middle", b"", b""]),
        parts([b""]),
        Segments::EMPTY,
        parts([b"x", &pattern(100_000), b"y"]),
        parts([&large]),
        parts([&large, b"", &large]),
        // More than a real site could send itself.
        many,
    ];
    for segments in messages {
        let id = ours.send(channel, segments.clone());
        let received = site.wait_dispatch().unwrap();
        assert!(received.carries(segments.slices()) && !received.is("request"), "{segments:?}: {received:?}");
        ours.wait_channel(channel, "sent", |event| *event == Event::Sent(id));
    }
    end(site, ours, channel);
}

#[test]
fn requests_are_answered_by_a_master_and_by_a_client() {
    let Some((master, ours, channel)) = pair() else { return };
    let client = start(&SiteOptions::new(Role::Client(master.port()))).unwrap();
    let other = ours.open_to(client.port());
    for channel in [channel, other] {
        assert_eq!(ours.ask(channel, parts([b"anything"])).unwrap(), b"anything");
        for size in [0, 1, 7, 8, 9, 100_000, 1 << 20] {
            assert_eq!(ours.ask(channel, parts([b"echo", &pattern(size)])).unwrap(), pattern(size), "{size}");
            assert_eq!(ours.ask(channel, parts([format!("big:{size}").as_bytes()])).unwrap(), pattern(size), "{size}");
        }
        for empty in ["zero", "empty"] {
            assert_eq!(ours.ask(channel, parts([empty.as_bytes()])).unwrap(), b"", "{empty}");
        }
        assert_eq!(ours.ask(channel, Segments::EMPTY).unwrap(), b"");
    }
    client.quit().unwrap();
    end(master, ours, channel);
}

#[test]
fn bulk_answers_have_any_number_of_segments() {
    let Some((site, ours, channel)) = pair() else { return };
    let ask = |what: &str, options| ours.completed(ours.request(channel, parts([what.as_bytes()]), options)).map(bulk);
    for count in [0, 1, 2, 3, 500] {
        assert_eq!(ask(&format!("multi:{count}"), BULK), Ok(multi(count)), "{count}");
    }
    assert_eq!(ask("zero", BULK), Ok(Segments::EMPTY));
    assert_eq!(ask("empty", BULK), Ok(parts([b""])));
    assert_eq!(ask("big:1000000", BULK), Ok(parts([&pattern(1_000_000)])));
    // One segment is one segment, and not just bytes.
    assert_eq!(ask("anything", BULK), Ok(parts([b"anything"])));

    // The limit is for the answer with its padding and table: 8 + 0 + 8 bytes, and a table of 28.
    assert_eq!(ask("multi:3", bulk_within(Some(44))), Ok(multi(3)));
    assert_eq!(ask("multi:3", bulk_within(Some(43))), Err(Failure::TooLarge));
    assert_eq!(ask("zero", bulk_within(Some(4))), Ok(Segments::EMPTY));
    assert_eq!(ask("zero", bulk_within(Some(3))), Err(Failure::TooLarge));
    end(site, ours, channel);
}

#[test]
fn each_way_to_have_no_answer_is_told_apart() {
    let Some((mut site, ours, channel)) = pair() else { return };
    let limited = |limit| RequestOptions { limit: Some(limit), ..RequestOptions::default() };
    let ask =
        |what: &str, options| ours.completed(ours.request(channel, parts([what.as_bytes()]), options)).map(single);
    assert_eq!(ask("none", RequestOptions::default()), Err(Failure::NoAnswer));
    assert_eq!(ask("multi:2", RequestOptions::default()), Err(Failure::TooLarge));
    assert_eq!(ask("multi:1", RequestOptions::default()), Ok(b"part0".to_vec()));
    assert_eq!(ask("big:1000", limited(1000)), Ok(pattern(1000)));
    assert_eq!(ask("big:1001", limited(1000)), Err(Failure::TooLarge));
    assert_eq!(ask("big:1", limited(0)), Err(Failure::TooLarge));
    assert_eq!(ask("empty", limited(0)), Ok(Vec::new()));
    assert_eq!(ask("two", RequestOptions::default()), Ok(b"first".to_vec()));

    site.call("dispatch off").unwrap();
    assert_eq!(ask("echo", RequestOptions::default()), Err(Failure::NoServer));
    // A message gets no answer that it is thrown away: only the site itself says so.
    let thrown_away = ours.send(channel, parts([b"thrown away"]));
    ours.wait_channel(channel, "sent", |event| *event == Event::Sent(thrown_away));
    assert_eq!(ask("echo", RequestOptions::default()), Err(Failure::NoServer));
    site.call("dispatch on").unwrap();
    assert_eq!(ask("empty", RequestOptions::default()), Ok(Vec::new()));
    let seen = site.events("dispatch").unwrap();
    assert_eq!(seen.len(), 9, "{seen:?}");
    end(site, ours, channel);
}

#[test]
fn an_answer_that_comes_too_late_reaches_nobody() {
    let Some((mut site, ours, channel)) = pair() else { return };
    let late = ours.request(channel, parts([b"gate:a"]), within(200));
    let patient = ours.request(channel, parts([b"gate:b"]), within(30_000));
    assert_eq!(ours.completed(late), Err(Failure::Timeout { sent: true }));
    // The link is as good as ever.
    assert_eq!(ours.ask(channel, parts([b"meanwhile"])).unwrap(), b"meanwhile");
    site.call("open a").unwrap();
    ours.wait_channel(channel, "the late answer", |event| *event == Event::Ignored);
    assert_eq!(ours.ask(channel, parts([b"afterwards"])).unwrap(), b"afterwards");
    site.call("open b").unwrap();
    assert_eq!(ours.completed(patient).map(single), Ok(b"gate:b".to_vec()));
    end(site, ours, channel);
}

#[test]
fn answers_may_come_in_another_order() {
    let options = SiteOptions { threads: 8, ..SiteOptions::new(Role::Master) };
    let Some(mut site) = start(&options) else { return };
    let ours = Ours::start();
    let channel = ours.open_to(site.port());
    let names = ["a", "b", "c", "d", "e"];
    let requests = names.map(|name| ours.request(channel, parts([format!("gate:{name}").as_bytes()]), within(30_000)));
    for _ in names {
        site.wait_dispatch().unwrap();
    }
    for (name, request) in names.into_iter().zip(requests).rev() {
        site.call(&format!("open {name}")).unwrap();
        assert_eq!(ours.completed(request).map(single), Ok(format!("gate:{name}").into_bytes()));
    }
    end(site, ours, channel);
}

#[test]
fn many_requests_at_once_each_get_their_own_answer() {
    let Some((mut site, ours, channel)) = pair() else { return };
    site.call("report off").unwrap();
    // Not so many may wait for a link.
    assert_eq!(ours.ask(channel, parts([b"hello"])).unwrap(), b"hello");
    let ask = |n: u32| ours.request(channel, parts([format!("#a{n}").as_bytes()]), within(30_000));
    let requests: Vec<(u32, RequestId)> = (1..=2000).map(|n| (n, ask(n))).collect();
    for (n, request) in requests {
        assert_eq!(ours.completed(request).map(single), Ok(format!("#a{n}").into_bytes()));
    }
    let received = site.call("received a").unwrap();
    assert_eq!((received.number("fresh"), received.number("repeated")), (2000, 0), "{received:?}");
    end(site, ours, channel);
}

#[test]
fn a_site_sends_messages_back_by_our_channel() {
    let Some((mut site, ours, channel)) = pair() else { return };
    ours.send(channel, parts([b"reply:3"]));
    for n in 0..3 {
        let reply = ours.next_dispatch();
        assert_eq!((reply.request, reply.segments), (false, parts([format!("reply{n}").as_bytes()])));
    }
    // To what it sends back it may get something back in its turn.
    ours.send(channel, parts([b"echo", b"reply:2"]));
    assert_eq!(ours.next_dispatch().segments, parts([b"reply:2"]));
    assert_eq!([ours.next_answered(), ours.next_answered()], [Ok(()), Ok(())]);
    site.wait_dispatch().unwrap();
    site.wait_dispatch().unwrap();
    let replies = [site.wait_dispatch().unwrap(), site.wait_dispatch().unwrap()];
    assert!(replies.iter().any(|reply| reply.carries(["reply0"])), "{replies:?}");
    assert!(replies.iter().any(|reply| reply.carries(["reply1"])), "{replies:?}");
    end(site, ours, channel);
}

/// A real site whose requester has gone does not survive it if there is no answer (spec/repmgr.md 7). So a channel that
/// is closed waits for its answers, also for those that nobody else waits for any more.
#[test]
fn a_channel_that_is_closed_does_no_harm_to_a_site_that_still_has_its_requests() {
    let Some((mut site, ours, channel)) = pair() else { return };
    let late = ours.request(channel, parts([b"shut:a"]), within(100));
    assert_eq!(ours.completed(late), Err(Failure::Timeout { sent: true }));
    let pending = ours.request(channel, parts([b"gate:b"]), within(30_000));
    ours.command(SiteCommand::CloseChannel(channel));
    let refused = ours.try_command(SiteCommand::Send {
        channel,
        id: handover::repmgr::channel::MessageId(77),
        segments: parts([b"too late"]),
    });
    assert!(refused.is_err());
    site.wait_dispatch().unwrap();
    site.wait_dispatch().unwrap();
    let is_over = |note: &Note| matches!(note, Note::Channel(_, Event::Closed { .. }));
    assert!(!ours.log.all().iter().any(is_over), "{}", ours.log);
    site.call("open b").unwrap();
    assert_eq!(ours.completed(pending).map(single), Ok(b"gate:b".to_vec()));
    assert!(!ours.log.all().iter().any(is_over), "{}", ours.log);
    site.call("open a").unwrap();
    let end = ours.wait_channel(channel, "the end of the channel", |event| matches!(event, Event::Closed { .. }));
    assert_eq!(end, Event::Closed { messages: 0, requests: 0 });
    // It has survived, and serves others.
    let other = ours.open_to(site.port());
    assert_eq!(ours.ask(other, parts([b"still here"])).unwrap(), b"still here");
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn the_death_of_a_site_ends_every_request_at_once_and_a_new_one_is_reached_by_the_same_channel() {
    let Some((mut site, ours, channel)) = pair() else { return };
    let requests = ["gate:a", "gate:b"].map(|gate| ours.request(channel, parts([gate.as_bytes()]), within(30_000)));
    site.wait_dispatch().unwrap();
    site.wait_dispatch().unwrap();
    drop(site);
    for request in requests {
        assert_eq!(ours.completed(request), Err(Failure::Unavailable { sent: true }));
    }
    ours.wait_channel(channel, "the loss of the link", |event| matches!(event, Event::LinkLost { .. }));
    // Nobody is there: nothing is sent, and that is said.
    assert_eq!(ours.ask(channel, parts([b"anybody?"])), Err(Failure::Unavailable { sent: false }));
    let lost = ours.send(channel, parts([b"anybody?"]));
    let reason = DropReason::Unavailable;
    ours.wait_channel(channel, "the drop", |event| *event == Event::Dropped { id: lost, reason });
    ours.finish();
}

/// A frozen site accepts connections, by its operating system, and says nothing. A real site would wait for ever.
#[test]
fn a_site_that_says_nothing_is_waited_for_as_long_as_is_allowed() {
    let Some(site) = master() else { return };
    let mut config = SiteConfig::default();
    config.connection.handshake_timeout = Duration::from_millis(300);
    let ours = Ours::start_with(config);
    let channel = ours.open(To::Site(address(site.port())));
    site.freeze().unwrap();
    assert_eq!(ours.ask(channel, parts([b"hello?"])), Err(Failure::Unavailable { sent: false }));
    site.thaw().unwrap();
    assert_eq!(ours.ask(channel, parts([b"hello?"])).unwrap(), b"hello?");
    end(site, ours, channel);
}
