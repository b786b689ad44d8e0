//! A home keeps what it was given, and refuses with a sentence what it cannot keep.

mod askers;
mod driver;

use crate::{Database, Home, HomeError, Membership, load_or_create};
use bytes::Bytes;
use kernel::Signer;
use messages::ports::store::{Asker, Item, Key, Table};
use messages::{Credential, Label, NetworkId, NodeId};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mesh-store-{}-{name}", std::process::id()));
    // A folder of an earlier process with the same number is no use to anyone.
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn key(network: u8, table: Table, row: &'static [u8]) -> Key {
    Key {
        network: NetworkId([network; 32]),
        table,
        row: Bytes::from_static(row),
    }
}

/// What a network's roster has.
fn rows_of(database: &Database, network: u8) -> Vec<Item> {
    let network = NetworkId([network; 32]);
    database.load(Asker::Roster(network)).unwrap()
}

#[test]
fn a_second_node_on_one_home_is_refused() {
    let path = folder("lock");
    let first = Home::open(&path).unwrap();
    let second = Home::open(&path).unwrap_err();
    let sentence = second.to_string();
    assert!(
        sentence.contains(&std::process::id().to_string()),
        "{sentence}"
    );
    assert!(sentence.contains("mesh-node stop"), "{sentence}");
    drop(first);
    assert!(Home::open(&path).is_ok(), "the lock goes with the node");
}

#[test]
fn a_home_is_for_its_user_alone() {
    let path = folder("mode");
    let home = Home::open(&path).unwrap();
    load_or_create(&home).unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path().to_owned()), 0o700);
    assert_eq!(mode(home.path().join("identity/node.key")), 0o600);
}

#[test]
fn a_key_is_made_once_and_kept() {
    let path = folder("key");
    let home = Home::open(&path).unwrap();
    let first = load_or_create(&home).unwrap();
    let second = load_or_create(&home).unwrap();
    assert_eq!(first.node(), second.node());
    assert_eq!(first.secret(), second.secret());
}

#[test]
fn a_damaged_key_is_set_aside_and_never_replaced_in_silence() {
    for damage in [
        "",
        "too short",
        &"g".repeat(64),
        &"a".repeat(63),
        &"a".repeat(300),
    ] {
        let path = folder("damaged");
        let home = Home::open(&path).unwrap();
        load_or_create(&home).unwrap();
        let key = home.path().join("identity/node.key");
        fs::write(&key, damage).unwrap();
        let refused = load_or_create(&home).unwrap_err();
        assert!(matches!(refused, HomeError::DamagedKey { .. }), "{refused}");
        let aside = home.path().join("identity/node.key.damaged-1");
        assert_eq!(fs::read_to_string(&aside).unwrap(), damage);
        let refused = load_or_create(&home).unwrap_err();
        assert!(
            matches!(refused, HomeError::SetAsideKey { .. }),
            "{refused}"
        );
        fs::remove_file(&aside).unwrap();
        assert!(load_or_create(&home).is_ok(), "the human has decided");
    }
}

#[test]
fn what_a_home_has_lost_is_not_made_anew_in_silence() {
    let path = folder("lost");
    let begin = || {
        let home = Home::open(&path).unwrap();
        load_or_create(&home).unwrap();
        Database::open(&home).unwrap().next_boot().unwrap();
        home
    };
    let home = begin();
    let (key, state) = (path.join("identity/node.key"), path.join("state.redb"));
    let whole = fs::read(&state).unwrap();
    for lost in [None, Some(&b""[..])] {
        match lost {
            None => fs::remove_file(&state).unwrap(),
            Some(bytes) => fs::write(&state, bytes).unwrap(),
        }
        let refused = Database::open(&home).unwrap_err();
        assert!(
            matches!(refused, HomeError::LostDatabase { .. }),
            "{refused}"
        );
        assert_eq!(fs::metadata(&state).map_or(0, |file| file.len()), 0);
    }
    fs::remove_file(&state).unwrap();
    drop(redb::Database::create(&state).unwrap());
    let refused = Database::open(&home).unwrap_err();
    assert!(
        matches!(refused, HomeError::LostDatabase { .. }),
        "{refused}"
    );
    fs::write(&state, whole).unwrap();
    assert_eq!(Database::open(&home).unwrap().next_boot().unwrap(), 2);

    fs::remove_file(&key).unwrap();
    let refused = load_or_create(&home).unwrap_err();
    assert!(matches!(refused, HomeError::LostKey { .. }), "{refused}");
    let mark = path.canonicalize().unwrap().join("begun");
    assert!(
        refused.to_string().contains(mark.to_str().unwrap()),
        "{refused}"
    );
    fs::remove_file(mark).unwrap();
    drop(home);
    begin();
}

