//! The sequences of spec/tds5.md 4.2.

use super::*;

#[test]
fn an_idle_client_moves() {
    let mut trial = Trial::idle().synced();
    assert_eq!((trial.state(), seconds(&trial)), (State::Synced, Some(60)));
    assert_eq!(trial.command(piece("held", true)), []);
    assert_eq!(trial.migration(OLD, Migration::Continue), [dials(NEW, "b")]);
    assert_eq!((trial.state(), seconds(&trial)), (State::Moving, Some(15)));
    let outputs = trial.input(Input::Opened(NEW));
    let [Output::Login { link: NEW, login }] = &*outputs else { panic!("{outputs:?}") };
    assert_eq!(login.is_migration(), Some(id(1)));
    assert_eq!(login.record.user_name.as_bytes(), b"guest");
    assert!(login.migratable());
    let outputs = trial.items(NEW, accepted(Some(id(2))));
    let switched = [
        Output::Switch { from: OLD, to: NEW },
        Output::Close(OLD),
        ended(1, Outcome::Migrated { link: NEW }),
        sent(NEW, "held", true),
    ];
    assert_eq!(outputs[3..], switched);
    assert_eq!((trial.client.session_id(), trial.client.address()), (Some(id(2)), Some(&address("b"))));
    assert_eq!(trial.items(OLD, [done(), END]), [], "the old link is closed");
    assert_eq!(trial.input(Input::Closed(OLD)), []);
    assert_eq!(trial.items(NEW, [done(), END])[2..], [completed(1)]);
    goes_on(&mut trial, NEW);
}

#[test]
fn a_waiting_client_moves_and_resumes() {
    let mut trial = Trial::busy();
    assert_eq!(trial.items(OLD, [more(), END]), [passed(more()), passed(END)]);
    let mut trial = trial.logging_in_anew();
    trial.command(piece("two", true));
    let resumed = [ended(1, Outcome::Migrated { link: NEW }), says(NEW, Migration::Resume)];
    assert_eq!(trial.items(NEW, accepted(None))[5..], resumed);
    assert_eq!((trial.state(), trial.client.session_id()), (State::Resuming, Some(id(1))));
    let rest = [passed(done()), passed(END), completed(1), sent(NEW, "two", true)];
    assert_eq!(trial.items(NEW, [done(), END]), rest);
    assert_eq!(trial.items(NEW, [done(), END])[2..], [completed(2)]);
}

#[test]
fn a_client_that_has_come_can_be_sent_on() {
    let mut trial = Trial::busy().logging_in_anew();
    trial.items(NEW, accepted(None));
    let asked = trial.migration(NEW, asks(&["c"]));
    assert_eq!(asked, [started(2, asks(&["c"])), says(NEW, Migration::Sync)]);
    assert_eq!(trial.migration(NEW, Migration::Continue), [dials(LinkId(3), "c")]);
    trial.input(Input::Opened(LinkId(3)));
    let outputs = trial.items(LinkId(3), accepted(None));
    assert_eq!(outputs.last(), Some(&says(LinkId(3), Migration::Resume)));
    assert_eq!(trial.items(LinkId(3), [done(), END])[2..], [completed(1)]);
    goes_on(&mut trial, LinkId(3));
}

#[test]
fn tokens_flow_while_synced_and_the_command_may_complete() {
    let mut trial = Trial::busy().synced();
    trial.command(piece("two", true));
    assert_eq!(trial.items(OLD, [done(), END]), [passed(done()), passed(END), completed(1)]);
    assert_eq!(trial.state(), State::Synced);
    let mut trial = trial.continue_to_new();
    assert_eq!(trial.items(NEW, accepted(None)).last(), Some(&sent(NEW, "two", true)), "no RESUME");
}

impl Trial {
    fn continue_to_new(mut self) -> Self {
        self.migration(OLD, Migration::Continue);
        self.input(Input::Opened(NEW));
        self
    }
}

#[test]
fn ignored_before_sync() {
    // The command is half sent: no safe point yet.
    let mut trial = Trial::idle();
    trial.command(piece("a", false));
    assert_eq!(trial.migration(OLD, asks(&["b"])), [started(1, asks(&["b"]))]);
    assert_eq!(trial.migration(OLD, Migration::Ignore), [ended(1, Outcome::Ignored)]);
    assert_eq!(trial.migration(OLD, Migration::Ignore), [ignored(OLD, "MIG_IGN")]);
    // SYNC is owed all the same, and is for nobody.
    assert_eq!(trial.command(piece("b", true)), [sent(OLD, "b", true), says(OLD, Migration::Sync)]);
    assert_eq!((trial.state(), seconds(&trial)), (State::Busy, None));
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1)]);
}

