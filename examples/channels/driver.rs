//! The whole of a driver: sockets, a clock and threads around the endpoint of a site.
//!
//! One thread runs the endpoint and its application; each link has a thread that reads and one that writes. A reader
//! gets its next credit only when its last chunk has been taken and the link is not paused, so that a paused link fills
//! its socket and no memory. What a writer has not written yet is counted: when it is too much, the endpoint is told
//! that the link is congested, and keeps the rest to itself.

use bytes::BytesMut;
use handover::machine::LinkId;
use handover::repmgr::SiteAddress;
use handover::repmgr::endpoint::{EndpointError, SiteCommand, SiteConfig, SiteEndpoint, SiteEvent, SiteOutput};
use handover::time::{Clock, Instant};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A link with more unwritten bytes than this is congested.
const HIGH: usize = 256 << 10;
/// It is not any more once there are fewer than this.
const LOW: usize = 64 << 10;
/// So many effects are carried out before the driver looks for something else to do.
const TURN: usize = 256;
/// For the operating system to connect; the endpoint has a deadline of its own.
const DIAL: Duration = Duration::from_secs(10);

/// What a site is there for. It runs in the endpoint's thread.
pub trait Application: Send + 'static {
    /// Something has happened.
    fn event(&mut self, site: &mut Hand<'_>, event: SiteEvent);
    /// The endpoint has refused something, by its own fault or a peer's.
    fn error(&mut self, site: &mut Hand<'_>, error: EndpointError);
    /// A link has room again: what was refused for want of it may be offered again.
    fn drained(&mut self, _site: &mut Hand<'_>, _link: LinkId) {}
}

/// A site as its application sees it.
pub struct Hand<'a> {
    endpoint: &'a mut SiteEndpoint,
    now: Instant,
}

impl Hand<'_> {
    pub fn command(&mut self, command: SiteCommand) -> Result<(), EndpointError> {
        self.endpoint.command(self.now, command)
    }

    pub fn endpoint(&self) -> &SiteEndpoint {
        self.endpoint
    }

    pub fn now(&self) -> Instant {
        self.now
    }
}

