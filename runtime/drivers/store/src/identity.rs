//! The node's key.

use crate::home::{Home, HomeError, IDENTITY, private_folder};
use ed25519_dalek::{Signer as _, SigningKey};
use kernel::Signer;
use messages::{NodeId, Signature};
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The key's name in the identity folder.
const KEY: &str = "node.key";
/// Bytes of a key file that are read at most: 64 digits and a line end, or it is no key.
const KEY_FILE_BYTES_MAX: u64 = 256;

/// The node's key. Prints its public half only.
pub struct NodeSigner(SigningKey);

impl NodeSigner {
    /// The secret, for the transport's TLS identity.
    #[must_use]
    pub fn secret(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

impl Signer for NodeSigner {
    fn node(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(&self.0.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for NodeSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeSigner({})", self.node())
    }
}

/// The node's key; a new one where the home has none and none was damaged.
///
/// # Errors
/// [`HomeError::DamagedKey`], [`HomeError::SetAsideKey`] and [`HomeError::LostKey`] with the way
/// out; [`HomeError::Io`].
pub fn load_or_create(home: &Home) -> Result<NodeSigner, HomeError> {
    let folder = home.path().join(IDENTITY);
    private_folder(&folder)?;
    let path = folder.join(KEY);
    match read(&path) {
        Ok(Some(secret)) => {
            fs::set_permissions(&path, Permissions::from_mode(0o600))
                .map_err(HomeError::io(&path))?;
            Ok(NodeSigner(SigningKey::from_bytes(&secret)))
        }
        Ok(None) => {
            let aside = set_aside(&path)?;
            Err(HomeError::DamagedKey { path, aside })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(aside) = find_set_aside(&folder)? {
                return Err(HomeError::SetAsideKey { path, aside });
            }
            if home.has_begun() {
                return Err(HomeError::LostKey { path });
            }
            let secret = random_bytes().map_err(HomeError::io(&path))?;
            write(&folder, &path, &secret).map_err(HomeError::io(&path))?;
            Ok(NodeSigner(SigningKey::from_bytes(&secret)))
        }
        Err(error) => Err(HomeError::io(&path)(error)),
    }
}

/// 32 bytes from the operating system.
///
/// # Errors
/// The system has none to give.
pub fn random_bytes() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

/// The secret in a file; nothing where the file is no key.
fn read(path: &Path) -> io::Result<Option<[u8; 32]>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    File::open(path)?
        .take(KEY_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    let text = bytes.trim_ascii();
    if text.len() != 64 {
        return Ok(None);
    }
    let mut secret = [0; 32];
    for (byte, pair) in secret.iter_mut().zip(text.chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        let (Some(high), Some(low)) = (
            pair.first().copied().and_then(digit),
            pair.get(1).copied().and_then(digit),
        ) else {
            return Ok(None);
        };
        *byte = u8::try_from(high * 16 + low).unwrap_or(0);
    }
    Ok(Some(secret))
}

/// Writes the key beside its place, makes it durable, then puts it there.
fn write(folder: &Path, path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let beside = folder.join("node.key.new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    for byte in secret {
        write!(file, "{byte:02x}")?;
    }
    writeln!(file)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

fn set_aside(path: &Path) -> Result<PathBuf, HomeError> {
    let mut n = 1;
    loop {
        let aside = path.with_file_name(format!("{KEY}.damaged-{n}"));
        if !aside.exists() {
            fs::rename(path, &aside).map_err(HomeError::io(path))?;
            return Ok(aside);
        }
        n += 1;
    }
}

fn find_set_aside(folder: &Path) -> Result<Option<PathBuf>, HomeError> {
    let damaged = |name: &str| name.starts_with(KEY) && name.contains(".damaged-");
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(HomeError::io(folder))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(damaged)
        })
        .collect();
    found.sort();
    Ok(found.into_iter().next())
}
