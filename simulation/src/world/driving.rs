//! The drivers' share of the loop.

use super::World;
use super::trip::whole;
use crate::checkers::Seen;
use crate::drivers::DriverOut;
use crate::drivers::engine::{Device, Engine};
use crate::drivers::store::Store;
use crate::drivers::transport::{Air, Transport};
use crate::event::{NodeIndex, Occurrence, Time};
use crate::network::Hearing;
use crate::node::Boot;
use kernel::{Exit, Incarnation, Mail, Source};
use messages::{Address, NodeId};
use std::mem::take;

impl World {
    /// A letter or signal to a driver or a leaf.
    pub(crate) fn drive_mail(&mut self, node: NodeIndex, to: Address, mail: Mail) {
        #[cfg(test)]
        let mail = self.tampered_mail(node, to, mail);
        self.driver_changes(node);
        self.hear_mail(node, &mail);
        self.show(node, &Seen::Takes(to, &mail));
        let mut out = take(&mut self.spare.out);
        let (time, network) = (self.time, &mut self.network);
        let place = &mut self.nodes[node];
        let Some(boot) = &mut place.boot else { return };
        boot.drivers
            .take(time, &mut place.disk, to, mail, network, &mut out);
        self.carry_out(node, out);
    }

    /// Something that happens to a driver.
    pub(super) fn drive(&mut self, node: NodeIndex, what: Occurrence) {
        self.driver_changes(node);
        if let Occurrence::Reads(request) = &what {
            self.show(node, &Seen::Reads(*request));
        }
        let mut out = take(&mut self.spare.out);
        let time = self.time;
        let network = &mut self.network;
        let place = &mut self.nodes[node];
        let Some(boot) = &mut place.boot else { return };
        // What a dead driver had begun ends with it: packets find a closed socket.
        if boot.live(driver_of(&what)).is_none() {
            return;
        }
        match what {
            Occurrence::Arrive(packet) => {
                let mut air = Air { now: time, network };
                boot.drivers.transport.arrive(*packet, &mut air, &mut out);
            }
            Occurrence::Read(stream) => boot.drivers.transport.deliver(stream, &mut out),
            Occurrence::DialTimeout(connection) => {
                let mut air = Air { now: time, network };
                let transport = &mut boot.drivers.transport;
                transport.dial_again(connection, &mut air, &mut out);
            }
            Occurrence::IdleCheck(connection) => {
                let hears = match network.hearing(time, connection, node) {
                    // Idle time is counted by a clock that stands still while the machine sleeps.
                    Hearing::Nothing(since) => {
                        Hearing::Nothing(since + place.clock.missed(since, time))
                    }
                    heard @ (Hearing::Fine | Hearing::Reset) => heard,
                };
                boot.drivers
                    .transport
                    .check(connection, hears, time, &mut out);
            }
            Occurrence::Decided(stream) => {
                boot.drivers.transport.decided_late(stream, &mut out);
            }
            Occurrence::StallCheck(connection) => {
                boot.drivers
                    .transport
                    .check_stalls(connection, time, &mut out);
            }
            Occurrence::Window(connection) => {
                boot.drivers.transport.window(connection, &mut out);
            }
            Occurrence::Resend(connection) => return self.resend(node, connection),
            Occurrence::Punch(connection) => {
                network.punch(time, connection);
                return self.run_errands();
            }
            Occurrence::Engine(device, tick) => {
                if let Some(engine) = boot.drivers.engines.get_mut(&device) {
                    engine.tick(time, tick, &mut out);
                }
            }
            Occurrence::Disk(tick) => boot.drivers.store.tick(&mut place.disk, tick, &mut out),
            Occurrence::Reads(request) => boot.drivers.gateway.reads(time, request, &mut out),
            Occurrence::Turn(..)
            | Occurrence::Wake(..)
            | Occurrence::Restarts
            | Occurrence::Birth(..) => {}
        }
        self.carry_out(node, out);
    }

