//! What came of an input, held against what must, and against the properties by themselves.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

/// What has gone in and come out, whatever the model thinks.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// Where each link leads.
    dialled: BTreeMap<LinkId, SiteAddress>,
    /// Links that are ready and not over, and links that cannot take more.
    ready: BTreeSet<LinkId>,
    congested: BTreeSet<LinkId>,
    /// All tags that were given, and those without an answer.
    given: BTreeSet<(Via, u32)>,
    unanswered: BTreeSet<(Via, u32)>,
    /// What was accepted and has no end, by its content; whether it was sent.
    messages: BTreeMap<MessageId, u32>,
    requests: BTreeMap<RequestId, (u32, bool)>,
    sent: BTreeSet<u32>,
    closed: u32,
}

/// The number that stands in the first segment.
fn content(segments: &Segments) -> u32 {
    segments.slice(0).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

impl Reference<Channel, Input> for ChannelModel {
    fn expect(&self, input: &Input) -> Option<Expected> {
        let link = |number: &LinkId| self.links.iter().find(|link| link.number == *number);
        let fine = match (self.mode, input) {
            (_, Input::Timeout) => true,
            (Mode::Over, _) => false,
            (_, Input::CloseNow) => true,
            (_, Input::Master(_)) => self.to == To::Master,
            (mode, Input::Close) => mode == Mode::Taking,
            (mode, Input::Connect) => mode == Mode::Taking && self.destination().is_some(),
            (mode, Input::Send { id, segments }) => {
                mode == Mode::Taking && self.may_accept(Name::Message(*id), segments)
            }
            (mode, Input::Request { id, segments, .. }) => {
                mode == Mode::Taking && self.may_accept(Name::Request(*id), segments)
            }
            (_, Input::Ready(number)) => link(number).is_some_and(|link| !link.up),
            (_, Input::Received { via: Via::Local, answer }) => self.was_given(Via::Local, tag_of(answer)),
            (_, Input::Received { via: Via::Link(number), answer }) => match link(number) {
                Some(found) if found.up && tag_of(answer) >= found.tags => return Some(Expected::Violation),
                found => found.is_some_and(|link| link.up),
            },
            (_, Input::Closed(number) | Input::Congested(number) | Input::Drained(number)) => link(number).is_some(),
        };
        Some(if fine { Expected::Fine } else { Expected::Misuse })
    }

    fn follow(&mut self, now: Instant, input: &Input, outputs: &[Output], machine: &Channel) -> Result<(), String> {
        let before = self.destination();
        let must = self.input(now, input);
        let after = self.destination();
        self.history.take(input);
        self.history.check(input, outputs, [before, after])?;
        must.check(outputs, as_event, property)?;
        let unanswered = self.things.iter().filter(|thing| matches!(thing.name, Name::Request(_))).count();
        let got = (machine.poll_timeout(), machine.held(), machine.unanswered());
        let should = (self.due().map(|(due, _)| due), self.held().count(), unanswered);
        if got != should {
            return broken("6.2", format_args!("deadline, held, unanswered: {got:?}, not {should:?}"));
        }
        let (state, name) = (std::format!("{:?}", machine.state()), self.state());
        if state != name {
            return broken("6.2", format_args!("it is {state}, not {name}"));
        }
        Ok(())
    }

    fn at_rest(&self, machine: &Channel) -> Result<(), String> {
        let History { messages, requests, closed, .. } = &self.history;
        if !messages.is_empty() || !requests.is_empty() {
            return broken("P15", format_args!("{messages:?} and {requests:?} have not ended"));
        }
        if *closed != 1 || self.mode != Mode::Over {
            return broken("6.2", format_args!("{machine:?} has ended {closed} times"));
        }
        Ok(())
    }
}

impl ChannelModel {
    fn may_accept(&self, name: Name, segments: &Segments) -> bool {
        let limits = &self.config.limits;
        let size = block_len(segments);
        let fits =
            segments.len() <= usize::try_from(limits.segments).unwrap_or(usize::MAX) && size + 12 <= limits.message;
        let is_new = !self.things.iter().any(|thing| thing.name == name && !matches!(thing.place, Place::GivenUp(..)));
        let is_request = |thing: &&Thing| matches!(thing.name, Name::Request(_));
        let requests = self.things.iter().filter(is_request).count();
        let counted = !matches!(name, Name::Request(_)) || requests < limits.requests;
        let held: Vec<usize> = self.held().map(|thing| block_len(&thing.segments)).collect();
        let weight = held.iter().sum::<usize>() + size;
        let room = held.len() < limits.held_messages && (held.is_empty() || weight <= limits.held_bytes);
        let goes = held.is_empty() && self.way().is_some();
        self.destination().is_some() && fits && is_new && counted && (goes || room)
    }
}

impl History {
    fn take(&mut self, input: &Input) {
        match input {
            Input::Send { id, segments } => drop(self.messages.insert(*id, content(segments))),
            Input::Request { id, segments, .. } => drop(self.requests.insert(*id, (content(segments), false))),
            Input::Ready(link) => drop(self.ready.insert(*link)),
            Input::Closed(link) => drop(self.ready.remove(link)),
            Input::Congested(link) => drop(self.congested.insert(*link)),
            Input::Drained(link) => drop(self.congested.remove(link)),
            Input::Received { via, answer } => drop(self.unanswered.remove(&(*via, tag_of(answer)))),
            _ => {}
        }
    }

    fn check(&mut self, input: &Input, outputs: &[Output], destinations: [Option<Master>; 2]) -> Result<(), String> {
        let leads_to = |address: &SiteAddress| {
            destinations.iter().flatten().any(|to| matches!(to, Master::Remote(master) if master == address))
        };
        for output in outputs {
            match output {
                Output::Dial { link, address } => {
                    if self.dialled.insert(*link, address.clone()).is_some() || !leads_to(address) {
                        return broken("P21", format_args!("{output:?}, and the site is {destinations:?}"));
                    }
                }
                Output::Send { via, message } => {
                    let fine = match via {
                        Via::Local => destinations.contains(&Some(Master::Local)),
                        Via::Link(link) => {
                            let open = self.ready.contains(link) && !self.congested.contains(link);
                            open && self.dialled.get(link).is_some_and(leads_to)
                        }
                    };
                    let number = content(&message.segments);
                    if !fine || !self.sent.insert(number) {
                        return broken("P21", format_args!("{output:?} is sent twice, or elsewhere: {self:?}"));
                    }
                    if let Some(Wanted { tag, .. }) = message.wanted() {
                        if !self.given.insert((*via, tag)) {
                            return broken("P9", format_args!("{output:?}: the tag was given before"));
                        }
                        self.unanswered.insert((*via, tag));
                        let asked = self.requests.values_mut().find(|(content, _)| *content == number);
                        asked.into_iter().for_each(|(_, sent)| *sent = true);
                    }
                }
                Output::Close(link) => {
                    let own = Via::Link(*link);
                    let forced = match input {
                        Input::CloseNow | Input::Timeout => true,
                        Input::Received { via, answer } => *via == own && !self.given.contains(&(own, tag_of(answer))),
                        _ => false,
                    };
                    if !forced && self.unanswered.iter().any(|(via, _)| *via == own) {
                        return broken("P18", format_args!("{output:?}, and something is not answered there"));
                    }
                    self.ready.remove(link);
                }
                Output::Event(event) => self.event(input, event)?,
            }
        }
        Ok(())
    }

    fn event(&mut self, input: &Input, event: &Event) -> Result<(), String> {
        match event {
            Event::Sent(id) => {
                let content = self.messages.remove(id);
                if !content.is_some_and(|content| self.sent.contains(&content)) {
                    return broken("P17", format_args!("message {id:?} is told as sent: {content:?}"));
                }
            }
            Event::Dropped { id, .. } => {
                let content = self.messages.remove(id);
                if content.is_none_or(|content| self.sent.contains(&content)) {
                    return broken("P17", format_args!("message {id:?} is told as dropped: {content:?}"));
                }
            }
            Event::Completed { id, result } => {
                let Some((_, was_sent)) = self.requests.remove(id) else {
                    return broken("P15", format_args!("request {id:?} completes, and is none"));
                };
                let says = match result {
                    Err(Failure::Timeout { sent } | Failure::Unavailable { sent } | Failure::Closed { sent }) => *sent,
                    _ if !matches!(input, Input::Received { .. }) => {
                        return broken("P11", format_args!("request {id:?} has {result:?} of {input:?}"));
                    }
                    _ => true,
                };
                if says != was_sent {
                    return broken("P15", format_args!("request {id:?}, sent: {was_sent}, has {result:?}"));
                }
            }
            Event::Closed { .. } => self.closed += 1,
            _ => {}
        }
        Ok(())
    }
}

fn as_event(output: &Output) -> Option<&Event> {
    if let Output::Event(event) = output { Some(event) } else { None }
}

/// The property that a difference is about.
fn property(difference: Result<&Output, &Event>) -> &'static str {
    match difference {
        Ok(Output::Dial { .. } | Output::Send { .. }) => "P21",
        Ok(Output::Close(_)) => "P18",
        Err(Event::Sent(_) | Event::Dropped { .. }) => "P17",
        Err(Event::Completed { .. }) => "P15",
        Err(Event::Ignored) => "P11",
        _ => "6.2",
    }
}
