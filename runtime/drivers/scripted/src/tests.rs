use super::{ScriptedConfig, ScriptedEngine, pace::Pace};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::scripted::{ANSWER_TOKENS, advert, model, prompt, token};
use kernel::{Child, Failure, Restart, Signer, Turn};
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{
    Address, Branch, DeviceId, Digest, EndReason, Job, JobId, Letter, List, Mono, NodeId, Prompt,
    Refusal, RequestId, Sampling, Seed, Signature, Text, TokenId, TraceContext, Wall,
    inference_worker,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

const DEVICE: DeviceId = DeviceId(3);
/// Far longer than any step of these tests.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// Stands where the worker does and hands on what the engine says.
struct Probe(mpsc::UnboundedSender<Event>);

impl Driver for Probe {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        if let Turn::Letter(Letter::Worker(_, inference_worker::Input::Engine(event))) = turn {
            self.0
                .send(event)
                .map_err(|_| Failure("the test is over".to_owned()))?;
        }
        Ok(())
    }
}

struct Factory(ScriptedConfig, mpsc::UnboundedSender<Event>);

impl DriverFactory for Factory {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        if child.at == Address::Engine(DEVICE) {
            return Ok(Box::new(ScriptedEngine::new(self.0, port)?));
        }
        Ok(Box::new(Probe(self.1.clone())))
    }
}

/// A hive of one scripted engine and a probe in its worker's place.
struct World {
    hive: Hive,
    events: mpsc::UnboundedReceiver<Event>,
}

impl World {
    async fn start(rate: u32, slots: u32) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let config = ScriptedConfig {
            rate,
            device: DEVICE,
            slots,
        };
        let config = HiveConfig {
            boot: 1,
            entropy_seed: [1; 32],
            signer: Arc::new(Nobody),
            drivers: Arc::new(Factory(config, sender)),
        };
        let children = [Address::Worker(DEVICE), Address::Engine(DEVICE)].map(|at| Child {
            at,
            seed: Seed::Driver,
            under: Branch::Inference,
            restart: Restart::Permanent,
        });
        Self {
            hive: Hive::start(config, children.to_vec()).await.unwrap(),
            events,
        }
    }

    async fn ask(&mut self, command: Command) -> Event {
        self.hive.tell(Letter::Engine(DEVICE, command));
        tokio::time::timeout(PATIENCE, self.events.recv())
            .await
            .unwrap()
            .unwrap()
    }

    async fn step(&mut self, job: JobId) -> Drawn {
        let mut stepped = self.step_all(&[job]).await;
        assert_eq!(stepped.len(), 1);
        stepped.remove(0).drawn
    }

    async fn step_all(&mut self, jobs: &[JobId]) -> Vec<Stepped> {
        let event = self.ask(Command::Step(jobs.to_vec())).await;
        let Event::Stepped(stepped) = event else {
            panic!("a step was answered by {event:?}")
        };
        assert!(
            stepped
                .iter()
                .map(|entry| entry.job)
                .eq(jobs.iter().copied())
        );
        stepped
    }
}

fn job(n: u64, resumed: u32) -> Job {
    let request = RequestId { boot: 1, n };
    let resume = (0..resumed)
        .map(|at| token(42, at).id)
        .collect::<Vec<TokenId>>();
    Job {
        id: JobId {
            origin: NodeId([9; 32]),
            request,
            attempt: 1,
        },
        trace: TraceContext::begin([1, 2], 3),
        model: model(),
        prompt: Prompt::Raw(Text::from("twelve bytes")),
        template_time: Wall(0),
        sampling: Sampling {
            temperature_e6: 0,
            top_p_e6: 1_000_000,
            seed: 42,
        },
        max_tokens: None,
        resume: List::try_from(resume).unwrap(),
        expect: None,
        tenant: Digest([0; 32]),
    }
}

