//! The properties, as observers of what each machine is given and what it does.
//!
//! An observer sees the wire and the events: a mutant sits between them and its machine, so that the two together are
//! judged like one implementation. What a property must remember is kept in [`Ghost`](super::ghost::Ghost) and
//! [`Wire`], as little as possible, because every bit of it multiplies states. A property that is refuted leaves a bit
//! in the state.

use super::adapter::{Effect, Note, Step, Stimulus};
use super::ghost::{Fate, Property, Reached, Wire};
use super::world::{App, Link, Peer, Word, World};
use handover::error::Error;
use handover::machine::Machine;
use handover::tds5::client::State as ClientState;
use handover::tds5::server::{Caller, MigrationState, State as ServerState};
use handover::tds5::target::State as TargetState;

/// What a step is to be compared with.
#[derive(Default)]
pub(crate) struct Before {
    /// Whether an order may be obeyed.
    may: bool,
    /// Whether the client was told to go.
    told: bool,
    /// Whether a state event is due.
    ready: bool,
    failed: bool,
    /// Whether what the client is given ends its silence behind SYNC.
    taken_back: bool,
    /// What the client waited for.
    waiting: u8,
}

impl Link {
    /// Whether the application of the server, which knows nothing but what it was told, may give an order.
    fn may(&self, stimulus: Stimulus, able: bool) -> bool {
        let Self { app: App { handler, .. }, wire: Wire { fate, attempt, .. }, .. } = self;
        let deciding = *attempt != 0 && handler == attempt;
        let in_time = |by| *fate != Fate::Told && !(by == Caller::Other && deciding);
        match stimulus {
            Stimulus::Migrate(by) => able && in_time(by),
            Stimulus::Cancel(by) => *attempt != 0 && in_time(by),
            _ => true,
        }
    }
}

impl World {
    /// Whether a peer's machine has come to its end.
    fn is_gone(&self, peer: Peer) -> bool {
        match peer {
            Peer::Client => self.client.get().state() == ClientState::Closed,
            Peer::Server(id) => self.link(id).is_none_or(|link| {
                let gone = |server: Option<ServerState>| server.is_none_or(|state| state == ServerState::Gone);
                let over = |target: Option<TargetState>| target.is_none_or(|state| state == TargetState::Gone);
                gone(link.server().map(Machine::state)) && over(link.target().map(Machine::state))
            }),
        }
    }
}

