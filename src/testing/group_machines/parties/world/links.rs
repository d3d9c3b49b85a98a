//! What goes from one to another, and what becomes of it.

use super::*;

impl Parties {
    /// A process hears something.
    pub(super) fn tell(&mut self, at: usize, input: process::Input) {
        let result = self.seats[at].process.handle(self.now, input);
        assert_eq!(result, Ok(()), "nobody has made a mistake");
        self.carry_out(at);
    }

    pub(super) fn order(&mut self, input: coordinator::Input) {
        let Some(coordinator) = &mut self.coordinator else { return };
        let result = coordinator.handle(self.now, input);
        assert_eq!(result, Ok(()), "nobody has made a mistake");
        self.carry_out_coordinator();
    }

    pub(super) fn carry_out(&mut self, at: usize) {
        while let Some(output) = self.seats[at].process.poll_output() {
            self.trace.0.push(Line::Process(at, output.clone()));
            match output {
                process::Output::Send { link, message } => {
                    let link = self.links.get_mut(&link).expect("it is one of its own");
                    if let Message::Report(report) = &message {
                        let token = report.standing.as_ref().map(|standing| standing.token);
                        let seat = &self.seats[at];
                        let has =
                            |request: RequestId| seat.process.provider(request).is_some_and(|one| one.token() == token);
                        let owners = seat.providers.iter().filter(|(request, _)| token.is_some() && has(*request));
                        link.reported.extend(owners.map(|(request, _)| (seat.node, seat.incarnation, *request)));
                    }
                    if link.process_open && link.coordinator_open {
                        link.up.push_back(message);
                    }
                }
                process::Output::Close(link) => self.closed_by_process(link),
                process::Output::Event(event) => self.event(at, &event),
            }
        }
        if self.seats[at].process.state() == process::State::Over {
            // It comes back as somebody else.
            let incarnation = self.seats[at].incarnation + 1;
            self.seats[at] = seat(at, incarnation);
        }
    }

