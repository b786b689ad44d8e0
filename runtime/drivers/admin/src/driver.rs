//! The answering side.

use crate::place::Socket;
use crate::protocol::{
    About, ProtocolError, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, Request, Response, VERSION,
    decode, encode, length,
};
use host::{Driver, Port};
use kernel::{Child, Effect, Failure, How, Signal, Turn};
use messages::gossip_store::Input as Records;
use messages::observer::Asker;
use messages::ports::control::{Answer, Command};
use messages::roster::{AdminRequest, Input as Roster};
use messages::{Address, Label, Letter, NetworkId, QueryId, observer};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Commands that may be in progress at once: people and scripts, not load.
const CONNECTIONS_MAX: usize = 32;
/// The time for a whole request to arrive, and for an answer to be read.
const TRANSFER_WAIT: Duration = Duration::from_secs(5);
/// The time for an actor to answer: a durable write on a slow disk.
const ACTOR_WAIT: Duration = Duration::from_secs(15);
/// What any other user than the node's own and root is told.
const FOREIGN: &str = "this node belongs to another user: run the command as that user";

/// What the socket cannot do by letters.
pub trait Duties: Send + Sync {
    /// Who answers.
    fn about(&self) -> About;
    /// Makes a membership durable; gives the network and the actors to start, in this order.
    ///
    /// # Errors
    /// A sentence for the human.
    fn join(&self, ticket: &str) -> Result<(NetworkId, [Child; 2]), String>;
    /// Stops the node, after the answer.
    fn stop(&self);
}

/// What the driver is built from.
#[derive(Clone)]
pub struct ControlConfig {
    /// The bound socket: it outlives the driver's lives.
    pub socket: Arc<Socket>,
    /// The node's own network.
    pub network: NetworkId,
    /// What it cannot do by letters.
    pub duties: Arc<dyn Duties>,
}

impl fmt::Debug for ControlConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlConfig")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

/// Networks whose actor starts anew as soon as its earlier life is over.
type Joining = Arc<Mutex<BTreeMap<Address, Child>>>;
type Waiting = Arc<Mutex<BTreeMap<QueryId, oneshot::Sender<Answer>>>>;

/// Counts over the driver's lives: a late answer to one of an earlier life answers nobody.
static QUERIES: AtomicU64 = AtomicU64::new(0);

/// The driver.
#[derive(Debug)]
pub struct ControlSocket {
    config: ControlConfig,
    port: Port,
    waiting: Waiting,
    joining: Joining,
    tasks: JoinSet<()>,
}

impl ControlSocket {
    /// A driver that listens once it is started.
    #[must_use]
    pub fn new(config: ControlConfig, port: Port) -> Self {
        Self {
            config,
            port,
            waiting: Waiting::default(),
            joining: Joining::default(),
            tasks: JoinSet::new(),
        }
    }

    fn listen(&mut self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure(format!("the control socket is lost: {error}"));
        let listener = self.config.socket.listener.try_clone().map_err(failed)?;
        let listener = UnixListener::from_std(listener).map_err(failed)?;
        let desk = Desk {
            config: self.config.clone(),
            port: self.port.clone(),
            waiting: Arc::clone(&self.waiting),
            joining: Arc::clone(&self.joining),
        };
        self.tasks.spawn(desk.accept(listener));
        Ok(())
    }
}

impl Driver for ControlSocket {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Signal(Signal::Started(_)) => self.listen(),
            Turn::Letter(Letter::Control(Command::Answer { query, answer })) => {
                answer_query(&self.waiting, query, *answer);
                Ok(())
            }
            Turn::Signal(Signal::Returned { letter, .. }) => {
                if let Some(query) = query_of(&letter) {
                    let why = "the actor that answers this restarts: try again in a moment";
                    answer_query(&self.waiting, query, Answer::Refused(Label::truncated(why)));
                }
                Ok(())
            }
            Turn::Signal(Signal::Down { who, .. }) => {
                let child = self
                    .joining
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&who);
                if let Some(child) = child {
                    self.port.post(vec![Effect::Start(Arc::new(child))]);
                }
                Ok(())
            }
            Turn::Letter(_) | Turn::Deadline => Ok(()),
        }
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.tasks.abort_all();
        })
    }
}

fn query_of(letter: &Letter) -> Option<QueryId> {
    if let Letter::Roster(_, Roster::Admin { query, .. })
    | Letter::GossipStore(_, Records::Admin { query, .. })
    | Letter::Observer(observer::Input::Query { query, .. }) = letter
    {
        return Some(*query);
    }
    None
}

fn answer_query(waiting: &Waiting, query: QueryId, answer: Answer) {
    let waiter = waiting
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&query);
    if let Some(waiter) = waiter {
        // A command that has given up needs no answer.
        let _ = waiter.send(answer);
    }
}

/// What serves connections.
#[derive(Clone)]
struct Desk {
    config: ControlConfig,
    port: Port,
    waiting: Waiting,
    joining: Joining,
}

