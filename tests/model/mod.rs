//! What the models of this crate's machines share: states that are cheap to copy, properties with names, and how a
//! model is explored.

// Every test program compiles this module for itself, as a private one.
#![allow(unreachable_pub)]

use stateright::{Checker, HasDiscoveries, Model};
use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// A machine behind a pointer, with its hash: most steps change one machine of several.
#[derive(Clone, Debug)]
pub struct Shared<M> {
    hash: u64,
    inner: Arc<M>,
}

impl<M: Clone + Hash> Shared<M> {
    pub fn new(inner: M) -> Self {
        let mut shared = Self { hash: 0, inner: Arc::new(inner) };
        shared.change(|_| ());
        shared
    }

    pub fn get(&self) -> &M {
        &self.inner
    }

    pub fn change<T>(&mut self, work: impl FnOnce(&mut M) -> T) -> T {
        let result = work(Arc::make_mut(&mut self.inner));
        let mut hasher = DefaultHasher::new();
        self.inner.hash(&mut hasher);
        self.hash = hasher.finish();
        result
    }
}

impl<M: PartialEq> PartialEq for Shared<M> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && (Arc::ptr_eq(&self.inner, &other.inner) || self.inner == other.inner)
    }
}

impl<M: Eq> Eq for Shared<M> {}

impl<M> Hash for Shared<M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// What was seen in any state of a run, a bit each.
#[derive(Clone, Debug, Default)]
pub struct Marks(Arc<AtomicU32>);

impl Marks {
    pub fn set(&self, bit: u32) {
        if !self.has(bit) {
            self.0.fetch_or(1 << bit, Ordering::Relaxed);
        }
    }

    pub fn has(&self, bit: u32) -> bool {
        self.0.load(Ordering::Relaxed) & 1 << bit != 0
    }
}

/// Declares the properties of a model whose state is `$world`: a property that was refuted on the way to a state has
/// its bit in the state's field `refuted`.
macro_rules! properties {
    ($(#[$doc:meta])* for $world:ty; $($property:ident $text:literal;)+) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Property { $($property),+ }

        pub(crate) const PROPERTIES: &[(Property, &str)] =
            &[$((Property::$property, concat!(stringify!($property), ": ", $text))),+];

        /// A property's name in the checker.
        pub(crate) const fn name(property: Property) -> &'static str {
            match property { $(Property::$property => stringify!($property)),+ }
        }

        /// The same for the checker.
        pub(crate) fn all<M: stateright::Model<State = $world>>() -> Vec<stateright::Property<M>> {
            vec![$(stateright::Property::<M>::always(stringify!($property), |_, world: &$world| {
                world.refuted & (1 << Property::$property as u32) == 0
            })),+]
        }
    };
}
pub(crate) use properties;

