//! The client: its endpoint and the application that sends batches and counts rows.

use super::tap::Tds5Tap;
use super::traffic::{ROWS, batch_text, read_row, row_number};
use crate::driver::{Effect, Party};
use crate::flow::Flow;
use crate::stage::Silence;
use crate::timeline::{Board, Timeline};
use handover::machine::LinkId;
use handover::tds5::client::{Command, Config, Event, Outcome};
use handover::tds5::connection::Item;
use handover::tds5::endpoint::{ClientEndpoint, ClientOutput};
use handover::tds5::login::{Login, LoginRecord};
use handover::tds5::migration::Address;
use handover::tds5::token::{Format, Token};
use handover::time::Instant;
use handover::wire::ByteOrder;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// How often the application sends a batch.
const TICK: Duration = Duration::from_micros(500);
/// How many batches may wait for their results.
const WAITING: u64 = 4;

pub enum ClientCommand {
    Connect(Vec<Address>),
    /// Start or stop sending.
    Traffic(bool),
    Report(Sender<Report>),
    Note(String),
    Quit,
}

/// What the client has counted, since it was asked last.
#[derive(Clone, Debug)]
pub struct Report {
    /// Batches, since the beginning.
    pub batches: Flow,
    /// Rows, since the beginning.
    pub rows: Flow,
    /// Batches that were completed.
    pub completed: u64,
    /// Fewest and most final DONEs of a batch.
    pub finals: (u32, u32),
    /// Final DONEs that count other rows than a batch has, and rows that cannot be read.
    pub wrong: u64,
    /// The longest time without a row, in microseconds.
    pub silence: u128,
}

/// What the scenarios wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientNote {
    Connected,
    Ended(Outcome),
}

pub struct ClientParty {
    endpoint: ClientEndpoint,
    timeline: Timeline<Tds5Tap>,
    roles: Board,
    names: HashMap<u16, String>,
    notes: Sender<ClientNote>,
    batches: Flow,
    rows: Flow,
    completed: u64,
    /// Of the rows, as it came last: from this server or from the one before.
    format: Option<Format>,
    /// Final DONEs since a batch was completed.
    dones: u32,
    finals: (u32, u32),
    wrong: u64,
    silence: Silence,
    sending: Option<Instant>,
    done: bool,
}

impl ClientParty {
    /// `names` gives the servers' names by port.
    pub fn new(names: HashMap<u16, String>, roles: Board, notes: Sender<ClientNote>) -> Self {
        Self {
            endpoint: ClientEndpoint::new(Config::default(), Default::default()),
            timeline: Timeline::new(roles.clone(), Tds5Tap::default()),
            roles,
            names,
            notes,
            batches: Flow::default(),
            rows: Flow::default(),
            completed: 0,
            format: None,
            dones: 0,
            finals: (u32::MAX, 0),
            wrong: 0,
            silence: Silence::default(),
            sending: None,
            done: false,
        }
    }

    fn event(&mut self, now: Instant, event: Event) {
        let note = match event {
            Event::Item(Item::Token(token)) => return self.token(now, token),
            Event::Completed(_) => {
                self.completed += 1;
                let dones = std::mem::take(&mut self.dones);
                self.finals = (self.finals.0.min(dones), self.finals.1.max(dones));
                return;
            }
            Event::Connected { .. } => ClientNote::Connected,
            Event::Ended { outcome, .. } => ClientNote::Ended(outcome),
            Event::Disconnected { reason, .. } => {
                return self.timeline.note(now, &format!("client: disconnected, {reason:?}"));
            }
            _ => return,
        };
        let _ = self.notes.send(note);
    }

    fn token(&mut self, now: Instant, token: Token) {
        match token {
            Token::Format(format) if format.kind().is_rows() => self.format = Some(format),
            Token::Row(values) => match self.format.as_ref().and_then(|format| read_row(format, &values)) {
                Some((batch, row)) => {
                    self.rows.take(row_number(batch, row));
                    self.silence.broken(now);
                }
                None => self.wrong += 1,
            },
            Token::Done(done) if done.is_final() => {
                self.dones += 1;
                self.wrong += u64::from(u32::try_from(done.count) != Ok(ROWS));
            }
            _ => {}
        }
    }

    fn connect(&mut self, now: Instant, addresses: Vec<Address>) -> Result<(), Box<dyn std::error::Error>> {
        let record = LoginRecord::new(ByteOrder::Little).with_user(b"guest", b"secret")?.with_packet_size(2048)?;
        Ok(self.endpoint.connect(now, addresses, Login::new(record, true))?)
    }

    fn report(&mut self) -> Report {
        Report {
            batches: self.batches,
            rows: self.rows,
            completed: self.completed,
            finals: std::mem::replace(&mut self.finals, (u32::MAX, 0)),
            wrong: self.wrong + u64::from(self.dones),
            silence: self.silence.take(),
        }
    }
}

impl Party for ClientParty {
    type Command = ClientCommand;

    fn accepted(&mut self, _: Instant, _: LinkId) {}

    fn connected(&mut self, now: Instant, link: LinkId) {
        if let Err(error) = self.endpoint.connected(now, link) {
            self.timeline.note(now, &format!("client: {error}"));
        }
    }

    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]) {
        self.timeline.passes(now, link, false, data);
        if let Err(error) = self.endpoint.received(now, link, data) {
            self.timeline.note(now, &format!("client: {error}"));
        }
    }

    fn closed(&mut self, now: Instant, link: LinkId) {
        self.timeline.closed(now, link);
        let _ = self.endpoint.closed(now, link);
    }

    fn command(&mut self, now: Instant, command: ClientCommand) {
        match command {
            ClientCommand::Connect(addresses) => {
                if let Err(error) = self.connect(now, addresses) {
                    self.timeline.note(now, &format!("client: {error}"));
                }
            }
            ClientCommand::Traffic(on) => self.sending = on.then_some(now),
            ClientCommand::Report(reply) => drop(reply.send(self.report())),
            ClientCommand::Note(text) => self.timeline.note(now, &text),
            ClientCommand::Quit => {
                let _ = self.endpoint.command(now, Command::Close);
                self.done = true;
            }
        }
    }

    fn wake(&mut self, now: Instant) {
        let _ = self.endpoint.timeout(now);
        if self.sending.is_some_and(|due| due <= now) {
            self.sending = Some(now.saturating_add(TICK));
            // While the session moves the endpoint keeps them.
            let next = self.batches.sent + 1;
            if next - self.completed <= WAITING && self.endpoint.language(now, batch_text(next)).is_ok() {
                self.batches.sent = next;
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
                    let port = address.port();
                    let server = self.names.get(&port).cloned().unwrap_or_else(|| format!("port {port}"));
                    self.timeline.dialled(link, format!("client - {server} #{}", link.0));
                    match address.host().parse() {
                        Ok(host) => Effect::Dial(link, SocketAddr::new(host, port)),
                        Err(_) => {
                            self.closed(now, link);
                            continue;
                        }
                    }
                }
                ClientOutput::Transmit { link, bytes } => {
                    self.timeline.passes(now, link, true, &bytes);
                    Effect::Write(link, bytes.to_vec())
                }
                ClientOutput::Close(link) => Effect::Close(link),
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