impl Desk {
    async fn accept(self, listener: UnixListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let desk = self.clone();
                    connections.spawn(async move {
                        if let Err(error) = desk.serve(stream).await {
                            tracing::debug!(%error, "a control connection failed");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    return self
                        .port
                        .fail(format!("the control socket is lost: {error}"));
                }
            }
            while connections.try_join_next().is_some() {}
        }
    }

    async fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        let peer = stream.peer_cred()?.uid();
        let is_ours = peer == 0 || peer == own_uid()?;
        let request = timeout(TRANSFER_WAIT, receive(&mut stream))
            .await
            .map_err(io::Error::other)?;
        let response = match request? {
            // Read all the same: a socket that is closed over unread bytes loses its answer.
            _ if !is_ours => Response::Refused(FOREIGN.to_owned()),
            Ok(request) => self.answer(request).await,
            Err(error) => Response::Refused(error),
        };
        let bytes = encode(&response, RESPONSE_BYTES_MAX).map_err(io::Error::other)?;
        timeout(TRANSFER_WAIT, stream.write_all(&bytes))
            .await
            .map_err(io::Error::other)??;
        timeout(TRANSFER_WAIT, stream.shutdown())
            .await
            .map_err(io::Error::other)?
    }

    async fn answer(&self, request: Request) -> Response {
        let own = self.config.network;
        match request {
            Request::Status => {
                let query = |query| observer::Input::Query {
                    query,
                    asker: Asker::Control,
                };
                self.ask(|id| Letter::Observer(query(id))).await
            }
            Request::TicketNew {
                network,
                name,
                expires,
            } => {
                let name = Label::truncated(&name);
                self.admin(
                    network.unwrap_or(own),
                    AdminRequest::TicketNew { name, expires },
                )
                .await
            }
            Request::TicketList { network } => {
                self.admin(network.unwrap_or(own), AdminRequest::TicketList)
                    .await
            }
            Request::TicketRevoke { network, ticket } => {
                self.admin(
                    network.unwrap_or(own),
                    AdminRequest::TicketRevoke { ticket },
                )
                .await
            }
            Request::Records { network, request } => {
                let network = network.unwrap_or(own);
                let (asker, request) = (Asker::Control, Box::new(request));
                let input = |query| Records::Admin {
                    query,
                    asker,
                    request,
                };
                self.ask(|query| Letter::GossipStore(network, input(query)))
                    .await
            }
            Request::Join { ticket } => match self.config.duties.join(&ticket) {
                Ok((network, children)) => {
                    // A node that is in the network already has a new credential for it.
                    for child in children {
                        let at = child.at;
                        self.joining
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(at, child);
                        self.port
                            .post(vec![Effect::Stop(at, How::Drain), Effect::Watch(at)]);
                    }
                    Response::Joined(network)
                }
                Err(why) => Response::Refused(why),
            },
            Request::Stop => {
                self.config.duties.stop();
                Response::Done
            }
        }
    }

    async fn admin(&self, network: NetworkId, request: AdminRequest) -> Response {
        self.ask(|query| Letter::Roster(network, Roster::Admin { query, request }))
            .await
    }

    async fn ask(&self, letter: impl FnOnce(QueryId) -> Letter) -> Response {
        let (sender, receiver) = oneshot::channel();
        let query = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let query = QueryId(QUERIES.fetch_add(1, Ordering::Relaxed) + 1);
            waiting.insert(query, sender);
            query
        };
        self.port.tell(letter(query));
        let answer = timeout(ACTOR_WAIT, receiver).await;
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&query);
        match answer {
            Ok(Ok(Answer::Snapshot(snapshot))) => {
                Response::Status(self.config.duties.about(), Box::new(snapshot))
            }
            Ok(Ok(Answer::Ticket(text))) => Response::Ticket(text),
            Ok(Ok(Answer::Tickets(rows))) => Response::Tickets(rows),
            Ok(Ok(Answer::Shared(shared))) => Response::Shared(shared),
            Ok(Ok(Answer::Done)) => Response::Done,
            Ok(Ok(Answer::Refused(why))) => Response::Refused(why.to_string()),
            Ok(Err(_)) | Err(_) => Response::Refused(
                "the node did not answer in time: look whether it was done".to_owned(),
            ),
        }
    }
}

/// One whole request, or a sentence on why it is none.
async fn receive(stream: &mut UnixStream) -> io::Result<Result<Request, String>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let len = match length(head, REQUEST_BYTES_MAX) {
        Ok(len) => len,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await?;
    Ok(decode(&body).map_err(|error| match error {
        ProtocolError::Version(theirs) => format!(
            "the running node speaks version {VERSION} of the control protocol, the command \
             version {theirs}: use the same mesh-node for both"
        ),
        ProtocolError::TooLong(_) | ProtocolError::Malformed => error.to_string(),
    }))
}

/// This process's user.
fn own_uid() -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map(|metadata| metadata.uid())
}
