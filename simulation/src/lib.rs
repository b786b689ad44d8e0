//! The mesh in virtual time: the production machines, simulated drivers, one seed.
//!
//! A [`Mesh`] is a discrete-event world. Its events stand in one heap ordered by time and sequence
//! number; every draw comes from the seed; nothing reads a clock. Actors are the ones that
//! `mesh-node` runs, built by the same tree and connected by the same switchboard; only network,
//! disk, engines and clients are simulated.
//!
//! ```
//! use simulation::{Ask, Mesh, Nat, PathClass, secs};
//!
//! // Fifty nodes of which the first serves; two are behind NAT boxes that let nobody in.
//! let met = |mesh: &Mesh| (1..50).all(|node| mesh.is_active(node, 0) && mesh.is_active(0, node));
//! let mut mesh = Mesh::seed(7)
//!     .nodes(50)
//!     .engines(&[0])
//!     .nat(48, Nat::PORT_RESTRICTED)
//!     .nat(49, Nat::SYMMETRIC)
//!     .run_until(secs(30), met)
//!     .expect("all meet the owner");
//! assert_eq!(mesh.path_class(49, 0), PathClass::Direct);
//! assert_ne!(mesh.path_class(48, 49), PathClass::Direct);
//!
//! let client = mesh.ask(49, Ask::new(42).max_tokens(16));
//! let answered = |mesh: &Mesh| mesh.answer(client).text == simulation::expected_text(42, 16);
//! assert!(mesh.run_until(secs(5), answered));
//! ```

mod builder;
pub mod campaign;
mod checkers;
mod clock;
mod costs;
mod drivers;
mod event;
mod executor;
#[cfg(feature = "conformance")]
mod free;
mod hostile;
pub mod marks;
mod mesh;
mod network;
mod node;
mod record;
pub mod scenario;
pub mod swarm;
mod world;

#[cfg(test)]
mod tests;

pub use builder::MeshBuilder;
pub use checkers::Violation;
pub use clock::Clock;
pub use costs::{Costs, InputClass, Kind};
pub use drivers::engine::EngineFault;
pub use drivers::gateway::{Answer, Ask, State};
pub use drivers::store::{DiskFault, DiskReport};
#[cfg(feature = "conformance")]
pub use free::FreeMesh;
pub use mesh::{About, Arrivals, Client, ClientId, Graph, Mesh, Process, Report};
pub use network::{
    Counts as NetworkCounts, Dependence, Latency, Nat, Obstacle, PathClass, PathModel, Tail,
};

pub use messages::Micros;

/// A span of whole seconds.
#[must_use]
pub const fn secs(secs: u64) -> Micros {
    Micros::from_secs(secs)
}

/// A span of whole milliseconds.
#[must_use]
pub const fn millis(millis: u64) -> Micros {
    Micros::from_millis(millis)
}

/// What an unbroken run of the scripted engine says.
#[must_use]
pub fn expected_text(seed: u64, tokens: u32) -> String {
    kernel::scripted::text(seed, tokens)
}
