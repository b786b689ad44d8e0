//! A stream survives its server: real processes, real signals.

use super::mesh::{chat, scripted, ticket};
use crate::{Folder, Node, stream};
use std::thread;
use std::time::{Duration, Instant};

/// Meshes of their own at a time: their processes mostly wait.
const MESHES: u64 = 5;
/// Repetitions on each of them, 50 in all.
const REPETITIONS: u64 = 10;
/// Tokens of each answer.
const TOKENS: u32 = 160;
/// Tokens per second: more than a second of answer, of which the blow takes the first third at
/// most.
const RATE: &str = "100";
/// An answer takes longer than this: a server that is gone by now has not given all of it.
const LAST_TOKEN: Duration = Duration::from_millis(1_500);
/// The longest pause at the client where the server's machine is gone.
const KILLED_MAX: Duration = Duration::from_secs(1);
/// And where it keeps its connections and says nothing.
const STOPPED_MAX: Duration = Duration::from_secs(3);

/// What takes the server away in the middle of an answer, and what gives it back.
type Blow = fn(&mut Mesh, usize);

struct Mesh {
    homes: Vec<Folder>,
    client: Node,
    holders: Vec<Node>,
}

impl Mesh {
    /// A client without a model and two holders.
    fn start() -> Self {
        let homes: Vec<Folder> = (0..3).map(|_| Folder::new()).collect();
        let client = Node::serve(homes[0].path(), &[]);
        let first = scripted(&homes[1], RATE, &["--join", &ticket(&homes[0])]);
        let second = scripted(&homes[2], RATE, &["--join", &ticket(&homes[0])]);
        client.wait_for_holders(2);
        Self {
            homes,
            client,
            holders: vec![first, second],
        }
    }

    /// One answer that loses its server; gives the longest pause and the time that the server
    /// took to be back.
    #[expect(clippy::disallowed_methods, reason = "the test reports real times")]
    fn answer(&mut self, seed: u64, blow: Blow, mend: Blow) -> (Duration, Duration) {
        let body = chat(seed, TOKENS, true);
        let asked = Instant::now();
        let mut answer = stream(&self.client.api, "/v1/chat/completions", &body);
        assert_eq!(answer.status, 200, "seed {seed}");
        let by = answer.header("x-mesh-served-by").expect("a name");
        let served = self.holders.iter().position(|holder| holder.id == by);
        let served = served.expect("a holder serves");
        answer.read_deltas(usize::try_from(seed).unwrap() % 40);
        blow(self, served);
        assert!(
            asked.elapsed() < LAST_TOKEN,
            "seed {seed}: a blow after the last token"
        );
        answer.read_all();
        let begin = Instant::now();
        mend(self, served);
        self.client.wait_for_holders(2);
        assert_eq!(answer.errors, Vec::<String>::new(), "seed {seed}");
        let expected = kernel::scripted::text(seed, TOKENS);
        assert_eq!(answer.text, expected, "seed {seed}");
        (answer.pause, begin.elapsed())
    }
}

/// All repetitions, on several meshes at once; none may pause for longer than this.
fn check(name: &str, pause_max: Duration, blow: Blow, mend: Blow) {
    let on_one = |mesh: u64| {
        let mut nodes = Mesh::start();
        let (mut longest, mut back) = (Duration::ZERO, Duration::ZERO);
        for seed in mesh * REPETITIONS..(mesh + 1) * REPETITIONS {
            let (pause, mended) = nodes.answer(seed, blow, mend);
            assert!(pause <= pause_max, "seed {seed}: a pause of {pause:?}");
            (longest, back) = (longest.max(pause), back.max(mended));
        }
        (longest, back)
    };
    let results: Vec<(Duration, Duration)> = thread::scope(|scope| {
        let meshes: Vec<_> = (0..MESHES)
            .map(|mesh| scope.spawn(move || on_one(mesh)))
            .collect();
        let joined = meshes.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|result| result.expect("a mesh failed"))
            .collect()
    });
    let longest = results.iter().map(|(pause, _)| *pause).max().unwrap();
    let back = results.iter().map(|(_, back)| *back).max().unwrap();
    let count = MESHES * REPETITIONS;
    eprintln!("{count} {name}: longest pause {longest:?}, server back within {back:?}");
}

#[test]
fn a_killed_server_leaves_the_text_identical() {
    let kill: Blow = |mesh, at| mesh.holders[at].kill();
    let start: Blow = |mesh, at| {
        mesh.holders[at] = scripted(&mesh.homes[at + 1], RATE, &[]);
        // Its own sessions are new; the client may still show the old one.
        mesh.holders[at].wait_for_peers(2);
    };
    check("kills", KILLED_MAX, kill, start);
}

#[test]
fn a_stopped_server_leaves_the_text_identical() {
    let stop: Blow = |mesh, at| mesh.holders[at].signal("STOP");
    let go_on: Blow = |mesh, at| mesh.holders[at].signal("CONT");
    check("stops", STOPPED_MAX, stop, go_on);
}
