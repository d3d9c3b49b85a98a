//! Any inputs in any order: nothing is refused by the table, and everything that begins ends once.

use super::*;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

/// A small generator of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// What the outputs say, and what they may not say.
#[derive(Default)]
struct Ledger {
    attempts: BTreeMap<u32, u32>,
    requests: BTreeSet<u32>,
    dialled: u32,
    closed: BTreeSet<u32>,
    over: bool,
    /// The link on which no command may be sent.
    silent: Option<LinkId>,
    /// The pieces that were sent, in order.
    sent: Vec<u32>,
}

impl Ledger {
    fn note(&mut self, output: Output) {
        assert!(!self.over, "nothing comes behind Disconnected");
        let open = |link: &LinkId, ledger: &Self| {
            assert!(link.0 <= ledger.dialled && !ledger.closed.contains(&link.0), "{link:?} is not open");
        };
        match output {
            Output::Dial { link, .. } => {
                self.dialled += 1;
                assert_eq!(link.0, self.dialled);
            }
            Output::Login { link, .. } | Output::SessionIdReceived(link) | Output::Attention(link) => open(&link, self),
            Output::Logout(link) => open(&link, self),
            Output::Send { link, ty, data, .. } => {
                open(&link, self);
                if ty == PacketType::LANGUAGE {
                    assert_ne!(self.silent, Some(link), "a command behind SYNC");
                    self.sent.push(u32::from_le_bytes((&*data.0).try_into().unwrap()));
                }
            }
            Output::Migration { link, migration } => {
                open(&link, self);
                match migration {
                    Migration::Sync => {}
                    Migration::Resume | Migration::Fail(_) => self.silent = None,
                    _ => panic!("a server's"),
                }
            }
            Output::Switch { to, .. } => {
                self.silent = None;
                open(&to, self);
            }
            Output::Close(link) => {
                open(&link, self);
                self.closed.insert(link.0);
            }
            Output::Event(event) => self.event(event),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Started { attempt, .. } => assert_eq!(self.attempts.insert(attempt.0, 0), None),
            Event::Ended { attempt, .. } => {
                let ends = self.attempts.get_mut(&attempt.0).expect("started");
                *ends += 1;
                assert_eq!(*ends, 1);
                self.silent = None;
            }
            Event::Completed(request) => assert!(self.requests.insert(request.0)),
            Event::Disconnected { unfinished, .. } => {
                self.over = true;
                assert!(unfinished.iter().all(|request| self.requests.insert(request.0)));
            }
            _ => {}
        }
    }
}

fn item(numbers: &mut Numbers) -> Item {
    match numbers.below(20) {
        0 => login_ack(LoginStatus::SUCCEED),
        1 => login_ack(LoginStatus::NEGOTIATE),
        2 => login_ack(LoginStatus::FAIL),
        3 => capability(&[89]),
        4 => given(id(1)),
        5 | 6 => done(),
        7 => acknowledged(),
        8 => more(),
        9 | 10 => Item::Migration(asks(&["b", "c"])),
        11 => Item::Migration(asks(&["x"])),
        12 | 13 => Item::Migration(Migration::Continue),
        14 => Item::Migration(Migration::Ignore),
        15 => Item::Migration(Migration::Resume),
        16 => Item::End(PacketType::MIGRATE),
        _ => END,
    }
}

/// One input, or a few that belong together.
fn inputs(numbers: &mut Numbers, client: &Client, next: &mut u32) -> Vec<Input> {
    let newest = client.next_link - 1;
    let links = [client.home.as_ref().map(|home| home.link), client.arrival.as_ref().map(|arrival| arrival.link)];
    let link = match numbers.below(9) {
        0 => LinkId(numbers.below(newest + 2)),
        odd => links[odd as usize % 2].unwrap_or(LinkId(newest)),
    };
    let items = |items: Vec<Item>| items.into_iter().map(|item| Input::Item { link, item }).collect();
    let input = match numbers.below(60) {
        0 if numbers.below(4) == 0 => Input::Closed(link),
        1 => Input::OpenFailed(link),
        2..10 => Input::Opened(link),
        10..18 => {
            *next += 1;
            let data = Data(next.to_le_bytes().to_vec().into());
            let end = numbers.below(3) > 0;
            Input::Command(Command::Request { ty: PacketType::LANGUAGE, data, end })
        }
        18 | 19 => Input::Command(Command::Attention),
        20 if numbers.below(10) == 0 => Input::Command(Command::Logout),
        21 if numbers.below(20) == 0 => Input::Command(Command::Close),
        22 => {
            let data = Data(Default::default());
            Input::Command(Command::Answer { link, ty: PacketType::NORMAL, data, end: true })
        }
        23 => Input::Timeout,
        24..32 => return items(accepted(Some(id(2)))),
        32..36 => return items(vec![Item::Migration(asks(&["b", "c"])), Item::End(PacketType::MIGRATE)]),
        _ => Input::Item { link, item: item(numbers) },
    };
    vec![input]
}

#[test]
fn everything_that_begins_ends_once() {
    let mut reached = BTreeSet::new();
    for seed in 1..3000_u64 {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let safe_point = if seed % 5 == 0 { SafePoint::WhenIdle } else { SafePoint::BetweenMessages };
        let trust = Trust::List(vec![address("b"), address("c")]);
        let mut trial = Trial::new(Config { trust, safe_point, ..Config::default() });
        let mut ledger = Ledger::default();
        let (mut next, mut accepted_pieces) = (0, Vec::new());
        for output in trial.connect() {
            ledger.note(output);
        }
        let mut coming = VecDeque::new();
        for _ in 0..200 {
            if coming.is_empty() {
                coming = inputs(&mut numbers, &trial.client, &mut next).into();
            }
            let Some(input) = coming.pop_front() else { continue };
            let before = trial.client.clone();
            let mut now = Instant::from_micros(trial.now.as_micros() + u64::from(numbers.below(100)));
            if matches!(input, Input::Timeout) && numbers.below(2) == 0 {
                now = trial.client.poll_timeout().unwrap_or(now);
            }
            trial.now = now.max(trial.now);
            let shut = match input {
                Input::Closed(link) | Input::OpenFailed(link) => Some(link.0),
                _ => None,
            };
            let is_request = matches!(input, Input::Command(Command::Request { .. }));
            match trial.client.handle(now, input) {
                Ok(()) if is_request => accepted_pieces.push(next),
                Ok(()) | Err(Error::Violation(_)) => ledger.closed.extend(shut),
                Err(Error::Misuse(_)) => assert_eq!(trial.client, before),
            }
            let outputs = trial.drain();
            outputs.into_iter().for_each(|output| ledger.note(output));
            if matches!(trial.state(), State::Synced | State::Moving) {
                ledger.silent = trial.client.link();
            }
            reached.insert(trial.state());
            assert!(accepted_pieces.starts_with(&ledger.sent), "each piece goes once, in order");
        }
        if trial.state() != State::Closed {
            trial.command(Command::Close).into_iter().for_each(|output| ledger.note(output));
        }
        assert!(ledger.over && ledger.attempts.values().all(|ends| *ends == 1));
        let all = trial.client.last_request().map_or(0, |request| request.0);
        assert!(ledger.requests.into_iter().eq(1..=all));
        assert_eq!(trial.client.poll_timeout(), None);
    }
    assert_eq!(reached.len(), TABLE.states.len() - 1, "{reached:?}");
}
