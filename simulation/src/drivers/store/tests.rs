//! What a disk promises, at every byte of a write.

use super::disk::record_of;
use super::*;
use crate::event::Time;
use kernel::Entropy;
use messages::ports::store::{Asker, Table};
use messages::{Letter, NetworkId, Token, roster};

const NETWORK: NetworkId = NetworkId([7; 32]);

fn key(row: u8) -> Key {
    Key {
        network: NETWORK,
        table: Table::Members,
        row: Bytes::from(vec![row]),
    }
}

/// One row counts the writes; others come and go.
fn writes(n: u64) -> Writes {
    let value = Bytes::from(n.to_le_bytes().to_vec());
    let other = (!n.is_multiple_of(3)).then(|| Bytes::from(vec![0x5A; 40]));
    vec![(key(0), Some(value)), (key(1 + (n % 4) as u8), other)]
}

/// A model of the rows after so many writes.
fn after(n: u64) -> Vec<(Key, Bytes)> {
    let mut disk = Disk::default();
    for n in 1..=n {
        assert!(disk.commit(writes(n)));
    }
    disk.load(Asker::Roster(NETWORK))
}

fn count(disk: &Disk) -> u64 {
    let rows = disk.load(Asker::Roster(NETWORK));
    let value = rows.iter().find(|(row, _)| *row == key(0));
    value.map_or(0, |(_, value)| {
        u64::from_le_bytes(value.as_ref().try_into().unwrap())
    })
}

/// A store over a disk, and when what it waits for happens.
struct Bench {
    disk: Disk,
    store: Store,
    now: Time,
    due: Option<(Time, u64)>,
    issued: u64,
    confirmed: u64,
    failed: u64,
}

impl Bench {
    fn new() -> Self {
        Self {
            disk: Disk::default(),
            store: Store::new(1),
            now: 0,
            due: None,
            issued: 0,
            confirmed: 0,
            failed: 0,
        }
    }

    fn take(&mut self, out: DriverOut) -> bool {
        for (after, what) in out.later {
            let Occurrence::Disk(tick) = what else {
                panic!("{what:?}")
            };
            self.due = Some((self.now + after, tick));
        }
        for (_, effect) in out.effects {
            let kernel::Effect::Tell(Letter::Roster(_, input)) = effect else {
                panic!("{effect:?}")
            };
            if let roster::Input::Committed(Token(n)) = input {
                assert_eq!(n, self.confirmed + self.failed + 1, "in order");
                self.confirmed += 1;
            } else {
                assert!(matches!(input, roster::Input::CommitFailed(_)), "{input:?}");
                self.failed += 1;
            }
        }
        out.power_fails
    }

    fn write(&mut self) {
        self.issued += 1;
        let command = Command::Commit {
            asker: Asker::Roster(NETWORK),
            token: Token(self.issued),
            writes: writes(self.issued),
        };
        let mut out = DriverOut::default();
        self.store.command(&mut self.disk, command, &mut out);
        assert!(!self.take(out));
    }

    /// True: the power fails now.
    fn pass(&mut self, span: Time) -> bool {
        let until = self.now + span;
        while let Some((at, tick)) = self.due.filter(|(at, _)| *at <= until) {
            self.now = at;
            self.due = None;
            let mut out = DriverOut::default();
            self.store.tick(&mut self.disk, tick, &mut out);
            if self.take(out) {
                return true;
            }
        }
        self.now = until;
        false
    }

    fn power_cut(&mut self, entropy: &mut Entropy) {
        self.disk.lose_power(self.store.writing(), entropy);
        self.store = Store::new(2);
        self.due = None;
        self.disk.recover();
    }
}

#[test]
fn a_power_cut_at_every_byte_of_a_write_leaves_all_of_it_or_nothing() {
    let record = record_of(&writes(3));
    for end in 0..=record.len() {
        for stale in [false, true] {
            let mut disk = Disk::default();
            assert!(disk.commit(writes(1)) && disk.commit(writes(2)));
            disk.tear(record.clone(), end, stale);
            disk.recover();
            let whole = end == record.len();
            let expected = if whole { 3 } else { 2 };
            assert_eq!(
                disk.load(Asker::Roster(NETWORK)),
                after(expected),
                "cut at {end}"
            );
            let nothing = end == 0 && !stale;
            assert_eq!(disk.report().torn, u64::from(!whole && !nothing), "seen");
        }
    }
}

#[test]
fn what_was_confirmed_survives_a_power_cut_at_any_time() {
    let (mut torn, mut whole) = (0, 0);
    for seed in 0..2_000 {
        let mut entropy = Entropy::from_number(seed);
        let mut bench = Bench::new();
        for _ in 0..entropy.below(6) {
            bench.write();
            bench.pass(entropy.below(2_000));
        }
        bench.power_cut(&mut entropy);
        let n = count(&bench.disk);
        assert!(
            n >= bench.confirmed,
            "seed {seed}: a confirmed write is lost"
        );
        assert!(n <= bench.confirmed + 1, "one alone was being written");
        assert_eq!(
            bench.disk.load(Asker::Roster(NETWORK)),
            after(n),
            "a whole number of them"
        );
        torn += bench.disk.report().torn;
        whole += bench.disk.report().whole;
    }
    assert!(torn > 50 && whole > 5, "{torn} torn, {whole} whole");
}

