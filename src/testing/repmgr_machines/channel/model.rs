//! What a channel must do: one list of all that was accepted, each with its place (spec/repmgr.md 6.2).

use super::super::words::{block_len, broken};
use crate::machine::{LinkId, Machine};
use crate::repmgr::channel::{
    Answer, Channel, Config, DropReason, Event, Failure, Input, Master, MessageId, Output, Payload, RequestId,
    RequestTimeout, Response, To,
};
use crate::repmgr::message::{AppMessage, Wanted};
use crate::repmgr::{ErrorCode, Segments, SiteAddress, Via};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use std::string::String;
use std::vec::Vec;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Request(RequestId),
    Message(MessageId),
    Link(LinkId),
}

/// Where something is that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Held,
    /// A request on its way.
    Out(Via, u32),
    /// The same, and nobody waits for it any more.
    GivenUp(Via, u32),
}

/// A request, or a message that is held.
#[derive(Clone, Debug)]
struct Thing {
    name: Name,
    segments: Segments,
    bulk: bool,
    limit: Option<u32>,
    due: Option<Instant>,
    place: Place,
}

#[derive(Clone, Debug)]
struct Link {
    number: LinkId,
    up: bool,
    congested: bool,
    /// Kept for answers only.
    old: bool,
    messages: u32,
    tags: u32,
    due: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Taking,
    Ending,
    Over,
}

/// The reference model of a [`Channel`].
#[derive(Clone, Debug)]
pub struct ChannelModel {
    config: Config,
    to: To,
    master: Option<Master>,
    mode: Mode,
    now: Instant,
    things: Vec<Thing>,
    links: Vec<Link>,
    dialled: u32,
    local_tags: u32,
    history: checks::History,
}

type Must = super::super::words::Must<Output, Event>;

impl ChannelModel {
    /// The model of a channel with these settings.
    #[must_use]
    pub fn new(config: Config, to: To) -> Self {
        Self {
            config,
            to,
            master: None,
            mode: Mode::Taking,
            now: Instant::ZERO,
            things: Vec::new(),
            links: Vec::new(),
            dialled: 0,
            local_tags: 0,
            history: checks::History::default(),
        }
    }

    /// Where things are to go.
    fn destination(&self) -> Option<Master> {
        match &self.to {
            To::Site(site) => Some(Master::Remote(site.clone())),
            To::Master => self.master.clone(),
        }
    }

    fn current(&self) -> Option<&Link> {
        self.links.iter().find(|link| !link.old)
    }

    /// The way that is open now.
    fn way(&self) -> Option<Via> {
        match self.destination()? {
            Master::Local => Some(Via::Local),
            Master::Remote(_) => {
                let current = self.current()?;
                (current.up && !current.congested).then_some(Via::Link(current.number))
            }
        }
    }

    fn held(&self) -> impl Iterator<Item = &Thing> {
        self.things.iter().filter(|thing| thing.place == Place::Held)
    }

    /// The first thing, or link, whose time is up.
    fn due(&self) -> Option<(Instant, Name)> {
        let links = self.links.iter().filter_map(|link| Some((link.due?, Name::Link(link.number))));
        self.things.iter().filter_map(|thing| Some((thing.due?, thing.name))).chain(links).min()
    }

