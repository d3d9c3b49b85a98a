//! Which rows of a transition table were taken, as the `tracing` feature tells them.

use handover::machine::Table;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Once;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Machine, from, event, to.
pub type Taken = BTreeSet<[String; 4]>;

thread_local! {
    /// What this thread has taken.
    static TAKEN: RefCell<Taken> = const { RefCell::new(Taken::new()) };
}

/// Hears all threads. One for each test would be deaf to whatever another test's thread came to first: `tracing`
/// remembers across threads that nobody listened there.
struct Listener;

#[derive(Default)]
struct Transition([Option<String>; 4]);

impl Visit for Transition {
    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(at) = ["machine", "from", "event", "to"].iter().position(|name| *name == field.name()) {
            self.0[at] = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut transition = Transition::default();
        event.record(&mut transition);
        if let [Some(machine), Some(from), Some(on), Some(to)] = transition.0 {
            TAKEN.with_borrow_mut(|taken| taken.insert([machine, from, on, to]));
        }
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What `run` takes.
pub fn taken(run: impl FnOnce()) -> Taken {
    static LISTENING: Once = Once::new();
    LISTENING.call_once(|| tracing::subscriber::set_global_default(Listener).expect("nobody else listens"));
    tracing::callsite::rebuild_interest_cache();
    TAKEN.take();
    run();
    TAKEN.take()
}

/// Every transition of the table's machine that `run` takes is a row, and every row is taken.
pub fn check<S, E>(table: &Table<S, E>, run: impl FnOnce())
where
    S: Copy + Debug,
    E: Copy + Debug,
{
    let name = |machine: &str| machine.replace(' ', "").to_lowercase();
    let of_machine = |[machine, ..]: &[String; 4]| name(machine) == name(table.name);
    let taken: BTreeSet<_> =
        taken(run).into_iter().filter(of_machine).map(|[_, from, on, to]| [from, on, to]).collect();
    let row = |row: &handover::machine::Row<S, E>| [row.from, row.to].map(|state| format!("{state:?}"));
    let rows: BTreeSet<_> = table
        .rows
        .iter()
        .map(|entry| {
            let [from, to] = row(entry);
            [from, format!("{:?}", entry.event), to]
        })
        .collect();
    let foreign: Vec<_> = taken.difference(&rows).collect();
    assert!(foreign.is_empty(), "{}: not in the table: {foreign:?}", table.name);
    let missing: Vec<_> = rows.difference(&taken).collect();
    assert!(missing.is_empty(), "{}: never taken: {missing:?}", table.name);
}
