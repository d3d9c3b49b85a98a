//! The client: its endpoint and the application that counts.

use super::support::ticket;
use super::tap::SpiceTap;
use super::traffic::{Flows, SIDE, Word, new_flows};
use crate::driver::{Effect, Party};
use crate::stage::Silence;
use crate::timeline::{Board, Timeline};
use bytes::Bytes;
use handover::spice::client::{Address, Command, Config, Event, Outcome, Scheme};
use handover::spice::endpoint::{ClientEndpoint, ClientOutput};
use handover::spice::link::Ticket;
use handover::spice::{Capabilities, ChannelId, ChannelType, ClientMessage, LinkId, ServerMessage, Unknown};
use handover::time::Instant;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How often the application sends on each channel.
pub const TICK: Duration = Duration::from_micros(500);

/// The first message of a display channel: u8 cache id, u64 cache size, u8 dictionary id, u32 window size.
const DISPLAY_INIT: [u8; 14] = [1, 0, 0, 0x40, 1, 0, 0, 0, 0, 1, 0, 0xfc, 0x5f, 0];
const DISPLAY_INIT_TYPE: u16 = 101;

pub enum ClientCommand {
    Connect(Address),
    /// Start or stop sending.
    Traffic(bool),
    Report(Sender<Report>),
    Note(String),
    Quit,
}

/// What the client has counted.
#[derive(Clone, Debug)]
pub struct Report {
    pub flows: Flows,
    /// The longest time without a message since the last report, in microseconds.
    pub silence: u128,
    /// MIGRATE_BEGIN taken to MIGRATE_CONNECTED written.
    pub begin_to_connected: Option<u64>,
    /// MIGRATE_END taken to MIGRATE_END written.
    pub end_to_end: Option<u64>,
}

/// What the scenarios wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientNote {
    /// A channel is open and in step with its server.
    InStep(ChannelId),
    Linked(ChannelId),
    Ready(Scheme),
    Ended(Outcome),
    Disconnected,
}

pub struct ClientParty {
    endpoint: ClientEndpoint,
    password: Vec<u8>,
    timeline: Timeline<SpiceTap>,
    roles: Board,
    names: HashMap<u16, String>,
    notes: Sender<ClientNote>,
    flows: Flows,
    open: BTreeSet<ChannelId>,
    in_step: BTreeSet<ChannelId>,
    /// Channels that the server has and this application opens.
    wanted: Vec<ChannelId>,
    sending: Option<Instant>,
    silence: Silence,
    numbered: bool,
    done: bool,
}

impl ClientParty {
    /// `names` gives the servers' names by port; `numbered` whether the servers are ours and count too.
    pub fn new(names: HashMap<u16, String>, roles: Board, notes: Sender<ClientNote>, numbered: bool) -> Self {
        Self {
            endpoint: ClientEndpoint::new(Config::default()),
            password: Vec::new(),
            timeline: Timeline::new(roles.clone(), SpiceTap::default()),
            roles,
            names,
            notes,
            flows: new_flows(),
            open: BTreeSet::new(),
            in_step: BTreeSet::new(),
            wanted: Vec::new(),
            sending: None,
            silence: Silence::default(),
            numbered,
            done: false,
        }
    }

