//! Records are taken from neighbours, and what is new is said to others.

use crate::GossipStore;
use crate::registers::{Merged, Refused, version_of};
use crate::signature::ed25519;
use kernel::{Outbox, Signed, Signer};
use messages::wire::latest::{Gossip, batch};
use messages::{Mono, NodeId, Now, RecordClass, SignedRecord, Wall};
use std::sync::Arc;

/// What became of records, for people.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) taken: u64,
    pub(crate) known: u64,
    pub(crate) refused: u64,
    pub(crate) dropped: u64,
}

impl GossipStore {
    /// Takes records of a neighbour, and passes on what is new.
    pub(crate) fn take_all(&mut self, now: Now, from: NodeId, records: Vec<SignedRecord>) {
        let mut has_news = false;
        for signed in records {
            has_news |= self.take(now, from, signed).is_some();
        }
        if has_news {
            self.pass_on(from);
        }
    }

    /// Takes one record of a neighbour; gives it back where it is news.
    fn take(&mut self, now: Now, from: NodeId, signed: SignedRecord) -> Option<SignedRecord> {
        if !self.shares && signed.record.class == RecordClass::Gated {
            kernel::sometimes!(true, "gossip store: a record is not shared");
            self.counts.dropped += 1;
            return None;
        }
        match self.merge(now.wall, &signed) {
            Ok(is_news) => is_news.then_some(signed),
            Err(Refused::NotAMember) => {
                self.hold(now, from, signed);
                None
            }
            Err(why) => {
                kernel::sometimes!(true, "gossip store: a record is refused");
                self.counts.refused += 1;
                let key = signed.record.key();
                match why {
                    Refused::OtherNetwork => {}
                    // Another may have it as its author signed it.
                    Refused::Forged => self.strangers.set_useless(now.mono, from, key),
                    Refused::OtherClass
                    | Refused::TooLarge
                    | Refused::NotAMember
                    | Refused::Expired
                    | Refused::TooManyAhead
                    | Refused::NoRoom => self.refusals.add(key, version_of(&signed)),
                }
                None
            }
        }
    }

    /// Merges one record, and says whether it is news.
    pub(crate) fn merge(&mut self, now: Wall, signed: &SignedRecord) -> Result<bool, Refused> {
        let signer = Arc::clone(&self.signer);
        let is_signed = |signed: &SignedRecord| is_signed(&*signer, signed);
        match self.registers.merge(now, signed.clone(), is_signed) {
            Ok(Merged::New(_)) => {
                self.counts.taken += 1;
                Ok(true)
            }
            Ok(Merged::Known) => {
                self.counts.known += 1;
                Ok(false)
            }
            Err(why) => Err(why),
        }
    }

    /// Says what is new of this node's own to all neighbours. Who has no room now is told later
    /// that there is more.
    pub(crate) fn say(&mut self, now: Mono, news: &[SignedRecord], out: &mut Outbox) {
        let shares = self.shares;
        let shared = |signed: &&SignedRecord| shares || signed.record.class == RecordClass::Public;
        let shared: Vec<&SignedRecord> = news.iter().filter(shared).collect();
        let mut left = &shared[..];
        let mut frames = Vec::new();
        while !left.is_empty() {
            let some = batch(left.iter().copied().cloned());
            left = &left[some.len()..];
            frames.push(Gossip::News(some));
        }
        for (peer, neighbour) in &mut self.neighbours {
            for frame in &frames {
                if neighbour.may_hear(now, frame) {
                    out.tell(crate::to_peer(&self.seed, *peer, frame.clone()));
                }
            }
        }
    }

    /// Others than the one that it came from may not have what is new: they are told that there is
    /// more, and most have it already.
    fn pass_on(&mut self, from: NodeId) {
        for (peer, neighbour) in &mut self.neighbours {
            if *peer != from {
                neighbour.is_behind();
            }
        }
    }
}

/// Whether its author signed a record.
pub(crate) fn is_signed(signer: &dyn Signer, signed: &SignedRecord) -> bool {
    let bytes = signed.record.signing_bytes();
    let signed = Signed {
        key: &signed.record.author.0,
        bytes: &bytes,
        signature: &signed.signature,
    };
    signer.verify(&signed, ed25519)
}
