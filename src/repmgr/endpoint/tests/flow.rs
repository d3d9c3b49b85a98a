//! Links that cannot take more, and links that bring too much.

use super::*;
use crate::repmgr::Host;
use crate::repmgr::handshake::{Handshake, Parameters, Proposal, VersionRange};
use crate::repmgr::message::AppMessage;

/// Room for so many of one link, and of all.
fn bounded(incoming: usize, total: usize) -> SiteConfig {
    let mut config = SiteConfig::default();
    config.dispatcher.limits.incoming = incoming;
    config.dispatcher.limits.incoming_total = total;
    config
}

fn establishing() -> [Message; 2] {
    let proposal = Proposal::new(Host::EMPTY, 0, 0, VersionRange::CHANNELS);
    [Handshake::from(proposal).into(), Handshake::from(Parameters::channel(Host::EMPTY, 0)).into()]
}

#[test]
fn nothing_is_written_on_a_congested_link() {
    let mut pair = Pair::ready();
    pair.here.send(ONE, 1).unwrap();
    pair.settle();
    pair.here.congested(pair.dialled, true);
    pair.there.congested(pair.accepted, true);
    pair.here.request(ONE, 2).unwrap();
    pair.here.send(ONE, 3).unwrap();
    let handle = pair.there.handles[0];
    pair.there.fine(SiteCommand::Reply { handle, segments: text(4) });
    assert!(pair.here.take(pair.dialled).is_empty() && pair.there.take(pair.accepted).is_empty());
    pair.here.congested(pair.dialled, false);
    pair.there.congested(pair.accepted, false);
    pair.here.log();
    pair.there.log();
    pair.settle();
    pair.there.logs(["request 1 2", "message 1 3"]);
    pair.here.logs(["message 2 4"]);
}

/// Also what a handler sends back on a link that was dialled here.
#[test]
fn answers_and_replies_on_a_dialled_link_wait_as_well() {
    let mut pair = Pair::ready();
    pair.here.send(ONE, 1).unwrap();
    pair.settle();
    let handle = pair.there.handles[0];
    pair.there.fine(SiteCommand::Reply { handle, segments: text(2) });
    pair.settle();
    pair.here.congested(pair.dialled, true);
    let handle = pair.here.handles[0];
    pair.here.fine(SiteCommand::Reply { handle, segments: text(3) });
    assert!(pair.here.take(pair.dialled).is_empty());
    pair.here.congested(pair.dialled, false);
    pair.there.log();
    pair.settle();
    pair.there.logs(["message 1 3"]);
}

#[test]
fn what_comes_on_a_paused_link_is_kept() {
    let mut pair = Pair::ready_with(SiteConfig::default(), bounded(2, 100));
    (1..=5).for_each(|id| pair.here.send(ONE, id).unwrap());
    pair.settle();
    pair.there.logs(["message 1 1", "message 1 2", "pause 1"]);
    pair.here.send(ONE, 6).unwrap();
    pair.settle();
    pair.there.logs([]);
    for (id, next) in [(3, "message 1 3"), (4, "message 1 4"), (5, "message 1 5"), (6, "message 1 6")] {
        pair.there.finish();
        pair.there.logs(["resume 1", next, "pause 1"]);
        assert_eq!(pair.there.endpoint.dispatcher().unfinished(), 2, "{id}");
    }
    pair.there.finish();
    pair.there.logs(["resume 1"]);
}

/// The rest of a message that had come in part comes while the link is paused.
#[test]
fn a_link_can_be_paused_in_the_midst_of_a_message() {
    let mut pair = Pair::ready_with(SiteConfig::default(), bounded(1, 100));
    pair.here.send(ONE, 1).unwrap();
    pair.here.send(ONE, 2).unwrap();
    let bytes = pair.here.take(pair.dialled);
    let (one, two) = bytes.split_at(bytes.len() - 3);
    pair.there.received(pair.accepted, one).unwrap();
    pair.there.received(pair.accepted, two).unwrap();
    pair.there.logs(["message 1 1", "pause 1"]);
    pair.there.finish();
    pair.there.logs(["resume 1", "message 1 2", "pause 1"]);
}

/// Answers to one's own requests are behind what is too much.
#[test]
fn a_dialled_link_is_paused_like_any_other() {
    let mut pair = Pair::ready_with(bounded(1, 100), SiteConfig::default());
    pair.here.send(ONE, 1).unwrap();
    pair.here.request(ONE, 2).unwrap();
    pair.settle();
    let (message, request) = (pair.there.handles[0], pair.there.handles[1]);
    pair.there.fine(SiteCommand::Reply { handle: message, segments: text(3) });
    pair.there.fine(SiteCommand::Answer { handle: request, segments: Segments::one("x") });
    pair.settle();
    pair.here.logs(["#1 sent 1", "message 2 3", "pause 2"]);
    pair.here.finish();
    pair.here.logs(["resume 2", "#1 2 = x"]);
}

