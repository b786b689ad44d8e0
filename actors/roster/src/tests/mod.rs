//! One roster on a bench: letters in, effects out in words, with real keys.

mod advert;
mod dial;
mod durable;
mod hearsay;
mod holders;
mod introductions;
mod neighbourhood;
mod records;
mod sessions;
mod table;
mod tickets;
mod verify;

use crate::{Phase, Roster, join};
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::{
    Ctx, Effect, Entropy, Exit, Incarnation, Machine, Micros, Mono, Now, Outbox, ReturnReason,
    Signal, Signer, Wall,
};
use messages::peer_session::{self, Ended, LinkLoss, Verdict};
use messages::ports::{control, store, transport};
use messages::roster::{AdminRequest, Contact, Input, Seed};
use messages::wire::latest::{Deny, Introduction, Load};
use messages::{
    Address, Capabilities, Compute, Credential, DeviceId, Grant, Kind, Label, Letter, LinkId, List,
    ModelAdvert, ModelId, Neighbourhood, NetworkId, NodeId, QueryId, Record, RecordClass,
    Signature, SignedGrant, SignedRecord, Stamp, StreamId, Ticket, TicketKey, Token, gossip_store,
    inference_worker, network_of, observer,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

const WALL: Wall = Wall(1_700_000_000_000_000);
/// Of some length: so are the credentials, and the frames that hold them.
const LABEL: &str = "the machines at home, and those of the neighbours who asked";
const OWNER: u8 = 1;
const ME: u8 = 2;
const PEER: u8 = 3;
const DEVICE: DeviceId = DeviceId(0);

/// A node by its number: its key is made of nothing else.
fn key(node: u8) -> SigningKey {
    SigningKey::from_bytes(&[node; 32])
}

fn node(number: u8) -> NodeId {
    NodeId(key(number).verifying_key().to_bytes())
}

fn network() -> NetworkId {
    network_of(node(OWNER), LABEL)
}

fn sign(by: u8, bytes: &[u8]) -> Signature {
    Signature::from_bytes(&key(by).sign(bytes).to_bytes())
}

#[derive(Debug)]
struct Keys(u8);

impl Signer for Keys {
    fn node(&self) -> NodeId {
        node(self.0)
    }
    fn sign(&self, bytes: &[u8]) -> Signature {
        sign(self.0, bytes)
    }
}

fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 4_000))
}

fn addrs(number: u8) -> List<SocketAddr, 16> {
    List::truncated([addr(number)])
}

/// A ticket of the owner; its number is its secret.
fn ticket(number: u8, expires: Option<Wall>) -> Ticket {
    let secret = [number; 32];
    let grant = Grant {
        owner: node(OWNER),
        label: Label::truncated(LABEL),
        ticket: ticket_key(number),
        name: Label::truncated("a ticket"),
        issued: WALL,
        expires,
    };
    let signature = sign(OWNER, &grant.signing_bytes());
    let grant = SignedGrant { grant, signature };
    Ticket {
        grant,
        secret,
        issuer: node(OWNER),
        addrs: addrs(OWNER),
    }
}

fn ticket_key(number: u8) -> TicketKey {
    TicketKey(
        SigningKey::from_bytes(&[number; 32])
            .verifying_key()
            .to_bytes(),
    )
}

fn credential(holder: u8) -> Credential {
    match holder {
        OWNER => Credential::Owner {
            label: Label::truncated(LABEL),
        },
        _ => join(&ticket(100, None), node(holder)),
    }
}

fn advert(author: u8, stamp: u64) -> Introduction {
    let said = Capabilities {
        addrs: addrs(author),
        ..Capabilities::default()
    };
    let record = Record {
        network: network(),
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author: node(author),
        id: Label::default(),
        stamp: Stamp(stamp),
        value: Some(said.encode().unwrap()),
    };
    introduction(author, record)
}

fn introduction(author: u8, record: Record) -> Introduction {
    let signature = sign(author, &record.signing_bytes());
    let record = SignedRecord { record, signature };
    Introduction {
        record,
        credential: credential(author),
    }
}

fn introduced(from: u8, entries: impl IntoIterator<Item = Introduction>) -> Input {
    Input::Introduced {
        from: node(from),
        entries: List::truncated(entries),
    }
}

fn revocation(number: u8) -> SignedRecord {
    let record = Record {
        network: network(),
        class: RecordClass::Public,
        kind: Kind::REVOCATION,
        author: node(OWNER),
        id: Label::truncated(&ticket_key(number).to_string()),
        stamp: Stamp(1),
        value: Some(bytes::Bytes::new()),
    };
    let signature = sign(OWNER, &record.signing_bytes());
    SignedRecord { record, signature }
}

fn model(number: u8) -> ModelAdvert {
    ModelAdvert {
        model: ModelId([number; 32]),
        name: Label::truncated("m"),
        compute: Compute::default(),
        context: 1_024,
    }
}

