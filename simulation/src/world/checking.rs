//! What the checkers are shown, and when they look.

use super::World;
use crate::checkers::Seen;
use crate::drivers::gateway::Answer;
use crate::event::NodeIndex;
use kernel::View;
use messages::{Address, RequestId};

/// What a step has changed, so that checkers look at nothing else.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Mailboxes that took something in, or gave something out.
    pub(crate) mailboxes: Vec<(NodeIndex, Address)>,
    /// Nodes to a driver of which something happened.
    pub(crate) drivers: Vec<NodeIndex>,
}

impl World {
    /// Shows the checkers what the trace does not hold.
    pub(crate) fn show(&mut self, node: NodeIndex, seen: &Seen<'_>) {
        if self.trace.checks.is_some() {
            let now = self.now(node);
            self.trace.time = self.time;
            self.trace.show(node, now, seen);
        }
    }

    /// Something happens to a driver.
    pub(super) fn driver_changes(&mut self, node: NodeIndex) {
        if self.trace.checks.is_some() {
            self.changed.drivers.push(node);
        }
    }

    /// Something goes into a mailbox or comes out of it.
    pub(super) fn mailbox_changes(&mut self, node: NodeIndex, who: Address) {
        if self.trace.checks.is_some() {
            self.changed.mailboxes.push((node, who));
        }
    }

    /// Lets the checkers look, after a step of this node.
    pub(crate) fn check(&mut self, node: NodeIndex) {
        if let Some(mut checks) = self.trace.checks.take() {
            checks.after(self, node);
            self.changed.mailboxes.clear();
            self.changed.drivers.clear();
            self.trace.checks = Some(checks);
        }
    }

    /// What a console would see of an actor.
    pub(crate) fn view(&self, node: NodeIndex, who: Address) -> Option<View> {
        let boot = self.nodes.get(node)?.boot.as_ref()?;
        let view = boot.executor.view(who);
        #[cfg(test)]
        let view = view.map(|view| self.tampered_view(node, who, view));
        view
    }

    /// What a client has seen so far.
    pub(crate) fn answer(&self, node: NodeIndex, request: RequestId) -> Option<&Answer> {
        let place = self.nodes.get(node)?;
        let boot = place.boot.as_ref();
        boot.and_then(|boot| boot.drivers.gateway.answers.get(&request))
            .or_else(|| place.past.get(&request))
    }
}