type Work<A> = Box<dyn FnOnce(&mut Hand<'_>, &mut A) + Send>;

/// What reaches the endpoint's thread.
enum Wire<A> {
    Accepted(TcpStream),
    Connected(LinkId, TcpStream),
    Bytes(LinkId, Vec<u8>),
    Written(LinkId, usize),
    Closed(LinkId),
    Work(Work<A>),
    Quit,
}

/// A running site. Dropping it ends it, and its links with it.
pub struct Site<A> {
    port: u16,
    wires: Sender<Wire<A>>,
    thread: Option<JoinHandle<A>>,
}

impl<A: Application> Site<A> {
    /// Starts a site that listens on a free port of this machine.
    pub fn start(config: SiteConfig, application: A) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (wires, inbox) = channel();
        let (accepted, own) = (wires.clone(), wires.clone());
        // It ends with the process: nothing else wakes it up.
        thread::spawn(move || {
            let mut streams = listener.incoming().flatten();
            while streams.next().is_some_and(|stream| accepted.send(Wire::Accepted(stream)).is_ok()) {}
        });
        let mut driver = Driver {
            endpoint: SiteEndpoint::new(config),
            application,
            clock: Clock::start(),
            wires: own,
            links: HashMap::new(),
            read: None,
        };
        let thread = thread::spawn(move || {
            driver.run(&inbox);
            driver.application
        });
        Ok(Self { port, wires, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Does something in its thread; `None` if it has ended.
    pub fn with<T: Send + 'static>(&self, work: impl FnOnce(&mut Hand<'_>, &mut A) -> T + Send + 'static) -> Option<T> {
        let (reply, answer) = channel();
        let work: Work<A> = Box::new(move |hand, application| drop(reply.send(work(hand, application))));
        self.wires.send(Wire::Work(work)).ok()?;
        answer.recv().ok()
    }

    /// Ends it; gives its application back, unless that has panicked.
    pub fn quit(mut self) -> Option<A> {
        let _ = self.wires.send(Wire::Quit);
        self.thread.take()?.join().ok()
    }
}

impl<A> Drop for Site<A> {
    fn drop(&mut self) {
        let _ = self.wires.send(Wire::Quit);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Link {
    state: LinkState,
    paused: bool,
    congested: bool,
    unwritten: usize,
}

enum LinkState {
    Dialling,
    Open {
        stream: TcpStream,
        credit: Sender<()>,
        writer: Sender<BytesMut>,
    },
    /// Given up by the endpoint. What was written still goes out, until the peer closes too.
    Closing(TcpStream),
}

struct Driver<A> {
    endpoint: SiteEndpoint,
    application: A,
    clock: Clock,
    wires: Sender<Wire<A>>,
    links: HashMap<LinkId, Link>,
    /// Whose chunk was taken.
    read: Option<LinkId>,
}

impl<A: Application> Driver<A> {
    fn run(&mut self, inbox: &Receiver<Wire<A>>) {
        loop {
            // What a site sends to itself never leaves it: such traffic alone could keep this busy for ever.
            let busy = (0..TURN).all(|_| self.endpoint.poll_output().map(|output| self.carry_out(output)).is_some());
            // Credit for the chunk that was taken, unless taking it has paused the link.
            if let Some(link) = self.read.take() {
                self.give_credit(link);
            }
            let wake = self.endpoint.poll_timeout().unwrap_or(Instant::from_micros(u64::MAX));
            let wire = match inbox.try_recv() {
                Ok(wire) => Ok(wire),
                Err(_) if busy && self.clock.until(wake) > Duration::ZERO => continue,
                Err(_) => inbox.recv_timeout(self.clock.until(wake)),
            };
            let now = self.clock.now();
            let result = match wire {
                Ok(Wire::Accepted(stream)) => {
                    let link = self.endpoint.accept(now);
                    self.open(link, stream);
                    Ok(())
                }
                Ok(Wire::Connected(link, stream)) => self.connected(now, link, stream),
                Ok(Wire::Bytes(link, bytes)) if self.is_open(link) => {
                    self.read = Some(link);
                    self.endpoint.received(now, link, &bytes)
                }
                Ok(Wire::Bytes(..)) => Ok(()),
                Ok(Wire::Written(link, size)) => self.written(now, link, size),
                Ok(Wire::Closed(link)) => self.closed(now, link),
                Ok(Wire::Work(work)) => {
                    work(&mut Hand { endpoint: &mut self.endpoint, now }, &mut self.application);
                    Ok(())
                }
                Err(RecvTimeoutError::Timeout) => self.endpoint.timeout(now),
                Ok(Wire::Quit) | Err(RecvTimeoutError::Disconnected) => break,
            };
            self.report(now, result);
        }
        for link in self.links.values() {
            if let LinkState::Open { stream, .. } | LinkState::Closing(stream) = &link.state {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn report(&mut self, now: Instant, result: Result<(), EndpointError>) {
        if let Err(error) = result {
            self.application.error(&mut Hand { endpoint: &mut self.endpoint, now }, error);
        }
    }

    fn carry_out(&mut self, output: SiteOutput) {
        let now = self.clock.now();
        match output {
            SiteOutput::Dial { link, address } => {
                let state = LinkState::Dialling;
                self.links.insert(link, Link { state, paused: false, congested: false, unwritten: 0 });
                dial(link, address, self.wires.clone());
            }
            SiteOutput::Transmit { link, bytes } => {
                let Some(entry) = self.links.get_mut(&link) else { return };
                let LinkState::Open { writer, .. } = &entry.state else { return };
                entry.unwritten += bytes.len();
                // A writer that has ended has told the reader, which tells us.
                let _ = writer.send(bytes);
                if entry.unwritten > HIGH && !entry.congested {
                    entry.congested = true;
                    let result = self.endpoint.congested(now, link);
                    self.report(now, result);
                }
            }
            SiteOutput::Close(link) => {
                if let Some(entry) = self.links.remove(&link)
                    && let LinkState::Open { stream, .. } = entry.state
                {
                    self.links.insert(link, Link { state: LinkState::Closing(stream), ..entry });
                }
            }
            SiteOutput::Pause(link) => drop(self.links.get_mut(&link).map(|entry| entry.paused = true)),
            SiteOutput::Resume(link) => {
                let _ = self.links.get_mut(&link).map(|entry| entry.paused = false);
                self.give_credit(link);
            }
            SiteOutput::Event(event) => {
                self.application.event(&mut Hand { endpoint: &mut self.endpoint, now }, event);
            }
            other => unreachable!("a new kind of output: {other:?}"),
        }
    }

    fn is_open(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|entry| matches!(entry.state, LinkState::Open { .. }))
    }

    fn give_credit(&self, link: LinkId) {
        if let Some(Link { state: LinkState::Open { credit, .. }, paused: false, .. }) = self.links.get(&link) {
            let _ = credit.send(());
        }
    }

    fn connected(&mut self, now: Instant, link: LinkId, stream: TcpStream) -> Result<(), EndpointError> {
        // The endpoint may have given it up meanwhile.
        if self.links.remove(&link).is_none() {
            return Ok(());
        }
        self.open(link, stream);
        self.endpoint.connected(now, link)
    }

    fn written(&mut self, now: Instant, link: LinkId, size: usize) -> Result<(), EndpointError> {
        let Some(entry) = self.links.get_mut(&link) else { return Ok(()) };
        entry.unwritten -= size;
        let drained = entry.congested && entry.unwritten < LOW && matches!(entry.state, LinkState::Open { .. });
        if drained {
            entry.congested = false;
            let result = self.endpoint.drained(now, link);
            self.application.drained(&mut Hand { endpoint: &mut self.endpoint, now }, link);
            return result;
        }
        Ok(())
    }

    fn closed(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        match self.links.remove(&link).map(|entry| entry.state) {
            None => Ok(()),
            Some(LinkState::Closing(stream)) => {
                let _ = stream.shutdown(Shutdown::Both);
                Ok(())
            }
            Some(LinkState::Dialling | LinkState::Open { .. }) => self.endpoint.closed(now, link),
        }
    }

    fn open(&mut self, link: LinkId, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let share = || stream.try_clone().expect("a socket can be shared by a reader and a writer");
        let (credit, credits) = channel();
        let (writer, chunks) = channel();
        let (reading, writing) = (share(), share());
        let (from_reader, from_writer) = (self.wires.clone(), self.wires.clone());
        thread::spawn(move || read(link, reading, &from_reader, &credits));
        thread::spawn(move || write(link, writing, &from_writer, &chunks));
        let state = LinkState::Open { stream, credit, writer };
        self.links.insert(link, Link { state, paused: false, congested: false, unwritten: 0 });
    }
}

fn dial<A: Send + 'static>(link: LinkId, address: SiteAddress, wires: Sender<Wire<A>>) {
    thread::spawn(move || {
        let host = address.host.as_str().unwrap_or_default();
        let first = (host, address.port).to_socket_addrs().ok().and_then(|mut all| all.next());
        let connect = |address: SocketAddr| TcpStream::connect_timeout(&address, DIAL).ok();
        let _ = wires.send(match first.and_then(connect) {
            Some(stream) => Wire::Connected(link, stream),
            None => Wire::Closed(link),
        });
    });
}

fn read<A>(link: LinkId, mut stream: TcpStream, wires: &Sender<Wire<A>>, credits: &Receiver<()>) {
    let mut chunk = vec![0; 64 << 10];
    let mut listening = true;
    while let Ok(size @ 1..) = stream.read(&mut chunk) {
        // Once the endpoint has given the link up, only the peer's end is waited for.
        listening =
            listening && wires.send(Wire::Bytes(link, chunk[..size].to_vec())).is_ok() && credits.recv().is_ok();
    }
    let _ = wires.send(Wire::Closed(link));
}

fn write<A>(link: LinkId, mut stream: TcpStream, wires: &Sender<Wire<A>>, chunks: &Receiver<BytesMut>) {
    for chunk in chunks {
        if stream.write_all(&chunk).is_err() {
            // The reader sees it too, and tells.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
        let _ = wires.send(Wire::Written(link, chunk.len()));
    }
    let _ = stream.shutdown(Shutdown::Write);
}
