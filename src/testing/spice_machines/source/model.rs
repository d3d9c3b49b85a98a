//! What a source must do: queues and facts, as spec/spice.md 5.1 and the properties S1 to S7 have them.

use crate::machine::Machine;
use crate::spice::source::{AttemptId, ClientLoss, Config, Event, Input, Outcome, Output, Source};
use crate::spice::{
    ChannelId, ClientId, ClientMessage, DstInfo, LinkId, MainCaps, MigrateFlags, Packet, ServerMessage,
};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use crate::wire::Encode;
use std::collections::{BTreeSet, VecDeque};
use std::format;
use std::string::String;
use std::vec::Vec;

/// What a client has said about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Connected,
    Seamless,
    Error,
}

impl Said {
    fn by(message: &ClientMessage) -> Option<Self> {
        match message {
            ClientMessage::MigrateConnected => Some(Self::Connected),
            ClientMessage::MigrateConnectedSeamless => Some(Self::Seamless),
            ClientMessage::MigrateConnectError => Some(Self::Error),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Channel {
    link: LinkId,
    id: ChannelId,
    flags: MigrateFlags,
    /// MIGRATE has been sent.
    told: bool,
    flushed: bool,
    /// Its state has been asked for, and sent.
    wanted: bool,
    carried: bool,
}

#[derive(Clone, Debug)]
struct Client {
    id: ClientId,
    caps: MainCaps,
    arriving: bool,
    /// The attempt that will ask it as soon as it has arrived.
    postponed: Option<u32>,
    /// BEGINs without an answer: of which attempt, and whether seamless.
    owed: VecDeque<(u32, bool)>,
    /// The newest BEGIN.
    asked: Option<(u32, bool)>,
    /// What decides, and for which attempt.
    answer: Option<(u32, Said)>,
    /// How often it said CONNECTED*, less the CANCELs for that (S1).
    linked: u32,
    /// How often it was sent off, and it must go.
    sent_off: u32,
    leaving: bool,
    channels: Vec<Channel>,
}

#[derive(Clone, Debug)]
struct Attempt {
    number: u32,
    dst: DstInfo,
    /// Answers count no more.
    timed_out: bool,
    completed: bool,
    reported: bool,
    /// Whether anybody was asked, so that the timer runs.
    started: Option<Instant>,
}

/// The reference model of a [`Source`].
#[derive(Clone, Debug)]
pub struct SourceModel {
    config: Config,
    now: Instant,
    clients: Vec<Client>,
    attempt: Option<Attempt>,
    attempts: u32,
    completed_at: Instant,
}

/// Messages that must be sent, in this order, and clients that must go.
#[derive(Debug, Default)]
struct Must {
    send: Vec<(LinkId, ServerMessage)>,
    go: Vec<(ClientId, ClientLoss)>,
    outcome: Option<Outcome>,
    pass: Option<(LinkId, Packet<ClientMessage>)>,
    sent: Option<(LinkId, Packet<ServerMessage>)>,
}

impl SourceModel {
    /// The model of a source with these settings.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let zero = Instant::ZERO;
        Self { config, now: zero, clients: Vec::new(), attempt: None, attempts: 0, completed_at: zero }
    }

    fn find(&self, link: LinkId) -> Option<(&Client, &Channel)> {
        let of = |client| Client::channel(client, link).map(|channel| (client, channel));
        self.clients.iter().find_map(of)
    }

    fn client(&mut self, id: ClientId) -> &mut Client {
        self.clients.iter_mut().find(|client| client.id == id).expect("the model has looked for it")
    }

    fn has(&self, id: ClientId) -> bool {
        self.clients.iter().any(|client| client.id == id)
    }

    fn number(&self) -> u32 {
        self.attempt.as_ref().map_or(0, |attempt| attempt.number)
    }

    fn completed(&self) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.completed)
    }

    /// A client of which this attempt still expects something.
    fn is_awaited(&self, client: &Client) -> bool {
        let Some(attempt) = &self.attempt else { return false };
        let number = attempt.number;
        let asked = client.asked.is_some_and(|(of, _)| of == number);
        let answered = client.answer.is_some_and(|(of, _)| of == number);
        !attempt.timed_out && ((asked && !answered) || client.postponed == Some(number))
    }

    fn has_linked(&self, client: &Client) -> bool {
        client.answer.is_some_and(|(of, said)| of == self.number() && said != Said::Error)
    }

    fn deadline(&self) -> Option<Instant> {
        let attempt = self.attempt.as_ref()?;
        if attempt.completed {
            return Some(self.completed_at.saturating_add(self.config.disconnect_timeout));
        }
        let awaited = self.clients.iter().any(|client| self.is_awaited(client));
        let started = attempt.started.filter(|_| awaited)?;
        Some(started.saturating_add(self.config.connect_timeout))
    }

