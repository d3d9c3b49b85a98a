//! The target's transition table, for one client (spec/spice.md 6.2).

crate::transition_table! {
    /// The transitions of one client of a [`Target`](super::Target).
    pub machine SpiceTarget;
    /// Where a client of a [`Target`](super::Target) stands.
    pub enum State {
        /// Nobody is there.
        Empty,
        /// It came from another server: its links are parked, nothing is sent.
        MigWait,
        /// Seamless was promised: channels wait for their MIGRATE_DATA.
        SeamlessWait,
        /// It has switched: the application was asked for INIT.
        Starting,
        /// It works.
        Normal,
    }
    /// What can happen to a client of a [`Target`](super::Target).
    pub enum Event {
        /// A main link with connection id 0.
        Fresh,
        /// A main link with another connection id.
        Migrating,
        /// MIGRATE_DST_DO_SEAMLESS, and it can be done.
        DoSeamless,
        /// MIGRATE_DST_DO_SEAMLESS, and it cannot be done.
        RefuseSeamless,
        /// MIGRATE_END.
        End,
        /// The application has given INIT.
        Init,
        /// The last MIGRATE_DATA that was needed.
        AllData,
        /// It is gone, was closed, or broke the protocol.
        Gone,
    }
    rows {
        Empty + Fresh => Normal, "5.5";
        Empty + Migrating => MigWait, "5.5";
        MigWait + DoSeamless => SeamlessWait, "5.4";
        MigWait + RefuseSeamless => MigWait, "5.4";
        MigWait + End => Starting, "5.3";
        Starting + Init => Normal, "5.3";
        SeamlessWait + AllData => Normal, "5.4";
        Normal + End => Normal, "6.2";
        MigWait + Gone => Empty, "7.8";
        SeamlessWait + Gone => Empty, "7.8";
        Starting + Gone => Empty, "6.2";
        Normal + Gone => Empty, "6.2";
    }
}