fn seed(me: u8) -> Seed {
    let contact = |number| Contact {
        node: node(number),
        addrs: addrs(number),
    };
    Seed {
        network: network(),
        me: node(me),
        boot: 1,
        owner: node(OWNER),
        label: Label::truncated(LABEL),
        credential: credential(me),
        contacts: vec![contact(OWNER), contact(me)],
        devices: vec![DEVICE],
        neighbourhood: Neighbourhood::DEFAULT,
        app_version: Label::truncated("1.0"),
    }
}

/// One roster, its clock, and the store's rows.
struct Bench {
    roster: Roster,
    now: Now,
    /// Everything that was sent, but facts.
    sent: Vec<Effect>,
    /// Whom the gossip store takes for a member.
    known: BTreeSet<NodeId>,
    /// The rows of the page for what it was told last.
    rows: &'static [&'static str],
}

impl Bench {
    /// Before its first turn.
    fn unborn(seed: Seed) -> Self {
        let number = if seed.me == node(OWNER) { OWNER } else { ME };
        let ctx = Ctx {
            entropy: Entropy::from_number(1),
            signer: Arc::new(Keys(number)),
        };
        let now = Now {
            mono: Mono(5_000_000),
            wall: WALL,
        };
        Self {
            roster: Roster::new(seed, ctx),
            now,
            sent: Vec::new(),
            known: BTreeSet::new(),
            rows: &[],
        }
    }

    fn start(&mut self) -> String {
        self.signal(Signal::Started(Incarnation { boot: 1, n: 1 }))
    }

    fn loading(seed: Seed) -> Self {
        let mut bench = Self::unborn(seed);
        bench.start();
        bench
    }

    fn new(seed: Seed) -> Self {
        let mut bench = Self::loading(seed);
        bench.tell(Input::Loaded(Vec::new()));
        bench
    }

    fn in_phase(ready: bool) -> Self {
        if ready {
            Self::new(seed(ME))
        } else {
            Self::loading(seed(ME))
        }
    }

    /// A roster whose peers are active.
    fn with(peers: &[u8]) -> Self {
        let mut bench = Self::new(seed(ME));
        for peer in peers {
            bench.activate(*peer);
        }
        bench
    }

    fn activate(&mut self, peer: u8) -> String {
        let link = LinkId(u64::from(peer));
        self.tell(Input::LinkUp {
            peer: node(peer),
            link,
            dialled: false,
        });
        self.tell(judge(peer, credential(peer)));
        self.tell(Input::Active { peer: node(peer) })
    }

    fn tell(&mut self, input: Input) -> String {
        self.rows = table::rows_of(&input);
        let mut out = Outbox::new();
        self.roster.handle(self.now, input, &mut out).unwrap();
        self.finish(out)
    }

    fn signal(&mut self, signal: Signal) -> String {
        self.rows = table::rows_of_signal(&signal);
        let mut out = Outbox::new();
        self.roster.signal(self.now, signal, &mut out).unwrap();
        self.finish(out)
    }

    fn down(&mut self, who: Address, why: Exit) -> String {
        self.signal(Signal::Down {
            who,
            incarnation: None,
            why,
        })
    }

    fn session_down(&mut self, peer: u8, why: Exit) -> String {
        self.down(Address::Session(network(), node(peer)), why)
    }

    fn returned(&mut self, letter: Letter, why: ReturnReason) -> String {
        self.signal(Signal::Returned {
            letter: Box::new(letter),
            why,
        })
    }

    /// Lets time pass, taking every turn that is asked for, and says what was done in them.
    fn wait(&mut self, span: Micros) -> Vec<String> {
        let end = self.now.mono + span;
        let mut said = Vec::new();
        while let Some(due) = self.roster.deadline().filter(|due| due.at <= end) {
            self.go(due.at);
            said.push(self.turn());
        }
        self.go(end);
        said.retain(|turn| turn != "·");
        said
    }

    fn turn(&mut self) -> String {
        self.rows = table::DEADLINES;
        let due = self.roster.deadline().unwrap();
        self.go(due.at);
        let mut out = Outbox::new();
        self.roster.on_deadline(self.now, &mut out).unwrap();
        let next = self.roster.deadline();
        assert!(
            next.is_none_or(|next| next.at > self.now.mono),
            "{due:?} is followed by {next:?}"
        );
        self.finish(out)
    }

    fn go(&mut self, to: Mono) {
        let passed = to.since(self.now.mono);
        self.now = Now {
            mono: self.now.mono + passed,
            wall: self.now.wall + passed,
        };
    }

    fn finish(&mut self, mut out: Outbox) -> String {
        self.roster.invariants();
        let said = words(out.effects());
        for input in records::told(out.effects()) {
            records::learn(&mut self.known, input);
        }
        let members = match self.roster.is_loading() {
            true => Vec::new(),
            false => self.roster.table.members(),
        };
        assert!(self.known.iter().eq(&members), "the gossip store");
        self.sent.extend(std::mem::take(out.effects_mut()));
        said
    }