    /// Spec 5.1: what an announcement says to a client.
    fn ask(&mut self, id: ClientId, must: &mut Must) {
        let number = self.number();
        let alone = self.clients.len() == 1;
        let most = usize::from(self.config.limits.unanswered_begins.min(32));
        let (option, version) = (self.config.seamless, self.config.migration_version);
        let dst = self.attempt.as_ref().map(|attempt| attempt.dst.clone()).expect("there is an attempt");
        let client = self.client(id);
        client.postponed = None;
        if !client.caps.contains(MainCaps::SEMI_SEAMLESS_MIGRATE) || client.owed.len() >= most {
            return;
        }
        if client.arriving {
            client.postponed = Some(number);
            return;
        }
        let both = MainCaps::SEAMLESS_MIGRATE | MainCaps::AGENT_CONNECTED_TOKENS;
        let seamless = alone && option && client.caps.contains(both);
        client.owed.push_back((number, seamless));
        client.asked = Some((number, seamless));
        let begin = crate::spice::MigrateBeginSeamless::new(dst, version);
        let plain = begin.dst().clone();
        let message =
            if seamless { ServerMessage::MigrateBeginSeamless(begin) } else { ServerMessage::MigrateBegin(plain) };
        must.send.push((client.main(), message));
    }

    /// Spec 5.1: what completion says to a client.
    fn send_off(&mut self, id: ClientId, must: &mut Must) {
        let (number, alone) = (self.number(), self.clients.len() == 1);
        let dst = self.attempt.as_ref().map(|attempt| attempt.dst.clone()).expect("there is an attempt");
        let client = self.client(id);
        client.leaving = true;
        if client.arriving {
            return;
        }
        let said = client.answer.filter(|(of, _)| *of == number).map(|(_, said)| said);
        match said {
            Some(Said::Seamless) if alone => {
                for channel in &client.channels {
                    let migrate = crate::spice::common::Migrate { flags: channel.flags };
                    must.send.push((channel.link, ServerMessage::Migrate(migrate)));
                }
            }
            Some(Said::Connected) => must.send.push((client.main(), ServerMessage::MigrateEnd)),
            _ => {
                let plain = crate::spice::MigrateBeginSeamless::new(dst, 0).dst().clone();
                must.send.push((client.main(), ServerMessage::MigrateSwitchHost(plain)));
            }
        }
    }

    fn call_back(&self, must: &mut Must) {
        let linked = self.clients.iter().filter(|client| self.has_linked(client));
        must.send.extend(linked.map(|client| (client.main(), ServerMessage::MigrateCancel)));
    }

    fn migrate_info(&mut self, dst: &DstInfo, must: &mut Must) {
        self.call_back(must);
        must.outcome = self.attempt.is_some().then_some(Outcome::Superseded);
        self.attempts += 1;
        self.attempt = Some(Attempt {
            number: self.attempts,
            dst: dst.clone(),
            timed_out: false,
            completed: false,
            reported: false,
            started: Some(self.now),
        });
        let ids: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
        ids.into_iter().for_each(|id| self.ask(id, must));
    }

    fn message(&mut self, link: LinkId, packet: &Packet<ClientMessage>, must: &mut Must) {
        let Some((client, channel)) = self.find(link) else { return };
        let (id, main) = (client.id, channel.id.is_main());
        if self.expect_message(link, &packet.message) == Expected::Violation {
            must.go.push((id, ClientLoss::Violation));
            return;
        }
        let said = Said::by(&packet.message).filter(|_| main);
        match (&packet.message, said) {
            (ClientMessage::MigrateFlushMark, _) => {
                let channel = self.client(id).channels.iter_mut().find(|channel| channel.link == link);
                channel.expect("it was found").flushed = true;
            }
            (_, Some(said)) => self.answer(id, said, must),
            (ClientMessage::MigrateEnd | ClientMessage::MigrateDstDoSeamless(_), _) if main => {
                if self.client(id).leaving {
                    must.pass = Some((link, packet.clone()));
                }
            }
            _ => must.pass = Some((link, packet.clone())),
        }
    }

    /// S4: an answer belongs to the oldest BEGIN; only the one to the newest decides, and only in time.
    fn answer(&mut self, id: ClientId, said: Said, must: &mut Must) {
        let number = self.number();
        let late = self.attempt.as_ref().is_none_or(|attempt| attempt.timed_out);
        let client = self.client(id);
        let belongs = client.owed.pop_front();
        let newest = client.owed.is_empty();
        if said != Said::Error {
            client.linked += 1;
        }
        let answered = client.answer.is_some_and(|(of, _)| of == number);
        match belongs {
            Some((of, _)) if newest && of == number && number != 0 && !late && !answered => {
                client.answer = Some((number, said));
            }
            _ if said != Said::Error && newest && !client.leaving => {
                must.send.push((client.main(), ServerMessage::MigrateCancel));
            }
            _ => {}
        }
    }

