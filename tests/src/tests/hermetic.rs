//! No packet to an address that neither the configuration, a ticket nor a member named.
//!
//! The test runs itself again in a network namespace of its own. There the default route leads to
//! one end of a pair of interfaces whose other end is nobody's: a dummy on every kernel. On it
//! everything that would leave the machine is captured: name look-ups, probes, port mappers,
//! relays. At the end a stray packet is planted; it must be the first one.

use super::mesh::{chat, scripted, ticket};
use crate::{Folder, Node, post};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Set in the inner run.
const INSIDE: &str = "MESH_TEST_NAMESPACE";
/// Longer than a capture takes to show a packet.
const WAIT: Duration = Duration::from_secs(30);
/// Documentation addresses: nobody's.
const STRAY: &str = "198.51.100.7:4242";

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the inner run is told apart by a variable"
)]
fn no_packet_leaves_for_an_address_that_nobody_named() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let binary = std::env::current_exe().unwrap();
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    assert!(
        root,
        "a namespace with a capture needs root: run this test with sudo"
    );
    let output = Command::new("unshare")
        .arg("--net")
        .arg(binary)
        .args([
            "tests::hermetic::no_packet_leaves_for_an_address_that_nobody_named",
            "--exact",
        ])
        .arg("--nocapture")
        .env(INSIDE, "1")
        .output()
        .expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

fn inside() {
    let ip = |arguments: &str| {
        let set = Command::new("ip").args(arguments.split(' ')).status();
        assert!(
            set.expect("ip runs (package iproute2)").success(),
            "ip {arguments}"
        );
    };
    ip("link add out0 type veth peer name out1");
    for end in ["out0", "out1"] {
        // The kernel's own neighbour discovery is not the program's.
        let off = format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6");
        std::fs::write(off, "1").expect("a namespace of its own");
    }
    for arguments in [
        "link set lo up",
        "addr add 192.0.2.2/24 dev out0",
        "link set out0 up",
        "link set out1 up",
        "neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out0",
        "route add default via 192.0.2.1 dev out0",
    ] {
        ip(arguments);
    }
    let captured = capture();
    let (home_a, home_b) = (Folder::new(), Folder::new());
    // Every interface, as a user would have it: the outside address is in the ticket too.
    let a = scripted(&home_a, "0", &["--listen", "0.0.0.0:0"]);
    let b = Node::serve(
        home_b.path(),
        &["--listen", "0.0.0.0:0", "--join", &ticket(&home_a)],
    );
    b.wait_for_model("scripted", true);
    let reply = post(&b.api, "/v1/chat/completions", &chat(1, 64, false));
    assert_eq!(reply.status, 200, "{}", reply.text());
    drop(a);
    b.wait_for_model("scripted", false);
    drop(b);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.send_to(b"stray", STRAY).unwrap();
    let first = captured
        .lines
        .recv_timeout(WAIT)
        .expect("the planted packet is seen");
    assert!(
        first.contains("198.51.100.7.4242"),
        "a packet left: {first}"
    );
}

/// A capture that ends with its value: a process left behind would outlive the namespace.
struct Capture {
    tcpdump: Child,
    lines: mpsc::Receiver<String>,
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// What passes the interface from now on, a line each.
fn capture() -> Capture {
    let mut tcpdump = Command::new("tcpdump")
        .args([
            "--interface=out0",
            "-n",
            "-l",
            "--immediate-mode",
            "-Z",
            "root",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tcpdump runs (package tcpdump)");
    let mut stderr = BufReader::new(tcpdump.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "tcpdump ended");
    }
    let stdout = BufReader::new(tcpdump.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Capture { tcpdump, lines }
}
