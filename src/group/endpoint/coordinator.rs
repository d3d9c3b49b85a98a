//! A coordinator over bytes.

use super::hello;
use crate::error::{EndpointError, Error, Misuse};
use crate::frame::link::{Config as LinkConfig, Event as LinkEvent};
use crate::frame::{Effect, Extensions, Links, Native as _};
use crate::group::coordinator::{self, Coordinator};
use crate::group::ids::DissolveReason;
use crate::group::message::{Message, Proclaim, Redirect};
use crate::group::name::{CoordinatorId, DomainId, Epoch};
use crate::group::replica::{self, Item, Memory, Replica};
use crate::machine::{LinkId, Machine as _};
use crate::time::Instant;
use alloc::collections::{BTreeMap, VecDeque};
use bytes::BytesMut;
use core::time::Duration;

/// The settings of a [`CoordinatorEndpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CoordinatorConfig {
    /// Which domain.
    pub domain: DomainId,
    /// For its part among the coordinators. Its durability and its bounds are the coordinator's, too.
    pub replica: replica::Config,
    /// How long those that were in the domain before a reign have to come back. Default 10 s.
    pub grace: Duration,
    /// For each link.
    pub link: LinkConfig,
}

impl CoordinatorConfig {
    /// The defaults.
    #[must_use]
    pub fn new(domain: DomainId, replica: replica::Config) -> Self {
        Self { domain, replica, grace: Duration::from_secs(10), link: LinkConfig::new(hello()) }
    }
}

/// What the application wants of a [`CoordinatorEndpoint`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// Reign over a domain that is new: nobody is waited for.
    Found,
    /// Reign: there is nobody who does, as far as it is known.
    TakeOver,
    /// Whether a process may enter: the answer to
    /// [`Event::Entering`](crate::group::coordinator::Event::Entering).
    Admit {
        /// Its link.
        link: LinkId,
        /// Whether it may.
        allowed: bool,
    },
    /// All those from before this reign are back.
    Recovered,
    /// A machine has failed, with all its processes.
    NodeDown(u32),
    /// Another coordinator, which may be of another domain, is there.
    Proclaimed(Proclaim),
    /// Everything up to this number is stored: the answer to [`CoordinatorOutput::Store`].
    Stored(u64),
    /// End every group, and reign no more.
    End(DissolveReason),
    /// Stop: no longer keep what others tell it. Who reigns ends its reign without a word, so that another one can go on.
    Stop,
}

/// What a [`CoordinatorEndpoint`] wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CoordinatorOutput {
    /// Write these bytes.
    Transmit {
        /// On this link.
        link: LinkId,
        /// What is to be written.
        bytes: BytesMut,
    },
    /// Close the link, once everything before is written.
    Close(LinkId),
    /// Store this, and answer with [`Command::Stored`].
    Store {
        /// Its number.
        number: u64,
        /// What.
        item: Item,
    },
    /// Something that the application should know.
    Event(CoordinatorEvent),
}

/// What the application should know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CoordinatorEvent {
    /// Of its domain.
    Domain(coordinator::Event),
    /// It reigns.
    Reigns(Epoch),
    /// Its reign is over.
    Deposed(DissolveReason),
    /// Its attempt to reign has failed.
    Failed,
    /// Another one reigns.
    Follows(Epoch),
}

/// A coordinator with its links to processes and to other coordinators: it follows whoever reigns, and reigns when it is
/// told to and the others agree.
#[derive(Clone, Debug)]
pub struct CoordinatorEndpoint {
    config: CoordinatorConfig,
    replica: Replica,
    /// Its reign.
    reign: Option<Coordinator>,
    /// Whether the domain is new.
    founds: bool,
    links: Links,
    /// Links to other coordinators.
    others: BTreeMap<LinkId, CoordinatorId>,
    outputs: VecDeque<CoordinatorOutput>,
}

impl CoordinatorEndpoint {
    /// A coordinator without links, that follows nobody yet.
    #[must_use]
    pub fn new(config: CoordinatorConfig, memory: Memory, now: Instant) -> Self {
        let replica = Replica::new(config.replica.clone(), memory, now);
        let (others, outputs) = (BTreeMap::new(), VecDeque::new());
        Self { config, replica, reign: None, founds: false, links: Links::default(), others, outputs }
    }

    /// The machine of its reign, to look at; `None`: it does not reign.
    #[must_use]
    pub const fn coordinator(&self) -> Option<&Coordinator> {
        self.reign.as_ref()
    }

