//! What is measured without digests and invariants is the same world.

use crate::{Ask, Mesh, MeshBuilder, Report, secs};

fn run(builder: MeshBuilder) -> Report {
    let mut mesh = builder.nodes(6).engines(&[0, 5]).build();
    mesh.run_for(secs(2));
    mesh.ask(1, Ask::new(7).max_tokens(24));
    mesh.run_for(secs(10));
    mesh.report()
}

#[test]
fn a_bare_world_differs_in_its_digest_alone() {
    let whole = run(Mesh::seed(7));
    let bare = run(Mesh::seed(7).bare());
    assert_ne!(whole.trace, bare.trace);
    let trace = whole.trace;
    assert_eq!(whole, Report { trace, ..bare });
}
