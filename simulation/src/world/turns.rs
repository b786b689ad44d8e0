//! Turns of mailboxes: when they begin, how long they take, and what they take.
//!
//! Where turns cost time, the mail is taken up when the turn begins, and all that comes of it, the
//! machine's own change included, happens when it ends. Whoever dies in between has not taken it.
//! A deadline that comes while others wait has its turn after them, as in a real mailbox.

use super::World;
use crate::costs::InputClass;
use crate::event::{NodeIndex, Occurrence, Time};
use crate::node::{Mailbox, Work, is_driver};
use kernel::{Incarnation, Mail, Mono, Turn};
use messages::Address;

impl World {
    /// What is next in a mailbox.
    pub(super) fn turn(&mut self, node: NodeIndex, who: Address, life: Incarnation) {
        self.mailbox_changes(node, who);
        let Some(mailbox) = self.mailbox(node, who, life) else {
            return;
        };
        mailbox.scheduled = false;
        match mailbox.take() {
            Some(Work::Mail(mail)) if is_driver(who) => self.drive_mail(node, who, mail),
            Some(Work::Mail(Mail::Letter(letter))) => {
                self.machine_turn(node, who, life, Turn::Letter(letter));
            }
            Some(Work::Mail(Mail::Signal(signal))) => {
                self.machine_turn(node, who, life, Turn::Signal(signal));
            }
            Some(Work::Deadline) => self.deadline(node, who, life),
            None => return,
        }
        if let Some(mailbox) = self.mailbox(node, who, life) {
            let (more, draining) = (mailbox.has_next(), mailbox.draining);
            if more && !mailbox.scheduled {
                self.schedule_turn(node, who, life);
            } else if !more && draining {
                self.drained(node, who, life);
            }
        }
    }

    /// A wake that was on its way is there.
    pub(super) fn wake(&mut self, node: NodeIndex, who: Address, life: Incarnation, at: Mono) {
        let now = self.now(node).mono;
        let takes_time = self.takes_time(node);
        let Some(mailbox) = self.mailbox(node, who, life) else {
            return;
        };
        if mailbox.armed != Some(at) {
            return;
        }
        mailbox.armed = None;
        let is_due = mailbox.deadline.is_some_and(|deadline| deadline <= now);
        if takes_time && is_due {
            mailbox.wake();
            self.schedule_turn(node, who, life);
        } else {
            self.deadline(node, who, life);
        }
    }

    /// A machine's deadline, if it has come.
    fn deadline(&mut self, node: NodeIndex, who: Address, life: Incarnation) {
        let now = self.now(node).mono;
        let due = self
            .mailbox(node, who, life)
            .and_then(|mailbox| mailbox.deadline);
        if due.is_some_and(|due| due <= now) {
            self.machine_turn(node, who, life, Turn::Deadline);
        } else {
            self.arm(node, who, life);
        }
    }

    /// Sees to it that a wake is on its way, no later than the deadline.
    pub(super) fn arm(&mut self, node: NodeIndex, who: Address, life: Incarnation) {
        let now = self.now(node).mono;
        if let Some(mailbox) = self.mailbox(node, who, life) {
            let deadline = mailbox.deadline;
            self.arm_for(node, (who, life), deadline, now);
        }
    }

    /// Sees to it that a wake is on its way, no later than this deadline of the machine.
    pub(super) fn arm_for(
        &mut self,
        node: NodeIndex,
        (who, life): (Address, Incarnation),
        deadline: Option<Mono>,
        now: Mono,
    ) {
        let Some(mailbox) = self.mailbox(node, who, life) else {
            return;
        };
        mailbox.deadline = deadline;
        let Some(deadline) = mailbox.deadline else {
            return;
        };
        // One that waits for its turn looks again when it has it.
        let is_coming = mailbox.is_woken() && deadline <= now;
        if !is_coming && mailbox.armed.is_none_or(|armed| deadline < armed) {
            mailbox.armed = Some(deadline);
            let at = self.nodes[node].time_of(deadline.max(now));
            self.schedule(at, node, Occurrence::Wake(who, life, deadline));
        }
    }

    /// Every wake of a node is asked for anew: its clock has changed its pace.
    pub(crate) fn arm_all(&mut self, node: NodeIndex) {
        let Some(boot) = &mut self.nodes[node].boot else {
            return;
        };
        let lives: Vec<_> = boot
            .mailboxes
            .walk_mut()
            .filter_map(|(who, mailbox)| mailbox.armed.take().map(|_| (who, mailbox.life)))
            .collect();
        for (who, life) in lives {
            self.arm(node, who, life);
        }
        self.act(node, Vec::new());
    }

    pub(super) fn schedule_turn(&mut self, node: NodeIndex, who: Address, life: Incarnation) {
        let takes_time = self.takes_time(node);
        let Some(mailbox) = self.mailbox(node, who, life) else {
            return;
        };
        if mailbox.scheduled {
            return;
        }
        mailbox.scheduled = true;
        let cost = if takes_time {
            let class = mailbox.begin().unwrap_or(InputClass::Control);
            self.costs.of_turn(who, class, &mut self.toil) + self.late(node)
        } else {
            0
        };
        self.schedule(self.time + cost, node, Occurrence::Turn(who, life));
    }

    fn takes_time(&self, node: NodeIndex) -> bool {
        self.costs.any() || self.busy.contains_key(&node)
    }

    /// How long a busy node's actors wait until they run: a tenth of the time is theirs.
    fn late(&self, node: NodeIndex) -> Time {
        let Some(round) = self.busy.get(&node) else {
            return 0;
        };
        match self.time % round {
            into if into < round / RUNS_OF => 0,
            into => round - into,
        }
    }

    fn mailbox(
        &mut self,
        node: NodeIndex,
        who: Address,
        life: Incarnation,
    ) -> Option<&mut Mailbox> {
        let boot = self.nodes[node].boot.as_mut()?;
        let mailbox = boot.mailboxes.get_mut(&who)?;
        (mailbox.life == life).then_some(mailbox)
    }
}

/// A busy node runs for one of so many parts of a round.
const RUNS_OF: Time = 10;
