//! How much the server carries, client and all on the same cores. A debug build shows only that it
//! carries anything; the rates hold for
//! `cargo test --release -p driver-http speed -- --nocapture --test-threads 1`.

use super::client::Client;
use super::whole::{PATH, Whole, limited};
use super::{script, streamed};
use std::time::Duration;
use tokio::task::JoinSet;

const CLIENTS: usize = 32;
const SPAN: Duration = if cfg!(debug_assertions) {
    Duration::from_millis(300)
} else {
    Duration::from_secs(5)
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed_of_whole_answers() {
    let whole = Whole::new(CLIENTS as u32).await;
    let body = limited(script("x"), 1).to_string();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(whole.at.api).await;
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
    report(served, "whole answers", 5_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speed_of_streams() {
    let whole = Whole::new(CLIENTS as u32).await;
    let body = limited(streamed("x"), 1_000).to_string();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let mut client = Client::connect(whole.at.api).await;
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
    report(events as u64, "events", 20_000);
}

fn report(count: u64, what: &str, least: u64) {
    let per_second = count * 1_000 / SPAN.as_millis() as u64;
    eprintln!("{per_second} {what} per second");
    let least = if cfg!(debug_assertions) { 1 } else { least };
    assert!(per_second >= least, "fewer than {least} {what} per second");
}
