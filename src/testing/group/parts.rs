//! What the codec has read, in the parts of [`reference`](super::reference).

use super::reference::{Is, Part, extension};
use crate::frame::{Extensions, Text};
use crate::group::message::{Ballot, Entry, GroupRecord, Message, Open, Outcome, Past, Snapshot, Standing};
use crate::group::proposal::{Expulsion, Leave, Proposal, Wish};
use crate::group::{Attributes, GroupName, ProviderId, ProviderMessage, StateValue, Token};
use std::vec::Vec;

/// A message of the codec in parts; `None` for one that is not known.
pub fn parts(message: &Message) -> Option<Vec<Part>> {
    let mut list = List { record: "", parts: Vec::new() };
    let extensions = list.message(message)?;
    for one in extensions.iter() {
        list.parts.extend(extension(one.ty.0.into(), one.value.to_vec()));
    }
    Some(list.parts)
}

/// Parts, and the layout that is being told.
struct List {
    record: &'static str,
    parts: Vec<Part>,
}

impl List {
    fn push(&mut self, field: &'static str, is: Is) -> &mut Self {
        self.parts.push(Part { record: self.record, field, is });
        self
    }

    fn number(&mut self, field: &'static str, number: impl Into<u64>) -> &mut Self {
        self.push(field, Is::Number(number.into()))
    }

    fn bytes(&mut self, field: &'static str, bytes: &[u8]) -> &mut Self {
        self.push(field, Is::Size(bytes.len() as u64)).push(field, Is::Bytes(bytes.to_vec()))
    }

    fn name(&mut self, field: &'static str, name: &GroupName) -> &mut Self {
        self.bytes(field, name.as_bytes())
    }

    fn state(&mut self, field: &'static str, state: &StateValue) -> &mut Self {
        self.bytes(field, state.as_bytes())
    }

    fn provider_message(&mut self, field: &'static str, message: &ProviderMessage) -> &mut Self {
        self.bytes(field, message.as_bytes())
    }

    fn text(&mut self, field: &'static str, text: &Text) -> &mut Self {
        let text = text.as_str();
        self.push(field, Is::Size(text.len() as u64)).push(field, Is::Text(text.into()))
    }

    /// Another layout, within this one.
    fn record(&mut self, field: &'static str, record: &'static str, tell: impl FnOnce(&mut Self)) -> &mut Self {
        self.push(field, Is::Begins);
        self.within(record, tell)
    }

    fn within(&mut self, record: &'static str, tell: impl FnOnce(&mut Self)) -> &mut Self {
        let before = core::mem::replace(&mut self.record, record);
        tell(self);
        self.record = before;
        self
    }

    fn optional<T>(&mut self, field: &'static str, value: Option<&T>, tell: impl FnOnce(&mut Self, &T)) -> &mut Self {
        self.push(field, Is::Present(value.is_some()));
        if let Some(value) = value {
            tell(self, value);
        }
        self
    }

    fn list<T>(&mut self, field: &'static str, values: &[T], mut tell: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.push(field, Is::Count(values.len() as u64));
        values.iter().for_each(|value| tell(self, value));
        self
    }

    fn token(&mut self, field: &'static str, token: Token) -> &mut Self {
        self.record(field, "token", |list| {
            list.number("index", token.index).number("generation", token.generation);
        })
    }

    fn provider(&mut self, field: &'static str, provider: ProviderId) -> &mut Self {
        self.record(field, "provider", |list| {
            let instance = u16::from_be_bytes(provider.instance.to_be_bytes());
            list.number("node", provider.node).number("instance", instance);
            list.number("incarnation", provider.incarnation);
        })
    }

    fn providers(&mut self, field: &'static str, providers: &[ProviderId]) -> &mut Self {
        self.list(field, providers, |list, provider| _ = list.provider(field, *provider))
    }

    fn leaves(&mut self, field: &'static str, leaves: &[Leave]) -> &mut Self {
        self.list(field, leaves, |list, leave| {
            list.record(field, "leave", |list| {
                let Leave { provider, reason, code } = *leave;
                list.provider("provider", provider).number("reason", reason.0).number("code", code);
            });
        })
    }

    fn expulsion(&mut self, field: &'static str, expulsion: &Expulsion) -> &mut Self {
        self.record(field, "expulsion", |list| {
            let Expulsion { targets, deactivate_phase, flag } = expulsion;
            list.providers("targets", targets).number("deactivate_phase", *deactivate_phase).bytes("flag", flag);
        })
    }

