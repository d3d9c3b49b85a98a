//! What processes are given, and where what they say goes.

use super::mutants::Mutant;
use super::talk::{LINKS, LOCAL_NAME, Step, Talk, node, provider_id};
use super::world::{Diary, Property, Reached, Wire, Word, World};
use handover::error::Error;
use handover::frame::Native;
use handover::group::message::Message;
use handover::group::process::{Input, Output};
use handover::group::{Epoch, GroupId, ProviderId, RequestId, Subscription, Token, provider};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;

/// The request of a join, of a subscription, and of a proposal.
pub(crate) fn join_of(place: usize) -> RequestId {
    RequestId(u32::try_from(place).expect("few") + 1)
}

pub(crate) fn watch_of(place: usize) -> RequestId {
    RequestId(u32::try_from(place).expect("few") + 11)
}

pub(crate) fn wish_of(number: usize) -> RequestId {
    RequestId(u32::try_from(number).expect("few") + 101)
}

/// Which group a request is about, if it is a join or a subscription.
pub(crate) fn place_of(request: RequestId) -> usize {
    usize::try_from(request.0 % 10).expect("few") - 1
}

impl Step<'_> {
    pub(crate) fn identity(&self, person: usize) -> ProviderId {
        provider_id(person, self.w.people[person].incarnation)
    }

    /// Whose a token is, as its process knows: a provider, and of which group.
    pub(crate) fn owner(&self, person: usize, token: Token) -> Option<(ProviderId, usize)> {
        self.w.tokens.get(&(person, token)).copied()
    }

    pub(crate) fn dial(&mut self, person: usize, seat: usize) {
        let known = &mut self.w.people[person];
        known.links += 1;
        let link = LinkId(node(person) * LINKS + known.links);
        let wire = Wire {
            link,
            person,
            seat,
            up: Default::default(),
            down: Default::default(),
            person_has: true,
            seat_has: true,
            entered: false,
            holds: 0,
            broken: false,
        };
        self.w.wires.push(wire);
        self.w.wires.sort_by_key(|wire| wire.link);
        self.person_is_given(person, Input::Opened(link));
        if self.talk.setup.mutant == Mutant::OpenedTwice {
            self.person_is_given(person, Input::Opened(link));
        }
    }

    pub(crate) fn join(&mut self, person: usize, place: usize) {
        self.w.people[person].asked |= 1 << place;
        self.begin_diary(person, place, false);
        let attributes = self.talk.setup.places[place].attributes.clone();
        let (request, local_name) = (join_of(place), LOCAL_NAME.into());
        self.person_is_given(person, Input::Join { request, attributes, instance: 1, local_name });
    }

    pub(crate) fn watch(&mut self, person: usize, place: usize, subscription: Subscription) {
        self.w.people[person].asked |= 16 << place;
        self.begin_diary(person, place, true);
        let group = self.talk.setup.places[place].attributes.name.clone();
        self.person_is_given(person, Input::Subscribe { request: watch_of(place), group, subscription });
    }

    fn begin_diary(&mut self, person: usize, place: usize, watches: bool) {
        let diary = Diary {
            person,
            incarnation: self.w.people[person].incarnation,
            place,
            watches,
            group: GroupId(0),
            token: None,
            last: None,
            open: None,
            reopened: false,
            deactivating: false,
            ends: Vec::new(),
            members: Vec::new(),
            value: None,
            gone: false,
        };
        self.w.diaries.push(diary);
    }

    pub(crate) fn provider_is_given(&mut self, person: usize, place: usize, input: provider::Input) {
        self.person_is_given(person, Input::Provider { request: join_of(place), input });
    }

    pub(crate) fn person_is_given(&mut self, person: usize, input: Input) {
        let before = self.before_person(person, &input);
        let known = &mut self.w.people[person];
        let (result, outputs) = known.process.change(|process| {
            let result = process.handle(Instant::ZERO, input);
            (result, std::iter::from_fn(|| process.poll_output()).collect::<Vec<_>>())
        });
        self.check(Property::NoMisuse, !matches!(result, Err(Error::Misuse(_))));
        self.check(Property::NoBlame, !matches!(result, Err(Error::Violation(_))));
        for output in self.talk.setup.mutant.person_says(outputs) {
            let over = self.w.people[person].over;
            match output {
                Output::Send { link, message } => {
                    self.check(Property::S12, !over);
                    self.person_says(person, link, message);
                }
                Output::Close(link) => {
                    if let Some(wire) = self.w.wires.iter_mut().find(|wire| wire.link == link) {
                        wire.person_has = false;
                        wire.down.clear();
                        if !wire.broken {
                            wire.up.push_back(Word::End);
                        }
                    }
                }
                Output::Event(event) => {
                    self.check(Property::S12, !over);
                    self.person_hears(person, event, &before);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn person_says(&mut self, person: usize, link: LinkId, message: Message) {
        if let Message::Join(_) = &message {
            let frame = message.to_frame().expect("it can be sent");
            let leaks = frame.body.windows(LOCAL_NAME.len()).any(|part| part == LOCAL_NAME.as_bytes());
            self.check(Property::S13, !leaks);
        }
        if matches!(message, Message::Vote(_)) && self.w.budget.echoes > 0 {
            self.w.people[person].voted = Some((link, message.clone()));
        }
        if let Some(wire) = self.w.wires.iter_mut().find(|wire| wire.link == link).filter(|wire| !wire.broken) {
            wire.up.push_back(Word::Message(message));
        }
    }

    pub(crate) fn echo(&mut self, person: usize) {
        let Some((link, message)) = self.w.people[person].voted.take() else { return };
        if let Some(wire) = self.w.wires.iter_mut().find(|wire| wire.link == link).filter(|wire| !wire.broken) {
            wire.up.push_back(Word::Message(message));
        }
    }

    pub(crate) fn person_reads(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        let (link, person, seat) = (wire.link, wire.person, wire.seat);
        let Some(word) = wire.down.pop_front() else { return };
        match word {
            Word::Message(message) => {
                let takes_over = self.w.seats[seat].takes_over;
                if let Some(message) = self.talk.setup.mutant.reaches_person(message, node(person), takes_over) {
                    self.person_is_given(person, Input::Message { link, message });
                }
            }
            Word::End => {
                wire.person_has = false;
                self.person_is_given(person, Input::Closed(link));
            }
        }
    }

    pub(crate) fn person_notices(&mut self, at: usize) {
        let wire = &mut self.w.wires[at];
        let (link, person) = (wire.link, wire.person);
        wire.person_has = false;
        wire.down.clear();
        self.person_is_given(person, Input::Closed(link));
    }

    pub(crate) fn kill(&mut self, person: usize) {
        self.w.people[person].up = false;
        self.w.people[person].process = super::model::Shared::new(Talk::process(person, 0));
        self.w.people[person].voted = None;
        for wire in self.w.wires.iter_mut().filter(|wire| wire.person == person && wire.person_has) {
            wire.person_has = false;
            wire.down.clear();
            if !wire.broken {
                wire.up.push_back(Word::End);
            }
        }
        let uniform = self.is_uniform();
        for diary in self.w.diaries.iter_mut().filter(|diary| diary.person == person) {
            diary.gone = true;
            if !uniform {
                diary.ends.clear();
                diary.members.clear();
                (diary.last, diary.open, diary.value) = (None, None, None);
            }
        }
    }

    /// Somebody that was declared dead, or is, starts anew.
    pub(crate) fn comes_back(&mut self, person: usize) {
        self.reach(Reached::Returned);
        let known = &mut self.w.people[person];
        known.incarnation += 1;
        (known.up, known.over, known.asked, known.epoch) = (true, false, 0, Epoch(0));
        known.process = super::model::Shared::new(Talk::process(person, known.incarnation));
        self.w.diaries.retain(|diary| diary.person != person);
    }

    /// Who is through is forgotten, and so is a link that nobody has any more.
    pub(crate) fn tidy(&mut self) {
        let (late, seats) = (self.talk.setup.late, self.w.seats.iter().map(|seat| seat.up).collect::<Vec<_>>());
        for wire in &mut self.w.wires {
            if !seats[wire.seat] || (!wire.seat_has && !late) {
                wire.up.clear();
            }
        }
        self.w.wires.retain(|wire| wire.person_has || wire.seat_has || !wire.up.is_empty());
        let World { wires, people, diaries, .. } = &mut self.w;
        let heard = |person: usize| wires.iter().any(|wire| wire.person == person);
        diaries.retain(|diary| people[diary.person].up || heard(diary.person));
    }
}
