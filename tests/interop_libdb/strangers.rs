//! Real sites that want to join a group by us, who are no member of any.

use crate::ours::{Note, Ours, parts};
use crate::real_sites::master;
use crate::support::libdb::{Role, Site, SiteOptions};
use handover::repmgr::connection::{CloseReason, MembershipPolicy};
use handover::repmgr::endpoint::{LinkEvent, SiteConfig};

#[track_caller]
fn wait_link(ours: &Ours, is: impl Fn(&LinkEvent) -> bool) {
    ours.log.wait("a link", |note| matches!(note, Note::Link(event) if is(event)).then_some(()));
}

#[test]
fn a_site_that_wants_to_join_is_told_that_we_are_not_who_it_looks_for() {
    let Some(site) = master() else { return };
    let ours = Ours::start();
    let Err(error) = Site::start(&SiteOptions::new(Role::Client(ours.port()))) else {
        panic!("it has joined\n{}", ours.log);
    };
    assert!(error.contains("DB_REP_UNAVAIL"), "{error}");
    wait_link(&ours, |event| matches!(event, LinkEvent::Closed(CloseReason::NotAChannel)));
    // Channels are served as before.
    let channel = ours.open_to(site.port());
    assert_eq!(ours.ask(channel, parts([b"hello"])).unwrap(), b"hello");
    site.quit().unwrap();
    ours.finish();
}

#[test]
fn a_site_that_wants_to_join_can_be_sent_to_the_master() {
    let Some(master) = master() else { return };
    let mut config = SiteConfig::default();
    config.connection.membership = MembershipPolicy::Ask;
    let ours = Ours::start_with(config);
    ours.forward_to(master.port());
    let mut client = Site::start(&SiteOptions::new(Role::Client(ours.port()))).unwrap();
    wait_link(&ours, |event| matches!(event, LinkEvent::MembershipRequest(_)));
    wait_link(&ours, |event| matches!(event, LinkEvent::Closed(CloseReason::Membership)));
    assert_eq!(client.call("master").unwrap().number("port"), u64::from(master.port()));
    client.quit().unwrap();
    master.quit().unwrap();
    ours.finish();
}
