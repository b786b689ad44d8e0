//! What humans ask of the records of a network, and choose for it.

use crate::GossipStore;
use crate::registers::{AUTHOR_RECORDS_MAX, class_of};
use crate::writing::{asker as of_store, row_of};
use bytes::Bytes;
use kernel::{Failure, Outbox};
use messages::gossip_store::{
    AdminRequest, CHANGED, Fact, PromptPolicy, Setting, Settings, Shared, Trusted,
};
use messages::limits::RECORD_BYTES_MAX;
use messages::observer::Asker;
use messages::ports::store::{Command, Item, Table};
use messages::ports::{control, gateway};
use messages::{Kind, Label, Letter, Now, QueryId, RecordKey, SignedRecord, Stamp, Token};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Requests of humans that wait for the disk: more than people and scripts make at once.
const WAITING_MAX: usize = 64;
/// Bytes of what is read at once: half of what an answer to a human may have.
const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A record without its value, in a human's answer.
const RECORD_REST_BYTES: usize = 512;

const CROWDED: &str = "too many requests at once: try again";
pub(crate) const NO_ROOM: &str = "the network holds as many records as it may";
pub(crate) const NOT_WRITTEN: &str =
    "the disk did not take it, and nothing is changed: is it full?";

/// Names an answer, and says where it goes.
pub(crate) type Reply = (QueryId, Asker);

/// What waits for the disk, and the settings.
#[derive(Debug)]
pub(crate) struct Admin {
    pub(crate) settings: Settings,
    /// What came before the rows: it is answered by them.
    early: Vec<(Reply, AdminRequest)>,
    /// Values that are not durable yet, by the registers and stamps that they wait for.
    said: Vec<(Reply, BTreeMap<RecordKey, Stamp>)>,
    /// Settings that are not durable yet, each with the commit that writes it; none where it is to
    /// be written.
    set: Vec<(Option<Token>, Reply, Vec<Setting>)>,
}

impl Admin {
    pub(crate) const fn new(shares: bool) -> Self {
        Self {
            settings: Settings {
                auto_gossip: shares,
                trusted: Trusted::All,
                prompts: PromptPolicy::Newest,
            },
            early: Vec::new(),
            said: Vec::new(),
            set: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.early.len() + self.said.len() + self.set.len() >= WAITING_MAX
    }

    /// The database lost what it was asked.
    pub(crate) fn write_again(&mut self) {
        for (token, ..) in &mut self.set {
            *token = None;
        }
    }

    /// A record of this register is durable: whose values all are, is told.
    pub(crate) fn are_durable(&mut self, key: RecordKey, stamp: Stamp) -> Vec<Reply> {
        let has_come = |waits_for: &BTreeMap<RecordKey, Stamp>| {
            waits_for.get(&key).is_some_and(|for_it| *for_it <= stamp)
        };
        for (_, waits_for) in &mut self.said {
            if has_come(waits_for) {
                waits_for.remove(&key);
            }
        }
        let done = self.said.extract_if(.., |(_, keys)| keys.is_empty());
        done.map(|(reply, _)| reply).collect()
    }

    /// This record of a register does not become durable, and no newer one is on its way.
    pub(crate) fn are_not_durable(&mut self, key: RecordKey, stamp: Stamp) -> Vec<Reply> {
        let failed = |(_, waits_for): &mut (Reply, BTreeMap<RecordKey, Stamp>)| {
            waits_for.get(&key).is_some_and(|for_it| *for_it <= stamp)
        };
        let failed = self.said.extract_if(.., failed);
        failed.map(|(reply, _)| reply).collect()
    }

    fn apply(&mut self, setting: Setting) {
        match setting {
            Setting::AutoGossip(on) => self.settings.auto_gossip = on,
            Setting::Trusted(trusted) => self.settings.trusted = trusted,
            Setting::Prompts(policy) => self.settings.prompts = policy,
        }
    }
}

/// The row of a setting.
const fn name_of(setting: &Setting) -> &'static str {
    match setting {
        Setting::AutoGossip(_) => "auto_gossip",
        Setting::Trusted(_) => "trusted",
        Setting::Prompts(_) => "prompts",
    }
}

