//! A worker at a bench: its inputs are named, its effects are read back as short lines.

mod cancel;
mod engine;
mod flow;
mod lifecycle;
mod limits;
mod random;
mod reports;
mod table;

use crate::InferenceWorker;
use kernel::{Ctx, Effect, Entropy, Exit, Machine, Outbox, ReturnReason, Signal, Signer, scripted};
use messages::inference_worker::{Input, Seed, Sink};
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::ports::stream;
use messages::request_proxy::Flow;
use messages::wire::latest::{JobReply, Refused};
use messages::{
    Address, DeviceId, Digest, EndReason, Job, JobId, Label, Letter, List, Micros, ModelAdvert,
    ModelId, Mono, NodeId, Now, Prompt, Refusal, RequestId, Sampling, Signature, StreamId, TokenId,
    TraceContext, Wall, observer, request_proxy, roster, router,
};
use std::sync::Arc;

const DEVICE: DeviceId = DeviceId(3);

/// A worker, its clock, and what it did.
pub(crate) struct Bench {
    pub(crate) worker: InferenceWorker,
    pub(crate) now: Now,
    /// Every effect of the last turn.
    pub(crate) effects: Vec<Effect>,
    /// The rows of the page for what it was told last.
    pub(crate) rows: &'static [&'static str],
}

#[derive(Debug)]
struct NoKey;

impl Signer for NoKey {
    fn node(&self) -> NodeId {
        node('m')
    }

    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

impl Bench {
    /// A worker with these slots, queue and share per origin, before its first signal.
    pub(crate) fn new(slots: u32, queue_max: u32, per_origin_max: u32) -> Self {
        let seed = Seed {
            me: node('m'),
            device: DEVICE,
            slots,
            queue_max,
            per_origin_max,
        };
        let ctx = Ctx {
            entropy: Entropy::from_number(1),
            signer: Arc::new(NoKey),
        };
        let worker = InferenceWorker::new(seed, ctx);
        Self {
            worker,
            now: Now::default(),
            effects: Vec::new(),
            rows: &[],
        }
    }

    /// One that was started and whose engine is ready.
    pub(crate) fn ready(slots: u32, queue_max: u32, per_origin_max: u32) -> Self {
        let mut bench = Self::new(slots, queue_max, per_origin_max);
        bench.signal(Signal::Started(kernel::Incarnation::default()));
        bench.engine(ready());
        bench.later(10_000);
        bench
    }

    /// A letter.
    pub(crate) fn tell(&mut self, input: Input) -> Vec<String> {
        self.rows = table::rows_of(&input);
        let mut out = Outbox::new();
        self.worker.handle(self.now, input, &mut out).unwrap();
        self.after(out)
    }

    /// A signal.
    pub(crate) fn signal(&mut self, signal: Signal) -> Vec<String> {
        self.rows = table::rows_of_signal(&signal);
        let mut out = Outbox::new();
        self.worker.signal(self.now, signal, &mut out).unwrap();
        self.after(out)
    }

    /// An event of the engine.
    pub(crate) fn engine(&mut self, event: Event) -> Vec<String> {
        self.tell(Input::Engine(event))
    }

    /// Another job, with its sink.
    pub(crate) fn job(&mut self, id: JobId, sink: Sink) -> Vec<String> {
        self.tell(Input::Job {
            sink,
            job: Box::new(job(id)),
        })
    }

    /// The engine has read a prompt.
    pub(crate) fn began(&mut self, id: JobId) -> Vec<String> {
        self.engine(began(id, Digest([7; 32])))
    }

    /// The engine has drawn the token of its position for each of these.
    pub(crate) fn drew(&mut self, ids: &[JobId]) -> Vec<String> {
        let part = |id: &JobId| Stepped {
            job: *id,
            drawn: Drawn::Token(scripted::token(1, 0)),
        };
        self.engine(Event::Stepped(ids.iter().map(part).collect()))
    }

    /// A letter came back.
    pub(crate) fn returned(&mut self, letter: Letter, why: ReturnReason) -> Vec<String> {
        self.signal(Signal::Returned {
            letter: Box::new(letter),
            why,
        })
    }

