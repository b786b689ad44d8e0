//! A switchboard at a bench: what it does is read back as short lines.

mod ends;
mod letters;
mod lives;
mod model;
mod random;
mod watching;

use super::*;
use crate::Restart;
use messages::observer::Input as Observed;
use messages::peer_session;
use messages::router::{Input as Routing, Outcome, PeerState, Via};
use messages::wire::latest::{Beacon, End, JobReply, Load};
use messages::{
    Branch, DeviceId, EndReason, LinkId, List, Micros, NetworkId, NodeId, Seed, StreamId,
    inference_worker, ports,
};

const NETWORK: NetworkId = NetworkId([1; 32]);
/// Who sends in most tests.
const SENDER: Address = Address::Roster(NETWORK);
/// Who receives in most tests.
const ROUTER: Address = Address::Router;

/// A switchboard, its clock, and what it did last.
struct Bench {
    board: Switchboard,
    now: Now,
    /// The sender's life.
    sender: Incarnation,
}

impl Bench {
    /// A node in which the sender lives.
    fn new() -> Self {
        let board = Switchboard::new(7);
        let mut bench = Self {
            board,
            now: Now::default(),
            sender: Incarnation::default(),
        };
        bench.sender = bench.live(SENDER, Restart::Permanent);
        bench
    }

    /// Starts a child until it lives.
    fn live(&mut self, at: Address, restart: Restart) -> Incarnation {
        self.world(start(at, restart));
        self.started(at);
        self.board.live(at).unwrap()
    }

    /// The life at an address, begun or not.
    fn life(&self, at: Address) -> Incarnation {
        self.board
            .addresses()
            .find(|(who, _)| *who == at)
            .unwrap()
            .1
    }

    fn sender_now(&self) -> Source {
        Source::Actor(SENDER, self.sender)
    }

    /// One effect of the world.
    fn world(&mut self, effect: Effect) -> Vec<String> {
        self.effect(Source::World, effect)
    }

    /// One effect of the sender.
    fn act(&mut self, effect: Effect) -> Vec<String> {
        self.effect(self.sender_now(), effect)
    }

    fn effect(&mut self, from: Source, effect: Effect) -> Vec<String> {
        let mut out = Vec::new();
        let mut effects = vec![effect];
        self.board.apply(from, &mut effects, &mut out);
        assert!(effects.is_empty(), "effects are carried out once");
        self.after(&out)
    }

    /// The current life at an address began.
    fn started(&mut self, at: Address) -> Vec<String> {
        let mut out = Vec::new();
        self.board.started(at, self.life(at), &mut out);
        self.after(&out)
    }

    /// The current life at an address ended.
    fn exited(&mut self, at: Address, exit: Exit) -> Vec<String> {
        self.exited_as(at, self.life(at), exit)
    }

    fn exited_as(&mut self, at: Address, life: Incarnation, exit: Exit) -> Vec<String> {
        let mut out = Vec::new();
        self.board.exited(self.now, at, life, exit, &mut out);
        self.after(&out)
    }

    /// Time passes, and children whose wait is over are started.
    fn wait(&mut self, span: Micros) -> Vec<String> {
        self.now.mono = self.now.mono + span;
        let mut out = Vec::new();
        self.board.on_deadline(self.now, &mut out);
        self.after(&out)
    }

    fn after(&self, out: &[Action]) -> Vec<String> {
        self.board.invariants();
        out.iter().map(line).collect()
    }

    /// Fails the child at an address until it spent its budget.
    fn spend_budget(&mut self, at: Address) {
        for _ in 0..20 {
            self.exited(at, failed());
            if self
                .board
                .deadline()
                .is_some_and(|due| due.at.since(self.now.mono).0 > 10_000_000)
            {
                return;
            }
            self.wait(Micros::from_secs(2));
            self.started(at);
        }
        panic!("a child restarts for ever");
    }
}

#[track_caller]
fn check(lines: Vec<String>, expected: &[&str]) {
    assert_eq!(lines, expected);
}

fn start(at: Address, restart: Restart) -> Effect {
    let child = Child {
        at,
        seed: Seed::Driver,
        under: Branch::Node,
        restart,
    };
    Effect::Start(Arc::new(child))
}

fn failed() -> Exit {
    Exit::Failed("a bug".to_owned())
}

fn node(n: u64) -> NodeId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&n.to_be_bytes());
    NodeId(id)
}

fn number(node: NodeId) -> u64 {
    u64::from_be_bytes(node.0[..8].try_into().unwrap())
}

/// The `n`-th control letter to the router.
fn control(n: u64) -> Letter {
    Letter::Router(Routing::PeerGone {
        network: NETWORK,
        peer: node(n),
    })
}

/// The `n`-th data letter to the router.
fn data(n: u64) -> Letter {
    let via = Via::Peer(NETWORK, node(n));
    Letter::Router(Routing::Outcome {
        via,
        result: Outcome::Served,
    })
}

/// The `n`-th letter about one of the peers, of which the router wants the last.
fn news(peer: u64, n: u32) -> Letter {
    let state = PeerState {
        network: NETWORK,
        peer: node(peer),
        fresh: true,
        quiet: false,
        models: List::new(),
        load: Load::default(),
        in_flight: n,
        rtt: Micros::ZERO,
    };
    Letter::Router(Routing::Peer(Box::new(state)))
}

fn line(action: &Action) -> String {
    match action {
        Action::Deliver {
            to,
            mail: Mail::Letter(letter),
            ..
        } => {
            format!("{} gets {}", short(*to), name(letter))
        }
        Action::Deliver {
            to,
            mail: Mail::Signal(signal),
            ..
        } => match signal {
            Signal::Started(_) => format!("{} begins", short(*to)),
            Signal::Down { who, why, .. } => {
                format!("{} learns: {} {why}", short(*to), short(*who))
            }
            Signal::Returned { letter, why } => {
                format!("{} has back {}: {why:?}", short(*to), name(letter))
            }
        },
        Action::Spawn { child, .. } => format!("spawn {}", short(child.at)),
        Action::Halt { who, how, .. } => format!("halt {} {how:?}", short(*who)),
        Action::Parked { to, letter } => format!("{} waits for {}", name(letter), short(*to)),
    }
}

fn short(who: Address) -> String {
    who.to_string().split('/').next().unwrap().to_owned()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "tests send few sorts of letters"
)]
fn name(letter: &Letter) -> String {
    match letter {
        Letter::Router(Routing::PeerGone { peer, .. }) => format!("control {}", number(*peer)),
        Letter::Router(Routing::Outcome { via, .. }) => format!("data {}", number(via.node())),
        Letter::Router(Routing::Peer(state)) => {
            format!("news {} of {}", state.in_flight, number(state.peer))
        }
        Letter::Observer(Observed::Supervised { address, state }) => {
            let state = match state {
                ChildState::Running { starts } => format!("runs ({starts})"),
                ChildState::Restarting { .. } => "restarts".to_owned(),
                ChildState::Failed { .. } => "failed".to_owned(),
                ChildState::Gone => "gone".to_owned(),
            };
            format!("{} {state}", short(*address))
        }
        other => format!("{other:?}"),
    }
}
