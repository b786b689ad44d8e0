//! What is wrong with a configuration before anything is started: `config check` and `serve` say
//! the same.

use anyhow::{Result, bail, ensure};
use node::{Config, Engine};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

#[cfg(test)]
mod tests;

/// The one model of the scripted engine.
const SCRIPTED: &str = "scripted";
/// The model that is part of the program.
const BUILTIN: &str = "builtin";

/// Whether the node can start with this: models, engine and addresses fit each other.
///
/// # Errors
/// A sentence that names the file, the key and what to do.
pub(crate) fn check(config: &Config) -> Result<()> {
    let file = config.home.join("config.toml");
    let file = file.display();
    for (key, at) in [("api", config.api), ("console", config.console)] {
        ensure!(
            at.ip().is_loopback() || config.api_key.is_some(),
            "{file}: {key} = \"{at}\": other machines can reach it, so clients must present a \
             key: set api_key_file (--api-key-file), or a loopback address such as 127.0.0.1:{} \
             (--{key})",
            at.port()
        );
    }
    for model in &config.models {
        check_model(model, config.engine, &config.home)
            .map_err(|error| error.context(format!("{file}: models = [\"{model}\"] (--model)")))?;
    }
    Ok(())
}

fn check_model(model: &str, engine: Engine, home: &Path) -> Result<()> {
    match engine {
        Engine::Scripted { .. } => ensure!(
            model == SCRIPTED,
            "the scripted engine serves `scripted` alone: set engine = \"llama\" (--engine llama)"
        ),
        Engine::Llama if model == SCRIPTED => {
            bail!("this model takes engine = \"scripted\" (--engine scripted)")
        }
        Engine::Llama if model == BUILTIN => {}
        Engine::Llama => check_file(model, home)?,
    }
    Ok(())
}

/// Whether a reference leads to a file; what is in it is checked at the start.
fn check_file(model: &str, home: &Path) -> Result<()> {
    let folder = home.join("models");
    if let Some((scheme, _)) = model.split_once("://") {
        bail!(
            "{scheme}:// models are not downloaded: fetch the .gguf file yourself, put it into \
             {} and name it without its folder",
            folder.display()
        );
    }
    let candidates: Vec<PathBuf> = if model.contains(MAIN_SEPARATOR) {
        vec![PathBuf::from(model)]
    } else {
        vec![folder.join(model), folder.join(format!("{model}.gguf"))]
    };
    let looked: Vec<String> = candidates
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    ensure!(
        candidates.iter().any(|path| path.is_file()),
        "{} is no file: put the model there, or name `builtin`",
        looked.join(" or ")
    );
    Ok(())
}
