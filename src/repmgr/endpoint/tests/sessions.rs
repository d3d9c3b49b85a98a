//! Links from their first byte to their last, and several channels.

use super::*;

#[test]
fn a_channel_to_a_site_and_back() {
    let mut pair = Pair::ready();
    pair.here.request(ONE, 5).unwrap();
    pair.here.send(ONE, 6).unwrap();
    pair.settle();
    pair.there.logs(["request 1 5", "message 1 6"]);
    pair.there.serve();
    let handle = pair.there.handles[0];
    pair.there.fine(SiteCommand::Reply { handle, segments: text(7) });
    pair.there.fine(SiteCommand::Reply { handle, segments: text(8) });
    pair.there.finish();
    pair.settle();
    pair.here.logs(["#1 sent 6", "#1 5 = answer", "message 2 7", "message 2 8"]);
    // A reply can be replied to.
    let handle = pair.here.handles[0];
    pair.here.fine(SiteCommand::Reply { handle, segments: text(9) });
    pair.settle();
    pair.there.logs(["message 1 9"]);
}

/// What is sent before the link is there goes out at once when it is, in one piece.
#[test]
fn a_burst_is_one_write() {
    let mut here = Site::with_channel(SiteConfig::default());
    (1..=3).for_each(|id| here.request(ONE, id).unwrap());
    let link = here.dialled[0];
    let mut there = SiteEndpoint::new(SiteConfig::default());
    let accepted = there.accept(Instant::ZERO);
    here.connected(link);
    there.received(Instant::ZERO, accepted, &here.take(link)).unwrap();
    let Some(SiteOutput::Transmit { bytes, .. }) = there.poll_output() else { panic!() };
    here.log();
    here.endpoint.received(here.now, link, &bytes).unwrap();
    let outputs: Vec<SiteOutput> = core::iter::from_fn(|| here.endpoint.poll_output()).collect();
    let transmitted: Vec<&BytesMut> = outputs
        .iter()
        .filter_map(|output| if let SiteOutput::Transmit { bytes, .. } = output { Some(bytes) } else { None })
        .collect();
    // The parameters, and behind the event that the link is ready all three requests.
    assert_eq!(transmitted.len(), 2, "{outputs:?}");
    assert_eq!(
        names(Side::Dialler, &Bytes::copy_from_slice(&[&here_proposal()[..], transmitted[0], transmitted[1]].concat()))
            .len(),
        5
    );
}

fn here_proposal() -> Vec<u8> {
    let mut here = Site::with_channel(SiteConfig::default());
    here.fine(SiteCommand::Connect(ONE));
    let link = here.dialled[0];
    here.connected(link);
    here.take(link).to_vec()
}

/// The bytes of a stranger's whole session, in one piece and byte by byte.
#[test]
fn a_dialler_may_say_everything_at_once() {
    let mut pair = Pair::new(SiteConfig::default(), SiteConfig::default());
    let mut session = pair.here.take(pair.dialled).to_vec();
    pair.there.received(pair.accepted, &session).unwrap();
    pair.here.received(pair.dialled, &pair.there.written[&pair.accepted].clone()).unwrap();
    pair.here.request(ONE, 5).unwrap();
    pair.here.send(ONE, 6).unwrap();
    session.extend_from_slice(&pair.here.take(pair.dialled));

    for piece in [1, 7, session.len()] {
        let mut there = Site::new(SiteConfig::default());
        let link = there.endpoint.accept(there.now);
        session.chunks(piece).for_each(|bytes| there.received(link, bytes).unwrap());
        there.logs(["1 ready localhost:0", "request 1 5", "message 1 6"]);
        there.serve();
        assert_eq!(names(Side::Listener, &there.take(link)), ["HANDSHAKE", "APP_RESPONSE"], "{piece}");
    }
}

