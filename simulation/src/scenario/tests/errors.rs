//! A file that is wrong is told where, and what is allowed.

use crate::scenario::{Scenario, seeds_of};

/// A file that is right, line by line.
const RIGHT: &str = r#"guards = "an answer crosses the mesh"
seeds = "0..4"

[each]
death = ["kill", "close"]

[mesh]
nodes = 3
engines = [0, 2]

[[ask]]
name = "a"
node = 1
at = "2s"
tokens = 8

[[fault]]
when = { tokens = { of = "a", number = 3 } }
do = { "$death" = "server of a" }

[[fault]]
after = "1s"
do = { start = "server of a" }

[[expect]]
that = { answered = "a" }
"#;

/// With one thing changed the file is refused with this sentence.
#[track_caller]
fn check(right: &str, wrong: &str, sentence: &str) {
    assert!(RIGHT.contains(right), "{right}");
    let error = Scenario::parse(&RIGHT.replacen(right, wrong, 1)).expect_err("it is wrong");
    assert_eq!(error.to_string(), sentence);
}

#[test]
fn a_file_that_is_right_runs() {
    let scenario = Scenario::parse(RIGHT).expect("it is right");
    assert_eq!(scenario.guards(), "an answer crosses the mesh");
    assert_eq!(scenario.fault_lines(), [17, 21]);
    for seed in scenario.seeds() {
        let outcome = scenario.run(*seed);
        assert_eq!(outcome.failures, Vec::<String>::new());
        assert_eq!(outcome.missed, Vec::<usize>::new());
        assert_eq!(outcome, scenario.run(*seed), "a seed is a run");
    }
    assert_ne!(scenario.run(0).report.trace, scenario.run(1).report.trace);
}

#[test]
fn an_expectation_that_does_not_hold_says_why() {
    let source = RIGHT.replace("{ answered = \"a\" }", "{ drawn = { at_most = 2 } }");
    let outcome = Scenario::parse(&source).expect("it is right").run(0);
    let [failure] = outcome.failures.as_slice() else {
        panic!("{outcome:?}")
    };
    assert!(
        failure.starts_with("expectation of line 25, at "),
        "{failure}"
    );
    assert!(
        failure.ends_with("drawn tokens, where 0 to 2 are allowed"),
        "{failure}"
    );
}

#[test]
fn a_fault_that_never_comes_is_told() {
    let source = RIGHT.replace("number = 3", "number = 300");
    let outcome = Scenario::parse(&source).expect("it is right").run(0);
    assert_eq!(outcome.missed, [17, 21]);
}

#[test]
fn keys_that_do_not_exist_name_those_that_do() {
    check(
        "at = \"2s\"\n",
        "att = \"2s\"\n",
        "line 14, ask 1: att: there is no key `att` here; allowed: \
         name, at, when, after, node, count, every, arrive, tokens, stop, prompt, model",
    );
    check(
        "nodes = 3",
        "nods = 3",
        "line 8, mesh: nods: there is no key `nods` here; allowed: \
         nodes, engines, absent, step, latency, jitter, tail, shuffled, one_ticket, degree, loss, \
         duplicates, reordered, bytes_per_sec, nat, reflection, clock, costs, relay",
    );
}

#[test]
fn faults_that_do_not_exist_name_those_that_do() {
    check(
        "{ start =",
        "{ strat =",
        "line 23, fault 2: do: `strat` is not known; allowed: kill, close, start, freeze, suspend, \
         thaw, cut, cut_one_way, clog, heal, rebind, reset, stop_reading, read_again, wedge, \
         unwedge, unload, kill_actor, fall, hang_up, slow_reader, clock_ahead, clock_back, \
         drift, disk, engine, revoke, busy, drain, garbage, streams, stale_letters, tokens, \
         publish, withdraw, share, record",
    );
}

#[test]
fn values_of_a_wrong_sort_say_what_is_taken() {
    check(
        "nodes = 3",
        "nodes = \"three\"",
        "line 8, mesh: nodes: this takes a whole number, not string \"three\"",
    );
    check(
        "at = \"2s\"",
        "at = 2",
        "line 14, ask 1: at: this takes a time with a unit, as \"250ms\", \"3s\", \"5min\" or \
         \"1h\", not integer `2`",
    );
    check(
        "at = \"2s\"",
        "at = \"2 sec\"",
        "line 14, ask 1: at: `2 sec` is no time: write a time with a unit, as \"250ms\", \"3s\", \
         \"5min\" or \"1h\"",
    );
    check(
        "\"server of a\"",
        "\"the server\"",
        "line 19, fault 1: do: `the server` is no node: write a node: its number, \
         \"server of NAME\" (NAME is a request) or \"busy\"",
    );
    check(
        "seeds = \"0..4\"",
        "seeds = \"some\"",
        "line 2, seeds: `some` are no seeds: write a number or a range, as \"0..25\"",
    );
}

