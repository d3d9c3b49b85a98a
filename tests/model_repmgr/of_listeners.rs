//! What is asserted of dispatchers.

use super::adapter::{Effect, Form, Note, Step, Stimulus};
use super::ghost::{Property, Reached, Wire};
use super::properties::{bit, count};
use super::world::{Body, Code, Kind, Side, Site, Source, Task, Word, count_of, source};
use handover::machine::Machine;
use handover::repmgr::dispatcher::State;

impl Step<'_> {
    /// What has passed on a link, 0 for the site itself, and which side of it is the site's.
    fn link_of(&mut self, site: Site, id: u8) -> Option<(&mut Wire, Side)> {
        if id == 0 {
            return Some((&mut self.w.place_mut(site).local.wire, Side::Listener));
        }
        self.w.link_mut(id).map(|link| {
            let side = link.side(site);
            (&mut link.wire, side)
        })
    }

    fn is_congested(&self, site: Site, id: u8) -> bool {
        self.w.link(id).is_some_and(|link| link.is_congested(link.side(site)))
    }

    fn task(&mut self, site: Site, handle: u8) -> Option<&mut Task> {
        self.w.place_mut(site).tasks.iter_mut().find(|task| task.handle == handle)
    }

    fn task_copy(&self, site: Site, handle: u8) -> Option<Task> {
        self.w.place(site).tasks.iter().find(|task| task.handle == handle).copied()
    }

    /// What waits in a dispatcher until a link can be written to.
    fn held(&self, site: Site, id: u8) -> usize {
        let Some(link) = self.w.link(id) else { return 0 };
        let side = link.side(site);
        let answers = if side == Side::Listener { link.wire.due.count_ones() } else { 0 };
        usize::try_from(answers).expect("few answers") + usize::from(link.wire.replies[side as usize])
    }

    pub(crate) fn may_reply(&self, site: Site, stimulus: Stimulus) -> bool {
        let Stimulus::Reply { handle, .. } = stimulus else { return true };
        let Some(Task { link, wanted, lost, .. }) = self.task_copy(site, handle) else { return false };
        let room = !self.is_congested(site, link) || self.held(site, link) < self.setup.bounds.held;
        wanted.is_none() && !lost && room
    }

    pub(crate) fn observe_dispatcher(&mut self, site: Site, stimulus: Stimulus, may: bool, effects: &[Effect]) {
        self.check(Property::NoMisuse, may);
        let task = match stimulus {
            Stimulus::Respond { handle, .. } | Stimulus::Reply { handle, .. } | Stimulus::Finish(handle) => {
                self.task_copy(site, handle)
            }
            _ => None,
        };
        self.dispatcher_is_given(site, stimulus, task);
        for &effect in effects {
            match effect {
                Effect::Send(id, word) => self.dispatcher_sends(site, id, word),
                Effect::Pause(id) => self.dispatcher_pauses(site, id, true),
                Effect::Resume(id) => self.dispatcher_pauses(site, id, false),
                Effect::Note(note) => self.dispatcher_tells(site, stimulus, note),
                other => unreachable!("no dispatcher does {other:?}"),
            }
        }
        self.after_dispatcher(site, stimulus, task, effects);
    }

    fn dispatcher_is_given(&mut self, site: Site, stimulus: Stimulus, task: Option<Task>) {
        let owed = task.filter(Task::is_owed).and_then(|task| Some((task.link, task.wanted?.0)));
        match stimulus {
            Stimulus::Received(id, word) => {
                let refuses = self.w.place(site).dispatcher.get().state() == State::Refusing;
                let Some((wire, side)) = self.link_of(site, id) else { return };
                wire.under_way[side as usize] = wire.under_way[side as usize].saturating_sub(1);
                match word {
                    Word::Request { tag, .. } => {
                        wire.owed |= bit(tag);
                        wire.due |= if refuses { bit(tag) } else { 0 };
                    }
                    Word::Message(number) if source(number) == Source::Channel => wire.arrived += 1,
                    _ => {}
                }
            }
            Stimulus::Respond { .. } | Stimulus::Finish(_) => {
                if let Some((id, tag)) = owed
                    && let Some((wire, _)) = self.link_of(site, id)
                {
                    wire.due |= bit(tag);
                }
                match stimulus {
                    Stimulus::Respond { handle, .. } => {
                        self.task(site, handle).into_iter().for_each(|task| task.answered = true);
                    }
                    Stimulus::Finish(handle) => self.w.place_mut(site).tasks.retain(|task| task.handle != handle),
                    _ => {}
                }
            }
            Stimulus::Reply { .. } => {
                let Some(Task { link, .. }) = task else { return };
                self.w.place_mut(site).ghost.replies += 1;
                if let Some((wire, side)) = self.link_of(site, link) {
                    wire.replies[side as usize] += 1;
                }
            }
            Stimulus::Closed(id) => {
                if let Some((wire, side)) = self.link_of(site, id) {
                    (wire.replies[side as usize], wire.under_way[side as usize]) = (0, 0);
                    if side == Side::Listener {
                        (wire.owed, wire.due) = (0, 0);
                    }
                }
            }
            _ => {}
        }
    }

    fn dispatcher_sends(&mut self, site: Site, id: u8, word: Word) {
        use Property::{Flow, P10, P22};
        let congested = self.is_congested(site, id);
        self.check(Flow, !congested);
        let Some((wire, side)) = self.link_of(site, id) else { return self.check(P10, false) };
        match word {
            Word::Response { tag, .. } | Word::Error { tag, .. } => {
                let owed = wire.owed & bit(tag) != 0 && side == Side::Listener;
                (wire.owed, wire.due) = (wire.owed & !bit(tag), wire.due & !bit(tag));
                self.check(P10, owed);
            }
            Word::Message(number) => {
                let last = std::mem::replace(&mut wire.replied[side as usize], count_of(number));
                let waits = wire.replies[side as usize] > 0;
                wire.replies[side as usize] = wire.replies[side as usize].saturating_sub(1);
                let to = if id == 0 || side == Side::Dialler { Side::Listener } else { Side::Dialler };
                wire.under_way[to as usize] += 1;
                self.check(P22, count_of(number) > last && waits);
            }
            _ => self.check(Property::P19, false),
        }
    }

    fn dispatcher_pauses(&mut self, site: Site, id: u8, paused: bool) {
        let end = self.w.link_mut(id).and_then(|link| link.end_mut(link.side(site)));
        let changes = end.is_none_or(|end| std::mem::replace(&mut end.paused, paused) != paused);
        self.check(Property::Flow, changes);
        self.reach(Reached::Paused);
    }

    fn dispatcher_tells(&mut self, site: Site, stimulus: Stimulus, note: Note) {
        use Property::{OneEnd, P10, P13, P14, P22};
        match note {
            Note::Message { handle, link, number } => {
                let same = stimulus == Stimulus::Received(link, Word::Message(number));
                self.hear(site, link, number);
                self.check(P22, same);
                self.w.place_mut(site).tasks.push(Task {
                    handle,
                    link,
                    number,
                    wanted: None,
                    answered: false,
                    lost: false,
                });
            }
            Note::Request { handle, link, number, kind } => {
                let tag = match stimulus {
                    Stimulus::Received(from, Word::Request { tag, number: got, kind: wanted }) => {
                        ((from, got, wanted) == (link, number, kind)).then_some(tag)
                    }
                    _ => None,
                };
                self.hear(site, link, number);
                self.check(P10, tag.is_some());
                let wanted = tag.map(|tag| (tag, kind));
                let task = Task { handle, link, number, wanted, answered: false, lost: false };
                self.w.place_mut(site).tasks.push(task);
            }
            Note::Lost(handle) => {
                let task = self.task(site, handle);
                let told = task.is_some_and(|task| {
                    stimulus == Stimulus::Closed(task.link) && !std::mem::replace(&mut task.lost, true)
                });
                self.check(OneEnd, told);
            }
            Note::TooLarge(handle) => {
                let kind = self.task_copy(site, handle).and_then(|task| task.wanted).map(|(_, kind)| kind);
                let property = if kind == Some(Kind::Plain) { P14 } else { P13 };
                self.check(property, stimulus == Stimulus::Respond { handle, form: Form::TooMuch });
            }
            Note::Unserved(link) => {
                self.check(P22, matches!(stimulus, Stimulus::Received(from, Word::Message(_)) if from == link));
            }
            other => unreachable!("no dispatcher says {other:?}"),
        }
    }

    /// A message or request reaches an application.
    fn hear(&mut self, site: Site, id: u8, number: u8) {
        let Some((wire, side)) = self.link_of(site, id) else { return self.check(Property::P22, false) };
        let heard = &mut wire.heard[side as usize][source(number) as usize];
        let last = std::mem::replace(heard, count_of(number));
        self.check(Property::P22, count_of(number) > last);
        if source(number) == Source::Dispatcher {
            self.reach(if side == Side::Dialler { Reached::Reply } else { Reached::ReplyToReply });
        }
    }

    fn after_dispatcher(&mut self, site: Site, stimulus: Stimulus, task: Option<Task>, effects: &[Effect]) {
        use Property::{OneEnd, P10, P13, P14, P20, P22};
        let sends = count(effects, |effect| matches!(effect, Effect::Send(..)));
        match stimulus {
            Stimulus::Received(id, word) => {
                let refuses = self.w.place(site).dispatcher.get().state() == State::Refusing;
                let told = count(effects, |effect| {
                    matches!(effect, Effect::Note(Note::Message { .. } | Note::Request { .. } | Note::Unserved(_)))
                });
                let unserved = effects.contains(&Effect::Note(Note::Unserved(id)));
                match word {
                    Word::Request { tag, .. } if refuses => {
                        let refusal = Effect::Send(id, Word::Error { tag, code: Code::NoServer });
                        let refused = effects.contains(&refusal) || self.is_congested(site, id);
                        self.check(P10, refused && told == 0);
                    }
                    Word::Request { .. } => self.check(P10, told == 1 && sends == 0),
                    _ => self.check(P22, told == 1 && unserved == refuses && sends == 0),
                }
            }
            Stimulus::Respond { form, .. } => {
                let Some(Task { link, number, wanted: Some((tag, kind)), .. }) = task else { return };
                let word = match (form, kind) {
                    (Form::Fits, Kind::Bulk) => Word::Response { tag, body: Body::Block(number) },
                    (Form::Fits, _) => Word::Response { tag, body: Body::One(number) },
                    (Form::TooMuch, _) => Word::Error { tag, code: Code::BufferSmall },
                };
                let property = match (form, kind) {
                    (_, Kind::Limited) | (Form::TooMuch, Kind::Bulk) => P13,
                    _ => P14,
                };
                if self.is_congested(site, link) {
                    self.reach(Reached::AnswerHeld);
                } else {
                    self.check(property, effects.contains(&Effect::Send(link, word)));
                }
                let told = count(effects, |effect| matches!(effect, Effect::Note(Note::TooLarge(_))));
                self.check(property, told == usize::from(form == Form::TooMuch));
            }
            Stimulus::Finish(_) => {
                let owed = task.filter(Task::is_owed).and_then(|task| Some((task.link, task.wanted?.0)));
                let expected = match owed {
                    Some((link, tag)) if !self.is_congested(site, link) => {
                        vec![Effect::Send(link, Word::Error { tag, code: Code::KeyEmpty })]
                    }
                    _ => Vec::new(),
                };
                let said: Vec<Effect> =
                    effects.iter().filter(|effect| matches!(effect, Effect::Send(..))).copied().collect();
                self.check(P20, said == expected);
            }
            Stimulus::Closed(id) => {
                let told = self.w.place(site).tasks.iter().all(|task| task.link != id || task.lost);
                self.check(OneEnd, told);
            }
            _ => {}
        }
        // What waited goes at once.
        for index in 0..self.w.links.len() {
            let link = &self.w.links[index];
            let id = link.id;
            if (link.from == site || link.to == site) && !self.is_congested(site, id) {
                let side = link.side(site);
                let (replied, answered) = (link.wire.replies[side as usize] == 0, link.wire.due == 0);
                self.check(P22, replied);
                self.check(P20, answered || side == Side::Dialler);
            }
        }
        let wire = &self.w.place(site).local.wire;
        let (answered, replied) = (wire.due == 0, wire.replies == [0, 0]);
        self.check(P20, answered);
        self.check(P22, replied);
        self.dispatcher_is_bounded(site);
    }

    fn dispatcher_is_bounded(&mut self, site: Site) {
        use Property::{Bounds, Flow};
        let bounds = self.setup.bounds;
        let tasks = &self.w.place(site).tasks;
        let all = tasks.len();
        let of = |id: u8| tasks.iter().filter(|task| task.link == id && !task.lost).count();
        // Each link may bring one message more until it is paused.
        let mut holds = all <= bounds.total + usize::from(self.w.last_link) && of(0) <= bounds.incoming;
        let mut flows = true;
        for link in &self.w.links {
            let side = link.side(site);
            if link.site(side) != site {
                continue;
            }
            let Some(end) = link.end(side).filter(|end| !end.over) else { continue };
            let load = of(link.id) + self.held(site, link.id);
            holds &= of(link.id) <= bounds.incoming;
            flows &= end.paused || load < bounds.incoming;
            flows &= !end.paused || load >= bounds.incoming || all >= bounds.total;
        }
        self.check(Bounds, holds);
        self.check(Flow, flows);
    }
}
