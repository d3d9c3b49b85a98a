//! More clients than the servers can serve, and servers that come and go.

use crate::driver::{Load, Server, Sight, walk};
use crate::ledger::{Ledger, Report};
use crate::visit::Visit;
use crate::work::{QUICK, Site, request_id};
use bytes::Bytes;
use handover::deferral::client::Event;
use handover::deferral::endpoint::ClientConfig;
use handover::deferral::{RequestId, ServerUri, server};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// For the last of them to be through: ample, it is a matter of seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many clients come, and when.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    /// For how long, in ms, and how many come in a second.
    pub phases: [(u64, u64); 3],
    /// When all links are cut, D joins, and A is killed, in ms.
    pub cut: u64,
    pub joins: u64,
    pub killed: u64,
    pub printed: bool,
}

impl Plan {
    /// A few seconds.
    pub const WHOLE: Self = Self {
        seed: 4,
        phases: [(1000, 100), (1500, 500), (1500, 100)],
        cut: 1300,
        joins: 1500,
        killed: 2000,
        printed: true,
    };
}

/// Names of servers by where they are; clients learn of new ones on their way.
type Names = Arc<Mutex<BTreeMap<ServerUri, char>>>;

fn configure(site: &Site) -> server::Config {
    // Who writes has enough to do with it, and leaves to the others what they can do.
    let slots = if site.writes { 1 } else { 2 };
    let mut config = site.config(slots, Duration::from_millis(10), Duration::from_millis(50));
    config.prefer_readers = true;
    config
}

struct Crowd {
    plan: Plan,
    ledger: Ledger,
    names: Names,
    servers: BTreeMap<char, Server>,
    since: Instant,
}

impl Crowd {
    async fn add(&mut self, name: char, writes: bool) -> Result<(), String> {
        let server = Server::start(name, writes, configure, 1, QUICK, self.ledger.clone());
        let server = server.await.map_err(|error| error.to_string())?;
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(server.uri(), name);
        self.servers.insert(name, server);
        self.introduce().await;
        Ok(())
    }

    /// Everybody learns of everybody.
    async fn introduce(&self) {
        let all: Vec<&Server> = self.servers.values().collect();
        for server in &all {
            server.alternates(&all).await;
        }
    }

    fn note(&self, what: &str) {
        if self.plan.printed {
            println!("{:>6} ms  -- {what}", self.since.elapsed().as_millis());
        }
    }

    fn show(&self) {
        if self.plan.printed {
            let (asked, through) = self.ledger.progress();
            let each: String = ['A', 'B', 'C', 'D'].map(|name| self.column(name)).concat();
            println!("{:>6} ms  {:>8}{:>8}   {each}", self.since.elapsed().as_millis(), asked, asked - through);
        }
    }

    fn column(&self, name: char) -> String {
        let load = self.servers.get(&name).map(Server::load);
        load.map_or_else(
            || format!("{:>6}{:>6}{:>6}  ", "-", "-", "-"),
            |Load { running, queued, done }| format!("{running:>6}{queued:>6}{done:>6}  "),
        )
    }
}

