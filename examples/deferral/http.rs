//! Servers of the historical protocol: HTTP by hyper, decisions by the same machine that serves the native one.
//!
//! What the original client sends is served: an absolute target, no Host, one byte a segment. What hyper does not let
//! in, and answers with an error: a command with a blank, a control character, `<`, `>`, a backtick, or bytes that are no
//! UTF-8 in its name, which all stand raw in the target; and a target of more than 65 534 bytes, with a large `.csf` file.
//! What stands behind a `#` is lost; in a command's name, that leaves no call. The original takes an error for a dead
//! server.

use crate::work::{Site, Work, Works, command, request_id};
use bytes::{Bytes, BytesMut};
use handover::deferral::message::{Alternate, Defer, Message, Request, RequestKey};
use handover::deferral::server::{Event, Input, Job, JobId, Output, Server};
use handover::deferral::text::{CONTENT_TYPE, Call, Directive, Redirect, RedirectKind};
use handover::deferral::{DeferKind, RefusalCode, RequestFlags};
use handover::frame::Text;
use handover::machine::{LinkId, Machine as _};
use handover::time::Clock;
use handover::wire::Encode as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE as TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc as sync};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// For a request to arrive.
const READ: Duration = Duration::from_secs(30);
/// Whoever would wait for longer is sent on.
const PATIENCE: Duration = Duration::from_millis(200);

/// What reaches a server's task.
enum Wire {
    Call(LinkId, Box<Call>, oneshot::Sender<Bytes>),
    /// The client has gone.
    Gone(LinkId),
    /// A job has had its time.
    Done(JobId),
}

#[derive(Default)]
struct Load {
    running: AtomicUsize,
    queued: AtomicUsize,
}

/// Servers in a thread of their own, which name each other. Dropping them ends them.
pub struct Servers {
    ports: Vec<u16>,
    loads: Vec<Arc<Load>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Servers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Servers {
    /// Starts a server for each port; the first one writes, too. Port 0 is any that is free.
    pub fn start(ports: &[u16], works: Works, printed: bool) -> io::Result<Self> {
        let listeners = ports.iter().map(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)));
        let listeners = listeners.collect::<io::Result<Vec<_>>>()?;
        let mut sites = Vec::new();
        for (name, listener) in ('A'..).zip(&listeners) {
            listener.set_nonblocking(true)?;
            sites.push(Site { name, port: listener.local_addr()?.port(), writes: name == 'A' });
        }
        let loads: Vec<Arc<Load>> = sites.iter().map(|_| Arc::default()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let ports = sites.iter().map(|site| site.port).collect();
        let (each, (started, ready)) = (loads.clone(), sync::channel());
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                for ((site, listener), load) in sites.iter().zip(listeners).zip(each) {
                    let (wires, inbox) = mpsc::unbounded_channel();
                    let host = Host::new(site, &sites, works, printed, load, wires.clone());
                    match TcpListener::from_std(listener) {
                        Ok(listener) => drop(tokio::spawn(listen(listener, wires))),
                        Err(error) => return drop(started.send(Err(error))),
                    }
                    tokio::spawn(host.run(inbox));
                }
                let _ = started.send(Ok(()));
                let _ = stopped.await;
            });
        });
        ready.recv().unwrap_or_else(|_| Err(io::Error::other("the servers' thread has ended")))?;
        Ok(Self { ports, loads, stop: Some(stop), thread: Some(thread) })
    }

    /// Where they listen.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// How many commands a server carries out at the moment, and how many wait in its line.
    #[allow(dead_code, reason = "tests ask")]
    pub fn load(&self, index: usize) -> (usize, usize) {
        let Load { running, queued } = &*self.loads[index];
        (running.load(Ordering::Relaxed), queued.load(Ordering::Relaxed))
    }

    /// Waits until they end, which is when the process is ended.
    #[allow(dead_code, reason = "tests drop them")]
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Takes connections, each with one request.
async fn listen(listener: TcpListener, wires: mpsc::UnboundedSender<Wire>) {
    let mut last = 0_u32;
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No more sockets for now, say: that passes.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        last = last.wrapping_add(1);
        let (link, wires) = (LinkId(last), wires.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| answer(link, request, wires.clone()));
            let mut http = hyper::server::conn::http1::Builder::new();
            let http = http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(READ);
            // What is malformed is answered by hyper, and no business of the machine.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Says that the client has gone, if it goes before it is answered.
struct Presence {
    link: LinkId,
    wires: mpsc::UnboundedSender<Wire>,
    answered: bool,
}

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.answered {
            // A server that has ended need not know.
            let _ = self.wires.send(Wire::Gone(self.link));
        }
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    link: LinkId,
    request: hyper::Request<Incoming>,
    wires: mpsc::UnboundedSender<Wire>,
) -> Result<Answer, Infallible> {
    if request.method() != Method::GET {
        let mut wrong = error(StatusCode::METHOD_NOT_ALLOWED, "only GET is served");
        wrong.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return Ok(wrong);
    }
    // As it came, absolute or not; only what stands behind a `#` is missing.
    let target = request.uri().to_string();
    let call = match Call::parse(target.as_bytes()) {
        Ok(call) => Box::new(call),
        Err(wrong) => return Ok(error(StatusCode::BAD_REQUEST, &wrong.to_string())),
    };
    let (reply, answer) = oneshot::channel();
    let mut presence = Presence { link, wires, answered: false };
    if presence.wires.send(Wire::Call(link, call, reply)).is_err() {
        return Ok(error(StatusCode::SERVICE_UNAVAILABLE, "the server has ended"));
    }
    let Ok(body) = answer.await else {
        return Ok(error(StatusCode::INTERNAL_SERVER_ERROR, "the server has no answer"));
    };
    presence.answered = true;
    // The whole answer at once and with its length: the original takes one that is cut for success.
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(TYPE, HeaderValue::from_static(CONTENT_TYPE));
    Ok(response)
}

