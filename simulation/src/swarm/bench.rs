//! What the mesh costs, in virtual time and in letters: figures that a seed repeats exactly.

use crate::event::NodeIndex;
use crate::{Ask, ClientId, Mesh, Report, State, millis, secs};
use messages::Micros;
use std::collections::BTreeMap;

/// Figures of one scenario by name. The unit is the end of the name.
pub type Figures = BTreeMap<&'static str, u64>;

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on the command line and in the baseline.
    pub name: &'static str,
    run: fn() -> (Figures, Report),
}

impl Scenario {
    /// Measures it. The report tells how much world it took.
    #[must_use]
    pub fn run(&self) -> (Figures, Report) {
        (self.run)()
    }
}

/// All of them, the cheap ones first.
pub const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "start-10",
        run: || start(10, secs(60)),
    },
    Scenario {
        name: "failover",
        run: failover,
    },
    Scenario {
        name: "start-50",
        run: || start(50, secs(20)),
    },
    Scenario {
        name: "late-join",
        run: late_join,
    },
    Scenario {
        name: "start-200",
        run: || start(200, secs(2)),
    },
];

/// The seed of every scenario.
const SEED: u64 = 7;
/// How often it is looked whether a state is reached: no figure of time is finer.
const LOOK: Micros = millis(10);
/// How long anything is waited for.
const PATIENCE: Micros = secs(300);
/// Requests of the scenario that kills servers.
const KILLS: u64 = 20;

/// All start at once: time and traffic until everybody has a session with everybody, then traffic
/// in peace.
fn start(nodes: usize, peace: Micros) -> (Figures, Report) {
    let mut mesh = Mesh::seed(SEED).nodes(nodes).engines(&[1]).build();
    let all: Vec<_> = (0..nodes).collect();
    let converged = time_to(&mut mesh, |mesh| met(mesh, &all));
    let joined = mesh.report();
    mesh.run_for(peace);
    let quiet = mesh.report();
    let share = nodes as u64;
    let a_minute = |count: u64| count * 60_000_000 / peace.0 / share;
    let figures = Figures::from([
        ("converged_ms", converged / 1_000),
        ("start_packets_per_node", joined.packets / share),
        ("start_bytes_per_node", joined.bytes / share),
        ("start_turns_per_node", joined.turns / share),
        (
            "packets_per_node_and_minute",
            a_minute(quiet.packets - joined.packets),
        ),
        (
            "bytes_per_node_and_minute",
            a_minute(quiet.bytes - joined.bytes),
        ),
        (
            "turns_per_node_and_minute",
            a_minute(quiet.turns - joined.turns),
        ),
    ]);
    (figures, mesh.report())
}

/// Requests whose server is killed at one token after the other.
fn failover() -> (Figures, Report) {
    let mut mesh = Mesh::seed(SEED).nodes(5).engines(&[0, 2, 3, 4]).build();
    mesh.run_for(secs(4));
    let (mut first, mut pauses) = (Vec::new(), Vec::new());
    let mut whole = 0;
    for position in 0..KILLS {
        let asked = mesh.time();
        let client = mesh.ask(1, Ask::new(position).max_tokens(40));
        mesh.run_until(PATIENCE, |mesh| mesh.answer(client).deltas > 0);
        first.push(mesh.time() - asked);
        mesh.run_until(PATIENCE, |mesh| mesh.answer(client).deltas > position);
        let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
        let server = server.filter(|server| *server != 1);
        if let Some(server) = server {
            mesh.kill(server);
        }
        mesh.run_until(PATIENCE, |mesh| is_over(mesh, client));
        let answer = mesh.answer(client);
        pauses.push(answer.pause_us_max);
        whole += u64::from(answer.text == crate::expected_text(position, 40));
        if let Some(server) = server {
            mesh.start(server);
        }
        mesh.run_for(secs(10));
    }
    let figures = Figures::from([
        ("first_token_median_us", middle(&mut first)),
        ("first_token_max_us", first.last().copied().unwrap_or(0)),
        ("pause_median_us", middle(&mut pauses)),
        ("pause_max_us", pauses.last().copied().unwrap_or(0)),
        ("whole_answers", whole),
    ]);
    (figures, mesh.report())
}

