//! `config check` and `config show`.

use crate::cli::Serve;
use crate::file::{self, File};
use crate::{check as whole, print};
use anyhow::Result;
use node::{Config, Engine};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

#[cfg(test)]
mod tests;

/// `mesh-node config check`.
pub(crate) fn check(home: &Path, as_json: bool) -> Result<ExitCode> {
    let mut unknown = Vec::new();
    let fault = examine(home, &mut unknown).err();
    let well = fault.is_none() && unknown.is_empty();
    if as_json {
        print::json(&json!({
            "ok": well,
            "unknown_keys": unknown,
            "error": fault.as_ref().map(print::sentence),
        }));
    } else if let Some(fault) = fault {
        return Err(fault);
    } else if well {
        print::line("ok");
    } else {
        for key in &unknown {
            print::error(&format!("config.toml: the key `{key}` is unknown"));
        }
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn examine(home: &Path, unknown: &mut Vec<String>) -> Result<()> {
    let (file, keys) = File::read(home)?;
    *unknown = keys;
    let serve = Serve::default();
    let config = file::config(home, &file, &serve)?;
    whole::check(&config, &serve)
}

/// `mesh-node config show`.
pub(crate) fn show(home: &Path, as_json: bool) -> Result<()> {
    let (file, _) = File::read(home)?;
    let config = file::config(home, &file, &Serve::default())?;
    if as_json {
        print::json(&shown(&file, &config));
    } else {
        for line in lines(&file, &config) {
            print::line(&line);
        }
    }
    Ok(())
}

/// The configuration in force, for scripts. Of the API key only whether there is one.
fn shown(file: &File, config: &Config) -> Value {
    let (engine, rate) = engine_of(config);
    json!({
        "home": config.home,
        "models": config.models,
        "engine": engine,
        "scripted_rate": rate,
        "api": config.api,
        "console": config.console,
        "listen": config.listen,
        "neighbours_sought": config.neighbourhood.seek(),
        "neighbours_kept": config.neighbourhood.keep(),
        "api_key": config.api_key.is_some(),
        "api_key_file": file.api_key_file,
        "log": log_of(file),
    })
}

/// The same as a file that can be copied: what is no key of it stands in comments.
fn lines(file: &File, config: &Config) -> Vec<String> {
    let (engine, rate) = engine_of(config);
    let text = |text: String| toml::Value::from(text);
    let address = |address: &SocketAddr| text(address.to_string());
    let list = |values: Vec<toml::Value>| toml::Value::from(values);
    let number = |n: usize| toml::Value::Integer(i64::try_from(n).unwrap_or(i64::MAX));
    let key_file = file.api_key_file.as_ref().map(|path| path.display());
    let models = config.models.iter().cloned().map(text).collect();
    let listen = config.listen.iter().map(address).collect();
    let keys = [
        ("models", Some(list(models))),
        ("engine", Some(engine.into())),
        ("scripted_rate", rate.map(toml::Value::from)),
        ("api", Some(address(&config.api))),
        ("console", Some(address(&config.console))),
        ("listen", Some(list(listen))),
        (
            "neighbours_sought",
            Some(number(config.neighbourhood.seek())),
        ),
        ("neighbours_kept", Some(number(config.neighbourhood.keep()))),
        ("api_key_file", key_file.map(|path| text(path.to_string()))),
        ("log", Some(log_of(file).into())),
    ];
    let mut lines = vec![format!("# the home is {}", config.home.display())];
    if config.api_key.is_some() {
        lines.push("# an API key is set, and is not shown".to_owned());
    }
    let set = keys
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    lines.extend(set.map(|(key, value)| format!("{key} = {value}")));
    lines
}

const fn engine_of(config: &Config) -> (&'static str, Option<u32>) {
    match config.engine {
        Engine::Llama => ("llama", None),
        Engine::Scripted { rate } => ("scripted", Some(rate)),
    }
}

fn log_of(file: &File) -> &str {
    file.log.as_deref().unwrap_or("pretty")
}
