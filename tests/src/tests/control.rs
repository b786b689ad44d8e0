//! What another program writes to the control socket of a running node.

use super::mesh::scripted;
use crate::{Folder, Node, run};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Longer than a node waits for a request that does not come.
const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// What the node says to these bytes; nothing where it closes the connection.
fn said(home: &Folder, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(home.path().join("control.sock")).expect("it listens");
    stream.set_read_timeout(Some(ANSWER_WAIT)).expect("a limit");
    // A node that has heard enough may close it before all is written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let closed = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    assert!(read.as_ref().err().is_none_or(closed), "{read:?}");
    String::from_utf8_lossy(&answer).into_owned()
}

/// A frame of this body.
fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short");
    [&length.to_le_bytes(), body].concat()
}

fn answers(home: &Folder, node: &Node) {
    let output = run(home.path(), &["status"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains(&node.id), "{text}");
}

#[test]
fn nonsense_on_the_control_socket_is_told_so_and_harms_nobody() {
    let home = Folder::new();
    let node = scripted(&home, "0", &[]);
    let (own, other) = (4, 9);
    let oversize = (1_u32 << 16) + 1;
    for (bytes, part) in [
        (frame(&[own, 200]), "malformed"),
        (frame(&[own, 0, 0]), "malformed"),
        (frame(&[]), "malformed"),
        (frame(&[255; 100]), "malformed"),
        (frame(&[other, 0]), "the command version 9"),
        (
            oversize.to_le_bytes().to_vec(),
            "of 65537 bytes is too long",
        ),
        ([255; 4096].to_vec(), "of 4294967295 bytes is too long"),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "too long"),
        // What ends before it is whole is no question.
        (Vec::new(), ""),
        (vec![1, 0], ""),
        (frame(&[own; 100])[..50].to_vec(), ""),
    ] {
        let answer = said(&home, &bytes);
        match part {
            "" => assert_eq!(answer, "", "{bytes:?}"),
            part => assert!(answer.contains(part), "{bytes:?}: {answer:?}"),
        }
        answers(&home, &node);
    }
}

#[test]
fn who_connects_to_the_control_socket_and_says_nothing_keeps_nobody_out() {
    let home = Folder::new();
    let node = scripted(&home, "0", &[]);
    let path = home.path().join("control.sock");
    // More than are heard at once.
    let silent: Vec<UnixStream> = (0..40)
        .map(|_| UnixStream::connect(&path).expect("it listens"))
        .collect();
    answers(&home, &node);
    drop(silent);
}
