//! Scripts for both worlds, and what members are told in them.

use std::collections::BTreeMap;

/// Somebody, in a script.
pub type Name = &'static str;

/// What somebody does. Who has not been there yet is a new process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Join(Name),
    Leave(Name),
    /// The process crashes.
    Die(Name),
    /// A message to all members, the sender among them.
    Say(Name, &'static str),
    /// The process does nothing until it is thawed.
    Freeze(Name),
    Thaw(Name),
}

/// What a member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Change { joined: Vec<Name>, left: Vec<(Name, Why)>, members: Vec<Name> },
    Message { from: Name, text: String },
}

/// Why somebody is not a member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Left,
    Died,
    /// Its machine is gone.
    NodeDied,
}

/// What everybody was told, in order, by name.
pub type Accounts = BTreeMap<Name, Vec<Told>>;

/// A group in which scripts are played.
pub trait World {
    /// Plays acts that happen at once, and waits until everybody is told what came of it.
    fn play(&mut self, acts: &[Act]);

    /// What everybody was told so far.
    fn told(&self) -> Accounts;
}

/// Whom it is about.
impl Act {
    pub fn name(self) -> Name {
        match self {
            Self::Join(name)
            | Self::Leave(name)
            | Self::Die(name)
            | Self::Say(name, _)
            | Self::Freeze(name)
            | Self::Thaw(name) => name,
        }
    }

    /// Whether this is what came of it.
    fn is(self, told: &Told) -> bool {
        match (self, told) {
            (Self::Join(name), Told::Change { joined, .. }) => joined.contains(&name),
            (Self::Leave(name), Told::Change { left, .. }) => left.contains(&(name, Why::Left)),
            (Self::Die(name), Told::Change { left, .. }) => left.contains(&(name, Why::Died)),
            (Self::Say(name, said), Told::Message { from, text }) => *from == name && said == text,
            _ => false,
        }
    }
}

/// The acts in the order in which they have come about, as somebody was told who was told of all of them.
pub fn in_order(acts: &[Act], before: &Accounts, after: &Accounts) -> Vec<Act> {
    let fresh = after.iter().map(|(name, told)| &told[before.get(name).map_or(0, Vec::len)..]);
    let place = |told: &[Told], act: Act| told.iter().position(|told| act.is(told));
    let witness = fresh.into_iter().find(|told| acts.iter().all(|act| place(told, *act).is_some()));
    let mut acts = acts.to_vec();
    // What nobody is told of, a freeze, has no place.
    if let Some(told) = witness {
        acts.sort_by_key(|act| place(told, *act));
    }
    acts
}

/// With members in the order of their names: the two worlds list them in different ones.
pub fn unordered(mut accounts: Accounts) -> Accounts {
    for told in accounts.values_mut().flatten() {
        if let Told::Change { members, .. } = told {
            members.sort_unstable();
        }
    }
    accounts
}
