//! What the driver and its tasks share.

use crate::IrohConfig;
use crate::keepsake::Counts;
use crate::links::Links;
use host::Port;
use iroh::Endpoint;
use iroh::endpoint::VarInt;
use messages::{Letter, LinkId, NetworkId, NodeId, peer_session, roster};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::task::JoinSet;

/// The driver's state. Its locks are held for a step, never over an await.
pub(crate) struct Shared {
    pub(crate) config: IrohConfig,
    pub(crate) port: Port,
    pub(crate) me: NodeId,
    pub(crate) endpoint: OnceLock<Endpoint>,
    links: Mutex<Links>,
    tasks: Mutex<JoinSet<()>>,
}

impl Shared {
    pub(crate) fn new(config: IrohConfig, port: Port, me: NodeId) -> Arc<Self> {
        let links = Mutex::new(Links::new(port.life().n));
        let tasks = Mutex::new(JoinSet::new());
        Arc::new(Self {
            config,
            port,
            me,
            endpoint: OnceLock::new(),
            links,
            tasks,
        })
    }

    /// The links. Letters are told while it is held, so that their order is the order of events;
    /// nothing that takes it is ever called by whoever receives them.
    pub(crate) fn links(&self) -> MutexGuard<'_, Links> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a task until it ends or the driver is dropped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends every task.
    pub(crate) fn abort(&self) {
        self.tasks().abort_all();
    }

    pub(crate) fn counts(&self) -> &Counts {
        self.config.keepsake.counts()
    }

    pub(crate) fn tell_roster(&self, network: NetworkId, input: roster::Input) {
        self.port.tell(Letter::Roster(network, input));
    }

    pub(crate) fn tell_session(
        &self,
        network: NetworkId,
        peer: NodeId,
        input: peer_session::Input,
    ) {
        self.port.tell(Letter::Session(network, peer, input));
    }

    pub(crate) fn tell_link_down(
        &self,
        network: NetworkId,
        peer: NodeId,
        link: LinkId,
        why: peer_session::LinkLoss,
    ) {
        self.tell_session(network, peer, peer_session::Input::LinkDown { link, why });
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What streams are reset, and links closed, with.
pub(crate) mod code {
    use super::VarInt;

    /// The session, or the node's life, is over.
    pub(crate) const OVER: VarInt = VarInt::from_u32(0);
    /// Nobody wants the answer any more.
    pub(crate) const CANCELLED: VarInt = VarInt::from_u32(1);
    /// A stranger asks for what members get.
    pub(crate) const STRANGER: VarInt = VarInt::from_u32(2);
    /// The bytes make no sense.
    pub(crate) const BAD: VarInt = VarInt::from_u32(3);
    /// The other end took, or said, nothing for too long.
    pub(crate) const STALLED: VarInt = VarInt::from_u32(4);
    /// Whoever served it is gone.
    pub(crate) const LOST: VarInt = VarInt::from_u32(5);
}