impl GossipStore {
    pub(crate) fn on_admin(
        &mut self,
        now: Now,
        reply: Reply,
        request: AdminRequest,
        out: &mut Outbox,
    ) {
        let is_full = self.admin.is_full();
        kernel::sometimes!(is_full, "gossip store: too many humans wait");
        match request {
            AdminRequest::Read(kind) if self.writing.is_loaded() => {
                let shared = control::Answer::Shared(Box::new(self.shared(kind)));
                answer(reply, shared, out);
            }
            _ if is_full => refuse(reply, CROWDED, out),
            AdminRequest::Say(facts) if self.writing.is_loaded() => {
                self.on_say(now, reply, facts, out);
            }
            AdminRequest::Set(settings) if self.writing.is_loaded() => {
                self.admin.set.push((None, reply, settings));
            }
            early @ (AdminRequest::Read(_) | AdminRequest::Say(_) | AdminRequest::Set(_)) => {
                kernel::sometimes!(true, "gossip store: a human asks before the rows are here");
                self.admin.early.push((reply, early));
            }
        }
    }

    /// Answers what came before the rows.
    pub(crate) fn answer_early(&mut self, now: Now, out: &mut Outbox) {
        for (reply, request) in std::mem::take(&mut self.admin.early) {
            self.on_admin(now, reply, request, out);
        }
    }

    /// What counts of a kind here, as this node has it: of who is not trusted nothing, its own
    /// first, then the newest, where it is too much.
    fn shared(&self, kind: Kind) -> Shared {
        let me = self.seed.me;
        let settings = &self.admin.settings;
        let counts = |signed: &&SignedRecord| {
            let author = signed.record.author;
            signed.record.kind == kind && settings.trusts(me, author)
        };
        let mut found: Vec<&SignedRecord> = self.registers.in_force().filter(counts).collect();
        found.sort_by_key(|signed| {
            let record = &signed.record;
            (record.author != me, Reverse(record.stamp), record.key())
        });
        let mut bytes = 0;
        let fits = |signed: &&&SignedRecord| {
            let value = signed.record.value.as_ref().map_or(0, Bytes::len);
            bytes += RECORD_REST_BYTES + value;
            bytes <= READ_BYTES_MAX
        };
        let count = found.len();
        let records: Vec<_> = found.iter().take_while(fits).copied().cloned().collect();
        Shared {
            me,
            network: self.seed.network,
            settings: settings.clone(),
            left_out: (count - records.len()) as u64,
            records,
        }
    }

    fn on_say(&mut self, now: Now, reply: Reply, mut facts: Vec<Fact>, out: &mut Outbox) {
        if let Some(why) = self.unfit(&facts) {
            return refuse(reply, &why, out);
        }
        for fact in &mut facts {
            // A prompt that others wrote is changed for everybody, trusted here or not.
            if fact.kind == Kind::PROMPT {
                let of_others = self.registers.newest_of_others(fact.kind, &fact.id);
                fact.after = fact.after.max(of_others);
            }
        }
        let waits_for: BTreeMap<RecordKey, Stamp> = facts
            .into_iter()
            .filter_map(|fact| self.say_own(now, fact))
            .collect();
        match waits_for.is_empty() {
            true => answer(reply, control::Answer::Done, out),
            false => self.admin.said.push((reply, waits_for)),
        }
    }

