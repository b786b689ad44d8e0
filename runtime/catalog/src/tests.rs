//! What counts, for whom, and what becomes of an edit.

use super::*;
use messages::gossip_store::{Fact, PromptPolicy, Settings, Trusted};
use messages::{
    Label, List, NetworkId, NodeId, Record, RecordClass, SharedPrompt, Signature, Stamp, ToolMode,
    ToolPermission,
};

const ME: NodeId = NodeId([1; 32]);
const ANN: NodeId = NodeId([2; 32]);
const BOB: NodeId = NodeId([3; 32]);

fn shared() -> Shared {
    Shared {
        me: ME,
        network: NetworkId([9; 32]),
        settings: Settings {
            auto_gossip: true,
            trusted: Trusted::All,
            prompts: PromptPolicy::Newest,
        },
        records: Vec::new(),
        left_out: 0,
    }
}

/// What a member says, as its node would stamp it.
fn says(shared: &mut Shared, author: NodeId, stamp: u64, fact: Fact) {
    let stamp = stamp.max(fact.after.0 + u64::from(fact.after > Stamp(0)));
    let is_it = |signed: &SignedRecord| {
        let record = &signed.record;
        (record.author, record.kind, &record.id) == (author, fact.kind, &fact.id)
    };
    shared.records.retain(|signed| !is_it(signed));
    let record = Record {
        network: shared.network,
        class: fact.class,
        kind: fact.kind,
        author,
        id: fact.id,
        stamp: Stamp(stamp),
        value: fact.value,
    };
    let signature = Signature::from_bytes(&[0; 64]);
    shared.records.push(SignedRecord { record, signature });
}

/// The same records, as another node sees them.
fn seen_by(shared: &Shared, me: NodeId) -> Shared {
    Shared {
        me,
        ..shared.clone()
    }
}

fn named(system: &str) -> PromptEdit {
    PromptEdit {
        name: Some("a name".to_owned()),
        system: Some(system.to_owned()),
        user: None,
    }
}

fn system_of(shared: &Shared, id: &str) -> Option<String> {
    prompt(shared, id).map(|row| row.prompt.system.to_string())
}

fn sets(shared: &mut Shared, author: NodeId, tool: &str, mode: ToolMode, commands: &[&str]) {
    let edit = PermissionEdit {
        mode: Some(mode),
        always_accept: Some(commands.iter().map(|text| (*text).to_owned()).collect()),
    };
    let fact = edit_permission(&seen_by(shared, author), tool, &edit).unwrap();
    says(shared, author, 10, fact);
}

fn unsets(shared: &mut Shared, author: NodeId, tool: &str) {
    let fact = unset_permission(&seen_by(shared, author), tool).unwrap();
    says(shared, author, 20, fact.expect("a setting"));
}

#[test]
fn the_newest_of_those_who_are_trusted_counts() {
    let mut shared = shared();
    let first = edit_prompt(&seen_by(&shared, ANN), "p", &named("by ann"), true).unwrap();
    says(&mut shared, ANN, 100, first);
    // Whoever edits it counts, however late the clock of the first is.
    let second = edit_prompt(&seen_by(&shared, BOB), "p", &named("by bob"), false).unwrap();
    says(&mut shared, BOB, 50, second);
    assert_eq!(system_of(&shared, "p").as_deref(), Some("by bob"));
    assert_eq!(prompts(&shared).len(), 1);
    shared.settings.trusted = Trusted::Only(List::truncated([ANN]));
    assert_eq!(system_of(&shared, "p").as_deref(), Some("by ann"));
    shared.settings.trusted = Trusted::Only(List::new());
    assert_eq!(system_of(&shared, "p"), None);
}

#[test]
fn a_node_may_keep_its_own() {
    let mut shared = shared();
    let own = edit_prompt(&shared, "p", &named("mine"), true).unwrap();
    says(&mut shared, ME, 100, own);
    let theirs = edit_prompt(&seen_by(&shared, ANN), "p", &named("theirs"), false).unwrap();
    says(&mut shared, ANN, 200, theirs);
    assert_eq!(system_of(&shared, "p").as_deref(), Some("theirs"));
    shared.settings.prompts = PromptPolicy::Own;
    assert_eq!(system_of(&shared, "p").as_deref(), Some("mine"));
    // Of what it has none itself, the newest counts.
    let other = edit_prompt(&seen_by(&shared, ANN), "q", &named("another"), true).unwrap();
    says(&mut shared, ANN, 200, other);
    assert_eq!(system_of(&shared, "q").as_deref(), Some("another"));
}

#[test]
fn who_deleted_its_own_has_none_that_it_keeps() {
    let mut shared = shared();
    let mut own = edit_prompt(&shared, "p", &named("mine"), true).unwrap();
    own.value = None;
    says(&mut shared, ME, 100, own);
    let theirs = edit_prompt(&seen_by(&shared, ANN), "p", &named("theirs"), true).unwrap();
    says(&mut shared, ANN, 200, theirs);
    shared.settings.prompts = PromptPolicy::Own;
    assert_eq!(system_of(&shared, "p").as_deref(), Some("theirs"));
}

