//! A channel to the master while real sites elect another one. Who is master, ours is told by the events of real sites.

use crate::ours::{Note, Ours, address, parts, single, within};
use crate::real_sites::start;
use crate::support::libdb::{Role, Site, SiteOptions};
use handover::repmgr::channel::{DropReason, Event, Failure, Master, To};
use handover::repmgr::connection::CloseReason;
use handover::repmgr::endpoint::{ChannelId, LinkEvent, SiteCommand};
use std::time::Duration;

/// A master, its client, and our channel to whichever is master.
fn group(heartbeat: Duration) -> Option<(Site, Site, Ours, ChannelId)> {
    let first = start(&SiteOptions { heartbeat, ..SiteOptions::new(Role::Master) })?;
    let second = start(&SiteOptions { heartbeat, ..SiteOptions::new(Role::Client(first.port())) })?;
    let ours = Ours::start();
    let channel = ours.open(To::Master);
    Some((first, second, ours, channel))
}

/// Tells our site who is master, as `site` sees it.
#[track_caller]
fn follow(ours: &Ours, site: &mut Site) {
    let port = u16::try_from(site.call("master").unwrap().number("port")).unwrap();
    ours.command(SiteCommand::Master(Some(Master::Remote(address(port)))));
}

/// Which site answers on the channel.
#[track_caller]
fn who(ours: &Ours, channel: ChannelId) -> Result<u16, Failure> {
    let port = ours.ask(channel, parts([b"who"]))?;
    Ok(String::from_utf8(port).unwrap().parse().unwrap())
}

#[track_caller]
fn end(ours: Ours, channel: ChannelId) {
    ours.command(SiteCommand::CloseChannel(channel));
    ours.wait_channel(channel, "the end of the channel", |event| matches!(event, Event::Closed { .. }));
    ours.finish();
}

#[test]
fn the_channel_follows_when_the_master_leaves() {
    let Some((mut first, mut second, ours, channel)) = group(Duration::ZERO) else { return };
    let no_master =
        SiteCommand::Send { channel, id: handover::repmgr::channel::MessageId(1000), segments: parts([b"x"]) };
    assert!(ours.try_command(no_master).is_err(), "no master is known yet");
    // Any member knows.
    follow(&ours, &mut second);
    assert_eq!(who(&ours, channel), Ok(first.port()));
    first.call("report off").unwrap();
    second.call("report off").unwrap();
    ours.flood(channel, 'a', 300, 500);
    first.wait_numbered('a', 300).unwrap();

    first.quit().unwrap();
    // As long as nobody has told ours, it tries the one that was: nothing is lost in silence.
    ours.wait_channel(channel, "the loss of the link", |event| matches!(event, Event::LinkLost { .. }));
    assert_eq!(who(&ours, channel), Err(Failure::Unavailable { sent: false }));
    let dropped = ours.send(channel, parts([b"#b1"]));
    let reason = DropReason::Unavailable;
    ours.wait_channel(channel, "the drop", |event| *event == Event::Dropped { id: dropped, reason });

    second.wait_event("ELECTED").unwrap();
    second.wait_event("MASTER").unwrap();
    follow(&ours, &mut second);
    assert_eq!(who(&ours, channel), Ok(second.port()));
    ours.flood(channel, 'a', 300, 500);
    let received = second.wait_numbered('a', 300).unwrap();
    assert_eq!((received.number("fresh"), received.number("repeated")), (300, 0));
    assert_eq!(second.call("received b").unwrap().number("fresh"), 0, "what was dropped has not come");
    second.quit().unwrap();
    end(ours, channel);
}

#[test]
fn what_a_dead_master_had_is_not_sent_again() {
    let Some((mut first, mut second, ours, channel)) = group(Duration::ZERO) else { return };
    follow(&ours, &mut first);
    let pending = ours.request(channel, parts([b"gate:never"]), within(30_000));
    first.wait_dispatch().unwrap();
    drop(first);
    assert_eq!(ours.completed(pending), Err(Failure::Unavailable { sent: true }));
    second.wait_event("MASTER").unwrap();
    follow(&ours, &mut second);
    assert_eq!(who(&ours, channel), Ok(second.port()));
    // The new master has been asked who it is, and nothing else.
    assert!(second.wait_dispatch().unwrap().carries(["who"]));
    assert_eq!(second.events("dispatch").unwrap().len(), 1);
    second.quit().unwrap();
    end(ours, channel);
}

/// A master that was silent for too long is deposed, and lives on as a client. What it was asked before, it answers.
#[test]
fn a_deposed_master_still_answers_what_it_was_asked() {
    let Some((mut first, mut second, ours, channel)) = group(Duration::from_millis(200)) else { return };
    follow(&ours, &mut first);
    let pending = ours.request(channel, parts([b"gate:old"]), within(30_000));
    first.wait_dispatch().unwrap();
    first.freeze().unwrap();
    second.wait_event("MASTER").unwrap();
    follow(&ours, &mut second);
    assert_eq!(who(&ours, channel), Ok(second.port()));

    first.thaw().unwrap();
    first.wait_event("CLIENT").unwrap();
    // Not before it has caught up does it become master again: elected earlier, it would stay a client.
    first.wait_event("STARTUPDONE").unwrap();
    first.call("open old").unwrap();
    assert_eq!(ours.completed(pending).map(single), Ok(b"gate:old".to_vec()));
    // Its link has nothing more to wait for.
    let closed = |note: &Note| matches!(note, Note::Link(LinkEvent::Closed(CloseReason::Local))).then_some(());
    ours.log.wait("the end of the old link", closed);
    assert_eq!(who(&ours, channel), Ok(second.port()));

    // And back again. The channel of a real site would be dead for this master for ever.
    second.quit().unwrap();
    first.wait_event("ELECTED").unwrap();
    // The first of these is from its start.
    first.wait_event("MASTER").unwrap();
    first.wait_event("MASTER").unwrap();
    follow(&ours, &mut first);
    assert_eq!(who(&ours, channel), Ok(first.port()));
    first.quit().unwrap();
    end(ours, channel);
}

/// As long as nobody is known to be master, nothing is accepted; what is on its way is still answered.
#[test]
fn without_a_master_nothing_new_is_accepted() {
    let Some((mut first, second, ours, channel)) = group(Duration::ZERO) else { return };
    follow(&ours, &mut first);
    let pending = ours.request(channel, parts([b"gate:g"]), within(30_000));
    first.wait_dispatch().unwrap();
    ours.command(SiteCommand::Master(None));
    let id = handover::repmgr::channel::RequestId(1000);
    let request = SiteCommand::Request { channel, id, segments: parts([b"x"]), options: within(1000) };
    assert!(ours.try_command(request).is_err());
    first.call("open g").unwrap();
    assert_eq!(ours.completed(pending).map(single), Ok(b"gate:g".to_vec()));
    follow(&ours, &mut first);
    assert_eq!(who(&ours, channel), Ok(first.port()));
    second.quit().unwrap();
    first.quit().unwrap();
    end(ours, channel);
}
