//! One session on a bench: letters in, effects out in words.

mod links;
mod liveness;
mod neighbours;
mod pair;
mod records;
mod report;
mod sleep;
mod streams;
mod table;
mod world;

use crate::PeerSession;
use crate::handshake::Phase;
use kernel::{
    Ctx, Effect, Entropy, Exit, Incarnation, Machine, Micros, Mono, Now, Outbox, ReturnReason,
    Signal, Signer, Wall,
};
use messages::peer_session::{Input, Seed, Verdict};
use messages::ports::{stream, transport};
use messages::wire::latest::{ControlFrame, Deny, Gossip, Hello, Introduction, Load};
use messages::{
    Address, Capabilities, Compute, Credential, DeviceId, Digest, Job, JobId, Kind, Label, Letter,
    LinkId, List, ModelAdvert, ModelId, NetworkId, NodeId, Prompt, Record, RecordClass, RequestId,
    Sampling, Signature, SignedRecord, Stamp, StreamId, Text, TraceContext, gossip_store,
    inference_worker, observer, request_proxy, roster, router,
};
use std::sync::Arc;

const NETWORK: NetworkId = NetworkId([9; 32]);
const ME: NodeId = NodeId([1; 32]);
const PEER: NodeId = NodeId([2; 32]);
const LINK: LinkId = LinkId(10);
const MODEL: ModelId = ModelId([7; 32]);
const WALL: Wall = Wall(1_000_000_000_000);

/// One session, its clock, and the link that frames come on.
struct Bench {
    session: PeerSession,
    now: Now,
    /// Whether the gossip store takes the peer for its neighbour.
    neighbour: bool,
    /// What the last turn did.
    did: Vec<Effect>,
    /// The rows of the page for what it was told last.
    rows: &'static [&'static str],
}

impl Bench {
    /// Before its first turn.
    fn unborn() -> Self {
        let now = Now {
            mono: Mono(5_000_000),
            wall: WALL,
        };
        Self {
            session: PeerSession::new(seed(ME, PEER, LINK, true), ctx()),
            now,
            neighbour: false,
            did: Vec::new(),
            rows: &[],
        }
    }

    fn start(&mut self) -> String {
        self.signal(Signal::Started(Incarnation { boot: 1, n: 1 }))
    }

    fn new() -> Self {
        let mut bench = Self::unborn();
        bench.start();
        bench
    }

    /// A session in this phase, by the shortest way.
    fn in_phase(phase: Phase) -> Self {
        let mut bench = Self::new();
        let steps = match phase {
            Phase::Greeting => 0,
            Phase::Judging => 2,
            Phase::Admitting => 3,
            Phase::Active => 4,
            Phase::Closing => 5,
        };
        let way = [
            frame(hello(false, 1)),
            frame(ControlFrame::Proof(credential("peer").into())),
            Input::Verdict(Verdict::Admit { until: None }),
            frame(ControlFrame::Admit(())),
            Input::LinkDown {
                link: LINK,
                why: messages::peer_session::LinkLoss::TimedOut,
            },
        ];
        for input in way.into_iter().take(steps) {
            bench.tell(input);
        }
        bench.tell(Input::Serves(vec![(MODEL, DeviceId(3))]));
        assert_eq!(bench.session.phase(), phase, "the way to it");
        bench
    }

    fn tell(&mut self, input: Input) -> String {
        self.rows = table::rows_of(&input);
        let mut out = Outbox::new();
        self.session.handle(self.now, input, &mut out).unwrap();
        self.finish(out)
    }

    fn signal(&mut self, signal: Signal) -> String {
        self.rows = table::rows_of_signal(&signal);
        let mut out = Outbox::new();
        self.session.signal(self.now, signal, &mut out).unwrap();
        self.finish(out)
    }

    fn down(&mut self, who: Address, why: Exit) -> String {
        self.signal(Signal::Down {
            who,
            incarnation: None,
            why,
        })
    }

    fn returned(&mut self, letter: Letter, why: ReturnReason) -> String {
        self.signal(Signal::Returned {
            letter: Box::new(letter),
            why,
        })
    }

    /// Lets time pass up to `span`, taking every turn that is asked for.
    fn wait(&mut self, span: Micros) -> Vec<String> {
        let end = self.now.mono + span;
        let mut said = Vec::new();
        while let Some(due) = self.session.deadline().filter(|due| due.at <= end) {
            self.go(due.at);
            said.push(self.turn());
        }
        self.go(end);
        said
    }