    /// What a session was told since the last look.
    fn told(&mut self, peer: u8) -> Vec<peer_session::Input> {
        let sent = std::mem::take(&mut self.sent);
        let told = |effect: Effect| {
            let Effect::Tell(Letter::Session(_, to, input)) = effect else {
                return None;
            };
            (to == node(peer)).then_some(input)
        };
        sent.into_iter().filter_map(told).collect()
    }

    /// The store confirms, or fails, what it was asked to write since the last look.
    fn commit(&mut self, durable: bool) -> String {
        let sent = std::mem::take(&mut self.sent);
        let token = |effect: Effect| {
            let Effect::Tell(Letter::Store(store::Command::Commit { token, .. })) = effect else {
                return None;
            };
            Some(token)
        };
        let tokens: Vec<Token> = sent.into_iter().filter_map(token).collect();
        assert!(!tokens.is_empty(), "nothing was to be written");
        let input = |token| match durable {
            true => Input::Committed(token),
            false => Input::CommitFailed(token),
        };
        let said: Vec<String> = tokens
            .into_iter()
            .map(|token| self.tell(input(token)))
            .collect();
        said.join("; ")
    }

    fn verdict(&mut self, peer: u8, credential: Credential) -> Verdict {
        self.sent.clear();
        self.tell(judge(peer, credential));
        let told = self.told(peer).pop();
        let Some(peer_session::Input::Verdict(verdict)) = told else {
            panic!("{told:?}")
        };
        verdict
    }
}

fn judge(peer: u8, credential: Credential) -> Input {
    Input::Judge {
        peer: node(peer),
        credential: credential.into(),
    }
}

fn link_up(peer: u8, link: u64) -> Input {
    Input::LinkUp {
        peer: node(peer),
        link: LinkId(link),
        dialled: false,
    }
}

fn ended(peer: u8, why: Ended) -> Input {
    Input::Ended {
        peer: node(peer),
        why,
    }
}

const LOST: Ended = Ended::LinkLost(LinkLoss::TimedOut);

/// Effects in words; facts for people are left out.
fn words(effects: &[Effect]) -> String {
    let said: Vec<&str> = effects.iter().filter_map(word).collect();
    if said.is_empty() {
        "·".to_owned()
    } else {
        said.join(", ")
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the letters that a roster sends"
)]
fn word(effect: &Effect) -> Option<&'static str> {
    Some(match effect {
        Effect::Start(_) => "start",
        Effect::Stop(..) => "stop",
        Effect::Watch(_) => "watch",
        Effect::Unwatch(_) => "unwatch",
        Effect::Tell(letter) => match letter {
            Letter::Store(store::Command::Load(_)) => "load",
            Letter::Store(store::Command::Commit { .. }) => "write",
            Letter::Transport(transport::Command::Attach(_)) => "attach",
            Letter::Transport(transport::Command::Dial { .. }) => "dial",
            Letter::Transport(transport::Command::Close { .. }) => "close",
            Letter::Worker(_, inference_worker::Input::Attach(_)) => "ask",
            Letter::Session(_, _, input) => session_word(input),
            Letter::Control(control::Command::Answer { answer, .. }) => match &**answer {
                control::Answer::Refused(_) => "refused",
                _ => "answer",
            },
            Letter::Observer(observer::Input::Fact(..)) => return None,
            Letter::GossipStore(_, gossip_store::Input::Members(_)) => "members",
            Letter::GossipStore(_, gossip_store::Input::Vouched(_)) => "vouch",
            Letter::GossipStore(_, gossip_store::Input::NotVouched { .. }) => "no proof",
            Letter::GossipStore(
                _,
                gossip_store::Input::Member(_)
                | gossip_store::Input::Stranger(_)
                | gossip_store::Input::Revoked(_),
            ) => return None,
            other => panic!("a letter that no roster sends: {other:?}"),
        },
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the letters that a roster sends"
)]
fn session_word(input: &peer_session::Input) -> &'static str {
    match input {
        peer_session::Input::Link { .. } => "link",
        peer_session::Input::Serves(_) => "serves",
        peer_session::Input::Load(_) => "busy",
        peer_session::Input::Introduce(_) => "introduce",
        peer_session::Input::Revoke(_) => "revoke",
        peer_session::Input::Verdict(Verdict::Admit { .. }) => "admit",
        peer_session::Input::Verdict(Verdict::Deny(_)) => "deny",
        peer_session::Input::Verdict(Verdict::Unknown) => "unknown",
        peer_session::Input::Cut(_) => "cut",
        peer_session::Input::Release => "release",
        peer_session::Input::Gossip(_) => "prove",
        other => panic!("a letter that no roster sends: {other:?}"),
    }
}

/// A roster whose phase this is answers `input` with these effects.
#[track_caller]
fn check(ready: bool, input: Input, expected: &str) {
    let mut bench = Bench::in_phase(ready);
    let phase: Phase = bench.roster.phase;
    assert_eq!(bench.tell(input), expected, "while {}", phase.name());
}
