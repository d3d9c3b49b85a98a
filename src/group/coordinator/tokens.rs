//! Tokens, assigned as the numbers of files are (spec/group.md 5.2).

use crate::group::name::{GroupId, ProviderId, Token};
use crate::machine::LinkId;
use alloc::collections::{BTreeMap, BTreeSet};

/// Who has which. Numbers that nobody has had take no room, however high those are that somebody has kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tokens {
    slots: BTreeMap<u32, Slot>,
    /// Numbers that somebody has had, and nobody has now.
    free: BTreeSet<u32>,
    /// No number below this was never given.
    never: u32,
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
        Self { slots: BTreeMap::new(), free: BTreeSet::new(), never: 0, fresh: 0 }
    }

    /// A token from before this reign stays with who has it; false if another has its number, or if it is higher than
    /// there may be.
    pub(super) fn keep(&mut self, token: Token, holder: Holder, most: usize) -> bool {
        if usize::try_from(token.index).is_ok_and(|at| at < most) && !self.slots.contains_key(&token.index) {
            self.slots.insert(token.index, Slot { generation: token.generation, holder: Some(holder) });
            self.fresh = self.fresh.max(token.generation.wrapping_add(1));
            return true;
        }
        false
    }

    /// The lowest number that is free; `None` if it is higher than there may be.
    pub(super) fn assign(&mut self, holder: Holder, most: usize) -> Option<Token> {
        while self.slots.contains_key(&self.never) {
            self.never = self.never.checked_add(1)?;
        }
        let index = self.free.first().map_or(self.never, |free| self.never.min(*free));
        if usize::try_from(index).ok()? >= most {
            return None;
        }
        self.free.remove(&index);
        // Nobody from before this reign has had that generation.
        let slot = self.slots.entry(index).or_insert(Slot { generation: self.fresh, holder: None });
        slot.holder = Some(holder);
        Some(Token { index, generation: slot.generation })
    }

    /// Whose a token is; `None` if it is nobody's any more.
    pub(super) fn holder(&self, token: Token) -> Option<Holder> {
        self.current(token.index).filter(|(current, _)| *current == token).map(|(_, holder)| holder)
    }

    /// It is nobody's any more.
    pub(super) fn free(&mut self, token: Token) {
        let Some(slot) = self.slots.get_mut(&token.index) else { return };
        if slot.generation == token.generation && slot.holder.take().is_some() {
            slot.generation = slot.generation.wrapping_add(1);
            self.free.insert(token.index);
        }
    }

    /// The token that has this number now.
    pub(super) fn current(&self, index: u32) -> Option<(Token, Holder)> {
        let slot = self.slots.get(&index)?;
        Some((Token { index, generation: slot.generation }, slot.holder?))
    }
}
