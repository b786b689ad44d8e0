//! `mesh-node serve`.

use crate::check;
use crate::cli::{LogForm, Serve};
use crate::file::{self, File};
use crate::print;
use anyhow::{Context, Result};
use node::{Config, Node};
use serde_json::{Value, json};
use std::path::Path;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use tracing_subscriber::EnvFilter;

/// Signals within this time of the first ask for the same stop: who signals a process and then its
/// group, as `timeout` does, asks once.
const ONE_STOP: Duration = Duration::from_millis(500);

/// Runs a node until it is stopped.
pub(crate) fn run(home: &Path, serve: &Serve, as_json: bool) -> Result<ExitCode> {
    let (file, unknown) = File::read(home)?;
    let config = file::config(home, &file, serve)?;
    check::check(&config, serve)?;
    start_logs(serve.log.or(file.log()?).unwrap_or(LogForm::Pretty));
    for key in unknown {
        tracing::warn!("config.toml: the key `{key}` is unknown and has no effect");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(until_stopped(config, as_json))?;
    Ok(ExitCode::SUCCESS)
}

async fn until_stopped(config: Config, as_json: bool) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let models = config.models.clone();
    let node = Node::start(config).await?;
    if as_json {
        // One line, so that a script can read it while the node runs.
        print::line(&started(&node, &models).to_string());
    } else {
        say_started(&node, &models);
    }
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = node.stop_asked() => {}
    }
    // Running answers have their time to end.
    let mut stopping = pin!(node.stop());
    if timeout(ONE_STOP, &mut stopping).await.is_ok() {
        return Ok(());
    }
    // Who asks again does not want to wait for them.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        biased;
        () = stopping => Ok(()),
        _ = terminate.recv() => at_once(),
        _ = interrupt.recv() => at_once(),
    }
}

/// Ends the process as a power cut would, which the home survives: nothing is told of what was
/// given up.
fn at_once() -> ! {
    std::process::exit(0)
}

/// What a node without a model is told; nothing where it has one.
fn hint(models: &[String]) -> Option<&'static str> {
    let hint = "this node serves no model of its own: add one with --model builtin";
    models.is_empty().then_some(hint)
}

fn say_started(node: &Node, models: &[String]) {
    let addresses = node.addresses();
    print::line(&format!("node {}", node.id()));
    if let Some(hint) = hint(models) {
        print::line(hint);
    }
    print::line(&format!("api http://{}/v1", addresses.api));
    print::line(&format!("management http://{}", addresses.console));
    match node.why_not_ready() {
        None => print::line("ready"),
        Some(why) => print::line(&format!("not ready yet: {why}")),
    }
}

fn started(node: &Node, models: &[String]) -> Value {
    let addresses = node.addresses();
    let why_not = node.why_not_ready();
    json!({
        "node": node.id().to_string(),
        "api": format!("http://{}/v1", addresses.api),
        "management": format!("http://{}", addresses.console),
        "models": models,
        "hint": hint(models),
        "ready": why_not.is_none(),
        "why_not": why_not,
    })
}

pub(crate) fn start_logs(form: LogForm) {
    let filter = EnvFilter::try_from_env("MESH_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,host=info,node=info,job=info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match form {
        LogForm::Pretty => logs.init(),
        LogForm::Json => logs.json().init(),
    }
}
