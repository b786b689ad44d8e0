//! How a packet passes: when it arrives, or what holds it back.

use super::connection::{ACCEPTOR, Connection, DIALLER, End, Hold, Lane, Side, other};
use super::ground::{Ground, Landed};
use super::packet::{Body, Packet, Way};
use super::path::PathModel;
use super::{Errand, Fate, IDLE_TIMEOUT, KEEP_ALIVE, Network, Obstacle, PTO_MAX};
use crate::event::{NodeIndex, Occurrence, Time};
use messages::NodeId;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

/// A relayed handshake has no addresses.
const NOWHERE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);

/// The first packet of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialling<'a> {
    pub(crate) from: NodeIndex,
    pub(crate) connection: u64,
    pub(crate) dialler: NodeId,
    pub(crate) wanted: NodeId,
    /// It goes to each of them at once.
    pub(crate) addrs: &'a [SocketAddr],
}

/// When the sender tries again next: probes come at twice the wait each, up to the cap.
pub(super) fn next_try(blocked: Time, now: Time, path: &PathModel) -> Time {
    let (mut at, mut wait) = (blocked, path.probe_timeout());
    while at <= now {
        at += wait;
        wait = (2 * wait).min(PTO_MAX);
    }
    at
}

impl Network {
    /// Sends a packet of a connection.
    pub(crate) fn send(&mut self, now: Time, packet: Packet) -> Fate {
        self.count(&packet);
        match packet.answer_way() {
            Some(way) => self.answer(now, packet, way),
            None => self.pass(now, packet),
        }
    }

    /// Sends the first packet of a connection, to every address and through the relay.
    pub(crate) fn dial(&mut self, now: Time, dialling: &Dialling<'_>) -> Vec<Fate> {
        let mut fates = Vec::new();
        let mut obstacle = None;
        for addr in dialling.addrs {
            let IpAddr::V4(ip) = addr.ip() else { continue };
            let to = SocketAddrV4::new(ip, addr.port());
            match self.ground.walk(now, dialling.from, to) {
                // iroh does not take itself for somebody else.
                Ok(Landed { node, .. }) if node == dialling.from => {
                    obstacle = obstacle.max(Some(Obstacle::SomebodyElse));
                }
                Ok(Landed { node, seen }) => {
                    let way = Way {
                        seen,
                        dialled: to,
                        relayed: false,
                    };
                    fates.push(self.call(now, dialling, node, way));
                }
                Err(why) => obstacle = obstacle.max(Some(why)),
            }
        }
        let relay = self.relay.as_ref();
        if let Some(node) = relay.and_then(|relay| relay.members.get(&dialling.wanted)) {
            let way = Way {
                seen: NOWHERE,
                dialled: NOWHERE,
                relayed: true,
            };
            fates.push(self.call(now, dialling, *node, way));
        }
        if let Some(why) = obstacle {
            self.obstacles.insert((dialling.from, dialling.wanted), why);
        }
        fates
    }

    fn call(&mut self, now: Time, dialling: &Dialling<'_>, to: NodeIndex, way: Way) -> Fate {
        let packet = Packet {
            from: dialling.from,
            to,
            connection: dialling.connection,
            body: Body::Dial {
                dialler: dialling.dialler,
                wanted: dialling.wanted,
                way,
            },
        };
        self.count(&packet);
        self.loosely(now, packet, way.relayed)
    }

    /// The answer to a first packet goes back the way that one came.
    fn answer(&mut self, now: Time, packet: Packet, way: Way) -> Fate {
        let (from, to) = (packet.from, packet.to);
        let back = |ground: &mut Ground| ground.walk(now, from, way.seen);
        if !way.relayed && !back(&mut self.ground).is_ok_and(|landed| landed.node == to) {
            return Fate::Gone;
        }
        if matches!(packet.body, Body::Accepted { .. })
            && let Some(connection) = self.connections.get_mut(packet.connection)
        {
            // It may have answered before, by another way.
            let (node, hold) = (from, Hold::Open);
            connection.ends[ACCEPTOR] = End {
                node,
                hold,
                ..connection.ends[ACCEPTOR]
            };
        }
        self.loosely(now, packet, way.relayed)
    }

    /// A packet outside of any stream: lost is lost, and there may be two of it.
    fn loosely(&mut self, now: Time, packet: Packet, relayed: bool) -> Fate {
        let (from, to) = (packet.from, packet.to);
        let cut = self.faults.cut_since(from, to).is_some();
        let (path, legs) = self.model(from, to, relayed);
        if cut || path.loses(&mut self.entropy) {
            return Fate::Gone;
        }
        let entropy = &mut self.entropy;
        let mut late = || -> Time {
            let delay: Time = (0..legs).map(|_| path.delay(entropy)).sum();
            now + delay + path.straggle(entropy)
        };
        let mut at = late();
        let again = late();
        if let Some((_, until)) = self.faults.clogged(now, from, to) {
            at = at.max(until);
        }
        match path.doubles(&mut self.entropy) {
            true => {
                self.counts.duplicates += 1;
                Fate::Twice([at, at.max(again)], packet)
            }
            false => Fate::Arrives(at, packet),
        }
    }

