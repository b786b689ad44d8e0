//! Whether this node itself still belongs.

use crate::Roster;
use crate::verify::{ed25519, verify_credential};
use kernel::Signed;
use messages::wire::latest::Deny;
use messages::{Credential, NodeId, Now, Wall};

/// What this node was told of its own membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) why: Deny,
    /// Whether it can be verified, or is the owner's own word. Any member may say anything: the
    /// word of one stops the dials of that one alone.
    proven: bool,
}

impl Roster {
    /// Whether a credential makes a peer a member, as far as is known.
    pub(crate) fn belongs(
        &self,
        peer: NodeId,
        credential: &Credential,
        now: Wall,
    ) -> Result<Option<Wall>, Deny> {
        if peer == self.seed.me {
            return Err(Deny::BadCredential);
        }
        let check = |signed: &Signed<'_>| self.ctx.signer.verify(signed, ed25519);
        let until = verify_credential(&check, self.seed.network, peer, credential, now)?;
        match self.tickets.is_revoked(credential) {
            true => Err(Deny::Revoked),
            false => Ok(until),
        }
    }

    /// A peer says that this node's membership is over.
    pub(crate) fn on_own_refusal(&mut self, now: Now, peer: NodeId, why: &Deny) {
        let credential = &self.seed.credential;
        let by_itself = *why == Deny::Expired && credential.is_over(now.wall);
        let by_owner = peer == self.seed.owner || self.tickets.is_revoked(credential);
        if by_itself || by_owner {
            self.on_proven_refusal(why.clone());
        } else if self.refused.is_none() {
            kernel::sometimes!(
                true,
                "roster: a member says without proof that this node is none"
            );
            self.refused = Some(Refused {
                why: why.clone(),
                proven: false,
            });
        }
    }

    /// This node's membership is over: it dials nobody any more.
    pub(crate) fn on_proven_refusal(&mut self, why: Deny) {
        self.refused = Some(Refused { why, proven: true });
        kernel::sometimes!(true, "roster: this node is a member no more");
        self.dials.paused = true;
    }

    /// A peer admits this node: that outweighs the word of any other, but not the owner's.
    pub(crate) fn on_own_admission(&mut self, now: Now, peer: NodeId) {
        let credential = &self.seed.credential;
        let over = credential.is_over(now.wall) || self.tickets.is_revoked(credential);
        let proven = self.refused.as_ref().is_some_and(|refused| refused.proven);
        if !over && (!proven || peer == self.seed.owner) {
            self.refused = None;
            self.dials.paused = self.is_loading();
        }
    }

    /// A membership that is over is noticed before the next dial.
    pub(crate) fn look_at_own_membership(&mut self, now: Now) {
        let credential = &self.seed.credential;
        if self.refused.as_ref().is_some_and(|refused| refused.proven) {
            return;
        }
        if credential.is_over(now.wall) {
            self.on_proven_refusal(Deny::Expired);
        } else if self.tickets.is_revoked(credential) {
            self.on_proven_refusal(Deny::Revoked);
        }
    }
}
