//! Every mailbox, every queue of a driver and every table that an actor shows stays under its
//! limit.
//!
//! Looked at here: what waits in mailboxes, in letters and in bytes; what the transport holds of a
//! stream, of a link before its session speaks, of a dial before its answer, and of links that are
//! gone; commits that wait for the disk; what waits for a slow client; the jobs of an engine, and
//! what it is told while it stands still; and the tables of [`tables`], by what a console is shown.
//!
//! Not seen here, because nothing shows them, and asserted after every turn by the machine that
//! owns them: letters and bytes that are parked for a restart (the switchboard, whose tables
//! [`super::supervision`] has asserted); a roster's writes in flight, tickets, revocations, shares
//! of hearsay, contacts, and links per session; a session's ended links and what it owes its
//! roster; a worker's networks and neighbours; what a request has ruled out, its attempts, its
//! pace and the text that it holds back. A roster's handshakes have no such limit: those that it
//! begins do, and those of sessions that crash come on top. Streams per peer and open requests are
//! limited by the real endpoint and server, which the simulated ones leave to the workload.

use super::{Checker, Findings, Seen, Sight};
use crate::event::NodeIndex;
use crate::node::{Boot, Mailbox};
use crate::world::World;
use kernel::Mail;
use messages::{Address, Class};
use std::collections::BTreeSet;

/// Jobs that an engine may hold: the slots of its worker, and as many that it was told to forget
/// and has not yet taken the word.
const ENGINE_JOBS_MAX: usize = 2 * 16;
/// Commands to an engine that stands still: what its mailbox has room for.
const COMMANDS_MAX: usize = 2 * 8_192;
/// Commits that wait for a disk.
const COMMITS_MAX: usize = 1_024;
/// Bytes that wait for one client: what is being sent, and what comes after it.
const CLIENT_BYTES_MAX: usize = 2 * (8 << 20);
/// Frames of a link whose session does not speak yet, and packets before the answer to a dial.
const EARLY_MAX: usize = 16;
/// Links that are remembered after their end.
const LINKS_GONE_MAX: usize = 1_024;

/// See the module.
#[derive(Default)]
pub(super) struct Queues {
    /// Actors that had a turn in this step.
    turned: BTreeSet<Address>,
}

impl Checker for Queues {
    fn name(&self) -> &'static str {
        "queues"
    }

    fn see(&mut self, _at: &Sight, seen: &Seen<'_>, _found: &mut Findings<'_>) {
        if let Seen::Turn(who, ..) = seen {
            self.turned.insert(*who);
        }
    }

    fn after(&mut self, world: &World, node: NodeIndex, found: &mut Findings<'_>) {
        let turned = std::mem::take(&mut self.turned);
        for who in turned {
            tables_hold(world, node, who, found);
        }
        for (node, who) in &world.changed.mailboxes {
            let boot = world.nodes.get(*node).and_then(|node| node.boot.as_ref());
            if let Some(mailbox) = boot.and_then(|boot| boot.mailboxes.get(who)) {
                mailbox_holds(*node, *who, mailbox, found);
            }
        }
        for node in &world.changed.drivers {
            let boot = world.nodes.get(*node).and_then(|node| node.boot.as_ref());
            if let Some(boot) = boot {
                drivers_hold(*node, boot, found);
            }
        }
    }
}

fn mailbox_holds(node: NodeIndex, who: Address, mailbox: &Mailbox, found: &mut Findings<'_>) {
    let (depth, limits) = (mailbox.depth, mailbox.limits);
    let room = limits.letters + limits.reserve;
    // Signals are let in whatever waits: each answers a watch or a letter of the actor's own. A
    // mailbox of questions from nobody, answered in one burst, comes back as that many, and so does
    // what was let in meanwhile.
    if mailbox.mail.len() > room {
        let signal = |mail: &&Mail| matches!(mail, Mail::Signal(_));
        let signals = mailbox.waiting().filter(signal).count();
        let letters = mailbox.waiting().count() - signals;
        if letters > room || signals > 2 * room {
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
    let transport = &boot.drivers.transport;
    let excess = transport.stream_excess();
    if excess > 0 {
        let what = format!("{excess} bytes too many wait at one end of a stream");
        found.say(node, what);
    }
    let (unheard, early, gone) = transport.crowds();
    let commits = boot.drivers.store.commits();
    let client = boot.drivers.gateway.waiting_max();
    let queues = [
        (unheard, EARLY_MAX, "frames wait for a session to speak"),
        (early, EARLY_MAX, "packets wait for the answer to a dial"),
        (gone, LINKS_GONE_MAX, "links are remembered"),
        (commits, COMMITS_MAX, "commits wait for the disk"),
        (client, CLIENT_BYTES_MAX, "bytes wait for a client"),
    ];
    for (waits, most, what) in queues {
        if waits > most {
            found.say(node, format!("{waits} {what}, where {most} may"));
        }
    }
    for (device, engine) in &boot.drivers.engines {
        let (jobs, commands) = (engine.jobs(), engine.untold());
        if jobs > ENGINE_JOBS_MAX {
            found.say(node, format!("{device:?} holds {jobs} jobs"));
        }
        if commands > COMMANDS_MAX {
            found.say(node, format!("{commands} commands wait for {device:?}"));
        }
    }
}

fn tables_hold(world: &World, node: NodeIndex, who: Address, found: &mut Findings<'_>) {
    let limits = tables(who);
    if limits.is_empty() {
        return;
    }
    let Some(view) = world.view(node, who) else {
        return;
    };
    for (table, most) in limits {
        let shown = view.facts.iter().find(|(name, _)| name == table);
        match shown.and_then(|(_, count)| count.parse::<usize>().ok()) {
            Some(count) if count <= *most => {}
            Some(count) => {
                let what = format!("{who} has {count} {table}, where {most} may be");
                found.say(node, what);
            }
            None => found.say(node, format!("{who} does not show its {table}")),
        }
    }
}

/// The tables that an actor shows, and how much each may hold.
const fn tables(who: Address) -> &'static [(&'static str, usize)] {
    match who {
        Address::Roster(_) => &[("members", 16_384), ("dials", 8)],
        Address::GossipStore(_) => &[("records", 278_528), ("neighbours", 1_024)],
        // Streams that an earlier life asked for may still open beside those of this one.
        Address::Session(..) => &[("links", 4), ("jobs here", 1_024), ("jobs there", 2_048)],
        // As every simulated node is configured.
        Address::Worker(_) => &[("active", 16), ("queued", 64)],
        Address::Router => &[("holders", 32_768), ("models", 64), ("waiting", 1_024)],
        Address::Proxy(_) => &[("tokens", 131_072), ("holders", 16)],
        Address::Observer => &[("facts", 16_384), ("children", 16_384)],
        Address::Store
        | Address::Transport
        | Address::Stream(_)
        | Address::Engine(_)
        | Address::Gateway
        | Address::Control => &[],
    }
}
