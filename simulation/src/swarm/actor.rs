//! Actors of a node, and letters that mean nothing to them.

use crate::Mesh;
use crate::event::NodeIndex;
use messages::gossip_store::Input as Records;
use messages::observer::{FactKey, Input as Observed};
use messages::peer_session::{Input as Session, LinkLoss};
use messages::ports::{gateway, store, transport};
use messages::request_proxy::{Failure, Input as Proxy};
use messages::roster::Input as Roster;
use messages::router::Input as Router;
use messages::{
    Address, DeviceId, Letter, LinkId, NetworkId, NodeId, RequestId, Token, inference_worker,
};
use serde::{Deserialize, Serialize};

/// What nobody knows.
const NOBODY: NodeId = NodeId([9; 32]);
const NO_NETWORK: NetworkId = NetworkId([9; 32]);
const NO_REQUEST: RequestId = RequestId { boot: 0, n: 0 };

/// An actor of a node, in words that do not depend on keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Actor {
    /// The database.
    Store,
    /// The transport.
    Transport,
    /// The gateway.
    Gateway,
    /// The control socket.
    Control,
    /// The router.
    Router,
    /// The observer.
    Observer,
    /// The roster of the only network.
    Roster,
    /// The records of the only network.
    Records,
    /// An engine.
    Engine(u16),
    /// Its worker.
    Worker(u16),
    /// The session with this node.
    Session(NodeIndex),
    /// A request.
    Proxy {
        /// The boot that it began in.
        boot: u64,
        /// Its number in that boot.
        n: u64,
    },
}

impl Actor {
    /// How an address is written; a stream is no actor.
    pub(super) fn of(mesh: &Mesh, who: Address) -> Option<Self> {
        Some(match who {
            Address::Store => Self::Store,
            Address::Transport => Self::Transport,
            Address::Gateway => Self::Gateway,
            Address::Control => Self::Control,
            Address::Router => Self::Router,
            Address::Observer => Self::Observer,
            Address::Roster(_) => Self::Roster,
            Address::GossipStore(_) => Self::Records,
            Address::Engine(device) => Self::Engine(device.0),
            Address::Worker(device) => Self::Worker(device.0),
            Address::Session(_, peer) => Self::Session(mesh.index(peer)?),
            Address::Proxy(request) => Self::Proxy {
                boot: request.boot,
                n: request.n,
            },
            Address::Stream(_) => return None,
        })
    }

    pub(super) fn address(self, mesh: &Mesh) -> Address {
        match self {
            Self::Store => Address::Store,
            Self::Transport => Address::Transport,
            Self::Gateway => Address::Gateway,
            Self::Control => Address::Control,
            Self::Router => Address::Router,
            Self::Observer => Address::Observer,
            Self::Roster => Address::Roster(mesh.network()),
            Self::Records => Address::GossipStore(mesh.network()),
            Self::Engine(device) => Address::Engine(DeviceId(device)),
            Self::Worker(device) => Address::Worker(DeviceId(device)),
            Self::Session(peer) => Address::Session(mesh.network(), mesh.id(peer)),
            Self::Proxy { boot, n } => Address::Proxy(RequestId { boot, n }),
        }
    }

    /// A letter that it takes for late news of what is long over: nothing comes of it but that it
    /// waits. All are of the class that a mailbox lets in even into its reserve.
    pub(super) fn late_news(self, mesh: &Mesh) -> Option<Letter> {
        let network = mesh.network();
        Some(match self {
            Self::Store => Letter::Store(store::Command::Load(store::Asker::Roster(NO_NETWORK))),
            Self::Transport => Letter::Transport(transport::Command::Detach(NO_NETWORK)),
            Self::Gateway => Letter::Gateway(gateway::Command::Failed {
                request: NO_REQUEST,
                why: Failure::Stopping,
            }),
            Self::Router => Letter::Router(Router::PeerGone {
                network: NO_NETWORK,
                peer: NOBODY,
            }),
            Self::Observer => Letter::Observer(Observed::Forget(FactKey::Device(DeviceId(999)))),
            Self::Roster => Letter::Roster(network, Roster::Committed(Token(u64::MAX))),
            Self::Records => Letter::GossipStore(network, Records::Gone(NOBODY)),
            Self::Worker(device) => {
                let sink = inference_worker::Sink::Proxy(NO_REQUEST);
                let cancel = inference_worker::Input::Cancel { sink, attempt: 0 };
                Letter::Worker(DeviceId(device), cancel)
            }
            Self::Session(peer) => {
                let (link, why) = (LinkId(u64::MAX), LinkLoss::TimedOut);
                let late = Session::LinkDown { link, why };
                Letter::Session(network, mesh.id(peer), late)
            }
            Self::Proxy { boot, n } => {
                let attempt = u32::MAX;
                Letter::Proxy(RequestId { boot, n }, Proxy::StreamEnded { attempt })
            }
            // An engine takes its commands at once, and keeps them while it stands still.
            Self::Engine(_) | Self::Control => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ask, State, millis, secs};

    #[test]
    fn full_mailboxes_are_full_to_the_limit_and_nothing_comes_of_what_is_in_them() {
        for reserve in [false, true] {
            let mut mesh = Mesh::seed(4).nodes(3).engines(&[0]).checked().build();
            mesh.run_for(secs(3));
            let client = mesh.ask(0, Ask::new(5).max_tokens(60));
            mesh.run_for(millis(300));
            let mut filled = 0;
            for who in mesh.addresses(0) {
                let Some(actor) = Actor::of(&mesh, who) else {
                    continue;
                };
                let Some(letter) = actor.late_news(&mesh) else {
                    assert!(matches!(actor, Actor::Engine(_)), "{actor:?}");
                    continue;
                };
                assert_eq!(letter.to(), who, "{actor:?}");
                assert!(mesh.fill(0, &letter, reserve), "{actor:?}");
                let limits = kernel::limits_of(who);
                let most = limits.letters + if reserve { limits.reserve } else { 0 };
                assert_eq!(mesh.waiting_for(0, who), most, "{actor:?}");
                filled += 1;
            }
            assert!(filled >= 10, "{filled}");
            mesh.run_for(secs(5));
            assert!(matches!(mesh.answer(client).state, State::Finished { .. }));
            assert_eq!(mesh.crashes(), Vec::<String>::new());
            mesh.assert_clean();
        }
    }
}
