//! What happens, in its order.

use crate::actor::Actor;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// What everybody knows at the end.
pub struct Report {
    /// What members know, by their names.
    pub views: BTreeMap<String, Value>,
    /// What the one that watches was told: members and state value.
    pub seen: Value,
}

struct Stage {
    begun: Instant,
    members: BTreeMap<&'static str, Actor>,
}

const MEMBERS: [&str; 5] = ["anna", "bob", "carl", "dora", "emil"];

impl Stage {
    fn line(&self, text: &str) {
        println!("{:>8.1} ms  {text}", self.begun.elapsed().as_secs_f64() * 1000.0);
    }

    fn of(&mut self, name: &str) -> Result<&mut Actor, Box<dyn Error>> {
        Ok(self.members.get_mut(name).ok_or("nobody of that name")?)
    }

    fn order(&mut self, name: &str, line: &str) -> Result<(), Box<dyn Error>> {
        self.of(name)?.order(line)
    }

    /// Waits until everybody who is there has heard this, and shows it once.
    fn all_hear(&mut self, event: &str, kind: &str) -> Result<Value, Box<dyn Error>> {
        let mut heard = Value::Null;
        for actor in self.members.values_mut() {
            heard = actor.wait_for(event, |value| value["kind"] == kind)?;
        }
        self.line(&format!(
            "  {kind} {event} after {} phases, {}: members {}",
            heard["phases"], heard["summary"], heard["members"]
        ));
        Ok(heard)
    }
}

