//! The endpoint of a simulated node: connections, control streams and job streams, with the same
//! frames, encoded and decoded, as the real one.
//!
//! A session's inbound control frames wait until the session has sent its first one on that link:
//! until then nobody is there to read them.

mod ends;
mod jobs;
#[cfg(test)]
mod tests;

use super::DriverOut;
use crate::event::{NodeIndex, Occurrence};
use crate::network::{Body, DIAL_TIMEOUT, IDLE_TIMEOUT, Packet};
use jobs::Stream;
use kernel::{ReturnReason, Signal};
use messages::peer_session::{Input as Session, LinkLoss};
use messages::ports::transport::{Command, DialError};
use messages::roster::Input as Roster;
use messages::wire::latest::{ControlFrame, Frame, HEADER_BYTES, Header};
use messages::{Address, Label, Letter, LinkId, List, NetworkId, NodeId, StreamId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

/// Control frames that may wait for a session to begin: a handshake and its first adverts.
const WAITING_MAX: usize = 16;
/// The port that every simulated node listens on.
const PORT: u16 = 7337;

/// The endpoint of one boot.
#[derive(Debug)]
pub(crate) struct Transport {
    me: NodeId,
    index: NodeIndex,
    links_minted: u64,
    streams_minted: u64,
    networks: BTreeSet<NetworkId>,
    links: BTreeMap<LinkId, Link>,
    /// Links that ended, the newest ones: a session that still sends on one is told.
    gone: BTreeMap<LinkId, NodeId>,
    dials: BTreeMap<u64, Dial>,
    streams: BTreeMap<StreamId, Stream>,
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
}

#[derive(Debug)]
struct Dial {
    peer: NodeId,
    networks: BTreeSet<NetworkId>,
}

/// Where the node at this place listens.
pub(crate) fn address_of(index: NodeIndex) -> SocketAddr {
    let [_, a, b, c] = u32::try_from(index).unwrap_or(0).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(10, a, b, c), PORT))
}