#[test]
fn a_listener_byte_by_byte() {
    let mut pair = Pair::new(SiteConfig::default(), SiteConfig::default());
    pair.here.request(ONE, 5).unwrap();
    loop {
        let (up, down) = (pair.here.take(pair.dialled), pair.there.take(pair.accepted));
        if up.is_empty() && down.is_empty() {
            break;
        }
        up.chunks(1).for_each(|byte| pair.there.received(pair.accepted, byte).unwrap());
        down.chunks(1).for_each(|byte| pair.here.received(pair.dialled, byte).unwrap());
        if !pair.there.handles.is_empty() {
            pair.there.serve();
        }
    }
    pair.here.logs(["dial 2 there:5000", "2 ready localhost:0", "#1 5 = answer"]);
}

#[test]
fn a_transport_that_cannot_be_had() {
    let mut here = Site::with_channel(SiteConfig::default());
    here.request(ONE, 1).unwrap();
    here.send(ONE, 2).unwrap();
    let link = here.dialled[0];
    here.log();
    here.closed(link);
    here.logs([
        "2 closed Unreachable",
        "#1 lost 2 with 0",
        "#1 1 failed Unavailable { sent: false }",
        "#1 dropped 2 Unavailable",
    ]);
    assert_eq!(here.endpoint.poll_timeout(), None);
    // Another try is another link.
    here.request(ONE, 1).unwrap();
    here.logs(["dial 3 there:5000"]);
}

#[test]
fn a_link_that_is_lost_is_told_by_its_number_here() {
    let mut pair = Pair::ready();
    pair.here.send(ONE, 1).unwrap();
    pair.here.request(ONE, 2).unwrap();
    pair.settle();
    pair.here.log();
    pair.here.closed(pair.dialled);
    pair.here.logs(["2 closed Lost", "#1 2 failed Unavailable { sent: true }", "#1 lost 2 with 1"]);
    pair.there.log();
    pair.there.closed(pair.accepted);
    pair.there.logs(["1 closed Lost", "lost 1", "lost 2"]);
    // Nobody is told anything, and nothing is left once the application is through.
    pair.there.finish();
    pair.there.finish();
    assert_eq!((pair.there.take(pair.accepted).len(), pair.there.endpoint.dispatcher().unfinished()), (0, 0));
}

/// The same where the link is given up from here.
#[test]
fn a_link_that_is_given_up_is_told_by_its_number_here() {
    let mut site = Site::new(SiteConfig::default());
    site.fine(SiteCommand::Master(Some(Master::Remote(address("a")))));
    site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    site.request(ONE, 1).unwrap();
    let link = site.dialled[0];
    site.connected(link);
    let mut a = Site::new(SiteConfig::default());
    let accepted = a.endpoint.accept(a.now);
    a.received(accepted, &site.take(link)).unwrap();
    site.received(link, &a.take(accepted)).unwrap();
    site.fine(SiteCommand::Master(Some(Master::Remote(address("b")))));
    site.log();
    site.due();
    site.logs(["#1 1 failed Timeout { sent: true }"]);
    site.due();
    assert_eq!(site.now, Instant::from_micros(65_000_000));
    site.logs(["close 2", "2 closed Local", "#1 lost 2 with 0"]);
}

#[test]
fn two_channels_to_one_site_have_a_link_each() {
    let mut here = Site::with_channel(SiteConfig::default());
    here.fine(SiteCommand::OpenChannel { channel: TWO, to: To::Site(address("there")) });
    here.request(ONE, 1).unwrap();
    here.request(TWO, 1).unwrap();
    assert_eq!(here.dialled.len(), 2);
    let mut there = Site::new(SiteConfig::default());
    let links: Vec<(LinkId, LinkId)> =
        here.dialled.clone().into_iter().map(|link| (link, there.endpoint.accept(there.now))).collect();
    for (dialled, accepted) in &links {
        here.connected(*dialled);
        for _ in 0..2 {
            there.received(*accepted, &here.take(*dialled)).unwrap();
            here.received(*dialled, &there.take(*accepted)).unwrap();
        }
        there.received(*accepted, &here.take(*dialled)).unwrap();
    }
    here.log();
    // Both have the tag 0; the second is answered first.
    there.handles.rotate_left(1);
    there.serve();
    let (dialled, accepted) = links[1];
    here.received(dialled, &there.take(accepted)).unwrap();
    here.logs(["#2 1 = answer"]);
    here.closed(links[0].0);
    here.logs(["3 closed Lost", "#1 1 failed Unavailable { sent: true }", "#1 lost 3 with 0"]);
}

