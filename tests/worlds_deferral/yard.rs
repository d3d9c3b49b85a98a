//! Shipped servers with work, crashes and links that are lost.

use super::walk::{Servers, command};
use handover::deferral::client::Peer;
use handover::deferral::message::{Message, Request, RequestKey};
use handover::deferral::server::{Config, Event, Input, JobId, Output, Server};
use handover::deferral::{RequestFlags, RequestId, ServerId};
use handover::frame::Text;
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// What goes wrong with a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    None,
    Unreachable,
    /// The request never arrives.
    Request,
    /// It does, and nothing comes back.
    FirstAnswer,
    /// What comes behind EXECUTING, or else the answer.
    AfterExecuting,
    /// The server goes on, and its last word is lost.
    LastAnswer,
    /// The same, and the server has forgotten how it ended when it is asked again.
    LastAnswerForgotten,
    /// The server crashes after its first answer, forgets everything, and is back at once.
    Crash,
    /// The same, and it is not.
    CrashForGood,
}

impl Cut {
    pub(crate) const ALL: [Self; 9] = [
        Self::None,
        Self::Unreachable,
        Self::Request,
        Self::FirstAnswer,
        Self::AfterExecuting,
        Self::LastAnswer,
        Self::LastAnswerForgotten,
        Self::Crash,
        Self::CrashForGood,
    ];
}

pub(crate) struct Site {
    pub(crate) server: Server,
    config: Config,
    pub(crate) up: bool,
    boot: u32,
    jobs: Vec<(Instant, JobId)>,
    /// How often it has begun to carry out our command.
    pub(crate) executed: Vec<RequestKey>,
    /// How many of the commands that it carries out continue.
    pub(crate) continues: u32,
    /// Whether what follows changes nothing.
    pub(crate) next_read_only: bool,
}

pub(crate) struct Yard<'a> {
    pub(crate) sites: Vec<Site>,
    /// What goes wrong with each contact.
    pub(crate) cuts: &'a [Cut],
    /// Whether servers know how requests ended that come again, and never hear that a link was lost.
    pub(crate) memory: bool,
    pub(crate) half_open: bool,
    pub(crate) work: Duration,
    contacts: usize,
    at: usize,
    link: Option<LinkId>,
    says: VecDeque<(LinkId, Option<Message>)>,
}

/// Other clients' requests.
const OTHERS: u8 = 200;

impl Site {
    pub(crate) fn new(config: Config) -> Self {
        let server = Server::new(config.clone());
        let (jobs, executed) = (Vec::new(), Vec::new());
        Self { server, config, up: true, boot: 1, jobs, executed, continues: 0, next_read_only: false }
    }

    /// Other clients' commands come first.
    pub(crate) fn occupy(&mut self, count: u8, work: Duration) {
        for number in 0..count {
            let key = RequestKey { id: RequestId([OTHERS + number; 16]), epoch: 0 };
            let mut request = Request::new(key, command("other"));
            // A reader can be kept from other work too.
            request.flags = RequestFlags::PRIORITY | RequestFlags::READ_ONLY;
            let link = LinkId(u32::from(OTHERS) + u32::from(number));
            let message = Message::Request(Box::new(request));
            self.handle(Instant::ZERO, Input::Message { link, message, random: 1 }, work, None);
        }
    }

    /// What it says on the client's link.
    fn handle(&mut self, now: Instant, input: Input, work: Duration, link: Option<LinkId>) -> Vec<Message> {
        self.server.handle(now, input).expect("a server that is used as it should be");
        let mut says = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Send { link: to, message } if Some(to) == link => says.push(message),
                Output::Event(Event::Execute(job)) => {
                    let ours = job.key.id.0[0] < OTHERS;
                    let work = if ours { work } else { Duration::from_secs(10) };
                    self.jobs.push((now.saturating_add(work), job.id));
                    if ours {
                        self.executed.push(job.key);
                    }
                }
                _ => {}
            }
        }
        says
    }

    fn due(&self) -> Option<Instant> {
        self.jobs.iter().map(|(at, _)| *at).chain(self.server.poll_timeout()).min().filter(|_| self.up)
    }
}

