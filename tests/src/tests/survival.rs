//! A stream survives its server: real processes, real signals.

use super::mesh::{chat, scripted, ticket};
use crate::{Folder, Node, stream};
use std::time::Duration;

/// Repetitions of each test.
const REPETITIONS: u64 = 50;
/// Tokens of each answer.
const TOKENS: u32 = 60;
/// Tokens per second: a second and a half of answer.
const RATE: &str = "100";

struct Mesh {
    homes: Vec<Folder>,
    client: Node,
    holders: Vec<Node>,
}

/// A client without a model and two holders.
fn mesh() -> Mesh {
    let homes: Vec<Folder> = (0..3).map(|_| Folder::new()).collect();
    let client = Node::serve(homes[0].path(), &[]);
    let first = scripted(&homes[1], RATE, &["--join", &ticket(&homes[0])]);
    let second = scripted(&homes[2], RATE, &["--join", &ticket(&homes[0])]);
    client.wait_for_peers(2);
    Mesh {
        homes,
        client,
        holders: vec![first, second],
    }
}

impl Mesh {
    fn holder(&self, id: &str) -> usize {
        self.holders
            .iter()
            .position(|holder| holder.id == id)
            .expect("a holder serves")
    }
}

#[test]
fn a_killed_server_leaves_the_text_identical() {
    let mut mesh = mesh();
    let mut longest = Duration::ZERO;
    for repetition in 0..REPETITIONS {
        let body = chat(repetition, TOKENS, true);
        let mut answer = stream(&mesh.client.api, "/v1/chat/completions", &body);
        assert_eq!(answer.status, 200);
        let served_by = answer
            .header("x-mesh-served-by")
            .expect("a name")
            .to_owned();
        let at = mesh.holder(&served_by);
        answer.read_deltas(usize::try_from(repetition).unwrap() % 40);
        mesh.holders[at].kill();
        answer.read_all();
        assert_eq!(
            answer.errors,
            Vec::<String>::new(),
            "repetition {repetition}"
        );
        assert_eq!(
            answer.text,
            kernel::scripted::text(repetition, TOKENS),
            "repetition {repetition}"
        );
        assert!(
            answer.pause <= Duration::from_secs(1),
            "{repetition}: {:?}",
            answer.pause
        );
        longest = longest.max(answer.pause);
        mesh.holders[at] = scripted(&mesh.homes[at + 1], RATE, &[]);
        // Its own sessions are new; the client may still show the old one.
        mesh.holders[at].wait_for_peers(2);
        mesh.client.wait_for_peers(2);
    }
    eprintln!("{REPETITIONS} kills, longest pause {longest:?}");
}

#[test]
fn a_stopped_server_leaves_the_text_identical() {
    let mesh = mesh();
    let mut longest = Duration::ZERO;
    for repetition in 0..REPETITIONS {
        let body = chat(1_000 + repetition, TOKENS, true);
        let mut answer = stream(&mesh.client.api, "/v1/chat/completions", &body);
        assert_eq!(answer.status, 200);
        let served_by = answer
            .header("x-mesh-served-by")
            .expect("a name")
            .to_owned();
        let holder = &mesh.holders[mesh.holder(&served_by)];
        answer.read_deltas(usize::try_from(repetition).unwrap() % 40);
        holder.signal("STOP");
        answer.read_all();
        holder.signal("CONT");
        assert_eq!(
            answer.errors,
            Vec::<String>::new(),
            "repetition {repetition}"
        );
        assert_eq!(
            answer.text,
            kernel::scripted::text(1_000 + repetition, TOKENS),
            "repetition {repetition}"
        );
        assert!(
            answer.pause <= Duration::from_secs(3),
            "{repetition}: {:?}",
            answer.pause
        );
        longest = longest.max(answer.pause);
        mesh.client.wait_for_peers(2);
    }
    eprintln!("{REPETITIONS} stops, longest pause {longest:?}");
}