    /// Carries out what a driver did.
    pub(crate) fn carry_out(&mut self, node: NodeIndex, out: DriverOut) {
        #[cfg(test)]
        let out = self.tampered_out(node, out);
        let mut out = out;
        for leaf in out.leaves_up.drain(..) {
            self.show(node, &Seen::Leaf(leaf, true));
            if let Some(boot) = &mut self.nodes[node].boot {
                boot.leaf_up(leaf);
            }
        }
        for (from, effect) in out.effects.drain(..) {
            self.show(node, &Seen::Does(from, &effect));
            let Some(boot) = &self.nodes[node].boot else {
                return;
            };
            let (driver, number) = (whole(from), boot.number);
            let before = boot.live(driver);
            match boot.live(from) {
                Some(life) => {
                    let mut effects = take(&mut self.spare.effects);
                    effects.push(effect);
                    self.apply_turn(node, (from, life), effects);
                }
                None => self.apply_one(node, Source::World, effect),
            }
            let boot = self.nodes[node].boot.as_ref();
            let boot = boot.filter(|boot| boot.number == number);
            if before.is_some() && boot.is_none_or(|boot| boot.live(driver) != before) {
                // It died between two effects: what is behind them is not done, and streams that it
                // has let go of are nobody's.
                self.leaves_gone(node, out.leaves_down);
                return self.run_errands();
            }
        }
        self.leaves_gone(node, take(&mut out.leaves_down));
        for fate in out.fates.drain(..) {
            self.follow(fate);
        }
        for packet in out.packets.drain(..) {
            let fate = self.network.send(self.time, packet);
            self.follow(fate);
        }
        self.run_errands();
        for connection in out.forgotten.drain(..) {
            self.network.let_go(self.time, connection, node);
        }
        self.run_errands();
        for (after, what) in out.later.drain(..) {
            self.schedule(self.time + after, node, what);
        }
        let power_fails = take(&mut out.power_fails);
        self.spare.out = out;
        if power_fails {
            self.lose_power(node);
        }
    }
}

impl World {
    fn leaves_gone(&mut self, node: NodeIndex, leaves: Vec<(Address, Exit)>) {
        for (leaf, exit) in leaves {
            self.show(node, &Seen::Leaf(leaf, false));
            let life = self.nodes[node]
                .boot
                .as_ref()
                .and_then(|boot| boot.live(leaf));
            if let Some(life) = life {
                self.exited(node, leaf, life, exit);
            }
        }
    }
}

/// Whose an occurrence is.
fn driver_of(what: &Occurrence) -> Address {
    match what {
        Occurrence::Arrive(_)
        | Occurrence::Read(_)
        | Occurrence::DialTimeout(_)
        | Occurrence::IdleCheck(_)
        | Occurrence::Decided(_)
        | Occurrence::StallCheck(_)
        | Occurrence::Window(_)
        | Occurrence::Resend(_)
        | Occurrence::Punch(_) => Address::Transport,
        Occurrence::Engine(device, _) => Address::Engine(*device),
        Occurrence::Disk(_) => Address::Store,
        Occurrence::Reads(_) => Address::Gateway,
        Occurrence::Turn(who, _) | Occurrence::Wake(who, ..) => *who,
        Occurrence::Birth(child, _) => child.at,
        Occurrence::Restarts => Address::Observer,
    }
}

/// A driver's new life begins with nothing; an engine can serve from `loaded` on.
pub(super) fn renew(
    (index, me): (NodeIndex, NodeId),
    engines: &[Device],
    loaded: Time,
    boot: &mut Boot,
    (at, life): (Address, Incarnation),
) {
    match at {
        Address::Transport => boot.drivers.transport = Transport::new(me, index, life.n),
        Address::Store => boot.drivers.store = Store::new(life.n),
        Address::Gateway => {
            // What clients have seen is theirs; their connections were the server's.
            let gateway = std::mem::take(&mut boot.drivers.gateway);
            boot.drivers.gateway = gateway.renewed();
        }
        Address::Engine(id) => {
            let device = engines.get(usize::from(id.0)).copied().unwrap_or_default();
            let engine = Engine::new(id, device, loaded, life.n);
            boot.drivers.engines.insert(id, engine);
        }
        Address::Stream(_)
        | Address::Control
        | Address::Worker(_)
        | Address::Roster(_)
        | Address::GossipStore(_)
        | Address::Session(..)
        | Address::Router
        | Address::Proxy(_)
        | Address::Observer => {}
    }
}