    fn say(&mut self, now: Instant, channel: ChannelId, word: Word) {
        let packet = word.to_server(channel);
        // A full queue is no loss: the number is not counted as sent, and the next tick tries again.
        let sent = self.endpoint.command(now, Command::Send { channel, packet });
        if let (Ok(()), Word::Number(number)) = (sent, word) {
            self.flows.entry(channel).or_default().sent = number;
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        let note = match event {
            Event::Linked { channel, .. } => {
                self.open.insert(channel);
                self.in_step.remove(&channel);
                if channel.ty == ChannelType::DISPLAY {
                    // A real server lets nobody go before each display channel has told its caches.
                    let init = Unknown { ty: DISPLAY_INIT_TYPE, body: Bytes::from_static(&DISPLAY_INIT) };
                    let packet = ClientMessage::Unknown(init).into();
                    let _ = self.endpoint.command(now, Command::Send { channel, packet });
                }
                if self.numbered {
                    let received = self.flows.entry(channel).or_default().received;
                    self.say(now, channel, Word::Greeting(received));
                }
                ClientNote::Linked(channel)
            }
            Event::ChannelClosed { channel, .. } => {
                self.open.remove(&channel);
                self.in_step.remove(&channel);
                return;
            }
            Event::Message { channel, packet } => return self.message(now, channel, &packet.message),
            Event::MigrationReady { scheme, .. } => ClientNote::Ready(scheme),
            Event::MigrationEnded { outcome, .. } => ClientNote::Ended(outcome),
            Event::Disconnected(_) => ClientNote::Disconnected,
            _ => return,
        };
        let _ = self.notes.send(note);
    }

    fn message(&mut self, now: Instant, channel: ChannelId, message: &ServerMessage) {
        match (message, Word::of_server(message)) {
            // A session of which only the main channel is open has just begun.
            (ServerMessage::Init(_), _) if self.open.len() == 1 => {
                let attach = ClientMessage::AttachChannels.into();
                let _ = self.endpoint.command(now, Command::Send { channel, packet: attach });
            }
            (ServerMessage::ChannelsList(list), _) => {
                self.wanted = list.iter().filter(|channel| !self.numbered || *channel == SIDE).collect();
                for channel in self.wanted.clone() {
                    let caps = Capabilities::default();
                    let _ = self.endpoint.command(now, Command::OpenChannel { channel, caps });
                }
            }
            (_, Some(Word::Greeting(received))) => {
                self.flows.entry(channel).or_default().sent = received;
                self.in_step.insert(channel);
                let _ = self.notes.send(ClientNote::InStep(channel));
            }
            (_, Some(Word::Number(number))) => {
                self.flows.entry(channel).or_default().take(number);
                self.silence.broken(now);
            }
            _ => {}
        }
    }

    fn between(&self, from: &[&str], to: &[&str]) -> Option<u64> {
        let last = |names: &[&str]| names.iter().filter_map(|name| self.timeline.seen(name)).max();
        let (from, to) = (last(from)?, last(to)?);
        (from <= to).then(|| to.as_micros() - from.as_micros())
    }

    fn report(&mut self) -> Report {
        Report {
            flows: self.flows.clone(),
            silence: self.silence.take(),
            begin_to_connected: self.between(
                &["SPICE_MSG_MAIN_MIGRATE_BEGIN", "SPICE_MSG_MAIN_MIGRATE_BEGIN_SEAMLESS"],
                &["SPICE_MSGC_MAIN_MIGRATE_CONNECTED", "SPICE_MSGC_MAIN_MIGRATE_CONNECTED_SEAMLESS"],
            ),
            end_to_end: self.between(&["SPICE_MSG_MAIN_MIGRATE_END"], &["SPICE_MSGC_MAIN_MIGRATE_END"]),
        }
    }
}

impl Party for ClientParty {
    type Command = ClientCommand;

    fn accepted(&mut self, _: Instant, _: LinkId) {}

    fn connected(&mut self, _: Instant, link: LinkId) {
        let _ = self.endpoint.connected(link);
    }

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        self.timeline.passes(now, link, false, data);
        if let Err(error) = self.endpoint.received(now, link, data) {
            self.timeline.note(now, &format!("client: {error}"));
        }
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        let _ = self.endpoint.closed(now, link);
    }

    fn command(&mut self, now: Instant, command: ClientCommand) {
        match command {
            ClientCommand::Connect(address) => {
                if let Err(error) = self.endpoint.command(now, Command::Connect(address)) {
                    self.timeline.note(now, &format!("client: {error}"));
                }
            }
            ClientCommand::Traffic(on) => self.sending = on.then_some(now),
            ClientCommand::Report(reply) => drop(reply.send(self.report())),
            ClientCommand::Note(text) => self.timeline.note(now, &text),
            ClientCommand::Quit => {
                let _ = self.endpoint.command(now, Command::Disconnect);
                self.done = true;
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        let _ = self.endpoint.timeout(now);
        if self.sending.is_some_and(|due| due <= now) {
            self.sending = Some(now.saturating_add(TICK));
            for channel in self.in_step.clone() {
                let next = self.flows.entry(channel).or_default().sent + 1;
                self.say(now, channel, Word::Number(next));
            }
        }
    }

    fn poll_wake(&self) -> Option<Instant> {
        self.endpoint.poll_timeout().into_iter().chain(self.sending).min()
    }

    fn poll_effect(&mut self, now: Instant) -> Option<Effect> {
        loop {
            let Some(output) = self.endpoint.poll_output() else {
                self.roles.set("client", self.endpoint.state());
                self.timeline.flush();
                return None;
            };
            let effect = match output {
                ClientOutput::Dial { link, address, .. } => {
                    let host = String::from_utf8_lossy(&address.host).into_owned();
                    let port = address.port.get().map_or(0, |port| port.get());
                    let server = self.names.get(&port).cloned().unwrap_or_else(|| format!("port {port}"));
                    self.timeline.dialled(link, format!("client - {server} #{}", link.0));
                    Effect::Dial(link, SocketAddr::new(host.parse::<IpAddr>().ok()?, port))
                }
                ClientOutput::Transmit { link, bytes } => {
                    self.timeline.passes(now, link, true, &bytes);
                    Effect::Write(link, bytes.to_vec())
                }
                ClientOutput::TicketWanted { link, public_key } => {
                    if let Ok(ticket) = ticket::encrypt(&public_key.0, &self.password) {
                        let _ = self.endpoint.ticket(link, &Ticket(ticket));
                    }
                    continue;
                }
                ClientOutput::Close(link) => Effect::Close(link),
                ClientOutput::Pause(link) => Effect::Pause(link),
                ClientOutput::Resume(link) => Effect::Resume(link),
                ClientOutput::Event(event) => {
                    self.event(now, event);
                    continue;
                }
                _ => continue,
            };
            return Some(effect);
        }
    }

    fn finished(&self) -> bool {
        self.done
    }
}
