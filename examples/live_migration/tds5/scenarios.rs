//! The moves, and the count at the end.

use super::client::{ClientCommand, ClientNote, ClientParty, Report};
use super::server::{Plan, ServerCommand, ServerNote, ServerParty, Then, When};
use super::traffic::{Context, Contexts};
use crate::driver::{self, Wire};
use crate::stage::{self, PATIENCE, Result, STRETCH, ask, bind};
use crate::timeline::Board;
use handover::tds5::client::{Failure, Outcome};
use handover::tds5::migration::Address;
use handover::tds5::server;
use handover::time::Clock;
use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

struct Server {
    name: &'static str,
    port: u16,
    wires: Sender<Wire<ServerCommand>>,
    notes: Receiver<ServerNote>,
}

struct Client {
    wires: Sender<Wire<ClientCommand>>,
    notes: Receiver<ClientNote>,
    thread: JoinHandle<()>,
}

/// What all parties share.
struct Stage {
    clock: Clock,
    contexts: Contexts,
    roles: Board,
}

impl Server {
    fn start(name: &'static str, stage: &Stage) -> Result<Self> {
        let (listener, port) = bind()?;
        let (wires, inbox) = channel();
        let (note, notes) = channel();
        let mut party = ServerParty::new(name, stage.contexts.clone(), stage.roles.clone(), note);
        let (clock, own) = (stage.clock, wires.clone());
        driver::listen(listener, wires.clone());
        thread::spawn(move || driver::run(&mut party, clock, &inbox, &own));
        Ok(Self { name, port, wires, notes })
    }

    fn tell(&self, command: ServerCommand) {
        // A party that is gone shows in what is awaited next.
        let _ = self.wires.send(Wire::Command(command));
    }

    fn migrate(&self, to: &[&Server], when: When, then: Then) {
        let to = to.iter().map(|server| server.address()).collect();
        self.tell(ServerCommand::Migrate(Plan { to, when, then }));
    }

    fn ready(&self) -> Result<()> {
        stage::wait(&self.notes, self.name, "ready", |note| *note == ServerNote::Ready)
    }

    fn ended(&self, outcome: server::Outcome) -> Result<()> {
        stage::wait(&self.notes, self.name, outcome, |note| *note == ServerNote::Ended(outcome))
    }

    fn address(&self) -> Address {
        address(self.port)
    }
}

impl Client {
    fn start(names: HashMap<u16, String>, stage: &Stage) -> Self {
        let (wires, inbox) = channel();
        let (note, notes) = channel();
        let (clock, roles, own) = (stage.clock, stage.roles.clone(), wires.clone());
        let thread = thread::spawn(move || {
            driver::run(&mut ClientParty::new(names, roles, note), clock, &inbox, &own);
        });
        Self { wires, notes, thread }
    }

    fn tell(&self, command: ClientCommand) {
        let _ = self.wires.send(Wire::Command(command));
    }

    /// A new scenario: the traffic runs for a while.
    fn begin(&self, text: &str) {
        self.tell(ClientCommand::Note(text.to_owned()));
        self.tell(ClientCommand::Traffic(true));
        thread::sleep(STRETCH);
    }

    fn ended(&self, what: &str, is: impl Fn(&Outcome) -> bool) -> Result<()> {
        stage::wait(&self.notes, "client", what, |note| matches!(note, ClientNote::Ended(outcome) if is(outcome)))
    }

    fn migrated(&self) -> Result<()> {
        self.ended("migrated", |outcome| matches!(outcome, Outcome::Migrated { .. }))
    }

    fn report(&self) -> Result<Report> {
        ask(&self.wires, "client", ClientCommand::Report)
    }
}

fn address(port: u16) -> Address {
    Address::new("127.0.0.1", port).expect("a bound port is not 0")
}

/// What one scenario came to.
struct Row {
    name: &'static str,
    batches: u64,
    completed: u64,
    rows_sent: u64,
    rows_received: u64,
    lost: u64,
    doubled: u64,
    wrong: u64,
    finals: (u32, u32),
    blackout: u128,
}