    fn closed(&mut self, link: LinkId, must: &mut Must) {
        let Some((client, channel)) = self.find(link) else { return };
        // Once it was told to go, it closes its channels in any order.
        let (id, main, told) = (client.id, channel.id.is_main(), client.leaving && !client.arriving);
        if client.channels.len() == 1 || (main && !told) {
            must.go.push((id, ClientLoss::Closed));
        }
        self.client(id).channels.retain(|channel| channel.link != link);
    }

    fn timeout(&mut self, now: Instant, must: &mut Must) {
        let Some(due) = self.deadline().filter(|due| *due <= self.now.max(now)) else { return };
        self.now = self.now.max(now).max(due);
        let Some(attempt) = self.attempt.as_mut() else { return };
        if attempt.completed {
            must.go.extend(self.clients.iter().map(|client| (client.id, ClientLoss::Deadline)));
            return;
        }
        let number = attempt.number;
        attempt.timed_out = true;
        let stuck = self.clients.iter().filter(|client| client.postponed == Some(number));
        must.go.extend(stuck.map(|client| (client.id, ClientLoss::Deadline)));
    }

    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must::default();
        if *input != Input::Timeout {
            self.now = self.now.max(now);
        }
        match input {
            Input::Attached { client, link, caps, arriving } => {
                self.clients.push(Client::new(*client, *link, *caps, *arriving));
                if self.completed() {
                    self.send_off(*client, &mut must);
                }
            }
            Input::ChannelAttached { client, link, channel, flags } => {
                let entry = self.client(*client);
                entry.channels.push(Channel::new(*link, *channel, *flags));
                // It belongs to the set of MIGRATEs that its client is sent (S1).
                if entry.channels.iter().any(|channel| channel.told) {
                    let migrate = crate::spice::common::Migrate { flags: *flags };
                    must.send.push((*link, ServerMessage::Migrate(migrate)));
                }
            }
            Input::Settled(id) => {
                let number = self.number();
                let client = self.client(*id);
                client.arriving = false;
                if client.leaving {
                    self.send_off(*id, &mut must);
                } else if client.postponed == Some(number) {
                    self.ask(*id, &mut must);
                }
            }
            Input::Closed(link) => self.closed(*link, &mut must),
            Input::Message { link, packet } => self.message(*link, packet, &mut must),
            Input::Send { link, packet } => must.sent = Some((*link, packet.clone())),
            Input::MigrateInfo(dst) => self.migrate_info(dst, &mut must),
            Input::VmCompleted => {
                let attempt = self.attempt.as_mut().expect("else it is misuse");
                attempt.completed = true;
                self.completed_at = self.now;
                let ids: Vec<ClientId> = self.clients.iter().map(|client| client.id).collect();
                ids.into_iter().for_each(|id| self.send_off(id, &mut must));
            }
            Input::VmFailed | Input::VmCancelled => {
                self.call_back(&mut must);
                must.outcome = Some(Outcome::Aborted);
            }
            Input::MigrateData { link, data } => {
                let data = crate::spice::common::MigrateData { data: data.clone() };
                must.send.push((*link, ServerMessage::MigrateData(data)));
            }
            Input::Timeout => self.timeout(now, &mut must),
        }
        must
    }

    fn expect_message(&self, link: LinkId, message: &ClientMessage) -> Expected {
        let Some((client, channel)) = self.find(link) else { return Expected::Fine };
        let owes_flush = channel.told && channel.flags.contains(MigrateFlags::NEED_FLUSH) && !channel.flushed;
        let wrong = match message {
            _ if channel.flushed => true,
            ClientMessage::MigrateFlushMark => !owes_flush,
            ClientMessage::MigrateData(_) => true,
            ClientMessage::MigrateConnectedSeamless if channel.id.is_main() => {
                client.owed.front().is_some_and(|(_, seamless)| !seamless)
            }
            _ => false,
        };
        if wrong { Expected::Violation } else { Expected::Fine }
    }
}

impl Client {
    fn new(id: ClientId, main: LinkId, caps: MainCaps, arriving: bool) -> Self {
        let flags = MigrateFlags::for_channel(ChannelId::MAIN.ty);
        Self {
            id,
            caps,
            arriving,
            postponed: None,
            owed: VecDeque::new(),
            asked: None,
            answer: None,
            linked: 0,
            sent_off: 0,
            leaving: false,
            channels: Vec::from([Channel::new(main, ChannelId::MAIN, flags)]),
        }
    }

    fn channel(&self, link: LinkId) -> Option<&Channel> {
        self.channels.iter().find(|channel| channel.link == link)
    }

    fn main(&self) -> LinkId {
        self.channels[0].link
    }
}

impl Channel {
    fn new(link: LinkId, id: ChannelId, flags: MigrateFlags) -> Self {
        Self { link, id, flags, told: false, flushed: false, wanted: false, carried: false }
    }

    /// Whether its state may be asked for now.
    fn wants_data(&self) -> bool {
        let flushed = self.flushed || !self.flags.contains(MigrateFlags::NEED_FLUSH);
        self.told && flushed && self.flags.contains(MigrateFlags::NEED_DATA_TRANSFER)
    }
}

mod checks;
