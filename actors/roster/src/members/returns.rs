//! Members that were away and are here again.

use super::Table;
use messages::NodeId;

impl Table {
    /// Whether a member that is here was here before. It is told once.
    pub(crate) fn is_back(&mut self, peer: NodeId) -> bool {
        let member = self.members.get_mut(&peer);
        member.is_some_and(|member| std::mem::take(&mut member.back))
    }
}
