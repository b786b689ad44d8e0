//! What one end of a connection hears of the other: frames, or signs of life, or nothing.

use super::connection::{ACCEPTOR, DIALLER, Hold, other};
use super::{Errand, IDLE_TIMEOUT, KEEP_ALIVE, Network};
use crate::event::{NodeIndex, Occurrence, Time};

/// What an end hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The other end, at least every [`KEEP_ALIVE`].
    Fine,
    /// A reset: the other end gave the connection up and answers what comes with that.
    Reset,
    /// Nothing since then.
    Nothing(Time),
}

impl Network {
    /// What a node hears on a connection.
    pub(crate) fn hearing(&self, now: Time, name: u64, node: NodeIndex) -> Hearing {
        let Some(connection) = self.connections.get(name) else {
            return Hearing::Fine;
        };
        let Some(side) = connection.side(node) else {
            return Hearing::Fine;
        };
        let peer = connection.ends[other(side)];
        if connection.ends[side].hold != Hold::Open || peer.hold == Hold::Absent {
            return Hearing::Fine;
        }
        let (to_here, from_here) = (&connection.lanes[other(side)], &connection.lanes[side]);
        let dead = match peer.hold {
            Hold::Dead(since) => Some(since),
            Hold::Absent | Hold::Open | Hold::Closed(_) => None,
        };
        let since = [
            self.faults.cut_since(peer.node, node),
            self.faults.silent_since(peer.node),
            self.faults
                .clogged(now, peer.node, node)
                .map(|(since, _)| since),
            to_here.blocked,
            dead,
        ];
        let since = since.into_iter().flatten().min();
        let Hold::Closed(closed) = peer.hold else {
            return since.map_or(Hearing::Fine, Hearing::Nothing);
        };
        let asks = self.faults.cut_since(node, peer.node).is_none() && from_here.blocked.is_none();
        match since {
            None if asks => Hearing::Reset,
            None => Hearing::Nothing(closed),
            Some(since) => Hearing::Nothing(since.min(closed)),
        }
    }

    /// Ends that hear nothing from now on are looked at when the idle time is over.
    pub(crate) fn check_hearing(&mut self, now: Time) {
        let mut deaf = Vec::new();
        for (name, connection) in self.connections.all() {
            for side in [DIALLER, ACCEPTOR] {
                let node = connection.ends[side].node;
                if self.hearing(now, name, node) == Hearing::Nothing(now) {
                    deaf.push((name, node));
                }
            }
        }
        for (name, node) in deaf {
            self.check_at(now + IDLE_TIMEOUT.0, name, node);
        }
    }

    /// A node stops reading what another sends it, or reads it again. What the transport does by
    /// itself, from acknowledgements to the end of a connection, goes on.
    pub(crate) fn read(&mut self, now: Time, from: NodeIndex, to: NodeIndex, reads: bool) {
        self.faults.read(from, to, reads);
        if !reads {
            return;
        }
        let late = self.paths.of(to, from).probe_timeout();
        for (connection, peer) in self.held_by(from) {
            if peer == to {
                let what = Occurrence::Window(connection);
                let (at, node) = (now + late, from);
                self.errands.push(Errand { at, node, what });
            }
        }
    }

    /// Whether any path is cut.
    pub(crate) fn has_cuts(&self) -> bool {
        self.faults.has_cuts()
    }

    /// Whether a path is cut.
    pub(crate) fn is_cut(&self, from: NodeIndex, to: NodeIndex) -> bool {
        self.faults.cut_since(from, to).is_some()
    }

    /// Whether a node reads what another sends it.
    pub(crate) fn reads(&self, from: NodeIndex, to: NodeIndex) -> bool {
        self.faults.reads(from, to)
    }

    /// Has a node look whether it hears anything on a connection.
    pub(crate) fn check_at(&mut self, at: Time, connection: u64, node: NodeIndex) {
        let what = Occurrence::IdleCheck(connection);
        self.errands.push(Errand { at, node, what });
    }

    /// A node has no use for a connection any more. The other end, if it is not told, notices when
    /// its next sign of life is answered by a reset.
    pub(crate) fn let_go(&mut self, now: Time, name: u64, node: NodeIndex) {
        let side = self.connections.get(name).and_then(|of| of.side(node));
        if let Some(side) = side
            && let Some(peer) = self.connections.let_go(name, side, Hold::Closed(now))
        {
            let late = self.paths.of(node, peer).probe_timeout();
            self.check_at(now + KEEP_ALIVE.0 + late, name, peer);
        }
    }

    /// A node's process is gone, with all that it knew. The next one has other keys, so that it
    /// cannot reset what it does not know.
    pub(crate) fn died(&mut self, now: Time, node: NodeIndex) {
        self.gave_up(node, Hold::Dead(now));
        self.check_hearing(now);
    }

    /// A node's endpoint begins anew.
    pub(crate) fn renewed(&mut self, now: Time, node: NodeIndex) {
        let held = self.held_by(node);
        self.gave_up(node, Hold::Closed(now));
        for (name, peer) in held {
            self.check_at(now + KEEP_ALIVE.0, name, peer);
        }
    }

    fn gave_up(&mut self, node: NodeIndex, hold: Hold) {
        let mut ends = Vec::new();
        for (name, connection) in self.connections.all() {
            for side in [DIALLER, ACCEPTOR] {
                if connection.ends[side].node == node {
                    ends.push((name, side));
                }
            }
        }
        for (name, side) in ends {
            self.connections.let_go(name, side, hold);
            if let Some(connection) = self.connections.get_mut(name) {
                let of = &mut connection.ends[side].hold;
                if matches!(of, Hold::Closed(_)) {
                    *of = hold;
                }
            }
        }
    }
}
