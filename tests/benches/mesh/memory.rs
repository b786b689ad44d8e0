//! What a session and a stream keep in memory.

use crate::client::Client;
use crate::figures::aim;
use crate::mesh::{Pair, chat, runtime};
use anyhow::{Context, Result};
use std::fs;
use system_tests::Node;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Streams at once through B.
const STREAMS: usize = 1_000;
/// Tokens a second of each: all of them live together for a while.
const RATE: u32 = 10;
/// Peers whose sessions are counted.
const PEERS: usize = 12;

pub(crate) fn measure() -> Result<()> {
    println!("## Memory\n");
    println!("| what | A | B |");
    println!("|---|---|---|");
    let pair = Pair::start(RATE)?;
    let (a, b) = (resident(&pair.a)?, resident(&pair.b)?);
    println!("| a node with one peer | {} | {} |", mib(a), mib(b));
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push(pair.join()?);
    }
    pair.a.wait_for_peers(1 + PEERS);
    pair.b.wait_for_peers(1 + PEERS);
    let each =
        |now: u64, before: u64| format!("{} KiB", now.saturating_sub(before) / PEERS as u64 / 1024);
    let (more_a, more_b) = (resident(&pair.a)?, resident(&pair.b)?);
    println!(
        "| each idle session | {} | {} |",
        each(more_a, a),
        each(more_b, b)
    );
    drop(peers);
    drop(pair);
    let pair = Pair::start(RATE)?;
    let (a, b) = runtime()?.block_on(async {
        let _streams = open(&pair.b.api).await?;
        Ok::<_, anyhow::Error>((resident(&pair.a)?, resident(&pair.b)?))
    })?;
    println!(
        "| {STREAMS} streams through B | {} | {} |\n",
        mib(a),
        mib(b)
    );
    aim("100 MB at most in each node", a.max(b) <= 100_000_000);
    println!();
    Ok(())
}

/// Opens all streams and waits until each has said something.
async fn open(at: &str) -> Result<JoinSet<Result<u64>>> {
    let (spoke, mut heard) = mpsc::unbounded_channel();
    let mut streams = JoinSet::new();
    for _ in 0..STREAMS {
        let mut client = Client::connect(at).await?;
        let spoke = spoke.clone();
        streams.spawn(async move {
            let mut first = true;
            let body = chat(100_000, true);
            let tell = |_| {
                if std::mem::take(&mut first) {
                    // Nobody listens once all have spoken.
                    let _ = spoke.send(());
                }
            };
            client.post(&body, tell).await
        });
    }
    for _ in 0..STREAMS {
        tokio::select! {
            _ = heard.recv() => {}
            Some(ended) = streams.join_next() => {
                ended??;
                anyhow::bail!("a stream ended before all had begun");
            }
        }
    }
    Ok(streams)
}

/// Bytes of a process that are in memory.
fn resident(node: &Node) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.context("a size")?.trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>()? * 1024)
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}
