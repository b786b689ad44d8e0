//! `mesh-sim`: runs the simulated mesh from the command line.

mod bench;
mod marks;
mod meta;
mod scale;
mod scenarios;
mod shrink;
mod swarm;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, Subcommand};
use simulation::{Ask, Mesh, Micros, Report, State, millis, secs};
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
        /// Looks after every step whether a promise of the mesh is broken.
        #[arg(long, conflicts_with = "bare")]
        checked: bool,
        /// Sessions per node, on average. With it, all join by one ticket, and it is told when
        /// the mesh is one, and what that costs: mesh-sim run --nodes 1000 --degree 6 --arrive 60s
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=448))]
        degree: Option<u16>,
        /// The time over which they arrive.
        #[arg(long, value_parser = scale::span, default_value = "60s", requires = "degree")]
        arrive: Micros,
        /// Of so many nodes one serves a model.
        #[arg(long, default_value_t = 100, requires = "degree")]
        one_serves_of: usize,
        /// Takes no trace and asserts no invariants.
        #[arg(long, requires = "degree")]
        bare: bool,
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
        /// Lets no checker look on: as fast as it goes.
        #[arg(long)]
        unchecked: bool,
    },
    /// Runs the scenario files, some swarm seeds and worlds of its own; fails for each mark of the
    /// sources that none of them came to.
    ///
    /// Example: mesh-sim marks
    Marks(marks::Search),
    /// Makes a failing seed's run short, and writes it into a file that outlives the code's draws.
    ///
    /// Example: mesh-sim shrink --seed 58 --out seed-58.toml
    Shrink {
        /// A seed that `mesh-sim swarm` says fails.
        #[arg(long)]
        seed: u64,
        /// Runs at most.
        #[arg(long, default_value_t = 2_000)]
        attempts: u64,
        /// The file.
        #[arg(long)]
        out: PathBuf,
    },
    /// Runs a file that `mesh-sim shrink` wrote, and says what fails.
    ///
    /// Example: mesh-sim replay seed-58.toml
    Replay {
        /// The file.
        file: PathBuf,
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
        /// Scenarios to measure; all but the long ones unless told.
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

#[expect(clippy::print_stderr, reason = "why a command failed goes there")]
fn main() -> ExitCode {
    match execute(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line: where in this program it was found is nobody's concern.
            eprintln!("mesh-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(command: Command) -> Result<()> {
    match command {
        Command::Run {
            seed,
            nodes,
            tokens,
            kill_at,
            checked,
            degree: None,
            ..
        } => run(seed, (nodes, checked), tokens, kill_at),
        Command::Run {
            seed,
            nodes,
            degree: Some(degree),
            arrive,
            one_serves_of,
            bare,
            checked,
            ..
        } => scale::run(&scale::Crowd {
            seed,
            nodes,
            degree,
            arrive,
            one_serves_of,
            bare,
            checked,
        }),
        Command::Swarm {
            seeds,
            minutes,
            jobs,
            verbose,
            unchecked,
        } => swarm::run(&swarm::Campaign {
            seeds,
            minutes,
            jobs,
            verbose,
            checked: !unchecked,
            draw: simulation::swarm::Plan::draw,
        }),
        Command::Marks(search) => marks::run(&search),
        Command::Shrink {
            seed,
            attempts,
            out,
        } => shrink::run(seed, attempts, &out),
        Command::Replay { file } => shrink::replay(&file),
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
fn run(
    seed: u64,
    (nodes, checked): (usize, bool),
    tokens: u32,
    kill_at: Option<u64>,
) -> Result<()> {
    ensure!(
        nodes >= 3,
        "a mesh of {nodes} nodes has no second holder: use --nodes 3 or more"
    );
    let engines: Vec<usize> = (0..nodes).filter(|node| *node != 1).collect();
    let builder = Mesh::seed(seed).nodes(nodes).engines(&engines);
    let builder = match checked {
        true => builder.checked(),
        false => builder,
    };
    let mut mesh = builder.build();
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
        events: _,
        turns,
        letters,
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
        "time {time_us} µs, turns {turns}, letters {letters}, packets {packets}, bytes {bytes}, \
         crashes {crashes}"
    );
    for violation in mesh.violations() {
        println!("VIOLATION {violation}");
    }
    println!("trace {trace} ({trace_events} events)");
    let violations = mesh.violations().len();
    ensure!(violations == 0, "seed {seed}: {violations} violations");
    ensure!(
        answer.text == simulation::expected_text(seed, tokens),
        "seed {seed}: the text differs from an unbroken run"
    );
    Ok(())
}
