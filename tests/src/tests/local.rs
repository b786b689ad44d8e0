//! What can be reached only from this machine, and there only by the node's own user.

use super::mesh::scripted;
use super::needs_root;
use crate::{Folder, Node, command, finish, run, within};
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::Output;

/// Where a process's network namespace has listeners over TCP and IPv4, and how many over IPv6.
fn listeners(pid: u32) -> (Vec<SocketAddrV4>, usize) {
    let rows = |table: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        let rows = text.lines().skip(1).map(|row| {
            let mut words = row.split_whitespace().map(ToOwned::to_owned);
            (words.nth(1).unwrap(), words.nth(1).unwrap())
        });
        // The kernel's number for a socket that listens.
        rows.filter(|(_, state)| state == "0A")
            .map(|(local, _)| local)
            .collect::<Vec<_>>()
    };
    let address = |local: &String| {
        let (ip, port) = local.split_once(':').unwrap();
        let ip = u32::from_str_radix(ip, 16).unwrap().to_ne_bytes();
        SocketAddrV4::new(Ipv4Addr::from(ip), u16::from_str_radix(port, 16).unwrap())
    };
    let mut found: Vec<SocketAddrV4> = rows("tcp").iter().map(address).collect();
    found.sort();
    (found, rows("tcp6").len())
}

#[test]
fn without_flags_a_node_listens_on_its_two_ports_on_loopback_alone() {
    needs_root("a network namespace");
    let home = Folder::new();
    let namespace = ["unshare", "--net", "sh", "-c"];
    let script = "ip link set lo up && exec \"$0\" \"$@\"";
    let serve = command(home.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut serve = within(&[&namespace[..], &[script]].concat(), &serve);
    let node = Node::start(home.path(), &mut serve);
    let expected = ["127.0.0.1:3131", "127.0.0.1:9337"];
    assert_eq!([&*node.console, &*node.api], expected);
    let expected = expected.map(|address| address.parse().unwrap());
    assert_eq!(listeners(node.pid()), (expected.to_vec(), 0));
}

/// What a command says to a process of this user that no file mode keeps out.
fn as_user(home: &Folder, uid: &str, arguments: &[&str]) -> Output {
    let user = ["setpriv", "--reuid", uid, "--clear-groups"];
    let above_modes = [
        "--inh-caps",
        "+dac_override",
        "--ambient-caps",
        "+dac_override",
    ];
    let surroundings = [&user[..], &above_modes].concat();
    finish(&mut within(&surroundings, &command(home.path(), arguments)))
}

#[test]
fn another_user_is_refused_at_the_control_socket() {
    needs_root("a process of another user");
    let home = Folder::new();
    let node = scripted(&home, "0", &[]);
    let socket = fs::metadata(home.path().join("control.sock")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    // The same process of the node's own user is heard.
    let own = as_user(&home, "0", &["identity", "show"]);
    assert_eq!(own.stdout, format!("{}\n", node.id).into_bytes(), "{own:?}");
    for arguments in [
        &["ticket", "new", "--name", "stolen"][..],
        &["status"],
        &["stop"],
    ] {
        let refused = as_user(&home, "65534", arguments);
        let line = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success(), "{arguments:?}");
        assert!(refused.stdout.is_empty(), "{arguments:?}");
        assert_eq!(line.trim_end().lines().count(), 1, "{line}");
        assert!(line.contains("another user"), "{line}");
    }
    let listed = run(home.path(), &["ticket", "list"]);
    assert!(listed.status.success() && listed.stdout.is_empty());
}

#[test]
fn a_home_with_a_long_path_has_its_socket_in_the_runtime_folder() {
    let folder = Folder::new();
    let home = folder.path().join("h".repeat(70)).join("h".repeat(70));
    fs::create_dir_all(&home).unwrap();
    let runtime = folder.path().join("run");
    let flags = ["--api", "127.0.0.1:0", "--console", "127.0.0.1:0"];
    let listen = ["serve", "--listen", "127.0.0.1:0"];
    let mut serve = command(&home, &[&listen[..], &flags].concat());
    let mut node = Node::start(&home, serve.env("XDG_RUNTIME_DIR", &runtime));
    let pointer = home.join("control.path");
    let socket = fs::read_to_string(&pointer).expect("the socket's path in the home");
    assert!(Path::new(&socket).starts_with(&runtime), "{socket}");
    let metadata = fs::metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert!(!home.join("control.sock").exists());
    // Commands know the home alone.
    let shown = run(&home, &["identity", "show"]);
    assert_eq!(shown.stdout, format!("{}\n", node.id).into_bytes());
    assert!(run(&home, &["status"]).status.success());
    assert!(run(&home, &["stop"]).status.success());
    assert!(node.wait());
    assert!(!pointer.exists() && !Path::new(&socket).exists());
}
