//! Whose rows are whose.

use super::*;

const TABLES: [Table; 7] = [
    Table::Issued,
    Table::Revoked,
    Table::Members,
    Table::Stamps,
    Table::Records,
    Table::Authors,
    Table::Settings,
];

/// A database with a row in each table of each of these networks.
fn database(name: &str, networks: &[NetworkId]) -> Database {
    let database = Database::open(&Home::open(&folder(name)).unwrap()).unwrap();
    for network in networks {
        let writes = TABLES.map(|table| {
            let (network, row) = (*network, Bytes::from_static(b"row"));
            let key = Key {
                network,
                table,
                row,
            };
            (key, Some(Bytes::from_static(b"value")))
        });
        database.commit(&writes).unwrap();
    }
    database
}

fn tables(database: &Database, asker: Asker) -> Vec<Table> {
    let items = database.load(asker).unwrap();
    let of_it = |(key, _): &Item| key.network == asker.network();
    assert!(items.iter().all(of_it), "{asker:?} has another's rows");
    items.iter().map(|(key, _)| key.table).collect()
}

#[test]
fn each_table_is_one_askers() {
    let network = NetworkId([1; 32]);
    for table in TABLES {
        let askers = Asker::all(network);
        let owners = askers.iter().filter(|asker| asker.owns(table)).count();
        assert_eq!(owners, 1, "{table:?}");
    }
    for asker in Asker::all(network) {
        assert_eq!(asker.network(), network);
    }
}

#[test]
fn each_asker_is_given_its_own_tables_alone() {
    let networks = [1, 2, 3].map(|n| NetworkId([n; 32]));
    let database = database("askers", &networks);
    for network in networks {
        let roster = tables(&database, Asker::Roster(network));
        assert_eq!(roster, TABLES[..4]);
        let records = tables(&database, Asker::GossipStore(network));
        assert_eq!(records, TABLES[4..]);
    }
    for asker in Asker::all(NetworkId([4; 32])) {
        assert_eq!(tables(&database, asker), []);
    }
}

#[test]
fn a_network_that_was_left_leaves_no_row_of_anybody() {
    let label = Label::truncated("one");
    let membership = Membership {
        owner: NodeId([7; 32]),
        label: label.clone(),
        credential: Credential::Owner { label },
        contacts: Vec::new(),
    };
    // One on either side of it.
    let (left, others) = (
        membership.network(),
        [NetworkId([0; 32]), NetworkId([0xff; 32])],
    );
    let database = database("left-whole", &[others[0], left, others[1]]);
    database.join(&membership).unwrap();
    assert!(database.leave(left).unwrap());
    for asker in Asker::all(left) {
        assert_eq!(tables(&database, asker), [], "{asker:?}");
    }
    for other in others {
        assert_eq!(tables(&database, Asker::Roster(other)), TABLES[..4]);
        let records = tables(&database, Asker::GossipStore(other));
        assert_eq!(records, TABLES[4..]);
    }
}
