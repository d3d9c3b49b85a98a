//! Where messages come from and go to.

use crate::machine::LinkId;

/// The way between two ends: a link, or none at all if both are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Via {
    /// A link.
    Link(LinkId),
    /// This site is the master itself: what is sent to the master comes in here.
    Local,
}
