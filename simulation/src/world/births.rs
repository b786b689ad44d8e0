//! Births of actors: at once, or after a time in which much may happen.

use super::{World, index_of};
use crate::event::{NodeIndex, Occurrence};
use crate::node::{Mailbox, is_driver};
use kernel::{Action, Child, Ctx, Entropy, Incarnation, TraceEvent};
use std::sync::Arc;

impl World {
    /// Begins to build a child.
    pub(super) fn conceive(
        &mut self,
        node: NodeIndex,
        child: Arc<Child>,
        life: Incarnation,
        more: &mut Vec<Action>,
    ) {
        let takes = self.costs.of_birth(child.at, &mut self.toil);
        if takes == 0 {
            return self.spawn(node, &child, life, more);
        }
        if let Some(boot) = &mut self.nodes[node].boot {
            boot.unborn.insert((child.at, life));
            let at = self.time + takes;
            self.schedule(at, node, Occurrence::Birth(child, life));
        }
    }

    /// A child is built. Whether anybody wants it still, the switchboard says.
    pub(super) fn born(&mut self, node: NodeIndex, child: &Child, life: Incarnation) {
        let Some(boot) = &mut self.nodes[node].boot else {
            return;
        };
        boot.unborn.remove(&(child.at, life));
        let mut actions = Vec::new();
        self.spawn(node, child, life, &mut actions);
        self.act(node, actions);
    }

    fn spawn(&mut self, node: NodeIndex, child: &Child, life: Incarnation, more: &mut Vec<Action>) {
        let now = self.now(node);
        let at = child.at;
        if self.nodes[node].boot.is_none() {
            return;
        }
        self.trace
            .add(now, index_of(node), at, life, &TraceEvent::Start);
        if is_driver(at) {
            self.renew_driver(node, at, life);
        }
        let place = &mut self.nodes[node];
        let Some(boot) = &mut place.boot else { return };
        let begun = if is_driver(at) {
            Ok(())
        } else {
            let mut node_seed = [0; 32];
            node_seed[..8].copy_from_slice(&self.seed.to_le_bytes());
            node_seed[8..16].copy_from_slice(&(node as u64).to_le_bytes());
            let entropy = Entropy::of(&node_seed, at, life);
            let signer = Arc::clone(&place.signer) as _;
            boot.executor.spawn(child, life, Ctx { entropy, signer })
        };
        match begun {
            Ok(()) => {
                boot.mailboxes.insert(at, Mailbox::new(at, life));
                boot.switchboard.started(at, life, more);
            }
            Err(exit) => boot.switchboard.exited(now, at, life, exit, more),
        }
    }
}
