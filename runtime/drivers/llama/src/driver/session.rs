//! One child's life as the driver sees it.

use super::log::Log;
use super::state::Shared;
use crate::ENGINE_MARKER;
use crate::config::LlamaConfig;
use crate::process::{self, Order};
use crate::protocol::{
    FromChild, LENGTH_BYTES, ModelSetup, Setup, ToChild, body_length, decode, encode,
};
use host::Port;
use messages::{Compute, Digest, Label, List, ModelAdvert};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

/// What a session needs of its driver.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: Arc<LlamaConfig>,
    pub(super) shared: Arc<Shared>,
    pub(super) port: Port,
}

impl Session {
    /// Serves until the child is lost; why it is.
    pub(super) async fn run(&self, commands: Receiver<ToChild>) -> String {
        match self.serve(commands).await {
            Ok(never) => match never {},
            Err(why) => why,
        }
    }

    async fn serve(&self, commands: Receiver<ToChild>) -> Result<Never, String> {
        let setup = ToChild::Load(Box::new(self.setup()?));
        let mut command = self.config.engine_command.clone();
        command.push(ENGINE_MARKER.to_owned());
        let order = Order {
            command,
            environment: self.config.environment.clone(),
        };
        let starting = process::start(format!("engine-{}", self.config.device.0), order)?;
        let lines = timeout(START_WAIT, starting.lines)
            .await
            .map_err(|_| "the engine's process does not start in time".to_owned())?
            .map_err(|_| "the engine's process was not started".to_owned())??;
        lines
            .socket
            .set_nonblocking(true)
            .map_err(|error| error.to_string())?;
        let socket = UnixStream::from_std(lines.socket).map_err(|error| error.to_string())?;
        let log =
            pipe::Receiver::from_owned_fd(lines.log.into()).map_err(|error| error.to_string())?;
        let mut log = Log::new(log, self.port.address());
        let (from_child, to_child) = socket.into_split();
        let why = tokio::select! {
            biased;
            lost = self.read(from_child) => lost,
            lost = self.write(to_child, setup, commands) => lost,
            lost = self.watch() => lost,
            never = async { log.follow().await; std::future::pending().await } => never,
        };
        drop(starting.keeper);
        let ended = timeout(END_WAIT, starting.ended)
            .await
            .ok()
            .and_then(Result::ok);
        let ended = ended.unwrap_or_else(|| "does not end".to_owned());
        // Its last words may still be in the pipe.
        let _ = timeout(LOG_WAIT, log.follow()).await;
        Err(match why {
            Lost::Gone if log.last().is_empty() => format!("the engine's process {ended}"),
            Lost::Gone => format!("the engine's process {ended}: {}", log.last()),
            Lost::Because(why) => why,
        })
    }

    fn setup(&self) -> Result<Setup, String> {
        let LlamaConfig {
            threads,
            slots,
            chunk,
            exact,
            gpu_layers,
            context_max,
            ..
        } = *self.config;
        let models: Result<Vec<ModelSetup>, String> = self
            .config
            .models
            .iter()
            .map(|model| {
                let path = model
                    .path
                    .to_str()
                    .and_then(|path| Label::try_from(path).ok());
                let template = model.header.chat_template.as_deref().map(Label::try_from);
                Ok(ModelSetup {
                    id: model.id(context_max),
                    path: path.ok_or("a model's path is too long or not UTF-8")?,
                    context: model.context(context_max),
                    template: template.transpose().map_err(|error| error.to_string())?,
                })
            })
            .collect();
        let models = List::try_from(models?).map_err(|error| error.to_string())?;
        Ok(Setup {
            threads,
            slots,
            chunk,
            exact,
            gpu_layers,
            models,
        })
    }

