//! The driver: letters in, steps out.

use crate::IrohConfig;
use crate::shared::Shared;
use host::{Driver, Port};
use iroh::{Endpoint, SecretKey};
use kernel::{Failure, ReturnReason, Signal, Turn};
use messages::peer_session::{self, LinkLoss};
use messages::ports::transport::{Command, DialError};
use messages::{Letter, LinkId, NetworkId, NodeId, roster};
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The driver at [`messages::Address::Transport`].
pub struct IrohTransport {
    shared: Arc<Shared>,
    /// What was asked for before the endpoint was bound; nothing once it is.
    waiting: Arc<Mutex<Option<VecDeque<Command>>>>,
}

impl IrohTransport {
    /// A transport that binds its endpoint when it is started.
    ///
    /// # Errors
    /// A sentence, where the configuration cannot work.
    pub fn new(config: IrohConfig, port: Port) -> Result<Self, String> {
        if config.keep_alive >= config.idle_timeout {
            return Err("the transport's keep-alive must be shorter than its idle time".to_owned());
        }
        let me = NodeId(
            *SecretKey::from_bytes(&config.secret_key)
                .public()
                .as_bytes(),
        );
        let shared = Shared::new(config, port, me);
        Ok(Self {
            shared,
            waiting: Arc::new(Mutex::new(Some(VecDeque::new()))),
        })
    }

    fn start(&self) {
        let (shared, waiting) = (Arc::clone(&self.shared), Arc::clone(&self.waiting));
        self.shared.spawn(async move {
            if let Err(why) = shared.bind().await {
                return shared.port.fail(why);
            }
            let mut queue = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            for command in queue.take().unwrap_or_default() {
                shared.obey(command);
            }
        });
    }

    fn take(&self, command: Command) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.as_mut() {
            None => self.shared.obey(command),
            Some(queue) if queue.len() < WAITING_MAX => queue.push_back(command),
            Some(_) => self.shared.decline(command),
        }
    }

    fn returned(&self, letter: Letter, why: ReturnReason) {
        match why {
            ReturnReason::NoActor | ReturnReason::StartFailed => self.unheard(letter),
            ReturnReason::Busy | ReturnReason::ParkFull => {
                if let Letter::Session(network, _, peer_session::Input::Frame { link, .. }) = letter
                {
                    self.shared.overrun(link, network);
                }
                // A session or roster that is that far behind is served by its own deadlines.
            }
        }
    }

    fn unheard(&self, letter: Letter) {
        match letter {
            // Nobody is there for the link: it is not kept up for nobody.
            Letter::Roster(network, roster::Input::LinkUp { link, .. })
            | Letter::Session(network, _, peer_session::Input::Frame { link, .. }) => {
                self.shared
                    .close(link, network, "nobody here speaks for this network");
            }
            Letter::Roster(..)
            | Letter::GossipStore(..)
            | Letter::Session(..)
            | Letter::Router(_)
            | Letter::Proxy(..)
            | Letter::Worker(..)
            | Letter::Observer(_)
            | Letter::Transport(_)
            | Letter::Stream(..)
            | Letter::Engine(..)
            | Letter::Gateway(_)
            | Letter::Store(_)
            | Letter::Control(_) => {}
        }
    }
}

impl Driver for IrohTransport {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Letter(Letter::Transport(command)) => self.take(command),
            Turn::Letter(letter) => {
                return Err(Failure(format!(
                    "the transport got a letter to {}",
                    letter.to()
                )));
            }
            Turn::Signal(Signal::Started(_)) => self.start(),
            Turn::Signal(Signal::Returned { letter, why }) => self.returned(*letter, why),
            Turn::Signal(Signal::Down { .. }) | Turn::Deadline => {}
        }
        Ok(())
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let all = self.shared.close_all("the node stops");
            let _ = timeout(STOP_FLUSH_WAIT, all).await;
            if let Some(endpoint) = self.shared.endpoint.get() {
                let closed = close(endpoint.clone());
                let _ = timeout(STOP_CLOSE_WAIT, closed).await;
            }
        })
    }
}

impl Drop for IrohTransport {
    /// A life that ends without a stop still says so to its peers, if the runtime lets it.
    fn drop(&mut self) {
        self.shared.abort();
        if let Some(endpoint) = self
            .shared
            .endpoint
            .get()
            .filter(|found| !found.is_closed())
            && tokio::runtime::Handle::try_current().is_ok()
        {
            let endpoint = endpoint.clone();
            let mut farewell = JoinSet::new();
            farewell.spawn(async move {
                let _ = timeout(STOP_CLOSE_WAIT, endpoint.close()).await;
            });
            farewell.detach_all();
        }
    }
}

impl Shared {
    pub(crate) fn obey(self: &Arc<Self>, command: Command) {
        match command {
            Command::Attach(network) => self.attach(network),
            Command::Detach(network) => self.detach(network),
            Command::Dial {
                network,
                peer,
                addrs,
            } => self.dial(network, peer, &addrs),
            Command::Send {
                link,
                network,
                frame,
            } => self.send(link, network, &frame),
            Command::Open {
                link,
                network,
                peer,
                request,
                job,
            } => {
                self.open(link, network, peer, request, job);
            }
            Command::Close { link, network, why } => self.close(link, network, &why),
        }
    }

    /// Answers a command that finds no room before the endpoint is bound.
    fn decline(&self, command: Command) {
        match command {
            Command::Dial { network, peer, .. } => {
                let why = DialError::Closed;
                self.tell_roster(network, roster::Input::DialFailed { peer, why });
            }
            Command::Send { link, network, .. } => self.no_such_link(link, network),
            Command::Open {
                network,
                peer,
                request,
                job,
                ..
            } => {
                let attempt = job.id.attempt;
                let input = peer_session::Input::OpenFailed { request, attempt };
                self.tell_session(network, peer, input);
            }
            Command::Attach(_) | Command::Detach(_) | Command::Close { .. } => {}
        }
    }

    /// A session sends on a link that is gone, perhaps with an earlier life.
    pub(crate) fn no_such_link(&self, link: LinkId, network: NetworkId) {
        if let Some(peer) = self.config.keepsake.peer_of(link) {
            self.tell_link_down(network, peer, link, LinkLoss::Reset);
        }
    }
}

impl fmt::Debug for IrohTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IrohTransport")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

/// Closes an endpoint, in a task that goes on if nobody waits for it: a dial that nobody answers
/// holds it up for three probe time-outs. Where the runtime ends first, so does the process, and
/// the endpoint goes with it; it is not dropped, for iroh tells the user of that as of an error.
async fn close(endpoint: Endpoint) {
    let (done, closed) = oneshot::channel();
    let endpoint = ManuallyDrop::new(endpoint);
    let mut farewell = JoinSet::new();
    farewell.spawn(async move {
        let _ = timeout(CLOSE_MAX, endpoint.close()).await;
        drop(ManuallyDrop::into_inner(endpoint));
        // A stop that has gone on waits for nothing.
        let _ = done.send(());
    });
    farewell.detach_all();
    let _ = closed.await;
}

/// Three probe time-outs of a dial, which are a second at most, and some more.
const CLOSE_MAX: Duration = Duration::from_secs(10);
/// Commands before the endpoint is bound: a bind takes milliseconds, and a node asks for its
/// networks and first dials in that time.
const WAITING_MAX: usize = 1024;
/// What sessions said last is flushed for at most this long at a stop.
const STOP_FLUSH_WAIT: Duration = Duration::from_millis(1_200);
/// Peers are told for at most this long at a stop; both together stay under a hive's patience.
const STOP_CLOSE_WAIT: Duration = Duration::from_secs(1);
