use super::closure::{check as check_closure, format_allow, parse_allow, parse_tree, unused};
use super::*;
use crate::metadata::Dependency;

/// A crate in its own folder that depends on others: `+` for its tests, `?` behind a feature.
fn member(name: &str, dependencies: &[&str]) -> Package {
    let folder = table::find(name).map_or("bins/elsewhere", |row| row.folder);
    let dependency = |text: &&str| Dependency {
        name: text.trim_end_matches(['+', '?']).to_owned(),
        dev: text.ends_with('+'),
        optional: text.ends_with('?'),
    };
    Package {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        license: None,
        source: None,
        folder: Some(folder.to_owned()),
        dependencies: dependencies.iter().map(dependency).collect(),
    }
}

/// In a workspace of every known crate, this one's dependencies break the table in these words.
fn check(name: &str, dependencies: &[&str], expected: &[&str]) {
    let mut members: Vec<Package> = table::CRATES
        .iter()
        .map(|row| member(row.name, &[]))
        .collect();
    members.retain(|one| one.name != name);
    members.push(member(name, dependencies));
    let found = direct::check(&members.iter().collect::<Vec<_>>());
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expected.len(), "{name}: {found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.contains(expected),
            "`{found}` does not say `{expected}`"
        );
    }
}

#[test]
fn each_layer_may_see_what_lies_below_it() {
    check("messages", &["serde", "postcard"], &[]);
    check("kernel", &["messages", "rand_chacha"], &[]);
    check("router", &["messages", "kernel"], &[]);
    check("tree", &["messages", "kernel", "router", "roster"], &[]);
    check(
        "host",
        &["messages", "kernel", "tree", "ractor", "tokio", "dashmap"],
        &[],
    );
    check(
        "driver-iroh",
        &["messages", "kernel", "host", "iroh", "blake3", "tokio"],
        &[],
    );
    check("simulation", &["messages", "kernel", "tree", "toml"], &[]);
    check(
        "node",
        &[
            "messages",
            "tree",
            "host",
            "driver-iroh",
            "driver-store",
            "tokio",
        ],
        &[],
    );
    check(
        "mesh-node",
        &["node", "messages", "driver-control", "clap", "tokio"],
        &[],
    );
    check("mesh-sim", &["simulation", "clap"], &[]);
    check(
        "system-tests",
        &["node", "simulation", "hyper+", "roster"],
        &[],
    );
}

#[test]
fn an_actor_sees_no_other_actor_not_even_in_tests() {
    check(
        "router",
        &["roster"],
        &["router: it depends on `roster`; Actor must not see Actor"],
    );
    check("router", &["roster+"], &["its tests depend on `roster`"]);
    check("router", &["tree"], &["must not see Tree"]);
}

#[test]
fn a_driver_sees_no_actor_no_tree_and_no_other_driver() {
    check("driver-http", &["router"], &["must not see Actor"]);
    check("driver-http", &["tree"], &["must not see Tree"]);
    check("driver-http", &["driver-store"], &["must not see Driver"]);
}

#[test]
fn the_worlds_do_not_see_each_other() {
    check("node", &["simulation"], &["must not see Simulation"]);
    check("host", &["simulation"], &["must not see Simulation"]);
    check("host", &["driver-iroh"], &["must not see Driver"]);
    check("simulation", &["driver-iroh"], &["must not see Driver"]);
    check("mesh-sim", &["node"], &["must not see Node"]);
}

#[test]
fn the_simulation_sees_the_host_behind_a_feature_only() {
    check("simulation", &["host?", "ractor?", "tokio?", "host+"], &[]);
    check("simulation", &["host"], &["must not see Host"]);
    check("simulation", &["tokio"], &["`tokio`, which belongs to"]);
    check("simulation", &["driver-iroh?"], &["must not see Driver"]);
    check("router", &["tokio?"], &["`tokio`, which belongs to"]);
}

#[test]
fn nothing_depends_on_tests_and_tools() {
    check("node", &["xtask"], &["must not see Free"]);
    check("mesh-node", &["mesh-sim"], &["must not see Simulator"]);
}

#[test]
fn a_foreign_crate_with_an_owner_is_named_by_nobody_else() {
    check("node", &["iroh"], &["`iroh`, which belongs to driver-iroh"]);
    check(
        "driver-http",
        &["redb", "hyper"],
        &["`redb`, which belongs to driver-store"],
    );
    check(
        "router",
        &["ractor"],
        &["which belongs to Host, Driver, Node"],
    );
}

#[test]
fn a_foreign_crate_that_a_row_does_not_list_is_found() {
    let host = ["tokio", "dashmap", "parking_lot"];
    let what = "host: it depends on `parking_lot`, which its row in bins/xtask/src/edges/table.rs";
    check("host", &host, &[what]);
    check(
        "driver-http",
        &["hyper", "axum"],
        &["`axum`, which its row"],
    );
    check("driver-store", &["sled?"], &["`sled`, which its row"]);
    check("node", &["tokio", "serde"], &["`serde`, which its row"]);
    check("mesh-node", &["rand"], &["`rand`, which its row"]);
    check("router", &["serde"], &["`serde`, which its row"]);
    check("xtask", &["regex"], &["`regex`, which its row"]);
}

