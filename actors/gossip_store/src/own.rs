//! This node's own records: durable before anybody hears of them, and said together.

use crate::GossipStore;
use crate::admin::{NO_ROOM, NOT_WRITTEN, tell_waiting};
use crate::writing::{asker, value_of};
use kernel::Outbox;
use messages::gossip_store::Fact;
use messages::ports::store::Command;
use messages::{Letter, Micros, Mono, Now, Record, RecordKey, SignedRecord, Stamp, Token};
use std::collections::{BTreeMap, BTreeSet};

/// Own records on their way to the disk: as many as one publication may hold, and some more.
pub(crate) const OWN_WAITING_MAX: usize = 8_192;
/// Changes within this time are said together.
const SAY_WAIT: Micros = Micros::from_millis(500);

/// Own records that are not durable yet, and what is durable and not said.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// Those that are to be written, the newest of each register.
    waiting: BTreeMap<RecordKey, SignedRecord>,
    /// Those that a commit writes, by commits in their order.
    in_flight: BTreeMap<Token, Vec<SignedRecord>>,
    /// What came before the rows: its stamps depend on theirs.
    early: Vec<Fact>,
    /// Registers that are durable and that no neighbour was told of.
    unsaid: BTreeSet<RecordKey>,
    /// When they are told.
    say_at: Option<Mono>,
}

impl Own {
    /// Registers on their way to the disk.
    pub(crate) fn pending(&self) -> BTreeSet<RecordKey> {
        let in_flight = self.in_flight.values().flatten();
        let in_flight = in_flight.map(|signed| signed.record.key());
        self.waiting.keys().copied().chain(in_flight).collect()
    }

    pub(crate) const fn say_at(&self) -> Option<Mono> {
        self.say_at
    }

    pub(crate) fn take_early(&mut self) -> Vec<Fact> {
        std::mem::take(&mut self.early)
    }

    /// The newest record of a register that is on its way to the disk.
    pub(crate) fn newest(&self, key: &RecordKey) -> Option<&SignedRecord> {
        let in_flight = self.in_flight.values().flatten();
        let in_flight = in_flight.filter(|signed| signed.record.key() == *key);
        let all = self.waiting.get(key).into_iter().chain(in_flight);
        all.max_by_key(|signed| signed.record.stamp)
    }

    /// What was under way is to be written again.
    pub(crate) fn write_again(&mut self) {
        let lost = std::mem::take(&mut self.in_flight);
        for signed in lost.into_values().flatten() {
            self.wait(signed);
        }
    }

    fn wait(&mut self, signed: SignedRecord) {
        let waits = self.waiting.get(&signed.record.key());
        if waits.is_none_or(|other| other.record.stamp < signed.record.stamp) {
            self.waiting.insert(signed.record.key(), signed);
        }
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

    /// This node says something of itself. Gives the register and the stamp that are to be durable
    /// for it; nothing where it stands already.
    pub(crate) fn say_own(&mut self, now: Now, fact: Fact) -> Option<(RecordKey, Stamp)> {
        let signed = match self.sign(now, fact) {
            Ok(signed) => signed,
            Err(stands) => return stands,
        };
        let (key, stamp) = (signed.record.key(), signed.record.stamp);
        let room = self.own.waiting.len() < OWN_WAITING_MAX;
        kernel::sometimes!(!room, "gossip store: too many own records wait");
        if room || self.own.waiting.contains_key(&key) {
            self.own.waiting.insert(key, signed);
        }
        Some((key, stamp))
    }

    /// The record of a fact. Where it stands already: what it waits for, if it is not durable yet.
    fn sign(&self, now: Now, fact: Fact) -> Result<SignedRecord, Option<(RecordKey, Stamp)>> {
        let key = RecordKey::of(fact.kind, self.seed.me, &fact.id);
        let waiting = self.own.newest(&key);
        let known = waiting.or_else(|| self.registers.get(&key));
        let stands = match known {
            Some(known) => {
                let record = &known.record;
                let is_same = record.value == fact.value && record.class == fact.class;
                is_same && record.stamp > fact.after
            }
            None => fact.value.is_none(),
        };
        if stands {
            return Err(waiting.map(|signed| (key, signed.record.stamp)));
        }
        let last = known.map_or(0, |known| known.record.stamp.0 + 1);
        let last = last.max(fact.after.0 + u64::from(fact.after > Stamp(0)));
        let record = Record {
            network: self.seed.network,
            class: fact.class,
            kind: fact.kind,
            author: self.seed.me,
            id: fact.id,
            stamp: Stamp(now.wall.0.max(last)),
            value: fact.value,
        };
        let signature = self.signer.sign(&record.signing_bytes());
        Ok(SignedRecord { record, signature })
    }

    /// Writes own records that no commit writes yet.
    pub(crate) fn write_own(&mut self, out: &mut Outbox) {
        if self.writing.rests() || self.own.waiting.is_empty() {
            return;
        }
        let token = self.writing.next_token();
        let records = std::mem::take(&mut self.own.waiting);
        let writes = records.iter().map(|(key, signed)| {
            let value = value_of(signed);
            (crate::writing::row(&self.seed, *key), Some(value))
        });
        out.tell(Letter::Store(Command::Commit {
            asker: asker(&self.seed),
            token,
            writes: writes.collect(),
        }));
        let records = records.into_values().collect();
        self.own.in_flight.insert(token, records);
    }

    /// Own records are durable: now they may be said.
    pub(crate) fn on_committed(&mut self, now: Now, token: Token, out: &mut Outbox) {
        if self.wrote(now.mono, token, true) || self.wrote_settings(token, true, out) {
            return;
        }
        let records = self.own.in_flight.remove(&token);
        for signed in records.into_iter().flatten() {
            let (key, stamp) = (signed.record.key(), signed.record.stamp);
            match self.merge(now.wall, &signed) {
                Ok(is_news) => {
                    if is_news {
                        self.own.unsaid.insert(key);
                        self.own.say_at.get_or_insert(now.mono + SAY_WAIT);
                    }
                    self.registers.is_written(&key);
                    let replies = self.admin.are_durable(key, stamp);
                    tell_waiting(replies, None, out);
                }
                Err(_) => self.does_not_count(key, stamp, out),
            }
        }
    }

    /// An own record is durable and has no place: its row goes.
    fn does_not_count(&mut self, key: RecordKey, stamp: Stamp, out: &mut Outbox) {
        kernel::sometimes!(true, "gossip store: an own record has no place");
        self.registers.changed_again([key]);
        let replies = self.admin.are_not_durable(key, stamp);
        tell_waiting(replies, Some(NO_ROOM), out);
    }

    /// What a human waits for is refused; what else this node says is written again.
    pub(crate) fn on_commit_failed(&mut self, now: Mono, token: Token, out: &mut Outbox) {
        if self.wrote(now, token, false) || self.wrote_settings(token, false, out) {
            return;
        }
        let records = self.own.in_flight.remove(&token);
        for signed in records.into_iter().flatten() {
            let (key, stamp) = (signed.record.key(), signed.record.stamp);
            let newer = self.own.newest(&key);
            if newer.is_some_and(|newer| newer.record.stamp > stamp) {
                // Whoever waits for this one waits for that one now.
                continue;
            }
            let replies = self.admin.are_not_durable(key, stamp);
            if replies.is_empty() {
                self.own.wait(signed);
            }
            tell_waiting(replies, Some(NOT_WRITTEN), out);
        }
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
