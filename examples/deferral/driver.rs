//! The whole of a driver: sockets, a clock and tasks around the endpoints of servers and clients.
//!
//! One task runs a server's endpoint and its application; each link has a task that reads and one that writes. A client
//! is one task with one link. Results are small here, and a writer keeps what its client does not take; the example
//! `channels` shows how a driver says that it is congested.

use crate::ledger::{Ledger, Progress};
use crate::work::{Site, Work, Works, command};
use bytes::BytesMut;
use handover::deferral::client::{Event as ClientEvent, Outcome, Task};
use handover::deferral::endpoint::{
    ClientConfig, ClientEndpoint, ClientOutput, ServerConfig, ServerEndpoint, ServerOutput,
};
use handover::deferral::server::{Config, Event, Input, Job, JobId};
use handover::deferral::{RefusalCode, RequestFlags, ServerUri};
use handover::error::EndpointError;
use handover::frame::Text;
use handover::machine::LinkId;
use handover::time::{Clock, Instant};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// What a server has to do at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub running: usize,
    pub queued: usize,
    pub done: usize,
}

/// What reaches a server's task.
enum Wire {
    Accepted(TcpStream),
    Bytes(LinkId, BytesMut),
    Closed(LinkId),
    /// A job has had its time.
    Done(JobId),
    Command(Input),
    /// All links are to be cut.
    Cut,
}

/// A running server. Dropping it kills it: its links break, and what it carries out ends in the middle.
pub struct Server {
    site: Site,
    wires: mpsc::Sender<Wire>,
    task: JoinHandle<()>,
    load: Arc<Mutex<Load>>,
    ledger: Ledger,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts a server that listens on a free port of this machine. `boot` is greater than at its last start.
    pub async fn start(
        name: char,
        writes: bool,
        configure: impl FnOnce(&Site) -> Config,
        boot: u32,
        works: Works,
        ledger: Ledger,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let site = Site { name, port: listener.local_addr()?.port(), writes };
        let (wires, inbox) = mpsc::channel(256);
        let load = Arc::default();
        let seed = u64::from(u32::from(name));
        let host = Host {
            name,
            endpoint: ServerEndpoint::new(ServerConfig::new(configure(&site), boot), seed),
            random: StdRng::seed_from_u64(seed),
            works,
            clock: Clock::start(),
            wires: wires.clone(),
            links: HashMap::new(),
            jobs: BTreeMap::new(),
            done: 0,
            load: Arc::clone(&load),
            ledger: ledger.clone(),
            tasks: JoinSet::new(),
        };
        let task = tokio::spawn(host.run(listener, inbox));
        Ok(Self { site, wires, task, load, ledger })
    }

    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// Where it is.
    pub fn uri(&self) -> ServerUri {
        self.site.alternate("handover").uri
    }

    pub fn load(&self) -> Load {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells it who else may be asked.
    pub async fn alternates(&self, others: &[&Self]) {
        let others = others.iter().filter(|other| other.site.name != self.site.name);
        let alternates = others.map(|other| other.site.alternate("handover")).collect();
        // A server that has ended needs to know nobody.
        let _ = self.wires.send(Wire::Command(Input::Alternates(alternates))).await;
    }

    /// Cuts all its links.
    pub async fn cut(&self) {
        let _ = self.wires.send(Wire::Cut).await;
    }

    /// Ends it in the middle of what it does.
    pub async fn kill(mut self) {
        self.task.abort();
        // Only now nothing of it runs any more.
        let _ = (&mut self.task).await;
        self.ledger.killed(self.site.name);
    }
}

/// A server's task.
struct Host {
    name: char,
    endpoint: ServerEndpoint,
    random: StdRng,
    works: Works,
    clock: Clock,
    wires: mpsc::Sender<Wire>,
    links: HashMap<LinkId, Line>,
    jobs: BTreeMap<JobId, Box<Job>>,
    done: usize,
    load: Arc<Mutex<Load>>,
    ledger: Ledger,
    /// Readers, writers and jobs; they end with the server.
    tasks: JoinSet<()>,
}

/// A link: what is to be written, and the tasks that read and write.
struct Line {
    writer: Option<mpsc::UnboundedSender<BytesMut>>,
    tasks: [tokio::task::AbortHandle; 2],
}

impl Host {
    async fn run(mut self, listener: TcpListener, mut inbox: mpsc::Receiver<Wire>) {
        loop {
            while let Some(output) = self.endpoint.poll_output() {
                self.carry_out(output);
            }
            self.show_load();
            let wake = self.endpoint.poll_timeout().map(|at| self.clock.until(at));
            let wire = tokio::select! {
                Some(wire) = inbox.recv() => Some(wire),
                Ok((stream, _)) = listener.accept() => Some(Wire::Accepted(stream)),
                Some(_) = self.tasks.join_next() => continue,
                () = sleep(wake) => None,
            };
            let now = self.clock.now();
            let result = match wire {
                None => self.endpoint.timeout(now),
                Some(Wire::Accepted(stream)) => {
                    let link = self.endpoint.accept(now);
                    self.open(link, stream);
                    Ok(())
                }
                Some(Wire::Bytes(link, bytes)) if self.links.contains_key(&link) => {
                    self.endpoint.received(now, link, &bytes)
                }
                Some(Wire::Bytes(..)) => Ok(()),
                Some(Wire::Closed(link)) => self.lost(now, link),
                Some(Wire::Done(job)) => self.finish(now, job),
                Some(Wire::Command(command)) => self.endpoint.command(now, command),
                Some(Wire::Cut) => {
                    let all: Vec<LinkId> = self.links.keys().copied().collect();
                    all.into_iter().try_for_each(|link| self.lost(now, link))
                }
            };
            self.note(result);
        }
    }

