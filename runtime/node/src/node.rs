//! Starting and stopping a node.

use crate::advert::left_out;
use crate::config::{Config, Engine};
use crate::duties::NodeDuties;
use crate::factory::{EngineConfig, Factory};
use crate::listen::{everywhere, exactly};
use crate::lookout::Lookout;
use crate::networks::{membership_of, own, own_id, seed};
use driver_control::{ControlConfig, PlaceError, Socket};
use driver_http::{Addresses, ApiKey, Front, HttpConfig, HttpLimits, Readiness};
use driver_iroh::IrohConfig;
use driver_llama::{LlamaConfig, resolve};
use driver_scripted::ScriptedConfig;
use driver_store::{
    Database, Home, HomeError, Membership, NodeSigner, load_or_create, random_bytes,
};
use host::{Clock, Directory, Hive, HiveConfig};
use kernel::Signer;
use messages::{Address, DeviceId, Letter, NodeId, Wall, inference_worker, peer_session, roster};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

#[cfg(test)]
mod tests;

/// The one device that serves, until more are told apart.
const DEVICE: DeviceId = DeviceId(0);
/// How long a stop lets running answers go on: under the time that `mesh-node stop` waits.
const DRAIN_WAIT: Duration = Duration::from_secs(10);
/// How often it looks.
const DRAIN_LOOK: Duration = Duration::from_millis(5);
/// Jobs that the scripted engine decodes at once: as many as benchmarks open.
const SCRIPTED_SLOTS: u32 = 2_048;
/// Jobs that wait for an engine: a minute of short answers.
const QUEUE_MAX: u32 = 64;

/// Why a node does not start. Each is one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Home, key or database.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] PlaceError),
    /// A port, a key, a model or a ticket.
    #[error("{0}")]
    Config(String),
}

/// A running node. Dropping it without [`Node::stop`] is a crash.
#[derive(Debug)]
pub struct Node {
    hive: Hive,
    me: NodeId,
    addresses: Addresses,
    ready: Readiness,
    stop: Arc<Notify>,
    look: JoinSet<()>,
    _home: Home,
}

impl Node {
    /// Starts a node in its home.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let home = Home::open(&config.home)?;
        let signer = load_or_create(&home)?;
        let database = Database::open(&home)?;
        let me = signer.node();
        let clock = Clock::start();
        // Whatever may be refused is judged before the home remembers a network.
        let joined = joined_by(&config.join, me, clock.now().wall)?;
        let engine = engine_of(&config, &home)?;
        let ready = Readiness::not_yet("the node is starting");
        let boot = database.next_boot()?;
        let front = Front::bind(http_config(&config, me, boot, &ready)?).map_err(text)?;
        let addresses = front.addresses();
        let transport = transport_of(&config, &home, &signer)?;
        let socket = Arc::new(Socket::bind(home.path(), &config.runtime)?);
        database.join_all(&joined)?;
        let networks = std::iter::once(own(me)).chain(database.memberships()?);
        let plan = plan_of(networks, engine.as_ref(), me, boot, &config);
        let stop = Arc::new(Notify::new());
        let duties = NodeDuties {
            me,
            boot,
            version: config.version.clone(),
            devices: plan.workers.iter().map(|worker| worker.device).collect(),
            neighbourhood: config.neighbourhood,
            database: database.clone(),
            addresses,
            ready: ready.clone(),
            clock,
            stop: Arc::clone(&stop),
        };
        let control = ControlConfig {
            socket,
            network: own_id(me),
            duties: Arc::new(duties),
        };
        let factory = Factory {
            database,
            transport,
            front,
            control,
            engine,
        };
        let hive_config = HiveConfig {
            boot,
            entropy_seed: random_bytes().map_err(text)?,
            signer: Arc::new(signer),
            drivers: Arc::new(factory),
        };
        let children = plan.children();
        let expected = children.iter().map(|child| child.at).collect();
        let hive = Hive::start(hive_config, children)
            .await
            .map_err(StartError::Config)?;
        let lookout = Lookout {
            directory: Arc::clone(hive.directory()),
            expected,
            home: home.path().to_owned(),
            ready: ready.clone(),
        };
        let look = lookout.begin().await;
        Ok(Self {
            hive,
            me,
            addresses,
            ready,
            stop,
            look,
            _home: home,
        })
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> NodeId {
        self.me
    }

