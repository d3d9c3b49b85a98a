//! The machines, their links, and time.

mod links;

use super::PartiesOp;
use super::ledger::{Counts, End, Ledger, check_report};
use crate::deferral::client::{self, Client, Credentials, Failure, Hosts, Outcome, Peer, Task};
use crate::deferral::message::{Alternate, Message, Request, RequestKey};
use crate::deferral::server::{self, Event, JobId, Server};
use crate::deferral::{DeferKind, RefusalCode, RequestFlags, RequestId, ServerAbilities, ServerUri};
use crate::error::Error;
use crate::frame::Text;
use crate::machine::{LinkId, Machine};
use crate::testing::{Choices, Rng};
use crate::time::Instant;
use bytes::Bytes;
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::vec::Vec;

/// Most rounds until nothing is on its way any more, and until no deadline is left.
const ROUNDS: usize = 4096;

const SERVERS: usize = 3;

/// Links from here on are somebody else's.
const OTHERS: u32 = 1_000_000;

/// Something that was done, or came of it.
#[derive(Clone, Debug)]
enum Line {
    Op(Instant, PartiesOp),
    Client(client::Output),
    Server(usize, server::Output),
}

/// What was done, for the message of a panic, whoever panics.
#[derive(Clone, Debug, Default)]
struct Trace(Vec<Line>);

impl Drop for Trace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::eprintln!("what was done:");
            for line in &self.0 {
                match line {
                    Line::Op(now, op) => std::eprintln!("t={} {op:?}", now.as_micros()),
                    Line::Client(output) => std::eprintln!("    client: {output:?}"),
                    Line::Server(at, output) => std::eprintln!("    server {at}: {output:?}"),
                }
            }
        }
    }
}

/// A server with its application.
#[derive(Clone, Debug)]
struct Host {
    server: Server,
    config: server::Config,
    peer: Peer,
    life: u32,
    down: bool,
    /// It was told to stop, or to drain.
    stopped: bool,
    jobs: Vec<(JobId, RequestKey)>,
}

/// A link that the client has dialled.
#[derive(Clone, Debug)]
struct Link {
    client: LinkId,
    uri: ServerUri,
    /// `None`: nobody is there.
    host: Option<usize>,
    server: LinkId,
    up: bool,
    to_server: VecDeque<Message>,
    to_client: VecDeque<Message>,
    client_done: bool,
    server_done: bool,
}

/// A [`Client`] and three [`Server`]s, and the links between them.
///
/// ```
/// use handover::testing::Choices;
/// use handover::testing::deferral_machines::{Parties, PartiesOp};
///
/// let mut parties = Parties::new(&mut Choices::new(&[]));
/// for op in [PartiesOp::Settle, PartiesOp::Work { server: 0, job: 0 }, PartiesOp::Settle] {
///     parties.apply(&op);
/// }
/// assert_eq!(parties.finish().done, 1);
/// ```
#[derive(Debug)]
pub struct Parties {
    now: Instant,
    client: Client,
    task: Task,
    hosts: Vec<Host>,
    links: Vec<Link>,
    ledger: Ledger,
    next: u32,
    clean: bool,
    /// Somebody was turned away by a full line, or it took longer than it may.
    turned_away: bool,
    trace: Trace,
}

/// Each server has a name, the first one has two, and there is a name that leads nowhere.
fn name(number: usize) -> ServerUri {
    let names = ["handover://s0:1", "handover://s1:1", "handover://s2:1", "handover://alias:1", "handover://none:1"];
    names[number % names.len()].parse().expect("it is good")
}

fn host_of(uri: &ServerUri) -> Option<usize> {
    (0..4).find(|&number| name(number) == *uri).map(|number| number % SERVERS)
}

