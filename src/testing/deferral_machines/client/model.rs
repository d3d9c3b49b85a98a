//! What a client must do: every server that it knows, by name, in one of eight lists (spec/deferral.md 4).

mod checks;

use super::super::words::broken;
use crate::deferral::client::{
    Client, Config, Event, Failure, Hosts, Input, Outcome, Output, Peer, Piece, Report, Task,
};
use crate::deferral::message::{Command, Defer, Message, Request, RequestKey};
use crate::deferral::{DeferKind, RefusalCode, RequestFlags, ServerId, ServerUri};
use crate::frame::Extensions;
use crate::machine::{LinkId, Machine};
use crate::testing::trial::{Expected, Reference};
use crate::time::Instant;
use bytes::Bytes;
use core::time::Duration;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

type Must = super::super::words::Must<Output, Event>;

/// In which list a server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Busy,
    Lazy,
    Declined,
    Dead,
    Violators,
    Aliases,
}

/// What is known of a server besides.
#[derive(Clone, Debug)]
struct Known {
    uri: ServerUri,
    id: ServerId,
    estimate: Option<u32>,
    until: Option<Instant>,
    named_by: Option<ServerUri>,
    receipt: Bytes,
    /// `None`: in `to`, or asked now.
    list: Option<List>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Pausing,
    Dialling,
    Waiting,
    Queued,
    Executing,
    Asking,
    Ended,
}

/// The server that is asked.
#[derive(Clone, Debug)]
struct Asked {
    link: LinkId,
    uri: ServerUri,
    peer: Peer,
    /// It has had the request once, and was this.
    again: Option<Peer>,
    /// A cancel was sent: because the user wants it, or because it takes too long.
    cancel: Option<bool>,
}

/// The reference model of a [`Client`].
#[derive(Clone, Debug)]
pub struct ClientModel {
    config: Config,
    task: Task,
    now: Instant,
    known: Vec<Known>,
    to: Vec<ServerUri>,
    denied: Vec<ServerUri>,
    ignored: u32,
    place: Place,
    asked: Option<Asked>,
    links: u32,
    due: Option<Instant>,
    priority: bool,
    key: RequestKey,
    command: Command,
    /// Who may have done something and has not said so.
    unsure: Option<ServerUri>,
    /// What comes out before the first input.
    first: Vec<Output>,
    history: checks::History,
}

/// 4.3: nobody is believed to need longer.
fn at_most_an_hour(ms: u32) -> u32 {
    ms.min(60 * 60 * 1000)
}

const fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms as u64)
}

/// 4.4: whether the server `from` may name `to`.
fn may_name(config: &Config, own: &[ServerUri], from: &ServerUri, to: &ServerUri) -> bool {
    let strength = |uri: &ServerUri| match uri.scheme() {
        "http" => ("web", 0),
        "https" => ("web", 1),
        "handover" => ("native", 0),
        "handovers" => ("native", 1),
        _ => ("other", 0),
    };
    let here = |uri: &ServerUri| {
        let host = uri.host();
        host == "localhost" || host == "::1" || host.starts_with("127.")
    };
    let ((kind, strong), (other, needed)) = (strength(to), strength(from));
    let listed = match &config.policy.hosts {
        Hosts::Known => false,
        Hosts::Any => true,
        Hosts::Listed(list) => list.iter().any(|one| match one.strip_prefix('.') {
            Some(domain) => to.host().strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
            None => *one == to.host(),
        }),
    };
    let strong_enough = kind == other && strong >= needed;
    (strong_enough || config.policy.weaker)
        && (!here(to) || here(from) || config.policy.local)
        && (listed || own.iter().any(|one| one.host() == to.host()))
}

impl ClientModel {
    /// The model of a client with these settings and this task, which has set out at the beginning of time.
    #[must_use]
    pub fn new(config: Config, task: Task) -> Self {
        let mut model = Self {
            now: Instant::ZERO,
            known: Vec::new(),
            to: Vec::new(),
            denied: Vec::new(),
            ignored: 0,
            place: Place::Pausing,
            asked: None,
            links: 0,
            due: None,
            priority: false,
            key: RequestKey { id: task.id, epoch: 0 },
            command: task.command.clone(),
            unsure: None,
            first: Vec::new(),
            history: checks::History::default(),
            config,
            task,
        };
        for uri in model.task.servers.clone() {
            model.learn(uri, None, &Bytes::new());
        }
        let mut first = Must::default();
        model.pick(&mut first);
        model.first = first.wire;
        model
    }