fn index_of(addr: &SocketAddr) -> Option<NodeIndex> {
    match addr {
        SocketAddr::V4(addr) => {
            let [_, a, b, c] = addr.ip().octets();
            usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()
        }
        SocketAddr::V6(_) => None,
    }
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
            gone: BTreeMap::new(),
            dials: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    /// Every stream that is open: they end with the endpoint.
    pub(crate) fn stream_addresses(&self) -> Vec<Address> {
        self.streams
            .keys()
            .map(|stream| Address::Stream(*stream))
            .collect()
    }

    pub(crate) fn command(
        &mut self,
        command: Command,
        new_connection: impl FnOnce() -> u64,
        out: &mut DriverOut,
    ) {
        match command {
            Command::Attach(network) => {
                self.networks.insert(network);
                let addrs = List::truncated([address_of(self.index)]);
                out.tell(
                    Address::Transport,
                    Letter::Roster(network, Roster::Bound(addrs)),
                );
            }
            Command::Detach(network) => {
                self.networks.remove(&network);
            }
            Command::Dial {
                network,
                peer,
                addrs,
            } => {
                self.dial(network, peer, &addrs, new_connection, out);
            }
            Command::Send {
                link,
                network,
                frame,
            } => self.send(link, network, &frame, out),
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

    pub(crate) fn signal(&mut self, signal: Signal, out: &mut DriverOut) {
        let Signal::Returned { letter, why } = signal else {
            return;
        };
        let Letter::Session(network, _, input) = *letter else {
            return;
        };
        let has_no_room = matches!(why, ReturnReason::Busy | ReturnReason::ParkFull);
        if let Session::Inbound { stream, .. } = input {
            self.end_stream(stream, out);
        } else if let Session::Frame { link, .. } = input
            && has_no_room
        {
            self.overrun(link, network, out);
        }
    }

    pub(crate) fn arrive(&mut self, packet: Packet, out: &mut DriverOut) {
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
            // A connection of an earlier boot, or one that was given up: a stateless reset.
            let body = Body::Close;
            return out.packets.push(Packet {
                from: self.index,
                to: from,
                connection,
                body,
            });
        }
        match body {
            Body::Dial { dialler, wanted } => self.dialled(from, connection, dialler, wanted, out),
            Body::Accepted { acceptor } => self.accepted(from, connection, acceptor, out),
            Body::WrongPeer => {
                if let Some(dial) = self.dials.remove(&connection) {
                    dial_failed(dial, &DialError::WrongPeer, out);
                }
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
            Body::JobEnd { stream } => self.job_end(stream, out),
            Body::JobCancel { stream } => self.job_cancel(connection, stream, out),
            Body::Close => {
                if let Some(link) = self.link_of(connection) {
                    self.lose(link, LinkLoss::ClosedByPeer, out);
                }
            }
        }
    }

    pub(crate) fn dial_timeout(&mut self, connection: u64, out: &mut DriverOut) {
        if let Some(dial) = self.dials.remove(&connection) {
            dial_failed(dial, &DialError::TimedOut, out);
        }
    }

    /// The peers to which a link exists, with the connection's number.
    pub(crate) fn peers(&self) -> Vec<(u64, NodeIndex)> {
        self.links
            .values()
            .map(|link| (link.connection, link.peer_index))
            .collect()
    }

    /// Nothing was heard on this connection for the idle time.
    pub(crate) fn idle(&mut self, connection: u64, out: &mut DriverOut) {
        if let Some(link) = self.link_of(connection) {
            self.lose(link, LinkLoss::TimedOut, out);
        }
    }

    fn dial(
        &mut self,
        network: NetworkId,
        peer: NodeId,
        addrs: &[SocketAddr],
        new_connection: impl FnOnce() -> u64,
        out: &mut DriverOut,
    ) {
        let existing = self.links.iter_mut().find(|(_, link)| link.peer == peer);
        if let Some((link, entry)) = existing {
            entry.carried.entry(network).or_default();
            let up = Roster::LinkUp {
                peer,
                link: *link,
                dialled: true,
            };
            return out.tell(Address::Transport, Letter::Roster(network, up));
        }
        if let Some(dial) = self.dials.values_mut().find(|dial| dial.peer == peer) {
            dial.networks.insert(network);
            return;
        }
        let Some(to) = addrs.first().and_then(index_of) else {
            let failed = Roster::DialFailed {
                peer,
                why: DialError::NoAddress,
            };
            return out.tell(Address::Transport, Letter::Roster(network, failed));
        };
        let connection = new_connection();
        self.dials.insert(
            connection,
            Dial {
                peer,
                networks: BTreeSet::from([network]),
            },
        );
        let body = Body::Dial {
            dialler: self.me,
            wanted: peer,
        };
        out.packets.push(Packet {
            from: self.index,
            to,
            connection,
            body,
        });
        out.later
            .push((DIAL_TIMEOUT.0, Occurrence::DialTimeout(connection)));
    }

    fn dialled(
        &mut self,
        from: NodeIndex,
        connection: u64,
        dialler: NodeId,
        wanted: NodeId,
        out: &mut DriverOut,
    ) {
        let body = if wanted == self.me {
            self.add_link(connection, dialler, from, BTreeSet::new());
            Body::Accepted { acceptor: self.me }
        } else {
            Body::WrongPeer
        };
        out.packets.push(Packet {
            from: self.index,
            to: from,
            connection,
            body,
        });
    }

    fn accepted(
        &mut self,
        from: NodeIndex,
        connection: u64,
        acceptor: NodeId,
        out: &mut DriverOut,
    ) {
        let Some(dial) = self.dials.remove(&connection) else {
            let body = Body::Close;
            return out.packets.push(Packet {
                from: self.index,
                to: from,
                connection,
                body,
            });
        };
        let link = self.add_link(connection, acceptor, from, dial.networks.clone());
        for network in dial.networks {
            let up = Roster::LinkUp {
                peer: acceptor,
                link,
                dialled: true,
            };
            out.tell(Address::Transport, Letter::Roster(network, up));
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
        out: &mut DriverOut,
    ) {
        let Some(entry) = self.links.get_mut(&link) else {
            if let Some(peer) = self.gone.get(&link) {
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
        out.packets.push(Packet {
            from: self.index,
            to: entry.peer_index,
            connection: entry.connection,
            body: Body::Control { network, bytes },
        });
    }

    fn control(&mut self, connection: u64, network: NetworkId, bytes: &[u8], out: &mut DriverOut) {
        let Some(link) = self.link_of(connection) else {
            return;
        };
        if !self.networks.contains(&network) {
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
            Ok(_) => return,
            Err(why) => Session::BadFrame {
                link,
                why: Label::truncated(&why),
            },
        };
        out.tell(Address::Transport, Letter::Session(network, peer, input));
    }

    fn link_of(&self, connection: u64) -> Option<LinkId> {
        self.links
            .iter()
            .find(|(_, link)| link.connection == connection)
            .map(|(id, _)| *id)
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

fn dial_failed(dial: Dial, why: &DialError, out: &mut DriverOut) {
    for network in dial.networks {
        let failed = Roster::DialFailed {
            peer: dial.peer,
            why: why.clone(),
        };
        out.tell(Address::Transport, Letter::Roster(network, failed));
    }
}

const _: () = assert!(
    IDLE_TIMEOUT.0 > DIAL_TIMEOUT.0,
    "a dial fails before a link is given up"
);
