//! The database as an actor: commands in order, one at a time, off the runtime's threads.

use crate::database::Database;
use host::{Driver, Port};
use kernel::{Failure, Turn};
use messages::Letter;
use messages::ports::store::{Command, committed, loaded};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

/// Commands that may wait for the disk: each network commits a few at a time.
const QUEUE_MAX: usize = 1_024;
/// The time for what waits to become durable at a stop.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// The driver.
#[derive(Debug)]
pub struct RedbStore {
    port: Port,
    queue: Option<Sender<Command>>,
    work: JoinSet<()>,
}

impl RedbStore {
    /// A driver over an open database.
    #[must_use]
    pub fn new(database: Database, port: Port) -> Self {
        let (queue, commands) = mpsc::channel(QUEUE_MAX);
        let mut work = JoinSet::new();
        work.spawn(run(database, port.clone(), commands));
        Self {
            port,
            queue: Some(queue),
            work,
        }
    }
}

impl Driver for RedbStore {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let Turn::Letter(Letter::Store(command)) = turn else {
            return Ok(());
        };
        let Some(queue) = &self.queue else {
            return Ok(());
        };
        match queue.try_send(command) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(Command::Commit { asker, token, .. })) => {
                self.port.tell(committed(asker, token, false));
                Ok(())
            }
            Err(TrySendError::Full(Command::Load(_))) => Err(Failure(
                "the disk is too slow: nothing can be loaded".to_owned(),
            )),
            Err(TrySendError::Closed(_)) => Err(Failure("the database is gone".to_owned())),
        }
    }

    fn stop(&mut self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // What is in the queue is done before the task sees it closed.
        self.queue = None;
        Box::pin(async {
            let done = async { while self.work.join_next().await.is_some() {} };
            if timeout(STOP_WAIT, done).await.is_err() {
                tracing::warn!("the disk is too slow: some writes may not be durable");
            }
        })
    }
}

async fn run(database: Database, port: Port, mut commands: Receiver<Command>) {
    while let Some(command) = commands.recv().await {
        let database = database.clone();
        match spawn_blocking(move || execute(&database, command)).await {
            Ok(Ok(letter)) => port.tell(letter),
            Ok(Err(why)) => return port.fail(why),
            Err(error) => return port.fail(error.to_string()),
        }
    }
}

/// Carries a command out; an error means that nothing can be read any more.
fn execute(database: &Database, command: Command) -> Result<Letter, String> {
    match command {
        Command::Load(asker) => database
            .load(asker)
            .map(|items| loaded(asker, items))
            .map_err(|error| error.to_string()),
        Command::Commit {
            asker,
            token,
            writes,
        } => {
            let result = database.commit(&writes);
            if let Err(error) = &result {
                tracing::error!(%error, "a write is lost");
            }
            Ok(committed(asker, token, result.is_ok()))
        }
    }
}