    fn harmless(&self) -> bool {
        self.task.read_only || self.task.idempotent
    }

    fn get(&mut self, uri: &ServerUri) -> &mut Known {
        self.known.iter_mut().find(|known| known.uri == *uri).expect("it is known")
    }

    fn knows(&self, uri: &ServerUri) -> bool {
        self.known.iter().any(|known| known.uri == *uri)
    }

    fn file(&mut self, uri: &ServerUri, list: List) {
        self.get(uri).list = Some(list);
    }

    fn listed(&self, list: List) -> Vec<ServerUri> {
        let those = self.known.iter().filter(|known| known.list == Some(list));
        those.map(|known| known.uri.clone()).collect()
    }

    /// H4: no more than the limit.
    fn learn(&mut self, uri: ServerUri, named_by: Option<ServerUri>, receipt: &Bytes) {
        if self.knows(&uri) {
            return;
        }
        if self.known.len() >= self.config.limits.servers {
            self.ignored += 1;
            return;
        }
        self.denied.retain(|denied| *denied != uri);
        self.to.push(uri.clone());
        let id = ServerId::UNKNOWN;
        let receipt = receipt.clone();
        self.known.push(Known { uri, id, estimate: None, until: None, named_by, receipt, list: None });
    }

    /// H3, H17, H25: those that a server has named, as far as they may be asked.
    fn learn_from(&mut self, from: &ServerUri, defer: &Defer) {
        let mut ids = Vec::from([self.get(from).id]);
        for one in &defer.alternates {
            let repeated = one.server != ServerId::UNKNOWN && ids.contains(&one.server);
            let allowed = may_name(&self.config, &self.task.servers, from, &one.uri);
            let known = self.knows(&one.uri);
            if known || allowed {
                ids.push(one.server);
            }
            let bits = one.abilities.bits();
            let unfit = bits != 0 && bits & if self.task.read_only { 3 } else { 2 } == 0;
            if known || repeated || unfit {
                continue;
            }
            if allowed {
                self.learn(one.uri.clone(), Some(from.clone()), &defer.receipt);
            } else if self.denied.len() >= self.config.limits.servers {
                self.ignored += 1;
            } else if !self.denied.contains(&one.uri) {
                self.denied.push(one.uri.clone());
            }
        }
    }

    fn report(&self) -> Report {
        let mut report = Report::default();
        for known in &self.known {
            let list = match known.list {
                Some(List::Busy | List::Lazy) => &mut report.busy,
                Some(List::Declined) => &mut report.declined,
                Some(List::Dead) => &mut report.dead,
                Some(List::Violators) => &mut report.violators,
                Some(List::Aliases) => &mut report.aliases,
                None => &mut report.untried,
            };
            list.push(known.uri.clone());
        }
        report.denied.clone_from(&self.denied);
        report.ignored = self.ignored;
        report
    }

    fn wait(&mut self, time: Duration) {
        self.due = Some(self.now.saturating_add(time));
    }

    /// 4.3: the front of the list, but for those that want to be left alone.
    fn pick(&mut self, must: &mut Must) {
        (self.asked, self.due) = (None, None);
        let now = self.now;
        let alone: Vec<Option<Instant>> =
            self.to.clone().iter().map(|uri| self.get(uri).until.filter(|until| *until > now)).collect();
        if let Some(at) = alone.iter().position(Option::is_none) {
            let uri = self.to.remove(at);
            self.dial(uri, None, must);
        } else if let Some(until) = alone.into_iter().flatten().min() {
            (self.place, self.due) = (Place::Pausing, Some(until));
        } else if self.priority || self.busy().is_empty() {
            let report = self.report();
            self.end(Outcome::Failed(Failure::NoServer, report), must);
        } else if self.config.wait_unasked {
            self.second_round(must);
        } else {
            let busy = self.busy();
            let estimate = busy.iter().filter_map(|uri| self.get(uri).estimate).min().map(millis);
            must.events.push(Event::AskWait { busy: busy.len(), estimate });
            self.place = Place::Asking;
            self.wait(self.config.ask_timeout);
        }
    }

    fn busy(&self) -> Vec<ServerUri> {
        self.report().busy
    }

