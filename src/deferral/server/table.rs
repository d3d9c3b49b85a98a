//! The server's transition table (spec/deferral.md 5.1).

crate::transition_table! {
    /// The transitions of [`Server`](super::Server).
    pub machine DeferralServer;
    /// Whether a [`Server`](super::Server) takes requests.
    pub enum State {
        /// It takes them.
        Serving,
        /// It sends on whom it may, and serves the others.
        Draining,
        /// It takes none.
        Stopped,
    }
    /// What can happen to a [`Server`](super::Server).
    pub enum Event {
        /// It is to send clients on.
        Drain,
        /// It takes requests again.
        Serve,
        /// It takes none any more.
        Stop,
    }
    rows {
        Serving + Drain => Draining, "5.1";
        Serving + Serve => Serving, "5.1";
        Serving + Stop => Stopped, "5.1";
        Draining + Drain => Draining, "5.1";
        Draining + Serve => Serving, "5.1";
        Draining + Stop => Stopped, "5.1";
        Stopped + Drain => Draining, "5.1";
        Stopped + Serve => Serving, "5.1";
        Stopped + Stop => Stopped, "5.1";
    }
}
