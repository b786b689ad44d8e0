//! Mailboxes without room, and what was turned away.

use super::{ClientId, Mesh};
use crate::event::NodeIndex;
use kernel::{Effect, Source};
use messages::{Address, Letter};

impl Mesh {
    /// Sends this letter until the mailbox of whom it is for has no room for data any more; with
    /// `reserve`, none for anything. Tells whether it is so.
    pub fn fill(&mut self, node: NodeIndex, letter: &Letter, reserve: bool) -> bool {
        let room = self.room(node, letter, reserve).unwrap_or(0);
        let letters = vec![Effect::Tell(letter.clone()); room];
        self.world.apply(node, Source::World, letters);
        self.room(node, letter, reserve) == Some(0)
    }

    /// Whether a piece of this client's text found no room at the server: the server says so, and
    /// does not leave a hole.
    #[must_use]
    pub fn has_shed(&self, client: ClientId) -> bool {
        self.world
            .text_shed
            .contains(&(client.node, client.request))
    }

    /// Letters and signals that wait for an actor of a node.
    #[must_use]
    pub fn waiting_for(&self, node: NodeIndex, who: Address) -> usize {
        let boot = self.world.nodes[node].boot.as_ref();
        let mailbox = boot.and_then(|boot| boot.mailboxes.get(&who));
        mailbox.map_or(0, |mailbox| mailbox.mail.len())
    }

    fn room(&self, node: NodeIndex, letter: &Letter, reserve: bool) -> Option<usize> {
        let boot = self.world.nodes[node].boot.as_ref()?;
        let mailbox = boot.mailboxes.get(&letter.to())?;
        let more = if reserve { mailbox.limits.reserve } else { 0 };
        let most = mailbox.limits.letters + more;
        Some(most.saturating_sub(mailbox.depth.letters))
    }
}
