//! A deterministic world for several parties: links that are slow and break, crashes, a clock, one seed.
//!
//! A [`Party`] is anything that reacts: a machine with its driver, or a model of one. It opens links to others and
//! sends messages on them by its [`Context`]. Everything that is left to chance comes from the seed, so that
//! a run is repeated exactly by its seed, and [`Simulator::trace`] tells what happened.
//!
//! What a link is like:
//! * In each direction it keeps the order. Each message takes a random time within [`Config::delay`].
//! * It comes up first at the end that was called, then at the one that opened it. Links have numbers that are
//!   never used again.
//! * An end that closes it hears nothing more of it. The other end gets what was sent before, then
//!   [`Down::Closed`].
//! * When it is cut, of what is on its way in each direction a random first part still arrives; each end is told
//!   [`Down::Broken`] at a time of its own, within [`Config::notice`]. Until then it may go on sending, into nothing.
//! * Each end at which it came up, and the one that opened it, is told exactly once that it is down, unless
//!   that end closed it or crashed.
//! * An end hears that a link is down before a link between the same two parties comes up that was opened
//!   after the old one had died ([`Config::old_down_first`]).
//!
//! ```
//! use handover::testing::simulator::{Config, Context, Link, Party, PartyId, Simulator};
//!
//! /// Says hello to its friend, and counts hellos.
//! struct Caller {
//!     friend: Option<PartyId>,
//!     heard: u32,
//! }
//!
//! impl Party for Caller {
//!     type Message = &'static str;
//!     fn on_start(&mut self, cx: &mut Context<'_, &'static str>) {
//!         if let Some(friend) = self.friend {
//!             cx.open(friend);
//!         }
//!     }
//!     fn on_link_up(&mut self, cx: &mut Context<'_, &'static str>, link: Link, _peer: PartyId) {
//!         cx.send(link, "hello");
//!     }
//!     fn on_message(&mut self, _cx: &mut Context<'_, &'static str>, _link: Link, _message: &'static str) {
//!         self.heard += 1;
//!     }
//! }
//!
//! let mut world = Simulator::new(Config::new(42));
//! let ann = world.add("ann", Caller { friend: None, heard: 0 });
//! let bob = world.add("bob", Caller { friend: Some(ann), heard: 0 });
//! world.run_until_idle()?;
//! assert_eq!((world.party(ann).heard, world.party(bob).heard), (1, 1));
//! assert!(world.trace().to_string().contains("ann -> bob  #0  received \"hello\""));
//! # Ok::<(), handover::testing::simulator::Stopped>(())
//! ```

mod network;
mod trace;
mod world;

pub use network::Context;
pub use trace::{Entry, Trace, What};
pub use world::{Reason, Simulator, Stopped};

use crate::time::Instant;
use core::fmt::Debug;
use core::ops::RangeInclusive;
use std::boxed::Box;
use std::vec::Vec;

/// Something that reacts to links, messages and time. All of it but [`on_message`](Self::on_message) may be left out.
pub trait Party {
    /// What the parties say to each other.
    type Message: Debug;

    /// It starts: at the beginning, and again after a crash.
    fn on_start(&mut self, _cx: &mut Context<'_, Self::Message>) {}

    /// A link can be used: one that this party opened, or one that `peer` has opened to it.
    fn on_link_up(&mut self, _cx: &mut Context<'_, Self::Message>, _link: Link, _peer: PartyId) {}

    /// A message has come.
    fn on_message(&mut self, cx: &mut Context<'_, Self::Message>, link: Link, message: Self::Message);

    /// A link is over, or never came up.
    fn on_link_down(&mut self, _cx: &mut Context<'_, Self::Message>, _link: Link, _why: Down) {}

    /// The time that [`poll_timeout`](Self::poll_timeout) has asked for is here.
    fn on_timeout(&mut self, _cx: &mut Context<'_, Self::Message>) {}

    /// It has crashed: what is not on its disk is to be forgotten here.
    fn on_crash(&mut self) {}

    /// When [`on_timeout`](Self::on_timeout) is due.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl<P: Party + ?Sized> Party for Box<P> {
    type Message = P::Message;

    fn on_start(&mut self, cx: &mut Context<'_, Self::Message>) {
        (**self).on_start(cx);
    }

    fn on_link_up(&mut self, cx: &mut Context<'_, Self::Message>, link: Link, peer: PartyId) {
        (**self).on_link_up(cx, link, peer);
    }

    fn on_message(&mut self, cx: &mut Context<'_, Self::Message>, link: Link, message: Self::Message) {
        (**self).on_message(cx, link, message);
    }

    fn on_link_down(&mut self, cx: &mut Context<'_, Self::Message>, link: Link, why: Down) {
        (**self).on_link_down(cx, link, why);
    }

    fn on_timeout(&mut self, cx: &mut Context<'_, Self::Message>) {
        (**self).on_timeout(cx);
    }

    fn on_crash(&mut self) {
        (**self).on_crash();
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }
}

/// A party, by the order in which it was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId(pub usize);

/// A link, by the order in which it was opened. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link(pub u64);

/// Why a link is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Down {
    /// It never came up at this end: there was nobody, or no way.
    Refused,
    /// The other end closed it.
    Closed,
    /// It was cut, or the other end crashed.
    Broken,
}

/// What the world is like.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// Where all chance comes from.
    pub seed: u64,
    /// How long a message takes, in microseconds. Default 1 000 to 20 000.
    pub delay: RangeInclusive<u64>,
    /// How long an end takes to notice that a link is cut, in microseconds. Default 1 000 to 3 000 000.
    pub notice: RangeInclusive<u64>,
    /// Whether the news that a link is down comes before a younger link between the same two parties comes up.
    /// Default yes; no is the harder world, in which an end can have both.
    pub old_down_first: bool,
    /// Most steps of one run, beyond which it counts as a livelock. Default 200 000.
    pub max_steps: u64,
    /// Whether a trace is kept. Default yes.
    pub trace: bool,
}

impl Config {
    /// The defaults, with this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            delay: 1_000..=20_000,
            notice: 1_000..=3_000_000,
            old_down_first: true,
            max_steps: 200_000,
            trace: true,
        }
    }
}

/// Something that goes wrong, or right again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// One link breaks.
    Cut(Link),
    /// All links between two parties break; they can open new ones at once.
    CutBetween(PartyId, PartyId),
    /// The same, and new ones are refused until the next [`Fault::Heal`].
    Partition(PartyId, PartyId),
    /// Ends a partition.
    Heal(PartyId, PartyId),
    /// A party is gone, with all its links.
    Crash(PartyId),
    /// It starts again.
    Restart(PartyId),
}

/// Faults at random: the chances are per step of the simulation, in a million.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chaos {
    /// The chance that a random link breaks.
    pub cut: u32,
    /// The chance that a random party crashes.
    pub crash: u32,
    /// The chance that two random parties are parted.
    pub partition: u32,
    /// How long a crash or a partition lasts, in microseconds.
    pub lasts: RangeInclusive<u64>,
    /// Parties that do not crash.
    pub spared: Vec<PartyId>,
    /// When it ends, so that one can see whether all settles. (What has been parted is healed in its time.)
    pub until: Instant,
}

impl Chaos {
    /// Some of everything until `until`.
    #[must_use]
    pub const fn until(until: Instant) -> Self {
        let lasts = 1_000..=2_000_000;
        Self { cut: 20_000, crash: 5_000, partition: 5_000, lasts, spared: Vec::new(), until }
    }
}
