//! The world as tests and commands use it.

mod boots;
mod checking;
mod clients;
mod fills;
mod graph;
mod hardware;
mod paths;
mod records;
mod trips;
mod watching;

use crate::builder::MeshBuilder;
use crate::checkers::Seen;
use crate::costs::Costs;
use crate::drivers::DriverOut;
use crate::drivers::gateway::{Answer, Ask, Gateway};
use crate::drivers::store::Store;
use crate::drivers::transport::Transport;
use crate::event::{NodeIndex, Time};
use crate::network::{Latency, PathModel, Plan};
use crate::node::{Boot, Drivers};
use crate::world::World;
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::{Effect, Exit, Signer, Source, Switchboard};
use messages::roster::{Contact, Seed as RosterSeed};
use messages::{
    Address, Credential, DeviceId, Digest, Grant, Label, List, Micros, ModelAdvert, Neighbourhood,
    NetworkId, NodeId, RequestId, Signature, SignedGrant, TicketKey, Wall, inference_worker,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use clients::Agenda;
pub use clients::{Arrivals, Client, Process};
pub use graph::Graph;
pub use records::About;

/// One request of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientId {
    pub(crate) node: NodeIndex,
    pub(crate) request: RequestId,
}

impl ClientId {
    /// Its request.
    #[must_use]
    pub const fn request(self) -> RequestId {
        self.request
    }
}

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// World time in microseconds.
    pub time_us: u64,
    /// All that happened: turns of machines and drivers, packets that arrived, deadlines.
    pub events: u64,
    /// Turns of machines.
    pub turns: u64,
    /// Letters between the actors of all nodes, their drivers included.
    pub letters: u64,
    /// Entries of the trace.
    pub trace_events: u64,
    /// The trace's digest: equal for equal runs.
    pub trace: Digest,
    /// Packets sent.
    pub packets: u64,
    /// Bytes of frames sent.
    pub bytes: u64,
    /// Lives that ended without being asked to.
    pub crashes: usize,
}

/// A mesh in virtual time. All of it follows from the seed and the calls.
pub struct Mesh {
    pub(crate) world: World,
    pub(crate) network: NetworkId,
    pub(crate) owner: NodeId,
    pub(crate) one_ticket: bool,
    pub(crate) neighbourhood: Neighbourhood,
    /// What clients are going to do.
    pub(crate) agenda: Agenda,
}

impl std::fmt::Debug for Mesh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mesh")
            .field("report", &self.report())
            .finish_non_exhaustive()
    }
}

impl Mesh {
    /// A mesh whose every draw comes from this seed.
    #[must_use]
    pub const fn seed(seed: u64) -> MeshBuilder {
        MeshBuilder {
            seed,
            nodes: 2,
            engines: Vec::new(),
            step: Micros::from_millis(20),
            net: Plan::new(PathModel::new(Latency::new(
                Micros::from_millis(2),
                Micros::from_millis(3),
            ))),
            shuffled: false,
            absent: Vec::new(),
            hosts: false,
            bare: false,
            traced: true,
            one_ticket: false,
            clocks: BTreeMap::new(),
            costs: Costs::NONE,
            checked: false,
            neighbourhood: Neighbourhood::DEFAULT,
        }
    }

    /// Boots a node that is down: its key and its disk are as it left them.
    pub fn start(&mut self, node: NodeIndex) {
        let place = &mut self.world.nodes[node];
        if place.boot.is_some() {
            return;
        }
        place.boots += 1;
        place.disk.recover();
        let started = place.clock.ticks(self.world.time);
        let number = place.boots;
        let drivers = Drivers {
            transport: Transport::new(place.me, node, 0),
            store: Store::new(0),
            gateway: Gateway::default(),
            engines: BTreeMap::new(),
        };
        let executor = self.world.executor();
        self.world.nodes[node].boot = Some(Boot {
            number,
            started,
            unborn: BTreeSet::new(),
            switchboard: Switchboard::new(number),
            executor,
            mailboxes: kernel::Directory::default(),
            requests: 0,
            drivers,
            outlet: self.world.outlet.take(),
        });
        self.world.network.silence(self.world.time, node, false);
        self.world.show(node, &Seen::Boots);
        let children = self.plan(node, number).children();
        let effects = children
            .into_iter()
            .map(|child| Effect::Start(Arc::new(child)))
            .collect();
        self.world.apply(node, Source::World, effects);
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span: Micros) {
        let until = self.world.time + span.0;
        while self.advance(until) {}
    }

    /// Lets time pass until the condition holds, at most this long; tells whether it holds.
    pub fn run_until(&mut self, limit: Micros, mut holds: impl FnMut(&Self) -> bool) -> bool {
        let until = self.world.time + limit.0;
        while !holds(self) {
            if !self.advance(until) {
                return holds(self);
            }
        }
        true
    }

