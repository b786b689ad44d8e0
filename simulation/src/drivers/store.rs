//! A disk: writes become durable in order, a moment after they were asked for.

use super::DriverOut;
use crate::event::Occurrence;
use bytes::Bytes;
use messages::ports::store::{Command, Key, committed, loaded};
use messages::{Address, NetworkId, Token};
use std::collections::BTreeMap;

/// Time from a commit to its confirmation: a fast disk's flush.
const COMMIT_US: u64 = 1_000;

type Writes = Vec<(Key, Option<Bytes>)>;

/// What survives a power cut.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    items: BTreeMap<Key, Bytes>,
}

/// The database driver of one boot.
#[derive(Debug, Default)]
pub(crate) struct Store {
    commits: u64,
    pending: BTreeMap<u64, (NetworkId, Token, Writes)>,
}

impl Store {
    pub(crate) fn command(&mut self, disk: &Disk, command: Command, out: &mut DriverOut) {
        match command {
            Command::Load(network) => {
                let items = disk
                    .items
                    .iter()
                    .filter(|(key, _)| key.network == network)
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                out.tell(Address::Store, loaded(network, items));
            }
            Command::Commit {
                network,
                token,
                writes,
            } => {
                self.commits += 1;
                self.pending.insert(self.commits, (network, token, writes));
                out.later
                    .push((COMMIT_US, Occurrence::Committed(self.commits)));
            }
        }
    }

    pub(crate) fn committed(&mut self, disk: &mut Disk, commit: u64, out: &mut DriverOut) {
        let Some((network, token, writes)) = self.pending.remove(&commit) else {
            return;
        };
        for (key, value) in writes {
            match value {
                Some(value) => disk.items.insert(key, value),
                None => disk.items.remove(&key),
            };
        }
        out.tell(Address::Store, committed(network, token, true));
    }
}
