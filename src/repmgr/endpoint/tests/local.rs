//! Channels to this site itself.

use super::*;

const LOCAL: SiteCommand = SiteCommand::Master(Some(Master::Local));

/// A site that is the master, with a channel to it.
fn master(config: SiteConfig) -> Site {
    let mut site = Site::new(config);
    site.fine(LOCAL);
    site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    site
}

/// Room for so many that are not finished.
fn bounded(incoming: usize) -> SiteConfig {
    let mut config = SiteConfig::default();
    config.dispatcher.limits.incoming = incoming;
    config
}

#[test]
fn a_site_can_talk_to_itself() {
    let mut site = master(SiteConfig::default());
    site.request(ONE, 1).unwrap();
    site.send(ONE, 2).unwrap();
    site.logs(["request 1 1", "#1 sent 2", "message 1 2"]);
    assert!(site.endpoint.is_local(LinkId(1)) && !site.endpoint.is_local(LinkId(2)));
    site.serve();
    let handle = site.handles[0];
    site.fine(SiteCommand::Reply { handle, segments: text(3) });
    site.finish();
    site.logs(["#1 1 = answer", "message 1 3"]);
    assert!(site.written.is_empty() && site.dialled.is_empty());
}

/// Where libdb hides what is too large, and has no timeouts.
#[test]
fn the_rules_are_those_of_any_link() {
    let mut site = master(SiteConfig::default());
    let ask = |site: &mut Site, limit, bulk| {
        let options = RequestOptions { limit, bulk, ..RequestOptions::default() };
        site.fine(SiteCommand::Request { channel: ONE, id: RequestId(1), segments: text(1), options });
        site.log();
        site.handles.pop_front().unwrap()
    };
    let two: Segments = ["a", "b"].into_iter().collect();
    for (limit, bulk, segments, expected) in [
        (Some(5), false, Segments::one("hello"), "#1 1 = hello"),
        (Some(4), false, Segments::one("hello"), "#1 1 failed TooLarge"),
        (None, false, two.clone(), "#1 1 failed TooLarge"),
        (None, true, two, "#1 1 = Segments[1, 1]"),
        (Some(0), false, Segments::EMPTY, "#1 1 = "),
    ] {
        let handle = ask(&mut site, limit, bulk);
        site.fine(SiteCommand::Answer { handle, segments });
        site.fine(SiteCommand::Finish(handle));
        assert!(site.log().contains(&expected.into()), "{expected}");
    }
    let handle = ask(&mut site, None, false);
    site.fine(SiteCommand::Finish(handle));
    site.logs(["#1 1 failed NoAnswer"]);
    let handle = ask(&mut site, None, false);
    site.due();
    site.fine(SiteCommand::Answer { handle, segments: text(1) });
    site.logs(["#1 1 failed Timeout { sent: true }", "#1 ignored"]);
    site.fine(SiteCommand::Serve(false));
    site.request(ONE, 1).unwrap();
    site.send(ONE, 2).unwrap();
    site.logs(["#1 1 failed NoServer", "#1 sent 2", "unserved 1"]);
}

#[test]
fn what_waits_goes_here_when_this_site_becomes_the_master() {
    let mut site = Site::new(SiteConfig::default());
    site.fine(SiteCommand::Master(Some(Master::Remote(address("a")))));
    site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    site.request(ONE, 1).unwrap();
    site.send(ONE, 2).unwrap();
    site.log();
    site.fine(LOCAL);
    let mut log = site.log();
    log.retain(|line| line.starts_with("request") || line.starts_with("message"));
    assert_eq!(log, ["request 1 1", "message 1 2"]);
    // The master is another one again: what was asked here is answered here.
    site.fine(SiteCommand::Master(Some(Master::Remote(address("a")))));
    site.serve();
    site.logs(["#1 1 = answer"]);
}