fn error(status: StatusCode, text: &str) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// A client that waits for its answer.
struct Waiting {
    directives: Vec<Directive>,
    reply: oneshot::Sender<Bytes>,
}

/// A server's task.
struct Host {
    site: Site,
    server: Server,
    random: StdRng,
    works: Works,
    printed: bool,
    clock: Clock,
    load: Arc<Load>,
    wires: mpsc::UnboundedSender<Wire>,
    links: HashMap<LinkId, Waiting>,
    jobs: BTreeMap<JobId, Box<Job>>,
}

impl Host {
    fn new(
        site: &Site,
        sites: &[Site],
        works: Works,
        printed: bool,
        load: Arc<Load>,
        wires: mpsc::UnboundedSender<Wire>,
    ) -> Self {
        let mut config = site.config(1, Duration::from_millis(300), PATIENCE);
        let others = sites.iter().filter(|other| other.name != site.name);
        config.alternates = others.map(|other| other.alternate("http")).collect();
        Self {
            site: site.clone(),
            server: Server::new(config),
            // Two requests never have the same id, here or elsewhere.
            random: StdRng::from_entropy(),
            works,
            printed,
            clock: Clock::start(),
            load,
            wires,
            links: HashMap::new(),
            jobs: BTreeMap::new(),
        }
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Wire>) {
        loop {
            while let Some(output) = self.server.poll_output() {
                match output {
                    Output::Send { link, message } => self.say(link, message),
                    Output::Event(Event::Execute(job)) => self.begin(job),
                    // It goes on: who is gone cannot come again, and nobody else waits for it.
                    Output::Event(_) | Output::Close(_) => {}
                    other => unreachable!("a new kind of output: {other:?}"),
                }
            }
            self.load.running.store(self.server.running(), Ordering::Relaxed);
            self.load.queued.store(self.server.queued(), Ordering::Relaxed);
            let wake = self.server.poll_timeout().map(|at| self.clock.until(at));
            let wire = tokio::select! {
                wire = inbox.recv() => wire,
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => {
                    self.feed(Input::Timeout);
                    continue;
                }
            };
            match wire {
                Some(Wire::Call(link, call, reply)) => self.ask(link, *call, reply),
                Some(Wire::Gone(link)) => {
                    self.print(link, "gone");
                    self.links.remove(&link);
                    self.feed(Input::Closed(link));
                }
                Some(Wire::Done(job)) => self.finish(job),
                None => return,
            }
        }
    }

    fn feed(&mut self, input: Input) {
        if let Err(error) = self.server.handle(self.clock.now(), input) {
            eprintln!("server {}: {error}", self.site.name);
        }
    }

    fn print(&self, link: LinkId, what: &str) {
        if self.printed {
            // What a client has sent is not let loose on a terminal.
            let shown: String = what.chars().map(|one| if one.is_control() { '?' } else { one }).collect();
            println!(
                "{:>10.3} s  {} #{:<4} {shown}",
                self.clock.now().as_micros() as f64 / 1e6,
                self.site.name,
                link.0
            );
        }
    }

