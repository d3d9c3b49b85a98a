//! The walk of spec/deferral.md 4.3, written a second time with nothing but lists.

use super::scripted::{Answer, Ending, Script, answer};
use super::walk::MOST_CONTACTS;
use handover::deferral::DeferKind;
use std::mem::take;

/// In what walks may differ without being wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order {
    /// After a continuation: those that nobody has asked come before those that were named for the next command.
    pub(crate) untried_first: bool,
    /// Who has continued comes last, even if it names itself.
    pub(crate) continuing_last: bool,
    /// Who continues once does so with the first command of the chain, and not with the first that it is asked.
    pub(crate) once_is_first: bool,
}

impl Order {
    /// That of the shipped client.
    pub(crate) const SHIPPED: Self = Self { untried_first: false, continuing_last: true, once_is_first: false };
    /// That of the design's first exploration.
    pub(crate) const FIRST: Self = Self { untried_first: true, continuing_last: false, once_is_first: true };
}

fn put(list: &mut Vec<usize>, server: usize) {
    if !list.contains(&server) {
        list.push(server);
    }
}

/// In the order in which the client has come to know them.
fn in_order(list: &mut [usize], known: &[usize]) {
    list.sort_by_key(|server| known.iter().position(|known| known == server));
}

pub(crate) fn walk<const N: usize>(script: &Script<N>, order: Order) -> (Ending, Vec<(usize, u16, bool)>) {
    let (mut path, mut continued) = (Vec::new(), [false; N]);
    let (mut to, mut busy, mut declined, mut dead, mut known) = (vec![0], vec![], vec![], vec![], vec![0]);
    let (mut epoch, mut priority) = (0, false);
    loop {
        if path.len() > MOST_CONTACTS {
            return (Ending::Endless, path);
        }
        if to.is_empty() {
            if priority || busy.is_empty() {
                return (Ending::NoServer, path);
            }
            priority = true;
            to = take(&mut busy);
            in_order(&mut to, &known);
        }
        let server = to.remove(0);
        path.push((server, epoch, priority));
        let (behaviour, mask) = script[server];
        if order.once_is_first {
            continued[server] = epoch > 0;
        }
        let named: Vec<usize> = (0..N).filter(|other| mask & 1 << other != 0).collect();
        match answer(behaviour, priority, &mut continued[server]) {
            None => put(&mut dead, server),
            Some(Answer::End) => return (Ending::Done, path),
            Some(Answer::Defer(DeferKind::CONTINUE)) => {
                epoch += 1;
                if epoch > 4 {
                    return (Ending::Limit, path);
                }
                priority = false;
                for list in [&mut busy, &mut declined] {
                    in_order(list, &known);
                }
                let mut lists = [named.clone(), take(&mut to), take(&mut busy), take(&mut declined)];
                if order.untried_first {
                    lists.swap(0, 1);
                }
                for other in lists.into_iter().flatten().filter(|other| !dead.contains(other)) {
                    if other != server || !order.continuing_last {
                        put(&mut to, other);
                    }
                }
                put(&mut to, server);
                named.into_iter().for_each(|other| put(&mut known, other));
            }
            Some(Answer::Defer(kind)) => {
                let list = if kind == DeferKind::BUSY && !priority { &mut busy } else { &mut declined };
                put(list, server);
                for other in named {
                    let lists = [&to, &busy, &declined, &dead];
                    if !lists.into_iter().any(|list| list.contains(&other)) {
                        to.push(other);
                        put(&mut known, other);
                    }
                }
            }
        }
    }
}
