//! What differs, and is meant to (spec/group.md 10). What corosync does is measured, not taken from its manual.

use crate::ours::{NODE, Ours};
use crate::peer::{POLL, until};
use crate::real::Real;
use crate::script::Act::{Die, Freeze, Join, Leave, Say, Thaw};
use crate::script::{Name, Told, Why, World};
use handover::error::{Error, Misuse};
use handover::group::proposal::Wish;
use handover::group::provider::{self, Departure};
use handover::group::{BatchControl, ErrorCode, GroupName, LeaveReason, StateValue};
use std::thread;

/// Who has come and who has gone.
type Change = (Vec<Name>, Vec<(Name, Why)>);

/// The changes that somebody was told of.
fn changes(told: &[Told]) -> Vec<Change> {
    let change = |told: &Told| match told {
        Told::Change { joined, left, .. } => Some((joined.clone(), left.clone())),
        Told::Message { .. } => None,
    };
    told.iter().filter_map(change).collect()
}

/// The members after the last change.
fn members(told: &[Told]) -> Vec<Name> {
    let members = |told: &Told| if let Told::Change { members, .. } = told { Some(members.clone()) } else { None };
    told.iter().rev().find_map(members).unwrap_or_default()
}

fn heard(told: &[Told], said: &str) -> bool {
    told.iter().any(|told| matches!(told, Told::Message { text, .. } if text == said))
}

/// corosync lists members by their addresses; ours stand in the order in which they have joined, so that everybody knows
/// who is the oldest.
#[test]
fn members_stand_in_the_order_of_their_joins() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    let mut started: Vec<(u32, Name)> = ["ann", "bob", "cid"].map(|name| (real.member(name).pid(), name)).to_vec();
    started.sort_unstable();
    // The last of all addresses joins first.
    for (_, name) in started.iter().rev() {
        real.play(&[Join(name)]);
        ours.play(&[Join(name)]);
    }
    let by_address: Vec<Name> = started.iter().map(|(_, name)| *name).collect();
    let by_age: Vec<Name> = by_address.iter().rev().copied().collect();
    for name in by_age.iter().copied() {
        assert_eq!(members(&real.told()[name]), by_address);
        assert_eq!(members(&ours.told()[name]), by_age);
    }
}

/// corosync waits for nobody, and makes a change of each process that joins or dies. Where ours vote, what comes meanwhile
/// is collected, and made in one change of each kind if the group's attributes say so.
#[test]
fn what_comes_during_a_vote_can_be_one_change() {
    let Some(mut real) = Real::start() else { return };
    let both = BatchControl::JOINS | BatchControl::LEAVES;
    let mut batched = Ours::voting(both);
    let mut single = Ours::voting(BatchControl::empty());
    for name in ["ann", "bob", "cid", "dee", "eve"] {
        real.play(&[Join(name)]);
        batched.play(&[Join(name)]);
        single.play(&[Join(name)]);
    }
    let at_once = [Die("cid"), Die("dee"), Die("eve"), Join("gus"), Join("hal")];

    // With a member that does nothing they come one by one.
    real.play(&[Freeze("ann")]);
    real.play(&[Join("fay")]);
    let before = changes(&real.told()["bob"]).len();
    real.play(&at_once);
    assert_eq!(changes(&real.told()["bob"]).len(), before + at_once.len());
    real.play(&[Thaw("ann")]);
    assert_eq!(members(&real.told()["ann"]).len(), 5);

    for ours in [&mut batched, &mut single] {
        ours.party("ann").undecided = true;
        let before = changes(&ours.told()["bob"]).len();
        ours.play(&[Join("fay")]);
        ours.play(&at_once);
        assert_eq!(changes(&ours.told()["bob"]).len(), before, "ann has not voted");
        ours.approve("ann");
        // First the one that was voted on, then those who died, then those who join: the next votes.
        let rest = |ours: &Ours| changes(&ours.told()["bob"])[before..].to_vec();
        assert_eq!(rest(ours), [(vec!["fay"], vec![])]);
        while ours.party("ann").providers.values().any(|part| part.due > 0) {
            ours.approve("ann");
        }
        let died = |names: &[Name]| (vec![], names.iter().map(|name| (*name, Why::Died)).collect::<Vec<_>>());
        let mut expected = vec![(vec!["fay"], vec![])];
        if ours.attributes().batch_control == both {
            expected.extend([died(&["cid", "dee", "eve"]), (vec!["gus", "hal"], vec![])]);
        } else {
            expected.extend(["cid", "dee", "eve"].map(|name| died(&[name])));
            expected.extend(["gus", "hal"].map(|name| (vec![name], vec![])));
        }
        assert_eq!(rest(ours), expected);
        assert_eq!(members(&ours.told()["ann"]), ["ann", "bob", "fay", "gus", "hal"]);
    }
}

