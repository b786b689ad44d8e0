//! The trace as text, for those who compare two runs.

use super::Mesh;
use crate::event::NodeIndex;
use messages::Refusal;
use messages::peer_session::Ended;
use messages::ports::transport::DialError;
use std::ops::Range;

impl Mesh {
    /// Remembers from now on why jobs are refused, sessions end and dials fail, and what nodes show
    /// of their network.
    pub fn hear_reasons(&mut self) {
        self.world.reasons.get_or_insert_default();
    }

    /// Why a node refused jobs that came by streams, in order.
    #[must_use]
    pub fn refusals(&self, node: NodeIndex) -> Vec<&Refusal> {
        let said = self.world.reasons.iter().flat_map(|said| &said.refusals);
        said.filter(|(at, _)| *at == node)
            .map(|(_, why)| why)
            .collect()
    }

    /// Why a node's sessions with another ended, in order.
    #[must_use]
    pub fn session_ends(&self, node: NodeIndex, with: NodeIndex) -> Vec<&Ended> {
        let peer = self.id(with);
        let said = self.world.reasons.iter().flat_map(|said| &said.ends);
        said.filter(|(at, with, _)| *at == node && *with == peer)
            .map(|(_, _, why)| why)
            .collect()
    }

    /// What a node's roster was told last of why a dial to another came to nothing.
    #[must_use]
    pub fn dial_error(&self, node: NodeIndex, to: NodeIndex) -> Option<&DialError> {
        let said = self.world.reasons.as_ref()?;
        said.dials.get(&(node, self.id(to)))
    }

    /// Why a node shows another as dialled and not reached; nothing where it does not show it.
    #[must_use]
    pub fn shown_unreached(&self, node: NodeIndex, of: NodeIndex) -> Option<&DialError> {
        let peer = self.id(of);
        let shown = self.world.reasons.as_ref()?.shown.get(&node)?;
        let found = shown.unreached.iter().find(|it| it.peer == peer);
        found.map(|it| &it.why)
    }

    /// Keeps these entries of the trace as text, counted from 0.
    pub fn show(&mut self, entries: Range<u64>) {
        self.world.trace.keep(entries);
    }

    /// The entries that are kept.
    #[must_use]
    pub fn shown(&self) -> &[String] {
        self.world.trace.lines()
    }
}
