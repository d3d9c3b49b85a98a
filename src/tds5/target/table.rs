//! The target's transition table (spec/tds5.md 6.2).

crate::transition_table! {
    /// The transitions of [`Target`](super::Target).
    pub machine Tds5Target;
    /// Where a [`Target`](super::Target) stands with its connection.
    pub enum State {
        /// Nothing has come.
        Login,
        /// The application decides about a login.
        Connecting,
        /// The client was told its session id, and is to say that it has it.
        Negotiating,
        /// The client is logged in.
        Serving,
        /// The client waits for the results of a command that it has sent to another server.
        Resuming,
        /// The connection is over.
        Gone,
    }
    /// What can happen to a [`Target`](super::Target).
    pub enum Event {
        /// A login message.
        LoggedIn,
        /// The application accepts it.
        Accepted,
        /// The application accepts it, and the client is to be told its session id first.
        Negotiated,
        /// The client has it.
        Answered,
        /// The application refuses it.
        Refused,
        /// It takes too long.
        LoginTimeout,
        /// The client says that it waits for results.
        Resumed,
        /// It has them.
        Completed,
        /// The connection ends.
        Closed,
    }
    rows {
        Login + LoggedIn => Connecting, "6.2";
        Connecting + Accepted => Serving, "2.6";
        Connecting + Negotiated => Negotiating, "4.3 j";
        Negotiating + Answered => Serving, "4.3 j";
        Connecting + Refused => Gone, "6.2";
        Login + LoginTimeout => Gone, "6.2";
        Connecting + LoginTimeout => Gone, "6.2";
        Negotiating + LoginTimeout => Gone, "6.2";
        Serving + Resumed => Resuming, "4.3 g";
        Resuming + Completed => Serving, "6.2";
        Login + Closed => Gone, "6.2";
        Connecting + Closed => Gone, "6.2";
        Negotiating + Closed => Gone, "6.2";
        Serving + Closed => Gone, "6.2";
        Resuming + Closed => Gone, "6.2";
    }
}