    pub(super) fn closed_by_process(&mut self, id: LinkId) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.process_open = false;
        link.down.clear();
        let at = link.process;
        if self.seats[at].link == Some(id) {
            self.seats[at].link = None;
        }
    }

    pub(super) fn event(&mut self, at: usize, event: &Event) {
        let who = (self.seats[at].node, self.seats[at].incarnation);
        // What was on its way when a coordinator died is of its reign.
        let reign = self.seats[at].process.epoch().0 >> 16;
        self.ledger.hears(who, event, reign);
        let seat = &mut self.seats[at];
        match event {
            Event::Provider { request, event } => match event {
                ProviderEvent::Gone(_) => seat.providers.retain(|(other, _)| other != request),
                ProviderEvent::Watch { deactivate: Some(_), .. } => seat.deactivating.push(*request),
                _ => {}
            },
            Event::Subscriber { request, event: crate::group::subscriber::Event::Gone(_) } => {
                seat.subscribers.retain(|(other, _)| other != request);
            }
            Event::Orphaned => seat.link = None,
            _ => {}
        }
    }

    pub(super) fn carry_out_coordinator(&mut self) {
        while let Some(output) = self.coordinator.as_mut().and_then(Machine::poll_output) {
            self.trace.0.push(Line::Coordinator(output.clone()));
            match output {
                coordinator::Output::Send { link, message } => {
                    let link = self.links.get_mut(&link).expect("it has come from somebody");
                    if matches!(message, Message::Welcome(_)) {
                        for key in core::mem::take(&mut link.reported) {
                            self.ledger.survives(link.reign, key);
                        }
                    }
                    match &message {
                        Message::Approved(ended) => self.ledger.tells(ended),
                        // A reign in between has gone on without it: what it knows is over.
                        Message::Dissolved(Dissolved { token, reason: DissolveReason::FENCED, .. })
                            if token.is_some() =>
                        {
                            let seat = &self.seats[link.process];
                            let is_it = |request: &RequestId| {
                                seat.process.provider(*request).is_some_and(|one| one.token() == *token)
                            };
                            let owners = seat.providers.iter().map(|(request, _)| *request).filter(is_it);
                            for request in owners.filter(|_| seat.incarnation == link.incarnation) {
                                self.ledger.is_fenced(link.reign, (seat.node, seat.incarnation, request));
                            }
                        }
                        _ => {}
                    }
                    if link.process_open && link.coordinator_open {
                        link.down.push_back(message);
                    }
                }
                coordinator::Output::Close(link) => {
                    if let Some(link) = self.links.get_mut(&link) {
                        link.coordinator_open = false;
                    }
                }
                coordinator::Output::Persist(entry) => self.persist(&entry),
                coordinator::Output::Event(DomainEvent::Entering { link, .. }) => {
                    self.order(coordinator::Input::Admit { link, allowed: true });
                }
                coordinator::Output::Event(_) => {}
            }
        }
    }

    /// Others keep it; that is said later.
    pub(super) fn persist(&mut self, entry: &Entry) {
        self.keeping.push_back(entry.index);
        self.memory.add(&Item::Entry(Box::new(entry.clone())), &GroupLimits::DEFAULT);
    }

    /// One message on a link in one direction, or the end of it.
    pub(super) fn deliver(&mut self, id: LinkId, up: bool) -> bool {
        let Some(link) = self.links.get_mut(&id) else { return false };
        let (at, current) = (link.process, link.reign == self.reign && self.coordinator.is_some());
        if up {
            if let Some(message) = link.up.pop_front() {
                if current {
                    self.order(coordinator::Input::Message { link: id, message });
                }
                return true;
            }
            if !link.process_open && link.coordinator_open {
                link.coordinator_open = false;
                if current {
                    self.order(coordinator::Input::Closed(id));
                }
                return true;
            }
            return false;
        }
        let same = link.incarnation == self.seats[at].incarnation;
        if let Some(message) = link.down.pop_front() {
            if same && link.process_open {
                self.tell(at, process::Input::Message { link: id, message });
            }
            return true;
        }
        if !link.coordinator_open && link.process_open {
            link.process_open = false;
            if same {
                self.tell(at, process::Input::Closed(id));
            }
            return true;
        }
        false
    }

    pub(super) fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut moved = false;
            let ids: Vec<LinkId> = self.links.keys().copied().collect();
            for id in ids {
                moved |= self.deliver(id, true);
                moved |= self.deliver(id, false);
            }
            if !self.keeping.is_empty() {
                self.kept();
                moved = true;
            }
            if !moved {
                return;
            }
        }
        panic!("8: they talk without end");
    }

    pub(super) fn cut(&mut self, at: usize, both: bool) {
        let Some(id) = self.seats[at].link else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        link.down.clear();
        link.process_open = false;
        if both {
            link.up.clear();
        }
        self.tell(at, process::Input::Closed(id));
    }

    pub(super) fn die(&mut self, at: usize) {
        if let Some(link) = self.seats[at].link.and_then(|id| self.links.get_mut(&id)) {
            link.process_open = false;
            link.down.clear();
        }
        let incarnation = self.seats[at].incarnation + 1;
        self.seats[at] = seat(at, incarnation);
    }

    /// The coordinator is gone, and all of its links.
    pub(super) fn crash(&mut self) {
        if self.coordinator.take().is_none() {
            return;
        }
        self.keeping.clear();
        for link in self.links.values_mut() {
            link.coordinator_open = false;
            link.up.clear();
        }
    }

    pub(super) fn take_over(&mut self) {
        if self.coordinator.is_some() {
            return;
        }
        self.reign += 1;
        let records = if self.ledger.durable { self.memory.records.values().cloned().collect() } else { Vec::new() };
        self.coordinator = Some(Coordinator::take_over(self.config(), records, GRACE, self.now));
        self.ledger.counts.taken_over += 1;
    }
}