    /// The model of a path, and of how many such paths it is made.
    fn model(&self, from: NodeIndex, to: NodeIndex, relayed: bool) -> (PathModel, u32) {
        match &self.relay {
            Some(relay) if relayed => (relay.leg, 2),
            Some(_) | None => (*self.paths.of(from, to), 1),
        }
    }

    /// The first answer came: this is how the connection goes.
    pub(crate) fn establish(&mut self, now: Time, name: u64, way: &Way) {
        let Some(connection) = self.connections.get_mut(name) else {
            return;
        };
        let [one, two] = &mut connection.ends;
        (one.remote, two.remote) = (way.dialled, way.seen);
        let (one, two) = (one.node, two.node);
        connection.boxed = self.ground.is_boxed(one) || self.ground.is_boxed(two);
        connection.relayed = way.relayed;
        for lane in &mut connection.lanes {
            lane.sent = now;
        }
        if way.relayed {
            self.errands.push(super::punch::first(now, name, one));
        }
    }

    /// A packet of a connection that there is.
    fn pass(&mut self, now: Time, packet: Packet) -> Fate {
        let (from, to, name) = (packet.from, packet.to, packet.connection);
        let closes = matches!(packet.body, Body::Close);
        let Some(connection) = self.connections.get_mut(name) else {
            return Fate::Gone;
        };
        let Some(side) = connection.side(from) else {
            return Fate::Gone;
        };
        if matches!(connection.ends[side].hold, Hold::Dead(_)) {
            return Fate::Gone;
        }
        let waits = !connection.lanes[side].held.is_empty();
        let cut = self.faults.cut_since(from, to).is_some();
        let mut switched = 0;
        let boxed = connection.boxed && !connection.relayed;
        if boxed && !cut && !waits && self.thread(now, name, side).is_err() {
            match self.fall_back(now, name) {
                true => switched = PTO_MAX,
                false => return self.hold(now, packet, side, true),
            }
        } else if cut || waits {
            return self.hold(now, packet, side, false);
        }
        let Some(connection) = self.connections.get_mut(name) else {
            return Fate::Gone;
        };
        let (path, legs) = match &self.relay {
            Some(relay) if connection.relayed => (&relay.leg, 2),
            Some(_) | None => (self.paths.of(from, to), 1),
        };
        let entropy = &mut self.entropy;
        if closes && path.loses(entropy) {
            return Fate::Gone;
        }
        let clogged = self.faults.clogged(now, from, to);
        let lane = &mut connection.lanes[side];
        let mut at = now + switched;
        if path.bytes_per_sec.is_some() {
            lane.busy_until = lane.busy_until.max(now) + path.occupied(packet.bytes());
            at = at.max(lane.busy_until);
        }
        for _ in 0..legs {
            at += path.delay(entropy);
        }
        at += path.straggle(entropy) + path.resends(entropy);
        if let Some((_, until)) = clogged {
            self.counts.held += 1;
            at = at.max(until);
        }
        at = lane.in_order(now, packet.channel(), at);
        if connection.boxed {
            connection.lanes[side].sent = now;
            // What arrives is acknowledged.
            let back = &mut connection.lanes[other(side)];
            back.sent = back.sent.max(at);
            if back.blocked.is_some() {
                // What comes shows where the other end is now.
                self.errands.push(Errand {
                    at,
                    node: to,
                    what: Occurrence::Resend(name),
                });
            }
        }
        if path.doubles(entropy) {
            // QUIC numbers packets: what a stream has had it does not take again.
            self.counts.duplicates += 1;
            if closes {
                return Fate::Twice([at, at + 1], packet);
            }
        }
        Fate::Arrives(at, packet)
    }

    /// Keeps a packet that cannot pass. `again`: nothing else will tell when it can.
    fn hold(&mut self, now: Time, packet: Packet, side: Side, again: bool) -> Fate {
        let name = packet.connection;
        let Some(connection) = self.connections.get_mut(name) else {
            return Fate::Gone;
        };
        if matches!(packet.body, Body::Close) {
            // It is said once.
            return Fate::Gone;
        }
        self.counts.held += 1;
        let (from, to) = (packet.from, packet.to);
        let lane = &mut connection.lanes[side];
        let first = lane.blocked.is_none();
        lane.blocked.get_or_insert(now);
        lane.held.push(packet);
        if first && again {
            let at = now + self.paths.of(from, to).probe_timeout();
            self.errands.push(Errand {
                at,
                node: from,
                what: Occurrence::Resend(name),
            });
            self.errands.push(Errand {
                at: now + IDLE_TIMEOUT.0,
                node: to,
                what: Occurrence::IdleCheck(name),
            });
        }
        Fate::Gone
    }

