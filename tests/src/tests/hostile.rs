//! A member with a real ticket that means no good: it harms nobody but itself.

mod holder;
mod peer;

use super::mesh::{chat, scripted, ticket};
use crate::{Folder, Node, get, post, stream};
use holder::{Misdeed, serve};
use iroh::endpoint::Connection;
use messages::wire::latest::{ControlFrame, Deny, Frame, JobReply, JobRequest, Purpose};
use messages::{
    Digest, Job, JobId, Label, List, ModelAdvert, ModelId, NodeId, Prompt, RequestId, Sampling,
    Text, TraceContext, Wall,
};
use peer::{Peer, read_frame};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than a session keeps a peer that says nothing: 15 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client waits for an error at most, whatever the only holder does: 10 s for one that
/// stands still and 3 s of search, then what a machine with many processes takes.
const ERROR_MAX: Duration = Duration::from_secs(16);
const CHAT: &str = "/v1/chat/completions";

/// Garbage for a control stream: it ends the session, with a reason.
const BAD_FRAMES: [(&str, &[u8]); 5] = [
    ("noise", &[0xff; 4096]),
    ("one byte over the limit", &[1, 0, 1, 0, 5, 0]),
    ("no room for a kind", &[1, 0, 0, 0, 5, 0]),
    ("a Ping without its number", &[2, 0, 0, 0, 5, 0]),
    ("a Ping and more", &[4, 0, 0, 0, 5, 0, 1, 1]),
];
/// Garbage for a job stream: it costs the stream.
const BAD_JOBS: [&[u8]; 4] = [
    &[0xff; 64],
    &[0, 0, 0x80, 0, 1, 0],
    &[3, 0, 0, 0, 1, 0, 0xff],
    &[10, 0, 0, 0, 1, 0, 1],
];

#[test]
fn a_hostile_member_harms_only_itself() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = scripted(&home_a, "50", &[]);
    let b = Node::serve(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_holders(1);
    // It outlasts all that is done below.
    let mut answer = stream(&b.api, CHAT, &chat(5, 900, true));
    assert!(answer.read_deltas(1));
    let honest = std::thread::spawn(move || {
        answer.read_all();
        answer
    });
    let invitation = ticket(&home_a);
    Runtime::new().unwrap().block_on(async {
        let bad_frames = async {
            for case in BAD_FRAMES {
                bad_control(&invitation, case).await;
            }
        };
        let rest = async {
            tokio::join!(
                unknown_kinds_and_bad_jobs(&invitation),
                half_a_frame(&invitation),
                job_before_admission(&invitation),
            )
        };
        let own = async {
            let api = a.api.clone();
            let ask = move || post(&api, CHAT, &chat(6, 20, false));
            let reply = tokio::task::spawn_blocking(ask).await.unwrap();
            assert_eq!(reply.status, 200, "{}", reply.text());
        };
        tokio::join!(bad_frames, rest, own);
    });
    let answer = honest.join().unwrap();
    assert_eq!(answer.errors, Vec::<String>::new());
    assert_eq!(answer.text, kernel::scripted::text(5, 900));
    assert!(answer.pause < Duration::from_secs(1), "{:?}", answer.pause);
    a.wait_for_peers(1);
    check_sound(&a, &home_a);
    check_sound(&b, &home_b);
}

/// Bad bytes on the control stream: the session ends with a reason, then the link.
async fn bad_control(invitation: &str, (what, bytes): (&str, &[u8])) {
    let peer = Peer::new(invitation).await;
    let mut control = peer.join().await;
    control.send.write_all(bytes).await.unwrap();
    let denied = control.hear_until(|frame| {
        let ControlFrame::Deny(why) = frame else {
            return None;
        };
        Some(why)
    });
    let why = timeout(PATIENCE, denied).await.expect(what);
    assert!(
        matches!(&why, Some(Deny::Protocol(why)) if !why.is_empty()),
        "{what}: {why:?}"
    );
    timeout(PATIENCE, control.conn.closed()).await.expect(what);
}