#[test]
fn a_site_that_is_full_takes_no_more_of_itself() {
    let mut site = master(bounded(2));
    site.request(ONE, 1).unwrap();
    site.send(ONE, 2).unwrap();
    for result in [site.request(ONE, 3), site.send(ONE, 3)] {
        assert!(matches!(result, Err(EndpointError::Machine(Error::Misuse(Misuse::Limit(_))))), "{result:?}");
    }
    site.serve();
    site.request(ONE, 3).unwrap();
    assert_eq!(site.handles.len(), 2);
}

/// What was accepted before the site became the master comes in as there is room.
#[test]
fn what_does_not_fit_waits_in_order() {
    let mut site = Site::new(bounded(2));
    site.fine(SiteCommand::Master(Some(Master::Remote(address("a")))));
    site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    (1..=5).for_each(|id| site.send(ONE, id).unwrap());
    site.fine(LOCAL);
    site.fine(SiteCommand::CloseChannel(ONE));
    let came = |site: &mut Site| {
        let mut log = site.log();
        log.retain(|line| line.starts_with("message") || line.starts_with("lost"));
        log
    };
    assert_eq!(came(&mut site), ["message 1 1", "message 1 2"]);
    // The channel is over, and what it has sent still comes.
    assert!(site.endpoint.channel(ONE).is_none());
    site.finish();
    assert_eq!(came(&mut site), ["message 1 3"]);
    site.finish();
    site.finish();
    assert_eq!(came(&mut site), ["message 1 4", "message 1 5", "lost 4", "lost 5"]);
    site.finish();
    site.finish();
    assert!(!site.endpoint.is_local(LinkId(1)));
    assert_eq!(site.endpoint.dispatcher().unfinished(), 0);
}

/// The number of a channel can be used again; answers to what the old one has asked are not for the new one.
#[test]
fn answers_to_a_channel_that_is_over_meet_nobody() {
    let mut site = Site::new(bounded(1));
    site.fine(SiteCommand::Master(Some(Master::Remote(address("a")))));
    site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    site.request(ONE, 1).unwrap();
    site.request(ONE, 2).unwrap();
    site.fine(LOCAL);
    site.fine(SiteCommand::CloseChannelNow(ONE));
    site.fine(SiteCommand::OpenChannel { channel: ONE, to: To::Master });
    site.request(ONE, 7).unwrap();
    site.log();
    // Both of the old one, and that of the new one.
    let handle = site.handles.pop_front().unwrap();
    site.fine(SiteCommand::Answer { handle, segments: Segments::one("old") });
    assert!(!site.log().iter().any(|line| line.contains("old")), "it meets the new channel");
    let handle = site.handles.pop_front().unwrap();
    site.fine(SiteCommand::Answer { handle, segments: Segments::one("new") });
    site.logs(["#1 7 = new"]);
}

/// Somebody who replies to himself for ever is stopped.
#[test]
fn replies_to_oneself_are_bounded() {
    let mut config = bounded(1);
    config.dispatcher.limits.held_messages = 3;
    let mut site = master(config);
    site.send(ONE, 1).unwrap();
    let handle = site.handles[0];
    let mut reply = |id| site.command(SiteCommand::Reply { handle, segments: text(id) });
    (2..=4).for_each(|id| reply(id).unwrap());
    let result = reply(5);
    assert!(matches!(result, Err(EndpointError::Machine(Error::Misuse(Misuse::Limit(_))))), "{result:?}");
    site.log();
    site.finish();
    site.logs(["message 1 2"]);
}

#[test]
fn a_channel_to_this_site_that_is_closed_now_loses_what_it_has_asked() {
    let mut site = master(SiteConfig::default());
    site.request(ONE, 1).unwrap();
    site.log();
    site.fine(SiteCommand::CloseChannelNow(ONE));
    site.logs(["#1 1 failed Closed { sent: true }", "#1 over 0 1", "lost 1"]);
    let handle = site.handles[0];
    assert!(site.command(SiteCommand::Answer { handle, segments: text(1) }).is_err());
    site.finish();
    assert_eq!(site.endpoint.dispatcher().unfinished(), 0);
}
