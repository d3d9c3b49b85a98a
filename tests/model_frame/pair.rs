//! The model: where it begins, what can happen, and what it leads to.

use super::model::{Marks, Shared, Told};
use super::mutants::Mutant;
use super::world::{End, Property, Reached, Transport, Word, World, all};
use handover::error::{Error, Misuse};
use handover::frame::link::{Config, Ending, Event, Input, Link, Output, State};
use handover::frame::{
    Capabilities, Close, CloseReason, Frame, FrameFlags, Hello, Native, Offer, Protocol, VersionRange,
};
use handover::machine::Machine;
use handover::testing::frame::reference;
use handover::time::Instant;
use stateright::Model;

/// What is explored: what both ends say, how large the bodies are that they send, and how much may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) name: &'static str,
    /// The highest version of each end; the lowest is one below.
    pub(crate) versions: [u16; 2],
    /// What each end takes, and what its application sends.
    pub(crate) takes: [u32; 2],
    pub(crate) body: [usize; 2],
    pub(crate) sends: u8,
    pub(crate) closes: u8,
    pub(crate) breaks: u8,
    pub(crate) mutant: Mutant,
}

pub(crate) fn setups() -> Vec<Setup> {
    let both = Setup {
        name: "both speak",
        versions: [2, 3],
        takes: [1024, 2000],
        body: [1, 1],
        sends: 3,
        closes: 1,
        breaks: 1,
        mutant: Mutant::None,
    };
    vec![
        both,
        Setup { name: "nothing in common", versions: [2, 4], sends: 1, ..both },
        // The second may send 1024, and the first 2000.
        Setup { name: "bodies", body: [2000, 1025], sends: 1, ..both },
        Setup { name: "nothing goes wrong", closes: 0, breaks: 0, sends: 5, ..both },
        Setup { name: "nothing is said", closes: 0, breaks: 0, sends: 0, ..both },
    ]
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The transport is there, or cannot be had.
    Open(usize),
    Fail(usize),
    /// The next word that is under way to this end arrives.
    Deliver(usize),
    /// Its application sends a frame, or closes.
    Send(usize),
    Close(usize),
    /// Its deadline has passed.
    Expire(usize),
    /// The transport breaks, and an end finds it out.
    Break,
    Notice(usize),
}

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) setup: Setup,
    pub(crate) properties: Marks,
    pub(crate) reached: Marks,
}

/// A step of the model: the world, while it is being changed.
struct Step<'a> {
    pair: &'a Pair,
    w: World,
}

impl Pair {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, properties: Marks::default(), reached: Marks::default() }
    }

    fn hello(&self, at: usize) -> Hello {
        let max = self.setup.versions[at];
        let offer = |protocol: u8, bits| Offer {
            protocol: Protocol(protocol),
            versions: VersionRange { min: max - 1, max },
            capabilities: Capabilities::from_bits_retain(bits),
        };
        // In another order, and with something that the other end does not have.
        let offers =
            if at == 0 { [offer(2, 3), offer(200, 1), offer(1, 8)] } else { [offer(1, 12), offer(3, 1), offer(2, 6)] };
        Hello { max_body: self.setup.takes[at], ..Hello::new(offers) }
    }

    fn end(&self, at: usize) -> End {
        let link = Link::new(Config::new(self.hello(at)), Instant::ZERO);
        End {
            link: Shared::new(link),
            transport: Transport::Dialled,
            incoming: Default::default(),
            sent: 0,
            got: Vec::new(),
            hellos: 0,
            closed: None,
            settled: None,
            ends: Vec::new(),
            sends: self.setup.sends,
            closes: self.setup.closes,
        }
    }

    /// 3.2, by another reading of it.
    fn settled(&self) -> Vec<(u8, u16, u64)> {
        let [one, other] = [0, 1].map(|at| reference::hello_parts(&self.hello(at)));
        reference::settled(&one, &other)
    }

    /// A frame of an application: its number in front.
    fn frame(&self, at: usize, number: u8) -> Frame {
        let mut body = vec![0; self.setup.body[at]];
        body[0] = number;
        Frame { protocol: Protocol::GROUP, kind: number, flags: FrameFlags::empty(), body: body.into() }
    }

    fn step(&self, world: &World, action: Action) -> World {
        let mut step = Step { pair: self, w: world.clone() };
        step.take(action);
        let mut left = Vec::new();
        self.actions(&step.w, &mut left);
        // But for what applications may want and what may go wrong.
        let broken = step.w.broken;
        let duty = |action: &Action| match action {
            Action::Send(_) | Action::Close(_) | Action::Break => false,
            Action::Fail(_) => broken,
            Action::Open(_) | Action::Deliver(_) | Action::Expire(_) | Action::Notice(_) => true,
        };
        if !left.iter().any(duty) {
            step.at_rest();
        }
        step.w
    }
}

