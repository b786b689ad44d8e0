//! Clients: when they come, what they ask, when they have enough of it, and how fast they read.

use super::{ClientId, Mesh};
use crate::drivers::DriverOut;
use crate::drivers::gateway::Ask;
use crate::event::{NodeIndex, Time};
use kernel::Entropy;
use messages::{Address, Micros};
use std::collections::BTreeMap;

/// How clients come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Process {
    /// One after the other, at equal distances.
    Steady,
    /// Each for itself, whenever it likes: the distances are drawn.
    Random,
    /// So many at once, and then a pause in which as many would have come.
    Bursts(u32),
}

/// A crowd of clients, drawn from the mesh's seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// Where they come; each node is as likely as the others.
    pub nodes: Vec<NodeIndex>,
    /// How they come.
    pub process: Process,
    /// The mean time between two of them.
    pub gap: Micros,
    /// How many come.
    pub count: u32,
    /// Tokens that they ask for: from one to this many.
    pub tokens: u32,
    /// How many of a thousand go away before the end, and after how long at most.
    pub cancel_permille: u32,
    /// The longest that a client waits which goes away.
    pub patience: Micros,
    /// How many of a thousand read slowly.
    pub slow_permille: u32,
    /// Bytes a second that slow ones read.
    pub slow_rate: u64,
}

impl Arrivals {
    /// Clients that come at random, ask for up to 32 tokens and stay to the end.
    #[must_use]
    pub fn at(nodes: &[NodeIndex], gap: Micros, count: u32) -> Self {
        Self {
            nodes: nodes.to_vec(),
            process: Process::Random,
            gap,
            count,
            tokens: 32,
            cancel_permille: 0,
            patience: Micros::from_secs(1),
            slow_permille: 0,
            slow_rate: 100,
        }
    }

    /// How they come.
    #[must_use]
    pub const fn process(mut self, process: Process) -> Self {
        self.process = process;
        self
    }

    /// Tokens that they ask for: from one to this many.
    #[must_use]
    pub const fn tokens(mut self, most: u32) -> Self {
        self.tokens = most;
        self
    }

    /// How many of a thousand go away within this time.
    #[must_use]
    pub const fn cancels(mut self, permille: u32, patience: Micros) -> Self {
        self.cancel_permille = permille;
        self.patience = patience;
        self
    }

    /// How many of a thousand read at this pace.
    #[must_use]
    pub const fn slow(mut self, permille: u32, bytes_per_sec: u64) -> Self {
        self.slow_permille = permille;
        self.slow_rate = bytes_per_sec;
        self
    }
}

/// A client that has come by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its request.
    pub id: ClientId,
    /// Where it asked.
    pub node: NodeIndex,
    /// When, in world time.
    pub at_us: u64,
    /// The seed of the text that it asked for.
    pub seed: u64,
    /// Tokens of it.
    pub tokens: u32,
}

/// What clients are going to do.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    acts: BTreeMap<(Time, u64), Act>,
    planned: u64,
    crowds: u64,
    came: Vec<Client>,
}

#[derive(Debug)]
enum Act {
    Come {
        node: NodeIndex,
        seed: u64,
        tokens: u32,
        leaves_after: Option<u64>,
        rate: Option<u64>,
    },
    Leave(ClientId),
    /// Is this boot of a node, which leaves, without work? It waits until then at most.
    Rests {
        node: NodeIndex,
        boot: u64,
        until: Time,
        /// Whether its peers know.
        left: bool,
    },
}

impl Agenda {
    fn plan(&mut self, at: Time, act: Act) {
        self.planned += 1;
        self.acts.insert((at, self.planned), act);
    }
}

impl Mesh {
    /// Lets clients come from now on, all drawn from the seed.
    pub fn arrivals(&mut self, crowd: &Arrivals) {
        if crowd.nodes.is_empty() {
            return;
        }
        self.agenda.crowds += 1;
        let number = self.agenda.crowds;
        let mut draw = self.world.stream(&format!("clients {number}"));
        let mut at = self.world.time;
        for n in 0..crowd.count {
            at += crowd.process.wait(crowd.gap, u64::from(n), &mut draw);
            let node = crowd.nodes[index(&mut draw, crowd.nodes.len())];
            let seed = draw.number();
            let most = u64::from(crowd.tokens.max(1));
            let tokens = u32::try_from(1 + draw.below(most)).unwrap_or(1);
            let leaves = draw.below(1_000) < u64::from(crowd.cancel_permille);
            let leaves_after = leaves.then(|| draw.below(crowd.patience.0 + 1));
            let slow = draw.below(1_000) < u64::from(crowd.slow_permille);
            let act = Act::Come {
                node,
                seed,
                tokens,
                leaves_after,
                rate: slow.then_some(crowd.slow_rate),
            };
            self.agenda.plan(at, act);
        }
    }

    /// The clients that have come by themselves so far, in order.
    #[must_use]
    pub fn clients(&self) -> &[Client] {
        &self.agenda.came
    }

