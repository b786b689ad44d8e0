//! What the observer is told of supervised children.

use super::Switchboard;
use crate::{Action, Source};
use messages::observer::{ChildState, Input as Observed};
use messages::{Address, Letter};

impl Switchboard {
    /// Tells the observer, whose loss harms nobody. Requests come and go too fast to be reported.
    pub(super) fn report(&mut self, who: Address, state: ChildState, out: &mut Vec<Action>) {
        if !matches!(
            who,
            Address::Proxy(_) | Address::Stream(_) | Address::Observer
        ) {
            if let Some(entry) = self.entries.get_mut(&who) {
                entry.shown = Some(state.clone());
            }
            let letter = Letter::Observer(Observed::Supervised {
                address: who,
                state,
            });
            self.offer(Source::World, letter, out);
        }
    }

    /// Tells a new observer all that an earlier one was told, or would have been.
    pub(super) fn report_all(&mut self, out: &mut Vec<Action>) {
        let shown = self.entries.walk();
        let shown = shown.filter_map(|(who, entry)| Some((who, entry.shown.clone()?)));
        for (address, state) in shown.collect::<Vec<_>>() {
            let letter = Letter::Observer(Observed::Supervised { address, state });
            self.offer(Source::World, letter, out);
        }
    }
}
