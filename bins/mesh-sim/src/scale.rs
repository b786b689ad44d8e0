//! `mesh-sim run --degree`: a large mesh that one ticket lets in, and what it costs.

use anyhow::{Context as _, Result, bail, ensure};
use simulation::{Graph, Mesh, Micros, secs};
use std::time::Instant;

/// Who comes, and how fast.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) degree: u16,
    pub(crate) arrive: Micros,
    pub(crate) one_serves_of: usize,
    pub(crate) bare: bool,
    pub(crate) checked: bool,
}

/// A span with its unit.
pub(crate) fn span(text: &str) -> Result<Micros> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let number: u64 = digits.parse().context("a span is a number and a unit")?;
    match &text[digits.len()..] {
        "ms" => Ok(Micros::from_millis(number)),
        "s" => Ok(secs(number)),
        "min" => Ok(secs(number.saturating_mul(60))),
        unit => bail!("the unit `{unit}` is not known: use ms, s or min"),
    }
}

/// What came of it.
struct Outcome {
    mesh: Mesh,
    graph: Graph,
    /// When the last came, and when all were one mesh after that.
    arrived: u64,
    connected: Option<u64>,
}

/// Lets all come, and waits until they are one mesh and at rest.
pub(crate) fn run(crowd: &Crowd) -> Result<()> {
    ensure!(crowd.nodes >= 2, "a crowd of {} is none", crowd.nodes);
    #[expect(
        clippy::disallowed_methods,
        reason = "wall speed is shown beside the figures"
    )]
    let begun = Instant::now();
    let outcome = settle(crowd);
    print(crowd, &outcome, begun.elapsed().as_secs_f64());
    let (report, parts) = (outcome.mesh.report(), outcome.graph.parts.len());
    ensure!(report.crashes == 0, "{} actors crashed", report.crashes);
    ensure!(parts == 1, "the mesh has {parts} parts");
    if let Some(first) = outcome.mesh.violations().first() {
        bail!("a promise is broken: {first}");
    }
    Ok(())
}

fn settle(crowd: &Crowd) -> Outcome {
    let late: Vec<usize> = (1..crowd.nodes).collect();
    let of = crowd.one_serves_of.max(1);
    let engines = (0..crowd.nodes).filter(|node| node % of == of / 2);
    let builder = match (crowd.bare, crowd.checked) {
        (true, _) => Mesh::seed(crowd.seed).bare(),
        (false, true) => Mesh::seed(crowd.seed).checked(),
        (false, false) => Mesh::seed(crowd.seed),
    };
    let mut mesh = builder
        .nodes(crowd.nodes)
        .degree(crowd.degree)
        .engines(&engines.collect::<Vec<_>>())
        .absent(&late)
        .one_ticket()
        .build();
    mesh.arrive(&late, crowd.arrive);
    let arrived = mesh.time();
    let mut connected = None;
    loop {
        let graph = mesh.graph();
        if graph.is_connected() {
            connected = connected.or_else(|| Some(mesh.time()));
        }
        let settled = graph.is_connected() && is_settled(&graph, crowd.degree);
        if settled || mesh.time() > arrived + PATIENCE.0 {
            return Outcome {
                mesh,
                graph,
                arrived,
                connected,
            };
        }
        mesh.run_for(secs(1));
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn print(crowd: &Crowd, outcome: &Outcome, wall: f64) {
    let Outcome { mesh, graph, .. } = outcome;
    let report = mesh.report();
    let after = |time: u64| seconds(time.saturating_sub(outcome.arrived));
    let (nodes, arrive) = (crowd.nodes as u64, seconds(crowd.arrive.0));
    println!(
        "seed {} nodes {nodes} degree {}, arriving over {arrive:.0} s",
        crowd.seed, crowd.degree
    );
    println!(
        "sessions per node {} to {}, {:.2} on average",
        graph.least(),
        graph.most(),
        graph.ends() as f64 / nodes as f64
    );
    match outcome.connected {
        Some(at) => println!(
            "one mesh {:.1} s after the last came, at rest after {:.1} s",
            after(at),
            after(mesh.time())
        ),
        None => println!("not one mesh: {} parts", graph.parts.len()),
    }
    let without = (0..crowd.nodes).filter(|node| mesh.models(*node).is_empty());
    println!("nodes that see no model {}", without.count());
    println!(
        "per node: {} packets, {} bytes, {} turns",
        report.packets / nodes,
        report.bytes / nodes,
        report.turns / nodes
    );
    println!(
        "wall {wall:.1} s, {:.1} virtual seconds a second, {:.0} turns a second",
        seconds(report.time_us) / wall,
        report.turns as f64 / wall
    );
    let unknown = || "unknown".to_owned();
    println!("memory at its peak {}", peak().unwrap_or_else(unknown));
    println!("trace {} ({} events)", report.trace, report.trace_events);
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Whether everybody has what it looks for, and nobody more than is kept and a crowd adds to it.
fn is_settled(graph: &Graph, degree: u16) -> bool {
    let seek = usize::from(degree.div_ceil(2));
    graph.least() >= seek && graph.most() <= 5 * seek + 1
}

/// The most memory that this process had, as the kernel says.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

/// How long after the last came it may take.
const PATIENCE: Micros = secs(120);
