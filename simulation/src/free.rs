//! Nodes that run freely: real directories, supervisors and actors over simulated drivers.
//!
//! The world has network, disks, engines and clients; each node's actors run as in `mesh-node`, on
//! a runtime whose clock is paused and jumps when all of them wait. Who runs before whom is the
//! runtime's choice, so there is no trace to compare: what clients see is.

use crate::builder::MeshBuilder;
use crate::event::{NodeIndex, Time};
use crate::executor::Outlet;
use crate::mesh::Mesh;
use host::{Directory, Driver, DriverFactory, Hive, HiveConfig, Leaf, LeafPort, Port};
use kernel::{Child, Effect, Failure, Incarnation, Mail, Source, Turn};
use messages::{Address, Letter, Micros};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A mesh whose actors run freely.
pub struct FreeMesh {
    mesh: Mesh,
    runtime: Runtime,
    /// When world time began.
    start: Instant,
    calls: UnboundedReceiver<Call>,
    caller: UnboundedSender<Call>,
    /// The actors of each node's latest boot.
    running: BTreeMap<NodeIndex, Rc<RefCell<Actors>>>,
    /// What ends without being heard.
    ending: JoinSet<()>,
}

/// What nodes want of the world. Nothing bounds how many wait: the world takes each before time
/// goes on, and mailboxes bound what nodes say.
struct Call {
    node: NodeIndex,
    boot: u64,
    at: Address,
    what: Want,
}

enum Want {
    /// A driver's life begins.
    Begin(Port),
    /// Mail for a driver's life, or for a leaf of the transport.
    Take(Option<Incarnation>, Mail),
    /// A driver's life is over.
    End(Incarnation),
}

impl MeshBuilder {
    /// Starts the mesh with actors that run freely.
    ///
    /// # Errors
    /// There is no runtime to be had.
    pub fn free_running(self) -> Result<FreeMesh, std::io::Error> {
        let here = self.present();
        let everybody: Vec<NodeIndex> = (0..self.nodes).collect();
        let mesh = self.absent(&everybody).build();
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build()?;
        let start = runtime.block_on(async { Instant::now() });
        let (caller, calls) = unbounded_channel();
        let running = BTreeMap::new();
        let mut free = FreeMesh {
            mesh,
            runtime,
            start,
            calls,
            caller,
            running,
            ending: JoinSet::new(),
        };
        for node in here {
            free.start(node)?;
        }
        Ok(free)
    }
}

impl FreeMesh {
    /// The world: what clients ask and see, and what goes wrong on disks, in engines and on paths.
    /// Its own time must not be let pass, and nodes and actors are not its own: [`Self::start`],
    /// [`Self::kill`] and [`Self::kill_actor`] are for these.
    pub const fn mesh(&mut self) -> &mut Mesh {
        &mut self.mesh
    }

    /// Boots a node that is down.
    ///
    /// # Errors
    /// It runs, or its actors could not be spawned.
    pub fn start(&mut self, node: NodeIndex) -> Result<(), std::io::Error> {
        let place = &self.mesh.world.nodes[node];
        if place.boot.is_some() {
            return Err(std::io::Error::other("the node runs"));
        }
        let boot = place.boots + 1;
        let mut entropy_seed = [0; 32];
        entropy_seed[..8].copy_from_slice(&self.mesh.world.seed.to_le_bytes());
        entropy_seed[8..16].copy_from_slice(&(node as u64).to_le_bytes());
        entropy_seed[16..24].copy_from_slice(&boot.to_le_bytes());
        let sender = Sender {
            node,
            boot,
            world: self.caller.clone(),
        };
        let config = HiveConfig {
            boot,
            entropy_seed,
            signer: Arc::clone(&place.signer) as _,
            drivers: Arc::new(sender.clone()),
        };
        let hive = self.runtime.block_on(Hive::start(config, Vec::new()));
        let actors = Rc::new(RefCell::new(Actors {
            hive: hive.map_err(std::io::Error::other)?,
            sender,
            ports: BTreeMap::new(),
            leaves: BTreeMap::new(),
        }));
        self.running.insert(node, Rc::clone(&actors));
        self.mesh.world.outlet = Some(Box::new(Shared(actors)));
        self.mesh.start(node);
        Ok(())
    }

    /// The power of a node fails. What its actors still say, nobody hears.
    pub fn kill(&mut self, node: NodeIndex) {
        self.mesh.kill(node);
        if let Some(actors) = self.running.remove(&node).and_then(Rc::into_inner) {
            let Actors { hive, .. } = actors.into_inner();
            self.ending.spawn_on(hive.stop(), self.runtime.handle());
        }
    }

    /// Kills an actor of a node. Tells whether it was alive.
    pub fn kill_actor(&mut self, node: NodeIndex, who: Address) -> bool {
        let directory = self.directory(node);
        let Some(directory) = directory else {
            return false;
        };
        let _entered = self.runtime.enter();
        directory.kill(who)
    }

    /// Every address that is taken on a node.
    #[must_use]
    pub fn addresses(&self, node: NodeIndex) -> Vec<Address> {
        let directory = self.directory(node);
        directory.map_or_else(Vec::new, |directory| directory.addresses())
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Micros) {
        self.run_until(span, |_| false);
    }

