//! Servers that break the protocol, or lie within it.

use super::scripted::{alternates, defer, end, in_two_parts};
use super::walk::{Harm, Servers, User, client, command, name, names, task, walk};
use handover::deferral::client::{Config, Failure, Outcome, Peer};
use handover::deferral::message::{Alternate, Data, Message, Queued, Refused, Request, RequestKey};
use handover::deferral::{DeferKind, MessageKind, RefusalCode, RequestId, ServerId, ServerUri};
use handover::frame::{Extensions, Text};
use handover::machine::LinkId;
use handover::time::Instant;
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// None.
    Ok,
    Busy,
    Dead,
    AlwaysBusy,
    AlwaysPrefersOthers,
    /// A deferral behind EXECUTING.
    DefersAfterExecuting,
    /// A deferral without EXECUTING, and then a result.
    DefersAndEnds,
    EndsTwice,
    EndsAndDefers,
    QueuesAfterExecuting,
    RefusesAfterExecuting,
    CancelsUnasked,
    Asks,
    /// It speaks of another request, and of nothing else.
    OtherRequest,
    UnknownThenEnds,
    /// Kinds of deferral that make no sense.
    UnknownKind,
    ContinuesWithNothing,
    ContinuesWithNothingAfterExecuting,
    BusyWithNext,
    /// Each answer names somebody new.
    Fresh,
    /// It says that the others are itself.
    Hearsay,
    LeaveMeAlone,
    QueuesForEver,
    Silent,
    DataThenGone,
    Refuses(RefusalCode),
}

const LIES: [Lie; 30] = [
    Lie::Ok,
    Lie::Busy,
    Lie::Dead,
    Lie::AlwaysBusy,
    Lie::AlwaysPrefersOthers,
    Lie::DefersAfterExecuting,
    Lie::DefersAndEnds,
    Lie::EndsTwice,
    Lie::EndsAndDefers,
    Lie::QueuesAfterExecuting,
    Lie::RefusesAfterExecuting,
    Lie::CancelsUnasked,
    Lie::Asks,
    Lie::OtherRequest,
    Lie::UnknownThenEnds,
    Lie::UnknownKind,
    Lie::ContinuesWithNothing,
    Lie::ContinuesWithNothingAfterExecuting,
    Lie::BusyWithNext,
    Lie::Fresh,
    Lie::Hearsay,
    Lie::LeaveMeAlone,
    Lie::QueuesForEver,
    Lie::Silent,
    Lie::DataThenGone,
    Lie::Refuses(RefusalCode::DEADLINE),
    Lie::Refuses(RefusalCode::BAD_REQUEST),
    Lie::Refuses(RefusalCode::DUPLICATE),
    Lie::Refuses(RefusalCode::FORGOTTEN),
    Lie::Refuses(RefusalCode(9)),
];

struct Liars<'a> {
    lies: [Lie; 3],
    names: &'a [ServerUri],
    at: usize,
    fresh: usize,
    says: VecDeque<(LinkId, Option<Message>)>,
}

