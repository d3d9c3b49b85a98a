//! The dispatcher's transition table (spec/repmgr.md 6.3).

crate::transition_table! {
    /// The transitions of [`Dispatcher`](super::Dispatcher).
    pub machine RepmgrDispatcher;
    /// Whether there is something that takes messages.
    pub enum State {
        /// There is.
        Serving,
        /// There is not: whoever asks is told so.
        Refusing,
    }
    /// What can happen to a [`Dispatcher`](super::Dispatcher).
    pub enum Event {
        /// Something takes messages from now on.
        Served,
        /// Nothing does.
        Unserved,
    }
    rows {
        Serving + Served => Serving, "6.3";
        Serving + Unserved => Refusing, "6.3";
        Refusing + Served => Serving, "6.3";
        Refusing + Unserved => Refusing, "6.3";
    }
}
