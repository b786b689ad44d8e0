//! The network between simulated nodes: connections whose streams are reliable and in order, each
//! by itself, over paths with latency, jitter, loss, cuts and silence, and through NAT boxes.
//!
//! It is a model of iroh's QUIC, not QUIC itself: `docs/decisions/0002-a-model-of-the-transport.md`
//! says why, and which facts it has to match. A packet here is what a driver hands to the
//! transport: a frame, or a turn of a connection. Acknowledgements, keep-alives and probes are not
//! packets; their effect is worked out when it matters.

mod connection;
mod faults;
mod ground;
mod hearing;
mod nat;
mod packet;
mod passage;
mod path;
mod punch;
#[cfg(test)]
mod tests;

pub use ground::Obstacle;
pub(crate) use ground::Reach;
pub(crate) use hearing::Hearing;
pub use nat::{Dependence, Nat};
pub(crate) use packet::{Body, Packet, Way};
pub(crate) use passage::Dialling;
pub use path::{Latency, PathModel, Tail};

use crate::event::{NodeIndex, Occurrence, Time};
use connection::{Connections, Hold};
use faults::{Faults, NodeSet};
use ground::Ground;
use kernel::Entropy;
use messages::{Micros, NodeId};
use path::Paths;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Silence after which a connection is given up, as the real transport is configured.
pub(crate) const IDLE_TIMEOUT: Micros = Micros::from_secs(10);
/// How long a dial waits for an answer, as the real transport does.
pub(crate) const DIAL_TIMEOUT: Micros = Micros::from_secs(5);
/// After how long an unanswered first packet is sent again: QUIC's probe time-out while no round
/// trip is known (RFC 9002, 6.2.2), and iroh's cap on all later ones.
pub(crate) const DIAL_RETRY: Micros = Micros(PTO_MAX);
/// After how long an end that has nothing to say sends a sign of life, as the real transport is
/// configured: what keeps the mappings of NAT boxes.
pub(crate) const KEEP_ALIVE: Micros = Micros::from_secs(3);
/// The longest wait between two tail-loss probes: iroh's cap where the idle time is under 25 s.
const PTO_MAX: u64 = 1_000_000;

/// Between two nodes behind one box.
const LAN: Latency = Latency::new(Micros(200), Micros(300));

/// By what sort of path two nodes speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathClass {
    /// From address to address.
    Direct,
    /// Through a relay.
    Relayed,
    /// Not at all, and what stood in the way of the last dial.
    None(Option<Obstacle>),
}

/// What the network is made of.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Every path, unless told.
    pub(crate) path: PathModel,
    /// Boxes, in the order in which they are put before nodes.
    pub(crate) boxes: Vec<(Vec<NodeIndex>, Nat)>,
    /// Whether nodes learn their outside addresses from whom they dial.
    pub(crate) reflection: bool,
    /// The path from a node to the relay, where there is one.
    pub(crate) relay: Option<PathModel>,
}

/// How often rare things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that arrived twice. The transport took those of streams once.
    pub duplicates: u64,
    /// Packets that a cut, a clog or a box held back.
    pub held: u64,
    /// Connections that went on from another address.
    pub migrations: u64,
    /// Connections that left the relay for a direct path.
    pub upgrades: u64,
    /// Connections that fell back to the relay.
    pub downgrades: u64,
}

/// The relay, and whom it knows.
#[derive(Debug)]
struct Relay {
    leg: PathModel,
    members: BTreeMap<NodeId, NodeIndex>,
}

/// What becomes of a packet.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It arrives.
    Arrives(Time, Packet),
    /// It arrives twice.
    Twice([Time; 2], Packet),
    /// It is lost, or held back: then an errand sends it again.
    Gone,
}

/// Something that the network has a node do later.
#[derive(Debug)]
pub(crate) struct Errand {
    pub(crate) at: Time,
    pub(crate) node: NodeIndex,
    pub(crate) what: Occurrence,
}

