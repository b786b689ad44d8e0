//! One message to one actor. The address is derived from the letter, so a mismatched pair cannot
//! be written.

use crate::ports::{control, engine, gateway, store, stream, transport};
use crate::{
    Address, DeviceId, ModelId, NetworkId, NodeId, RequestId, StreamId, gossip_store,
    inference_worker, observer, peer_session, request_proxy, roster, router,
};
use serde::{Deserialize, Serialize};

/// One message to one actor of this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Letter {
    /// To the membership of a network.
    Roster(NetworkId, roster::Input),
    /// To the records of a network.
    GossipStore(NetworkId, gossip_store::Input),
    /// To the protocol with a peer.
    Session(NetworkId, NodeId, peer_session::Input),
    /// To the router.
    Router(router::Input),
    /// To a request in progress.
    Proxy(RequestId, request_proxy::Input),
    /// To the jobs of a device.
    Worker(DeviceId, inference_worker::Input),
    /// To the node's snapshot.
    Observer(observer::Input),
    /// To the transport.
    Transport(transport::Command),
    /// To one end of a job stream.
    Stream(StreamId, stream::Command),
    /// To a device's engine.
    Engine(DeviceId, engine::Command),
    /// To the HTTP server.
    Gateway(gateway::Command),
    /// To the database.
    Store(store::Command),
    /// To the control socket.
    Control(control::Command),
}

/// What may happen to a letter when a mailbox is full or its actor restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Class {
    /// Never shed while the mailbox's reserve lasts; parks while the actor restarts.
    Control,
    /// A newer one of the same key replaces it; parks while the actor restarts.
    Coalesce(Coalesce),
    /// What a peer says, counted by these bytes; refused when there is no room, and parks while the
    /// actor restarts.
    Frame(usize),
    /// Counted by these bytes; refused as Busy when there is no room, and while the actor restarts.
    Data(usize),
}

/// What makes one letter the successor of another to the same address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Coalesce {
    /// What a peer can serve, and how it is.
    Peer(NetworkId, NodeId),
    /// What a device can serve, and how it is.
    Device(DeviceId),
    /// A fact for the snapshot.
    Fact(observer::FactKey),
    /// The path to a peer.
    Path,
    /// This node's load.
    Load,
    /// The list of models.
    Models,
    /// A model that nobody at hand serves.
    Wanted(ModelId),
}

/// A letter was handed to an actor of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a letter to {to} reached an actor of another kind")]
pub struct WrongActor {
    /// Where it was going.
    pub to: Address,
}

impl Letter {
    /// Where it goes.
    #[must_use]
    pub const fn to(&self) -> Address {
        match self {
            Self::Roster(network, _) => Address::Roster(*network),
            Self::GossipStore(network, _) => Address::GossipStore(*network),
            Self::Session(network, peer, _) => Address::Session(*network, *peer),
            Self::Router(_) => Address::Router,
            Self::Proxy(request, _) => Address::Proxy(*request),
            Self::Worker(device, _) => Address::Worker(*device),
            Self::Observer(_) => Address::Observer,
            Self::Transport(_) => Address::Transport,
            Self::Stream(stream, _) => Address::Stream(*stream),
            Self::Engine(device, _) => Address::Engine(*device),
            Self::Gateway(_) => Address::Gateway,
            Self::Store(_) => Address::Store,
            Self::Control(_) => Address::Control,
        }
    }

    /// What may happen to it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Roster(_, input) => input.class(),
            Self::GossipStore(_, input) => input.class(),
            Self::Session(_, _, input) => input.class(),
            Self::Router(input) => input.class(),
            Self::Proxy(_, input) => input.class(),
            Self::Worker(_, input) => input.class(),
            Self::Observer(input) => input.class(),
            Self::Transport(command) => command.class(),
            Self::Stream(_, command) => command.class(),
            Self::Gateway(command) => command.class(),
            Self::Engine(..) | Self::Store(_) | Self::Control(_) => Class::Control,
        }
    }
}

macro_rules! input_from_letter {
    ($input:ty, $pattern:pat => $found:expr) => {
        impl TryFrom<Letter> for $input {
            type Error = WrongActor;
            fn try_from(letter: Letter) -> Result<Self, WrongActor> {
                match letter {
                    $pattern => Ok($found),
                    other => Err(WrongActor { to: other.to() }),
                }
            }
        }
    };
}

input_from_letter!(roster::Input, Letter::Roster(_, input) => input);
input_from_letter!(gossip_store::Input, Letter::GossipStore(_, input) => input);
input_from_letter!(peer_session::Input, Letter::Session(_, _, input) => input);
input_from_letter!(router::Input, Letter::Router(input) => input);
input_from_letter!(request_proxy::Input, Letter::Proxy(_, input) => input);
input_from_letter!(inference_worker::Input, Letter::Worker(_, input) => input);
input_from_letter!(observer::Input, Letter::Observer(input) => input);
