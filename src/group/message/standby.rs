//! What coordinators send to each other (spec/group.md 2.6).

use super::parts::{Past, Snapshot};
use crate::frame::{Extensions, Text, record};
use crate::group::name::{DomainId, Epoch};
use alloc::vec::Vec;

record! {
    /// A coordinator has an outcome for the others to keep, before anybody is told of it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Replicate {
        /// In whose reign.
        pub epoch: Epoch,
        /// The outcome.
        pub entry: Entry,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// An outcome, and the group after it.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Entry {
        /// Its number in its reign, from 1.
        pub index: u64,
        /// How a protocol has ended.
        pub past: Past,
        /// The group after it; without members there is none any more.
        pub snapshot: Snapshot,
    }

    /// All outcomes of a reign up to here are kept.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Replicated {
        /// In whose reign.
        pub epoch: Epoch,
        /// Up to here; 0: none.
        pub index: u64,
        /// Which [`Reign`] this answers; 0: none.
        pub beat: u64,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A coordinator asks what others know: another coordinator, for it wants to reign; a process, for it does.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Query {
        /// In which epoch.
        pub epoch: Epoch,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// It may: who says so follows nobody of an earlier epoch any more.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Grant {
        /// In which epoch.
        pub epoch: Epoch,
        /// How many more of this come.
        pub remaining: u32,
        /// What it knows of a group.
        pub record: Option<GroupRecord>,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// What is kept of a group.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct GroupRecord {
        /// The group after its last outcome.
        pub snapshot: Snapshot,
        /// Its last outcomes, the oldest first.
        pub recent: Vec<Past>,
    }

    /// A coordinator reigns, and still does.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Reign {
        /// In which epoch.
        pub epoch: Epoch,
        /// How often it has said so, with this; 0: not counted.
        pub beat: u64,
        /// Where processes find it.
        pub address: Text,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// An epoch is over: who still acts in it must stop.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Fenced {
        /// What has taken its place.
        pub epoch: Epoch,
        /// What else is said.
        pub extensions: Extensions,
    }

    /// A coordinator is there, with so many; if that is another domain's, one of the two ends.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    pub struct Proclaim {
        /// Which domain.
        pub domain: DomainId,
        /// Which reign.
        pub epoch: Epoch,
        /// On how many machines it has processes.
        pub nodes: u32,
        /// The lowest number of them.
        pub lowest_node: u32,
        /// What else is said.
        pub extensions: Extensions,
    }
}