    fn second_round(&mut self, must: &mut Must) {
        self.priority = true;
        for list in [List::Lazy, List::Busy] {
            let mut those = self.listed(list);
            those.sort_by_key(|uri| self.get(uri).estimate.unwrap_or(u32::MAX));
            those.iter().for_each(|uri| self.get(uri).list = None);
            self.to.append(&mut those);
        }
        self.pick(must);
    }

    fn dial(&mut self, uri: ServerUri, again: Option<Peer>, must: &mut Must) {
        self.links += 1;
        let link = LinkId(self.links);
        let known = self.get(&uri);
        (known.list, known.until) = (None, None);
        must.wire.push(Output::Dial { link, server: uri.clone() });
        self.asked = Some(Asked { link, uri, peer: Peer::default(), again, cancel: None });
        self.place = Place::Dialling;
        self.wait(self.config.dial_timeout);
    }

    fn end(&mut self, outcome: Outcome, must: &mut Must) {
        if let Some(asked) = self.asked.take() {
            must.wire.push(Output::Close(asked.link));
        }
        let outcome = match (outcome, self.unsure.take()) {
            (Outcome::Failed(..) | Outcome::Cancelled { .. }, Some(server)) => {
                Outcome::Indeterminate { server, report: self.report() }
            }
            (outcome, _) => outcome,
        };
        (self.place, self.due) = (Place::Ended, None);
        must.events.push(Event::Ended(outcome));
    }

    fn cancelled(&mut self, must: &mut Must) {
        self.end(Outcome::Cancelled { carried_out: self.key.epoch }, must);
    }

    fn indeterminate(&mut self, server: ServerUri, must: &mut Must) {
        if self.get(&server).list.is_none() {
            self.file(&server, List::Dead);
        }
        let report = self.report();
        self.end(Outcome::Indeterminate { server, report }, must);
    }

    /// What must come of an input that is not refused.
    fn input(&mut self, now: Instant, input: &Input) -> Must {
        let mut must = Must { wire: core::mem::take(&mut self.first), events: Vec::new() };
        let now = self.now.max(now);
        if *input == Input::Timeout && self.due.is_none_or(|due| now < due) {
            return must;
        }
        self.now = now;
        let asked = self.asked.clone();
        match (input, asked) {
            (Input::Opened { peer, .. }, Some(asked)) => self.reached(asked, *peer, &mut must),
            (Input::Message { message, .. }, Some(asked)) => self.heard(asked, message, &mut must),
            (Input::Closed(_), _) => self.lost(&mut must),
            (Input::Wait(true), _) => self.second_round(&mut must),
            (Input::Cancel, Some(asked)) if self.place != Place::Dialling => {
                self.send_cancel(&asked, true, &mut must);
            }
            // It may have been done on a link that is lost.
            (Input::Cancel, Some(Asked { uri, again: Some(_), .. })) => self.indeterminate(uri, &mut must),
            (Input::Wait(false) | Input::Cancel, _) => self.cancelled(&mut must),
            (Input::Timeout, asked) => match (self.place, asked) {
                (Place::Asking, _) => self.cancelled(&mut must),
                (Place::Pausing, _) => self.pick(&mut must),
                (Place::Waiting | Place::Queued, Some(asked)) if asked.cancel.is_none() => {
                    self.send_cancel(&asked, false, &mut must);
                }
                (_, Some(asked)) => {
                    must.wire.push(Output::Close(asked.link));
                    self.lost(&mut must);
                }
                (_, None) => {}
            },
            (_, None) => {}
        }
        must
    }

    fn send_cancel(&mut self, asked: &Asked, user: bool, must: &mut Must) {
        if asked.cancel.is_none() {
            let message = Message::Cancel(self.key.into());
            must.wire.push(Output::Send { link: asked.link, message });
        }
        self.asked = Some(Asked { cancel: Some(user), ..asked.clone() });
        self.wait(self.config.cancel_timeout);
    }

