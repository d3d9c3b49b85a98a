//! The example `deferral`, with a smaller crowd, and what it counts by.

#[path = "../examples/deferral/crowd.rs"]
#[allow(dead_code, reason = "the example has a crowd of its own")]
mod crowd;
#[path = "../examples/deferral/driver.rs"]
mod driver;
#[path = "../examples/deferral/ledger.rs"]
mod ledger;
#[path = "../examples/deferral/story.rs"]
mod story;
#[path = "../examples/deferral/visit.rs"]
mod visit;
#[path = "../examples/deferral/work.rs"]
mod work;

use crowd::Plan;
use driver::{Server, Sight, walk};
use handover::deferral::RequestId;
use handover::deferral::client::{Failure, Outcome, Report as Servers};
use handover::deferral::endpoint::ClientConfig;
use handover::deferral::message::RequestKey;
use handover::frame::Text;
use ledger::{Ending, Indeterminate, Ledger, Progress, Report};
use std::future::Future;
use std::time::Duration;
use story::Story;
use visit::Visit;
use work::{SLOW, Site, request_id};

/// For something to begin: ample, it is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn the_three_scenarios() {
    let story = Story::new(false);
    let report = block_on(story::run(&story)).unwrap();
    assert_eq!((report.asked, report.served), (8, 8));
    let dora = [
        "wants cset_close",
        "asks A",
        "stands in A's line, behind 0, about 300 ms",
        "A carries it out",
        "gets \"cset_close dora\"",
        "is done, by A",
    ];
    assert_eq!(story.of("dora"), dora);
    let emil = [
        "wants help",
        "asks A",
        "A says BUSY",
        "asks C",
        "C says BUSY",
        "asks B",
        "B says BUSY",
        "all 3 are busy: wait, about 300 ms? Yes",
        "asks C",
        "stands in C's line, behind 0, about 300 ms",
        "C carries it out",
        "gets \"help emil\"",
        "is done, by C",
    ];
    assert_eq!(story.of("emil"), emil);
    let finn =
        ["wants help", "asks A", "A says BUSY", "asks B", "B carries it out", "gets \"help finn\"", "is done, by B"];
    assert_eq!(story.of("finn"), finn);
    let gina = [
        "wants ws_create",
        "asks A",
        "A carries it out",
        "A says CONTINUE",
        "is to go on with ws_sync",
        "asks B",
        "B carries it out",
        "gets \"ws_sync gina\"",
        "is done, by B",
    ];
    assert_eq!(story.of("gina"), gina);
}

#[test]
fn a_crowd_loses_nothing() {
    let phases = [(200, 100), (500, 500), (300, 100)];
    let plan = Plan { seed: 7, phases, cut: 350, joins: 450, killed: 600, printed: false };
    let report = block_on(crowd::run(plan)).unwrap();
    report.print();
    assert_eq!(report.problem(), None);
    assert!(report.asked > 200, "{report:?}");
    assert_eq!(report.served + report.indeterminate.all(), report.asked);
    assert_eq!(report.contacts.len(), report.asked);
    for server in ['A', 'B', 'C', 'D'] {
        assert!(report.by_server.get(&server).is_some_and(|served| *served > 0), "{server}: {:?}", report.by_server);
    }
}

