//! A server: its endpoint, the virtual machine that may or may not run here, and the application that counts.

use super::support::ticket::ServerKey;
use super::traffic::{Flows, SIDE, Word};
use crate::driver::{Effect, Party};
use crate::flow::Flow;
use crate::timeline::Board;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use handover::machine::Machine;
use handover::spice::endpoint::{ServerCommand as Command, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
use handover::spice::link::PublicKey;
use handover::spice::main_channel::{ChannelsList, Init};
use handover::spice::migrate_data::MigrateDataHeader;
use handover::spice::source::{Event as Departure, Outcome};
use handover::spice::target::Event as Arrival;
use handover::spice::{ChannelId, ClientMessage, DstInfo, LinkError, LinkId, Packet, ServerMessage};
use handover::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::Sender;

pub enum ServerCommand {
    MigrateInfo(DstInfo),
    VmCompleted,
    VmCancelled,
    /// The virtual machine stops here; what it knows of its client goes to the caller.
    StopVm(Sender<Flows>),
    /// The virtual machine runs here now.
    RunVm(Flows),
    /// Start or stop sending.
    Traffic(bool),
    Report(Sender<Option<Flows>>),
    Quit,
}

/// What the scenarios wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerNote {
    ClientsReady { connected: bool },
    Ended(Outcome),
}

pub struct ServerParty {
    name: &'static str,
    endpoint: ServerEndpoint,
    key: Arc<ServerKey>,
    roles: Board,
    notes: Sender<ServerNote>,
    /// Whether the virtual machine runs here.
    running: bool,
    flows: Flows,
    /// Channels that are open, and those among them that are in step with the client.
    links: BTreeMap<LinkId, ChannelId>,
    in_step: BTreeSet<LinkId>,
    next_session: u32,
    sending: Option<Instant>,
    done: bool,
}

impl ServerParty {
    pub fn new(
        name: &'static str,
        config: ServerConfig,
        key: Arc<ServerKey>,
        roles: Board,
        notes: Sender<ServerNote>,
    ) -> Self {
        Self {
            name,
            endpoint: ServerEndpoint::new(config),
            key,
            roles,
            notes,
            running: false,
            flows: Flows::new(),
            links: BTreeMap::new(),
            in_step: BTreeSet::new(),
            // A server of flesh and blood draws it at random; here every server has its own range.
            next_session: u32::from(name.as_bytes()[0]) << 16,
            sending: None,
            done: false,
        }
    }

    fn send(&mut self, now: Instant, link: LinkId, packet: Packet<ServerMessage>) -> bool {
        self.endpoint.command(now, Command::Send { link, packet }).is_ok()
    }

    fn init(&self, session_id: u32) -> Init {
        Init {
            session_id,
            display_channels_hint: 0,
            supported_mouse_modes: 1,
            current_mouse_mode: 1,
            agent_connected: 1,
            agent_tokens: 10,
            multi_media_time: 0,
            ram_hint: 0,
        }
    }

    fn arrival(&mut self, now: Instant, event: Arrival) {
        match event {
            Arrival::Attached { link, session_id, arriving, .. } => {
                self.links.insert(link, ChannelId::MAIN);
                if !arriving {
                    let init = self.init(session_id);
                    self.send(now, link, ServerMessage::Init(init).into());
                }
            }
            Arrival::ChannelAttached { link, channel, .. } => drop(self.links.insert(link, channel)),
            Arrival::InitWanted { client, session_id } => {
                let init = self.init(session_id);
                let _ = self.endpoint.command(now, Command::Init { client, init });
            }
            Arrival::MigrateData { link, channel, data } => match restore(channel, &data) {
                Some(flow) => {
                    self.flows.insert(channel, flow);
                    self.in_step.insert(link);
                }
                None => drop(self.endpoint.command(now, Command::RejectData(link))),
            },
            Arrival::Gone { .. } => {
                self.links.clear();
                self.in_step.clear();
            }
            Arrival::ChannelGone(link) => {
                self.links.remove(&link);
                self.in_step.remove(&link);
            }
            _ => {}
        }
    }

    fn departure(&mut self, now: Instant, event: Departure) {
        match event {
            Departure::Message { link, packet } => self.message(now, link, &packet.message),
            Departure::MigrateDataWanted { link, channel } => {
                let data = save(channel, self.flows.get(&channel).copied().unwrap_or_default());
                let _ = self.endpoint.command(now, Command::MigrateData { link, data });
            }
            Departure::ClientsReady { connected, .. } => drop(self.notes.send(ServerNote::ClientsReady { connected })),
            Departure::Ended { outcome, .. } => drop(self.notes.send(ServerNote::Ended(outcome))),
            _ => {}
        }
    }