    /// Where it listens: real ports, where port 0 was asked for.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Its actors, for tests and consoles.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Directory> {
        self.hive.directory()
    }

    /// Waits until somebody asks it to stop over the control socket.
    pub async fn stop_asked(&self) {
        self.stop.notified().await;
    }

    /// Why it cannot serve; nothing where it can.
    #[must_use]
    pub fn why_not_ready(&self) -> Option<String> {
        self.ready.why_not()
    }

    /// Stops it in good order: no new work, a time for running answers to end, then requests
    /// first and the store last.
    pub async fn stop(mut self) {
        self.look.abort_all();
        self.ready.set_not_ready("the node is stopping");
        self.begin_to_leave();
        let gone = async {
            // Requests of this node's clients may yet look for another holder.
            self.without(|who| matches!(who, Address::Proxy(_))).await;
            self.leave_peers();
            self.without(|who| matches!(who, Address::Proxy(_) | Address::Stream(_)))
                .await;
        };
        if tokio::time::timeout(DRAIN_WAIT, gone).await.is_err() {
            tracing::warn!("some answers were still running and are cut");
            self.leave_peers();
        }
        self.hive.stop().await;
    }

    /// No job is taken, nobody is dialled, and no session begins any more.
    fn begin_to_leave(&self) {
        for who in self.hive.directory().addresses() {
            if let Address::Worker(device) = who {
                let drain = inference_worker::Input::Drain;
                self.hive.tell(Letter::Worker(device, drain));
            } else if let Address::Roster(network) = who {
                let leave = roster::Input::Leave;
                self.hive.tell(Letter::Roster(network, leave));
            }
        }
    }

    fn leave_peers(&self) {
        for who in self.hive.directory().addresses() {
            if let Address::Session(network, peer) = who {
                let leave = peer_session::Input::Leave;
                self.hive.tell(Letter::Session(network, peer, leave));
            }
        }
    }

    /// Waits until there are no such actors.
    async fn without(&self, such: impl Fn(&Address) -> bool) {
        while self.hive.directory().addresses().iter().any(&such) {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }
}

/// What these tickets open to this node.
fn joined_by(tickets: &[String], me: NodeId, now: Wall) -> Result<Vec<Membership>, StartError> {
    let opened = tickets.iter().map(|ticket| membership_of(ticket, me, now));
    opened.collect::<Result<_, _>>().map_err(text)
}

fn text(error: impl std::fmt::Display) -> StartError {
    StartError::Config(error.to_string())
}

fn http_config(
    config: &Config,
    me: NodeId,
    boot: u64,
    ready: &Readiness,
) -> Result<HttpConfig, StartError> {
    let api_key = config
        .api_key
        .as_deref()
        .map(ApiKey::new)
        .transpose()
        .map_err(text)?;
    Ok(HttpConfig {
        api: config.api,
        console: config.console,
        me,
        boot,
        trace_seed: random_bytes().map_err(text)?,
        version: config.version.clone(),
        api_key,
        names: Vec::new(),
        ready: ready.clone(),
        limits: HttpLimits::DEFAULT,
    })
}

/// What serves the configured models; nothing where there are none.
fn engine_of(config: &Config, home: &Home) -> Result<Option<EngineConfig>, StartError> {
    if config.models.is_empty() {
        return Ok(None);
    }
    match config.engine {
        Engine::Scripted { rate } => {
            if let Some(other) = config.models.iter().find(|model| *model != "scripted") {
                return Err(StartError::Config(format!(
                    "the scripted engine serves the model `scripted` alone, not `{other}`: \
                     use --engine llama for it"
                )));
            }
            let scripted = ScriptedConfig {
                rate,
                device: DEVICE,
                slots: SCRIPTED_SLOTS,
            };
            Ok(Some(EngineConfig::Scripted(scripted)))
        }
        Engine::Llama => {
            if config.models.iter().any(|model| model == "scripted") {
                return Err(StartError::Config(
                    "the model `scripted` needs --engine scripted".to_owned(),
                ));
            }
            let models = config
                .models
                .iter()
                .map(|model| resolve(model, home.path()))
                .collect::<Result<Vec<_>, _>>()
                .map_err(text)?;
            let llama = LlamaConfig::new(DEVICE, models, config.engine_command.clone());
            if let Some(why) = left_out(&llama, &config.version) {
                tracing::warn!("{why}");
            }
            Ok(Some(EngineConfig::Llama(llama)))
        }
    }
}

/// The actors of a node that is in these networks.
fn plan_of(
    networks: impl Iterator<Item = Membership>,
    engine: Option<&EngineConfig>,
    me: NodeId,
    boot: u64,
    config: &Config,
) -> tree::Plan {
    let workers: Vec<_> = engine
        .map(|engine| worker_of(engine, me))
        .into_iter()
        .collect();
    let devices: Vec<_> = workers.iter().map(|worker| worker.device).collect();
    let networks = networks
        .map(|network| {
            let (neighbourhood, version) = (config.neighbourhood, &config.version);
            seed(network, me, boot, &devices, neighbourhood, version)
        })
        .collect();
    tree::Plan {
        networks,
        workers,
        control: true,
    }
}

const fn worker_of(engine: &EngineConfig, me: NodeId) -> inference_worker::Seed {
    let slots = match engine {
        EngineConfig::Scripted(_) => SCRIPTED_SLOTS,
        EngineConfig::Llama(_) => 1,
    };
    let per_origin_max = slots + QUEUE_MAX;
    inference_worker::Seed {
        me,
        device: DEVICE,
        slots,
        queue_max: QUEUE_MAX,
        per_origin_max,
    }
}

fn transport_of(
    config: &Config,
    home: &Home,
    signer: &NodeSigner,
) -> Result<IrohConfig, StartError> {
    let listen = if config.listen.is_empty() {
        everywhere(home.path()).map_err(StartError::Config)?
    } else {
        exactly(&config.listen).map_err(StartError::Config)?
    };
    Ok(IrohConfig::new(signer.secret(), listen))
}
