//! The source's transition table (spec/spice.md 6.1).

crate::transition_table! {
    /// The transitions of [`Source`](super::Source).
    pub machine SpiceSource;
    /// Where a [`Source`](super::Source) stands with its current attempt.
    pub enum State {
        /// No attempt.
        Idle,
        /// Destination known; some client has not answered its MIGRATE_BEGIN.
        WaitConnect,
        /// Destination known; every client that was asked has answered, one at least is linked to the target.
        Connected,
        /// Destination known; no client is linked to the target, or will be waited for.
        Announced,
        /// The virtual machine is gone; clients are on their way.
        WaitDisconnect,
    }
    /// What can happen to a [`Source`](super::Source).
    pub enum Event {
        /// A destination was announced to one client at least.
        Asked,
        /// A destination was announced, and no client can be asked now.
        NoneAsked,
        /// Every client that was asked has answered, and one at least is linked.
        AnsweredSome,
        /// Every client that was asked has answered or gone, and none is linked.
        AnsweredNone,
        /// The connect timer.
        ConnectTimeout,
        /// The virtual machine runs at the target; clients were told.
        CompletedWithClients,
        /// The virtual machine runs at the target; there is no client.
        CompletedWithout,
        /// The virtual machine stays here.
        Aborted,
        /// The last client has gone.
        AllGone,
        /// The disconnect timer.
        DisconnectTimeout,
    }
    rows {
        Idle + Asked => WaitConnect, "5.1";
        Idle + NoneAsked => Announced, "5.1";
        WaitConnect + Asked => WaitConnect, "7.2";
        WaitConnect + NoneAsked => Announced, "7.2";
        Connected + Asked => WaitConnect, "7.2";
        Announced + Asked => WaitConnect, "7.2";
        Announced + NoneAsked => Announced, "7.2";
        WaitConnect + AnsweredSome => Connected, "5.3";
        WaitConnect + AnsweredNone => Announced, "5.3";
        Connected + AnsweredNone => Announced, "5.3";
        WaitConnect + ConnectTimeout => Announced, "5.6";
        WaitConnect + CompletedWithClients => WaitDisconnect, "5.6";
        Connected + CompletedWithClients => WaitDisconnect, "5.3";
        Announced + CompletedWithClients => WaitDisconnect, "5.2";
        Announced + CompletedWithout => Idle, "5.1";
        WaitConnect + Aborted => Idle, "5.3";
        Connected + Aborted => Idle, "5.3";
        Announced + Aborted => Idle, "5.3";
        WaitDisconnect + AllGone => Idle, "5.6";
        WaitDisconnect + DisconnectTimeout => Idle, "5.6";
    }
}
