//! A join without votes, in a group that has members already: from JOIN to the last message that follows from it, taken
//! out and dropped. The time is the coordinator's for the whole join.

use divan::{Bencher, black_box};
use handover::frame::Extensions;
use handover::group::coordinator::{Config, Coordinator, Event, Input, Output};
use handover::group::message::{Enter, Join, Message};
use handover::group::{Attributes, CoordinatorId, DomainId, Epoch, GroupName, RequestId};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;

const NOW: Instant = Instant::ZERO;

fn enter(coordinator: &mut Coordinator, node: u32) {
    let enter = Enter {
        node,
        incarnation: 1,
        epoch: Epoch(0),
        ping_interval_ms: 0,
        pong_limit_ms: 0,
        reports: 0,
        credentials: bytes::Bytes::new(),
        extensions: Extensions::NONE,
    };
    let input = Input::Message { link: LinkId(node), message: Message::Enter(Box::new(enter)) };
    coordinator.handle(NOW, input).unwrap();
    while let Some(output) = coordinator.poll_output() {
        if let Output::Event(Event::Entering { link, .. }) = output {
            coordinator.handle(NOW, Input::Admit { link, allowed: true }).unwrap();
        }
    }
}

fn join(node: u32) -> Input {
    let attributes = Attributes::new(GroupName::new("fleet").unwrap());
    let join = Join { request: RequestId(1), instance: 0, attributes, extensions: Extensions::NONE };
    Input::Message { link: LinkId(node), message: Message::Join(Box::new(join)) }
}

/// A group of so many, and a process that is about to join.
fn group(members: u32) -> Coordinator {
    let mut coordinator = Coordinator::new(Config::new(DomainId(1), Epoch(0).next(CoordinatorId(1))), NOW);
    for node in 0..members {
        enter(&mut coordinator, node);
        coordinator.handle(NOW, join(node)).unwrap();
        while coordinator.poll_output().is_some() {}
    }
    enter(&mut coordinator, members);
    coordinator
}

#[divan::bench(args = [10, 100, 1000])]
fn join_of_one_more(bencher: Bencher<'_, '_>, members: u32) {
    let ready = group(members);
    bencher.with_inputs(|| (ready.clone(), join(members))).bench_local_refs(|(coordinator, input)| {
        let input = core::mem::replace(input, Input::Timeout);
        coordinator.handle(NOW, input).unwrap();
        while let Some(output) = coordinator.poll_output() {
            black_box(output);
        }
    });
}
