//! Who has which address on this node: a concurrent fast path before the pure switchboard.

use crate::actor::{Envelope, Post};
use crate::clock::Clock;
use crate::door::{Door, Gauge, Leaf, Refused};
use crate::supervisor::Supervise;
use crate::timer::{Sleeper, Timer};
use dashmap::DashMap;
use kernel::{
    Action, Deadline, Effect, Exit, How, Incarnation, Mail, Now, Source, Switchboard, limits_of,
};
use messages::{Address, Letter};
use ractor::ActorRef;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The directory of one node.
pub struct Directory {
    clock: Clock,
    /// Live addresses: what the fast path sees.
    live: DashMap<Address, (Incarnation, Door)>,
    board: Mutex<Board>,
    timer: Timer,
    root: OnceLock<ActorRef<Supervise>>,
}

/// The slow path: everything but a letter to a live actor.
#[derive(Debug)]
struct Board {
    switchboard: Switchboard,
    doors: BTreeMap<Address, (Incarnation, Door)>,
    /// Letters to a life that has ended and whose exit is yet to be reported.
    limbo: BTreeMap<Address, Vec<(Source, Letter)>>,
}

impl Directory {
    pub(crate) fn new(boot: u64, clock: Clock) -> Self {
        let switchboard = Switchboard::new(boot);
        let board = Board {
            switchboard,
            doors: BTreeMap::new(),
            limbo: BTreeMap::new(),
        };
        Self {
            clock,
            live: DashMap::new(),
            board: Mutex::new(board),
            timer: Timer::default(),
            root: OnceLock::new(),
        }
    }

    pub(crate) fn bind(&self, root: ActorRef<Supervise>) {
        let _ = self.root.set(root);
    }

    /// This node's clocks.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends one letter.
    pub fn send(&self, from: Source, letter: Letter) {
        if let Err(letter) = self.offer(from, letter) {
            self.slowly(|board, _, out| board.switchboard.refused(from, *letter, out));
        }
    }

    /// Sends one letter, and gives it back where a mailbox is full.
    pub(crate) fn offer(&self, from: Source, letter: Letter) -> Result<(), Box<Letter>> {
        let to = letter.to();
        let door = self.live.get(&to).map(|entry| entry.value().1.clone());
        let Some(door) = door else {
            self.slowly(|board, _, out| board.switchboard.offer(from, letter, out));
            return Ok(());
        };
        match door.enter(Mail::Letter(letter)) {
            Err(Refused::Full(letter)) => return Err(letter),
            Err(Refused::Dead(Some(letter))) => {
                self.slowly(|board, _, out| board.switchboard.offer(from, *letter, out));
            }
            Ok(()) | Err(Refused::Dead(None)) => {}
        }
        Ok(())
    }

