//! The database: items of networks, memberships, the boot counter.

use crate::home::{Home, HomeError};
use crate::inspect::inspect;
use bytes::Bytes;
use messages::ports::store::{Item, Key, Table};
use messages::roster::Contact;
use messages::{Credential, Label, NetworkId, NodeId};
use redb::{ReadableDatabase, ReadableTable, TableDefinition, TableError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pages held in memory: all of a small network's, and the busy ones of a large one.
const CACHE_BYTES: usize = 32 << 20;
/// Bytes of a row's name, as the contract of the store says.
const ROW_BYTES_MAX: usize = 64;
/// The schema that this program writes.
pub const SCHEMA: u32 = 1;
/// What the database says that it is.
const KIND: &[u8] = b"mesh-node state";

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const ITEMS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("items");
const MEMBERSHIPS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("memberships");

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

/// The open database. Cheap to clone; redb lets one writer in at a time.
#[derive(Clone)]
pub struct Database {
    inner: Arc<redb::Database>,
    path: PathBuf,
}

impl Database {
    /// Opens or makes the database of a home.
    ///
    /// # Errors
    /// [`HomeError::Database`] where it is damaged or foreign, [`HomeError::NewerSchema`] before
    /// anything is written.
    pub fn open(home: &Home) -> Result<Self, HomeError> {
        let path = home.path().join("state.redb");
        let is_new = !path.exists();
        let failed = broken(&path);
        if !is_new {
            inspect(&path)?;
        }
        let inner = redb::Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(&path)
            .map_err(|error| failed(&error))?;
        let database = Self {
            inner: Arc::new(inner),
            path,
        };
        let known = !is_new && {
            let read = database
                .inner
                .begin_read()
                .map_err(|error| failed(&error))?;
            check(&database.path, &read)?
        };
        if !known {
            database.found()?;
        }
        Ok(database)
    }

    /// Counts one boot: durable before it is used.
    ///
    /// # Errors
    /// The write failed.
    pub fn next_boot(&self) -> Result<u64, HomeError> {
        let failed = broken(&self.path);
        let write = self.inner.begin_write().map_err(|error| failed(&error))?;
        let boot = {
            let mut meta = write.open_table(META).map_err(|error| failed(&error))?;
            let last = meta.get("boot").map_err(|error| failed(&error))?;
            let last = last
                .and_then(|value| value.value().try_into().ok())
                .map_or(0, u64::from_le_bytes);
            let boot = last + 1;
            meta.insert("boot", boot.to_le_bytes().as_slice())
                .map_err(|error| failed(&error))?;
            boot
        };
        write.commit().map_err(|error| failed(&error))?;
        Ok(boot)
    }

    /// The networks that this node has joined, in the order of their ids.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn memberships(&self) -> Result<Vec<Membership>, HomeError> {
        let failed = broken(&self.path);
        let read = self.inner.begin_read().map_err(|error| failed(&error))?;
        let table = match read.open_table(MEMBERSHIPS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(failed(&error)),
        };
        let mut found = Vec::new();
        for row in table.iter().map_err(|error| failed(&error))? {
            let (_, value) = row.map_err(|error| failed(&error))?;
            let membership = postcard::from_bytes(value.value())
                .map_err(|error| failed(&format!("a membership is malformed: {error}")))?;
            found.push(membership);
        }
        Ok(found)
    }

    /// Remembers a network; a newer credential replaces an older one.
    ///
    /// # Errors
    /// The write failed: nothing is remembered.
    pub fn join(&self, membership: &Membership) -> Result<(), HomeError> {
        let failed = broken(&self.path);
        let value = postcard::to_stdvec(membership).map_err(|error| failed(&error))?;
        let write = self.inner.begin_write().map_err(|error| failed(&error))?;
        {
            let mut table = write
                .open_table(MEMBERSHIPS)
                .map_err(|error| failed(&error))?;
            let network = membership.network().0;
            table
                .insert(network.as_slice(), value.as_slice())
                .map_err(|error| failed(&error))?;
        }
        write.commit().map_err(|error| failed(&error))
    }

    /// Forgets a network: that it was joined, and everything of it. True where it was known.
    ///
    /// # Errors
    /// The write failed: nothing is forgotten.
    pub fn leave(&self, network: NetworkId) -> Result<bool, HomeError> {
        let failed = broken(&self.path);
        let items = self.load(network)?;
        let write = self.inner.begin_write().map_err(|error| failed(&error))?;
        let known = {
            let mut joined = write
                .open_table(MEMBERSHIPS)
                .map_err(|error| failed(&error))?;
            let mut table = write.open_table(ITEMS).map_err(|error| failed(&error))?;
            for (key, _) in &items {
                table
                    .remove(encode_key(key).as_slice())
                    .map_err(|error| failed(&error))?;
            }
            joined
                .remove(network.0.as_slice())
                .map_err(|error| failed(&error))?
                .is_some()
        };
        write.commit().map_err(|error| failed(&error))?;
        Ok(known)
    }

    /// Everything of a network.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn load(&self, network: NetworkId) -> Result<Vec<Item>, HomeError> {
        let failed = broken(&self.path);
        let read = self.inner.begin_read().map_err(|error| failed(&error))?;
        let table = match read.open_table(ITEMS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(failed(&error)),
        };
        let mut items = Vec::new();
        for row in table
            .range(network.0.as_slice()..)
            .map_err(|error| failed(&error))?
        {
            let (key, value) = row.map_err(|error| failed(&error))?;
            match decode_key(key.value()) {
                Some(key) if key.network == network => {
                    items.push((key, Bytes::copy_from_slice(value.value())));
                }
                Some(_) => break,
                None => {}
            }
        }
        Ok(items)
    }

    /// All of these writes, durable, or none.
    ///
    /// # Errors
    /// The write failed: nothing is written.
    pub fn commit(&self, writes: &[(Key, Option<Bytes>)]) -> Result<(), HomeError> {
        let failed = broken(&self.path);
        if writes.iter().any(|(key, _)| key.row.len() > ROW_BYTES_MAX) {
            return Err(failed(&"the name of a row is too long"));
        }
        let write = self.inner.begin_write().map_err(|error| failed(&error))?;
        {
            let mut table = write.open_table(ITEMS).map_err(|error| failed(&error))?;
            for (key, value) in writes {
                let key = encode_key(key);
                match value {
                    Some(value) => drop(
                        table
                            .insert(key.as_slice(), value.as_ref())
                            .map_err(|error| failed(&error))?,
                    ),
                    None => drop(
                        table
                            .remove(key.as_slice())
                            .map_err(|error| failed(&error))?,
                    ),
                }
            }
        }
        write.commit().map_err(|error| failed(&error))
    }

    /// Over storage that a test controls.
    #[cfg(test)]
    pub(crate) fn over(storage: impl redb::StorageBackend) -> Self {
        let inner = redb::Database::builder()
            .create_with_backend(storage)
            .unwrap();
        Self {
            inner: Arc::new(inner),
            path: PathBuf::from("in memory"),
        }
    }

    /// Says what a new database is.
    fn found(&self) -> Result<(), HomeError> {
        let failed = broken(&self.path);
        let write = self.inner.begin_write().map_err(|error| failed(&error))?;
        {
            let mut meta = write.open_table(META).map_err(|error| failed(&error))?;
            meta.insert("kind", KIND).map_err(|error| failed(&error))?;
            meta.insert("schema", SCHEMA.to_le_bytes().as_slice())
                .map_err(|error| failed(&error))?;
        }
        write.commit().map_err(|error| failed(&error))
    }
}

