//! What is durable: every register's newest record, a row each.

use crate::GossipStore;
use crate::registers::Ground;
use bytes::Bytes;
use kernel::{Deadline, Exit, Failure, Outbox};
use messages::gossip_store::Seed;
use messages::ports::store::{Asker, Command, Item, Key, Table};
use messages::{
    Address, Credential, Letter, Micros, Mono, NetworkId, NodeId, RecordKey, SignedRecord, Token,
    Wall,
};
use std::collections::BTreeSet;

/// Registers of one commit: some 300 KiB.
const WRITES_MAX: usize = 256;
/// The wait before the store is asked once more for what is durable.
const LOAD_AGAIN: Micros = Micros::from_secs(2);
/// After this one that is not there is looked for again.
const AWAY: Micros = Micros::from_secs(10);
/// The wait after a write that failed: a full disk is not empty at once.
const WRITE_AGAIN: Micros = Micros::from_secs(5);

/// Where the database is with what the registers hold.
#[derive(Debug)]
pub(crate) struct Writing {
    loaded: bool,
    load_at: Option<Mono>,
    tokens: u64,
    /// The commit that is under way, and what it writes.
    under_way: Option<UnderWay>,
    /// No write before this.
    rest_until: Option<Mono>,
    /// When the store is watched again.
    watch_at: Option<Mono>,
}

/// A commit that is under way.
#[derive(Debug)]
struct UnderWay {
    token: Token,
    keys: BTreeSet<RecordKey>,
    authors: BTreeSet<NodeId>,
}

impl Writing {
    pub(crate) const fn new(first: u64) -> Self {
        Self {
            loaded: false,
            load_at: None,
            tokens: first,
            under_way: None,
            rest_until: None,
            watch_at: None,
        }
    }

    /// No write for a while.
    pub(crate) fn rest(&mut self, now: Mono) {
        self.rest_until = Some(now + WRITE_AGAIN);
    }

    pub(crate) const fn rests(&self) -> bool {
        self.rest_until.is_some()
    }

    pub(crate) const fn is_loaded(&self) -> bool {
        self.loaded
    }

    pub(crate) const fn next_token(&mut self) -> Token {
        self.tokens = self.tokens.wrapping_add(1);
        Token(self.tokens)
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let load = self.load_at.filter(|_| !self.loaded);
        let load = load.map(|at| Deadline {
            at,
            why: "ask the store again",
        });
        let write = self.rest_until.map(|at| Deadline {
            at,
            why: "write again",
        });
        let watch = self.watch_at.map(|at| Deadline {
            at,
            why: "watch the store again",
        });
        Deadline::earliest(Deadline::earliest(load, write), watch)
    }
}

impl GossipStore {
    pub(crate) fn load(&mut self, now: Mono, out: &mut Outbox) {
        self.writing.load_at = Some(now + LOAD_AGAIN);
        out.tell(Letter::Store(Command::Load(asker(&self.seed))));
    }

    /// The rows of an earlier life. Their authors were members; whoever is none any more, the
    /// roster says.
    pub(crate) fn on_loaded(&mut self, wall: Wall, items: Vec<Item>) -> Result<(), Failure> {
        if std::mem::replace(&mut self.writing.loaded, true) {
            return Ok(());
        }
        let of = |table| move |item: &Item| item.0.table == table;
        let (authors, items): (Vec<_>, Vec<_>) = items.into_iter().partition(of(Table::Authors));
        let (settings, records): (Vec<_>, Vec<_>) =
            items.into_iter().partition(of(Table::Settings));
        self.on_settings_loaded(settings)?;
        self.on_authors_loaded(authors)?;
        let mut gone = Vec::new();
        for (key, value) in records {
            let signed: SignedRecord = postcard::from_bytes(&value)
                .map_err(|_| Failure(format!("the row {:?} is no record", key.row)))?;
            if !self.knows_members {
                self.registers.admit(signed.record.author, Ground::Member);
            }
            // What was kept was checked. What has expired since, or is of whom the roster does not
            // know any more, is not kept again.
            let key = signed.record.key();
            if self.registers.merge(wall, signed, |_| true).is_err() {
                kernel::sometimes!(true, "gossip store: a row is not kept");
                gone.push(key);
            }
        }
        self.registers.take_changes(usize::MAX, &BTreeSet::new());
        self.registers.changed_again(gone);
        Ok(())
    }