    /// Its part among the coordinators, to look at.
    #[must_use]
    pub const fn replica(&self) -> &Replica {
        &self.replica
    }

    /// A process has connected. Returns the number of its link.
    pub fn accept(&mut self, now: Instant) -> LinkId {
        let link = self.links.open(self.config.link.clone(), now);
        // Nothing has come yet that could be wrong.
        _ = self.pump(now, Ok(()));
        link
    }

    /// There is a connection with another coordinator, which one of the two has dialled, and the transport has proved who
    /// it is. Returns the number of its link.
    pub fn connected(&mut self, now: Instant, coordinator: CoordinatorId) -> LinkId {
        let link = self.links.open(self.config.link.clone(), now);
        self.others.insert(link, coordinator);
        _ = self.pump(now, Ok(()));
        link
    }

    /// Bytes have come. On a link that is over they are ignored.
    ///
    /// # Errors
    /// The other end has sent what it may not: the link is closed.
    pub fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) -> Result<(), EndpointError> {
        let result = self.links.received(now, link, data);
        self.pump(now, result)
    }

    /// A connection has closed or broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let result = self.links.closed(now, link);
        self.pump(now, result)
    }

    /// What the application wants.
    ///
    /// # Errors
    /// It makes no sense now; nothing has changed.
    pub fn command(&mut self, now: Instant, command: Command) -> Result<(), EndpointError> {
        use coordinator::Input;
        let result = match command {
            Command::Found | Command::TakeOver => {
                let founds = matches!(command, Command::Found);
                let before = core::mem::replace(&mut self.founds, founds);
                let result = self.feed_replica(now, replica::Input::TakeOver);
                if result.is_err() {
                    self.founds = before;
                }
                result
            }
            Command::Admit { link, allowed } => self.feed(now, Input::Admit { link, allowed }),
            Command::Recovered => self.feed(now, Input::Recovered),
            Command::NodeDown(node) => self.feed(now, Input::NodeDown(node)),
            Command::Proclaimed(other) => self.feed(now, Input::Proclaimed(other)),
            Command::Stored(number) => self.feed_replica(now, replica::Input::Stored(number)),
            Command::End(reason) => self.feed(now, Input::End(reason)),
            Command::Stop => self.feed_replica(now, replica::Input::Stop),
        };
        self.pump(now, result)
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        let links = self.links.timeout(now);
        let fed = self.feed_replica(now, replica::Input::Timeout);
        let reign = if self.reign.is_some() { self.feed(now, coordinator::Input::Timeout) } else { Ok(()) };
        self.pump(now, links.and(fed).and(reign))
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let reign = self.reign.as_ref().and_then(Coordinator::poll_timeout);
        let others = self.replica.poll_timeout().into_iter().chain(self.links.poll_timeout());
        others.chain(reign).min()
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<CoordinatorOutput> {
        self.outputs.pop_front()
    }

    /// Feeds the reign, and does what it wants.
    fn feed(&mut self, now: Instant, input: coordinator::Input) -> Result<(), EndpointError> {
        use coordinator::Output;
        let Some(reign) = &mut self.reign else {
            let wrong = Misuse::WrongState { state: self.replica.state().name(), input: "command" };
            return Err(Error::from(wrong).into());
        };
        let result = reign.handle(now, input);
        let mut done: Result<(), EndpointError> = Ok(());
        while let Some(output) = self.reign.as_mut().and_then(Coordinator::poll_output) {
            match output {
                Output::Send { link, message } => done = done.and(self.links.send(link, &message)),
                Output::Close(link) => self.links.close(now, link, result),
                Output::Persist(entry) => {
                    done = done.and(self.feed_replica(now, replica::Input::Append(entry)));
                }
                Output::Event(event) => self.event(CoordinatorEvent::Domain(event)),
            }
        }
        if self.reign.as_ref().is_some_and(|reign| reign.state() == coordinator::reign::State::Over) {
            self.reign = None;
            if self.replica.state() == replica::State::Reigning {
                done = done.and(self.feed_replica(now, replica::Input::Abdicate));
            }
        }
        self.flush();
        Ok(result?).and(done)
    }

    /// Feeds the replica, and does what it wants.
    fn feed_replica(&mut self, now: Instant, input: replica::Input) -> Result<(), EndpointError> {
        use replica::{Event, Output};
        let result = self.replica.handle(now, input);
        let mut done = Ok(());
        while let Some(output) = self.replica.poll_output() {
            let next = match output {
                Output::Send { link, message } => self.links.send(link, &message),
                Output::Close(link) => {
                    self.others.remove(&link);
                    self.links.close(now, link, result);
                    Ok(())
                }
                Output::Store { number, item } => {
                    self.flush();
                    self.outputs.push_back(CoordinatorOutput::Store { number, item });
                    Ok(())
                }
                Output::Event(Event::Elected { epoch, records }) => {
                    self.begin(now, epoch, records);
                    Ok(())
                }
                Output::Event(Event::Kept(index)) if self.reign.is_some() => {
                    self.feed(now, coordinator::Input::Persisted(index))
                }
                Output::Event(Event::Deposed(reason)) => {
                    let ended = match &self.reign {
                        Some(_) => self.feed(now, coordinator::Input::End(stopped(reason))),
                        None => Ok(()),
                    };
                    self.event(CoordinatorEvent::Deposed(reason));
                    ended
                }
                Output::Event(Event::Failed) => {
                    self.event(CoordinatorEvent::Failed);
                    Ok(())
                }
                Output::Event(Event::Follows { epoch, .. }) => {
                    self.event(CoordinatorEvent::Follows(epoch));
                    Ok(())
                }
                Output::Event(_) => Ok(()),
            };
            done = done.and(next);
        }
        self.flush();
        Ok(result?).and(done)
    }

    fn begin(&mut self, now: Instant, epoch: Epoch, records: alloc::vec::Vec<crate::group::message::GroupRecord>) {
        let mut config = coordinator::Config::new(self.config.domain, epoch);
        (config.durability, config.limits) = (self.config.replica.durability, self.config.replica.limits);
        self.reign = Some(if self.founds {
            Coordinator::new(config, now)
        } else {
            Coordinator::take_over(config, records, self.config.grace, now)
        });
        self.event(CoordinatorEvent::Reigns(epoch));
    }

    fn event(&mut self, event: CoordinatorEvent) {
        self.flush();
        self.outputs.push_back(CoordinatorOutput::Event(event));
    }

    fn flush(&mut self) {
        while let Some(effect) = self.links.poll_effect() {
            self.outputs.push_back(match effect {
                Effect::Transmit { link, bytes } => CoordinatorOutput::Transmit { link, bytes },
                Effect::Close(link) => CoordinatorOutput::Close(link),
            });
        }
    }

    fn pump(&mut self, now: Instant, mut result: Result<(), EndpointError>) -> Result<(), EndpointError> {
        self.flush();
        while let Some((link, event)) = self.links.poll_event() {
            let other = self.others.get(&link).copied();
            let done = match (event, other) {
                (LinkEvent::Ready(_), Some(coordinator)) => {
                    self.feed_replica(now, replica::Input::Opened { link, coordinator })
                }
                (LinkEvent::Ready(_), None) => Ok(()),
                (LinkEvent::Frame(frame), _) => match Message::from_frame(&frame) {
                    Ok(message) => self.message(now, link, message),
                    Err(wrong) => Err(self.links.malformed(now, link, wrong)),
                },
                (LinkEvent::Closed(_), Some(_)) => {
                    self.others.remove(&link);
                    self.feed_replica(now, replica::Input::Closed(link))
                }
                (LinkEvent::Closed(_), None) if self.reign.is_some() => {
                    self.feed(now, coordinator::Input::Closed(link))
                }
                (LinkEvent::Closed(_), None) => Ok(()),
            };
            result = result.and(done);
        }
        self.flush();
        result
    }

    fn message(&mut self, now: Instant, link: LinkId, message: Message) -> Result<(), EndpointError> {
        if self.others.contains_key(&link) {
            return self.feed_replica(now, replica::Input::Message { link, message });
        }
        if self.reign.is_some() {
            return self.feed(now, coordinator::Input::Message { link, message });
        }
        // Somebody else reigns, or nobody does.
        let sent = match self.replica.leader() {
            Some((epoch, address)) => {
                let (epoch, address, extensions) = (*epoch, address.clone(), Extensions::NONE);
                self.links.send(link, &Message::Redirect(Redirect { epoch, address, extensions }))
            }
            None => Ok(()),
        };
        self.links.close(now, link, Ok(()));
        sent
    }
}

/// Who stops does not end the groups: another one goes on.
const fn stopped(reason: DissolveReason) -> DissolveReason {
    match reason {
        DissolveReason::STOPPED => DissolveReason::FENCED,
        other => other,
    }
}
