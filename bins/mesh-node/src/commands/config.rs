//! `config check` and `config show`.

use crate::cli::Serve;
use crate::file::{self, File};
use crate::{check as whole, print};
use anyhow::Result;
use node::Engine;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

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
    let (engine, rate) = match config.engine {
        Engine::Llama => ("llama", None),
        Engine::Scripted { rate } => ("scripted", Some(rate)),
    };
    let shown = json!({
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
    });
    if as_json {
        print::json(&shown);
        return Ok(());
    }
    // What is not set is not shown, so that a line can be copied into the file.
    let lines = shown.as_object().into_iter().flatten();
    for (key, value) in lines.filter(|(_, value)| **value != Value::Null) {
        print::line(&format!("{key} = {value}"));
    }
    Ok(())
}
