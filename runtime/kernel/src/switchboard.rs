//! Who has which address, who waits for whom, and who watches whom.
//!
//! # Role
//! The directory and all supervisors of one node as one pure structure. It decides what becomes
//! of every letter, start, stop, watch and exit; it runs nothing itself.
//!
//! # Invariants
//! Nothing vanishes: a letter that cannot be delivered comes back to its sender, unless the sender
//! is gone. A watch yields exactly one Down. Parked letters reach a new life after its Started and
//! before any other letter. A life is greater than every earlier one.

mod entry;
mod report;
mod watches;

#[cfg(test)]
mod tests;

use crate::restart::{Decision, decide};
use crate::{
    Child, Deadline, Directory, Effect, Exit, How, Incarnation, ReturnReason, Signal, Source,
};
use entry::{Entry, Parked, Phase};
use messages::observer::ChildState;
use messages::{Address, Class, Label, Letter, Mono, Now};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the world is to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Put this into the mailbox of that life. Where the mailbox turns a letter away, call
    /// [`Switchboard::refused`].
    Deliver {
        /// Whose mailbox.
        to: Address,
        /// Which life.
        life: Incarnation,
        /// Who sent it.
        from: Source,
        /// What.
        mail: Mail,
    },
    /// Begin a life; report [`Switchboard::started`] or [`Switchboard::exited`].
    Spawn {
        /// What to build.
        child: Arc<Child>,
        /// Its new life.
        life: Incarnation,
    },
    /// End a life; report [`Switchboard::exited`].
    Halt {
        /// Whose.
        who: Address,
        /// Which.
        life: Incarnation,
        /// Drained or at once.
        how: How,
    },
    /// A letter waits for a restart (for the trace).
    Parked {
        /// For whom.
        to: Address,
        /// The letter.
        letter: Letter,
    },
}

/// What a mailbox holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Mail {
    /// A letter.
    Letter(Letter),
    /// A signal.
    Signal(Signal),
}

/// The directory and the supervisors of one node.
#[derive(Debug)]
pub struct Switchboard {
    boot: u64,
    lives: u64,
    entries: Directory<Entry>,
    watchers: BTreeMap<Address, BTreeSet<Address>>,
    /// The reverse of `watchers`, so that an ended life leaves no watch behind.
    watching: BTreeMap<Address, BTreeSet<Address>>,
    wakeups: BTreeSet<(Mono, Address)>,
}

impl Switchboard {
    /// An empty node in this boot.
    #[must_use]
    pub const fn new(boot: u64) -> Self {
        Self {
            boot,
            lives: 0,
            entries: Directory::new(),
            watchers: BTreeMap::new(),
            watching: BTreeMap::new(),
            wakeups: BTreeSet::new(),
        }
    }