#[test]
fn equal_stamps_count_the_same_for_everybody() {
    let mut shared = shared();
    for author in [ANN, BOB] {
        let fact = edit_prompt(&self::shared(), "p", &named(&author.to_string()), true).unwrap();
        says(&mut shared, author, 100, fact);
    }
    let one = system_of(&shared, "p");
    shared.records.reverse();
    assert_eq!(system_of(&shared, "p"), one);
    assert_eq!(system_of(&seen_by(&shared, ANN), "p"), one);
}

#[test]
fn what_is_edited_keeps_the_rest() {
    let mut shared = shared();
    let fact = edit_prompt(&shared, "p", &named("first"), true).unwrap();
    says(&mut shared, ANN, 100, fact);
    let edit = PromptEdit {
        user: Some("begin".to_owned()),
        ..PromptEdit::default()
    };
    let fact = edit_prompt(&shared, "p", &edit, false).unwrap();
    assert_eq!(fact.class, RecordClass::Gated);
    says(&mut shared, ME, 0, fact);
    let row = prompt(&shared, "p").unwrap();
    assert_eq!((row.author, row.stamp), (ME, Stamp(101)));
    assert_eq!(
        (&*row.prompt.name, &*row.prompt.system),
        ("a name", "first")
    );
    assert_eq!(&*row.prompt.user, "begin");
}

#[test]
fn what_is_removed_stays_so_also_where_others_wrote_it() {
    let mut shared = shared();
    let own = edit_prompt(&shared, "mine", &named("x"), true).unwrap();
    says(&mut shared, ME, 100, own);
    let fact = remove_prompt(&shared, "mine").unwrap();
    assert!(
        fact.value.is_some(),
        "a deletion is forgotten after a month"
    );
    says(&mut shared, ME, 101, fact);
    assert_eq!(prompts(&shared), []);
    let theirs = edit_prompt(&seen_by(&shared, ANN), "theirs", &named("x"), true).unwrap();
    says(&mut shared, ANN, 500, theirs);
    let fact = remove_prompt(&shared, "theirs").unwrap();
    assert!(
        fact.value.is_some(),
        "a deletion is forgotten after a month"
    );
    says(&mut shared, ME, 0, fact);
    assert_eq!(prompts(&shared), []);
    assert_eq!(prompts(&seen_by(&shared, ANN)), []);
    let again = remove_prompt(&shared, "theirs");
    assert_eq!(again, Err(EditError::NoSuchPrompt("theirs".to_owned())));
    // What is added anew is there again.
    let anew = edit_prompt(&shared, "theirs", &named("anew"), true).unwrap();
    says(&mut shared, ME, 0, anew);
    assert_eq!(system_of(&shared, "theirs").as_deref(), Some("anew"));
}

#[test]
fn what_cannot_be_said_is_refused_with_a_sentence() {
    let mut shared = shared();
    let absent = edit_prompt(&shared, "p", &named("x"), false);
    assert_eq!(absent, Err(EditError::NoSuchPrompt("p".to_owned())));
    let fact = edit_prompt(&shared, "p", &named("x"), true).unwrap();
    says(&mut shared, ME, 1, fact);
    let again = edit_prompt(&shared, "p", &named("x"), true);
    assert_eq!(again, Err(EditError::Exists("p".to_owned())));
    let long = edit_prompt(&shared, "p", &named(&"x".repeat(3_073)), false);
    assert_eq!(long, Err(EditError::TooLong("the system prompt", 3_072)));
    let both = PromptEdit {
        system: Some("x".repeat(3_000)),
        user: Some("x".repeat(3_000)),
        name: None,
    };
    assert!(matches!(
        edit_prompt(&shared, "p", &both, false),
        Err(EditError::Record(_))
    ));
    let nameless = PromptEdit {
        name: Some(String::new()),
        ..PromptEdit::default()
    };
    let nameless = edit_prompt(&shared, "p", &nameless, false);
    assert_eq!(nameless, Err(EditError::Empty("the name")));
    let many = PermissionEdit {
        mode: None,
        always_accept: Some(vec!["ls".to_owned(); 33]),
    };
    assert_eq!(
        edit_permission(&shared, "shell", &many),
        Err(EditError::TooMany(32))
    );
}

#[test]
fn the_gate_is_the_strictest_of_all_that_count() {
    let mut shared = shared();
    // Nobody says anything: a human is asked.
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Ask);
    sets(&mut shared, ME, "shell", ToolMode::Ask, &["ls", "pwd"]);
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Run);
    assert_eq!(
        decide(&shared, "shell", "ls -l"),
        Decision::Ask,
        "to the letter"
    );
    assert_eq!(decide(&shared, "write_file", "ls"), Decision::Ask);
    sets(&mut shared, ANN, "shell", ToolMode::Ask, &["pwd"]);
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Ask);
    assert_eq!(decide(&shared, "shell", "pwd"), Decision::Run);
    sets(&mut shared, BOB, "shell", ToolMode::Denied, &[]);
    assert_eq!(decide(&shared, "shell", "pwd"), Decision::Refuse);
    let effective = permission(&shared, "shell");
    assert_eq!(effective.mode, ToolMode::Denied);
    assert_eq!(effective.tightened_by, [ANN, BOB]);
    assert_eq!(effective.always_accept, Vec::<String>::new());
}