    /// A client reads this many bytes a second from now on; as fast as it comes, where there is no
    /// number.
    pub fn slow_reader(&mut self, client: ClientId, bytes_per_sec: Option<u64>) {
        let now = self.world.time;
        let mut out = DriverOut::default();
        if let Some(boot) = &mut self.world.nodes[client.node].boot {
            let gateway = &mut boot.drivers.gateway;
            gateway.set_pace(now, client.request, bytes_per_sec, &mut out);
        }
        self.world.carry_out(client.node, out);
    }

    /// Bytes of its answer that wait for a client to read them.
    #[must_use]
    pub fn unread(&self, client: ClientId) -> usize {
        let boot = self.world.nodes[client.node].boot.as_ref();
        boot.map_or(0, |boot| boot.drivers.gateway.waiting(client.request))
    }

    /// When something happens next, in the world or by a client.
    #[cfg(feature = "conformance")]
    pub(crate) fn next_at(&self) -> Option<Time> {
        let client = self.agenda.acts.keys().next().map(|(at, _)| *at);
        self.world.next_event().into_iter().chain(client).min()
    }

    /// The next thing that happens, in the world or by a client. False: nothing before `until`.
    pub(crate) fn advance(&mut self, until: Time) -> bool {
        let Some((at, _)) = self.agenda.acts.keys().next().copied() else {
            return self.world.step(until);
        };
        if at > until {
            return self.world.step(until);
        }
        // The world has nothing more to do before it.
        if !self.world.step(at)
            && let Some((_, act)) = self.agenda.acts.pop_first()
        {
            self.act(act);
        }
        true
    }

    /// Has a node that leaves end as soon as it has no work.
    pub(crate) fn end_when_idle(&mut self, node: NodeIndex) {
        let now = self.world.time;
        let act = Act::Rests {
            node,
            boot: self.boot_of(node),
            until: now + DRAIN_WAIT.0,
            left: false,
        };
        self.agenda.plan(now, act);
    }

    /// Whether a node that runs is about to end, as it was told to.
    #[must_use]
    pub fn is_leaving(&self, at: NodeIndex) -> bool {
        let now = self.boot_of(at);
        let is_it =
            |act: &Act| matches!(act, Act::Rests { node, boot, .. } if (*node, *boot) == (at, now));
        self.is_up(at) && self.agenda.acts.values().any(is_it)
    }

    /// Requests of its own clients may yet look for another holder; then its peers are told; then
    /// what it serves may end.
    fn rests(&mut self, node: NodeIndex, boot: u64, until: Time, mut left: bool) {
        let time = self.world.time;
        if !self.is_up(node) || self.boot_of(node) != boot {
            return;
        }
        let asks = |who: &Address| matches!(who, Address::Proxy(_));
        let serves = |who: &Address| matches!(who, Address::Stream(_));
        let late = time >= until;
        let works = |who: &Address| asks(who) || serves(who);
        if self.world.nodes[node].frozen.is_some() {
            // It goes on where it stood.
            let next = Act::Rests {
                node,
                boot,
                until,
                left,
            };
            return self.agenda.plan(time + DRAIN_LOOK.0, next);
        }
        if left && (late || !self.addresses(node).iter().any(works)) {
            return self.close(node);
        }
        if !left && (late || !self.addresses(node).iter().any(asks)) {
            self.leave_peers(node);
            left = true;
        }
        let next = Act::Rests {
            node,
            boot,
            until,
            left,
        };
        self.agenda.plan(time + DRAIN_LOOK.0, next);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Come {
                node,
                seed,
                tokens,
                leaves_after,
                rate,
            } => {
                let at_us = self.world.time;
                let id = self.ask(node, Ask::new(seed).max_tokens(tokens));
                let client = Client {
                    id,
                    node,
                    at_us,
                    seed,
                    tokens,
                };
                self.agenda.came.push(client);
                if rate.is_some() {
                    self.slow_reader(id, rate);
                }
                if let Some(after) = leaves_after {
                    self.agenda.plan(at_us + after, Act::Leave(id));
                }
            }
            Act::Rests {
                node,
                boot,
                until,
                left,
            } => self.rests(node, boot, until, left),
            Act::Leave(client) => {
                if self.answer(client).is_open() {
                    self.hang_up(client);
                }
            }
        }
    }
}

impl Process {
    /// The time between the `n`th client and the one before it, with this mean.
    pub(crate) fn wait(self, gap: Micros, n: u64, draw: &mut Entropy) -> Time {
        match self {
            Self::Steady => gap.0,
            // Two draws of a mean of one each: short waits are more likely than long ones.
            Self::Random => {
                let one = draw.below(2_001);
                let two = draw.below(2_001);
                gap.0.saturating_mul(one * two) / 1_000_000
            }
            Self::Bursts(size) if n.is_multiple_of(u64::from(size.max(1))) => {
                gap.0.saturating_mul(u64::from(size))
            }
            Self::Bursts(_) => 0,
        }
    }
}

/// How long a node that leaves waits for answers to end, and between two looks, as the real one.
const DRAIN_WAIT: Micros = Micros::from_secs(10);
const DRAIN_LOOK: Micros = Micros::from_millis(5);

fn index(draw: &mut Entropy, end: usize) -> usize {
    usize::try_from(draw.below(end as u64)).unwrap_or(0)
}
