//! The provider's transition table (spec/group.md 4.1).

crate::transition_table! {
    /// The transitions of [`Provider`](super::Provider).
    pub machine GroupProvider;
    /// Where a [`Provider`](super::Provider) stands with its group.
    pub enum State {
        /// Its request has not been answered.
        Requested,
        /// It is accepted, and is not in the group yet.
        Accepted,
        /// It is in the group, and nobody waits for its vote.
        Member,
        /// Its vote is due.
        Voting,
        /// It has voted, or has no vote, and the phase goes on.
        Voted,
        /// It is not in the group, and will not be.
        Gone,
    }
    /// What can happen to a [`Provider`](super::Provider).
    pub enum Event {
        /// The coordinator has a token for it.
        Accepted,
        /// A phase begins, and its vote is due.
        Phase,
        /// A phase begins in which it has no vote.
        Watches,
        /// It votes.
        Votes,
        /// The protocol has ended, and it is in the group.
        Ends,
        /// Another coordinator reigns, and it is still to be voted in.
        Waits,
        /// It is not, or not any more.
        Gone,
    }
    rows {
        Requested + Accepted => Accepted, "4.2";
        Requested + Gone => Gone, "4.2";
        Accepted + Phase => Voting, "4.2";
        Accepted + Watches => Voted, "4.5";
        Accepted + Ends => Member, "4.2";
        Accepted + Waits => Accepted, "4.5";
        Accepted + Gone => Gone, "4.2";
        Member + Phase => Voting, "4.3";
        Member + Watches => Voted, "4.3";
        Member + Ends => Member, "4.3";
        Member + Gone => Gone, "4.4";
        Voting + Phase => Voting, "4.3";
        Voting + Votes => Voted, "4.3";
        Voting + Watches => Voted, "4.5";
        Voting + Waits => Accepted, "4.5";
        Voting + Ends => Member, "4.3";
        Voting + Gone => Gone, "4.4";
        Voted + Phase => Voting, "4.3";
        Voted + Watches => Voted, "4.3";
        Voted + Waits => Accepted, "4.5";
        Voted + Ends => Member, "4.3";
        Voted + Gone => Gone, "4.4";
    }
}
