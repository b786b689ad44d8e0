//! What the mesh costs, as ratios measured in one run: `make bench`.
//!
//! The client, the nodes and what they are compared with are processes of their own on one
//! machine and share its cores, so a ratio says more than a rate. Every figure is measured in
//! several rounds, all sides in turn; the median is given.

#![expect(clippy::print_stdout, reason = "the report is what the program is for")]

mod bare;
mod client;
mod figures;
mod latency;
mod letters;
mod machine;
mod memory;
mod mesh;
mod rates;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // `cargo bench` passes `--bench`.
        [] | ["--bench"] => all(&["letters", "rates", "latency", "memory"]),
        ["bare-upstream"] => mesh::runtime()?.block_on(bare::upstream()),
        ["bare-proxy", to] => mesh::runtime()?.block_on(bare::proxy(to.to_owned())),
        ["--bench", ref parts @ ..] | ref parts @ [..] => all(parts),
    }
}

fn all(parts: &[&str]) -> Result<()> {
    println!("# mesh-node: what the mesh costs\n");
    println!("{}\n", machine::describe());
    for part in parts {
        match *part {
            "letters" => letters::measure()?,
            "rates" => rates::measure()?,
            "latency" => latency::measure()?,
            "memory" => memory::measure()?,
            other => bail!("no part {other}: letters, rates, latency, memory"),
        }
    }
    Ok(())
}
