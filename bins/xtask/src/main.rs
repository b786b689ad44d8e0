//! Checks that the compiler does not make: `cargo run -p xtask -- all`.
//!
//! Each check is a pure function over texts and tables, so that its tests plant violations in
//! strings; only [`workspace`] and [`run`] touch files and processes.

mod edges;
mod finding;
mod licences;
mod marks;
mod metadata;
mod protocol;
mod source;
mod tidy;
mod workspace;

use anyhow::{Result, bail};
use finding::{Finding, Report};
use metadata::Metadata;
use std::process::ExitCode;
use workspace::Workspace;

const USAGE: &str = "usage: cargo run -p xtask -- COMMAND

  tidy                     rules for files, comments, names, links and pure sources
  edges [--write]          who may depend on whom; --write records the closures of pure crates
  licences                 licences and sources of every dependency
  protocol-hash [--write]  docs/PROTOCOL.md describes the wire as it is; --write records its hash
  marks [--write]          simulation/marks.txt lists every mark; --write records them
  all                      the five checks";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every check that was asked for passed.
fn run(args: &[&str]) -> Result<bool> {
    let found = Workspace::find();
    match args {
        ["tidy"] => Ok(tell("tidy", tidy::run(&found?))),
        ["edges"] => {
            let workspace = found?;
            Ok(tell(
                "edges",
                edges::run(&workspace, &Metadata::load(&workspace)?),
            ))
        }
        ["edges", "--write"] => Ok(tell("edges", edges::write(&found?))),
        ["licences"] => {
            let workspace = found?;
            Ok(tell(
                "licences",
                licences::run(&workspace, &Metadata::load(&workspace)?),
            ))
        }
        ["protocol-hash"] => Ok(tell("protocol-hash", protocol::run(&found?))),
        ["protocol-hash", "--write"] => Ok(tell("protocol-hash", protocol::write(&found?))),
        ["marks"] => Ok(tell("marks", marks::run(&found?))),
        ["marks", "--write"] => Ok(tell("marks", marks::write(&found?))),
        ["all"] => {
            let workspace = found?;
            let metadata = Metadata::load(&workspace)?;
            let passed = [
                tell("tidy", tidy::run(&workspace)),
                tell("edges", edges::run(&workspace, &metadata)),
                tell("licences", licences::run(&workspace, &metadata)),
                tell("protocol-hash", protocol::run(&workspace)),
                tell("marks", marks::run(&workspace)),
            ];
            Ok(passed.iter().all(|passed| *passed))
        }
        _ => bail!("{USAGE}"),
    }
}

/// Prints a report; a check that could not be made counts as one that failed.
fn tell(check: &str, report: Result<Report>) -> bool {
    let report = report.unwrap_or_else(|error| Report {
        findings: vec![Finding::on(check, format!("{error:#}"))],
        summary: "could not be checked".to_owned(),
    });
    for finding in &report.findings {
        say(&finding.to_string());
    }
    let verdict = match report.findings.len() {
        0 => "ok".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    };
    say(&format!("{check}: {verdict}: {}", report.summary));
    report.findings.is_empty()
}

#[expect(clippy::print_stdout, reason = "findings are this program's product")]
fn say(line: &str) {
    println!("{line}");
}
