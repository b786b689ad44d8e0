//! What stands in for the request's neighbours.

use super::ME;
use host::{Driver, Port};
use kernel::{Effect, Failure, Signal, Turn};
use messages::inference_worker::{Input as WorkerInput, Sink};
use messages::observer::{self, Snapshot};
use messages::ports::gateway;
use messages::request_proxy::{Flow, Input as ProxyInput};
use messages::router::{Choice, Input as RouterInput, NoRoute, Via};
use messages::wire::latest::{Accepted, End, JobReply, Refused};
use messages::{
    Address, Compute, DeviceId, Digest, EndReason, Job, Label, Letter, List, ModelAdvert, ModelId,
    Prompt, Refusal, TokenBatch, TokenId, TokenPiece,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What a probe saw.
#[derive(Debug)]
pub(super) enum Seen {
    ModelsTold,
    Job(Box<Job>),
    Cancelled,
    Flow(Flow),
}

impl Seen {
    pub(super) fn into_job(self) -> Option<Job> {
        match self {
            Self::Job(job) => Some(*job),
            Self::ModelsTold | Self::Cancelled | Self::Flow(_) => None,
        }
    }
}

pub(super) fn advert(name: &str) -> ModelAdvert {
    ModelAdvert {
        model: ModelId([name.len() as u8; 32]),
        name: Label::truncated(name),
        compute: Compute {
            digest: Digest([0xAB; 32]),
            splice: true,
        },
        context: 4096,
    }
}

/// Knows one holder for every model but `unknown`.
pub(super) struct ProbeRouter {
    port: Port,
    seen: UnboundedSender<Seen>,
}

impl ProbeRouter {
    pub(super) fn new(port: Port, seen: UnboundedSender<Seen>) -> Self {
        Self { port, seen }
    }
}

impl Driver for ProbeRouter {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        if let Turn::Signal(Signal::Started(_)) = turn {
            let models = [advert("builtin"), advert("scripted"), advert("org/quant")];
            let models = gateway::Command::Models(List::truncated(models));
            self.port.tell(Letter::Gateway(models));
            let _ = self.seen.send(Seen::ModelsTold);
        } else if let Turn::Letter(Letter::Router(RouterInput::Route(query))) = turn {
            let choice = match &*query.model {
                "unknown" => Err(NoRoute::UnknownModel),
                _ if !query.exclude.is_empty() => Err(NoRoute::NoneLeft),
                name => Ok(Box::new(Choice {
                    via: Via::Local(ME, DeviceId(0)),
                    advert: advert(name),
                    why: Label::truncated("the only one"),
                })),
            };
            let attempt = query.attempt;
            let routed = ProxyInput::Routed { attempt, choice };
            self.port.tell(Letter::Proxy(query.request, routed));
        }
        Ok(())
    }
}

/// Does what the prompt says:
///
/// ```text
/// say A|B|C      these tokens, then the end
/// begin A|B      these tokens, and nothing more
/// hold           accepts, and nothing more
/// silent         nothing at all
/// context        refuses: too long
/// flood N        N tokens of 1 KiB, with flow control
/// count N        N tokens, one by one
/// ```
pub(super) struct ProbeWorker {
    port: Port,
    seen: UnboundedSender<Seen>,
    floods: JoinSet<()>,
    full: BTreeMap<Sink, watch::Sender<bool>>,
}

impl ProbeWorker {
    pub(super) fn new(port: Port, seen: UnboundedSender<Seen>) -> Self {
        Self {
            port,
            seen,
            floods: JoinSet::new(),
            full: BTreeMap::new(),
        }
    }

    fn job(&mut self, sink: Sink, job: Box<Job>) {
        let attempt = job.id.attempt;
        let text = text_of(&job.prompt);
        let budget = job.max_tokens.unwrap_or(u32::MAX) as usize;
        let _ = self.seen.send(Seen::Job(job));
        self.port.post(vec![Effect::Watch(sink.address())]);
        let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let refuse = |why| JobReply::Refused(Refused { attempt, why });
        match verb {
            "silent" => return,
            "context" => {
                let why = Refusal::ContextExceeded {
                    context: 4096,
                    prompt: 5000,
                };
                return self.port.tell(sink.reply(refuse(why)));
            }
            _ => self.port.tell(sink.reply(accepted(attempt))),
        }
        match verb {
            "hold" => {}
            "begin" => self.tokens(sink, attempt, rest, usize::MAX, false),
            "flood" => self.flood(sink, attempt, rest.parse().expect("a number")),
            "count" => {
                let tokens = vec!["x "; rest.parse().expect("a number")].join("|");
                self.tokens(sink, attempt, &tokens, budget, true);
            }
            _ => self.tokens(sink, attempt, rest, budget, true),
        }
    }

