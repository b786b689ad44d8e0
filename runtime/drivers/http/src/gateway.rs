//! The driver: it runs the servers and passes on what requests say.

use crate::call::Gate;
use crate::front::{Front, Side};
use crate::lane::Event;
use crate::server;
use host::{Driver, Port};
use kernel::{Exit, Failure, Signal, Turn};
use messages::ports::control::Answer;
use messages::ports::gateway::Command;
use messages::request_proxy;
use messages::{Address, Letter, gossip_store, observer};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The HTTP server of one node, in one of its lives.
#[derive(Debug)]
pub struct HttpGateway {
    gate: Arc<Gate>,
    /// Dropped before `stopping`: who dies accepts nothing any more before its clients are told, so
    /// that whoever comes back at once finds the next life.
    servers: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

impl HttpGateway {
    /// A server on the sockets of `front`. It accepts once it is started.
    ///
    /// # Errors
    /// A sentence; none in ordinary life, as the sockets are bound.
    pub fn new(front: Front, port: Port) -> Result<Self, String> {
        let gate = Arc::new(Gate::new(front, port));
        Ok(Self {
            gate,
            stopping: watch::Sender::new(false),
            servers: JoinSet::new(),
        })
    }

    fn open(&mut self) -> Result<(), Failure> {
        for side in [Side::Api, Side::Console] {
            let listener = self.gate.front.listener(side).map_err(Failure)?;
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(|error| Failure(format!("a listener cannot be used: {error}")))?;
            let gate = Arc::clone(&self.gate);
            self.servers
                .spawn(server::run(gate, side, listener, self.stopping.subscribe()));
        }
        Ok(())
    }

    fn command(&self, command: Command) {
        match command {
            Command::Started {
                request,
                served_by,
                model,
            } => {
                self.gate
                    .started(request, Event::Started { served_by, model });
            }
            Command::Delta {
                request,
                offset,
                text,
            } => self.gate.text(request, offset, text.0),
            Command::Finished {
                request,
                reason,
                usage,
                total,
                seam,
            } => {
                let finished = Event::Finished {
                    reason,
                    usage,
                    seam,
                };
                self.gate.finished(request, total, finished);
            }
            Command::Failed { request, why } => self.gate.last(request, Event::Failed(why)),
            Command::Models(adverts) => {
                self.gate
                    .front
                    .set_models(adverts.into_vec(), self.gate.port.now().wall);
            }
            Command::Snapshot { query, snapshot } => {
                let answer = Box::new(Answer::Snapshot(*snapshot));
                self.gate.answer(query, Some(answer));
            }
            Command::Answer { query, answer } => self.gate.answer(query, Some(answer)),
        }
    }

    fn signal(&mut self, signal: Signal) -> Result<(), Failure> {
        match signal {
            Signal::Started(_) => self.open()?,
            Signal::Down {
                who: Address::Proxy(request),
                why,
                ..
            } => {
                // Inert after its last word. Only a node that stops stops requests.
                let lost = match why {
                    Exit::Stopped => request_proxy::Failure::Stopping,
                    Exit::Normal
                    | Exit::Failed(_)
                    | Exit::Panicked(_)
                    | Exit::Killed
                    | Exit::StartFailed(_)
                    | Exit::NoActor => request_proxy::Failure::Internal,
                };
                self.gate.last(request, Event::Failed(lost));
            }
            Signal::Returned { letter, .. } => match *letter {
                Letter::Observer(observer::Input::Query { query, .. })
                | Letter::GossipStore(_, gossip_store::Input::Admin { query, .. }) => {
                    self.gate.answer(query, None);
                }
                // To a request that is gone: its Down says the same.
                Letter::Proxy(..)
                | Letter::Roster(..)
                | Letter::GossipStore(..)
                | Letter::Session(..)
                | Letter::Router(_)
                | Letter::Worker(..)
                | Letter::Observer(_)
                | Letter::Transport(_)
                | Letter::Stream(..)
                | Letter::Engine(..)
                | Letter::Gateway(_)
                | Letter::Store(_)
                | Letter::Control(_) => {}
            },
            Signal::Down { .. } => {}
        }
        Ok(())
    }
}

impl Driver for HttpGateway {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Letter(Letter::Gateway(command)) => self.command(command),
            Turn::Letter(other) => {
                tracing::warn!(to = %other.to(), "a letter for another actor was dropped");
            }
            Turn::Signal(signal) => self.signal(signal)?,
            Turn::Deadline => {}
        }
        Ok(())
    }

    /// Gives the ports back and lets open connections end what they write; each server bounds its
    /// own wait.
    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.stopping.send_replace(true);
            self.gate.front.close();
            while self.servers.join_next().await.is_some() {}
        })
    }
}
