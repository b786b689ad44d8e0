//! The endpoint of a simulated node: connections, control streams and job streams, with the same
//! frames, encoded and decoded, as the real one.
//!
//! A session's inbound control frames wait until the session has sent its first one on that link:
//! until then nobody is there to read them.

mod dials;
mod ends;
pub(crate) mod flow;
mod jobs;
mod slow;
#[cfg(test)]
mod tests;

use super::DriverOut;
use crate::event::{NodeIndex, Occurrence, Time};
use crate::network::{Body, Hearing, IDLE_TIMEOUT, Network, Packet};
use dials::Dial;
use jobs::Stream;
use kernel::{ReturnReason, Signal};
use messages::peer_session::{Input as Session, LinkLoss};
use messages::ports::transport::{Command, DialError};
use messages::roster::Input as Roster;
use messages::wire::latest::{ControlFrame, Frame, HEADER_BYTES, Header};
use messages::{Address, Label, Letter, LinkId, NetworkId, NodeId, StreamId};
use slow::Outgoing;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Control frames that may wait for a session to begin: a handshake and its first adverts.
const WAITING_MAX: usize = 16;
/// What an endpoint sends into.
pub(crate) struct Air<'a> {
    pub(crate) now: Time,
    pub(crate) network: &'a mut Network,
}

/// The endpoint of one boot.
#[derive(Debug)]
pub(crate) struct Transport {
    me: NodeId,
    index: NodeIndex,
    links_minted: u64,
    streams_minted: u64,
    networks: BTreeSet<NetworkId>,
    links: BTreeMap<LinkId, Link>,
    by_connection: BTreeMap<u64, LinkId>,
    /// The address that somebody outside sees this node at, and who says so.
    outside: Option<(NodeId, SocketAddr)>,
    /// Where this node listens.
    own: Option<SocketAddr>,
    /// Links that ended, the newest ones: a session that still sends on one is told.
    gone: BTreeMap<LinkId, NodeId>,
    dials: BTreeMap<u64, Dial>,
    streams: BTreeMap<StreamId, Stream>,
    /// What came on connections that are not read.
    unread: BTreeMap<u64, Vec<Packet>>,
    /// Keeps no bounds: a bug that the checkers are to catch.
    #[cfg(test)]
    pub(crate) lax: bool,
}

#[derive(Debug)]
struct Link {
    connection: u64,
    peer: NodeId,
    peer_index: NodeIndex,
    carried: BTreeMap<NetworkId, Carried>,
}

#[derive(Debug, Default)]
struct Carried {
    session_speaks: bool,
    waiting: Vec<ControlFrame>,
    outgoing: Outgoing,
}

impl Transport {
    /// Ids of different lives are apart: none is minted twice in a boot.
    pub(crate) const fn new(me: NodeId, index: NodeIndex, life: u64) -> Self {
        Self {
            me,
            index,
            links_minted: life << 32,
            streams_minted: life << 32,
            networks: BTreeSet::new(),
            links: BTreeMap::new(),
            by_connection: BTreeMap::new(),
            outside: None,
            own: None,
            gone: BTreeMap::new(),
            dials: BTreeMap::new(),
            streams: BTreeMap::new(),
            unread: BTreeMap::new(),
            #[cfg(test)]
            lax: false,
        }
    }

    /// Every stream that is open: they end with the endpoint.
    pub(crate) fn stream_addresses(&self) -> Vec<Address> {
        self.streams
            .keys()
            .map(|stream| Address::Stream(*stream))
            .collect()
    }

    pub(crate) fn command(&mut self, command: Command, air: &mut Air<'_>, out: &mut DriverOut) {
        match command {
            Command::Attach(network) => {
                self.networks.insert(network);
                self.own = Some(air.network.address(self.index));
                self.tell_bound(network, out);
            }
            Command::Detach(network) => {
                self.networks.remove(&network);
            }
            Command::Dial {
                network,
                peer,
                addrs,
            } => {
                self.dial(network, peer, &addrs, air, out);
            }
            Command::Send {
                link,
                network,
                frame,
            } => self.send(link, network, &frame, air, out),
            Command::Open {
                link,
                network,
                peer,
                request,
                job,
            } => {
                self.open(link, network, peer, request, &job, out);
            }
            Command::Close { link, network, .. } => self.close(link, network, out),
        }
    }

    pub(crate) fn signal(&mut self, now: Time, signal: Signal, out: &mut DriverOut) {
        let Signal::Returned { letter, why } = signal else {
            return;
        };
        let Letter::Session(network, _, input) = *letter else {
            return;
        };
        let has_no_room = matches!(why, ReturnReason::Busy | ReturnReason::ParkFull);
        if let Session::Inbound { stream, .. } = input {
            self.not_decided(now, stream, why, out);
        } else if let Session::Frame { link, .. } = input
            && has_no_room
        {
            kernel::sometimes!(true, "transport: a session has no room for a frame");
            self.overrun(link, network, out);
        }
    }

