//! A disk: what it keeps when the power fails, and how it fails itself.

use super::Writes;
use bytes::Bytes;
use kernel::Entropy;
use messages::ports::store::{Asker, Item, Key};
use messages::{Digest, Micros};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskFault {
    /// Nothing: what it lied about before is written by now.
    #[default]
    None,
    /// It has no room: every write fails, and is said to have failed.
    Full,
    /// The node's power fails in the middle of the next write, of which a part is on the disk then.
    TornNext,
    /// It says that writes are durable which are not: a power cut loses some of the last ones.
    LoseSyncs,
    /// Every command takes this much longer.
    Slow(Micros),
}

/// What a disk has been through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskReport {
    /// Rows that it holds.
    pub rows: usize,
    /// Writes that it confirmed.
    pub commits: u64,
    /// Writes that were found torn at a start, and left out.
    pub torn: u64,
    /// Writes that were whole at a start, though nobody had been told so.
    pub whole: u64,
    /// Writes that were confirmed and lost.
    pub lost: u64,
}

/// What outlives a process. A write is one record behind the rows: its length and its digest come
/// first, so that a start knows a torn one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    rows: BTreeMap<Key, Bytes>,
    /// How to undo what was confirmed and is not durable, the oldest first.
    unsynced: Vec<Writes>,
    /// What a power cut left of a record.
    tail: Vec<u8>,
    pub(crate) fault: DiskFault,
    report: DiskReport,
}

impl Disk {
    pub(crate) fn report(&self) -> DiskReport {
        DiskReport {
            rows: self.rows.len(),
            ..self.report
        }
    }

    pub(crate) const fn fault(&self) -> DiskFault {
        self.fault
    }

    pub(crate) fn set(&mut self, fault: DiskFault) {
        self.fault = fault;
        if fault != DiskFault::LoseSyncs {
            self.unsynced.clear();
        }
    }

    /// Everything of a network.
    pub(crate) fn load(&self, asker: Asker) -> Vec<Item> {
        let is_its = |key: &Key| key.network == asker.network() && asker.owns(key.table);
        let of_it = self.rows.iter().filter(|(key, _)| is_its(key));
        of_it
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// A write is done. False: it failed, and nothing is changed.
    pub(crate) fn commit(&mut self, writes: Writes) -> bool {
        if self.fault == DiskFault::Full {
            return false;
        }
        self.report.commits += 1;
        let undo = self.apply(writes);
        if self.fault == DiskFault::LoseSyncs {
            self.unsynced.push(undo);
        }
        true
    }

    /// The power fails while this is written. Any part of it may be on the disk.
    pub(crate) fn lose_power(&mut self, writing: Option<&Writes>, entropy: &mut Entropy) {
        let kept = entropy.below(self.unsynced.len() as u64 + 1);
        while self.unsynced.len() as u64 > kept {
            let undo = self.unsynced.pop().unwrap_or_default();
            self.report.lost += 1;
            self.apply(undo);
        }
        self.unsynced.clear();
        // What follows a lost record is lost with it.
        if self.fault != DiskFault::Full
            && let Some(writes) = writing
        {
            let record = record_of(writes);
            let whole = record.len() as u64;
            let end = match self.fault {
                DiskFault::TornNext => 1 + entropy.below(whole - 1),
                DiskFault::None | DiskFault::Full | DiskFault::LoseSyncs | DiskFault::Slow(_) => {
                    if entropy.chance(WHOLE_PPM) {
                        whole
                    } else {
                        entropy.below(whole)
                    }
                }
            };
            self.tear(
                record,
                usize::try_from(end).unwrap_or(0),
                entropy.chance(HALF_PPM),
            );
        }
        if self.fault == DiskFault::TornNext {
            self.fault = DiskFault::None;
        }
    }

    /// Leaves a record up to here, and behind it nothing, or what was there before.
    pub(super) fn tear(&mut self, mut record: Vec<u8>, end: usize, stale: bool) {
        if stale {
            record[end..].fill(STALE);
        } else {
            record.truncate(end);
        }
        self.tail = record;
    }

    /// What a start does first: a whole record counts, a torn one does not.
    pub(crate) fn recover(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if tail.is_empty() {
            return;
        }
        match read_record(&tail) {
            Some(writes) => {
                self.report.whole += 1;
                self.apply(writes);
            }
            None => self.report.torn += 1,
        }
    }

    /// Writes, and gives back how to undo it.
    fn apply(&mut self, writes: Writes) -> Writes {
        let mut undo: Writes = writes
            .into_iter()
            .map(|(key, value)| {
                let before = match value {
                    Some(value) => self.rows.insert(key.clone(), value),
                    None => self.rows.remove(&key),
                };
                (key, before)
            })
            .collect();
        // A key that was written twice has its first value at last.
        undo.reverse();
        undo
    }
}

/// A write as it stands on the disk.
pub(super) fn record_of(writes: &Writes) -> Vec<u8> {
    let body = postcard::to_stdvec(writes).unwrap_or_default();
    let length = (body.len() as u64).to_le_bytes();
    let digest = Digest::of(RECORD, &[&length, &body]);
    [&length[..], &digest.0[..], &body[..]].concat()
}

/// The write of a whole record.
fn read_record(record: &[u8]) -> Option<Writes> {
    let (length, rest) = record.split_first_chunk::<8>()?;
    let (digest, body) = rest.split_first_chunk::<32>()?;
    let is_whole = u64::from_le_bytes(*length) == body.len() as u64
        && Digest::of(RECORD, &[length, body]).0 == *digest;
    is_whole.then(|| postcard::from_bytes(body).ok()).flatten()
}

const RECORD: &str = "simulated record";
/// What stood where a record was to stand.
const STALE: u8 = 0xA5;
/// How often all of a record is there, though nobody was told so: of a millisecond, the time that
/// the answer takes.
const WHOLE_PPM: u64 = 125_000;
/// One time in two.
const HALF_PPM: u64 = 500_000;
