//! The link in use, and the exchange on it.

use super::*;

impl Notice {
    /// Whether a token is a part of a notice for the library; and where it sends the client at once, if it does.
    pub(super) fn takes(&mut self, token: &Token) -> Option<Vec<Address>> {
        let before = core::mem::take(self);
        match token {
            Token::Eed(eed) if eed.status.0 & EedStatus::INFO.0 != 0 => {
                self.redirects = eed.number == 1 && eed.state == 1;
                self.follows = eed.number == 1 || eed.status.0 & EedStatus::FOLLOWS.0 != 0;
                Some(Vec::new())
            }
            Token::Format(format) if before.follows && before.format.is_none() && !format.kind().is_rows() => {
                *self = Self { format: Some(format.clone()), ..before };
                Some(Vec::new())
            }
            Token::Params(values) if before.format.is_some() => {
                let read = before.format.iter().flat_map(|format| format.values(&values.data));
                let addresses = read.filter_map(|(_, value)| Address::parse(value.data.unwrap_or_default()));
                Some(addresses.filter(|_| before.redirects).collect())
            }
            _ => None,
        }
    }
}

/// A kind of message that only clients send (1.2).
pub(super) fn is_clients(ty: PacketType) -> bool {
    [1, 2, 3, 5, 6, 7].contains(&ty.0)
}

/// What cannot be read on (6).
pub(super) fn is_wrong(item: &Item) -> bool {
    match item {
        Item::Login(_) => true,
        Item::Data { ty, .. } | Item::End(ty) => is_clients(*ty),
        _ => false,
    }
}

impl ClientModel {
    pub(super) fn session_item(&mut self, item: &Item, must: &mut Must) {
        if is_wrong(item) {
            if self.stage != Stage::Moving {
                return self.end(Disconnect::Violation, must);
            }
            if let Some(home) = &mut self.home {
                home.alive = false;
                must.wire.push(Output::Close(home.link));
            }
            return;
        }
        let moving = self.stage == Stage::Moving;
        let parting = self.stage == Stage::Parting;
        let Some(home) = &mut self.home else { return };
        let link = home.link;
        home.reading = !matches!(item, Item::End(_));
        match item {
            Item::Migration(Migration::SessionId(id)) => self.id = id.or(self.id),
            Item::End(ty) => {
                home.notice = Notice::default();
                let parted = home.parted;
                if moving {
                    return;
                }
                if *ty != PacketType::MIGRATE {
                    must.events.push(Event::Item(item.clone()));
                }
                // It was no response.
                if matches!(*ty, PacketType::MIGRATE | PacketType::URGENT) {
                    self.current_mut().into_iter().for_each(|current| current.finished = false);
                }
                self.complete(must);
                if parted {
                    self.end(Disconnect::Logout, must);
                }
            }
            _ if moving => must.events.push(Event::Ignored { link, what: item.name() }),
            Item::Token(token) => {
                if home.notice.takes(token).is_some() {
                    return must.events.push(Event::LibraryNotice { link, token: token.clone() });
                }
                home.parted |= parting && is_final(token);
                self.done(token);
                must.events.push(Event::Item(item.clone()));
            }
            Item::Migration(migration) => self.exchange(migration, must),
            _ => must.events.push(Event::Item(item.clone())),
        }
    }

    /// 6.3, last sentence: which final DONE completes the command.
    fn done(&mut self, token: &Token) {
        let Token::Done(done) = token else { return };
        let acknowledges = done.status.contains(DoneStatus::ATTENTION);
        if let Some(current) = self.current_mut().filter(|current| current.sent && is_final(token)) {
            current.finished |= current.cancel != Cancel::Said || acknowledges;
        }
    }

