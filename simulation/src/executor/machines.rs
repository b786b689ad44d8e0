//! Machines called directly: tier 1.

use super::{Executor, Outcome};
use kernel::{Child, Ctx, Directory, DynMachine, Exit, Incarnation, Now, Outbox, Turn, View};
use messages::Address;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The machines of one node.
#[derive(Default)]
pub(crate) struct Machines {
    lives: Directory<(Incarnation, Box<dyn DynMachine>)>,
    out: Outbox,
    /// Whether their invariants are taken for granted.
    trusted: bool,
}

impl Machines {
    /// Machines whose invariants are asserted after each turn, unless they are trusted.
    pub(crate) fn new(trusted: bool) -> Self {
        Self {
            trusted,
            ..Self::default()
        }
    }
}

impl Executor for Machines {
    fn spawn(&mut self, child: &Child, life: Incarnation, ctx: Ctx) -> Result<(), Exit> {
        let machine = tree::build(&child.seed, ctx)
            .map_err(|_| Exit::StartFailed(format!("{} is no machine", child.at)))?;
        self.lives.insert(child.at, (life, machine));
        Ok(())
    }

    fn turn(&mut self, who: Address, life: Incarnation, now: Now, turn: Turn) -> Outcome {
        let Some((of, machine)) = self.lives.get_mut(&who) else {
            return Outcome::default();
        };
        assert_eq!(*of, life, "a turn of a life that is over");
        let (out, trusted) = (&mut self.out, self.trusted);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = machine.turn(now, turn, out);
            if result.is_ok() && !trusted {
                machine.invariants();
            }
            result
        }));
        let exit = match result {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(Exit::Failed(failure.0)),
            Err(panic) => Some(Exit::Panicked(panic_text(&*panic))),
        };
        if exit.is_some() {
            self.out.effects_mut().clear();
            self.lives.remove(&who);
            return Outcome {
                exit,
                ..Outcome::default()
            };
        }
        let deadline = machine.deadline();
        // No more room than they take: the outbox keeps its own for the next turn.
        let effects = self.out.effects_mut().drain(..).collect();
        Outcome {
            effects,
            deadline,
            exit: None,
        }
    }

    fn view(&self, who: Address) -> Option<View> {
        self.lives.get(&who).map(|(_, machine)| machine.view())
    }

    fn halt(&mut self, who: Address, life: Incarnation) {
        if self.lives.get(&who).is_some_and(|(of, _)| *of == life) {
            self.lives.remove(&who);
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