    fn note(&self, result: Result<(), EndpointError>) {
        if let Err(error) = result {
            self.ledger.error(format!("server {}: {error}", self.name));
        }
    }

    fn show_load(&self) {
        let server = self.endpoint.server();
        let load = Load { running: server.running(), queued: server.queued(), done: self.done };
        *self.load.lock().unwrap_or_else(PoisonError::into_inner) = load;
    }

    fn open(&mut self, link: LinkId, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        // A server that is killed takes what it has not written with it.
        let _ = stream.set_zero_linger();
        let (reading, writing) = stream.into_split();
        let (writer, chunks) = mpsc::unbounded_channel();
        let reader = self.tasks.spawn(read(link, reading, self.wires.clone()));
        let written = self.tasks.spawn(write(writing, chunks));
        self.links.insert(link, Line { writer: Some(writer), tasks: [reader, written] });
    }

    /// The link is no more: not for the client either.
    fn lost(&mut self, now: Instant, link: LinkId) -> Result<(), EndpointError> {
        let Some(line) = self.links.remove(&link) else { return Ok(()) };
        line.tasks.iter().for_each(tokio::task::AbortHandle::abort);
        self.endpoint.closed(now, link)
    }

    fn carry_out(&mut self, output: ServerOutput) {
        match output {
            ServerOutput::Transmit { link, bytes } => {
                if let Some(Line { writer: Some(writer), .. }) = self.links.get(&link) {
                    // A writer that has ended has lost its client, which the reader tells.
                    let _ = writer.send(bytes);
                }
            }
            ServerOutput::Close(link) => {
                // What waits is written; the client closes too.
                if let Some(line) = self.links.get_mut(&link) {
                    line.writer = None;
                }
            }
            ServerOutput::Event(Event::Execute(job)) => self.begin(job),
            ServerOutput::Event(Event::Abandoned(id)) => self.abandoned(id),
            other => unreachable!("a new kind of output: {other:?}"),
        }
    }

    fn begin(&mut self, job: Box<Job>) {
        let Some(work) = Work::find(self.works, job.command.name.as_str()) else {
            let text = Text::fitting("no such command");
            let refused = Input::Refuse { job: job.id, code: RefusalCode::BAD_REQUEST, text };
            let result = self.endpoint.command(self.clock.now(), refused);
            return self.note(result);
        };
        // Whether it changes anything is what the command says, and nobody else.
        let read_only = work.read_only;
        if read_only != job.flags.contains(RequestFlags::READ_ONLY) {
            self.ledger.error(format!("server {}: {} is not what its client thinks", self.name, work.name));
        }
        self.ledger.begin(self.name, job.key, read_only);
        let (id, time, wires) = (job.id, work.time(), self.wires.clone());
        self.jobs.insert(id, job);
        self.tasks.spawn(async move {
            tokio::time::sleep(time).await;
            let _ = wires.send(Wire::Done(id)).await;
        });
    }

    /// Nobody wants the result: what changes nothing need not go on.
    fn abandoned(&mut self, id: JobId) {
        let harmless = |job: &Job| job.flags.contains(RequestFlags::READ_ONLY);
        if self.jobs.get(&id).is_some_and(|job| harmless(job)) {
            let Some(job) = self.jobs.remove(&id) else { return };
            self.ledger.end(self.name, job.key, Progress::Dropped);
            let end = Input::End { job: id, status: 1, text: Text::EMPTY };
            let result = self.endpoint.command(self.clock.now(), end);
            self.note(result);
        }
    }