#[test]
fn what_only_tests_name_is_listed_apart() {
    check("driver-http", &["tokio+"], &[]);
    check("request_proxy", &["bytes+"], &[]);
    check("request_proxy", &["bytes"], &["it depends on `bytes`"]);
    check("host", &["tokio+"], &["its tests depend on `tokio`"]);
    check("driver-http", &["redb+"], &["its tests depend on `redb`"]);
}

/// What is stale in the table when this crate has these dependencies, and all others have theirs.
fn stale(name: &str, dependencies: &[&str]) -> Vec<String> {
    let full = |row: &table::Crate| {
        let mut package = member(row.name, &row.foreign.iter().collect::<Vec<_>>());
        let tests: Vec<String> = row.tests.iter().map(|name| format!("{name}+")).collect();
        let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
        package
            .dependencies
            .extend(member(row.name, &tests).dependencies);
        package
    };
    let mut members: Vec<Package> = table::CRATES.iter().map(full).collect();
    if let Some(at) = members.iter().position(|one| one.name == name) {
        members[at] = member(name, dependencies);
    }
    let found = direct::stale(&members.iter().collect::<Vec<_>>());
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_listed_crate_that_no_manifest_names_is_found() {
    assert_eq!(stale("nobody", &[]), Vec::<String>::new());
    let table = "which bins/xtask/src/edges/table.rs lists";
    assert_eq!(
        stale("node", &["thiserror", "tracing", "tokio+"]),
        [format!("node: it does not depend on `tokio`, {table}")]
    );
    assert_eq!(
        stale("request_proxy", &["bytes"]),
        [format!(
            "request_proxy: its tests do not depend on `bytes`, {table}"
        )]
    );
}

#[test]
fn a_row_of_no_crate_is_found() {
    let members: Vec<Package> = table::CRATES[1..]
        .iter()
        .map(|row| member(row.name, &[]))
        .collect();
    let found = direct::stale(&members.iter().collect::<Vec<_>>());
    assert!(
        found[0]
            .to_string()
            .contains("messages: no crate has this name")
    );
}

#[test]
fn a_crate_that_the_table_does_not_know_is_found() {
    check("mesh-toy", &["node"], &["mesh-toy: the crate is not in"]);
}

#[test]
fn a_crate_in_another_folder_is_found() {
    let mut moved = member("kernel", &[]);
    moved.folder = Some("kernel".to_owned());
    let found = direct::check(&[&moved]);
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .to_string()
            .contains("its folder is `runtime/kernel`")
    );
}

/// A subtree that was printed once is only named the second time.
const TREE: &str = "\
0kernel v0.1.0 (path)
1messages v0.1.0 (path)
2serde v1.0.0
3serde_derive v1.0.0 (proc-macro)
1rand_core v0.10.1

0messages v0.1.0 (path) (*)

0router v0.1.0 (path)
1kernel v0.1.0 (path) (*)
1tokio v1.0.0
2mio v1.0.0
";

#[test]
fn a_closure_holds_what_a_repeated_subtree_held() {
    let closures = parse_tree(TREE);
    let names = |name: &str| {
        closures[name]
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("messages"), ["serde", "serde_derive"]);
    assert_eq!(names("kernel"), ["rand_core", "serde", "serde_derive"]);
    assert_eq!(
        names("router"),
        ["mio", "rand_core", "serde", "serde_derive", "tokio"]
    );
}

#[test]
fn names_without_a_place_on_the_list_are_found_and_some_have_none() {
    let allow = "# why\n[kernel]\nserde\nserde_derive\nrand_core\n\n[messages]\nserde\nbytes\n\
                 [router]\nserde\nserde_derive\nrand_core\nmio\ntokio\n";
    let (closures, allow) = (parse_tree(TREE), parse_allow(allow));
    let found = check_closure(&closures, &allow);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "messages: closure-allow.txt does not list serde_derive",
        "router: it must never hold mio, tokio",
    ];
    assert_eq!(found, expected);
    assert_eq!(unused(&closures, &allow), 1, "bytes");
}

#[test]
fn a_written_list_allows_what_was_resolved_but_what_is_forbidden() {
    let closures = parse_tree(TREE);
    let found = check_closure(&closures, &parse_allow(&format_allow(&closures)));
    assert_eq!(found.len(), 1);
    assert!(found[0].to_string().contains("must never hold mio, tokio"));
}

#[test]
fn files_of_pure_crates_are_known_by_their_folder() {
    assert!(is_pure("messages/src/lib.rs"));
    assert!(is_pure("runtime/kernel/src/trace.rs"));
    assert!(is_pure("actors/router/src/lib.rs"));
    assert!(!is_pure("runtime/host/src/lib.rs"));
    assert!(!is_pure("simulation/src/lib.rs"));
    assert!(!is_pure("messages.rs"));
}
