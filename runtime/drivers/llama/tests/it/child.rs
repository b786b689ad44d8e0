//! The process: what it may do, how it dies, and what becomes of the driver then.

use crate::forge::{Forge, Value};
use crate::world::{Seen, World, config, says};
use kernel::Exit;
use messages::ports::engine::{Command, Drawn, Event};
use messages::{Micros, Refusal};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// The process whose command line holds `mark`.
fn child(mark: &str) -> Option<u32> {
    let me = std::process::id();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        *id != me
            && line
                .split(|byte| *byte == 0)
                .any(|part| part == mark.as_bytes())
    })
}

async fn gone(id: u32) {
    for _ in 0..2_000 {
        if !fs::exists(format!("/proc/{id}")).unwrap() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the process {id} is still there");
}

fn kill(id: u32) {
    let status = std::process::Command::new("kill")
        .args(["-KILL", &id.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Starts the engine as a shell script and returns why it failed.
async fn script(script: &str) -> (String, String) {
    let (home, config) = config("tiny", |config| {
        let mark = config.engine_command.pop().unwrap();
        config.engine_command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        config.engine_command.push(mark);
        config.silence_max = Micros::from_secs(1);
    });
    let mut world = World::start(home, config).await;
    world.tell(Command::Attach);
    let event = world.event().await;
    let Event::Failed { why } = event else {
        panic!("not failed: {event:?}")
    };
    let seen = world.seen().await;
    let Seen::Down(Exit::Failed(exit)) = seen else {
        panic!("not down: {seen:?}")
    };
    world.hive.stop().await;
    (why.to_string(), exit)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_engine_fails_its_jobs_and_comes_back_as_it_was() {
    let (mut world, advert) = World::ready("tiny", |_| {}).await;
    let job = world.job(advert.model, says("hello"));
    let whole = world.answer(&job, 20).await;
    assert!(matches!(world.begin(&job).await, Event::Began { .. }));
    let first = child(&world.mark).unwrap();
    kill(first);
    let event = world.event().await;
    assert!(
        matches!(&event, Event::Failed { why } if why.contains("signal 9")),
        "{event:?}"
    );
    assert!(matches!(world.seen().await, Seen::Down(Exit::Failed(_))));
    assert_eq!(world.attach().await, advert);
    assert_ne!(child(&world.mark), Some(first));
    let lost = world.step(&[job.id]).await.remove(0);
    assert!(matches!(lost, Drawn::Failed(Refusal::EngineFailed(_))));
    assert_eq!(world.answer(&job, 20).await, whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_has_given_up_what_it_does_not_need_and_ends_with_the_hive() {
    let (world, _) = World::ready("tiny", |config| {
        config.environment = vec![("CUDA_VISIBLE_DEVICES".to_owned(), "0".to_owned())];
    })
    .await;
    let id = child(&world.mark).unwrap();
    let read = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}")).unwrap();
    let status = read("status");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("Seccomp:\t2"), "{status}");
    let environment = read("environ");
    let mut variables: Vec<&str> = environment.split_terminator('\0').collect();
    variables.sort_unstable();
    assert_eq!(variables, ["CUDA_VISIBLE_DEVICES=0", "GGML_NO_BACKTRACE=1"]);
    let limits = read("limits");
    let limit = |name: &str| -> Vec<&str> {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).collect()
    };
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    assert_eq!(limit("Max file size"), ["0", "0"]);
    assert_eq!(limit("Max open files"), ["256", "256"]);
    world.hive.stop().await;
    gone(id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_frame_ends_the_process_and_the_drivers_life() {
    let cases = [
        ("printf '\\377\\377\\377\\377' >&0; sleep 60", "too long"),
        (
            "printf '\\002\\000\\000\\000\\011\\011' >&0; sleep 60",
            "malformed",
        ),
        // A Stepped of no jobs, for a step that nobody asked for.
        (
            "printf '\\003\\000\\000\\000\\003\\004\\000' >&0; sleep 60",
            "was not asked",
        ),
        // A Ready of its own making: which models are served is the parent's to say.
        (
            "printf '\\003\\000\\000\\000\\003\\000\\000' >&0; sleep 60",
            "was not asked",
        ),
        ("sleep 60", "no sign for 1.000 s"),
        (
            "echo out of memory >&2; exit 3",
            "exited with 3: out of memory",
        ),
    ];
    for (text, expected) in cases {
        let (why, exit) = script(text).await;
        assert!(why.contains(expected), "'{text}' was answered by '{why}'");
        assert_eq!(why, exit);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_is_answered_for_other_jobs_ends_the_drivers_life() {
    // Reads its models and says that they are loaded, reads a step and answers it for nobody.
    let script = r"read='dd bs=65536 count=1 of=/dev/null'
        $read; printf '\002\000\000\000\001\000' >&0
        $read; printf '\003\000\000\000\003\004\000' >&0; sleep 60";
    let (home, config) = config("tiny", |config| {
        let mark = config.engine_command.pop().unwrap();
        config.engine_command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        config.engine_command.push(mark);
    });
    let mut world = World::start(home, config).await;
    let advert = world.attach().await;
    let job = world.job(advert.model, says("hello"));
    world.tell(Command::Step(vec![job.id]));
    let event = world.event().await;
    assert!(
        matches!(&event, Event::Failed { why } if why.contains("was not asked")),
        "{event:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_cannot_be_started_says_why_and_stays() {
    let (home, config) = config("tiny", |config| config.engine_command.clear());
    let mut world = World::start(home, config).await;
    for _ in 0..2 {
        world.tell(Command::Attach);
        let event = world.event().await;
        assert!(matches!(&event, Event::Failed { why } if why.contains("engine_main")));
    }
    let job = world.job(messages::ModelId([0; 32]), says("hello"));
    assert!(matches!(world.begin(&job).await, Event::Rejected { .. }));
    assert!(matches!(world.step(&[job.id]).await[0], Drawn::Failed(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_llama_cpp_does_not_take_is_reported_by_name() {
    let (home, mut config) = config("tiny", |_| {});
    let mut forge = Forge::tiny(1);
    forge.set("llama.block_count", Value::U32(7));
    fs::write(home.0.join("models/odd.gguf"), forge.bytes()).unwrap();
    config.models = vec![driver_llama::resolve("odd", &home.0).unwrap()];
    let mut world = World::start(home, config).await;
    world.tell(Command::Attach);
    let event = world.event().await;
    let Event::Failed { why } = event else {
        panic!("not failed: {event:?}")
    };
    assert!(
        why.contains("odd.gguf") && why.contains("does not load"),
        "{why}"
    );
}

#[test]
fn the_process_dies_with_the_thread_that_started_it_though_its_pipe_stays_open() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (sender, started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let parent = std::thread::spawn(move || {
        let child = std::process::Command::new(env!("CARGO_BIN_EXE_llama-engine"))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .unwrap();
        sender.send(child).unwrap();
        let _ = released.recv();
    });
    let mut child = started.recv().unwrap();
    // It waits for its first frame, and has asked for the signal before.
    let waits = || {
        let call = fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
        // read or recvfrom of descriptor 3, its copy of the standard input.
        call.starts_with("0 0x3 ") || call.starts_with("45 0x3 ")
    };
    while !waits() {
        std::thread::yield_now();
    }
    drop(release);
    parent.join().unwrap();
    let status = ended(&mut child);
    assert_eq!(status.signal(), Some(9));
    drop(ours);
}

/// The engine's process with this test as its parent, and the other end of its pipe.
fn engine() -> (std::process::Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_llama-engine"))
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    (child, ours)
}

/// Waits for a process that ends by itself.
fn ended(child: &mut std::process::Child) -> std::process::ExitStatus {
    for _ in 0..5_000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    panic!("it does not end by itself");
}

/// What a node tells its engine first, as one wrote it to a script in the engine's place.
async fn load_frame() -> (World, Vec<u8>) {
    let (home, config) = config("tiny", |config| {
        let mark = config.engine_command.pop().unwrap();
        let script = "dd bs=4194304 count=1 of=\"$0\" status=none; sleep 60";
        let file = std::env::temp_dir().join(&mark).join("frame");
        config.engine_command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        config.engine_command.push(file.display().to_string());
        config.engine_command.push(mark);
    });
    let file = home.0.join("frame");
    let world = World::start(home, config).await;
    world.tell(Command::Attach);
    for _ in 0..2_000 {
        let frame = fs::read(&file).unwrap_or_default();
        if let Some((length, body)) = frame.split_first_chunk() {
            assert_eq!(u32::from_le_bytes(*length) as usize, body.len());
            return (world, frame);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no frame was written");
}

#[test]
fn the_process_ends_when_its_pipe_closes_though_its_parent_lives_and_told_it_nothing() {
    let (mut child, pipe) = engine();
    drop(pipe);
    assert!(ended(&mut child).success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_ends_when_its_pipe_closes_though_its_parent_lives_and_its_models_are_loaded() {
    // The model's file is there as long as this world is.
    let (_world, frame) = load_frame().await;
    let (mut child, mut pipe) = engine();
    pipe.write_all(&frame).unwrap();
    // Loaded is the second variant of what a child reports, Refused the third.
    loop {
        let mut length = [0; 4];
        pipe.read_exact(&mut length).unwrap();
        let mut body = vec![0; u32::from_le_bytes(length) as usize];
        pipe.read_exact(&mut body).unwrap();
        assert_ne!(body[0], 2, "{}", String::from_utf8_lossy(&body));
        if body[0] == 1 {
            break;
        }
    }
    assert!(child.try_wait().unwrap().is_none(), "it serves");
    drop(pipe);
    assert_eq!(ended(&mut child).signal(), Some(9), "it kills itself");
}
