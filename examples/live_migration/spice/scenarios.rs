//! The four moves, and the count at the end.

use super::client::{ClientCommand, ClientNote, ClientParty, Report};
use super::server::{ServerCommand, ServerNote, ServerParty};
use super::support::ticket::ServerKey;
use super::traffic::{CHANNELS, Flows, new_flows};
use crate::driver::{self, Wire};
use crate::flow::Flow;
use crate::stage::{self, PATIENCE, Result, STRETCH, ask, bind};
use crate::timeline::Board;
use handover::spice::client::{Address, Outcome, Scheme};
use handover::spice::endpoint::ServerConfig;
use handover::spice::source;
use handover::spice::{DstInfo, Port};
use handover::time::Clock;
use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
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
}

impl Server {
    fn start(name: &'static str, (listener, port): (TcpListener, u16), seamless: bool, stage: &Stage) -> Self {
        let (wires, inbox) = channel();
        let (note, notes) = channel();
        let mut config = ServerConfig::default();
        config.source.seamless = seamless;
        let mut party = ServerParty::new(name, config, Arc::clone(&stage.key), stage.roles.clone(), note);
        let (clock, own) = (stage.clock, wires.clone());
        driver::listen(listener, wires.clone());
        thread::spawn(move || driver::run(&mut party, clock, &inbox, &own));
        Self { name, port, wires, notes }
    }

    fn tell(&self, command: ServerCommand) {
        // A party that is gone shows in what is awaited next.
        let _ = self.wires.send(Wire::Command(command));
    }

    fn wait(&self, what: &ServerNote) -> Result<()> {
        stage::wait(&self.notes, self.name, what, |note| note == what)
    }

    fn destination(&self) -> Result<DstInfo> {
        destination(self.port)
    }

    fn flows(&self) -> Result<Option<Flows>> {
        ask(&self.wires, self.name, ServerCommand::Report)
    }
}

impl Client {
    fn tell(&self, command: ClientCommand) {
        let _ = self.wires.send(Wire::Command(command));
    }

    fn note(&self, text: &str) {
        self.tell(ClientCommand::Note(text.to_owned()));
    }

    fn wait(&self, what: &ClientNote) -> Result<()> {
        stage::wait(&self.notes, "client", what, |note| note == what)
    }

    fn report(&self) -> Result<Report> {
        ask(&self.wires, "client", ClientCommand::Report)
    }
}

fn destination(port: u16) -> Result<DstInfo> {
    DstInfo::new("127.0.0.1", Port::from_wire(port), Port::ABSENT, None).map_err(|error| error.to_string())
}

/// What all parties share.
struct Stage {
    clock: Clock,
    key: Arc<ServerKey>,
    roles: Board,
}

/// What one move came to.
struct Row {
    scheme: &'static str,
    sent: u64,
    lost: u64,
    doubled: u64,
    blackout: u128,
}

pub fn run() -> Result<()> {
    let stage = Stage { clock: Clock::start(), key: Arc::new(ServerKey::generate()), roles: Board::default() };
    let (a_listener, b_listener, (c_listener, c_port)) = (bind()?, bind()?, bind()?);
    // Nobody listens there until the last move is half done.
    drop(c_listener);
    let a = Server::start("A", a_listener, false, &stage);
    let b = Server::start("B", b_listener, true, &stage);
    let names = HashMap::from([(a.port, "A".to_owned()), (b.port, "B".to_owned()), (c_port, "C".to_owned())]);
    let (wires, inbox) = channel();
    let (note, notes) = channel();
    let client = Client { wires: wires.clone(), notes };
    let (clock, roles) = (stage.clock, stage.roles.clone());
    let party_thread = thread::spawn(move || {
        driver::run(&mut ClientParty::new(names, roles, note, true), clock, &inbox, &wires);
    });

    a.tell(ServerCommand::RunVm(new_flows()));
    client.tell(ClientCommand::Connect(Address::new("127.0.0.1", Port::from_wire(a.port), Port::ABSENT, None)));
    in_step(&client)?;
    let mut rows = Vec::new();

    client.note("1. semi-seamless, A to B");
    traffic(&client, &[&a, &b], true);
    a.tell(ServerCommand::MigrateInfo(b.destination()?));
    a.wait(&ServerNote::ClientsReady { connected: true })?;
    thread::sleep(STRETCH);
    hand_over(&a, &b)?;
    client.wait(&ClientNote::Ended(Outcome::Switched(Scheme::SemiSeamless)))?;
    in_step(&client)?;
    a.wait(&ServerNote::Ended(source::Outcome::Completed))?;
    rows.push(count("semi-seamless", &client, &[&a, &b], &b, &rows)?);

    client.note("2. seamless, B to A");
    traffic(&client, &[&a, &b], true);
    b.tell(ServerCommand::MigrateInfo(a.destination()?));
    b.wait(&ServerNote::ClientsReady { connected: true })?;
    thread::sleep(STRETCH);
    hand_over(&b, &a)?;
    client.wait(&ClientNote::Ended(Outcome::Switched(Scheme::Seamless)))?;
    b.wait(&ServerNote::Ended(source::Outcome::Completed))?;
    rows.push(count("seamless", &client, &[&a, &b], &a, &rows)?);

    client.note("3. cancelled after CONNECTED, A stays");
    traffic(&client, &[&a, &b], true);
    a.tell(ServerCommand::MigrateInfo(b.destination()?));
    a.wait(&ServerNote::ClientsReady { connected: true })?;
    thread::sleep(STRETCH);
    a.tell(ServerCommand::VmCancelled);
    client.wait(&ClientNote::Ended(Outcome::Cancelled))?;
    a.wait(&ServerNote::Ended(source::Outcome::Aborted))?;
    rows.push(count("cancelled", &client, &[&a, &b], &a, &rows)?);

    client.note("4. C is dead when announced and alive when needed: switch-host, A to C");
    traffic(&client, &[&a, &b], true);
    a.tell(ServerCommand::MigrateInfo(destination(c_port)?));
    a.wait(&ServerNote::ClientsReady { connected: false })?;
    thread::sleep(STRETCH);
    let c_listener = TcpListener::bind(("127.0.0.1", c_port)).map_err(|error| error.to_string())?;
    let c = Server::start("C", (c_listener, c_port), true, &stage);
    traffic(&client, &[&a, &b, &c], true);
    hand_over(&a, &c)?;
    client.wait(&ClientNote::Ended(Outcome::Switched(Scheme::SwitchHost)))?;
    in_step(&client)?;
    a.wait(&ServerNote::Ended(source::Outcome::Completed))?;
    rows.push(count("switch-host", &client, &[&a, &b, &c], &c, &rows)?);

    client.tell(ClientCommand::Quit);
    [&a, &b, &c].into_iter().for_each(|server| server.tell(ServerCommand::Quit));
    party_thread.join().map_err(|_| "the client's thread panicked".to_owned())?;
    print(&rows)
}

