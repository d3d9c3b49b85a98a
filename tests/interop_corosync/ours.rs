//! A group of ours: a coordinator and processes, with messages that are passed in memory.

use crate::script::{Accounts, Act, Name, Told, Why, World};
use handover::error::Error;
use handover::group::coordinator::{self, Coordinator};
use handover::group::message::{Ballot, Ended, Message};
use handover::group::process::{self, Process};
use handover::group::proposal::{Voting, Wish};
use handover::group::provider::{self, Departure};
use handover::group::{
    Attributes, BatchControl, CoordinatorId, DomainId, Epoch, ErrorCode, GroupName, LeaveReason, Phases, ProtocolKind,
    ProviderId, ProviderMessage, RequestId, StateValue, Vote,
};
use handover::machine::{LinkId, Machine};
use handover::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Nothing here depends on time.
const NOW: Instant = Instant::ZERO;

/// The machine that processes run on, if nothing else is said.
pub const NODE: u32 = 1;

/// A domain with one group.
pub struct Ours {
    pub coordinator: Coordinator,
    epoch: Epoch,
    attributes: Attributes,
    pub parties: BTreeMap<Name, Party>,
    last_link: u32,
}

/// Who is which start of a process.
type Names = BTreeMap<u64, Name>;

/// A process.
pub struct Party {
    process: Process,
    /// Its number: its instance in the group, and which start of a process it is.
    number: i16,
    link: LinkId,
    /// What it has not taken yet.
    inbox: VecDeque<Message>,
    /// Takes nothing.
    frozen: bool,
    /// Holds its votes back.
    pub undecided: bool,
    last_request: u32,
    /// Its providers, by the requests that they joined with.
    pub providers: BTreeMap<RequestId, Part>,
    pub told: Vec<Told>,
    /// The reasons of all who have left, as they are told.
    pub reasons: Vec<LeaveReason>,
    /// Requests that were not carried out.
    pub refused: Vec<ErrorCode>,
}

/// A provider.
#[derive(Default)]
pub struct Part {
    /// Who is in the group, as it was told; by it.
    members: Vec<ProviderId>,
    /// Phases that it has not voted in.
    pub due: u32,
    pub gone: Option<Departure>,
}

impl Ours {
    /// As corosync's groups are, as far as that goes: nobody votes on who joins and who has died.
    pub fn start() -> Self {
        let mut attributes = Attributes::new(GroupName::new("g").unwrap());
        attributes.batch_control = BatchControl::JOINS | BatchControl::LEAVES;
        Self::with(attributes)
    }

    /// A group in which all vote, with these batches.
    pub fn voting(batch_control: BatchControl) -> Self {
        let mut attributes = Attributes::new(GroupName::new("g").unwrap());
        (attributes.batch_control, attributes.phases) = (batch_control, Phases::N);
        Self::with(attributes)
    }

    fn with(attributes: Attributes) -> Self {
        let epoch = Epoch(0).next(CoordinatorId(1));
        let coordinator = Coordinator::new(coordinator::Config::new(DomainId(1), epoch), NOW);
        Self { coordinator, epoch, attributes, parties: BTreeMap::new(), last_link: 0 }
    }

    pub fn party(&mut self, name: Name) -> &mut Party {
        self.parties.get_mut(name).unwrap()
    }

    /// A new process, that is in the domain.
    pub fn enter(&mut self, name: Name, node: u32) {
        self.last_link += 1;
        let number = i16::try_from(self.parties.len()).unwrap() + 1;
        let process = Process::new(process::Config::new(node, u64::try_from(number).unwrap()));
        let party = Party {
            process,
            number,
            link: LinkId(self.last_link),
            inbox: VecDeque::new(),
            frozen: false,
            undecided: false,
            last_request: 0,
            providers: BTreeMap::new(),
            told: Vec::new(),
            reasons: Vec::new(),
            refused: Vec::new(),
        };
        self.parties.insert(name, party);
        self.tell(name, process::Input::Opened(LinkId(self.last_link))).unwrap();
        self.pump();
    }

    /// Lets the process do something, and its coordinator hear of it.
    pub fn tell(&mut self, name: Name, input: process::Input) -> Result<(), Error> {
        self.party(name).process.handle(NOW, input)?;
        self.carry_out(name);
        Ok(())
    }

    /// Joins, as this instance.
    pub fn join_as(&mut self, name: Name, instance: i16) -> RequestId {
        let attributes = self.attributes.clone();
        let party = self.party(name);
        let request = party.request();
        party.providers.insert(request, Part::default());
        let local_name = name.to_owned();
        self.tell(name, process::Input::Join { request, attributes, instance, local_name }).unwrap();
        request
    }

