//! What every cell of the page's table promises, and the tools of the other tests.

mod choice;
mod life;

use crate::Router;
use kernel::{
    Ctx, Effect, Entropy, Exit, Incarnation, Machine, Outbox, ReturnReason, Signal, Signer,
};
use messages::observer::{Fact, Input as Observed};
use messages::ports::gateway::Command;
use messages::request_proxy::Input as Told;
use messages::router::{Choice, Input, NoRoute, Outcome, PeerState, Query, Via};
use messages::wire::latest::Load;
use messages::{
    Address, Compute, DeviceId, Digest, Label, Letter, List, Micros, ModelAdvert, ModelId, Mono,
    NetworkId, NodeId, Now, RequestId, Signature, Wall, roster,
};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Debug)]
struct NoSigner;

impl Signer for NoSigner {
    fn node(&self) -> NodeId {
        node(0)
    }
    fn sign(&self, _: &[u8]) -> Signature {
        unreachable!("a router signs nothing")
    }
}

pub(super) const NETWORK: NetworkId = NetworkId([7; 32]);

pub(super) const fn node(n: u8) -> NodeId {
    NodeId([n; 32])
}

pub(super) const fn peer_via(n: u8) -> Via {
    Via::Peer(NETWORK, node(n))
}

pub(super) const fn local_via(device: u16) -> Via {
    Via::Local(node(0), DeviceId(device))
}

/// A model of this name, whose digest is made of `digest`, on an engine called `compute`.
pub(super) fn advert(name: &str, digest: u8, compute: &str) -> ModelAdvert {
    ModelAdvert {
        model: ModelId([digest; 32]),
        name: Label::truncated(name),
        compute: Compute {
            digest: Digest::of(compute, &[]),
            splice: compute != "plain",
        },
        context: 4_096,
    }
}

pub(super) const fn load(active: u32, queued: u32) -> Load {
    Load {
        active,
        queued,
        slots: 4,
        queue_max: 4,
    }
}

/// A fresh and idle peer that serves these.
pub(super) fn peer(n: u8, models: &[ModelAdvert]) -> PeerState {
    PeerState {
        network: NETWORK,
        peer: node(n),
        fresh: true,
        quiet: false,
        models: List::truncated(models.iter().cloned()),
        load: load(0, 0),
        in_flight: 0,
        rtt: Micros::from_millis(10),
    }
}

pub(super) fn local(device: u16, models: &[ModelAdvert], load: Load) -> Input {
    let models = List::truncated(models.iter().cloned());
    Input::Local {
        me: node(0),
        device: DeviceId(device),
        models,
        load,
    }
}

/// The first question of request `n`.
pub(super) fn query(n: u64, model: &str) -> Query {
    Query {
        request: RequestId { boot: 1, n },
        attempt: 1,
        model: Label::truncated(model),
        pinned: None,
        prefer: None,
        splice: false,
        exclude: List::new(),
    }
}

/// A router with a clock.
pub(super) struct Rig {
    pub(super) router: Router,
    pub(super) now: Mono,
    /// The rows of the page for what it was told last.
    rows: &'static [&'static str],
}

impl Rig {
    /// Started at zero, and not told anything.
    pub(super) fn new() -> Self {
        Self::seeded(1)
    }

    pub(super) fn seeded(seed: u64) -> Self {
        let ctx = Ctx {
            entropy: Entropy::from_number(seed),
            signer: Arc::new(NoSigner),
        };
        let mut rig = Self {
            router: Router::new(ctx),
            now: Mono(0),
            rows: &[],
        };
        rig.signal(Signal::Started(Incarnation { boot: 1, n: 1 }));
        rig
    }

    /// A router that is past its first moments.
    pub(super) fn routing() -> Self {
        let mut rig = Self::new();
        rig.at(1_000);
        rig
    }

