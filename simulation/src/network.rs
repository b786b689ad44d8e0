//! The network between simulated nodes: connections whose streams are reliable and in order, each
//! by itself, over paths with latency, jitter, cuts and silence.

use crate::event::{NodeIndex, Time};
use kernel::Entropy;
use messages::{Micros, NetworkId, NodeId, StreamId};
use std::collections::{BTreeMap, BTreeSet};

/// Silence after which a connection is given up, as the real transport is configured.
pub(crate) const IDLE_TIMEOUT: Micros = Micros::from_secs(10);
/// How long a dial waits for an answer, as the real transport does.
pub(crate) const DIAL_TIMEOUT: Micros = Micros::from_secs(5);

/// One-way delay of every path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// The shortest.
    pub base: Micros,
    /// What may come on top, drawn per packet.
    pub jitter: Micros,
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A handshake begins; TLS proves the dialler.
    Dial { dialler: NodeId, wanted: NodeId },
    /// It was answered.
    Accepted { acceptor: NodeId },
    /// Somebody else answers at this address.
    WrongPeer,
    /// A control frame of a session.
    Control { network: NetworkId, bytes: Vec<u8> },
    /// A job stream begins with its request. `stream` is the asking side's number for it.
    JobOpen {
        network: NetworkId,
        stream: StreamId,
        bytes: Vec<u8>,
    },
    /// A reply on a job stream, to the asking side.
    JobReply { stream: StreamId, bytes: Vec<u8> },
    /// The serving side finished or reset the stream.
    JobEnd { stream: StreamId },
    /// The asking side reset the stream.
    JobCancel { stream: StreamId },
    /// The connection is closed.
    Close,
}

/// A packet on its way.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) from: NodeIndex,
    pub(crate) to: NodeIndex,
    /// Names the connection in the world; each end has its own link id for it.
    pub(crate) connection: u64,
    pub(crate) body: Body,
}

impl Packet {
    /// Packets of one channel arrive in order.
    const fn channel(&self) -> u64 {
        match &self.body {
            Body::JobOpen { stream, .. }
            | Body::JobReply { stream, .. }
            | Body::JobEnd { stream }
            | Body::JobCancel { stream } => stream.0 + 1,
            Body::Dial { .. }
            | Body::Accepted { .. }
            | Body::WrongPeer
            | Body::Control { .. }
            | Body::Close => 0,
        }
    }
}

type Channel = (NodeIndex, NodeIndex, u64, u64);

/// All paths.
#[derive(Debug)]
pub(crate) struct Network {
    latency: Latency,
    entropy: Entropy,
    /// Directed pairs between which nothing passes, and since when.
    cut: BTreeMap<(NodeIndex, NodeIndex), Time>,
    /// Nodes that neither send nor acknowledge: dead or frozen.
    silent: BTreeMap<NodeIndex, Time>,
    last_arrival: BTreeMap<Channel, Time>,
    /// What a cut holds back; the transport would send it again and again.
    held: Vec<Packet>,
    connections: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Network {
    pub(crate) const fn new(latency: Latency, entropy: Entropy) -> Self {
        Self {
            latency,
            entropy,
            cut: BTreeMap::new(),
            silent: BTreeMap::new(),
            last_arrival: BTreeMap::new(),
            held: Vec::new(),
            connections: 0,
            packets: 0,
            bytes: 0,
        }
    }

    /// A number for a new connection.
    pub(crate) const fn connection(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// When the packet arrives; nothing where it is held back.
    pub(crate) fn send(&mut self, now: Time, packet: &Packet) -> Option<Time> {
        self.packets += 1;
        self.bytes += match &packet.body {
            Body::Control { bytes, .. }
            | Body::JobOpen { bytes, .. }
            | Body::JobReply { bytes, .. } => bytes.len() as u64,
            Body::Dial { .. }
            | Body::Accepted { .. }
            | Body::WrongPeer
            | Body::JobEnd { .. }
            | Body::JobCancel { .. }
            | Body::Close => 64,
        };
        if self.cut.contains_key(&(packet.from, packet.to)) {
            self.held.push(packet.clone());
            return None;
        }
        let delay = self.latency.base.0 + self.entropy.below(self.latency.jitter.0 + 1);
        let channel = (packet.from, packet.to, packet.connection, packet.channel());
        let floor = self.last_arrival.get(&channel).map_or(0, |last| last + 1);
        let at = (now + delay).max(floor);
        self.last_arrival.insert(channel, at);
        Some(at)
    }

    /// Forgets what is held back of a connection that one end has given up.
    pub(crate) fn forget_later(&mut self, connection: u64) {
        self.held.retain(|packet| packet.connection != connection);
    }

    /// Forgets the order of channels whose last packet has long arrived.
    pub(crate) fn tidy(&mut self, now: Time) {
        self.last_arrival.retain(|_, last| *last >= now);
    }

    /// Cuts both directions between two sets of nodes.
    pub(crate) fn cut(&mut self, now: Time, one: &BTreeSet<NodeIndex>, two: &BTreeSet<NodeIndex>) {
        for a in one {
            for b in two {
                self.cut.entry((*a, *b)).or_insert(now);
                self.cut.entry((*b, *a)).or_insert(now);
            }
        }
    }

    /// Mends every cut; gives back what was held, in order.
    pub(crate) fn heal(&mut self) -> Vec<Packet> {
        self.cut.clear();
        std::mem::take(&mut self.held)
    }

    /// A node falls silent, or speaks again.
    pub(crate) fn silence(&mut self, now: Time, node: NodeIndex, silent: bool) {
        if silent {
            self.silent.entry(node).or_insert(now);
        } else {
            self.silent.remove(&node);
        }
    }

    /// Since when `node` hears nothing from `peer`.
    pub(crate) fn deaf_since(&self, node: NodeIndex, peer: NodeIndex) -> Option<Time> {
        let cut = self.cut.get(&(peer, node));
        let silent = self.silent.get(&peer);
        cut.into_iter().chain(silent).min().copied()
    }
}
