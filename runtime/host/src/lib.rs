//! Machines and drivers as supervised `ractor` actors of one node.
//!
//! ractor's mailboxes are unbounded and its registry is global to the process. Here every mailbox
//! is bounded at its entrance ([`mailbox`](crate)), addresses live in a directory per node, and
//! what becomes of letters, exits and restarts is decided by [`kernel::Switchboard`]. A letter to
//! a live actor takes the fast path: one look into a concurrent map and one cast.

mod actor;
mod clock;
mod directory;
mod door;
mod driver;
mod hive;
mod panics;
mod supervisor;
mod timer;

#[cfg(test)]
mod tests;

pub use actor::{Body, Envelope, Host, HostArgs, Post};
pub use clock::Clock;
pub use directory::Directory;
pub use door::{Gauge, Leaf};
pub use driver::{Driver, DriverFactory, LeafPort, Port};
pub use hive::{Hive, HiveConfig};
pub use supervisor::{Nursery, Supervise, Supervisor};
