//! Connections as the network sees them: who is at their ends, by which path they go, and what
//! order their streams keep.

use super::packet::{Channel, Packet};
use crate::event::{NodeIndex, Time};
use std::net::SocketAddrV4;

/// An end of a connection: the one that dialled is the first.
pub(super) type Side = usize;
/// The end that dialled.
pub(super) const DIALLER: Side = 0;
/// The end that answered.
pub(super) const ACCEPTOR: Side = 1;

/// The other end.
pub(super) const fn other(side: Side) -> Side {
    1 - side
}

/// What one end knows of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It has none.
    Absent,
    /// It holds it.
    Open,
    /// It gave it up: the endpoint answers what still comes with a reset.
    Closed(Time),
    /// Its process ended: whoever is there now cannot reset what it never knew.
    Dead(Time),
}

/// One end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) node: NodeIndex,
    pub(super) hold: Hold,
    /// Where this end sends: the other's address as it sees it.
    pub(super) remote: SocketAddrV4,
}

/// What one end sends.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// When the last packet of the control stream arrives.
    control: Time,
    /// The same of job streams on which something is on its way, and no others.
    jobs: Vec<(u64, Time)>,
    /// When the path has carried what was sent.
    pub(super) busy_until: Time,
    /// When this end last sent something, acknowledgements included.
    pub(super) sent: Time,
    /// Since when nothing gets through.
    pub(super) blocked: Option<Time>,
    /// What is sent again until it gets through.
    pub(super) held: Vec<Packet>,
}

impl Lane {
    /// The arrival of a packet that would come at `at`: no earlier than what its stream sent
    /// before.
    pub(super) fn in_order(&mut self, now: Time, channel: Channel, at: Time) -> Time {
        let last = match channel {
            Channel::Loose => return at,
            Channel::Control => &mut self.control,
            Channel::Job(stream) => {
                let known = self.jobs.iter().position(|(of, _)| *of == stream);
                let place = known.unwrap_or_else(|| {
                    // Streams that have nothing on its way keep no order.
                    self.jobs.retain(|(_, last)| *last >= now);
                    self.jobs.push((stream, 0));
                    self.jobs.len() - 1
                });
                &mut self.jobs[place].1
            }
        };
        *last = at.max(*last + 1);
        *last
    }

    /// Job streams whose order is remembered.
    #[cfg(test)]
    pub(super) fn streams_known(&self) -> usize {
        self.jobs.len()
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    generation: u32,
    pub(super) ends: [End; 2],
    /// By sender.
    pub(super) lanes: [Lane; 2],
    pub(super) relayed: bool,
    /// Whether an end is behind a box, so that every packet has to find its way through.
    pub(super) boxed: bool,
}

impl Connection {
    /// Which end a node is. A node that dials itself is at both: it never gets past the handshake.
    pub(super) fn side(&self, node: NodeIndex) -> Option<Side> {
        let at = |side: Side| self.ends[side].node == node && self.ends[side].hold != Hold::Absent;
        [DIALLER, ACCEPTOR].into_iter().find(|side| at(*side))
    }

    fn is_over(&self) -> bool {
        let held = |end: &End| end.hold == Hold::Open;
        !self.ends.iter().any(held)
    }
}

/// All connections. A place is used again, so that the table is as large as the most connections
/// that there were at once.
#[derive(Debug, Default)]
pub(super) struct Connections {
    places: Vec<Connection>,
    free: Vec<usize>,
}

/// Nowhere.
const NOWHERE: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::UNSPECIFIED, 0);

impl Connections {
    /// A connection that this node begins.
    pub(super) fn begin(&mut self, node: NodeIndex) -> u64 {
        let end = |hold| End {
            node,
            hold,
            remote: NOWHERE,
        };
        let ends = [end(Hold::Open), end(Hold::Absent)];
        let place = self.free.pop().unwrap_or(self.places.len());
        let generation = self.places.get(place).map_or(1, |of| of.generation + 1);
        let connection = Connection {
            generation,
            ends,
            lanes: Default::default(),
            relayed: false,
            boxed: false,
        };
        match self.places.get_mut(place) {
            Some(old) => *old = connection,
            None => self.places.push(connection),
        }
        name_of(generation, place)
    }

    pub(super) fn get(&self, name: u64) -> Option<&Connection> {
        let (generation, place) = parts_of(name);
        let found = self.places.get(place);
        found.filter(|found| found.generation == generation && !found.is_over())
    }

    pub(super) fn get_mut(&mut self, name: u64) -> Option<&mut Connection> {
        let (generation, place) = parts_of(name);
        let found = self.places.get_mut(place);
        found.filter(|found| found.generation == generation && !found.is_over())
    }

    /// Every connection that an end holds, in the order of their places.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, &Connection)> {
        let places = self.places.iter().enumerate();
        places
            .filter(|(_, of)| !of.is_over())
            .map(|(place, of)| (name_of(of.generation, place), of))
    }

    /// The same, to be changed.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (u64, &mut Connection)> {
        let places = self.places.iter_mut().enumerate();
        places
            .filter(|(_, of)| !of.is_over())
            .map(|(place, of)| (name_of(of.generation, place), of))
    }

    /// An end holds the connection no more. Tells who is at the other end, if anybody is.
    pub(super) fn let_go(&mut self, name: u64, side: Side, hold: Hold) -> Option<NodeIndex> {
        let connection = self.get_mut(name)?;
        if connection.ends[side].hold != Hold::Open {
            return None;
        }
        connection.ends[side].hold = hold;
        connection.lanes[side].held = Vec::new();
        let rest = connection.ends[other(side)];
        if connection.is_over() {
            connection.lanes = Default::default();
            self.free.push(parts_of(name).1);
        }
        (rest.hold == Hold::Open).then_some(rest.node)
    }
}

/// The low half is the place.
const PLACE_BITS: u32 = 32;

fn name_of(generation: u32, place: usize) -> u64 {
    u64::from(generation) << PLACE_BITS | place as u64
}

fn parts_of(name: u64) -> (u32, usize) {
    let place = usize::try_from(name & u64::from(u32::MAX)).unwrap_or(usize::MAX);
    let generation = u32::try_from(name >> PLACE_BITS).unwrap_or(0);
    (generation, place)
}