#[test]
fn an_unwritable_home_is_a_sentence() {
    let path = folder("file");
    fs::write(&path, "a file stands here").unwrap();
    let refused = Home::open(&path).unwrap_err().to_string();
    assert!(refused.contains("--home"), "{refused}");
}

#[test]
fn boots_grow_over_reopened_databases() {
    let home = Home::open(&folder("boot")).unwrap();
    for expected in 1..=5 {
        let database = Database::open(&home).unwrap();
        assert_eq!(database.next_boot().unwrap(), expected);
    }
}

#[test]
fn commits_survive_and_networks_do_not_mix() {
    let home = Home::open(&folder("items")).unwrap();
    let writes = vec![
        (key(1, Table::Issued, b"a"), Some(Bytes::from_static(b"1"))),
        (key(1, Table::Members, b"b"), Some(Bytes::from_static(b"2"))),
        (key(2, Table::Issued, b"a"), Some(Bytes::from_static(b"3"))),
    ];
    Database::open(&home).unwrap().commit(&writes).unwrap();
    let database = Database::open(&home).unwrap();
    let items = rows_of(&database, 1);
    let rows: Vec<_> = items
        .iter()
        .map(|(key, value)| (key.table, value.as_ref()))
        .collect();
    assert_eq!(
        rows,
        [
            (Table::Issued, b"1".as_slice()),
            (Table::Members, b"2".as_slice())
        ]
    );
    database
        .commit(&[(key(1, Table::Issued, b"a"), None)])
        .unwrap();
    assert_eq!(rows_of(&database, 1).len(), 1);
    assert_eq!(rows_of(&database, 2).len(), 1);
    assert_eq!(rows_of(&database, 3).len(), 0);
}

#[test]
fn memberships_are_kept_and_replaced() {
    let home = Home::open(&folder("members")).unwrap();
    let database = Database::open(&home).unwrap();
    assert_eq!(database.memberships().unwrap(), Vec::new());
    let membership = |label: &str| Membership {
        owner: NodeId([7; 32]),
        label: Label::truncated(label),
        credential: Credential::Owner {
            label: Label::truncated(label),
        },
        contacts: Vec::new(),
    };
    database.join(&membership("one")).unwrap();
    database.join(&membership("two")).unwrap();
    database.join(&membership("one")).unwrap();
    assert_eq!(database.memberships().unwrap().len(), 2);
}

#[test]
fn one_network_more_than_a_node_carries_is_refused_with_a_sentence() {
    let home = Home::open(&folder("networks")).unwrap();
    let database = Database::open(&home).unwrap();
    let network = |n: usize| Membership {
        owner: NodeId([7; 32]),
        label: Label::truncated(&n.to_string()),
        credential: Credential::Owner {
            label: Label::default(),
        },
        contacts: Vec::new(),
    };
    let join = |n: usize| database.join(&network(n));
    // The node's own is one of them.
    for n in 1..messages::limits::NETWORKS_MAX - 1 {
        join(n).unwrap();
    }
    // Of several at once all are remembered, or none.
    let last = [network(63), network(0)];
    assert!(database.join_all(&last).is_err());
    assert_eq!(database.memberships().unwrap().len(), 62);
    database
        .join_all(&[network(63), network(63), network(1)])
        .unwrap();
    let refused = join(0).unwrap_err().to_string();
    assert!(refused.contains("64 networks"), "{refused}");
    assert_eq!(database.memberships().unwrap().len(), 63);
    // A newer ticket of a known one is no further network.
    join(1).unwrap();
}

#[test]
fn a_foreign_truncated_or_newer_database_is_refused_unwritten() {
    let home = Home::open(&folder("refused")).unwrap();
    let path = home.path().join("state.redb");
    fs::write(&path, vec![7; 10_000]).unwrap();
    let refused = Database::open(&home).unwrap_err();
    assert!(matches!(refused, HomeError::Database { .. }), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), vec![7; 10_000], "it is as it was");
    fs::remove_file(&path).unwrap();

    drop(Database::open(&home).unwrap());
    newer_schema(&path);
    let before = fs::read(&path).unwrap();
    let refused = Database::open(&home).unwrap_err();
    assert!(
        matches!(
            refused,
            HomeError::NewerSchema {
                found: 99,
                known: 1,
                ..
            }
        ),
        "{refused}"
    );
    assert!(fs::read(&path).unwrap() == before, "it is as it was");
}

/// A database of 200 rows.
fn used_database(home: &Home) -> PathBuf {
    let row = |n: u8| {
        let row = Bytes::from(vec![n; 32]);
        let key = Key {
            network: NetworkId([n; 32]),
            table: Table::Members,
            row,
        };
        (key, Some(Bytes::from(vec![n; 900])))
    };
    let writes: Vec<_> = (0..200).map(row).collect();
    Database::open(home).unwrap().commit(&writes).unwrap();
    home.path().join("state.redb")
}

