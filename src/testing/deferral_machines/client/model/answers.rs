//! What breaks the protocol; what follows from a deferral, from a beginning, and from a lost link.

use super::*;

impl ClientModel {
    /// Whether a message breaks the protocol where the client stands.
    pub(super) fn violates(&self, message: &Message) -> bool {
        let running = self.place == Place::Executing;
        let cancelling = self.asked.as_ref().is_some_and(|asked| asked.cancel.is_some());
        if message.key() != Some(self.key) {
            return false;
        }
        match message {
            Message::Queued(_) | Message::Executing(_) => running,
            Message::Cancelled(_) => running || !cancelling,
            Message::Request(_) | Message::Cancel(_) => true,
            Message::Defer(defer) => {
                let goes_on = defer.kind == DeferKind::CONTINUE;
                goes_on != defer.next.is_some() || (running && !goes_on)
            }
            _ => false,
        }
    }

    /// From here on nobody else is asked.
    pub(super) fn runs(&mut self, asked: &Asked, must: &mut Must) {
        if self.place == Place::Executing {
            return;
        }
        self.place = Place::Executing;
        if asked.cancel != Some(true) {
            self.wait(self.config.execute_timeout);
            self.asked = Some(Asked { cancel: None, ..asked.clone() });
        }
        must.events.push(Event::Executing(asked.uri.clone()));
    }

    pub(super) fn deferred(&mut self, asked: &Asked, defer: &Defer, must: &mut Must) {
        let Asked { link, uri, cancel, .. } = asked.clone();
        let by_user = cancel == Some(true);
        must.events.push(Event::Deferred { server: uri.clone(), kind: defer.kind, reason: defer.reason.clone() });
        let Some(next) = &defer.next else {
            if by_user {
                return self.cancelled(must);
            }
            let list = match defer.kind {
                DeferKind::BUSY if !self.priority => List::Busy,
                DeferKind::PREFER_OTHER if !self.priority => List::Lazy,
                DeferKind::BUSY | DeferKind::PREFER_OTHER => List::Violators,
                _ => List::Declined,
            };
            self.file(&uri, list);
            let until = defer.retry_after_ms.map(|ms| self.now.saturating_add(millis(at_most_an_hour(ms))));
            let known = self.get(&uri);
            (known.estimate, known.until) = (defer.estimate_ms.map(at_most_an_hour), until);
            self.learn_from(&uri, defer);
            must.wire.push(Output::Close(link));
            return self.pick(must);
        };
        // It was carried out, whoever has done it.
        self.unsure = None;
        let epoch = self.key.epoch + 1;
        if by_user {
            return self.end(Outcome::Cancelled { carried_out: epoch }, must);
        }
        must.events.push(Event::Continued(next.clone()));
        if epoch > self.config.limits.continuations {
            let report = self.report();
            return self.end(Outcome::Failed(Failure::ContinuedTooOften, report), must);
        }
        (self.command, self.key.epoch) = (next.clone(), epoch);
        // What the server says of it counts, and what the task says no longer does.
        let said = |flag| defer.next_flags.contains(flag);
        (self.task.read_only, self.task.idempotent) = (said(RequestFlags::READ_ONLY), said(RequestFlags::IDEMPOTENT));
        self.priority = self.priority && self.config.keep_priority;
        must.wire.push(Output::Close(link));
        self.asked = None;
        // H16: alternates, untried, tried, declined, the continuing one; the dead are dead.
        let untried = core::mem::take(&mut self.to);
        self.learn_from(&uri, defer);
        self.to.clear();
        let named = super::super::super::words::named(&defer.alternates);
        let lists = [List::Lazy, List::Busy, List::Declined, List::Violators, List::Aliases];
        let lists = lists.into_iter().flat_map(|list| self.listed(list));
        let order: Vec<ServerUri> = named.into_iter().chain(untried).chain(lists).filter(|one| *one != uri).collect();
        for one in order.into_iter().chain([uri]) {
            let there = self.knows(&one) && self.get(&one).list != Some(List::Dead);
            if there && !self.to.contains(&one) {
                let known = self.get(&one);
                (known.list, known.estimate) = (None, None);
                self.to.push(one);
            }
        }
        self.pick(must);
    }

    /// 4.5: a link is over, or was never there.
    pub(super) fn lost(&mut self, must: &mut Must) {
        let Some(Asked { uri, peer, again, cancel, .. }) = self.asked.take() else { return };
        let sent = self.place != Place::Dialling;
        self.file(&uri, List::Dead);
        match again {
            None if !sent => self.pick(must),
            None if !self.harmless() && peer.memory.is_some() && cancel != Some(true) => {
                self.dial(uri, Some(peer), must);
            }
            _ => self.goes_on_if_harmless(uri, cancel == Some(true), must),
        }
    }

    /// A server has had the request, and nobody knows what it has done.
    pub(super) fn goes_on_if_harmless(&mut self, uri: ServerUri, by_user: bool, must: &mut Must) {
        if !self.harmless() {
            return self.indeterminate(uri, must);
        }
        if !self.task.read_only {
            self.unsure = Some(uri);
        }
        if by_user { self.cancelled(must) } else { self.pick(must) }
    }
}