    /// Lets time pass until the condition holds, at most this long; tells whether it holds.
    pub fn run_until(&mut self, limit: Micros, mut holds: impl FnMut(&Mesh) -> bool) -> bool {
        let end = self.mesh.world.time + limit.0;
        let Self {
            mesh,
            runtime,
            start,
            calls,
            running,
            ..
        } = self;
        let instant = |time: Time| *start + Duration::from_micros(time);
        runtime.block_on(async {
            loop {
                let now = micros_since(*start).min(end);
                while mesh.advance(now) {}
                if holds(mesh) {
                    return true;
                }
                if micros_since(*start) >= end {
                    return false;
                }
                let next = mesh.next_at().map_or(end, |next| next.min(end));
                tokio::select! {
                    biased;
                    Some(call) = calls.recv() => answer(mesh, running, call),
                    () = sleep_until(instant(next)) => {}
                }
            }
        })
    }

    fn directory(&self, node: NodeIndex) -> Option<Arc<Directory>> {
        let actors = self.running.get(&node)?.borrow();
        Some(Arc::clone(actors.hive.directory()))
    }
}

/// Carries out a call, unless its boot is over.
fn answer(mesh: &mut Mesh, running: &BTreeMap<NodeIndex, Rc<RefCell<Actors>>>, call: Call) {
    let Call {
        node,
        boot,
        at,
        what,
    } = call;
    let world = &mut mesh.world;
    let is_now = |of: &crate::node::Boot| of.number == boot;
    if !world.nodes[node].boot.as_ref().is_some_and(is_now) {
        return;
    }
    let Some(actors) = running.get(&node) else {
        return;
    };
    match what {
        Want::Begin(port) => {
            let life = port.life();
            actors.borrow_mut().ports.insert(at, port);
            world.renew_driver(node, at, life);
        }
        Want::Take(life, mail) => {
            let live = actors.borrow().live(at);
            if live.is_some_and(|live| life.is_none_or(|of| of == live)) {
                world.drive_mail(node, at, mail);
            }
        }
        Want::End(life) => actors.borrow_mut().end(at, life),
    }
}

fn micros_since(start: Instant) -> Time {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(Time::MAX)
}

/// How a node's drivers reach the world.
#[derive(Clone)]
struct Sender {
    node: NodeIndex,
    boot: u64,
    world: UnboundedSender<Call>,
}

impl Sender {
    fn call(&self, at: Address, what: Want) {
        // A world that is over hears nothing.
        let _ = self.world.send(Call {
            node: self.node,
            boot: self.boot,
            at,
            what,
        });
    }
}

impl DriverFactory for Sender {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        let (at, life) = (child.at, port.life());
        self.call(at, Want::Begin(port));
        let sender = self.clone();
        Ok(Box::new(Wire { at, life, sender }))
    }
}

/// A driver whose whole work is the world's.
struct Wire {
    at: Address,
    life: Incarnation,
    sender: Sender,
}

impl Driver for Wire {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let mail = match turn {
            Turn::Letter(letter) => Mail::Letter(letter),
            Turn::Signal(signal) => Mail::Signal(signal),
            Turn::Deadline => return Ok(()),
        };
        self.sender.call(self.at, Want::Take(Some(self.life), mail));
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.sender.call(self.at, Want::End(self.life));
    }
}

/// One end of a stream.
struct End {
    at: Address,
    sender: Sender,
}

impl Leaf for End {
    fn offer(&self, mail: Mail) -> Result<(), Box<Letter>> {
        self.sender.call(self.at, Want::Take(None, mail));
        Ok(())
    }
}

/// The actors of one boot, as the world reaches them.
struct Actors {
    hive: Hive,
    sender: Sender,
    ports: BTreeMap<Address, Port>,
    leaves: BTreeMap<Address, LeafPort>,
}

impl Actors {
    fn live(&self, who: Address) -> Option<Incarnation> {
        let leaf = self.leaves.get(&who).map(LeafPort::life);
        leaf.or_else(|| self.ports.get(&who).map(Port::life))
    }

    /// A driver's life is over, and the streams are with the transport's.
    fn end(&mut self, at: Address, life: Incarnation) {
        if self.ports.get(&at).is_some_and(|port| port.life() == life) {
            self.ports.remove(&at);
            if at == Address::Transport {
                self.leaves.clear();
            }
        }
    }
}

/// The world's own handle to a node's actors.
struct Shared(Rc<RefCell<Actors>>);

impl Outlet for Shared {
    fn live(&self, who: Address) -> Option<Incarnation> {
        self.0.borrow().live(who)
    }

    fn leaf_up(&mut self, at: Address) {
        let actors = &mut *self.0.borrow_mut();
        if let Some(transport) = actors.ports.get(&Address::Transport) {
            let sender = actors.sender.clone();
            let leaf = transport.leaf(at, Arc::new(End { at, sender }));
            actors.leaves.insert(at, leaf);
        }
    }

    fn leaf_down(&mut self, leaf: Address) {
        self.0.borrow_mut().leaves.remove(&leaf);
    }

    fn apply(&mut self, from: Source, mut effects: Vec<Effect>) {
        let actors = self.0.borrow();
        let Source::Actor(who, _) = from else {
            return actors.hive.directory().apply(from, &mut effects);
        };
        if let Some(leaf) = actors.leaves.get(&who) {
            for effect in effects {
                match effect {
                    Effect::Tell(letter) => leaf.tell(letter),
                    Effect::Watch(who) => leaf.watch(who),
                    Effect::Start(_) | Effect::Stop(..) | Effect::Unwatch(_) => {}
                }
            }
        } else if let Some(port) = actors.ports.get(&who) {
            port.post(effects);
        }
    }
}

impl fmt::Debug for FreeMesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreeMesh")
            .field("mesh", &self.mesh)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
