//! Whether those who can reach each other hold the same records.

use super::{Demands, until};
use crate::Mesh;
use crate::event::NodeIndex;
use messages::Micros;
use std::collections::BTreeMap;

/// Within it what was missed is found: each neighbour is read once a minute at least, and what one
/// learns it passes on.
const SAME: Micros = crate::secs(130);

impl Demands<'_> {
    /// Neighbours of the core hold the same, of whatever member: who has never met an author is
    /// shown why it belongs.
    pub(super) fn same_records(&mut self) {
        let all = self.core.all();
        let pairs = |mesh: &Mesh| -> Vec<(NodeIndex, NodeIndex)> {
            let pairs = all.iter().flat_map(|a| all.iter().map(|b| (*a, *b)));
            let met = pairs.filter(|(a, b)| a < b && mesh.is_active(*a, *b));
            met.collect()
        };
        let same = |mesh: &Mesh| {
            let mut pairs = pairs(mesh).into_iter();
            pairs.all(|(one, other)| mesh.holds_the_same(one, other))
        };
        if until(self.mesh, SAME, same) {
            return;
        }
        let of = |node: NodeIndex| -> BTreeMap<_, _> {
            let records = self.mesh.records(node).into_iter();
            let version = |signed: messages::SignedRecord| {
                (
                    signed.record.key(),
                    (signed.record.stamp, signed.record.value),
                )
            };
            records.map(version).collect()
        };
        let pairs = pairs(self.mesh).into_iter();
        let other: Vec<_> = pairs.filter(|(a, b)| of(*a) != of(*b)).collect();
        if !other.is_empty() {
            self.failures.push(format!(
                "{SAME} after the healing they hold other records: {other:?}"
            ));
        }
    }
}
