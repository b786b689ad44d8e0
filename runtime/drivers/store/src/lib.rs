//! One node's home: its lock, its keys, its database.
//!
//! ```text
//! home/            0700
//! ├─ lock          held while a node runs; names its process
//! ├─ config.toml   the human's
//! ├─ state.redb    the node's: one writer, kind and schema inside
//! └─ identity/     0700
//!    └─ node.key   0600: the node's ed25519 secret, 64 hex digits
//! ```
//!
//! A damaged key is set aside and the start is refused; it is never replaced in silence. What was
//! committed survives a power cut.

mod database;
mod driver;
mod home;
mod identity;
mod inspect;
mod tables;

#[cfg(test)]
mod tests;

pub use database::{Database, Membership};
pub use driver::RedbStore;
pub use home::{Home, HomeError};
pub use identity::{NodeSigner, load_or_create, random_bytes};
pub use tables::SCHEMA;
