//! A hive of one engine and a probe that stands where its worker does.

use crate::forge::{Forge, Value};
use driver_llama::{LlamaConfig, LlamaEngine, ModelFile, resolve};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::{Child, Effect, Exit, Failure, Restart, Signal, Signer, Turn};
use messages::ports::engine::{Command, Drawn, Event};
use messages::{
    Address, Branch, DeviceId, Digest, EndReason, Job, JobId, Letter, List, Message, ModelAdvert,
    ModelId, NodeId, Prompt, RequestId, Role, Sampling, Seed, Signature, Text, TokenId,
    TraceContext, Wall, inference_worker,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

pub(crate) const DEVICE: DeviceId = DeviceId(0);
/// Tokens of context of the model `long`.
pub(crate) const LONG: u32 = 8_192;
/// Far longer than anything in these tests takes, on a machine that is busy with others.
const PATIENCE: Duration = Duration::from_secs(120);
/// Tells the children of different tests apart.
static WORLDS: AtomicU32 = AtomicU32::new(0);

/// What the probe was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Event(Event),
    Down(Exit),
}

#[derive(Debug)]
struct Nobody;

impl Signer for Nobody {
    fn node(&self) -> NodeId {
        NodeId([7; 32])
    }

    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

/// Stands where the worker does, watches the engine as it does, and hands on what it is told.
struct Probe(mpsc::UnboundedSender<Seen>, Port);

impl Driver for Probe {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let watch = Effect::Watch(Address::Engine(DEVICE));
        let seen = match turn {
            Turn::Letter(Letter::Worker(_, inference_worker::Input::Engine(event))) => {
                Seen::Event(event)
            }
            Turn::Signal(Signal::Down { why, .. }) => {
                self.1.post(vec![watch]);
                Seen::Down(why)
            }
            Turn::Signal(Signal::Started(_)) => {
                self.1.post(vec![watch]);
                return Ok(());
            }
            Turn::Letter(_) | Turn::Signal(Signal::Returned { .. }) | Turn::Deadline => {
                return Ok(());
            }
        };
        self.0
            .send(seen)
            .map_err(|_| Failure("the test is over".to_owned()))
    }
}

struct Factory(LlamaConfig, mpsc::UnboundedSender<Seen>);

impl DriverFactory for Factory {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        if child.at == Address::Engine(DEVICE) {
            return Ok(Box::new(LlamaEngine::new(self.0.clone(), port)?));
        }
        Ok(Box::new(Probe(self.1.clone(), port)))
    }
}

/// A running engine.
pub(crate) struct World {
    pub(crate) hive: Hive,
    pub(crate) mark: String,
    seen: mpsc::UnboundedReceiver<Seen>,
    _home: Home,
    next_request: u64,
}

/// A home with one model, and the configuration that serves it.
pub(crate) fn config(model: &str, change: impl FnOnce(&mut LlamaConfig)) -> (Home, LlamaConfig) {
    let n = WORLDS.fetch_add(1, Ordering::Relaxed);
    let mark = format!("world-{}-{n}", std::process::id());
    let home = std::env::temp_dir().join(&mark);
    std::fs::create_dir_all(home.join("models")).unwrap();
    let mut forge = Forge::tiny(3);
    std::fs::write(home.join("models/tiny.gguf"), forge.bytes()).unwrap();
    forge.set("llama.context_length", Value::U32(LONG));
    std::fs::write(home.join("models/long.gguf"), forge.bytes()).unwrap();
    let models: Vec<ModelFile> = vec![resolve(model, &home).unwrap()];
    let engine = option_env!("CARGO_BIN_EXE_llama-engine").unwrap_or("no-engine");
    let command = vec![engine.to_owned(), mark];
    let mut config = LlamaConfig::new(DEVICE, models, command);
    change(&mut config);
    (Home(home), config)
}

impl World {
    /// A world of this model, whose engine is ready, and what it says of the model.
    pub(crate) async fn ready(
        model: &str,
        change: impl FnOnce(&mut LlamaConfig),
    ) -> (Self, ModelAdvert) {
        let (home, config) = config(model, change);
        let mut world = Self::start(home, config).await;
        let advert = world.attach().await;
        (world, advert)
    }

    pub(crate) async fn start(home: Home, config: LlamaConfig) -> Self {
        let (sender, seen) = mpsc::unbounded_channel();
        let mark = config.engine_command.last().cloned().unwrap_or_default();
        let config = HiveConfig {
            boot: 1,
            entropy_seed: [1; 32],
            signer: Arc::new(Nobody),
            drivers: Arc::new(Factory(config, sender)),
        };
        let children = [Address::Engine(DEVICE), Address::Worker(DEVICE)].map(|at| Child {
            at,
            seed: Seed::Driver,
            under: Branch::Inference,
            restart: Restart::Permanent,
        });
        let hive = Hive::start(config, children.to_vec()).await.unwrap();
        Self {
            hive,
            mark,
            seen,
            _home: home,
            next_request: 0,
        }
    }

