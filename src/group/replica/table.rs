//! The table of a replica (spec/group.md 6.2).

crate::transition_table! {
    /// The transitions of [`Replica`](super::Replica).
    pub machine GroupReplica;
    /// What a [`Replica`](super::Replica) is to the others.
    pub enum State {
        /// It keeps what another one tells it.
        Following,
        /// It wants to reign, and asks the others.
        Asking,
        /// It reigns.
        Reigning,
        /// It is over.
        Stopped,
    }
    /// What can happen to a [`Replica`](super::Replica).
    pub enum Event {
        /// It is to reign.
        Asks,
        /// Enough of the others agree.
        Elected,
        /// Another one reigns, or too few agree.
        Yields,
        /// It is to stop.
        Stops,
    }
    rows {
        Following + Asks => Asking, "6.2";
        Following + Stops => Stopped, "6.2";
        Asking + Elected => Reigning, "6.2";
        Asking + Yields => Following, "6.2";
        Asking + Stops => Stopped, "6.2";
        Reigning + Yields => Following, "6.2";
        Reigning + Stops => Stopped, "6.2";
    }
}
