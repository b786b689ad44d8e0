//! A fixed campaign comes to every mark.

mod crowds;
mod hardships;
mod members;
mod storms;
mod streams;

use super::swarm;
use crate::marks::{missed, reset, seen, unexpected};
use crate::{Mesh, MeshBuilder, secs};

/// Nodes that have met, under the checkers' eyes.
fn met(builder: MeshBuilder) -> Mesh {
    let mut mesh = builder.checked().build();
    mesh.run_for(secs(2));
    mesh
}

#[test]
fn the_campaign_comes_to_every_mark() {
    reset();
    (0..60).for_each(swarm::run);
    for part in [
        crowds::run,
        hardships::run,
        members::run,
        storms::run,
        streams::run,
    ] {
        part();
    }
    let missed = missed();
    let count = seen().len();
    assert_eq!(missed, Vec::<&str>::new(), "{count} marks were seen");
    assert_eq!(unexpected(), Vec::<&str>::new(), "strike their reasons");
}
