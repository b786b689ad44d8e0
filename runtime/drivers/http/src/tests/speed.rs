//! How much the server carries, client and all on the same cores. Measured by hand:
//! `cargo test --release -p driver-http speed -- --ignored --nocapture`.

use super::{Stage, script, streamed};
use std::time::Duration;
use tokio::task::JoinSet;

const CLIENTS: usize = 32;
const SPAN: Duration = Duration::from_secs(5);
const PATH: &str = "/v1/chat/completions";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_whole_answers() {
    let stage = Stage::new().await;
    let body = script("say x").to_string();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = stage.client().await;
        let body = body.clone();
        clients.spawn(async move {
            let over = tokio::time::Instant::now() + SPAN;
            let mut served = 0_u64;
            while tokio::time::Instant::now() < over {
                let answer = client.request("POST", PATH, &[], body.as_bytes()).await;
                assert_eq!(answer.status(), 200);
                served += 1;
            }
            served
        });
    }
    let served: u64 = clients.join_all().await.into_iter().sum();
    tracing::info!(per_second = served / SPAN.as_secs(), "whole answers");
    assert!(
        served / SPAN.as_secs() >= 5_000,
        "{} requests/s",
        served / SPAN.as_secs()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_streams() {
    let stage = Stage::new().await;
    let body = streamed("count 1000").to_string();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = stage.client().await;
        let body = body.clone();
        clients.spawn(async move {
            let over = tokio::time::Instant::now() + SPAN;
            let mut events = 0;
            while tokio::time::Instant::now() < over {
                let answer = client.request("POST", PATH, &[], body.as_bytes()).await;
                events += answer.body.matches("data: ").count();
            }
            events
        });
    }
    let events: usize = clients.join_all().await.into_iter().sum();
    let per_second = events as u64 / SPAN.as_secs();
    assert!(per_second >= 20_000, "{per_second} events/s");
}
