//! The asking side, for the command line.

use crate::place::find;
use crate::protocol::{
    ProtocolError, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, Request, Response, decode, encode, length,
};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest a node takes to answer: a durable write on a slow disk.
const ANSWER_WAIT: Duration = Duration::from_secs(20);

/// Why a node did not answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "no node runs on {0}: start it with `mesh-node serve`, or name another home with --home"
    )]
    NotRunning(PathBuf),
    /// The connection broke.
    #[error("the node on {home} did not answer: {source}")]
    Io {
        /// Whose.
        home: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The answer is none.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
}

/// Asks the node that runs on this home.
///
/// # Errors
/// [`ClientError`]. `NotRunning` where nobody listens.
pub fn ask(home: &Path, request: &Request) -> Result<Response, ClientError> {
    let failed = |source| ClientError::Io {
        home: home.to_owned(),
        source,
    };
    let nobody = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    let mut stream = UnixStream::connect(find(home)).map_err(|error| {
        if nobody.contains(&error.kind()) {
            ClientError::NotRunning(home.to_owned())
        } else {
            failed(error)
        }
    })?;
    stream.set_read_timeout(Some(ANSWER_WAIT)).map_err(failed)?;
    stream
        .set_write_timeout(Some(ANSWER_WAIT))
        .map_err(failed)?;
    stream
        .write_all(&encode(request, REQUEST_BYTES_MAX)?)
        .map_err(failed)?;
    let mut head = [0; 4];
    stream.read_exact(&mut head).map_err(failed)?;
    let len = length(head, RESPONSE_BYTES_MAX)?;
    let mut body = Vec::new();
    stream
        .take(len as u64)
        .read_to_end(&mut body)
        .map_err(failed)?;
    Ok(decode(&body)?)
}
