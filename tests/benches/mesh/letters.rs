//! Letters a second: through hosts, beside bare ractor actors and beside the machine alone.
//!
//! One side asks the router a question and gets the answer, two letters; so many questions are
//! under way at a time that no actor waits.

use crate::client::now;
use crate::figures::{median, ratio};
use anyhow::{Context, Result};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::{
    Child, Ctx, Effect, Entropy, Failure, Incarnation, Machine, Outbox, Restart, Signal, Signer,
    Turn, scripted,
};
use messages::router::{Input, Query};
use messages::wire::latest::Load;
use messages::{
    Address, Branch, DeviceId, Label, Letter, List, Micros, Mono, NodeId, Now, RequestId, Seed,
    Signature, Wall,
};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use router::Router;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Questions of one round.
const QUESTIONS: u64 = 200_000;
/// Questions under way at a time.
const WINDOW: u64 = 64;
const ROUNDS: usize = 5;
const ME: NodeId = NodeId([1; 32]);
const DEVICE: DeviceId = DeviceId(0);
const ASKER: RequestId = RequestId { boot: 1, n: 1 };

pub(crate) fn measure() -> Result<()> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (mut hosts, mut bare, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hosts.push(rate(runtime.block_on(through_hosts())?));
        bare.push(rate(runtime.block_on(through_ractor())?));
        alone.push(rate(by_itself()?));
    }
    println!("## Letters\n");
    println!("| path | letters/s | of ractor's |");
    println!("|---|---|---|");
    for (name, rates) in [
        ("two bare ractor actors", &bare),
        ("the router and a driver through hosts", &hosts),
        ("the router alone", &alone),
    ] {
        println!(
            "| {name} | {:.0} | {:.2} |",
            median(rates),
            ratio(rates, &bare)
        );
    }
    println!();
    Ok(())
}

/// A question and an answer each.
fn rate(span: Duration) -> f64 {
    let letters = u32::try_from(2 * QUESTIONS).unwrap_or(u32::MAX);
    f64::from(letters) / span.as_secs_f64()
}

async fn through_hosts() -> Result<Duration> {
    let (done, waiting) = oneshot::channel();
    let config = HiveConfig {
        boot: 1,
        entropy_seed: [1; 32],
        signer: Arc::new(NoKey),
        drivers: Arc::new(Askers(std::sync::Mutex::new(Some(done)))),
    };
    let child = |at, seed, under| Child {
        at,
        seed,
        under,
        restart: Restart::Temporary,
    };
    let children = vec![
        child(Address::Router, Seed::Router, Branch::Gateway),
        child(Address::Worker(DEVICE), Seed::Driver, Branch::Inference),
        child(Address::Proxy(ASKER), Seed::Driver, Branch::Gateway),
    ];
    let begin = now();
    let hive = Hive::start(config, children)
        .await
        .map_err(anyhow::Error::msg)?;
    waiting.await.context("the asker died")?;
    let span = begin.elapsed();
    hive.stop().await;
    Ok(span)
}

/// Builds the two drivers.
struct Askers(std::sync::Mutex<Option<oneshot::Sender<()>>>);

impl DriverFactory for Askers {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        if child.at == Address::Worker(DEVICE) {
            return Ok(Box::new(Holder));
        }
        let mut done = self.0.lock().map_err(|error| error.to_string())?;
        Ok(Box::new(Asker {
            port,
            done: done.take(),
            asked: 0,
            answered: 0,
        }))
    }
}

/// Is there, so that the router believes what is said of it.
struct Holder;

impl Driver for Holder {
    fn turn(&mut self, _turn: Turn) -> Result<(), Failure> {
        Ok(())
    }
}

struct Asker {
    port: Port,
    done: Option<oneshot::Sender<()>>,
    asked: u64,
    answered: u64,
}

impl Asker {
    fn ask(&mut self) {
        if self.asked < QUESTIONS {
            self.asked += 1;
            self.port.tell(Letter::Router(question(self.asked)));
        }
    }
}

