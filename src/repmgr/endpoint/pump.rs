//! How the machines of a site feed each other.

use super::{ChannelId, EndpointError, Link, LinkEvent, Local, SiteEndpoint, SiteEvent, SiteOutput, Who};
use crate::error::{Error, Violation};
use crate::machine::{LinkId, Machine};
use crate::repmgr::channel::{self, Answer};
use crate::repmgr::connection::{self, Connection, Traffic};
use crate::repmgr::dispatcher;
use crate::repmgr::message::{AppMessage, Message};
use crate::repmgr::stream::{MessageStream, Side};
use crate::repmgr::via::Via;
use crate::time::Instant;
use crate::wire::{Encode, Framer};
use alloc::collections::BTreeSet;
use bytes::BytesMut;

impl SiteEndpoint {
    pub(super) fn add_link(
        &mut self,
        id: LinkId,
        connection: Connection,
        peer: Side,
        channel: Option<(ChannelId, LinkId)>,
    ) {
        let stream = MessageStream::new(peer, self.config.connection.versions, &self.config.connection.limits);
        let link = Link {
            connection,
            incoming: Framer::new(stream),
            channel,
            deadline: None,
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!("link", id = id.0, peer = ?peer),
        };
        self.links.insert(id, link);
        self.note_deadline(Who::Link(id));
    }

