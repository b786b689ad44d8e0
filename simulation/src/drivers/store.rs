//! The database: commands in order, one at a time. What is Committed was written whole and in its
//! order, and survives a power cut, as far as the disk does not lie.

mod disk;
#[cfg(test)]
mod tests;

pub use disk::{DiskFault, DiskReport};

use super::DriverOut;
use crate::event::Occurrence;
use bytes::Bytes;
pub(crate) use disk::Disk;
use messages::Address;
use messages::ports::store::{Command, Key, committed, loaded};
use std::collections::VecDeque;

/// Time from a commit to its confirmation: a fast disk's flush.
const COMMIT_US: u64 = 1_000;
/// Commands that may wait, as at the real database.
const QUEUE_MAX: usize = 1_024;

type Writes = Vec<(Key, Option<Bytes>)>;

/// The database driver in one of its lives.
#[derive(Debug)]
pub(crate) struct Store {
    /// Names what the disk does. No two lives use the same numbers.
    ticks: u64,
    /// The first one is being carried out.
    queue: VecDeque<Command>,
}

impl Store {
    pub(crate) const fn new(life: u64) -> Self {
        Self {
            ticks: life << 32,
            queue: VecDeque::new(),
        }
    }

    pub(crate) fn command(&mut self, disk: &mut Disk, command: Command, out: &mut DriverOut) {
        if let Command::Commit { asker, token, .. } = &command
            && self.queue.len() >= QUEUE_MAX
        {
            kernel::sometimes!(true, "store: too many commands wait");
            return out.tell(Address::Store, committed(*asker, *token, false));
        }
        self.queue.push_back(command);
        if self.queue.len() == 1 {
            self.begin(disk, out);
        }
    }

    /// The disk is done with the first command.
    pub(crate) fn tick(&mut self, disk: &mut Disk, tick: u64, out: &mut DriverOut) {
        if tick != self.ticks {
            return;
        }
        if disk.fault == DiskFault::TornNext && self.writing().is_some() {
            out.power_fails = true;
            return;
        }
        self.end(disk, out);
        self.begin(disk, out);
    }

    /// Commits that are carried out or wait.
    pub(crate) fn commits(&self) -> usize {
        let commit = |command: &&Command| matches!(command, Command::Commit { .. });
        self.queue.iter().filter(commit).count()
    }

    /// What is being written.
    pub(crate) fn writing(&self) -> Option<&Writes> {
        match self.queue.front() {
            Some(Command::Commit { writes, .. }) => Some(writes),
            Some(Command::Load(_)) | None => None,
        }
    }

    /// Begins the first command; a fast disk reads at once.
    fn begin(&mut self, disk: &mut Disk, out: &mut DriverOut) {
        let slow = match disk.fault {
            DiskFault::Slow(span) => span.0,
            DiskFault::None | DiskFault::Full | DiskFault::TornNext | DiskFault::LoseSyncs => 0,
        };
        while let Some(command) = self.queue.front() {
            let span = match command {
                Command::Load(_) => slow,
                Command::Commit { .. } => COMMIT_US + slow,
            };
            if span > 0 {
                self.ticks += 1;
                return out.later.push((span, Occurrence::Disk(self.ticks)));
            }
            self.end(disk, out);
        }
    }

    fn end(&mut self, disk: &mut Disk, out: &mut DriverOut) {
        let answer = match self.queue.pop_front() {
            Some(Command::Load(asker)) => loaded(asker, disk.load(asker)),
            Some(Command::Commit {
                asker,
                token,
                writes,
            }) => committed(asker, token, disk.commit(writes)),
            None => return,
        };
        out.tell(Address::Store, answer);
    }
}
