//! The client's transition table (spec/deferral.md 4.1).

crate::transition_table! {
    /// The transitions of [`Client`](super::Client).
    pub machine DeferralClient;
    /// Where a [`Client`](super::Client) stands with its command.
    pub enum State {
        /// Nobody is asked: those that are left want to be left alone for a while.
        Pausing,
        /// A server is being dialled.
        Dialling,
        /// It has the request, and has not answered.
        Waiting,
        /// The request waits in its line.
        Queued,
        /// It is being carried out there.
        Executing,
        /// The user is asked whether to wait for a busy server.
        Asking,
        /// The command has come to its end.
        Ended,
    }
    /// What can happen to a [`Client`](super::Client).
    pub enum Event {
        /// The server is there.
        Opened,
        /// The request waits in line.
        Queued,
        /// It is being carried out.
        Executing,
        /// The next server is dialled.
        Next,
        /// All that are left want to be left alone for a while.
        Paused,
        /// All are busy, and the user was not asked before whether to wait.
        AllBusy,
        /// The command has come to its end.
        Ended,
    }
    rows {
        Pausing + Next => Dialling, "4.1";
        Pausing + Ended => Ended, "4.1";
        Dialling + Opened => Waiting, "4.1";
        Dialling + Next => Dialling, "4.1";
        Dialling + Paused => Pausing, "4.1";
        Dialling + AllBusy => Asking, "4.1";
        Dialling + Ended => Ended, "4.1";
        Waiting + Queued => Queued, "4.1";
        Waiting + Executing => Executing, "4.1";
        Waiting + Next => Dialling, "4.1";
        Waiting + Paused => Pausing, "4.1";
        Waiting + AllBusy => Asking, "4.1";
        Waiting + Ended => Ended, "4.1";
        Queued + Queued => Queued, "4.1";
        Queued + Executing => Executing, "4.1";
        Queued + Next => Dialling, "4.1";
        Queued + Paused => Pausing, "4.1";
        Queued + AllBusy => Asking, "4.1";
        Queued + Ended => Ended, "4.1";
        Executing + Next => Dialling, "4.1";
        Executing + Paused => Pausing, "4.1";
        Executing + AllBusy => Asking, "4.1";
        Executing + Ended => Ended, "4.1";
        Asking + Next => Dialling, "4.1";
        Asking + Paused => Pausing, "4.1";
        Asking + Ended => Ended, "4.1";
    }
}
