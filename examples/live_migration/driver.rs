//! The whole of a driver: sockets, a clock and threads around an endpoint.
//!
//! A thread per party runs [`run`], a thread per link reads. A reader gets its next credit only when its last
//! chunk has been taken and the link is not paused, so that a paused link fills its socket and no memory.

use handover::machine::LinkId;
use handover::time::{Clock, Instant};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::{thread, time::Duration};

/// What a party wants done with its links.
pub enum Effect {
    Dial(LinkId, SocketAddr),
    Write(LinkId, Vec<u8>),
    Close(LinkId),
    Pause(LinkId),
    Resume(LinkId),
}

/// An endpoint with its application: everything but sockets.
pub trait Party {
    type Command: Send + 'static;
    fn accepted(&mut self, now: Instant, link: LinkId);
    fn connected(&mut self, now: Instant, link: LinkId);
    fn received(&mut self, now: Instant, link: LinkId, data: &[u8]);
    fn closed(&mut self, now: Instant, link: LinkId);
    fn command(&mut self, now: Instant, command: Self::Command);
    fn wake(&mut self, now: Instant);
    fn poll_wake(&self) -> Option<Instant>;
    fn poll_effect(&mut self, now: Instant) -> Option<Effect>;
    fn finished(&self) -> bool;
}

/// What reaches a party's thread.
pub enum Wire<C> {
    Accepted(TcpStream),
    Connected(LinkId, TcpStream),
    Bytes(LinkId, Vec<u8>),
    Closed(LinkId),
    Command(C),
}

struct Link {
    stream: TcpStream,
    credit: Sender<()>,
    paused: bool,
}

/// Hands every connection that `listener` accepts to a party's thread.
pub fn listen<C: Send + 'static>(listener: TcpListener, wires: Sender<Wire<C>>) {
    thread::spawn(move || {
        let mut streams = listener.incoming().flatten();
        while streams.next().is_some_and(|stream| wires.send(Wire::Accepted(stream)).is_ok()) {}
    });
}

/// Runs a party until it has finished.
pub fn run<P: Party>(
    party: &mut P,
    clock: Clock,
    inbox: &Receiver<Wire<P::Command>>,
    wires: &Sender<Wire<P::Command>>,
) {
    let mut links: HashMap<LinkId, Link> = HashMap::new();
    let (mut accepted, mut read) = (LinkId(0), None);
    loop {
        while let Some(effect) = party.poll_effect(clock.now()) {
            match effect {
                Effect::Dial(link, address) => dial(link, address, wires.clone()),
                // A link that breaks shows at its reader.
                Effect::Write(link, bytes) => drop(links.get_mut(&link).map(|entry| entry.stream.write_all(&bytes))),
                // What was written still goes out; the reader drains what comes until the peer closes too.
                Effect::Close(link) => drop(links.remove(&link).map(|entry| entry.stream.shutdown(Shutdown::Write))),
                Effect::Pause(link) => drop(links.get_mut(&link).map(|entry| entry.paused = true)),
                Effect::Resume(link) => {
                    let _ = links.get_mut(&link).map(|entry| entry.paused = false);
                    give_credit(&links, link);
                }
            }
        }
        // Credit for the chunk that was taken, unless taking it has paused the link.
        if let Some(link) = read.take() {
            give_credit(&links, link);
        }
        if party.finished() {
            break;
        }
        let wake = party.poll_wake().unwrap_or(Instant::from_micros(u64::MAX));
        let wire = inbox.recv_timeout(clock.until(wake));
        let now = clock.now();
        match wire {
            Ok(Wire::Accepted(stream)) => {
                accepted = LinkId(accepted.0 + 1);
                links.insert(accepted, start(accepted, stream, wires.clone()));
                party.accepted(now, accepted);
            }
            Ok(Wire::Connected(link, stream)) => {
                links.insert(link, start(link, stream, wires.clone()));
                party.connected(now, link);
            }
            Ok(Wire::Bytes(link, bytes)) => {
                party.received(now, link, &bytes);
                read = Some(link);
            }
            Ok(Wire::Closed(link)) => {
                links.remove(&link);
                party.closed(now, link);
            }
            Ok(Wire::Command(command)) => party.command(now, command),
            Err(RecvTimeoutError::Timeout) => party.wake(now),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
}

fn give_credit(links: &HashMap<LinkId, Link>, link: LinkId) {
    if let Some(entry) = links.get(&link).filter(|entry| !entry.paused) {
        let _ = entry.credit.send(());
    }
}

fn dial<C: Send + 'static>(link: LinkId, address: SocketAddr, wires: Sender<Wire<C>>) {
    thread::spawn(move || {
        let _ = wires.send(match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
            Ok(stream) => Wire::Connected(link, stream),
            Err(_) => Wire::Closed(link),
        });
    });
}

fn start<C: Send + 'static>(link: LinkId, stream: TcpStream, wires: Sender<Wire<C>>) -> Link {
    let (credit, credits) = channel();
    let _ = stream.set_nodelay(true);
    let mut reader = stream.try_clone().expect("a socket can be shared by a reader and a writer");
    thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        let mut listening = true;
        while let Ok(size @ 1..) = reader.read(&mut chunk) {
            // Once the party has closed the link, only the peer's end is waited for.
            listening =
                listening && wires.send(Wire::Bytes(link, chunk[..size].to_vec())).is_ok() && credits.recv().is_ok();
        }
        let _ = wires.send(Wire::Closed(link));
    });
    Link { stream, credit, paused: false }
}
