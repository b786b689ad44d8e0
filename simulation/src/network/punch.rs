//! Between the relay and the direct path: iroh's hole punching inside a connection, and back.
//!
//! Each end knows the other's candidates: where it listens, and where a third party sees it. Both
//! send probes to all of them, round after round; a pair of addresses over which a probe and its
//! answer pass becomes the path.

use super::connection::{ACCEPTOR, DIALLER, Side, other};
use super::{Errand, Network};
use crate::event::{NodeIndex, Occurrence, Time};
use std::net::SocketAddrV4;

/// Probes of a candidate go out at least twice in a round: the first may open the box for the
/// second (noq sends up to nine).
const ROUNDS: usize = 2;
/// From the handshake to the end of a first round: addresses cross the relay, probes cross.
const FIRST_ROUND: Time = 250_000;
/// After how long a connection that lost its direct path tries for another (iroh's
/// `HOLEPUNCH_ATTEMPTS_INTERVAL`).
const ROUND_AGAIN: Time = 5_000_000;
/// How often a relayed connection looks for a direct path (iroh's `UPGRADE_INTERVAL`).
const UPGRADE_EVERY: Time = 60_000_000;

/// The first try of a connection that goes through the relay.
pub(super) const fn first(now: Time, connection: u64, node: NodeIndex) -> Errand {
    errand(now + FIRST_ROUND, connection, node)
}

const fn errand(at: Time, connection: u64, node: NodeIndex) -> Errand {
    Errand {
        at,
        node,
        what: Occurrence::Punch(connection),
    }
}

impl Network {
    /// A round of hole punching of a relayed connection.
    pub(crate) fn punch(&mut self, now: Time, name: u64) {
        let Some(connection) = self.connections.get(name).filter(|of| of.relayed) else {
            return;
        };
        let nodes = connection.ends.map(|end| end.node);
        let cut = self.faults.cut_since(nodes[0], nodes[1]).is_some()
            || self.faults.cut_since(nodes[1], nodes[0]).is_some();
        let found = if cut { None } else { self.probe(now, nodes) };
        let Some(remotes) = found else {
            let again = errand(now + UPGRADE_EVERY, name, nodes[DIALLER]);
            return self.errands.push(again);
        };
        if let Some(connection) = self.connections.get_mut(name) {
            for (end, remote) in connection.ends.iter_mut().zip(remotes) {
                end.remote = remote;
            }
            for lane in &mut connection.lanes {
                lane.sent = now;
            }
            connection.relayed = false;
            connection.boxed = true;
            self.counts.upgrades += 1;
        }
    }

    /// The direct path is lost: the connection goes on through the relay, where there is one.
    pub(super) fn fall_back(&mut self, now: Time, name: u64) -> bool {
        if self.relay.is_none() {
            return false;
        }
        let Some(connection) = self.connections.get_mut(name) else {
            return false;
        };
        connection.relayed = true;
        let node = connection.ends[DIALLER].node;
        self.counts.downgrades += 1;
        self.errands.push(errand(now + ROUND_AGAIN, name, node));
        true
    }

    /// Where each end would send, if there is a way.
    fn probe(&mut self, now: Time, nodes: [NodeIndex; 2]) -> Option<[SocketAddrV4; 2]> {
        let candidates = nodes.map(|node| {
            let own = Some(self.ground.address(node));
            [own, self.ground.reflexive(now, node)]
        });
        for _ in 0..ROUNDS {
            for side in [DIALLER, ACCEPTOR] {
                for to in candidates[other(side)].into_iter().flatten() {
                    if let Some(found) = self.probe_one(now, nodes, side, to) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// A probe, and its answer.
    fn probe_one(
        &mut self,
        now: Time,
        nodes: [NodeIndex; 2],
        side: Side,
        to: SocketAddrV4,
    ) -> Option<[SocketAddrV4; 2]> {
        let (here, there) = (nodes[side], nodes[other(side)]);
        let landed = self.ground.walk(now, here, to).ok()?;
        if landed.node != there {
            return None;
        }
        let back = self.ground.walk(now, there, landed.seen).ok()?;
        if back.node != here || back.seen != to {
            return None;
        }
        let mut remotes = [landed.seen; 2];
        remotes[side] = to;
        Some(remotes)
    }
}