    pub(crate) fn arrive(&mut self, packet: Packet, air: &mut Air<'_>, out: &mut DriverOut) {
        let Some(packet) = self.not_too_early(packet) else {
            return;
        };
        let Some(packet) = self.take_in(packet, air) else {
            return;
        };
        let Packet {
            from,
            connection,
            body,
            ..
        } = packet;
        let speaks = matches!(
            body,
            Body::Control { .. } | Body::JobOpen { .. } | Body::JobReply { .. }
        );
        if speaks && self.link_of(connection).is_none() {
            // One that was given up, so that the endpoint resets it.
            kernel::sometimes!(true, "transport: a packet of an unknown connection");
            return self.packet_to(from, connection, Body::Close, out);
        }
        match body {
            Body::Dial {
                dialler,
                wanted,
                way,
            } => {
                if air.network.is_wanted(connection) {
                    self.dialled(from, connection, dialler, wanted, way, out);
                }
            }
            Body::Accepted { acceptor, way } => {
                self.accepted(from, connection, acceptor, &way, air, out);
            }
            Body::WrongPeer { .. } => {
                kernel::sometimes!(true, "transport: somebody else answers a dial");
                self.fail_dial(connection, &DialError::WrongPeer, out);
            }
            Body::Control { network, bytes } => self.control(connection, network, &bytes, out),
            Body::JobOpen {
                network,
                stream,
                bytes,
            } => {
                self.job_open(connection, network, stream, &bytes, out);
            }
            Body::JobReply { stream, bytes } => self.job_reply(stream, &bytes, out),
            Body::JobRead { stream, bytes } => {
                self.job_read(air.now, connection, stream, bytes, out);
            }
            Body::JobEnd { stream } => self.job_end(stream, out),
            Body::JobCancel { stream } => self.job_cancel(connection, stream, out),
            Body::Close => {
                if let Some(link) = self.link_of(connection) {
                    self.lose(link, LinkLoss::ClosedByPeer, out);
                }
            }
        }
    }

    /// Looks whether anything is heard on a connection.
    pub(crate) fn check(
        &mut self,
        connection: u64,
        hears: Hearing,
        now: Time,
        out: &mut DriverOut,
    ) {
        let Some(link) = self.link_of(connection) else {
            return;
        };
        match hears {
            Hearing::Fine => {}
            Hearing::Reset => {
                kernel::sometimes!(true, "transport: a link is answered by a reset");
                self.lose(link, LinkLoss::Reset, out);
            }
            Hearing::Nothing(since) if now >= since + IDLE_TIMEOUT.0 => {
                kernel::sometimes!(true, "transport: a link is idle for too long");
                self.lose(link, LinkLoss::TimedOut, out);
            }
            Hearing::Nothing(since) => {
                let rest = since + IDLE_TIMEOUT.0 - now;
                out.later.push((rest, Occurrence::IdleCheck(connection)));
            }
        }
    }

    fn add_link(
        &mut self,
        connection: u64,
        peer: NodeId,
        peer_index: NodeIndex,
        networks: BTreeSet<NetworkId>,
    ) -> LinkId {
        self.links_minted += 1;
        let link = LinkId(self.links_minted);
        let carried = networks
            .into_iter()
            .map(|network| (network, Carried::default()))
            .collect();
        self.by_connection.insert(connection, link);
        self.links.insert(
            link,
            Link {
                connection,
                peer,
                peer_index,
                carried,
            },
        );
        link
    }

    fn send(
        &mut self,
        link: LinkId,
        network: NetworkId,
        frame: &ControlFrame,
        air: &Air<'_>,
        out: &mut DriverOut,
    ) {
        let Some(entry) = self.links.get_mut(&link) else {
            if let Some(peer) = self.gone.get(&link) {
                kernel::sometimes!(true, "transport: a session sends on a link that is gone");
                let input = Session::LinkDown {
                    link,
                    why: LinkLoss::Reset,
                };
                out.tell(Address::Transport, Letter::Session(network, *peer, input));
            }
            return;
        };
        let Ok(bytes) = frame.encode() else { return };
        let carried = entry.carried.entry(network).or_default();
        carried.session_speaks = true;
        let peer = entry.peer;
        for frame in std::mem::take(&mut carried.waiting) {
            let input = Session::Frame { link, frame };
            out.tell(Address::Transport, Letter::Session(network, peer, input));
        }
        self.write((link, network), bytes, air, out);
    }

    fn control(&mut self, connection: u64, network: NetworkId, bytes: &[u8], out: &mut DriverOut) {
        let Some(link) = self.link_of(connection) else {
            return;
        };
        if !self.networks.contains(&network) {
            kernel::sometimes!(true, "transport: a frame for a network that is not here");
            return self.drop_link(link, out);
        }
        let Some(entry) = self.links.get_mut(&link) else {
            return;
        };
        let peer = entry.peer;
        if !entry.carried.contains_key(&network) {
            let up = Roster::LinkUp {
                peer,
                link,
                dialled: false,
            };
            out.tell(Address::Transport, Letter::Roster(network, up));
        }
        let carried = entry.carried.entry(network).or_default();
        let input = match decode::<ControlFrame>(bytes) {
            Ok(Some(frame)) if carried.session_speaks => Session::Frame { link, frame },
            Ok(Some(frame)) if carried.waiting.len() < WAITING_MAX => {
                return carried.waiting.push(frame);
            }
            Ok(_) => {
                kernel::sometimes!(
                    true,
                    "transport: a frame is dropped before its session speaks"
                );
                return;
            }
            Err(why) => Session::BadFrame {
                link,
                why: Label::truncated(&why),
            },
        };
        out.tell(Address::Transport, Letter::Session(network, peer, input));
    }

    fn link_of(&self, connection: u64) -> Option<LinkId> {
        self.by_connection.get(&connection).copied()
    }

    fn packet_to(&self, to: NodeIndex, connection: u64, body: Body, out: &mut DriverOut) {
        out.packets.push(Packet {
            from: self.index,
            to,
            connection,
            body,
        });
    }
}

/// One whole frame; nothing where its kind is unknown.
fn decode<F: Frame>(bytes: &[u8]) -> Result<Option<F>, String> {
    let (header, body) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or("a short frame")?;
    let header = Header::parse(*header, F::BYTES_MAX).map_err(|error| error.to_string())?;
    F::decode_body(header.kind, body).map_err(|error| error.to_string())
}
