//! The server over real sockets, in a real hive, with the real `RequestProxy` behind it. Router,
//! worker and snapshot are probes.

mod answers;
mod asks;
mod client;
mod crowd;
mod edge;
mod errors;
mod holes;
mod hostile;
mod management;
mod probes;
mod speed;
mod streams;
mod whole;

use crate::{Addresses, Front, HttpConfig, HttpGateway, HttpLimits, Readiness};
use client::{Client, Response};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::{Child, Restart, Signer};
use messages::{Address, Branch, DeviceId, Job, Letter, NodeId, RequestId, Seed, Signature};
use probes::{ProbeObserver, ProbeRouter, ProbeWorker, Seen};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What a test waits for at most: far longer than anything takes, so that only a defect meets it.
const PATIENCE: Duration = Duration::from_secs(20);
const BOOT: u64 = 7;
const ME: NodeId = NodeId([9; 32]);

/// A running server and what a test holds of it.
struct Stage {
    hive: Hive,
    at: Addresses,
    front: Front,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Stage {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut HttpConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        let front = Front::bind(config).expect("two free ports");
        let at = front.addresses();
        let (sender, seen) = mpsc::unbounded_channel();
        let hive_config = HiveConfig {
            boot: BOOT,
            entropy_seed: [1; 32],
            signer: Arc::new(NoSigner),
            drivers: Arc::new(Probes {
                front: front.clone(),
                seen: sender,
            }),
        };
        let children = [
            (Address::Observer, Branch::Node),
            (Address::Worker(DeviceId(0)), Branch::Inference),
            // The probe says once what it serves.
            (Address::Gateway, Branch::Gateway),
            (Address::Router, Branch::Gateway),
        ];
        let children = children.map(|(at, under)| Child {
            at,
            under,
            seed: Seed::Driver,
            restart: Restart::Permanent,
        });
        let hive = Hive::start(hive_config, children.to_vec())
            .await
            .expect("a root");
        let mut stage = Self {
            hive,
            at,
            front,
            seen,
        };
        stage.until(|seen| matches!(seen, Seen::ModelsTold)).await;
        // The list of models is behind this question in the gateway's mailbox, or before it.
        while stage.front.models().len() == 0 {
            tokio::task::yield_now().await;
        }
        stage
    }

    /// The next thing that a probe saw and that is `wanted`.
    async fn until(&mut self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let found = async {
            loop {
                let seen = self.seen.recv().await.expect("the probes live");
                if wanted(&seen) {
                    return seen;
                }
            }
        };
        timeout(PATIENCE, found).await.expect("it is seen in time")
    }

    /// The job that reaches the worker next.
    async fn next_job(&mut self) -> Job {
        let seen = self.until(|seen| matches!(seen, Seen::Job(_))).await;
        seen.into_job().expect("a job")
    }

    /// The request whose job that is.
    async fn job(&mut self) -> RequestId {
        self.next_job().await.id.request
    }

    /// The worker is told that nobody wants the answer, long before the request would give up a
    /// worker that says nothing.
    async fn cancelled(&mut self) {
        let cancelled = self.until(|seen| matches!(seen, Seen::Cancelled));
        timeout(Duration::from_secs(5), cancelled)
            .await
            .expect("cancelled at once");
    }

    async fn client(&self) -> Client {
        Client::connect(self.at.api).await
    }

    async fn get(&self, path: &str) -> Response {
        self.client().await.request("GET", path, &[], b"").await
    }

    async fn chat(&self, body: &Value) -> Response {
        self.post("/v1/chat/completions", body).await
    }

    async fn post(&self, path: &str, body: &Value) -> Response {
        self.client()
            .await
            .request("POST", path, &[], body.to_string().as_bytes())
            .await
    }

    fn tell(&self, command: messages::ports::gateway::Command) {
        self.hive.tell(Letter::Gateway(command));
    }
}

fn config() -> HttpConfig {
    let any = "127.0.0.1:0".parse().expect("an address");
    HttpConfig {
        api: any,
        console: any,
        me: ME,
        boot: BOOT,
        trace_seed: [7; 32],
        version: "1.2.3".to_owned(),
        api_key: None,
        names: Vec::new(),
        ready: Readiness::not_yet("it starts"),
        limits: HttpLimits::DEFAULT,
    }
}

/// A chat whose only message is what the probe of the worker shall do.
fn script(script: &str) -> Value {
    serde_json::json!({
        "model": "scripted",
        "messages": [{ "role": "user", "content": script }],
    })
}

/// The same, streamed.
fn streamed(text: &str) -> Value {
    let mut body = script(text);
    body["stream"] = Value::Bool(true);
    body
}

#[derive(Debug)]
struct NoSigner;

impl Signer for NoSigner {
    fn node(&self) -> NodeId {
        ME
    }
    fn sign(&self, _bytes: &[u8]) -> Signature {
        unreachable!("nothing is signed here")
    }
}

struct Probes {
    front: Front,
    seen: mpsc::UnboundedSender<Seen>,
}

impl DriverFactory for Probes {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        let seen = self.seen.clone();
        if child.at == Address::Gateway {
            Ok(Box::new(HttpGateway::new(self.front.clone(), port)?))
        } else if child.at == Address::Router {
            Ok(Box::new(ProbeRouter::new(port, seen)))
        } else if child.at == Address::Observer {
            Ok(Box::new(ProbeObserver::new(port)))
        } else {
            Ok(Box::new(ProbeWorker::new(port, seen)))
        }
    }
}