    fn tokens(&self, sink: Sink, attempt: u32, text: &str, budget: usize, end: bool) {
        let pieces: Vec<&str> = text.split('|').filter(|piece| !piece.is_empty()).collect();
        let kept = pieces.len().min(budget);
        for (at, piece) in pieces[..kept].iter().enumerate() {
            self.port
                .tell(sink.reply(token(attempt, at as u32, piece.as_bytes().to_vec())));
        }
        if end {
            let cut = kept < pieces.len();
            let reason = if cut {
                EndReason::Length
            } else {
                EndReason::Stop
            };
            self.port.tell(sink.reply(JobReply::End(End {
                attempt,
                reason,
                tokens: kept as u32,
            })));
        }
    }

    fn flood(&mut self, sink: Sink, attempt: u32, tokens: u32) {
        let (sender, mut full) = watch::channel(false);
        self.full.insert(sink, sender);
        let port = self.port.clone();
        self.floods.spawn(async move {
            for at in 0..tokens {
                // Nobody who waits for the client any more: the job is over.
                if full.wait_for(|full| !full).await.is_err() {
                    return;
                }
                let mut reply = sink.reply(token(attempt, at, vec![b'y'; 1024]));
                // A request that has no room for a token loses none: it is offered again.
                while let Err(back) = port.offer(reply) {
                    reply = *back;
                    sleep(Duration::from_millis(1)).await;
                }
                // The word that the client is full takes its time: seven MiB may follow it.
                if at % 32 == 0 {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            let reason = EndReason::Stop;
            port.tell(sink.reply(JobReply::End(End {
                attempt,
                reason,
                tokens,
            })));
        });
    }
}

impl Driver for ProbeWorker {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let Turn::Letter(Letter::Worker(_, input)) = turn else {
            return Ok(());
        };
        match input {
            WorkerInput::Job { sink, job } => self.job(sink, job),
            WorkerInput::Sink { sink, flow } => {
                if let Some(full) = self.full.get(&sink) {
                    full.send_replace(flow == Flow::Full);
                }
                let _ = self.seen.send(Seen::Flow(flow));
            }
            WorkerInput::Cancel { .. } => {
                let _ = self.seen.send(Seen::Cancelled);
            }
            WorkerInput::Attach(_) | WorkerInput::Engine(_) | WorkerInput::Drain => {}
        }
        Ok(())
    }
}

/// Answers each question with a snapshot of one actor.
pub(super) struct ProbeObserver {
    port: Port,
}

impl ProbeObserver {
    pub(super) fn new(port: Port) -> Self {
        Self { port }
    }
}

impl Driver for ProbeObserver {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        if let Turn::Letter(Letter::Observer(observer::Input::Query { query, asker })) = turn {
            assert_eq!(asker, observer::Asker::Gateway);
            let children = vec![(
                Address::Gateway,
                observer::ChildState::Running { starts: 1 },
            )];
            let snapshot = Box::new(Snapshot {
                children,
                ..Snapshot::default()
            });
            self.port.tell(Letter::Gateway(gateway::Command::Snapshot {
                query,
                snapshot,
            }));
        }
        Ok(())
    }
}

fn accepted(attempt: u32) -> JobReply {
    JobReply::Accepted(Accepted {
        attempt,
        prompt: Digest([1; 32]),
        prompt_tokens: 5,
        compute: Compute {
            digest: Digest([0xAB; 32]),
            splice: true,
        },
    })
}

fn token(attempt: u32, first: u32, bytes: Vec<u8>) -> JobReply {
    let piece = TokenPiece {
        id: TokenId(first),
        bytes: bytes.into(),
    };
    JobReply::Tokens(TokenBatch {
        attempt,
        first,
        tokens: List::truncated([piece]),
    })
}

pub(super) fn text_of(prompt: &Prompt) -> String {
    let text = match prompt {
        Prompt::Chat(messages) => messages
            .iter()
            .last()
            .map(|message| message.content.clone()),
        Prompt::Raw(text) => Some(text.clone()),
    };
    String::from_utf8(text.unwrap_or_default().0.to_vec()).expect("UTF-8")
}
