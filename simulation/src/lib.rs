//! The mesh in virtual time: the production machines, simulated drivers, one seed.
//!
//! A [`Mesh`] is a discrete-event world. Its events stand in one heap ordered by time and sequence
//! number; every draw comes from the seed; nothing reads a clock. Actors are the ones that
//! `mesh-node` runs, built by the same tree and connected by the same switchboard; only network,
//! disk, engines and clients are simulated.
//!
//! ```
//! use simulation::{Ask, Mesh};
//!
//! let mut mesh = Mesh::seed(7).nodes(2).engines(&[0]).build();
//! mesh.run_for(simulation::secs(1));
//! let client = mesh.ask(1, Ask::new(42).max_tokens(16));
//! mesh.run_for(simulation::secs(5));
//! assert_eq!(mesh.answer(client).text, kernel::scripted::text(42, 16));
//! ```

mod builder;
mod checkers;
mod clock;
mod costs;
mod drivers;
mod event;
mod executor;
pub mod marks;
mod mesh;
mod network;
mod node;
mod record;
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
pub use mesh::{Arrivals, Client, ClientId, Mesh, Process, Report};
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
