//! Members that serve models.

use super::Table;
use messages::{Capabilities, ModelId, NodeId};

impl Table {
    /// Members that serve something, and what.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (NodeId, &[ModelId])> {
        let holders = self
            .members
            .iter()
            .filter(|(_, member)| !member.serves.is_empty());
        holders.map(|(peer, member)| (*peer, &*member.serves))
    }

    /// What a member says that it serves.
    pub(crate) fn served_by(&self, peer: NodeId) -> &[ModelId] {
        self.members.get(&peer).map_or(&[], |member| &member.serves)
    }
}

/// What a record says that its author serves.
pub(super) fn models_of(said: &Capabilities) -> Box<[ModelId]> {
    said.llms.iter().map(|advert| advert.model).collect()
}