/// Reads what a database is, and refuses what this program does not know. False: it is empty,
/// because its first start was cut off before the first commit.
pub(crate) fn check(path: &Path, read: &redb::ReadTransaction) -> Result<bool, HomeError> {
    let failed = broken(path);
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(false),
        Err(error) => return Err(failed(&error)),
    };
    let kind = meta.get("kind").map_err(|error| failed(&error))?;
    if kind.is_none_or(|kind| kind.value() != KIND) {
        return Err(failed(&"it is not a database of mesh-node"));
    }
    let schema = meta.get("schema").map_err(|error| failed(&error))?;
    let schema = schema.and_then(|value| value.value().try_into().ok());
    match schema.map(u32::from_le_bytes) {
        Some(SCHEMA) => Ok(true),
        Some(found) if found > SCHEMA => Err(HomeError::NewerSchema {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        }),
        Some(_) | None => Err(failed(&"its schema is unknown")),
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.path.display())
    }
}

pub(crate) fn broken(path: &Path) -> impl Fn(&dyn fmt::Display) -> HomeError + use<> {
    let path = path.to_owned();
    move |why| HomeError::Database {
        path: path.clone(),
        why: why.to_string(),
    }
}

/// Network, table, row: one network's items lie together.
fn encode_key(key: &Key) -> Vec<u8> {
    let table = match key.table {
        Table::Issued => 1,
        Table::Revoked => 2,
        Table::Members => 3,
        Table::Stamps => 4,
    };
    let mut bytes = key.network.0.to_vec();
    bytes.push(table);
    bytes.extend_from_slice(&key.row);
    bytes
}

fn decode_key(bytes: &[u8]) -> Option<Key> {
    let (network, rest) = bytes.split_first_chunk::<32>()?;
    let (table, row) = rest.split_first()?;
    let table = match table {
        1 => Table::Issued,
        2 => Table::Revoked,
        3 => Table::Members,
        4 => Table::Stamps,
        _ => return None,
    };
    Some(Key {
        network: NetworkId(*network),
        table,
        row: Bytes::copy_from_slice(row),
    })
}
