//! The home folder and its lock.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why a home cannot be used. Each sentence says what to do.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// The system refused.
    #[error(
        "{path}: {source}: make the folder writable for this user, or name another with \
         --home"
    )]
    Io {
        /// What was touched.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The disk is full.
    #[error("no space is left for {path}: free some on that disk, then try again")]
    DiskFull {
        /// What was to be written.
        path: PathBuf,
    },
    /// No further network can be carried.
    #[error(
        "this node is in {} networks, its own included, and carries no more: join this one with \
         another node, which has a --home of its own",
        messages::limits::NETWORKS_MAX
    )]
    TooManyNetworks,
    /// Another node runs here.
    #[error(
        "another node (process {pid}) runs on {path}: stop it with `mesh-node stop --home \
         {path}`, or name another home with --home"
    )]
    Taken {
        /// Where.
        path: PathBuf,
        /// Whose process, as far as is known.
        pid: String,
    },
    /// The key file is no key.
    #[error(
        "the key {path} is damaged and was set aside as {aside}: put a copy of the key \
         back, or delete the set-aside file and {begun} to begin with a new identity (peers \
         will not know it)",
        begun = begun_of(path).display()
    )]
    DamagedKey {
        /// Which.
        path: PathBuf,
        /// Where it lies.
        aside: PathBuf,
    },
    /// A damaged key lies beside, and none in its place.
    #[error(
        "the node's key is missing and a damaged one lies at {aside}: put a copy of the \
         key back as {path}, or delete the set-aside file and {begun} to begin with a new \
         identity (peers will not know it)",
        begun = begun_of(path).display()
    )]
    SetAsideKey {
        /// Where the key belongs.
        path: PathBuf,
        /// Where the damaged one lies.
        aside: PathBuf,
    },
    /// The home had a key, and has none.
    #[error(
        "the node's key {path} is missing: put a copy back, or delete {begun} to begin \
         with a new identity (peers will not know it)",
        begun = begun_of(path).display()
    )]
    LostKey {
        /// Where the key belongs.
        path: PathBuf,
    },
    /// The home had a database, and has none, or one that nothing was ever written to.
    #[error(
        "the database {path} is missing or empty: restore it from a copy, or delete {begun} \
         to begin with a new one, in which no ticket is revoked and no network is joined",
        begun = begun_of(path).display()
    )]
    LostDatabase {
        /// Where it belongs.
        path: PathBuf,
    },
    /// The database is damaged, or not one of ours.
    #[error(
        "the database {path} cannot be read: {why}: restore it from a copy, or move it and \
         {begun} away to begin with a new one, in which no ticket is revoked and no network \
         is joined",
        begun = begun_of(path).display()
    )]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The database was written by a newer program.
    #[error(
        "the database {path} has schema {found}, and this program knows {known}: use the \
         newer mesh-node that wrote it"
    )]
    NewerSchema {
        /// Which.
        path: PathBuf,
        /// What it has.
        found: u32,
        /// What this program knows.
        known: u32,
    },
}

impl HomeError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| {
            use io::ErrorKind::{QuotaExceeded, StorageFull};
            if matches!(source.kind(), StorageFull | QuotaExceeded) {
                Self::DiskFull { path }
            } else {
                Self::Io { path, source }
            }
        }
    }
}

/// Says that a home has begun: without it, what is missing is made; with it, what is missing was
/// lost.
const BEGUN: &str = "begun";
const BEGUN_SAYS: &str = "This home has a key and a database. While this file is here, neither is \
                          made anew in silence where it is missing.\n";

/// The mark of the home of a key or a database.
fn begun_of(path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(path);
    match folder.file_name() {
        Some(name) if name == IDENTITY => folder.with_file_name(BEGUN),
        Some(_) | None => folder.join(BEGUN),
    }
}

/// The folder of the key.
pub(crate) const IDENTITY: &str = "identity";

/// A locked home. The lock goes with the value, and with the process.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    /// Makes the folder where there is none (0700), and locks it.
    ///
    /// # Errors
    /// [`HomeError::Taken`] and [`HomeError::Io`].
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        private_folder(path)?;
        let path = fs::canonicalize(path).map_err(HomeError::io(path))?;
        let at = path.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&at)
            .map_err(HomeError::io(&at))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The process's number is a courtesy: without it the sentence still holds.
                let _ = lock.read_to_string(&mut pid);
                let pid = if pid.is_empty() {
                    "unknown".to_owned()
                } else {
                    pid
                };
                return Err(HomeError::Taken { path, pid });
            }
            Err(TryLockError::Error(error)) => return Err(HomeError::io(&at)(error)),
        }
        let write = |mut lock: &File| {
            lock.set_len(0)?;
            lock.rewind()?;
            write!(lock, "{}", std::process::id())
        };
        write(&lock).map_err(HomeError::io(&at))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it ever had a key and a database.
    pub(crate) fn has_begun(&self) -> bool {
        self.path.join(BEGUN).exists()
    }

    /// From now on a key or a database that is missing was lost. Both are durable by now.
    pub(crate) fn begin(&self) -> Result<(), HomeError> {
        if self.has_begun() {
            return Ok(());
        }
        let at = self.path.join(BEGUN);
        fs::write(&at, BEGUN_SAYS)
            .and_then(|()| File::open(&at)?.sync_all())
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(HomeError::io(&at))
    }
}

/// A folder that only this user can enter.
pub(crate) fn private_folder(path: &Path) -> Result<(), HomeError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o700)))
        .map_err(HomeError::io(path))
}