    /// Goes to an instant, taking the deadlines on the way.
    pub(super) fn at(&mut self, millis: u64) -> Vec<Effect> {
        let end = Mono(millis * 1_000);
        let mut effects = Vec::new();
        while let Some(deadline) = self.router.deadline().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            effects.extend(self.deadline());
        }
        self.now = end;
        effects
    }

    pub(super) fn deadline(&mut self) -> Vec<Effect> {
        self.rows = DEADLINES;
        let now = self.clock();
        let effects = self.turn(|router, out| router.on_deadline(now, out).unwrap());
        assert!(
            self.router.deadline().is_none_or(|next| next.at > self.now),
            "it spins"
        );
        effects
    }

    pub(super) fn tell(&mut self, input: Input) -> Vec<Effect> {
        self.rows = rows_of(&input);
        let now = self.clock();
        self.turn(|router, out| router.handle(now, input, out).unwrap())
    }

    pub(super) fn signal(&mut self, signal: Signal) -> Vec<Effect> {
        self.rows = rows_of_signal(&signal);
        let now = self.clock();
        self.turn(|router, out| router.signal(now, signal, out).unwrap())
    }

    pub(super) fn down(&mut self, who: Address, why: Exit) -> Vec<Effect> {
        self.signal(Signal::Down {
            who,
            incarnation: None,
            why,
        })
    }

    /// Asks, and takes the one answer.
    pub(super) fn route(&mut self, query: Query) -> Result<Choice, NoRoute> {
        let effects = self.tell(Input::Route(Box::new(query)));
        let is_answer = |effect: &&Effect| word(effect) != "wanted";
        let answers: Vec<&Effect> = effects.iter().filter(is_answer).collect();
        let [Effect::Tell(Letter::Proxy(_, Told::Routed { choice, .. }))] = answers.as_slice()
        else {
            panic!("not one answer: {effects:?}")
        };
        choice.clone().map(|choice| *choice)
    }

    const fn clock(&self) -> Now {
        Now {
            mono: self.now,
            wall: Wall(0),
        }
    }

    fn turn(&mut self, turn: impl FnOnce(&mut Router, &mut Outbox)) -> Vec<Effect> {
        let mut out = Outbox::new();
        turn(&mut self.router, &mut out);
        self.router.invariants();
        std::mem::take(out.effects_mut())
    }
}

/// The effects in the words of the page's table.
pub(super) fn words(effects: &[Effect]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in effects.iter().map(word) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if words.is_empty() {
        "·".to_owned()
    } else {
        words.join(", ")
    }
}

fn word(effect: &Effect) -> &'static str {
    match effect {
        Effect::Watch(_) => "watch",
        Effect::Unwatch(_) => "unwatch",
        Effect::Tell(Letter::Gateway(Command::Models(_))) => "models",
        Effect::Tell(Letter::Observer(Observed::Fact(_, fact))) => {
            assert!(matches!(**fact, Fact::Models(_)), "an unknown fact");
            "models"
        }
        Effect::Tell(Letter::Proxy(_, Told::Routed { choice, .. })) => match choice {
            Ok(_) => "route",
            Err(_) => "no route",
        },
        Effect::Tell(Letter::Roster(NETWORK, roster::Input::Wanted { .. })) => "wanted",
        Effect::Tell(_) | Effect::Start(_) | Effect::Stop(..) => panic!("unexpected: {effect:?}"),
    }
}

