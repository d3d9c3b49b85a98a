//! The channel's transition table (spec/repmgr.md 6.2).

crate::transition_table! {
    /// The transitions of [`Channel`](super::Channel).
    pub machine RepmgrChannel;
    /// Where a [`Channel`](super::Channel) stands with the site that it is for.
    pub enum State {
        /// There is no link, and nothing to be sent.
        Idle,
        /// A link is on its way; what is to be sent waits.
        Dialling,
        /// There is a link.
        Open,
        /// There is a link, and it cannot take more: what is to be sent waits.
        Congested,
        /// This site is the master.
        Local,
        /// What was accepted is brought to an end; nothing more is accepted.
        Draining,
        /// The channel is over.
        Closed,
    }
    /// What can happen to a [`Channel`](super::Channel).
    pub enum Event {
        /// A link is needed.
        Needed,
        /// It is there.
        Ready,
        /// It is lost or could not be had, and nothing waits for another.
        Lost,
        /// It is lost, and something waits for another.
        LostWhileWaiting,
        /// It cannot take more.
        Congested,
        /// It can again.
        Drained,
        /// The master is another site, or none; nothing waits.
        Moved,
        /// The master is another site, and something waits for it.
        MovedWhileWaiting,
        /// This site is the master.
        BecameLocal,
        /// No more is to be accepted.
        Closing,
        /// All that was accepted has come to an end, or is given up.
        Closed,
    }
    rows {
        Idle + Needed => Dialling, "6.2";
        Idle + Moved => Idle, "6.2";
        Idle + BecameLocal => Local, "6.2";
        Idle + Closed => Closed, "6.2";
        Dialling + Ready => Open, "6.2";
        Dialling + Lost => Idle, "6.2";
        Dialling + Moved => Idle, "6.2";
        Dialling + MovedWhileWaiting => Dialling, "6.2";
        Dialling + BecameLocal => Local, "6.2";
        Dialling + Closing => Draining, "6.2";
        Dialling + Closed => Closed, "6.2";
        Open + Lost => Idle, "6.2";
        Open + Congested => Congested, "6.2";
        Open + Moved => Idle, "6.2";
        Open + BecameLocal => Local, "6.2";
        Open + Closing => Draining, "6.2";
        Open + Closed => Closed, "6.2";
        Congested + Lost => Idle, "6.2";
        Congested + LostWhileWaiting => Dialling, "6.2";
        Congested + Drained => Open, "6.2";
        Congested + Moved => Idle, "6.2";
        Congested + MovedWhileWaiting => Dialling, "6.2";
        Congested + BecameLocal => Local, "6.2";
        Congested + Closing => Draining, "6.2";
        Congested + Closed => Closed, "6.2";
        Local + Moved => Idle, "6.2";
        Local + Closing => Draining, "6.2";
        Local + Closed => Closed, "6.2";
        Idle + Closing => Draining, "6.2";
        Draining + Closed => Closed, "6.2";
    }
}