#[test]
fn all_channels_to_the_master_follow_it() {
    let mut here = Site::new(SiteConfig::default());
    here.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    assert!(here.send(ONE, 1).is_err(), "no master is known");
    here.fine(SiteCommand::Master(Some(Master::Remote(address("a")))));
    here.fine(SiteCommand::OpenChannel { channel: TWO, to: To::Master });
    here.fine(SiteCommand::OpenChannel { channel: ChannelId(3), to: To::Site(address("c")) });
    for channel in [ONE, TWO, ChannelId(3)] {
        here.send(channel, 1).unwrap();
    }
    here.logs(["dial 4 a:5000", "dial 5 a:5000", "dial 6 c:5000"]);
    here.fine(SiteCommand::Master(Some(Master::Remote(address("b")))));
    here.logs(["close 4", "4 closed Local", "dial 7 b:5000", "close 5", "5 closed Local", "dial 8 b:5000"]);
    here.fine(SiteCommand::Master(None));
    let log = here.log();
    assert!(log.contains(&"#1 dropped 1 Unavailable".into()) && log.contains(&"#2 dropped 1 Unavailable".into()));
    assert!(here.endpoint.channel(ChannelId(3)).is_some_and(|channel| channel.held() == 1));
}

#[test]
fn closing_a_channel_waits_for_its_answers() {
    let mut pair = Pair::ready();
    pair.here.request(ONE, 1).unwrap();
    pair.here.send(ONE, 2).unwrap();
    pair.here.fine(SiteCommand::CloseChannel(ONE));
    assert!(pair.here.send(ONE, 3).is_err());
    pair.settle();
    pair.there.serve();
    pair.settle();
    pair.here.logs(["#1 sent 2", "#1 1 = answer", "close 2", "2 closed Local", "#1 over 0 0"]);
    assert!(pair.here.endpoint.channel(ONE).is_none());
    assert_eq!(pair.here.endpoint.poll_timeout(), None);
    // Its number is free.
    pair.here.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
}

#[test]
fn closing_a_channel_now_closes_its_links() {
    let mut pair = Pair::ready();
    pair.here.request(ONE, 1).unwrap();
    pair.here.fine(SiteCommand::CloseChannelNow(ONE));
    pair.here.logs(["#1 1 failed Closed { sent: true }", "close 2", "2 closed Local", "#1 over 0 1"]);
    // What comes on its link all the same meets nobody.
    pair.settle();
    pair.there.serve();
    pair.settle();
    pair.here.closed(pair.dialled);
    pair.here.logs([]);
}

#[test]
fn channels_that_nobody_has_opened_are_misuse() {
    let mut site = Site::with_channel(SiteConfig::default());
    assert!(site.command(SiteCommand::OpenChannel { channel: ONE, to: To::Master }).is_err());
    for command in [SiteCommand::Connect(TWO), SiteCommand::CloseChannel(TWO), SiteCommand::CloseChannelNow(TWO)] {
        let unknown = Misuse::Unknown { what: "channel", id: 2 };
        assert_eq!(site.command(command), Err(EndpointError::Machine(unknown.into())));
    }
    assert!(site.send(TWO, 1).is_err() && site.request(TWO, 1).is_err());
    site.send(ONE, 1).unwrap();
    assert!(site.send(ONE, 1).is_err(), "its number is in use");
}