kernel::page_rows!(rows_of, TOLD, Input {
    Input::Peer(_) => ["Peer, new models", "Peer, as before", "Peer, awaited"],
    Input::PeerGone { .. } => ["PeerGone", "PeerGone, unknown"],
    Input::Local { .. } => ["Local, new models", "Local, as before"],
    Input::Route(_) => ["Route, served", "Route, not served", "Route, all left out"],
    Input::Outcome { .. } => ["Outcome"],
});
kernel::page_rows!(rows_of_down, DOWN, (Address, &Exit) {
    (Address::Session(..), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => [
        "Down of a session",
        "Down of another",
    ],
    (Address::Session(..), _) => ["Session is absent", "Down of another"],
    (Address::Worker(_), Exit::Failed(_) | Exit::Panicked(_) | Exit::Killed) => [
        "Down of a worker",
        "Down of another",
    ],
    (Address::Worker(_), _) => ["Worker is absent", "Down of another"],
    (Address::Gateway, Exit::StartFailed(_) | Exit::NoActor) => ["Gateway is absent"],
    (Address::Gateway, _) => ["Down of the gateway"],
    (Address::Observer, Exit::StartFailed(_) | Exit::NoActor) => ["Observer is absent"],
    (Address::Observer, _) => ["Down of the observer"],
    (
        Address::Store
        | Address::Transport
        | Address::Stream(_)
        | Address::Engine(_)
        | Address::Roster(_)
        | Address::GossipStore(_)
        | Address::Router
        | Address::Proxy(_)
        | Address::Control,
        _,
    ) => ["Down of another"],
});
/// The row of a new life.
const STARTED: &[&str] = &["Started"];
/// The rows of letters that come back.
const RETURNED: &[&str] = &["List returned", "Another returned"];
/// The row of time that passes.
const DEADLINES: &[&str] = &["Deadline"];

fn rows_of_signal(signal: &Signal) -> &'static [&'static str] {
    match signal {
        Signal::Started(_) => STARTED,
        Signal::Down { who, why, .. } => rows_of_down(&(*who, why)),
        Signal::Returned { .. } => RETURNED,
    }
}

/// The rows of the page's table: an input, then a cell for each phase.
fn page() -> Vec<Vec<&'static str>> {
    let lines = include_str!("../lib.rs").lines();
    let rows = lines.filter_map(|line| line.strip_prefix("//! |"));
    let cells = |row: &'static str| {
        row.trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect()
    };
    rows.map(cells).collect()
}

/// A router in a phase. It knows a peer with "far", a device with "near", and a question for
/// "other" that nobody fits yet; where it is past gathering, its gateway is absent.
fn in_phase(phase: &str) -> Rig {
    let mut rig = Rig::new();
    rig.tell(Input::Peer(Box::new(peer(1, &[advert("far", 1, "a")]))));
    rig.tell(local(0, &[advert("near", 2, "a")], load(0, 0)));
    rig.tell(Input::Route(Box::new(query(1, "other"))));
    match phase {
        "gathering" => {
            rig.at(400);
        }
        "routing" => {
            rig.at(600);
            rig.down(Address::Gateway, Exit::NoActor);
        }
        _ => panic!("a phase without a set-up: {phase}"),
    }
    rig
}

/// What an input does, in the words of the page.
fn check(rig: &mut Rig, input: &str) -> String {
    match input {
        "Gateway is absent" => later(rig, Address::Gateway),
        "Observer is absent" => later(rig, Address::Observer),
        "List returned" => listed_again(rig),
        _ => words(&check_now(rig, input)),
    }
}

/// What the turn does that a reader's absence plans, apart from that for another absent one.
fn later(rig: &mut Rig, absent: Address) -> String {
    let at = rig.now.0 / 1_000 + 50;
    rig.at(at);
    assert_eq!(words(&rig.down(absent, Exit::NoActor)), "·");
    let rows = rig.rows;
    rig.at(at + 9_999);
    let effects = rig.at(at + 10_000);
    rig.rows = rows;
    assert!(effects.contains(&Effect::Watch(absent)), "{effects:?}");
    format!("later {}", words(&effects))
}

/// What the turn does that a list without room plans, a second later.
fn listed_again(rig: &mut Rig) -> String {
    let at = rig.now.0 / 1_000 + 50;
    rig.at(at);
    let fact = Box::new(Fact::Models(List::new()));
    let list = Letter::Observer(messages::observer::Input::Fact(
        messages::observer::FactKey::Models,
        fact,
    ));
    assert_eq!(words(&returned(rig, list, ReturnReason::Busy)), "·");
    let rows = rig.rows;
    rig.at(at + 999);
    let effects = rig.at(at + 1_000);
    rig.rows = rows;
    format!("later {}", words(&effects))
}

fn returned(rig: &mut Rig, letter: Letter, why: ReturnReason) -> Vec<Effect> {
    let letter = Box::new(letter);
    rig.signal(Signal::Returned { letter, why })
}

