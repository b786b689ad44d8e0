//! The engine's process as a program of its own: it does nothing unless a node starts it.

use std::process::ExitCode;

fn main() -> ExitCode {
    driver_llama::engine_main()
}
