//! How sessions' ends of links, and links, come to their end.

use super::Transport;
use super::dials::Dial;
use super::jobs::{End, Stream};
use crate::drivers::DriverOut;
use crate::event::NodeIndex;
use crate::network::{Body, Packet};
use messages::peer_session::{Input as Session, LinkLoss};
use messages::{Address, Letter, LinkId, NetworkId, NodeId, StreamId};

/// Ended links that are remembered: as many as there are sessions to ask about them.
const GONE_MAX: usize = 1_024;

impl Transport {
    /// The connections that it has with a peer.
    pub(crate) fn connections_with(&self, peer: NodeId) -> Vec<u64> {
        let with_peer = self.links.values().filter(|link| link.peer == peer);
        with_peer.map(|link| link.connection).collect()
    }

    /// The first job stream on which it serves this node: its connection, and its name there.
    pub(crate) fn serves(&self, peer: NodeIndex) -> Option<(u64, StreamId)> {
        let is_with = |stream: &&Stream| {
            let link = self.link_of(stream.connection);
            let link = link.and_then(|link| self.links.get(&link));
            matches!(stream.end, End::Serving(_)) && link.is_some_and(|it| it.peer_index == peer)
        };
        let stream = self.streams.values().find(is_with)?;
        Some((stream.connection, stream.number))
    }

    /// The connections that it has lost, and to whom.
    pub(crate) fn gone(&self) -> Vec<(LinkId, NodeId)> {
        self.gone
            .iter()
            .map(|(link, peer)| (*link, *peer))
            .collect()
    }

    /// The most frames of a link that wait for a session to speak, the most packets that wait for
    /// the answer to a dial, and the links that are remembered after their end.
    pub(crate) fn crowds(&self) -> (usize, usize, usize) {
        let carried = self.links.values().flat_map(|link| link.carried.values());
        let unheard = carried.map(|carried| carried.waiting.len()).max();
        let early = self.dials.values().map(Dial::early).max();
        (unheard.unwrap_or(0), early.unwrap_or(0), self.gone.len())
    }

    /// The session is over here: its streams end, and the link with its last session.
    pub(super) fn close(&mut self, link: LinkId, network: NetworkId, out: &mut DriverOut) {
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        entry.carried.remove(&network);
        if entry.carried.is_empty() {
            self.drop_link(link, out);
        }
    }

    /// Closes a connection and says so to nobody here.
    pub(super) fn drop_link(&mut self, link: LinkId, out: &mut DriverOut) {
        let Some(entry) = self.links.get(&link) else {
            return;
        };
        let (connection, to) = (entry.connection, entry.peer_index);
        out.packets.push(Packet {
            from: self.index,
            to,
            connection,
            body: Body::Close,
        });
        self.lose(link, LinkLoss::ClosedHere, out);
    }

    /// A connection is gone: its sessions and streams learn it.
    pub(super) fn lose(&mut self, link: LinkId, why: LinkLoss, out: &mut DriverOut) {
        let Some(entry) = self.links.remove(&link) else {
            return;
        };
        self.by_connection.remove(&entry.connection);
        self.unread.remove(&entry.connection);
        self.gone.insert(link, entry.peer);
        if self.gone.len() > GONE_MAX {
            kernel::sometimes!(true, "transport: the oldest link that is gone is forgotten");
            self.gone.pop_first();
        }
        self.end_streams_of(entry.connection, out);
        for network in entry.carried.into_keys() {
            let input = Session::LinkDown { link, why };
            out.tell(
                Address::Transport,
                Letter::Session(network, entry.peer, input),
            );
        }
        out.forgotten.push(entry.connection);
    }

    /// A frame found no room at its session: what follows it would be a stream with a hole.
    pub(super) fn overrun(&mut self, link: LinkId, network: NetworkId, out: &mut DriverOut) {
        self.end_session(link, network, LinkLoss::Overrun, out);
    }

    /// A session's end of a link is over, and the link with its last session.
    pub(super) fn end_session(
        &mut self,
        link: LinkId,
        network: NetworkId,
        why: LinkLoss,
        out: &mut DriverOut,
    ) {
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        if entry.carried.remove(&network).is_none() {
            // A frame before this one had the same fate.
            return;
        }
        let (peer, is_last) = (entry.peer, entry.carried.is_empty());
        let input = Session::LinkDown { link, why };
        out.tell(Address::Transport, Letter::Session(network, peer, input));
        if is_last {
            self.drop_link(link, out);
        }
    }
}
