//! Machines and environments that are wrong in one way each. A property that no mutant refutes would prove nothing.

use super::talk::OTHERS;
use super::world::Property;
use handover::deferral::client::{self, Report};
use handover::deferral::message::{Defer, End, Message, RequestKey};
use handover::deferral::server;
use handover::deferral::{DeferKind, RequestFlags, ServerId};
use handover::frame::{Extensions, Text};
use handover::machine::LinkId;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Mutant {
    /// The shipped machines, in a world that is one.
    #[default]
    None,
    EndNever,
    EndTwice,
    AskedTwice,
    AlwaysPriority,
    BusyUnderPriority,
    NamesNobody,
    NeverWaits,
    SameMemory,
    AgainIsNew,
    BusyAfterExecuting,
    PolicyOff,
    CredentialsForAll,
    ReportShort,
    ReportTwice,
    LastComeFirst,
    CancelUnheard,
    EndIsCancelled,
    BusyIsEnd,
    ExecutingTwice,
    OpenedTwice,
}

const LONE: &str = "a lone server, and everything at once";
const THREE: &str = "two busy servers and a reader";
const LINES: &str = "lines with deadlines, others, and a drain";
const PAIR: &str = "two busy servers, and a user who gives up";

/// Which property and setup show it.
pub(crate) const MUTANTS: &[(Property, Mutant, &str)] = &[
    (Property::D1, Mutant::EndNever, LONE),
    (Property::D2, Mutant::AskedTwice, LONE),
    (Property::D3, Mutant::AlwaysPriority, THREE),
    (Property::D4, Mutant::BusyUnderPriority, THREE),
    (Property::D5, Mutant::NamesNobody, "who is able is named by who is not"),
    (Property::D5, Mutant::NeverWaits, THREE),
    (Property::D6, Mutant::SameMemory, LONE),
    (Property::D6, Mutant::AgainIsNew, "a memory that forgets"),
    (Property::D7, Mutant::BusyAfterExecuting, LONE),
    (Property::D8, Mutant::PolicyOff, THREE),
    (Property::D8, Mutant::CredentialsForAll, THREE),
    (Property::D9, Mutant::ReportShort, LONE),
    (Property::D9, Mutant::ReportTwice, "nobody is able"),
    (Property::D11, Mutant::LastComeFirst, LINES),
    (Property::D12, Mutant::CancelUnheard, LONE),
    (Property::D12, Mutant::EndIsCancelled, PAIR),
    (Property::D14, Mutant::NeverWaits, LONE),
    (Property::OneEnd, Mutant::EndTwice, LONE),
    (Property::Truth, Mutant::BusyIsEnd, LONE),
    (Property::NoBlame, Mutant::ExecutingTwice, LONE),
    (Property::NoMisuse, Mutant::OpenedTwice, LONE),
];

fn busy(key: RequestKey) -> Message {
    Message::Defer(Box::new(Defer {
        key,
        kind: DeferKind::BUSY,
        server: ServerId::UNKNOWN,
        reason: Text::EMPTY,
        queue_length: None,
        estimate_ms: None,
        retry_after_ms: None,
        receipt: Default::default(),
        alternates: Vec::new(),
        next: None,
        next_flags: RequestFlags::empty(),
        extensions: Extensions::NONE,
    }))
}

fn is_ours(message: &Message) -> bool {
    message.key().is_some_and(|key| key.id.0[0] < OTHERS)
}

impl Mutant {
    pub(crate) fn client_says(self, mut outputs: Vec<client::Output>) -> Vec<client::Output> {
        use client::Output;
        let ended = outputs.iter().position(|output| matches!(output, Output::Event(client::Event::Ended(_))));
        let asks = |output: &Output| matches!(output, Output::Send { message: Message::Request(_), .. });
        match (self, ended, outputs.iter().position(asks)) {
            (Self::EndNever, Some(ended), _) => drop(outputs.remove(ended)),
            (Self::EndTwice, Some(ended), _) => outputs.push(outputs[ended].clone()),
            (Self::AskedTwice, _, Some(asks)) => outputs.push(outputs[asks].clone()),
            _ => {}
        }
        for output in &mut outputs {
            if let Output::Send { message: Message::Request(request), .. } = output {
                match self {
                    Self::AlwaysPriority => request.flags.insert(RequestFlags::PRIORITY),
                    Self::CredentialsForAll => request.credentials = vec![42].into(),
                    Self::AgainIsNew => request.flags.remove(RequestFlags::AGAIN),
                    _ => {}
                }
            }
        }
        outputs
    }

    pub(crate) fn server_says(
        self,
        outputs: Vec<server::Output>,
        line: &[(RequestKey, LinkId)],
    ) -> Vec<server::Output> {
        use server::Output;
        let mut said = Vec::new();
        for mut output in outputs {
            if let Output::Send { message, .. } = &mut output
                && is_ours(message)
            {
                let key = message.key().expect("it has one");
                match (self, &mut *message) {
                    (Self::BusyUnderPriority, Message::Queued(_)) => *message = busy(key),
                    (Self::NamesNobody, Message::Defer(defer)) => defer.alternates.clear(),
                    (Self::BusyAfterExecuting, Message::End(_)) => *message = busy(key),
                    (Self::EndIsCancelled, Message::End(_)) => *message = Message::Cancelled(key.into()),
                    (Self::BusyIsEnd, Message::Defer(_)) => {
                        *message =
                            Message::End(End { key, status: 0, text: Text::EMPTY, extensions: Extensions::NONE });
                    }
                    (Self::ExecutingTwice, Message::Executing(_)) => said.push(output.clone()),
                    _ => {}
                }
            }
            if let Output::Event(server::Event::Execute(job)) = &mut output
                && let [first, .., last] = line
                && self == Self::LastComeFirst
                && job.key == first.0
            {
                job.key = last.0;
            }
            said.push(output);
        }
        said
    }

    pub(crate) fn reports(self, mut report: Report) -> Report {
        match self {
            Self::ReportShort => drop(report.dead.pop()),
            Self::ReportTwice => report.busy.extend(report.declined.first().cloned()),
            _ => {}
        }
        report
    }
}
