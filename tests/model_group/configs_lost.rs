//! What is explored with coordinators that are lost, or doubted; and groups that depend on others.

use super::configs::{Ask, MORE, NO, Place, Setup, YES, calm, group, joined, place, two, voted, wish};
use super::world::Budget;
use handover::group::coordinator::Durability;
use handover::group::{BatchControl, GroupName, Phases};

pub(crate) fn lost() -> Vec<Setup> {
    let small = Budget::default();
    let lost = Setup { seats: 2, budget: Budget { crashes: 1, ..small }, ..calm() };
    let bar = Place {
        attributes: group("bar", |attributes| {
            attributes.source_group = GroupName::new("kitchen");
            attributes.reflection_phases = Phases::N;
        }),
        ..two()
    };
    vec![
        Setup { name: "a coordinator is lost", says: vec![YES, MORE, NO], ..lost.clone() },
        Setup {
            name: "a coordinator and a provider are lost",
            small: true,
            people: 2,
            places: vec![two()],
            says: vec![YES, MORE],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup { name: "a coordinator is lost while one joins", places: vec![joined()], wishes: vec![], ..lost.clone() },
        Setup {
            name: "a coordinator is lost while one is expelled",
            wishes: vec![wish(0, Ask::Expel(&[1], 1), Phases::N, 0)],
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and one watches",
            people: 3,
            places: vec![Place { members: vec![0, 1], watchers: vec![2], ..place() }],
            says: vec![YES, NO, YES],
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign",
            small: true,
            people: 2,
            places: vec![two()],
            budget: Budget { splits: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign, and links break",
            people: 2,
            places: vec![two()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { splits: 1, breaks: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign, and somebody is new",
            people: 1,
            places: vec![Place { members: vec![0], ..place() }],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { splits: 1, breaks: 1, kills: 1, returns: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept by another one",
            small: true,
            people: 2,
            places: vec![two()],
            durability: Durability::Replicated(1),
            budget: Budget { crashes: 1, kills: 1, ..small },
            says: vec![NO, YES],
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept, and two believe that they reign",
            small: true,
            people: 2,
            places: vec![two()],
            durability: Durability::Replicated(1),
            budget: Budget { splits: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept by more than half",
            seats: 3,
            people: 2,
            places: vec![two()],
            durability: Durability::Quorum,
            budget: Budget { crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider of three are lost",
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two coordinators are lost",
            seats: 3,
            people: 2,
            places: vec![two()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { crashes: 2, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and somebody is slow",
            wishes: vec![wish(0, Ask::State("soup"), Phases::N, 1)],
            people: 2,
            places: vec![two()],
            says: vec![MORE, YES],
            budget: Budget { crashes: 1, expires: 2, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider are lost, and one watches",
            people: 3,
            places: vec![Place { members: vec![0, 1], watchers: vec![2], ..place() }],
            says: vec![NO, YES, YES],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost while two join together",
            places: vec![Place {
                attributes: group("kitchen", |attributes| {
                    voted(attributes);
                    attributes.batch_control = BatchControl::JOINS;
                }),
                members: vec![0],
                joiners: vec![1, 2],
                watchers: vec![],
            }],
            wishes: vec![],
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and one says goodbye",
            small: true,
            people: 2,
            places: vec![two()],
            budget: Budget { crashes: 1, goodbyes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and one leaves",
            small: true,
            wishes: vec![wish(0, Ask::Leave, Phases::N, 0)],
            people: 2,
            places: vec![two()],
            budget: Budget { crashes: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and a link",
            people: 2,
            places: vec![two()],
            budget: Budget { crashes: 1, breaks: 1, returns: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "more than half keep outcomes, and that takes time",
            seats: 3,
            people: 2,
            places: vec![two()],
            durability: Durability::Quorum,
            budget: Budget { crashes: 1, kills: 1, ..small },
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            disk: true,
            ..lost.clone()
        },
        Setup {
            name: "another one keeps outcomes, and that takes time",
            people: 2,
            places: vec![two()],
            durability: Durability::Replicated(1),
            budget: Budget { crashes: 1, kills: 1, ..small },
            says: vec![NO, YES],
            disk: true,
            ..lost.clone()
        },
        Setup {
            name: "more than half keep outcomes, and two believe that they reign",
            seats: 2,
            people: 1,
            places: vec![Place { members: vec![0], ..place() }],
            durability: Durability::Quorum,
            budget: Budget { splits: 1, replica_expires: 3, ..small },
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            clock: true,
            ..lost.clone()
        },
        Setup {
            name: "a group with a source",
            small: true,
            people: 2,
            places: vec![two(), bar.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            says: vec![YES, NO],
            budget: Budget { kills: 1, goodbyes: 1, ..small },
            ..calm()
        },
        Setup {
            name: "a group with a source, and a coordinator is lost",
            people: 2,
            places: vec![two(), bar.clone()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider are lost, and that is voted on",
            places: vec![Place { attributes: group("kitchen", voted), ..two() }],
            people: 2,
            says: vec![YES, NO],
            budget: Budget { crashes: 1, kills: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator and a provider are lost while one joins",
            places: vec![Place { members: vec![0], joiners: vec![1], watchers: vec![0], ..joined() }],
            people: 2,
            says: vec![NO, YES],
            wishes: vec![],
            budget: Budget { crashes: 1, kills: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "two believe that they reign, and somebody dies",
            people: 2,
            places: vec![two()],
            says: vec![YES, NO],
            budget: Budget { splits: 1, kills: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "somebody is declared dead, and a coordinator is lost",
            people: 2,
            places: vec![two()],
            budget: Budget { crashes: 1, downs: 1, returns: 1, ..small },
            late: true,
            ..lost.clone()
        },
        Setup {
            name: "one watches while two believe that they reign",
            people: 2,
            places: vec![Place { members: vec![0], watchers: vec![1], ..place() }],
            budget: Budget { splits: 1, expires: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "one joins again",
            small: true,
            people: 2,
            places: vec![Place { attributes: group("kitchen", voted), ..two() }],
            says: vec![NO, YES],
            wishes: vec![wish(0, Ask::Expel(&[1], 0), Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, rejoins: 2, ..small },
            ..calm()
        },
        Setup {
            name: "one joins again, and a coordinator is lost",
            people: 2,
            places: vec![Place { attributes: group("kitchen", voted), members: vec![0], joiners: vec![1], ..two() }],
            says: vec![NO, YES],
            wishes: vec![],
            budget: Budget { rejoins: 1, crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a group with a source, and two losses",
            people: 2,
            places: vec![two(), bar],
            wishes: vec![],
            budget: Budget { kills: 1, goodbyes: 1, crashes: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "outcomes are kept by more than half, and one comes back",
            seats: 2,
            people: 2,
            places: vec![two()],
            wishes: vec![wish(0, Ask::State("soup"), Phases::ONE, 0)],
            durability: Durability::Quorum,
            budget: Budget { crashes: 2, restarts: 1, ..small },
            ..lost.clone()
        },
        Setup {
            name: "a coordinator is lost, and comes back",
            seats: 1,
            people: 2,
            places: vec![Place { members: vec![0, 1], watchers: vec![1], ..place() }],
            says: vec![YES, NO],
            budget: Budget { crashes: 1, restarts: 1, kills: 1, ..small },
            ..lost
        },
        Setup {
            name: "a number that is free is another's",
            small: true,
            people: 2,
            places: vec![
                two(),
                Place { attributes: group("bar", |_| ()), members: vec![], joiners: vec![1], watchers: vec![0] },
            ],
            wishes: vec![wish(0, Ask::Expel(&[1], 0), Phases::ONE, 0)],
            budget: Budget { goodbyes: 1, ..small },
            ..calm()
        },
        Setup { name: "a larger domain is met", small: true, budget: Budget { merges: 1, ..small }, ..calm() },
    ]
}
