//! The tables of the coordinator and of each of its groups (spec/group.md 5.1).

/// The coordinator's.
pub mod reign {
    crate::transition_table! {
        /// The transitions of [`Coordinator`](super::super::Coordinator).
        pub machine GroupCoordinator;
        /// Whether a [`Coordinator`](super::super::Coordinator) leads its domain.
        pub enum State {
            /// It hears from those who were in the domain before its reign.
            Recovering,
            /// It leads.
            Leading,
            /// Its reign is over.
            Over,
        }
        /// What can happen to a [`Coordinator`](super::super::Coordinator).
        pub enum Event {
            /// All that are still there have reported, or had the time to.
            Recovered,
            /// Another one reigns, the domain has lost against another, or it ends.
            Ended,
        }
        rows {
            Recovering + Recovered => Leading, "6.2";
            Recovering + Ended => Over, "6.3";
            Leading + Ended => Over, "6.3";
        }
    }
}

/// A group's.
pub mod group {
    crate::transition_table! {
        /// The transitions of a group at its coordinator.
        pub machine Group;
        /// Whether a protocol runs in a group.
        pub enum State {
            /// None does.
            Idle,
            /// The votes of a phase are awaited.
            Voting,
            /// A protocol is decided, and nobody is told before the outcome is kept.
            Keeping,
            /// There is no such group any more.
            Dissolved,
        }
        /// What can happen to a group.
        pub enum Event {
            /// A protocol begins that is voted on.
            Begins,
            /// A phase ends, and another one begins.
            Continues,
            /// A protocol is decided, and the outcome is to be kept first.
            Decided,
            /// A protocol is approved.
            Approved,
            /// A protocol is rejected.
            Rejected,
            /// Its last provider has gone, or the domain ends.
            Dissolved,
        }
        rows {
            Idle + Begins => Voting, "5.3";
            Idle + Decided => Keeping, "5.5";
            Idle + Approved => Idle, "5.3";
            Idle + Dissolved => Dissolved, "5.6";
            Voting + Continues => Voting, "5.4";
            Voting + Decided => Keeping, "5.5";
            Voting + Approved => Idle, "5.5";
            Voting + Rejected => Idle, "5.5";
            Keeping + Approved => Idle, "5.5";
            Keeping + Rejected => Idle, "5.5";
        }
    }
}
