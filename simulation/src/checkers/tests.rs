//! Each checker catches a bug that is planted in the world around the actors, and says nothing of
//! the same world without it.

mod connected;
mod ends;
mod flows;
mod limits;
mod membership;
pub(crate) mod plant;
mod supervision;
pub(crate) mod wiring;

use crate::{Ask, Mesh, MeshBuilder, secs};
use kernel::{Effect, Mail};
use messages::Address;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Nodes that have met. With an engine at node 0.
fn met(builder: MeshBuilder) -> Mesh {
    let mut mesh = builder.engines(&[0]).checked().build();
    mesh.run_for(secs(2));
    mesh
}

/// Changes what drivers take.
fn ears(mesh: &mut Mesh, ears: impl FnMut(usize, Address, Mail) -> Mail + 'static) {
    mesh.world.plants.ears = Some(Box::new(ears));
}

/// Changes what drivers and machines do.
pub(crate) fn hands(
    mesh: &mut Mesh,
    hands: impl FnMut(usize, Address, Effect) -> Vec<Effect> + 'static,
) {
    mesh.world.plants.hands = Some(Box::new(hands));
}

/// Asserts that this checker says this, before anything else was said; then all is forgotten.
fn caught(mesh: &Mesh, checker: &str, sentence: &str) {
    let found = mesh.violations().iter().find(|it| it.checker == checker);
    let said = found.map(ToString::to_string).unwrap_or_default();
    assert!(
        said.contains(sentence),
        "{said:?} of {:#?}",
        mesh.violations()
    );
}

#[test]
fn a_world_without_a_bug_is_clean() {
    let mut mesh = met(Mesh::seed(1).nodes(3));
    mesh.ask(1, Ask::new(1).max_tokens(200));
    mesh.run_for(secs(150));
    mesh.assert_clean();
}

#[test]
fn clean_is_a_word_of_who_looked() {
    let mesh = Mesh::seed(1).build();
    let said = catch_unwind(AssertUnwindSafe(|| mesh.assert_clean())).unwrap_err();
    let said = said.downcast_ref::<String>().unwrap();
    assert!(said.contains("build the mesh with `.checked()`"), "{said}");
}