#[test]
fn a_link_that_closes_while_it_is_paused_is_over() {
    let mut pair = Pair::ready_with(SiteConfig::default(), bounded(1, 100));
    pair.here.send(ONE, 1).unwrap();
    pair.settle();
    pair.there.log();
    pair.there.closed(pair.accepted);
    pair.there.logs(["1 closed Lost", "lost 1"]);
    pair.there.finish();
    pair.there.logs([]);
}

/// Whoever lets a link go on is not to blame for what comes on it.
#[test]
fn what_a_link_brings_when_it_goes_on_is_no_error_of_a_command() {
    for wrong in [Vec::from([0; 9]), bytes(&[Message::Heartbeat(None), establishing()[0].clone()])] {
        let mut there = Site::new(bounded(1, 100));
        let link = there.endpoint.accept(there.now);
        let mut session = bytes(&establishing());
        session.extend(bytes(&[AppMessage::new(text(1)).into()]));
        session.extend(wrong);
        there.received(link, &session).unwrap();
        there.log();
        there.finish();
        let log = there.log();
        assert!(log.contains(&"close 1".into()) && log.contains(&"1 closed Violation".into()), "{log:?}");
    }
}

/// When there is room again many links go on at once, on whatever little stack.
#[test]
fn many_links_go_on_at_once() {
    const LINKS: u32 = 20_000;
    let run = || {
        let mut site = SiteEndpoint::new(bounded(100, 1));
        let now = Instant::ZERO;
        let mut session = establishing().to_vec();
        session.extend([AppMessage::new(text(1)).into(), AppMessage::new(text(2)).into()]);
        let session = bytes(&session);
        for _ in 0..LINKS {
            let link = site.accept(now);
            site.received(now, link, &session).unwrap();
        }
        let count = |site: &mut SiteEndpoint| {
            let outputs = core::iter::from_fn(|| site.poll_output());
            outputs.filter(|output| matches!(output, SiteOutput::Event(SiteEvent::Dispatch(_)))).count()
        };
        // Each link was let in once: then it was paused.
        assert_eq!(count(&mut site), 20_000);
        for handle in 1..=LINKS {
            site.command(now, SiteCommand::Finish(Handle(handle))).unwrap();
        }
        assert_eq!(count(&mut site), 20_000);
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap();
}

/// The bounds of the machines need not fit each other.
#[test]
fn what_has_waited_goes_out_whole_however_much_it_is() {
    let mut config = SiteConfig::default();
    config.channel.limits.held_messages = 10_000;
    config.connection.limits.outputs = 8;
    config.dispatcher.limits.outputs = 8;
    let mut here = Site::with_channel(config);
    (0..100).for_each(|id| here.send(ONE, id).unwrap());
    let link = here.dialled[0];
    here.connected(link);
    let mut there = Site::new(SiteConfig::default());
    let accepted = there.endpoint.accept(there.now);
    there.received(accepted, &here.take(link)).unwrap();
    here.received(link, &there.take(accepted)).unwrap();
    there.received(accepted, &here.take(link)).unwrap();
    assert_eq!(there.handles.len(), 100);
    // And back again.
    let handle = there.handles[0];
    (0..100).for_each(|id| there.fine(SiteCommand::Reply { handle, segments: text(id) }));
    here.received(link, &there.take(accepted)).unwrap();
    assert_eq!(here.handles.len(), 100);
    here.congested(link, true);
    let handle = here.handles[0];
    (0..100).for_each(|id| here.fine(SiteCommand::Reply { handle, segments: text(id) }));
    here.congested(link, false);
    there.received(accepted, &here.take(link)).unwrap();
    assert_eq!(there.handles.len(), 200);
}

/// Before the driver has taken anything nobody can know that a link is congested.
#[test]
fn what_nobody_takes_is_not_added_to() {
    let mut pair = Pair::ready();
    let endpoint = &mut pair.here.endpoint;
    let send = |id| {
        let segments = Segments::one(std::vec![0; 1 << 20]);
        SiteCommand::Send { channel: ONE, id: MessageId(id), segments }
    };
    let accepted = (0..100).take_while(|id| endpoint.command(Instant::ZERO, send(*id)).is_ok()).count();
    assert_eq!(accepted, 16);
    let error = endpoint.command(Instant::ZERO, send(100)).unwrap_err();
    let Error::Misuse(Misuse::Limit(full)) = (match error {
        EndpointError::Machine(error) => error,
        other => panic!("{other}"),
    }) else {
        panic!("{error}")
    };
    assert_eq!((full.what, full.limit), ("held_bytes", 16 << 20));
    let taken: usize = core::iter::from_fn(|| endpoint.poll_output())
        .map(|output| if let SiteOutput::Transmit { bytes, .. } = output { bytes.len() } else { 0 })
        .sum();
    assert!(taken > 16 << 20);
    assert_eq!(endpoint.command(Instant::ZERO, send(101)), Ok(()));
}
