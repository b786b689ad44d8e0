//! A peer that takes nothing: what a node does that does not read, and what the other end does.
//!
//! The transport's own part goes on at both ends: packets are acknowledged, and a connection that
//! is closed is closed. What is not read fills the stream's window at the one end, and at the other
//! what waits for it is bounded, by its bytes and by its time.

use super::{Air, Transport};
use crate::drivers::DriverOut;
use crate::drivers::transport::flow::STREAM_WINDOW;
use crate::event::{NodeIndex, Occurrence, Time};
use crate::network::{Body, Packet};
use messages::peer_session::LinkLoss;
use messages::{LinkId, Micros, NetworkId};
use std::collections::VecDeque;

/// A peer that takes nothing for so long is dropped, as the real driver does.
pub(super) const STALL_WAIT: Micros = Micros::from_secs(10);
/// Control frames of a session that may wait for its peer, as in the real driver.
pub(crate) const CONTROL_BYTES_MAX: usize = 1024 * 1024;

/// Control frames of a session on their way out.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Sent, and not read.
    sent: usize,
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Since when the peer has taken nothing of what waits.
    stuck: Option<Time>,
}

/// What becomes of a frame.
#[derive(Debug, PartialEq, Eq)]
enum Write {
    Sent(Vec<u8>),
    /// It waits; as the first one or not.
    Waits {
        first: bool,
    },
    Full,
}

impl Outgoing {
    fn put(&mut self, bytes: Vec<u8>, now: Time, is_read: bool) -> Write {
        let size = bytes.len();
        if is_read && self.waiting.is_empty() {
            self.sent = 0;
            return Write::Sent(bytes);
        }
        if self.waiting.is_empty() && self.sent + size <= STREAM_WINDOW {
            self.sent += size;
            return Write::Sent(bytes);
        }
        if self.bytes + size > CONTROL_BYTES_MAX {
            return Write::Full;
        }
        let first = self.stuck.is_none();
        self.stuck.get_or_insert(now);
        self.bytes += size;
        self.waiting.push_back(bytes);
        Write::Waits { first }
    }

    fn is_stalled(&self, now: Time) -> bool {
        self.stuck.is_some_and(|since| now >= since + STALL_WAIT.0)
    }
}

impl Transport {
    /// Sends a session's frame as far as the peer reads, or keeps it.
    pub(super) fn write(
        &mut self,
        (link, network): (LinkId, NetworkId),
        bytes: Vec<u8>,
        air: &Air<'_>,
        out: &mut DriverOut,
    ) {
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        let (connection, to) = (entry.connection, entry.peer_index);
        let Some(carried) = entry.carried.get_mut(&network) else {
            return;
        };
        let is_read = air.network.reads(self.index, to);
        match carried.outgoing.put(bytes, air.now, is_read) {
            Write::Sent(bytes) => {
                self.packet_to(to, connection, Body::Control { network, bytes }, out);
            }
            Write::Waits { first: false } => {}
            Write::Waits { first: true } => {
                let check = Occurrence::StallCheck(connection);
                out.later.push((STALL_WAIT.0, check));
            }
            Write::Full => {
                kernel::sometimes!(true, "transport: too much waits for a peer");
                self.end_session(link, network, LinkLoss::Reset, out);
            }
        }
    }

    /// Whoever has taken nothing of what waits for it is dropped, not waited for.
    pub(crate) fn check_stalls(&mut self, connection: u64, now: Time, out: &mut DriverOut) {
        let Some(link) = self.link_of(connection) else {
            return;
        };
        self.reset_stalled(connection, now, out);
        let carried = self.links.get(&link).map(|entry| &entry.carried);
        let stalled = carried.into_iter().flatten();
        let stalled = stalled.filter(|(_, carried)| carried.outgoing.is_stalled(now));
        for network in stalled.map(|(network, _)| *network).collect::<Vec<_>>() {
            kernel::sometimes!(true, "transport: a peer takes nothing for too long");
            self.end_session(link, network, LinkLoss::TimedOut, out);
        }
    }

    /// The peer has read all that was sent, and reads on.
    pub(crate) fn window(&mut self, connection: u64, out: &mut DriverOut) {
        let link = self.link_of(connection);
        let Some(entry) = link.and_then(|link| self.links.get_mut(&link)) else {
            return;
        };
        let to = entry.peer_index;
        let mut packets = Vec::new();
        for (network, carried) in &mut entry.carried {
            for bytes in std::mem::take(&mut carried.outgoing).waiting {
                let network = *network;
                packets.push(Body::Control { network, bytes });
            }
        }
        for body in packets {
            self.packet_to(to, connection, body, out);
        }
    }

    /// What came is read, unless this node reads nothing of that sort from there.
    pub(super) fn take_in(&mut self, packet: Packet, air: &Air<'_>) -> Option<Packet> {
        let on_stream = matches!(
            packet.body,
            Body::Control { .. }
                | Body::JobOpen { .. }
                | Body::JobReply { .. }
                | Body::JobEnd { .. }
        );
        let is_unread = on_stream && !air.network.reads(packet.from, self.index);
        if !is_unread || self.link_of(packet.connection).is_none() {
            return Some(packet);
        }
        let unread = self.unread.entry(packet.connection).or_default();
        unread.push(packet);
        None
    }

    /// What came from a node and was not read, in order.
    pub(crate) fn take_unread(&mut self, from: NodeIndex) -> Vec<Packet> {
        let mut taken = Vec::new();
        for packets in self.unread.values_mut() {
            let theirs = packets.extract_if(.., |packet| packet.from == from);
            taken.extend(theirs);
        }
        taken
    }

    /// Bytes that wait here because peers do not read.
    pub(crate) fn unsent(&self) -> usize {
        let sessions = self.links.values().flat_map(|link| link.carried.values());
        let frames = sessions.map(|carried| carried.outgoing.bytes);
        frames.sum::<usize>() + self.queued_replies()
    }
}
