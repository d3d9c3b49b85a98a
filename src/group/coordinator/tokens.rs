//! Tokens, assigned as the numbers of files are (spec/group.md 5.2).

use crate::group::name::{GroupId, ProviderId, Token};
use crate::machine::LinkId;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Who has which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Tokens {
    slots: Vec<Slot>,
    free: BTreeSet<u32>,
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

impl Tokens {
    /// The lowest number that is free; `None` if there are `most` already.
    pub(super) fn assign(&mut self, holder: Holder, most: usize) -> Option<Token> {
        let index = match self.free.first() {
            Some(index) => *index,
            None if self.slots.len() < most => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: 0, holder: None });
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
