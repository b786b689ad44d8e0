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
do = {{ busy = {{ node = 3, late = "1s" }} }}

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

/// Lines of faults that change nothing in a mesh of three nodes: the first has an engine, the last
/// is down.
fn missed(faults: &[&str]) -> Vec<usize> {
    let faults = faults.iter().map(|what| {
        let at = "at = \"3s\"";
        format!("[[fault]]\n{at}\ndo = {what}\n")
    });
    let source = format!(
        r#"guards = "what faults say of themselves"
seeds = [1]
[mesh]
nodes = 3
engines = [0]
absent = [2]
[[ask]]
name = "a"
node = 1
at = "2s"
tokens = 4
{}"#,
        faults.collect::<String>()
    );
    let scenario = Scenario::parse(&source).unwrap_or_else(|error| panic!("{error}"));
    scenario.run(1).missed
}

#[test]
fn a_fault_that_changes_nothing_strikes_nobody() {
    let vain = [
        "{ kill = 2 }",
        "{ close = 2 }",
        "{ start = 1 }",
        "{ freeze = 2 }",
        "{ suspend = 2 }",
        "{ thaw = 1 }",
        "{ wedge = 1 }",
        "{ wedge = 2 }",
        "{ unwedge = 0 }",
        "{ unload = 1 }",
        "{ revoke = 0 }",
        "{ drain = 2 }",
        "\"heal\"",
        "{ cut = { between = [1], and = [1] } }",
        "{ reset = { between = [0], and = [2] } }",
        "{ read_again = { node = 1, from = 0 } }",
        "{ busy = { node = 1 } }",
        "{ kill_actor = { node = 2, actor = \"router\" } }",
        "{ hang_up = \"a\" }",
        "{ slow_reader = { of = \"a\" } }",
        "{ clock_ahead = { node = 1, by = \"0s\" } }",
        "{ disk = { node = 1, is = \"well\" } }",
        "{ engine = { node = 1, is = \"crashed\" } }",
        "{ garbage = { from = 0, to = 1, bytes = \"reply\" } }",
    ];
    for fault in vain {
        assert_eq!(missed(&[fault]), [12], "{fault}");
    }
}

#[test]
fn a_fault_that_changes_something_strikes() {
    let pairs = [
        ["{ freeze = 1 }", "{ thaw = 1 }"],
        ["{ suspend = 1 }", "{ thaw = 1 }"],
        ["{ wedge = 0 }", "{ unwedge = 0 }"],
        ["{ kill = 1 }", "{ start = 1 }"],
        ["{ cut = { between = [0], and = [1] } }", "\"heal\""],
        [
            "{ stop_reading = { node = 1, from = 0 } }",
            "{ read_again = { node = 1, from = 0 } }",
        ],
        [
            "{ busy = { node = 1, late = \"1s\" } }",
            "{ busy = { node = 1 } }",
        ],
        [
            "{ disk = { node = 1, is = \"full\" } }",
            "{ disk = { node = 1, is = \"well\" } }",
        ],
        ["{ unload = 0 }", "{ drain = 0 }"],
    ];
    for [fault, end] in pairs {
        assert_eq!(missed(&[fault, end]), Vec::<usize>::new(), "{fault}");
        assert_eq!(missed(&[fault, end, end]), [18], "{end} ends nothing again");
    }
}

/// What is said of an expectation about a request that is never made.
fn unasked(that: &str) -> Vec<String> {
    let source = format!(
        r#"guards = "nothing is said of nobody"
seeds = [1]
[mesh]
nodes = 2
engines = [0]
[[ask]]
name = "a"
node = 1
at = "2s"
tokens = 4
[[ask]]
name = "b"
node = 1
when = {{ pieces = {{ of = "a", number = 99 }} }}
[[expect]]
that = {that}
"#
    );
    let scenario = Scenario::parse(&source).unwrap_or_else(|error| panic!("{error}"));
    scenario.run(1).failures
}

#[test]
fn an_expectation_about_a_request_that_nobody_makes_fails() {
    for that in [
        "{ answered = \"b\" }",
        "{ failed = { of = \"b\", with = \"busy\" } }",
        "{ pause = { of = \"b\", at_most = \"1s\" } }",
        "{ first = { of = \"b\", at_most = \"1s\" } }",
        "{ took = { of = \"b\", at_most = \"1s\" } }",
        "{ served_by = { of = \"b\", node = 0 } }",
        "{ unread = { of = \"b\", at_most = 1 } }",
        "{ unread = { of = \"b\", at_most = 1 } }\nalways = true",
    ] {
        let failures = unasked(that);
        let [failure] = failures.as_slice() else {
            panic!("{that}: {failures:?}")
        };
        assert!(failure.ends_with("nobody has asked `b`"), "{failure}");
        assert_eq!(
            unasked(&that.replace("\"b\"", "\"a\"")).len(),
            usize::from(that.contains("busy"))
        );
    }
}

#[test]
fn a_wait_is_bounded_wherever_it_is() {
    let source = |moment: &str, that: &str| {
        format!(
            r#"guards = "waits before, within and after the text"
seeds = [1]
[mesh]
nodes = 2
engines = [0]
[[ask]]
name = "a"
node = 1
at = "2s"
tokens = 24
[[fault]]
{moment}
do = {{ cut = {{ between = [0], and = [1] }} }}
[[fault]]
after = "700ms"
do = "heal"
[[expect]]
that = {{ {that} = {{ of = "a", at_most = "600ms" }} }}
"#
        )
    };
    let run = |moment, that| {
        let scenario = Scenario::parse(&source(moment, that)).unwrap();
        scenario.run(1).failures
    };
    let (before, within, after) = (
        "at = \"2s\"",
        "when = { pieces = { of = \"a\", number = 4 } }",
        "when = { tokens = { of = \"a\", number = 24 } }",
    );
    for moment in [before, within, after] {
        let said = run(moment, "pause");
        assert!(
            said.iter().any(|it| it.contains("its longest pause")),
            "{moment}: {said:?}"
        );
    }
    assert_eq!(run(within, "first"), Vec::<String>::new());
}