    fn finish(&mut self, now: Instant, id: JobId) -> Result<(), EndpointError> {
        // One that was dropped may still have its time.
        let Some(job) = self.jobs.remove(&id) else { return Ok(()) };
        let Some(work) = Work::find(self.works, job.command.name.as_str()) else { return Ok(()) };
        self.ledger.end(self.name, job.key, Progress::Finished);
        self.done += 1;
        if let Some(next) = work.next {
            let read_only = Work::find(self.works, next).is_some_and(|next| next.read_only);
            let (next, random) = (command(next, job.command.arguments), self.random.r#gen());
            return self.endpoint.command(now, Input::Continue { job: id, next, read_only, random });
        }
        let bytes = work.result(&job.command.arguments);
        self.endpoint.command(now, Input::Data { job: id, bytes })?;
        self.endpoint.command(now, Input::End { job: id, status: 0, text: Text::EMPTY })
    }
}

/// Sleeps; for ever, if there is nothing to wake up for.
async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn read(link: LinkId, mut stream: OwnedReadHalf, wires: mpsc::Sender<Wire>) {
    let mut chunk = BytesMut::with_capacity(16 << 10);
    // The next chunk is read when there is room for this one.
    while let Ok(1..) = stream.read_buf(&mut chunk).await {
        if wires.send(Wire::Bytes(link, chunk.split())).await.is_err() {
            return;
        }
        chunk.reserve(4 << 10);
    }
    let _ = wires.send(Wire::Closed(link)).await;
}

async fn write(mut stream: OwnedWriteHalf, mut chunks: mpsc::UnboundedReceiver<BytesMut>) {
    while let Some(chunk) = chunks.recv().await {
        if stream.write_all(&chunk).await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

/// What a client's user sees.
pub enum Sight<'a> {
    /// A server is dialled.
    Dials(&'a ServerUri),
    /// Something has happened.
    Event(&'a ClientEvent),
    /// A server has sent what it may not, or a link could not carry what it should.
    Error(&'a EndpointError),
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A client's only link.
enum Contact {
    None,
    Dialling(LinkId, Connecting),
    Open(LinkId, TcpStream),
}

enum Seen {
    Connected(TcpStream),
    Bytes,
    Closed,
    Timeout,
}

/// One command on its walk. Shows what happens to the user, who says whether to wait if that is asked.
pub async fn walk(
    config: ClientConfig,
    task: Task,
    mut user: impl FnMut(Sight<'_>) -> bool + Send,
) -> Result<Outcome, String> {
    let clock = Clock::start();
    let mut endpoint = ClientEndpoint::new(config, task, clock.now()).map_err(|error| error.to_string())?;
    let mut contact = Contact::None;
    let mut buffer = BytesMut::with_capacity(4 << 10);
    loop {
        while let Some(output) = endpoint.poll_output() {
            match output {
                ClientOutput::Dial { link, server } => {
                    let address = (server.host().to_owned(), server.port());
                    contact = Contact::Dialling(link, Box::pin(TcpStream::connect(address)));
                    user(Sight::Dials(&server));
                }
                ClientOutput::Transmit { bytes, .. } => {
                    // One that cannot be written to cannot be read from either.
                    if let Contact::Open(_, stream) = &mut contact {
                        let _ = stream.write_all(&bytes).await;
                    }
                }
                ClientOutput::Close(_) => contact = Contact::None,
                ClientOutput::Event(ClientEvent::Ended(outcome)) => return Ok(outcome),
                ClientOutput::Event(event) => {
                    let asks = matches!(event, ClientEvent::AskWait { .. });
                    let wait = user(Sight::Event(&event));
                    if asks {
                        endpoint.wait(clock.now(), wait).map_err(|error| error.to_string())?;
                    }
                }
                other => unreachable!("a new kind of output: {other:?}"),
            }
        }
        let wake = endpoint.poll_timeout().map(|at| clock.until(at));
        let seen = tokio::select! {
            seen = look(&mut contact, &mut buffer) => seen,
            () = sleep(wake) => Seen::Timeout,
        };
        let now = clock.now();
        let link = match &contact {
            Contact::None => None,
            Contact::Dialling(link, _) | Contact::Open(link, _) => Some(*link),
        };
        let result = match (seen, link) {
            (Seen::Connected(stream), Some(link)) => {
                let _ = stream.set_nodelay(true);
                contact = Contact::Open(link, stream);
                endpoint.connected(now, link)
            }
            (Seen::Bytes, Some(link)) => endpoint.received(now, link, &buffer.split()),
            (Seen::Closed, Some(link)) => {
                contact = Contact::None;
                endpoint.closed(now, link)
            }
            _ => endpoint.timeout(now),
        };
        if let Err(error) = result {
            user(Sight::Error(&error));
        }
    }
}

/// Waits for something on the link.
async fn look(contact: &mut Contact, buffer: &mut BytesMut) -> Seen {
    match contact {
        Contact::None => std::future::pending().await,
        Contact::Dialling(_, connecting) => match connecting.await {
            Ok(stream) => Seen::Connected(stream),
            Err(_) => Seen::Closed,
        },
        Contact::Open(_, stream) => match stream.read_buf(buffer).await {
            Ok(1..) => Seen::Bytes,
            _ => Seen::Closed,
        },
    }
}
