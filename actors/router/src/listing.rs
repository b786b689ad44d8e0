//! The list of models that a client may name, kept by counting who serves what: a mesh of many
//! nodes serves few models, and most words of its nodes change none.

use messages::limits::{MODELS_MAX, NAME_BYTES_MAX};
use messages::{Digest, Label, List, ModelAdvert, ModelId};
use std::collections::BTreeMap;

/// What fresh holders serve, and how many of them do.
#[derive(Debug)]
pub(crate) struct Listing(BTreeMap<Rank, (ModelAdvert, usize)>);

/// Names in order; for a name this node's own model first, then in the order of ids.
type Rank = (Label<NAME_BYTES_MAX>, Place, ModelId, Digest);

/// Where a holder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Here,
    Remote,
}

impl Listing {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// One more holder serves these.
    pub(crate) fn add(&mut self, place: Place, models: &[ModelAdvert]) {
        for advert in models {
            let known = self.0.entry(rank(place, advert));
            known.or_insert_with(|| (advert.clone(), 0)).1 += 1;
        }
    }

    /// One holder fewer serves these.
    pub(crate) fn remove(&mut self, place: Place, models: &[ModelAdvert]) {
        for advert in models {
            let rank = rank(place, advert);
            if let Some((_, holders)) = self.0.get_mut(&rank) {
                *holders -= 1;
                if *holders == 0 {
                    self.0.remove(&rank);
                }
            }
        }
    }

    /// Each name once.
    pub(crate) fn models(&self) -> List<ModelAdvert, MODELS_MAX> {
        let mut last = None;
        let adverts = self.0.values().map(|(advert, _)| advert);
        let firsts = adverts.filter(|advert| last.replace(&advert.name) != Some(&advert.name));
        let listed: Vec<ModelAdvert> = firsts.cloned().collect();
        kernel::sometimes!(
            listed.len() > MODELS_MAX,
            "router: more models than are listed"
        );
        List::truncated(listed)
    }
}

fn rank(place: Place, advert: &ModelAdvert) -> Rank {
    (
        advert.name.clone(),
        place,
        advert.model,
        advert.compute.digest,
    )
}
