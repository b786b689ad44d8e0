//! What the membership of a network may be told.

use crate::bounded::{Label, List};
use crate::limits::{ADDRS_MAX, INTRODUCTIONS_MAX, MODELS_MAX, NAME_BYTES_MAX};
use crate::peer_session::Ended;
use crate::ports::store::Item;
use crate::ports::transport::DialError;
use crate::wire::latest::{AUTHORS_MAX, Introduction, Load};
use crate::{
    Class, Coalesce, Credential, DeviceId, LinkId, ModelAdvert, ModelId, Neighbourhood, NetworkId,
    NodeId, QueryId, SignedRecord, TicketKey, Token, Wall,
};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What a roster is built from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seed {
    /// The network.
    pub network: NetworkId,
    /// This node.
    pub me: NodeId,
    /// This boot of it.
    pub boot: u64,
    /// Who signs grants and revocations.
    pub owner: NodeId,
    /// The owner's label of it.
    pub label: Label<NAME_BYTES_MAX>,
    /// Why this node belongs.
    pub credential: Credential,
    /// Whom to dial first, from the ticket or the configuration.
    pub contacts: Vec<Contact>,
    /// The devices whose workers report what this node serves.
    pub devices: Vec<DeviceId>,
    /// How many sessions it looks for, and how many it keeps.
    pub neighbourhood: Neighbourhood,
    /// The program's version, for the advert.
    pub app_version: Label<NAME_BYTES_MAX>,
}

/// A node and where it may be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Who.
    pub node: NodeId,
    /// Where.
    pub addrs: List<SocketAddr, ADDRS_MAX>,
}

/// What a roster may be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// From the store: what is durable.
    Loaded(Vec<Item>),
    /// From the store: a write is durable.
    Committed(Token),
    /// From the store: a write failed; nothing that depends on it may be sent.
    CommitFailed(Token),
    /// From the transport: where this node listens.
    Bound(List<SocketAddr, ADDRS_MAX>),
    /// From the transport: a connection carries this network.
    LinkUp {
        /// Who, as TLS proved.
        peer: NodeId,
        /// The connection.
        link: LinkId,
        /// Whether this side dialled.
        dialled: bool,
    },
    /// From the transport: no connection came of a dial.
    DialFailed {
        /// Who was dialled.
        peer: NodeId,
        /// Why not.
        why: DialError,
    },
    /// From a session: is this peer a member?
    Judge {
        /// Who, as TLS proved.
        peer: NodeId,
        /// Why it says so.
        credential: Box<Credential>,
    },
    /// From a session: both sides have admitted each other.
    Active {
        /// The peer.
        peer: NodeId,
    },
    /// From a session: it is over.
    Ended {
        /// The peer.
        peer: NodeId,
        /// Why.
        why: Ended,
    },
    /// From a session that was to be let go: it is in use.
    InUse {
        /// The peer.
        peer: NodeId,
    },
    /// From the router: a request asks for a model that nobody at hand can serve now.
    Wanted {
        /// Which.
        model: ModelId,
    },
    /// From a session: the peer names members.
    Introduced {
        /// Who named them.
        from: NodeId,
        /// Whom.
        entries: List<Introduction, INTRODUCTIONS_MAX>,
    },
    /// From a session: the peer passes on a revocation.
    Revoked {
        /// Who passed it on.
        from: NodeId,
        /// The owner's word.
        record: Box<SignedRecord>,
    },
    /// From the gossip store: do these belong, by what a peer shows?
    Vouch {
        /// The peer.
        from: NodeId,
        /// What it shows.
        shown: Vec<(NodeId, Credential)>,
    },
    /// From the gossip store: a peer that has had records of these asks why they belong.
    Who {
        /// The peer.
        peer: NodeId,
        /// Of whom.
        authors: List<NodeId, AUTHORS_MAX>,
    },
    /// From a worker: what a device serves.
    Models {
        /// The device.
        device: DeviceId,
        /// What it serves.
        models: List<ModelAdvert, MODELS_MAX>,
    },
    /// From a worker: how busy a device is.
    Load {
        /// The device.
        device: DeviceId,
        /// How busy.
        load: Load,
    },
    /// From the control socket.
    Admin {
        /// Names the answer.
        query: QueryId,
        /// What is asked.
        request: AdminRequest,
    },
    /// The node leaves: nobody is dialled, and no session begins any more.
    Leave,
}

/// What a human asks of a roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// Make a ticket.
    TicketNew {
        /// What to call it.
        name: Label<NAME_BYTES_MAX>,
        /// When the membership that it grants ends.
        expires: Option<Wall>,
    },
    /// List the tickets that this node issued.
    TicketList,
    /// End what a ticket grants.
    TicketRevoke {
        /// Which.
        ticket: TicketKey,
    },
}

impl Input {
    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Load { device, .. } => Class::Coalesce(Coalesce::Device(*device)),
            Self::Wanted { model } => Class::Coalesce(Coalesce::Wanted(*model)),
            Self::Introduced { entries, .. } => Class::Data(entries.len() * 1024),
            Self::Vouch { shown, .. } => Class::Data(shown.len() * 1024),
            Self::Who { .. } => Class::Data(1024),
            Self::Loaded(_)
            | Self::Committed(_)
            | Self::CommitFailed(_)
            | Self::Bound(_)
            | Self::LinkUp { .. }
            | Self::DialFailed { .. }
            | Self::Judge { .. }
            | Self::Active { .. }
            | Self::Ended { .. }
            | Self::InUse { .. }
            | Self::Revoked { .. }
            | Self::Models { .. }
            | Self::Admin { .. }
            | Self::Leave => Class::Control,
        }
    }
}