    /// Goes to the next deadline and takes that turn.
    fn turn(&mut self) -> String {
        self.rows = table::DEADLINES;
        let Some(due) = self.session.deadline() else {
            return "·".to_owned();
        };
        self.go(due.at);
        let mut out = Outbox::new();
        self.session.on_deadline(self.now, &mut out).unwrap();
        let next = self.session.deadline();
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
        self.session.invariants();
        self.did = std::mem::take(out.effects_mut());
        for input in self.to_store() {
            if input == gossip_store::Input::Active(PEER) {
                self.neighbour = true;
            } else if input == gossip_store::Input::Gone(PEER) {
                assert!(self.neighbour, "gone, and was none");
                self.neighbour = false;
            } else {
                assert!(matches!(input, gossip_store::Input::Heard(PEER, _)));
            }
        }
        assert_eq!(self.neighbour, self.session.active, "the gossip store");
        words(&self.did)
    }

    /// What the gossip store was told in the last turn.
    fn to_store(&self) -> Vec<gossip_store::Input> {
        let told = |effect: &Effect| match effect {
            Effect::Tell(Letter::GossipStore(NETWORK, input)) => Some(input.clone()),
            Effect::Tell(_)
            | Effect::Start(_)
            | Effect::Stop(..)
            | Effect::Watch(_)
            | Effect::Unwatch(_) => None,
        };
        self.did.iter().filter_map(told).collect()
    }
}

/// Effects in words. Facts for people are left out; the goodbye is one word.
fn words(effects: &[Effect]) -> String {
    let said: Vec<&str> = effects.iter().filter_map(word).collect();
    let text = if said.is_empty() {
        "·".to_owned()
    } else {
        said.join(", ")
    };
    let short = [
        ("close, gone, ended, forget, stop", "end"),
        ("parted, deny, end", "deny, end"),
        ("parted, end", "end"),
        ("serve, job, watch", "serve"),
        ("watch, opened", "opened"),
        ("watch, watch, watch, watch, watch", "born"),
        ("answer, proof", "anew"),
        ("active, records, ping, fresh", "up"),
    ];
    short
        .iter()
        .fold(text, |text, (long, short)| text.replace(long, short))
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the letters that a session sends"
)]
fn word(effect: &Effect) -> Option<&'static str> {
    Some(match effect {
        Effect::Start(_) => "start",
        Effect::Stop(..) => "stop",
        Effect::Watch(_) => "watch",
        Effect::Unwatch(_) => "unwatch",
        Effect::Tell(letter) => match letter {
            Letter::Transport(transport::Command::Send { frame, .. }) => frame_word(frame),
            Letter::Transport(transport::Command::Close { .. }) => "close",
            Letter::Transport(transport::Command::Open { .. }) => "open",
            Letter::Router(router::Input::Peer(state)) if state.quiet => "quiet",
            Letter::Router(router::Input::Peer(state)) if state.fresh => "fresh",
            Letter::Router(router::Input::Peer(_)) => "stale",
            Letter::Router(router::Input::PeerGone { .. }) => "gone",
            Letter::Roster(_, roster::Input::Judge { .. }) => "judge",
            Letter::Roster(_, roster::Input::InUse { .. }) => "in use",
            Letter::Roster(_, roster::Input::Active { .. }) => "active",
            Letter::Roster(_, roster::Input::Ended { .. }) => "ended",
            Letter::Roster(_, roster::Input::Introduced { .. }) => "introduced",
            Letter::Roster(_, roster::Input::Revoked { .. }) => "revoked",
            Letter::Roster(_, roster::Input::LinkUp { .. }) => "link up",
            Letter::GossipStore(_, gossip_store::Input::Active(_)) => "records",
            Letter::GossipStore(_, gossip_store::Input::Gone(_)) => "parted",
            Letter::GossipStore(_, gossip_store::Input::Heard(..)) => "heard",
            Letter::Observer(observer::Input::Forget(_)) => "forget",
            Letter::Observer(_) => return None,
            Letter::Stream(_, stream::Command::Serve(_)) => "serve",
            Letter::Stream(_, stream::Command::Refuse(_)) => "refuse",
            Letter::Stream(_, stream::Command::Cancel) => "cancel",
            Letter::Worker(_, inference_worker::Input::Job { .. }) => "job",
            Letter::Proxy(_, request_proxy::Input::Opened { .. }) => "opened",
            Letter::Proxy(_, request_proxy::Input::NotOpened { .. }) => "no",
            Letter::Proxy(_, request_proxy::Input::Silent { .. }) => "silent",
            other => panic!("a letter that no session sends: {other:?}"),
        },
    })
}

