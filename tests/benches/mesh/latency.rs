//! What the second node adds to the time to the first token and to the time between two tokens, at
//! half of the aim and at half of what it can carry. Both paths carry the same load, in turn.

use crate::client::{Client, now};
use crate::figures::{aim, median, millis, percentile, ratio};
use crate::mesh::{Pair, chat, runtime};
use crate::rates::{CLIENTS, load};
use anyhow::{Context, Result};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Events a second that a mesh hop is meant to carry on two cores.
const AIM: f64 = 20_000.0;
/// Tokens of each answer.
const TOKENS: u32 = 200;
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_secs(4);

/// The times of one round, in milliseconds.
#[derive(Default)]
struct Times {
    /// From each request to its first token.
    first: Vec<f64>,
    /// From each token to the next.
    between: Vec<f64>,
}

pub(crate) fn measure() -> Result<()> {
    let runtime = runtime()?;
    let most = {
        let pair = Pair::start(0)?;
        runtime.block_on(load(&pair.b.api, &chat(1_000, true)))?.1
    };
    println!("## Latency\n\nB carries {most:.0} events/s.\n");
    println!("| load | what | client → A | client → B → A | added | ratio |");
    println!("|---|---|---|---|---|---|");
    let half = at_load(&runtime, "half of the aim", AIM / 2.0)?;
    at_load(&runtime, "half of the most", most / 2.0)?;
    println!();
    let aims = [
        ("to the first token's p50", 0.5),
        ("to the first token's p99", 2.0),
        ("between two tokens, p50", 0.5),
        ("between two tokens, p99", 2.0),
    ];
    for ((what, most), added) in aims.into_iter().zip(half) {
        let what = format!("{most} ms at most added {what}, at half of the aim");
        aim(&what, added <= most);
    }
    println!();
    Ok(())
}

/// Both paths in turn, at so many events a second; what B adds, in the order of the table.
fn at_load(runtime: &Runtime, load: &str, events: f64) -> Result<Vec<f64>> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "some thousand"
    )]
    let rate = (events / CLIENTS as f64) as u32;
    let pair = Pair::start(rate)?;
    let (mut direct, mut through, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        direct.push(runtime.block_on(times(&pair.a.api))?);
        through.push(runtime.block_on(times(&pair.b.api))?);
    }
    for (what, part) in [("first token", first as Part), ("between tokens", between)] {
        for hundredths in [50, 99] {
            let of = |rounds: &[Times]| -> Vec<f64> {
                let each = rounds
                    .iter()
                    .map(|times| percentile(part(times), hundredths));
                each.collect()
            };
            let (direct, through) = (of(&direct), of(&through));
            let added: Vec<f64> = through.iter().zip(&direct).map(|(t, d)| t - d).collect();
            all.push(median(&added));
            println!(
                "| {load}, {CLIENTS} × {rate}/s | {what}, p{hundredths} | {:.2} ms | {:.2} ms | \
                 {:.2} ms | {:.2} |",
                median(&direct),
                median(&through),
                median(&added),
                ratio(&through, &direct),
            );
        }
    }
    Ok(all)
}

type Part = fn(&Times) -> &[f64];

fn first(times: &Times) -> &[f64] {
    &times.first
}

fn between(times: &Times) -> &[f64] {
    &times.between
}

async fn times(at: &str) -> Result<Times> {
    let begin = now();
    let mut clients = JoinSet::new();
    for turn in 0..CLIENTS {
        let mut client = Client::connect(at).await?;
        let spread = SPAN / 8 * u32::try_from(turn)? / u32::try_from(CLIENTS)?;
        clients.spawn(async move {
            // Starts are spread, so that not all requests come at once again and again.
            tokio::time::sleep(spread).await;
            let mut times = Times::default();
            let body = chat(TOKENS, true);
            while begin.elapsed() < SPAN {
                let asked = now();
                let mut last = None;
                let arrived = |at: Instant| {
                    let since = millis(at.duration_since(last.unwrap_or(asked)));
                    let into = match last {
                        None => &mut times.first,
                        Some(_) => &mut times.between,
                    };
                    into.push(since);
                    last = Some(at);
                };
                client.post(&body, arrived).await?;
            }
            Ok::<_, anyhow::Error>(times)
        });
    }
    let mut all = Times::default();
    while let Some(done) = clients.join_next().await {
        let times = done?.context("a client")?;
        all.first.extend(times.first);
        all.between.extend(times.between);
    }
    Ok(all)
}