impl Parties {
    /// A client and three servers in any configuration.
    #[must_use]
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let host = |number: usize, choices: &mut Choices<'_>| {
            let id = u8::try_from(number + 1).unwrap_or(0);
            let id_of_host = super::super::words::server_id(id);
            let mut config = server::Config { id: id_of_host, ..server::Config::default() };
            config.abilities = ServerAbilities::from_bits_retain(*choices.pick(&[3, 3, 3, 1, 0]));
            config.slots = 1 + choices.below(2);
            config.busy_threshold = Duration::from_millis(*choices.pick(&[0, 2000, 0]));
            config.prefer_readers = choices.one_in(3);
            config.retry_after = choices.one_in(4).then(|| Duration::from_millis(300));
            if choices.one_in(4) {
                config.limits.queue = choices.below(4);
                config.limits.remembered = choices.below(3);
            }
            let named = |number| {
                let known = host_of(&name(number)).map(|at| u8::try_from(at + 1).unwrap_or(0));
                let server = super::super::words::server_id(known.unwrap_or(0));
                Alternate { server, ..Alternate::new(name(number)) }
            };
            let some = choices.byte();
            config.alternates = (0..5).filter(|at| some >> at & 1 == 0).map(named).collect();
            let known = !choices.one_in(4);
            let peer = Peer {
                id: super::super::words::server_id(if known { id } else { 0 }),
                memory: (!choices.one_in(3)).then_some(0),
                max_body: None,
            };
            let server = Server::new(config.clone());
            Host { server, config, peer, life: 0, down: false, stopped: false, jobs: Vec::new() }
        };
        let hosts: Vec<Host> = (0..SERVERS).map(|number| host(number, choices)).collect();
        let mut config = client::Config::default();
        config.policy.hosts = if choices.one_in(6) { Hosts::Known } else { Hosts::Any };
        (config.wait_unasked, config.keep_priority) = (choices.one_in(4), choices.one_in(4));
        let first = choices.below(4);
        let servers = (0..=choices.below(3)).map(|at| name((first + at) % 4)).collect();
        let mut task = Task::new(RequestId([7; 16]), servers, super::super::words::command(0));
        (task.read_only, task.idempotent) = (choices.one_in(4), choices.one_in(4));
        task.deadline = choices.one_in(4).then(|| Duration::from_millis(400));
        task.credentials = Credentials(Bytes::from_static(b"secret"));
        let client = Client::new(config, task.clone(), Instant::ZERO).expect("there is a server");
        let mut world = Self {
            now: Instant::ZERO,
            client,
            hosts,
            links: Vec::new(),
            ledger: Ledger::new(task.clone()),
            task,
            next: 0,
            clean: true,
            turned_away: false,
            trace: Trace::default(),
        };
        world.carry_out_client();
        world
    }

    /// Whether no fault has happened.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.clean
    }

    /// Does one thing. What makes no sense now does nothing.
    pub fn apply(&mut self, op: &PartiesOp) {
        self.trace.0.push(Line::Op(self.now, op.clone()));
        self.clean &= !op.is_fault();
        let at = |number: u8| usize::from(number) % SERVERS;
        match *op {
            PartiesOp::Settle => self.settle(),
            PartiesOp::Deliver { link, up, messages } => {
                let Some(at) = self.link(link) else { return };
                for _ in 0..messages {
                    self.deliver(at, up);
                }
            }
            PartiesOp::Connect => drop((0..self.links.len()).any(|at| self.connect(at))),
            PartiesOp::Work { server, job } => self.work(at(server), job),
            PartiesOp::Data { server, job } => {
                if let Some(&(job, _)) = self.job(at(server), job) {
                    self.order(at(server), server::Input::Data { job, bytes: Bytes::from_static(b"piece") });
                }
            }
            PartiesOp::Continue { server, job } => self.go_on(at(server), job),
            PartiesOp::Refuse { server, job } => {
                let server = at(server);
                if let Some((id, key)) = self.take(server, job) {
                    self.ends(server, key, End::Refused);
                    let (code, text) = (RefusalCode::BAD_REQUEST, Text::EMPTY);
                    self.order(server, server::Input::Refuse { job: id, code, text });
                }
            }
            PartiesOp::Load { server, flags } => self.load(at(server), flags),
            PartiesOp::Wait => {
                if self.client.state() == client::State::Asking {
                    self.tell(client::Input::Wait(true));
                }
            }
            PartiesOp::Drain(server) => self.order(at(server), server::Input::Drain),
            PartiesOp::Serve(server) => self.order(at(server), server::Input::Serve),
            PartiesOp::Pass(millis) => {
                let then = self.now.saturating_add(Duration::from_millis(millis.into()));
                self.now = self.deadline().map_or(then, |due| then.min(due)).max(self.now);
            }
            PartiesOp::Cancel => {
                if self.client.state() != client::State::Ended {
                    // Seldom it was said before.
                    let result = self.client.handle(self.now, client::Input::Cancel);
                    assert!(matches!(result, Ok(()) | Err(Error::Misuse(_))), "{result:?}");
                    self.carry_out_client();
                }
            }
            PartiesOp::Deadline => self.deadline_comes(),
            PartiesOp::Break { link, both } => {
                if let Some(at) = self.link(link) {
                    self.break_link(at, both);
                }
            }
            PartiesOp::Crash(server) => self.crash(at(server)),
            PartiesOp::Down(server) => {
                let host = &mut self.hosts[at(server)];
                host.down = !host.down;
            }
            PartiesOp::Stop(server) => {
                self.hosts[at(server)].stopped = true;
                let random = self.random();
                self.order(at(server), server::Input::Stop { random });
            }
        }
    }

    /// Lets everything come to its end, and checks what was said of it. What has come about.
    ///
    /// # Panics
    /// It does not, or it is not true.
    pub fn finish(&mut self) -> Counts {
        for _ in 0..ROUNDS {
            self.wind_down();
            match self.client.state() {
                client::State::Ended => break,
                client::State::Asking => self.tell(client::Input::Wait(true)),
                client::State::Pausing => self.deadline_comes(),
                _ => {
                    assert!(!self.clean, "8: nothing is on its way, and it has not ended: {:?}", self.client);
                    self.deadline_comes();
                }
            }
        }
        assert_eq!(self.client.state(), client::State::Ended, "D1: it does not end");
        // What is on its way to somebody who has gone comes all the same.
        self.wind_down();
        self.ledger.check(self.client.epoch(), host_of);
        check_report(&self.client.report());
        let write = !self.task.read_only;
        let able = |host: &Host| host.config.abilities.bits() & if write { 2 } else { 3 } != 0 && !host.stopped;
        let own = self.task.servers.iter().filter_map(host_of).any(|at| able(&self.hosts[at]));
        if self.clean && own && !self.turned_away {
            let failed = matches!(self.ledger.outcome, Some(Outcome::Failed(Failure::NoServer, _)));
            let unsure = matches!(self.ledger.outcome, Some(Outcome::Indeterminate { .. }));
            assert!(!failed && !unsure, "D5: {:?}, though somebody is able", self.ledger.outcome);
        }
        self.ledger.counts
    }

    /// Brings everything on its way, and ends all jobs, until nothing moves any more.
    fn wind_down(&mut self) {
        for _ in 0..ROUNDS {
            self.settle();
            let busy = (0..SERVERS).find(|&at| !self.hosts[at].jobs.is_empty());
            let Some(at) = busy else { return };
            self.work(at, 0);
        }
        panic!("8: they go on without end");
    }

    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut moved = false;
            for at in 0..self.links.len() {
                moved |= self.connect(at);
                moved |= self.deliver(at, true);
                moved |= self.deliver(at, false);
            }
            if !moved {
                return;
            }
        }
        panic!("8: they talk without end");
    }

    fn deadline(&self) -> Option<Instant> {
        let servers = self.hosts.iter().filter_map(|host| host.server.poll_timeout());
        servers.chain(self.client.poll_timeout()).min()
    }

    fn deadline_comes(&mut self) {
        self.now = self.deadline().map_or(self.now, |due| due.max(self.now));
        self.tell(client::Input::Timeout);
        (0..SERVERS).for_each(|at| self.order(at, server::Input::Timeout));
    }

    fn random(&mut self) -> u64 {
        self.next += 1;
        Rng::new(u64::from(self.next)).next_u64()
    }

    /// The link `number` from the newest, of those that are there.
    fn link(&self, number: u8) -> Option<usize> {
        let over = |link: &Link| link.client_done && link.server_done;
        let there: Vec<usize> = (0..self.links.len()).rev().filter(|&at| !over(&self.links[at])).collect();
        there.get(usize::from(number) % there.len().max(1)).copied()
    }

    fn tell(&mut self, input: client::Input) {
        let result = self.client.handle(self.now, input);
        assert_eq!(result, Ok(()), "nobody has made a mistake");
        self.carry_out_client();
    }

    fn order(&mut self, at: usize, input: server::Input) {
        let result = self.hosts[at].server.handle(self.now, input);
        assert_eq!(result, Ok(()), "nobody has made a mistake");
        self.carry_out_server(at);
    }

    fn job(&self, at: usize, which: u8) -> Option<&(JobId, RequestKey)> {
        let jobs = &self.hosts[at].jobs;
        jobs.get(usize::from(which) % jobs.len().max(1))
    }

    fn take(&mut self, at: usize, which: u8) -> Option<(JobId, RequestKey)> {
        let job = *self.job(at, which)?;
        self.hosts[at].jobs.retain(|other| other.0 != job.0);
        Some(job)
    }

    fn ends(&mut self, at: usize, key: RequestKey, end: End) {
        if key.id == self.task.id {
            self.ledger.ends(key, at, self.hosts[at].life, end);
        }
    }

    fn work(&mut self, at: usize, which: u8) {
        if let Some((job, key)) = self.take(at, which) {
            let status = i32::from(which);
            self.ends(at, key, End::Done(status));
            self.order(at, server::Input::End { job, status, text: Text::EMPTY });
        }
    }

    fn go_on(&mut self, at: usize, which: u8) {
        if let Some((job, key)) = self.take(at, which) {
            self.ends(at, key, End::Continued);
            let (next, random) = (super::super::words::command(which + 1), self.random());
            let read_only = self.task.read_only;
            self.order(at, server::Input::Continue { job, next, read_only, random });
        }
    }

    /// Somebody else's request, whose client stays and is not looked at.
    fn load(&mut self, at: usize, flags: u8) {
        self.next += 1;
        let mut id = [0; 16];
        id[..4].copy_from_slice(&self.next.to_be_bytes());
        let key = RequestKey { id: RequestId(id), epoch: 0 };
        let flags = RequestFlags::from_bits_retain([1, 0, 3, 2][usize::from(flags % 4)]);
        let message = Request { flags, ..Request::new(key, super::super::words::command(0)) };
        let (link, random) = (LinkId(OTHERS + self.next), self.random());
        let message = Message::Request(Box::new(message));
        let turned_away = self.turned_away;
        self.order(at, server::Input::Message { link, message, random });
        // Whatever becomes of that one.
        self.turned_away = turned_away;
    }
}
