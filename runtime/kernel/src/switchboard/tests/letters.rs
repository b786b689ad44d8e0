//! What becomes of letters: delivered, parked, replaced, returned.

use super::*;

/// A router that was live and died.
fn restarting() -> Bench {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    bench.exited(ROUTER, failed());
    bench
}

#[test]
fn a_letter_to_a_live_actor_is_delivered() {
    let mut bench = Bench::new();
    let life = bench.live(ROUTER, Restart::Permanent);
    let mut out = Vec::new();
    bench.board.offer(bench.sender_now(), data(1), &mut out);
    let mail = Mail::Letter(data(1));
    assert_eq!(
        out,
        [Action::Deliver {
            to: ROUTER,
            life,
            from: bench.sender_now(),
            mail
        }]
    );
}

#[test]
fn a_letter_to_nobody_comes_back() {
    let mut bench = Bench::new();
    let back = ["roster has back control 1: NoActor"];
    check(bench.act(Effect::Tell(control(1))), &back);
}

#[test]
fn nothing_comes_back_to_the_world() {
    let mut bench = Bench::new();
    check(bench.world(Effect::Tell(control(1))), &[]);
}

#[test]
fn letters_of_every_class_wait_for_a_first_start_in_order() {
    let mut bench = Bench::new();
    bench.act(start(ROUTER, Restart::Permanent));
    check(
        bench.act(Effect::Tell(control(1))),
        &["control 1 waits for router"],
    );
    check(
        bench.act(Effect::Tell(data(2))),
        &["data 2 waits for router"],
    );
    check(
        bench.act(Effect::Tell(news(9, 3))),
        &["news 3 of 9 waits for router"],
    );
    check(
        bench.started(ROUTER),
        &[
            "router begins",
            "router gets control 1",
            "router gets data 2",
            "router gets news 3 of 9",
        ],
    );
    check(
        bench.act(Effect::Tell(control(4))),
        &["router gets control 4"],
    );
}

#[test]
fn control_waits_for_a_restart_and_reaches_the_new_life_before_anything_new() {
    let mut bench = restarting();
    bench.act(Effect::Tell(control(1)));
    bench.wait(Micros::from_secs(1));
    // Waiting and starting are the same to a sender.
    check(
        bench.act(Effect::Tell(control(2))),
        &["control 2 waits for router"],
    );
    let begins = [
        "router begins",
        "router gets control 1",
        "router gets control 2",
    ];
    check(bench.started(ROUTER), &begins);
}

#[test]
fn data_comes_back_at_once_while_its_actor_restarts() {
    let mut bench = restarting();
    check(
        bench.act(Effect::Tell(data(1))),
        &["roster has back data 1: Busy"],
    );
    bench.wait(Micros::from_secs(1));
    check(
        bench.act(Effect::Tell(data(2))),
        &["roster has back data 2: Busy"],
    );
    check(bench.started(ROUTER), &["router begins"]);
}

#[test]
fn data_that_waited_for_a_first_start_that_failed_comes_back() {
    let mut bench = Bench::new();
    bench.act(start(ROUTER, Restart::Permanent));
    bench.act(Effect::Tell(control(1)));
    bench.act(Effect::Tell(data(2)));
    let why = Exit::StartFailed("no file".to_owned());
    check(bench.exited(ROUTER, why), &["roster has back data 2: Busy"]);
    check(
        bench.act(Effect::Tell(data(3))),
        &["roster has back data 3: Busy"],
    );
    bench.wait(Micros::from_secs(1));
    check(
        bench.started(ROUTER),
        &["router begins", "router gets control 1"],
    );
}

#[test]
fn the_last_news_of_a_key_replaces_what_waits_and_other_keys_stay() {
    let mut bench = restarting();
    bench.act(Effect::Tell(news(1, 1)));
    bench.act(Effect::Tell(news(2, 2)));
    bench.act(Effect::Tell(control(3)));
    bench.act(Effect::Tell(news(1, 4)));
    bench.wait(Micros::from_secs(1));
    check(
        bench.started(ROUTER),
        &[
            "router begins",
            "router gets news 2 of 2",
            "router gets control 3",
            "router gets news 4 of 1",
        ],
    );
}

