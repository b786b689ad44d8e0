//! The database: items of networks, memberships, the boot counter.

use crate::home::{Home, HomeError};
use crate::inspect::inspect;
use crate::tables::{self, CACHE_BYTES, Fault};
use bytes::Bytes;
use messages::limits::NETWORKS_MAX;
use messages::ports::store::{Asker, Item, Key};
use messages::roster::Contact;
use messages::{Credential, Label, NetworkId, NodeId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};

/// Networks to join: the node's own is carried besides.
const MEMBERSHIPS_MAX: usize = NETWORKS_MAX - 1;

/// A network that this node has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// Whose network.
    pub owner: NodeId,
    /// Which of the owner's.
    pub label: Label<{ messages::limits::NAME_BYTES_MAX }>,
    /// Why this node belongs.
    pub credential: Credential,
    /// Whom to meet first.
    pub contacts: Vec<Contact>,
}

impl Membership {
    /// The network.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        messages::network_of(self.owner, &self.label)
    }
}

/// The open database. Cheap to clone; one caller at a time.
///
/// A disk that failed once makes redb refuse everything until it is opened again. So after a
/// failure the next call opens it anew: a disk that has room again is used again.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Mutex<Option<redb::Database>>>,
    opener: Arc<Opener>,
    path: PathBuf,
}

type Opener = dyn Fn() -> Result<redb::Database, redb::DatabaseError> + Send + Sync;

impl Database {
    /// Opens or makes the database of a home.
    ///
    /// # Errors
    /// [`HomeError::Database`] where it is damaged or foreign, [`HomeError::NewerSchema`] and
    /// [`HomeError::LostDatabase`], before anything is written.
    pub fn open(home: &Home) -> Result<Self, HomeError> {
        let path = home.path().join("state.redb");
        let is_there = fs::metadata(&path).is_ok_and(|file| file.len() > 0);
        if home.has_begun() && !is_there {
            return Err(HomeError::LostDatabase { path });
        }
        if is_there && !inspect(&path)? && home.has_begun() {
            return Err(HomeError::LostDatabase { path });
        }
        let at = path.clone();
        let database = Self::opened_by(path, move || {
            redb::Database::builder()
                .set_cache_size(CACHE_BYTES)
                .create(&at)
        });
        database.with(tables::found)?;
        // A new file's name is durable only with its folder.
        let folder = File::open(home.path()).and_then(|folder| folder.sync_all());
        folder.map_err(HomeError::io(home.path()))?;
        home.begin()?;
        Ok(database)
    }

    /// Counts one boot: durable before it is used.
    ///
    /// # Errors
    /// The write failed.
    pub fn next_boot(&self) -> Result<u64, HomeError> {
        self.with(tables::next_boot)
    }

    /// The networks that this node has joined, in the order of their ids.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn memberships(&self) -> Result<Vec<Membership>, HomeError> {
        self.with(tables::memberships)
    }

    /// Remembers a network; a newer credential replaces an older one.
    ///
    /// # Errors
    /// The node is in as many networks as it can carry, or the write failed: nothing is remembered.
    pub fn join(&self, membership: &Membership) -> Result<(), HomeError> {
        self.join_all(slice::from_ref(membership))
    }

    /// Remembers all of these networks, or none.
    ///
    /// # Errors
    /// As of [`Database::join`].
    pub fn join_all(&self, memberships: &[Membership]) -> Result<(), HomeError> {
        if memberships.is_empty() {
            return Ok(());
        }
        let joined = self.memberships()?;
        let known: BTreeSet<_> = joined.iter().map(Membership::network).collect();
        let added = memberships.iter().map(Membership::network);
        let all: BTreeSet<_> = added.chain(known.iter().copied()).collect();
        if all.len() > known.len().max(MEMBERSHIPS_MAX) {
            return Err(HomeError::TooManyNetworks);
        }
        self.with(|inner| tables::join(inner, memberships))
    }

    /// Forgets a network: that it was joined, and everything of it. True where it was known.
    ///
    /// # Errors
    /// The write failed: nothing is forgotten.
    pub fn leave(&self, network: NetworkId) -> Result<bool, HomeError> {
        self.with(|inner| tables::leave(inner, network))
    }

    /// Everything of a network.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn load(&self, asker: Asker) -> Result<Vec<Item>, HomeError> {
        self.with(|inner| tables::load(inner, asker))
    }

    /// All of these writes, durable, or none.
    ///
    /// # Errors
    /// The write failed: nothing is written.
    pub fn commit(&self, writes: &[(Key, Option<Bytes>)]) -> Result<(), HomeError> {
        self.with(|inner| tables::commit(inner, writes))
    }

    pub(crate) fn opened_by(
        path: PathBuf,
        opener: impl Fn() -> Result<redb::Database, redb::DatabaseError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            inner: Arc::default(),
            opener: Arc::new(opener),
            path,
        }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&redb::Database) -> Result<T, Fault>,
    ) -> Result<T, HomeError> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let result = match &*inner {
            Some(open) => work(open),
            None => (self.opener)()
                .map_err(Fault::from)
                .and_then(|opened| work(inner.insert(opened))),
        };
        result.map_err(|fault| {
            *inner = None;
            fault.at(&self.path)
        })
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.path.display())
    }
}
