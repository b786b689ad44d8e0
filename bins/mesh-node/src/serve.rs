//! `mesh-node serve`.

use crate::check;
use crate::cli::{LogForm, Serve};
use crate::file::{self, File};
use crate::print;
use anyhow::{Context, Result};
use node::{Config, Node};
use std::path::Path;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs a node until it is stopped.
pub(crate) fn run(home: &Path, serve: &Serve) -> Result<ExitCode> {
    let (file, unknown) = File::read(home)?;
    let config = file::config(home, &file, serve)?;
    check::check(&config)?;
    start_logs(serve.log.or(file.log()?).unwrap_or(LogForm::Pretty));
    for key in unknown {
        tracing::warn!("config.toml: the key `{key}` is unknown and has no effect");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(until_stopped(config))?;
    Ok(ExitCode::SUCCESS)
}

async fn until_stopped(config: Config) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let without_model = config.models.is_empty();
    let node = Node::start(config).await?;
    let addresses = node.addresses();
    print::line(&format!("node {}", node.id()));
    if without_model {
        print::line("this node serves no model of its own: add one with --model builtin");
    }
    print::line(&format!("api http://{}/v1", addresses.api));
    print::line(&format!("management http://{}", addresses.console));
    match node.why_not_ready() {
        None => print::line("ready"),
        Some(why) => print::line(&format!("not ready yet: {why}")),
    }
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = node.stop_asked() => {}
    }
    node.stop().await;
    Ok(())
}

fn start_logs(form: LogForm) {
    let filter = EnvFilter::try_from_env("MESH_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,host=info,node=info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match form {
        LogForm::Pretty => logs.init(),
        LogForm::Json => logs.json().init(),
    }
}