impl Step<'_> {
    fn check(&mut self, property: Property, holds: bool) {
        self.pair.properties.set(property as u32);
        if !holds {
            self.w.refuted |= 1 << property as u32;
        }
    }

    fn reach(&self, what: Reached) {
        self.pair.reached.set(what as u32);
    }

    fn take(&mut self, action: Action) {
        match action {
            Action::Open(at) => {
                self.w.ends[at].transport = Transport::Open;
                self.feed(at, Input::Opened);
                if self.pair.setup.mutant == Mutant::OpenedTwice {
                    self.feed(at, Input::Opened);
                }
            }
            Action::Fail(at) => {
                if !self.w.broken {
                    self.w.breaks -= 1;
                    self.w.broken = true;
                }
                self.w.ends[at].transport = Transport::Gone;
                self.feed(at, Input::Closed);
            }
            Action::Deliver(at) => {
                if let Some(word) = self.w.ends[at].incoming.pop_front() {
                    self.arrives(at, word);
                }
            }
            Action::Send(at) => self.send(at),
            Action::Close(at) => {
                self.w.ends[at].closes -= 1;
                self.feed(at, Input::Close(Close::new(CloseReason::DONE)));
            }
            Action::Expire(at) => self.feed(at, Input::Timeout),
            Action::Break => {
                self.w.breaks -= 1;
                self.w.broken = true;
            }
            Action::Notice(at) => {
                self.w.ends[at].transport = Transport::Gone;
                self.w.ends[at].incoming.clear();
                self.feed(at, Input::Closed);
            }
        }
    }

    fn arrives(&mut self, at: usize, word: Word) {
        match word {
            Word::Frame(frame) => {
                let frame = self.pair.setup.mutant.arriving(at, frame);
                self.feed(at, Input::Frame(frame));
            }
            Word::End => {
                self.w.ends[at].transport = Transport::Gone;
                self.feed(at, Input::Closed);
            }
        }
    }

    /// The application of an end that is ready sends its next frame.
    fn send(&mut self, at: usize) {
        self.w.ends[at].sends -= 1;
        let frame = self.pair.frame(at, self.w.ends[at].sent + 1);
        let fits = self.pair.setup.body[at] as u64 <= u64::from(self.pair.setup.takes[1 - at]);
        let refused = Err(Error::Misuse(Misuse::Argument { what: "body", reason: "larger than the other end takes" }));
        let (result, mut outputs) = self.handle(at, Input::Send(frame.clone()));
        if self.pair.setup.mutant == Mutant::SendsAnything && result.is_err() {
            outputs.push(Output::Send(frame.clone()));
        }
        let sent = outputs == [Output::Send(frame)];
        self.check(Property::F6, sent == fits && result == if fits { Ok(()) } else { refused });
        if sent {
            self.w.ends[at].sent += 1;
        } else {
            self.reach(Reached::Refused);
        }
        self.apply(at, outputs);
    }

    fn handle(&mut self, at: usize, input: Input) -> (Result<(), Error>, Vec<Output>) {
        self.w.ends[at].link.change(|link| {
            let now = link.poll_timeout().unwrap_or(Instant::ZERO);
            let result = link.handle(now, input);
            (result, std::iter::from_fn(|| link.poll_output()).collect())
        })
    }

    /// An input that no application has chosen, and what follows from it.
    fn feed(&mut self, at: usize, input: Input) {
        let (result, outputs) = self.handle(at, input);
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
        self.check(Property::F9, !matches!(result, Err(Error::Violation(_))));
        let outputs = self.pair.setup.mutant.leaving(at, outputs);
        self.apply(at, outputs);
    }

    fn apply(&mut self, at: usize, outputs: Vec<Output>) {
        for output in outputs {
            let over = !self.w.ends[at].ends.is_empty();
            self.check(Property::F8, !over);
            match output {
                Output::Send(frame) => self.says(at, frame),
                Output::Close => {
                    self.w.ends[at].transport = Transport::Gone;
                    self.w.ends[at].incoming.clear();
                    self.put(at, Word::End);
                }
                Output::Event(event) => self.told(at, event),
                other => panic!("{other:?}"),
            }
        }
        let state = self.w.ends[at].link.get().state();
        self.check(Property::F8, (state == State::Closed) == (self.w.ends[at].ends.len() == 1));
    }

    fn says(&mut self, at: usize, frame: Frame) {
        let end = &mut self.w.ends[at];
        let greets = frame.protocol == Protocol::LINK && frame.kind == Hello::KIND;
        let in_place = end.closed.is_none() && greets == (end.hellos == 0);
        end.hellos += u8::from(greets);
        if frame.protocol == Protocol::LINK && frame.kind == Close::KIND {
            end.closed = Close::from_frame(&frame).ok().map(|close| close.reason);
        }
        let crossed = self.w.ends.iter().all(|end| end.closed.is_some());
        self.check(Property::F4, in_place);
        if crossed {
            self.reach(Reached::ClosesCrossed);
        }
        self.put(at, Word::Frame(frame));
    }

    /// Towards the other end, if there is a way.
    fn put(&mut self, at: usize, word: Word) {
        let other = &mut self.w.ends[1 - at];
        if !self.w.broken && other.transport != Transport::Gone {
            self.pair.setup.mutant.under_way(at, word, &mut other.incoming);
        }
    }

    fn told(&mut self, at: usize, event: Event) {
        match event {
            Event::Ready(settled) => {
                let parts =
                    |spoken: &handover::frame::Spoken| (spoken.protocol.0, spoken.version, spoken.capabilities.bits());
                let ours: Vec<_> = settled.spoken.iter().map(parts).collect();
                self.check(Property::F5, ours == self.pair.settled() && settled.peer == self.pair.hello(1 - at));
                self.w.ends[at].settled = Some(settled.spoken);
                if let [Some(one), Some(other)] = self.w.ends.each_ref().map(|end| end.settled.clone()) {
                    self.check(Property::F5, one == other);
                    self.reach(Reached::BothReady);
                }
            }
            Event::Frame(frame) => {
                self.w.ends[at].got.push(frame.kind);
                let got = &self.w.ends[at].got;
                let in_order = got.iter().zip(1..).all(|(got, number)| *got == number);
                let sent = got.len() <= usize::from(self.w.ends[1 - at].sent);
                let whole = frame == self.pair.frame(1 - at, frame.kind);
                self.check(Property::F7, in_order && sent && whole);
            }
            Event::Closed(ending) => self.ends(at, ending),
            other => panic!("{other:?}"),
        }
    }

    fn ends(&mut self, at: usize, ending: Ending) {
        let said = self.w.ends[1 - at].closed;
        let (ours, blames) = match &ending {
            Ending::Peer(close) => {
                self.reach(Reached::ClosedByPeer);
                self.check(Property::F8, said == Some(close.reason));
                (true, false)
            }
            Ending::Local(reason) => {
                let reached = [
                    (CloseReason::DONE, Reached::ClosedHere),
                    (CloseReason::NOTHING_IN_COMMON, Reached::NothingInCommon),
                    (CloseReason::TIMED_OUT, Reached::TimedOut),
                ];
                let known = reached.iter().find(|known| known.0 == *reason);
                known.iter().for_each(|known| self.reach(known.1));
                let heard = self.w.ends[at].closed.is_none_or(|closed| closed == *reason);
                (heard, known.is_none())
            }
            Ending::Lost => {
                self.reach(Reached::Lost);
                (true, false)
            }
            other => panic!("{other:?}"),
        };
        self.check(Property::F8, ours);
        self.check(Property::F9, !blames);
        self.w.ends[at].ends.push(ending);
    }

    /// Nothing has to happen any more.
    fn at_rest(&mut self) {
        let states = self.w.ends.each_ref().map(|end| end.link.get().state());
        let ready = states == [State::Ready; 2] && !self.w.broken;
        self.check(Property::F10, ready || states == [State::Closed; 2]);
        if ready {
            let all = |at: usize| self.w.ends[at].got.len() == usize::from(self.w.ends[1 - at].sent);
            let all = all(0) && all(1);
            self.check(Property::F7, all);
            self.reach(Reached::ReadyAtRest);
        }
    }
}

