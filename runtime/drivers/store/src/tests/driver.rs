//! The driver in a hive, between probes in the places of those who ask and a disk that can fail.

use crate::{Database, HomeError, RedbStore};
use bytes::Bytes;
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use kernel::{Child, Failure, Restart, Signer, Turn};
use messages::ports::store::{Asker, Command, Key, Table, committed, loaded};
use messages::{Address, Branch, Letter, NetworkId, NodeId, Seed, Signature, Token, roster};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const NETWORK: NetworkId = NetworkId([1; 32]);
const ROSTER: Asker = Asker::Roster(NETWORK);
const RECORDS: Asker = Asker::GossipStore(NETWORK);

/// Memory that can be told to take no more writes.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Vec<u8>>>, Arc<AtomicBool>);

impl Disk {
    fn refusal(&self) -> io::Result<()> {
        match self.1.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap()[at..at + out.len()]);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.refusal()?;
        self.0
            .lock()
            .unwrap()
            .resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        // As slow as a disk, so that commits queue up.
        std::thread::sleep(Duration::from_millis(1));
        self.refusal()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.refusal()?;
        let at = usize::try_from(offset).unwrap();
        self.0.lock().unwrap()[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn over(disk: &Disk) -> Database {
    let disk = disk.clone();
    Database::opened_by("in memory".into(), move || {
        redb::Database::builder().create_with_backend(disk.clone())
    })
}

struct Factory(Database, mpsc::UnboundedSender<Letter>);

struct Probe(mpsc::UnboundedSender<Letter>);

impl Driver for Probe {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        if let Turn::Letter(letter) = turn {
            let _ = self.0.send(letter);
        }
        Ok(())
    }
}

impl DriverFactory for Factory {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        Ok(match child.at == Address::Store {
            true => Box::new(RedbStore::new(self.0.clone(), port)),
            false => Box::new(Probe(self.1.clone())),
        })
    }
}

#[derive(Debug)]
struct NoSigner;

impl Signer for NoSigner {
    fn node(&self) -> NodeId {
        NodeId([0; 32])
    }
    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

async fn hive(disk: &Disk) -> (Hive, mpsc::UnboundedReceiver<Letter>) {
    let (told, mut answers) = mpsc::unbounded_channel();
    let config = HiveConfig {
        boot: 1,
        entropy_seed: [1; 32],
        signer: Arc::new(NoSigner),
        drivers: Arc::new(Factory(over(disk), told)),
    };
    let child = |at, under| Child {
        at,
        seed: Seed::Driver,
        under,
        restart: Restart::Permanent,
    };
    let children = vec![
        child(Address::Store, Branch::Store),
        child(ROSTER.address(), Branch::Network(NETWORK)),
        child(RECORDS.address(), Branch::Network(NETWORK)),
    ];
    let hive = Hive::start(config, children).await.unwrap();
    // All live once the first question of each is answered.
    for asker in [ROSTER, RECORDS] {
        hive.tell(Letter::Store(Command::Load(asker)));
        assert_eq!(next(&mut answers).await, loaded(asker, Vec::new()));
    }
    (hive, answers)
}

async fn next(answers: &mut mpsc::UnboundedReceiver<Letter>) -> Letter {
    timeout(Duration::from_secs(20), answers.recv())
        .await
        .unwrap()
        .unwrap()
}

fn commit(token: u64) -> Letter {
    commit_of(ROSTER, Table::Members, token)
}

fn commit_of(asker: Asker, table: Table, token: u64) -> Letter {
    let row = Bytes::copy_from_slice(&token.to_le_bytes());
    let network = asker.network();
    let key = Key {
        network,
        table,
        row,
    };
    let writes = vec![(key, Some(Bytes::from_static(b"value")))];
    Letter::Store(Command::Commit {
        asker,
        token: Token(token),
        writes,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_answered_in_order_and_loaded_after_them() {
    let (hive, mut answers) = hive(&Disk::default()).await;
    for token in 1..=20 {
        hive.tell(commit(token));
    }
    hive.tell(Letter::Store(Command::Load(ROSTER)));
    for token in 1..=20 {
        assert_eq!(
            next(&mut answers).await,
            committed(ROSTER, Token(token), true)
        );
    }
    let Letter::Roster(_, roster::Input::Loaded(items)) = next(&mut answers).await else {
        panic!("not loaded")
    };
    assert_eq!(items.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_a_full_disk_is_answered_as_failed() {
    let disk = Disk::default();
    let (hive, mut answers) = hive(&disk).await;
    hive.tell(commit(1));
    assert_eq!(next(&mut answers).await, committed(ROSTER, Token(1), true));
    disk.1.store(true, Ordering::Relaxed);
    hive.tell(commit(2));
    assert_eq!(next(&mut answers).await, committed(ROSTER, Token(2), false));
    // Room again: what is asked then is durable, and what failed is not there.
    disk.1.store(false, Ordering::Relaxed);
    hive.tell(commit(3));
    assert_eq!(next(&mut answers).await, committed(ROSTER, Token(3), true));
    hive.tell(Letter::Store(Command::Load(ROSTER)));
    let Letter::Roster(_, roster::Input::Loaded(items)) = next(&mut answers).await else {
        panic!("not loaded")
    };
    let rows: Vec<_> = items.iter().map(|(key, _)| key.row[0]).collect();
    assert_eq!(rows, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_answered_with_what_it_keeps() {
    let disk = Disk::default();
    let (hive, mut answers) = hive(&disk).await;
    for (asker, table, token) in [
        (ROSTER, Table::Members, 1),
        (RECORDS, Table::Records, 2),
        (RECORDS, Table::Records, 3),
    ] {
        hive.tell(commit_of(asker, table, token));
        let answer = committed(asker, Token(token), true);
        assert_eq!(next(&mut answers).await, answer);
    }
    for (asker, tokens) in [(ROSTER, &[1][..]), (RECORDS, &[2, 3])] {
        hive.tell(Letter::Store(Command::Load(asker)));
        let items = over(&disk).load(asker).unwrap();
        let rows: Vec<u8> = items.iter().map(|(key, _)| key.row[0]).collect();
        assert_eq!(rows, tokens);
        assert_eq!(next(&mut answers).await, loaded(asker, items));
    }
    disk.1.store(true, Ordering::Relaxed);
    hive.tell(commit_of(RECORDS, Table::Records, 4));
    let answer = committed(RECORDS, Token(4), false);
    assert_eq!(next(&mut answers).await, answer);
}

#[test]
fn a_full_disk_is_called_so_and_not_damage() {
    let disk = Disk::default();
    let database = over(&disk);
    assert_eq!(database.next_boot().unwrap(), 1);
    disk.1.store(true, Ordering::Relaxed);
    let refused = database.next_boot().unwrap_err();
    assert!(matches!(refused, HomeError::DiskFull { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_a_stop_becomes_durable() {
    let disk = Disk::default();
    let (hive, _answers) = hive(&disk).await;
    for token in 1..=10 {
        hive.tell(commit(token));
    }
    hive.stop().await;
    assert_eq!(over(&disk).load(ROSTER).unwrap().len(), 10);
}
