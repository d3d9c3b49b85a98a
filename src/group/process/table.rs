//! The table of a process (spec/group.md 4.7).

crate::transition_table! {
    /// The transitions of [`Process`](super::Process).
    pub machine GroupProcess;
    /// Where a [`Process`](super::Process) stands with its domain.
    pub enum State {
        /// It has no link to a coordinator.
        Outside,
        /// It has told a coordinator who it is.
        Entering,
        /// It is in the domain.
        Inside,
        /// It is over.
        Over,
    }
    /// What can happen to a [`Process`](super::Process).
    pub enum Event {
        /// A link to a coordinator is there.
        Opened,
        /// It is welcome.
        Welcomed,
        /// The link is lost.
        Lost,
        /// It has left, was told to stop, or has found no coordinator in time.
        Ended,
    }
    rows {
        Outside + Opened => Entering, "4.7";
        Outside + Ended => Over, "4.7";
        Entering + Welcomed => Inside, "4.7";
        Entering + Lost => Outside, "4.7";
        Entering + Ended => Over, "4.7";
        Inside + Lost => Outside, "4.7";
        Inside + Ended => Over, "4.7";
    }
}
