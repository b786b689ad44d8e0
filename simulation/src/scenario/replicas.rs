//! Records: what nodes say, what is forged, and what is demanded.

use super::expectations::between;
use super::file::{FigureAt, ForgedRecord, Nodes, RecordIs};
use super::run::Run;
use super::values::Who;
use crate::About;

impl Run<'_> {
    /// A node says something under the first ids, or says it no more.
    pub(super) fn publish(
        &mut self,
        who: &Who,
        about: About,
        ids: u64,
        value: Option<&str>,
    ) -> bool {
        let node = self.find(who).filter(|node| self.mesh.is_up(*node));
        if let Some(node) = node {
            self.mesh.publish(node, about, 0..ids, value);
        }
        node.is_some()
    }

    pub(super) fn forge_record(&mut self, forged: &ForgedRecord) -> bool {
        let ends = (self.find(&forged.from), self.find(&forged.to));
        let (Some(from), Some(to)) = ends else {
            return false;
        };
        self.mesh.forge_record((from, to), forged.of, forged.how)
    }

    pub(super) fn agree(&self, nodes: &Nodes) -> Result<(), String> {
        self.pairs(nodes, |a, b| match self.mesh.holds_the_same(a, b) {
            true => Ok(()),
            false => Err(format!(
                "node {a} holds {} records and {b} others, {}",
                self.figure(a, "records"),
                self.figure(b, "records"),
            )),
        })
    }

    pub(super) fn record(&self, of: &RecordIs) -> Result<(), String> {
        let node = self.find(&of.node).ok_or("no such node")?;
        match self.mesh.record(node, of.of, of.about, of.id) {
            found if found == of.is => Ok(()),
            found => Err(format!("node {node} has {found:?} of node {}", of.of)),
        }
    }

    pub(super) fn record_figure(&self, at: &FigureAt) -> Result<(), String> {
        let node = self.find(&at.node).ok_or("no such node")?;
        let found = self.mesh.record_fact(node, &at.figure);
        let found = found.and_then(|found| found.parse().ok());
        let found = found.ok_or_else(|| format!("no figure is called `{}`", at.figure))?;
        between(&at.figure, found, at.at_least, at.at_most)
    }

    /// A figure of a node's gossip store; none where the node is down.
    pub(super) fn figure(&self, node: usize, name: &str) -> u64 {
        let found = self.mesh.record_fact(node, name);
        found.and_then(|found| found.parse().ok()).unwrap_or(0)
    }
}
