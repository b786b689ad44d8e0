//! A table by address.
//!
//! Every letter is looked up by its address several times, and an address is 72 bytes: a hash
//! finds it in one comparison, where an ordered table makes eight. No order of hashes is ever
//! seen: who walks the table for what an order is seen of walks it in that of addresses.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use messages::Address;
use std::fmt;
use std::hash::{Hash as _, Hasher};

/// What stands at addresses.
#[derive(Clone)]
pub struct Directory<V>(HashTable<(Address, V)>);

impl<V> Default for Directory<V> {
    fn default() -> Self {
        Self::new()
    }
}

/// In the order of addresses.
impl<V: fmt::Debug> fmt::Debug for Directory<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.walk()).finish()
    }
}

impl<V> Directory<V> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self(HashTable::new())
    }

    /// What stands at this address.
    #[must_use]
    pub fn get(&self, who: &Address) -> Option<&V> {
        let found = self.0.find(hash(who), |(at, _)| at == who)?;
        Some(&found.1)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, who: &Address) -> Option<&mut V> {
        let found = self.0.find_mut(hash(who), |(at, _)| at == who)?;
        Some(&mut found.1)
    }

    /// What stands at this address, or what is put there now.
    pub fn get_or_insert_with(&mut self, who: Address, make: impl FnOnce() -> V) -> &mut V {
        let entry = self
            .0
            .entry(hash(&who), |(at, _)| *at == who, |(at, _)| hash(at));
        let entry = entry.or_insert_with(|| (who, make()));
        &mut entry.into_mut().1
    }

    /// Whether anything stands there.
    #[must_use]
    pub fn contains(&self, who: &Address) -> bool {
        self.get(who).is_some()
    }

    /// Puts something there; gives back what stood there.
    pub fn insert(&mut self, who: Address, value: V) -> Option<V> {
        let entry = self
            .0
            .entry(hash(&who), |(at, _)| *at == who, |(at, _)| hash(at));
        match entry {
            Entry::Occupied(mut there) => Some(std::mem::replace(&mut there.get_mut().1, value)),
            Entry::Vacant(free) => {
                free.insert((who, value));
                None
            }
        }
    }

    /// Takes away what stands there.
    pub fn remove(&mut self, who: &Address) -> Option<V> {
        let found = self.0.find_entry(hash(who), |(at, _)| at == who).ok()?;
        let ((_, value), _) = found.remove();
        Some(value)
    }

    /// All of it in no order: for what does not depend on one.
    pub fn each(&self) -> impl Iterator<Item = (&Address, &V)> {
        self.0.iter().map(|(who, value)| (who, value))
    }

    /// All of it, in the order of addresses: sorted at each call, so for rare walks.
    pub fn walk(&self) -> impl Iterator<Item = (Address, &V)> {
        let mut all: Vec<_> = self.0.iter().map(|(who, value)| (*who, value)).collect();
        all.sort_unstable_by_key(|(who, _)| *who);
        all.into_iter()
    }

    /// The same, to be changed.
    pub fn walk_mut(&mut self) -> impl Iterator<Item = (Address, &mut V)> {
        let all = self.0.iter_mut().map(|(who, value)| (*who, value));
        let mut all: Vec<_> = all.collect();
        all.sort_unstable_by_key(|(who, _)| *who);
        all.into_iter()
    }
}

fn hash(who: &Address) -> u64 {
    let mut fold = Fold::default();
    who.hash(&mut fold);
    fold.finish()
}

/// A hash that is the same in every run. Whoever grinds keys until they collide slows down the
/// look-ups of one node, whose table holds some thousand addresses: sessions, jobs and links have
/// limits of their own.
#[derive(Clone, Copy, Debug, Default)]
struct Fold(u64);

/// An odd number whose bits are those of the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.write_u64(u64::from_le_bytes(*word));
        }
        for byte in rest {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, word: u64) {
        // Both halves of the product: alone, the low one moves no bit of an id downwards.
        let wide = u128::from(self.0.rotate_left(23) ^ word) * u128::from(SPREAD);
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use messages::{NetworkId, NodeId, RequestId, StreamId};
    use std::collections::BTreeSet;

    fn session(n: u32) -> Address {
        let mut key = [0; 32];
        key[28..].copy_from_slice(&n.to_be_bytes());
        Address::Session(NetworkId([7; 32]), NodeId(key))
    }

    #[test]
    fn whatever_the_order_of_entry_it_is_walked_in_the_order_of_addresses() {
        let mut all: Vec<_> = (0..100).map(session).collect();
        all.extend([Address::Store, Address::Router, Address::Observer]);
        let mut sorted = all.clone();
        sorted.sort_unstable();
        for turn in 0..all.len() {
            all.rotate_left(turn);
            let mut directory = Directory::default();
            for who in &all {
                assert_eq!(directory.insert(*who, who.to_string()), None);
            }
            let walked: Vec<_> = directory.walk().map(|(who, _)| who).collect();
            assert_eq!(walked, sorted);
            let shown = format!("{:?}", directory);
            let of_last = format!("{:?}: {:?}}}", Address::Observer, "observer");
            assert!(shown.ends_with(&of_last), "{shown}");
            let walked: Vec<_> = directory.walk_mut().map(|(who, _)| who).collect();
            assert_eq!(walked, sorted);
        }
    }

    #[test]
    fn what_is_put_is_found_until_it_is_taken() {
        let mut directory = Directory::default();
        for n in 0..1_000 {
            *directory.get_or_insert_with(session(n), || 0) += n;
            *directory.get_or_insert_with(session(n), || 7) += 1;
        }
        for n in 0..1_000 {
            assert_eq!(directory.get(&session(n)), Some(&(n + 1)));
            assert_eq!(directory.remove(&session(n)), Some(n + 1));
            assert!(!directory.contains(&session(n)));
            assert_eq!(directory.get_mut(&session(n)), None);
        }
        assert_eq!(directory.walk().count(), 0);
    }

    #[test]
    fn addresses_that_differ_little_are_spread() {
        let hash = |who: Address| hash(&who);
        let sessions = (0..1_000).map(session);
        let streams = (0..1_000).map(|n| Address::Stream(StreamId(n)));
        let requests = (0..1_000).map(|n| Address::Proxy(RequestId { boot: 1, n }));
        for all in [
            sessions.map(hash).collect::<BTreeSet<_>>(),
            streams.map(hash).collect(),
            requests.map(hash).collect(),
        ] {
            assert_eq!(all.len(), 1_000);
            let low: BTreeSet<_> = all.iter().map(|hash| hash % 1_024).collect();
            // A thousand throws into as many buckets leave about 370 of them empty.
            assert!(low.len() > 550, "{} buckets", low.len());
        }
    }
}
