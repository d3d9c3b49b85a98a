//! The names of the properties, and what their observers remember.

use super::model::properties;
use super::world::World;
use handover::tds5::{client, server, target};

properties! {
    /// What is asserted. Those with an M are of spec/tds5.md section 8; the others say what that text says elsewhere.
    for World;
    M5 "REQ to able clients only; each attempt of a server ends exactly once";
    M6 "CONT once for a request, behind its own SYNC; never CONT and IGN for one";
    M7 "behind CONT no order succeeds until FAIL or a command comes, or the connection ends";
    M8 "one state event for each SYNC that makes ready and each FAIL that makes failed, none for a cancel";
    M9 "each command that waits ends with one final DONE; results come once, in order; none is missing while a link survives";
    M10 "no command between SYNC and its answer; each is delivered once, in order";
    M11 "the old link is open until the new login is acknowledged";
    M12 "a login elsewhere shows the last session id";
    M14 "where nothing more happens nothing is owed; the state property is what the wire shows";
    Answers "each request has one SYNC, in order, and at most one FAIL behind it (4.3 e)";
    Resume "RESUME once where a command waits behind the end of an attempt, and nowhere else (6.4)";
    Owner "one server serves the session: none behind CONT, none but the one that the client has chosen";
    OneEnd "attempts of the client and logins end exactly once";
    Moves "a client that is asked goes, unless something goes wrong";
    Timers "a timer that has fired is not due any more; nothing is due behind the end";
    NoMisuse "what an application may do is done, what it may not is refused, as section 6 says";
    NoViolation "our machines never violate each other's protocol";
}

/// What has become of a server's newest request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    #[default]
    None,
    Asked,
    /// The SYNC that answers it has come.
    Synced,
    /// CONT.
    Told,
    /// IGN.
    TakenBack,
    /// FAIL has come, or a command behind CONT.
    Failed,
}

/// What has passed on a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    /// Requests that were sent, that the client has read, and that it has answered.
    pub(crate) asked: u8,
    pub(crate) heard: u8,
    pub(crate) answered: u8,
    /// The last request that it has said FAIL for.
    pub(crate) failed: u8,
    /// The request that the client has read last, unless it has read that it was taken back, or has refused it.
    pub(crate) open: u8,
    pub(crate) fate: Fate,
    /// The server's attempt that has begun and not ended.
    pub(crate) attempt: u8,
    /// The client has said SYNC, and has not read what is to be done.
    pub(crate) synced: bool,
    /// The client has read CONT, and the attempt goes on.
    pub(crate) going: bool,
    /// Of a login: the client has read LOGINACK(5), DONE behind it, and the end of that message.
    pub(crate) granted: bool,
    pub(crate) done: bool,
    pub(crate) logged_in: bool,
    /// The id that came in it, 0 if none.
    pub(crate) id: u8,
    /// The server's application was told how the login has ended.
    pub(crate) login_over: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// Pieces of commands and whole commands: given to the client, sent by it.
    pub(crate) pieces: u8,
    pub(crate) commands: u8,
    pub(crate) pieces_sent: u8,
    pub(crate) commands_sent: u8,
    /// The same as all servers together have heard them.
    pub(crate) pieces_heard: u8,
    pub(crate) commands_heard: u8,
    /// The client's application has begun a command and not ended it.
    pub(crate) composing: bool,
    /// The command that the client has sent, and that is not completed.
    pub(crate) waiting: u8,
    /// A final DONE for it has been read; an attention was sent on the link in use, and was acknowledged.
    pub(crate) answered: bool,
    pub(crate) attention: bool,
    pub(crate) acknowledged: bool,
    /// Commands that a server has sent a final DONE for, a bit each.
    pub(crate) done: u8,
    pub(crate) rows_sent: u8,
    pub(crate) rows_heard: u8,
    /// What waits, as the server that said CONT has told it to the others.
    pub(crate) context: u8,
    /// The link of the session.
    pub(crate) current: u8,
    /// The session id that the client must show.
    pub(crate) id: u8,
    /// The client's attempt that has begun and not ended.
    pub(crate) attempt: u8,
    /// A timer has fired although something else could happen.
    pub(crate) early: bool,
    /// The client's application has said goodbye.
    pub(crate) leaving: bool,
    /// The client has said that the session is over.
    pub(crate) over: bool,
}

impl Ghost {
    /// Whether all has been read that completes the command that waits.
    pub(crate) const fn is_finished(&self) -> bool {
        if self.attention { self.acknowledged } else { self.answered }
    }
}

macro_rules! reached {
    ($($name:ident),+) => {
        /// What can become of attempts, logins and commands: each is to be seen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Reached { $($name),+ }

        impl Reached {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

reached! {
    // Of the client's attempts.
    Moved, Ignored, Refused, Failed, Lost,
    // Of a server's.
    Gone, ServerFailed, Cancelled, ServerSuperseded, TimedOut, ServerLost,
    // Of logins.
    Established, LoginRefused, LoginTimedOut, LoginLost,
    // A RESUME at the old server, at a new one, at one that has become a server before.
    ResumedHere, ResumedThere, ResumedAtServer,
    // FAIL for a request while the next one is there already.
    Crossed
}

impl Reached {
    pub(crate) fn of_client(outcome: client::Outcome) -> Self {
        use client::Outcome;
        match outcome {
            Outcome::Migrated { .. } => Self::Moved,
            // Our servers take back before they ask again.
            Outcome::Ignored | Outcome::Superseded => Self::Ignored,
            Outcome::Refused => Self::Refused,
            Outcome::Failed(_) => Self::Failed,
            _ => Self::Lost,
        }
    }

    pub(crate) fn of_server(outcome: server::Outcome) -> Self {
        use server::Outcome;
        match outcome {
            Outcome::Migrated => Self::Gone,
            Outcome::Failed => Self::ServerFailed,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Superseded => Self::ServerSuperseded,
            Outcome::TimedOut => Self::TimedOut,
            _ => Self::ServerLost,
        }
    }

    pub(crate) fn of_target(outcome: target::LoginOutcome) -> Self {
        use target::LoginOutcome;
        match outcome {
            LoginOutcome::Established => Self::Established,
            LoginOutcome::Refused => Self::LoginRefused,
            LoginOutcome::TimedOut => Self::LoginTimedOut,
            _ => Self::LoginLost,
        }
    }
}
