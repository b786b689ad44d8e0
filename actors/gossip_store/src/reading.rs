//! Which neighbour is read, and when.

use crate::GossipStore;
use crate::neighbours::{NEIGHBOURS_MAX, NEW_FOR, NEWCOMER_WAIT, Neighbour};
use crate::pull::{Next, Pull};
use kernel::Outbox;
use messages::wire::latest::{AskId, BATCH_RECORDS_MAX, Part};
use messages::{List, Micros, Mono, NodeId, Now, RecordClass, SignedRecord};

/// How often each neighbour is read although nothing says that it has more.
const REFRESH: Micros = Micros::from_secs(60);
/// Neighbours that are read in that time: what one lost all others of them would have to lose too.
const REFRESHED_MAX: u64 = 5;

impl GossipStore {
    pub(crate) fn on_differ(&mut self, now: Mono, peer: NodeId, ask: AskId, parts: &[Part]) {
        let Some(pull) = self.pull.as_mut().filter(|pull| pull.peer == peer) else {
            self.counts.dropped += 1;
            return;
        };
        let (refusals, strangers) = (&self.refusals, &self.strangers);
        let is_wanted = |mine: &crate::Registers, entry: &messages::wire::latest::Entry| {
            mine.is_news(&entry.key, (entry.stamp, entry.digest))
                && !refusals.contains(entry)
                && !strangers.needs_no(now, peer, entry)
        };
        match pull.on_differ(ask, parts, &mut self.registers, is_wanted) {
            true => self.answered = true,
            false => {
                kernel::sometimes!(true, "gossip store: an answer to nothing");
                self.counts.dropped += 1;
            }
        }
    }

    pub(crate) fn on_have(
        &mut self,
        now: Now,
        peer: NodeId,
        ask: AskId,
        records: List<SignedRecord, BATCH_RECORDS_MAX>,
    ) {
        let pull = self.pull.as_mut().filter(|pull| pull.peer == peer);
        let Some(records) = pull.and_then(|pull| pull.on_have(ask, records)) else {
            self.counts.dropped += 1;
            return;
        };
        self.answered = true;
        let taken = self.counts.taken;
        self.take_all(now, peer, records);
        if let Some(pull) = &mut self.pull {
            pull.has_news |= self.counts.taken > taken;
        }
    }

    /// Goes on with the neighbour that is being read, or begins with the next one.
    pub(crate) fn read_on(&mut self, now: Mono, out: &mut Outbox) {
        if std::mem::take(&mut self.answered) {
            self.next_question(now, out);
        }
        if self.pull.is_some() {
            return;
        }
        let shares = self.shares;
        // In turn, so that one that does not answer holds nobody up for ever.
        let last = self.read_last;
        let after = |peer: &NodeId| last.is_some_and(|last| *peer > last);
        let first = self.neighbours.keys().copied().filter(after);
        let others = self.neighbours.keys().copied().filter(|peer| !after(peer));
        let found = first.chain(others).find_map(|peer| {
            let class = self.neighbours.get(&peer)?.class_to_read(shares)?;
            Some((peer, class))
        });
        if let Some(found) = found {
            self.read_last = Some(found.0);
            if let Some(neighbour) = self.neighbours.get_mut(&found.0) {
                neighbour.is_read(found.1);
            }
            let ask = self.next_ask();
            let (pull, question) = Pull::begin(now, found, ask, &mut self.registers);
            self.pull = Some(pull);
            out.tell(crate::to_peer(&self.seed, found.0, question));
        }
    }

    fn next_question(&mut self, now: Mono, out: &mut Outbox) {
        let ask = self.next_ask();
        let Some(pull) = &mut self.pull else { return };
        let (peer, class) = (pull.peer, pull.class);
        match pull.next(now, ask, &mut self.registers) {
            Next::Ask(question) => out.tell(crate::to_peer(&self.seed, peer, question)),
            Next::Done => self.pull = None,
            Next::Yield => {
                // What brought nothing is not gone on with: the neighbour may only say that it has.
                let goes_on = pull.has_news;
                self.pull = None;
                if goes_on && let Some(neighbour) = self.neighbours.get_mut(&peer) {
                    neighbour.is_to_read(class);
                }
            }
        }
    }

    const fn next_ask(&mut self) -> AskId {
        self.asks = self.asks.wrapping_add(1);
        AskId(self.asks)
    }

    /// An answer that does not come is not waited for; its neighbour is asked again in its turn.
    pub(crate) fn give_up_late(&mut self, now: Mono) {
        let late = self.pull.take_if(|pull| pull.answer_until() <= now);
        if let Some(late) = late {
            kernel::sometimes!(true, "gossip store: an answer does not come");
            if let Some(neighbour) = self.neighbours.get_mut(&late.peer) {
                neighbour.is_to_read(late.class);
            }
        }
    }

    /// Reads one neighbour after the other again.
    pub(crate) fn refresh(&mut self, now: Mono) {
        if self.refresh_at > now {
            return;
        }
        self.refresh_at = now + self.refresh_wait();
        let after = |last: NodeId| {
            let later = (std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded);
            self.neighbours.range(later).next()
        };
        let next = self
            .refreshed
            .and_then(after)
            .or_else(|| self.neighbours.iter().next());
        let Some(next) = next.map(|(peer, _)| *peer) else {
            return;
        };
        self.refreshed = Some(next);
        if let Some(neighbour) = self.neighbours.get_mut(&next) {
            for class in [RecordClass::Public, RecordClass::Gated] {
                neighbour.is_to_read(class);
            }
        }
    }

    /// The wait between two neighbours. It is drawn, so that nodes that began together do not ask
    /// together for ever.
    pub(crate) fn refresh_wait(&mut self) -> Micros {
        let turns = (self.neighbours.len() as u64).clamp(1, REFRESHED_MAX);
        let wait = REFRESH.0 / turns;
        Micros(wait - self.entropy.below(wait / 4))
    }

    /// A store that is new reads each neighbour at once. One that is not lets a newcomer read it
    /// first: else all neighbours of a newcomer find the same difference, each for itself.
    pub(crate) fn on_active(&mut self, now: Now, peer: NodeId) {
        let room = self.neighbours.len() < NEIGHBOURS_MAX;
        kernel::sometimes!(!room, "gossip store: too many neighbours");
        if room || self.neighbours.contains_key(&peer) {
            if self.neighbours.is_empty() {
                self.new_until = now.mono + NEW_FOR;
            }
            let reads_from = match now.mono < self.new_until {
                true => None,
                false => Some(now.mono + self.newcomer_wait()),
            };
            self.neighbours
                .insert(peer, Neighbour::new(now.mono, reads_from));
        }
    }

    /// The wait before a newcomer is read, drawn so that its neighbours do not ask together.
    fn newcomer_wait(&mut self) -> Micros {
        let least = NEWCOMER_WAIT.0;
        Micros(least + self.entropy.below(least))
    }
}
