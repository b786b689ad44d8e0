//! Job streams: who is served, and how many.

use super::*;
use messages::Refusal;
use messages::limits::JOBS_PER_PEER_MAX;

fn refusal(bench: &mut Bench, input: Input) -> Option<Refusal> {
    let mut out = Outbox::new();
    bench.session.handle(bench.now, input, &mut out).unwrap();
    bench.session.invariants();
    out.effects().iter().find_map(|effect| {
        let (Effect::Tell(Letter::Stream(_, stream::Command::Refuse(why)))
        | Effect::Tell(Letter::Proxy(_, request_proxy::Input::NotOpened { why, .. }))) = effect
        else {
            return None;
        };
        Some(why.clone())
    })
}

fn open(n: u64) -> Input {
    Input::Open {
        request: request(n),
        job: job(ME, n),
    }
}

fn is_busy(why: Option<Refusal>) -> bool {
    matches!(why, Some(Refusal::Busy { .. }))
}

#[test]
fn a_job_is_refused_by_the_first_reason_that_holds() {
    let mut bench = Bench::in_phase(Phase::Active);
    let other = NodeId([5; 32]);
    assert_eq!(
        refusal(&mut bench, inbound(1, LINK, other)),
        Some(Refusal::NotAdmitted)
    );
    assert_eq!(
        refusal(&mut bench, inbound(1, LinkId(99), PEER)),
        Some(Refusal::NotAdmitted)
    );
    assert_eq!(refusal(&mut bench, inbound(1, LINK, PEER)), None);
    bench.tell(Input::Serves(Vec::new()));
    assert_eq!(
        refusal(&mut bench, inbound(2, LINK, PEER)),
        Some(Refusal::NoModel)
    );
    let mut early = Bench::in_phase(Phase::Judging);
    assert_eq!(
        refusal(&mut early, inbound(1, LINK, PEER)),
        Some(Refusal::NotAdmitted)
    );
}

#[test]
fn a_peer_has_so_many_jobs_here_and_no_more_until_one_ends() {
    let mut bench = Bench::in_phase(Phase::Active);
    for n in 0..JOBS_PER_PEER_MAX as u64 {
        assert_eq!(bench.tell(inbound(n, LINK, PEER)), "serve");
    }
    assert!(is_busy(refusal(&mut bench, inbound(999, LINK, PEER))));
    bench.down(Address::Stream(StreamId(3)), Exit::Normal);
    assert_eq!(refusal(&mut bench, inbound(999, LINK, PEER)), None);
}

#[test]
fn this_node_has_so_many_jobs_there_and_no_more_until_one_ends() {
    let mut bench = Bench::in_phase(Phase::Active);
    for n in 0..JOBS_PER_PEER_MAX as u64 {
        assert_eq!(refusal(&mut bench, open(n)), None);
    }
    assert!(is_busy(refusal(&mut bench, open(999))));
    // A stream that opens is counted once, as one that was asked for and as an open one.
    let opened = Input::Opened {
        stream: StreamId(1),
        request: request(0),
        attempt: 1,
    };
    bench.tell(opened);
    assert!(is_busy(refusal(&mut bench, open(999))));
    bench.down(Address::Stream(StreamId(1)), Exit::Normal);
    assert_eq!(refusal(&mut bench, open(999)), None);
    bench.tell(Input::OpenFailed {
        request: request(5),
        attempt: 1,
    });
    assert_eq!(refusal(&mut bench, open(1_000)), None);
}

#[test]
fn nothing_is_opened_to_a_silent_peer() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.wait(Micros::from_secs(3));
    assert!(is_busy(refusal(&mut bench, open(1))));
}

#[test]
fn a_stream_that_the_transport_forgot_is_given_up() {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(bench.tell(open(1)), "open");
    let mut said = Vec::new();
    for number in 1..13 {
        said.extend(bench.wait(Micros::from_secs(1)));
        bench.tell(frame(ControlFrame::Pong(number)));
    }
    assert_eq!(
        said.iter().filter(|turn| turn.contains("no")).count(),
        1,
        "{said:?}"
    );
    assert_eq!(bench.session.streams.ours(), 0);
}

#[test]
fn streams_that_were_asked_for_are_refused_at_the_end() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(open(1));
    bench.tell(open(2));
    let cut = bench.tell(Input::Cut(Deny::Revoked));
    assert_eq!(
        cut,
        "parted, deny, close, no, no, gone, ended, forget, stop"
    );
}

#[test]
fn a_job_goes_to_the_device_with_the_fewest_jobs_of_this_peer() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(Input::Serves(vec![
        (MODEL, DeviceId(8)),
        (MODEL, DeviceId(4)),
    ]));
    let mut devices = Vec::new();
    for n in 0..4 {
        let mut out = Outbox::new();
        bench
            .session
            .handle(bench.now, inbound(n, LINK, PEER), &mut out)
            .unwrap();
        devices.extend(out.effects().iter().find_map(|effect| {
            let Effect::Tell(Letter::Worker(device, _)) = effect else {
                return None;
            };
            Some(device.0)
        }));
    }
    assert_eq!(devices, [4, 8, 4, 8]);
}

#[test]
fn running_streams_are_not_touched_when_the_peers_session_begins_anew() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(inbound(1, LINK, PEER));
    bench.tell(Input::Opened {
        stream: StreamId(2),
        request: request(1),
        attempt: 1,
    });
    assert_eq!(bench.tell(frame(hello(false, 1))), "anew, parted, stale");
    assert_eq!(bench.session.streams.count(), 2);
    assert_eq!(refusal(&mut bench, open(2)), Some(Refusal::NotAdmitted));
    assert_eq!(
        bench.tell(frame(ControlFrame::Proof(credential("peer").into()))),
        "judge"
    );
    assert_eq!(
        bench.tell(Input::Verdict(Verdict::Admit { until: None })),
        "admit"
    );
    assert_eq!(bench.tell(frame(ControlFrame::Admit(()))), "up");
    assert_eq!(bench.session.streams.count(), 2);
}

#[test]
fn a_node_that_leaves_takes_no_new_job_and_ends_with_the_last_one() {
    let mut bench = Bench::in_phase(Phase::Active);
    bench.tell(inbound(1, LINK, PEER));
    assert_eq!(bench.tell(Input::Leave), "leave, stale");
    assert_eq!(
        refusal(&mut bench, inbound(2, LINK, PEER)),
        Some(Refusal::Draining)
    );
    assert_eq!(refusal(&mut bench, open(2)), Some(Refusal::Draining));
    assert_eq!(
        bench.down(Address::Stream(StreamId(1)), Exit::Normal),
        "leave, end"
    );
}

#[test]
fn a_peer_that_leaves_gets_no_new_job_and_is_left_after_a_minute() {
    let mut bench = Bench::in_phase(Phase::Active);
    assert_eq!(bench.tell(frame(ControlFrame::Leave(false))), "stale");
    assert_eq!(refusal(&mut bench, open(2)), Some(Refusal::Draining));
    let mut said = Vec::new();
    for number in 1..62 {
        said.extend(bench.wait(Micros::from_secs(1)));
        bench.tell(frame(ControlFrame::Pong(number)));
    }
    assert!(said.last().unwrap().contains("end"), "{said:?}");
}
