//! Dialling.

use crate::shared::{Shared, code};
use iroh::endpoint::{
    ConnectError, ConnectWithOptsError, ConnectingError, Connection, ConnectionError,
};
use iroh::{EndpointAddr, EndpointId};
use messages::ports::transport::DialError;
use messages::wire::latest::ALPN;
use messages::{NetworkId, NodeId, roster};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

impl Shared {
    /// Connects to a peer, or uses the connection that there is.
    pub(crate) fn dial(self: &Arc<Self>, network: NetworkId, peer: NodeId, addrs: &[SocketAddr]) {
        let mut links = self.links();
        let fail = |why| self.tell_roster(network, roster::Input::DialFailed { peer, why });
        if peer == self.me {
            return fail(DialError::WrongPeer);
        }
        if !links.attached.contains(&network) {
            return fail(DialError::Closed);
        }
        if let Some(link) = links.link_to(peer, network) {
            return self.carry(&mut links, link, network);
        }
        if addrs.is_empty() {
            return fail(DialError::NoAddress);
        }
        let Ok(id) = EndpointId::from_bytes(&peer.0) else {
            return fail(DialError::WrongPeer);
        };
        if let Some(waiting) = links.dials.get_mut(&peer) {
            if !waiting.contains(&network) {
                waiting.push(network);
            }
            return;
        }
        if links.dials.len() >= DIALS_MAX {
            return fail(DialError::TimedOut);
        }
        links.dials.insert(peer, vec![network]);
        let addr = addrs
            .iter()
            .fold(EndpointAddr::new(id), |to, addr| to.with_ip_addr(*addr));
        self.spawn(Arc::clone(self).dial_out(peer, addr));
    }

    async fn dial_out(self: Arc<Self>, peer: NodeId, addr: EndpointAddr) {
        let Some(endpoint) = self.endpoint.get() else {
            return;
        };
        let result = match timeout(DIAL_WAIT, endpoint.connect(addr, ALPN)).await {
            Ok(result) => result.map_err(|error| why_not(&error)),
            Err(_) => Err(DialError::TimedOut),
        };
        let mut links = self.links();
        let networks = links.dials.remove(&peer).unwrap_or_default();
        let link = result.and_then(|conn: Connection| match conn.remote_id().as_bytes() {
            id if *id != peer.0 => {
                conn.close(code::OVER, b"another node was called");
                Err(DialError::WrongPeer)
            }
            _ => self
                .add_link(&mut links, conn, None)
                .ok_or(DialError::Refused),
        });
        for network in networks {
            match &link {
                Ok(link) if links.attached.contains(&network) => {
                    self.carry(&mut links, *link, network);
                }
                Ok(_) => {}
                Err(why) => {
                    let why = why.clone();
                    self.tell_roster(network, roster::Input::DialFailed { peer, why });
                }
            }
        }
        if let Ok(link) = link {
            self.close_if_unused(&mut links, link, "the network was left");
        }
    }
}

fn why_not(error: &ConnectError) -> DialError {
    let cause = match error {
        ConnectError::Connect { source, .. } => return why_not_begun(source),
        ConnectError::Connecting { source, .. } => match source {
            ConnectingError::ConnectionError { source, .. } => source,
            ConnectingError::HandshakeFailure { .. } => return DialError::WrongPeer,
            ConnectingError::InternalConsistencyError { .. }
            | ConnectingError::LocallyRejected { .. }
            | _ => return DialError::Closed,
        },
        ConnectError::Connection { source, .. } => source,
        _ => return DialError::Closed,
    };
    match cause {
        ConnectionError::TimedOut => DialError::TimedOut,
        // Our own check of the peer's key is what fails a handshake on this side.
        ConnectionError::TransportError(_) => DialError::WrongPeer,
        ConnectionError::LocallyClosed | ConnectionError::CidsExhausted => DialError::Closed,
        ConnectionError::ConnectionClosed(_)
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::VersionMismatch
        | ConnectionError::Reset => DialError::Refused,
    }
}

fn why_not_begun(error: &ConnectWithOptsError) -> DialError {
    match error {
        ConnectWithOptsError::NoAddress { .. } => DialError::NoAddress,
        ConnectWithOptsError::SelfConnect { .. } => DialError::WrongPeer,
        ConnectWithOptsError::Noq { .. }
        | ConnectWithOptsError::InternalConsistencyError { .. }
        | ConnectWithOptsError::LocallyRejected { .. }
        | ConnectWithOptsError::EndpointClosed { .. }
        | ConnectWithOptsError::InvalidAlpn { .. }
        | _ => DialError::Closed,
    }
}

/// A dead address answers nothing: 30 s is what QUIC itself would wait.
const DIAL_WAIT: Duration = Duration::from_secs(5);
/// Dials at once: eight for each of a few networks.
const DIALS_MAX: usize = 64;
