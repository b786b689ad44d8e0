//! What this node says of itself, and when.

use super::*;

/// This node's own records that were shown to a peer since the last look.
fn own(bench: &mut Bench, peer: u8) -> Vec<SignedRecord> {
    let told = bench.told(peer).into_iter();
    let entries = told.filter_map(|input| {
        let peer_session::Input::Introduce(entries) = input else {
            return None;
        };
        Some(entries.into_vec())
    });
    let records = entries.flatten().map(|entry| entry.record);
    records
        .filter(|signed| signed.record.author == node(ME))
        .collect()
}

fn models(numbers: impl IntoIterator<Item = u8>) -> Input {
    Input::Models {
        device: DEVICE,
        models: List::truncated(numbers.into_iter().map(model)),
    }
}

fn said(signed: &SignedRecord) -> Capabilities {
    Capabilities::decode(signed.record.value.as_deref().unwrap()).unwrap()
}

/// A roster with an active peer, whose first record is out.
fn published() -> (Bench, SignedRecord) {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(Input::Bound(addrs(ME)));
    bench.tell(models([1]));
    bench.sent.clear();
    bench.wait(Micros::from_millis(250));
    bench.commit(true);
    let record = own(&mut bench, PEER).pop().unwrap();
    (bench, record)
}

#[test]
fn the_record_says_what_is_served_and_where_and_verifies() {
    let (_, record) = published();
    let entry = Introduction {
        record: record.clone(),
        credential: credential(ME),
    };
    assert!(crate::verify_introduction(&crate::ed25519, network(), &entry, WALL).is_ok());
    let said = said(&record);
    assert_eq!((said.llms.len(), &said.addrs), (1, &addrs(ME)));
    assert_eq!(&*said.app_version, "1.0");
}

#[test]
fn nobody_sees_a_record_before_it_is_durable() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(Input::Bound(addrs(ME)));
    bench.tell(models([1]));
    bench.told(PEER);
    assert_eq!(bench.wait(Micros::from_millis(900)), ["write"]);
    bench.tell(Input::Active { peer: node(PEER) });
    let sent = bench.sent.clone();
    assert_eq!(own(&mut bench, PEER), []);
    bench.sent = sent;
    assert_eq!(
        bench.commit(false),
        "·",
        "a write that failed shows nothing"
    );
    assert_eq!(own(&mut bench, PEER), []);
    bench.wait(Micros::from_secs(6));
    bench.commit(true);
    assert_eq!(own(&mut bench, PEER).len(), 1);
}

#[test]
fn changes_that_come_together_are_one_record_and_the_last_one_counts() {
    let (mut bench, first) = published();
    for number in 2..20 {
        bench.tell(models([number]));
        bench.wait(Micros::from_millis(5));
    }
    bench.sent.clear();
    bench.wait(Micros::from_millis(300));
    bench.commit(true);
    let records = own(&mut bench, PEER);
    assert_eq!(records.len(), 1);
    assert_eq!(said(&records[0]).llms[0].model, ModelId([19; 32]));
    assert!(records[0].record.stamp > first.record.stamp);
}

#[test]
fn a_record_that_says_the_same_is_not_signed_anew() {
    let (mut bench, _) = published();
    // The members' rows are out of the way.
    bench.wait(Micros::from_secs(2));
    bench.commit(true);
    bench.tell(models([2]));
    bench.tell(models([1]));
    assert_eq!(bench.wait(Micros::from_millis(900)), Vec::<String>::new());
    assert_eq!(bench.tell(Input::Bound(addrs(ME))), "·");
}

#[test]
fn a_change_during_a_write_is_the_next_record() {
    let (mut bench, _) = published();
    bench.tell(models([2]));
    bench.wait(Micros::from_millis(300));
    bench.tell(models([3]));
    bench.wait(Micros::from_millis(600));
    bench.commit(true);
    bench.wait(Micros::from_millis(300));
    bench.commit(true);
    let records = own(&mut bench, PEER);
    assert_eq!(said(&records[0]).llms[0].model, ModelId([3; 32]));
}