    fn reached(&mut self, asked: Asked, peer: Peer, must: &mut Must) {
        let Asked { link, uri, again, .. } = asked;
        if again.is_some_and(|before| before != peer) {
            return self.indeterminate(uri, must);
        }
        // H17: one that has answered in this round, under whatever name.
        let answered = [List::Busy, List::Lazy, List::Declined, List::Violators].map(Some);
        let known = |other: &Known| other.uri != uri && other.id == peer.id && answered.contains(&other.list);
        if again.is_none() && peer.id != ServerId::UNKNOWN && self.known.iter().any(known) {
            self.file(&uri, List::Aliases);
            must.wire.push(Output::Close(link));
            return self.pick(must);
        }
        let (flag, is) = (RequestFlags::empty(), |flag, yes| if yes { flag } else { RequestFlags::empty() });
        let flags = flag
            | is(RequestFlags::PRIORITY, self.priority)
            | is(RequestFlags::READ_ONLY, self.task.read_only)
            | is(RequestFlags::IDEMPOTENT, self.task.idempotent)
            | is(RequestFlags::AGAIN, again.is_some());
        let origin = |one: &ServerUri| (String::from(one.scheme()), String::from(one.host()), one.port());
        let own = self.task.servers.iter().any(|one| origin(one) == origin(&uri));
        let deadline = self.task.deadline.map_or(0, |time| time.as_millis().clamp(1, u128::from(u32::MAX)));
        let known = self.get(&uri);
        known.id = peer.id;
        let (receipt, referrer) = (known.receipt.clone(), known.named_by.clone());
        let request = Request {
            key: self.key,
            flags,
            deadline_ms: u32::try_from(deadline).expect("it is bounded"),
            receipt,
            credentials: if own { self.task.credentials.0.clone() } else { Bytes::new() },
            referrer,
            command: self.command.clone(),
            extensions: Extensions::NONE,
        };
        must.wire.push(Output::Send { link, message: Message::Request(Box::new(request)) });
        self.asked = Some(Asked { link, uri, peer, again, cancel: None });
        self.place = Place::Waiting;
        self.wait(self.config.answer_timeout);
    }

    fn heard(&mut self, asked: Asked, message: &Message, must: &mut Must) {
        if message.key() != Some(self.key) {
            return;
        }
        let by_user = asked.cancel == Some(true);
        let uri = asked.uri.clone();
        if self.violates(message) {
            must.wire.push(Output::Close(asked.link));
            self.asked = None;
            self.file(&uri, List::Violators);
            return self.goes_on_if_harmless(uri, by_user, must);
        }
        match message {
            Message::Queued(queued) => {
                if self.place == Place::Waiting && asked.cancel.is_none() {
                    self.wait(self.config.queue_timeout);
                }
                self.place = Place::Queued;
                let estimate = queued.estimate_ms.map(millis);
                must.events.push(Event::Queued { server: uri, position: queued.position, estimate });
            }
            Message::Executing(_) => self.runs(&asked, must),
            Message::Data(data) => {
                self.runs(&asked, must);
                must.events.push(Event::Data(Piece(data.bytes.clone())));
            }
            Message::End(end) => {
                self.runs(&asked, must);
                let complete = asked.again.is_none();
                let (status, text) = (end.status, end.text.clone());
                self.end(Outcome::Done { server: uri, status, text, complete }, must);
            }
            Message::Defer(defer) => self.deferred(&asked, defer, must),
            Message::Cancelled(_) if by_user => self.cancelled(must),
            Message::Cancelled(_) => {
                self.file(&uri, List::Declined);
                must.wire.push(Output::Close(asked.link));
                self.pick(must);
            }
            Message::Refused(refused) => {
                self.file(&uri, List::Declined);
                let strange = !self
                    .task
                    .servers
                    .iter()
                    .any(|own| (own.scheme(), own.host(), own.port()) == (uri.scheme(), uri.host(), uri.port()));
                let (harmless, code) = (self.harmless(), refused.code);
                let had_it = code == RefusalCode::FORGOTTEN
                    || (code == RefusalCode::DUPLICATE && (harmless || asked.again.is_some()));
                if had_it && !harmless {
                    return self.indeterminate(uri, must);
                }
                if had_it && !self.task.read_only {
                    self.unsure = Some(uri.clone());
                }
                let line = code == RefusalCode::DEADLINE || code == RefusalCode::OVERLOADED;
                if by_user {
                    self.cancelled(must);
                } else if had_it || line || (code == RefusalCode::UNAUTHORIZED && strange) {
                    must.wire.push(Output::Close(asked.link));
                    self.pick(must);
                } else {
                    let report = self.report();
                    let failure = Failure::Refused { server: uri, code, text: refused.text.clone() };
                    self.end(Outcome::Failed(failure, report), must);
                }
            }
            _ => {}
        }
    }
}

mod answers;
