//! Whether the node is ready: every static actor runs, and every network knows where it listens.

use driver_control::{Request, Response, ask};
use driver_http::Readiness;
use host::Directory;
use messages::Address;
use messages::observer::{Fact, FactKey};
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
            while !(self.look() && self.networks_run().await) {
                tokio::time::sleep(START_LOOK).await;
            }
        };
        match tokio::time::timeout(READY_WAIT, ready).await {
            Ok(()) => self.ready.set_ready(),
            Err(_) if self.look() => {
                self.ready
                    .set_not_ready("no address to listen on was found");
            }
            Err(_) => {}
        }
    }

    /// Goes on looking as long as the node runs.
    async fn keep_looking(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let was_ready = self.ready.why_not().is_none();
            if self.look() && (was_ready || self.networks_run().await) {
                self.ready.set_ready();
            }
        }
    }

    /// Whether all static actors run; says so where some do not.
    fn look(&self) -> bool {
        let runs = |who: &&Address| self.directory.depth(**who).is_none();
        let missing: Vec<String> = self
            .expected
            .iter()
            .filter(runs)
            .map(ToString::to_string)
            .collect();
        if !missing.is_empty() {
            let why = format!("not running: {}", missing.join(", "));
            self.ready.set_not_ready(&why);
        }
        missing.is_empty()
    }

    /// Asks over the control socket, as a command would.
    async fn networks_run(&self) -> bool {
        let home = self.home.clone();
        let asked = spawn_blocking(move || ask(&home, &Request::Status)).await;
        let Ok(Ok(Response::Status(_, snapshot))) = asked else {
            return false;
        };
        let listens = |network: &Address| {
            snapshot.facts.iter().any(|(key, fact)| {
                let (FactKey::Network(id), Fact::Network(fact)) = (key, fact) else {
                    return false;
                };
                Address::Roster(*id) == *network && !fact.addrs.is_empty()
            })
        };
        let is_roster = |who: &&Address| matches!(who, Address::Roster(_));
        self.expected.iter().filter(is_roster).all(listens)
    }
}
