//! Processes that were declared dead: they do not come back as who they were (spec/group.md 5.2).

use alloc::collections::{BTreeMap, BTreeSet};

/// Starts of processes, by machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Gone {
    nodes: BTreeMap<u32, Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Node {
    /// All up to this one.
    floor: Option<u64>,
    /// These besides.
    later: BTreeSet<u64>,
}

impl Gone {
    /// Most of one machine that are known one by one: of more the oldest take all before them along.
    const MOST: usize = 64;

    pub(super) const fn new() -> Self {
        Self { nodes: BTreeMap::new() }
    }

    pub(super) fn contains(&self, node: u32, incarnation: u64) -> bool {
        self.nodes.get(&node).is_some_and(|known| {
            known.floor.is_some_and(|floor| incarnation <= floor) || known.later.contains(&incarnation)
        })
    }

    /// One process of at most `most` machines.
    pub(super) fn insert(&mut self, node: u32, incarnation: u64, most: usize) {
        if self.nodes.len() >= most && !self.nodes.contains_key(&node) {
            self.nodes.pop_first();
        }
        let known = self.nodes.entry(node).or_default();
        known.later.insert(incarnation);
        if known.later.len() > Self::MOST {
            known.floor = known.later.pop_first().max(known.floor);
        }
    }
}