pub fn run() -> Result<()> {
    let stage = Stage { clock: Clock::start(), contexts: Contexts::default(), roles: Board::default() };
    let (a, b, c) = (Server::start("A", &stage)?, Server::start("B", &stage)?, Server::start("C", &stage)?);
    let (_held, nobody) = stage::nobody()?;
    let mut names = HashMap::from([&a, &b, &c].map(|server| (server.port, server.name.to_owned())));
    names.insert(nobody, "nobody".to_owned());
    let client = Client::start(names, &stage);
    // The client follows a server to these, and to no others.
    let known = vec![a.address(), b.address(), c.address(), address(nobody)];
    client.tell(ClientCommand::Connect(known));
    stage::wait(&client.notes, "client", "connected", |note| *note == ClientNote::Connected)?;
    let mut rows = Vec::new();

    client.begin("1. idle, A to B");
    a.migrate(&[&b], When::Idle, Then::Go);
    client.migrated()?;
    a.ended(server::Outcome::Migrated)?;
    rows.push(count("idle", &client, &b, &rows)?);

    client.begin("2. in the middle of a batch, B to C: half of its rows come from B, the rest from C");
    b.migrate(&[&c], When::Half, Then::Go);
    client.migrated()?;
    b.ended(server::Outcome::Migrated)?;
    rows.push(count("in a batch", &client, &c, &rows)?);

    client.begin("3. cancelled before SYNC, C stays");
    c.migrate(&[&a], When::Half, Then::CancelAtOnce);
    client.ended("ignored", |outcome| *outcome == Outcome::Ignored)?;
    c.ended(server::Outcome::Cancelled)?;
    rows.push(count("cancel: early", &client, &c, &rows)?);

    client.begin("4. cancelled by the handler, C stays");
    c.migrate(&[&a], When::Half, Then::CancelInHandler);
    client.ended("ignored", |outcome| *outcome == Outcome::Ignored)?;
    c.ended(server::Outcome::Cancelled)?;
    rows.push(count("cancel: handler", &client, &c, &rows)?);

    client.begin("5. cancelled by another thread when the client is ready, C stays");
    c.migrate(&[&a], When::Half, Then::Wait);
    c.ready()?;
    c.tell(ServerCommand::Cancel);
    client.ended("ignored", |outcome| *outcome == Outcome::Ignored)?;
    c.ended(server::Outcome::Cancelled)?;
    rows.push(count("cancel: thread", &client, &c, &rows)?);

    client.begin("6. asked to go to A, and before it has answered to B: C to B");
    c.migrate(&[&a], When::Idle, Then::AskAgain(vec![b.address()]));
    c.ended(server::Outcome::Superseded)?;
    client.migrated()?;
    c.ended(server::Outcome::Migrated)?;
    rows.push(count("asked again", &client, &b, &rows)?);

    client.begin("7. A refuses the login: FAIL, and the batch goes on at B");
    a.tell(ServerCommand::Refuse(true));
    b.migrate(&[&a], When::Half, Then::Go);
    client.ended("failed", |outcome| *outcome == Outcome::Failed(Failure::LoginRefused))?;
    b.ended(server::Outcome::Failed)?;
    a.tell(ServerCommand::Refuse(false));
    rows.push(count("login refused", &client, &b, &rows)?);

    client.begin("8. the first address is dead, the second is A: B to A");
    let plan = Plan { to: vec![address(nobody), a.address()], when: When::Half, then: Then::Go };
    b.tell(ServerCommand::Migrate(plan));
    client.migrated()?;
    b.ended(server::Outcome::Migrated)?;
    rows.push(count("first dead", &client, &a, &rows)?);

    client.tell(ClientCommand::Quit);
    client.thread.join().map_err(|_| "the client's thread panicked".to_owned())?;
    [&a, &b, &c].into_iter().for_each(|server| server.tell(ServerCommand::Quit));
    print(&rows)
}

/// Stops the traffic, waits until everything has arrived, and counts what came since the last row.
fn count(name: &'static str, client: &Client, owner: &Server, before: &[Row]) -> Result<Row> {
    thread::sleep(STRETCH);
    let earlier = |of: fn(&Row) -> u64| before.iter().map(of).sum::<u64>();
    let Report { finals, silence, .. } = client.report()?;
    client.tell(ClientCommand::Traffic(false));
    let end = Instant::now() + PATIENCE;
    loop {
        thread::sleep(Duration::from_millis(20));
        let ours = client.report()?;
        let theirs: Context = ask(&owner.wires, owner.name, ServerCommand::Report)?
            .ok_or_else(|| format!("the session is not at {}", owner.name))?;
        let arrived = ours.completed == ours.batches.sent && theirs.batches.received == ours.batches.sent;
        if arrived && theirs.rows.sent == ours.rows.received {
            return Ok(Row {
                name,
                batches: ours.batches.sent - earlier(|row| row.batches),
                completed: ours.completed - earlier(|row| row.completed),
                rows_sent: theirs.rows.sent - earlier(|row| row.rows_sent),
                rows_received: ours.rows.received - earlier(|row| row.rows_received),
                lost: ours.rows.lost + theirs.batches.lost - earlier(|row| row.lost),
                doubled: ours.rows.doubled + theirs.batches.doubled - earlier(|row| row.doubled),
                wrong: ours.wrong - earlier(|row| row.wrong),
                finals: (finals.0.min(ours.finals.0), finals.1.max(ours.finals.1)),
                blackout: silence,
            });
        }
        if Instant::now() > end {
            return Err(format!("{name}: something is missing: client {ours:?}, server {}: {theirs:?}", owner.name));
        }
    }
}

fn print(rows: &[Row]) -> Result<()> {
    println!(
        "\n{:<16} {:>8} {:>10} {:>10} {:>10} {:>6} {:>8} {:>8} {:>14}",
        "move", "batches", "completed", "rows sent", "received", "lost", "doubled", "DONEs", "blackout (µs)"
    );
    for row in rows {
        let finals = match row.finals {
            (fewest, most) if fewest == most => most.to_string(),
            (fewest, most) => format!("{fewest} to {most}"),
        };
        let Row { name, batches, completed, rows_sent, rows_received, lost, doubled, blackout, .. } = row;
        println!(
            "{name:<16} {batches:>8} {completed:>10} {rows_sent:>10} {rows_received:>10} {lost:>6} {doubled:>8} {finals:>8} \
             {blackout:>14}"
        );
    }
    println!("(DONEs: final ones of each batch; blackout: the longest time in which no row reached the client)");
    let is_wrong = |row: &&Row| {
        let counts = (row.lost, row.doubled, row.wrong, row.finals) != (0, 0, 0, (1, 1));
        counts || row.batches == 0 || row.batches != row.completed || row.rows_sent != row.rows_received
    };
    match rows.iter().find(is_wrong) {
        Some(row) => Err(format!("{}: {} lost, {} doubled, {} wrong", row.name, row.lost, row.doubled, row.wrong)),
        None => Ok(()),
    }
}