    fn attributes(&mut self, field: &'static str, attributes: &Attributes) -> &mut Self {
        self.record(field, "attributes", |list| {
            list.number("client_version", attributes.client_version).name("name", &attributes.name);
            list.number("batch_control", attributes.batch_control.bits()).number("phases", attributes.phases.0);
            list.number("reflection_phases", attributes.reflection_phases.0);
            list.number("default_vote", attributes.default_vote.0).number("merge_control", attributes.merge_control.0);
            list.number("time_limit", attributes.time_limit);
            list.number("reflection_time_limit", attributes.reflection_time_limit);
            list.optional("source_group", attributes.source_group.as_ref(), |list, name| {
                list.name("source_group", name);
            });
        })
    }

    fn optional_state(&mut self, field: &'static str, state: Option<&StateValue>) -> &mut Self {
        self.optional(field, state, |list, state| _ = list.state(field, state))
    }

    fn optional_message(&mut self, field: &'static str, message: Option<&ProviderMessage>) -> &mut Self {
        self.optional(field, message, |list, message| _ = list.provider_message(field, message))
    }

    fn proposal(&mut self, field: &'static str, proposal: &Proposal) -> &mut Self {
        self.record(field, "proposal", |list| {
            list.optional("proposer", proposal.proposer.as_ref(), |list, one| _ = list.provider("proposer", *one));
            list.providers("joining", &proposal.joining).leaves("leaving", &proposal.leaving);
            list.optional("expulsion", proposal.expulsion.as_ref(), |list, one| _ = list.expulsion("expulsion", one));
            list.optional_state("state", proposal.state.as_ref());
            list.optional_state("source_state", proposal.source_state.as_ref());
            list.optional_message("message", proposal.message.as_ref());
            list.optional("attributes", proposal.attributes.as_deref(), |list, one| {
                list.attributes("attributes", one);
            });
        })
    }

    fn ballot(&mut self, field: &'static str, ballot: &Ballot) -> &mut Self {
        self.record(field, "ballot", |list| {
            let Ballot { vote, default_vote, state, message } = ballot;
            list.number("vote", vote.0);
            list.optional("default_vote", default_vote.as_ref(), |list, vote| _ = list.number("default_vote", vote.0));
            list.optional_state("state", state.as_ref()).optional_message("message", message.as_ref());
        })
    }

    fn open(&mut self, field: &'static str, open: &Open) -> &mut Self {
        self.record(field, "open", |list| {
            list.number("protocol", open.protocol.0).number("kind", open.kind.0).number("phase", open.phase);
            list.number("time_limit", open.time_limit).number("default_vote", open.default_vote.0);
            list.number("summary", open.summary.bits()).proposal("proposal", &open.proposal);
            list.optional("vote", open.vote.as_ref(), |list, ballot| _ = list.ballot("vote", ballot));
        })
    }

    fn outcome(&mut self, field: &'static str, outcome: &Outcome) -> &mut Self {
        self.record(field, "outcome", |list| {
            list.number("sequence", outcome.sequence.0).number("protocol", outcome.protocol.0);
            list.number("kind", outcome.kind.0).number("phases", outcome.phases);
            list.number("summary", outcome.summary.bits()).number("view", outcome.view.0);
            list.number("digest", outcome.digest).proposal("proposal", &outcome.proposal);
        })
    }

    fn past(&mut self, field: &'static str, past: &Past) -> &mut Self {
        self.record(field, "past", |list| {
            list.number("approved", u8::from(past.approved)).outcome("ended", &past.ended);
        })
    }

    fn pasts(&mut self, field: &'static str, pasts: &[Past]) -> &mut Self {
        self.list(field, pasts, |list, past| _ = list.past(field, past))
    }

    fn snapshot(&mut self, field: &'static str, snapshot: &Snapshot) -> &mut Self {
        self.record(field, "snapshot", |list| {
            list.number("group", snapshot.group.0).number("sequence", snapshot.sequence.0);
            list.number("view", snapshot.view.0).attributes("attributes", &snapshot.attributes);
            list.state("state", &snapshot.state).providers("members", &snapshot.members);
            list.number("last", snapshot.last.0);
        })
    }

    fn wish(&mut self, field: &'static str, wish: &Wish) -> &mut Self {
        let number = match wish {
            Wish::Leave(_) => 1_u8,
            Wish::Expel(_) => 2,
            Wish::State(_) => 3,
            Wish::Message(_) => 4,
            Wish::Attributes(_) => 5,
        };
        self.number(field, number);
        self.within("wish", |list| {
            match wish {
                Wish::Leave(code) => list.number("code", *code),
                Wish::Expel(expulsion) => list.expulsion("expulsion", expulsion),
                Wish::State(state) => list.state("state", state),
                Wish::Message(message) => list.provider_message("message", message),
                Wish::Attributes(attributes) => list.attributes("attributes", attributes),
            };
        })
    }

