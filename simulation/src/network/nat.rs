//! NAT boxes, by the words of RFC 4787.

use crate::event::{NodeIndex, Time};
use messages::Micros;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddrV4};

/// What a behaviour of a box depends on, beside the address inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Dependence {
    /// Nothing: endpoint-independent.
    Endpoint,
    /// The address outside.
    Address,
    /// The address and the port outside.
    AddressAndPort,
}

impl Dependence {
    /// Whether two outside endpoints are one and the same to it.
    fn equates(self, one: SocketAddrV4, two: SocketAddrV4) -> bool {
        match self {
            Self::Endpoint => true,
            Self::Address => one.ip() == two.ip(),
            Self::AddressAndPort => one == two,
        }
    }
}

/// A NAT box or firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nat {
    /// When packets from one inside address leave from one outside address.
    pub mapping: Dependence,
    /// Whom an outside address admits: those whom the inside has sent to.
    pub filtering: Dependence,
    /// After how long without a packet from inside a mapping and its permits are forgotten.
    pub expiry: Micros,
    /// Whether two nodes inside reach each other by their outside addresses.
    pub hairpin: bool,
    /// Whether no UDP passes at all.
    pub udp_blocked: bool,
}

impl Nat {
    /// Anybody may answer an address that was ever used.
    pub const FULL_CONE: Self = Self::cone(Dependence::Endpoint);
    /// Whoever was sent to may answer, from any port.
    pub const RESTRICTED: Self = Self::cone(Dependence::Address);
    /// Whoever was sent to may answer, from the port that was sent to.
    pub const PORT_RESTRICTED: Self = Self::cone(Dependence::AddressAndPort);
    /// Every destination sees another address.
    pub const SYMMETRIC: Self = Self {
        mapping: Dependence::AddressAndPort,
        ..Self::PORT_RESTRICTED
    };
    /// No UDP at all.
    pub const UDP_BLOCKED: Self = Self {
        udp_blocked: true,
        ..Self::PORT_RESTRICTED
    };

    const fn cone(filtering: Dependence) -> Self {
        Self {
            mapping: Dependence::Endpoint,
            filtering,
            expiry: EXPIRY_USUAL,
            hairpin: false,
            udp_blocked: false,
        }
    }
}

/// The shortest time that home routers in the field keep a mapping. RFC 4787 asks for 2 min.
const EXPIRY_USUAL: Micros = Micros::from_secs(30);

/// What stands behind a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hop {
    Node(NodeIndex),
    /// Another box: double NAT.
    Box(usize),
}

/// An outside port and what it stands for.
#[derive(Debug)]
struct Mapping {
    hop: Hop,
    inside: SocketAddrV4,
    /// The first destination; others share the mapping as far as the box equates them.
    to: SocketAddrV4,
    port: u16,
    last: Time,
    permits: Vec<(SocketAddrV4, Time)>,
}

/// A box that stands somewhere. It remembers per destination, never per packet.
#[derive(Debug)]
pub(super) struct NatBox {
    pub(super) nat: Nat,
    pub(super) outside: Ipv4Addr,
    /// The box before this one.
    pub(super) parent: Option<usize>,
    pub(super) inside: Vec<Hop>,
    mappings: Vec<Mapping>,
    next_port: u16,
}

/// The first port that a box gives away.
const FIRST_PORT: u16 = 20_000;

impl NatBox {
    pub(super) const fn new(nat: Nat, outside: Ipv4Addr, parent: Option<usize>) -> Self {
        Self {
            nat,
            outside,
            parent,
            inside: Vec::new(),
            mappings: Vec::new(),
            next_port: FIRST_PORT,
        }
    }

    /// A packet leaves: from which address outside.
    pub(super) fn outbound(
        &mut self,
        now: Time,
        hop: Hop,
        inside: SocketAddrV4,
        to: SocketAddrV4,
    ) -> SocketAddrV4 {
        let mapping = self.nat.mapping;
        let alike =
            |of: &Mapping| of.hop == hop && of.inside == inside && mapping.equates(of.to, to);
        let expiry = self.nat.expiry.0;
        let known = self.mappings.iter().position(alike);
        let place = known.unwrap_or_else(|| {
            self.mappings.retain(|of| of.last + expiry >= now);
            self.mappings.push(Mapping {
                hop,
                inside,
                to,
                port: 0,
                last: 0,
                permits: Vec::new(),
            });
            self.mappings.len() - 1
        });
        let mapping = &mut self.mappings[place];
        if mapping.port == 0 || mapping.last + expiry < now {
            mapping.port = self.next_port;
            mapping.permits.clear();
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
        }
        mapping.last = mapping.last.max(now);
        match mapping.permits.iter_mut().find(|(of, _)| *of == to) {
            Some((_, last)) => *last = now.max(*last),
            None => {
                mapping.permits.retain(|(_, last)| *last + expiry >= now);
                mapping.permits.push((to, now));
            }
        }
        SocketAddrV4::new(self.outside, mapping.port)
    }

    /// A packet comes: for whom, and at which address inside. Nothing: it is dropped.
    pub(super) fn inbound(
        &self,
        now: Time,
        from: SocketAddrV4,
        port: u16,
    ) -> Option<(Hop, SocketAddrV4)> {
        let (filtering, expiry) = (self.nat.filtering, self.nat.expiry.0);
        let alive = |last: Time| last + expiry >= now;
        let of = self
            .mappings
            .iter()
            .find(|of| of.port == port && alive(of.last))?;
        let admits = |(to, last): &(SocketAddrV4, Time)| {
            filtering.equates(*to, from) && (filtering == Dependence::Endpoint || alive(*last))
        };
        of.permits.iter().any(admits).then_some((of.hop, of.inside))
    }

    /// It loses power, or its provider gives it another address: no mapping survives.
    pub(super) fn restart(&mut self, outside: Ipv4Addr) {
        self.outside = outside;
        self.mappings.clear();
    }
}