fn frame_word(frame: &ControlFrame) -> &'static str {
    match frame {
        ControlFrame::Hello(hello) if hello.features & Hello::ANSWER != 0 => "answer",
        ControlFrame::Hello(_) => "hello",
        ControlFrame::Proof(_) => "proof",
        ControlFrame::Admit(()) => "admit",
        ControlFrame::Deny(_) => "deny",
        ControlFrame::Ping(_) => "ping",
        ControlFrame::Pong(_) => "pong",
        ControlFrame::Introductions(_) => "members",
        ControlFrame::Load(_) => "load",
        ControlFrame::Revoke(_) => "revoke",
        ControlFrame::Leave(_) => "leave",
        ControlFrame::Gossip(_) => "gossip",
    }
}

/// A session in `phase` answers `input` with these effects.
#[track_caller]
fn check(phase: Phase, input: Input, expected: &str) {
    assert_eq!(
        Bench::in_phase(phase).tell(input),
        expected,
        "in phase {}",
        phase.name()
    );
}

#[derive(Debug)]
struct NoSigner;

impl Signer for NoSigner {
    fn node(&self) -> NodeId {
        ME
    }
    fn sign(&self, _: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

fn ctx() -> Ctx {
    Ctx {
        entropy: Entropy::from_number(1),
        signer: Arc::new(NoSigner),
    }
}

fn seed(me: NodeId, peer: NodeId, link: LinkId, dialled: bool) -> Seed {
    let credential = credential("mine");
    Seed {
        network: NETWORK,
        me,
        boot: 1,
        peer,
        credential,
        link,
        dialled,
    }
}

fn credential(label: &str) -> Credential {
    Credential::Owner {
        label: Label::truncated(label),
    }
}

fn frame(frame: ControlFrame) -> Input {
    Input::Frame { link: LINK, frame }
}

fn hello(answers: bool, boot: u64) -> ControlFrame {
    let features = if answers { Hello::ANSWER } else { 0 };
    ControlFrame::Hello(Hello {
        version_min: 1,
        version_max: 1,
        features,
        boot,
    })
}

fn request(n: u64) -> RequestId {
    RequestId { boot: 1, n }
}

fn job(origin: NodeId, n: u64) -> Box<Job> {
    Box::new(Job {
        id: JobId {
            origin,
            request: request(n),
            attempt: 1,
        },
        trace: TraceContext::begin([1, 2], 3),
        model: MODEL,
        prompt: Prompt::Raw(Text::from("what lingers")),
        template_time: WALL,
        sampling: Sampling {
            temperature_e6: 0,
            top_p_e6: 1_000_000,
            seed: 1,
        },
        max_tokens: None,
        resume: List::new(),
        expect: None,
        tenant: Digest::default(),
    })
}

fn introduction(author: NodeId, names: &[&str]) -> Introduction {
    let advert = |name: &&str| ModelAdvert {
        model: MODEL,
        name: Label::truncated(name),
        compute: Compute::default(),
        context: 1_024,
    };
    let said = Capabilities {
        llms: List::truncated(names.iter().map(advert)),
        ..Default::default()
    };
    let record = Record {
        network: NETWORK,
        class: RecordClass::Public,
        kind: Kind::CAPABILITIES,
        author,
        id: Label::default(),
        stamp: Stamp(1),
        value: Some(said.encode().unwrap()),
    };
    let signature = Signature::from_bytes(&[0; 64]);
    Introduction {
        record: SignedRecord { record, signature },
        credential: credential("author"),
    }
}

fn introductions(author: NodeId, names: &[&str]) -> ControlFrame {
    ControlFrame::Introductions(List::truncated([introduction(author, names)]))
}

/// What is said of records: nothing new.
fn gossip() -> Box<Gossip> {
    Box::new(Gossip::News(List::new()))
}

fn load(active: u32) -> Load {
    Load {
        active,
        queued: 0,
        slots: 4,
        queue_max: 8,
    }
}

fn inbound(n: u64, link: LinkId, origin: NodeId) -> Input {
    Input::Inbound {
        stream: StreamId(n),
        link,
        job: job(origin, n),
    }
}
