//! The drivers' share of the loop.

use super::World;
use crate::drivers::DriverOut;
use crate::drivers::engine::Engine;
use crate::drivers::gateway::Gateway;
use crate::drivers::store::Store;
use crate::drivers::transport::Transport;
use crate::event::{NodeIndex, Occurrence};
use crate::network::{Body, IDLE_TIMEOUT};
use crate::node::{Boot, Mailbox};
use kernel::{Incarnation, Mail, Source};
use messages::{Address, NodeId};

impl World {
    /// A letter or signal to a driver or a leaf.
    pub(super) fn drive_mail(&mut self, node: NodeIndex, to: Address, mail: Mail) {
        let mut out = DriverOut::default();
        let (time, network) = (self.time, &mut self.network);
        let place = &mut self.nodes[node];
        let Some(boot) = &mut place.boot else { return };
        boot.drivers.take(
            time,
            &place.disk,
            to,
            mail,
            || network.connection(),
            &mut out,
        );
        self.carry_out(node, out);
    }

    /// Something that happens to a driver.
    pub(super) fn drive(&mut self, node: NodeIndex, what: Occurrence) {
        let mut out = DriverOut::default();
        let time = self.time;
        let deaf = if let Occurrence::IdleCheck(connection) = &what {
            self.deaf_since(node, *connection)
        } else {
            None
        };
        let place = &mut self.nodes[node];
        let Some(boot) = &mut place.boot else { return };
        match what {
            Occurrence::Arrive(packet) => boot.drivers.transport.arrive(*packet, &mut out),
            Occurrence::DialTimeout(connection) => {
                boot.drivers.transport.dial_timeout(connection, &mut out);
            }
            Occurrence::IdleCheck(connection) => {
                if deaf.is_some_and(|since| time - since >= IDLE_TIMEOUT.0) {
                    boot.drivers.transport.idle(connection, &mut out);
                }
            }
            Occurrence::EngineStep(device, step) => {
                if let Some(engine) = boot.drivers.engines.get_mut(&device) {
                    engine.step_done(step, &mut out);
                }
            }
            Occurrence::Committed(commit) => {
                boot.drivers
                    .store
                    .committed(&mut place.disk, commit, &mut out);
            }
            Occurrence::Turn(..) | Occurrence::Wake(..) | Occurrence::Restarts => {}
        }
        self.carry_out(node, out);
    }

    /// Carries out what a driver did.
    pub(crate) fn carry_out(&mut self, node: NodeIndex, out: DriverOut) {
        for leaf in out.leaves_up {
            if let Some(boot) = &mut self.nodes[node].boot {
                let life = boot.switchboard.leaf_up(leaf);
                boot.mailboxes.insert(leaf, Mailbox::new(leaf, life));
            }
        }
        for (from, effect) in out.effects {
            let Some(boot) = &self.nodes[node].boot else {
                return;
            };
            let source = boot
                .switchboard
                .live(from)
                .map_or(Source::World, |life| Source::Actor(from, life));
            self.apply(node, source, vec![effect]);
        }
        for (leaf, exit) in out.leaves_down {
            let life = self.nodes[node]
                .boot
                .as_ref()
                .and_then(|boot| boot.switchboard.live(leaf));
            if let Some(life) = life {
                self.exited(node, leaf, life, exit);
            }
        }
        self.send(out.packets);
        for connection in out.forgotten {
            self.network.forget_later(connection);
        }
        for (after, what) in out.later {
            self.schedule(self.time + after, node, what);
        }
    }

    /// Every connection over a path that fell silent is looked at when its idle time is over.
    pub(crate) fn check_idle_links(&mut self) {
        let at = self.time + IDLE_TIMEOUT.0;
        for node in 0..self.nodes.len() {
            let Some(boot) = &self.nodes[node].boot else {
                continue;
            };
            for (connection, peer) in boot.drivers.transport.peers() {
                if self.network.deaf_since(node, peer).is_some() {
                    self.schedule(at, node, Occurrence::IdleCheck(connection));
                }
            }
        }
    }

    /// Closes the connections of a node that is gone for good in good order.
    pub(crate) fn hang_up_links(&mut self, node: NodeIndex) {
        let Some(boot) = &self.nodes[node].boot else {
            return;
        };
        let packets = boot
            .drivers
            .transport
            .peers()
            .into_iter()
            .map(|(connection, to)| crate::network::Packet {
                from: node,
                to,
                connection,
                body: Body::Close,
            })
            .collect();
        self.send(packets);
    }

    fn deaf_since(&self, node: NodeIndex, connection: u64) -> Option<u64> {
        let boot = self.nodes[node].boot.as_ref()?;
        let peers = boot.drivers.transport.peers();
        let (_, peer) = peers.into_iter().find(|(of, _)| *of == connection)?;
        self.network.deaf_since(node, peer)
    }
}

/// A driver's new life begins with nothing.
pub(super) fn renew(
    index: NodeIndex,
    me: NodeId,
    engines: &[u64],
    boot: &mut Boot,
    at: Address,
    life: Incarnation,
) {
    match at {
        Address::Transport => boot.drivers.transport = Transport::new(me, index, life.n),
        Address::Store => boot.drivers.store = Store::default(),
        Address::Gateway => {
            // What clients have seen is theirs, not the server's.
            let answers = std::mem::take(&mut boot.drivers.gateway.answers);
            boot.drivers.gateway = Gateway {
                answers,
                ..Gateway::default()
            };
        }
        Address::Engine(device) => {
            let step_us = engines
                .get(usize::from(device.0))
                .copied()
                .unwrap_or(20_000);
            boot.drivers
                .engines
                .insert(device, Engine::new(device, step_us));
        }
        Address::Stream(_)
        | Address::Control
        | Address::Worker(_)
        | Address::Roster(_)
        | Address::Session(..)
        | Address::Router
        | Address::Proxy(_)
        | Address::Observer => {}
    }
}
