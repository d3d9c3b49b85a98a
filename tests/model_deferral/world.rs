//! A client, servers, what is under way between them, and what has come of it.

use super::model::{Shared, properties};
use handover::deferral::client::{Client, Outcome};
use handover::deferral::message::{Message, RequestKey};
use handover::deferral::server::{JobId, Server};
use handover::machine::{LinkId, Machine};
use std::collections::VecDeque;

properties! {
    /// What is asserted. Those with a D are of spec/deferral.md section 8.
    for World;
    D1 "every walk ends, after 2 M (C + 1) contacts at most";
    D2 "a server is asked once for one command of the chain with one priority, and once more after a loss";
    D3 "priority is had by whom somebody has deferred, and lost with a continuation";
    D4 "who is able does not defer whoever has priority";
    D5 "if nothing goes wrong and one is able, the command is carried out";
    D6 "what may be carried out once only is, by all servers together";
    D7 "a deferral, a refusal and a cancel say that nothing was carried out";
    D8 "nobody is asked whom the policy denies, and no stranger sees credentials";
    D9 "a report has each known server in one list";
    D11 "who comes first is served first";
    D12 "a cancel has one answer: it was carried out, or it never is";
    D14 "a site of one server serves whatever its load and however long the chain";
    OneEnd "the command comes to one end, and nothing is said behind it";
    Truth "done means carried out, failed and cancelled mean not, and in doubt is only who was lost";
    NoBlame "ends that keep to the rules do not accuse each other";
    NoMisuse "what an environment tells a machine is never misuse";
}

/// What a run has come to: shows that no property is vacuous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Done,
    /// Not every piece of the result has come.
    SaidAgain,
    Failed,
    TooOften,
    Indeterminate,
    Cancelled,
    CancelTooLate,
    Queued,
    TakenOver,
    BeganAnew,
    Asked,
    Continued,
    Impatient,
    Forgotten,
    DeadlinePassed,
    Draining,
    Denied,
    SomebodyElseFirst,
    Crashed,
}

impl Reached {
    pub(crate) const ALL: &[Self] = &[
        Self::Done,
        Self::SaidAgain,
        Self::Failed,
        Self::TooOften,
        Self::Indeterminate,
        Self::Cancelled,
        Self::CancelTooLate,
        Self::Queued,
        Self::TakenOver,
        Self::BeganAnew,
        Self::Asked,
        Self::Continued,
        Self::Impatient,
        Self::Forgotten,
        Self::DeadlinePassed,
        Self::Draining,
        Self::Denied,
        Self::SomebodyElseFirst,
        Self::Crashed,
    ];
}

/// Something under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Word {
    Message(Message),
    /// The sender has closed the link.
    End,
}

/// A link of the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wire {
    pub(crate) link: LinkId,
    /// Which name was dialled, and where that leads to.
    pub(crate) name: usize,
    pub(crate) site: usize,
    pub(crate) dialled: bool,
    pub(crate) to_server: VecDeque<Word>,
    pub(crate) to_client: VecDeque<Word>,
    /// Whether each end still has it.
    pub(crate) client: bool,
    pub(crate) server: bool,
    pub(crate) broken: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Site {
    pub(crate) server: Shared<Server>,
    pub(crate) up: bool,
    pub(crate) boot: u32,
    pub(crate) jobs: Vec<(JobId, RequestKey)>,
    /// How many of our commands go on with another.
    pub(crate) continues: u8,
    /// Who waits, in the order of arrival, on which link; and whom it has told that they never are served.
    pub(crate) line: Vec<(RequestKey, LinkId)>,
    pub(crate) cancelled: Vec<RequestKey>,
    /// Which of our commands it has carried out as long as it remembers.
    pub(crate) executed: Vec<u16>,
}

/// A request that the client has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) site: usize,
    pub(crate) epoch: u16,
    pub(crate) priority: bool,
    pub(crate) again: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) client: Shared<Client>,
    pub(crate) sites: Vec<Site>,
    pub(crate) wires: Vec<Wire>,
    /// The user is asked whether to wait.
    pub(crate) asks: bool,
    pub(crate) asked: Vec<Asked>,
    pub(crate) dials: u8,
    /// Somebody has deferred the command of this epoch, and could carry it out.
    pub(crate) earned: bool,
    /// How often each command of the chain was begun, anywhere.
    pub(crate) begun: Vec<u8>,
    /// A link was lost, or given up, that had carried a request.
    pub(crate) lost: bool,
    /// The client has sent a CANCEL on its link.
    pub(crate) cancels_now: bool,
    /// Whom the client knows.
    pub(crate) known: Vec<usize>,
    pub(crate) outcomes: Vec<Outcome>,
    /// What may still happen.
    pub(crate) losses: u8,
    pub(crate) crashes: u8,
    pub(crate) cancels: u8,
    pub(crate) leaves: u8,
    pub(crate) expires: u8,
    pub(crate) forgets: u8,
    pub(crate) others: u8,
    pub(crate) drains: u8,
    /// Something has gone wrong, or was not wanted any more.
    pub(crate) disturbed: bool,
    pub(crate) refuted: u32,
}

impl World {
    pub(crate) fn line(&self) -> String {
        let sites = self.sites.iter().map(|site| {
            let server = site.server.get();
            format!(
                "{:?}{} {} running {} waiting",
                server.state(),
                if site.up { "" } else { " down" },
                server.running(),
                server.queued()
            )
        });
        let wires = self.wires.iter().map(|wire| {
            format!("{:?}>{} {:?} {:?}", wire.link.0, wire.site, kinds(&wire.to_server), kinds(&wire.to_client))
        });
        let state = self.client.get().state();
        let (sites, wires): (Vec<_>, Vec<_>) = (sites.collect(), wires.collect());
        format!("{state:?} | {} | {} | {:?}\n", sites.join(", "), wires.join(", "), self.outcomes)
    }
}

fn kinds(words: &VecDeque<Word>) -> Vec<String> {
    let name = |word: &Word| match word {
        Word::Message(Message::Defer(defer)) => format!("Defer {:?}", defer.kind),
        Word::Message(Message::Refused(refused)) => format!("Refused {:?}", refused.code),
        Word::Message(Message::Request(request)) => format!("Request {:?}", request.flags),
        Word::Message(message) => format!("{message:?}").split(['(', ' ']).next().unwrap_or_default().to_string(),
        Word::End => "End of link".into(),
    };
    words.iter().map(name).collect()
}
