//! Whether the node is ready: every static actor runs, and every network knows where it listens.

use driver_control::{Request, Response, ask};
use driver_http::Readiness;
use host::Directory;
use messages::Address;
use messages::observer::{Fact, FactKey, Snapshot};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};

/// How long a start waits before it goes on without being ready.
const READY_WAIT: Duration = Duration::from_secs(10);
/// How often a start looks.
const START_LOOK: Duration = Duration::from_millis(5);
/// How often a running node looks.
const LOOK: Duration = Duration::from_secs(1);

/// Looks, and says what it sees.
pub(crate) struct Lookout {
    pub(crate) directory: Arc<Directory>,
    pub(crate) expected: Vec<Address>,
    pub(crate) home: PathBuf,
    pub(crate) ready: Readiness,
}

impl Lookout {
    /// Waits for the node to be ready, then goes on looking until the set is dropped.
    pub(crate) async fn begin(self) -> JoinSet<()> {
        self.until_ready().await;
        let mut look = JoinSet::new();
        look.spawn(self.keep_looking());
        look
    }

    /// Waits until the node is ready, for a bounded time.
    async fn until_ready(&self) {
        let ready = async {
            while !self.look().await {
                tokio::time::sleep(START_LOOK).await;
            }
        };
        if tokio::time::timeout(READY_WAIT, ready).await.is_err() {
            self.say(judge(&self.missing(), false, false));
        }
    }

    /// Goes on looking as long as the node runs.
    async fn keep_looking(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look().await;
        }
    }

    /// Looks once. Whether the node is ready.
    async fn look(&self) -> bool {
        let missing = self.missing();
        let was_ready = self.ready.why_not().is_none();
        // Who was ready has addresses; who waits for an actor need not ask for them.
        let listens = missing.is_empty() && !was_ready && self.networks_listen().await;
        let verdict = judge(&missing, was_ready, listens);
        let ready = verdict.is_ok();
        self.say(verdict);
        ready
    }

    fn say(&self, verdict: Result<(), String>) {
        match verdict {
            Ok(()) => self.ready.set_ready(),
            Err(why) => self.ready.set_not_ready(&why),
        }
    }

    /// The static actors that do not run.
    fn missing(&self) -> Vec<Address> {
        let runs = |who: &&Address| self.directory.depth(**who).is_some();
        let missing = self.expected.iter().filter(|who| !runs(who));
        missing.copied().collect()
    }

    /// Asks over the control socket, as a command would.
    async fn networks_listen(&self) -> bool {
        let home = self.home.clone();
        let asked = spawn_blocking(move || ask(&home, &Request::Status)).await;
        match asked {
            Ok(Ok(Response::Status(_, snapshot))) => all_listen(&self.expected, &snapshot),
            Ok(_) | Err(_) => false,
        }
    }
}

/// Whether the node is ready, and why not. A network keeps the address that it found: whether
/// `listens` is asked of a node only that was not ready.
fn judge(missing: &[Address], was_ready: bool, listens: bool) -> Result<(), String> {
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        return Err(format!("not running: {}", names.join(", ")));
    }
    match was_ready || listens {
        true => Ok(()),
        false => Err("no address to listen on was found".to_owned()),
    }
}

/// Whether every network says where it listens.
fn all_listen(expected: &[Address], snapshot: &Snapshot) -> bool {
    let listens = |network: &Address| {
        snapshot.facts.iter().any(|(key, fact)| {
            let (FactKey::Network(id), Fact::Network(fact)) = (key, fact) else {
                return false;
            };
            Address::Roster(*id) == *network && !fact.addrs.is_empty()
        })
    };
    let is_roster = |who: &&Address| matches!(who, Address::Roster(_));
    expected.iter().filter(is_roster).all(listens)
}

#[cfg(test)]
pub(crate) mod tests;
