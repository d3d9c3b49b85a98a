//! What a target must do: sets and facts, as spec/spice.md 5.3 to 5.6 and the properties T1 to T7 have them.

use crate::machine::Machine;
use crate::spice::migrate_data::MigrateDataHeader;
use crate::spice::target::{Config, Event, Input, Loss, Output, Start, Target};
use crate::spice::{
    ChannelId, ClientId, ClientMessage, LinkError, LinkId, MainCaps, MigrateFlags, Packet, ServerMessage,
};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use std::collections::{BTreeSet, VecDeque};
use std::format;
use std::string::String;
use std::vec::Vec;

#[derive(Clone, Debug)]
struct Link {
    id: LinkId,
    channel: ChannelId,
    /// Its MIGRATE_DATA is owed.
    owes: bool,
    held: VecDeque<Packet<ClientMessage>>,
}

#[derive(Clone, Debug)]
struct Session {
    client: ClientId,
    session_id: u32,
    caps: MainCaps,
    arriving: bool,
    /// SEAMLESS_ACK was sent.
    acked: bool,
    /// MIGRATE_END was accepted.
    ended: bool,
    /// INIT was sent.
    begun: bool,
    settled: bool,
    /// Some MIGRATE_DATA has come: channels that are linked from now on are new ones.
    restored: bool,
    deadline: Option<Instant>,
    /// The main link is first.
    links: Vec<Link>,
}

impl Session {
    /// T1: nothing is sent, and what comes on other links waits.
    fn is_parked(&self) -> bool {
        self.arriving && !self.acked && !self.begun
    }

    fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.iter().find(|link| link.id == id)
    }

    fn owes(&self) -> bool {
        self.links.iter().any(|link| link.owes)
    }
}

/// What a message leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    Ignore,
    Hold,
    Restore,
    Ask,
    Switch,
    Wrong,
}

/// The reference model of a [`Target`].
#[derive(Clone, Debug)]
pub struct TargetModel {
    config: Config,
    now: Instant,
    clients: u32,
    sessions: Vec<Session>,
}

/// What must come out, one list a kind.
#[derive(Debug, Default, PartialEq)]
struct Out {
    accept: Vec<LinkId>,
    refuse: Vec<(LinkId, LinkError)>,
    send: Vec<(LinkId, ServerMessage)>,
    pass: Vec<(LinkId, Packet<ClientMessage>)>,
    close: BTreeSet<LinkId>,
    pause: Vec<LinkId>,
    resume: Vec<LinkId>,
    started: Vec<(LinkId, Start)>,
    data: Vec<LinkId>,
    wanted: Vec<(ClientId, u32)>,
    settled: Vec<(ClientId, Start)>,
    attached: Vec<(ClientId, LinkId, u32, bool)>,
    joined: Vec<(ClientId, LinkId)>,
    lost: Vec<LinkId>,
    gone: Vec<(ClientId, Loss)>,
}

fn needs_data(channel: ChannelId) -> bool {
    MigrateFlags::for_channel(channel.ty).contains(MigrateFlags::NEED_DATA_TRANSFER)
}

