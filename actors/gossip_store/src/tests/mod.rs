//! Stores that talk to each other in memory, and to a database that answers when it is told to.

mod admin;
mod agreement;
mod hostile;
mod merging;
mod page;
mod roster_of;
mod saying;
mod sharing;
mod vouched;
mod vouching;
mod writing;

use crate::GossipStore;
use crate::registers::Registers;
use bytes::Bytes;
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::{Ctx, Effect, Entropy, Incarnation, Machine, Outbox, Signal, Signer};
use messages::gossip_store::{AdminRequest, Fact, Input, Seed, Setting};
use messages::observer::Asker;
use messages::peer_session;
use messages::ports::control::{self, Answer};
use messages::ports::store::{Asker as OfStore, Command, Item, Table};
use messages::wire::latest::{Gossip, Roots};
use messages::{
    Credential, Grant, Kind, Label, Letter, List, Micros, Mono, NetworkId, NodeId, Now, QueryId,
    Record, RecordClass, Signature, SignedGrant, SignedRecord, Stamp, TicketKey, Token, Wall,
    roster,
};
use roster_of::proof_by;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub(super) const NETWORK: NetworkId = NetworkId([7; 32]);
/// A wall clock that is later than every age that matters.
pub(super) const WALL: u64 = 1_800_000_000_000_000;

/// The key of the nth node.
#[derive(Debug)]
pub(super) struct Key(SigningKey);

pub(super) fn key(n: u8) -> Key {
    Key(SigningKey::from_bytes(&[n + 1; 32]))
}

pub(super) fn id(n: u8) -> NodeId {
    NodeId(key(n).0.verifying_key().to_bytes())
}

impl Signer for Key {
    fn node(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(&self.0.sign(bytes).to_bytes())
    }
}

/// A record of the nth node.
pub(super) fn record(n: u8, id_of: &str, stamp: u64, value: Option<&str>) -> SignedRecord {
    signed(
        n,
        Record {
            network: NETWORK,
            class: RecordClass::Public,
            kind: Kind::SESSION_CATALOG,
            author: id(n),
            id: Label::truncated(id_of),
            stamp: Stamp(stamp),
            value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        },
    )
}

pub(super) fn signed(n: u8, record: Record) -> SignedRecord {
    let signature = key(n).sign(&record.signing_bytes());
    SignedRecord { record, signature }
}

/// Whether its author signed a record.
pub(super) fn is_of(signed: &SignedRecord) -> bool {
    crate::signature::ed25519(&kernel::Signed {
        key: &signed.record.author.0,
        bytes: &signed.record.signing_bytes(),
        signature: &signed.signature,
    })
}

pub(super) fn admin(query: u64, request: AdminRequest) -> Input {
    Input::Admin {
        query: QueryId(query),
        asker: Asker::Control,
        request: Box::new(request),
    }
}

pub(super) fn fact(id: &str, value: Option<&str>) -> Fact {
    Fact {
        class: RecordClass::Public,
        kind: Kind::SESSION_CATALOG,
        id: Label::truncated(id),
        value: value.map(|value| Bytes::copy_from_slice(value.as_bytes())),
        after: Stamp(0),
        expects: None,
    }
}

/// Rows, each with a value or nothing.
type Writes = Vec<(Bytes, Option<Bytes>)>;

/// One store, its database and what it said.
pub(super) struct Node {
    pub(super) store: GossipStore,
    pub(super) rows: BTreeMap<Bytes, Bytes>,
    /// The tables of those that are no records.
    pub(super) tables: BTreeMap<Bytes, Table>,
    /// What humans were answered.
    pub(super) answers: Vec<(u64, Answer)>,
    /// Whether commits are answered, and how.
    pub(super) disk: Option<bool>,
    pub(super) commits: VecDeque<(Token, Writes)>,
}

/// Some stores.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) nodes: Vec<Node>,
    /// Who is whose neighbour.
    pub(super) edges: BTreeSet<(u8, u8)>,
    /// Frames on their way.
    pub(super) air: VecDeque<(u8, u8, Gossip)>,
    /// Frames that arrived.
    pub(super) heard: Vec<(u8, u8, Gossip)>,
    /// Frames of which this is true are lost.
    pub(super) loses: fn(&Gossip) -> bool,
    /// Whom each node's roster keeps, and by which ticket everybody came.
    pub(super) kept: Vec<BTreeSet<u8>>,
    pub(super) tickets: BTreeMap<NodeId, u8>,
    /// So many more questions the rosters do not hear.
    pub(super) deaf: usize,
    /// Tickets that no roster takes.
    pub(super) withdrawn: BTreeSet<u8>,
}

