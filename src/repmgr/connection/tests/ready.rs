//! A connection that is ready.

use super::*;

#[test]
fn what_may_travel_on_a_connection_that_is_ready() {
    for mut bench in [Bench::at(State::Ready), Bench::ready_listener()] {
        for (message, event) in kinds() {
            let Some(event) = event else { continue };
            bench.message(message).unwrap();
            assert_eq!(bench.outputs(), [Output::Event(event)]);
        }
        assert!(bench.connection.is_ready());
    }
    for (message, event) in kinds() {
        if event.is_none() {
            for mut bench in [Bench::at(State::Ready), Bench::ready_listener()] {
                let Err(Error::Violation(violation)) = bench.message(message.clone()) else { panic!("{message:?}") };
                assert_eq!(violation.state, "Ready");
                // It is closed without a word.
                assert_eq!(bench.outputs(), [Output::Close, closed(CloseReason::Violation)], "{message:?}");
            }
        }
    }
}

#[test]
fn applications_send_once_the_connection_is_ready() {
    let all = [
        Traffic::Message(request()),
        Traffic::Response(AppResponse::single(3, "")),
        Traffic::Error(error(ErrorCode::NO_SERVER)),
    ];
    for mut bench in [Bench::at(State::Ready), Bench::ready_listener()] {
        for traffic in all.clone() {
            bench.give(Input::Send(traffic.clone())).unwrap();
            assert_eq!(bench.outputs(), [sent(Message::from(traffic.clone()))]);
            bench.message(traffic.clone().into()).unwrap();
            assert_eq!(bench.outputs(), received(traffic));
        }
        // libdb would take it for success.
        let result = bench.give(Input::Send(Traffic::Error(error(ErrorCode::NONE))));
        assert!(matches!(result, Err(Error::Misuse(Misuse::Argument { what: "code", .. }))), "{result:?}");
    }
    for state in ALL.into_iter().filter(|state| *state != State::Ready) {
        for traffic in all.clone() {
            assert!(Bench::at(state).is_misuse(Input::Send(traffic)), "{state:?}");
        }
    }
}
