//! The attributes of a group (spec/group.md 2.11).

use super::ids::{BatchControl, MergeControl, Phases, Vote};
use super::name::GroupName;
use crate::frame::record;

record! {
    /// What a group is like: who joins must say the same, in every field.
    ///
    /// u32 client version, name, u8 batch control, u8 phases, u8 phases of reflections, u8 default vote, u8 merge control,
    /// u16 time limit in s, u16 time limit of reflections in s, name of the source group or none.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    #[doc(alias = "ha_gs_group_attributes_t")]
    pub struct Attributes {
        /// The application's own version: providers of different ones are never in one group.
        #[doc(alias = "gs_client_version")]
        pub client_version: u32,
        /// The group's name.
        #[doc(alias = "gs_group_name")]
        pub name: GroupName,
        /// Which changes of the membership are made together.
        #[doc(alias = "gs_batch_control")]
        pub batch_control: BatchControl,
        /// Whether joins, failure leaves and cast-outs are voted on.
        #[doc(alias = "gs_num_phases")]
        pub phases: Phases,
        /// Whether reflections of the source group's state value are voted on. Without a source group it has no meaning.
        #[doc(alias = "gs_source_reflection_num_phases")]
        pub reflection_phases: Phases,
        /// What counts for who does not vote: to approve, or to reject.
        #[doc(alias = "gs_group_default_vote")]
        pub default_vote: Vote,
        /// What becomes of the group when domains meet.
        #[doc(alias = "gs_merge_control")]
        pub merge_control: MergeControl,
        /// How long a vote may take in each phase of a join, a failure leave or a cast-out, in s; 0: for ever.
        #[doc(alias = "gs_time_limit")]
        pub time_limit: u16,
        /// The same for a reflection.
        #[doc(alias = "gs_source_reflection_time_limit")]
        pub reflection_time_limit: u16,
        /// The source group: whose providers there must be on a node before one of this group can be, and whose state
        /// value is reflected here.
        #[doc(alias = "gs_source_group_name")]
        pub source_group: Option<GroupName>,
    }
}

/// Why attributes make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AttributeError {
    /// The number of phases is neither one nor n.
    #[error("phases are one or n")]
    Phases,
    /// The default vote is neither to approve nor to reject.
    #[error("the default vote is to approve or to reject")]
    DefaultVote,
    /// The merge control is not to dissolve.
    #[error("the merge control is to dissolve")]
    MergeControl,
    /// There are bits in the batch control that are not known.
    #[error("batch control that is not known")]
    BatchControl,
    /// The group is its own source group.
    #[error("a group is not its own source group")]
    SourceGroup,
}

impl Attributes {
    /// Of a group without votes, batches and source group.
    #[must_use]
    pub const fn new(name: GroupName) -> Self {
        Self {
            client_version: 0,
            name,
            batch_control: BatchControl::empty(),
            phases: Phases::ONE,
            reflection_phases: Phases::ONE,
            default_vote: Vote::APPROVE,
            merge_control: MergeControl::DISSOLVE,
            time_limit: 0,
            reflection_time_limit: 0,
            source_group: None,
        }
    }

    /// Whether they make sense.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), AttributeError> {
        if [self.phases, self.reflection_phases].iter().any(|phases| phases.name().is_none()) {
            return Err(AttributeError::Phases);
        }
        if ![Vote::APPROVE, Vote::REJECT].contains(&self.default_vote) {
            return Err(AttributeError::DefaultVote);
        }
        if self.merge_control != MergeControl::DISSOLVE {
            return Err(AttributeError::MergeControl);
        }
        let known = BatchControl::JOINS | BatchControl::LEAVES | BatchControl::DEACTIVATE_ON_FAILURE;
        if !known.contains(self.batch_control) {
            return Err(AttributeError::BatchControl);
        }
        if self.source_group.as_ref() == Some(&self.name) {
            return Err(AttributeError::SourceGroup);
        }
        Ok(())
    }

    /// Whether who says `other` may join a group that has these: all fields are the same but those that have no meaning.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.meaningful() == other.meaningful()
    }

    /// With the fields that have no meaning set to one value.
    fn meaningful(&self) -> Self {
        let mut same = self.clone();
        if same.source_group.is_none() {
            (same.reflection_phases, same.reflection_time_limit) = (Phases::ONE, 0);
        } else if same.reflection_phases == Phases::ONE {
            same.reflection_time_limit = 0;
        }
        same
    }
}
