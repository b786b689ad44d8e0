use super::*;
use messages::{Micros, Wall, router};

/// Is due at once, as often as it was told and then for a last time never again.
struct Spinner {
    left: u32,
}

impl Machine for Spinner {
    type Input = router::Input;

    fn handle(&mut self, _: Now, _: router::Input, _: &mut Outbox) -> Result<(), Failure> {
        Ok(())
    }

    fn signal(&mut self, _: Now, _: Signal, _: &mut Outbox) -> Result<(), Failure> {
        Ok(())
    }

    fn deadline(&self) -> Option<Deadline> {
        (self.left > 0).then_some(Deadline {
            at: Mono(1),
            why: "spin",
        })
    }

    fn on_deadline(&mut self, _: Now, _: &mut Outbox) -> Result<(), Failure> {
        self.left -= 1;
        Ok(())
    }

    fn view(&self) -> View {
        View::default()
    }

    fn invariants(&self) {}
}

/// Takes so many deadlines, one microsecond apart, and says how the last one went.
fn spin(machine: &mut Erased<Spinner>, turns: u32) -> Result<(), Failure> {
    let mut out = Outbox::new();
    let mut now = Now {
        mono: Mono(1),
        wall: Wall(0),
    };
    for _ in 1..turns {
        machine.turn(now, Turn::Deadline, &mut out).unwrap();
        now.mono = now.mono + Micros(1);
    }
    machine.turn(now, Turn::Deadline, &mut out)
}

#[test]
fn a_bulk_of_work_may_go_on_and_a_machine_that_spins_ends() {
    let mut bulk = Erased::new(Spinner {
        left: AT_ONCE_MAX + 1,
    });
    assert_eq!(spin(&mut bulk, AT_ONCE_MAX + 1), Ok(()));
    let mut spinner = Erased::new(Spinner { left: u32::MAX });
    let Err(Failure(why)) = spin(&mut spinner, AT_ONCE_MAX + 1) else {
        panic!("a machine spins for ever");
    };
    assert_eq!(
        why,
        "the deadline \"spin\" was due at once 10000 times in a row"
    );
}

#[test]
fn whoever_is_told_something_in_between_does_not_spin() {
    let mut machine = Erased::new(Spinner { left: u32::MAX });
    let mut out = Outbox::new();
    let now = Now {
        mono: Mono(1),
        wall: Wall(0),
    };
    let started = Signal::Started(crate::Incarnation { boot: 1, n: 1 });
    for _ in 0..3 {
        spin(&mut machine, AT_ONCE_MAX).unwrap();
        let turn = Turn::Signal(started.clone());
        machine.turn(now, turn, &mut out).unwrap();
    }
}
