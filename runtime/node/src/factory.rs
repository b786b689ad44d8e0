//! Builds the drivers of one node, at each of their starts.

use driver_control::{ControlConfig, ControlSocket};
use driver_http::{Front, HttpGateway};
use driver_iroh::{IrohConfig, IrohTransport};
use driver_llama::{LlamaConfig, LlamaEngine};
use driver_scripted::{ScriptedConfig, ScriptedEngine};
use driver_store::{Database, RedbStore};
use host::{Driver, DriverFactory, Port};
use kernel::Child;
use messages::Address;
use std::fmt;

/// What drives a device.
pub(crate) enum EngineConfig {
    Scripted(ScriptedConfig),
    Llama(LlamaConfig),
}

/// Builds drivers from what outlives them.
pub(crate) struct Factory {
    pub(crate) database: Database,
    pub(crate) transport: IrohConfig,
    pub(crate) front: Front,
    pub(crate) control: ControlConfig,
    pub(crate) engine: Option<EngineConfig>,
}

impl DriverFactory for Factory {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        let at = child.at;
        Ok(match at {
            Address::Store => Box::new(RedbStore::new(self.database.clone(), port)),
            Address::Transport => Box::new(IrohTransport::new(self.transport.clone(), port)?),
            Address::Gateway => Box::new(HttpGateway::new(self.front.clone(), port)?),
            Address::Control => Box::new(ControlSocket::new(self.control.clone(), port)),
            Address::Engine(_) => match &self.engine {
                Some(EngineConfig::Scripted(config)) => {
                    Box::new(ScriptedEngine::new(*config, port)?)
                }
                Some(EngineConfig::Llama(config)) => {
                    Box::new(LlamaEngine::new(config.clone(), port)?)
                }
                None => return Err("this node has no engine".to_owned()),
            },
            Address::Stream(_)
            | Address::Worker(_)
            | Address::Roster(_)
            | Address::GossipStore(_)
            | Address::Session(..)
            | Address::Router
            | Address::Proxy(_)
            | Address::Observer => return Err(format!("{at} is no driver")),
        })
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}
