//! What every cell of the page's table promises, and the tools of the other tests.

mod chaos;
mod deadlines;
mod log;
mod page;
mod quit;
mod search;
mod splice;
mod stall;
mod stops;
mod text;
mod trace;

use crate::RequestProxy;
use bytes::Bytes;
use kernel::{Ctx, Effect, Entropy, Exit, Incarnation, Machine, Outbox, Signal, Signer, scripted};
use messages::inference_worker::Input as ToWorker;
use messages::peer_session::Input as ToSession;
use messages::ports::gateway::Seam;
use messages::ports::{gateway, stream};
use messages::request_proxy::{Failure, Flow, Input, Seed};
use messages::router::{Choice, Input as ToRouter, NoRoute, Outcome, Query, Via};
use messages::wire::latest::{Accepted, Beacon, End, JobReply, Refused};
use messages::{
    Address, Compute, DeviceId, Digest, EndReason, Job, Label, Letter, List, Micros, Mono,
    NetworkId, NodeId, Now, Prompt, Refusal, RequestId, Signature, StreamId, Text, TokenBatch,
    TokenId, TokenPiece, TraceContext, Usage, Wall,
};
use std::sync::Arc;

#[derive(Debug)]
struct NoSigner;

impl Signer for NoSigner {
    fn node(&self) -> NodeId {
        ME
    }
    fn sign(&self, _: &[u8]) -> Signature {
        unreachable!("a request signs nothing")
    }
}

pub(super) const ME: NodeId = NodeId([0; 32]);
pub(super) const REQUEST: RequestId = RequestId { boot: 1, n: 1 };
pub(super) const LOCAL: Via = Via::Local(ME, DeviceId(0));

/// A holder in the mesh.
pub(super) const fn peer(n: u8) -> Via {
    Via::Peer(NetworkId([9; 32]), NodeId([n; 32]))
}

pub(super) fn seed() -> Seed {
    Seed {
        request: REQUEST,
        trace: TraceContext::begin([1, 2], 3),
        me: ME,
        model: Label::truncated("scripted"),
        prompt: Prompt::Raw(Text::from("say something")),
        arrived: Wall(77),
        temperature_e6: 1_000_000,
        top_p_e6: 1_000_000,
        seed: Some(5),
        max_tokens: None,
        stops: List::new(),
        tenant: Digest([3; 32]),
        total: Micros::from_secs(300),
    }
}

pub(super) fn choice(via: Via) -> Choice {
    Choice {
        via,
        advert: scripted::advert(),
        why: Label::default(),
    }
}

pub(super) fn piece(id: u32, bytes: &[u8]) -> TokenPiece {
    TokenPiece {
        id: TokenId(id),
        bytes: Bytes::copy_from_slice(bytes),
    }
}

/// How a request ended, as its client sees it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ended {
    Finished(EndReason, Usage, Seam),
    Failed(Failure),
}

/// A request with a clock, a client that reads, and holders that say what they are told to.
pub(super) struct Rig {
    pub(super) proxy: RequestProxy,
    pub(super) now: Mono,
    /// What the client read.
    pub(super) text: String,
    /// Whether the response began.
    pub(super) begun: bool,
    pub(super) ended: Option<Ended>,
    /// It stopped itself.
    pub(super) stopped: bool,
    /// What the router was asked last.
    pub(super) query: Option<Query>,
    /// What holders were asked, in order.
    pub(super) jobs: Vec<(Via, Job)>,
    /// What the router was told of attempts, in order.
    pub(super) outcomes: Vec<(Via, Outcome)>,
    /// The next holder accepts with this.
    pub(super) compute: Compute,
    /// The rows of the page for what it was told last.
    pub(super) rows: &'static [&'static str],
}

impl Rig {
    /// Started at zero: the router is asked.
    pub(super) fn new(seed: Seed) -> Self {
        let mut rig = Self::unborn(seed);
        rig.start();
        rig
    }

    /// Before its first turn.
    pub(super) fn unborn(seed: Seed) -> Self {
        let ctx = Ctx {
            entropy: Entropy::from_number(1),
            signer: Arc::new(NoSigner),
        };
        Self {
            proxy: RequestProxy::new(seed, ctx),
            now: Mono(0),
            text: String::new(),
            begun: false,
            ended: None,
            stopped: false,
            query: None,
            jobs: Vec::new(),
            outcomes: Vec::new(),
            compute: scripted::advert().compute,
            rows: &[],
        }
    }

    pub(super) fn start(&mut self) -> Vec<Effect> {
        self.signal(Signal::Started(Incarnation { boot: 1, n: 1 }))
    }

    /// The number of the last attempt.
    pub(super) fn attempt(&self) -> u32 {
        u32::try_from(self.jobs.len()).unwrap()
    }

    pub(super) fn job(&self) -> &Job {
        &self.jobs.last().unwrap().1
    }

