//! The driver: a worker on one side, the child on the other.

mod log;
mod session;
mod state;

use crate::config::LlamaConfig;
use crate::protocol::ToChild;
use host::{Driver, Port};
use kernel::{Failure, Signal, Turn};
use messages::ports::engine::{Command, Drawn, Event, Stepped};
use messages::{Label, Letter, Refusal};
use session::Session;
use state::{Phase, Shared};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// llama.cpp on one device.
///
/// Its life is the child's: when the child ends, the worker is told [`Event::Failed`] and this
/// life ends with it; the supervisor starts the next one. Where no child can be started at all,
/// it stays and says why to whoever asks.
#[derive(Debug)]
pub struct LlamaEngine {
    config: Arc<LlamaConfig>,
    port: Port,
    shared: Arc<Shared>,
    to_child: Option<mpsc::Sender<ToChild>>,
    tasks: JoinSet<()>,
}

impl LlamaEngine {
    /// A driver that speaks through `port`. The child is started when its life begins.
    ///
    /// # Errors
    /// None: what is wrong is reported to the worker, which shows it.
    pub fn new(config: LlamaConfig, port: Port) -> Result<Self, String> {
        Ok(Self {
            shared: Arc::new(Shared::new(config.device, port.clone())),
            config: Arc::new(config),
            port,
            to_child: None,
            tasks: JoinSet::new(),
        })
    }

    fn start(&mut self) {
        if let Some(why) = self.complaint() {
            return self.shared.refuse(&why);
        }
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        self.to_child = Some(sender);
        let session = Session {
            config: Arc::clone(&self.config),
            shared: Arc::clone(&self.shared),
            port: self.port.clone(),
        };
        self.tasks.spawn(async move {
            let why = session.run(commands).await;
            tracing::warn!(engine = %session.port.address(), %why, "the engine's process is lost");
            session.shared.tell(Event::Failed {
                why: Label::truncated(&why),
            });
            session.port.fail(why);
        });
    }

    /// Why no child can ever be started with this configuration.
    fn complaint(&self) -> Option<String> {
        if !cfg!(feature = "llama") {
            return Some(NOT_BUILT.to_owned());
        }
        let changed = || {
            self.config
                .models
                .iter()
                .find_map(|model| model.unchanged().err())
        };
        self.config.complaint().map(str::to_owned).or_else(changed)
    }

    fn on_command(&mut self, command: Command) {
        match (self.shared.phase(), command) {
            (_, Command::Attach) => {
                for job in self.shared.attach() {
                    self.forward(Command::End(job));
                }
            }
            (Phase::Ready, command) => self.forward(command),
            (Phase::Starting | Phase::Refused, Command::Begin(job)) => {
                let why = Refusal::EngineFailed(Label::truncated("the engine is not ready"));
                self.shared.tell(Event::Rejected { job: job.id, why });
            }
            (Phase::Starting | Phase::Refused, Command::Step(jobs)) => {
                let why = Refusal::EngineFailed(Label::truncated("the engine is not ready"));
                let failed = |job| Stepped {
                    job,
                    drawn: Drawn::Failed(why.clone()),
                };
                self.shared
                    .tell(Event::Stepped(jobs.into_iter().map(failed).collect()));
            }
            (Phase::Starting | Phase::Refused, Command::End(_)) => {}
        }
    }

    fn forward(&self, command: Command) {
        if !self.shared.expect(&command) {
            return;
        }
        let sent = self
            .to_child
            .as_ref()
            .map(|sender| sender.try_send(ToChild::Command(command)));
        if !matches!(sent, Some(Ok(()))) {
            self.port
                .fail("the engine's process does not take its commands".to_owned());
        }
    }
}

impl Driver for LlamaEngine {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        match turn {
            Turn::Letter(Letter::Engine(device, command)) if device == self.config.device => {
                self.on_command(command);
                Ok(())
            }
            Turn::Letter(other) => Err(Failure(format!("a letter to {} came here", other.to()))),
            Turn::Signal(Signal::Started(_)) => {
                self.start();
                Ok(())
            }
            // A worker that is gone took its jobs with it, and a new one begins with Attach.
            Turn::Signal(Signal::Down { .. } | Signal::Returned { .. }) | Turn::Deadline => Ok(()),
        }
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // The child holds nothing that must be saved: it ends with its keeper.
        Box::pin(self.tasks.shutdown())
    }
}

/// Commands that wait while the child's buffer is full: each job has one or two at a time.
const COMMANDS_MAX: usize = 1_024;
/// Why a build without the feature serves nothing.
const NOT_BUILT: &str = "built without llama.cpp";