    /// A call is a request; who may not be sent on has priority.
    fn ask(&mut self, link: LinkId, call: Call, reply: oneshot::Sender<Bytes>) {
        let name = call.command().map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
        let flag = if call.allow_redirect { "T" } else { "NIL" };
        self.print(link, &format!("-> {name} {:?}, ALLOW-REDIRECT={flag}", call.arguments));
        self.links.insert(link, Waiting { directives: Vec::new(), reply });
        let Some(work) = Work::find(self.works, &name) else {
            let names: Vec<&str> = self.works.iter().map(|work| work.name).collect();
            let text = format!("{name}: no such command; there are {}", names.join(", "));
            return self
                .answer(link, [Directive::Display(text.into()), Directive::Return(failed(RefusalCode::BAD_REQUEST))]);
        };
        let key = RequestKey { id: request_id(self.random.r#gen()), epoch: 0 };
        let mut request = Request::new(key, command(work.name, call.arguments));
        request.flags.set(RequestFlags::READ_ONLY, work.read_only);
        request.flags.set(RequestFlags::PRIORITY, !call.allow_redirect);
        let (message, random) = (Message::Request(Box::new(request)), self.random.r#gen());
        self.feed(Input::Message { link, message, random });
    }

    fn begin(&mut self, job: Box<Job>) {
        let time = Work::find(self.works, job.command.name.as_str()).map_or(Duration::ZERO, Work::time);
        let (id, wires) = (job.id, self.wires.clone());
        self.jobs.insert(id, job);
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let _ = wires.send(Wire::Done(id));
        });
    }

    fn finish(&mut self, id: JobId) {
        let Some(job) = self.jobs.remove(&id) else { return };
        let Some(work) = Work::find(self.works, job.command.name.as_str()) else { return };
        let arguments = job.command.arguments;
        self.feed(Input::Data { job: id, bytes: work.result(&arguments) });
        if let Some(next) = work.next {
            let read_only = Work::find(self.works, next).is_some_and(|next| next.read_only);
            let random = self.random.r#gen();
            return self.feed(Input::Continue { job: id, next: command(next, arguments), read_only, random });
        }
        self.feed(Input::End { job: id, status: 0, text: Text::EMPTY });
    }

    /// What the machine says, in the words of the historical protocol.
    fn say(&mut self, link: LinkId, message: Message) {
        match message {
            Message::Queued(queued) => {
                let time = queued.estimate_ms.map_or(String::new(), |ms| format!(", about {ms} ms"));
                let text = format!("You stood in line behind {}{time}.", queued.position);
                self.put(link, Directive::Display(text.into()));
            }
            Message::Data(data) => self.put(link, Directive::Display(data.bytes)),
            Message::End(end) => self.answer(link, [Directive::Return(end.status)]),
            Message::Defer(defer) => {
                let redirect = self.redirect(*defer);
                self.answer(link, [Directive::Redirect(redirect)]);
            }
            // Others may have room: to be busy is all that can be said of it.
            Message::Refused(refused) if matches!(refused.code, RefusalCode::OVERLOADED | RefusalCode::DEADLINE) => {
                let redirect = Redirect { kind: RedirectKind::Busy, path: None, servers: Vec::new() };
                self.answer(link, [Directive::Redirect(redirect)]);
            }
            Message::Refused(refused) => {
                let text = format!("Refused: {}", refused.code);
                self.answer(link, [Directive::Display(text.into()), Directive::Return(failed(refused.code))]);
            }
            _ => {}
        }
    }

    fn redirect(&self, defer: Defer) -> Redirect {
        let url = |one: &Alternate| Bytes::from(format!("{}/", one.uri));
        // The original asks the last one first.
        let mut servers: Vec<Bytes> = defer.alternates.iter().rev().map(url).collect();
        let kind = match defer.kind {
            DeferKind::NO_SERVICE => RedirectKind::NoService,
            DeferKind::CONTINUE => RedirectKind::Continue,
            DeferKind::PREFER_OTHER => RedirectKind::ReadOnly,
            _ => RedirectKind::Busy,
        };
        if kind == RedirectKind::Continue {
            // Who is not in the list would be asked before all that are.
            servers.insert(0, url(&self.site.alternate("http")));
        }
        let path = defer.next.map(|next| Bytes::from(format!("csf/command/{}", next.name.as_str())));
        Redirect { kind, path, servers }
    }

    fn put(&mut self, link: LinkId, directive: Directive) {
        if let Some(waiting) = self.links.get_mut(&link) {
            waiting.directives.push(directive);
        }
    }

    /// The last of what is said to a client.
    fn answer(&mut self, link: LinkId, last: impl IntoIterator<Item = Directive>) {
        last.into_iter().for_each(|directive| self.put(link, directive));
        let Some(Waiting { directives, reply }) = self.links.remove(&link) else { return };
        let mut body = BytesMut::new();
        for directive in directives {
            if let Err(error) = directive.encode_to(&mut body) {
                eprintln!("server {}: {error}", self.site.name);
            }
        }
        for line in String::from_utf8_lossy(&body).lines() {
            self.print(link, &format!("<- {line}"));
        }
        // A client that has gone needs no answer.
        let _ = reply.send(body.freeze());
    }
}

/// A status that is an error to the original.
fn failed(code: RefusalCode) -> i32 {
    10_000 + i32::from(code.0)
}
