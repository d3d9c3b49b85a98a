//! What crosses on the wire, and where the client may stop (spec/tds5.md 4.3 d and 6.4).

use super::*;

#[test]
fn a_request_to_migrate_waits_for_the_end_of_a_command() {
    let mut trial = Trial::idle();
    trial.command(piece("a", false));
    trial.migration(OLD, asks(&["b"]));
    assert_eq!(trial.command(piece("b", false)), [sent(OLD, "b", false)]);
    assert_eq!(trial.command(piece("c", true)), [sent(OLD, "c", true), says(OLD, Migration::Sync)]);
    assert_eq!(trial.command(piece("two", true)), []);
    assert_eq!(trial.migration(OLD, Migration::Continue), [dials(NEW, "b")]);
    trial.input(Input::Opened(NEW));
    let outputs = trial.items(NEW, accepted(None));
    assert_eq!(outputs.last(), Some(&says(NEW, Migration::Resume)));
}

#[test]
fn a_request_to_migrate_waits_for_the_end_of_a_message() {
    let mut trial = Trial::busy();
    let begun = trial.items(OLD, [more(), Item::Migration(asks(&["b"])), more()]);
    assert_eq!(begun, [passed(more()), started(1, asks(&["b"])), passed(more())]);
    assert_eq!(trial.state(), State::Busy);
    assert_eq!(trial.items(OLD, [END]), [passed(END), says(OLD, Migration::Sync)]);
    // Its command may end there: SYNC comes before the next one.
    let mut trial = Trial::busy();
    trial.command(piece("two", true));
    trial.items(OLD, [done(), Item::Migration(asks(&["b"]))]);
    assert_eq!(trial.items(OLD, [END]), [passed(END), completed(1), says(OLD, Migration::Sync)]);
    assert_eq!(trial.migration(OLD, Migration::Ignore)[1..], [sent(OLD, "two", true)]);
}

#[test]
fn a_client_may_stop_only_when_it_is_idle() {
    let trust = Trust::List(vec![address("b")]);
    let mut trial = Trial::idle_with(Config { safe_point: SafePoint::WhenIdle, trust, ..Config::default() });
    trial.command(piece("one", true));
    trial.command(piece("two", true));
    assert_eq!(trial.migration(OLD, asks(&["b"])), [started(1, asks(&["b"]))]);
    assert_eq!(trial.items(OLD, [more(), END]), [passed(more()), passed(END)]);
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1), says(OLD, Migration::Sync)]);
    assert_eq!(trial.migration(OLD, Migration::Ignore)[1..], [sent(OLD, "two", true)]);
}

#[test]
fn continue_without_sync() {
    let mut trial = Trial::busy();
    assert_eq!(trial.migration(OLD, Migration::Continue), [ignored(OLD, "MIG_CONT")]);
    assert_eq!(trial.migration(OLD, Migration::Ignore), [ignored(OLD, "MIG_IGN")]);
    for migration in [Migration::Sync, Migration::Fail(None), Migration::Resume] {
        let name = migration.name();
        assert_eq!(trial.migration(OLD, migration), [ignored(OLD, name)]);
    }
    // Before SYNC it is not for this request.
    trial.items(OLD, [Item::Migration(asks(&["b"]))]);
    assert_eq!(trial.items(OLD, [Item::Migration(Migration::Continue)]), [ignored(OLD, "MIG_CONT")]);
    assert_eq!(trial.items(OLD, [END]), [passed(END), says(OLD, Migration::Sync)]);
}

#[test]
fn the_old_server_has_nothing_to_say_behind_continue() {
    let mut trial = Trial::busy().moving();
    assert_eq!(trial.migration(OLD, asks(&["c"])), [ignored(OLD, "MIG_REQ")]);
    assert_eq!(trial.migration(OLD, Migration::Ignore), [ignored(OLD, "MIG_IGN")]);
    assert_eq!(trial.items(OLD, [done(), END]), [ignored(OLD, "a token")]);
    // One that says what it cannot is closed; the new one may still take us.
    let item = Item::Login(Box::new(Login::new(record(), false)));
    let error = trial.client.handle(trial.now, Input::Item { link: OLD, item }).unwrap_err();
    assert!(matches!(error, Error::Violation(_)));
    assert_eq!(trial.drain(), [Output::Close(OLD)]);
    trial.input(Input::Opened(NEW));
    trial.items(NEW, accepted(None));
    assert_eq!(trial.state(), State::Resuming);
}

#[test]
fn an_answer_that_does_not_come() {
    let mut trial = Trial::busy().synced();
    trial.command(piece("two", true));
    let back = [
        ended(1, Outcome::Failed(Failure::NoAnswer)),
        says(OLD, fails(4, "no answer to the synchronisation")),
        says(OLD, Migration::Resume),
    ];
    assert_eq!(trial.wait(), back);
    assert_eq!((trial.state(), seconds(&trial)), (State::Busy, None));
    assert_eq!(trial.migration(OLD, Migration::Continue), [ignored(OLD, "MIG_CONT")]);
    assert_eq!(trial.migration(OLD, Migration::Ignore), [ignored(OLD, "MIG_IGN")]);
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1), sent(OLD, "two", true)]);
    // And for a client that does not wait.
    let mut trial = Trial::idle().synced();
    trial.command(piece("held", true));
    assert_eq!(trial.wait()[2..], [sent(OLD, "held", true)]);
    assert_eq!(trial.state(), State::Busy);
}