impl<'a> Yard<'a> {
    pub(crate) fn new(sites: Vec<Site>, cuts: &'a [Cut]) -> Self {
        Self {
            sites,
            cuts,
            memory: true,
            half_open: false,
            work: Duration::from_millis(100),
            contacts: 0,
            at: 0,
            link: None,
            says: VecDeque::new(),
        }
    }

    pub(crate) fn executed(&self) -> usize {
        self.sites.iter().map(|site| site.executed.len()).sum()
    }

    fn cut(&self) -> Cut {
        self.contacts.checked_sub(1).and_then(|at| self.cuts.get(at)).copied().unwrap_or(Cut::None)
    }

    fn feed(&mut self, now: Instant, at: usize, input: Input) {
        let link = self.link.filter(|_| self.at == at);
        let work = self.work;
        let says = self.sites[at].handle(now, input, work, link);
        let Some(link) = link else { return };
        for message in says {
            if self.link.is_none() {
                break;
            }
            let executing = matches!(message, Message::Executing(_));
            let last =
                matches!(message, Message::End(_) | Message::Refused(_) | Message::Cancelled(_) | Message::Defer(_));
            let (told, lost) = match self.cut() {
                Cut::FirstAnswer => (false, true),
                Cut::AfterExecuting => (executing || !last, executing || last),
                Cut::LastAnswer | Cut::LastAnswerForgotten => (!last, last),
                Cut::Crash | Cut::CrashForGood => (true, true),
                _ => (true, false),
            };
            if told {
                self.says.push_back((link, Some(message)));
            }
            if lost {
                self.lose(now, link);
            }
        }
    }

    fn lose(&mut self, now: Instant, link: LinkId) {
        self.says.push_back((link, None));
        self.link = None;
        let cut = self.cut();
        let site = &mut self.sites[self.at];
        match cut {
            Cut::Crash | Cut::CrashForGood => {
                site.server = Server::new(site.config.clone());
                site.jobs.clear();
                site.boot += 1;
                site.up = cut == Cut::Crash;
            }
            Cut::LastAnswerForgotten => {
                if let Some(later) = site.server.poll_timeout() {
                    site.handle(later, Input::Timeout, self.work, None);
                }
            }
            _ if self.half_open => {}
            _ => drop(site.handle(now, Input::Closed(link), self.work, None)),
        }
    }
}

impl Servers for Yard<'_> {
    fn dial(&mut self, _now: Instant, link: LinkId, name: usize) -> Option<Peer> {
        self.contacts += 1;
        self.at = name;
        let site = &self.sites[name];
        let id = ServerId([u8::try_from(name).ok()? + 1; 16]);
        let reached = site.up && self.cut() != Cut::Unreachable;
        self.link = reached.then_some(link);
        reached.then_some(Peer { id, memory: self.memory.then_some(site.boot), max_body: None })
    }

    fn take(&mut self, now: Instant, link: LinkId, message: Message) {
        if self.cut() == Cut::Request {
            self.says.push_back((link, None));
            self.link = None;
        } else if self.link == Some(link) {
            self.feed(now, self.at, Input::Message { link, message, random: 7 });
        }
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        if self.link.take() == Some(link) {
            self.sites[self.at].handle(now, Input::Closed(link), self.work, None);
        }
    }

    fn next(&mut self, _now: Instant) -> Option<(LinkId, Option<Message>)> {
        self.says.pop_front()
    }

    fn due(&self) -> Option<Instant> {
        self.sites.iter().filter_map(Site::due).min()
    }

    fn pass(&mut self, now: Instant) {
        for at in 0..self.sites.len() {
            if self.sites[at].due().is_none_or(|due| due > now) {
                continue;
            }
            // One thing at a time: another may be due at once.
            let site = &mut self.sites[at];
            let over = site.jobs.iter().position(|(end, _)| *end <= now);
            let input = match over {
                Some(index) => {
                    let (_, job) = site.jobs.remove(index);
                    if site.continues > 0 {
                        site.continues -= 1;
                        Input::Continue { job, next: command("next"), read_only: site.next_read_only, random: 7 }
                    } else {
                        Input::End { job, status: 0, text: Text::EMPTY }
                    }
                }
                None => Input::Timeout,
            };
            self.feed(now, at, input);
            return;
        }
    }
}