/// A machine that fails takes all its processes in one change, without a vote too. (Of corosync this is not measured: it
/// is one node here.)
#[test]
fn a_machine_that_fails_is_one_change() {
    let mut ours = Ours::start();
    for (name, node) in [("ann", NODE), ("bob", NODE + 1), ("cid", NODE), ("dee", NODE + 1), ("eve", NODE + 1)] {
        ours.enter(name, node);
        ours.play(&[Join(name)]);
    }
    let before = changes(&ours.told()["ann"]).len();
    ours.node_down(NODE + 1);
    for name in ["ann", "cid"] {
        let told = &ours.told()[name];
        let gone = ["bob", "dee", "eve"].map(|name| (name, Why::NodeDied)).to_vec();
        assert_eq!(changes(told).last(), Some(&(vec![], gone)));
        assert_eq!(members(told), ["ann", "cid"]);
    }
    assert_eq!(changes(&ours.told()["ann"]).len(), before + 1);
}

/// A message that corosync's library has taken is lost if its process dies before corosync has read it. Ours is in what
/// the link brings before it closes, and so it is told before the death.
#[test]
fn the_last_words_of_the_dying() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    for name in ["ann", "bob"] {
        real.play(&[Join(name)]);
        ours.play(&[Join(name)]);
    }
    real.corosync.freeze();
    assert_eq!(real.member("bob").call("say 0 last"), "CS_OK");
    real.member("bob").kill();
    real.corosync.thaw();
    real.wait("ann", |told| matches!(told, Told::Change { left, .. } if left == &[("bob", Why::Died)]));
    real.group.remove("bob");
    ours.play(&[Say("bob", "last"), Die("bob")]);
    for world in [&mut real as &mut dyn World, &mut ours] {
        world.play(&[Join("cid")]);
    }
    assert!(!heard(&real.told()["ann"], "last"));
    let told = &ours.told()["ann"];
    assert!(heard(told, "last"));
    assert!(matches!(&told[told.len() - 3], Told::Message { from: "bob", .. }), "{told:?}");
}

/// Who has left hears nothing more, and may not speak; it may join again at once. A connection to corosync hears on until
/// it is closed, whatever the manual says, what it says is taken and lost, and it cannot join before.
#[test]
fn who_has_left_is_out() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    for name in ["ann", "bob"] {
        real.play(&[Join(name)]);
        ours.play(&[Join(name)]);
    }
    let left = |told: &Told| matches!(told, Told::Change { left, .. } if left == &[("bob", Why::Left)]);
    real.member("bob").must("leave 0 g");
    real.wait("bob", left);
    real.wait("ann", left);
    assert_eq!(real.member("bob").call("say 0 from-outside"), "CS_OK");
    real.member("ann").must("say 0 from-inside");
    real.wait("bob", |told| matches!(told, Told::Message { text, .. } if text == "from-inside"));
    assert_eq!(real.member("bob").call("join 0 g"), "CS_ERR_EXIST");
    real.member("bob").must("open 1");
    assert_eq!(real.member("bob").call("join 1 g"), "CS_ERR_EXIST");
    real.member("bob").must("close 0");
    real.member("bob").must("open 0");
    real.play(&[Join("bob")]);
    real.play(&[Say("bob", "end")]);
    assert!(!heard(&real.told()["ann"], "from-outside"));

    ours.play(&[Leave("bob")]);
    let count = ours.told()["bob"].len();
    assert!(matches!(ours.message("bob", "from-outside"), Err(Error::Misuse(Misuse::Unknown { .. }))));
    ours.play(&[Say("ann", "from-inside")]);
    assert_eq!(ours.told()["bob"].len(), count);
    assert!(left(&ours.told()["bob"][count - 1]));
    ours.play(&[Join("bob")]);
    assert_eq!(members(&ours.told()["ann"]), ["ann", "bob"]);
    // It is a new member, the youngest.
    ours.play(&[Leave("ann")]);
    ours.play(&[Join("ann")]);
    assert_eq!(members(&ours.told()["ann"]), ["bob", "ann"]);
}

/// Before its join is done a process is no member: what it says corosync takes and loses, in ours it is told so.
#[test]
fn who_is_no_member_yet_is_told_so() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::voting(BatchControl::empty());
    real.play(&[Join("ann")]);
    ours.play(&[Join("ann")]);
    assert_eq!(real.member("bob").call("say 0 early"), "CS_OK");
    real.play(&[Join("bob")]);
    real.play(&[Say("bob", "end")]);
    assert!(!heard(&real.told()["ann"], "early"));

    ours.party("ann").undecided = true;
    ours.play(&[Join("bob")]);
    assert!(matches!(ours.message("bob", "early"), Err(Error::Misuse(Misuse::WrongState { .. }))));
    ours.approve("ann");
    ours.play(&[Say("bob", "end")]);
    assert!(heard(&ours.told()["ann"], "end") && !heard(&ours.told()["ann"], "early"));
}

