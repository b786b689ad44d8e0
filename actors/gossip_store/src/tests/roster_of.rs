//! The rosters of a world of stores: what each says of authors.

use super::*;

impl World {
    /// What a roster does that its gossip store asks.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what a gossip store asks")]
    pub(super) fn on_asked(&mut self, n: u8, asked: &roster::Input) {
        match asked {
            roster::Input::Who { peer, authors } => {
                let kept = self.kept[usize::from(n)].iter();
                let kept = kept.map(|member| id(*member));
                let kept = kept.filter(|member| authors.contains(member));
                let shown = kept.map(|member| (member, self.proof(member)));
                let said = Gossip::Credentials(List::truncated(shown.collect::<Vec<_>>()));
                let to = (0..self.nodes.len() as u8).find(|to| id(*to) == *peer);
                self.air.push_back((n, to.expect("somebody"), said));
            }
            roster::Input::Vouch { .. } if self.deaf > 0 => self.deaf -= 1,
            roster::Input::Vouch { from, shown } => {
                let (good, bad): (Vec<_>, Vec<_>) = shown
                    .iter()
                    .cloned()
                    .partition(|(author, credential)| self.belongs(*author, credential));
                if !bad.is_empty() {
                    let authors = bad.into_iter().map(|(author, _)| author).collect();
                    let from = *from;
                    self.tell(n, Input::NotVouched { from, authors });
                }
                if !good.is_empty() {
                    self.tell(n, Input::Vouched(good));
                }
            }
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// Why somebody belongs.
    pub(super) fn proof(&self, author: NodeId) -> Credential {
        proof_by(self.tickets[&author], author, None)
    }

    fn belongs(&self, author: NodeId, credential: &Credential) -> bool {
        let of = self.tickets.get(&author);
        of.is_some_and(|ticket| {
            let expected = proof_by(*ticket, author, end_of(credential));
            !self.withdrawn.contains(ticket) && *credential == expected
        })
    }
}

/// What a ticket makes of somebody, in a world whose rosters know each ticket's signature.
pub(super) fn proof_by(ticket: u8, author: NodeId, expires: Option<Wall>) -> Credential {
    let grant = Grant {
        owner: id(0),
        label: Label::truncated("x"),
        ticket: TicketKey([ticket; 32]),
        name: Label::default(),
        issued: Wall(0),
        expires,
    };
    let signature = key(0).sign(&[]);
    let joined = key(ticket).sign(&author.0);
    let grant = Box::new(SignedGrant { grant, signature });
    Credential::Ticket { grant, joined }
}

fn end_of(credential: &Credential) -> Option<Wall> {
    match credential {
        Credential::Owner { .. } => None,
        Credential::Ticket { grant, .. } => grant.grant.expires,
    }
}