    /// Who was vouched for in an earlier life.
    fn on_authors_loaded(&mut self, items: Vec<Item>) -> Result<(), Failure> {
        let mut written = BTreeSet::new();
        for (key, value) in items {
            let credential: Credential = postcard::from_bytes(&value)
                .map_err(|_| Failure(format!("the row {:?} is no credential", key.row)))?;
            let author = key.row.as_ref().try_into().map(NodeId);
            let author = author.map_err(|_| Failure(format!("{:?} is no author", key.row)))?;
            if self.vouch(author, credential) {
                self.registers.admit(author, Ground::Vouched);
            }
            written.insert(author);
        }
        // Rows of who found no place, or gave way to another of them, go.
        self.vouched.are_rows(&written);
        Ok(())
    }

    /// Writes what changed, one commit at a time.
    pub(crate) fn write(&mut self, out: &mut Outbox) {
        self.write_own(out);
        self.write_settings(out);
        let waits = self.writing.under_way.is_some() || self.writing.rests();
        if waits || !(self.registers.has_changes() || self.vouched.has_changes()) {
            return;
        }
        let changes = self.registers.take_changes(WRITES_MAX, &self.own.pending());
        let authors = self.vouched.take_changes(WRITES_MAX);
        if changes.is_empty() && authors.is_empty() {
            return;
        }
        let under_way = UnderWay {
            token: self.writing.next_token(),
            keys: changes.iter().map(|(key, _)| *key).collect(),
            authors: authors.iter().map(|(author, _)| *author).collect(),
        };
        let records = changes.into_iter();
        let records =
            records.map(|(key, signed)| (row(&self.seed, key), signed.map(|of| value_of(&of))));
        let authors = authors.into_iter();
        let authors = authors.map(|(author, shown)| {
            (
                row_of_author(&self.seed, author),
                shown.map(|of| encoded(postcard::to_stdvec(&of))),
            )
        });
        out.tell(Letter::Store(Command::Commit {
            asker: asker(&self.seed),
            token: under_way.token,
            writes: authors.chain(records).collect(),
        }));
        self.writing.under_way = Some(under_way);
    }

    /// Whether a commit of changes is over, and not one of this node's own records.
    pub(crate) fn wrote(&mut self, now: Mono, token: Token, durable: bool) -> bool {
        let under_way = self.writing.under_way.take_if(|of| of.token == token);
        let Some(under_way) = under_way else {
            return false;
        };
        if !durable {
            kernel::sometimes!(true, "gossip store: a write fails");
            self.write_again(under_way);
            self.writing.rest(now);
        }
        true
    }

    fn write_again(&mut self, lost: UnderWay) {
        self.registers.changed_again(lost.keys);
        self.vouched.changed_again(lost.authors);
    }

    /// The time of a load or a write that is to be tried again.
    pub(crate) fn on_write_deadline(&mut self, now: Mono, out: &mut Outbox) {
        self.writing.rest_until = self.writing.rest_until.filter(|at| *at > now);
        if self.writing.watch_at.take_if(|at| *at <= now).is_some() {
            out.watch(Address::Store);
        }
        if !self.writing.loaded && self.writing.load_at.is_none_or(|at| at <= now) {
            self.load(now, out);
        }
    }

    /// The store is down: what it was asked is lost. One that is not there is watched again later.
    pub(crate) fn on_store_down(&mut self, now: Mono, why: &Exit, out: &mut Outbox) {
        match why.is_abnormal() && !matches!(why, Exit::StartFailed(_)) {
            true => out.watch(Address::Store),
            false => {
                kernel::sometimes!(true, "gossip store: the store is away");
                self.writing.watch_at = Some(now + AWAY);
            }
        }
        if let Some(under_way) = self.writing.under_way.take() {
            self.write_again(under_way);
        }
        self.writing.rest_until = Some(now + LOAD_AGAIN);
        self.writing.load_at = Some(now + LOAD_AGAIN);
        self.own.write_again();
        self.admin.write_again();
    }
}

pub(crate) const fn asker(seed: &Seed) -> Asker {
    Asker::GossipStore(seed.network)
}

/// The row of a register.
pub(crate) fn row(seed: &Seed, key: RecordKey) -> Key {
    row_of(seed.network, Bytes::copy_from_slice(&key.0))
}

/// The row of an author that was vouched for.
fn row_of_author(seed: &Seed, author: NodeId) -> Key {
    Key {
        table: Table::Authors,
        ..row_of(seed.network, Bytes::copy_from_slice(&author.0))
    }
}

pub(crate) const fn row_of(network: NetworkId, row: Bytes) -> Key {
    Key {
        network,
        table: Table::Records,
        row,
    }
}

pub(crate) fn value_of(signed: &SignedRecord) -> Bytes {
    encoded(postcard::to_stdvec(signed))
}

/// What was encoded once is encoded again.
fn encoded(bytes: postcard::Result<Vec<u8>>) -> Bytes {
    bytes.unwrap_or_default().into()
}
