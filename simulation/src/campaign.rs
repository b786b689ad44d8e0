//! Worlds that come to what drawn seeds and scenario files do not come to: one place each, where
//! there is more of something than there is room for, or an unlikely crossing.
//!
//! Together with those they are the campaign of `mesh-sim marks`, which fails by name for a mark
//! ([`crate::marks`]) that no run came to.

mod authors;
mod crowded;
mod crowds;
mod full;
mod hardships;
mod humans;
mod limits;
mod listed;
mod members;
mod records;
mod storms;
mod streams;
mod words;

use crate::{Mesh, MeshBuilder, secs};

/// Some worlds.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    name: &'static str,
    run: fn(&mut Judge),
}

impl Part {
    const fn new(name: &'static str, run: fn(&mut Judge)) -> Self {
        Self { name, run }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Runs it on this thread. Says what the checkers found.
    #[must_use]
    pub fn run(&self) -> Vec<String> {
        let mut judge = Judge::default();
        (self.run)(&mut judge);
        let said = judge.failures.into_iter();
        said.map(|it| format!("{}: {it}", self.name)).collect()
    }
}

/// Every part.
#[must_use]
pub fn parts() -> Vec<Part> {
    let modules = [
        hardships::PARTS,
        crowds::PARTS,
        members::PARTS,
        storms::PARTS,
        streams::PARTS,
        words::PARTS,
        full::PARTS,
        crowded::PARTS,
        limits::PARTS,
        listed::PARTS,
        records::PARTS,
        authors::PARTS,
        humans::PARTS,
    ];
    modules.concat()
}

/// Keeps what the checkers found.
#[derive(Debug, Default)]
struct Judge {
    failures: Vec<String>,
}

impl Judge {
    fn look(&mut self, mesh: &Mesh) {
        let seed = mesh.world.seed;
        let found = mesh.violations().iter();
        self.failures
            .extend(found.map(|it| format!("seed {seed}: {it}")));
    }
}

/// Nodes that have met, under the checkers' eyes.
fn met(builder: MeshBuilder) -> Mesh {
    let mut mesh = builder.checked().build();
    mesh.run_for(secs(2));
    mesh
}
