//! Commands: one at a time, in pieces, cancelled, unfinished.

use super::*;
use crate::limits::Tds5Limits;

#[test]
fn one_at_a_time() {
    let mut trial = Trial::idle();
    assert_eq!(trial.client.last_request(), None);
    assert_eq!(trial.command(piece("a", false)), [sent(OLD, "a", false)]);
    assert_eq!(trial.client.last_request(), Some(RequestId(1)));
    let other = Command::Request { ty: PacketType::RPC, data: Data::default(), end: true };
    assert!(trial.misuse(Input::Command(other)).contains("first piece"));
    assert!(trial.misuse(Input::Command(Command::Attention)).contains("half sent"));
    // No command waits yet: this is not its final DONE.
    assert_eq!(trial.items(OLD, [done(), END]), [passed(done()), passed(END)]);
    assert_eq!(trial.command(piece("b", true)), [sent(OLD, "b", true)]);
    for text in ["c", "d", "e"] {
        assert_eq!(trial.command(piece(text, text != "d")), []);
    }
    assert_eq!(trial.client.last_request(), Some(RequestId(3)));
    assert_eq!(trial.items(OLD, [more(), END]), [passed(more()), passed(END)]);
    assert_eq!(trial.items(OLD, [done()]), [passed(done())]);
    assert_eq!(trial.items(OLD, [END]), [passed(END), completed(1), sent(OLD, "c", true)]);
    let next = [sent(OLD, "d", false), sent(OLD, "e", true)];
    assert_eq!(trial.items(OLD, [done(), END])[3..], next);
    assert_eq!((trial.client.current_request(), trial.state()), (Some(RequestId(3)), State::Busy));
    assert_eq!(trial.command(piece("f", true)), []);
    assert_eq!(trial.command(piece("g", false)), []);
    let closed = [Output::Close(OLD), disconnected(Disconnect::Application, &[3, 4, 5])];
    assert_eq!(trial.command(Command::Close), closed);
}

#[test]
fn a_queued_command_goes_as_far_as_it_has_come() {
    let mut trial = Trial::busy();
    assert_eq!(trial.command(piece("a", false)), []);
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(1), sent(OLD, "a", false)]);
    assert_eq!(trial.command(piece("b", false)), [sent(OLD, "b", false)]);
    assert_eq!(trial.command(piece("c", true)), [sent(OLD, "c", true)]);
    assert_eq!(trial.items(OLD, [done(), END])[2..], [completed(2)]);
    goes_on(&mut trial, OLD);
}

#[test]
fn what_is_no_command_is_refused() {
    let mut trial = Trial::idle();
    for ty in [PacketType::LOGIN, PacketType::RESPONSE, PacketType::ATTENTION, PacketType::MIGRATE] {
        let command = Command::Request { ty, data: Data::default(), end: true };
        assert!(trial.misuse(Input::Command(command)).contains("type of a command"));
    }
    assert!(trial.misuse(Input::Command(Command::Attention)).contains("Idle"));
}

#[test]
fn the_queue_has_bounds() {
    let limits = Tds5Limits { held_messages: 2, held_bytes: 3, outputs: 1, ..Tds5Limits::DEFAULT };
    let mut trial = Trial::idle();
    trial.client.config.limits = limits;
    for text in ["a", "b", "cc"] {
        trial.command(piece(text, true));
    }
    assert!(trial.misuse(Input::Command(piece("", true))).contains("held_messages"));
    trial.items(OLD, [done(), END]);
    assert!(trial.misuse(Input::Command(piece("dd", true))).contains("held_bytes"));
    assert_eq!(trial.command(piece("d", true)), []);
    trial.client.handle(trial.now, Input::Command(Command::Attention)).unwrap();
    assert!(trial.misuse(Input::Command(Command::Attention)).contains("outputs"));
}

#[test]
fn an_attention_is_acknowledged() {
    let mut trial = Trial::busy();
    assert_eq!(trial.command(Command::Attention), [Output::Attention(OLD)]);
    assert_eq!(trial.command(Command::Attention), [], "once");
    // This DONE was under way.
    assert_eq!(trial.items(OLD, [done(), END]), [passed(done()), passed(END)]);
    assert_eq!(trial.items(OLD, [acknowledged(), END])[2..], [completed(1)]);
    // Too late: the command is done.
    let mut trial = Trial::busy();
    trial.items(OLD, [done()]);
    assert_eq!(trial.command(Command::Attention), []);
    assert_eq!(trial.items(OLD, [END]), [passed(END), completed(1)]);
}

#[test]
fn the_server_closes_or_breaks_the_protocol() {
    let mut trial = Trial::busy();
    trial.command(piece("two", true));
    let before = trial.client.clone();
    assert_eq!(trial.input(Input::Closed(OLD)), [disconnected(Disconnect::Closed, &[1, 2])]);
    trial.client = before;
    let item = Item::End(PacketType::LANGUAGE);
    let error = trial.client.handle(trial.now, Input::Item { link: OLD, item }).unwrap_err();
    assert!(matches!(error, Error::Violation(_)));
    assert_eq!(trial.drain(), [Output::Close(OLD), disconnected(Disconnect::Violation, &[1, 2])]);
}

#[test]
fn whom_the_client_trusts() {
    let known = [address("a"), Address::new("B.example", 5000).unwrap()];
    assert!(Trust::Known.allows(&Address::new("b.EXAMPLE", 5000).unwrap(), &known));
    assert!(!Trust::Known.allows(&Address::new("a", 5001).unwrap(), &known));
    assert!(!Trust::List(vec![]).allows(&address("a"), &known));
    assert!(Trust::List(vec![address("x")]).allows(&address("x"), &known));
    assert!(Trust::Any.allows(&address("y"), &known));
}

#[test]
fn a_done_that_is_in_no_response_completes_nothing() {
    let mut trial = Trial::busy();
    let urgent = Item::End(PacketType::URGENT);
    assert_eq!(trial.items(OLD, [done(), urgent.clone()]), [passed(done()), passed(urgent)]);
    assert_eq!(trial.items(OLD, [done(), Item::End(PacketType::MIGRATE)]), [passed(done())]);
    assert_eq!(trial.items(OLD, [done(), Item::End(PacketType::NORMAL)])[2..], [completed(1)]);
}

#[test]
fn a_client_that_was_never_connected_can_be_closed() {
    let mut trial = Trial::new(Config::default());
    assert_eq!(trial.command(Command::Close), [disconnected(Disconnect::Application, &[])]);
}