/// All paths.
#[derive(Debug)]
pub(crate) struct Network {
    entropy: Entropy,
    paths: Paths,
    faults: Faults,
    connections: Connections,
    ground: Ground,
    reflection: bool,
    relay: Option<Relay>,
    /// Why nothing came of the last dial of one node to another, where boxes are about.
    obstacles: BTreeMap<(NodeIndex, NodeId), Obstacle>,
    errands: Vec<Errand>,
    pub(crate) counts: Counts,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// Packets of directions that somebody counts.
    counted: Vec<((NodeIndex, NodeIndex), u64)>,
    /// Dials that each node has begun.
    pub(crate) dials: BTreeMap<NodeIndex, u64>,
}

impl Plan {
    /// Paths alike, no boxes.
    pub(crate) const fn new(path: PathModel) -> Self {
        let boxes = Vec::new();
        Self {
            path,
            boxes,
            reflection: false,
            relay: None,
        }
    }
}

impl Network {
    pub(crate) fn new(plan: &Plan, nodes: &[NodeId], entropy: Entropy) -> Self {
        let mut ground = Ground::new(nodes.len());
        for (behind, nat) in &plan.boxes {
            ground.shelter(behind, *nat);
        }
        let mut paths = Paths::new(plan.path);
        for (one, two) in ground.neighbours() {
            paths.set(one, two, PathModel::new(LAN));
        }
        let relay = plan.relay.map(|leg| Relay {
            leg,
            members: nodes.iter().copied().zip(0..).collect(),
        });
        Self {
            entropy,
            paths,
            faults: Faults::default(),
            connections: Connections::default(),
            ground,
            reflection: plan.reflection,
            relay,
            obstacles: BTreeMap::new(),
            errands: Vec::new(),
            counts: Counts::default(),
            packets: 0,
            bytes: 0,
            counted: Vec::new(),
            dials: BTreeMap::new(),
        }
    }

    /// A connection that a node begins.
    pub(crate) fn begin(&mut self, node: NodeIndex) -> u64 {
        *self.dials.entry(node).or_default() += 1;
        self.connections.begin(node)
    }

    /// Where a node listens, as it knows itself.
    pub(crate) fn address(&self, node: NodeIndex) -> SocketAddr {
        self.ground.address(node).into()
    }

    /// The outside address that a node learns from an answer to its dial; nothing where nobody
    /// tells, or where the other side is a neighbour.
    pub(crate) fn reflected(&self, node: NodeIndex, way: &Way) -> Option<SocketAddr> {
        let outside = way.seen != self.ground.address(node) && !ground::is_private(*way.seen.ip());
        (self.reflection && !way.relayed && outside).then(|| way.seen.into())
    }

    /// What the network has nodes do later, since it was asked last.
    pub(crate) fn errands(&mut self) -> Vec<Errand> {
        std::mem::take(&mut self.errands)
    }

    /// Whether there is anything to be done.
    pub(crate) const fn has_errands(&self) -> bool {
        !self.errands.is_empty()
    }

    /// Gives some paths, in one direction, a model of their own.
    pub(crate) fn set_path(&mut self, from: &[NodeIndex], to: &[NodeIndex], path: PathModel) {
        for one in from {
            for two in to {
                self.paths.set(*one, *two, path);
            }
        }
    }

    /// From now on nothing passes from one set of nodes to another.
    pub(crate) fn cut(&mut self, now: Time, from: &[NodeIndex], to: &[NodeIndex]) {
        self.faults.cut(now, NodeSet::of(from), NodeSet::of(to));
        self.check_hearing(now);
    }

    /// Until then, what passes from one set of nodes to another waits.
    pub(crate) fn clog(&mut self, now: Time, from: &[NodeIndex], to: &[NodeIndex], span: Micros) {
        let until = now + span.0;
        let (from, to) = (NodeSet::of(from), NodeSet::of(to));
        self.faults.clog(now, until, from, to);
        if span >= IDLE_TIMEOUT {
            self.check_hearing(now);
        }
    }

    /// When the last clog ends.
    pub(crate) fn clogged_until(&self) -> Time {
        self.faults.clogged_until()
    }

