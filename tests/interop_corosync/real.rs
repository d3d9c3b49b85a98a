//! A group of corosync.

use crate::peer::{Corosync, Member, until};
use crate::script::{Accounts, Act, Name, Told, Why, World};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

/// Members of the group `g`.
pub struct Real {
    pub members: BTreeMap<Name, Member>,
    /// Who is to be in the group.
    pub group: BTreeSet<Name>,
    frozen: BTreeSet<Name>,
    pub corosync: Corosync,
}

impl Real {
    /// `None` if corosync is not installed.
    pub fn start() -> Option<Self> {
        let corosync = Corosync::start()?;
        Some(Self { members: BTreeMap::new(), group: BTreeSet::new(), frozen: BTreeSet::new(), corosync })
    }

    pub fn member(&mut self, name: Name) -> &mut Member {
        self.members.entry(name).or_insert_with(Member::start)
    }

    /// What somebody was told; one that has left is told more until it has closed its connection.
    pub fn told_to(&self, name: Name) -> Vec<Told> {
        self.members[name].events().iter().filter_map(|event| self.read(event)).collect()
    }

    /// Waits until somebody was told this.
    #[track_caller]
    pub fn wait(&self, name: Name, mut is: impl FnMut(&Told) -> bool) {
        until(name, || self.told_to(name).iter().any(&mut is));
    }

    fn read(&self, event: &Value) -> Option<Told> {
        match event["event"].as_str()? {
            "message" => {
                let text = event["text"].as_str()?.to_owned();
                Some(Told::Message { from: self.named(&event["from"]), text })
            }
            "change" => {
                let list = |what: &str| event[what].as_array().cloned().unwrap_or_default();
                let names = |what: &str| list(what).iter().map(|address| self.named(address)).collect();
                let joined = list("joined");
                assert!(joined.iter().all(|address| address[2] == "JOIN"), "{event}");
                let left = list("left").iter().map(|address| (self.named(address), why(&address[2]))).collect();
                Some(Told::Change { joined: names("joined"), left, members: names("members") })
            }
            _ => None,
        }
    }

    /// Whose address it is.
    fn named(&self, address: &Value) -> Name {
        assert_eq!(address[0], 1, "there is one node only");
        let of = |(_, member): &(&Name, &Member)| address[1] == member.pid();
        self.members.iter().find(of).map(|(name, _)| *name).unwrap_or_else(|| panic!("a stranger: {address}"))
    }

    /// Waits until who is in the group, and is not frozen, has been told what is so now. Who joins at once with a message
    /// may have come too late for it.
    fn settle(&self, acts: &[Act]) {
        let joins = |name: &Name| acts.contains(&Act::Join(name));
        let texts: Vec<&str> =
            acts.iter().filter_map(|act| if let Act::Say(_, text) = act { Some(*text) } else { None }).collect();
        for name in self.group.difference(&self.frozen) {
            until(&format!("{name} after {acts:?}"), || {
                let told = self.told_to(name);
                let members = told.iter().rev().find_map(|told| match told {
                    Told::Change { members, .. } => Some(members.iter().copied().collect::<BTreeSet<_>>()),
                    Told::Message { .. } => None,
                });
                let heard = |text: &&str| {
                    told.iter().any(|told| matches!(told, Told::Message { text: other, .. } if other == text))
                };
                members.as_ref() == Some(&self.group) && (joins(name) || texts.iter().all(heard))
            });
        }
    }
}

fn why(reason: &Value) -> Why {
    match reason.as_str() {
        Some("LEAVE") => Why::Left,
        Some("PROCDOWN") => Why::Died,
        Some("NODEDOWN") => Why::NodeDied,
        other => panic!("{other:?}"),
    }
}

impl World for Real {
    fn play(&mut self, acts: &[Act]) {
        // Who is new is started before: only what the acts are about is to happen at once.
        for act in acts {
            self.member(act.name());
        }
        let at_once = acts.len() > 1;
        if at_once {
            self.corosync.freeze();
        }
        let (mut pending, mut before) = (Vec::new(), BTreeMap::new());
        for act in acts {
            let member = self.members.get_mut(act.name()).unwrap();
            match act {
                Act::Join(name) => {
                    pending.push((*act, member.begin("join 0 g")));
                    self.group.insert(name);
                }
                Act::Leave(name) => {
                    // It may have left before.
                    before.insert(*name, member.events().len());
                    pending.push((*act, member.begin("leave 0 g")));
                    self.group.remove(name);
                }
                Act::Say(_, text) => pending.push((*act, member.begin(&format!("say 0 {text}")))),
                Act::Die(name) => {
                    member.kill();
                    self.group.remove(name);
                    self.frozen.remove(name);
                }
                Act::Freeze(name) => {
                    member.freeze();
                    self.frozen.insert(name);
                }
                Act::Thaw(name) => {
                    member.thaw();
                    self.frozen.remove(name);
                }
            }
        }
        if at_once {
            // They are on their way. If one is not, it comes a little later: nothing is judged by that.
            thread::sleep(Duration::from_millis(30));
            self.corosync.thaw();
        }
        for (act, pending) in pending {
            let name = act.name();
            assert_eq!(self.members[name].finish(&pending), "CS_OK", "{act:?}\n{}", self.corosync.log());
            if matches!(act, Act::Leave(_)) {
                until(&format!("{act:?}"), || {
                    let events = self.members[name].events();
                    let mut fresh = events[before[name]..].iter().filter_map(|event| self.read(event));
                    fresh.any(|told| matches!(told, Told::Change { left, .. } if left.contains(&(name, Why::Left))))
                });
                // Until then a connection that has left hears the group still, and cannot join again.
                let member = self.member(name);
                member.must("close 0");
                member.must("open 0");
            }
        }
        self.settle(acts);
    }

    fn told(&self) -> Accounts {
        let inside = |name: Name| {
            let mut is_in = true;
            move |told: &Told| {
                let was_in = is_in;
                if let Told::Change { joined, left, .. } = told {
                    is_in = joined.contains(&name) || is_in && left.iter().all(|(one, _)| *one != name);
                }
                was_in || is_in
            }
        };
        self.members.keys().map(|name| (*name, self.told_to(name).into_iter().filter(inside(name)).collect())).collect()
    }
}
