//! `mesh-sim`: runs the simulated mesh from the command line.

mod bench;
mod meta;
mod scenarios;
mod swarm;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use simulation::{Ask, Mesh, Report, State, millis, secs};
use std::ops::Range;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(
    version,
    about = "Runs the mesh in virtual time: production actors, one seed"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves a completion across a mesh, kills its server half way, prints the trace's digest.
    ///
    /// Example: mesh-sim run --seed 7
    Run {
        /// Every draw comes from it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Nodes of the mesh, at least 3.
        #[arg(long, default_value_t = 3)]
        nodes: usize,
        /// Tokens of the answer.
        #[arg(long, default_value_t = 64)]
        tokens: u32,
        /// The token at which the serving node is killed; the default kills nobody.
        #[arg(long)]
        kill_at: Option<u64>,
    },
    /// Runs many seeds, each with its own mesh, workload and faults.
    ///
    /// Example: mesh-sim swarm --seeds 0..1000 --minutes 5
    Swarm {
        /// The first seed, and the one after the last.
        #[arg(long, value_parser = seeds)]
        seeds: Range<u64>,
        /// Begins no seed after this time.
        #[arg(long)]
        minutes: Option<f64>,
        /// Seeds that run at once.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// Prints every seed's plan.
        #[arg(long)]
        verbose: bool,
    },
    /// Runs each seed in two processes, in both orders of turns, and compares byte for byte.
    ///
    /// Example: mesh-sim meta --seeds 0..20
    Meta {
        /// The first seed, and the one after the last.
        #[arg(long, value_parser = seeds)]
        seeds: Range<u64>,
    },
    /// Prints a swarm seed's trace: a digest for each round, and the entries that are asked for.
    ///
    /// Example: mesh-sim trace --seed 3 --show 100..120
    Trace {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// Simultaneous turns come in any order.
        #[arg(long)]
        shuffled: bool,
        /// Entries that are shown whole.
        #[arg(long, value_parser = seeds, default_value = "0..0")]
        show: Range<u64>,
    },
    /// Measures the mesh in virtual time and letters, and compares with the committed baseline.
    ///
    /// Example: mesh-sim bench --only start-10 --only failover
    Bench {
        /// Scenarios to measure; all unless told.
        #[arg(long)]
        only: Vec<String>,
        /// The file to compare with.
        #[arg(long, default_value = "simulation/baseline.toml")]
        baseline: PathBuf,
        /// Writes the figures into the file instead.
        #[arg(long)]
        write: bool,
    },
    /// Runs one scenario file and says what does not hold.
    ///
    /// Example: mesh-sim scenario simulation/scenarios/50_server_wedges.toml --seed 3
    Scenario {
        /// The file.
        file: PathBuf,
        /// One seed; the file's own unless told.
        #[arg(long, conflicts_with = "seeds")]
        seed: Option<u64>,
        /// A range of seeds, for example 0..100.
        #[arg(long, value_parser = scenarios::seeds)]
        seeds: Option<scenarios::Seeds>,
    },
    /// Runs every scenario file of a folder with its own seeds.
    ///
    /// Example: mesh-sim scenarios
    Scenarios {
        /// The folder.
        #[arg(long, default_value = "simulation/scenarios")]
        dir: PathBuf,
    },
}

/// `A..B`, or one seed.
fn seeds(text: &str) -> Result<Range<u64>> {
    let number = |text: &str| text.parse().context("not a seed; write A..B");
    match text.split_once("..") {
        Some((start, end)) => Ok(number(start)?..number(end)?),
        None => number(text).map(|seed| seed..seed + 1),
    }
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Run {
            seed,
            nodes,
            tokens,
            kill_at,
        } => run(seed, nodes, tokens, kill_at),
        Command::Swarm {
            seeds,
            minutes,
            jobs,
            verbose,
        } => swarm::run(&swarm::Campaign {
            seeds,
            minutes,
            jobs,
            verbose,
        }),
        Command::Meta { seeds } => meta::run(seeds),
        Command::Trace {
            seed,
            shuffled,
            show,
        } => meta::print_trace(seed, shuffled, show),
        Command::Bench {
            only,
            baseline,
            write,
        } => bench::run(&only, &baseline, write),
        Command::Scenario { file, seed, seeds } => {
            let seeds = seed.map(|seed| scenarios::Seeds(vec![seed])).or(seeds);
            scenarios::one(&file, seeds)
        }
        Command::Scenarios { dir } => scenarios::all(&dir),
    }
}

#[expect(clippy::print_stdout, reason = "the report is what the command is for")]
fn run(seed: u64, nodes: usize, tokens: u32, kill_at: Option<u64>) -> Result<()> {
    ensure!(
        nodes >= 3,
        "a mesh of {nodes} nodes has no second holder: use --nodes 3 or more"
    );
    let engines: Vec<usize> = (0..nodes).filter(|node| *node != 1).collect();
    let mut mesh = Mesh::seed(seed).nodes(nodes).engines(&engines).build();
    mesh.run_for(secs(2) + millis(20).times(nodes as u64));
    let client = mesh.ask(1, Ask::new(seed).max_tokens(tokens));
    if let Some(position) = kill_at {
        mesh.run_until(secs(600), |mesh| {
            mesh.answer(client).served_by.is_some()
                && engines.iter().any(|node| mesh.drawn(*node) >= position)
        });
        if let Some(server) = mesh.answer(client).served_by.and_then(|id| mesh.index(id)) {
            mesh.kill(server);
        }
    }
    let over = mesh.run_until(secs(600), |mesh| {
        !matches!(mesh.answer(client).state, State::Waiting | State::Streaming)
    });
    ensure!(over, "seed {seed}: the request hangs");
    let answer = mesh.answer(client);
    let Report {
        time_us,
        turns,
        trace_events,
        trace,
        packets,
        bytes,
        crashes,
    } = mesh.report();
    println!("seed {seed} nodes {nodes} tokens {tokens}");
    println!(
        "answer {:?}, {} bytes, longest pause {} µs",
        answer.state,
        answer.text.len(),
        answer.pause_us_max
    );
    println!(
        "time {time_us} µs, turns {turns}, packets {packets}, bytes {bytes}, crashes {crashes}"
    );
    println!("trace {trace} ({trace_events} events)");
    ensure!(
        answer.text == simulation::expected_text(seed, tokens),
        "seed {seed}: the text differs from an unbroken run"
    );
    Ok(())
}