impl Liars<'_> {
    /// What is said to a request; `None`: the link is lost.
    fn answers(&mut self, request: &Request) -> Vec<Option<Message>> {
        let key = request.key;
        let all = alternates(&self.names[..3], 0b111);
        let deferral = |kind| Message::Defer(Box::new(defer(key, kind, all.clone())));
        let executing = || Message::Executing(key.into());
        let queued = || Message::Queued(Queued { key, position: 0, estimate_ms: None, extensions: Extensions::NONE });
        let refused = |code| Message::Refused(Refused { key, code, text: Text::EMPTY, extensions: Extensions::NONE });
        let priority = request.flags.contains(handover::deferral::RequestFlags::PRIORITY);
        let lie = self.lies.get(self.at).copied().unwrap_or(Lie::Fresh);
        let said = match lie {
            Lie::Dead => return vec![None],
            Lie::Ok => vec![executing(), end(key)],
            Lie::Busy if priority => vec![queued(), executing(), end(key)],
            Lie::Busy | Lie::AlwaysBusy => vec![deferral(DeferKind::BUSY)],
            Lie::AlwaysPrefersOthers => vec![deferral(DeferKind::PREFER_OTHER)],
            Lie::DefersAfterExecuting => vec![executing(), deferral(DeferKind::BUSY)],
            Lie::DefersAndEnds => vec![deferral(DeferKind::NO_SERVICE), end(key)],
            Lie::EndsTwice => vec![end(key), end(key)],
            Lie::EndsAndDefers => vec![end(key), deferral(DeferKind::CONTINUE)],
            Lie::QueuesAfterExecuting => vec![executing(), queued()],
            Lie::RefusesAfterExecuting => vec![executing(), refused(RefusalCode::OVERLOADED)],
            Lie::CancelsUnasked => vec![Message::Cancelled(key.into())],
            Lie::Asks => vec![Message::Request(Box::new(Request::new(key, command("first"))))],
            Lie::OtherRequest => {
                let other = RequestKey { id: RequestId([9; 16]), epoch: key.epoch };
                let later = RequestKey { epoch: key.epoch.wrapping_add(1), ..key };
                vec![end(other), end(later), Message::Cancelled(other.into())]
            }
            Lie::UnknownThenEnds => {
                vec![Message::Unknown { kind: MessageKind(99), body: vec![1].into() }, executing(), end(key)]
            }
            Lie::UnknownKind => vec![deferral(DeferKind(9))],
            Lie::ContinuesWithNothing | Lie::ContinuesWithNothingAfterExecuting => {
                let mut defer = defer(key, DeferKind::CONTINUE, all.clone());
                defer.next = None;
                let first = (lie == Lie::ContinuesWithNothingAfterExecuting).then(executing);
                first.into_iter().chain([Message::Defer(Box::new(defer))]).collect()
            }
            Lie::BusyWithNext => {
                let mut defer = defer(key, DeferKind::BUSY, all.clone());
                defer.next = Some(command("next"));
                vec![Message::Defer(Box::new(defer))]
            }
            Lie::Fresh => {
                self.fresh += 3;
                let fresh = (self.fresh..self.fresh + 3).map(|at| Alternate::new(name(at)));
                let fresh = fresh.chain(all.iter().cloned()).collect();
                vec![Message::Defer(Box::new(defer(key, DeferKind::NO_SERVICE, fresh)))]
            }
            Lie::Hearsay => {
                let mine = id(self.at);
                let others = all.iter().map(|one| Alternate { server: mine, ..one.clone() }).collect();
                let mut defer = defer(key, DeferKind::NO_SERVICE, others);
                defer.server = id((self.at + 1) % 3);
                vec![Message::Defer(Box::new(defer))]
            }
            Lie::LeaveMeAlone => {
                let mut defer = defer(key, if priority { DeferKind::NO_SERVICE } else { DeferKind::BUSY }, all.clone());
                (defer.retry_after_ms, defer.estimate_ms) = (Some(u32::MAX - 1), Some(u32::MAX - 1));
                vec![Message::Defer(Box::new(defer))]
            }
            Lie::QueuesForEver => vec![queued(), queued(), queued()],
            Lie::Silent => vec![],
            Lie::DataThenGone => {
                let data = Data { key, bytes: vec![1].into(), extensions: Extensions::NONE };
                return vec![Some(executing()), Some(Message::Data(data)), None];
            }
            Lie::Refuses(code) => vec![refused(code)],
        };
        said.into_iter().map(Some).collect()
    }
}

fn id(house: usize) -> ServerId {
    ServerId([u8::try_from(house).expect("small") + 1; 16])
}

