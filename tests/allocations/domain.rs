//! What a coordinator keeps for its groups.

use allocation_counter::measure;
use handover::frame::Extensions;
use handover::group::coordinator::{Config, Coordinator, Event, Input, Output};
use handover::group::message::{Enter, Join, Message};
use handover::group::{Attributes, CoordinatorId, DomainId, Epoch, GroupName, RequestId};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use std::hint::black_box;

const NOW: Instant = Instant::ZERO;

fn feed(coordinator: &mut Coordinator, input: Input) {
    coordinator.handle(NOW, input).unwrap();
    while let Some(output) = coordinator.poll_output() {
        if let Output::Event(Event::Entering { link, .. }) = output {
            coordinator.handle(NOW, Input::Admit { link, allowed: true }).unwrap();
        }
    }
}

/// A coordinator with `groups` groups, in each of which all of `processes` processes are.
fn domain(groups: u32, processes: u32) -> Coordinator {
    let mut coordinator = Coordinator::new(Config::new(DomainId(1), Epoch(0).next(CoordinatorId(1))), NOW);
    for node in 0..processes {
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
        let message = Message::Enter(Box::new(enter));
        feed(&mut coordinator, Input::Message { link: LinkId(node), message });
    }
    for group in 0..groups {
        let attributes = Attributes::new(GroupName::new(format!("group {group}")).unwrap());
        for node in 0..processes {
            let attributes = attributes.clone();
            let join = Join { request: RequestId(group), instance: 0, attributes, extensions: Extensions::NONE };
            let message = Message::Join(Box::new(join));
            feed(&mut coordinator, Input::Message { link: LinkId(node), message });
        }
    }
    coordinator
}

fn bytes_of(groups: u32, processes: u32) -> i64 {
    let mut kept = None;
    let counted = measure(|| kept = Some(black_box(domain(groups, processes))));
    assert_eq!(kept.map(|coordinator| coordinator.groups()), usize::try_from(groups).ok());
    counted.bytes_current
}

/// Ten thousand groups: what each costs, and each member of one.
#[test]
fn ten_thousand_groups() {
    let (one, five) = (bytes_of(10_000, 1), bytes_of(10_000, 5));
    let member = (five - one) / 40_000;
    let group = one / 10_000 - member;
    println!("10 000 groups: {group} bytes a group, {member} a member; with 5 members each {} MiB", five >> 20);
    assert!(member < 1024, "{member} bytes a member");
    assert!(group < 4096, "{group} bytes a group");
}