impl World {
    pub(super) fn new(count: u8) -> Self {
        let mut world = Self {
            now: Now {
                mono: Mono(1_000_000),
                wall: Wall(WALL),
            },
            nodes: Vec::new(),
            edges: BTreeSet::new(),
            air: VecDeque::new(),
            heard: Vec::new(),
            loses: |_| false,
            kept: vec![(0..count).collect(); usize::from(count)],
            tickets: (0..count).map(|n| (id(n), 1)).collect(),
            deaf: 0,
            withdrawn: BTreeSet::new(),
        };
        for n in 0..count {
            world.nodes.push(Node {
                store: store(n, true),
                rows: BTreeMap::new(),
                tables: BTreeMap::new(),
                answers: Vec::new(),
                disk: Some(true),
                commits: VecDeque::new(),
            });
            world.start(n);
            world.tell(n, Input::Members((0..count).map(id).collect()));
        }
        world
    }

    /// Begins a life of a store, with what its database holds.
    pub(super) fn start(&mut self, n: u8) {
        self.signal(n, Signal::Started(Incarnation { boot: 1, n: 1 }));
    }

    /// A new life in place of the last one.
    pub(super) fn restart(&mut self, n: u8) {
        let node = &mut self.nodes[usize::from(n)];
        node.store = store(n, node.store.shares);
        node.commits.clear();
        self.start(n);
        self.tell_members(n);
        for other in self.neighbours(n) {
            self.tell(n, Input::Active(id(other)));
        }
    }

    /// The roster of a node says whom it keeps.
    pub(super) fn tell_members(&mut self, n: u8) {
        let kept = self.kept[usize::from(n)].iter();
        let members = kept.map(|member| id(*member)).collect();
        self.tell(n, Input::Members(members));
    }

    pub(super) fn neighbours(&self, n: u8) -> Vec<u8> {
        let of = |edge: &(u8, u8)| match *edge {
            (a, b) if a == n => Some(b),
            (a, b) if b == n => Some(a),
            _ => None,
        };
        self.edges.iter().filter_map(of).collect()
    }

    pub(super) fn connect(&mut self, a: u8, b: u8) {
        self.edges.insert((a.min(b), a.max(b)));
        self.tell(a, Input::Active(id(b)));
        self.tell(b, Input::Active(id(a)));
    }

    pub(super) fn part(&mut self, a: u8, b: u8) {
        self.edges.remove(&(a.min(b), a.max(b)));
        self.air
            .retain(|(from, to, _)| (*from.min(to), *from.max(to)) != (a.min(b), a.max(b)));
        self.tell(a, Input::Gone(id(b)));
        self.tell(b, Input::Gone(id(a)));
    }

    pub(super) fn tell(&mut self, n: u8, input: Input) -> Vec<Effect> {
        let mut out = Outbox::new();
        let now = self.now;
        let store = &mut self.nodes[usize::from(n)].store;
        store.handle(now, input, &mut out).unwrap();
        self.after(n, out)
    }

    pub(super) fn signal(&mut self, n: u8, signal: Signal) -> Vec<Effect> {
        let mut out = Outbox::new();
        let now = self.now;
        let store = &mut self.nodes[usize::from(n)].store;
        store.signal(now, signal, &mut out).unwrap();
        self.after(n, out)
    }

