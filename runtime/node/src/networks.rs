//! Networks that this node is in: its own, and those that it joined by ticket.

use driver_store::Membership;
use messages::roster::{Contact, Seed};
use messages::{
    Credential, DeviceId, Grant, Label, Neighbourhood, NetworkId, NodeId, Ticket, TicketError, Wall,
};

/// Why a ticket does not open its network to this node.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Not a ticket.
    #[error(transparent)]
    Ticket(#[from] TicketError),
    /// Forged, damaged or expired.
    #[error(transparent)]
    Fault(#[from] roster::TicketFault),
    /// It opens this node's own network.
    #[error("this ticket opens the network of this very node: use it on another machine")]
    Own,
}

/// The membership that a ticket gives this node.
///
/// # Errors
/// [`JoinError`], each a sentence that says what to do.
pub fn membership_of(text: &str, me: NodeId, now: Wall) -> Result<Membership, JoinError> {
    let ticket = Ticket::parse(text)?;
    roster::verify_ticket(&roster::ed25519, &ticket, now)?;
    let Grant { owner, label, .. } = &ticket.grant.grant;
    if *owner == me {
        return Err(JoinError::Own);
    }
    Ok(Membership {
        owner: *owner,
        label: label.clone(),
        credential: roster::join(&ticket, me),
        contacts: vec![Contact {
            node: ticket.issuer,
            addrs: ticket.addrs.clone(),
        }],
    })
}

/// What the actor of a network is built from.
pub(crate) fn seed(
    membership: Membership,
    me: NodeId,
    boot: u64,
    devices: &[DeviceId],
    neighbourhood: Neighbourhood,
    version: &str,
) -> Seed {
    Seed {
        network: membership.network(),
        me,
        boot,
        owner: membership.owner,
        label: membership.label,
        credential: membership.credential,
        contacts: membership.contacts,
        devices: devices.to_vec(),
        neighbourhood,
        app_version: Label::truncated(version),
    }
}

/// This node's own network: it exists as soon as the node does.
pub(crate) fn own(me: NodeId) -> Membership {
    let label = Label::default();
    let credential = Credential::Owner {
        label: label.clone(),
    };
    Membership {
        owner: me,
        label,
        credential,
        contacts: Vec::new(),
    }
}

/// The id of this node's own network.
pub(crate) fn own_id(me: NodeId) -> NetworkId {
    own(me).network()
}