    /// Takes one event; tells whether there was one before this span was over.
    pub fn step(&mut self, span: Micros) -> bool {
        let until = self.world.time + span.0;
        self.advance(until)
    }

    /// A client of this node asks.
    pub fn ask(&mut self, node: NodeIndex, ask: Ask) -> ClientId {
        let arrived = self.world.now(node).wall;
        let place = &mut self.world.nodes[node];
        let me = place.me;
        let mut out = DriverOut::default();
        let mut request = RequestId {
            boot: place.boots,
            n: 0,
        };
        let gateway = Address::Gateway;
        match &mut place.boot {
            Some(boot) => {
                boot.requests += 1;
                request.n = boot.requests;
                if boot.live(gateway).is_some() {
                    let seed = ask.seed_for(request, me, arrived);
                    boot.drivers
                        .gateway
                        .ask(self.world.time, seed.clone(), &mut out);
                    self.world.show(node, &Seen::Asked(&seed));
                } else {
                    place.past.insert(request, Answer::refused());
                }
            }
            None => drop(place.past.insert(request, Answer::refused())),
        }
        self.world.carry_out(node, out);
        ClientId { node, request }
    }

    /// What a client has seen so far.
    #[must_use]
    pub fn answer(&self, client: ClientId) -> Answer {
        let place = &self.world.nodes[client.node];
        let boot = place.boot.as_ref();
        boot.and_then(|boot| boot.drivers.gateway.answers.get(&client.request))
            .or_else(|| place.past.get(&client.request))
            .cloned()
            .unwrap_or_default()
    }

    /// A client goes away.
    pub fn hang_up(&mut self, client: ClientId) {
        let mut out = DriverOut::default();
        if let Some(boot) = &mut self.world.nodes[client.node].boot {
            boot.drivers.gateway.hang_up(client.request, &mut out);
        }
        self.world.show(client.node, &Seen::HungUp(client.request));
        self.world.carry_out(client.node, out);
    }

    /// The power of a node fails.
    pub fn kill(&mut self, node: NodeIndex) {
        self.world.lose_power(node);
    }

    /// A node's process ends, and its connections are closed.
    pub fn close(&mut self, node: NodeIndex) {
        self.world.hang_up_links(node);
        self.world.go_down(node);
    }

    /// A node stands still, as a stopped process does.
    pub fn freeze(&mut self, node: NodeIndex) {
        self.world.show(node, &Seen::Disturbed);
        self.world.nodes[node].frozen.get_or_insert_default();
        self.world.network.silence(self.world.time, node, true);
        self.world.network.check_hearing(self.world.time);
        self.world.run_errands();
    }

    /// A node's machine falls asleep, as a laptop whose lid is shut: the node stands still, and so
    /// does its monotonic clock, while the wall clock goes on.
    pub fn suspend(&mut self, node: NodeIndex) {
        if !self.is_up(node) {
            return;
        }
        let time = self.world.time;
        self.world.nodes[node].clock.suspend(time);
        self.freeze(node);
    }

    /// A node that stands still goes on: what came for it happens at once, and so do its timers,
    /// but those of a machine that slept have as long to go as when it fell asleep.
    pub fn thaw(&mut self, node: NodeIndex) {
        let slept = self.world.thaw(node);
        self.world.show(node, &Seen::Thaws(slept));
    }

    /// An actor or driver of a node crashes. Tells whether it was alive.
    pub fn kill_actor(&mut self, node: NodeIndex, who: Address) -> bool {
        self.world.crash(node, who)
    }

    /// Every address that is taken on a node.
    #[must_use]
    pub fn addresses(&self, node: NodeIndex) -> Vec<Address> {
        let boot = self.world.nodes[node].boot.as_ref();
        boot.map_or_else(Vec::new, |boot| {
            boot.switchboard.addresses().map(|(who, _)| who).collect()
        })
    }

    /// Letters that wait on a node.
    #[must_use]
    pub fn waiting(&self, node: NodeIndex) -> usize {
        self.depths(node).sum()
    }

    /// The most letters that wait for one actor of a node.
    #[must_use]
    pub fn deepest(&self, node: NodeIndex) -> usize {
        self.depths(node).max().unwrap_or(0)
    }

    /// The models that a client of this node would be shown.
    #[must_use]
    pub fn models(&self, node: NodeIndex) -> Vec<ModelAdvert> {
        let boot = self.world.nodes[node].boot.as_ref();
        boot.map_or_else(Vec::new, |boot| boot.drivers.gateway.models.clone())
    }

