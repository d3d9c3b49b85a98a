//! The names of the properties, and what their observers remember.

use super::model::properties;
use super::world::{Body, Kind, Site, World};
use handover::time::Instant;

properties! {
    /// What is asserted. Those with a P are of spec/repmgr.md section 8; the others say what that text says elsewhere.
    for World;
    P9 "no two requests of a link have one tag";
    P10 "each request has exactly one answer while its link lives, a message none";
    P11 "an answer completes the request that it is for; late, doubled and unknown ones complete none";
    P13 "an answer beyond the limit is refused, one that reaches it is not";
    P14 "several segments where they are wanted, all of them, and nowhere else";
    P15 "who waits on a link that is lost is told at once";
    P16 "RESP_ERROR 0 is a fault of the peer, and no success";
    P17 "what is accepted is sent or dropped, which is told once; what is sent arrives, or the loss of its link is told";
    P18 "no link is closed while an own request has no answer, unless that is forced";
    P19 "nothing but messages of applications once a link is ready";
    P20 "a request is answered before it is forgotten";
    P21 "to the master of the moment, on a new link if need be, and nothing twice";
    P22 "messages go both ways, and arrive in order, at most once";
    Once "each request completes exactly once";
    Flow "nothing is written to a congested link, nothing is taken off a paused one";
    Bounds "what is kept is bounded";
    Waits "nothing waits that could go";
    Ends "where nothing more happens nothing is owed; a channel that closes ends with what it has accepted";
    OneEnd "channels, connections and losses are told once";
    Served "where nothing goes wrong every request has its answer, and no message is dropped";
    Timers "a timer that has fired is not due any more, and none fires early; nothing is due behind the end";
    NoMisuse "what an application may do is done, what it may not is refused";
    NoViolation "our machines never violate each other's protocol";
}

/// Something that a channel has accepted and that has not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wish {
    pub(crate) number: u8,
    /// What the application calls it.
    pub(crate) id: u8,
    /// What a request wants.
    pub(crate) kind: Option<Kind>,
    pub(crate) due: Option<Instant>,
    /// By which link, 0 for this site, and with which tag it was sent.
    pub(crate) sent: Option<(u8, u8)>,
}

/// What is known of a site's channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// Messages and requests that were accepted, and the last one that was sent.
    pub(crate) accepted: u8,
    pub(crate) sent: u8,
    pub(crate) wishes: Vec<Wish>,
    /// Where things are to go now.
    pub(crate) master: Option<Site>,
    /// Links that were dialled.
    pub(crate) dialled: u8,
    pub(crate) closing: bool,
    pub(crate) closed: bool,
    /// Replies that the dispatcher has accepted.
    pub(crate) replies: u8,
}

/// What has passed on a link, or between a site and itself. Tags are bits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    /// The channel uses it, and may send something new on it.
    pub(crate) known: bool,
    pub(crate) left: bool,
    /// The channel was told that it is there.
    pub(crate) up: bool,
    /// The channel has closed it; it has told that it is lost.
    pub(crate) parted: bool,
    pub(crate) told: bool,
    /// Messages that were sent on it, and that have arrived.
    pub(crate) messages: u8,
    pub(crate) arrived: u8,
    /// Tags that were given, and those without an answer.
    pub(crate) given: u16,
    pub(crate) open: u16,
    /// Requests that have come and have no answer, and those of them that the application is through with.
    pub(crate) owed: u16,
    pub(crate) due: u16,
    /// When the channel has last sent something on it, or given up to wait for an answer.
    pub(crate) last: Instant,
    /// For each side: the last that has arrived of the other side's channel and dispatcher.
    pub(crate) heard: [[u8; 2]; 2],
    /// The last reply that each side has sent, and how many wait to be sent.
    pub(crate) replied: [u8; 2],
    pub(crate) replies: [u8; 2],
    /// Words that were sent to each side and have not come to anybody there.
    pub(crate) under_way: [u8; 2],
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Answer(Body),
    NoServer,
    NoAnswer,
    TooLarge,
    Malformed,
    /// The others say whether it was sent.
    Timeout(bool),
    Unavailable(bool),
    Closed(bool),
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Why {
    TimedOut,
    Unavailable,
    Closed,
}

macro_rules! reached {
    ($($name:ident),+) => {
        /// What can become of requests, messages and links: each is to be seen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Reached { $($name),+ }

        impl Reached {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

reached! {
    // Of requests.
    Answered, BulkAnswered, NoServer, NoAnswer, TooLarge, Malformed,
    TimedOutHeld, TimedOutSent, UnavailableHeld, UnavailableSent, ClosedHeld, ClosedSent,
    // Of messages.
    DroppedForTime, DroppedForGood, DroppedAtEnd,
    // Of answers: nobody waits any more; to this site itself; it waits until a link can be written to.
    Late, Echoed, AnswerHeld,
    // Of links: given up although an answer is missing; given up for a fault of the peer; replaced; paused; broken with
    // a message on it when the channel had closed it already, and was to hear of it no more.
    Lingered, Faulty, Replaced, Paused, BrokenBehindEnd,
    // Something is sent while the link to an old master is kept for its answers; an old master answers.
    WentToNew, OldAnswered,
    // A reply has come, and a reply to a reply.
    Reply, ReplyToReply
}

impl Reached {
    pub(crate) const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Answer(Body::Block(_)) => Self::BulkAnswered,
            Outcome::Answer(_) => Self::Answered,
            Outcome::NoServer => Self::NoServer,
            Outcome::NoAnswer => Self::NoAnswer,
            Outcome::TooLarge => Self::TooLarge,
            Outcome::Malformed => Self::Malformed,
            Outcome::Timeout(false) => Self::TimedOutHeld,
            Outcome::Timeout(true) => Self::TimedOutSent,
            Outcome::Unavailable(false) => Self::UnavailableHeld,
            Outcome::Unavailable(true) => Self::UnavailableSent,
            Outcome::Closed(false) => Self::ClosedHeld,
            Outcome::Closed(true) => Self::ClosedSent,
        }
    }

    pub(crate) const fn of_message(why: Why) -> Self {
        match why {
            Why::TimedOut => Self::DroppedForTime,
            Why::Unavailable => Self::DroppedForGood,
            Why::Closed => Self::DroppedAtEnd,
        }
    }
}
