//! Makes a failing run short: fewer faults, less time, fewer nodes, the same failure.

use super::Schedule;
use super::act::Act;
use super::plan::Topology;

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The shortest run that was found.
    pub schedule: Schedule,
    /// Runs that it took.
    pub attempts: u64,
}

struct Search<'a> {
    best: Schedule,
    fails: &'a mut dyn FnMut(&Schedule) -> bool,
    attempts: u64,
    attempts_max: u64,
}

/// Takes away from a failing run what it fails without. `fails` says whether a run still fails in
/// the same way; it is asked so many times at most. Nothing: the run does not fail.
pub fn shrink(
    schedule: &Schedule,
    attempts_max: u64,
    fails: &mut dyn FnMut(&Schedule) -> bool,
) -> Option<Shrunk> {
    let mut search = Search {
        best: schedule.clone(),
        fails,
        attempts: 0,
        attempts_max,
    };
    if !search.holds(schedule) {
        return None;
    }
    loop {
        let before = search.best.clone();
        search.fewer_acts();
        search.less_time();
        search.simpler_mesh();
        search.fewer_nodes();
        if search.best == before || search.is_spent() {
            let Search { best, attempts, .. } = search;
            return Some(Shrunk {
                schedule: best,
                attempts,
            });
        }
    }
}

/// What sort of failure a sentence tells of: the sentence without numbers and lists.
#[must_use]
pub fn kind_of(failure: &str) -> String {
    let (mut kind, mut depth) = (String::new(), 0_usize);
    for char in failure.chars() {
        match char {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth = depth.saturating_sub(1),
            '0'..='9' | '.' | '-' => {}
            _ if depth == 0 => kind.push(char),
            _ => {}
        }
    }
    kind
}

/// A wait that is not worth being halved: a round trip.
const WAIT_MIN_US: u64 = 1_000;

impl Search<'_> {
    const fn is_spent(&self) -> bool {
        self.attempts >= self.attempts_max
    }

    fn holds(&mut self, schedule: &Schedule) -> bool {
        self.attempts += 1;
        (self.fails)(schedule)
    }

    /// Keeps a change, if the run still fails with it.
    fn try_out(&mut self, change: impl FnOnce(&mut Schedule)) -> bool {
        let mut changed = self.best.clone();
        change(&mut changed);
        if self.is_spent() || changed == self.best || !self.holds(&changed) {
            return false;
        }
        self.best = changed;
        true
    }

    /// Halves first, then ever smaller parts.
    fn fewer_acts(&mut self) {
        let mut part = self.best.acts.len().div_ceil(2);
        while part > 0 {
            let mut at = 0;
            while at < self.best.acts.len() {
                let end = (at + part).min(self.best.acts.len());
                if !self.try_out(|run| drop(run.acts.drain(at..end))) {
                    at = end;
                }
            }
            part /= 2;
        }
    }

    fn less_time(&mut self) {
        self.try_out(|run| run.acts = joined(&run.acts));
        for at in 0..self.best.acts.len() {
            while let Some(Act::Wait { us }) = self.best.acts.get(at).cloned()
                && us > WAIT_MIN_US
                && self.try_out(|run| run.acts[at] = Act::Wait { us: us / 2 })
            {}
        }
    }

    fn simpler_mesh(&mut self) {
        self.try_out(|run| run.plan.costs = false);
        self.try_out(|run| run.plan.clocks.clear());
        self.try_out(|run| run.plan.outer.clear());
        self.try_out(|run| run.plan.housed.clear());
        self.try_out(|run| run.plan.boxes.clear());
        self.try_out(|run| run.plan.relay = None);
        self.try_out(|run| run.plan.reflection = false);
        self.try_out(|run| run.plan.degree = None);
        self.try_out(|run| run.plan.one_ticket = false);
        self.try_out(|run| run.plan.late.clear());
        self.try_out(|run| run.plan.shuffled = false);
        self.try_out(|run| run.plan.topology = Topology::Full);
    }

    /// The last node goes, and all that named it.
    fn fewer_nodes(&mut self) {
        while self.best.plan.nodes > 2 && self.try_out(without_last) {}
    }
}

fn without_last(run: &mut Schedule) {
    let plan = &mut run.plan;
    plan.nodes -= 1;
    let gone = plan.nodes;
    plan.engines.retain(|node| *node != gone);
    plan.late.retain(|node| *node != gone);
    plan.clocks.retain(|(node, _)| *node != gone);
    plan.boxes.retain(|(node, _)| *node != gone);
    plan.housed.retain(|pair| pair.0 != gone && pair.1 != gone);
    plan.outer.retain(|(node, _)| *node != gone);
    plan.movers.retain(|node| *node != gone);
    plan.core.retain(|node| *node != gone);
    if plan.core.len() < 2 {
        plan.core = (0..gone).collect();
    }
    for act in &mut run.acts {
        if let Act::Cut { one, other } = act {
            one.retain(|node| *node != gone);
            other.retain(|node| *node != gone);
        }
    }
    run.acts.retain(|act| !act.nodes().contains(&gone));
}

/// Waits that follow each other are one.
fn joined(acts: &[Act]) -> Vec<Act> {
    let mut joined: Vec<Act> = Vec::new();
    for act in acts {
        match (joined.last_mut(), act) {
            (_, Act::Wait { us: 0 }) => {}
            (Some(Act::Wait { us }), Act::Wait { us: more }) => *us += more,
            _ => joined.push(act.clone()),
        }
    }
    joined
}