/// One server, of which one command is carried out and another one waits in line, until something happens to it.
async fn one_runs_and_one_waits(command: &'static str, happens: impl AsyncFnOnce(Server) -> Option<Server>) -> Report {
    let ledger = Ledger::default();
    let configure = |site: &Site| site.config(1, Duration::from_millis(300), Duration::from_secs(9));
    let server = Server::start('A', true, configure, 1, SLOW, ledger.clone()).await.unwrap();
    let mut clients = tokio::task::JoinSet::new();
    for (number, load) in [(1, (1, 0)), (2, (1, 1))] {
        let mut visit = Visit::new(SLOW, request_id(number), command, "me".into());
        let (task, ledger) = (visit.task(vec![server.uri()]), ledger.clone());
        ledger.ask();
        clients.spawn(async move {
            let user = |sight: Sight<'_>| {
                visit.see(&sight);
                true
            };
            let outcome = walk(ClientConfig::default(), task, user).await;
            ledger.ended(visit.end(outcome, |_| 'A', Vec::new()));
        });
        let reached = async {
            while (server.load().running, server.load().queued) != load {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the first runs for long enough");
    }
    let still_there = happens(server).await;
    clients.join_all().await;
    drop(still_there);
    ledger.report()
}

async fn kill(server: Server) -> Option<Server> {
    server.kill().await;
    None
}

/// What was begun is not begun again, and its end is said to who comes again; who was in line stands there again.
#[test]
fn a_link_that_is_cut_changes_nothing() {
    let cut = async |server: Server| {
        server.cut().await;
        Some(server)
    };
    let report = block_on(one_runs_and_one_waits("cset_close", cut));
    assert_eq!(report.problem(), None);
    assert_eq!((report.served, report.came_again, report.begun_anew), (2, 2, 0));
    assert_eq!(report.contacts, [2, 2]);
}

#[test]
fn nobody_knows_what_a_killed_server_has_done() {
    let report = block_on(one_runs_and_one_waits("cset_close", kill));
    assert_eq!(report.problem(), None);
    let indeterminate = Indeterminate { not_begun: 1, cut: 1, carried_out: 0 };
    assert_eq!((report.served, report.indeterminate), (0, indeterminate));
}

/// There is nobody else to look.
#[test]
fn what_changes_nothing_is_lost_with_the_only_server() {
    let report = block_on(one_runs_and_one_waits("ws_sync", kill));
    assert_eq!((report.served, report.indeterminate.all(), report.lost.len()), (0, 0, 2));
}

const KEY: RequestKey = RequestKey { id: RequestId([7; 16]), epoch: 0 };

/// A request that A has carried out.
fn ending(outcome: Outcome) -> Ending {
    Ending {
        id: KEY.id,
        command: "cset_close",
        epoch: 0,
        outcome: Ok(outcome),
        server: Some('A'),
        intact: true,
        contacts: 1,
        walk: vec!["A begun".to_owned()],
        time: Duration::from_millis(1),
    }
}

fn done() -> Ending {
    let server = "handover://127.0.0.1:1".parse().unwrap();
    ending(Outcome::Done { server, status: 0, text: Text::EMPTY, complete: true })
}

fn indeterminate() -> Ending {
    let server = "handover://127.0.0.1:1".parse().unwrap();
    ending(Outcome::Indeterminate { server, report: Servers::default() })
}

fn report(what: impl Fn(&Ledger)) -> Report {
    let ledger = Ledger::default();
    ledger.ask();
    what(&ledger);
    ledger.report()
}

/// It is begun by A, and ends so.
fn runs(ledger: &Ledger, read_only: bool, state: Progress) {
    ledger.begin('A', KEY, read_only);
    ledger.end('A', KEY, state);
}

/// What is counted wrongly would be found by nobody.
#[test]
fn whatever_is_wrong_is_a_problem() {
    let fine = report(|ledger| {
        runs(ledger, false, Progress::Finished);
        ledger.ended(done());
    });
    assert_eq!((fine.problem(), fine.served), (None, 1));

    let lost = |what: &dyn Fn(&Ledger)| {
        let report = report(what);
        assert!(report.problem().is_some() && !report.lost.is_empty(), "{report:?}");
        assert_eq!(report.served + report.indeterminate.all(), 0, "{report:?}");
    };
    lost(&|_| ());
    lost(&|ledger| ledger.ended(done()));
    lost(&|ledger| {
        runs(ledger, false, Progress::Finished);
        ledger.ended(Ending { server: Some('B'), ..done() });
    });
    lost(&|ledger| {
        runs(ledger, false, Progress::Finished);
        ledger.ended(Ending { intact: false, ..done() });
    });
    lost(&|ledger| {
        // Of the first command of its chain nothing is known.
        ledger.begin('A', RequestKey { epoch: 1, ..KEY }, false);
        ledger.end('A', RequestKey { epoch: 1, ..KEY }, Progress::Finished);
        ledger.ended(Ending { epoch: 1, ..done() });
    });
    lost(&|ledger| ledger.ended(ending(Outcome::Failed(Failure::NoServer, Servers::default()))));
    lost(&|ledger| ledger.ended(ending(Outcome::Cancelled { carried_out: 0 })));
    lost(&|ledger| ledger.ended(Ending { outcome: Err("no".to_owned()), ..done() }));
    // Nobody has killed A.
    lost(&|ledger| ledger.ended(indeterminate()));
}

#[test]
fn what_changes_something_is_begun_once() {
    let twice = |read_only, first| {
        report(|ledger| {
            runs(ledger, read_only, first);
            runs(ledger, read_only, Progress::Finished);
            ledger.ended(done());
        })
    };
    for state in [Progress::Finished, Progress::Dropped] {
        assert_eq!(twice(false, state).twice.len(), 1);
    }
    assert_eq!(twice(true, Progress::Finished).twice.len(), 1);
    // What changes nothing may begin anew, unless it has come to its end.
    let anew = twice(true, Progress::Dropped);
    assert_eq!((anew.problem(), anew.begun_anew), (None, 1));
}

#[test]
fn a_kill_leaves_some_that_nobody_knows_of() {
    let killed = |begin: bool, end: bool| {
        let report = report(|ledger| {
            if begin {
                ledger.begin('A', KEY, false);
            }
            if end {
                ledger.end('A', KEY, Progress::Finished);
            }
            ledger.killed('A');
            ledger.ended(indeterminate());
        });
        assert_eq!(report.problem(), None);
        report.indeterminate
    };
    assert_eq!(killed(false, false), Indeterminate { not_begun: 1, ..Indeterminate::default() });
    assert_eq!(killed(true, false), Indeterminate { cut: 1, ..Indeterminate::default() });
    assert_eq!(killed(true, true), Indeterminate { carried_out: 1, ..Indeterminate::default() });
}