    /// Carries out effects, in order, and empties the list.
    pub fn apply(&self, from: Source, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Tell(letter) => self.send(from, letter),
                slow @ (Effect::Start(_)
                | Effect::Stop(..)
                | Effect::Watch(_)
                | Effect::Unwatch(_)) => self.slowly(|board, _, out| {
                    board.switchboard.apply(from, &mut vec![slow], out);
                }),
            }
        }
    }

    /// Makes a leaf reachable.
    pub(crate) fn leaf_up(&self, at: Address, leaf: Arc<dyn Leaf>) -> Incarnation {
        let mut board = self.board();
        let life = board.switchboard.leaf_up(at);
        let door = Door::Leaf(leaf);
        board.doors.insert(at, (life, door.clone()));
        self.live.insert(at, (life, door));
        life
    }

    /// Takes a leaf down.
    pub(crate) fn leaf_down(&self, at: Address, life: Incarnation) {
        self.exited(at, life, Exit::Normal);
    }

    /// A life began.
    pub(crate) fn started(
        &self,
        who: Address,
        life: Incarnation,
        actor: ActorRef<Envelope>,
        gauge: Arc<Gauge>,
    ) {
        let door = Door::Actor(actor, gauge);
        self.slowly(|board, _, out| {
            board.doors.insert(who, (life, door.clone()));
            board.switchboard.started(who, life, out);
        });
        // The fast path opens only behind what waited, and never for a life that has ended.
        let board = self.board();
        if board.switchboard.live(who) == Some(life) {
            self.live.insert(who, (life, door));
        }
    }

    /// A life ended, or could not begin.
    pub(crate) fn exited(&self, who: Address, life: Incarnation, exit: Exit) {
        self.live.remove_if(&who, |_, (of, _)| *of == life);
        if exit.is_abnormal() {
            tracing::warn!(actor = %who, %exit, "an actor ended");
        }
        self.slowly(|board, now, out| {
            if board.doors.get(&who).is_some_and(|(of, _)| *of == life) {
                board.doors.remove(&who);
            }
            board.switchboard.exited(now, who, life, exit, out);
            for (from, letter) in board.limbo.remove(&who).unwrap_or_default() {
                board.switchboard.offer(from, letter, out);
            }
        });
    }

    /// Ends a life without asking anyone: what a crash is like. For tests and for consoles.
    pub fn kill(&self, who: Address) -> bool {
        let door = self.board().doors.get(&who).map(|(_, door)| door.clone());
        match door {
            Some(Door::Actor(actor, _)) => {
                actor.kill();
                true
            }
            Some(Door::Leaf(_)) | None => false,
        }
    }

    /// Every address that is taken.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        self.board()
            .switchboard
            .addresses()
            .map(|(who, _)| who)
            .collect()
    }

    /// Letters that wait in an actor's mailbox.
    #[must_use]
    pub fn depth(&self, who: Address) -> Option<kernel::Depth> {
        match &self.live.get(&who)?.value().1 {
            Door::Actor(_, gauge) => Some(gauge.depth()),
            Door::Leaf(_) => None,
        }
    }

    /// Runs the deadlines of all actors until it is dropped.
    pub(crate) async fn keep_time(self: Arc<Self>) {
        loop {
            for sleeper in self.timer.due(&self.clock).await {
                match sleeper {
                    Sleeper::Switchboard => {
                        self.slowly(|board, now, out| board.switchboard.on_deadline(now, out));
                    }
                    Sleeper::Actor(who, life) => self.wake(who, life),
                }
            }
        }
    }

    fn wake(&self, who: Address, life: Incarnation) {
        let door = self.live.get(&who).map(|entry| entry.value().clone());
        if let Some((of, Door::Actor(actor, _))) = door
            && of == life
        {
            // A life that has ended needs no wake.
            let _ = actor.cast(Envelope::Wake);
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step of the switchboard and all that follows from it, as one.
    fn slowly(&self, step: impl FnOnce(&mut Board, Now, &mut Vec<Action>)) {
        let mut board = self.board();
        let mut actions = Vec::new();
        step(&mut board, self.clock.now(), &mut actions);
        while !actions.is_empty() {
            let mut more = Vec::new();
            for action in actions {
                self.act(&mut board, action, &mut more);
            }
            actions = more;
        }
        if let Some(deadline) = board.switchboard.deadline() {
            self.timer.arm(deadline.at, Sleeper::Switchboard);
        }
    }

    fn act(&self, board: &mut Board, action: Action, more: &mut Vec<Action>) {
        match action {
            Action::Deliver {
                to,
                life,
                from,
                mail,
            } => {
                let door = board.doors.get(&to).filter(|(of, _)| *of == life);
                let Some((_, door)) = door else { return };
                match door.enter(mail) {
                    Ok(()) => {}
                    Err(Refused::Full(letter)) => board.switchboard.refused(from, *letter, more),
                    Err(Refused::Dead(letter)) => {
                        let limbo = board.limbo.entry(to).or_default();
                        limbo.extend(letter.map(|letter| (from, *letter)));
                    }
                }
            }
            Action::Spawn { child, life } => {
                if let Some(root) = self.root.get() {
                    // The root lives as long as the node.
                    let _ = root.cast(Supervise::Spawn(child, life));
                }
            }
            Action::Halt { who, life, how } => {
                self.live.remove_if(&who, |_, (of, _)| *of == life);
                match board.doors.get(&who).filter(|(of, _)| *of == life) {
                    Some((_, Door::Actor(actor, _))) => match how {
                        How::Drain => drop(actor.drain()),
                        How::Kill => actor.kill(),
                    },
                    Some((_, Door::Leaf(_))) | None => {}
                }
            }
            Action::Parked { .. } => {}
        }
    }
}

impl Post for Directory {
    fn now(&self) -> Now {
        self.clock.now()
    }

    fn post(&self, from: Source, effects: &mut Vec<Effect>) {
        self.apply(from, effects);
    }

    fn arm(&self, who: Address, life: Incarnation, at: Deadline) {
        self.timer.arm(at.at, Sleeper::Actor(who, life));
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("live", &self.live.len())
            .finish_non_exhaustive()
    }
}

/// A mailbox for an actor at this address.
pub(crate) fn gauge_of(who: Address) -> Arc<Gauge> {
    Arc::new(Gauge::new(limits_of(who)))
}
