//! What travels.

use super::Network;
use crate::event::NodeIndex;
use messages::{NetworkId, NodeId, StreamId};
use std::net::SocketAddrV4;

/// How the first packet of a connection came, which is how its answer goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    /// The dialler's address, as the other side sees it.
    pub(crate) seen: SocketAddrV4,
    /// The address that was dialled.
    pub(crate) dialled: SocketAddrV4,
    /// Through the relay: the addresses say nothing.
    pub(crate) relayed: bool,
}

/// What a packet carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A handshake begins; TLS proves the dialler.
    Dial {
        dialler: NodeId,
        wanted: NodeId,
        way: Way,
    },
    /// It was answered.
    Accepted { acceptor: NodeId, way: Way },
    /// Somebody else answers at this address.
    WrongPeer { way: Way },
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
    /// The asking side has read so much: the stream's window moves on.
    JobRead { stream: StreamId, bytes: u32 },
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

/// What a packet without a frame weighs.
const BARE_BYTES: u64 = 64;

/// What order a packet keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// None: it belongs to no stream.
    Loose,
    /// That of the control stream.
    Control,
    /// That of a job stream.
    Job(u64),
}

impl Packet {
    pub(super) const fn channel(&self) -> Channel {
        match &self.body {
            Body::JobOpen { stream, .. }
            | Body::JobReply { stream, .. }
            | Body::JobEnd { stream }
            | Body::JobCancel { stream } => Channel::Job(stream.0),
            // A close follows what was said before: the driver flushes first.
            Body::Control { .. } | Body::Close => Channel::Control,
            Body::Dial { .. }
            | Body::Accepted { .. }
            | Body::WrongPeer { .. }
            | Body::JobRead { .. } => Channel::Loose,
        }
    }

    /// Bytes of the frame in it.
    pub(super) const fn bytes(&self) -> u64 {
        match &self.body {
            Body::Control { bytes, .. }
            | Body::JobOpen { bytes, .. }
            | Body::JobReply { bytes, .. } => bytes.len() as u64,
            Body::Dial { .. }
            | Body::Accepted { .. }
            | Body::WrongPeer { .. }
            | Body::JobRead { .. }
            | Body::JobEnd { .. }
            | Body::JobCancel { .. }
            | Body::Close => BARE_BYTES,
        }
    }

    /// The way of a handshake's answer.
    pub(super) const fn answer_way(&self) -> Option<Way> {
        match &self.body {
            Body::Accepted { way, .. } | Body::WrongPeer { way } => Some(*way),
            Body::Dial { .. }
            | Body::Control { .. }
            | Body::JobOpen { .. }
            | Body::JobReply { .. }
            | Body::JobRead { .. }
            | Body::JobEnd { .. }
            | Body::JobCancel { .. }
            | Body::Close => None,
        }
    }
}

impl Network {
    pub(super) fn count(&mut self, packet: &Packet) {
        self.packets += 1;
        self.bytes += packet.bytes();
        let way = (packet.from, packet.to);
        for (_, count) in self.counted.iter_mut().filter(|(of, _)| *of == way) {
            *count += 1;
        }
    }

    /// Counts the packets from one node to another from now on.
    pub(crate) fn count_on(&mut self, from: NodeIndex, to: NodeIndex) {
        if !self.counted.iter().any(|(way, _)| *way == (from, to)) {
            self.counted.push(((from, to), 0));
        }
    }

    /// Packets from one node to another since they are counted.
    pub(crate) fn counted(&self, from: NodeIndex, to: NodeIndex) -> u64 {
        let way = self.counted.iter().find(|(way, _)| *way == (from, to));
        way.map_or(0, |(_, count)| *count)
    }
}