#[test]
fn what_is_missing_is_named() {
    check(
        "nodes = 3\n",
        "",
        "line 7, mesh: the key `nodes` is missing",
    );
    check(
        "name = \"a\"\n",
        "",
        "line 11, ask 1: the key `name` is missing",
    );
    check(
        "at = \"2s\"\n",
        "",
        "line 11, ask 1: it never happens: give it one of at, when, after",
    );
    check(
        "\"an answer crosses the mesh\"",
        "\"\"",
        "line 1, guards: say in a sentence what holds as long as this passes",
    );
}

#[test]
fn nodes_and_requests_that_do_not_exist_are_named() {
    check(
        "engines = [0, 2]",
        "engines = [0, 3]",
        "line 7, mesh: there is no node 3: this mesh has 0 to 2",
    );
    check(
        "node = 1",
        "node = 7",
        "line 11, ask 1: there is no node 7: this mesh has 0 to 2",
    );
    check(
        "{ answered = \"a\" }",
        "{ answered = \"b\" }",
        "line 25, expect 1: no request is called `b`: there are a",
    );
}

#[test]
fn boxes_have_a_name_or_two_behaviours() {
    let boxed = |text: &str| format!("nodes = 3\nnat = [{{ before = [1], {text} }}]");
    check(
        "nodes = 3",
        &boxed("mapping = \"address\""),
        "line 7, mesh: a box has a name, as `is = \"symmetric\"`, or both mapping and filtering",
    );
    check(
        "nodes = 3",
        &boxed("is = \"symmetric\", filtering = \"endpoint\""),
        "line 7, mesh: `is` says how the box maps and filters: leave out mapping and filtering",
    );
    check(
        "nodes = 3",
        &boxed("mapping = \"addres\", filtering = \"endpoint\""),
        "line 9, mesh: nat: `addres` is not known; allowed: endpoint, address, address_and_port",
    );
    let good = boxed("mapping = \"address\", filtering = \"endpoint\"");
    Scenario::parse(&RIGHT.replacen("nodes = 3", &good, 1)).expect("it is right");
}

#[test]
fn a_tail_is_of_a_thousand_packets() {
    check(
        "nodes = 3",
        "nodes = 3\ntail = { permille = 1001, extra = \"1s\" }",
        "line 7, mesh: a tail has up to a thousand of a thousand packets",
    );
}

#[test]
fn moments_that_cannot_be_are_told() {
    check(
        "at = \"2s\"",
        "at = \"2s\"\nafter = \"1s\"",
        "line 11, ask 1: two moments for one thing: give it one of at, when, after",
    );
    check(
        "when = { tokens = { of = \"a\", number = 3 } }",
        "after = \"3s\"",
        "line 17, fault 1: no fault comes before it: give it at or when",
    );
}

#[test]
fn what_varies_is_used_known_and_reached() {
    check(
        "\"$death\"",
        "kill",
        "line 5, each: death: nothing varies with it: write \"$death\" where it shall stand",
    );
    check(
        "[each]\ndeath = [\"kill\", \"close\"]",
        "\n",
        "line 19, fault 1: do: `$death` stands for nothing: give its values under [each]",
    );
    check(
        "seeds = \"0..4\"",
        "seeds = [0, 2]",
        "line 2, seeds: these seeds reach 1 of 2 combinations of [each]: 0..2 reaches all",
    );
    check(
        "[\"kill\", \"close\"]",
        "\"kill\"",
        "line 5, each: death: `kill` is no range: write a list, or ranges as \"0..25\", \
         \"0..=24 by 3\" or \"0ms..9ms by 1ms, 9ms..99ms by 10ms\"",
    );
    check(
        "[\"kill\", \"close\"]",
        "\"0..4, 4..40 by x\"",
        "line 5, each: death: `x` is no step of `4..40 by x`: write a list, or ranges as \
         \"0..25\", \"0..=24 by 3\" or \"0ms..9ms by 1ms, 9ms..99ms by 10ms\"",
    );
}

#[test]
fn text_that_is_no_toml_is_told_by_line() {
    let error = Scenario::parse("guards = \"one two three\"\nseeds = [1,\n").expect_err("cut off");
    assert!((2..=3).contains(&error.line), "{error}");
}

#[test]
fn seeds_are_numbers_and_ranges() {
    assert_eq!(seeds_of("7"), Ok(vec![7]));
    assert_eq!(seeds_of("2..5"), Ok(vec![2, 3, 4]));
    assert_eq!(seeds_of("2..=3"), Ok(vec![2, 3]));
    assert_eq!(seeds_of("5..2"), Err("no seed lies in `5..2`".to_owned()));
    assert_eq!(
        seeds_of("0..99999"),
        Err("`0..99999` are more than 10000 seeds".to_owned())
    );
}