    pub(super) fn phase(&self) -> &'static str {
        self.proxy.view().phase
    }

    /// The router's answer to the last question.
    pub(super) fn routed(&mut self, choice: Result<Choice, NoRoute>) -> Vec<Effect> {
        let attempt = self.query.as_ref().unwrap().attempt;
        self.tell(Input::Routed {
            attempt,
            choice: choice.map(Box::new),
        })
    }

    /// The router names this holder, and it opens its stream.
    pub(super) fn asked(&mut self, via: Via) {
        let before = self.attempt();
        self.routed(Ok(choice(via)));
        assert_eq!(self.attempt(), before + 1, "the holder is not asked");
        if matches!(via, Via::Peer(..)) {
            let (attempt, stream) = (self.attempt(), self.stream());
            self.tell(Input::Opened { attempt, stream });
        }
    }

    /// The stream of the last attempt.
    pub(super) fn stream(&self) -> StreamId {
        StreamId(u64::from(self.attempt()))
    }

    /// The same, and it accepts.
    pub(super) fn accepted(&mut self, via: Via) {
        self.asked(via);
        self.accept();
    }

    pub(super) fn accept(&mut self) -> Vec<Effect> {
        let (prompt, prompt_tokens) = scripted::prompt(&self.job().prompt);
        let (attempt, compute) = (self.attempt(), self.compute);
        let accepted = Accepted {
            attempt,
            prompt,
            prompt_tokens,
            compute,
        };
        self.reply(JobReply::Accepted(accepted))
    }

    /// The scripted tokens of these positions, one reply each, 10 ms apart.
    pub(super) fn stream_tokens(&mut self, positions: std::ops::Range<u32>) {
        for at in positions {
            self.wait(10);
            self.scripted(at..at + 1);
        }
    }

    /// The scripted tokens of these positions in one reply.
    pub(super) fn scripted(&mut self, positions: std::ops::Range<u32>) -> Vec<Effect> {
        let seed = self.job().sampling.seed;
        let tokens = positions
            .clone()
            .map(|at| scripted::token(seed, at))
            .collect();
        self.tokens(positions.start, tokens)
    }

    pub(super) fn tokens(&mut self, first: u32, tokens: Vec<TokenPiece>) -> Vec<Effect> {
        let (attempt, tokens) = (self.attempt(), List::truncated(tokens));
        self.reply(JobReply::Tokens(TokenBatch {
            attempt,
            first,
            tokens,
        }))
    }

    pub(super) fn end(&mut self, reason: EndReason, tokens: u32) -> Vec<Effect> {
        let attempt = self.attempt();
        self.reply(JobReply::End(End {
            attempt,
            reason,
            tokens,
        }))
    }

    pub(super) fn refused(&mut self, why: Refusal) -> Vec<Effect> {
        let attempt = self.attempt();
        self.reply(JobReply::Refused(Refused { attempt, why }))
    }

    pub(super) fn beacon(&mut self, steps: u64) -> Vec<Effect> {
        let attempt = self.attempt();
        self.reply(JobReply::Beacon(Beacon { attempt, steps }))
    }

    pub(super) fn reply(&mut self, reply: JobReply) -> Vec<Effect> {
        self.tell(Input::Reply(reply))
    }

    pub(super) fn stream_ended(&mut self) -> Vec<Effect> {
        let attempt = self.attempt();
        self.tell(Input::StreamEnded { attempt })
    }

    pub(super) fn flow(&mut self, flow: Flow) -> Vec<Effect> {
        self.tell(Input::Client(flow))
    }

    pub(super) fn down(&mut self, who: Address) -> Vec<Effect> {
        self.signal(Signal::Down {
            who,
            incarnation: None,
            why: Exit::Killed,
        })
    }

    /// Lets time pass, taking the deadlines on the way.
    pub(super) fn wait(&mut self, millis: u64) -> Vec<Effect> {
        let end = self.now + Micros::from_millis(millis);
        let mut effects = Vec::new();
        while let Some(deadline) = self.proxy.deadline().filter(|deadline| deadline.at <= end) {
            self.now = self.now.max(deadline.at);
            effects.extend(self.deadline());
        }
        self.now = end;
        effects
    }

    pub(super) fn deadline(&mut self) -> Vec<Effect> {
        self.rows = page::DEADLINES;
        let now = self.clock();
        let effects = self.turn(|proxy, out| proxy.on_deadline(now, out).unwrap());
        let next = self.proxy.deadline();
        assert!(
            next.is_none_or(|next| next.at > self.now),
            "it spins: {next:?}"
        );
        effects
    }

    pub(super) fn tell(&mut self, input: Input) -> Vec<Effect> {
        self.rows = page::rows_of(&input);
        let now = self.clock();
        self.turn(|proxy, out| proxy.handle(now, input, out).unwrap())
    }

    pub(super) fn signal(&mut self, signal: Signal) -> Vec<Effect> {
        self.rows = page::rows_of_signal(&signal);
        let now = self.clock();
        self.turn(|proxy, out| proxy.signal(now, signal, out).unwrap())
    }

    const fn clock(&self) -> Now {
        Now {
            mono: self.now,
            wall: Wall(0),
        }
    }

    fn turn(&mut self, turn: impl FnOnce(&mut RequestProxy, &mut Outbox)) -> Vec<Effect> {
        let mut out = Outbox::new();
        turn(&mut self.proxy, &mut out);
        self.proxy.invariants();
        let effects = std::mem::take(out.effects_mut());
        for effect in &effects {
            self.watch_effect(effect);
        }
        effects
    }

    /// What the client and the neighbours see, and that nothing follows the end.
    fn watch_effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Tell(Letter::Gateway(command)) => self.watch_client(command),
            Effect::Tell(Letter::Router(ToRouter::Route(query))) => {
                assert!(!self.stopped, "it seeks after its end");
                self.query = Some((**query).clone());
            }
            Effect::Tell(Letter::Router(ToRouter::Outcome { via, result })) => {
                self.outcomes.push((*via, *result));
            }
            Effect::Tell(Letter::Worker(device, ToWorker::Job { job, .. })) => {
                self.jobs.push((Via::Local(ME, *device), (**job).clone()));
            }
            Effect::Tell(Letter::Session(network, peer, ToSession::Open { job, .. })) => {
                self.jobs
                    .push((Via::Peer(*network, *peer), (**job).clone()));
            }
            Effect::Stop(who, _) => {
                assert_eq!(*who, Address::Proxy(REQUEST));
                assert!(!self.stopped, "it stops twice");
                self.stopped = true;
            }
            Effect::Tell(_) | Effect::Start(_) | Effect::Watch(_) | Effect::Unwatch(_) => {}
        }
    }

    fn watch_client(&mut self, command: &gateway::Command) {
        assert_eq!(self.ended, None, "something follows the end: {command:?}");
        match command {
            gateway::Command::Started { .. } => {
                assert!(!self.begun && self.text.is_empty(), "it begins twice");
                self.begun = true;
            }
            gateway::Command::Delta { offset, text, .. } => {
                assert!(self.begun, "text before the response began");
                assert_eq!(*offset, self.text.len() as u64, "a hole or an overlap");
                assert!(!text.is_empty(), "an empty delta");
                // Whole characters only: this is where a broken one would show.
                self.text.push_str(std::str::from_utf8(&text.0).unwrap());
            }
            gateway::Command::Finished {
                reason,
                usage,
                total,
                seam,
                ..
            } => {
                assert_eq!(*total, self.text.len() as u64, "it ends somewhere else");
                self.ended = Some(Ended::Finished(*reason, *usage, *seam));
            }
            gateway::Command::Failed { why, .. } => {
                self.ended = Some(Ended::Failed(why.clone()));
            }
            gateway::Command::Models(_)
            | gateway::Command::Snapshot { .. }
            | gateway::Command::Answer { .. } => {
                panic!("not a request's letter: {command:?}")
            }
        }
    }
}

