//! Models whose holders left a moment ago.
//!
//! A node that is cut off from its last holder, or tells another that has the next one, is a moment
//! without any: who asks for the model meanwhile waits for a holder, as where one is silent, and is
//! not told that there is no such model.

use messages::{Micros, ModelAdvert, Mono};
use std::collections::VecDeque;

/// What holders served that are gone, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Lately {
    gone: VecDeque<(Mono, ModelAdvert)>,
}

impl Lately {
    /// A holder of these is gone.
    pub(crate) fn remember(&mut self, now: Mono, models: &[ModelAdvert]) {
        self.gone.retain(|(until, _)| now < *until);
        for advert in models {
            self.gone.retain(|(_, known)| known != advert);
            if self.gone.len() == GONE_MAX {
                kernel::sometimes!(true, "router: too many models left at once");
                self.gone.pop_front();
            }
            self.gone.push_back((now + GONE_MEMORY, advert.clone()));
        }
    }

    /// What was served a moment ago.
    pub(crate) fn iter(&self, now: Mono) -> impl Iterator<Item = &ModelAdvert> {
        let known = self.gone.iter().filter(move |(until, _)| now < *until);
        known.map(|(_, advert)| advert)
    }
}

/// As long as a request looks for a holder.
const GONE_MEMORY: Micros = Micros::from_secs(3);
/// Models of a few holders that leave at once: of more the first are forgotten sooner.
const GONE_MAX: usize = 256;