/// Frames of kinds to come are skipped, and a job stream that makes no sense costs itself alone.
async fn unknown_kinds_and_bad_jobs(invitation: &str) {
    let peer = Peer::new(invitation).await;
    let mut control = peer.join().await;
    for number in [1_000_001, 1_000_002] {
        let unknown = [12, 0, 0, 0, 0xee, 0x7f, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        control.send.write_all(&unknown).await.unwrap();
        control.say(&ControlFrame::Ping(number)).await;
        let pong = control
            .hear_until(|frame| (frame == ControlFrame::Pong(number)).then_some(()))
            .await;
        assert_eq!(pong, Some(()), "the session lives");
        for bytes in BAD_JOBS {
            let (mut send, mut recv) = peer.stream(&control.conn, Purpose::Job).await;
            send.write_all(bytes).await.unwrap();
            let _ = send.finish();
            let reply = timeout(PATIENCE, recv.read_to_end(1)).await.unwrap();
            assert!(reply.is_err(), "{bytes:?}: {reply:?}");
        }
        let foreign = job(NodeId([3; 32]));
        let (mut send, mut recv) = peer.stream(&control.conn, Purpose::Job).await;
        send.write_all(&foreign).await.unwrap();
        check_unserved(read_frame(&mut recv).await);
    }
}

/// The session is over when it has not been fresh for 15 s; QUIC itself keeps the link alive.
async fn half_a_frame(invitation: &str) {
    let peer = Peer::new(invitation).await;
    let mut control = peer.join().await;
    control.send.write_all(&[9, 0, 0]).await.unwrap();
    let closed = timeout(PATIENCE, control.conn.closed()).await;
    assert!(closed.is_ok(), "half a frame is kept for ever");
}

/// A job of a peer that has said Hello alone.
async fn job_before_admission(invitation: &str) {
    let peer = Peer::new(invitation).await;
    let control = peer.greet().await;
    let (mut send, mut recv) = peer.stream(&control.conn, Purpose::Job).await;
    // It may be reset before all is written.
    let _ = send.write_all(&job(peer.id())).await;
    check_unserved(read_frame(&mut recv).await);
    let closed = timeout(PATIENCE, control.conn.closed()).await;
    assert!(closed.is_ok(), "a stranger is kept for ever");
}

fn check_unserved(reply: Option<JobReply>) {
    let served = !matches!(reply, None | Some(JobReply::Refused(_)));
    assert!(!served, "{reply:?}");
}

#[test]
fn a_lying_holder_costs_no_answer() {
    let (home_a, home_b) = (Folder::new(), Folder::new());
    let a = Node::serve(home_a.path(), &[]);
    let _b = scripted(&home_b, "50", &["--join", &ticket(&home_a)]);
    a.wait_for_holders(1);
    // The honest holder is busy: whoever says that it is idle is asked first.
    let mut long = stream(&a.api, CHAT, &chat(1, 10_000, true));
    assert!(long.read_deltas(1));
    let runtime = Runtime::new().unwrap();
    for misdeed in Misdeed::ALL {
        let adverts = vec![kernel::scripted::advert(), bait(misdeed)];
        let asked = liar(&runtime, &ticket(&home_a), misdeed, adverts);
        // The router has it from the same record.
        a.wait_for_model(&bait(misdeed).name, true);
        let reply = post(&a.api, CHAT, &chat(9, 20, false));
        assert_eq!(reply.status, 200, "{misdeed:?}: {}", reply.text());
        let text = &reply.json()["choices"][0]["message"]["content"];
        assert_eq!(*text, kernel::scripted::text(9, 20), "{misdeed:?}");
        assert!(asked.count() > 0, "{misdeed:?}: it was not asked");
        drop(asked);
        a.wait_for_model(&bait(misdeed).name, false);
    }
    assert!(
        long.read_deltas(long.deltas + 10),
        "the long answer goes on"
    );
    assert!(kernel::scripted::text(1, 10_000).starts_with(&long.text));
    check_sound(&a, &home_a);
}

#[test]
fn a_lying_only_holder_is_a_clear_error() {
    let home = Folder::new();
    let a = Node::serve(home.path(), &[]);
    let runtime = Runtime::new().unwrap();
    let invitation = ticket(&home);
    let liars = Misdeed::ALL.map(|misdeed| {
        let adverts = vec![bait(misdeed)];
        (misdeed, liar(&runtime, &invitation, misdeed, adverts))
    });
    for (misdeed, _) in &liars {
        a.wait_for_model(&bait(*misdeed).name, true);
    }
    std::thread::scope(|scope| {
        for (misdeed, liar) in &liars {
            let api = &a.api;
            scope.spawn(move || check_error(api, *misdeed, liar));
        }
    });
    check_sound(&a, &home);
}

/// A model that nobody serves in another way.
fn bait(misdeed: Misdeed) -> ModelAdvert {
    ModelAdvert {
        model: ModelId([misdeed as u8; 32]),
        name: Label::truncated(&format!("{misdeed:?}")),
        ..kernel::scripted::advert()
    }
}

#[expect(clippy::disallowed_methods, reason = "the limit is in real time")]
fn check_error(api: &str, misdeed: Misdeed, liar: &Liar) {
    let body = chat(9, 20, false).replace("scripted", &bait(misdeed).name);
    let begin = Instant::now();
    let reply = post(api, CHAT, &body);
    let took = begin.elapsed();
    assert!(reply.status >= 500, "{misdeed:?}: {}", reply.text());
    let error = &reply.json()["error"]["message"];
    assert!(
        error.as_str().is_some_and(|why| !why.is_empty()),
        "{misdeed:?}"
    );
    assert!(liar.count() > 0, "{misdeed:?}: it was not asked");
    assert!(took < ERROR_MAX, "{misdeed:?}: {took:?}");
}

/// A lying holder that runs; dropping it closes its link.
struct Liar {
    asked: Arc<AtomicU32>,
    conn: Connection,
    task: JoinSet<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.conn.close(0_u32.into(), b"over");
        // Its endpoint has to live until the close is sent; it ends with the link.
        self.task.detach_all();
    }
}

