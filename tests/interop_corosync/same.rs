//! What members of both are told alike.

use crate::ours::Ours;
use crate::peer::POLL;
use crate::real::Real;
use crate::script::Act::{Die, Freeze, Join, Leave, Say, Thaw};
use crate::script::{Act, Name, Told, World, in_order, unordered};
use std::thread;

/// What happens at once stands in one line.
const SCRIPT: &[&[Act]] = &[
    &[Join("bob")],
    &[Say("bob", "alone")],
    &[Join("ann")],
    &[Say("ann", "both")],
    &[Join("cid"), Join("dee"), Join("eve"), Join("fay")],
    &[Say("dee", "one"), Say("ann", "two"), Say("bob", "three")],
    &[Leave("dee")],
    &[Say("eve", "without-dee")],
    &[Die("cid")],
    &[Die("eve"), Die("fay")],
    &[Say("bob", "without-eve")],
    // A process that has left comes back, and others come in the place of the dead.
    &[Join("dee"), Join("gus"), Join("hal"), Join("ida")],
    &[Leave("ann"), Die("hal"), Join("jim"), Say("bob", "meanwhile"), Die("gus")],
    // A member that does nothing holds nobody up, and is told everything when it goes on.
    &[Freeze("ida")],
    &[Join("kim")],
    &[Say("dee", "unheard"), Say("jim", "unheard-too")],
    &[Leave("dee")],
    &[Die("kim")],
    &[Thaw("ida")],
    &[Say("ida", "heard")],
    // One that dies while it does nothing is gone as well.
    &[Freeze("jim")],
    &[Say("bob", "to-the-dying")],
    &[Die("jim")],
    &[Leave("bob")],
    &[Say("ida", "last")],
];

#[test]
fn one_script_is_told_alike_in_both() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    for acts in SCRIPT {
        let before = real.told();
        real.play(acts);
        // Of what happens at once one thing comes first; in ours the same one.
        let acts = in_order(acts, &before, &real.told());
        ours.play(&acts);
    }
    let (theirs, mine) = (real.told(), ours.told());

    // Each change is one process that comes or goes, also of those that come and go at once.
    for told in [&theirs, &mine].into_iter().flat_map(|accounts| accounts.values().flatten()) {
        if let Told::Change { joined, left, members } = told {
            assert_eq!(joined.len() + left.len(), 1, "{told:?}");
            assert!(joined.iter().all(|name| members.contains(name)), "{told:?}");
            assert!(left.iter().all(|(name, _)| !members.contains(name)), "{told:?}");
        }
    }
    // The first thing that a member is told is its own join, and the last, if it has left, that.
    for accounts in [&theirs, &mine] {
        for (name, told) in accounts {
            assert!(matches!(&told[0], Told::Change { joined, .. } if joined == &[*name]), "{name}: {told:?}");
        }
        assert!(matches!(accounts["bob"].last(), Some(Told::Change { left, .. }) if left[0].0 == "bob"));
    }
    // Who is there all the time is told everything.
    let acts = SCRIPT.iter().copied().flatten().take_while(|act| **act != Say("ida", "last"));
    let count = acts.filter(|act| !matches!(act, Freeze(_) | Thaw(_))).count();
    assert_eq!(theirs["bob"].len(), count, "{:?}", theirs["bob"]);
    let (theirs, mine) = (unordered(theirs), unordered(mine));
    for (name, told) in &theirs {
        assert_eq!(told, &mine[name], "{name}");
    }
}

/// Of many messages that are sent at once, everybody is told in the same order, and each sender's in its own.
#[test]
fn messages_come_in_one_order() {
    const COUNT: usize = 200;
    const SENDERS: [Name; 3] = ["ann", "bob", "cid"];
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    for name in SENDERS {
        real.play(&[Join(name)]);
        ours.play(&[Join(name)]);
    }
    real.corosync.freeze();
    let pending: Vec<_> =
        SENDERS.map(|name| (name, real.member(name).begin(&format!("flood 0 {name} {COUNT}")))).into_iter().collect();
    thread::sleep(5 * POLL);
    real.corosync.thaw();
    for (name, pending) in &pending {
        assert_eq!(real.members[name].finish(pending), "CS_OK");
    }
    real.play(&[Say("ann", "end")]);
    let theirs = real.told();
    let texts = |told: &[Told]| -> Vec<(Name, String)> {
        let message = |told: &Told| match told {
            Told::Message { from, text } => Some((*from, text.clone())),
            Told::Change { .. } => None,
        };
        told.iter().filter_map(message).collect()
    };
    let order = texts(&theirs["ann"]);
    assert_eq!(order.len(), SENDERS.len() * COUNT + 1);
    for name in SENDERS {
        let own = order.iter().filter(|(from, text)| *from == name && text != "end").map(|(_, text)| text.clone());
        assert!(own.eq((1..=COUNT).map(|number| format!("{name}{number}"))));
    }
    for (from, text) in &order {
        ours.message(from, text).unwrap();
        ours.pump();
    }
    assert_eq!(unordered(theirs), unordered(ours.told()));
}

/// A process that dies before its join is done is not left behind as a member.
#[test]
fn who_dies_as_it_joins_is_no_member() {
    let Some(mut real) = Real::start() else { return };
    let mut ours = Ours::start();
    real.play(&[Join("ann")]);
    ours.play(&[Join("ann")]);
    for name in ["bob", "cid", "dee", "eve"] {
        real.member(name);
        real.corosync.freeze();
        let _ = real.member(name).begin("join 0 g");
        thread::sleep(5 * POLL);
        real.member(name).kill();
        real.corosync.thaw();
        ours.play(&[Join(name), Die(name)]);
    }
    for world in [&mut real as &mut dyn World, &mut ours] {
        world.play(&[Join("fay")]);
        world.play(&[Say("ann", "end")]);
        let told = world.told();
        let is_last = |name: &str| match &told[name][told[name].len() - 2] {
            Told::Change { joined, members, .. } => {
                let mut members = members.clone();
                members.sort_unstable();
                joined == &["fay"] && members == ["ann", "fay"]
            }
            Told::Message { .. } => false,
        };
        assert!(is_last("ann") && is_last("fay"), "{told:?}");
        // Whoever was told to have joined was told to have gone.
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for told in &told["ann"] {
            if let Told::Change { joined: names, left: leaves, .. } = told {
                joined.extend(names.iter().copied().filter(|name| !["ann", "fay"].contains(name)));
                left.extend(leaves.iter().map(|(name, _)| *name));
            }
        }
        assert_eq!(joined, left);
    }
}
