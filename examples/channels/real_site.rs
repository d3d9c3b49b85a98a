//! Site A is ours, site B is one of Berkeley DB, the master of a group that ours does not belong to.

use crate::driver::Site as Ours;
use crate::ledger::{Ledger, Report};
use crate::support::libdb::{PACKAGE, Role, Site, SiteOptions, is_installed};
use crate::talker::Talker;
use crate::two_sites::{DIRECT, MASTER, address, command, start};
use handover::repmgr::channel::{Master, To};
use handover::repmgr::endpoint::{SiteCommand, SiteConfig};
use std::time::Instant;

pub fn run(count: u32) -> Result<Report, String> {
    if !is_installed() {
        return Err(format!("Berkeley DB is not installed: --libdb needs {PACKAGE}"));
    }
    let ledger = Ledger::default();
    let mut b = Site::start(&SiteOptions::new(Role::Master))?;
    b.call("report off")?;
    let a = Ours::start(SiteConfig::default(), Talker::new("A", ledger.clone())).map_err(|error| error.to_string())?;
    let since = Instant::now();
    command(&a, SiteCommand::OpenChannel { channel: DIRECT, to: To::Site(address(b.port())) })?;
    command(&a, SiteCommand::OpenChannel { channel: MASTER, to: To::Master })?;
    command(&a, SiteCommand::Master(Some(Master::Remote(address(b.port())))))?;
    let mut notes = vec!["B, a real site, is master: what A sends to the master goes to B".to_owned()];

    let ours = [
        ('a', "A -> B, messages", DIRECT, false),
        ('b', "A -> B, requests", DIRECT, true),
        ('c', "A -> master, messages", MASTER, false),
        ('d', "A -> master, requests", MASTER, true),
    ];
    start(&a, &ledger, &ours, count, count)?;
    ledger.open('e', "B -> A, messages", false);
    ledger.open('f', "B -> A, requests", true);
    for channel in 0..2 {
        let opened = b.call(&format!("channel {channel} {}", a.port()))?;
        if opened.name() != "OK" {
            return Err(format!("B cannot open a channel to A: {}", opened.name()));
        }
    }
    let asking = b.begin(&format!("ask 1 f {count} 200 0"))?;

    ledger.wait('d', |stream| stream.answered >= count / 2 || !stream.failed.is_empty())?;
    let at = since.elapsed();
    command(&a, SiteCommand::Master(Some(Master::Local)))?;
    notes.push(format!("A is master, after {:.3} s: what it sends to the master stays there", at.as_secs_f64()));

    // What does not go out at once, its library throws away and says nothing: it is asked how many these are.
    b.call(&format!("flood 0 e {count} 100"))?;
    let thrown_away = b.call("statistics")?.number("dropped");
    notes.push(format!("B's library has thrown away {thrown_away} messages before they were sent"));
    let kept = count - u32::try_from(thrown_away).map_err(|error| error.to_string())?;
    ledger.note('e', |stream| stream.sent = kept);
    let answered = b.finish(asking)?.number("succeeded");
    ledger.note('f', |stream| {
        stream.sent = count;
        stream.answered = u32::try_from(answered).unwrap_or(0);
    });
    for letter in ['b', 'd'] {
        ledger.wait(letter, |stream| stream.answered == count || !stream.failed.is_empty())?;
    }
    ledger.wait('e', |stream| stream.through() >= kept)?;
    for letter in ['a', 'b', 'c', 'd'] {
        count_at(&ledger, &mut b, letter, count)?;
    }
    let report = ledger.report(since, notes);
    command(&a, SiteCommand::CloseChannel(DIRECT))?;
    command(&a, SiteCommand::CloseChannel(MASTER))?;
    b.quit()?;
    a.quit().ok_or("our site has panicked")?;
    Ok(report)
}

/// Waits until what A has not got of a stream has come to B, and notes what B has counted.
fn count_at(ledger: &Ledger, b: &mut Site, letter: char, count: u32) -> Result<(), String> {
    ledger.wait(letter, |stream| stream.sent == count || !stream.failed.is_empty())?;
    let mut here = 0;
    ledger.note(letter, |stream| here = stream.through());
    let received = b.wait_numbered(letter, u64::from(count - here))?;
    let number = |what| u32::try_from(received.number(what)).unwrap_or(u32::MAX);
    ledger.note(letter, |stream| {
        stream.arrived.entry("B").or_default().count = number("fresh");
        stream.doubled += number("repeated");
    });
    Ok(())
}