    pub(super) fn wake(&mut self, n: u8) -> Vec<Effect> {
        let mut out = Outbox::new();
        let now = self.now;
        let store = &mut self.nodes[usize::from(n)].store;
        store.on_deadline(now, &mut out).unwrap();
        let next = store.deadline();
        assert!(
            next.is_none_or(|next| next.at > now.mono),
            "{next:?} is over at once"
        );
        self.after(n, out)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the effects that a gossip store has"
    )]
    fn after(&mut self, n: u8, mut out: Outbox) -> Vec<Effect> {
        self.nodes[usize::from(n)].store.invariants();
        let effects = std::mem::take(out.effects_mut());
        for effect in &effects {
            match effect {
                Effect::Tell(Letter::Session(NETWORK, peer, peer_session::Input::Gossip(said))) => {
                    let to = (0..self.nodes.len() as u8).find(|to| id(*to) == *peer);
                    let to = to.expect("somebody of the world");
                    self.air.push_back((n, to, (**said).clone()));
                }
                Effect::Tell(Letter::Store(command)) => self.on_command(n, command),
                Effect::Tell(Letter::Roster(NETWORK, asked)) => self.on_asked(n, asked),
                Effect::Tell(Letter::Control(control::Command::Answer { query, answer })) => {
                    let answers = &mut self.nodes[usize::from(n)].answers;
                    answers.push((query.0, (**answer).clone()));
                }
                Effect::Watch(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        effects
    }

    fn on_command(&mut self, n: u8, command: &Command) {
        let node = &mut self.nodes[usize::from(n)];
        match command {
            Command::Load(asker) => {
                assert_eq!(*asker, OfStore::GossipStore(NETWORK));
                let rows = node.rows.iter();
                let items: Vec<Item> = rows
                    .map(|(row, value)| {
                        let mut key = crate::writing::row_of(NETWORK, row.clone());
                        if let Some(table) = node.tables.get(row) {
                            key.table = *table;
                        }
                        (key, value.clone())
                    })
                    .collect();
                self.tell(n, Input::Loaded(items));
            }
            Command::Commit { token, writes, .. } => {
                let others = writes.iter().filter(|(key, _)| key.table != Table::Records);
                node.tables
                    .extend(others.map(|(key, _)| (key.row.clone(), key.table)));
                let writes = writes.iter();
                let writes = writes.map(|(key, value)| (key.row.clone(), value.clone()));
                node.commits.push_back((*token, writes.collect()));
                self.flush(n);
            }
        }
    }

    /// Answers commits as the disk does.
    pub(super) fn flush(&mut self, n: u8) {
        let node = &mut self.nodes[usize::from(n)];
        let Some(durable) = node.disk else { return };
        while let Some((token, writes)) = self.nodes[usize::from(n)].commits.pop_front() {
            if durable {
                let rows = &mut self.nodes[usize::from(n)].rows;
                for (row, value) in writes {
                    match value {
                        Some(value) => rows.insert(row, value),
                        None => rows.remove(&row),
                    };
                }
                self.tell(n, Input::Committed(token));
            } else {
                self.tell(n, Input::CommitFailed(token));
            }
        }
    }

    /// Delivers frames until none is on its way.
    pub(super) fn settle(&mut self) {
        let mut left = 1_000_000;
        while let Some((from, to, said)) = self.air.pop_front() {
            left -= 1;
            assert!(left > 0, "they talk for ever");
            let edge = (from.min(to), from.max(to));
            if !self.edges.contains(&edge) || (self.loses)(&said) {
                continue;
            }
            self.heard.push((from, to, said.clone()));
            self.tell(to, Input::Heard(id(from), Box::new(said)));
        }
    }

    /// A node comes to have a record.
    pub(super) fn has(&mut self, n: u8, signed: SignedRecord) {
        let registers = &mut self.nodes[usize::from(n)].store.registers;
        registers.merge(self.now.wall, signed, is_of).unwrap();
    }

    /// Delivers the first of the frames that are on their way.
    pub(super) fn deliver_one(&mut self) {
        if let Some((from, to, said)) = self.air.pop_front() {
            self.heard.push((from, to, said.clone()));
            self.tell(to, Input::Heard(id(from), Box::new(said)));
        }
    }

    /// Time passes, and deadlines are kept; what is said does not arrive.
    pub(super) fn run_clock(&mut self, span: Micros) {
        let end = self.now.mono + span;
        self.keep_deadlines(end, |_| {});
    }

    /// Time passes: deadlines are kept, and what is said arrives at once.
    pub(super) fn run_for(&mut self, span: Micros) {
        let end = self.now.mono + span;
        self.settle();
        self.keep_deadlines(end, Self::settle);
    }

    fn keep_deadlines(&mut self, end: Mono, after: fn(&mut Self)) {
        loop {
            let due = (0..self.nodes.len() as u8).filter_map(|n| {
                let deadline = self.nodes[usize::from(n)].store.deadline()?;
                Some((deadline.at, n))
            });
            let Some((at, n)) = due.min().filter(|(at, _)| *at <= end) else {
                break;
            };
            self.pass(at.max(self.now.mono));
            self.wake(n);
            after(self);
        }
        self.pass(end);
    }

    fn pass(&mut self, until: Mono) {
        let span = until.since(self.now.mono);
        self.now.wall = Wall(self.now.wall.0 + span.0);
        self.now.mono = until;
    }

    pub(super) fn roots(&mut self, n: u8) -> Roots {
        crate::roots_of(&mut self.nodes[usize::from(n)].store.registers, true)
    }

    pub(super) fn agree(&mut self) -> bool {
        let count = self.nodes.len() as u8;
        let first = self.roots(0);
        (1..count).all(|n| self.roots(n) == first)
    }

    pub(super) fn registers(&self, n: u8) -> &Registers {
        &self.nodes[usize::from(n)].store.registers
    }

    /// A human asks something.
    pub(super) fn ask(&mut self, n: u8, query: u64, request: AdminRequest) -> Vec<Effect> {
        self.tell(n, admin(query, request))
    }

    pub(super) fn share(&mut self, n: u8, shares: bool) {
        self.ask(n, 0, AdminRequest::Set(vec![Setting::AutoGossip(shares)]));
    }

    pub(super) fn publish(&mut self, n: u8, id: &str, value: Option<&str>) {
        self.tell(n, Input::Publish(vec![fact(id, value)]));
    }

    /// What is in force of a register.
    pub(super) fn value(&self, n: u8, author: u8, id_of: &str) -> Option<String> {
        let mut found = self.registers(n).in_force();
        let found =
            found.find(|signed| signed.record.author == id(author) && &*signed.record.id == id_of);
        let value = found.and_then(|signed| signed.record.value.clone());
        value.map(|value| String::from_utf8(value.to_vec()).unwrap())
    }
}

fn store(n: u8, shares: bool) -> GossipStore {
    let seed = Seed {
        network: NETWORK,
        me: id(n),
        shares,
    };
    let ctx = Ctx {
        entropy: Entropy::from_number(u64::from(n)),
        signer: Arc::new(key(n)),
    };
    GossipStore::new(seed, ctx)
}
