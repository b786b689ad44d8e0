//! Who stands where: nodes in the open, nodes behind boxes, boxes behind boxes; and how a packet
//! finds its way from one to another.

use super::nat::{Dependence, Hop, Nat, NatBox};
use crate::event::{NodeIndex, Time};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The port that every simulated node listens on.
const PORT: u16 = 7337;

/// Why a packet does not get through: what tells most is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Somebody else has this address here.
    SomebodyElse,
    /// Nobody has this address, or not from there.
    Unroutable,
    /// A box does not send back in what comes from inside.
    NoHairpin,
    /// A box knows no such mapping, or has not been sent to by its inside.
    Filtered,
    /// A firewall lets no UDP out or in.
    UdpBlocked,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UdpBlocked => "a firewall lets no UDP through",
            Self::Unroutable => "no known address leads there",
            Self::Filtered => "a NAT box admits nobody whom its inside has not called",
            Self::NoHairpin => "the NAT box that both are behind does not turn packets around",
            Self::SomebodyElse => "somebody else has this address",
        })
    }
}

/// What must come of dials from one node to another, as far as boxes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// They get through to where the other listens.
    Known,
    /// They get through to where others see it.
    Learnt,
    /// It depends on who dials when, or nothing gets through.
    Never,
}

/// Where a packet came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landed {
    pub(super) node: NodeIndex,
    /// The sender's address, as the receiver sees it.
    pub(super) seen: SocketAddrV4,
}

#[derive(Clone, Copy, Debug)]
struct Home {
    behind: Option<usize>,
    addr: SocketAddrV4,
    moves: u8,
}

/// Everybody's place.
#[derive(Debug)]
pub(super) struct Ground {
    homes: Vec<Home>,
    boxes: Vec<NatBox>,
    /// The box that was given each outside address, in the order in which they are given.
    given: Vec<usize>,
}

/// Nodes in the open have 10.0.0.0/8, and after their n-th move (10 + n).0.0.0/8.
const OPEN_NET: u8 = 10;
/// Moves before a node has its first address again: it stays under 100.0.0.0/8.
const MOVES: u8 = 80;
/// Outside addresses of boxes: 198.18.0.0/15, which is for benchmarks.
const BOX_NET: u32 = 0xC612_0000;
/// Outside addresses of boxes behind boxes: 100.64.0.0/10, which is for providers' own NAT.
const INNER_NET: u32 = 0x6440_0000;
/// Where outside addresses are read: it is nobody's.
const REFLECTOR: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 1), PORT);
/// The first address that a box gives to whoever is behind it: every box the same.
const LAN_FIRST: u32 = 0xC0A8_0102;

impl Ground {
    pub(super) fn new(nodes: usize) -> Self {
        let home = |node| Home {
            behind: None,
            addr: open_address(node, 0),
            moves: 0,
        };
        Self {
            homes: (0..nodes).map(home).collect(),
            boxes: Vec::new(),
            given: Vec::new(),
        }
    }

    /// Puts nodes behind a box. Those that are behind one already share it: the new one stands
    /// before the outermost.
    pub(super) fn shelter(&mut self, nodes: &[NodeIndex], nat: Nat) {
        let at = self.boxes.len();
        let outside = self.outside_address(at, None);
        let mut new = NatBox::new(nat, outside, None);
        // Of all before any of them is behind it.
        let outermost = nodes.iter().map(|node| self.boxes_of(*node).last());
        for (node, outermost) in nodes.iter().zip(outermost.collect::<Vec<_>>()) {
            let hop = outermost.map_or(Hop::Node(*node), Hop::Box);
            if new.inside.contains(&hop) {
                continue;
            }
            match outermost {
                Some(inner) => {
                    self.boxes[inner].parent = Some(at);
                    self.boxes[inner].outside = self.outside_address(inner, Some(at));
                }
                None => {
                    let offset = u32::try_from(new.inside.len()).unwrap_or(0);
                    let home = &mut self.homes[*node];
                    home.behind = Some(at);
                    home.addr = SocketAddrV4::new(Ipv4Addr::from_bits(LAN_FIRST + offset), PORT);
                }
            }
            new.inside.push(hop);
        }
        self.boxes.push(new);
    }