impl Liar {
    fn count(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

fn liar(runtime: &Runtime, invitation: &str, misdeed: Misdeed, adverts: Vec<ModelAdvert>) -> Liar {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let mut task = JoinSet::new();
    let conn = runtime.block_on(async {
        let peer = Peer::new(invitation).await;
        let mut control = peer.join().await;
        peer.advertise(&mut control, adverts).await;
        let conn = control.conn.clone();
        task.spawn(async move {
            serve(control, misdeed, count).await;
            peer.close().await;
        });
        conn
    });
    Liar { asked, conn, task }
}

/// The node is well, and nothing in it panicked or was called an error.
fn check_sound(node: &Node, home: &Folder) {
    assert_eq!(get(&node.api, "/readyz").status, 200);
    let log = fs::read_to_string(home.path().join("test.log")).unwrap();
    for word in ["panicked", "ERROR"] {
        assert!(!log.contains(word), "{log}");
    }
}

/// A whole request for a job.
fn job(origin: NodeId) -> Vec<u8> {
    let job = Job {
        id: JobId {
            origin,
            request: RequestId { boot: 1, n: 1 },
            attempt: 1,
        },
        trace: TraceContext::begin([1, 2], 3),
        model: kernel::scripted::model(),
        prompt: Prompt::Raw(Text::from("once upon a time".to_owned())),
        template_time: Wall(0),
        sampling: Sampling {
            temperature_e6: 0,
            top_p_e6: 1_000_000,
            seed: 1,
        },
        max_tokens: Some(10),
        resume: List::new(),
        expect: None,
        tenant: Digest::default(),
    };
    JobRequest::Open(Box::new(job)).encode().unwrap()
}
