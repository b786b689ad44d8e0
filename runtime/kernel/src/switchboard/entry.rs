//! One address: its phase, its life, and what waits for it.

use super::may_park;
use crate::restart::History;
use crate::{Child, Depth, Incarnation, ReturnReason, Source};
use messages::observer::ChildState;
use messages::{Address, Class, Letter, Mono};
use std::sync::Arc;

/// Control letters that may wait for one actor: each peer, device or network sends a few.
const PARKED_MAX: usize = 256;
/// Bytes of data and of a peer's frames that may wait for one actor: four of the largest prompts.
const PARKED_BYTES_MAX: usize = 4 << 20;

/// What has an address.
#[derive(Debug)]
pub(super) struct Entry {
    /// Nothing for a leaf: it is not supervised.
    pub(super) child: Option<Arc<Child>>,
    pub(super) life: Incarnation,
    pub(super) phase: Phase,
    pub(super) history: History,
    pub(super) starts: u64,
    /// What the observer was told of it last.
    pub(super) shown: Option<ChildState>,
}

/// Where it is between birth and end.
#[derive(Debug)]
pub(super) enum Phase {
    /// Being built; letters wait.
    Starting(Parked),
    /// Letters reach it.
    Live,
    /// Dead, to be started again.
    Waiting { at: Mono, parked: Parked },
    /// It spent its restarts; tried again at this time.
    Failed { at: Mono },
    /// It is ending for good.
    Stopping,
}

impl Entry {
    pub(super) fn starting(child: Arc<Child>, life: Incarnation) -> Self {
        let phase = Phase::Starting(Parked::default());
        let history = History::of(child.at);
        Self {
            child: Some(child),
            life,
            phase,
            history,
            starts: 1,
            shown: None,
        }
    }

    pub(super) fn leaf(at: Address, life: Incarnation) -> Self {
        Self {
            child: None,
            life,
            phase: Phase::Live,
            history: History::of(at),
            starts: 1,
            shown: None,
        }
    }

    pub(super) fn restart(&mut self, life: Incarnation, parked: Parked) {
        self.life = life;
        self.starts += 1;
        self.phase = Phase::Starting(parked);
    }

    /// Asserts that what waits is bounded, and that data waits only for a first start.
    pub(super) fn invariants(&self) {
        let (parked, data_may_wait) = match &self.phase {
            Phase::Starting(parked) => (parked, self.starts <= 1),
            Phase::Waiting { parked, .. } => (parked, false),
            Phase::Live | Phase::Failed { .. } | Phase::Stopping => return,
        };
        assert!(parked.0.len() <= PARKED_MAX, "too many letters wait");
        assert!(parked.bytes() <= PARKED_BYTES_MAX, "too many bytes wait");
        let is_data = |(_, letter): &(Source, Letter)| !may_park(&letter.class());
        assert!(
            data_may_wait || !parked.0.iter().any(is_data),
            "data waits for a restart"
        );
    }

    pub(super) const fn waits_until(&self) -> Option<Mono> {
        match &self.phase {
            Phase::Waiting { at, .. } | Phase::Failed { at } => Some(*at),
            Phase::Starting(_) | Phase::Live | Phase::Stopping => None,
        }
    }
}

impl Phase {
    /// Whether a life has begun and not ended, so that it can act.
    pub(super) const fn is_begun(&self) -> bool {
        match self {
            Self::Live | Self::Stopping => true,
            Self::Starting(_) | Self::Waiting { .. } | Self::Failed { .. } => false,
        }
    }
}

/// Letters that wait for a restart, in order.
#[derive(Debug, Default)]
pub(super) struct Parked(Vec<(Source, Letter)>);

impl Parked {
    /// Keeps the letter, or gives it back with the reason. Data waits only for a first start: its
    /// sender cannot know that the address is so young.
    pub(super) fn park(
        &mut self,
        from: Source,
        letter: Letter,
        first_start: bool,
    ) -> Result<Letter, Box<(Letter, ReturnReason)>> {
        let class = letter.class();
        if !may_park(&class) && !first_start {
            crate::sometimes!(true, "kernel: data does not wait for a restart");
            return Err(Box::new((letter, ReturnReason::Busy)));
        }
        if let Class::Coalesce(key) = &class {
            let key = Class::Coalesce(key.clone());
            crate::sometimes!(
                self.0.iter().any(|(_, waiting)| waiting.class() == key),
                "kernel: a waiting letter is replaced"
            );
            self.0.retain(|(_, waiting)| waiting.class() != key);
        }
        let depth = Depth::of(&class);
        let bytes = self.bytes() + depth.data_bytes + depth.frame_bytes;
        if self.0.len() >= PARKED_MAX || bytes > PARKED_BYTES_MAX {
            crate::sometimes!(
                self.0.len() >= PARKED_MAX,
                "kernel: too many letters wait for a restart"
            );
            crate::sometimes!(
                bytes > PARKED_BYTES_MAX,
                "kernel: too many bytes wait for a restart"
            );
            return Err(Box::new((letter, ReturnReason::ParkFull)));
        }
        self.0.push((from, letter.clone()));
        Ok(letter)
    }

    /// Bytes of the data and the frames that wait.
    fn bytes(&self) -> usize {
        let each = self.0.iter().map(|(_, letter)| Depth::of(&letter.class()));
        each.map(|depth| depth.data_bytes + depth.frame_bytes).sum()
    }

    /// Those that may wait for a restart, and the data that waited for a first start.
    pub(super) fn without_data(self) -> (Self, Vec<(Source, Letter)>) {
        let (waiting, data) = self
            .0
            .into_iter()
            .partition(|(_, letter)| may_park(&letter.class()));
        (Self(waiting), data)
    }

    pub(super) fn into_letters(self) -> impl Iterator<Item = (Source, Letter)> {
        self.0.into_iter()
    }
}
