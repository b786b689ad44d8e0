//! A look at a database before it is opened.
//!
//! Opening a database for writing changes its file, and reading damaged pages can panic inside the
//! library. So a copy in memory is opened first: it is repaired there after a crash, checked page
//! by page, and asked what it is. Nothing is written to a database that is then refused.

use crate::home::HomeError;
use crate::tables::{Fault, check};
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Looks at the database in this file. False: nothing was ever written to it.
///
/// # Errors
/// [`HomeError::Database`] where it is damaged or foreign, [`HomeError::NewerSchema`].
pub(crate) fn inspect(path: &Path) -> Result<bool, HomeError> {
    let size = fs::metadata(path).map_err(HomeError::io(path))?.len();
    if size > INSPECTED_BYTES_MAX {
        tracing::warn!(
            size,
            "the database is too large to be checked as a whole at the start"
        );
        return Ok(true);
    }
    let bytes = fs::read(path).map_err(HomeError::io(path))?;
    catch_unwind(AssertUnwindSafe(|| look(bytes)))
        .unwrap_or_else(|_| Err(Fault::Content("its pages contradict each other".to_owned())))
        .map_err(|fault| fault.at(path))
}

fn look(bytes: Vec<u8>) -> Result<bool, Fault> {
    let copy = Copy(Mutex::new(bytes));
    let mut builder = redb::Database::builder();
    let mut database = builder
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(copy)?;
    // What a crash leaves is repaired by the opening. What must be repaired after it is damage:
    // the repair would lose commits in silence.
    if !database.check_integrity()? {
        return Err(Fault::Content(
            "some of its pages are not what was written".to_owned(),
        ));
    }
    check(&redb::ReadableDatabase::begin_read(&database)?)
}

/// A file's bytes, changed in memory only.
#[derive(Debug)]
struct Copy(Mutex<Vec<u8>>);

impl Copy {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl redb::StorageBackend for Copy {
    fn len(&self) -> io::Result<u64> {
        u64::try_from(self.bytes().len()).map_err(io::Error::other)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes();
        let found = span(offset, out.len()).and_then(|span| bytes.get(span));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        // A damaged header may ask for any size.
        if len > COPY_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes().resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.bytes();
        let found = span(offset, data.len()).and_then(|span| bytes.get_mut(span));
        found
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        Ok(())
    }
}

fn span(offset: u64, len: usize) -> Option<std::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(len)?)
}

/// The largest database that is checked as a whole: it takes a second or so per 256 MiB, and a
/// network of the largest size takes a tenth of that.
const INSPECTED_BYTES_MAX: u64 = 256 << 20;
/// A repair may enlarge the copy.
const COPY_BYTES_MAX: usize = 512 << 20;
/// Pages that are held twice while the copy is checked.
const CACHE_BYTES: usize = 4 << 20;
