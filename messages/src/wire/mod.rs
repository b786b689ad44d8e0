//! Bytes between peers. One folder per version; [`latest`] names the one in use.

pub mod latest;
pub mod v1;
