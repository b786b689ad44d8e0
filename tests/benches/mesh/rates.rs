//! How many answers and how many events a second.

use crate::bare::Bare;
use crate::client::{Client, now};
use crate::figures::{aim, median, ratio};
use crate::mesh::{Pair, chat, runtime};
use anyhow::{Context, Result};
use std::time::Duration;
use tokio::task::JoinSet;

/// Clients at once, each with one request at a time.
pub(crate) const CLIENTS: usize = 32;
/// Events of each streamed answer.
const TOKENS: u32 = 1_000;
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_secs(3);

/// One side of the comparison, with a figure for each round.
struct Side {
    name: &'static str,
    at: String,
    answers: Vec<f64>,
    events: Vec<f64>,
}

pub(crate) fn measure() -> Result<()> {
    let pair = Pair::start(0)?;
    let bare = Bare::start()?;
    let side = |name, at: &str| Side {
        name,
        at: at.to_owned(),
        answers: Vec::new(),
        events: Vec::new(),
    };
    let mut sides = [
        side("client → hyper proxy → hyper server", &bare.proxy),
        side("client → A", &pair.a.api),
        side("client → B → A", &pair.b.api),
    ];
    let runtime = runtime()?;
    for _ in 0..ROUNDS {
        for side in &mut sides {
            side.answers
                .push(runtime.block_on(load(&side.at, &chat(1, false)))?.0);
            side.events
                .push(runtime.block_on(load(&side.at, &chat(TOKENS, true)))?.1);
        }
    }
    println!("## Rates\n\n{CLIENTS} clients, answers of 1 token and streams of {TOKENS} events.\n");
    println!("| path | answers/s | of the proxy's | events/s | of the proxy's |");
    println!("|---|---|---|---|---|");
    let (answers, events) = (sides[0].answers.clone(), sides[0].events.clone());
    for side in &sides {
        println!(
            "| {} | {:.0} | {:.2} | {:.0} | {:.2} |",
            side.name,
            median(&side.answers),
            ratio(&side.answers, &answers),
            median(&side.events),
            ratio(&side.events, &events),
        );
    }
    println!();
    let hop = &sides[2];
    aim("5,000 answers/s through B", median(&hop.answers) >= 5_000.0);
    aim("20,000 events/s through B", median(&hop.events) >= 20_000.0);
    println!();
    Ok(())
}

/// Keeps all clients busy for a span; answers and events a second.
pub(crate) async fn load(at: &str, body: &str) -> Result<(f64, f64)> {
    let begin = now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(at).await?;
        let body = body.to_owned();
        clients.spawn(async move {
            let (mut answers, mut events) = (0_u32, 0);
            while begin.elapsed() < SPAN {
                events += client.post(&body, |_| {}).await?;
                answers += 1;
            }
            Ok::<_, anyhow::Error>((answers, events))
        });
    }
    let (mut answers, mut events) = (0_u32, 0_u64);
    while let Some(done) = clients.join_next().await {
        let (more, with) = done?.context("a client")?;
        answers += more;
        events += with;
    }
    let span = begin.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    Ok((f64::from(answers) / span, events as f64 / span))
}