fn strings(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

/// Starts everybody (they are `program`, with arguments of their own), lets it happen, and asks at the end what they know.
pub fn run(program: &Path) -> Result<Report, Box<dyn Error>> {
    let mut stage = Stage { begun: Instant::now(), members: BTreeMap::new() };
    let Coordinators { first, mut second, third, addresses } = coordinators(program)?;
    stage.line("coordinator 1 reigns; 2 or 3 keeps each outcome before anybody is told");
    for (node, name) in (1..).zip(MEMBERS) {
        let mut arguments = strings(&["--node", &format!("{node}")]);
        arguments.extend(addresses.clone());
        let mut actor = Actor::start(program, name, &arguments)?;
        actor.wait("entered")?;
        stage.members.insert(name, actor);
    }
    stage.line("five processes are in the domain; they join, and vote on each other in two phases");
    for name in MEMBERS {
        stage.order(name, "join")?;
        stage.of(name)?.wait_for("phase", |value| value["kind"] == "JOIN")?;
    }
    for name in MEMBERS {
        let full = json!([1, 2, 3, 4, 5]);
        let joined = stage.of(name)?.wait_for("approved", |value| value["members"] == full)?;
        stage.line(&format!("  {name} sees members {}", joined["members"]));
    }
    let mut arguments = strings(&["--node", "6"]);
    arguments.extend(addresses);
    let mut watcher = Actor::start(program, "the watcher", &arguments)?;
    watcher.wait("entered")?;
    watcher.order("subscribe")?;
    watcher.wait("notice")?;
    stage.line("a sixth process watches");

    changes(&mut stage)?;
    departures(&mut stage)?;

    stage.line("bob proposes the state \"wine\"; carl does not vote; coordinator 1 is killed");
    stage.order("carl", "hold")?;
    stage.order("bob", "state wine")?;
    for actor in stage.members.values_mut() {
        actor.wait_for("phase", |value| value["kind"] == "STATE_VALUE_CHANGE")?;
    }
    first.kill();
    second.order("take over")?;
    second.wait("reigns")?;
    // The phase is told again to those whose vote the dead coordinator alone may have had.
    stage.order("carl", "hold")?;
    second.wait("recovered")?;
    stage.line("coordinator 2 reigns, and has heard what everybody knows");
    stage.of("carl")?.wait_for("phase", |value| value["kind"] == "STATE_VALUE_CHANGE")?;
    stage.order("carl", "approve")?;
    stage.all_hear("approved", "STATE_VALUE_CHANGE")?;
    watcher.wait_for("notice", |value| value["state"] == "wine")?;
    drop(third);
    conclude(stage, watcher)
}

struct Coordinators {
    first: Actor,
    second: Actor,
    third: Actor,
    /// The arguments that say where they are.
    addresses: Vec<String>,
}

/// Three coordinators, the first of which reigns.
fn coordinators(program: &Path) -> Result<Coordinators, Box<dyn Error>> {
    let start = |id: &str| Actor::start(program, format!("coordinator {id}"), &strings(&["--coordinator", id]));
    let (mut first, mut second, mut third) = (start("1")?, start("2")?, start("3")?);
    let (one, two, three) = (first.wait("listens")?, second.wait("listens")?, third.wait("listens")?);
    second.order(&format!("connect 1 {}", one["coordinators"]))?;
    third.order(&format!("connect 1 {}", one["coordinators"]))?;
    third.order(&format!("connect 2 {}", two["coordinators"]))?;
    first.order("found")?;
    second.wait("follows")?;
    third.wait("follows")?;
    let at = |one: &Value| ["--at".to_owned(), format!("127.0.0.1:{}", one["processes"])];
    let addresses = [&one, &two, &three].into_iter().flat_map(at).collect();
    Ok(Coordinators { first, second, third, addresses })
}

/// A state value that is rejected, one that is approved, and a message.
fn changes(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.line("anna proposes the state \"soup\", carl rejects");
    stage.order("carl", "hold")?;
    stage.order("anna", "state soup")?;
    stage.of("carl")?.wait("phase")?;
    stage.order("carl", "reject")?;
    stage.all_hear("rejected", "STATE_VALUE_CHANGE")?;
    stage.line("anna proposes the state \"bread\"");
    stage.order("anna", "state bread")?;
    stage.all_hear("approved", "STATE_VALUE_CHANGE")?;
    stage.line("bob has a message for all");
    stage.order("bob", "say dinner is ready")?;
    let heard = stage.all_hear("approved", "PROVIDER_MESSAGE")?;
    if heard["message"] != "dinner is ready" {
        return Err(format!("another message: {heard}").into());
    }
    Ok(())
}

/// A voter that dies in a phase, and one that is expelled.
fn departures(stage: &mut Stage) -> Result<(), Box<dyn Error>> {
    stage.line("anna proposes the state \"cheese\"; dora is killed while her vote is due");
    stage.order("dora", "hold")?;
    stage.order("anna", "state cheese")?;
    stage.of("dora")?.wait("phase")?;
    stage.members.remove("dora").ok_or("no dora")?.kill();
    stage.all_hear("approved", "STATE_VALUE_CHANGE")?;
    stage.all_hear("approved", "FAILURE_LEAVE")?;
    stage.line("anna expels emil, who puts his things away in phase 2");
    stage.order("anna", "expel 5")?;
    stage.of("emil")?.wait_for("watches", |value| value["phase"] == 2)?;
    stage.all_hear("approved", "EXPEL")?;
    let mut emil = stage.members.remove("emil").ok_or("no emil")?;
    emil.wait("gone")?;
    Ok(())
}

/// Asks everybody what they know.
fn conclude(mut stage: Stage, mut watcher: Actor) -> Result<Report, Box<dyn Error>> {
    let mut views = BTreeMap::new();
    for (name, actor) in &mut stage.members {
        actor.order("show")?;
        views.insert((*name).to_owned(), actor.wait("view")?["view"].clone());
    }
    watcher.order("show")?;
    let seen = watcher.wait("view")?["view"].clone();
    stage.line(&format!("the watcher has seen {seen}"));
    for (name, view) in &views {
        stage.line(&format!("{name} knows {view}"));
    }
    Ok(Report { views, seen })
}

impl Report {
    /// Whether everybody knows the same, and what is to be.
    pub fn problem(&self) -> Option<String> {
        let mut views = self.views.values();
        let Some(first) = views.next().filter(|_| self.views.len() == 3) else {
            return Some(format!("there are {} members", self.views.len()));
        };
        if views.any(|view| view != first) {
            return Some("the members know different things".to_owned());
        }
        if first["members"] != json!([1, 2, 3]) || first["state"] != "wine" {
            return Some(format!("it should be members 1, 2 and 3 with wine, and is {first}"));
        }
        if self.seen != json!({"members": first["members"], "state": first["state"]}) {
            return Some(format!("who watches has seen something else: {}", self.seen));
        }
        None
    }
}