impl Servers for Liars<'_> {
    fn dial(&mut self, _now: Instant, _link: LinkId, name: usize) -> Option<Peer> {
        self.at = name;
        let lie = self.lies.get(name).copied().unwrap_or(Lie::Fresh);
        (lie != Lie::Dead).then(|| Peer { id: id(name), ..Peer::default() })
    }

    fn take(&mut self, _now: Instant, link: LinkId, message: Message) {
        match message {
            Message::Request(request) => {
                let said = self.answers(&request);
                self.says.extend(said.into_iter().map(|message| (link, message)));
            }
            // None of them ever answers that.
            Message::Cancel(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn next(&mut self, _now: Instant) -> Option<(LinkId, Option<Message>)> {
        self.says.pop_front()
    }
}

/// Whether it ends the command, when it is asked for it at last.
const fn ends(lie: Lie) -> bool {
    matches!(lie, Lie::Ok | Lie::Busy | Lie::EndsTwice | Lie::EndsAndDefers | Lie::UnknownThenEnds)
}

fn check(lies: [Lie; 3], harm: Harm, names: &[ServerUri], counts: &mut [u32; 5]) {
    let mut servers = Liars { lies, names, at: 0, fresh: 0, says: VecDeque::new() };
    let begin = task(vec![names[0].clone()], harm);
    let tale = walk(client(&Config::default(), begin), names, &mut servers, User::Waits);
    let told = || format!("{lies:?} {harm:?}: {tale:#?}");
    // M = 16.
    tale.check(&names[..16], 1, 4).unwrap_or_else(|wrong| panic!("{lies:?} {harm:?}: {wrong}"));
    counts[0] += 1;
    match tale.outcome() {
        Outcome::Done { server, .. } => {
            let at = names.iter().position(|name| name == server).expect("a server of this world");
            assert!(lies.get(at).is_some_and(|lie| ends(*lie)), "{}", told());
            counts[1] += 1;
        }
        Outcome::Failed(failure, report) => {
            // Nobody may have it.
            let quiet = tale.contacts.iter().all(|contact| !contact.may_have_done_it());
            assert!(harm == Harm::ReadOnly || quiet, "{}", told());
            let refused = matches!(failure, Failure::Refused { .. });
            assert!(refused || *failure == Failure::NoServer, "{}", told());
            // Nobody was kept from the others by hearsay.
            let asked = |at: usize| tale.contacts.iter().any(|contact| contact.server == at);
            let names_all = lies[0] != Lie::Dead && tale.contacts[0].settled && !tale.deferred.is_empty();
            let hearsay = lies.contains(&Lie::Hearsay);
            assert!(refused || !names_all || hearsay || (asked(1) && asked(2)), "{}", told());
            assert!(report.ignored == 0 || lies.contains(&Lie::Fresh), "{}", told());
            counts[2] += 1;
        }
        Outcome::Indeterminate { .. } => {
            let doubt = tale.contacts.iter().any(super::walk::Contact::may_have_done_it);
            assert!(harm != Harm::ReadOnly && doubt, "{}", told());
            counts[3] += 1;
        }
        _ => panic!("{}", told()),
    }
    counts[4] = counts[4].max(u32::try_from(tale.contacts.len()).expect("few"));
}

#[test]
fn no_lie_is_endless_and_none_is_success() {
    let names = names(200);
    let parts = in_two_parts(|part| {
        let mut counts = [0; 5];
        for first in LIES.into_iter().skip(part).step_by(2) {
            for second in LIES {
                for third in LIES {
                    for harm in Harm::ALL {
                        check([first, second, third], harm, &names, &mut counts);
                    }
                }
            }
        }
        counts
    });
    let [worlds, done, errors, doubt] = [0, 1, 2, 3].map(|at| parts[0][at] + parts[1][at]);
    let most = parts[0][4].max(parts[1][4]);
    println!("{worlds} worlds of liars: {done} done, {errors} errors, {doubt} in doubt, at most {most} contacts");
    assert_eq!(worlds, 30 * 30 * 30 * 3);
    assert!(done > 0 && errors > 0 && doubt > 0);
}
