//! What is demanded of a run.

mod end;
mod records;
#[cfg(test)]
mod tests;

use super::faults::Fault;
use super::reach::Core;
use crate::event::NodeIndex;
use crate::{Answer, Ask, ClientId, DiskFault, EngineFault, Mesh, State, millis, secs};
use messages::Micros;
use messages::request_proxy::Failure;

/// Within it all sessions of the core are active and all of it lists what it serves: a supervisor
/// that gave up retries after 60 s, and a dial's back-off is 30 s at most.
const AGREEMENT: Micros = secs(120);
/// Within it every request that faults have troubled is over.
const ENDING: Micros = secs(120);
/// Within it a worker finds out that its engine has lost a step, after 30 s of silence; then the
/// engine loads anew.
const FOUND_OUT: Micros = secs(31);
/// Within it a healthy core answers a request of ten tokens, or says why not.
const ANSWERING: Micros = secs(20);
/// Within it who was told to stop is gone: answers have ten seconds.
const STOPPING: Micros = secs(12);
/// Within it the owner's word is on its disk, if nothing goes wrong.
const TOLD: Micros = secs(1);
/// How long the core's sessions have to stay as they are.
const CALM: Micros = secs(20);
/// How often a wait looks whether it is over.
const LOOK: Micros = millis(20);
/// Tokens of the requests by which progress is judged.
const TOKENS: u32 = 10;

/// A request, and what an unbroken run would say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) client: ClientId,
    boot: u64,
    pub(super) seed: u64,
    pub(super) tokens: u32,
}

/// What became of the requests of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Requests that were made.
    pub asked: u64,
    /// Whole answers.
    pub finished: u64,
    /// Clear errors.
    pub failed: u64,
    /// Clients that went away, or whose node did.
    pub gone: u64,
    /// From the healing to the last session of the core, in microseconds.
    pub agreed_us: u64,
    /// From then to the end of the last request that faults had troubled, in microseconds.
    pub ended_us: u64,
}

impl Asked {
    pub(super) fn new(mesh: &Mesh, client: ClientId, (seed, tokens): (u64, u32)) -> Self {
        Self {
            client,
            boot: mesh.boot_of(client.node()),
            seed,
            tokens,
        }
    }

    /// Whether the node still runs that the client asked.
    fn is_known(&self, mesh: &Mesh) -> bool {
        let node = self.client.node();
        mesh.is_up(node) && mesh.boot_of(node) == self.boot
    }

    pub(super) fn is_running(&self, mesh: &Mesh) -> bool {
        let running = |answer: Answer| matches!(answer.state, State::Waiting | State::Streaming);
        self.is_known(mesh) && running(mesh.answer(self.client))
    }

    /// What is false in the answer so far. A server that had no room for a piece of text has to
    /// say so, and not to leave a hole.
    fn lie(&self, answer: &Answer, has_shed: bool) -> Option<&'static str> {
        let whole = kernel::scripted::text(self.seed, self.tokens);
        let ends = match &answer.state {
            // A slow reader has not read yet, or never will, how its answer ended.
            State::Waiting | State::Streaming | State::Gone => answer.ends.min(1),
            State::Finished { .. } | State::Failed(_) | State::Broken => 1,
        };
        if answer.ends != ends {
            return Some("an end too many or too few");
        }
        if !whole.starts_with(&answer.text) {
            return Some("a wrong piece of text");
        }
        match &answer.state {
            State::Failed(Failure::Internal) if !has_shed => Some("a defect of the node"),
            State::Finished { usage, .. } if usage.completion != self.tokens => {
                Some("another count of tokens")
            }
            State::Finished { .. } if answer.text != whole => Some("a wrong text"),
            State::Finished { .. }
            | State::Failed(_)
            | State::Waiting
            | State::Streaming
            | State::Broken
            | State::Gone => None,
        }
    }
}

/// The second half of a run.
pub(super) struct Demands<'a> {
    core: Core<'a>,
    mesh: &'a mut Mesh,
    failures: Vec<String>,
    tally: Tally,
}