fn in_step(client: &Client) -> Result<()> {
    let mut missing = CHANNELS.to_vec();
    let end = Instant::now() + PATIENCE;
    while !missing.is_empty() {
        match client.notes.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(ClientNote::InStep(channel)) => missing.retain(|entry| *entry != channel),
            Ok(_) => {}
            Err(_) => return Err(format!("channels are not in step: {missing:?}")),
        }
    }
    Ok(())
}

fn traffic(client: &Client, servers: &[&Server], on: bool) {
    client.tell(ClientCommand::Traffic(on));
    servers.iter().for_each(|server| server.tell(ServerCommand::Traffic(on)));
}

/// The virtual machine stops at one server and runs at the other; then its client follows.
fn hand_over(from: &Server, to: &Server) -> Result<()> {
    let flows = ask(&from.wires, from.name, ServerCommand::StopVm)?;
    to.tell(ServerCommand::RunVm(flows));
    from.tell(ServerCommand::VmCompleted);
    Ok(())
}

/// Stops the traffic, waits until everything has arrived, and counts what came since the last row.
fn count(scheme: &'static str, client: &Client, servers: &[&Server], owner: &Server, before: &[Row]) -> Result<Row> {
    thread::sleep(STRETCH);
    let silence = client.report()?.silence;
    traffic(client, servers, false);
    let end = Instant::now() + PATIENCE;
    loop {
        thread::sleep(Duration::from_millis(20));
        let ours = client.report()?.flows;
        let theirs = owner.flows()?.ok_or_else(|| format!("server {} has no virtual machine", owner.name))?;
        let arrived = CHANNELS.iter().all(|channel| {
            ours.get(channel)
                .zip(theirs.get(channel))
                .is_some_and(|(ours, theirs)| ours.sent == theirs.received && theirs.sent == ours.received)
        });
        if arrived {
            let total = |of: fn(&Flow) -> u64| ours.values().chain(theirs.values()).map(of).sum::<u64>();
            let earlier = |of: fn(&Row) -> u64| before.iter().map(of).sum::<u64>();
            return Ok(Row {
                scheme,
                sent: total(|flow| flow.sent) - earlier(|row| row.sent),
                lost: total(|flow| flow.lost) - earlier(|row| row.lost),
                doubled: total(|flow| flow.doubled) - earlier(|row| row.doubled),
                blackout: silence,
            });
        }
        if Instant::now() > end {
            return Err(format!("{scheme}: messages are missing: client {ours:?}, server {}: {theirs:?}", owner.name));
        }
    }
}

fn print(rows: &[Row]) -> Result<()> {
    println!("\n{:<14} {:>8} {:>6} {:>8} {:>14}", "move", "sent", "lost", "doubled", "blackout (µs)");
    for row in rows {
        println!("{:<14} {:>8} {:>6} {:>8} {:>14}", row.scheme, row.sent, row.lost, row.doubled, row.blackout);
    }
    println!("(blackout: the longest time in which no message of the server reached the client)");
    match rows.iter().find(|row| row.lost != 0 || row.doubled != 0 || row.sent == 0) {
        Some(row) => Err(format!("{}: {} sent, {} lost, {} doubled", row.scheme, row.sent, row.lost, row.doubled)),
        None => Ok(()),
    }
}
