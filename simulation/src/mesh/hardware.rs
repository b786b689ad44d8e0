//! What goes wrong with a node's hardware: clocks, disk, engines.

use super::Mesh;
use crate::checkers::Seen;
use crate::drivers::DriverOut;
use crate::drivers::engine::{Engine, EngineFault};
use crate::drivers::store::{DiskFault, DiskReport};
use crate::event::NodeIndex;
use messages::{Address, DeviceId, Micros, Now};

impl Mesh {
    /// Both clocks of a node.
    #[must_use]
    pub fn clock(&self, node: NodeIndex) -> Now {
        self.world.now(node)
    }

    /// Somebody sets a node's wall clock. The monotonic one does not notice.
    pub fn jump_clock(&mut self, node: NodeIndex, by_us: i64) {
        self.disturb();
        self.world.nodes[node].clock.jump(by_us);
    }

    /// A node's crystal gains this many parts per million from now on, and with it both clocks.
    pub fn drift(&mut self, node: NodeIndex, ppm: i32) {
        self.disturb();
        let time = self.world.time;
        self.world.nodes[node].clock.drift(time, ppm);
        self.world.arm_all(node);
    }

    /// A node's processor is busy with something else: its actors run for a tenth of each round of
    /// this length, and wait for the rest. With nothing, they run when they like.
    pub fn busy(&mut self, node: NodeIndex, round: Micros) {
        self.disturb();
        match round.0 {
            0 => self.world.busy.remove(&node),
            round => self.world.busy.insert(node, round),
        };
    }

    /// Something is wrong with a node's disk from now on.
    pub fn disk(&mut self, node: NodeIndex, fault: DiskFault) {
        self.world.show(node, &Seen::Spoiled);
        self.world.nodes[node].disk.set(fault);
    }

    /// What a node's disk holds and has been through.
    #[must_use]
    pub fn disk_report(&self, node: NodeIndex) -> DiskReport {
        self.world.nodes[node].disk.report()
    }

    /// Something is wrong with a node's engines.
    pub fn engine(&mut self, node: NodeIndex, fault: EngineFault) {
        self.disturb();
        if fault == EngineFault::Crash {
            let dying = self.addresses(node).into_iter();
            for who in dying.filter(|who| matches!(who, Address::Engine(_))) {
                self.plan_end_of(node, who);
            }
        }
        let time = self.world.time;
        let place = &mut self.world.nodes[node];
        for device in &mut place.engines {
            match fault {
                EngineFault::None => device.prefill_us = 0,
                EngineFault::SlowPrefill(span) => device.prefill_us = span.0,
                EngineFault::Wedge | EngineFault::Crash | EngineFault::Stall(_) => {}
            }
        }
        let mut out = DriverOut::default();
        if let Some(boot) = &mut place.boot {
            for (id, engine) in &mut boot.drivers.engines {
                if let Some(device) = place.engines.get(usize::from(id.0)) {
                    engine.set_device(*device);
                }
                engine.fault(time, fault, &mut out);
            }
        }
        self.world.carry_out(node, out);
    }

    /// A node's engine takes commands and answers nothing.
    pub fn wedge(&mut self, node: NodeIndex, wedged: bool) {
        let boot = self.world.nodes[node].boot.as_mut();
        let engines = boot
            .into_iter()
            .flat_map(|boot| boot.drivers.engines.values_mut());
        for engine in engines {
            engine.wedged = wedged;
        }
    }

    /// Whether all of a node's engines are wedged; nothing where none is up.
    #[must_use]
    pub fn is_wedged(&self, node: NodeIndex) -> Option<bool> {
        let mut wedged = self.engines_of(node).map(|engine| engine.wedged);
        let first = wedged.next()?;
        Some(first && wedged.all(|it| it))
    }

    /// Tokens that a node's engines have drawn since they started.
    #[must_use]
    pub fn drawn(&self, node: NodeIndex) -> u64 {
        self.engines_of(node).map(|engine| engine.drawn).sum()
    }

    /// Jobs that a node's engines hold.
    #[must_use]
    pub fn jobs(&self, node: NodeIndex) -> usize {
        self.engines_of(node).map(Engine::jobs).sum()
    }

    /// Jobs that wait at a node's first worker for a slot.
    #[must_use]
    pub fn queued(&self, node: NodeIndex) -> u64 {
        let boot = self.world.nodes[node].boot.as_ref();
        let view = boot.and_then(|boot| boot.executor.view(Address::Worker(DeviceId(0))));
        let mut facts = view.into_iter().flat_map(|view| view.facts);
        let queued = facts.find_map(|(name, value)| (name == "queued").then_some(value));
        queued.and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    fn engines_of(&self, node: NodeIndex) -> impl Iterator<Item = &Engine> {
        let boot = self.world.nodes[node].boot.as_ref();
        boot.into_iter()
            .flat_map(|boot| boot.drivers.engines.values())
    }
}
