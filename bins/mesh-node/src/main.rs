//! `mesh-node`: parse, build, run.

mod check;
mod cli;
mod commands;
mod file;
mod panics;
mod print;
mod serve;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    panics::mind();
    let first = std::env::args_os().nth(1);
    if first.is_some_and(|first| first == node::ENGINE_MARKER) {
        return node::engine_main();
    }
    match commands::run(cli::Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            print::error(&print::sentence(&error));
            ExitCode::FAILURE
        }
    }
}