impl Model for Pair {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        let ends = [self.end(0), self.end(1)];
        vec![World { ends, broken: false, breaks: self.setup.breaks, refuted: 0 }]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if world.refuted != 0 && self.setup.mutant == Mutant::None {
            return;
        }
        for (at, end) in world.ends.iter().enumerate() {
            let state = end.link.get().state();
            match end.transport {
                Transport::Dialled if state == State::Opening => {
                    if !world.broken {
                        actions.push(Action::Open(at));
                    }
                    if world.broken || world.breaks > 0 {
                        actions.push(Action::Fail(at));
                    }
                }
                Transport::Open => {
                    if !end.incoming.is_empty() {
                        actions.push(Action::Deliver(at));
                    }
                    if world.broken {
                        actions.push(Action::Notice(at));
                    }
                    if state == State::Ready && end.sends > 0 {
                        actions.push(Action::Send(at));
                    }
                }
                Transport::Dialled | Transport::Gone => {}
            }
            if state != State::Closed && end.closes > 0 {
                actions.push(Action::Close(at));
            }
            if end.link.get().poll_timeout().is_some() && self.setup.mutant != Mutant::NoTimers {
                actions.push(Action::Expire(at));
            }
        }
        if !world.broken && world.breaks > 0 && world.ends.iter().any(|end| end.transport == Transport::Open) {
            actions.push(Action::Break);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        Some(self.step(world, action))
    }

    fn properties(&self) -> Vec<stateright::Property<Self>> {
        all()
    }
}

impl Told for Pair {
    fn tell(&self, world: &World, action: Action) -> String {
        format!("{action:?}: {}", self.step(world, action).line())
    }
}
