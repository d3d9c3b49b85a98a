//! The historical deferral protocol on any value that its API can build, and on any bytes (spec/deferral.md 8: D13).

use handover::deferral::text::{
    AnswerStream, Argument, BadUrl, Call, Context, Directive, Doubt, Ending, Item, Line, Redirect,
};
use handover::testing::deferral_text::{
    self as values, check_answer, check_target, run_text_answer, run_text_call, strategies,
};
use handover::testing::{Choices, Rng, check_chunking, check_encoding};
use handover::wire::{Encode, Framer};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// All items of a body that has ended.
fn items(body: &[u8]) -> (Vec<Item>, Ending) {
    let mut answer = Framer::new(AnswerStream::default());
    answer.push(body);
    let mut items = Vec::new();
    while let Some(item) = answer.next_item().expect("it is ours") {
        items.push(item);
        // Nobody is there to talk to the agent.
        answer.decoder_mut().resume();
    }
    (items, answer.decoder().finish())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn d13_any_call(base in strategies::base(), call in strategies::call()) {
        let target = call.target(&base).unwrap();
        let directory = Call::split(base.as_bytes()).unwrap().1;
        prop_assert_eq!(Call::parse_below(directory, &target), Ok(call));
    }

    #[test]
    fn d13_any_directive(directive in strategies::directive(), cuts in any::<[usize; 4]>()) {
        let bytes = check_encoding(&directive);
        check_answer(&bytes, usize::MAX, BadUrl::VoidsLine, &cuts);
        let (items, _) = items(&bytes);
        prop_assert_eq!(items.first(), Some(&Item::Directive(directive)));
    }

    /// Directives in a row, up to the first end.
    #[test]
    fn d13_any_answer(
        directives in prop::collection::vec(strategies::directive(), 0..8),
        cuts in any::<[usize; 4]>(),
    ) {
        let body: Vec<u8> = directives.iter().flat_map(|directive| directive.to_vec().unwrap()).collect();
        let make = || AnswerStream::new(usize::MAX);
        check_chunking(make, &body, &cuts);
        let mut expected = Vec::new();
        let mut ending = Ending::Unknown(Doubt::EndOfStream);
        for directive in directives {
            let end = match &directive {
                Directive::Return(status) => Some(Ending::Returned(*status)),
                Directive::Redirect(redirect) => Some(Ending::Redirected(redirect.kind)),
                _ => None,
            };
            expected.push(Item::Directive(directive));
            if let Some(end) = end {
                expected.push(Item::End(end));
                ending = end;
                break;
            }
        }
        prop_assert_eq!(items(&body), (expected, ending));
    }

    #[test]
    fn d13_any_line(line in strategies::line(), cuts in any::<[usize; 4]>()) {
        let bytes = check_encoding(&line);
        check_answer(&bytes, usize::MAX, BadUrl::LeftOut, &cuts);
        let mut answer = Framer::new(AnswerStream::default());
        answer.push(&bytes);
        prop_assert!(answer.next_item().unwrap().is_some());
        prop_assert_eq!(answer.decoder().line(), &line);
    }

    #[test]
    fn d13_any_body(body in strategies::answer(), cuts in any::<[usize; 4]>(), small in any::<bool>()) {
        check_answer(&body, if small { 40 } else { 1 << 20 }, BadUrl::VoidsLine, &cuts);
    }

    #[test]
    fn d13_any_target(target in strategies::odd_target()) {
        check_target(&target);
    }

    #[test]
    fn the_oracles_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        run_text_call(&bytes);
        run_text_answer(&bytes);
    }

    #[test]
    fn serde_keeps_values(call in strategies::call(), directive in strategies::directive(), line in strategies::line()) {
        let text = serde_json::to_string(&(&call, &directive, &line)).unwrap();
        let read: (Call, Directive, Line) = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, (call, directive, line));
    }
}

/// The oracles of the fuzz targets on fixed random bytes, so that plain `cargo test` runs them.
#[test]
fn oracles_on_random_bytes() {
    let mut rng = Rng::new(21);
    for round in 0..2000 {
        let length = [40, 200, 700][round % 3];
        for form in 0..8 {
            let mut bytes = rng.bytes(length);
            bytes[0] = form;
            run_text_call(&bytes);
            run_text_answer(&bytes);
        }
    }
}

/// The properties above mean something only if much of what they try is accepted, and much is not.
#[test]
fn odd_bytes_are_often_accepted_and_often_not() {
    let mut rng = Rng::new(6);
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut spelled = BTreeSet::new();
    for _ in 0..6000 {
        let bytes = rng.bytes(500);
        let choices = &mut Choices::new(&bytes);
        let found = match Call::parse(&values::odd_target(choices)) {
            Ok(_) => "call".to_owned(),
            Err(error) => format!("{error:?}"),
        };
        *calls.entry(found).or_default() += 1;
        let (items, ending) = items(&values::answer(choices));
        let ending = match ending {
            Ending::Returned(_) => "Returned".to_owned(),
            other => format!("{other:?}"),
        };
        *ends.entry(ending).or_default() += 1;
        for item in items {
            if let Item::Skipped(why) = item {
                *ends.entry(why.to_owned()).or_default() += 1;
            }
        }
        spelled.insert(match values::line(choices).argument {
            Argument::None => (0, 0),
            Argument::Plain { blanks, .. } => (1, blanks),
            Argument::Quoted { blanks, after, .. } => (2 + i32::from(after != b'\n'), blanks),
        });
    }
    for found in ["call", "NoPath", "Control", "Percent", "Arguments", "Value", "Twice", "RcFile"] {
        assert!(calls.get(found).is_some_and(|count| *count >= 30), "{found}: {calls:?}");
    }
    let doubts =
        ["EndOfStream", "BlankLine", "UnknownRedirect", "NoStatus", "NoLevel"].map(|it| format!("Unknown({it})"));
    let kinds = ["Busy", "NoService", "ReadOnly", "Continue"].map(|it| format!("Redirected({it})"));
    let skipped = [
        "TRACE without a number",
        "REDIRECT without a kind",
        "REDIRECT :CONTINUE without a path",
        "REDIRECT with a URL that is none",
    ];
    let expected = doubts.iter().chain(&kinds).map(String::as_str).chain(skipped).chain(["Returned"]);
    for found in expected {
        assert!(ends.get(found).is_some_and(|count| *count >= 10), "{found}: {ends:?}");
    }
    assert_eq!(spelled.len(), 7, "{spelled:?}");
}

/// With nothing to decide on, the simplest value comes; with something, others do.
#[test]
fn values_are_arbitrary() {
    use arbitrary::{Arbitrary, Unstructured};
    let mut rng = Rng::new(8);
    let mut seen = BTreeSet::new();
    assert_eq!(Directive::arbitrary(&mut Unstructured::new(&[])).unwrap(), Directive::Display("".into()));
    for _ in 0..200 {
        let bytes = rng.bytes(300);
        let mut unstructured = Unstructured::new(&bytes);
        seen.insert(Directive::arbitrary(&mut unstructured).unwrap().token().to_vec());
        check_encoding(&Directive::Redirect(Redirect::arbitrary(&mut unstructured).unwrap()));
        check_encoding(&Line::arbitrary(&mut unstructured).unwrap());
        let context = Context::arbitrary(&mut unstructured).unwrap();
        let call = Call { context, ..Call::arbitrary(&mut unstructured).unwrap() };
        assert!(call.target("http://h/").is_ok());
    }
    assert!(seen.len() > 8, "{seen:?}");
}