#[test]
fn ignored_behind_sync() {
    let mut trial = Trial::idle().synced();
    trial.command(piece("held", true));
    let goes = [ended(1, Outcome::Ignored), sent(OLD, "held", true)];
    assert_eq!(trial.migration(OLD, Migration::Ignore), goes);
    assert_eq!(trial.state(), State::Busy);
    assert_eq!(seconds(&trial), None);

    let mut trial = Trial::busy().synced();
    trial.command(piece("held", true));
    let resumes = [ended(1, Outcome::Ignored), says(OLD, Migration::Resume)];
    assert_eq!(trial.migration(OLD, Migration::Ignore), resumes);
    assert_eq!(trial.state(), State::Busy);
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1), sent(OLD, "held", true)]);
}

#[test]
fn asked_again_while_sync_is_under_way() {
    let mut trial = Trial::busy().synced();
    assert_eq!(trial.migration(OLD, Migration::Ignore)[1..], [says(OLD, Migration::Resume)]);
    assert_eq!(trial.migration(OLD, asks(&["c"])), [started(2, asks(&["c"])), says(OLD, Migration::Sync)]);
    assert_eq!(trial.migration(OLD, Migration::Continue), [dials(NEW, "c")]);
    // Without IGN it is the same.
    let mut trial = Trial::busy().synced();
    let asked = [
        ended(1, Outcome::Superseded),
        says(OLD, Migration::Resume),
        started(2, asks(&["c"])),
        says(OLD, Migration::Sync),
    ];
    assert_eq!(trial.migration(OLD, asks(&["c"])), asked);
    // A command that is held back does not slip in between.
    let mut trial = Trial::idle().synced();
    trial.command(piece("held", true));
    let asked = [ended(1, Outcome::Superseded), started(2, asks(&["c"])), says(OLD, Migration::Sync)];
    assert_eq!(trial.migration(OLD, asks(&["c"])), asked);
}

#[test]
fn each_request_is_answered_and_the_newest_counts() {
    let mut trial = Trial::idle();
    trial.command(piece("a", false));
    trial.migration(OLD, asks(&["b"]));
    assert_eq!(
        trial.migration(OLD, asks(&["x"])),
        [ended(1, Outcome::Superseded), started(2, asks(&["x"])), ended(2, Outcome::Refused),]
    );
    assert_eq!(trial.migration(OLD, asks(&["c"])), [started(3, asks(&["c"]))]);
    let answers =
        [sent(OLD, "b", true), says(OLD, Migration::Sync), says(OLD, Migration::Sync), says(OLD, Migration::Sync)];
    assert_eq!(trial.command(piece("b", true)), answers);
    assert_eq!(trial.state(), State::Synced);
    assert_eq!(trial.migration(OLD, Migration::Continue), [dials(NEW, "c")]);
    // A server that asks without end is answered as often as it may ask.
    let mut trial = Trial::idle();
    trial.command(piece("a", false));
    for _ in 0..9 {
        trial.migration(OLD, asks(&["b"]));
    }
    trial.migration(OLD, asks(&["x"]));
    let outputs = trial.command(piece("b", true));
    assert_eq!(outputs[1..9], vec![says(OLD, Migration::Sync); 8]);
    assert_eq!(outputs[9..], [says(OLD, fails(1, "no usable address")), says(OLD, Migration::Resume)]);
    assert_eq!(trial.state(), State::Busy);
}

#[test]
fn no_address_is_trusted() {
    let mut trial = Trial::busy();
    let refused = [
        started(1, asks(&["x"])),
        ended(1, Outcome::Refused),
        says(OLD, Migration::Sync),
        says(OLD, fails(1, "no usable address")),
        says(OLD, Migration::Resume),
    ];
    assert_eq!(trial.migration(OLD, asks(&["x"])), refused);
    assert_eq!((trial.state(), seconds(&trial)), (State::Busy, None));
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1)]);
    // Without reasons.
    let mut trial = Trial::idle_with(Config { send_reason: false, ..Config::default() });
    let refused = [says(OLD, Migration::Sync), says(OLD, Migration::Fail(None))];
    assert_eq!(trial.migration(OLD, asks(&[]))[2..], refused);
    // Only those that are.
    trial.migration(OLD, asks(&["x", "b", "y"]));
    assert_eq!(trial.migration(OLD, Migration::Continue), [dials(NEW, "b")]);
    assert_eq!(trial.input(Input::OpenFailed(NEW))[1..], [says(OLD, Migration::Fail(None))]);
}

