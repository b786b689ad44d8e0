//! What is demanded of a run.

use super::faults::Fault;
use super::plan::Plan;
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
/// How long the core's sessions have to stay as they are.
const CALM: Micros = secs(20);
/// Tokens of a request that is cancelled: it would take seconds more.
const TOKENS_LONG: u32 = 4_000;
/// Within it nothing works for a client that went away.
const CANCELLED: Micros = secs(2);
/// How often a wait looks whether it is over.
const LOOK: Micros = millis(20);
/// Tokens of the requests by which progress is judged.
const TOKENS: u32 = 10;

/// A request, and what an unbroken run would say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) client: ClientId,
    boot: u64,
    seed: u64,
    tokens: u32,
    /// Whether its server may be too slow for the text: it says so, and does not leave a hole.
    may_shed: bool,
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
    pub(super) fn new(
        plan: &Plan,
        mesh: &Mesh,
        client: ClientId,
        (seed, tokens): (u64, u32),
    ) -> Self {
        Self {
            may_shed: plan.costs,
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

    /// What is false in the answer so far.
    fn lie(&self, answer: &Answer) -> Option<&'static str> {
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
            State::Failed(Failure::Internal) if !self.may_shed => Some("a defect of the node"),
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
    plan: &'a Plan,
    mesh: &'a mut Mesh,
    failures: Vec<String>,
    tally: Tally,
}

impl<'a> Demands<'a> {
    pub(super) const fn new(plan: &'a Plan, mesh: &'a mut Mesh) -> Self {
        Self {
            plan,
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
        let Self { plan, mesh, .. } = self;
        mesh.disarm();
        mesh.heal();
        plan.dig_around(mesh);
        mesh.set_path(&plan.core, &plan.core, plan.path());
        for node in &plan.core {
            mesh.thaw(*node);
            mesh.start(*node);
            mesh.wedge(*node, false);
            mesh.engine(*node, EngineFault::None);
            mesh.disk(*node, DiskFault::None);
        }
    }

    /// Sessions agree, troubled requests end, new ones are answered, and sessions stay.
    pub(super) fn progress(&mut self, asked: &mut Vec<Asked>) {
        let core = self.plan.core.clone();
        let begun = self.mesh.time();
        let served = self.is_served();
        let listed = |mesh: &Mesh| {
            core.iter()
                .all(|node| mesh.models(*node).is_empty() != served)
        };
        if !until(self.mesh, AGREEMENT, |mesh| {
            agree(mesh, &core) && listed(mesh)
        }) {
            let apart = apart(self.mesh, &core);
            let models = core.iter().map(|node| self.mesh.models(*node).len());
            let models: Vec<_> = models.collect();
            self.failures.push(format!(
                "{AGREEMENT} after the healing: no session {apart:?}, lengths of lists of models \
                 {models:?} where holders are {}",
                if served { "up" } else { "gone" }
            ));
            return;
        }
        self.tally.agreed_us = self.mesh.time() - begun;
        let begun = self.mesh.time();
        let troubled: Vec<Asked> = of_core(asked, &core);
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
        if self.plan.mix.faults.iter().any(is_one) {
            self.mesh.run_for(FOUND_OUT);
            until(self.mesh, AGREEMENT, |mesh| {
                agree(mesh, &core) && listed(mesh)
            });
        }
        self.ask_core(asked, &core);
        self.mesh.run_for(CALM);
        self.cancel_core(&core);
        self.lingering(&core);
        let apart = apart(self.mesh, &core);
        if !apart.is_empty() {
            self.failures
                .push(format!("a session of the healed core ended: {apart:?}"));
        }
    }

    /// Long requests whose clients go away.
    fn cancel_core(&mut self, core: &[NodeIndex]) {
        let ask = |node: &NodeIndex| self.mesh.ask(*node, Ask::new(1).max_tokens(TOKENS_LONG));
        let clients: Vec<ClientId> = core.iter().map(ask).collect();
        self.mesh.run_for(millis(500));
        for client in clients {
            self.mesh.hang_up(client);
        }
        self.mesh.run_for(CANCELLED);
    }

    /// Every request is over and those who could not come back are long given up: no engine works.
    fn lingering(&mut self, core: &[NodeIndex]) {
        for node in core {
            let jobs = self.mesh.jobs(*node);
            if jobs > 0 {
                self.failures
                    .push(format!("node {node} works on {jobs} jobs of nobody"));
            }
        }
    }

    fn is_served(&self) -> bool {
        let Plan { core, engines, .. } = self.plan;
        core.iter().any(|node| engines.contains(node))
    }

    fn ask_core(&mut self, asked: &mut Vec<Asked>, core: &[NodeIndex]) {
        let mut fresh = Vec::new();
        for node in core {
            let seed = *node as u64;
            let client = self.mesh.ask(*node, Ask::new(seed).max_tokens(TOKENS));
            fresh.push(Asked::new(self.plan, self.mesh, client, (seed, TOKENS)));
        }
        until(self.mesh, ANSWERING, |mesh| {
            fresh.iter().all(|one| !one.is_running(mesh))
        });
        self.hanging(&fresh, ANSWERING);
        let served = self.is_served();
        for one in &fresh {
            let answer = self.mesh.answer(one.client);
            let finished = matches!(answer.state, State::Finished { .. });
            if finished != served {
                let node = one.client.node();
                self.failures.push(format!(
                    "the healed core's node {node} is answered {:?} though holders are {}",
                    answer.state,
                    if served { "up" } else { "gone" },
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
            if let Some(lie) = one.lie(&answer) {
                let client = one.client;
                self.failures.push(format!("{client:?}: {lie}: {answer:?}"));
            }
        }
        for crash in self.mesh.crashes() {
            if !crash.ends_with("killed") {
                self.failures.push(format!("no fault planned it: {crash}"));
            }
        }
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

fn agree(mesh: &Mesh, core: &[NodeIndex]) -> bool {
    let with_all = |one: &NodeIndex| {
        core.iter()
            .all(|two| one == two || mesh.is_active(*one, *two))
    };
    core.iter().all(with_all)
}

fn apart(mesh: &Mesh, core: &[NodeIndex]) -> Vec<(NodeIndex, NodeIndex)> {
    let pairs = core
        .iter()
        .flat_map(|one| core.iter().map(move |two| (*one, *two)));
    pairs
        .filter(|(one, two)| one != two && !mesh.is_active(*one, *two))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(plan: &Plan, heal: bool, trouble: impl Fn(&mut Mesh)) -> Vec<String> {
        let mut mesh = plan.mesh();
        mesh.run_for(secs(3));
        trouble(&mut mesh);
        let mut demands = Demands::new(plan, &mut mesh);
        if heal {
            demands.heal();
        }
        demands.progress(&mut Vec::new());
        demands.verdict(&[]).0
    }

    fn plan() -> Plan {
        Plan {
            nodes: 3,
            engines: vec![1],
            late: Vec::new(),
            core: vec![0, 1],
            costs: false,
            boxes: Vec::new(),
            ..Plan::draw(1)
        }
    }

    #[test]
    fn a_core_that_is_not_well_is_a_failure() {
        for trouble in [
            (|mesh| mesh.kill(1)) as fn(&mut Mesh),
            |mesh| mesh.freeze(1),
            |mesh| mesh.cut(&[0], &[1]),
        ] {
            assert_ne!(failures(&plan(), false, trouble), Vec::<String>::new());
            assert_eq!(failures(&plan(), true, trouble), Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_outside_the_core_does_not_matter() {
        let failures = failures(&plan(), true, |mesh| mesh.kill(2));
        assert_eq!(failures, Vec::<String>::new());
    }

    #[test]
    fn a_false_answer_is_told_from_a_true_one() {
        let one = |text: &str, state: State, ends: u32| {
            let mut mesh = plan().mesh();
            let client = mesh.ask(0, Ask::new(4).max_tokens(3));
            let asked = Asked::new(&plan(), &mesh, client, (4, 3));
            let mut answer = Answer::default();
            text.clone_into(&mut answer.text);
            answer.state = state;
            answer.ends = ends;
            asked.lie(&answer)
        };
        let whole = kernel::scripted::text(4, 3);
        assert_eq!(one(&whole, State::Streaming, 0), None);
        assert_eq!(one(&whole, State::Broken, 1), None);
        assert!(one(&whole, State::Broken, 2).is_some());
        assert!(one("nonsense", State::Gone, 0).is_some());
        let internal = State::Failed(Failure::Internal);
        assert!(one(&whole, internal, 1).is_some());
    }
}