    fn exchange(&mut self, migration: &Migration, must: &mut Must) {
        let Some(link) = self.home.as_ref().map(|home| home.link) else { return };
        let able = self.is_able();
        match (migration, self.stage) {
            (Migration::Request(request), Stage::Home | Stage::Silent) if able => self.asked(request, must),
            (Migration::Ignore, Stage::Silent) if able => self.taken_back(Outcome::Ignored, must),
            (Migration::Ignore, Stage::Home) if able && self.attempt.is_some() => {
                self.end_attempt(Outcome::Ignored, must);
            }
            (Migration::Ignore, Stage::Home) if able && self.answers.back() == Some(&Answer::Refuse) => {
                // There is nothing left to refuse.
                self.answers.iter_mut().next_back().into_iter().for_each(|answer| *answer = Answer::Sync);
            }
            (Migration::Continue, Stage::Silent) if able => {
                // Nothing more comes from there.
                self.complete(must);
                self.stage = Stage::Moving;
                self.redirects = 0;
                self.ahead = self
                    .attempt
                    .as_ref()
                    .map(|(_, addresses)| addresses.iter().cloned())
                    .into_iter()
                    .flatten()
                    .collect();
                self.dial(must);
            }
            (other, _) => must.events.push(Event::Ignored { link, what: other.name() }),
        }
    }

    fn asked(&mut self, request: &Request, must: &mut Must) {
        if self.stage == Stage::Silent {
            self.taken_back(Outcome::Superseded, must);
        }
        self.end_attempt(Outcome::Superseded, must);
        self.requests += 1;
        let attempt = AttemptId(self.requests);
        must.events.push(Event::Started { attempt, request: request.clone() });
        let mut usable: Vec<Address> = request.addresses.clone();
        usable.retain(|address| self.trusts(address));
        usable.truncate(self.config.limits.addresses);
        let answer = if usable.is_empty() { Answer::Refuse } else { Answer::Sync };
        self.attempt = Some((self.requests, usable));
        if answer == Answer::Refuse {
            self.end_attempt(Outcome::Refused, must);
        }
        // Whoever asks more often than may be is not answered more often.
        let most = usize::try_from(self.config.limits.unanswered_requests).unwrap_or(usize::MAX);
        self.answers.truncate(most.saturating_sub(1));
        self.answers.push_back(answer);
    }

    /// IGN behind SYNC, or what stands for it.
    fn taken_back(&mut self, outcome: Outcome, must: &mut Must) {
        self.complete(must);
        self.end_attempt(outcome, must);
        self.return_home(must);
    }

    /// The client could not go, or was not told in time.
    pub(super) fn stay(&mut self, failure: Failure, must: &mut Must) {
        let Some(link) = self.home.as_ref().filter(|home| home.alive).map(|home| home.link) else {
            return self.end(Disconnect::Closed, must);
        };
        self.complete(must);
        self.end_attempt(Outcome::Failed(failure), must);
        let migration = match failure {
            Failure::LoginRefused => self.fail(3, "login refused"),
            Failure::NoAnswer => self.fail(4, "no answer to the synchronisation"),
            _ => self.fail(2, "no server reached"),
        };
        must.wire.push(Output::Migration { link, migration });
        self.return_home(must);
    }

    /// The session goes on where it was: RESUME if the client waits, and what was kept.
    fn return_home(&mut self, must: &mut Must) {
        self.stage = Stage::Home;
        self.due = None;
        let Some(link) = self.home.as_ref().map(|home| home.link) else { return };
        if let Some(current) = self.current_mut() {
            current.resumed = false;
            must.wire.push(Output::Migration { link, migration: Migration::Resume });
            if current.cancel == Cancel::Kept {
                current.cancel = Cancel::Said;
                must.wire.push(Output::Attention(link));
            }
        }
    }

    pub(super) fn home_closes(&mut self, must: &mut Must) {
        if let Some(home) = &mut self.home {
            home.alive = false;
        }
        match self.stage {
            Stage::Moving => {}
            Stage::Parting => self.end(Disconnect::Logout, must),
            _ => self.end(Disconnect::Closed, must),
        }
    }
}
