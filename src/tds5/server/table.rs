//! The server's transition table (spec/tds5.md 6.1).

crate::transition_table! {
    /// The transitions of [`Server`](super::Server).
    pub machine Tds5Server;
    /// Where a [`Server`](super::Server) stands with the migration of its client.
    pub enum State {
        /// No attempt.
        None,
        /// The client was asked, and has not said that it is ready.
        Requested,
        /// It is ready; the handler has not begun.
        Ready,
        /// The handler decides.
        Deciding,
        /// The client was told to go.
        Migrating,
        /// The last attempt was withdrawn.
        Cancelled,
        /// The last attempt has failed at the client.
        Failed,
        /// The connection is over.
        Gone,
    }
    /// What can happen to a [`Server`](super::Server).
    pub enum Event {
        /// A migration is requested, perhaps in the place of another.
        Requested,
        /// The request is withdrawn.
        Cancelled,
        /// The client has not answered in time.
        SyncTimeout,
        /// The client is ready.
        Synced,
        /// The handler begins.
        Entered,
        /// The handler returns and has not withdrawn the request.
        Left,
        /// The client could not or would not.
        Failed,
        /// The client sends a command although it was told to go.
        FellBack,
        /// The client goes on waiting, here.
        Resumed,
        /// The connection ends.
        Closed,
    }
    rows {
        None + Requested => Requested, "6.1";
        Cancelled + Requested => Requested, "6.1";
        Failed + Requested => Requested, "6.1";
        Requested + Requested => Requested, "6.1";
        Ready + Requested => Requested, "6.1";
        Deciding + Requested => Requested, "6.1";
        Requested + Cancelled => Cancelled, "6.1";
        Ready + Cancelled => Cancelled, "6.1";
        Deciding + Cancelled => Cancelled, "6.1";
        Requested + SyncTimeout => Cancelled, "6.1";
        Requested + Synced => Ready, "4.3 e";
        Ready + Entered => Deciding, "6.1";
        Deciding + Left => Migrating, "6.1";
        Requested + Failed => Failed, "6.1";
        Ready + Failed => Failed, "6.1";
        Deciding + Failed => Failed, "6.1";
        Migrating + Failed => Failed, "6.1";
        Migrating + FellBack => Failed, "6.1";
        None + Resumed => None, "6.2";
        Cancelled + Resumed => None, "6.4";
        Failed + Resumed => None, "6.4";
        None + Closed => Gone, "6.1";
        Requested + Closed => Gone, "6.1";
        Ready + Closed => Gone, "6.1";
        Deciding + Closed => Gone, "6.1";
        Migrating + Closed => Gone, "4.3 f";
        Cancelled + Closed => Gone, "6.1";
        Failed + Closed => Gone, "6.1";
    }
}
