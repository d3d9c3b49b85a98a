//! The properties of spec/spice.md section 8, as observers of what each machine is given and what it does.
//!
//! An observer sees the wire: a mutant sits between the wire and its machine, so that the two together are
//! judged like one implementation. What a property must remember is kept in [`Ghost`] and in the links'
//! [`Flags`], as little as possible, because every bit of it multiplies states. A property that is refuted
//! leaves a bit in the state.

use super::adapter::{Effect, Note, Step, Stimulus};
use super::ghost::{Move, Property};
use super::words::SOURCE_HOST;
use super::world::{BYSTANDER, Chan, Flags, Link, Peer, Word, World};
use handover::machine::Machine;
use handover::spice::client::State as ClientState;
use handover::spice::source::State as SourceState;
use handover::spice::target::State as TargetState;
use handover::spice::{ClientId, MainCaps};
use handover::time::Instant;
use std::time::Duration;

/// What a step is compared with afterwards.
pub(crate) struct Before {
    client: Option<ClientState>,
    source: Option<SourceState>,
    source_links: u64,
}

fn source_links(world: &World) -> u64 {
    let open = world.links.iter().filter(|link| link.server == Peer::Source && link.client_open);
    open.fold(0, |mask, link| mask | 1 << link.id)
}

fn target_main(world: &World) -> Option<&Link> {
    world.links.iter().find(|link| link.is_main_of(Peer::Target) && link.client_open)
}

pub(crate) fn is_connecting(state: ClientState) -> bool {
    use ClientState::{Connecting, ConnectingSeamless, Handshake, Joining, JoiningSeamless};
    matches!(state, Connecting | ConnectingSeamless | Handshake | Joining | JoiningSeamless)
}

