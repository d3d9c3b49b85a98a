//! Tokens, assigned as the numbers of files are (spec/group.md 5.2).

use crate::group::name::{GroupId, ProviderId, Token};
use crate::machine::LinkId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Who has which.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tokens {
    slots: Vec<Slot>,
    free: BTreeSet<u32>,
    /// The generation of a number that was never given.
    fresh: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Slot {
    generation: u32,
    holder: Option<Holder>,
}

/// Whose a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holder {
    pub(super) link: LinkId,
    pub(super) group: GroupId,
    /// `None`: a subscriber.
    pub(super) provider: Option<ProviderId>,
}

/// The token of who has none: it went before this reign.
pub(super) const NOBODY: Token = Token { index: u32::MAX, generation: u32::MAX };

impl Tokens {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: BTreeSet::new(), fresh: 0 }
    }

    /// A token from before this reign stays with who has it; false if another has its number, or there are `most` already.
    pub(super) fn keep(&mut self, token: Token, holder: Holder, most: usize) -> bool {
        let Some(at) = usize::try_from(token.index).ok().filter(|at| *at < most) else { return false };
        while self.slots.len() <= at {
            let Ok(index) = u32::try_from(self.slots.len()) else { return false };
            self.slots.push(Slot { generation: 0, holder: None });
            self.free.insert(index);
        }
        match self.slots.get_mut(at) {
            Some(slot) if slot.holder.is_none() => {
                *slot = Slot { generation: token.generation, holder: Some(holder) };
                self.free.remove(&token.index);
                self.fresh = self.fresh.max(token.generation.wrapping_add(1));
                true
            }
            _ => false,
        }
    }

    /// Numbers that are free get a generation that nobody from before this reign has had.
    pub(super) fn kept(&mut self) {
        for index in &self.free {
            let slot = usize::try_from(*index).ok().and_then(|index| self.slots.get_mut(index));
            if let Some(slot) = slot {
                slot.generation = slot.generation.max(self.fresh);
            }
        }
    }

    /// The lowest number that is free; `None` if there are `most` already.
    pub(super) fn assign(&mut self, holder: Holder, most: usize) -> Option<Token> {
        let index = match self.free.first() {
            Some(index) => *index,
            None if self.slots.len() < most => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: self.fresh, holder: None });
                index
            }
            None => return None,
        };
        self.free.remove(&index);
        let slot = self.slots.get_mut(usize::try_from(index).ok()?)?;
        slot.holder = Some(holder);
        Some(Token { index, generation: slot.generation })
    }

    /// Whose a token is; `None` if it is nobody's any more.
    pub(super) fn holder(&self, token: Token) -> Option<Holder> {
        let slot = self.slots.get(usize::try_from(token.index).ok()?)?;
        slot.holder.filter(|_| slot.generation == token.generation)
    }

    /// It is nobody's any more.
    pub(super) fn free(&mut self, token: Token) {
        let Some(slot) = usize::try_from(token.index).ok().and_then(|index| self.slots.get_mut(index)) else { return };
        if slot.generation == token.generation && slot.holder.take().is_some() {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.insert(token.index);
        }
    }

    /// The token that has this number now.
    pub(super) fn current(&self, index: u32) -> Option<(Token, Holder)> {
        let slot = self.slots.get(usize::try_from(index).ok()?)?;
        Some((Token { index, generation: slot.generation }, slot.holder?))
    }
}
