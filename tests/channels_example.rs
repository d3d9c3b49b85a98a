//! The example `channels`, with fewer messages, and what it counts by.

#[path = "../examples/channels/driver.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod driver;
#[path = "../examples/channels/ledger.rs"]
mod ledger;
#[path = "../examples/channels/real_site.rs"]
mod real_site;
mod support;
#[path = "../examples/channels/talker.rs"]
mod talker;
#[path = "../examples/channels/two_sites.rs"]
mod two_sites;

use ledger::{Ledger, Report};
use std::time::Instant;
use support::libdb::{PACKAGE, is_installed};
use support::require;

const COUNT: u32 = 3000;

#[track_caller]
fn assert_complete(report: &Report, streams: usize) {
    assert_eq!(report.problem(), None);
    assert_eq!(report.streams.len(), streams);
    for stream in &report.streams {
        assert!(stream.sent > 0 && stream.through() == stream.sent, "{stream:?}");
        assert_eq!(stream.answered, if stream.asks { stream.sent } else { 0 }, "{stream:?}");
    }
    report.print().unwrap();
}

#[test]
fn two_sites_lose_nothing_when_the_master_changes() {
    let report = two_sites::run(COUNT).unwrap();
    assert_complete(&report, 8);
    assert!(report.streams.iter().all(|stream| stream.sent == COUNT));
}

#[test]
fn nothing_is_lost_on_the_way_to_a_real_site() {
    if require(is_installed(), PACKAGE) {
        assert_complete(&real_site::run(COUNT).unwrap(), 6);
    }
}

/// What is counted wrongly would be found by nobody.
#[test]
fn whatever_is_wrong_is_a_problem() {
    let problem = |what: &dyn Fn(&Ledger)| {
        let ledger = Ledger::default();
        ledger.open('a', "A -> B, messages", false);
        ledger.open('b', "A -> B, requests", true);
        for letter in ['a', 'b'] {
            ledger.note(letter, |stream| {
                stream.sent = 3;
                (1..3).for_each(|number| stream.arrive("B", number, true));
            });
        }
        ledger.note('b', |stream| {
            stream.arrive("A", 3, true);
            stream.answered = 3;
        });
        what(&ledger);
        ledger.report(Instant::now(), Vec::new()).problem()
    };
    let third = |ledger: &Ledger| ledger.note('a', |stream| stream.arrive("A", 3, true));
    assert_eq!(problem(&|ledger| third(ledger)), None);
    assert_eq!(problem(&|_| ()).as_deref(), Some("A -> B, messages: 1 lost"));
    let twice = |ledger: &Ledger| {
        third(ledger);
        // At another site, too.
        ledger.note('a', |stream| stream.arrive("A", 1, true));
    };
    assert_eq!(problem(&twice).as_deref(), Some("A -> B, messages: 1 doubled"));
    let spoiled = |ledger: &Ledger| ledger.note('a', |stream| stream.arrive("A", 3, false));
    assert_eq!(problem(&spoiled).as_deref(), Some("A -> B, messages: 1 spoiled"));
    let late = |ledger: &Ledger| {
        ledger.note('a', |stream| {
            stream.sent = 4;
            [4, 3].into_iter().for_each(|number| stream.arrive("B", number, true));
        });
    };
    assert_eq!(problem(&late).as_deref(), Some("A -> B, messages: 1 out of order"));
    let unanswered = |ledger: &Ledger| {
        third(ledger);
        ledger.note('b', |stream| stream.answered = 2);
    };
    assert_eq!(problem(&unanswered).as_deref(), Some("A -> B, requests: 1 not answered"));
    let failed = |ledger: &Ledger| ledger.note('b', |stream| stream.failed.push("request 3: no".to_owned()));
    assert!(problem(&failed).is_some());
}