    /// Takes what the child says.
    async fn read(&self, mut socket: impl AsyncRead + Unpin) -> Lost {
        loop {
            let message = match read_frame(&mut socket).await {
                Ok(message) => message,
                Err(lost) => return lost,
            };
            self.shared.sign();
            match message {
                FromChild::Loading { permille } => {
                    tracing::info!(engine = %self.port.address(), permille, "loading");
                }
                FromChild::Loaded { build } => {
                    tracing::info!(engine = %self.port.address(), build = %build, "loaded");
                    self.shared.ready(self.adverts(&build));
                }
                FromChild::Refused { why } => return Lost::Because(why.to_string()),
                FromChild::Event(event) => {
                    if let Err(error) = self.shared.on_event(event) {
                        return Lost::Because(error.to_string());
                    }
                }
            }
        }
    }

    /// Gives the child what it is told.
    async fn write(
        &self,
        mut socket: impl AsyncWrite + Unpin,
        setup: ToChild,
        mut commands: Receiver<ToChild>,
    ) -> Lost {
        let mut next = Some(setup);
        while let Some(message) = next {
            let frame = match encode(&message) {
                Ok(frame) => frame,
                Err(error) => return Lost::Because(error.to_string()),
            };
            match timeout(WRITE_WAIT, socket.write_all(&frame)).await {
                Ok(Ok(())) => {}
                // Its end is read as well, and tells more.
                Ok(Err(_)) => break,
                Err(_) => {
                    return Lost::Because("the engine's process does not listen".to_owned());
                }
            }
            next = commands.recv().await;
        }
        std::future::pending().await
    }

    /// Notices a child that owes an answer and gives no sign.
    async fn watch(&self) -> Lost {
        let max = self.config.silence_max;
        loop {
            tokio::time::sleep(WATCH_EVERY).await;
            let now = self.port.now().mono;
            if self
                .shared
                .silent_since()
                .is_some_and(|since| now.since(since) > max)
            {
                return Lost::Because(format!("the engine's process gave no sign for {max}"));
            }
        }
    }

    /// What is served by a child of this build.
    fn adverts(&self, build: &str) -> Vec<ModelAdvert> {
        let config = &self.config;
        let settings = [
            config.threads,
            config.chunk,
            config.gpu_layers,
            u32::from(config.exact),
        ];
        let settings = settings.map(u32::to_le_bytes).concat();
        // What is not exact equals nobody's results, its own of another life included.
        let life = self.port.life();
        let unique = match config.exact {
            true => Vec::new(),
            false => [life.boot, life.n, self.port.now().wall.0]
                .map(u64::to_le_bytes)
                .concat(),
        };
        let compute = |model: &Digest, context: u32| Compute {
            digest: Digest::of(
                "mesh-node llama compute v1",
                &[
                    &model.0,
                    &context.to_le_bytes(),
                    build.as_bytes(),
                    &settings,
                    &unique,
                ],
            ),
            splice: true,
        };
        config
            .models
            .iter()
            .map(|model| {
                let compute = compute(&model.digest, model.context(config.context_max));
                model.advert(config.context_max, compute)
            })
            .collect()
    }
}

/// Why a session is over.
#[derive(Debug)]
enum Lost {
    /// The child ended.
    Gone,
    /// It must end.
    Because(String),
}

/// A session ends by a loss only.
#[derive(Debug)]
enum Never {}

async fn read_frame(socket: &mut (impl AsyncRead + Unpin)) -> Result<FromChild, Lost> {
    let mut length = [0; LENGTH_BYTES];
    socket
        .read_exact(&mut length)
        .await
        .map_err(|_| Lost::Gone)?;
    let length = body_length(length).map_err(|error| Lost::Because(error.to_string()))?;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.map_err(|_| Lost::Gone)?;
    decode(&body).map_err(|error| Lost::Because(error.to_string()))
}

/// Starting a process takes milliseconds; a machine that swaps takes seconds.
const START_WAIT: Duration = Duration::from_secs(10);
/// A killed process is gone at once, unless it waits for a device.
const END_WAIT: Duration = Duration::from_secs(2);
/// The child reads all the time, whatever it computes.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// Long against the time that a look takes, short against any silence that matters.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// The pipe is closed by the child's end, and holds 64 KiB.
const LOG_WAIT: Duration = Duration::from_millis(500);
