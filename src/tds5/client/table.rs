//! The client's transition table (spec/tds5.md 6.3).

crate::transition_table! {
    /// The transitions of [`Client`](super::Client).
    pub machine Tds5Client;
    /// Where a [`Client`](super::Client) stands.
    pub enum State {
        /// Nothing was asked for yet.
        New,
        /// The first connection is being made.
        Dialling,
        /// The first connection is there, its login is not done.
        LoggingIn,
        /// Logged in, and no command waits for its results.
        Idle,
        /// A command is being sent, or waits for its results.
        Busy,
        /// SYNC was sent: the server says whether to go.
        Synced,
        /// CONT has come: the new server is dialled and logged in to. The old connection is kept.
        Moving,
        /// As `Busy`, behind a RESUME at the new server.
        Resuming,
        /// LOGOUT was sent.
        LoggingOut,
        /// The session is over.
        Closed,
    }
    /// What can happen to a [`Client`](super::Client).
    pub enum Event {
        /// The application wants a session.
        Connect,
        /// The first connection is there.
        Opened,
        /// An address has not worked, or has sent us on: the next one is dialled.
        NextAddress,
        /// The first login is done.
        LoggedIn,
        /// A command begins to be sent.
        Send,
        /// A command has its results.
        Complete,
        /// REQ came.
        Request,
        /// IGN came before SYNC was sent.
        Withdraw,
        /// A safe point is there: SYNC is sent.
        Sync,
        /// IGN came, or another REQ in its place, and no command waits.
        Ignore,
        /// IGN came, or another REQ in its place, and a command waits: RESUME is sent.
        IgnoreWaiting,
        /// CONT came.
        Continue,
        /// FAIL is sent, and no command waits.
        Fail,
        /// FAIL is sent, and a command waits: RESUME is sent behind it.
        FailWaiting,
        /// The new login is done, and no command waits.
        Migrated,
        /// The new login is done, and a command waits: RESUME is sent.
        MigratedWaiting,
        /// The application wants to log out.
        Logout,
        /// The server has answered LOGOUT.
        LoggedOut,
        /// The session cannot go on.
        Lost,
    }
    rows {
        New + Connect => Dialling, "6.3";
        Dialling + Opened => LoggingIn, "2.6";
        Dialling + NextAddress => Dialling, "6.3";
        LoggingIn + NextAddress => Dialling, "5";
        LoggingIn + LoggedIn => Idle, "2.6";
        Idle + Send => Busy, "6.3";
        Busy + Complete => Idle, "3.4";
        Resuming + Complete => Idle, "3.4";
        Synced + Complete => Synced, "6.3";
        Idle + Request => Idle, "4.3 d";
        Busy + Request => Busy, "4.3 d";
        Resuming + Request => Resuming, "4.3 d";
        Idle + Withdraw => Idle, "4.3 h";
        Busy + Withdraw => Busy, "4.3 h";
        Resuming + Withdraw => Resuming, "4.3 h";
        Idle + Sync => Synced, "4.2";
        Busy + Sync => Synced, "4.3 d";
        Resuming + Sync => Synced, "4.3 d";
        Synced + Ignore => Idle, "4.2";
        Synced + IgnoreWaiting => Busy, "4.3 g";
        Synced + Continue => Moving, "4.2";
        Synced + Fail => Idle, "4.3 d";
        Synced + FailWaiting => Busy, "4.3 d";
        Moving + NextAddress => Moving, "4.3 a";
        Moving + Fail => Idle, "4.2";
        Moving + FailWaiting => Busy, "4.3 g";
        Moving + Migrated => Idle, "4.3 f";
        Moving + MigratedWaiting => Resuming, "4.3 g";
        Idle + Logout => LoggingOut, "6.3";
        LoggingOut + LoggedOut => Closed, "6.3";
        New + Lost => Closed, "6.3";
        Dialling + Lost => Closed, "6.3";
        LoggingIn + Lost => Closed, "6.3";
        Idle + Lost => Closed, "6.3";
        Busy + Lost => Closed, "6.3";
        Synced + Lost => Closed, "6.3";
        Moving + Lost => Closed, "6.3";
        Resuming + Lost => Closed, "6.3";
        LoggingOut + Lost => Closed, "6.3";
    }
}