    pub(super) fn feed_link(
        &mut self,
        now: Instant,
        id: LinkId,
        input: connection::Input,
    ) -> Result<(), EndpointError> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        #[cfg(feature = "tracing")]
        let _entered = link.span.enter();
        let result = link.connection.handle(now, input);
        self.dirty.push_back(Who::Link(id));
        Ok(result?)
    }

    pub(super) fn feed_channel(
        &mut self,
        now: Instant,
        id: ChannelId,
        input: channel::Input,
    ) -> Result<(), EndpointError> {
        let Some(slot) = self.channels.get_mut(&id) else { return Ok(()) };
        let result = slot.channel.handle(now, input);
        self.dirty.push_back(Who::Channel(id));
        Ok(result?)
    }

    pub(super) fn dispatch(&mut self, now: Instant, input: dispatcher::Input) -> Result<(), EndpointError> {
        let result = self.dispatcher.handle(now, input);
        self.dirty.push_back(Who::Dispatcher);
        Ok(result?)
    }

    /// Carries out what the machines want, and takes what has come off the links, until all is quiet.
    pub(super) fn pump(&mut self, now: Instant, mut result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        loop {
            let done = if let Some(who) = self.dirty.pop_front() {
                let done = match who {
                    Who::Dispatcher => self.pump_dispatcher(now),
                    Who::Link(link) => self.pump_link(now, link),
                    Who::Channel(channel) => self.pump_channel(now, channel),
                };
                self.note_deadline(who);
                done
            } else if let Some(&link) = self.reading.front() {
                self.take_message(now, link).unwrap_or_else(|| {
                    self.reading.pop_front();
                    Ok(())
                })
            } else {
                return result;
            };
            result = result.and(done);
        }
    }

    /// The same for our own caller. Links that go on for what it wants may bring what they may not: that is no error of
    /// it, and is told by the event that they are closed.
    pub(super) fn pump_for(&mut self, now: Instant, result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        let done = match self.pump(now, Ok(())) {
            Err(EndpointError::Decode { .. } | EndpointError::Machine(Error::Violation(_))) => Ok(()),
            done => done,
        };
        result.and(done)
    }

    fn note_deadline(&mut self, who: Who) {
        let (noted, next) = match who {
            Who::Dispatcher => return,
            Who::Link(id) => match self.links.get_mut(&id) {
                Some(link) => (&mut link.deadline, link.connection.poll_timeout()),
                None => return,
            },
            Who::Channel(id) => match self.channels.get_mut(&id) {
                Some(slot) => (&mut slot.deadline, slot.channel.poll_timeout()),
                None => return,
            },
        };
        if *noted != next {
            forget(&mut self.deadlines, core::mem::replace(noted, next), who);
            if let Some(at) = next {
                self.deadlines.insert((at, who));
            }
        }
    }

    /// Takes one message off a link; `None` if there is none that is whole, or the link is paused.
    fn take_message(&mut self, now: Instant, id: LinkId) -> Option<Result<(), EndpointError>> {
        if self.locals.get(&id).is_some_and(|local| local.closing && local.waiting.is_empty()) {
            self.locals.remove(&id);
            return Some(self.dispatch(now, dispatcher::Input::Closed(id)));
        }
        if self.dispatcher.is_paused(id) {
            return None;
        }
        if let Some(local) = self.locals.get_mut(&id) {
            let message = local.waiting.pop_front()?;
            return Some(self.dispatch(now, dispatcher::Input::Received { link: id, message }));
        }
        match self.links.get_mut(&id)?.incoming.next_item() {
            Ok(message) => Some(self.feed_link(now, id, connection::Input::Message(message?))),
            Err(error) => {
                self.reading.pop_front();
                let done = self.feed_link(now, id, connection::Input::Malformed);
                Some(done.and(Err(EndpointError::Decode { link: id, error })))
            }
        }
    }

    fn pump_link(&mut self, now: Instant, id: LinkId) -> Result<(), EndpointError> {
        let mut result = Ok(());
        while let Some(link) = self.links.get_mut(&id) {
            let channel = link.channel;
            let Some(output) = link.connection.poll_output() else { break };
            let done = match output {
                connection::Output::Send(message) => self.transmit(id, &message),
                connection::Output::Close => {
                    self.outputs.push_back(SiteOutput::Close(id));
                    Ok(())
                }
                connection::Output::Event(event) => self.link_event(now, id, channel, event),
            };
            result = result.and(done);
        }
        result
    }

    fn link_event(
        &mut self,
        now: Instant,
        id: LinkId,
        channel: Option<(ChannelId, LinkId)>,
        event: connection::Event,
    ) -> Result<(), EndpointError> {
        let report = match event {
            connection::Event::Ready(peer) => {
                self.report(SiteEvent::Link { link: id, event: LinkEvent::Ready(peer) });
                return match channel {
                    Some((channel, number)) => self.feed_channel(now, channel, channel::Input::Ready(number)),
                    None => Ok(()),
                };
            }
            connection::Event::Received(Traffic::Message(message)) => {
                return self.dispatch(now, dispatcher::Input::Received { link: id, message });
            }
            connection::Event::Received(Traffic::Response(response)) => {
                return self.answered(now, id, channel, Answer::Response(response));
            }
            connection::Event::Received(Traffic::Error(error)) => {
                return self.answered(now, id, channel, Answer::Error(error));
            }
            connection::Event::MembershipRequest(request) => LinkEvent::MembershipRequest(request),
            connection::Event::Ignored(name) => LinkEvent::Ignored(name),
            connection::Event::Closed(reason) => {
                self.report(SiteEvent::Link { link: id, event: LinkEvent::Closed(reason) });
                return self.link_closed(now, id);
            }
        };
        self.report(SiteEvent::Link { link: id, event: report });
        Ok(())
    }

    fn answered(
        &mut self,
        now: Instant,
        id: LinkId,
        channel: Option<(ChannelId, LinkId)>,
        answer: Answer,
    ) -> Result<(), EndpointError> {
        if let Some((channel, number)) = channel {
            return self.feed_channel(now, channel, channel::Input::Received { via: Via::Link(number), answer });
        }
        // Nothing was asked on a link that was accepted.
        self.feed_link(now, id, connection::Input::Malformed)?;
        Err(Error::from(Violation { state: "Ready", expected: "messages and requests", got: "an answer" }).into())
    }

    fn link_closed(&mut self, now: Instant, id: LinkId) -> Result<(), EndpointError> {
        let Some(link) = self.links.remove(&id) else { return Ok(()) };
        forget(&mut self.deadlines, link.deadline, Who::Link(id));
        let result = self.dispatch(now, dispatcher::Input::Closed(id));
        let Some((channel, number)) = link.channel else { return result };
        // A link that the channel has given up itself is not there any more.
        let known = self.channels.get_mut(&channel).and_then(|slot| slot.give_up(number)).is_some();
        if known { result.and(self.feed_channel(now, channel, channel::Input::Closed(number))) } else { result }
    }

    fn pump_channel(&mut self, now: Instant, id: ChannelId) -> Result<(), EndpointError> {
        let mut result = Ok(());
        while let Some(slot) = self.channels.get_mut(&id) {
            let local = slot.local;
            let Some(output) = slot.channel.poll_output() else { break };
            let done = match output {
                channel::Output::Dial { link: number, address } => {
                    let link = self.next_link();
                    if let Some(slot) = self.channels.get_mut(&id) {
                        slot.links.insert(number, link);
                    }
                    let connection = Connection::dial(self.config.connection.clone(), now);
                    self.add_link(link, connection, Side::Listener, Some((id, number)));
                    self.outputs.push_back(SiteOutput::Dial { link, address });
                    Ok(())
                }
                channel::Output::Send { via: Via::Local, message } => {
                    self.echo(local, message);
                    Ok(())
                }
                channel::Output::Send { via: Via::Link(number), message } => match slot.links.get(&number) {
                    Some(&link) => self.carry_out(now, link, connection::Input::Send(Traffic::Message(message))),
                    None => Ok(()),
                },
                channel::Output::Close(number) => match slot.give_up(number) {
                    Some(link) => self.carry_out(now, link, connection::Input::Disconnect),
                    None => Ok(()),
                },
                channel::Output::Event(event) => {
                    self.channel_event(id, event);
                    Ok(())
                }
            };
            result = result.and(done);
        }
        if let Some(slot) = self.channels.get_mut(&id) {
            slot.gone.clear();
        }
        result
    }

    /// Feeds a link and carries out at once what it wants: any number of these may come in a row.
    fn carry_out(&mut self, now: Instant, id: LinkId, input: connection::Input) -> Result<(), EndpointError> {
        let done = self.feed_link(now, id, input);
        done.and(self.pump_link(now, id))
    }

    fn channel_event(&mut self, id: ChannelId, event: channel::Event) {
        let event = match event {
            channel::Event::LinkLost { link, messages } => {
                let slot = self.channels.get(&id);
                let link = slot.and_then(|slot| slot.gone.get(&link)).copied().unwrap_or(link);
                channel::Event::LinkLost { link, messages }
            }
            event => event,
        };
        let closed = matches!(event, channel::Event::Closed { .. });
        self.report(SiteEvent::Channel { channel: id, event });
        if !closed {
            return;
        }
        let Some(slot) = self.channels.remove(&id) else { return };
        forget(&mut self.deadlines, slot.deadline, Who::Channel(id));
        if let Some(local) = self.locals.get_mut(&slot.local) {
            local.closing = true;
            self.reading.push_back(slot.local);
        }
    }

    /// A message from one of this site's own channels to this site.
    fn echo(&mut self, id: LinkId, message: AppMessage) {
        if let Some(local) = self.locals.get_mut(&id) {
            local.waiting.push_back(message);
            self.reading.push_back(id);
        }
    }

    fn pump_dispatcher(&mut self, now: Instant) -> Result<(), EndpointError> {
        let mut result = Ok(());
        while let Some(output) = self.dispatcher.poll_output() {
            let done = match output {
                dispatcher::Output::Send { link, traffic } => self.send(now, link, traffic),
                dispatcher::Output::Pause(link) => {
                    if self.links.contains_key(&link) {
                        self.outputs.push_back(SiteOutput::Pause(link));
                    }
                    Ok(())
                }
                dispatcher::Output::Resume(link) => {
                    if self.links.contains_key(&link) {
                        self.outputs.push_back(SiteOutput::Resume(link));
                    }
                    self.reading.push_back(link);
                    Ok(())
                }
                dispatcher::Output::Event(event) => {
                    self.report(SiteEvent::Dispatch(event));
                    Ok(())
                }
            };
            result = result.and(done);
        }
        result
    }

    /// What the dispatcher sends, to a peer or to one of this site's own channels.
    fn send(&mut self, now: Instant, link: LinkId, traffic: Traffic) -> Result<(), EndpointError> {
        let Some(&Local { channel, closing, .. }) = self.locals.get(&link) else {
            return self.carry_out(now, link, connection::Input::Send(traffic));
        };
        let answer = match traffic {
            Traffic::Message(message) => {
                self.echo(link, message);
                return Ok(());
            }
            // Its number may be that of another channel by now.
            Traffic::Response(_) | Traffic::Error(_) if closing => return Ok(()),
            Traffic::Response(response) => Answer::Response(response),
            Traffic::Error(error) => Answer::Error(error),
        };
        self.feed_channel(now, channel, channel::Input::Received { via: Via::Local, answer })
    }

    /// Appends to the last output if that is to be written on the same link, so that a burst is one write.
    fn transmit(&mut self, id: LinkId, message: &Message) -> Result<(), EndpointError> {
        let failed = |error| EndpointError::Encode { link: id, error };
        if let Some(SiteOutput::Transmit { link, bytes }) = self.outputs.back_mut()
            && *link == id
        {
            let before = bytes.len();
            message.encode_to(bytes).map_err(failed)?;
            self.undrained = self.undrained.saturating_add(bytes.len().saturating_sub(before));
            return Ok(());
        }
        let mut bytes = BytesMut::new();
        message.encode_to(&mut bytes).map_err(failed)?;
        self.undrained = self.undrained.saturating_add(bytes.len());
        self.outputs.push_back(SiteOutput::Transmit { link: id, bytes });
        Ok(())
    }

    fn report(&mut self, event: SiteEvent) {
        self.outputs.push_back(SiteOutput::Event(event));
    }
}

fn forget(deadlines: &mut BTreeSet<(Instant, Who)>, at: Option<Instant>, who: Who) {
    if let Some(at) = at {
        deadlines.remove(&(at, who));
    }
}
