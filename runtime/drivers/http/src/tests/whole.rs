//! The server before the real router, request, worker and snapshot, in the order in which a node
//! starts them. Only the engine is a probe: the scripted language at full speed.

use super::client::{Client, Response};
use super::{BOOT, ME, NoSigner, config, script, streamed};
use crate::{Addresses, Front, HttpGateway};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::{Child, Failure, Restart, Turn, scripted};
use messages::inference_worker::{Input, Seed as WorkerSeed};
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{Address, Branch, DeviceId, EndReason, JobId, Letter, List, Seed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const DEVICE: DeviceId = DeviceId(0);
/// Between the tokens of an endless answer.
const PAUSE: Duration = Duration::from_millis(5);

/// A node's half that serves clients.
pub(super) struct Whole {
    pub(super) hive: Hive,
    pub(super) at: Addresses,
}

impl Whole {
    pub(super) async fn new(slots: u32) -> Self {
        let front = Front::bind(config()).expect("two free ports");
        let at = front.addresses();
        let hive_config = HiveConfig {
            boot: BOOT,
            entropy_seed: [1; 32],
            signer: Arc::new(NoSigner),
            drivers: Arc::new(Drivers(front)),
        };
        let worker = WorkerSeed {
            me: ME,
            device: DEVICE,
            slots,
            queue_max: 64,
            per_origin_max: 256,
        };
        let child = |at, under, seed| Child {
            at,
            under,
            seed,
            restart: Restart::Permanent,
        };
        let children = vec![
            child(Address::Observer, Branch::Node, Seed::Observer),
            child(Address::Gateway, Branch::Gateway, Seed::Driver),
            child(Address::Router, Branch::Gateway, Seed::Router),
            child(Address::Engine(DEVICE), Branch::Inference, Seed::Driver),
            child(
                Address::Worker(DEVICE),
                Branch::Inference,
                Seed::Worker(worker),
            ),
        ];
        let hive = Hive::start(hive_config, children).await.expect("a root");
        let whole = Self { hive, at };
        // The router waits for its neighbours before it says that there is no such model.
        while whole.chat(&limited(script("x"), 1)).await.status() != 200 {}
        whole
    }

    async fn chat(&self, body: &Value) -> Response {
        let body = body.to_string();
        let mut client = Client::connect(self.at.api).await;
        client.request("POST", PATH, &[], body.as_bytes()).await
    }

    async fn status(&self) -> Value {
        let mut client = Client::connect(self.at.console).await;
        let response = client.request("GET", "/api/status", &[], b"").await;
        assert_eq!(response.status(), 200);
        response.json()
    }

    /// Asks until the device's load is this.
    async fn until_load(&self, active: u32, queued: u32) {
        let device = |status: &Value| {
            let device = &status["devices"][0];
            (device["active"].as_u64(), device["queued"].as_u64())
        };
        let wanted = (Some(active.into()), Some(queued.into()));
        while device(&self.status().await) != wanted {}
    }
}

pub(super) const PATH: &str = "/v1/chat/completions";

/// The same, with at most so many tokens, and a seed of its own.
pub(super) fn limited(mut body: Value, max_tokens: u32) -> Value {
    body["max_tokens"] = json!(max_tokens);
    body["seed"] = json!(42);
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_path_says_what_the_script_says_streamed_or_not() {
    let whole = Whole::new(4).await;
    for tokens in [1, 7, 400] {
        let expected = scripted::text(42, tokens);
        let response = whole.chat(&limited(script("x"), tokens)).await;
        let body = response.json();
        // An unfinished character at the cut shows as one mark.
        let content = body["choices"][0]["message"]["content"]
            .as_str()
            .expect("a text");
        assert_eq!(content.trim_end_matches('\u{FFFD}'), expected);
        assert_eq!(body["usage"]["completion_tokens"], tokens);
        assert_eq!(body["choices"][0]["finish_reason"], "length");
        let chunks = whole.chat(&limited(streamed("x"), tokens)).await.chunks();
        let pieces = chunks.iter();
        let streamed: String = pieces
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!(streamed, content);
    }
    let status = whole.status().await;
    assert_eq!(status["models"][0]["id"], "scripted");
    assert_eq!(status["devices"][0]["ready"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_leave_free_their_slots_and_their_places_in_the_queue() {
    let whole = Whole::new(2).await;
    for stream in [true, false] {
        let mut body = script("endless");
        body["stream"] = json!(stream);
        let mut clients = Vec::new();
        for _ in 0..5 {
            let mut client = Client::connect(whole.at.api).await;
            client
                .ask("POST", PATH, &[], body.to_string().as_bytes())
                .await;
            clients.push(client);
        }
        whole.until_load(2, 3).await;
        drop(clients);
        whole.until_load(0, 0).await;
    }
    assert_eq!(whole.chat(&limited(script("x"), 3)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_device_tells_clients_to_come_again_and_no_model_is_no_model() {
    let whole = Whole::new(1).await;
    // The rest of the queue is kept for other nodes.
    let mut clients = Vec::new();
    for _ in 0..57 {
        let mut client = Client::connect(whole.at.api).await;
        client
            .ask("POST", PATH, &[], script("endless").to_string().as_bytes())
            .await;
        clients.push(client);
    }
    whole.until_load(1, 56).await;
    let response = whole.chat(&limited(script("x"), 3)).await;
    assert_eq!(
        (response.status(), &*response.error().1),
        (503, "service_unavailable")
    );
    assert!(response.head.header("retry-after").is_some());
    let mut body = script("x");
    body["model"] = json!("other");
    assert_eq!(whole.chat(&body).await.status(), 404);
    whole.hive.stop().await;
}

struct Drivers(Front);

impl DriverFactory for Drivers {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        if child.at == Address::Gateway {
            Ok(Box::new(HttpGateway::new(self.0.clone(), port)?))
        } else {
            Ok(Box::new(Engine {
                port,
                jobs: BTreeMap::new(),
                later: JoinSet::new(),
            }))
        }
    }
}

/// Draws at once. A prompt that says `endless` is answered slowly, and without an end.
struct Engine {
    port: Port,
    jobs: BTreeMap<JobId, Place>,
    later: JoinSet<()>,
}

struct Place {
    seed: u64,
    position: u32,
    endless: bool,
}

impl Engine {
    fn step(&mut self, jobs: Vec<JobId>) {
        let mut slow = false;
        let mut stepped = Vec::new();
        for job in jobs {
            let drawn = self
                .jobs
                .get_mut(&job)
                .map_or(Drawn::End(EndReason::Stop), |place| {
                    slow |= place.endless;
                    place.position += 1;
                    Drawn::Token(scripted::token(place.seed, place.position - 1))
                });
            stepped.push(Stepped { job, drawn });
        }
        let event = Letter::Worker(DEVICE, Input::Engine(Event::Stepped(stepped)));
        let port = self.port.clone();
        if slow {
            self.later.spawn(async move {
                tokio::time::sleep(PAUSE).await;
                port.tell(event);
            });
        } else {
            port.tell(event);
        }
    }

    fn tell(&self, event: Event) {
        self.port.tell(Letter::Worker(DEVICE, Input::Engine(event)));
    }
}

impl Driver for Engine {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let Turn::Letter(Letter::Engine(_, command)) = turn else {
            return Ok(());
        };
        match command {
            Command::Attach => {
                let models = List::truncated([scripted::advert()]);
                self.tell(Event::Ready { models });
            }
            Command::Begin(job) => {
                let (prompt, prompt_tokens) = scripted::prompt(&job.prompt);
                let endless = super::probes::text_of(&job.prompt) == "endless";
                let (seed, position) = (job.sampling.seed, 0);
                self.jobs.insert(
                    job.id,
                    Place {
                        seed,
                        position,
                        endless,
                    },
                );
                self.tell(Event::Began {
                    job: job.id,
                    prompt,
                    prompt_tokens,
                });
            }
            Command::Step(jobs) => self.step(jobs),
            Command::End(job) => drop(self.jobs.remove(&job)),
        }
        Ok(())
    }
}
