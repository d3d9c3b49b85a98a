//! The connection's transition table (spec/repmgr.md 6.1).

crate::transition_table! {
    /// The transitions of [`Connection`](super::Connection).
    pub machine RepmgrConnection;
    /// Where a [`Connection`](super::Connection) stands.
    pub enum State {
        /// The transport is being dialled.
        Dialling,
        /// The dialler has proposed versions.
        Proposed,
        /// The listener waits for a proposal.
        Negotiating,
        /// The listener has confirmed a version and waits to be told what the connection is for.
        Introducing,
        /// The listener was asked about membership, and the application has not answered.
        Asked,
        /// Messages of applications can go both ways.
        Ready,
        /// The connection is over.
        Closed,
    }
    /// What can happen to a [`Connection`](super::Connection).
    pub enum Event {
        /// The transport is there.
        Opened,
        /// The dialler proposes versions.
        Proposed,
        /// The listener confirms one.
        Confirmed,
        /// The dialler wants a channel.
        Introduced,
        /// The dialler wants something of the group.
        Asked,
        /// The application has answered that.
        Answered,
        /// There is no version that both can speak, or the dialler wants something else than a channel.
        Refused,
        /// The peer has sent what it may not.
        Violated,
        /// A deadline has passed.
        TimedOut,
        /// The transport has closed, or is closed from here.
        Closed,
    }
    rows {
        Dialling + Opened => Proposed, "2.1";
        Dialling + TimedOut => Closed, "6.1";
        Dialling + Closed => Closed, "6.1";
        Proposed + Confirmed => Ready, "2.1";
        Proposed + Refused => Closed, "2.3";
        Proposed + Violated => Closed, "6.1";
        Proposed + TimedOut => Closed, "6.1";
        Proposed + Closed => Closed, "6.1";
        Negotiating + Proposed => Introducing, "2.1";
        Negotiating + Refused => Closed, "2.3";
        Negotiating + Violated => Closed, "6.1";
        Negotiating + TimedOut => Closed, "6.1";
        Negotiating + Closed => Closed, "6.1";
        Introducing + Introduced => Ready, "2.5";
        Introducing + Asked => Asked, "4";
        Introducing + Refused => Closed, "2.5";
        Introducing + Violated => Closed, "6.1";
        Introducing + TimedOut => Closed, "6.1";
        Introducing + Closed => Closed, "6.1";
        Asked + Answered => Closed, "4";
        Asked + Violated => Closed, "6.1";
        Asked + TimedOut => Closed, "4";
        Asked + Closed => Closed, "6.1";
        Ready + Violated => Closed, "6.1";
        Ready + Closed => Closed, "6.1";
    }
}