/// One node more comes to fifty that know each other.
fn late_join() -> (Figures, Report) {
    let late = 50;
    let builder = Mesh::seed(SEED).nodes(late + 1).engines(&[1]);
    let mut mesh = builder.absent(&[late]).build();
    mesh.run_for(secs(5));
    let before = mesh.report();
    mesh.start(late);
    let listed = time_to(&mut mesh, |mesh| !mesh.models(late).is_empty());
    let all: Vec<_> = (0..=late).collect();
    let met = listed + time_to(&mut mesh, |mesh| met_by(mesh, late, &all));
    let after = mesh.report();
    let figures = Figures::from([
        ("models_ms", listed / 1_000),
        ("sessions_ms", met / 1_000),
        ("packets_of_all", after.packets - before.packets),
        ("bytes_of_all", after.bytes - before.bytes),
    ]);
    (figures, mesh.report())
}

/// Microseconds until it holds.
fn time_to(mesh: &mut Mesh, holds: impl Fn(&Mesh) -> bool) -> u64 {
    let begun = mesh.time();
    while !holds(mesh) && mesh.time() - begun < PATIENCE.0 {
        mesh.run_for(LOOK);
    }
    mesh.time() - begun
}

fn met(mesh: &Mesh, nodes: &[NodeIndex]) -> bool {
    nodes.iter().all(|node| met_by(mesh, *node, nodes))
}

fn met_by(mesh: &Mesh, one: NodeIndex, nodes: &[NodeIndex]) -> bool {
    nodes
        .iter()
        .all(|two| one == *two || mesh.is_active(one, *two) && mesh.is_active(*two, one))
}

fn is_over(mesh: &Mesh, client: ClientId) -> bool {
    !matches!(mesh.answer(client).state, State::Waiting | State::Streaming)
}

/// The median; sorts.
fn middle(figures: &mut [u64]) -> u64 {
    figures.sort_unstable();
    figures.get(figures.len() / 2).copied().unwrap_or(0)
}

/// How far a figure may lie from the baseline's, in a hundred: the same seed gives the same figure
/// until an actor changes, and small changes are no news.
pub const TOLERANCE: u64 = 10;

/// What differs by more than the tolerance.
#[must_use]
pub fn differences(name: &str, figures: &Figures, baseline: &BTreeMap<String, u64>) -> Vec<String> {
    let known = figures.iter().filter_map(|(figure, now)| {
        let Some(then) = baseline.get(*figure) else {
            return Some(format!("{name}.{figure}: {now}, not in the baseline"));
        };
        let apart = now.abs_diff(*then) * 100 > then * TOLERANCE;
        apart.then(|| format!("{name}.{figure}: {now}, {then} in the baseline"))
    });
    let gone = baseline
        .keys()
        .filter(|figure| !figures.contains_key(figure.as_str()))
        .map(|figure| format!("{name}.{figure}: in the baseline alone"));
    known.chain(gone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_repeats_its_figures() {
        let one = failover();
        assert_eq!(one, failover());
        assert_eq!(one.0["whole_answers"], KILLS);
    }

    #[test]
    fn what_lies_outside_the_tolerance_differs() {
        let figures = Figures::from([("a_ms", 109), ("b_ms", 111), ("new_ms", 1)]);
        let baseline = [("a_ms", 100), ("b_ms", 100), ("old_ms", 5)];
        let baseline = baseline.map(|(name, figure)| (name.to_owned(), figure));
        let differences = differences("x", &figures, &BTreeMap::from(baseline));
        let expected = [
            "x.b_ms: 111, 100 in the baseline",
            "x.new_ms: 1, not in the baseline",
            "x.old_ms: in the baseline alone",
        ];
        assert_eq!(differences, expected);
    }
}
