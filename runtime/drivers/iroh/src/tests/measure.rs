//! Figures: `cargo test -p driver-iroh measure -- --nocapture --test-threads=1` prints them. What
//! is checked is only that they are no orders of magnitude off.

use super::jobs::{Lane, end, proxy, tokens};
use super::world::{NETWORK, Node, close, hello, job, pair, request};
use host::Clock;
use messages::limits::PROMPT_BYTES_MAX;
use messages::ports::transport::Command;
use messages::request_proxy::Input;
use messages::wire::latest::ControlFrame;
use messages::{Address, Prompt, Text};

#[tokio::test(flavor = "multi_thread")]
async fn measure_link_set_up_and_ping() {
    let clock = Clock::start();
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (mut ups, mut pings) = (Vec::new(), Vec::new());
    for round in 0..10 {
        let start = clock.now().mono;
        a.dial(NETWORK, &b);
        let (_, link_a, _) = a.link_up(NETWORK).await;
        if round == 0 {
            a.probe(Address::Session(NETWORK, b.id)).await;
            b.probe(Address::Session(NETWORK, a.id)).await;
        }
        a.send(link_a, NETWORK, hello(1));
        let (_, link_b, _) = b.link_up(NETWORK).await;
        b.send(link_b, NETWORK, hello(2));
        assert_eq!(a.frame().await, hello(2));
        ups.push(clock.now().mono.since(start).0);
        assert_eq!(b.frame().await, hello(1));
        for n in 0..20 {
            let start = clock.now().mono;
            a.send(link_a, NETWORK, ControlFrame::Ping(n));
            assert_eq!(b.frame().await, ControlFrame::Ping(n));
            b.send(link_b, NETWORK, ControlFrame::Pong(n));
            assert_eq!(a.frame().await, ControlFrame::Pong(n));
            pings.push(clock.now().mono.since(start).0);
        }
        a.command(close(link_a, NETWORK));
        a.session("the end").await;
        b.session("the end").await;
    }
    print("dial to both Hellos", ups);
    print("ping and pong through two sessions", pings);
}

#[tokio::test(flavor = "multi_thread")]
async fn measure_tokens_through_one_stream() {
    const COUNT: u32 = 32_000;
    let mut lane = Lane::open().await;
    let clock = Clock::start();
    let mut trips = Vec::new();
    for n in 0..300 {
        let start = clock.now().mono;
        lane.reply(tokens(n, 1, 4));
        proxy(&mut lane.a).await;
        trips.push(clock.now().mono.since(start).0);
    }
    print("one token from worker to request", trips);
    for (batch, name) in [(1, "one by one"), (16, "by 16")] {
        let start = clock.now().mono;
        let (mut sent, mut got) = (0, 0);
        while got < COUNT {
            // Well under the queue's marks, as a worker that heeds Full would stay.
            while sent < COUNT && sent - got < 1_000 {
                lane.reply(tokens(sent, batch, 4));
                sent += batch;
            }
            if let Input::Reply(_) = proxy(&mut lane.a).await {
                got += batch;
            }
        }
        let spent = clock.now().mono.since(start);
        let rate = u64::from(COUNT) * 1_000_000 / spent.0;
        eprintln!("{name}: {rate} tokens/s");
        assert!(rate > 500, "one engine is faster");
    }
    lane.reply(end(0));
    drop(proxy(&mut lane.a).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn measure_a_largest_prompt() {
    let clock = Clock::start();
    let (mut a, mut b) = (Node::start(1).await, Node::start(2).await);
    let (link, _) = pair(&mut a, &mut b).await;
    a.probe(Address::Proxy(request(1))).await;
    let mut spans = Vec::new();
    for n in 0..10 {
        let start = clock.now().mono;
        let mut job = job(a.id, n, 1);
        job.prompt = Prompt::Raw(Text::from("x".repeat(PROMPT_BYTES_MAX)));
        a.command(Command::Open {
            link,
            network: NETWORK,
            peer: b.id,
            request: request(1),
            job,
        });
        loop {
            if let messages::peer_session::Input::Inbound { job, .. } = b.session("a job").await {
                assert_eq!(job.prompt.len(), PROMPT_BYTES_MAX);
                break;
            }
        }
        spans.push(clock.now().mono.since(start).0);
    }
    print("a prompt of 960 KiB", spans);
}

fn print(what: &str, mut spans: Vec<u64>) {
    spans.sort_unstable();
    let at = |percent: usize| spans[(spans.len() - 1) * percent / 100];
    eprintln!(
        "{what}: p50 {} µs, p99 {} µs (n = {})",
        at(50),
        at(99),
        spans.len()
    );
    assert!(at(50) < 1_000_000, "{what} takes a second");
}
