//! No packet to an address that neither the configuration, a ticket nor a member named.
//!
//! The test runs itself again in a network namespace of its own. There the default route leads to
//! one end of a pair of interfaces whose other end is nobody's: a dummy on every kernel. On it
//! everything that would leave the machine is captured: name look-ups, probes, port mappers,
//! relays. At the end a stray packet of each family is planted; they must be the first ones.

use super::mesh::{chat, ticket};
use crate::{Folder, Node, post};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Set in the inner run.
const INSIDE: &str = "MESH_TEST_NAMESPACE";
/// Longer than a capture takes to show a packet.
const WAIT: Duration = Duration::from_secs(30);
/// Documentation addresses: this machine's on the captured interface, and nobody's.
const OURS: [&str; 2] = ["192.0.2.2", "2001:db8::2"];
const STRAYS: [&str; 2] = ["198.51.100.7:4242", "[2001:db8:7::7]:4242"];

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
    super::needs_root("a namespace with a capture");
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
    build_network();
    let captured = capture();
    let (home_a, home_b, home_c) = (Folder::new(), Folder::new(), Folder::new());
    // Every interface, as a user would have it: the outside addresses are in the ticket too.
    let a = holder(&home_a);
    let port = listens_on_both(&a);
    let b = Node::serve_everywhere(home_b.path(), &["--join", &ticket(&home_a)]);
    b.wait_for_model("scripted", true);
    let reply = post(&b.api, "/v1/chat/completions", &chat(1, 64, false));
    assert_eq!(reply.status, 200, "{}", reply.text());
    // Whoever has IPv6 alone is in the mesh as well.
    let join = ["--listen", "[::]:0", "--join", &ticket(&home_a)];
    let c = Node::serve(home_c.path(), &join);
    c.wait_for_model("scripted", true);
    assert_eq!(joined_groups(), Vec::<String>::new());
    drop(a);
    b.wait_for_model("scripted", false);
    drop((b, c));
    keeps_its_port_where_ipv6_is_taken(&home_a, port);
    let socket = UdpSocket::bind("[::]:0").unwrap();
    let other = UdpSocket::bind("0.0.0.0:0").unwrap();
    other.send_to(b"stray", STRAYS[0]).unwrap();
    socket.send_to(b"stray", STRAYS[1]).unwrap();
    for expected in ["198.51.100.7.4242", "2001:db8:7::7.4242"] {
        let next = captured.lines.recv_timeout(WAIT);
        let next = next.expect("the planted packet is seen");
        assert!(next.contains(expected), "a packet left: {next}");
    }
}

/// A node as its user starts it.
fn holder(home: &Folder) -> Node {
    let model = ["--engine", "scripted", "--model", "scripted"];
    Node::serve_everywhere(home.path(), &model)
}

/// Where a node says that it listens.
fn addrs(node: &Node) -> Vec<SocketAddr> {
    let status = node.status();
    let addrs = status["networks"][0]["addrs"].as_array().cloned();
    let addrs = addrs.unwrap_or_default().into_iter();
    addrs
        .map(|addr| addr.as_str().unwrap().parse().unwrap())
        .collect()
}

/// It says one address of each family, with one port, which is given.
fn listens_on_both(node: &Node) -> u16 {
    let addrs = addrs(node);
    let port = addrs.first().expect("an address").port();
    let expected = OURS.map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    assert_eq!(addrs, expected);
    port
}

/// Somebody else has the port over IPv6: the addresses in tickets stay true over IPv4.
fn keeps_its_port_where_ipv6_is_taken(home: &Folder, port: u16) {
    let taken = UdpSocket::bind(("::1", port)).expect("the node is gone");
    let node = holder(home);
    let expected = SocketAddr::new(OURS[0].parse().unwrap(), port);
    assert_eq!(addrs(&node), [expected]);
    let log = std::fs::read_to_string(home.path().join("test.log")).unwrap();
    assert!(log.contains("IPv4 alone"), "{log}");
    drop(node);
    drop(taken);
    assert_eq!(listens_on_both(&holder(home)), port);
}

/// A way out that leads nowhere, over both families, and a kernel that says nothing by itself.
fn build_network() {
    let ip = |arguments: &str| {
        let set = Command::new("ip").args(arguments.split(' ')).status();
        assert!(
            set.expect("ip runs (package iproute2)").success(),
            "ip {arguments}"
        );
    };
    ip("link add out0 type veth peer name out1");
    for (end, setting, value) in [
        // The kernel's own neighbour discovery is not the program's.
        ("out1", "disable_ipv6", "1"),
        ("out0", "disable_ipv6", "0"),
        ("lo", "disable_ipv6", "0"),
        ("out0", "addr_gen_mode", "1"),
        ("out0", "accept_ra", "0"),
        ("out0", "accept_dad", "0"),
        ("out0", "router_solicitations", "0"),
    ] {
        let path = format!("/proc/sys/net/ipv6/conf/{end}/{setting}");
        std::fs::write(path, value).expect("a namespace of its own");
    }
    for arguments in [
        "link set lo up",
        "addr add 192.0.2.2/24 dev out0",
        "-6 addr add 2001:db8::2/64 dev out0 nodad",
        "link set out0 up",
        "link set out1 up",
        "neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev out0",
        "-6 neigh add 2001:db8::1 lladdr 02:00:00:00:00:01 dev out0",
        "route add default via 192.0.2.1 dev out0",
        "-6 route add default via 2001:db8::1 dev out0",
    ] {
        ip(arguments);
    }
}

/// The groups that a program made this machine listen to: those that are not the kernel's own,
/// which are all nodes, and each address's neighbours.
fn joined_groups() -> Vec<String> {
    let read = |path| std::fs::read_to_string(path).expect("a list of groups");
    let ipv6 = read("/proc/net/igmp6");
    let ipv6 = ipv6
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2));
    let ipv6 = ipv6.filter(|group| {
        let kernels = [
            "ff010000000000000000000000000001",
            "ff020000000000000000000000000001",
        ];
        !kernels.contains(group) && !group.starts_with("ff0200000000000000000001ff")
    });
    let ipv4 = read("/proc/net/igmp");
    // A group's line is indented; the others are those of interfaces.
    let ipv4 = ipv4.lines().filter(|line| line.starts_with('\t'));
    let ipv4 = ipv4.filter_map(|line| line.split_whitespace().next());
    let joined = ipv6.chain(ipv4.filter(|group| *group != "010000E0"));
    joined.map(ToOwned::to_owned).collect()
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
            // The kernel reports its own groups by itself, with an option before all else; groups
            // that a program joins are looked for in the kernel's list.
            "not (ip6 and ip6[6] = 0)",
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
