//! The checkers, as tests and commands use them.

use super::Mesh;
use crate::checkers::{Seen, Violation};
use crate::event::NodeIndex;
use messages::Address;

impl Mesh {
    /// What the checkers found, in order; nothing where none were asked for.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        let checks = self.world.trace.checks.as_deref();
        checks.map_or(&[], |checks| checks.violations())
    }

    /// A fault begins or ends: the time until all must agree begins anew.
    pub(crate) fn disturb(&mut self) {
        self.world.show(0, &Seen::Disturbed);
    }

    /// This life ends now, because the test wants it so.
    pub(super) fn plan_end_of(&mut self, node: NodeIndex, who: Address) {
        let boot = self.world.nodes[node].boot.as_ref();
        if boot.is_some_and(|boot| boot.switchboard.live(who).is_some()) {
            self.world.show(node, &Seen::Planned(who));
        }
    }

    /// Asserts that the checkers found nothing.
    ///
    /// # Panics
    /// With every violation, where there is one, or where none were asked for.
    pub fn assert_clean(&self) {
        let seed = self.world.seed;
        assert!(
            self.world.trace.checks.is_some(),
            "seed {seed}: build the mesh with `.checked()`"
        );
        let lines = self.violations().iter().map(|found| format!("\n  {found}"));
        let lines: String = lines.collect();
        assert!(lines.is_empty(), "seed {seed}:{lines}");
    }
}