/// The effects in the words of the page, watches and outcomes left out.
pub(super) fn words(effects: &[Effect]) -> Vec<&'static str> {
    let ends = effects
        .iter()
        .any(|effect| matches!(word(effect), Some("end" | "fail")));
    let words = effects.iter().filter_map(word);
    words.filter(|word| !(ends && *word == "quit")).collect()
}

fn word(effect: &Effect) -> Option<&'static str> {
    match effect {
        Effect::Tell(letter) => word_of_letter(letter),
        Effect::Stop(..) => Some("quit"),
        Effect::Watch(_) | Effect::Unwatch(_) => None,
        Effect::Start(_) => panic!("a request starts nobody"),
    }
}

fn word_of_letter(letter: &Letter) -> Option<&'static str> {
    match letter {
        Letter::Router(ToRouter::Route(_)) => Some("seek"),
        Letter::Router(_) => None,
        Letter::Worker(_, ToWorker::Job { .. }) | Letter::Session(..) => Some("ask"),
        Letter::Worker(_, ToWorker::Cancel { .. }) | Letter::Stream(_, stream::Command::Cancel) => {
            Some("cancel")
        }
        Letter::Worker(_, ToWorker::Sink { .. }) | Letter::Stream(_, stream::Command::Read(_)) => {
            Some("flow")
        }
        Letter::Gateway(gateway::Command::Started { .. }) => Some("begin"),
        Letter::Gateway(gateway::Command::Delta { .. }) => Some("text"),
        Letter::Gateway(gateway::Command::Finished { .. }) => Some("end"),
        Letter::Gateway(gateway::Command::Failed { .. }) => Some("fail"),
        Letter::Roster(..)
        | Letter::GossipStore(..)
        | Letter::Proxy(..)
        | Letter::Worker(..)
        | Letter::Observer(_)
        | Letter::Transport(_)
        | Letter::Stream(..)
        | Letter::Engine(..)
        | Letter::Gateway(_)
        | Letter::Store(_)
        | Letter::Control(_) => panic!("not a letter of the page: {letter:?}"),
    }
}
