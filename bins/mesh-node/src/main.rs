//! `mesh-node`: parse, build, run.

mod check;
mod cli;
mod commands;
mod file;
mod print;
mod serve;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(node::ENGINE_MARKER) {
        return node::engine_main();
    }
    match commands::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // One clear line: the causes are part of the sentence.
            print::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
