//! The management API, the ports, and the keys that they want.

use super::client::Client;
use super::probes::advert;
use super::{BOOT, ME, Stage, config};
use crate::config::ApiKey;
use crate::{API_FLAG, CONSOLE_FLAG, Front, status_json};
use messages::observer::{
    ChildState, DeviceFact, Fact, FactKey, NetworkFact, PeerFact, Snapshot, Unreached,
};
use messages::ports::transport::{DialError, PathInfo, PathKind};
use messages::wire::latest::Load;
use messages::{Address, DeviceId, Label, List, Micros, Mono, NetworkId, NodeId};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_is_the_snapshot_and_only_the_console_has_it() {
    let stage = Stage::new().await;
    let mut client = Client::connect(stage.at.console).await;
    let response = client.request("GET", "/api/status", &[], b"").await;
    assert_eq!(response.status(), 200);
    let body = response.json();
    assert_eq!(
        (&body["ready"], &body["why_not"]),
        (&json!(false), &json!("it starts"))
    );
    assert_eq!(
        (&body["node"], &body["boot"]),
        (&json!(ME.to_string()), &json!(BOOT))
    );
    assert_eq!(body["actors"][0]["address"], "gateway");
    assert_eq!(
        client.request("GET", "/v1/models", &[], b"").await.status(),
        404
    );
    assert_eq!(
        client
            .request("POST", "/api/status", &[], b"")
            .await
            .status(),
        405
    );
    let foreign = [("Host", "evil.example")];
    assert_eq!(
        client
            .request("GET", "/api/status", &foreign, b"")
            .await
            .status(),
        403
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_does_not_come_is_an_error_in_time() {
    let stage = Stage::new().await;
    let mut stop = vec![kernel::Effect::Stop(Address::Observer, kernel::How::Kill)];
    stage
        .hive
        .directory()
        .apply(kernel::Source::World, &mut stop);
    let mut client = Client::connect(stage.at.console).await;
    let response = client.request("GET", "/api/status", &[], b"").await;
    assert_eq!(
        (response.status(), &*response.error().1),
        (503, "service_unavailable")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_always_well_and_readiness_is_what_the_node_says() {
    let stage = Stage::new().await;
    let ready = stage.front.config().ready.clone();
    for at in [stage.at.api, stage.at.console] {
        ready.set_not_ready("no network yet");
        let mut client = Client::connect(at).await;
        assert_eq!(
            client.request("GET", "/health", &[], b"").await.body,
            "{\"status\":\"ok\"}"
        );
        let response = client.request("GET", "/readyz", &[], b"").await;
        let expected = json!({ "ready": false, "reason": "no network yet" });
        assert_eq!((response.status(), response.json()), (503, expected));
        ready.set_ready();
        let response = client.request("GET", "/readyz", &[], b"").await;
        assert_eq!(
            (response.status(), response.json()),
            (200, json!({ "ready": true }))
        );
    }
}

#[test]
fn a_taken_port_is_one_sentence_that_says_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = taken.local_addr().expect("its address");
    for flag in [API_FLAG, CONSOLE_FLAG] {
        let mut config = config();
        if flag == API_FLAG {
            config.api = at
        } else {
            config.console = at
        }
        let error = Front::bind(config).expect_err("it is taken");
        assert!(
            error.contains(&at.port().to_string()) && error.contains(flag),
            "{error}"
        );
        assert!(error.contains("taken") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_listener_beyond_this_machine_wants_a_key() {
    for flag in [API_FLAG, CONSOLE_FLAG] {
        let mut config = config();
        let wide = "0.0.0.0:0".parse().expect("an address");
        if flag == API_FLAG {
            config.api = wide
        } else {
            config.console = wide
        }
        let error = Front::bind(config.clone()).expect_err("no key");
        assert!(error.contains(flag) && error.contains("key"), "{error}");
        config.api_key = Some(ApiKey::new("k").expect("a key"));
        assert!(Front::bind(config).is_ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wide_console_wants_the_key_and_takes_any_literal_address() {
    let stage = Stage::with(|config| {
        config.console = "0.0.0.0:0".parse().expect("an address");
        config.api_key = Some(ApiKey::new("k").expect("a key"));
    })
    .await;
    let at = std::net::SocketAddr::from(([127, 0, 0, 1], stage.at.console.port()));
    let mut client = Client::connect(at).await;
    let host = ("Host", "192.168.7.7:3131");
    assert_eq!(
        client
            .request("GET", "/api/status", &[host], b"")
            .await
            .status(),
        401
    );
    let key = ("Authorization", "Bearer k");
    assert_eq!(
        client
            .request("GET", "/api/status", &[host, key], b"")
            .await
            .status(),
        200
    );
    let name = ("Host", "evil.example");
    assert_eq!(
        client
            .request("GET", "/api/status", &[name, key], b"")
            .await
            .status(),
        403
    );
}

const NETWORK: NetworkId = NetworkId([3; 32]);

fn snapshot() -> Snapshot {
    let network_fact = NetworkFact {
        label: Label::truncated("home"),
        owner: ME,
        members: 3,
        active: 2,
        addrs: List::truncated(["10.0.0.1:5".parse().expect("an address")]),
        refused: None,
        unreached: List::truncated([Unreached {
            peer: NodeId([9; 32]),
            why: DialError::WrongPeer,
        }]),
    };
    let peer_fact = PeerFact {
        phase: Label::truncated("active"),
        fresh: true,
        path: PathInfo {
            kind: PathKind::Direct,
            addr: None,
            rtt: Micros(1_500),
        },
        models: List::truncated([Label::truncated("builtin")]),
        streams: 4,
        dropped: 0,
    };
    let device_fact = DeviceFact {
        ready: false,
        why_not: Some(Label::truncated("it loads")),
        models: List::truncated([advert("builtin")]),
        load: Load {
            active: 1,
            queued: 2,
            slots: 4,
            queue_max: 8,
        },
        finished: 9,
    };
    let failed = ChildState::Failed {
        why: Label::truncated("disk"),
    };
    Snapshot {
        uptime: Mono(61_000_999),
        facts: vec![
            (FactKey::Network(NETWORK), Fact::Network(network_fact)),
            (FactKey::Peer(NETWORK, ME), Fact::Peer(peer_fact)),
            (FactKey::Device(DeviceId(1)), Fact::Device(device_fact)),
            (
                FactKey::Models,
                Fact::Models(List::truncated([advert("builtin")])),
            ),
        ],
        children: vec![
            (Address::Router, ChildState::Running { starts: 2 }),
            (Address::Store, failed),
        ],
        ..Snapshot::default()
    }
}

#[test]
fn the_status_has_a_stable_schema() {
    let expected = json!({
        "node": ME.to_string(), "boot": 7, "version": "1.2.3", "uptime_ms": 61_000,
        "ready": false, "why_not": "no network yet",
        "networks": [{
            "id": NETWORK.to_string(), "label": "home", "owner": ME.to_string(),
            "members": 3, "active": 2, "addrs": ["10.0.0.1:5"], "refused": null,
            "unreached": [{
                "node": NodeId([9; 32]).to_string(),
                "why": "another node answers at its addresses",
            }],
        }],
        "peers": [{
            "node": ME.to_string(), "network": NETWORK.to_string(), "phase": "active",
            "fresh": true, "path": "direct", "addr": null, "rtt_us": 1_500,
            "models": ["builtin"], "streams": 4, "dropped": 0,
        }],
        "devices": [{
            "device": 1, "ready": false, "why_not": "it loads", "models": ["builtin"],
            "active": 1, "queued": 2, "slots": 4, "queue_max": 8, "finished": 9,
        }],
        "models": [{
            "id": "builtin", "digest": advert("builtin").model.to_string(), "context": 4096,
        }],
        "actors": [
            { "address": "router", "state": "running", "starts": 2, "why": null },
            { "address": "store", "state": "failed", "starts": null, "why": "disk" },
        ],
    });
    let why_not = Some("no network yet");
    let said = status_json(ME, 7, "1.2.3", why_not, &snapshot());
    assert_eq!(said, expected);
    // What is down beside is shown and is not the verdict.
    let said = status_json(ME, 7, "1.2.3", None, &snapshot());
    assert_eq!(
        (&said["ready"], &said["why_not"]),
        (&json!(true), &json!(null))
    );
}

const ROUTES: [(&str, &str); 11] = [
    ("GET", "/api/prompts"),
    ("POST", "/api/prompts"),
    ("GET", "/api/prompts/x"),
    ("PATCH", "/api/prompts/x"),
    ("DELETE", "/api/prompts/x"),
    ("PUT", "/api/permissions/shell"),
    ("DELETE", "/api/permissions/shell"),
    ("POST", "/api/permissions/shell/check"),
    ("GET", "/api/permissions"),
    ("GET", "/api/network"),
    ("PATCH", "/api/network"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_of_another_site_reads_or_changes_what_is_shared() {
    let stage = Stage::new().await;
    for (method, path) in ROUTES {
        for foreign in [("Host", "evil.example"), ("Origin", "http://evil.example")] {
            let mut client = Client::connect(stage.at.console).await;
            let response = client.request(method, path, &[foreign], b"{}").await;
            assert_eq!(response.status(), 403, "{method} {path}");
        }
        let mut client = Client::connect(stage.at.api).await;
        let response = client.request(method, path, &[], b"{}").await;
        assert_eq!(response.status(), 404, "{method} {path}");
    }
    // What a page may send without being asked first is no JSON.
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let mut client = Client::connect(stage.at.console).await;
        let headers = [("Content-Type", kind)];
        let body = br#"{"name":"x"}"#;
        let response = client.request("POST", "/api/prompts", &headers, body).await;
        assert_eq!(response.status(), 415, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_nobody_keeps_are_an_answer_at_once() {
    let stage = Stage::new().await;
    let mut client = Client::connect(stage.at.console).await;
    let path = format!("/api/prompts?network={}", NetworkId([5; 32]));
    let response = client.request("GET", &path, &[], b"").await;
    assert_eq!(response.status(), 503);
    assert!(
        response.body.contains("no such network"),
        "{}",
        response.body
    );
}

#[test]
fn the_network_that_is_meant_is_the_only_joined_one_or_the_own() {
    let fact = |owner: NodeId| {
        Fact::Network(NetworkFact {
            label: Label::default(),
            owner,
            members: 1,
            active: 0,
            addrs: List::new(),
            refused: None,
            unreached: List::new(),
        })
    };
    let (own, one, other) = (NetworkId([1; 32]), NetworkId([2; 32]), NetworkId([3; 32]));
    let meant = |facts: &[(NetworkId, NodeId)]| {
        let facts = facts
            .iter()
            .map(|(id, owner)| (FactKey::Network(*id), fact(*owner)));
        let snapshot = Snapshot {
            facts: facts.collect(),
            ..Snapshot::default()
        };
        crate::meant_network(ME, &snapshot)
    };
    let foreign = NodeId([0x77; 32]);
    assert_eq!(meant(&[]), None);
    assert_eq!(meant(&[(own, ME)]), Some(own));
    assert_eq!(meant(&[(own, ME), (one, foreign)]), Some(one));
    assert_eq!(
        meant(&[(own, ME), (one, foreign), (other, foreign)]),
        Some(own)
    );
}