impl<'a> Demands<'a> {
    pub(super) const fn new(core: Core<'a>, mesh: &'a mut Mesh) -> Self {
        Self {
            core,
            mesh,
            failures: Vec::new(),
            tally: Tally {
                asked: 0,
                finished: 0,
                failed: 0,
                gone: 0,
                agreed_us: 0,
                ended_us: 0,
            },
        }
    }

    /// The core is well; everybody else stays as the faults left them, and out of its reach.
    pub(super) fn heal(&mut self) {
        let Self { core, mesh, .. } = self;
        let (plan, all) = (core.plan, core.all());
        mesh.disarm();
        mesh.heal();
        plan.dig_around(mesh);
        mesh.set_path(&all, &all, plan.path());
        for node in &all {
            mesh.busy(*node, Micros(0));
            mesh.thaw(*node);
            for from in &all {
                mesh.read(*node, *from, true);
            }
        }
        // Who was told to stop ends before it can start again.
        until(mesh, STOPPING, |mesh| {
            !all.iter().any(|node| mesh.is_leaving(*node))
        });
        for node in &all {
            mesh.start(*node);
            mesh.wedge(*node, false);
            mesh.engine(*node, EngineFault::None);
            mesh.disk(*node, DiskFault::None);
        }
        // Nothing ends a clog but time.
        mesh.run_for(mesh.clogged_for());
        self.revoke_again();
    }

    /// Power cuts and bad disks of the owner's may have lost its word: the human who gave it sees
    /// that, and gives it again.
    fn revoke_again(&mut self) {
        if !self.core.members.contains(&0) {
            return;
        }
        for outcast in &self.core.outcasts {
            let end = self.mesh.time() + AGREEMENT.0;
            while !self.mesh.knows_revoked(0, *outcast) && self.mesh.time() < end {
                self.mesh.revoke(*outcast);
                self.mesh.run_for(TOLD);
            }
            if !self.mesh.knows_revoked(0, *outcast) {
                let what = format!("the healed owner cannot revoke node {outcast}");
                self.failures.push(what);
            }
        }
    }

    /// Sessions agree, troubled requests end, new ones are answered, and sessions stay.
    pub(super) fn progress(&mut self, asked: &mut Vec<Asked>) {
        let begun = self.mesh.time();
        if !self.is_well_in_time() {
            let core = &self.core;
            let apart = core.apart(self.mesh);
            let wrong = wrong_lists(core, self.mesh);
            let met = core.wrongly_met(self.mesh);
            if !apart.is_empty() || !wrong.is_empty() {
                self.failures.push(format!(
                    "{AGREEMENT} after the healing: no session {apart:?}, lists of models that \
                     show whom nobody serves or hide who serves: {wrong:?}",
                ));
            }
            self.still_met(&met);
            return;
        }
        self.tally.agreed_us = self.mesh.time() - begun;
        let begun = self.mesh.time();
        let troubled: Vec<Asked> = of_core(asked, &self.core.all());
        for one in &troubled {
            if one.is_known(self.mesh) {
                self.mesh.slow_reader(one.client, None);
            }
        }
        until(self.mesh, ENDING, |mesh| {
            troubled.iter().all(|one| !one.is_running(mesh))
        });
        self.tally.ended_us = self.mesh.time() - begun;
        self.hanging(&troubled, ENDING);
        let engine_faults = [Fault::Wedge, Fault::Stall, Fault::SlowPrefill];
        let is_one = |fault: &Fault| engine_faults.contains(fault);
        if self.core.plan.mix.faults.iter().any(is_one) {
            self.mesh.run_for(FOUND_OUT);
            self.is_well_in_time();
        }
        self.ask_core(asked);
        self.mesh.run_for(CALM);
        if self.core.plan.degree.is_some() {
            // Sessions of bounded neighbourhoods come and go, and who was let go looks for others.
            until(self.mesh, AGREEMENT, |mesh| self.core.agrees(mesh));
        }
        let apart = self.core.apart(self.mesh);
        if !apart.is_empty() {
            self.failures
                .push(format!("a session of the healed core ended: {apart:?}"));
        }
        self.same_records();
        let met = self.core.wrongly_met(self.mesh);
        self.still_met(&met);
        self.abandon();
        self.lingering();
    }