fn begin(job: &Job) -> Command {
    Command::Begin(Box::new(job.clone()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attached_engine_is_ready_and_begins_with_the_scripted_digest() {
    let mut world = World::start(0, 1).await;
    let ready = Event::Ready {
        models: List::truncated([advert()]),
    };
    assert_eq!(world.ask(Command::Attach).await, ready);
    let job = job(1, 0);
    let (digest, prompt_tokens) = prompt(&job.prompt);
    let began = Event::Began {
        job: job.id,
        prompt: digest,
        prompt_tokens,
    };
    assert_eq!(world.ask(begin(&job)).await, began);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resumed_job_goes_on_where_the_first_one_stopped() {
    let mut world = World::start(0, 2).await;
    for resumed in [0, 1, 7, 100] {
        let job = job(u64::from(resumed) + 1, resumed);
        assert!(matches!(world.ask(begin(&job)).await, Event::Began { .. }));
        assert_eq!(world.step(job.id).await, Drawn::Token(token(42, resumed)));
        assert_eq!(
            world.step(job.id).await,
            Drawn::Token(token(42, resumed + 1))
        );
        world
            .hive
            .tell(Letter::Engine(DEVICE, Command::End(job.id)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_open_length_ends_by_itself() {
    let mut world = World::start(0, 1).await;
    let job = job(1, ANSWER_TOKENS - 1);
    world.ask(begin(&job)).await;
    assert_eq!(
        world.step(job.id).await,
        Drawn::Token(token(42, ANSWER_TOKENS - 1))
    );
    assert_eq!(world.step(job.id).await, Drawn::End(EndReason::Stop));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_rejected_with_its_reason() {
    let mut world = World::start(0, 1).await;
    let mut foreign = job(1, 0);
    foreign.model.0 = [1; 32];
    let why = Refusal::NoModel;
    assert_eq!(
        world.ask(begin(&foreign)).await,
        Event::Rejected {
            job: foreign.id,
            why
        }
    );
    let mut long = job(2, 0);
    long.prompt = Prompt::Raw(Text::from("x".repeat(600_000)));
    assert!(matches!(
        world.ask(begin(&long)).await,
        Event::Rejected {
            why: Refusal::ContextExceeded {
                prompt: 150_000,
                ..
            },
            ..
        }
    ));
    let (one, two) = (job(3, 0), job(4, 0));
    world.ask(begin(&one)).await;
    let rejected = world.ask(begin(&two)).await;
    assert!(
        matches!(
            rejected,
            Event::Rejected {
                why: Refusal::Busy { .. },
                ..
            }
        ),
        "{rejected:?}"
    );
    world
        .hive
        .tell(Letter::Engine(DEVICE, Command::End(one.id)));
    assert!(matches!(world.ask(begin(&two)).await, Event::Began { .. }));
    assert!(matches!(
        world.step(one.id).await,
        Drawn::Failed(Refusal::EngineFailed(_))
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_attaches_anew_finds_the_slots_of_its_earlier_life_free() {
    let mut world = World::start(1, 1).await;
    let (one, two) = (job(1, 0), job(2, 0));
    world.ask(begin(&one)).await;
    // The step would be answered in a second, to nobody.
    world
        .hive
        .tell(Letter::Engine(DEVICE, Command::Step(vec![one.id])));
    assert!(matches!(
        world.ask(Command::Attach).await,
        Event::Ready { .. }
    ));
    assert!(matches!(world.ask(begin(&two)).await, Event::Began { .. }));
    assert!(matches!(world.step(two.id).await, Drawn::Token(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_come_at_their_rate_without_drift() {
    const RATE: u32 = 200;
    let mut world = World::start(RATE, 2).await;
    let (one, two) = (job(1, 0), job(2, 0));
    world.ask(begin(&one)).await;
    world.ask(begin(&two)).await;
    let start = tokio::time::Instant::now();
    for _ in 0..RATE {
        world.step_all(&[one.id, two.id]).await;
    }
    let took = start.elapsed();
    assert!(
        took >= Duration::from_millis(950),
        "{RATE} tokens took only {took:?}"
    );
    assert!(
        took <= Duration::from_millis(1_500),
        "{RATE} tokens took {took:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_rate_no_step_waits_for_the_next() {
    let jobs: Vec<Job> = (1..=64).map(|n| job(n, 0)).collect();
    let mut world = World::start(0, 64).await;
    for job in &jobs {
        world.ask(begin(job)).await;
    }
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let steps = async {
        for _ in 0..1_000 {
            let stepped = world.step_all(&ids).await;
            let is_token = |drawn: &Drawn| matches!(drawn, Drawn::Token(_));
            assert!(stepped.iter().all(|entry| is_token(&entry.drawn)));
            assert_eq!(stepped.len(), 64);
        }
    };
    // A thousand steps of any pace that a model has take longer than this.
    let waited = tokio::time::timeout(Duration::from_secs(15), steps).await;
    assert!(waited.is_ok(), "a step waits");
}

#[test]
fn a_pace_is_exact_over_time_and_forgives_only_a_short_backlog() {
    let mut pace = Pace::new(3, Mono(0));
    let mut due = Mono(0);
    for _ in 0..3_000 {
        due = pace.next(due);
    }
    assert_eq!(due, Mono(1_000_000_000));
    // A little late: the schedule stays.
    assert_eq!(pace.next(Mono(1_000_340_000)), Mono(1_000_333_333));
    // Paused for a minute: no burst.
    let resumed = Mono(1_060_000_000);
    assert_eq!(pace.next(resumed), Mono(resumed.0 + 333_333));
    let mut free = Pace::new(0, Mono(0));
    assert_eq!(free.next(Mono(5)), Mono(5));
}
