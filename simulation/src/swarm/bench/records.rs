//! What it costs to bring nodes into agreement over records.

use super::{Figures, SEED, time_to_by};
use crate::event::NodeIndex;
use crate::mesh::About;
use crate::{Mesh, MeshBuilder, Micros, Report, millis, secs};

/// Members that say something, and one more that comes, goes and comes again.
const AUTHORS: usize = 25;
const LATE: NodeIndex = AUTHORS;
/// What changes while it is away.
const CHANGED: u64 = 10;
/// How long it is away, and from its start on everybody's bytes are counted: sessions begin in
/// that time too, and cost the same each time.
const AWAY: Micros = secs(30);
const WINDOW: Micros = secs(30);

/// Time until one node holds what the others hold: one that held nothing, one that
/// was away while nothing changed, and one that was away while ten records did; and the bytes of
/// everybody meanwhile, of which those where nothing changed are what sessions take.
pub(super) fn catch_up(held: u64) -> (Figures, Report) {
    let mut mesh = Mesh::seed(SEED).nodes(AUTHORS + 1).absent(&[LATE]).build();
    let authors: Vec<_> = (0..AUTHORS).collect();
    mesh.run_for(secs(5));
    for author in &authors {
        let at = *author as u64;
        let ids = (at..held).step_by(AUTHORS);
        mesh.publish(*author, About::Session, ids, Some(VALUE));
    }
    let mut agreed = until_alike(&mut mesh, &authors, held);
    let all = returns(&mut mesh, held);
    // Who comes for the second time is told more of the mesh than who comes for the first.
    away(&mut mesh, 0);
    returns(&mut mesh, held);
    away(&mut mesh, 0);
    let none = returns(&mut mesh, held);
    away(&mut mesh, CHANGED.min(held));
    let some = returns(&mut mesh, held);
    agreed &= all.2 && none.2 && some.2;
    let figures = Figures::from([
        ("agreed", u64::from(agreed)),
        ("all_ms", all.0 / 1_000),
        ("all_bytes", all.1),
        ("nothing_changed_bytes", none.1),
        ("ten_changed_ms", some.0 / 1_000),
        ("ten_changed_bytes_more", some.1.saturating_sub(none.1)),
    ]);
    (figures, mesh.report())
}

/// All say as much at once: time and traffic until each holds all of it, then traffic in peace.
pub(super) fn share(nodes: usize, each: u64) -> (Figures, Report) {
    let mut mesh = Mesh::seed(SEED).nodes(nodes).build();
    mesh.run_for(secs(5));
    said_by_all(mesh, nodes, each)
}

/// A crowd of which each knows a few of the others, and says one thing.
pub(super) fn spread(builder: MeshBuilder) -> (Figures, Report) {
    let nodes = builder.nodes;
    let late: Vec<_> = (1..nodes).collect();
    let mut mesh = builder.absent(&late).build();
    mesh.arrive(&late, secs(60));
    mesh.run_for(secs(90));
    said_by_all(mesh, nodes, 1)
}

fn said_by_all(mut mesh: Mesh, nodes: usize, each: u64) -> (Figures, Report) {
    let all: Vec<_> = (0..nodes).collect();
    let (begun, before) = (mesh.time(), mesh.report());
    for node in &all {
        mesh.publish(*node, About::Session, 0..each, Some(VALUE));
    }
    let agreed = until_alike(&mut mesh, &all, each * nodes as u64);
    let (time, after) = (mesh.time() - begun, mesh.report());
    mesh.run_for(secs(60));
    let later = mesh.report();
    let share = nodes as u64;
    let figures = Figures::from([
        ("agreed", u64::from(agreed)),
        ("alike_ms", time / 1_000),
        (
            "kilobytes_per_node",
            (after.bytes - before.bytes) / share / 1_000,
        ),
        (
            "bytes_per_node_and_minute",
            (later.bytes - after.bytes) / share,
        ),
    ]);
    (figures, mesh.report())
}

/// What each record says: as long as a short prompt.
const VALUE: &str = "Answer in one sentence, and say which source it is from; where there is none, \
                     say so and answer nothing. Whoever asks for more is told where to look.";

/// The late node starts: microseconds until it holds as much as the others, the bytes of all in
/// the window, and whether it ever did.
fn returns(mesh: &mut Mesh, held: u64) -> (u64, u64, bool) {
    let (begun, before) = (mesh.time(), mesh.report().bytes);
    mesh.start(LATE);
    let agrees = until_alike(mesh, &[0, LATE], held);
    let alike = mesh.time() - begun;
    mesh.run_for(Micros(WINDOW.0.saturating_sub(alike)));
    (alike, mesh.report().bytes - before, agrees)
}

/// The late node goes, and some of what others say changes.
fn away(mesh: &mut Mesh, changed: u64) {
    mesh.run_for(secs(60));
    mesh.kill(LATE);
    for id in 0..changed {
        let author = usize::try_from(id).unwrap_or(0) % AUTHORS;
        mesh.publish(author, About::Session, [id], Some("changed"));
    }
    mesh.run_for(AWAY);
}

/// Runs until these hold the same, and as many as there are. Tells whether they ever do.
fn until_alike(mesh: &mut Mesh, nodes: &[NodeIndex], held: u64) -> bool {
    let held = held.to_string();
    let alike = |mesh: &Mesh| {
        let holds = |node: &NodeIndex| {
            mesh.record_fact(*node, "records").as_deref() == Some(&*held)
                && mesh.holds_the_same(nodes[0], *node)
        };
        nodes.iter().all(holds)
    };
    time_to_by(mesh, millis(100), alike);
    alike(mesh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_never_hold_as_much_do_not_agree() {
        let mut mesh = Mesh::seed(SEED).nodes(2).build();
        assert!(!until_alike(&mut mesh, &[0, 1], 1));
        mesh.publish(0, About::Session, [1], Some(VALUE));
        assert!(until_alike(&mut mesh, &[0, 1], 1));
    }
}
