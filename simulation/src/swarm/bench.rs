//! What the mesh costs, in virtual time and in letters: figures that a seed repeats exactly.

mod records;

use crate::event::NodeIndex;
use crate::{Ask, ClientId, Mesh, MeshBuilder, Report, State, millis, secs};
use messages::{Micros, Neighbourhood};
use std::collections::BTreeMap;

/// Figures of one scenario by name. The unit is the end of the name.
pub type Figures = BTreeMap<&'static str, u64>;

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on the command line and in the baseline.
    pub name: &'static str,
    /// Whether it takes so long that it is measured only where it is named.
    pub long: bool,
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
pub const SCENARIOS: [Scenario; 18] = [
    short("start-10", || start(10, secs(60))),
    short("failover", failover),
    short("degree6-50", || crowd(crowded(50), secs(10), secs(120))),
    short("degree6-50-bare", || {
        crowd(crowded(50).bare(), secs(10), secs(120))
    }),
    short("start-50", || start(50, secs(20))),
    short("late-join", late_join),
    short("catch-up-10", || records::catch_up(10)),
    short("catch-up-100", || records::catch_up(100)),
    short("catch-up-1000", || records::catch_up(1_000)),
    short("catch-up-10000", || records::catch_up(10_000)),
    short("start-200", || start(200, secs(2))),
    long("start-1000", || crowd(crowded(1_000), secs(60), secs(60))),
    long("catch-up-100000", || records::catch_up(100_000)),
    long("spread-50", || records::spread(crowded(50).bare())),
    long("spread-500", || records::spread(crowded(500).bare())),
    long("spread-2000", || records::spread(crowded(2_000).bare())),
    long("share-1000", || records::share(50, 20)),
    long("share-100000", || records::share(50, 2_000)),
];

const fn long(name: &'static str, run: fn() -> (Figures, Report)) -> Scenario {
    Scenario {
        name,
        long: true,
        run,
    }
}

const fn short(name: &'static str, run: fn() -> (Figures, Report)) -> Scenario {
    Scenario {
        name,
        long: false,
        run,
    }
}

/// The seed of every scenario.
const SEED: u64 = 7;
/// A mesh of any size that is measured so is a full one.
const FULL: Neighbourhood = match Neighbourhood::new(200, 800) {
    Ok(neighbourhood) => neighbourhood,
    Err(_) => Neighbourhood::DEFAULT,
};
/// How often it is looked whether a state is reached: no figure of time is finer.
const LOOK: Micros = millis(10);
/// How long anything is waited for.
const PATIENCE: Micros = secs(300);
/// Requests whose server is killed, where those who are killed stay away.
const KILLS: u64 = 3;
/// The same where they come again.
const KILLS_AND_STARTS: u64 = 20;
/// Tokens of each of these requests.
const TOKENS: u32 = 40;

/// All start at once: time and traffic until everybody has a session with everybody, then traffic
/// in peace, then servers that die.
fn start(nodes: usize, peace: Micros) -> (Figures, Report) {
    let builder = Mesh::seed(SEED).nodes(nodes).engines(&holders(nodes));
    let mut mesh = builder.neighbourhood(FULL).build();
    let all: Vec<_> = (0..nodes).collect();
    let converged = time_to(&mut mesh, |mesh| met(mesh, &all));
    let mut figures = joined(&mesh);
    figures.insert("converged_ms", converged / 1_000);
    figures.extend(quiet(&mut mesh, peace));
    figures.extend(killed(&mut mesh, nodes - 1, KILLS, None));
    (figures, mesh.report())
}

/// One ticket lets in nodes of which each has six neighbours, one after the other: time from the
/// last one's start until all are one mesh, and traffic until then, in peace, and where servers
/// die.
fn crowd(builder: MeshBuilder, arrive: Micros, peace: Micros) -> (Figures, Report) {
    let nodes = builder.nodes;
    let late: Vec<_> = (1..nodes).collect();
    // Most nodes have a neighbour that serves, and one that does when it dies.
    let holders: Vec<_> = (1..nodes - 1).step_by(3).collect();
    let mut mesh = builder.engines(&holders).absent(&late).build();
    mesh.arrive(&late[..nodes - 2], arrive);
    mesh.start(nodes - 1);
    let converged = time_to(&mut mesh, |mesh| {
        let graph = mesh.graph();
        graph.is_connected() && graph.least() > 0
    });
    let mut figures = joined(&mesh);
    figures.insert("converged_ms", converged / 1_000);
    figures.extend(quiet(&mut mesh, peace));
    let graph = mesh.graph();
    figures.extend([
        ("parts", graph.parts.len() as u64),
        ("sessions_least", graph.least() as u64),
        ("sessions_most", graph.most() as u64),
        (
            "sessions_of_100_nodes",
            graph.ends() as u64 * 100 / nodes as u64,
        ),
    ]);
    figures.extend(killed(&mut mesh, nodes - 1, KILLS, None));
    (figures, mesh.report())
}

fn crowded(nodes: usize) -> MeshBuilder {
    Mesh::seed(SEED).nodes(nodes).degree(6).one_ticket()
}

/// Four of the nodes have engines: three may die, and the last node asks.
const fn holders(nodes: usize) -> [NodeIndex; 4] {
    [1, nodes / 4, nodes / 2, nodes * 3 / 4]
}