    fn message(&mut self, now: Instant, link: LinkId, message: &ClientMessage) {
        let Some(&channel) = self.links.get(&link) else { return };
        match (message, Word::of_client(message)) {
            (ClientMessage::AttachChannels, _) => {
                let list = ServerMessage::ChannelsList(ChannelsList::from_iter([SIDE]));
                self.send(now, link, list.into());
            }
            // Only the server that has the virtual machine can say how far it has come.
            (_, Some(Word::Greeting(received))) => {
                let flow = self.flows.entry(channel).or_default();
                flow.sent = received;
                let answer = Word::Greeting(flow.received).to_client(channel);
                if self.send(now, link, answer) {
                    self.in_step.insert(link);
                }
            }
            // Before the greeting come only numbers that the client will send again.
            (_, Some(Word::Number(number))) if self.in_step.contains(&link) => {
                self.flows.entry(channel).or_default().take(number);
            }
            _ => {}
        }
    }
}

/// A channel's state, as MIGRATE_DATA carries it: the protocol's header and room, then our counters.
fn save(channel: ChannelId, flow: Flow) -> Bytes {
    let mut data = BytesMut::zeroed(ROOM);
    if let Some(header) = MigrateDataHeader::for_channel(channel.ty) {
        data[..4].copy_from_slice(&header.magic);
        data[4..8].copy_from_slice(&header.version.to_le_bytes());
    }
    for counter in [flow.sent, flow.received, flow.lost, flow.doubled] {
        data.put_u64_le(counter);
    }
    data.freeze()
}

fn restore(channel: ChannelId, data: &Bytes) -> Option<Flow> {
    MigrateDataHeader::check(channel.ty, data).ok()?;
    let mut counters = data.get(ROOM..)?;
    (counters.len() == 32).then(|| Flow {
        sent: counters.get_u64_le(),
        received: counters.get_u64_le(),
        lost: counters.get_u64_le(),
        doubled: counters.get_u64_le(),
    })
}

/// The size of the main channel's MIGRATE_DATA, the largest of those that are used here.
const ROOM: usize = 65;

impl Party for ServerParty {
    type Command = ServerCommand;

    fn accepted(&mut self, _: Instant, link: LinkId) {
        self.endpoint.accepted(link);
    }

    fn connected(&mut self, _: Instant, _: LinkId) {}

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        if let Err(error) = self.endpoint.received(now, link, data) {
            eprintln!("server {}: {error}", self.name);
        }
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        let _ = self.endpoint.closed(now, link);
    }

    fn command(&mut self, now: Instant, command: ServerCommand) {
        let wish = match command {
            ServerCommand::MigrateInfo(dst) => Command::MigrateInfo(dst),
            ServerCommand::VmCompleted => Command::VmCompleted,
            ServerCommand::VmCancelled => Command::VmCancelled,
            ServerCommand::StopVm(reply) => {
                self.running = false;
                return drop(reply.send(self.flows.clone()));
            }
            ServerCommand::RunVm(flows) => {
                self.running = true;
                self.flows = flows;
                Command::VmRunning
            }
            ServerCommand::Traffic(on) => return self.sending = on.then_some(now),
            ServerCommand::Report(reply) => {
                return drop(reply.send(self.running.then(|| self.flows.clone())));
            }
            ServerCommand::Quit => return self.done = true,
        };
        if let Err(error) = self.endpoint.command(now, wish) {
            eprintln!("server {}: {error}", self.name);
        }
    }

    fn wake(&mut self, now: Instant) {
        let _ = self.endpoint.timeout(now);
        if self.sending.is_some_and(|due| due <= now) {
            self.sending = Some(now.saturating_add(super::client::TICK));
            let links = if self.running { self.in_step.clone() } else { BTreeSet::new() };
            for link in links {
                let Some(&channel) = self.links.get(&link) else { continue };
                let next = self.flows.entry(channel).or_default().sent + 1;
                if self.send(now, link, Word::Number(next).to_client(channel)) {
                    self.flows.entry(channel).or_default().sent = next;
                }
            }
        }
    }

    fn poll_wake(&self) -> Option<Instant> {
        self.endpoint.poll_timeout().into_iter().chain(self.sending.filter(|_| self.running)).min()
    }

    fn poll_effect(&mut self, now: Instant) -> Option<Effect> {
        loop {
            let output = self.endpoint.poll_output()?;
            let states = (self.endpoint.source().state(), self.endpoint.target().state());
            self.roles.set(self.name, states);
            let effect = match output {
                ServerOutput::LinkRequested { link, .. } => {
                    let _ = self.endpoint.reply(link, PublicKey(self.key.public_key_der()));
                    continue;
                }
                ServerOutput::Ticket { link, ticket } => {
                    // Any password will do here, but it must be a ticket.
                    self.next_session += 1;
                    let session_id = self.next_session;
                    let _ = match self.key.decrypt(&ticket.0) {
                        Some(_) => self.endpoint.admit(now, link, session_id),
                        None => self.endpoint.refuse(link, LinkError::PERMISSION_DENIED),
                    };
                    continue;
                }
                ServerOutput::Transmit { link, bytes } => Effect::Write(link, bytes.to_vec()),
                ServerOutput::Close(link) => Effect::Close(link),
                ServerOutput::Pause(link) => Effect::Pause(link),
                ServerOutput::Resume(link) => Effect::Resume(link),
                ServerOutput::Event(ServerEvent::Target(event)) => {
                    self.arrival(now, event);
                    continue;
                }
                ServerOutput::Event(ServerEvent::Source(event)) => {
                    self.departure(now, event);
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
