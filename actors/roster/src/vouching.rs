//! Proofs of membership for records: those that others show for authors that this node has never
//! heard of, and those of members for whoever has had records of theirs.

use crate::Roster;
use kernel::Outbox;
use messages::gossip_store::Input;
use messages::wire::latest::{AUTHORS_MAX, Gossip};
use messages::{Credential, Letter, List, NodeId, Now, TicketKey, Wall, peer_session};

impl Roster {
    /// The gossip store was shown proofs. Whoever belongs is no member that is kept for that, and
    /// is not dialled: it may be one of thousands.
    pub(crate) fn on_vouch(
        &mut self,
        now: Now,
        from: NodeId,
        shown: Vec<(NodeId, Credential)>,
        out: &mut Outbox,
    ) {
        kernel::sometimes!(
            self.is_loading(),
            "roster: a proof is shown before the disk spoke"
        );
        if self.is_loading() {
            // Who may be revoked is not vouched for. It is shown again.
            return;
        }
        let belongs = |(author, credential): &(NodeId, Credential)| {
            self.belongs(*author, credential, now.wall).is_ok()
        };
        let (vouched, others): (Vec<_>, Vec<_>) = shown.into_iter().partition(belongs);
        if !others.is_empty() {
            kernel::sometimes!(true, "roster: what is shown for an author is no proof");
            self.skipped += others.len() as u64;
            let authors = others.into_iter().map(|(author, _)| author).collect();
            self.tell_records(Input::NotVouched { from, authors }, out);
        }
        if !vouched.is_empty() {
            self.tell_records(Input::Vouched(vouched), out);
        }
    }

    /// A peer has had records of these from this node.
    pub(crate) fn on_who(
        &self,
        now: Now,
        peer: NodeId,
        authors: &List<NodeId, AUTHORS_MAX>,
        out: &mut Outbox,
    ) {
        let found = authors.iter().filter_map(|author| {
            let credential = self.credential_of(*author, now.wall)?;
            Some((*author, credential.clone()))
        });
        let found: List<_, AUTHORS_MAX> = List::truncated(found);
        if !found.is_empty() {
            let said = Box::new(Gossip::Credentials(found));
            self.to_session(peer, peer_session::Input::Gossip(said), out);
        }
    }

    fn credential_of(&self, author: NodeId, now: Wall) -> Option<&Credential> {
        let known = match author == self.seed.me {
            true => &self.seed.credential,
            false => &self.table.get(author)?.credential,
        };
        Some(known).filter(|credential| !credential.is_over(now))
    }

    /// Whom a withdrawn ticket made an author, the gossip store knows.
    pub(crate) fn tell_revoked(&self, tickets: Vec<TicketKey>, out: &mut Outbox) {
        if !self.is_loading() && !tickets.is_empty() {
            self.tell_records(Input::Revoked(tickets), out);
        }
    }

    pub(crate) fn tell_records(&self, input: Input, out: &mut Outbox) {
        out.tell(Letter::GossipStore(self.seed.network, input));
    }
}