impl Driver for Asker {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Signal(Signal::Started(_)) => {
                self.port.tell(Letter::Router(local()));
                for _ in 0..WINDOW {
                    self.ask();
                }
            }
            Turn::Signal(Signal::Returned { .. }) => {
                return Err(Failure("a question found no room".to_owned()));
            }
            Turn::Letter(_) => {
                self.answered += 1;
                self.ask();
                if self.answered == QUESTIONS
                    && let Some(done) = self.done.take()
                {
                    // Whoever measures may be gone.
                    let _ = done.send(());
                }
            }
            Turn::Signal(Signal::Down { .. }) | Turn::Deadline => {}
        }
        Ok(())
    }
}

fn question(n: u64) -> Input {
    Input::Route(Box::new(Query {
        request: ASKER,
        attempt: u32::try_from(n).unwrap_or(u32::MAX),
        model: Label::truncated("scripted"),
        pinned: None,
        prefer: None,
        splice: false,
        exclude: List::default(),
    }))
}

fn local() -> Input {
    Input::Local {
        me: ME,
        device: DEVICE,
        models: List::truncated([scripted::advert()]),
        load: Load {
            active: 0,
            queued: 0,
            slots: u32::MAX,
            queue_max: 1,
        },
    }
}

fn by_itself() -> Result<Duration> {
    let life = Incarnation { boot: 1, n: 1 };
    let mut router = Router::new(Ctx {
        entropy: Entropy::of(&[1; 32], Address::Router, life),
        signer: Arc::new(NoKey),
    });
    let mut out = Outbox::new();
    let mut now_in = Now {
        mono: Mono(0),
        wall: Wall(0),
    };
    let begin = now();
    router.signal(now_in, Signal::Started(life), &mut out)?;
    router.handle(now_in, local(), &mut out)?;
    let mut answered = 0;
    for n in 1..=QUESTIONS {
        out.effects_mut().clear();
        now_in.mono = now_in.mono + Micros(1);
        router.handle(now_in, question(n), &mut out)?;
        answered += out
            .effects()
            .iter()
            .filter(|effect| matches!(effect, Effect::Tell(_)))
            .count();
    }
    anyhow::ensure!(answered as u64 >= QUESTIONS, "a question had no answer");
    Ok(begin.elapsed())
}

/// Sends each question back to whoever asked.
struct Echo;

enum Ball {
    Ask(Box<Query>, ActorRef<Self>),
    /// What it carries costs as much as a real answer.
    Answer(#[expect(dead_code, reason = "nobody looks into it")] Box<Query>),
}

impl Actor for Echo {
    type Msg = Ball;
    type State = (
        u64,
        u64,
        Option<oneshot::Sender<()>>,
        Option<ActorRef<Ball>>,
    );
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        me: ActorRef<Ball>,
        state: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        let (mut asked, answered, done, to) = state;
        if let Some(to) = &to {
            for _ in 0..WINDOW {
                asked += 1;
                to.cast(Ball::Ask(query(asked), me.clone()))?;
            }
        }
        Ok((asked, answered, done, to))
    }

    async fn handle(
        &self,
        me: ActorRef<Ball>,
        ball: Ball,
        (asked, answered, done, to): &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match ball {
            Ball::Ask(query, from) => from.cast(Ball::Answer(query))?,
            Ball::Answer(_) => {
                *answered += 1;
                if let Some(to) = to.as_ref().filter(|_| *asked < QUESTIONS) {
                    *asked += 1;
                    to.cast(Ball::Ask(query(*asked), me))?;
                }
                if *answered == QUESTIONS
                    && let Some(done) = done.take()
                {
                    // Whoever measures may be gone.
                    let _ = done.send(());
                }
            }
        }
        Ok(())
    }
}

fn query(n: u64) -> Box<Query> {
    match question(n) {
        Input::Route(query) => query,
        Input::Peer(_) | Input::PeerGone { .. } | Input::Local { .. } | Input::Outcome { .. } => {
            unreachable!("a question is a question")
        }
    }
}

async fn through_ractor() -> Result<Duration> {
    let (done, waiting) = oneshot::channel();
    let begin = now();
    let (echo, _) = Actor::spawn(None, Echo, (0, 0, None, None)).await?;
    let (asker, _) = Actor::spawn(None, Echo, (0, 0, Some(done), Some(echo.clone()))).await?;
    waiting.await.context("the asker died")?;
    let span = begin.elapsed();
    asker.stop(None);
    echo.stop(None);
    Ok(span)
}

#[derive(Debug)]
struct NoKey;

impl Signer for NoKey {
    fn node(&self) -> NodeId {
        ME
    }

    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}