#[test]
fn a_new_life_keeps_the_record_that_still_holds_and_its_stamp() {
    let (mut bench, record) = published();
    bench.sent.clear();
    let stored = (Some(record.clone()), credential(ME), true);
    let key = bench.roster.key(store::Table::Members, &node(ME).0);
    let row = (
        key,
        bytes::Bytes::from(postcard::to_stdvec(&stored).unwrap()),
    );
    let mut next = Bench::loading(seed(ME));
    next.tell(Input::Loaded(vec![row.clone()]));
    next.tell(Input::Bound(addrs(ME)));
    next.tell(models([1]));
    next.activate(PEER);
    assert_eq!(own(&mut next, PEER), [], "not before it is known to hold");
    next.wait(Micros::from_millis(300));
    assert_eq!(own(&mut next, PEER), std::slice::from_ref(&record));
    // What changed meanwhile gets a later stamp, though the clock went back.
    let mut changed = Bench::loading(seed(ME));
    changed.now.wall = Wall(5);
    changed.tell(Input::Loaded(vec![row]));
    changed.tell(Input::Bound(addrs(ME)));
    changed.tell(models([9]));
    changed.tell(link_up(PEER, 1));
    changed.tell(judge(PEER, credential(PEER)));
    changed.tell(Input::Active { peer: node(PEER) });
    changed.sent.clear();
    changed.wait(Micros::from_millis(300));
    changed.commit(true);
    let records = own(&mut changed, PEER);
    assert_eq!(records[0].record.stamp, Stamp(record.record.stamp.0 + 1));
}

#[test]
fn a_silent_device_delays_the_first_record_by_two_seconds_at_most() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(Input::Bound(addrs(ME)));
    bench.sent.clear();
    assert!(
        !bench
            .wait(Micros::from_millis(900))
            .contains(&"write".to_owned())
    );
    bench.wait(Micros::from_millis(1_200));
    bench.commit(true);
    assert_eq!(own(&mut bench, PEER).len(), 1);
}

#[test]
fn models_that_have_no_room_in_a_record_are_served_all_the_same() {
    let mut bench = Bench::with(&[PEER]);
    bench.tell(Input::Bound(addrs(ME)));
    bench.tell(models(1..60));
    assert_eq!(bench.roster.advert.serves().len(), 59);
    bench.sent.clear();
    bench.wait(Micros::from_millis(300));
    bench.commit(true);
    let records = own(&mut bench, PEER);
    let shown = said(&records[0]);
    assert!(
        (5..59).contains(&shown.llms.len()) && !shown.addrs.is_empty(),
        "{shown:?}"
    );
}

#[test]
fn a_worker_that_is_gone_serves_nothing() {
    let (mut bench, _) = published();
    let spent = Exit::StartFailed("spent".to_owned());
    assert_eq!(bench.down(Address::Worker(DEVICE), spent), "serves");
    assert_eq!(bench.roster.advert.serves(), []);
    bench.sent.clear();
    assert!(
        bench
            .wait(Micros::from_secs(10))
            .contains(&"watch, ask".to_owned())
    );
}

#[test]
fn every_session_hears_how_busy_the_devices_are_together() {
    let mut own = seed(ME);
    own.devices = vec![DeviceId(0), DeviceId(1)];
    let mut bench = Bench::new(own);
    bench.activate(PEER);
    let load = |active| Load {
        active,
        queued: 1,
        slots: 2,
        queue_max: 4,
    };
    bench.tell(Input::Load {
        device: DeviceId(0),
        load: load(1),
    });
    bench.sent.clear();
    assert_eq!(
        bench.tell(Input::Load {
            device: DeviceId(1),
            load: load(2)
        }),
        "busy"
    );
    let sum = Load {
        active: 3,
        queued: 2,
        slots: 4,
        queue_max: 8,
    };
    assert_eq!(bench.told(PEER), [peer_session::Input::Load(sum)]);
    assert_eq!(
        bench.tell(Input::Load {
            device: DeviceId(1),
            load: load(2)
        }),
        "·"
    );
    assert_eq!(
        bench.tell(Input::Load {
            device: DeviceId(9),
            load: load(9)
        }),
        "·"
    );
}