impl TargetModel {
    /// The model of a target with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, now: Instant::ZERO, clients: 0, sessions: Vec::new() }
    }

    fn find(&self, link: LinkId) -> Option<(&Session, &Link)> {
        self.sessions.iter().find_map(|session| Some((session, session.link(link)?)))
    }

    fn session(&mut self, client: ClientId) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.client == client)
    }

    fn deadline(&self) -> Option<Instant> {
        self.sessions.iter().filter_map(|session| session.deadline).min()
    }

    /// Spec 5.3, 5.4 and 6.2: what a message means where its client stands.
    fn judge(&self, session: &Session, link: &Link, message: &ClientMessage) -> Verdict {
        let main = link.channel.is_main();
        let answer = matches!(message, ClientMessage::Pong(_) | ClientMessage::Ack | ClientMessage::AckSync(_));
        if session.is_parked() && !main {
            return Verdict::Hold;
        }
        if link.owes {
            return match message {
                ClientMessage::MigrateData(data) => {
                    let good = MigrateDataHeader::check(link.channel.ty, &data.data).is_ok();
                    if good || !self.config.check_migrate_data { Verdict::Restore } else { Verdict::Wrong }
                }
                _ if answer => Verdict::Pass,
                _ => Verdict::Wrong,
            };
        }
        let waits = session.is_parked() && !session.ended;
        match message {
            ClientMessage::MigrateData(_) => Verdict::Wrong,
            // Of one that has arrived it is the source's affair.
            ClientMessage::MigrateFlushMark if session.arriving && !session.settled => Verdict::Wrong,
            _ if !main => Verdict::Pass,
            ClientMessage::MigrateDstDoSeamless(_) if waits => Verdict::Ask,
            ClientMessage::MigrateEnd if waits => {
                if session.caps.contains(MainCaps::SEMI_SEAMLESS_MIGRATE) {
                    Verdict::Switch
                } else {
                    Verdict::Ignore
                }
            }
            // A second one is ignored; not after SEAMLESS_ACK, until the move has ended.
            ClientMessage::MigrateEnd if !session.acked || session.settled => Verdict::Ignore,
            ClientMessage::MigrateEnd | ClientMessage::MigrateDstDoSeamless(_) => Verdict::Wrong,
            ClientMessage::AttachChannels | ClientMessage::Disconnecting(_) if waits => Verdict::Ignore,
            _ if waits && answer => Verdict::Ignore,
            _ if waits => Verdict::Wrong,
            _ => Verdict::Pass,
        }
    }

    fn remove(&mut self, client: ClientId, reason: Loss, closed: Option<LinkId>, out: &mut Out) {
        let Some(at) = self.sessions.iter().position(|session| session.client == client) else { return };
        let session = self.sessions.remove(at);
        out.close.extend(session.links.iter().map(|link| link.id).filter(|id| Some(*id) != closed));
        out.gone.push((client, reason));
    }

    fn main_link(&mut self, link: LinkId, connection_id: u32, caps: MainCaps, fresh: u32, out: &mut Out) {
        if !self.config.several_clients {
            let old: Vec<ClientId> = self.sessions.iter().map(|session| session.client).collect();
            old.into_iter().for_each(|client| self.remove(client, Loss::Replaced, None, out));
        }
        if self.sessions.iter().any(|session| session.session_id == connection_id) {
            out.refuse.push((link, LinkError::BAD_CONNECTION_ID));
            return;
        }
        self.clients += 1;
        let (client, arriving) = (ClientId(self.clients), connection_id != 0);
        let session_id = if arriving { connection_id } else { fresh };
        let main = Link { id: link, channel: ChannelId::MAIN, owes: false, held: VecDeque::new() };
        self.sessions.push(Session {
            client,
            session_id,
            caps,
            arriving,
            acked: false,
            ended: false,
            begun: false,
            settled: false,
            restored: false,
            deadline: arriving.then(|| self.now.saturating_add(self.config.parked_timeout)),
            links: Vec::from([main]),
        });
        out.accept.push(link);
        out.attached.push((client, link, session_id, arriving));
    }

    fn other_link(&mut self, link: LinkId, connection_id: u32, channel: ChannelId, out: &mut Out) {
        let most = self.config.limits.channels;
        let Some(session) = self.sessions.iter_mut().find(|session| session.session_id == connection_id) else {
            out.refuse.push((link, LinkError::BAD_CONNECTION_ID));
            return;
        };
        if session.links.len() >= most || session.links.iter().any(|entry| entry.channel == channel) {
            out.refuse.push((link, LinkError::CHANNEL_NOT_AVAILABLE));
            return;
        }
        let moves = session.acked && !session.settled && !session.restored;
        let owes = moves && needs_data(channel);
        session.links.push(Link { id: link, channel, owes, held: VecDeque::new() });
        out.accept.push(link);
        out.joined.push((session.client, link));
        if session.is_parked() {
            out.pause.push(link);
        } else {
            out.started.push((link, if moves { Start::Seamless } else { Start::Afresh }));
        }
    }

    /// Starts the channels that were parked; what has come on them counts now.
    fn start(&mut self, client: ClientId, start: Start, out: &mut Out) {
        let Some(session) = self.session(client) else { return };
        let mut waiting = Vec::new();
        for link in session.links.iter_mut().filter(|link| !link.channel.is_main()) {
            waiting.push((link.id, core::mem::take(&mut link.held)));
        }
        for (link, held) in waiting {
            if self.find(link).is_some() {
                out.started.push((link, start));
                out.resume.push(link);
            }
            held.into_iter().for_each(|packet| self.message(link, packet, out));
        }
    }

    fn message(&mut self, link: LinkId, packet: Packet<ClientMessage>, out: &mut Out) {
        let Some((session, entry)) = self.find(link) else { return };
        let (client, main) = (session.client, session.links[0].id);
        let verdict = self.judge(session, entry, &packet.message);
        let soon = self.now.saturating_add(self.config.switch_timeout);
        let (own, several) = (self.config.migration_version, self.config.several_clients);
        let Some(session) = self.session(client) else { return };
        let entry = session.links.iter_mut().find(|entry| entry.id == link).expect("it was found");
        match verdict {
            Verdict::Pass => out.pass.push((link, packet)),
            Verdict::Ignore => {}
            Verdict::Hold => entry.held.push_back(packet),
            Verdict::Restore => {
                entry.owes = false;
                session.restored = true;
                out.data.push(link);
                self.check_moved(client, out);
            }
            Verdict::Ask => {
                let ClientMessage::MigrateDstDoSeamless(ask) = packet.message else { return };
                if ask.src_version > own || several {
                    out.send.push((main, ServerMessage::DstSeamlessNack));
                    return;
                }
                session.acked = true;
                session.links.iter_mut().for_each(|link| link.owes = needs_data(link.channel));
                out.send.push((main, ServerMessage::DstSeamlessAck));
                self.start(client, Start::Seamless, out);
            }
            Verdict::Switch => {
                session.ended = true;
                session.deadline = Some(soon);
                out.wanted.push((client, session.session_id));
            }
            Verdict::Wrong => self.remove(client, Loss::Violation, None, out),
        }
    }

    /// T7: a seamless move is over exactly when nothing is owed any more.
    fn check_moved(&mut self, client: ClientId, out: &mut Out) {
        let Some(session) = self.session(client) else { return };
        if session.acked && !session.settled && !session.owes() {
            session.settled = true;
            session.deadline = None;
            out.settled.push((client, Start::Seamless));
        }
    }

    fn closed(&mut self, link: LinkId, out: &mut Out) {
        let Some((session, entry)) = self.find(link) else { return };
        let (client, main) = (session.client, entry.channel.is_main());
        if main {
            return self.remove(client, Loss::Closed, Some(link), out);
        }
        self.session(client).into_iter().for_each(|session| session.links.retain(|entry| entry.id != link));
        out.lost.push(link);
        self.check_moved(client, out);
    }

    fn input(&mut self, now: Instant, input: &Input) -> Out {
        let mut out = Out::default();
        let after = self.now.max(now);
        if *input != Input::Timeout || self.deadline().is_some_and(|due| due <= after) {
            self.now = after;
        }
        match input {
            Input::Link { link, connection_id, channel, caps, session_id } if channel.is_main() => {
                self.main_link(*link, *connection_id, *caps, *session_id, &mut out);
            }
            Input::Link { link, connection_id, channel, .. } => {
                self.other_link(*link, *connection_id, *channel, &mut out);
            }
            Input::Closed(link) => self.closed(*link, &mut out),
            Input::Message { link, packet } => self.message(*link, packet.clone(), &mut out),
            Input::Send { link, packet } => out.send.push((*link, packet.message.clone())),
            Input::Init { client, init } => {
                let Some(session) = self.session(*client) else { return out };
                session.begun = true;
                session.settled = true;
                session.deadline = None;
                let init = crate::spice::main_channel::Init { session_id: session.session_id, ..*init };
                out.send.push((session.links[0].id, ServerMessage::Init(init)));
                out.settled.push((*client, Start::Afresh));
                self.start(*client, Start::Afresh, &mut out);
            }
            Input::RejectData(link) => {
                if let Some(client) = self.find(*link).map(|(session, _)| session.client) {
                    self.remove(client, Loss::BadData, None, &mut out);
                }
            }
            Input::VmRunning => {
                let soon = self.now.saturating_add(self.config.switch_timeout);
                for session in &mut self.sessions {
                    session.deadline = session.deadline.map(|deadline| deadline.min(soon));
                }
            }
            Input::Timeout => {
                let due = |session: &&Session| session.deadline.is_some_and(|due| due <= after);
                let due: Vec<ClientId> = self.sessions.iter().filter(due).map(|session| session.client).collect();
                due.into_iter().for_each(|client| self.remove(client, Loss::Deadline, None, &mut out));
            }
        }
        out
    }
}

mod checks;