#[test]
fn the_first_address_is_dead() {
    let mut trial = Trial::busy().moving();
    assert_eq!(trial.input(Input::OpenFailed(NEW)), [dials(LinkId(3), "c")]);
    let outputs = trial.input(Input::Opened(LinkId(3)));
    assert!(matches!(&*outputs, [Output::Login { link: LinkId(3), login }] if login.is_migration() == Some(id(1))));
    let outputs = trial.items(LinkId(3), accepted(None));
    assert_eq!(outputs.last(), Some(&says(LinkId(3), Migration::Resume)));
}

#[test]
fn all_addresses_are_dead() {
    let mut trial = Trial::busy().logging_in_anew();
    trial.command(piece("two", true));
    assert_eq!(trial.wait(), [Output::Close(NEW), dials(LinkId(3), "c")]);
    trial.input(Input::Opened(LinkId(3)));
    // What the refused server gives is not ours.
    trial.items(LinkId(3), [given(id(9)), login_ack(LoginStatus::FAIL), done()]);
    let back = [
        Output::Close(LinkId(3)),
        ended(1, Outcome::Failed(Failure::LoginRefused)),
        says(OLD, fails(3, "login refused")),
        says(OLD, Migration::Resume),
    ];
    assert_eq!(trial.items(LinkId(3), [END]), back);
    assert_eq!((trial.state(), trial.client.session_id(), seconds(&trial)), (State::Busy, Some(id(1)), None));
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1), sent(OLD, "two", true)]);

    let mut trial = Trial::idle().moving();
    trial.command(piece("held", true));
    trial.input(Input::OpenFailed(NEW));
    let back = [
        ended(1, Outcome::Failed(Failure::NotReached)),
        says(OLD, fails(2, "no server reached")),
        sent(OLD, "held", true),
    ];
    assert_eq!(trial.input(Input::OpenFailed(LinkId(3))), back);
    assert_eq!(trial.state(), State::Busy);
}

#[test]
fn the_old_connection_dies_on_the_way() {
    let mut trial = Trial::busy().logging_in_anew();
    assert_eq!(trial.input(Input::Closed(OLD)), []);
    assert_eq!(trial.state(), State::Moving);
    let mut other = Trial { client: trial.client.clone(), now: trial.now };
    let outputs = trial.items(NEW, accepted(None));
    let switched = [
        Output::Switch { from: OLD, to: NEW },
        ended(1, Outcome::Migrated { link: NEW }),
        says(NEW, Migration::Resume),
    ];
    assert_eq!(outputs[3..], switched);
    // The new one fails too.
    other.command(piece("two", true));
    assert_eq!(other.input(Input::Closed(NEW)), [dials(LinkId(3), "c")]);
    let over = [ended(1, Outcome::Lost), disconnected(Disconnect::Closed, &[1, 2])];
    assert_eq!(other.input(Input::OpenFailed(LinkId(3))), over);
    assert_eq!((other.state(), other.client.poll_timeout()), (State::Closed, None));
}

#[test]
fn the_session_ends_in_an_attempt() {
    for mut trial in [Trial::busy().synced(), Trial::busy().moving()] {
        let over = trial.command(Command::Close);
        assert_eq!(over[over.len() - 2..], [ended(1, Outcome::Lost), disconnected(Disconnect::Application, &[1])]);
        assert_eq!(over[0], Output::Close(OLD));
    }
    let over = [ended(1, Outcome::Lost), disconnected(Disconnect::Closed, &[1])];
    assert_eq!(Trial::busy().synced().input(Input::Closed(OLD)), over);
}

#[test]
fn the_old_server_is_told_goodbye() {
    let mut trial = Trial::idle_with(Config { logout_old: true, tls: true, ..Config::default() });
    trial.migration(OLD, asks(&["b"]));
    let dialled = [Output::Dial { link: NEW, address: address("b"), tls: true }];
    assert_eq!(trial.migration(OLD, Migration::Continue), dialled);
    trial.input(Input::Opened(NEW));
    let outputs = trial.items(NEW, accepted(None));
    assert_eq!(outputs[3..6], [Output::Switch { from: OLD, to: NEW }, Output::Logout(OLD), Output::Close(OLD)]);
}

#[test]
fn the_new_server_negotiates() {
    let mut trial = Trial::idle().logging_in_anew();
    let outputs = trial.items(NEW, [login_ack(LoginStatus::NEGOTIATE), given(id(2)), done(), END]);
    assert_eq!(outputs.last(), Some(&Output::SessionIdReceived(NEW)));
    assert_eq!(trial.client.session_id(), Some(id(1)));
    trial.items(NEW, accepted(None));
    assert_eq!(trial.client.session_id(), Some(id(2)));
    goes_on(&mut trial, NEW);
}
