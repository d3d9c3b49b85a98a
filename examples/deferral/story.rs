//! The three scenarios of ChangeSafe's design, told step by step.

use crate::driver::{Server, Sight, walk};
use crate::ledger::{Ledger, Report};
use crate::visit::Visit;
use crate::work::{SLOW, Site, request_id};
use handover::deferral::ServerUri;
use handover::deferral::client::{Event, Outcome};
use handover::deferral::endpoint::ClientConfig;
use handover::time::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Whoever would wait for longer is sent on.
const PATIENCE: Duration = Duration::from_millis(200);

/// What has happened to whom, in order.
#[derive(Clone)]
pub struct Story {
    clock: Clock,
    printed: bool,
    lines: Arc<Mutex<Vec<(String, String)>>>,
}

impl Story {
    pub fn new(printed: bool) -> Self {
        Self { clock: Clock::start(), printed, lines: Arc::default() }
    }

    fn title(&self, title: &str) {
        if self.printed {
            println!("\n{title}");
        }
    }

    fn tell(&self, who: &str, what: String) {
        if self.printed {
            println!("{:>9.1} ms  {who:<10} {what}", self.clock.now().as_micros() as f64 / 1000.0);
        }
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push((who.to_owned(), what));
    }

    /// What has happened to somebody.
    #[allow(dead_code, reason = "tests ask")]
    pub fn of(&self, who: &str) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|(whom, _)| whom == who).map(|(_, what)| what.clone()).collect()
    }
}

/// Three servers, and clients that know but the first.
struct Stage {
    story: Story,
    ledger: Ledger,
    servers: Vec<Server>,
}

impl Stage {
    async fn new(story: &Story, ledger: &Ledger) -> std::io::Result<Self> {
        let mut servers = Vec::new();
        for (name, writes) in [('A', true), ('B', false), ('C', false)] {
            let configure = |site: &Site| site.config(1, Duration::from_millis(300), PATIENCE);
            servers.push(Server::start(name, writes, configure, 1, SLOW, ledger.clone()).await?);
        }
        let all: Vec<&Server> = servers.iter().collect();
        for server in &servers {
            server.alternates(&all).await;
        }
        Ok(Self { story: story.clone(), ledger: ledger.clone(), servers })
    }

    /// A client sets out for one server. Its policy allows it to follow to others on the same host.
    fn client(&self, who: &'static str, name: &'static str, to: usize) -> Client {
        let (story, ledger) = (self.story.clone(), self.ledger.clone());
        let id = request_id(ledger.progress().0 as u128);
        let mut visit = Visit::new(SLOW, id, name, who.into());
        let task = visit.task(vec![self.servers[to].uri()]);
        let names: Vec<(ServerUri, char)> =
            self.servers.iter().map(|server| (server.uri(), server.site().name)).collect();
        let (begun, executing) = oneshot::channel();
        ledger.ask();
        story.tell(who, format!("wants {name}"));
        let ended = tokio::spawn(async move {
            let name = |uri: &ServerUri| names.iter().find(|(known, _)| known == uri).map_or('?', |(_, name)| *name);
            let mut begun = Some(begun);
            let user = |sight: Sight<'_>| {
                visit.see(&sight);
                match &sight {
                    Sight::Event(Event::Executing(_)) => drop(begun.take().map(|begun| begun.send(()))),
                    Sight::Error(error) => ledger.error(error.to_string()),
                    _ => {}
                }
                story.tell(who, describe(&sight, name));
                true
            };
            let outcome = walk(ClientConfig::default(), task, user).await;
            let end = match &outcome {
                Ok(Outcome::Done { server, .. }) => format!("is done, by {}", name(server)),
                other => format!("{other:?}"),
            };
            story.tell(who, end);
            ledger.ended(visit.end(outcome, name, Vec::new()));
        });
        Client { executing, ended }
    }
}

struct Client {
    executing: oneshot::Receiver<()>,
    ended: JoinHandle<()>,
}

impl Client {
    /// Waits until its command is carried out.
    async fn begun(&mut self) -> Result<(), String> {
        (&mut self.executing).await.map_err(|_| "a client has ended before its time".to_owned())
    }

    async fn end(self) -> Result<(), String> {
        self.ended.await.map_err(|error| error.to_string())
    }
}

fn describe(sight: &Sight<'_>, name: impl Fn(&ServerUri) -> char) -> String {
    let about =
        |time: &Option<Duration>| time.map_or("no idea".to_owned(), |time| format!("about {} ms", time.as_millis()));
    match sight {
        Sight::Dials(server) => format!("asks {}", name(server)),
        Sight::Event(Event::Deferred { server, kind, .. }) => format!("{} says {kind}", name(server)),
        Sight::Event(Event::AskWait { busy, estimate }) => {
            format!("all {busy} are busy: wait, {}? Yes", about(estimate))
        }
        Sight::Event(Event::Queued { server, position, estimate }) => {
            format!("stands in {}'s line, behind {position}, {}", name(server), about(estimate))
        }
        Sight::Event(Event::Executing(server)) => format!("{} carries it out", name(server)),
        Sight::Event(Event::Data(piece)) => format!("gets \"{}\"", String::from_utf8_lossy(&piece.0)),
        Sight::Event(Event::Continued(next)) => format!("is to go on with {}", next.name.as_str()),
        Sight::Event(event) => format!("{event:?}"),
        Sight::Error(error) => error.to_string(),
    }
}

/// Tells all three; says what the servers have carried out.
pub async fn run(story: &Story) -> Result<Report, String> {
    let ledger = Ledger::default();
    everybody_busy(&Stage::new(story, &ledger).await.map_err(|error| error.to_string())?).await?;
    elsewhere(&Stage::new(story, &ledger).await.map_err(|error| error.to_string())?).await?;
    two_commands(&Stage::new(story, &ledger).await.map_err(|error| error.to_string())?).await?;
    let report = ledger.report();
    report.problem().map_or(Ok(report), Err)
}

/// Who has been round the block is not sent on again.
async fn everybody_busy(stage: &Stage) -> Result<(), String> {
    stage.story.title("1. Everybody is busy: a line, and priority");
    let mut busy = Vec::new();
    for (who, name, to) in [("anna", "cset_close", 0), ("bert", "ws_sync", 1), ("cleo", "ws_sync", 2)] {
        let mut client = stage.client(who, name, to);
        client.begun().await?;
        busy.push(client);
    }
    // Nobody else is able to, so it stands in line at once.
    busy.push(stage.client("dora", "cset_close", 0));
    while stage.servers[0].load().queued == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    busy.push(stage.client("emil", "help", 0));
    for client in busy {
        client.end().await?;
    }
    Ok(())
}

/// Who is busy names others.
async fn elsewhere(stage: &Stage) -> Result<(), String> {
    stage.story.title("2. One is busy: the same elsewhere");
    let mut anna = stage.client("anna", "cset_close", 0);
    anna.begun().await?;
    let finn = stage.client("finn", "help", 0);
    finn.end().await?;
    anna.end().await
}

/// What changes something goes to who may; the rest, which takes long, to somebody else.
async fn two_commands(stage: &Stage) -> Result<(), String> {
    stage.story.title("3. A workspace is created: a short change here, a long look elsewhere");
    stage.client("gina", "ws_create", 0).end().await
}
