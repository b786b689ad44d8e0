//! This node's own records: durable before anybody hears of them.

use crate::GossipStore;
use crate::admin::tell_waiting;
use crate::writing::{asker, value_of};
use kernel::Outbox;
use messages::gossip_store::Fact;
use messages::ports::store::Command;
use messages::{Letter, Micros, Mono, Now, Record, RecordKey, SignedRecord, Stamp, Token};
use std::collections::{BTreeMap, BTreeSet};

/// Own records on their way to the disk: as many as one publication may hold, and some more.
pub(crate) const OWN_WAITING_MAX: usize = 8_192;

/// Own records that are not durable yet.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// By register, each with the commit that writes it; none where it is to be written.
    waiting: BTreeMap<RecordKey, (Option<Token>, SignedRecord)>,
    /// What came before the rows: its stamps depend on theirs.
    early: Vec<Fact>,
    /// Registers that are durable and that no neighbour was told of.
    unsaid: BTreeSet<RecordKey>,
    /// When they are told.
    say_at: Option<Mono>,
}

/// Changes within this time are said together.
const SAY_WAIT: Micros = Micros::from_millis(500);

impl Own {
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.values().any(|(token, _)| token.is_none())
    }

    /// How many wait for the disk.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) const fn say_at(&self) -> Option<Mono> {
        self.say_at
    }

    pub(crate) fn take_early(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.early)
    }

    pub(crate) fn write_again(&mut self) {
        for (token, _) in self.waiting.values_mut() {
            *token = None;
        }
    }

    /// The records of a commit.
    fn of(&mut self, token: Token) -> Vec<(RecordKey, SignedRecord)> {
        let found = self
            .waiting
            .iter()
            .filter(|(_, (of, _))| *of == Some(token));
        let found: Vec<_> = found
            .map(|(key, (_, signed))| (*key, signed.clone()))
            .collect();
        for (key, _) in &found {
            self.waiting.remove(key);
        }
        found
    }
}

impl GossipStore {
    /// What this node has to say. A value that stands already is not said again.
    pub(crate) fn on_publish(&mut self, now: Now, facts: Vec<Fact>) {
        if !self.writing.is_loaded() {
            kernel::sometimes!(true, "gossip store: own values come before the rows");
            self.own.early.extend(facts);
            return self.own.early.truncate(OWN_WAITING_MAX);
        }
        for fact in facts {
            self.say_own(now, fact);
        }
    }

    /// This node says something of itself; gives the register that it changes, if it does.
    pub(crate) fn say_own(&mut self, now: Now, fact: Fact) -> Option<RecordKey> {
        let signed = self.sign(now, fact)?;
        let key = signed.record.key();
        let room = self.own.waiting.len() < OWN_WAITING_MAX;
        kernel::sometimes!(!room, "gossip store: too many own records wait");
        if room || self.own.waiting.contains_key(&key) {
            self.own.waiting.insert(key, (None, signed));
        }
        Some(key)
    }

    fn sign(&self, now: Now, fact: Fact) -> Option<SignedRecord> {
        let Fact {
            class,
            kind,
            id,
            value,
            after,
        } = fact;
        let key = RecordKey::of(kind, self.seed.me, &id);
        let waiting = self.own.waiting.get(&key).map(|(_, signed)| signed);
        let known = waiting.or_else(|| self.registers.get(&key));
        let is_as_it_was = match known {
            Some(known) => {
                let record = &known.record;
                record.value == value && record.class == class && record.stamp > after
            }
            None => value.is_none(),
        };
        if is_as_it_was {
            return None;
        }
        let last = known.map_or(0, |known| known.record.stamp.0 + 1);
        let last = last.max(after.0 + u64::from(after > Stamp(0)));
        let record = Record {
            network: self.seed.network,
            class,
            kind,
            author: self.seed.me,
            id,
            stamp: Stamp(now.wall.0.max(last)),
            value,
        };
        let signature = self.signer.sign(&record.signing_bytes());
        Some(SignedRecord { record, signature })
    }

    /// Writes own records that no commit writes yet.
    pub(crate) fn write_own(&mut self, out: &mut Outbox) {
        if self.writing.rests() || !self.own.is_waiting() {
            return;
        }
        let token = self.writing.next_token();
        let mut writes = Vec::new();
        for (key, (of, signed)) in &mut self.own.waiting {
            if of.is_none() {
                *of = Some(token);
                writes.push((
                    crate::writing::row(&self.seed, *key),
                    Some(value_of(signed)),
                ));
            }
        }
        out.tell(Letter::Store(Command::Commit {
            asker: asker(&self.seed),
            token,
            writes,
        }));
    }

    /// Own records are durable: now they may be said.
    pub(crate) fn on_committed(&mut self, now: Now, token: Token, out: &mut Outbox) {
        if self.wrote(now.mono, token, true) || self.wrote_setting(token, true, out) {
            return;
        }
        let mut durable = Vec::new();
        for (key, signed) in self.own.of(token) {
            if let Ok(true) = self.merge(now.wall, &signed) {
                self.own.unsaid.insert(key);
                self.own.say_at.get_or_insert(now.mono + SAY_WAIT);
            }
            self.registers.is_written(&key);
            durable.push(key);
        }
        tell_waiting(self.admin.are_durable(&durable), true, out);
    }

    /// What a human waits for is refused; what else this node says is written again.
    pub(crate) fn on_commit_failed(&mut self, now: Mono, token: Token, out: &mut Outbox) {
        if self.wrote(now, token, false) || self.wrote_setting(token, false, out) {
            return;
        }
        let mut refused = Vec::new();
        for (key, signed) in self.own.of(token) {
            if self.admin.waits_for(&key) {
                refused.push(key);
                continue;
            }
            self.own.waiting.entry(key).or_insert((None, signed));
        }
        tell_waiting(self.admin.are_not_durable(&refused), false, out);
        self.writing.rest(now);
    }

    /// Says what changed, the newest of each register once.
    pub(crate) fn say_changes(&mut self, now: Mono, out: &mut Outbox) {
        if self.own.say_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let unsaid = std::mem::take(&mut self.own.unsaid);
        let news = unsaid.iter().filter_map(|key| self.registers.get(key));
        let news: Vec<SignedRecord> = news.cloned().collect();
        self.say(now, &news, out);
    }
}
