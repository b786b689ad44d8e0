//! Holders that take a request and get nowhere with it.

use super::{TOKENS, ask, check_text, finish, met};
use crate::{ClientId, Mesh, State, millis, secs};
use messages::request_proxy::{Failure, Input};
use messages::wire::latest::{Beacon, JobReply};
use messages::{Address, DeviceId, Letter};

/// What a holder that stands still has, and the search after it; then what a turn takes.
const STILL_MAX: u64 = 13_000_000 + 500_000;
/// The search alone.
const SEARCH_MAX: u64 = 3_000_000 + 500_000;

fn is_over(mesh: &Mesh, client: ClientId) -> bool {
    !matches!(mesh.answer(client).state, State::Waiting | State::Streaming)
}

fn check_lost(mesh: &Mesh, client: ClientId) {
    let answer = mesh.answer(client);
    let lost = matches!(answer.state, State::Failed(Failure::HoldersLost { .. }));
    assert!(lost && answer.ends == 1, "{answer:?}");
}

#[test]
fn an_only_holder_that_crashes_at_every_try_is_an_error_after_the_search() {
    // No token comes before the crash.
    let mut mesh = met(Mesh::seed(900).nodes(2).engines(&[0]).step(secs(60)));
    let client = ask(&mut mesh, 1, 3);
    let start = mesh.time();
    let mut crashes = 0;
    while !is_over(&mesh, client) {
        mesh.run_until(secs(5), |mesh| mesh.jobs(0) > 0 || is_over(mesh, client));
        // The holder has accepted, and the client knows.
        mesh.run_for(millis(30));
        crashes += u32::from(mesh.kill_actor(0, Address::Worker(DeviceId(0))));
        mesh.run_for(millis(100));
        assert!(mesh.time() - start <= SEARCH_MAX, "{crashes} crashes");
    }
    assert!(crashes > 2, "{crashes} crashes");
    check_lost(&mesh, client);
}

#[test]
fn an_only_holder_whose_engine_stands_still_is_an_error_after_ten_seconds_and_the_search() {
    for position in [0, 5] {
        let mut mesh = met(Mesh::seed(910).nodes(2).engines(&[0]));
        let client = ask(&mut mesh, 1, 3);
        mesh.run_until(secs(10), |mesh| {
            mesh.answer(client).served_by.is_some() && mesh.answer(client).deltas >= position
        });
        // Its worker goes on to say that the job is there.
        mesh.wedge(0, true);
        let start = mesh.time();
        finish(&mut mesh, client);
        check_lost(&mesh, client);
        let took = mesh.time() - start;
        assert!(took <= STILL_MAX, "{position}: {took} µs");
    }
}

#[test]
fn an_engine_that_only_says_it_moves_is_left_for_one_that_answers() {
    for position in [0, 5] {
        let mut mesh = met(Mesh::seed(920).nodes(3).engines(&[0, 2]));
        let client = ask(&mut mesh, 1, 3);
        mesh.run_until(secs(10), |mesh| {
            mesh.answer(client).served_by.is_some() && mesh.answer(client).deltas >= position
        });
        let server = mesh.answer(client).served_by;
        let server = server.and_then(|id| mesh.index(id)).expect("a server");
        mesh.wedge(server, true);
        let request = mesh.addresses(1).into_iter().find_map(|who| {
            let Address::Proxy(request) = who else {
                return None;
            };
            Some(request)
        });
        let request = request.expect("a request");
        let start = mesh.time();
        for steps in 1_000.. {
            if is_over(&mesh, client) {
                break;
            }
            let lie = Input::Reply(JobReply::Beacon(Beacon { attempt: 1, steps }));
            mesh.tell(1, Letter::Proxy(request, lie));
            mesh.run_for(millis(300));
            assert!(
                mesh.time() - start <= 15_000_000,
                "{position}: it is believed"
            );
        }
        check_text(&mesh.answer(client), 3, TOKENS);
    }
}
