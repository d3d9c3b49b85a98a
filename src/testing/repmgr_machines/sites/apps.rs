//! What the application of a site does.

use super::super::words::{answer, segments};
use super::ledger::{Kind, Ledger, Said, came};
use crate::error::Error;
use crate::machine::LinkId;
use crate::repmgr::dispatcher::{Event, Handle};
use crate::repmgr::endpoint::{EndpointError, SiteCommand, SiteEndpoint};
use crate::time::Instant;
use std::vec::Vec;

/// Something that has come and is not finished.
#[derive(Clone, Copy, Debug)]
struct Job {
    handle: Handle,
    number: u32,
    request: bool,
    answered: bool,
    lost: bool,
}

/// A site with its application.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) endpoint: SiteEndpoint,
    jobs: Vec<Job>,
    /// What it is through with since it has heard of anything.
    finished: Vec<Handle>,
}

impl Site {
    pub(super) const fn new(endpoint: SiteEndpoint) -> Self {
        Self { endpoint, jobs: Vec::new(), finished: Vec::new() }
    }

    /// Something has come, or its sender has gone; the link and the number of what has come.
    pub(super) fn event(&mut self, event: &Event, ledger: &mut Ledger) -> Option<(LinkId, u32)> {
        match event {
            Event::Message { handle, link, .. } | Event::Request { handle, link, .. } => {
                let (number, wanted) = came(event)?;
                ledger.came(number, wanted);
                let request = wanted.is_some();
                self.jobs.push(Job { handle: *handle, number, request, answered: false, lost: false });
                Some((*link, number))
            }
            Event::Lost(handle) => {
                match self.jobs.iter_mut().find(|job| job.handle == *handle) {
                    Some(job) => assert!(!core::mem::replace(&mut job.lost, true), "6.3: {job:?} is lost twice"),
                    None => assert!(self.finished.contains(handle), "6.3: {handle:?} is lost, and is finished"),
                }
                None
            }
            _ => None,
        }
    }

    /// It has heard of all that has happened.
    pub(super) fn heard(&mut self) {
        self.finished.clear();
    }

    fn job(&mut self, which: u8) -> Option<&mut Job> {
        let at = usize::from(which) % self.jobs.len().max(1);
        self.jobs.get_mut(at)
    }

    pub(super) fn answer(&mut self, now: Instant, which: u8, shape: u8, ledger: &mut Ledger) {
        let Some(&mut Job { handle, number, request, answered, lost }) = self.job(which) else { return };
        let segments = answer(shape, number);
        let result = self.endpoint.command(now, SiteCommand::Answer { handle, segments: segments.clone() });
        if result.is_ok() {
            assert!(request && !answered && !lost, "P10: {number} can be answered");
            ledger.said(number, Said::Answer(segments));
            self.job(which).into_iter().for_each(|job| job.answered = true);
        }
        check_misuse(result);
    }

    /// Sends a message of that number back.
    pub(super) fn reply(
        &mut self,
        now: Instant,
        which: u8,
        (shape, number): (u8, u32),
        site: usize,
        ledger: &mut Ledger,
    ) {
        let Some(&mut Job { handle, request, lost, .. }) = self.job(which) else { return };
        let result = self.endpoint.command(now, SiteCommand::Reply { handle, segments: segments(shape, number) });
        if result.is_ok() {
            assert!(!request && !lost, "6.3: {handle:?} can be replied to");
            ledger.accepted(number, site, None, Kind::Reply);
        }
        check_misuse(result);
    }

    pub(super) fn finish(&mut self, now: Instant, which: u8, ledger: &mut Ledger) {
        let Some(&mut Job { handle, number, request, answered, lost }) = self.job(which) else { return };
        if request && !answered && !lost {
            ledger.said(number, Said::Nothing);
        }
        self.jobs.retain(|job| job.handle != handle);
        self.finished.push(handle);
        let result = self.endpoint.command(now, SiteCommand::Finish(handle));
        assert_eq!(result, Ok(()), "6.3: whatever has come can be finished");
    }

    /// Answers everything, as far as there is room, and is through with it; whether there was anything.
    pub(super) fn work(&mut self, now: Instant, shape: u8, ledger: &mut Ledger) -> bool {
        let waited = !self.jobs.is_empty();
        for _ in 0..self.jobs.len() {
            self.answer(now, 0, shape, ledger);
            self.finish(now, 0, ledger);
        }
        waited
    }
}

/// An application may be wrong; nobody else is.
pub(super) fn check_misuse(result: Result<(), EndpointError>) {
    let fine = matches!(result, Ok(()) | Err(EndpointError::Machine(Error::Misuse(_))));
    assert!(fine, "a command gives {result:?}");
}