    /// Carries out the effects of a turn, in order, and empties the list.
    pub fn apply(&mut self, from: Source, effects: &mut Vec<Effect>, out: &mut Vec<Action>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Tell(letter) => self.offer(from, letter, out),
                Effect::Start(child) => self.start(child, out),
                Effect::Stop(who, how) => {
                    if !self.is_stale(from, who) {
                        self.stop(who, how, out);
                    }
                }
                Effect::Watch(who) => self.watch(from, who, out),
                Effect::Unwatch(who) => self.unwatch(from, who),
            }
        }
    }

    /// Sends one letter.
    pub fn offer(&mut self, from: Source, letter: Letter, out: &mut Vec<Action>) {
        let to = letter.to();
        let Some(entry) = self.entries.get_mut(&to) else {
            crate::sometimes!(true, "kernel: a letter finds nobody");
            return self.give_back(from, letter, ReturnReason::NoActor, out);
        };
        crate::sometimes!(
            matches!(entry.phase, Phase::Failed { .. }),
            "kernel: a letter to a failed child is returned"
        );
        crate::sometimes!(
            matches!(entry.phase, Phase::Stopping),
            "kernel: a letter to a stopping child is returned"
        );
        crate::sometimes!(
            matches!(entry.phase, Phase::Waiting { .. }),
            "kernel: a letter comes while its child restarts"
        );
        match &mut entry.phase {
            Phase::Live => {
                let life = entry.life;
                out.push(Action::Deliver {
                    to,
                    life,
                    from,
                    mail: Mail::Letter(letter),
                });
            }
            Phase::Starting(parked) => {
                let first_start = entry.starts <= 1;
                let result = parked.park(from, letter, first_start);
                self.parked(to, from, result, out);
            }
            Phase::Waiting { parked, .. } => {
                let result = parked.park(from, letter, false);
                self.parked(to, from, result, out);
            }
            Phase::Failed { .. } => self.give_back(from, letter, ReturnReason::StartFailed, out),
            Phase::Stopping => self.give_back(from, letter, ReturnReason::NoActor, out),
        }
    }

    fn parked(
        &mut self,
        to: Address,
        from: Source,
        result: Result<Letter, Box<(Letter, ReturnReason)>>,
        out: &mut Vec<Action>,
    ) {
        match result {
            Ok(letter) => out.push(Action::Parked { to, letter }),
            Err(refused) => self.give_back(from, refused.0, refused.1, out),
        }
    }

    /// A mailbox turned a letter away.
    pub fn refused(&mut self, from: Source, letter: Letter, out: &mut Vec<Action>) {
        crate::sometimes!(true, "kernel: a mailbox turns a letter away");
        self.give_back(from, letter, ReturnReason::Busy, out);
    }

    /// A life began: it is told so, then gets what waited for it.
    pub fn started(&mut self, who: Address, life: Incarnation, out: &mut Vec<Action>) {
        let Some(entry) = self
            .entries
            .get_mut(&who)
            .filter(|entry| entry.life == life)
        else {
            return;
        };
        let parked = match &mut entry.phase {
            Phase::Starting(parked) => std::mem::take(parked),
            // Stopped while it was being built: there was nothing to halt then.
            Phase::Stopping => {
                crate::sometimes!(true, "kernel: a child is stopped while it is built");
                let how = How::Kill;
                return out.push(Action::Halt { who, life, how });
            }
            Phase::Live | Phase::Waiting { .. } | Phase::Failed { .. } => return,
        };
        entry.phase = Phase::Live;
        let starts = entry.starts;
        let signal = Mail::Signal(Signal::Started(life));
        out.push(Action::Deliver {
            to: who,
            life,
            from: Source::World,
            mail: signal,
        });
        for (from, letter) in parked.into_letters() {
            out.push(Action::Deliver {
                to: who,
                life,
                from,
                mail: Mail::Letter(letter),
            });
        }
        if who == Address::Observer {
            self.report_all(out);
        }
        self.report(who, ChildState::Running { starts }, out);
    }

    /// A life ended, or could not begin. Inert where it is not the current one.
    pub fn exited(
        &mut self,
        now: Now,
        who: Address,
        life: Incarnation,
        exit: Exit,
        out: &mut Vec<Action>,
    ) {
        let Some(entry) = self
            .entries
            .get_mut(&who)
            .filter(|entry| entry.life == life)
        else {
            return;
        };
        let phase = std::mem::replace(&mut entry.phase, Phase::Stopping);
        let parked = match phase {
            Phase::Starting(parked) => parked,
            Phase::Waiting { .. } | Phase::Failed { .. } => {
                entry.phase = phase;
                return;
            }
            Phase::Live => Parked::default(),
            Phase::Stopping => {
                self.forget(who, &exit, Parked::default(), out);
                return;
            }
        };
        self.drop_watches_of(who);
        let Some(entry) = self.entries.get_mut(&who) else {
            return;
        };
        let restart = entry.child.as_ref().map(|child| child.restart);
        let decision = restart.map_or(Decision::Forget, |restart| {
            decide(now.mono, restart, &exit, &mut entry.history)
        });
        let why = Label::truncated(&exit.to_string());
        match decision {
            Decision::Forget => self.forget(who, &exit, parked, out),
            Decision::Restart(wait) => {
                let at = now.mono + wait;
                let (parked, data) = parked.without_data();
                entry.phase = Phase::Waiting { at, parked };
                self.wakeups.insert((at, who));
                self.announce(who, life, &exit, out);
                for (from, letter) in data {
                    crate::sometimes!(
                        true,
                        "kernel: data that waited for a first start is returned"
                    );
                    self.give_back(from, letter, ReturnReason::Busy, out);
                }
                self.report(who, ChildState::Restarting { why, at }, out);
            }
            Decision::Park(wait) => {
                let at = now.mono + wait;
                entry.phase = Phase::Failed { at };
                self.wakeups.insert((at, who));
                self.announce(who, life, &exit, out);
                for (from, letter) in parked.into_letters() {
                    self.give_back(from, letter, ReturnReason::StartFailed, out);
                }
                self.report(who, ChildState::Failed { why }, out);
            }
        }
    }

    /// A leaf (an end of a stream) can be reached from now on.
    pub fn leaf_up(&mut self, who: Address) -> Incarnation {
        let life = self.next_life();
        self.entries.insert(who, Entry::leaf(who, life));
        life
    }

    /// The next instant at which a child is to be started again.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        self.wakeups.first().map(|(at, _)| Deadline {
            at: *at,
            why: "restart a child",
        })
    }

    /// Starts the children whose wait is over.
    pub fn on_deadline(&mut self, now: Now, out: &mut Vec<Action>) {
        while let Some((at, who)) = self.wakeups.first().copied() {
            if at > now.mono {
                break;
            }
            self.wakeups.pop_first();
            let life = self.next_life();
            let Some(entry) = self.entries.get_mut(&who) else {
                continue;
            };
            let parked = match std::mem::replace(&mut entry.phase, Phase::Stopping) {
                Phase::Waiting { parked, .. } => parked,
                Phase::Failed { .. } => Parked::default(),
                other @ (Phase::Starting(_) | Phase::Live | Phase::Stopping) => {
                    crate::sometimes!(true, "kernel: a restart is overtaken");
                    entry.phase = other;
                    continue;
                }
            };
            entry.restart(life, parked);
            if let Some(child) = &entry.child {
                out.push(Action::Spawn {
                    child: Arc::clone(child),
                    life,
                });
            }
        }
    }

    /// The current life at an address, where letters reach it.
    #[must_use]
    pub fn live(&self, who: Address) -> Option<Incarnation> {
        let entry = self.entries.get(&who)?;
        matches!(entry.phase, Phase::Live).then_some(entry.life)
    }

    /// Every address that is taken, with its current life.
    pub fn addresses(&self) -> impl Iterator<Item = (Address, Incarnation)> + '_ {
        self.entries.walk().map(|(who, entry)| (who, entry.life))
    }

    /// Asserts what must hold between calls.
    pub fn invariants(&self) {
        self.watch_invariants();
        for (at, who) in &self.wakeups {
            let entry = self.entries.get(who);
            let waits = entry.is_some_and(|entry| entry.waits_until() == Some(*at));
            assert!(waits, "a wakeup for nobody");
        }
        for (who, entry) in self.entries.each() {
            if let Some(at) = entry.waits_until() {
                assert!(entry.child.is_some(), "a leaf waits for a restart");
                assert!(self.wakeups.contains(&(at, *who)), "a child waits for ever");
            }
            assert!(
                entry.life.n <= self.lives && entry.life.boot == self.boot,
                "a life to come"
            );
            entry.invariants();
        }
    }

    fn start(&mut self, child: Arc<Child>, out: &mut Vec<Action>) {
        let at = child.at;
        if self.entries.contains(&at) {
            crate::sometimes!(true, "kernel: an address is taken");
            return;
        }
        let life = self.next_life();
        self.entries
            .insert(at, Entry::starting(Arc::clone(&child), life));
        out.push(Action::Spawn { child, life });
    }

    fn stop(&mut self, who: Address, how: How, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&who) else {
            return;
        };
        let life = entry.life;
        match std::mem::replace(&mut entry.phase, Phase::Stopping) {
            Phase::Live => {
                out.push(Action::Halt { who, life, how });
            }
            Phase::Starting(parked) => {
                // It dies at birth; what waited for it goes back now.
                crate::sometimes!(true, "kernel: a child is stopped at its birth");
                out.push(Action::Halt { who, life, how });
                for (from, letter) in parked.into_letters() {
                    self.give_back(from, letter, ReturnReason::NoActor, out);
                }
            }
            Phase::Waiting { at, parked } => {
                crate::sometimes!(
                    true,
                    "kernel: a child is stopped while it waits for its restart"
                );
                self.wakeups.remove(&(at, who));
                self.forget(who, &Exit::Stopped, parked, out);
            }
            Phase::Failed { at } => {
                self.wakeups.remove(&(at, who));
                self.forget(who, &Exit::Stopped, Parked::default(), out);
            }
            Phase::Stopping => {
                // A drain that does not end is cut short.
                crate::sometimes!(how == How::Kill, "kernel: a drain is cut short");
                if how == How::Kill {
                    out.push(Action::Halt { who, life, how });
                }
            }
        }
    }

    /// Whether a past life of `who` means itself: its successor is not what it speaks of.
    fn is_stale(&self, from: Source, who: Address) -> bool {
        let Source::Actor(sender, life) = from else {
            return false;
        };
        sender == who
            && self
                .entries
                .get(&who)
                .is_none_or(|entry| entry.life != life)
    }

    fn forget(&mut self, who: Address, exit: &Exit, parked: Parked, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.remove(&who) else {
            return;
        };
        self.drop_watches_of(who);
        self.announce(who, entry.life, exit, out);
        for (from, letter) in parked.into_letters() {
            self.give_back(from, letter, ReturnReason::NoActor, out);
        }
        if entry.child.is_some() {
            self.report(who, ChildState::Gone, out);
        }
    }

    fn give_back(
        &mut self,
        from: Source,
        letter: Letter,
        why: ReturnReason,
        out: &mut Vec<Action>,
    ) {
        if let Source::Actor(sender, life) = from {
            let signal = Signal::Returned {
                letter: Box::new(letter),
                why,
            };
            self.signal(sender, Some(life), signal, out);
        }
    }

    /// Signals reach only a live actor, and where a life is named, only that one.
    fn signal(
        &mut self,
        to: Address,
        only: Option<Incarnation>,
        signal: Signal,
        out: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries.get(&to) else {
            return;
        };
        let life = entry.life;
        if matches!(entry.phase, Phase::Live) && only.is_none_or(|only| only == life) {
            let mail = Mail::Signal(signal);
            out.push(Action::Deliver {
                to,
                life,
                from: Source::World,
                mail,
            });
        }
    }

    const fn next_life(&mut self) -> Incarnation {
        self.lives += 1;
        Incarnation {
            boot: self.boot,
            n: self.lives,
        }
    }
}

/// Whether a letter may wait for a restart.
pub(crate) const fn may_park(class: &Class) -> bool {
    matches!(class, Class::Control | Class::Coalesce(_) | Class::Frame(_))
}
