//! What becomes of one message or request that has come in (spec/repmgr.md 6.3).

crate::transition_table! {
    /// The transitions of one message or request.
    pub machine RepmgrIncoming;
    /// Where it stands.
    pub enum Progress {
        /// A message: no answer is wanted.
        Message,
        /// A request that has no answer.
        Request,
        /// A request that has its answer.
        Answered,
        /// Its sender has gone.
        Lost,
        /// It is finished.
        Finished,
    }
    /// What can happen to it.
    pub enum Happening {
        /// It is answered.
        Answered,
        /// Its sender goes.
        Lost,
        /// The application is through with it; a request that has no answer gets the one that there is none.
        Finished,
    }
    rows {
        Message + Lost => Lost, "6.3";
        Message + Finished => Finished, "6.3";
        Request + Answered => Answered, "6.3";
        Request + Lost => Lost, "6.3";
        Request + Finished => Finished, "6.3";
        Answered + Lost => Lost, "6.3";
        Answered + Finished => Finished, "6.3";
        Lost + Finished => Finished, "6.3";
    }
}