    /// The sender tries again what it holds.
    pub(crate) fn resend(&mut self, now: Time, name: u64, node: NodeIndex) -> Vec<Fate> {
        let Some(connection) = self.connections.get_mut(name) else {
            return Vec::new();
        };
        let Some(side) = connection.side(node) else {
            return Vec::new();
        };
        let peer = connection.ends[other(side)].node;
        let lane = &mut connection.lanes[side];
        if lane.blocked.is_none() || self.faults.cut_since(node, peer).is_some() {
            return Vec::new();
        }
        let relayed = connection.relayed || !connection.boxed;
        if !relayed && self.thread(now, name, side).is_err() && !self.fall_back(now, name) {
            self.errands.push(Errand {
                at: now + PTO_MAX,
                node,
                what: Occurrence::Resend(name),
            });
            return Vec::new();
        }
        let held = self.unblock(name, side);
        held.into_iter()
            .map(|packet| self.pass(now, packet))
            .collect()
    }

    fn unblock(&mut self, name: u64, side: Side) -> Vec<Packet> {
        let connection = self.connections.get_mut(name);
        connection.map_or_else(Vec::new, |connection| {
            let lane = &mut connection.lanes[side];
            lane.blocked = None;
            std::mem::take(&mut lane.held)
        })
    }

    /// Finds the way through the boxes, as the packet does: mappings are made and kept alive.
    pub(super) fn thread(&mut self, now: Time, name: u64, side: Side) -> Result<(), Obstacle> {
        let Some(connection) = self.connections.get_mut(name) else {
            return Err(Obstacle::Unroutable);
        };
        for side in [DIALLER, ACCEPTOR] {
            let awake = self
                .faults
                .silent_since(connection.ends[side].node)
                .is_none();
            let quiet = now.saturating_sub(connection.lanes[side].sent) / KEEP_ALIVE.0;
            if awake && quiet > 0 {
                // The last sign of life: those before it kept what it found.
                let at = connection.lanes[side].sent + quiet * KEEP_ALIVE.0;
                connection.lanes[side].sent = at;
                let sent = step(&mut self.ground, at, connection, side);
                self.counts.migrations += u64::from(sent == Ok(true));
            }
        }
        let migrated = step(&mut self.ground, now, connection, side)?;
        self.counts.migrations += u64::from(migrated);
        Ok(())
    }

    /// Packets to a node that has moved from where they were sent: they are sent again.
    pub(crate) fn recall(&mut self, now: Time, packets: Vec<Packet>) {
        for packet in packets {
            let Some(connection) = self.connections.get(packet.connection) else {
                continue;
            };
            if let Some(side) = connection.side(packet.from) {
                self.hold(now, packet, side, true);
            }
        }
    }

    /// A node's address changes: it says so at once to those whom it called.
    pub(crate) fn rebind(&mut self, now: Time, node: NodeIndex) {
        self.ground.rebind(node);
        let mut moved = Vec::new();
        for (name, connection) in self.connections.all_mut() {
            if let Some(side) = connection.side(node) {
                connection.boxed = true;
                moved.push((name, side));
            }
        }
        for (name, side) in moved {
            let relayed = self.connections.get(name).is_some_and(|of| of.relayed);
            if !relayed && self.thread(now, name, side).is_err() {
                self.fall_back(now, name);
            }
        }
    }

    /// A node that stood still sends again: what its mappings did not survive is made anew.
    pub(super) fn woke(&mut self, now: Time, node: NodeIndex, since: Time) {
        for (_, connection) in self.connections.all_mut() {
            if let Some(side) = connection.side(node)
                && connection.boxed
                && !connection.relayed
            {
                let lane: &mut Lane = &mut connection.lanes[side];
                let quiet = since.saturating_sub(lane.sent) / KEEP_ALIVE.0;
                let last = lane.sent + quiet * KEEP_ALIVE.0;
                lane.sent = now;
                let _ = step(&mut self.ground, last, connection, side);
                let sent = step(&mut self.ground, now, connection, side);
                self.counts.migrations += u64::from(sent == Ok(true));
            }
        }
    }
}

/// One packet goes through the boxes. Tells whether the other end sees a new address: it takes
/// that from whoever dialled, and from nobody else (RFC 9000, 9).
fn step(
    ground: &mut Ground,
    now: Time,
    connection: &mut Connection,
    side: Side,
) -> Result<bool, Obstacle> {
    let (here, there) = (connection.ends[side], connection.ends[other(side)]);
    let landed = ground.walk(now, here.node, here.remote)?;
    if landed.node != there.node {
        return Err(Obstacle::SomebodyElse);
    }
    if landed.seen == there.remote {
        return Ok(false);
    }
    if side != DIALLER {
        return Err(Obstacle::Filtered);
    }
    connection.ends[other(side)].remote = landed.seen;
    Ok(true)
}