    /// A life ended.
    pub(crate) fn down(&mut self, who: Address, why: Exit) -> Vec<String> {
        self.signal(Signal::Down {
            who,
            incarnation: None,
            why,
        })
    }

    /// Time passes without a turn.
    pub(crate) fn later(&mut self, millis: u64) {
        let span = Micros::from_millis(millis);
        self.now = Now {
            mono: self.now.mono + span,
            wall: self.now.wall + span,
        };
    }

    /// Time passes, and every deadline on the way is kept.
    pub(crate) fn wait(&mut self, millis: u64) -> Vec<String> {
        let end = self.now.mono + Micros::from_millis(millis);
        let mut lines = Vec::new();
        while let Some(due) = self.worker.deadline().filter(|due| due.at <= end) {
            let at = due.at.max(self.now.mono);
            self.now = Now {
                mono: at,
                wall: Wall(at.0),
            };
            lines.extend(self.wake());
        }
        self.now = Now {
            mono: end,
            wall: Wall(end.0),
        };
        lines
    }

    /// The turn of a deadline, at this moment.
    pub(crate) fn wake(&mut self) -> Vec<String> {
        self.rows = table::DEADLINES;
        let mut out = Outbox::new();
        self.worker.on_deadline(self.now, &mut out).unwrap();
        let next = self.worker.deadline();
        assert!(
            next.is_none_or(|due| due.at > self.now.mono),
            "{next:?} at {:?}",
            self.now
        );
        self.after(out)
    }