#[test]
fn others_never_loosen_and_what_they_withdraw_gives_back_the_own_setting() {
    let mut shared = shared();
    sets(&mut shared, ANN, "shell", ToolMode::AcceptAll, &[]);
    assert_eq!(
        decide(&shared, "shell", "ls"),
        Decision::Ask,
        "nobody here said so"
    );
    assert_eq!(permission(&shared, "shell").mode, ToolMode::Ask);
    sets(&mut shared, ME, "shell", ToolMode::AcceptAll, &[]);
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Run);
    sets(&mut shared, BOB, "shell", ToolMode::Denied, &[]);
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Refuse);
    unsets(&mut shared, BOB, "shell");
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Run);
    unsets(&mut shared, ME, "shell");
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Ask);
    assert_eq!(permission(&shared, "shell").own, None);
    assert_eq!(permissions(&shared).len(), 1, "what Ann says is shown");
    assert_eq!(unset_permission(&shared, "shell"), Ok(None));
}

#[test]
fn equal_settings_and_equal_trust_are_equal_answers() {
    let mut shared = shared();
    for (author, commands) in [(ME, ["a", "b"]), (ANN, ["b", "c"]), (BOB, ["b", "d"])] {
        sets(&mut shared, author, "shell", ToolMode::Ask, &commands);
    }
    for me in [ME, ANN, BOB] {
        let seen = seen_by(&shared, me);
        assert_eq!(permission(&seen, "shell").always_accept, ["b"]);
        for command in ["a", "b", "c", "d", "e"] {
            let decision = decide(&seen, "shell", command);
            assert_eq!(decision, decide(&shared, "shell", command));
            // The list says the same as the gate.
            assert_eq!(decision == Decision::Run, command == "b");
        }
    }
}

#[test]
fn whoever_is_not_trusted_tightens_nothing() {
    let mut shared = shared();
    sets(&mut shared, ME, "shell", ToolMode::AcceptAll, &[]);
    sets(&mut shared, BOB, "shell", ToolMode::Denied, &[]);
    shared.settings.trusted = Trusted::Only(List::truncated([ANN]));
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Run);
    assert_eq!(permission(&shared, "shell").tightened_by, []);
}

#[test]
fn values_that_cannot_be_read_ask() {
    let mut shared = shared();
    sets(&mut shared, ME, "shell", ToolMode::AcceptAll, &[]);
    let mut fact = unset_permission(&shared, "shell")
        .unwrap()
        .expect("a setting");
    fact.value = Some(b"\xff\xff".to_vec().into());
    says(&mut shared, ANN, 1, fact.clone());
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Ask);
    // Nor is a prompt of them one.
    fact.kind = Kind::PROMPT;
    fact.id = Label::truncated("p");
    says(&mut shared, ANN, 1, fact);
    assert_eq!(prompts(&shared), []);
    assert!(SharedPrompt::decode(b"\xff").is_err() && ToolPermission::decode(b"\xff").is_err());
}

#[test]
fn where_settings_were_left_out_a_human_is_asked() {
    let mut shared = shared();
    sets(&mut shared, ME, "shell", ToolMode::AcceptAll, &[]);
    sets(&mut shared, ME, "write_file", ToolMode::Ask, &["notes"]);
    sets(&mut shared, ME, "other", ToolMode::Denied, &[]);
    shared.left_out = 1;
    assert_eq!(decide(&shared, "shell", "ls"), Decision::Ask);
    assert_eq!(permission(&shared, "shell").mode, ToolMode::Ask);
    assert_eq!(decide(&shared, "write_file", "notes"), Decision::Ask);
    assert_eq!(
        permission(&shared, "write_file").always_accept,
        Vec::<String>::new()
    );
    assert_eq!(decide(&shared, "other", "x"), Decision::Refuse);
}

#[test]
fn an_edit_says_what_it_was_made_from() {
    let mut shared = shared();
    let fact = edit_prompt(&shared, "p", &named("x"), true).unwrap();
    assert_eq!((fact.expects, fact.after), (Some(Stamp(0)), Stamp(0)));
    says(&mut shared, ME, 70, fact);
    // One's own is not what it must be newer than: the same again is no change.
    let fact = edit_prompt(&shared, "p", &named("x"), false).unwrap();
    assert_eq!((fact.expects, fact.after), (Some(Stamp(70)), Stamp(0)));
    sets(&mut shared, ANN, "shell", ToolMode::Denied, &[]);
    let edit = PermissionEdit {
        mode: Some(ToolMode::Ask),
        always_accept: None,
    };
    let fact = edit_permission(&shared, "shell", &edit).unwrap();
    assert_eq!((fact.expects, fact.after), (Some(Stamp(0)), Stamp(0)));
}