    /// The boxes that a node is behind, from the innermost.
    fn boxes_of(&self, node: NodeIndex) -> impl Iterator<Item = usize> {
        let first = self.homes[node].behind;
        std::iter::successors(first, |at| self.boxes[*at].parent)
    }

    pub(super) fn is_boxed(&self, node: NodeIndex) -> bool {
        !self.boxes.is_empty() && self.homes[node].behind.is_some()
    }

    /// Whether dials from one node to another get through.
    pub(super) fn reach(&self, from: NodeIndex, to: NodeIndex, reflection: bool) -> Reach {
        if self.boxes.is_empty() {
            return Reach::Known;
        }
        let nats = |node| self.boxes_of(node).map(|at| self.boxes[at].nat);
        let one_address = |node| nats(node).all(|nat| nat.mapping == Dependence::Endpoint);
        let lets_in = |nat: Nat| nat.filtering == Dependence::Endpoint;
        // A box that lets anybody in and answers from another address spoils reflection: dials
        // come half through, and stand in the way of those that would.
        let half = reflection && !one_address(from) && nats(from).any(lets_in);
        let alone = |node| {
            self.boxes_of(node)
                .all(|at| self.boxes[at].inside.len() == 1)
        };
        let plain = |node| one_address(node) && alone(node);
        match (self.is_boxed(from), self.is_boxed(to)) {
            _ if self.is_walled(from) || self.is_walled(to) => Reach::Never,
            (false, false) => Reach::Known,
            (true, false) if !half => Reach::Known,
            (true, true) if reflection && plain(from) && plain(to) && nats(to).all(lets_in) => {
                Reach::Learnt
            }
            (true | false, true) | (true, false) => Reach::Never,
        }
    }

    /// Who shares a box with whom, both ways.
    pub(super) fn neighbours(&self) -> Vec<(NodeIndex, NodeIndex)> {
        let mut pairs = Vec::new();
        for of in &self.boxes {
            for (one, two) in of
                .inside
                .iter()
                .flat_map(|a| of.inside.iter().map(move |b| (a, b)))
            {
                if let (Hop::Node(one), Hop::Node(two)) = (one, two)
                    && one != two
                {
                    pairs.push((*one, *two));
                }
            }
        }
        pairs
    }

    /// Whether no UDP passes between a node and the open.
    pub(super) fn is_walled(&self, node: NodeIndex) -> bool {
        self.boxes_of(node).any(|at| self.boxes[at].nat.udp_blocked)
    }

    /// Where a node listens, as it knows itself.
    pub(super) fn address(&self, node: NodeIndex) -> SocketAddrV4 {
        self.homes[node].addr
    }

    /// A node is somewhere else all at once: in the open it has another address; behind boxes, the
    /// outermost one has.
    pub(super) fn rebind(&mut self, node: NodeIndex) {
        match self.boxes_of(node).last() {
            Some(outermost) => {
                let outside = self.outside_address(outermost, None);
                self.boxes[outermost].restart(outside);
            }
            None => {
                let home = &mut self.homes[node];
                home.moves = (home.moves + 1) % MOVES;
                home.addr = open_address(node, home.moves);
            }
        }
    }

    /// Sends a packet: boxes on the way remember it.
    pub(super) fn walk(
        &mut self,
        now: Time,
        from: NodeIndex,
        to: SocketAddrV4,
    ) -> Result<Landed, Obstacle> {
        let mut seen = self.homes[from].addr;
        if seen == to {
            return Ok(Landed { node: from, seen });
        }
        self.climb(now, from, to, &mut seen)
    }

    /// The address that a third party in the open sees a node at.
    pub(super) fn reflexive(&mut self, now: Time, node: NodeIndex) -> Option<SocketAddrV4> {
        let mut seen = self.homes[node].addr;
        let sent = self.climb(now, node, REFLECTOR, &mut seen);
        (sent == Err(Obstacle::Unroutable)).then_some(seen)
    }