    /// Whether a node's session with another is active, as that node sees it.
    #[must_use]
    pub fn is_active(&self, node: NodeIndex, peer: NodeIndex) -> bool {
        let who = Address::Session(self.network, self.id(peer));
        self.phase(node, who)
            .is_some_and(|phase| phase.eq_ignore_ascii_case("active"))
    }

    /// The phase of an actor of a node, as a console would show it.
    #[must_use]
    pub fn phase(&self, node: NodeIndex, who: Address) -> Option<String> {
        let boot = self.world.nodes[node].boot.as_ref()?;
        boot.executor.view(who).map(|view| view.phase.to_owned())
    }

    /// The figures of an actor of a node, as a console would show them.
    #[must_use]
    pub fn facts(&self, node: NodeIndex, who: Address) -> Vec<(&'static str, String)> {
        let boot = self.world.nodes[node].boot.as_ref();
        let view = boot.and_then(|boot| boot.executor.view(who));
        view.map_or_else(Vec::new, |view| view.facts)
    }

    /// A node's id.
    #[must_use]
    pub fn id(&self, node: NodeIndex) -> NodeId {
        self.world.nodes[node].me
    }

    /// The place of a node's id.
    #[must_use]
    pub fn index(&self, id: NodeId) -> Option<NodeIndex> {
        self.world.nodes.iter().position(|node| node.me == id)
    }

    /// The network that all nodes share.
    #[must_use]
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// Sends a letter to an actor of a node, from outside.
    pub fn tell(&mut self, node: NodeIndex, letter: messages::Letter) {
        self.world.tell(node, letter);
    }

    /// Lives that ended without being asked to, in order.
    #[must_use]
    pub fn crashes(&self) -> Vec<String> {
        let line = |(node, who, exit): &(NodeIndex, Address, Exit)| format!("{node}: {who} {exit}");
        self.world.crashes.iter().map(line).collect()
    }

    /// World time.
    #[must_use]
    pub const fn time(&self) -> Time {
        self.world.time
    }

    /// What the run has come to.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            time_us: self.world.time,
            events: self.world.happened,
            turns: self.world.turns,
            letters: self.world.letters,
            trace_events: self.world.trace.events(),
            trace: self.world.trace.digest(),
            packets: self.world.network.packets,
            bytes: self.world.network.bytes,
            crashes: self.world.crashes.len(),
        }
    }

    fn depths(&self, node: NodeIndex) -> impl Iterator<Item = usize> {
        let boot = self.world.nodes[node].boot.as_ref();
        let mailboxes = boot.into_iter().flat_map(|boot| boot.mailboxes.each());
        mailboxes.map(|(_, mailbox)| mailbox.mail.len())
    }

    fn plan(&self, node: NodeIndex, boot: u64) -> tree::Plan {
        let place = &self.world.nodes[node];
        let me = place.me;
        let device = |at: usize| DeviceId(u16::try_from(at).unwrap_or(u16::MAX));
        let workers: Vec<_> = (0..place.engines.len())
            .map(|at| inference_worker::Seed {
                me,
                device: device(at),
                slots: 16,
                queue_max: 64,
                per_origin_max: 64,
            })
            .collect();
        let contacts = match node {
            0 => Vec::new(),
            _ => {
                vec![Contact {
                    node: self.owner,
                    addrs: List::truncated([self.world.network.address(0)]),
                }]
            }
        };
        let network = RosterSeed {
            network: self.network,
            me,
            boot,
            owner: self.owner,
            label: Label::default(),
            credential: self.credential(me),
            contacts,
            devices: workers.iter().map(|worker| worker.device).collect(),
            neighbourhood: self.neighbourhood,
            app_version: Label::truncated("simulated"),
        };
        tree::Plan {
            networks: vec![network],
            workers,
            control: false,
        }
    }

    /// What a node belongs by, or would: node or not, whoever has a ticket can make it.
    pub(crate) fn credential(&self, me: NodeId) -> Credential {
        if me == self.owner {
            return Credential::Owner {
                label: Label::default(),
            };
        }
        let holder = if self.one_ticket { self.owner } else { me };
        let secret = SigningKey::from_bytes(&Digest::of("simulated ticket", &[&holder.0]).0);
        let grant = Grant {
            owner: self.owner,
            label: Label::default(),
            ticket: TicketKey(secret.verifying_key().to_bytes()),
            name: Label::truncated("simulated"),
            issued: Wall(0),
            expires: None,
        };
        let owner = &self.world.nodes[0].signer;
        let joined = Signature::from_bytes(&secret.sign(&grant.joining_bytes(me)).to_bytes());
        let signature = owner.sign(&grant.signing_bytes());
        Credential::Ticket {
            grant: Box::new(SignedGrant { grant, signature }),
            joined,
        }
    }
}
