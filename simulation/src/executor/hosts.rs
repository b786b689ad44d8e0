//! Machines in real hosts under real supervisors, one turn at a time: tier 2.
//!
//! The world keeps mailboxes and time; a turn is one envelope to a real `ractor` actor. Its
//! effects leave through a swapped [`Post`]; exits reach the world through the supervisor.

use super::{Executor, Outcome};
use host::{Body, Envelope, Gauge, HostArgs, Nursery, Post, Supervise, Supervisor};
use kernel::{
    Child, Ctx, Deadline, Depth, Effect, Exit, Incarnation, Now, Source, Turn, View, limits_of,
};
use messages::{Address, Branch, Class};
use ractor::{Actor, ActorRef};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::runtime::{Builder, Runtime};

/// What one envelope counts here: the world has bounded its mailbox by bytes already.
const ONE: Depth = Depth::of(&Class::Control);

/// The hosts of one node.
pub(crate) struct Hosts {
    runtime: Runtime,
    root: ActorRef<Supervise>,
    stage: Arc<Stage>,
    lives: BTreeMap<Address, (Incarnation, ActorRef<Envelope>, Arc<Gauge>)>,
}

/// Where hosts and supervisors report to.
#[derive(Default)]
struct Stage(Mutex<Scene>);

#[derive(Default)]
struct Scene {
    now: Now,
    unborn: BTreeMap<Incarnation, Ctx>,
    gauges: BTreeMap<Incarnation, Arc<Gauge>>,
    born: Option<(Incarnation, ActorRef<Envelope>)>,
    effects: Vec<Effect>,
    turned: Option<Option<Deadline>>,
    exits: BTreeMap<Incarnation, Exit>,
}

impl Hosts {
    #[expect(
        clippy::expect_used,
        reason = "a laboratory without a runtime has no result to give"
    )]
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread()
            .build()
            .expect("a runtime of one thread");
        let stage = Arc::new(Stage::default());
        let nursery = Arc::new(StageNursery(Arc::clone(&stage)));
        let supervisor = Supervisor {
            branch: Branch::Node,
            nursery,
        };
        let (root, _task) = runtime
            .block_on(Supervisor::spawn(None, supervisor, Arc::default()))
            .expect("a root supervisor");
        Self {
            runtime,
            root,
            stage,
            lives: BTreeMap::new(),
        }
    }

    /// Lets the actors run until the scene has what is waited for.
    fn until<T>(&self, mut found: impl FnMut(&mut Scene) -> Option<T>) -> T {
        self.runtime.block_on(async {
            loop {
                if let Some(found) = found(&mut self.stage.scene()) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        })
    }
}

impl Stage {
    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for Hosts {
    fn spawn(&mut self, child: &Child, life: Incarnation, ctx: Ctx) -> Result<(), Exit> {
        self.stage.scene().unborn.insert(life, ctx);
        let spawn = Supervise::Spawn(Arc::new(child.clone()), life);
        if self.root.cast(spawn).is_err() {
            return Err(Exit::StartFailed("the root is gone".to_owned()));
        }
        let actor = self.until(|scene| {
            if let Some(exit) = scene.exits.remove(&life) {
                return Some(Err(exit));
            }
            let (born, actor) = scene.born.take()?;
            assert_eq!(born, life, "another life began");
            Some(Ok(actor))
        })?;
        let gauge = self.stage.scene().gauges.remove(&life);
        let gauge = gauge.unwrap_or_else(|| Arc::new(Gauge::new(limits_of(child.at))));
        self.lives.insert(child.at, (life, actor, gauge));
        Ok(())
    }

    fn turn(&mut self, who: Address, life: Incarnation, now: Now, turn: Turn) -> Outcome {
        let Some((of, actor, gauge)) = self.lives.get(&who) else {
            return Outcome::default();
        };
        assert_eq!(*of, life, "a turn of a life that is over");
        self.stage.scene().now = now;
        let envelope = match turn {
            Turn::Letter(letter) => {
                gauge.enter(ONE);
                Envelope::Letter(letter, ONE)
            }
            Turn::Signal(signal) => {
                gauge.enter(ONE);
                Envelope::Signal(signal)
            }
            Turn::Deadline => Envelope::Wake,
        };
        assert!(actor.cast(envelope).is_ok(), "the host of {who} is gone");
        let outcome = self.until(|scene| {
            if let Some(exit) = scene.exits.remove(&life) {
                scene.effects.clear();
                return Some(Outcome {
                    exit: Some(exit),
                    ..Outcome::default()
                });
            }
            let deadline = scene.turned.take()?;
            let effects = std::mem::take(&mut scene.effects);
            Some(Outcome {
                effects,
                deadline,
                exit: None,
            })
        });
        if outcome.exit.is_some() {
            self.lives.remove(&who);
        }
        outcome
    }

    fn view(&self, _who: Address) -> Option<View> {
        // A host shows its machine to nobody.
        None
    }

    fn halt(&mut self, who: Address, life: Incarnation) {
        if self.lives.get(&who).is_some_and(|(of, ..)| *of == life)
            && let Some((_, actor, _)) = self.lives.remove(&who)
        {
            actor.kill();
            let _ = self.until(|scene| scene.exits.remove(&life));
        }
    }
}

struct StageNursery(Arc<Stage>);

impl Nursery for StageNursery {
    fn build(&self, child: &Child, life: Incarnation) -> Result<HostArgs, String> {
        let ctx = self
            .0
            .scene()
            .unborn
            .remove(&life)
            .ok_or("a life without a context")?;
        let machine = tree::build(&child.seed, ctx).map_err(|_| "no machine".to_owned())?;
        let gauge = Arc::new(Gauge::new(limits_of(child.at)));
        self.0.scene().gauges.insert(life, Arc::clone(&gauge));
        let post = Arc::new(StagePost(Arc::clone(&self.0)));
        Ok(HostArgs {
            body: Body::Machine(machine),
            at: child.at,
            life,
            gauge,
            post,
        })
    }

    fn started(&self, _who: Address, life: Incarnation, actor: ActorRef<Envelope>) {
        self.0.scene().born = Some((life, actor));
    }

    fn exited(&self, _who: Address, life: Incarnation, exit: Exit) {
        self.0.scene().exits.insert(life, exit);
    }
}

struct StagePost(Arc<Stage>);

impl Post for StagePost {
    fn now(&self) -> Now {
        self.0.scene().now
    }

    fn post(&self, _from: Source, effects: &mut Vec<Effect>) {
        self.0.scene().effects.append(effects);
    }

    fn arm(&self, _who: Address, _life: Incarnation, _at: Deadline) {}

    fn turned(&self, _who: Address, deadline: Option<Deadline>) {
        self.0.scene().turned = Some(deadline);
    }
}
