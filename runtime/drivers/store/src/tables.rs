//! What lies in the database, and in which form.

use crate::database::Membership;
use crate::home::HomeError;
use bytes::Bytes;
use messages::NetworkId;
use messages::ports::store::{Asker, Item, Key, Table};
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
};
use std::io;
use std::path::Path;

/// The schema that this program writes.
pub const SCHEMA: u32 = 1;
/// What the database says that it is.
const KIND: &[u8] = b"mesh-node state";
/// Pages held in memory: all of a small network's, and the busy ones of a large one.
pub(crate) const CACHE_BYTES: usize = 32 << 20;
/// Bytes of a row's name, as the contract of the store says.
const ROW_BYTES_MAX: usize = 64;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const ITEMS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("items");
const MEMBERSHIPS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("memberships");

/// What is wrong with a database, or with the disk under it.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The library says so.
    Redb(redb::Error),
    /// Its content is not what this program writes.
    Content(String),
    /// A newer program wrote it.
    Newer(u32),
}

macro_rules! faults {
    ($($error:ty),+) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Redb(error.into())
            }
        })+
    };
}

faults!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError
);

impl From<postcard::Error> for Fault {
    fn from(error: postcard::Error) -> Self {
        Self::Content(format!("a membership is malformed: {error}"))
    }
}

impl Fault {
    /// The sentence for the database in this file. A disk that takes nothing is no damage.
    pub(crate) fn at(self, path: &Path) -> HomeError {
        let why = match self {
            Self::Redb(redb::Error::Io(source)) if is_of_the_place(source.kind()) => {
                return HomeError::io(path)(source);
            }
            Self::Redb(error) => error.to_string(),
            Self::Content(why) => why,
            Self::Newer(found) => {
                return HomeError::NewerSchema {
                    path: path.to_owned(),
                    found,
                    known: SCHEMA,
                };
            }
        };
        HomeError::Database {
            path: path.to_owned(),
            why,
        }
    }
}

/// Whether a fault lies with where the file is, and not with what is in it.
const fn is_of_the_place(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Reads what a database is, and refuses what this program does not know. False: it is empty,
/// because its first start was cut off before the first commit.
pub(crate) fn check(read: &ReadTransaction) -> Result<bool, Fault> {
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if meta.get("kind")?.is_none_or(|kind| kind.value() != KIND) {
        return Err(Fault::Content(
            "it is not a database of mesh-node".to_owned(),
        ));
    }
    let schema = meta
        .get("schema")?
        .and_then(|value| value.value().try_into().ok());
    match schema.map(u32::from_le_bytes) {
        Some(SCHEMA) => Ok(true),
        Some(found) if found > SCHEMA => Err(Fault::Newer(found)),
        Some(_) | None => Err(Fault::Content("its schema is unknown".to_owned())),
    }
}

/// Says what a new database is; checks one that is not.
pub(crate) fn found(database: &Database) -> Result<(), Fault> {
    if check(&database.begin_read()?)? {
        return Ok(());
    }
    let write = database.begin_write()?;
    {
        let mut meta = write.open_table(META)?;
        meta.insert("kind", KIND)?;
        meta.insert("schema", SCHEMA.to_le_bytes().as_slice())?;
    }
    Ok(write.commit()?)
}

pub(crate) fn next_boot(database: &Database) -> Result<u64, Fault> {
    let write = database.begin_write()?;
    let boot = {
        let mut meta = write.open_table(META)?;
        let last = match meta.get("boot")? {
            None => 0,
            Some(value) => {
                let bytes = value.value().try_into();
                let bytes = bytes
                    .map_err(|_| Fault::Content("the boot counter is no number".to_owned()))?;
                u64::from_le_bytes(bytes)
            }
        };
        let boot = last + 1;
        meta.insert("boot", boot.to_le_bytes().as_slice())?;
        boot
    };
    write.commit()?;
    Ok(boot)
}

pub(crate) fn memberships(database: &Database) -> Result<Vec<Membership>, Fault> {
    let read = database.begin_read()?;
    let table = match read.open_table(MEMBERSHIPS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut found = Vec::new();
    for row in table.iter()? {
        found.push(postcard::from_bytes(row?.1.value())?);
    }
    Ok(found)
}

pub(crate) fn join(database: &Database, memberships: &[Membership]) -> Result<(), Fault> {
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(MEMBERSHIPS)?;
        for membership in memberships {
            let value = postcard::to_stdvec(membership)?;
            table.insert(membership.network().0.as_slice(), value.as_slice())?;
        }
    }
    Ok(write.commit()?)
}

pub(crate) fn leave(database: &Database, network: NetworkId) -> Result<bool, Fault> {
    let mut items = Vec::new();
    for asker in Asker::all(network) {
        items.extend(load(database, asker)?);
    }
    let write = database.begin_write()?;
    let known = {
        let mut joined = write.open_table(MEMBERSHIPS)?;
        let mut table = write.open_table(ITEMS)?;
        for (key, _) in &items {
            table.remove(encode_key(key).as_slice())?;
        }
        joined.remove(network.0.as_slice())?.is_some()
    };
    write.commit()?;
    Ok(known)
}

pub(crate) fn load(database: &Database, asker: Asker) -> Result<Vec<Item>, Fault> {
    let read = database.begin_read()?;
    let table = match read.open_table(ITEMS) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let mut items = Vec::new();
    for row in table.range(asker.network().0.as_slice()..)? {
        let (key, value) = row?;
        match decode_key(key.value()) {
            Some(key) if key.network != asker.network() => break,
            Some(key) if asker.owns(key.table) => {
                items.push((key, Bytes::copy_from_slice(value.value())));
            }
            Some(_) | None => {}
        }
    }
    Ok(items)
}

pub(crate) fn commit(database: &Database, writes: &[(Key, Option<Bytes>)]) -> Result<(), Fault> {
    if writes.iter().any(|(key, _)| key.row.len() > ROW_BYTES_MAX) {
        return Err(Fault::Content("the name of a row is too long".to_owned()));
    }
    let write = database.begin_write()?;
    {
        let mut table = write.open_table(ITEMS)?;
        for (key, value) in writes {
            let key = encode_key(key);
            match value {
                Some(value) => drop(table.insert(key.as_slice(), value.as_ref())?),
                None => drop(table.remove(key.as_slice())?),
            }
        }
    }
    Ok(write.commit()?)
}

/// Network, table, row: one network's items lie together.
fn encode_key(key: &Key) -> Vec<u8> {
    let table = match key.table {
        Table::Issued => 1,
        Table::Revoked => 2,
        Table::Members => 3,
        Table::Stamps => 4,
        Table::Records => 5,
        Table::Authors => 6,
        Table::Settings => 7,
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
        5 => Table::Records,
        6 => Table::Authors,
        7 => Table::Settings,
        _ => return None,
    };
    Some(Key {
        network: NetworkId(*network),
        table,
        row: Bytes::copy_from_slice(row),
    })
}
