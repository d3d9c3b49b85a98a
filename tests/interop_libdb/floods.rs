//! More than the other side takes. A real site loses what it cannot send, and says that it was sent; ours says of each
//! message what has become of it.

use crate::ours::{Note, Ours, parts, within};
use crate::real_sites::{master, start};
use crate::support::libdb::{Role, Site, SiteOptions, pattern};
use handover::repmgr::Segments;
use handover::repmgr::channel::{DropReason, Event, Failure, MessageId, RequestId};
use handover::repmgr::endpoint::{ChannelId, SiteCommand, SiteConfig};
use std::collections::BTreeSet;
use std::time::Duration;

const SIZE: usize = 10_000;
/// How many messages of it may wait.
const HELD: usize = 1024;
/// How many are sent in a flood after the first for which there is no room.
const MORE: u32 = 500;

/// A master whose dispatch function runs in one thread, so that what comes in order is taken in order, and our channel
/// to it.
fn in_order(config: SiteConfig) -> Option<(Site, Ours, ChannelId)> {
    let mut site = start(&SiteOptions { threads: 2, ..SiteOptions::new(Role::Master) })?;
    site.call("report off").unwrap();
    let ours = Ours::start_with(config);
    let channel = ours.open_to(site.port());
    assert_eq!(ours.ask(channel, parts([b"hello"])).unwrap(), b"hello");
    Some((site, ours, channel))
}

/// Which messages were sent and which were dropped, each of them told once.
#[track_caller]
fn fates(ours: &Ours) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let (mut sent, mut dropped) = (BTreeSet::new(), BTreeSet::new());
    for note in ours.log.all() {
        let fresh = match note {
            Note::Channel(_, Event::Sent(MessageId(id))) => sent.insert(id),
            Note::Channel(_, Event::Dropped { id: MessageId(id), .. }) => dropped.insert(id),
            _ => continue,
        };
        assert!(fresh, "something was told twice\n{}", ours.log);
    }
    assert!(sent.is_disjoint(&dropped), "{}", ours.log);
    (sent, dropped)
}

/// Waits until it is told of so many messages what has become of them.
#[track_caller]
fn wait_fates(ours: &Ours, count: usize) -> (BTreeSet<u32>, BTreeSet<u32>) {
    let mut told = 0;
    ours.log.wait("the fate of all messages", |note| {
        told += usize::from(matches!(note, Note::Channel(_, Event::Sent(_) | Event::Dropped { .. })));
        (told >= count).then_some(())
    });
    fates(ours)
}