    /// Mends every cut. What was held back is sent again when its sender next tries.
    pub(crate) fn heal(&mut self, now: Time) {
        self.faults.heal();
        for (name, connection) in self.connections.all() {
            let peers = connection.ends.iter().rev();
            let ends = connection.ends.iter().zip(peers);
            for ((end, peer), lane) in ends.zip(&connection.lanes) {
                if let Some(since) = lane.blocked {
                    let path = self.paths.of(end.node, peer.node);
                    let at = passage::next_try(since, now, path);
                    self.errands.push(Errand {
                        at,
                        node: end.node,
                        what: Occurrence::Resend(name),
                    });
                }
            }
        }
    }

    /// A node falls silent, or speaks again.
    pub(crate) fn silence(&mut self, now: Time, node: NodeIndex, silent: bool) {
        if silent {
            self.faults.fall_silent(now, node);
        } else if let Some(since) = self.faults.speak(node) {
            self.woke(now, node, since);
        }
    }

    /// Connections that a node holds, with whom.
    pub(crate) fn held_by(&self, node: NodeIndex) -> Vec<(u64, NodeIndex)> {
        let mut held = Vec::new();
        for (name, connection) in self.connections.all() {
            for side in [connection::DIALLER, connection::ACCEPTOR] {
                let (end, rest) = (&connection.ends[side], &connection.ends[1 - side]);
                if end.node == node && end.hold == Hold::Open && rest.hold == Hold::Open {
                    held.push((name, rest.node));
                }
            }
        }
        held
    }

    /// Whether no fault stands between two nodes, either way.
    pub(crate) fn is_open(&self, now: Time, one: NodeIndex, two: NodeIndex) -> bool {
        let faulty = |from, to| {
            self.faults.cut_since(from, to).is_some()
                || self.faults.clogged(now, from, to).is_some()
                || self.faults.silent_since(from).is_some()
                || !self.faults.reads(from, to)
        };
        !faulty(one, two) && !faulty(two, one)
    }

    /// Whether a node stands behind a box, so that not everybody can reach it.
    pub(crate) fn is_boxed(&self, node: NodeIndex) -> bool {
        self.ground.is_boxed(node) || self.ground.is_walled(node)
    }

    /// What must come of dials from one node to another: with a relay, they get through.
    pub(crate) fn reach(&self, from: NodeIndex, to: NodeIndex) -> Reach {
        match self.relay {
            Some(_) => Reach::Known,
            None => self.ground.reach(from, to, self.reflection),
        }
    }

    /// Whether anybody still waits for an answer on this connection.
    pub(crate) fn is_wanted(&self, connection: u64) -> bool {
        let end = self.connections.get(connection).map(|of| of.ends[0]);
        end.is_some_and(|end| end.hold == Hold::Open)
    }

    /// By what sort of path two nodes speak, of which the second has this id.
    pub(crate) fn class(&self, one: NodeIndex, two: NodeIndex, id: NodeId) -> PathClass {
        let between = |connection: &&connection::Connection| {
            let [a, b] = &connection.ends;
            let open = a.hold == Hold::Open && b.hold == Hold::Open;
            open && [(one, two), (two, one)].contains(&(a.node, b.node))
        };
        let mut found = self.connections.all().map(|(_, of)| of).filter(between);
        match found.next() {
            Some(of) if found.any(|of| !of.relayed) || !of.relayed => PathClass::Direct,
            Some(_) => PathClass::Relayed,
            None => {
                let walled = [one, two].iter().any(|node| self.ground.is_walled(*node));
                let known = self.obstacles.get(&(one, id)).copied();
                PathClass::None(walled.then_some(Obstacle::UdpBlocked).or(known))
            }
        }
    }
}

const _: () = assert!(
    IDLE_TIMEOUT.0 > DIAL_TIMEOUT.0 && IDLE_TIMEOUT.0 > 3 * KEEP_ALIVE.0,
    "a dial fails before a link is given up, and three signs of life fit in the idle time"
);
