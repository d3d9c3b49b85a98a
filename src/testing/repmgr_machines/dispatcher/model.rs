//! What a dispatcher must do: one list of all that has come, and what waits for each link (spec/repmgr.md 6.3).

use super::super::words::{answer_len, block_len, broken};
use crate::machine::{LinkId, Machine};
use crate::repmgr::connection::Traffic;
use crate::repmgr::dispatcher::{Config, Dispatcher, Event, Handle, Input, Output};
use crate::repmgr::message::{AppMessage, AppResponse, ResponseError, Wanted};
use crate::repmgr::{ErrorCode, Segments};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::string::String;
use std::vec::Vec;

/// Something that has come and is not finished.
#[derive(Clone, Copy, Debug)]
struct Thing {
    handle: Handle,
    link: LinkId,
    wanted: Option<Wanted>,
    answered: bool,
    lost: bool,
}

/// What is known of a link.
#[derive(Clone, Debug, Default)]
struct Link {
    congested: bool,
    paused: bool,
    /// What waits, and how large it is.
    waiting: VecDeque<(Traffic, usize)>,
}

/// The reference model of a [`Dispatcher`].
#[derive(Clone, Debug)]
pub struct DispatcherModel {
    config: Config,
    serving: bool,
    came: u32,
    things: Vec<Thing>,
    links: BTreeMap<LinkId, Link>,
    history: History,
}

/// What has come and gone, whatever the model thinks.
#[derive(Clone, Debug, Default)]
struct History {
    /// How often each request was answered, by link and tag; links that have gone take theirs with them.
    requests: BTreeMap<(LinkId, u32), u32>,
    paused: BTreeSet<LinkId>,
    congested: BTreeSet<LinkId>,
    handles: BTreeSet<Handle>,
}

type Must = super::super::words::Must<Output, Event>;