impl Step<'_> {
    pub(crate) fn client_state(&self) -> Option<ClientState> {
        self.w.client.as_ref().map(|client| client.get().state())
    }

    fn flags(&self, link: u8) -> Flags {
        self.w.link(link).map_or(Flags::empty(), |link| link.flags)
    }

    fn mark(&mut self, link: u8, flag: Flags) {
        self.w.link_mut(link).into_iter().for_each(|link| link.flags |= flag);
    }

    /// What a peer is about to be given.
    pub(crate) fn before(&mut self, peer: Peer, stimulus: &Stimulus) -> Before {
        let before = Before {
            client: self.client_state(),
            source: self.w.source.as_ref().map(|source| source.get().state()),
            source_links: source_links(&self.w),
        };
        match (peer, stimulus) {
            (Peer::Source, Stimulus::Word(_, word)) if word.is_answer() => self.booked(*word),
            (Peer::Source, Stimulus::Completed) => self.w.ghost.outcome = Move::Completed,
            (Peer::Source, Stimulus::Failed | Stimulus::Cancelled) => self.w.ghost.outcome = Move::Stays,
            (Peer::Source, Stimulus::Timeout) if before.source == Some(SourceState::WaitConnect) => {
                self.w.ghost.late = true;
            }
            (Peer::Target, Stimulus::Word(link, Word::End)) => self.mark(*link, Flags::GOT_END),
            (Peer::Target, Stimulus::Word(link, Word::DoSeamless(_))) => self.mark(*link, Flags::GOT_DO),
            (Peer::Client, &Stimulus::Word(link, word)) => match word {
                Word::Begin(_) | Word::BeginSeamless(_) => self.w.ghost.begins += 1,
                Word::SwitchHost(_) => self.w.ghost.session = 0,
                Word::Init(id) if self.w.ghost.session == 0 => self.w.ghost.session = id,
                Word::SeamlessAck => self.mark(link, Flags::ACK_SEEN),
                Word::SeamlessNack => self.mark(link, Flags::NACK_SEEN),
                Word::Data(_) => self.mark(link, Flags::DATA_SEEN),
                _ => {}
            },
            _ => {}
        }
        before
    }

    /// A client that turns to a fresh session by itself forgets the id, as after SWITCH_HOST.
    pub(crate) fn settle(&mut self, before: &Before) {
        let anew = Some(ClientState::Switching);
        if self.client_state() == anew && before.client != anew {
            (self.w.ghost.session, self.w.ghost.restarted) = (0, true);
        }
    }

    /// S4, as the wire shows it: an answer is taken off, and decides if it belongs to the newest BEGIN, of
    /// this attempt, in time.
    fn booked(&mut self, word: Word) {
        let ghost = &mut self.w.ghost;
        let [oldest, second, third] = ghost.owed;
        ghost.owed = [second, third, 0];
        let current = oldest / 2 == ghost.attempts && ghost.source_attempt.is_some();
        if current && second == 0 && !ghost.late && ghost.outcome == Move::Unknown {
            ghost.decided = Some(word);
        }
        ghost.standing = word != Word::ConnectError;
        ghost.said |= ghost.standing;
    }

    /// One effect of a peer, before it takes place.
    pub(crate) fn observe(&mut self, peer: Peer, effect: Effect) {
        match (peer, effect) {
            (Peer::Source, Effect::Send(link, word)) => self.source_sends(link, word),
            (Peer::Target, Effect::Send(link, word)) => self.target_sends(link, word),
            (Peer::Client, Effect::Send(link, word)) => self.client_sends(link, word),
            (Peer::Client, Effect::Open { chan, connection_id, .. }) => {
                let expected = u32::from(self.w.ghost.session);
                self.check(Property::K8, connection_id == expected && (chan != Chan::Main || self.opens_main()));
            }
            (_, Effect::Note(note)) => self.noted(peer, note),
            _ => {}
        }
    }

    /// The main channel of a fresh session is dialled in one state only, a target's in the connecting ones.
    fn opens_main(&self) -> bool {
        let fresh = self.w.ghost.session == 0;
        self.client_state().is_some_and(|state| fresh == (state == ClientState::Switching))
    }

    fn source_sends(&mut self, link: u8, word: Word) {
        use Property::{S1, S2, S4, S5, S6, S7};
        let (flags, ghost) = (self.flags(link), self.w.ghost);
        if flags.contains(Flags::MIGRATED) {
            let data = matches!(word, Word::Data(_)) && !flags.contains(Flags::DATA_SENT);
            self.check(S6, data);
            self.mark(link, Flags::DATA_SENT);
        }
        if let Word::Begin(tls) | Word::BeginSeamless(tls) | Word::SwitchHost(tls) = word {
            self.check(S7, tls == self.setup.tls_port().normalized().wire());
        }
        let after_completion = ghost.outcome == Move::Completed && ghost.source_attempt.is_some();
        match word {
            Word::Begin(_) | Word::BeginSeamless(_) => {
                let at = ghost.owed.iter().position(|&owed| owed == 0).expect("few attempts");
                self.w.ghost.owed[at] = ghost.attempts * 2 + u8::from(matches!(word, Word::BeginSeamless(_)));
            }
            Word::Cancel => {
                self.check(S1, ghost.standing);
                self.w.ghost.standing = false;
            }
            Word::End => {
                self.check(S1, after_completion && ghost.farewell == 0);
                self.check(S4, ghost.decided == Some(Word::Connected));
                self.check(S5, ghost.said);
                self.w.ghost.farewell |= 1;
                self.w.ghost.restarted = true;
            }
            Word::SwitchHost(_) => {
                let linked = matches!(ghost.decided, Some(Word::Connected | Word::ConnectedSeamless));
                self.check(S1, after_completion && ghost.farewell == 0);
                self.check(S4, !linked);
                self.w.ghost.farewell |= 2;
                self.w.ghost.restarted = true;
            }
            Word::Migrate => {
                self.check(S1, after_completion && ghost.farewell & !4 == 0 && !flags.contains(Flags::MIGRATED));
                self.check(S4, ghost.decided == Some(Word::ConnectedSeamless));
                self.check(S5, ghost.said);
                let needed = MainCaps::SEAMLESS_MIGRATE | MainCaps::AGENT_CONNECTED_TOKENS;
                let possible = self.setup.seamless && self.setup.client_caps.contains(needed);
                self.check(S2, possible && ghost.decided == Some(Word::ConnectedSeamless));
                self.w.ghost.farewell |= 4;
                self.mark(link, Flags::MIGRATED);
            }
            _ => {}
        }
    }

    fn target_sends(&mut self, id: u8, word: Word) {
        use Property::{T1, T2, T3};
        let Some(link) = self.w.link(id) else { return };
        let (arriving, session) = (self.w.is_arriving(link), link.session_id());
        let main = self.flags(link.main);
        if arriving {
            self.check(T1, main.intersects(Flags::GOT_END | Flags::GOT_DO));
        }
        match word {
            Word::Init(told) => {
                let accepted = main.contains(Flags::GOT_END) && !main.contains(Flags::ACK_SENT);
                self.check(T2, (accepted || !arriving) && !main.contains(Flags::INIT_SENT));
                self.check(T3, told == session);
                self.mark(id, Flags::INIT_SENT);
            }
            Word::SeamlessAck => self.mark(id, Flags::ACK_SENT),
            _ => {}
        }
    }

    fn client_sends(&mut self, id: u8, word: Word) {
        use Property::{K2, K3, K4, K5};
        let Some(link) = self.w.link(id) else { return };
        let (server, chan, flags, arriving) = (link.server, link.chan, link.flags, self.w.is_arriving(link));
        if server == Peer::Source {
            self.check(K5, !flags.contains(Flags::FLUSHED));
            if word == Word::FlushMark {
                self.mark(id, Flags::FLUSHED);
            }
            if word.is_answer() {
                self.w.ghost.answers += 1;
            }
            if let Word::Connected | Word::ConnectedSeamless = word {
                let asked = target_main(&self.w).map_or(Flags::empty(), |main| main.flags);
                let answered = asked.intersects(Flags::ACK_SEEN | Flags::NACK_SEEN) || !asked.contains(Flags::ASKED);
                self.check(K2, answered && self.all_linked());
                self.check(K3, (word == Word::ConnectedSeamless) == asked.contains(Flags::ACK_SEEN));
            }
            return;
        }
        if !arriving || flags.intersects(Flags::SWITCHED | Flags::AFRESH) {
            return;
        }
        if word == Word::DoSeamless(1) && chan == Chan::Main && !flags.contains(Flags::ASKED) {
            self.mark(id, Flags::ASKED);
            return;
        }
        let seamless = self.flags(link.main).contains(Flags::ACK_SEEN);
        // What came on the source's link of the channel, which is closed before.
        let first = match (seamless, chan) {
            (true, Chan::Cursor) => true,
            (true, _) => word == Word::Data(chan.tag()),
            (false, Chan::Main) => word == Word::End,
            (false, _) => self.flags(link.main).contains(Flags::SWITCHED),
        };
        self.check(K4, first);
        self.mark(id, Flags::SWITCHED);
    }

    /// K2: every channel that is linked to the source is linked to the target.
    fn all_linked(&self) -> bool {
        let linked = |server, chan| {
            let is = |link: &Link| link.server == server && link.chan == chan && link.client_open && link.opened;
            self.w.links.iter().any(is)
        };
        Chan::ALL.into_iter().all(|chan| linked(Peer::Target, chan) || !linked(Peer::Source, chan))
    }

    fn noted(&mut self, peer: Peer, note: Note) {
        use Property::{K10, OneEnd, S3, T7};
        let ghost = &mut self.w.ghost;
        match (peer, note) {
            (Peer::Source, Note::Started(id)) => {
                let ok = ghost.source_attempt.is_none() && id == ghost.attempts + 1;
                ghost.source_attempt = Some(id);
                ghost.attempts = id;
                ghost.outcome = Move::Unknown;
                (ghost.farewell, ghost.decided, ghost.late, ghost.said) = (0, None, false, false);
                self.check(S3, ok);
            }
            (Peer::Source, Note::Ended(id, _)) => {
                let ok = ghost.source_attempt.take() == Some(id);
                self.check(S3, ok);
            }
            (Peer::Client, Note::Started(id)) => {
                let ok = ghost.client_attempt.replace(id).is_none();
                self.check(OneEnd, ok);
            }
            (Peer::Client, Note::Ended(id, _)) => {
                let ok = ghost.client_attempt.take() == Some(id);
                self.check(OneEnd, ok);
            }
            (Peer::Client, Note::Linked(chan)) => ghost.client_channels |= chan.bit(),
            (Peer::Client, Note::ChannelClosed(chan)) => ghost.client_channels &= !chan.bit(),
            (Peer::Client, Note::Disconnected) => ghost.client_channels = 0,
            // K10: numbers rise, over both servers; the target's follow the source's.
            (Peer::Client, Note::Message(_, Word::App(number))) => {
                let ok = ghost.client_heard.hear(number) || ghost.restarted;
                self.check(K10, ok);
            }
            // Where a channel has no FLUSH_MARK, the source may still hear old messages when the target hears
            // new ones: there K10 says no more than that each server hears its own in order, and nothing is
            // lost or doubled.
            (_, Note::Message(_, Word::App(number))) => {
                let (own, other) = match peer {
                    Peer::Source => (&mut ghost.source_heard, ghost.target_heard.last),
                    _ => (&mut ghost.target_heard, ghost.source_heard.last),
                };
                let follows = number > other || !self.setup.chat.has_state();
                let ok = own.hear(number) && follows || ghost.restarted;
                self.check(K10, ok);
            }
            (Peer::Target, Note::Gone) if ghost.farewell & 4 == 0 => ghost.target_unheard = ghost.target_said,
            (Peer::Target, Note::ChannelStarted(link)) => self.mark(link, Flags::STARTED),
            (Peer::Target, Note::Data(link)) => self.mark(link, Flags::DATA_GOT),
            (Peer::Target, Note::Settled { client, seamless: true }) => {
                let main = self.w.links.iter().find(|link| link.is_main_of(Peer::Target) && link.client == client);
                let main = main.map_or(0, |main| main.id);
                self.check(T7, self.has_all_data(main) && !self.flags(main).contains(Flags::SETTLED));
                self.mark(main, Flags::SETTLED);
            }
            _ => {}
        }
    }

    /// T7: every link of a session that needs MIGRATE_DATA has got it. A channel whose link was lost cannot
    /// get it and no longer counts; a link that was dialled after the move carries none.
    fn has_all_data(&self, main: u8) -> bool {
        let waits = |link: &Link| {
            let due = link.chan.has_state() && !link.flags.intersects(Flags::DATA_GOT | Flags::AFRESH);
            link.main == main && link.server_open && due
        };
        !self.w.links.iter().any(|link| link.server == Peer::Target && waits(link))
    }

    /// What must hold once a peer has done all that a stimulus makes it do.
    pub(crate) fn after(&mut self, peer: Peer, stimulus: &Stimulus, before: &Before, effects: &[Effect], broke: bool) {
        match peer {
            Peer::Source => self.after_source(stimulus, before),
            Peer::Target => self.after_target(stimulus, effects, broke),
            Peer::Client => self.after_client(stimulus, before, effects),
        }
    }

    fn after_source(&mut self, stimulus: &Stimulus, before: &Before) {
        let Some(source) = self.w.source.as_ref().map(|source| source.get()) else { return };
        let clock = self.w.clocks[Peer::Source as usize];
        let soon = within(source.poll_timeout(), clock, 10);
        let waiting = matches!(source.state(), SourceState::WaitDisconnect | SourceState::WaitConnect);
        let (idle, ended) = (source.state() == SourceState::Idle, self.w.ghost.source_attempt.is_none());
        let fired = *stimulus == Stimulus::Timeout && before.source == Some(SourceState::WaitDisconnect);
        self.check(Property::S3, (soon || !waiting) && (idle || !fired) && idle == ended);
    }

    fn after_target(&mut self, stimulus: &Stimulus, effects: &[Effect], broke: bool) {
        use Property::{T4, T5, T6, T7};
        let Some(target) = self.w.target.as_ref().map(|target| target.get()) else { return };
        let (armed, bystander) = (target.poll_timeout().is_some(), target.client_state(ClientId(1)));
        let (mut parked, mut unsettled, mut orphan) = (false, false, false);
        for link in self.w.links.iter().filter(|link| link.server == Peer::Target && link.server_open) {
            if link.chan == Chan::Main {
                parked |= target.client_state(ClientId(link.client.into())) != TargetState::Normal;
                let promised = link.flags.contains(Flags::ACK_SENT) && !link.flags.contains(Flags::SETTLED);
                unsettled |= promised && self.has_all_data(link.id);
            } else {
                orphan |= !self.w.link(link.main).is_some_and(|main| main.server_open);
            }
        }
        self.check(T5, !orphan);
        self.check(T7, !unsettled && (armed || !parked));
        if self.setup.several {
            self.check(T6, bystander == TargetState::Normal && !effects.contains(&Effect::Close(BYSTANDER)));
        }
        match *stimulus {
            Stimulus::Word(link, _) if broke => {
                let main = self.w.link(link).map_or(0, |link| link.main);
                let left = self.w.links.iter().any(|link| link.main == main && link.server_open);
                self.check(T6, !left);
            }
            Stimulus::Word(link, Word::DoSeamless(version)) => {
                let count = |word| effects.iter().filter(|effect| **effect == Effect::Send(link, word)).count();
                let (acks, nacks) = (count(Word::SeamlessAck), count(Word::SeamlessNack));
                let newer = u32::from(version) > self.setup.target_version;
                self.check(T4, acks + nacks == 1 && (nacks == 1 || !newer));
            }
            Stimulus::Timeout => {
                self.check(T7, effects.iter().any(|effect| matches!(effect, Effect::Note(Note::Gone))));
            }
            _ => {}
        }
    }

    fn after_client(&mut self, stimulus: &Stimulus, before: &Before, effects: &[Effect]) {
        use Property::{K1, K6, K7, K8, K9};
        let Some(client) = self.w.client.as_ref().map(|client| client.get()) else { return };
        let (state, address) = (client.state(), client.address().map(|address| address.host.clone()));
        let (known, clock) = (client.connection_id(), self.w.clocks[Peer::Client as usize]);
        let deadline = client.poll_timeout();
        let session = u32::from(self.w.ghost.session);
        self.check(K8, state == ClientState::Disconnected || known == session);
        self.check(K9, !is_connecting(state) || within(deadline, clock, 9));
        let ghost = self.w.ghost;
        let lost = source_links(&self.w) == 0;
        self.check(K1, ghost.answers <= ghost.begins && (ghost.answers + 1 >= ghost.begins || lost));
        if *stimulus == Stimulus::Timeout && before.client.is_some_and(is_connecting) {
            self.check(K9, state == ClientState::Online);
        }
        let Stimulus::Word(id, word) = *stimulus else { return };
        let Some(server) = self.w.link(id).map(|link| link.server) else { return };
        if server == Peer::Target {
            let chan = self.w.link(id).map(|link| link.chan);
            let home = self.w.links.iter().any(|link| {
                // Where MIGRATE_DATA has come the channel has switched, although the link may stay for a while.
                let in_use = link.client_open && link.opened && !link.flags.contains(Flags::DATA_SEEN);
                link.server == Peer::Source && Some(link.chan) == chan && in_use
            });
            if home && !matches!(word, Word::SeamlessAck | Word::SeamlessNack) {
                self.check(K6, effects.is_empty() && before.client == Some(state));
            }
            return;
        }
        let to_target = |link: &Link| link.server == Peer::Target && link.client_open;
        let answered = ghost.answers == ghost.begins;
        match word {
            Word::Ping => self.check(K9, effects.contains(&Effect::Send(id, Word::Pong))),
            Word::Cancel => {
                let same = source_links(&self.w) == before.source_links;
                let at_source = address.as_deref() == Some(SOURCE_HOST.as_bytes());
                self.check(K7, same && at_source && !self.w.links.iter().any(to_target));
                self.check(K9, state == ClientState::Online);
                self.check(K1, answered);
            }
            Word::SwitchHost(_) => {
                let anew = |effect: &Effect| matches!(effect, Effect::Open { chan: Chan::Main, connection_id: 0, .. });
                self.check(K8, effects.iter().any(anew));
                self.check(K9, state == ClientState::Switching);
                self.check(K1, answered);
            }
            Word::Begin(_) | Word::BeginSeamless(_) => {
                let begun = effects.iter().any(|effect| matches!(effect, Effect::Note(Note::Started(_))));
                self.check(K9, begun && is_connecting(state));
            }
            _ => {}
        }
    }

    /// What must hold where nothing must happen any more and no timer is armed.
    pub(crate) fn at_rest(&mut self) {
        use Property::{K1, K10, NoDeadlock, OneEnd, S3, T2};
        let (ghost, client) = (self.w.ghost, self.client_state());
        if self.w.source.is_some() {
            let idle = self.w.source.as_ref().is_some_and(|source| source.get().state() == SourceState::Idle);
            self.check(S3, ghost.source_attempt.is_none());
            self.check(NoDeadlock, idle);
        }
        if let Some(state) = client {
            self.check(OneEnd, ghost.client_attempt.is_none());
            let over = state == ClientState::Disconnected && (ghost.disturbed || ghost.rogue);
            self.check(NoDeadlock, state == ClientState::Online || over);
            let at_source = source_links(&self.w) != 0;
            self.check(K1, ghost.answers == ghost.begins || !at_source);
            let stranded = at_source && ghost.is_completed();
            let mains = self.w.links.iter().filter(|link| link.chan == Chan::Main && link.client_open).count();
            self.check(NoDeadlock, !stranded && mains == usize::from(state == ClientState::Online));
        }
        for at in 0..self.w.links.len() {
            let (link, target) = (&self.w.links[at], self.w.target.as_ref());
            let whole = link.client_open == link.server_open || self.setup.honour_pause;
            let parked = link.is_main_of(Peer::Target)
                && link.server_open
                && target.is_some_and(|target| {
                    target.get().client_state(ClientId(link.client.into())) != TargetState::Normal
                });
            let ended =
                link.flags.contains(Flags::GOT_END) && !link.flags.intersects(Flags::INIT_SENT | Flags::ACK_SENT);
            let mute = ended && link.server_open && self.w.is_arriving(link);
            self.check(NoDeadlock, whole && !parked);
            self.check(T2, !mute);
        }
        if !ghost.disturbed && !ghost.restarted && !ghost.rogue {
            let heard = ghost.source_heard.count + ghost.target_heard.count == ghost.client_said;
            let said = ghost.source_said + ghost.target_said - ghost.target_unheard;
            self.check(K10, heard && ghost.client_heard.count == said);
        }
    }
}

/// Whether a deadline is armed and at most so many seconds away.
fn within(deadline: Option<Instant>, clock: Instant, seconds: u64) -> bool {
    deadline.is_some_and(|deadline| deadline <= clock.saturating_add(Duration::from_secs(seconds)))
}
