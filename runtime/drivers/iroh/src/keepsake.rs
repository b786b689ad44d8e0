//! What outlives a restart of the driver within one boot.

use messages::{LinkId, NodeId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Held by the configuration, shared by all lives of one node's transport.
#[derive(Debug, Default)]
pub struct Keepsake {
    /// Where the first life came to listen: later ones listen there too, because peers know it.
    bound: OnceLock<Vec<SocketAddr>>,
    /// Whose a recent link was: a session may still send on it.
    peers: Mutex<BTreeMap<LinkId, NodeId>>,
    counts: Counts,
}

/// What was turned away. Every refusal of a stranger is counted somewhere here.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections refused because there was no room for another link or stranger.
    pub no_room: Count,
    /// Connections whose handshake failed or took too long.
    pub handshakes: Count,
    /// Streams whose preface did not come in time or made no sense.
    pub prefaces: Count,
    /// Streams that named a network which this node does not carry.
    pub tags: Count,
    /// Links closed because a stranger opened too many streams.
    pub early_streams: Count,
    /// Links closed because nobody was admitted on them in time.
    pub strangers: Count,
    /// Job streams of strangers, or without a readable request in time.
    pub jobs: Count,
    /// Control streams that carried something else than frames.
    pub bad_frames: Count,
    /// Sessions' ends of links that ended because frames found no room.
    pub overruns: Count,
    /// Streams reset because their writer made no progress.
    pub stalls: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// The number so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Keepsake {
    /// What was turned away so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Where the transport listens, once it does.
    #[must_use]
    pub fn bound(&self) -> Option<&[SocketAddr]> {
        self.bound.get().map(Vec::as_slice)
    }

    pub(crate) fn remember_bound(&self, addrs: Vec<SocketAddr>) {
        let _ = self.bound.set(addrs);
    }

    pub(crate) fn remember_peer(&self, link: LinkId, peer: NodeId) {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.insert(link, peer);
        if peers.len() > PEERS_MAX {
            peers.pop_first();
        }
    }

    pub(crate) fn peer_of(&self, link: LinkId) -> Option<NodeId> {
        self.peers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&link)
            .copied()
    }
}

/// Twice the links that can be up at once: a link is asked for only shortly after it ended.
const PEERS_MAX: usize = 2 * crate::links::LINKS_MAX;
