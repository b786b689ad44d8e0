//! What is wrong with a configuration before anything is started: `config check` and `serve` say
//! the same.

use crate::cli::Serve;
use crate::file::place;
use anyhow::{Result, anyhow, bail, ensure};
use node::{ApiKey, BUILTIN, Config, Engine, gguf, locate};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

#[cfg(test)]
mod tests;

/// The one model of the scripted engine.
const SCRIPTED: &str = "scripted";

/// Whether the node can start with this: models, engine and addresses fit each other.
///
/// # Errors
/// A sentence that names the flag, or the file and its key, and what to do.
pub(crate) fn check(config: &Config, flags: &Serve) -> Result<()> {
    let home = &config.home;
    if let Some(key) = &config.api_key {
        let at = place(home, flags.api_key_file.is_some(), "api_key_file");
        ApiKey::new(key).map_err(|why| anyhow!("{at}: {why}"))?;
    }
    for (key, addr, is_flag) in [
        ("api", config.api, flags.api.is_some()),
        ("console", config.console, flags.console.is_some()),
    ] {
        ensure!(
            addr.port() != 0 || is_flag,
            "{}: port 0 would be another one at each start, which no client could find: name one",
            place(home, is_flag, key)
        );
        ensure!(
            addr.ip().is_loopback() || config.api_key.is_some(),
            "{}: other machines can reach {addr}, so clients must present a key: set {}, or a \
             loopback address such as 127.0.0.1:{}",
            place(home, is_flag, key),
            if is_flag {
                "--api-key-file"
            } else {
                "api_key_file"
            },
            addr.port()
        );
    }
    let is_flag = !flags.models.is_empty();
    let at = place(home, is_flag, if is_flag { "model" } else { "models" });
    for model in &config.models {
        let engine = Chosen {
            engine: config.engine,
            is_flag: is_flag || flags.engine.is_some(),
        };
        check_model(model, &engine, home).map_err(|why| anyhow!("{at} {model}: {why}"))?;
    }
    Ok(())
}

/// The engine, and how another one is chosen.
struct Chosen {
    engine: Engine,
    is_flag: bool,
}

impl Chosen {
    fn another(&self, name: &str) -> String {
        match self.is_flag {
            true => format!("--engine {name}"),
            false => format!("engine = \"{name}\""),
        }
    }
}

fn check_model(model: &str, engine: &Chosen, home: &Path) -> Result<()> {
    match engine.engine {
        Engine::Scripted { .. } => ensure!(
            model == SCRIPTED,
            "the scripted engine serves `{SCRIPTED}` alone: set {}",
            engine.another("llama")
        ),
        Engine::Llama if model == SCRIPTED => {
            bail!("this model takes {}", engine.another(SCRIPTED))
        }
        Engine::Llama => {
            if model != BUILTIN {
                check_file(model, home)?;
            }
            ensure!(
                cfg!(feature = "llama"),
                "this mesh-node was built without llama.cpp: build it with `cargo build \
                 --release -p mesh-node`, or serve `{SCRIPTED}` with {}",
                engine.another(SCRIPTED)
            );
        }
    }
    Ok(())
}

/// Whether a reference leads to a file whose header makes sense. Reading all of it is left to the
/// start: files are large.
fn check_file(model: &str, home: &Path) -> Result<()> {
    let path = locate(model, home).map_err(|why| anyhow!(why))?;
    let fault = |why: &dyn std::fmt::Display| anyhow!("{}: {why}", path.display());
    let file = File::open(&path).map_err(|error| fault(&error))?;
    let length = file.metadata().map_err(|error| fault(&error))?.len();
    gguf::read_header(BufReader::new(file), length).map_err(|error| fault(&error))?;
    Ok(())
}