#[test]
fn a_disk_that_lies_loses_the_last_writes_and_keeps_their_order() {
    let mut lost = 0;
    for seed in 0..500 {
        let mut entropy = Entropy::from_number(seed);
        let mut bench = Bench::new();
        bench.write();
        bench.pass(2_000);
        bench.disk.set(DiskFault::LoseSyncs);
        for _ in 0..4 {
            bench.write();
            bench.pass(2_000);
        }
        assert_eq!(bench.confirmed, 5, "it says so");
        bench.power_cut(&mut entropy);
        let n = count(&bench.disk);
        assert!((1..=5).contains(&n), "what was written before is safe");
        assert_eq!(
            bench.disk.load(Asker::Roster(NETWORK)),
            after(n),
            "a prefix"
        );
        assert_eq!(bench.disk.report().lost, 5 - n);
        lost += 5 - n;
    }
    assert!(lost > 500, "only {lost}");
}

#[test]
fn a_disk_that_is_well_again_has_written_what_it_lied_about() {
    let mut bench = Bench::new();
    bench.disk.set(DiskFault::LoseSyncs);
    bench.write();
    bench.pass(2_000);
    bench.disk.set(DiskFault::None);
    bench.power_cut(&mut Entropy::from_number(1));
    assert_eq!((count(&bench.disk), bench.disk.report().lost), (1, 0));
}

#[test]
fn a_full_disk_says_so_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.write();
    bench.pass(2_000);
    bench.disk.set(DiskFault::Full);
    bench.write();
    bench.pass(2_000);
    assert_eq!((bench.confirmed, bench.failed), (1, 1));
    assert_eq!(bench.disk.load(Asker::Roster(NETWORK)), after(1));
}

#[test]
fn a_torn_write_takes_the_power_with_it_and_is_never_confirmed() {
    for seed in 0..50 {
        let mut bench = Bench::new();
        bench.write();
        bench.pass(2_000);
        bench.disk.set(DiskFault::TornNext);
        bench.write();
        assert!(bench.pass(2_000), "the power fails");
        bench.power_cut(&mut Entropy::from_number(seed));
        assert_eq!((count(&bench.disk), bench.confirmed), (1, 1));
        assert_eq!(bench.disk.report().torn, 1, "it is seen");
        assert_eq!(bench.disk.fault, DiskFault::None, "once");
    }
}

#[test]
fn a_load_waits_for_the_writes_before_it_and_a_slow_disk_takes_its_time() {
    let mut bench = Bench::new();
    bench.disk.set(DiskFault::Slow(messages::Micros(500_000)));
    bench.write();
    bench.write();
    let mut out = DriverOut::default();
    let load = Command::Load(Asker::Roster(NETWORK));
    bench.store.command(&mut bench.disk, load, &mut out);
    assert!(out.effects.is_empty(), "not before what it is to show");
    bench.pass(1_001_999);
    assert_eq!(bench.confirmed, 1, "one after the other");
    bench.pass(1);
    assert_eq!(bench.confirmed, 2);
    let (_, tick) = bench.due.expect("the load takes time too");
    let mut out = DriverOut::default();
    bench.store.tick(&mut bench.disk, tick, &mut out);
    let (_, effect) = out.effects.remove(0);
    let kernel::Effect::Tell(Letter::Roster(_, roster::Input::Loaded(rows))) = effect else {
        panic!("{effect:?}")
    };
    assert_eq!(rows, after(2));
}

#[test]
fn a_new_life_is_not_answered_by_what_an_earlier_one_began() {
    let mut bench = Bench::new();
    bench.write();
    let (_, old) = bench.due.take().unwrap();
    bench.store = Store::new(2);
    bench.write();
    let mut out = DriverOut::default();
    bench.store.tick(&mut bench.disk, old, &mut out);
    assert!(out.effects.is_empty(), "it has not written that");
}

#[test]
fn a_queue_that_is_full_refuses_a_write_at_once() {
    let mut bench = Bench::new();
    for _ in 0..QUEUE_MAX + 1 {
        bench.write();
    }
    assert_eq!(bench.failed, 1);
}

impl Store {
    /// Lets so many commits wait: a bug that the checkers are to catch.
    pub(crate) fn stuff(&mut self, commits: usize) {
        let commit = |n| Command::Commit {
            asker: Asker::Roster(NETWORK),
            token: Token(n),
            writes: Vec::new(),
        };
        self.queue.extend((0..).map(commit).take(commits));
    }
}