    fn climb(
        &mut self,
        now: Time,
        from: NodeIndex,
        to: SocketAddrV4,
        seen: &mut SocketAddrV4,
    ) -> Result<Landed, Obstacle> {
        let (mut realm, mut hop) = (self.homes[from].behind, Hop::Node(from));
        loop {
            match self.neighbour(realm, to) {
                Some(Hop::Node(node)) => return Ok(Landed { node, seen: *seen }),
                Some(Hop::Box(down)) => return self.descend(now, down, *seen, to),
                None => {}
            }
            let Some(at) = realm else {
                return Err(Obstacle::Unroutable);
            };
            let of = &mut self.boxes[at];
            if of.nat.udp_blocked {
                return Err(Obstacle::UdpBlocked);
            }
            if is_private(*to.ip()) && of.parent.is_none() {
                // No provider carries it.
                return Err(Obstacle::Unroutable);
            }
            let turns = of.outside == *to.ip();
            if turns && !of.nat.hairpin {
                return Err(Obstacle::NoHairpin);
            }
            *seen = of.outbound(now, hop, *seen, to);
            if turns {
                return self.descend(now, at, *seen, to);
            }
            (realm, hop) = (of.parent, Hop::Box(at));
        }
    }

    /// Who has this address in a realm: behind a box, or in the open.
    fn neighbour(&self, realm: Option<usize>, to: SocketAddrV4) -> Option<Hop> {
        match realm {
            Some(at) => self.boxes[at].inside.iter().copied().find(|hop| match hop {
                Hop::Node(node) => self.homes[*node].addr == to,
                Hop::Box(inner) => self.boxes[*inner].outside == *to.ip(),
            }),
            None => self.in_the_open(to),
        }
    }

    fn in_the_open(&self, to: SocketAddrV4) -> Option<Hop> {
        let [_, a, b, c] = to.ip().octets();
        let node = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok();
        let node = node.filter(|node| {
            let home = self.homes.get(*node);
            home.is_some_and(|home| home.behind.is_none() && home.addr == to)
        });
        node.map(Hop::Node).or_else(|| {
            let offset = to.ip().to_bits().checked_sub(BOX_NET)?;
            let at = *self.given.get(usize::try_from(offset).ok()?)?;
            (self.boxes[at].outside == *to.ip()).then_some(Hop::Box(at))
        })
    }

    /// A packet is before a box.
    fn descend(
        &self,
        now: Time,
        mut at: usize,
        seen: SocketAddrV4,
        mut to: SocketAddrV4,
    ) -> Result<Landed, Obstacle> {
        loop {
            let of = &self.boxes[at];
            if of.nat.udp_blocked {
                return Err(Obstacle::UdpBlocked);
            }
            let (hop, inside) = of.inbound(now, seen, to.port()).ok_or(Obstacle::Filtered)?;
            match hop {
                Hop::Node(node) => return Ok(Landed { node, seen }),
                Hop::Box(inner) => (at, to) = (inner, inside),
            }
        }
    }

    fn outside_address(&mut self, of: usize, parent: Option<usize>) -> Ipv4Addr {
        let net = match parent {
            Some(_) => INNER_NET,
            None => BOX_NET,
        };
        let offset = u32::try_from(self.given.len()).unwrap_or(0);
        self.given.push(of);
        Ipv4Addr::from_bits(net + offset)
    }
}

fn open_address(node: NodeIndex, moves: u8) -> SocketAddrV4 {
    let [_, a, b, c] = u32::try_from(node).unwrap_or(0).to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(OPEN_NET + moves, a, b, c), PORT)
}

/// Addresses that mean something behind a box only.
pub(super) fn is_private(ip: Ipv4Addr) -> bool {
    ip.to_bits() >> 16 == LAN_FIRST >> 16 || ip.to_bits() >> 22 == INNER_NET >> 22
}