/// Requests whose server is killed at one token after the other.
fn failover() -> (Figures, Report) {
    let nodes = 5;
    let mut mesh = Mesh::seed(SEED).nodes(nodes).engines(&[0, 2, 3, 4]).build();
    let all: Vec<_> = (0..nodes).collect();
    let converged = time_to(&mut mesh, |mesh| met(mesh, &all));
    let mut figures = joined(&mesh);
    figures.insert("converged_ms", converged / 1_000);
    figures.extend(quiet(&mut mesh, secs(4)));
    figures.extend(killed(&mut mesh, 1, KILLS_AND_STARTS, Some(secs(10))));
    (figures, mesh.report())
}

/// One node more comes to fifty that know each other.
fn late_join() -> (Figures, Report) {
    let late = 50;
    let builder = Mesh::seed(SEED).nodes(late + 1).engines(&holders(late));
    let mut mesh = builder.absent(&[late]).build();
    mesh.run_for(secs(5));
    let before = mesh.report();
    mesh.start(late);
    let listed = time_to(&mut mesh, |mesh| !mesh.models(late).is_empty());
    let all: Vec<_> = (0..=late).collect();
    let met = listed + time_to(&mut mesh, |mesh| met_by(mesh, late, &all));
    let after = mesh.report();
    let mut figures = Figures::from([
        ("models_ms", listed / 1_000),
        ("converged_ms", met / 1_000),
        ("packets_of_all", after.packets - before.packets),
        ("bytes_of_all", after.bytes - before.bytes),
    ]);
    figures.extend(quiet(&mut mesh, secs(20)));
    figures.extend(killed(&mut mesh, late, KILLS, None));
    (figures, mesh.report())
}

/// What each node has cost so far.
fn joined(mesh: &Mesh) -> Figures {
    let (share, joined) = (mesh.world.nodes.len() as u64, mesh.report());
    Figures::from([
        ("start_packets_per_node", joined.packets / share),
        ("start_bytes_per_node", joined.bytes / share),
        ("start_letters_per_node", joined.letters / share),
    ])
}

/// What each node costs where nothing happens.
fn quiet(mesh: &mut Mesh, peace: Micros) -> Figures {
    let (share, before) = (mesh.world.nodes.len() as u64, mesh.report());
    mesh.run_for(peace);
    let after = mesh.report();
    let a_minute =
        |of: fn(&Report) -> u64| (of(&after) - of(&before)) * 60_000_000 / peace.0 / share;
    Figures::from([
        ("packets_per_node_and_minute", a_minute(|it| it.packets)),
        ("bytes_per_node_and_minute", a_minute(|it| it.bytes)),
        ("letters_per_node_and_minute", a_minute(|it| it.letters)),
        ("turns_per_node_and_minute", a_minute(|it| it.turns)),
    ])
}

/// Requests of one node, one after the other, whose server is killed at one token after the other;
/// it comes again when the request is over, where `rest` is given, which lasts so long then.
fn killed(mesh: &mut Mesh, asks: NodeIndex, kills: u64, rest: Option<Micros>) -> Figures {
    let (mut first, mut pauses) = (Vec::new(), Vec::new());
    let mut whole = 0;
    for position in 0..kills {
        let asked = mesh.time();
        let client = mesh.ask(asks, Ask::new(position).max_tokens(TOKENS));
        reads(mesh, client, 0);
        first.push(mesh.time() - asked);
        reads(mesh, client, position);
        let server = mesh.answer(client).served_by.and_then(|id| mesh.index(id));
        let server = server.filter(|server| *server != asks);
        if let Some(server) = server {
            mesh.kill(server);
        }
        mesh.run_until(PATIENCE, |mesh| is_over(mesh, client));
        let answer = mesh.answer(client);
        pauses.push(answer.pause_us_max);
        whole += u64::from(answer.text == crate::expected_text(position, TOKENS));
        if let Some(rest) = rest {
            server.into_iter().for_each(|server| mesh.start(server));
            mesh.run_for(rest);
        }
    }
    Figures::from([
        ("first_token_median_us", middle(&mut first)),
        ("first_token_max_us", first.last().copied().unwrap_or(0)),
        ("pause_median_us", middle(&mut pauses)),
        ("pause_max_us", pauses.last().copied().unwrap_or(0)),
        ("whole_answers", whole),
    ])
}

/// Runs until the client has read more pieces of text than these, or will never.
fn reads(mesh: &mut Mesh, client: ClientId, pieces: u64) {
    mesh.run_until(PATIENCE, |mesh| {
        mesh.answer(client).deltas > pieces || is_over(mesh, client)
    });
}

/// Microseconds until it holds.
fn time_to(mesh: &mut Mesh, holds: impl Fn(&Mesh) -> bool) -> u64 {
    time_to_by(mesh, LOOK, holds)
}

/// The same, looked at as often as this.
fn time_to_by(mesh: &mut Mesh, look: Micros, holds: impl Fn(&Mesh) -> bool) -> u64 {
    let begun = mesh.time();
    while !holds(mesh) && mesh.time() - begun < PATIENCE.0 {
        mesh.run_for(look);
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
        assert_eq!(one.0["whole_answers"], KILLS_AND_STARTS);
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