    pub(crate) fn tell(&self, command: Command) {
        self.hive.tell(Letter::Engine(DEVICE, command));
    }

    /// What the probe is told next.
    pub(crate) async fn any(&mut self) -> Seen {
        tokio::time::timeout(PATIENCE, self.seen.recv())
            .await
            .unwrap()
            .unwrap()
    }

    /// What the probe is told next, beacons left out.
    pub(crate) async fn seen(&mut self) -> Seen {
        loop {
            let seen = self.any().await;
            if !matches!(seen, Seen::Event(Event::Beacon { .. })) {
                return seen;
            }
        }
    }

    pub(crate) async fn event(&mut self) -> Event {
        match self.seen().await {
            Seen::Event(event) => event,
            Seen::Down(why) => panic!("the engine is down: {why}"),
        }
    }

    pub(crate) async fn attach(&mut self) -> ModelAdvert {
        let mut models = self.attach_all().await;
        assert_eq!(models.len(), 1);
        models.remove(0)
    }

    pub(crate) async fn attach_all(&mut self) -> Vec<ModelAdvert> {
        self.tell(Command::Attach);
        let event = self.event().await;
        let Event::Ready { models } = event else {
            panic!("not ready: {event:?}")
        };
        models.into_vec()
    }

    /// A job of the user's words, with a number of its own.
    pub(crate) fn job(&mut self, model: ModelId, prompt: Prompt) -> Job {
        self.next_request += 1;
        let request = RequestId {
            boot: 1,
            n: self.next_request,
        };
        Job {
            id: JobId {
                origin: NodeId([9; 32]),
                request,
                attempt: 1,
            },
            trace: TraceContext::begin([1, 2], 3),
            model,
            prompt,
            template_time: Wall(0),
            sampling: Sampling {
                temperature_e6: 0,
                top_p_e6: 1_000_000,
                seed: 42,
            },
            max_tokens: None,
            resume: List::new(),
            expect: None,
            tenant: Digest([0; 32]),
        }
    }

    /// Begins a job and returns what was answered.
    pub(crate) async fn begin(&mut self, job: &Job) -> Event {
        self.tell(Command::Begin(Box::new(job.clone())));
        self.event().await
    }

    pub(crate) async fn step(&mut self, jobs: &[JobId]) -> Vec<Drawn> {
        self.tell(Command::Step(jobs.to_vec()));
        let event = self.event().await;
        let Event::Stepped(stepped) = event else {
            panic!("a step was answered by {event:?}")
        };
        assert!(
            stepped
                .iter()
                .map(|entry| entry.job)
                .eq(jobs.iter().copied())
        );
        stepped.into_iter().map(|entry| entry.drawn).collect()
    }

    /// Runs a job to its end or for `max` tokens; the tokens, their text and how it ended.
    pub(crate) async fn answer(&mut self, job: &Job, max: usize) -> Answer {
        let event = self.begin(job).await;
        let Event::Began {
            prompt,
            prompt_tokens,
            ..
        } = event
        else {
            panic!("not begun: {event:?}")
        };
        let mut answer = Answer {
            prompt,
            prompt_tokens,
            ids: Vec::new(),
            bytes: Vec::new(),
            end: None,
        };
        while answer.ids.len() < max && answer.end.is_none() {
            match self.step(&[job.id]).await.remove(0) {
                Drawn::Token(piece) => {
                    answer.ids.push(piece.id);
                    answer.bytes.extend(&piece.bytes);
                }
                Drawn::End(reason) => answer.end = Some(reason),
                Drawn::Failed(why) => panic!("a step failed: {why:?}"),
            }
        }
        self.tell(Command::End(job.id));
        answer
    }
}

/// A folder that is removed at the end.
pub(crate) struct Home(pub(crate) PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) prompt: Digest,
    pub(crate) prompt_tokens: u32,
    pub(crate) ids: Vec<TokenId>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: Option<EndReason>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// A chat of the user's words only.
pub(crate) fn says(text: &str) -> Prompt {
    chat(&[(Role::User, text)])
}

pub(crate) fn chat(messages: &[(Role, &str)]) -> Prompt {
    Prompt::Chat(List::truncated(messages.iter().map(|(role, text)| {
        Message {
            role: *role,
            content: Text::from(*text),
        }
    })))
}