    /// What the provider of a process says that joined last.
    pub fn say(&mut self, name: Name, input: provider::Input) -> Result<(), Error> {
        let request = *self.party(name).providers.keys().next_back().unwrap();
        self.tell(name, process::Input::Provider { request, input })
    }

    /// Without a vote.
    pub fn propose(&mut self, name: Name, wish: Wish) -> Result<(), Error> {
        let request = self.party(name).request();
        let voting = Voting { phases: Phases::ONE, time_limit: 0 };
        self.say(name, provider::Input::Propose { request, voting, view: None, wish })
    }

    pub fn message(&mut self, name: Name, text: &str) -> Result<(), Error> {
        self.propose(name, Wish::Message(ProviderMessage::new(text.to_owned()).unwrap()))
    }

    /// The whole machine has failed.
    pub fn node_down(&mut self, node: u32) {
        self.coordinator.handle(NOW, coordinator::Input::NodeDown(node)).unwrap();
        self.pump();
    }

    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// What the group agrees on, as a provider knows it.
    pub fn value(&self, name: Name) -> Option<StateValue> {
        let party = &self.parties[name];
        let request = party.providers.keys().next_back()?;
        party.process.provider(*request).map(|provider| provider.value().clone())
    }

    /// One that has not voted yet approves.
    pub fn approve(&mut self, name: Name) {
        self.party(name).providers.values_mut().for_each(|part| part.due = 0);
        let process = &self.parties[name].process;
        let request = *self.parties[name].providers.keys().next_back().unwrap();
        let input = approval(process, request).unwrap();
        self.say(name, input).unwrap();
        self.pump();
    }

    /// The coordinator dies, and another one takes over who has no record of anything.
    pub fn take_over(&mut self) {
        self.epoch = self.epoch.next(CoordinatorId(2));
        let config = coordinator::Config::new(DomainId(1), self.epoch);
        self.coordinator = Coordinator::take_over(config, Vec::new(), Duration::from_secs(1), NOW);
        for name in self.parties.keys().copied().collect::<Vec<_>>() {
            let link = self.party(name).link;
            self.tell(name, process::Input::Closed(link)).unwrap();
            self.last_link += 1;
            let link = LinkId(self.last_link);
            self.party(name).link = link;
            self.tell(name, process::Input::Opened(link)).unwrap();
        }
        self.pump();
        self.coordinator.handle(NOW, coordinator::Input::Recovered).unwrap();
        self.pump();
    }

    /// Passes messages on until there are none.
    pub fn pump(&mut self) {
        let mut busy = true;
        while busy {
            busy = self.pass_on();
            for name in self.parties.keys().copied().collect::<Vec<_>>() {
                let party = self.party(name);
                let link = party.link;
                if !party.frozen
                    && let Some(message) = party.inbox.pop_front()
                {
                    busy = true;
                    party.process.handle(NOW, process::Input::Message { link, message }).unwrap();
                    self.carry_out(name);
                }
            }
        }
    }

    /// What the coordinator wants done. Whether there was anything.
    fn pass_on(&mut self) -> bool {
        let mut busy = false;
        while let Some(output) = self.coordinator.poll_output() {
            busy = true;
            match output {
                coordinator::Output::Send { link, message } => {
                    if let Some(party) = self.parties.values_mut().find(|party| party.link == link) {
                        party.inbox.push_back(message);
                    }
                }
                coordinator::Output::Event(coordinator::Event::Entering { link, .. }) => {
                    self.coordinator.handle(NOW, coordinator::Input::Admit { link, allowed: true }).unwrap();
                }
                coordinator::Output::Persist(_) => panic!("nothing is to be kept"),
                _ => {}
            }
        }
        busy
    }

    /// What a process wants done.
    fn carry_out(&mut self, name: Name) {
        loop {
            let names: Names = self.parties.iter().map(|(name, party)| (party.incarnation(), *name)).collect();
            let party = self.parties.get_mut(name).unwrap();
            let Some(output) = party.process.poll_output() else { return };
            match output {
                process::Output::Send { link, message } => {
                    self.coordinator.handle(NOW, coordinator::Input::Message { link, message }).unwrap();
                    // Who enters is let in at once.
                    self.pass_on();
                }
                process::Output::Close(link) => {
                    // There is nobody any more who could take what comes.
                    (party.link, party.frozen) = (LinkId(0), true);
                    self.coordinator.handle(NOW, coordinator::Input::Closed(link)).unwrap();
                }
                process::Output::Event(process::Event::Provider { request, event }) => {
                    let is_due = party.hear(request, event, &names);
                    // The phase may be over by now.
                    if let Some(input) = approval(&party.process, request).filter(|_| is_due) {
                        party.process.handle(NOW, process::Input::Provider { request, input }).unwrap();
                    }
                }
                _ => {}
            }
        }
    }
}

