//! Dials and their answers, and where this node says it can be reached.

use super::{Air, Transport};
use crate::drivers::DriverOut;
use crate::event::{NodeIndex, Occurrence};
use crate::network::{Body, DIAL_RETRY, DIAL_TIMEOUT, Dialling, Packet, Way};
use messages::ports::transport::DialError;
use messages::roster::Input as Roster;
use messages::{Address, Letter, List, NetworkId, NodeId};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// First packets of a dial: as many as there is time for.
const DIAL_TRIES: u64 = DIAL_TIMEOUT.0 / DIAL_RETRY.0;

/// Packets that may overtake an answer: a greeting and what follows it.
const EARLY_MAX: usize = 16;

/// A dial that has no answer yet.
#[derive(Debug)]
pub(super) struct Dial {
    peer: NodeId,
    addrs: Vec<SocketAddr>,
    tries: u64,
    /// What overtook the answer: its keys come with the answer.
    early: Vec<Packet>,
    networks: BTreeSet<NetworkId>,
}

impl Dial {
    /// Packets that overtook its answer.
    pub(super) const fn early(&self) -> usize {
        self.early.len()
    }

    #[cfg(test)]
    pub(super) fn stuff(&mut self, early: Vec<Packet>) {
        self.early = early;
    }
}

impl Transport {
    /// A dial has no answer yet: its first packet goes out again, until it is too late.
    pub(crate) fn dial_again(&mut self, connection: u64, air: &mut Air<'_>, out: &mut DriverOut) {
        let Some(dial) = self.dials.get_mut(&connection) else {
            return;
        };
        dial.tries += 1;
        if dial.tries > DIAL_TRIES {
            kernel::sometimes!(true, "transport: a dial times out");
            return self.fail_dial(connection, &DialError::TimedOut, out);
        }
        let dialling = Dialling {
            from: self.index,
            connection,
            dialler: self.me,
            wanted: dial.peer,
            addrs: &dial.addrs,
        };
        out.fates.extend(air.network.dial(air.now, &dialling));
        let again = Occurrence::DialTimeout(connection);
        out.later.push((DIAL_RETRY.0, again));
    }

    /// The node is somewhere else.
    pub(crate) fn moved(&mut self, own: SocketAddr, out: &mut DriverOut) {
        self.outside = None;
        if self.own.replace(own) != Some(own) {
            self.tell_all_bound(out);
        }
    }

    fn tell_all_bound(&self, out: &mut DriverOut) {
        for network in &self.networks {
            self.tell_bound(*network, out);
        }
    }

    pub(super) fn tell_bound(&self, network: NetworkId, out: &mut DriverOut) {
        let outside = self.outside.map(|(_, addr)| addr);
        let addrs = List::truncated(self.own.into_iter().chain(outside));
        let bound = Roster::Bound(addrs);
        out.tell(Address::Transport, Letter::Roster(network, bound));
    }

    /// Whoever answered saw this node at an address. The first one is believed, as long as there
    /// is a link to it: behind a symmetric box every peer sees another address.
    fn reflect(&mut self, peer: NodeId, addr: SocketAddr, out: &mut DriverOut) {
        let stays = self.outside.is_some_and(|(witness, _)| {
            witness != peer && self.links.values().any(|link| link.peer == witness)
        });
        let known = self.outside.map(|(_, addr)| addr);
        if !stays {
            self.outside = Some((peer, addr));
            if known != Some(addr) {
                self.tell_all_bound(out);
            }
        }
    }

    pub(super) fn dial(
        &mut self,
        network: NetworkId,
        peer: NodeId,
        addrs: &[SocketAddr],
        air: &mut Air<'_>,
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
        if addrs.is_empty() {
            let failed = Roster::DialFailed {
                peer,
                why: DialError::NoAddress,
            };
            return out.tell(Address::Transport, Letter::Roster(network, failed));
        }
        let connection = air.network.begin(self.index);
        self.dials.insert(
            connection,
            Dial {
                peer,
                addrs: addrs.to_vec(),
                tries: 0,
                early: Vec::new(),
                networks: BTreeSet::from([network]),
            },
        );
        self.dial_again(connection, air, out);
    }

    pub(super) fn fail_dial(&mut self, connection: u64, why: &DialError, out: &mut DriverOut) {
        let Some(dial) = self.dials.remove(&connection) else {
            return;
        };
        for network in dial.networks {
            let failed = Roster::DialFailed {
                peer: dial.peer,
                why: why.clone(),
            };
            out.tell(Address::Transport, Letter::Roster(network, failed));
        }
        out.forgotten.push(connection);
    }

    /// A first packet came, or came again.
    pub(super) fn dialled(
        &mut self,
        from: NodeIndex,
        connection: u64,
        dialler: NodeId,
        wanted: NodeId,
        way: Way,
        out: &mut DriverOut,
    ) {
        let body = if wanted == self.me {
            if self.link_of(connection).is_none() {
                self.add_link(connection, dialler, from, BTreeSet::new());
            }
            let acceptor = self.me;
            Body::Accepted { acceptor, way }
        } else {
            Body::WrongPeer { way }
        };
        self.packet_to(from, connection, body, out);
    }

    /// A packet that can be read, or nothing: it waits for the answer to the dial.
    pub(super) fn not_too_early(&mut self, packet: Packet) -> Option<Packet> {
        let Some(dial) = self.dials.get_mut(&packet.connection) else {
            return Some(packet);
        };
        match &packet.body {
            Body::Dial { .. } | Body::Accepted { .. } | Body::WrongPeer { .. } => Some(packet),
            Body::Control { .. }
            | Body::JobOpen { .. }
            | Body::JobReply { .. }
            | Body::JobRead { .. }
            | Body::JobEnd { .. }
            | Body::JobCancel { .. }
            | Body::Close => {
                let room = dial.early.len() < EARLY_MAX;
                kernel::sometimes!(!room, "transport: too much overtakes an answer");
                if room {
                    dial.early.push(packet);
                }
                None
            }
        }
    }

    /// An answer came. Only the first counts: the others are of the same handshake.
    pub(super) fn accepted(
        &mut self,
        from: NodeIndex,
        connection: u64,
        acceptor: NodeId,
        way: &Way,
        air: &mut Air<'_>,
        out: &mut DriverOut,
    ) {
        let Some(dial) = self.dials.remove(&connection) else {
            return;
        };
        air.network.establish(air.now, connection, way);
        let link = self.add_link(connection, acceptor, from, dial.networks.clone());
        for network in dial.networks {
            let up = Roster::LinkUp {
                peer: acceptor,
                link,
                dialled: true,
            };
            out.tell(Address::Transport, Letter::Roster(network, up));
        }
        if let Some(addr) = air.network.reflected(self.index, way) {
            self.reflect(acceptor, addr, out);
        }
        for packet in dial.early {
            self.arrive(packet, air, out);
        }
    }
}
