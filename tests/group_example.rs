//! The example `group`, run as its users run it, and what it compares by.

#[path = "../examples/group/actor.rs"]
mod actor;
#[path = "support/example.rs"]
mod example;
#[path = "../examples/group/story.rs"]
mod story;

use serde_json::{Value, json};
use std::process::Command;
use story::Report;

#[test]
fn five_processes_and_a_coordinator_that_dies() {
    let report = story::run(&example::example("group")).unwrap();
    assert_eq!(report.problem(), None);
    assert_eq!(report.views.keys().collect::<Vec<_>>(), ["anna", "bob", "carl"]);
}

/// Nobody plays a part that makes no sense.
#[test]
fn a_member_without_a_number_is_refused() {
    let output = Command::new(example::example("group")).args(["--node", "one"]).output().unwrap();
    assert!(!output.status.success());
}

/// What is compared wrongly would be found by nobody.
#[test]
fn whatever_differs_is_a_problem() {
    let view = json!({"members": [1, 2, 3], "state": "wine", "view": 7, "sequence": 30, "epoch": 131_074});
    let seen = json!({"members": [1, 2, 3], "state": "wine"});
    let report = |change: &dyn Fn(&mut Report)| {
        let views = ["anna", "bob", "carl"].map(|name| (name.to_owned(), view.clone()));
        let mut report = Report { views: views.into(), seen: seen.clone() };
        change(&mut report);
        report.problem()
    };
    assert_eq!(report(&|_| {}), None);
    let one = |key: &'static str, value: Value| {
        report(&move |report: &mut Report| report.views.get_mut("bob").unwrap()[key] = value.clone())
    };
    for (key, value) in
        [("members", json!([1, 2])), ("state", json!("soup")), ("view", json!(6)), ("sequence", json!(1))]
    {
        assert_eq!(one(key, value).unwrap(), "the members know different things");
    }
    assert!(report(&|report| drop(report.views.remove("anna"))).unwrap().contains("2 members"));
    let all = |report: &mut Report| report.views.values_mut().for_each(|view| view["state"] = json!("soup"));
    assert!(report(&all).unwrap().contains("wine"));
    assert!(report(&|report| report.seen["members"] = json!([1])).unwrap().contains("watches"));
}