/// An address of corosync is a process: it is in a group once. In ours it may be there as several providers, which are told
/// apart by their instances.
#[test]
fn one_process_may_be_several_providers() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    real.play(&[Join("ann")]);
    ours.play(&[Join("ann")]);
    real.member("ann").must("open 1");
    assert_eq!(real.member("ann").call("join 1 g"), "CS_ERR_EXIST");
    real.member("ann").must("join 1 h");

    let first = ours.join_as("ann", 1);
    ours.pump();
    assert_eq!(ours.party("ann").refused, [ErrorCode::DUPLICATE_INSTANCE_NUMBER]);
    let gone = Departure::Refused(ErrorCode::DUPLICATE_INSTANCE_NUMBER);
    assert_eq!(ours.party("ann").providers[&first].gone, Some(gone));
    ours.join_as("ann", 100);
    ours.pump();
    let group = GroupName::new("g").unwrap();
    let instances: Vec<i16> = ours.coordinator.members(&group).unwrap().iter().map(|one| one.instance).collect();
    assert_eq!(instances, [1, 100]);
}

/// corosync says whether somebody has left or died; closing the connection and ending in good order is a death. Ours say
/// who has said goodbye, too.
#[test]
fn why_somebody_has_gone() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    for name in ["ann", "bob", "cid", "dee", "eve"] {
        real.play(&[Join(name)]);
        ours.play(&[Join(name)]);
    }
    let gone = |real: &Real, name: Name, why: Why| {
        real.wait("ann", |told| matches!(told, Told::Change { left, .. } if left == &[(name, why)]));
    };
    real.member("bob").must("close 0");
    gone(&real, "bob", Why::Died);
    real.member("cid").exit();
    gone(&real, "cid", Why::Died);
    real.member("dee").kill();
    gone(&real, "dee", Why::Died);
    real.member("eve").must("leave 0 g");
    gone(&real, "eve", Why::Left);

    ours.say("bob", provider::Input::Goodbye).unwrap();
    ours.tell("cid", handover::group::process::Input::Quit).unwrap();
    ours.play(&[Die("dee"), Leave("eve")]);
    let expected = [
        LeaveReason::SAID_GOODBYE,
        LeaveReason::PROVIDER_FAILURE,
        LeaveReason::PROVIDER_FAILURE,
        LeaveReason::VOLUNTARY,
    ];
    assert_eq!(ours.party("ann").reasons, expected);
}

/// With corosync its groups are gone, and its members know nothing more of each other. Ours outlive their coordinator: the
/// one that takes over learns them from the survivors, and nobody sees a change.
#[test]
fn groups_outlive_their_coordinator() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    for name in ["ann", "bob", "cid"] {
        real.play(&[Join(name)]);
        ours.play(&[Join(name)]);
    }
    let value = StateValue::new("kept").unwrap();
    ours.propose("ann", Wish::State(value.clone())).unwrap();
    ours.pump();
    let before = ours.told();
    real.corosync.restart();
    ours.take_over();
    assert_eq!(ours.told(), before);
    ours.play(&[Join("dee")]);
    assert_eq!(members(&ours.told()["ann"]), ["ann", "bob", "cid", "dee"]);
    assert_eq!(members(&ours.told()["dee"]), ["ann", "bob", "cid", "dee"]);
    assert_eq!(ours.value("dee"), Some(value));

    for name in ["ann", "bob", "cid"] {
        until("lost", || real.members[name].events().iter().any(|event| event["event"] == "lost"));
        assert_eq!(real.member(name).call("say 0 anything"), "CS_ERR_BAD_HANDLE");
    }
    // Who joins now is alone.
    let mut late = crate::peer::Member::start();
    late.must("join 0 g");
    let address = serde_json::json!([[1, late.pid(), "UNDEFINED"]]);
    until("joined", || late.events().iter().any(|event| event["event"] == "change" && event["members"] == address));
    thread::sleep(10 * POLL);
    assert_eq!(late.events().iter().filter(|event| event["event"] == "change").count(), 1);
}

/// Names of groups: up to 128 bytes there, 1 to 32 here.
#[test]
fn names_have_their_limits() {
    let Some(mut real) = Real::start() else { return };
    let name = "n".repeat(128);
    real.member("ann").must(&format!("join 0 {name}"));
    until("joined", || real.members["ann"].events().iter().any(|event| event["group"] == name));
    assert!(GroupName::new("n".repeat(32)).is_some());
    assert!(GroupName::new("n".repeat(33)).is_none() && GroupName::new("").is_none());
}
