//! The socket's place and its protocol.

mod joining;

use crate::protocol::{REQUEST_BYTES_MAX, Request, Response, VERSION, decode, encode, length};
use crate::{ClientError, ProtocolError, Socket, ask, find};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mesh-control-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_socket_lies_in_the_home_for_its_user_alone() {
    let home = folder("home");
    let socket = Socket::bind(&home, &home).unwrap();
    assert_eq!(find(&home), home.join("control.sock"));
    let mode = fs::metadata(socket.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(socket);
    assert!(!home.join("control.sock").exists());
}

#[test]
fn a_long_home_points_to_a_socket_in_the_runtime_folder() {
    let home = folder("long").join("x".repeat(120));
    fs::create_dir_all(&home).unwrap();
    let runtime = folder("runtime");
    let socket = Socket::bind(&home, &runtime).unwrap();
    assert!(socket.path().starts_with(&runtime));
    assert!(socket.path().as_os_str().len() <= 107);
    assert_eq!(find(&home), socket.path());
}

#[test]
fn a_pointer_of_an_earlier_longer_home_leads_nobody_astray() {
    let home = folder("moved");
    fs::write(home.join("control.path"), "/nobody/is/here.sock").unwrap();
    let socket = Socket::bind(&home, &home).unwrap();
    assert_eq!(find(&home), socket.path());
}

#[test]
fn a_dead_socket_is_replaced() {
    let home = folder("dead");
    let listener = std::os::unix::net::UnixListener::bind(home.join("control.sock")).unwrap();
    drop(listener);
    assert!(Socket::bind(&home, &home).is_ok());
}

#[test]
fn a_home_without_a_node_says_what_to_do() {
    let error = ask(&folder("empty"), &Request::Status).unwrap_err();
    assert!(matches!(error, ClientError::NotRunning(_)));
    assert!(error.to_string().contains("mesh-node serve"));
}

#[test]
fn requests_and_responses_survive_the_wire() {
    let request = Request::Join {
        ticket: "abc".to_owned(),
    };
    let bytes = encode(&request, REQUEST_BYTES_MAX).unwrap();
    assert_eq!(decode::<Request>(&bytes[4..]), Ok(request));
    let response = Response::Refused("no".to_owned());
    let bytes = encode(&response, REQUEST_BYTES_MAX).unwrap();
    assert_eq!(decode::<Response>(&bytes[4..]), Ok(response));
}

#[test]
fn another_version_and_bad_bytes_are_refused_with_a_sentence() {
    let other = [VERSION.to_le_bytes()[0] + 1, 0];
    assert_eq!(
        decode::<Request>(&other),
        Err(ProtocolError::Version(VERSION + 1))
    );
    assert_eq!(decode::<Request>(&[]), Err(ProtocolError::Malformed));
    let own = VERSION.to_le_bytes()[0];
    for rest in [&[200][..], &[0, 0]] {
        let body = [&[own], rest].concat();
        assert_eq!(decode::<Request>(&body), Err(ProtocolError::Malformed));
    }
    assert_eq!(
        length([255; 4], 10),
        Err(ProtocolError::TooLong(u32::MAX as usize))
    );
}