    fn after(&mut self, mut out: Outbox) -> Vec<String> {
        self.worker.invariants();
        self.effects = std::mem::take(out.effects_mut());
        self.effects.iter().filter_map(line).collect()
    }
}

/// Compares what a turn did with what it should, reports left out.
#[track_caller]
pub(crate) fn check(lines: Vec<String>, expected: &[&str]) {
    let reports = ["local", "models", "load", "fact"];
    let is_report = |line: &String| reports.iter().any(|report| line.starts_with(report));
    let kept: Vec<String> = lines.into_iter().filter(|line| !is_report(line)).collect();
    assert_eq!(kept, expected);
}

/// The reply to a stream that an effect is.
pub(crate) fn reply_of(effect: &Effect) -> Option<(StreamId, &JobReply)> {
    if let Effect::Tell(Letter::Stream(stream, stream::Command::Reply(reply))) = effect {
        return Some((*stream, reply));
    }
    None
}

/// One effect as a line; nothing for a watch.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a worker sends few sorts of letters"
)]
pub(crate) fn line(effect: &Effect) -> Option<String> {
    let Effect::Tell(letter) = effect else {
        return None;
    };
    Some(match letter {
        Letter::Engine(DEVICE, command) => match command {
            Command::Attach => "attach".to_owned(),
            Command::Begin(job) => format!("begin {}", name(job.id)),
            Command::Step(ids) => {
                let names = ids.iter().map(|id| name(*id));
                std::iter::once("step".to_owned())
                    .chain(names)
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Command::End(id) => format!("end {}", name(*id)),
        },
        Letter::Stream(stream, stream::Command::Reply(reply)) => {
            reply_line(&format!("s{}", stream.0), reply)
        }
        Letter::Proxy(request, request_proxy::Input::Reply(reply)) => {
            reply_line(&format!("p{}", request.n), reply)
        }
        Letter::Router(router::Input::Local { models, load, .. }) => {
            format!("local {} {}+{}", models.len(), load.active, load.queued)
        }
        Letter::Roster(_, roster::Input::Models { models, .. }) => {
            format!("models {}", models.len())
        }
        Letter::Roster(_, roster::Input::Load { load, .. }) => {
            format!("load {}+{}", load.active, load.queued)
        }
        Letter::Observer(observer::Input::Fact(_, fact)) => match &**fact {
            observer::Fact::Device(fact) => {
                format!(
                    "fact {} {} {}",
                    fact.ready,
                    fact.models.len(),
                    fact.finished
                )
            }
            observer::Fact::Network(_) | observer::Fact::Peer(_) | observer::Fact::Models(_) => {
                panic!("a worker told {fact:?}")
            }
        },
        other => panic!("a worker sent {other:?}"),
    })
}

fn reply_line(sink: &str, reply: &JobReply) -> String {
    match reply {
        JobReply::Accepted(_) => format!("accepted {sink}"),
        JobReply::Tokens(batch) => format!("tokens {sink} {}", batch.first),
        JobReply::Beacon(beacon) => format!("beacon {sink} {}", beacon.steps),
        JobReply::End(end) => {
            let reason = match end.reason {
                EndReason::Stop => "stop",
                EndReason::Length => "length",
            };
            format!("done {sink} {reason} {}", end.tokens)
        }
        JobReply::Refused(Refused { why, .. }) => match why {
            Refusal::Busy { retry_after_ms } => format!("busy {sink} {retry_after_ms}"),
            Refusal::NoModel => format!("nomodel {sink}"),
            Refusal::PromptMismatch => format!("mismatch {sink}"),
            Refusal::EngineFailed(_) => format!("failed {sink}"),
            Refusal::TooSlow => format!("slow {sink}"),
            Refusal::Draining => format!("draining {sink}"),
            Refusal::Unsupported(_) => format!("unsupported {sink}"),
            Refusal::ContextExceeded { .. } => format!("context {sink}"),
            Refusal::NotAdmitted => format!("notadmitted {sink}"),
        },
    }
}

pub(crate) fn name(id: JobId) -> String {
    format!(
        "{}{}.{}",
        char::from(id.origin.0[0]),
        id.request.n,
        id.attempt
    )
}

/// The node of a letter.
pub(crate) fn node(letter: char) -> NodeId {
    NodeId([u8::try_from(letter).unwrap(); 32])
}

/// The `attempt`-th try of the `n`-th request of a node.
pub(crate) fn id(origin: char, n: u64, attempt: u32) -> JobId {
    JobId {
        origin: node(origin),
        request: RequestId { boot: 1, n },
        attempt,
    }
}

/// A job without special wishes.
pub(crate) fn job(id: JobId) -> Job {
    Job {
        id,
        trace: TraceContext::begin([1, 2], 3),
        model: scripted::model(),
        prompt: Prompt::Raw("hello".into()),
        template_time: Wall(0),
        sampling: Sampling {
            temperature_e6: 0,
            top_p_e6: 1_000_000,
            seed: 1,
        },
        max_tokens: None,
        resume: List::new(),
        expect: None,
        tenant: Digest::default(),
    }
}

/// A job that goes on after this many tokens.
pub(crate) fn resumed(id: JobId, tokens: usize) -> Job {
    let log = (0..tokens).map(|_| TokenId(0));
    Job {
        resume: List::truncated(log),
        ..job(id)
    }
}

pub(crate) fn stream(n: u64) -> Sink {
    Sink::Stream(StreamId(n))
}

pub(crate) fn proxy(n: u64) -> Sink {
    Sink::Proxy(RequestId { boot: 1, n })
}

pub(crate) fn ready() -> Event {
    Event::Ready {
        models: List::truncated([scripted::advert()]),
    }
}

/// Ready with a model of another id.
pub(crate) fn ready_with_another() -> Event {
    let advert = ModelAdvert {
        model: ModelId([9; 32]),
        ..scripted::advert()
    };
    Event::Ready {
        models: List::truncated([advert]),
    }
}

pub(crate) fn failed() -> Event {
    Event::Failed {
        why: Label::truncated("no memory"),
    }
}

pub(crate) fn began(job: JobId, prompt: Digest) -> Event {
    Event::Began {
        job,
        prompt,
        prompt_tokens: 2,
    }
}

pub(crate) fn drawn(job: JobId, drawn: Drawn) -> Event {
    Event::Stepped(vec![Stepped { job, drawn }])
}

pub(crate) fn unsupported() -> Refusal {
    Refusal::Unsupported(Label::truncated("images"))
}

pub(crate) fn full(sink: Sink) -> Input {
    Input::Sink {
        sink,
        flow: Flow::Full,
    }
}

pub(crate) fn has_room(sink: Sink) -> Input {
    Input::Sink {
        sink,
        flow: Flow::Ready,
    }
}

pub(crate) fn at(millis: u64) -> Mono {
    Mono(millis * 1_000)
}