#[test]
fn an_attention_is_kept_while_the_server_decides() {
    let mut trial = Trial::busy().synced();
    assert_eq!(trial.command(Command::Attention), []);
    let mut moved = Trial { client: trial.client.clone(), now: trial.now };
    let mut done_first = Trial { client: trial.client.clone(), now: trial.now };
    assert_eq!(trial.migration(OLD, Migration::Ignore)[1..], [says(OLD, Migration::Resume), Output::Attention(OLD)]);
    assert_eq!(trial.items(OLD, [done(), END]), [passed(done()), passed(END)]);
    assert_eq!(trial.items(OLD, [acknowledged(), END])[2..], [completed(1)]);

    moved.migration(OLD, Migration::Continue);
    assert_eq!(moved.command(Command::Attention), []);
    moved.input(Input::Opened(NEW));
    let outputs = moved.items(NEW, accepted(None));
    assert_eq!(outputs[outputs.len() - 2..], [says(NEW, Migration::Resume), Output::Attention(NEW)]);

    assert_eq!(done_first.items(OLD, [done(), END])[2..], [completed(1)]);
    assert!(done_first.misuse(Input::Command(Command::Attention)).contains("Synced"));
    assert_eq!(done_first.migration(OLD, Migration::Ignore), [ended(1, Outcome::Ignored)]);
}

#[test]
fn an_attention_that_was_not_acknowledged_is_said_again_to_the_new_server_only() {
    let mut trial = Trial::busy();
    trial.command(Command::Attention);
    let mut trial = trial.logging_in_anew();
    let mut back = Trial { client: trial.client.clone(), now: trial.now };
    let outputs = trial.items(NEW, accepted(None));
    assert_eq!(outputs[outputs.len() - 2..], [says(NEW, Migration::Resume), Output::Attention(NEW)]);
    assert_eq!(trial.items(NEW, [acknowledged(), END])[2..], [completed(1)]);
    back.input(Input::Closed(NEW));
    let outputs = back.input(Input::OpenFailed(LinkId(3)));
    assert_eq!(outputs.last(), Some(&says(OLD, Migration::Resume)));
}

#[test]
fn what_is_held_back_goes_once_and_in_order_to_the_winner() {
    let mut trial = Trial::busy().synced();
    for (text, end) in [("a", false), ("b", true), ("c", true)] {
        assert_eq!(trial.command(piece(text, end)), []);
    }
    let mut trial = trial.continue_on();
    assert_eq!(trial.command(piece("d", true)), []);
    let mut back = Trial { client: trial.client.clone(), now: trial.now };
    for (trial, link) in [(&mut trial, NEW), (&mut back, OLD)] {
        if link == NEW {
            trial.input(Input::Opened(NEW));
            trial.items(NEW, accepted(None));
        } else {
            trial.input(Input::OpenFailed(NEW));
            trial.input(Input::OpenFailed(LinkId(3)));
        }
        assert_eq!(
            trial.items(link, [done(), END])[2..],
            [completed(1), sent(link, "a", false), sent(link, "b", true)]
        );
        assert_eq!(trial.items(link, [done(), END])[2..], [completed(2), sent(link, "c", true)]);
        assert_eq!(trial.items(link, [done(), END])[2..], [completed(3), sent(link, "d", true)]);
        assert_eq!(trial.items(link, [done(), END])[2..], [completed(4)]);
        goes_on(trial, link);
    }
}

impl Trial {
    fn continue_on(mut self) -> Self {
        assert_eq!(self.migration(OLD, Migration::Continue), [dials(NEW, "b")]);
        self
    }
}

#[test]
fn a_command_that_ends_in_the_message_of_the_verdict_is_not_resumed() {
    // The machine takes messages of the exchange wherever they stand (4.3 b).
    let mut trial = Trial::busy().synced();
    let outputs = trial.items(OLD, [done(), Item::Migration(Migration::Ignore)]);
    assert_eq!(outputs, [passed(done()), completed(1), ended(1, Outcome::Ignored)]);
    assert_eq!(trial.command(piece("two", true)), [], "not in the midst of a message");
    assert_eq!(trial.items(OLD, [END]), [passed(END), sent(OLD, "two", true)]);

    let mut trial = Trial::busy().synced();
    let outputs = trial.items(OLD, [done(), Item::Migration(Migration::Continue)]);
    assert_eq!(outputs, [passed(done()), completed(1), dials(NEW, "b")]);
    assert_eq!(trial.items(OLD, [END]), []);
    trial.input(Input::Opened(NEW));
    trial.items(NEW, accepted(None));
    goes_on(&mut trial, NEW);
}

#[test]
fn the_first_attempt_has_the_first_number() {
    let mut trial = Trial::busy();
    let outputs = trial.migration(OLD, asks(&["b"]));
    assert!(matches!(outputs[0], Output::Event(Event::Started { attempt: FIRST, .. })));
}