/// When each client comes: the time between two is random, and as long as it should be in the mean.
fn arrivals(plan: &Plan, random: &mut StdRng) -> Vec<Duration> {
    let mut arrivals = Vec::new();
    let (mut at, mut end) = (0.0, 0.0);
    for (millis, a_second) in plan.phases {
        end += millis as f64;
        while at < end {
            arrivals.push(Duration::from_secs_f64(at / 1000.0));
            at -= f64::ln(1.0 - random.r#gen::<f64>()) * 1000.0 / a_second as f64;
        }
    }
    arrivals
}

/// Runs it all, and counts.
pub async fn run(plan: Plan) -> Result<Report, String> {
    let ledger = Ledger::default();
    let since = Instant::now();
    let mut crowd = Crowd { plan, ledger: ledger.clone(), names: Names::default(), servers: BTreeMap::new(), since };
    for (name, writes) in [('A', true), ('B', false), ('C', false)] {
        crowd.add(name, writes).await?;
    }
    // A client knows two, so that it need not give up when one of them is dead.
    let known = ['A', 'B'].map(|name| crowd.servers[&name].uri()).to_vec();
    if plan.printed {
        let each: String = ["A (rw)", "B", "C", "D (rw)"].map(|name| format!("{name:>18}  ")).concat();
        println!("{:>9}  {:>8}{:>8}   {each}", "", "", "under");
        let each = format!("{:>6}{:>6}{:>6}  ", "runs", "line", "done").repeat(4);
        println!("{:>9}  {:>8}{:>8}   {each}", "time", "asked", "way");
    }
    let mut random = StdRng::seed_from_u64(plan.seed);
    let mut arrivals = arrivals(&plan, &mut random).into_iter().peekable();
    let mut clients = JoinSet::new();
    let mut notes =
        [(plan.cut, Turn::Cut), (plan.joins, Turn::Joins), (plan.killed, Turn::Killed)].into_iter().peekable();
    let mut tick = 0;
    let turn = Duration::from_millis(250);
    // Whatever is due next: a row, a turn of events, a client.
    while arrivals.peek().is_some() || notes.peek().is_some() || !clients.is_empty() {
        if since.elapsed() > PATIENCE {
            break;
        }
        let row = turn * tick;
        let note = notes.peek().map(|(at, _)| Duration::from_millis(*at));
        let next = arrivals.peek().copied().into_iter().chain(note).chain([row]).min().unwrap_or(row);
        tokio::time::sleep(next.saturating_sub(since.elapsed())).await;
        if next == row {
            crowd.show();
            tick += 1;
        } else if Some(next) == note {
            match notes.next() {
                Some((_, Turn::Cut)) => {
                    crowd.note("all links are cut; the servers go on");
                    for server in crowd.servers.values() {
                        server.cut().await;
                    }
                }
                Some((_, Turn::Joins)) => {
                    crowd.note("D joins, and writes too; the others learn of it");
                    crowd.add('D', true).await?;
                }
                Some((_, Turn::Killed)) => {
                    crowd.note("A is killed");
                    if let Some(a) = crowd.servers.remove(&'A') {
                        a.kill().await;
                    }
                    crowd.introduce().await;
                }
                None => {}
            }
        } else {
            arrivals.next();
            let (id, which) = (request_id(random.r#gen()), random.gen_range(0..4));
            // Half of them look, the others change something.
            let name = ["help", "help", "cset_close", "ws_create"][which];
            clients.spawn(client(id, name, known.clone(), Arc::clone(&crowd.names), ledger.clone()));
        }
        while clients.try_join_next().is_some() {}
    }
    crowd.show();
    // What runs for nobody any more ends by itself.
    let idle = |server: &Server| server.load().running == 0;
    while !crowd.servers.values().all(idle) && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(ledger.report())
}

/// What happens on the way.
enum Turn {
    Cut,
    Joins,
    Killed,
}

async fn client(id: RequestId, name: &'static str, known: Vec<ServerUri>, names: Names, ledger: Ledger) {
    let mut visit = Visit::new(QUICK, id, name, Bytes::from(id.to_string()));
    let task = visit.task(known);
    let mut config = ClientConfig::default();
    config.client.wait_unasked = true;
    let name = |uri: &ServerUri| names.lock().unwrap_or_else(PoisonError::into_inner).get(uri).copied().unwrap_or('?');
    let mut steps: Vec<String> = Vec::new();
    ledger.ask();
    let user = |sight: Sight<'_>| {
        visit.see(&sight);
        let said = match sight {
            Sight::Dials(server) => {
                steps.push(format!("{} is dead", name(server)));
                return true;
            }
            Sight::Event(Event::Deferred { kind, .. }) => kind.to_string(),
            Sight::Event(Event::Queued { .. }) => "in line".to_owned(),
            Sight::Event(Event::Executing(_)) => "begun".to_owned(),
            Sight::Event(_) => return true,
            Sight::Error(error) => {
                ledger.error(format!("client: {error}"));
                return true;
            }
        };
        // The last that is heard of a contact says what came of it.
        if let Some(step) = steps.last_mut() {
            *step = format!("{} {said}", &step[..1]);
        }
        true
    };
    let outcome = walk(config, task, user).await;
    ledger.ended(visit.end(outcome, name, steps));
}
