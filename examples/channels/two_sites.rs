//! Both sites are ours.

use crate::driver::Site;
use crate::ledger::{Ledger, Report, Stream};
use crate::talker::{Outlet, Talker};
use handover::repmgr::SiteAddress;
use handover::repmgr::channel::{Master, To};
use handover::repmgr::endpoint::{ChannelId, SiteCommand, SiteConfig};
use std::time::Instant;

/// To the other site, and to the master.
pub const DIRECT: ChannelId = ChannelId(1);
pub const MASTER: ChannelId = ChannelId(2);

/// A letter, what it stands for, the channel, and whether answers are wanted.
type Plan = (char, &'static str, ChannelId, bool);

const FROM_A: [Plan; 4] = [
    ('a', "A -> B, messages", DIRECT, false),
    ('b', "A -> B, requests", DIRECT, true),
    ('c', "A -> master, messages", MASTER, false),
    ('d', "A -> master, requests", MASTER, true),
];
const FROM_B: [Plan; 4] = [
    ('e', "B -> A, messages", DIRECT, false),
    ('f', "B -> A, requests", DIRECT, true),
    ('g', "B -> master, messages", MASTER, false),
    ('h', "B -> master, requests", MASTER, true),
];

/// A command that must succeed.
pub fn command(site: &Site<Talker>, command: SiteCommand) -> Result<(), String> {
    let result = site.with(|hand, _| hand.command(command)).ok_or("a site has panicked")?;
    result.map_err(|error| error.to_string())
}

/// Where a site of this machine listens.
pub fn address(port: u16) -> SiteAddress {
    SiteAddress::new("127.0.0.1", port).expect("no zero byte")
}

/// Starts streams of `count` each; those to the master stop at `hold` until they are released.
pub fn start(site: &Site<Talker>, ledger: &Ledger, plans: &[Plan], count: u32, hold: u32) -> Result<(), String> {
    for &(letter, name, channel, asks) in plans {
        ledger.open(letter, name, asks);
        let mut outlet = Outlet::new(letter, channel, asks, count);
        if channel == MASTER {
            outlet.hold = hold;
        }
        site.with(move |hand, talker| talker.start(hand, outlet)).ok_or("a site has panicked")?;
    }
    Ok(())
}

pub fn run(count: u32) -> Result<Report, String> {
    let ledger = Ledger::default();
    let new = |name| Site::start(SiteConfig::default(), Talker::new(name, ledger.clone()));
    let (a, b) = (new("A").map_err(|error| error.to_string())?, new("B").map_err(|error| error.to_string())?);
    let since = Instant::now();
    for (site, other) in [(&a, &b), (&b, &a)] {
        command(site, SiteCommand::OpenChannel { channel: DIRECT, to: To::Site(address(other.port())) })?;
        command(site, SiteCommand::OpenChannel { channel: MASTER, to: To::Master })?;
    }
    let is_master = |master: &Site<Talker>, other: &Site<Talker>| {
        command(other, SiteCommand::Master(Some(Master::Remote(address(master.port())))))?;
        command(master, SiteCommand::Master(Some(Master::Local)))
    };
    let mut notes =
        vec!["B is master: what A sends to the master goes to B, what B sends to it stays there".to_owned()];
    is_master(&b, &a)?;
    // However quick the sites are, some of what goes to the master is left for the next one.
    start(&a, &ledger, &FROM_A, count, count / 2)?;
    start(&b, &ledger, &FROM_B, count, count / 2)?;

    // In the middle of it all.
    for letter in ['d', 'h'] {
        ledger.wait(letter, |stream| stream.answered >= count / 4 || !stream.failed.is_empty())?;
    }
    let at = since.elapsed();
    is_master(&a, &b)?;
    for site in [&a, &b] {
        site.with(|hand, talker| talker.release(hand)).ok_or("a site has panicked")?;
    }
    notes.push(format!("A is master, after {:.3} s: now it is the other way round", at.as_secs_f64()));
    ledger.wait_through(count)?;
    let report = ledger.report(since, notes);
    for site in [&a, &b] {
        command(site, SiteCommand::CloseChannel(DIRECT))?;
        command(site, SiteCommand::CloseChannel(MASTER))?;
    }
    for site in [a, b] {
        site.quit().ok_or("a site has panicked")?;
    }
    let went_to_both = |stream: &&Stream| stream.arrived.len() == 2;
    if report.streams.iter().filter(went_to_both).count() != 4 && report.problem().is_none() {
        return Err("the master has not changed in the middle of what was sent to it".to_owned());
    }
    Ok(report)
}