/// The tests that every model has: no small setup refutes anything without a mutant, every run of it ends, and each
/// mutant is caught under the name of its property, in the setup (one of `all`) that it names. With `reached`: each setup
/// is explored, and marks in its model's fields `properties` and `reached` show that all of both comes up.
macro_rules! mutant_tests {
    ($model:ident, small: $small:expr, all: $all:expr, line: $line:expr, properties: $properties:expr, name: $name:expr, mutants: $mutants:expr, reached: $reached:expr $(,)?) => {
        #[test]
        fn the_machines_keep_every_property_whatever_happens() {
            let mut models = Vec::new();
            for setup in $all() {
                let (name, model) = (setup.name, $model::new(setup));
                models.push((model.properties.clone(), model.reached.clone()));
                model::explore(name, model);
            }
            for &(property, text) in $properties {
                assert!(models.iter().any(|seen| seen.0.has(property as u32)), "never put to the test: {text}");
            }
            for &what in $reached {
                assert!(models.iter().any(|seen| seen.1.has(what as u32)), "never reached: {what:?}");
            }
        }

        model::mutant_tests! {
            $model,
            small: $small,
            all: $all,
            line: $line,
            properties: $properties,
            name: $name,
            mutants: $mutants,
        }
    };
    ($model:ident, small: $small:expr, all: $all:expr, line: $line:expr, properties: $properties:expr, name: $name:expr, mutants: $mutants:expr $(,)?) => {
        #[test]
        fn the_small_configurations_refute_nothing_without_a_mutant() {
            $small().into_iter().for_each(|setup| model::explore(setup.name, $model::new(setup)));
        }

        #[test]
        fn no_run_goes_round_in_circles() {
            $small().into_iter().for_each(|setup| model::always_ends(setup.name, &$model::new(setup.clone()), $line));
        }

        #[test]
        fn every_mutant_is_caught_by_its_property() {
            let mut missed = Vec::new();
            for &(property, mutant, setup) in $mutants {
                let setup = $all().into_iter().find(|known| known.name == setup).expect("a setup");
                let (name, named) = (setup.name, $name(property));
                match model::refutes($model::new(Setup { mutant, ..setup }), named) {
                    Some(steps) => println!("{named} catches {mutant:?} ({name}) in {steps} steps"),
                    None => missed.push((named, mutant, name)),
                }
            }
            assert!(missed.is_empty(), "{missed:?}");
        }

        #[test]
        fn every_property_has_a_mutant() {
            let without = |property: &&(_, &str)| !$mutants.iter().any(|(judge, ..)| *judge == property.0);
            assert_eq!($properties.iter().find(without), None);
        }
    };
}
pub(crate) use mutant_tests;

/// A model that can be explored, and whose steps can be told in words.
pub trait Told:
    Model<State: Clone + Debug + Eq + Hash + Send + Sync, Action: Clone + Debug + Eq> + Sync + Send
{
    fn tell(&self, state: &Self::State, action: Self::Action) -> String;
}

/// Explores everything that can happen, and tells how much that was.
///
/// # Panics
///
/// If that refutes a property: with what has led to it, step by step.
pub fn explore(name: &str, model: impl Told + 'static) {
    let start = Instant::now();
    // Which states there are does not depend on it.
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    let checker = model.checker().threads(threads).spawn_bfs().join();
    let (states, steps, depth) = (checker.unique_state_count(), checker.state_count(), checker.max_depth());
    println!("{name}: {states} states, {steps} steps, depth {depth}, {:.1} s", start.elapsed().as_secs_f32());
    let told = checker.discoveries().into_iter().map(|(property, path)| {
        let steps = path.into_vec().into_iter();
        let told: String = steps.filter_map(|(state, action)| Some(checker.model().tell(&state, action?))).collect();
        format!("{property}:\n{told}")
    });
    let told: Vec<String> = told.collect();
    assert!(told.is_empty(), "{name} refutes\n{}", told.concat());
    // No limit was set: the checker is done because nothing is left.
    assert!(checker.is_done());
}

/// In how many steps a model refutes a property, if it does.
pub fn refutes(model: impl Told + 'static, property: &'static str) -> Option<usize> {
    let until = HasDiscoveries::AnyOf([property].into());
    let checker = model.checker().finish_when(until).spawn_bfs().join();
    checker.discovery(property).map(|path| path.into_actions().len())
}

/// What must happen in the end is asserted where nothing can happen any more, which proves something only if every
/// run comes there.
///
/// # Panics
///
/// If a run can go round in a circle.
pub fn always_ends<M: Told>(name: &str, model: &M, line: impl Fn(&M::State) -> String) {
    // States that were entered, and whether all that follows from them is known.
    let mut states = HashMap::new();
    let mut stack: Vec<(M::State, bool)> = model.init_states().into_iter().map(|state| (state, false)).collect();
    while let Some((state, left)) = stack.pop() {
        if left {
            states.insert(state, true);
            continue;
        }
        match states.get(&state) {
            Some(done) => assert!(done, "{name}: a circle through\n{}", line(&state)),
            None => {
                states.insert(state.clone(), false);
                let next = model.next_states(&state);
                stack.push((state, true));
                stack.extend(next.into_iter().map(|state| (state, false)));
            }
        }
    }
}