impl DispatcherModel {
    /// The model of a dispatcher with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            serving: config.serving,
            config,
            came: 0,
            things: Vec::new(),
            links: BTreeMap::new(),
            history: History::default(),
        }
    }

    fn thing(&self, handle: Handle) -> Option<&Thing> {
        self.things.iter().find(|thing| thing.handle == handle)
    }

    fn load(&self, link: LinkId) -> usize {
        let unfinished = self.things.iter().filter(|thing| thing.link == link && !thing.lost).count();
        unfinished + self.links.get(&link).map_or(0, |link| link.waiting.len())
    }

    fn send(&mut self, to: LinkId, traffic: Traffic, size: usize, must: &mut Must) {
        let link = self.links.entry(to).or_default();
        if link.congested {
            link.waiting.push_back((traffic, size));
        } else {
            must.wire.push(Output::Send { link: to, traffic });
        }
    }

    fn error(&mut self, link: LinkId, tag: u32, code: u32, must: &mut Must) {
        self.send(link, Traffic::Error(ResponseError { tag, code: ErrorCode(code) }), 0, must);
    }

    /// Who may say more now, after something has happened to a link.
    fn regulate(&mut self, link: LinkId, must: &mut Must) {
        let limits = &self.config.limits;
        let most = limits.incoming.max(1);
        let full = self.things.len() >= limits.incoming_total.max(1);
        let loads: BTreeMap<LinkId, usize> = self.links.keys().map(|link| (*link, self.load(*link))).collect();
        let is_full = |link: &LinkId| full || loads.get(link).is_some_and(|load| *load >= most);
        if let Some(entry) = self.links.get_mut(&link)
            && is_full(&link)
            && !core::mem::replace(&mut entry.paused, true)
        {
            must.wire.push(Output::Pause(link));
        }
        for (link, entry) in self.links.iter_mut().filter(|(link, _)| !is_full(link)) {
            if core::mem::take(&mut entry.paused) {
                must.wire.push(Output::Resume(*link));
            }
        }
    }

    fn input(&mut self, input: &Input) -> Must {
        let mut must = Must::default();
        match input {
            Input::Serve(serve) => self.serving = *serve,
            Input::Received { link, message } => self.received(*link, message, &mut must),
            Input::Answer { handle, segments } => self.answer(*handle, segments, &mut must),
            Input::Reply { handle, segments } => {
                if let Some(link) = self.thing(*handle).map(|thing| thing.link) {
                    let message = AppMessage::new(segments.clone());
                    self.send(link, Traffic::Message(message), block_len(segments), &mut must);
                    self.regulate(link, &mut must);
                }
            }
            Input::Finish(handle) => {
                if let Some(at) = self.things.iter().position(|thing| thing.handle == *handle) {
                    let Thing { link, wanted, answered, lost, .. } = self.things.remove(at);
                    if let Some(wanted) = wanted.filter(|_| !answered && !lost) {
                        self.error(link, wanted.tag, 30_995, &mut must);
                    }
                    self.regulate(link, &mut must);
                }
            }
            Input::Closed(link) => {
                self.links.remove(link);
                for thing in self.things.iter_mut().filter(|thing| thing.link == *link && !thing.lost) {
                    thing.lost = true;
                    must.events.push(Event::Lost(thing.handle));
                }
            }
            Input::Congested(link) => self.links.entry(*link).or_default().congested = true,
            Input::Drained(link) => {
                if let Some(entry) = self.links.get_mut(link) {
                    entry.congested = false;
                    let waiting = entry.waiting.drain(..);
                    must.wire.extend(waiting.map(|(traffic, _)| Output::Send { link: *link, traffic }));
                    self.regulate(*link, &mut must);
                }
            }
            Input::Timeout => {}
        }
        must
    }

    fn received(&mut self, link: LinkId, message: &AppMessage, must: &mut Must) {
        let is_request = message.flags.bits() & 2 != 0;
        let limit = (message.flags.bits() & 4 != 0).then_some(message.limit);
        let wanted = Wanted { tag: message.tag, bulk: message.flags.bits() & 1 != 0, limit };
        let segments = message.segments.clone();
        match (self.serving, is_request) {
            (false, false) => must.events.push(Event::Unserved(link)),
            (false, true) => self.error(link, wanted.tag, 30_989, must),
            (true, _) => {
                self.came += 1;
                let handle = Handle(self.came);
                let wanted = is_request.then_some(wanted);
                self.links.entry(link).or_default();
                self.things.push(Thing { handle, link, wanted, answered: false, lost: false });
                must.events.push(match wanted {
                    Some(Wanted { bulk, limit, .. }) => Event::Request { handle, link, segments, bulk, limit },
                    None => Event::Message { handle, link, segments },
                });
            }
        }
        self.regulate(link, must);
    }

    fn answer(&mut self, handle: Handle, segments: &Segments, must: &mut Must) {
        let Some(thing) = self.things.iter_mut().find(|thing| thing.handle == handle) else { return };
        thing.answered = true;
        let (link, Some(wanted)) = (thing.link, thing.wanted) else { return };
        let size = answer_len(wanted.bulk, segments);
        if fits(wanted, segments) {
            let single = || AppResponse::single(wanted.tag, segments.get(0).unwrap_or_default());
            let bulk = if wanted.bulk { AppResponse::bulk(wanted.tag, segments).ok() } else { None };
            self.send(link, Traffic::Response(bulk.unwrap_or_else(single)), size, must);
        } else {
            self.error(link, wanted.tag, 30_999, must);
            must.events.push(Event::TooLarge { handle, size: u64::try_from(size).unwrap_or(u64::MAX) });
        }
        self.regulate(link, must);
    }

    /// Whether something of that size can be sent, or can wait.
    fn has_room(&self, link: LinkId, size: usize, most: usize) -> bool {
        let Some(Link { congested: true, waiting, .. }) = self.links.get(&link) else { return true };
        let weight: usize = waiting.iter().map(|(_, size)| size).sum();
        waiting.len() < most && (waiting.is_empty() || weight + size <= self.config.limits.held_bytes)
    }

    /// P10, P17, P20, by what has come in and gone out and nothing else.
    fn check_history(&mut self, input: &Input, outputs: &[Output]) -> Result<(), String> {
        let history = &mut self.history;
        match input {
            Input::Received { link, .. } if history.paused.contains(link) => {
                return broken("6.3", format_args!("{link:?} is paused, and may say more"));
            }
            Input::Received { link, message } => {
                history.requests.extend(message.wanted().map(|wanted| ((*link, wanted.tag), 0)));
            }
            Input::Closed(link) => {
                history.requests.retain(|(other, _), _| other != link);
                history.paused.remove(link);
                history.congested.remove(link);
            }
            Input::Congested(link) => drop(history.congested.insert(*link)),
            Input::Drained(link) => drop(history.congested.remove(link)),
            _ => {}
        }
        for output in outputs {
            match output {
                Output::Send { link, traffic } => {
                    let tag = match traffic {
                        _ if history.congested.contains(link) => {
                            return broken("6.3", format_args!("{output:?}, and the link takes nothing"));
                        }
                        Traffic::Message(message) if message.wanted().is_some() => {
                            return broken("P10", format_args!("{output:?} is a request"));
                        }
                        Traffic::Message(_) => continue,
                        Traffic::Response(response) => response.tag,
                        Traffic::Error(error) => error.tag,
                    };
                    match history.requests.get_mut(&(*link, tag)) {
                        Some(answers @ 0) => *answers = 1,
                        answers => return broken("P10", format_args!("{output:?} behind {answers:?}")),
                    }
                }
                Output::Pause(link) if !history.paused.insert(*link) => {
                    return broken("6.3", format_args!("{output:?}"));
                }
                Output::Resume(link) if !history.paused.remove(link) => {
                    return broken("6.3", format_args!("{output:?}"));
                }
                Output::Event(Event::Message { handle, .. } | Event::Request { handle, .. })
                    if !history.handles.insert(*handle) =>
                {
                    return broken("6.3", format_args!("{output:?}: the handle was given before"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn fits(wanted: Wanted, segments: &Segments) -> bool {
    let most = wanted.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    (wanted.bulk || segments.len() < 2) && answer_len(wanted.bulk, segments) <= most
}

impl Reference<Dispatcher, Input> for DispatcherModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let limits = &self.config.limits;
        let fine = match input {
            Input::Received { link, .. } => !self.links.get(link).is_some_and(|link| link.paused),
            Input::Answer { handle, segments } => match self.thing(*handle) {
                Some(Thing { wanted: Some(wanted), answered: false, lost: false, link, .. }) => {
                    let size = answer_len(wanted.bulk, segments);
                    size <= limits.message && self.has_room(*link, size, usize::MAX)
                }
                _ => false,
            },
            Input::Reply { handle, segments } => match self.thing(*handle) {
                Some(Thing { wanted: None, lost: false, link, .. }) => {
                    let size = block_len(segments);
                    let few = segments.len() <= usize::try_from(limits.segments).unwrap_or(usize::MAX);
                    few && size + 12 <= limits.message && self.has_room(*link, size, limits.held_messages)
                }
                _ => false,
            },
            Input::Finish(handle) => self.thing(*handle).is_some(),
            Input::Serve(_) | Input::Closed(_) | Input::Congested(_) | Input::Drained(_) | Input::Timeout => true,
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, _now: Instant, input: &Input, outputs: &[Output], machine: &Dispatcher) -> Result<(), String> {
        self.check_history(input, outputs)?;
        let must = self.input(input);
        must.check(outputs, as_event, property)?;
        let paused: Vec<LinkId> = self.links.iter().filter(|(_, link)| link.paused).map(|(link, _)| *link).collect();
        let said: Vec<LinkId> = (0..16).map(LinkId).filter(|link| machine.is_paused(*link)).collect();
        if (machine.unfinished(), &said) != (self.things.len(), &paused) {
            return broken(
                "6.3",
                format_args!(
                    "{} unfinished, not {}; {said:?} paused, not {paused:?}",
                    machine.unfinished(),
                    self.things.len()
                ),
            );
        }
        let serving = std::format!("{:?}", machine.state()) == "Serving";
        if serving != self.serving || machine.poll_timeout().is_some() {
            return broken("6.3", format_args!("it stands in {:?}, and has a deadline or not", machine.state()));
        }
        for thing in &self.things {
            let probe = Segments::from_iter(["1234", "5678"]);
            let said = machine.fits(thing.handle, &probe).map(|fits| fits.is_ok());
            let should = thing.wanted.map(|wanted| fits(wanted, &probe));
            if said != should {
                return broken("P13", format_args!("{thing:?} fits: {said:?}, not {should:?}"));
            }
        }
        Ok(())
    }

    fn at_rest(&self, machine: &Dispatcher) -> Result<(), String> {
        if !self.things.is_empty() || machine.unfinished() > 0 {
            return broken("6.3", format_args!("{:?} are not finished", self.things));
        }
        // What waits for a link that takes nothing is an answer too.
        let waits = |link: &LinkId, tag: u32| {
            let waiting = self.links.get(link).into_iter().flat_map(|link| &link.waiting);
            waiting.into_iter().any(|(traffic, _)| match traffic {
                Traffic::Response(response) => response.tag == tag,
                Traffic::Error(error) => error.tag == tag,
                Traffic::Message(_) => false,
            })
        };
        let open = self.history.requests.iter().find(|((link, tag), answers)| **answers == 0 && !waits(link, *tag));
        match open {
            Some(request) => broken("P20", format_args!("{request:?} was never answered")),
            None => Ok(()),
        }
    }
}

fn as_event(output: &Output) -> Option<&Event> {
    if let Output::Event(event) = output { Some(event) } else { None }
}

/// The property that a difference is about.
fn property(difference: Result<&Output, &Event>) -> &'static str {
    match difference {
        Ok(Output::Send { traffic: Traffic::Response(_) | Traffic::Error(_), .. }) => "P10",
        Ok(Output::Send { .. }) => "P17",
        Err(Event::TooLarge { .. }) => "P13",
        Err(Event::Message { .. } | Event::Request { .. }) => "P22",
        _ => "6.3",
    }
}
