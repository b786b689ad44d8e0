//! A node's actors, started and stopped as one.

use crate::actor::{Body, Envelope, HostArgs, Post};
use crate::clock::Clock;
use crate::directory::{Directory, gauge_of};
use crate::door::Gauge;
use crate::driver::{DriverFactory, Port};
use crate::supervisor::{Nursery, Supervise, Supervisor};
use kernel::{Child, Ctx, Effect, Entropy, Exit, How, Incarnation, Signer, Source};
use messages::{Address, Branch, Letter, Seed};
use ractor::{Actor, ActorRef};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How long a stop waits for each group of actors before it goes on without them.
const STOP_WAIT: Duration = Duration::from_secs(3);
/// How often a stop looks whether a group is gone.
const STOP_LOOK: Duration = Duration::from_millis(5);

/// What a hive is made of.
pub struct HiveConfig {
    /// The node's durable boot counter.
    pub boot: u64,
    /// The secret from which all chance of this node derives; new at each start.
    pub entropy_seed: [u8; 32],
    /// The node's signer.
    pub signer: Arc<dyn Signer>,
    /// Who builds the drivers.
    pub drivers: Arc<dyn DriverFactory>,
}

impl fmt::Debug for HiveConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HiveConfig")
            .field("boot", &self.boot)
            .finish_non_exhaustive()
    }
}

/// A running node's actors.
#[derive(Debug)]
pub struct Hive {
    directory: Arc<Directory>,
    root: ActorRef<Supervise>,
    _timer: JoinSet<()>,
}

impl Hive {
    /// Starts the root, then the children in order.
    ///
    /// # Errors
    /// The root could not be spawned.
    pub async fn start(config: HiveConfig, children: Vec<Child>) -> Result<Self, String> {
        let directory = Arc::new(Directory::new(config.boot, Clock::start()));
        let nursery = Arc::new(NodeNursery {
            config,
            directory: Arc::clone(&directory),
            gauges: Mutex::new(BTreeMap::new()),
            ports: Mutex::new(BTreeMap::new()),
        });
        let supervisor = Supervisor {
            branch: Branch::Node,
            nursery,
        };
        let (root, _task) = Supervisor::spawn(None, supervisor, Arc::default())
            .await
            .map_err(|error| error.to_string())?;
        directory.bind(root.clone());
        let mut timer = JoinSet::new();
        timer.spawn(Arc::clone(&directory).keep_time());
        let hive = Self {
            directory,
            root,
            _timer: timer,
        };
        for child in children {
            hive.start_child(child);
        }
        Ok(hive)
    }

    /// The node's directory.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Starts one more child.
    pub fn start_child(&self, child: Child) {
        self.directory
            .apply(Source::World, &mut vec![Effect::Start(Arc::new(child))]);
    }

    /// Sends a letter from outside the node. What cannot be delivered is dropped.
    pub fn tell(&self, letter: Letter) {
        self.directory.send(Source::World, letter);
    }

    /// Stops all actors in the reverse of their starting order, each group drained first.
    pub async fn stop(self) {
        for group in 0..=LAST_GROUP {
            let in_group = |who: &Address| stop_group(*who) == group;
            let mut stops: Vec<Effect> = self
                .directory
                .addresses()
                .into_iter()
                .filter(in_group)
                .map(|who| Effect::Stop(who, How::Drain))
                .collect();
            self.directory.apply(Source::World, &mut stops);
            let gone = async {
                while self.directory.addresses().iter().any(in_group) {
                    tokio::time::sleep(STOP_LOOK).await;
                }
            };
            if tokio::time::timeout(STOP_WAIT, gone).await.is_err() {
                tracing::warn!(group, "some actors did not stop in time");
            }
        }
        self.root.stop(None);
    }
}

const LAST_GROUP: u8 = 5;

/// Requests first, the store last.
const fn stop_group(who: Address) -> u8 {
    match who {
        Address::Proxy(_) | Address::Control => 0,
        Address::Session(..) | Address::Gateway => 1,
        Address::Roster(_) | Address::GossipStore(_) | Address::Router | Address::Worker(_) => 2,
        Address::Engine(_) | Address::Transport => 3,
        Address::Observer | Address::Stream(_) => 4,
        Address::Store => LAST_GROUP,
    }
}

struct NodeNursery {
    config: HiveConfig,
    directory: Arc<Directory>,
    gauges: Mutex<BTreeMap<Incarnation, Arc<Gauge>>>,
    ports: Mutex<BTreeMap<Incarnation, Port>>,
}

impl Nursery for NodeNursery {
    fn build(&self, child: &Child, life: Incarnation) -> Result<HostArgs, String> {
        let at = child.at;
        let body = if child.seed == Seed::Driver {
            let port = Port::new(Arc::clone(&self.directory), at, life);
            let driver = self.config.drivers.build(child, port.clone())?;
            self.ports
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(life, port);
            Body::Driver(driver)
        } else {
            let ctx = Ctx {
                entropy: Entropy::of(&self.config.entropy_seed, at, life),
                signer: Arc::clone(&self.config.signer),
            };
            let machine =
                tree::build(&child.seed, ctx).map_err(|_| format!("{at} is no machine"))?;
            Body::Machine(machine)
        };
        let gauge = gauge_of(at);
        self.gauges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(life, Arc::clone(&gauge));
        let post = Arc::clone(&self.directory) as Arc<dyn Post>;
        Ok(HostArgs {
            body,
            at,
            life,
            gauge,
            post,
        })
    }

    fn started(&self, who: Address, life: Incarnation, actor: ActorRef<Envelope>) {
        let gauge = self
            .gauges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&life);
        let port = self
            .ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&life);
        if let Some(port) = port {
            port.bind(actor.clone());
        }
        let gauge = gauge.unwrap_or_else(|| gauge_of(who));
        self.directory.started(who, life, actor, gauge);
    }

    fn exited(&self, who: Address, life: Incarnation, exit: Exit) {
        self.gauges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&life);
        self.ports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&life);
        self.directory.exited(who, life, exit);
    }
}