#[track_caller]
fn end(site: Site, ours: Ours, channel: ChannelId) {
    ours.command(SiteCommand::CloseChannel(channel));
    ours.wait_channel(channel, "the end of the channel", |event| matches!(event, Event::Closed { .. }));
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn what_a_site_that_has_stopped_cannot_take_waits_and_all_of_it_arrives() {
    let Some((mut site, ours, channel)) = in_order(SiteConfig::default()) else { return };
    site.freeze().unwrap();
    let count = ours.flood_until_full(channel, 'a', SIZE, MORE);
    // What waits with us is what may wait with us; nothing is lost by that.
    let (sent, dropped) = fates(&ours);
    assert_eq!((sent.len() + HELD, dropped.len()), ((count - MORE) as usize, 0));
    site.thaw().unwrap();
    let received = site.wait_numbered('a', u64::from(count)).unwrap();
    assert_eq!((received.number("repeated"), received.number("late")), (0, 0), "{received:?}");
    let (sent, dropped) = wait_fates(&ours, count as usize);
    assert_eq!((sent.len(), dropped.len()), (count as usize, 0));
    end(site, ours, channel);
}

#[test]
fn what_has_waited_too_long_is_dropped_and_does_not_arrive() {
    let mut config = SiteConfig::default();
    config.channel.send_timeout = Some(Duration::from_millis(100));
    let Some((mut site, ours, channel)) = in_order(config) else { return };
    site.freeze().unwrap();
    let count = ours.flood_until_full(channel, 'a', SIZE, MORE);
    let (sent, dropped) = wait_fates(&ours, count as usize);
    assert!(!sent.is_empty() && !dropped.is_empty());
    assert!(ours.log.all().iter().all(|note| match note {
        Note::Channel(_, Event::Dropped { reason, .. }) => *reason == DropReason::TimedOut,
        _ => true,
    }));
    site.thaw().unwrap();
    // Behind it, what is in order.
    assert_eq!(ours.ask(channel, parts([b"afterwards"])).unwrap(), b"afterwards");
    let received = site.wait_numbered('a', sent.len() as u64).unwrap();
    assert_eq!((received.number("fresh"), received.number("repeated")), (sent.len() as u64, 0), "{received:?}");
    assert_eq!(received.number("late"), 0);
    end(site, ours, channel);
}

#[test]
fn what_was_on_its_way_to_a_site_that_died_is_counted() {
    let Some((site, ours, channel)) = in_order(SiteConfig::default()) else { return };
    site.freeze().unwrap();
    let count = ours.flood_until_full(channel, 'a', SIZE, MORE);
    drop(site);
    let (sent, dropped) = wait_fates(&ours, count as usize);
    assert!(!sent.is_empty() && !dropped.is_empty());
    let mut lost = 0;
    for note in ours.log.all() {
        if let Note::Channel(_, Event::LinkLost { messages, .. }) = note {
            lost += messages;
        }
    }
    assert_eq!(lost as usize, sent.len(), "{} were sent", sent.len());
    ours.finish();
}

#[test]
fn requests_to_a_site_that_has_stopped_say_whether_they_were_on_their_way() {
    let Some((mut site, ours, channel)) = in_order(SiteConfig::default()) else { return };
    site.freeze().unwrap();
    // Large requests and small answers: a real site loses answers that it cannot send at once.
    let load = pattern(30_000);
    let mut requests = Vec::new();
    for n in 1.. {
        assert!(n < 10_000, "there is room for everything");
        let (id, segments) = (RequestId(n + 100), parts([format!("#a{n}").as_bytes(), &load]));
        let request = SiteCommand::Request { channel, id, segments, options: within(1000) };
        if ours.try_command(request).is_err() {
            break;
        }
        requests.push(id);
    }
    let (mut sent, mut held) = (0_u64, 0_u64);
    for request in requests {
        match ours.completed(request) {
            Err(Failure::Timeout { sent: true }) => sent += 1,
            Err(Failure::Timeout { sent: false }) => held += 1,
            other => panic!("{other:?}\n{}", ours.log),
        }
    }
    assert!(sent > 0 && held > 0, "{sent} and {held}");
    site.thaw().unwrap();
    assert_eq!(ours.ask(channel, parts([b"afterwards"])).unwrap(), b"afterwards");
    let received = site.call("received a").unwrap();
    assert_eq!((received.number("fresh"), received.number("repeated")), (sent, 0));
    // Each of them was answered after its time.
    let ignored = |note: &Note| matches!(note, Note::Channel(_, Event::Ignored));
    assert_eq!(ours.log.all().iter().filter(|note| ignored(note)).count() as u64, sent);
    end(site, ours, channel);
}

#[test]
fn a_flood_from_a_site_is_taken_at_our_pace() {
    const COUNT: u64 = 40_000;
    let Some(mut site) = master() else { return };
    let mut config = SiteConfig::default();
    config.dispatcher.limits.incoming = 64;
    let ours = Ours::start_with(config);
    site.call(&format!("channel 0 {}", ours.port())).unwrap();
    ours.be_busy();
    // It is never held up: what its connection does not take, it throws away.
    assert_eq!(site.call(&format!("flood 0 a {COUNT} 2000")).unwrap().number("succeeded"), COUNT);
    let thrown_away = site.call("statistics").unwrap().number("dropped");
    assert!(thrown_away > 0, "we have taken everything");
    assert_eq!(ours.wait_put_off(64), 64);
    ours.catch_up();
    let rest = u32::try_from(COUNT - thrown_away).unwrap();
    let numbered = ours.wait_numbered('a', rest);
    assert_eq!((numbered.fresh, numbered.repeated, numbered.late), (rest, 0, 0));
    // The link goes on, and nothing more was in it.
    assert!(site.call("request 0 0 single malloc t:afterwards").unwrap().carries(["afterwards"]));
    assert_eq!(ours.numbered('a'), numbered);
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn while_one_link_is_held_up_another_is_not() {
    let Some(mut site) = master() else { return };
    let mut config = SiteConfig::default();
    config.dispatcher.limits.incoming = 8;
    let ours = Ours::start_with(config);
    for channel in 0..2 {
        site.call(&format!("channel {channel} {}", ours.port())).unwrap();
    }
    let waiting: Vec<_> = (0..20).map(|_| site.begin("request 0 20000000 single malloc t:gate:g").unwrap()).collect();
    for _ in 0..8 {
        ours.next_dispatch();
    }
    assert!(site.call("request 1 0 single malloc t:other").unwrap().carries(["other"]));
    ours.open_gate("g");
    for pending in waiting {
        assert!(site.finish(pending).unwrap().carries(["gate:g"]));
    }
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn large_answers_wait_for_a_requester_that_has_stopped() {
    const COUNT: usize = 60;
    let Some(mut site) = master() else { return };
    let mut config = SiteConfig::default();
    config.dispatcher.limits.held_bytes = 2 << 20;
    let ours = Ours::start_with(config);
    site.call(&format!("channel 0 {}", ours.port())).unwrap();
    ours.be_busy();
    let requests: Vec<_> =
        (0..COUNT).map(|_| site.begin("request 0 30000000 single malloc t:big:1000000").unwrap()).collect();
    ours.wait_put_off(COUNT);
    site.freeze().unwrap();
    ours.catch_up();
    // More than fits anywhere: the application is told so.
    let refused = ours.log.all().iter().filter(|note| matches!(note, Note::Answered(Err(_)))).count();
    assert!(refused > 0, "{}", ours.log);
    site.thaw().unwrap();
    for request in requests {
        assert!(site.finish(request).unwrap().carries([pattern(1_000_000)]));
    }
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn floods_both_ways_at_once_do_not_lock() {
    const COUNT: u32 = 5000;
    let Some((mut site, ours, channel)) = in_order(SiteConfig::default()) else { return };
    site.call(&format!("channel 0 {}", ours.port())).unwrap();
    ours.flood(channel, 'a', COUNT, 2000);
    let asking = site.begin("ask 0 b 3000 2000 0").unwrap();
    let received = site.wait_numbered('a', u64::from(COUNT)).unwrap();
    assert_eq!((received.number("repeated"), received.number("late")), (0, 0), "{received:?}");
    assert_eq!(site.finish(asking).unwrap().number("succeeded"), 3000);
    let numbered = ours.numbered('b');
    assert_eq!((numbered.fresh, numbered.repeated, numbered.late), (3000, 0, 0));
    let (sent, dropped) = wait_fates(&ours, COUNT as usize);
    assert_eq!((sent.len(), dropped.len()), (COUNT as usize, 0));
    // A message of nothing, to end with: the smallest there is.
    ours.send(channel, Segments::EMPTY);
    end(site, ours, channel);
}