fn check_now(rig: &mut Rig, input: &str) -> Vec<Effect> {
    let peer_session = Address::Session(NETWORK, node(1));
    match input {
        "Started" => rig.signal(Signal::Started(Incarnation { boot: 1, n: 2 })),
        "Peer, new models" => rig.tell(Input::Peer(Box::new(peer(2, &[advert("more", 3, "a")])))),
        "Peer, as before" => rig.tell(Input::Peer(Box::new(peer(1, &[advert("far", 1, "a")])))),
        "Peer, awaited" => rig.tell(Input::Peer(Box::new(peer(2, &[advert("other", 3, "a")])))),
        "PeerGone" => rig.tell(Input::PeerGone {
            network: NETWORK,
            peer: node(1),
        }),
        "PeerGone, unknown" => rig.tell(Input::PeerGone {
            network: NETWORK,
            peer: node(9),
        }),
        "Local, new models" => rig.tell(local(1, &[advert("more", 3, "a")], load(0, 0))),
        "Local, as before" => rig.tell(local(0, &[advert("near", 2, "a")], load(0, 0))),
        "Route, served" => rig.tell(Input::Route(Box::new(query(2, "far")))),
        "Route, not served" => rig.tell(Input::Route(Box::new(query(2, "none")))),
        "Route, all left out" => rig.tell(Input::Route(Box::new(Query {
            exclude: List::truncated([peer_via(1)]),
            ..query(2, "far")
        }))),
        "Outcome" => rig.tell(Input::Outcome {
            via: peer_via(1),
            result: Outcome::Failed,
        }),
        "Down of a session" => rig.down(peer_session, Exit::Killed),
        "Down of a worker" => rig.down(Address::Worker(DeviceId(0)), Exit::Killed),
        "Session is absent" => rig.down(peer_session, Exit::NoActor),
        "Worker is absent" => rig.down(Address::Worker(DeviceId(0)), Exit::NoActor),
        "Down of the gateway" => rig.down(Address::Gateway, Exit::Killed),
        "Down of the observer" => rig.down(Address::Observer, Exit::Killed),
        "Down of another" => {
            let unknown = [
                Address::Session(NETWORK, node(9)),
                Address::Worker(DeviceId(9)),
                Address::Store,
            ];
            unknown
                .into_iter()
                .flat_map(|who| rig.down(who, Exit::Killed))
                .collect()
        }
        "Another returned" => {
            let silent = messages::request_proxy::Input::Silent { attempt: 1 };
            let request = RequestId { boot: 1, n: 1 };
            let before = rig.router.deadline();
            let effects = returned(rig, Letter::Proxy(request, silent), ReturnReason::Busy);
            assert_eq!(rig.router.deadline(), before, "nothing is planned");
            effects
        }
        "Deadline" => {
            rig.now = rig.router.deadline().unwrap().at;
            rig.deadline()
        }
        _ => panic!("the page names an input without a test: {input}"),
    }
}

#[test]
fn every_cell_of_the_page_holds() {
    let page = page();
    let (head, rows) = page.split_first().unwrap();
    assert_eq!(head, &["input", "gathering", "routing"]);
    // The ruler under the head is the first row.
    for row in &rows[1..] {
        assert_eq!(row.len(), head.len(), "a row with a missing cell: {row:?}");
        for (phase, cell) in head.iter().zip(row).skip(1) {
            assert!(!cell.is_empty(), "an empty cell: {row:?}");
            let mut rig = in_phase(phase);
            let did = check(&mut rig, row[0]);
            assert_eq!(&did, cell, "{} while {phase}", row[0]);
            assert!(rig.rows.contains(&row[0]), "{} is another input", row[0]);
        }
    }
    let of_all = [TOLD, STARTED, DOWN, RETURNED, DEADLINES].concat();
    let of_all: BTreeSet<&str> = of_all.into_iter().collect();
    let named: BTreeSet<&str> = rows[1..].iter().map(|row| row[0]).collect();
    assert_eq!(named, of_all, "the rows");
}