#[test]
fn news_are_not_replaced_once_they_are_delivered() {
    let mut bench = Bench::new();
    bench.live(ROUTER, Restart::Permanent);
    check(
        bench.act(Effect::Tell(news(1, 1))),
        &["router gets news 1 of 1"],
    );
    check(
        bench.act(Effect::Tell(news(1, 2))),
        &["router gets news 2 of 1"],
    );
}

#[test]
fn so_many_letters_wait_and_the_next_one_comes_back() {
    let mut bench = restarting();
    bench.act(Effect::Tell(news(1, 1)));
    for n in 2..=256 {
        check(
            bench.act(Effect::Tell(control(n))),
            &[&format!("control {n} waits for router")],
        );
    }
    check(
        bench.act(Effect::Tell(control(257))),
        &["roster has back control 257: ParkFull"],
    );
    check(
        bench.act(Effect::Tell(news(2, 1))),
        &["roster has back news 1 of 2: ParkFull"],
    );
    // News that replace others need no room.
    check(
        bench.act(Effect::Tell(news(1, 2))),
        &["news 2 of 1 waits for router"],
    );
    bench.wait(Micros::from_secs(1));
    assert_eq!(bench.started(ROUTER).len(), 1 + 256);
}

#[test]
fn a_letter_that_a_mailbox_refused_comes_back_as_busy() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    bench.board.refused(bench.sender_now(), data(1), &mut out);
    check(bench.after(&out), &["roster has back data 1: Busy"]);
}

#[test]
fn a_letter_comes_back_only_to_the_life_that_sent_it() {
    let mut bench = Bench::new();
    let past = bench.sender_now();
    bench.exited(SENDER, failed());
    check(bench.effect(past, Effect::Tell(control(1))), &[]);
    bench.wait(Micros::from_secs(1));
    bench.started(SENDER);
    check(bench.effect(past, Effect::Tell(control(2))), &[]);
    let present = Source::Actor(SENDER, bench.life(SENDER));
    let back = ["roster has back control 3: NoActor"];
    check(bench.effect(present, Effect::Tell(control(3))), &back);
}

#[test]
fn what_waited_comes_back_when_its_actor_is_given_up() {
    let mut bench = Bench::new();
    bench.act(start(ROUTER, Restart::Temporary));
    bench.act(Effect::Tell(data(1)));
    let back = ["roster has back data 1: NoActor"];
    check(
        bench.exited(ROUTER, Exit::StartFailed(String::new())),
        &back,
    );

    let mut bench = restarting();
    bench.act(Effect::Tell(control(1)));
    let back = ["roster has back control 1: NoActor"];
    check(bench.world(Effect::Stop(ROUTER, How::Drain)), &back);
}

#[test]
fn what_waited_comes_back_when_its_actor_spends_its_restarts() {
    let mut bench = restarting();
    for _ in 0..12 {
        bench.wait(Micros::from_secs(2));
        bench.exited(ROUTER, Exit::StartFailed(String::new()));
    }
    bench.act(Effect::Tell(control(1)));
    bench.wait(Micros::from_secs(2));
    let back = ["roster has back control 1: StartFailed"];
    check(
        bench.exited(ROUTER, Exit::StartFailed(String::new())),
        &back,
    );
    check(
        bench.act(Effect::Tell(control(2))),
        &["roster has back control 2: StartFailed"],
    );
    check(
        bench.act(Effect::Tell(data(3))),
        &["roster has back data 3: StartFailed"],
    );
}

#[test]
fn so_many_bytes_wait_and_the_next_ones_come_back() {
    let mut bench = Bench::new();
    bench.act(Effect::Start(std::sync::Arc::new(crate::Child {
        at: Address::Gateway,
        seed: messages::Seed::Driver,
        under: messages::Branch::Gateway,
        restart: Restart::Permanent,
    })));
    let text = |len: usize| {
        Letter::Gateway(messages::ports::gateway::Command::Delta {
            request: messages::RequestId { boot: 1, n: 1 },
            offset: 0,
            text: messages::Text(vec![b'x'; len].into()),
        })
    };
    let waits = |lines: Vec<String>| lines.iter().all(|line| line.contains(" waits for "));
    for _ in 0..4 {
        assert!(waits(bench.act(Effect::Tell(text((1 << 20) - 64)))));
    }
    assert!(!waits(bench.act(Effect::Tell(text(1)))), "four MiB wait");
    // What weighs nothing finds room.
    let models = messages::ports::gateway::Command::Models(List::new());
    assert!(waits(bench.act(Effect::Tell(Letter::Gateway(models)))));
}