/// What is left of it is refused as damaged, with a sentence, and left as it is.
fn check_refused(home: &Home, path: &PathBuf, damaged: &[u8], what: &str) {
    fs::write(path, damaged).unwrap();
    let refused = Database::open(home).expect_err(what);
    assert!(
        matches!(refused, HomeError::Database { .. }),
        "{what}: {refused}"
    );
    assert!(
        refused.to_string().contains("restore it"),
        "{what}: {refused}"
    );
    assert!(
        fs::read(path).unwrap() == damaged,
        "{what}: it was written to"
    );
}

#[test]
fn a_database_that_was_cut_short_is_refused_unwritten() {
    let home = Home::open(&folder("cut")).unwrap();
    let path = used_database(&home);
    let whole = fs::read(&path).unwrap();
    for len in [1, 64, 319, 4_096, 4_097, whole.len() / 2, whole.len() - 1] {
        check_refused(&home, &path, &whole[..len], &format!("{len} bytes"));
    }
    fs::write(&path, &whole).unwrap();
    assert!(Database::open(&home).is_ok(), "the whole one is fine");
}

#[test]
fn a_database_with_a_damaged_page_is_refused_unwritten_or_reads_as_before() {
    const PAGE: usize = 4_096;
    let home = Home::open(&folder("page")).unwrap();
    let path = used_database(&home);
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    // Every fifth, as a disk loses them: zeroes where a page was.
    for page in (0..whole.len() / PAGE).step_by(5) {
        let mut damaged = whole.clone();
        damaged[page * PAGE + 100..(page + 1) * PAGE].fill(0);
        fs::write(&path, &damaged).unwrap();
        match Database::open(&home) {
            // The page held nothing.
            Ok(database) => {
                for row in 0..200 {
                    assert_eq!(rows_of(&database, row).len(), 1);
                }
            }
            Err(HomeError::Database { .. }) => {
                refused += 1;
                assert!(fs::read(&path).unwrap() == damaged, "it was written to");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 8, "only {refused} pages of 200 rows matter");
}

#[test]
fn a_database_that_a_crash_left_open_keeps_its_commits() {
    let home = Home::open(&folder("crash")).unwrap();
    let path = home.path().join("state.redb");
    let database = Database::open(&home).unwrap();
    database
        .commit(&[(key(1, Table::Issued, b"a"), Some(Bytes::from_static(b"1")))])
        .unwrap();
    // What lies on the disk at this moment is what a crash leaves.
    let left = fs::read(&path).unwrap();
    drop(database);
    fs::write(&path, left).unwrap();
    let database = Database::open(&home).unwrap();
    assert_eq!(rows_of(&database, 1).len(), 1);
}

#[test]
fn a_network_that_was_left_is_forgotten_whole() {
    let home = Home::open(&folder("left")).unwrap();
    let database = Database::open(&home).unwrap();
    let membership = Membership {
        owner: NodeId([7; 32]),
        label: Label::truncated("one"),
        credential: Credential::Owner {
            label: Label::truncated("one"),
        },
        contacts: Vec::new(),
    };
    let network = membership.network();
    database.join(&membership).unwrap();
    let row = Key {
        network,
        table: Table::Members,
        row: Bytes::from_static(b"a"),
    };
    database
        .commit(&[(row, Some(Bytes::from_static(b"1")))])
        .unwrap();
    database
        .commit(&[(key(2, Table::Issued, b"a"), Some(Bytes::from_static(b"3")))])
        .unwrap();
    assert!(database.leave(network).unwrap());
    assert_eq!(database.memberships().unwrap(), Vec::new());
    assert_eq!(database.load(Asker::Roster(network)).unwrap(), Vec::new());
    assert_eq!(rows_of(&database, 2).len(), 1);
    assert!(!database.leave(network).unwrap());
}

#[test]
fn a_row_with_too_long_a_name_is_not_written() {
    let home = Home::open(&folder("row")).unwrap();
    let database = Database::open(&home).unwrap();
    let write = |len: usize| {
        let row = Bytes::from(vec![1; len]);
        let key = Key {
            network: NetworkId([1; 32]),
            table: Table::Stamps,
            row,
        };
        database.commit(&[(key, Some(Bytes::new()))])
    };
    assert!(write(64).is_ok());
    assert!(write(65).is_err());
}

fn newer_schema(path: &PathBuf) {
    let database = redb::Database::create(path).unwrap();
    let write = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<'_, &str, &[u8]>::new("meta");
    write
        .open_table(meta)
        .unwrap()
        .insert("schema", 99_u32.to_le_bytes().as_slice())
        .unwrap();
    write.commit().unwrap();
}