    /// Why values cannot be said.
    fn unfit(&self, facts: &[Fact]) -> Option<String> {
        let too_long = |fact: &Fact| {
            let len = fact.value.as_ref().map_or(0, Bytes::len);
            len > RECORD_BYTES_MAX
        };
        if facts.iter().any(too_long) {
            return Some(format!("a value has at most {RECORD_BYTES_MAX} bytes"));
        }
        let is_of_other = |fact: &Fact| class_of(fact.kind).is_some_and(|of| of != fact.class);
        if facts.iter().any(is_of_other) {
            return Some("its kind is of the other class".to_owned());
        }
        let key_of = |fact: &Fact| RecordKey::of(fact.kind, self.seed.me, &fact.id);
        let newest = |key: &RecordKey| self.own.newest(key).or_else(|| self.registers.get(key));
        let is_changed = |fact: &Fact| {
            let stamp = newest(&key_of(fact)).map_or(Stamp(0), |signed| signed.record.stamp);
            fact.expects.is_some_and(|expected| expected != stamp)
        };
        if facts.iter().any(is_changed) {
            kernel::sometimes!(true, "gossip store: two humans change the same");
            return Some(CHANGED.to_owned());
        }
        let mut new = self.own.pending();
        new.extend(facts.iter().filter(|fact| fact.value.is_some()).map(key_of));
        new.retain(|key| self.registers.get(key).is_none());
        if self.registers.count_of(self.seed.me) + new.len() > AUTHOR_RECORDS_MAX {
            kernel::sometimes!(true, "gossip store: a human says too much");
            return Some(format!(
                "a node says at most {AUTHOR_RECORDS_MAX} things in a network"
            ));
        }
        (!new.is_empty() && self.registers.is_full()).then(|| NO_ROOM.to_owned())
    }

    /// Writes settings that no commit writes yet.
    pub(crate) fn write_settings(&mut self, out: &mut Outbox) {
        if self.writing.rests() {
            return;
        }
        for (token, _, settings) in &mut self.admin.set {
            if token.is_some() {
                continue;
            }
            let next = self.writing.next_token();
            *token = Some(next);
            let write = |setting: &Setting| {
                let mut key = row_of(self.seed.network, Bytes::from(name_of(setting)));
                key.table = Table::Settings;
                let value = postcard::to_stdvec(setting).unwrap_or_default();
                (key, Some(value.into()))
            };
            out.tell(Letter::Store(Command::Commit {
                asker: of_store(&self.seed),
                token: next,
                writes: settings.iter().map(write).collect(),
            }));
        }
    }

    /// Whether a commit was that of settings. They hold together or not at all.
    pub(crate) fn wrote_settings(&mut self, token: Token, durable: bool, out: &mut Outbox) -> bool {
        let of_it = |(of, ..): &mut (Option<Token>, Reply, Vec<Setting>)| *of == Some(token);
        let found = self.admin.set.extract_if(.., of_it).next();
        let Some((_, reply, settings)) = found else {
            return false;
        };
        if !durable {
            refuse(reply, NOT_WRITTEN, out);
            return true;
        }
        for setting in settings {
            if let Setting::AutoGossip(on) = setting {
                self.on_share(on);
            }
            self.admin.apply(setting);
        }
        answer(reply, control::Answer::Done, out);
        true
    }

    /// Settings of an earlier life.
    pub(crate) fn on_settings_loaded(&mut self, items: Vec<Item>) -> Result<(), Failure> {
        for (key, value) in items {
            let setting: Setting = postcard::from_bytes(&value)
                .map_err(|_| Failure(format!("the row {:?} is no setting", key.row)))?;
            self.admin.apply(setting);
        }
        self.shares = self.admin.settings.auto_gossip;
        Ok(())
    }
}

/// Whoever waited is told that all of it is durable, or why none is.
pub(crate) fn tell_waiting(replies: Vec<Reply>, why_not: Option<&str>, out: &mut Outbox) {
    for reply in replies {
        match why_not {
            None => answer(reply, control::Answer::Done, out),
            Some(why) => refuse(reply, why, out),
        }
    }
}

fn refuse(reply: Reply, why: &str, out: &mut Outbox) {
    answer(reply, control::Answer::Refused(Label::truncated(why)), out);
}

fn answer((query, asker): Reply, answer: control::Answer, out: &mut Outbox) {
    let answer = Box::new(answer);
    out.tell(match asker {
        Asker::Control => Letter::Control(control::Command::Answer { query, answer }),
        Asker::Gateway => Letter::Gateway(gateway::Command::Answer { query, answer }),
    });
}
