//! Where the socket lies.

use messages::Digest;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket on Linux.
const SOCKET_PATH_MAX: usize = 107;
/// The socket's name in the home.
const SOCKET: &str = "control.sock";
/// Holds the socket's path where the home's own is too long.
const POINTER: &str = "control.path";

/// Why the socket cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The system refused.
    #[error("the control socket {path} cannot be made: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else's folder stands in the way.
    #[error("the folder {0} belongs to another user: remove it or set XDG_RUNTIME_DIR")]
    Foreign(PathBuf),
}

/// A bound socket. Dropping it removes it.
#[derive(Debug)]
pub struct Socket {
    pub(crate) listener: UnixListener,
    path: PathBuf,
    pointer: Option<PathBuf>,
}

impl Socket {
    /// Binds the socket of a home, readable and writable by its user alone. The home's lock is
    /// held by the caller, so a socket that is found there is a dead one.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn bind(home: &Path, runtime: &Path) -> Result<Self, PlaceError> {
        let inside = home.join(SOCKET);
        let (path, pointer) = if inside.as_os_str().len() <= SOCKET_PATH_MAX {
            (inside, None)
        } else {
            let folder = runtime.join("mesh-node");
            own_folder(&folder)?;
            let name = Digest::of(
                "mesh-node control socket",
                &[inside.as_os_str().as_encoded_bytes()],
            );
            (
                folder.join(format!("{:016x}.sock", name.short())),
                Some(home.join(POINTER)),
            )
        };
        let failed = |source| PlaceError::Io {
            path: path.clone(),
            source,
        };
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        if pointer.is_none() {
            // One that an earlier, longer home left behind would lead commands astray.
            let _ = fs::remove_file(home.join(POINTER));
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        if let Some(pointer) = &pointer {
            fs::write(pointer, path.as_os_str().as_encoded_bytes()).map_err(failed)?;
        }
        Ok(Self {
            listener,
            path,
            pointer,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Best effort: a socket that stays behind is replaced at the next start.
        let _ = fs::remove_file(&self.path);
        if let Some(pointer) = &self.pointer {
            let _ = fs::remove_file(pointer);
        }
    }
}

/// The socket of a home, where there may be one.
#[must_use]
pub fn find(home: &Path) -> PathBuf {
    match fs::read_to_string(home.join(POINTER)) {
        Ok(path) if !path.is_empty() => PathBuf::from(path),
        Ok(_) | Err(_) => home.join(SOCKET),
    }
}

/// A folder that only this user can enter.
fn own_folder(folder: &Path) -> Result<(), PlaceError> {
    let failed = |source| PlaceError::Io {
        path: folder.to_owned(),
        source,
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)?;
    let metadata = fs::symlink_metadata(folder).map_err(failed)?;
    let mine = fs::metadata("/proc/self").map_err(failed)?.uid();
    if !metadata.is_dir() || metadata.uid() != mine {
        return Err(PlaceError::Foreign(folder.to_owned()));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)
}