    fn entry(&mut self, field: &'static str, entry: &Entry) -> &mut Self {
        self.record(field, "entry", |list| {
            list.number("index", entry.index).past("past", &entry.past).snapshot("snapshot", &entry.snapshot);
        })
    }

    fn group_record(&mut self, field: &'static str, record: &GroupRecord) -> &mut Self {
        self.record(field, "group_record", |list| {
            list.snapshot("snapshot", &record.snapshot).pasts("recent", &record.recent);
        })
    }

    fn standing(&mut self, field: &'static str, standing: &Standing) -> &mut Self {
        self.record(field, "standing", |list| {
            list.token("token", standing.token);
            list.optional("provider", standing.provider.as_ref(), |list, one| _ = list.provider("provider", *one));
            list.number("subscription", standing.subscription.bits()).snapshot("snapshot", &standing.snapshot);
            list.pasts("recent", &standing.recent);
            list.optional("open", standing.open.as_ref(), |list, open| _ = list.open("open", open));
        })
    }

    /// All but the extensions, which are given back.
    fn message<'a>(&mut self, message: &'a Message) -> Option<&'a Extensions> {
        match message {
            Message::Unknown { .. } => None,
            Message::Welcome(_)
            | Message::Accepted(_)
            | Message::DelayedError(_)
            | Message::Phase(_)
            | Message::Approved(_)
            | Message::Rejected(_)
            | Message::Announcement(_)
            | Message::Notice(_)
            | Message::Dissolved(_)
            | Message::Redirect(_)
            | Message::View(_) => self.of_coordinator(message),
            Message::Replicate(_)
            | Message::Replicated(_)
            | Message::Query(_)
            | Message::Grant(_)
            | Message::Reign(_)
            | Message::Fenced(_)
            | Message::Proclaim(_) => self.of_standby(message),
            _ => self.of_process(message),
        }
    }

    fn of_process<'a>(&mut self, message: &'a Message) -> Option<&'a Extensions> {
        Some(match message {
            Message::Enter(enter) => {
                self.record = "enter";
                self.number("node", enter.node).number("incarnation", enter.incarnation);
                self.number("epoch", enter.epoch.0).number("ping_interval_ms", enter.ping_interval_ms);
                self.number("pong_limit_ms", enter.pong_limit_ms).number("reports", enter.reports);
                self.bytes("credentials", &enter.credentials);
                &enter.extensions
            }
            Message::Join(join) => {
                self.record = "join";
                let instance = u16::from_be_bytes(join.instance.to_be_bytes());
                self.number("request", join.request.0).number("instance", instance);
                self.attributes("attributes", &join.attributes);
                &join.extensions
            }
            Message::Subscribe(subscribe) => {
                self.record = "subscribe";
                self.number("request", subscribe.request.0).name("group", &subscribe.group);
                self.number("subscription", subscribe.subscription.bits());
                &subscribe.extensions
            }
            Message::Unsubscribe(signal) | Message::Goodbye(signal) | Message::Resynchronise(signal) => {
                self.record = "signal";
                self.token("token", signal.token);
                &signal.extensions
            }
            Message::Propose(propose) => {
                self.record = "propose";
                self.number("request", propose.request.0).token("token", propose.token);
                self.record("voting", "voting", |list| {
                    list.number("phases", propose.voting.phases.0).number("time_limit", propose.voting.time_limit);
                });
                self.optional("view", propose.view.as_ref(), |list, view| _ = list.number("view", view.0));
                self.wish("wish", &propose.wish);
                &propose.extensions
            }
            Message::Vote(vote) => {
                self.record = "vote";
                self.token("token", vote.token).number("protocol", vote.protocol.0).number("phase", vote.phase);
                self.ballot("ballot", &vote.ballot);
                &vote.extensions
            }
            Message::Deactivated(deactivated) => {
                self.record = "deactivated";
                self.token("token", deactivated.token).number("protocol", deactivated.protocol.0);
                self.number("successful", u8::from(deactivated.successful));
                &deactivated.extensions
            }
            Message::Quit(plain) => &plain.extensions,
            Message::Pong(ping) | Message::Ping(ping) => {
                self.record = "ping";
                self.number("nonce", ping.nonce);
                &ping.extensions
            }
            Message::Acknowledge(acknowledge) => {
                self.record = "acknowledge";
                self.token("token", acknowledge.token).number("sequence", acknowledge.sequence.0);
                &acknowledge.extensions
            }
            Message::Report(report) => {
                self.record = "report";
                self.number("remaining", report.remaining);
                self.optional("standing", report.standing.as_deref(), |list, one| _ = list.standing("standing", one));
                &report.extensions
            }
            other => panic!("{other:?}"),
        })
    }

    fn of_coordinator<'a>(&mut self, message: &'a Message) -> Option<&'a Extensions> {
        Some(match message {
            Message::Welcome(welcome) => {
                self.record = "welcome";
                self.number("domain", welcome.domain.0).number("epoch", welcome.epoch.0);
                &welcome.extensions
            }
            Message::Accepted(accepted) => {
                self.record = "accepted";
                self.number("request", accepted.request.0).token("token", accepted.token);
                self.number("group", accepted.group.0);
                &accepted.extensions
            }
            Message::DelayedError(error) => {
                self.record = "delayed_error";
                self.number("request", error.request.0);
                self.optional("token", error.token.as_ref(), |list, token| _ = list.token("token", *token));
                self.number("kind", error.kind.0).number("code", error.code.0).text("text", &error.text);
                &error.extensions
            }
            Message::Phase(phase) => {
                self.record = "phase";
                self.token("token", phase.token).number("group", phase.group.0);
                self.number("sequence", phase.sequence.0).open("open", &phase.open);
                &phase.extensions
            }
            Message::Approved(ended) | Message::Rejected(ended) => {
                self.record = "ended";
                self.token("token", ended.token).number("group", ended.group.0).outcome("outcome", &ended.outcome);
                self.optional("snapshot", ended.snapshot.as_deref(), |list, one| _ = list.snapshot("snapshot", one));
                &ended.extensions
            }
            Message::Announcement(announcement) => {
                self.record = "announcement";
                self.token("token", announcement.token).number("group", announcement.group.0);
                self.number("sequence", announcement.sequence.0).number("flags", announcement.flags.bits());
                self.providers("providers", &announcement.providers);
                &announcement.extensions
            }
            Message::Notice(notice) => {
                self.record = "notice";
                self.token("token", notice.token).number("group", notice.group.0);
                self.number("sequence", notice.sequence.0).number("view", notice.view.0);
                self.optional_state("state", notice.state.as_ref());
                self.optional("members", notice.members.as_ref(), |list, all| _ = list.providers("members", all));
                self.providers("joined", &notice.joined).leaves("left", &notice.left);
                &notice.extensions
            }
            Message::Dissolved(dissolved) => {
                self.record = "dissolved";
                self.optional("token", dissolved.token.as_ref(), |list, token| _ = list.token("token", *token));
                self.number("reason", dissolved.reason.0);
                &dissolved.extensions
            }
            Message::Redirect(redirect) => {
                self.record = "redirect";
                self.number("epoch", redirect.epoch.0).text("address", &redirect.address);
                &redirect.extensions
            }
            Message::View(view) => {
                self.record = "view";
                self.token("token", view.token).snapshot("snapshot", &view.snapshot);
                self.optional("open", view.open.as_ref(), |list, open| _ = list.open("open", open));
                &view.extensions
            }
            other => panic!("{other:?}"),
        })
    }

    fn of_standby<'a>(&mut self, message: &'a Message) -> Option<&'a Extensions> {
        Some(match message {
            Message::Replicate(replicate) => {
                self.record = "replicate";
                self.number("epoch", replicate.epoch.0).entry("entry", &replicate.entry);
                &replicate.extensions
            }
            Message::Replicated(replicated) => {
                self.record = "replicated";
                self.number("epoch", replicated.epoch.0)
                    .number("index", replicated.index)
                    .number("beat", replicated.beat);
                &replicated.extensions
            }
            Message::Query(query) => {
                self.record = "query";
                self.number("epoch", query.epoch.0);
                &query.extensions
            }
            Message::Grant(grant) => {
                self.record = "grant";
                self.number("epoch", grant.epoch.0).number("remaining", grant.remaining);
                self.optional("record", grant.record.as_ref(), |list, one| _ = list.group_record("record", one));
                &grant.extensions
            }
            Message::Reign(reign) => {
                self.record = "reign";
                self.number("epoch", reign.epoch.0).number("beat", reign.beat).text("address", &reign.address);
                &reign.extensions
            }
            Message::Fenced(fenced) => {
                self.record = "fenced";
                self.number("epoch", fenced.epoch.0);
                &fenced.extensions
            }
            Message::Proclaim(proclaim) => {
                self.record = "proclaim";
                self.number("domain", proclaim.domain.0).number("epoch", proclaim.epoch.0);
                self.number("nodes", proclaim.nodes).number("lowest_node", proclaim.lowest_node);
                &proclaim.extensions
            }
            other => panic!("{other:?}"),
        })
    }
}