impl Step<'_> {
    fn wire_mut(&mut self, id: u8) -> Option<&mut Wire> {
        self.w.link_mut(id).map(|link| &mut link.wire)
    }

    /// What a peer is about to be given.
    pub(crate) fn before(&mut self, peer: Peer, stimulus: Stimulus) -> Before {
        match (peer, stimulus) {
            (Peer::Client, stimulus) => {
                let ghost = self.w.ghost;
                let (waiting, wire) = (ghost.waiting, self.w.wire(ghost.current));
                let mut taken_back = false;
                if let Stimulus::Word(id, word) = stimulus {
                    taken_back = wire.synced && matches!(word, Word::Ignore | Word::Request(_));
                    self.client_reads(id, word);
                }
                Before { taken_back, waiting, ..Before::default() }
            }
            (Peer::Server(id), stimulus) => {
                let able = self.setup.able;
                let Some(link) = self.w.link_mut(id) else { return Before::default() };
                let may = link.may(stimulus, able);
                let wire = &mut link.wire;
                let told = wire.fate == Fate::Told;
                let open = wire.attempt != 0;
                let crossed = matches!(stimulus, Stimulus::Word(_, Word::Fail(answers)) if answers < wire.asked);
                let (mut ready, mut failed) = (false, false);
                match stimulus {
                    Stimulus::Word(_, Word::Sync(answers)) if answers == wire.asked && wire.fate == Fate::Asked => {
                        wire.fate = Fate::Synced;
                        ready = open;
                    }
                    Stimulus::Word(_, Word::Fail(answers)) if answers == wire.asked && open => {
                        wire.fate = Fate::Failed;
                        failed = true;
                    }
                    // Only a whole command tells that the client has not gone.
                    Stimulus::Word(_, Word::Piece(_, true)) if told => {
                        wire.fate = Fate::Failed;
                        failed = open;
                    }
                    _ => {}
                }
                if crossed {
                    self.reach(Reached::Crossed);
                }
                Before { may, told, ready, failed, ..Before::default() }
            }
        }
    }

    fn client_reads(&mut self, id: u8, word: Word) {
        let Some(wire) = self.wire_mut(id) else { return };
        match word {
            Word::Ack(status) => wire.granted = status == 5,
            Word::Id(number) => wire.id = number,
            Word::Done(..) if !wire.logged_in => wire.done = wire.granted,
            Word::End if wire.done && !wire.logged_in => {
                wire.logged_in = true;
                let (wire, ghost) = (*wire, &mut self.w.ghost);
                ghost.id = if wire.id == 0 { ghost.id } else { wire.id };
                ghost.current = if ghost.current == 0 { id } else { ghost.current };
            }
            Word::Request(number) => {
                let in_order = number == wire.heard + 1;
                wire.heard = number;
                (wire.open, wire.synced) = (number, false);
                self.check(Property::Answers, in_order);
            }
            Word::Continue => wire.going = core::mem::take(&mut wire.synced),
            Word::Ignore => (wire.open, wire.synced) = (0, false),
            Word::Done(command, attention) => self.client_reads_done(command, attention),
            _ => {}
        }
    }

    /// M9: one final DONE for the command that waits; and behind an attention one that acknowledges it, which may be
    /// the same.
    fn client_reads_done(&mut self, command: u8, attention: bool) {
        let ghost = &mut self.w.ghost;
        let mut holds = true;
        if command != 0 {
            holds &= ghost.waiting == command && !ghost.answered;
            ghost.answered = true;
        } else if !attention {
            holds = self.w.client.get().state() == ClientState::LoggingOut;
        }
        if attention {
            holds &= ghost.waiting != 0 && ghost.attention && !ghost.acknowledged;
            ghost.acknowledged = true;
        }
        self.check(Property::M9, holds);
    }

    /// How a machine takes what it is given, before the world sees what it does.
    pub(crate) fn judge(&mut self, peer: Peer, stimulus: Stimulus, before: &Before, result: &Result<(), Error>) {
        use Property::{M5, M7, NoMisuse, NoViolation, Timers};
        self.check(NoViolation, !matches!(result, Err(Error::Violation(_))));
        match stimulus {
            Stimulus::Migrate(_) | Stimulus::Cancel(_) => {
                if before.told {
                    self.check(M7, result.is_err());
                } else {
                    self.check(NoMisuse, result.is_ok() == before.may);
                }
                self.check(M5, self.setup.able || result.is_err());
            }
            Stimulus::Attention => self.check(NoMisuse, result.is_ok() == (self.w.ghost.waiting != 0)),
            Stimulus::Timeout => {
                let clock = if let Peer::Server(id) = peer { self.w.link(id).map(|link| link.clock) } else { None };
                let clock = clock.unwrap_or(self.w.clock);
                self.check(Timers, self.w.deadline(peer).is_none_or(|deadline| deadline > clock));
            }
            _ => {}
        }
        if self.w.is_gone(peer) {
            self.check(Timers, self.w.deadline(peer).is_none());
        }
    }

    /// Puts in what is not on the wire: which request is meant.
    pub(crate) fn number(&self, peer: Peer, effect: Effect) -> Effect {
        let Effect::Send(id, word) = effect else { return effect };
        let wire = self.w.wire(id);
        Effect::Send(
            id,
            match (peer, word) {
                (Peer::Server(_), Word::Request(_)) => Word::Request(wire.asked + 1),
                (Peer::Client, Word::Sync(_)) => Word::Sync(wire.answered + 1),
                (Peer::Client, Word::Fail(_)) => Word::Fail(wire.answered),
                _ => word,
            },
        )
    }

    /// One effect of a peer, before it takes place.
    pub(crate) fn observe(&mut self, peer: Peer, effect: Effect) {
        match (peer, effect) {
            (Peer::Server(id), Effect::Send(_, word)) => self.server_sends(id, word),
            (Peer::Server(id), Effect::Note(note)) => self.server_tells(id, note),
            (Peer::Client, Effect::Send(id, word)) => self.client_sends(id, word),
            (Peer::Client, Effect::Note(note)) => self.client_tells(note),
            (Peer::Client, Effect::Switch(from, to)) => {
                let acknowledged = from == self.w.ghost.current && self.w.wire(to).logged_in;
                self.check(Property::M11, acknowledged);
                let ghost = &mut self.w.ghost;
                (ghost.current, ghost.attention, ghost.acknowledged) = (to, false, false);
            }
            (Peer::Client, Effect::Close(id)) => {
                let kept = id != self.w.ghost.current || self.w.is_gone(Peer::Client);
                self.check(Property::M11, kept);
            }
            _ => {}
        }
    }

    fn server_sends(&mut self, id: u8, word: Word) {
        use Property::{M5, M6, M9, Owner};
        let Some(link) = self.w.link_mut(id) else { return };
        let fate = link.wire.fate;
        match word {
            Word::Request(number) => {
                (link.wire.asked, link.wire.fate) = (number, Fate::Asked);
                self.check(M5, self.setup.able);
            }
            Word::Continue => {
                (link.wire.fate, link.app.left) = (Fate::Told, true);
                let context = link.app.owed[0];
                self.w.ghost.context = context;
                self.check(M6, fate == Fate::Synced);
            }
            Word::Ignore => {
                link.wire.fate = Fate::TakenBack;
                self.check(M6, matches!(fate, Fate::Asked | Fate::Synced));
            }
            Word::Row(number) => {
                let in_order = number == self.w.ghost.rows_sent + 1;
                self.w.ghost.rows_sent = number;
                self.check(M9, in_order);
                self.check(Owner, fate != Fate::Told);
            }
            Word::Done(command, _) if command != 0 => {
                let bit = 1 << command;
                let first = self.w.ghost.done & bit == 0;
                self.w.ghost.done |= bit;
                self.check(M9, first);
                self.check(Owner, fate != Fate::Told);
            }
            _ => {}
        }
    }

    fn server_tells(&mut self, id: u8, note: Note) {
        use Property::{M5, M9, M10, OneEnd};
        let split = self.setup.split;
        let (target, app) = (self.w.link(id).is_some_and(|link| link.target().is_some()), self.w.app(id));
        let Some(wire) = self.wire_mut(id) else { return };
        match note {
            Note::Started(attempt) => {
                let first = core::mem::replace(&mut wire.attempt, attempt) == 0;
                self.check(M5, first);
            }
            Note::Ended(attempt, how) => {
                let own = core::mem::take(&mut wire.attempt) == attempt;
                self.check(M5, own);
                self.reach(how);
            }
            Note::LoginEnded(how) => {
                let first = !core::mem::replace(&mut wire.login_over, true);
                self.check(OneEnd, first);
                self.reach(how);
            }
            Note::Piece(number) => {
                let heard = core::mem::replace(&mut self.w.ghost.pieces_heard, number);
                // Pieces of a command stay together.
                self.check(M10, number == heard + 1 && app.piece == (split && number % 2 == 0));
                self.owns(id);
            }
            Note::Over => {
                self.w.ghost.commands_heard += 1;
                self.owns(id);
            }
            Note::Resume => {
                let here = app.owed[0] != 0;
                self.check(M9, here || self.w.ghost.context != 0);
                self.reach(match (here, target) {
                    (true, _) => Reached::ResumedHere,
                    (false, true) => Reached::ResumedThere,
                    (false, false) => Reached::ResumedAtServer,
                });
                self.owns(id);
            }
            _ => {}
        }
    }

    /// A server serves the session: no other one does, and it was not told to go.
    fn owns(&mut self, id: u8) {
        let other = |link: &Link| link.id != id && link.app.owed[0] != 0 && !link.app.left;
        let alone = !self.w.links.iter().any(other) && self.w.wire(id).fate != Fate::Told;
        self.check(Property::Owner, alone);
    }

    fn client_sends(&mut self, id: u8, word: Word) {
        use Property::{Answers, M9, M10, M12, Owner};
        let ghost = &mut self.w.ghost;
        let (current, waiting) = (ghost.current, ghost.waiting);
        let before = self.w.wire(id);
        match word {
            Word::Login(shown) => {
                let expected = if current == 0 { 0 } else { self.w.ghost.id };
                self.check(M12, shown == expected);
            }
            Word::Piece(number, end) => {
                let ghost = &mut self.w.ghost;
                let in_order = number == ghost.pieces_sent + 1;
                ghost.pieces_sent = number;
                if end {
                    ghost.commands_sent += 1;
                    ghost.waiting = ghost.commands_sent;
                }
                self.check(M10, in_order && waiting == 0 && !before.synced && !before.going);
                self.check(Owner, id == current);
            }
            Word::Sync(number) => {
                let silent = before.synced || before.going;
                if let Some(wire) = self.wire_mut(id) {
                    wire.answered = number;
                    wire.synced = number == wire.open;
                }
                self.check(Answers, !silent && number <= before.heard);
            }
            Word::Fail(number) => {
                if let Some(wire) = self.wire_mut(id) {
                    wire.failed = number;
                    (wire.synced, wire.going) = (false, false);
                    wire.open = if wire.open == number { 0 } else { wire.open };
                }
                // Once for a request, behind its SYNC.
                self.check(Answers, number > before.failed);
            }
            Word::Resume => {
                self.check(M9, waiting != 0);
                self.check(Owner, id == current);
            }
            Word::Attention => {
                self.w.ghost.attention = true;
                self.check(Owner, id == current);
            }
            _ => {}
        }
    }

    fn client_tells(&mut self, note: Note) {
        use Property::{M9, OneEnd};
        let ghost = &mut self.w.ghost;
        match note {
            Note::Started(attempt) => {
                let first = core::mem::replace(&mut ghost.attempt, attempt) == 0;
                self.check(OneEnd, first);
            }
            Note::Ended(attempt, how) => {
                let own = core::mem::take(&mut ghost.attempt) == attempt;
                self.check(OneEnd, own);
                self.reach(how);
            }
            Note::Row(number) => {
                let in_order = number == core::mem::replace(&mut ghost.rows_heard, number) + 1;
                self.check(M9, in_order);
            }
            Note::Completed(command) => {
                let holds = ghost.waiting == command && ghost.is_finished();
                (ghost.waiting, ghost.answered) = (0, false);
                (ghost.attention, ghost.acknowledged) = (false, false);
                self.check(M9, holds);
            }
            Note::Disconnected => {
                ghost.over = true;
                // The application wanted it, or the link in use is gone.
                let wanted = ghost.leaving;
                let current = self.w.link(self.w.ghost.current);
                let survives = current.is_some_and(|link| link.server_open() && !link.broken);
                self.check(M9, wanted || !survives);
            }
            _ => {}
        }
    }

    /// What must hold once a peer has done all that a stimulus makes it do.
    pub(crate) fn after(&mut self, peer: Peer, stimulus: Stimulus, before: &Before, effects: &[Effect]) {
        use Property::{M5, M8, M9, M14, OneEnd};
        let Peer::Server(id) = peer else {
            if let Stimulus::Word(_, Word::End) = stimulus {
                let ghost = &self.w.ghost;
                let completed = ghost.waiting == 0 || !ghost.is_finished();
                self.check(M9, completed);
            }
            return self.after_client(before, effects);
        };
        let told = |note| effects.iter().filter(|effect| **effect == Effect::Note(note)).count();
        let readies = effects.iter().filter(|effect| matches!(effect, Effect::Note(Note::Ready(_)))).count();
        self.check(M8, readies == usize::from(before.ready) && told(Note::Failed) == usize::from(before.failed));
        let Some(link) = self.w.link(id) else { return };
        let wire = link.wire;
        if let Some(state) = link.server().map(|server| server.migration_state()) {
            let told = (wire.fate == Fate::Told) == (state == MigrationState::Migrating);
            self.check(M14, told && state.number() <= 5);
        }
        if self.w.is_gone(peer) {
            self.check(M5, wire.attempt == 0);
            self.check(OneEnd, wire.login_over);
        }
    }

    /// 6.4: RESUME behind IGN that ends the silence, FAIL and a new login, if the client waits.
    fn after_client(&mut self, before: &Before, effects: &[Effect]) {
        let has = |wanted: fn(&Effect) -> bool| effects.iter().filter(|effect| wanted(effect)).count();
        let failed = has(|effect| matches!(effect, Effect::Send(_, Word::Fail(_)))) > 0;
        let switched = has(|effect| matches!(effect, Effect::Switch(..))) > 0;
        let waits = before.waiting != 0 && self.w.ghost.waiting == before.waiting;
        let due = waits && (before.taken_back || failed || switched);
        let resumes = has(|effect| matches!(effect, Effect::Send(_, Word::Resume)));
        self.check(Property::Resume, resumes == usize::from(due));
    }

    /// What must hold where nothing can happen any more.
    pub(crate) fn at_rest(&mut self) {
        use Property::{Answers, M5, M9, M10, M14, Moves, OneEnd};
        let (ghost, client) = (self.w.ghost, self.w.client.get());
        let (state, here) = (client.state(), client.link());
        self.check(OneEnd, ghost.attempt == 0);
        if state == ClientState::Closed {
            // Both ends of every link have found out.
            let none = self.w.links.is_empty();
            self.check(M14, ghost.over && none);
            return;
        }
        let alone = self.w.links.len() == 1 && here.is_some_and(|link| link.0 == u32::from(ghost.current));
        self.check(M14, state == ClientState::Idle && alone);
        let Some(Link { app, wire, client_open, .. }) = self.w.link(ghost.current) else { return };
        let (app, wire, both) = (*app, *wire, *client_open && !self.w.is_gone(Peer::Server(ghost.current)));
        self.check(M14, both && app == App::default());
        self.check(M5, wire.attempt == 0);
        self.check(Answers, wire.answered == wire.asked);
        if self.setup.goes_well(&self.w.budget) {
            self.check(Moves, ghost.current != 1);
        }
        let heard = (ghost.pieces_heard, ghost.commands_heard) == (ghost.pieces, ghost.commands);
        self.check(M10, heard);
        self.check(M9, ghost.waiting == 0 && ghost.rows_heard == ghost.rows_sent);
    }
}