    fn state(&self) -> &'static str {
        match (self.mode, self.destination(), self.current()) {
            (Mode::Over, ..) => "Closed",
            (Mode::Ending, ..) => "Draining",
            (_, Some(Master::Local), _) => "Local",
            (_, _, None) => "Idle",
            (.., Some(link)) if !link.up => "Dialling",
            (.., Some(link)) if link.congested => "Congested",
            _ => "Open",
        }
    }

    fn dial(&mut self, must: &mut Must) {
        if let Some(Master::Remote(address)) = self.destination() {
            self.dialled += 1;
            let number = LinkId(self.dialled);
            let (messages, tags) = (0, 0);
            self.links.push(Link { number, up: false, congested: false, old: false, messages, tags, due: None });
            must.wire.push(Output::Dial { link: number, address });
        }
    }

    fn accept(&mut self, thing: Thing, must: &mut Must) {
        self.things.push(thing);
        self.flush(must);
        if self.held().next().is_some() && self.current().is_none() {
            self.dial(must);
        }
    }

    /// Sends all that is held, in order, if a way is open.
    fn flush(&mut self, must: &mut Must) {
        let Some(via) = self.way() else { return };
        let mut link = self.links.iter_mut().find(|link| via == Via::Link(link.number));
        self.things.retain_mut(|thing| {
            if thing.place != Place::Held {
                return true;
            }
            let segments = thing.segments.clone();
            match thing.name {
                Name::Message(id) => {
                    link.iter_mut().for_each(|link| link.messages += 1);
                    must.wire.push(Output::Send { via, message: AppMessage::new(segments) });
                    must.events.push(Event::Sent(id));
                    false
                }
                _ => {
                    let tags = link.as_mut().map_or(&mut self.local_tags, |link| &mut link.tags);
                    let wanted = Wanted { tag: *tags, bulk: thing.bulk, limit: thing.limit };
                    must.wire.push(Output::Send { via, message: AppMessage::request(segments, wanted) });
                    thing.place = Place::Out(via, *tags);
                    *tags += 1;
                    true
                }
            }
        });
    }

    /// The end of some of the things, in their order.
    fn drop_where(&mut self, which: impl Fn(&Thing) -> bool, reason: DropReason, failure: Failure, must: &mut Must) {
        self.things.retain(|thing| {
            if !which(thing) {
                return true;
            }
            match thing.name {
                Name::Message(id) => must.events.push(Event::Dropped { id, reason }),
                Name::Request(id) => must.events.push(Event::Completed { id, result: Err(failure) }),
                Name::Link(_) => {}
            }
            false
        });
    }

    fn drop_held(&mut self, must: &mut Must) {
        let failure = Failure::Unavailable { sent: false };
        self.drop_where(|thing| thing.place == Place::Held, DropReason::Unavailable, failure, must);
    }

    /// A link is not to be used any more.
    fn leave(&mut self, must: &mut Must) {
        let Some(at) = self.links.iter().position(|link| !link.old) else { return };
        if self.links[at].up {
            self.links[at].old = true;
        } else {
            must.wire.push(Output::Close(self.links.remove(at).number));
        }
    }

    fn lose(&mut self, number: LinkId, must: &mut Must) {
        let Some(at) = self.links.iter().position(|link| link.number == number) else { return };
        let link = self.links.remove(at);
        let via = Via::Link(number);
        self.things.retain(|thing| !matches!(thing.place, Place::GivenUp(way, _) if way == via));
        let failure = Failure::Unavailable { sent: true };
        let out = |thing: &Thing| matches!(thing.place, Place::Out(way, _) if way == via);
        self.drop_where(out, DropReason::Unavailable, failure, must);
        must.events.push(Event::LinkLost { link: number, messages: link.messages });
        match (link.old, link.up) {
            (true, _) => {}
            (false, true) if self.held().next().is_some() => self.dial(must),
            (false, _) => self.drop_held(must),
        }
    }

    fn answered(&mut self, via: Via, answer: &Answer, must: &mut Must) {
        let tag = tag_of(answer);
        let waiting = |thing: &Thing| matches!(thing.place, Place::Out(way, own) | Place::GivenUp(way, own) if (way, own) == (via, tag));
        match (self.things.iter().position(waiting), via) {
            (Some(at), _) => {
                let thing = self.things.remove(at);
                let event = match (thing.place, thing.name) {
                    (Place::Out(..), Name::Request(id)) => {
                        Event::Completed { id, result: result(answer, thing.bulk, thing.limit) }
                    }
                    _ => Event::Ignored,
                };
                must.events.push(event);
            }
            (None, Via::Link(link)) if !self.was_given(via, tag) => {
                must.wire.push(Output::Close(link));
                self.lose(link, must);
            }
            _ => must.events.push(Event::Ignored),
        }
    }

    fn was_given(&self, via: Via, tag: u32) -> bool {
        let link = self.links.iter().find(|link| via == Via::Link(link.number));
        tag < link.map_or(self.local_tags, |link| link.tags)
    }

    fn time_is_up(&mut self, name: Name, must: &mut Must) {
        if let Name::Link(number) = name {
            must.wire.push(Output::Close(number));
            return self.lose(number, must);
        }
        let Some(at) = self.things.iter().position(|thing| thing.name == name && thing.due.is_some()) else { return };
        let thing = &mut self.things[at];
        thing.due = None;
        let sent = match thing.place {
            Place::Out(via, tag) => {
                thing.place = Place::GivenUp(via, tag);
                true
            }
            _ => {
                self.things.remove(at);
                false
            }
        };
        must.events.push(match name {
            Name::Message(id) => Event::Dropped { id, reason: DropReason::TimedOut },
            Name::Request(id) => Event::Completed { id, result: Err(Failure::Timeout { sent }) },
            Name::Link(_) => return,
        });
    }

    /// Old links are closed as soon as nothing is to come on them, and the channel ends with the last one.
    fn tidy(&mut self, must: &mut Must) {
        let empty = self.mode == Mode::Ending && self.held().next().is_none();
        if empty {
            self.leave(must);
        }
        let things = &self.things;
        let due = self.now.saturating_add(self.config.linger);
        self.links.retain_mut(|link| {
            let out =
                things.iter().any(|thing| matches!(thing.place, Place::Out(via, _) if via == Via::Link(link.number)));
            let late = things
                .iter()
                .any(|thing| matches!(thing.place, Place::GivenUp(via, _) if via == Via::Link(link.number)));
            if link.old && !out {
                link.due = link.due.or(Some(due));
            }
            let done = link.old && !out && !late;
            if done {
                must.wire.push(Output::Close(link.number));
            }
            !done
        });
        let waits = self.things.iter().any(|thing| matches!(thing.place, Place::Out(..)));
        if empty && self.links.is_empty() && !waits {
            self.end(0, 0, must);
        }
    }

    fn end(&mut self, messages: u32, requests: u32, must: &mut Must) {
        must.wire.extend(self.links.drain(..).map(|link| Output::Close(link.number)));
        self.things.clear();
        self.mode = Mode::Over;
        must.events.push(Event::Closed { messages, requests });
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        let after = self.now.max(now);
        if *input == Input::Timeout && self.due().is_none_or(|(due, _)| due > after) {
            return must;
        }
        self.now = after;
        match input {
            Input::Master(master) if self.master == *master => {}
            Input::Master(master) => {
                self.master.clone_from(master);
                self.leave(&mut must);
                self.flush(&mut must);
                if master.is_none() {
                    self.drop_held(&mut must);
                } else if self.held().next().is_some() {
                    self.dial(&mut must);
                }
            }
            Input::Connect if self.current().is_none() => self.dial(&mut must),
            Input::Connect => {}
            Input::Send { id, segments } => {
                let due = self.config.send_timeout.map(|time| after.saturating_add(time));
                let (name, segments, place) = (Name::Message(*id), segments.clone(), Place::Held);
                self.accept(Thing { name, segments, bulk: false, limit: None, due, place }, &mut must);
            }
            Input::Request { id, segments, options } => {
                let time = match options.timeout {
                    RequestTimeout::Default => self.config.request_timeout,
                    RequestTimeout::Never => None,
                    RequestTimeout::After(time) => Some(time),
                };
                let due = time.map(|time| after.saturating_add(time));
                let (name, segments, place) = (Name::Request(*id), segments.clone(), Place::Held);
                self.accept(Thing { name, segments, bulk: options.bulk, limit: options.limit, due, place }, &mut must);
            }
            Input::Ready(number) => {
                self.links.iter_mut().filter(|link| link.number == *number).for_each(|link| link.up = true);
                self.flush(&mut must);
            }
            Input::Received { via, answer } => self.answered(*via, answer, &mut must),
            Input::Closed(number) => self.lose(*number, &mut must),
            Input::Congested(number) | Input::Drained(number) => {
                let congested = matches!(input, Input::Congested(_));
                self.links.iter_mut().filter(|link| link.number == *number).for_each(|link| link.congested = congested);
                self.flush(&mut must);
            }
            Input::Close => self.mode = Mode::Ending,
            Input::CloseNow => {
                let early = Failure::Closed { sent: false };
                self.drop_where(|thing| thing.place == Place::Held, DropReason::Closed, early, &mut must);
                self.things.sort_by_key(|thing| thing.name);
                let late = Failure::Closed { sent: true };
                let out = |thing: &Thing| matches!(thing.place, Place::Out(..));
                self.drop_where(out, DropReason::Closed, late, &mut must);
                let count = |wanted: fn(&&Event) -> bool| {
                    u32::try_from(must.events.iter().filter(wanted).count()).unwrap_or(u32::MAX)
                };
                let messages = count(|event| matches!(event, Event::Dropped { .. }));
                let requests = count(|event| matches!(event, Event::Completed { .. }));
                self.end(messages, requests, &mut must);
            }
            Input::Timeout => {
                while let Some((_, name)) = self.due().filter(|(due, _)| *due <= after) {
                    self.time_is_up(name, &mut must);
                }
            }
        }
        if self.mode != Mode::Over {
            self.tidy(&mut must);
        }
        must
    }
}

const fn tag_of(answer: &Answer) -> u32 {
    match answer {
        Answer::Response(response) => response.tag,
        Answer::Error(error) => error.tag,
    }
}

/// What an answer is to its requester (3.3, 3.4).
fn result(answer: &Answer, bulk: bool, limit: Option<u32>) -> Result<Response, Failure> {
    match answer {
        Answer::Error(error) => Err(match error.code.0 {
            30_989 => Failure::NoServer,
            30_995 => Failure::NoAnswer,
            30_999 => Failure::TooLarge,
            other => Failure::Other(ErrorCode(other)),
        }),
        Answer::Response(response) => {
            let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
            match response.segments() {
                _ if response.body.len() > limit => Err(Failure::TooLarge),
                _ if !bulk => Ok(Response::Single(Payload(response.body.clone()))),
                Ok(segments) => Ok(Response::Bulk(segments)),
                Err(_) => Err(Failure::Malformed),
            }
        }
    }
}

mod checks;