#[test]
fn links_are_disconnected_by_those_who_have_accepted_them() {
    let mut pair = Pair::ready();
    for (site, link) in [(&mut pair.here, pair.dialled), (&mut pair.there, LinkId(9))] {
        let unknown = Misuse::Unknown { what: "link", id: link.0 };
        assert_eq!(site.command(SiteCommand::Disconnect(link)), Err(EndpointError::Machine(unknown.into())));
    }
    pair.here.request(ONE, 1).unwrap();
    pair.settle();
    pair.there.log();
    pair.there.fine(SiteCommand::Disconnect(pair.accepted));
    pair.there.logs(["close 1", "1 closed Local", "lost 1"]);
    let handle = pair.there.handles[0];
    assert!(pair.there.command(SiteCommand::Answer { handle, segments: text(1) }).is_err());
}

#[test]
fn every_wait_ends() {
    let config = || {
        let mut config = SiteConfig::default();
        config.connection.dial_timeout = Duration::from_secs(1);
        config.connection.handshake_timeout = Duration::from_secs(2);
        config
    };
    let mut here = Site::with_channel(config());
    here.request(ONE, 1).unwrap();
    here.log();
    here.due();
    assert_eq!(here.now, Instant::from_micros(1_000_000));
    here.logs(["close 2", "2 closed TimedOut", "#1 lost 2 with 0", "#1 1 failed Unavailable { sent: false }"]);
    here.request(ONE, 1).unwrap();
    here.connected(LinkId(3));
    here.log();
    here.due();
    assert_eq!(here.now, Instant::from_micros(3_000_000));
    assert_eq!(here.log()[..2], ["close 3", "3 closed TimedOut"]);
    assert_eq!(here.endpoint.poll_timeout(), None);

    // Somebody who dials and says nothing.
    let mut there = Site::new(config());
    there.endpoint.accept(there.now);
    there.due();
    there.logs(["close 1", "1 closed TimedOut"]);
    assert_eq!((there.now, there.endpoint.poll_timeout()), (Instant::from_micros(2_000_000), None));
}

#[test]
fn requests_time_out_by_themselves_and_their_late_answers_meet_nobody() {
    let mut pair = Pair::ready();
    pair.here.request(ONE, 1).unwrap();
    pair.settle();
    pair.here.due();
    pair.there.serve();
    pair.settle();
    pair.here.logs(["#1 1 failed Timeout { sent: true }", "#1 ignored"]);
    assert_eq!((pair.here.now, pair.here.endpoint.poll_timeout()), (Instant::from_micros(5_000_000), None));
}

/// An answer that is half there when the time is up is read to its end.
#[test]
fn a_timeout_in_the_midst_of_an_answer_disturbs_nothing() {
    let mut pair = Pair::ready();
    pair.here.request(ONE, 1).unwrap();
    pair.settle();
    pair.there.serve();
    let answer = pair.there.take(pair.accepted);
    pair.here.received(pair.dialled, &answer[..11]).unwrap();
    pair.here.due();
    pair.here.request(ONE, 2).unwrap();
    pair.settle();
    pair.here.received(pair.dialled, &answer[11..]).unwrap();
    pair.there.serve();
    pair.settle();
    pair.here.logs(["#1 1 failed Timeout { sent: true }", "#1 ignored", "#1 2 = answer"]);
}

/// A channel that ends when its request's time is up, just as its link gives up dialling.
#[test]
fn deadlines_that_come_together_do_not_cross() {
    let mut config = SiteConfig::default();
    config.channel.request_timeout = Some(config.connection.dial_timeout);
    let mut here = Site::with_channel(config);
    here.request(ONE, 1).unwrap();
    here.fine(SiteCommand::CloseChannel(ONE));
    here.log();
    here.due();
    let failed = "#1 1 failed Unavailable { sent: false }";
    here.logs(["close 2", "2 closed TimedOut", "#1 lost 2 with 0", failed, "#1 over 0 0"]);
    assert_eq!(here.endpoint.poll_timeout(), None);
}
