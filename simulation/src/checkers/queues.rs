//! Every mailbox, transport, engine and disk queue stays under its limit.

use super::{Checker, Findings, Seen, Sight};
use crate::event::NodeIndex;
use crate::node::{Boot, Mailbox};
use crate::world::World;
use kernel::Mail;
use messages::{Address, Class};

/// Jobs that an engine may hold: the slots of its worker, and as many that it was told to forget
/// and has not yet taken the word.
const ENGINE_JOBS_MAX: usize = 2 * 16;

/// See the module.
#[derive(Default)]
pub(super) struct Queues {
    /// Whether mail or a driver's queue grew in this step.
    touched: bool,
}

impl Checker for Queues {
    fn name(&self) -> &'static str {
        "queues"
    }

    fn see(&mut self, _at: &Sight, _seen: &Seen<'_>, _found: &mut Findings<'_>) {
        self.touched = true;
    }

    fn after(&mut self, world: &World, node: NodeIndex, found: &mut Findings<'_>) {
        if !std::mem::take(&mut self.touched) {
            return;
        }
        let Some(boot) = world.nodes.get(node).and_then(|node| node.boot.as_ref()) else {
            return;
        };
        for (who, mailbox) in &boot.mailboxes {
            mailbox_holds(node, *who, mailbox, found);
        }
        drivers_hold(node, boot, found);
    }
}

fn mailbox_holds(node: NodeIndex, who: Address, mailbox: &Mailbox, found: &mut Findings<'_>) {
    let (depth, limits) = (mailbox.depth, mailbox.limits);
    let room = limits.letters + limits.reserve;
    // Signals are let in whatever waits: each answers a watch or a letter of the actor's own.
    if mailbox.mail.len() > room {
        let signal = |mail: &&Mail| matches!(mail, Mail::Signal(_));
        let signals = mailbox.waiting().filter(signal).count();
        let letters = mailbox.waiting().count() - signals;
        if letters > room || signals > room {
            let what = format!("{letters} letters and {signals} signals wait for {who}");
            found.say(node, what);
        }
    }
    // A letter over the byte limit by itself may enter a mailbox without another of its class.
    let data = depth.data_bytes > limits.data_bytes;
    if data && weighing(mailbox, |class| matches!(class, Class::Data(_))) > 1 {
        found.say(node, format!("{} bytes wait for {who}", depth.data_bytes));
    }
    let frames = depth.frame_bytes > limits.frame_bytes;
    if frames && weighing(mailbox, |class| matches!(class, Class::Frame(_))) > 1 {
        let bytes = depth.frame_bytes;
        found.say(node, format!("{bytes} bytes of frames wait for {who}"));
    }
    let wait = mailbox.waiting().size_hint().0;
    if depth.letters != wait {
        let counted = depth.letters;
        found.say(
            node,
            format!("{wait} letters wait for {who}, and {counted} are counted"),
        );
    }
}

/// Letters of a class that weigh anything.
fn weighing(mailbox: &Mailbox, of: impl Fn(&Class) -> bool) -> usize {
    let weighs = |mail: &&Mail| match mail {
        Mail::Letter(letter) => of(&letter.class()),
        Mail::Signal(_) => false,
    };
    mailbox.waiting().filter(weighs).count()
}

fn drivers_hold(node: NodeIndex, boot: &Boot, found: &mut Findings<'_>) {
    let excess = boot.drivers.transport.stream_excess();
    if excess > 0 {
        let what = format!("{excess} bytes too many wait at one end of a stream");
        found.say(node, what);
    }
    for (device, engine) in &boot.drivers.engines {
        let jobs = engine.jobs();
        if jobs > ENGINE_JOBS_MAX {
            found.say(node, format!("{device:?} holds {jobs} jobs"));
        }
    }
}
