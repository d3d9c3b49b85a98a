//! Sockets, standard input and a clock for the two roles: what happens comes through one channel.

use handover::machine::LinkId;
use handover::time::{Clock, Instant};
use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;

/// What happens to a role.
pub enum Wire {
    /// Somebody has connected to the listener of this name.
    Accepted(&'static str, TcpStream),
    Bytes(LinkId, Vec<u8>),
    Closed(LinkId),
    /// A line on standard input.
    Line(String),
    /// The instant that was waited for has come.
    Timeout,
}

/// A role's sockets.
pub struct Wires {
    pub clock: Clock,
    sender: Sender<Wire>,
    inbox: Receiver<Wire>,
    streams: HashMap<LinkId, TcpStream>,
}

impl Wires {
    /// With standard input: the process ends with it, so that none outlives who has started it.
    pub fn start() -> Self {
        let (sender, inbox) = channel();
        let lines = sender.clone();
        thread::spawn(move || {
            let mut input = std::io::stdin().lock().lines().map_while(Result::ok);
            while input.next().is_some_and(|line| lines.send(Wire::Line(line)).is_ok()) {}
            std::process::exit(0);
        });
        Self { clock: Clock::start(), sender, inbox, streams: HashMap::new() }
    }

    /// Listens on a free port of this machine, which is returned.
    pub fn listen(&self, name: &'static str) -> std::io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let sender = self.sender.clone();
        thread::spawn(move || {
            let mut streams = listener.incoming().flatten();
            while streams.next().is_some_and(|stream| sender.send(Wire::Accepted(name, stream)).is_ok()) {}
        });
        Ok(port)
    }

    /// Reads what comes on a link from now on.
    pub fn open(&mut self, link: LinkId, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reading = stream.try_clone()?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            let mut chunk = vec![0; 16 << 10];
            while let Ok(size @ 1..) = reading.read(&mut chunk) {
                if sender.send(Wire::Bytes(link, chunk[..size].to_vec())).is_err() {
                    return;
                }
            }
            // Nobody hears of it when the role has ended.
            let _ = sender.send(Wire::Closed(link));
        });
        self.streams.insert(link, stream);
        Ok(())
    }

    /// What cannot be written is not missed: the reader says that the link is over.
    pub fn write(&mut self, link: LinkId, bytes: &[u8]) {
        if let Some(stream) = self.streams.get_mut(&link) {
            let _ = stream.write_all(bytes);
        }
    }

    pub fn close(&mut self, link: LinkId) {
        if let Some(stream) = self.streams.remove(&link) {
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    /// The next thing that happens.
    pub fn next(&self, until: Option<Instant>) -> Wire {
        let result = match until {
            Some(at) => self.inbox.recv_timeout(self.clock.until(at)),
            None => self.inbox.recv().map_err(|_| RecvTimeoutError::Timeout),
        };
        result.unwrap_or(Wire::Timeout)
    }
}

/// Tells who has started this process what has happened.
pub fn tell(what: &serde_json::Value) {
    println!("{what}");
}
