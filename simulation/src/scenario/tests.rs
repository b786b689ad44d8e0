//! Every file of `simulation/scenarios` holds, and what is wrong with a file is said well.

mod errors;
mod files;

use super::Scenario;
use super::run::Run;
use crate::Mesh;
use crate::checkers::tests::wiring::{SAID, plant};

#[test]
fn a_violation_fails_a_scenario() {
    let source = include_str!("../../scenarios/50_server_wedges.toml");
    let scenario = Scenario::parse(source).unwrap();
    let plan = scenario.plan(1);
    let run = |spoil: fn(&mut Mesh)| {
        let mut run = Run::new(plan, 1, scenario.builder(1), true);
        spoil(&mut run.mesh);
        run.go().failures
    };
    assert_eq!(run(|_| ()), Vec::<String>::new());
    let said = run(plant);
    assert!(said.iter().any(|it| it.contains(SAID)), "{said:?}");
}

/// Kills of whoever serves at these two tokens, or never, and what is expected after both.
fn two_kills(first: &str, second: &str) -> Vec<String> {
    let source = format!(
        r#"
guards = "what is expected after two faults"
seeds = "0..4"

[each]
first = [{first}]
second = [{second}]

[mesh]
nodes = 4
engines = [0, 2, 3]

[[ask]]
name = "a"
node = 1
at = "2s"
tokens = 24

[[fault]]
when = {{ tokens = {{ of = "a", number = "$first" }} }}
do = {{ wedge = 3 }}

[[fault]]
when = {{ tokens = {{ of = "a", number = "$second" }} }}
do = {{ wedge = 3 }}

[[expect]]
that = {{ alive = {{ node = 0, actor = "router" }} }}
after = "10ms"
"#
    );
    let scenario = Scenario::parse(&source).unwrap_or_else(|error| panic!("{error}"));
    let outcomes: Vec<_> = (0..4).map(|seed| scenario.run(seed)).collect();
    assert!(
        outcomes.iter().all(|it| it.failures.is_empty()),
        "{outcomes:?}"
    );
    Scenario::idle(&outcomes)
}

#[test]
fn what_never_strikes_and_what_is_never_looked_at_is_told() {
    assert_eq!(two_kills("3, 4", "5, 6"), Vec::<String>::new());
    // Each fault strikes with half of the seeds, and both with one of four.
    let unseen = "the expectation of line 27 has no moment with 3 of 4 seeds";
    assert_eq!(two_kills("3, 99", "5, 99"), [unseen]);
    let missed = "the fault of line 23 finds nobody with 4 of 4 seeds";
    let unseen = "the expectation of line 27 has no moment with 4 of 4 seeds";
    assert_eq!(two_kills("3, 4", "98, 99"), [missed, unseen]);
}