/// Its vote in the phase that runs.
fn approval(process: &process::Process, request: RequestId) -> Option<provider::Input> {
    let open = process.provider(request)?.open()?;
    Some(provider::Input::Vote { protocol: open.protocol, phase: open.phase, ballot: APPROVE })
}

const APPROVE: Ballot = Ballot { vote: Vote::APPROVE, default_vote: None, state: None, message: None };

impl Party {
    fn incarnation(&self) -> u64 {
        u64::try_from(self.number).unwrap()
    }

    fn request(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    /// Whether it is to vote now.
    fn hear(&mut self, request: RequestId, event: provider::Event, names: &Names) -> bool {
        let part = self.providers.get_mut(&request).unwrap();
        match event {
            provider::Event::Phase(_) if self.undecided => part.due += 1,
            provider::Event::Phase(_) => return true,
            provider::Event::Approved(ended) => {
                part.due = 0;
                if ended.outcome.kind == ProtocolKind::STATE_VALUE_CHANGE {
                    // Nothing that corosync has.
                    return false;
                }
                self.reasons.extend(ended.outcome.proposal.leaving.iter().map(|leave| leave.reason));
                let told = part.told(&ended, names);
                // What the machine has by now is what it was told.
                if let Some(provider) = self.process.provider(request).filter(|_| part.gone.is_none()) {
                    assert_eq!(provider.members(), part.members);
                }
                self.told.push(told);
            }
            provider::Event::Error { code, .. } => self.refused.push(code),
            provider::Event::Gone(departure) => part.gone = Some(departure),
            provider::Event::Accepted(_) => {}
            event => panic!("{event:?}"),
        }
        false
    }
}

impl Part {
    /// What the end of a protocol tells.
    fn told(&mut self, ended: &Ended, names: &Names) -> Told {
        let named = |provider: &ProviderId| names[&provider.incarnation];
        let proposal = &ended.outcome.proposal;
        if ended.outcome.kind == ProtocolKind::PROVIDER_MESSAGE {
            let text = proposal.message.as_ref().unwrap().as_bytes().to_vec();
            return Told::Message { from: named(&proposal.proposer.unwrap()), text: String::from_utf8(text).unwrap() };
        }
        match &ended.snapshot {
            Some(snapshot) => self.members.clone_from(&snapshot.members),
            None => {
                self.members.retain(|member| proposal.leaving.iter().all(|leave| leave.provider != *member));
                self.members.extend(&proposal.joining);
            }
        }
        let why = |reason| match reason {
            LeaveReason::VOLUNTARY => Why::Left,
            LeaveReason::PROVIDER_FAILURE | LeaveReason::SAID_GOODBYE => Why::Died,
            LeaveReason::HOST_FAILURE => Why::NodeDied,
            other => panic!("{other:?}"),
        };
        Told::Change {
            joined: proposal.joining.iter().map(named).collect(),
            left: proposal.leaving.iter().map(|leave| (named(&leave.provider), why(leave.reason))).collect(),
            members: self.members.iter().map(named).collect(),
        }
    }
}

impl World for Ours {
    fn play(&mut self, acts: &[Act]) {
        for act in acts {
            if !self.parties.contains_key(act.name()) {
                self.enter(act.name(), NODE);
            }
        }
        for act in acts {
            let name = act.name();
            match act {
                Act::Join(_) => {
                    let instance = self.party(name).number;
                    self.join_as(name, instance);
                }
                Act::Leave(_) => self.propose(name, Wish::Leave(0)).unwrap(),
                Act::Say(_, text) => self.message(name, text).unwrap(),
                Act::Die(_) => {
                    let party = self.party(name);
                    party.frozen = true;
                    let link = party.link;
                    self.coordinator.handle(NOW, coordinator::Input::Closed(link)).unwrap();
                }
                Act::Freeze(_) => self.party(name).frozen = true,
                Act::Thaw(_) => self.party(name).frozen = false,
            }
        }
        self.pump();
    }

    fn told(&self) -> Accounts {
        self.parties.iter().map(|(name, party)| (*name, party.told.clone())).collect()
    }
}