    fn still_met(&mut self, met: &[(NodeIndex, NodeIndex)]) {
        if !met.is_empty() {
            self.failures
                .push(format!("who was revoked has a session: {met:?}"));
        }
    }

    fn is_well_in_time(&mut self) -> bool {
        let core = &self.core;
        let is_well = |mesh: &Mesh| core.agrees(mesh) && wrong_lists(core, mesh).is_empty();
        until(self.mesh, AGREEMENT, is_well)
    }

    fn ask_core(&mut self, asked: &mut Vec<Asked>) {
        let mut fresh = Vec::new();
        for node in &self.core.all() {
            let seed = *node as u64;
            let client = self.mesh.ask(*node, Ask::new(seed).max_tokens(TOKENS));
            fresh.push(Asked::new(self.mesh, client, (seed, TOKENS)));
        }
        until(self.mesh, ANSWERING, |mesh| {
            fresh.iter().all(|one| !one.is_running(mesh))
        });
        self.hanging(&fresh, ANSWERING);
        for one in &fresh {
            let node = one.client.node();
            let answer = self.mesh.answer(one.client);
            let finished = matches!(answer.state, State::Finished { .. });
            let served = self.core.is_served(self.mesh, node);
            if served.is_some_and(|served| served != finished) {
                self.failures.push(format!(
                    "the healed core's node {node} is answered {:?} though holders are {}",
                    answer.state,
                    if finished { "gone" } else { "up" },
                ));
            }
        }
        asked.extend(fresh);
    }

    fn hanging(&mut self, asked: &[Asked], limit: Micros) {
        for one in asked {
            if one.is_running(self.mesh) {
                let answer = self.mesh.answer(one.client);
                let client = one.client;
                self.failures.push(format!(
                    "{client:?} is not over after {limit}: {:?}, {} of {} tokens' text",
                    answer.state, answer.deltas, one.tokens
                ));
            }
        }
    }

    /// What was true at all times.
    pub(super) fn verdict(mut self, asked: &[Asked]) -> (Vec<String>, Tally) {
        for one in asked {
            self.tally.asked += 1;
            if !one.is_known(self.mesh) {
                self.tally.gone += 1;
                continue;
            }
            let answer = self.mesh.answer(one.client);
            match &answer.state {
                State::Finished { .. } => self.tally.finished += 1,
                State::Failed(_) | State::Broken => self.tally.failed += 1,
                State::Gone => self.tally.gone += 1,
                State::Waiting | State::Streaming => {}
            }
            let has_shed = self.mesh.has_shed(one.client);
            if let Some(lie) = one.lie(&answer, has_shed) {
                let client = one.client;
                self.failures.push(format!("{client:?}: {lie}: {answer:?}"));
            }
        }
        for crash in self.mesh.crashes() {
            if !crash.ends_with("killed") {
                self.failures.push(format!("no fault planned it: {crash}"));
            }
        }
        let violations = self.mesh.violations().iter();
        self.failures.extend(violations.map(ToString::to_string));
        (self.failures, self.tally)
    }
}

/// Lets time pass until it holds, and looks as often as it matters.
fn until(mesh: &mut Mesh, limit: Micros, holds: impl Fn(&Mesh) -> bool) -> bool {
    let end = mesh.time() + limit.0;
    while !holds(mesh) {
        if mesh.time() >= end {
            return false;
        }
        mesh.run_for(LOOK);
    }
    true
}

fn of_core(asked: &[Asked], core: &[NodeIndex]) -> Vec<Asked> {
    let in_core = |one: &&Asked| core.contains(&one.client.node());
    asked.iter().filter(in_core).copied().collect()
}

/// Nodes of the core whose clients are shown a model that nobody serves, or not the one that is
/// served.
fn wrong_lists(core: &Core<'_>, mesh: &Mesh) -> Vec<NodeIndex> {
    let is_wrong = |node: &NodeIndex| {
        let served = core.is_served(mesh, *node);
        served.is_some_and(|served| mesh.models(*node).is_empty() == served)
    };
    core.all().into_iter().filter(is_wrong).collect()
}
