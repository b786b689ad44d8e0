//! Nodes whose rosters, sessions, requests and workers are probes.

use crate::{IrohConfig, IrohTransport, Keepsake};
use host::{Driver, DriverFactory, Hive, HiveConfig, Port};
use iroh::endpoint::{Connection, PortmapperConfig, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, NetReportConfig, RelayMode, SecretKey};
use kernel::{Child, Effect, Failure, Restart, Signal, Turn};
use messages::ports::transport::Command;
use messages::wire::latest::{ControlFrame, Hello};
use messages::{
    Address, Branch, Digest, Job, JobId, Label, Letter, LinkId, List, ModelId, NetworkId, NodeId,
    Prompt, RequestId, Sampling, Seed, Signature, Text, TraceContext, Wall, peer_session, roster,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Mutex as Stuck, mpsc};
use tokio::time::timeout;

pub(super) const NETWORK: NetworkId = NetworkId([7; 32]);
pub(super) const OTHER: NetworkId = NetworkId([8; 32]);
/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a probe saw.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    Letter(Letter),
    Signal(Address, Signal),
}

/// One node.
pub(super) struct Node {
    pub(super) id: NodeId,
    pub(super) hive: Hive,
    pub(super) keepsake: Arc<Keepsake>,
    pub(super) addr: SocketAddr,
    /// Held by a test so long as sessions are to be stuck in a turn.
    pub(super) stuck: Arc<Stuck<()>>,
    factory: Arc<Factory>,
    events: mpsc::UnboundedReceiver<Event>,
    seen: Vec<Event>,
}

struct Factory {
    config: IrohConfig,
    events: mpsc::UnboundedSender<Event>,
    stuck: Arc<Stuck<()>>,
    ports: Mutex<BTreeMap<Address, Port>>,
}

struct Probe(Address, mpsc::UnboundedSender<Event>, Arc<Stuck<()>>);

impl Driver for Probe {
    fn turn(&mut self, turn: Turn) -> Result<(), Failure> {
        let event = match turn {
            Turn::Letter(letter) => Event::Letter(letter),
            Turn::Signal(signal) => Event::Signal(self.0, signal),
            Turn::Deadline => return Ok(()),
        };
        let _ = self.1.send(event);
        if matches!(self.0, Address::Session(..)) {
            tokio::task::block_in_place(|| drop(self.2.blocking_lock()));
        }
        Ok(())
    }
}

impl DriverFactory for Factory {
    fn build(&self, child: &Child, port: Port) -> Result<Box<dyn Driver>, String> {
        self.ports.lock().unwrap().insert(child.at, port.clone());
        Ok(match child.at {
            Address::Transport => Box::new(IrohTransport::new(self.config.clone(), port)?),
            at => Box::new(Probe(at, self.events.clone(), Arc::clone(&self.stuck))),
        })
    }
}

#[derive(Debug)]
struct NoSigner(NodeId);

impl kernel::Signer for NoSigner {
    fn node(&self) -> NodeId {
        self.0
    }
    fn sign(&self, _bytes: &[u8]) -> Signature {
        Signature::from_bytes(&[0; 64])
    }
}

impl Node {
    pub(super) async fn start(secret: u8) -> Self {
        Self::with(secret, |_| {}).await
    }

    /// A node on loopback that carries [`NETWORK`].
    pub(super) async fn with(secret: u8, change: impl FnOnce(&mut IrohConfig)) -> Self {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = IrohConfig::new([secret; 32], vec![loopback]);
        change(&mut config);
        let id = id_of(secret);
        let keepsake = Arc::clone(&config.keepsake);
        let (events_in, events) = mpsc::unbounded_channel();
        let stuck = Arc::new(Stuck::new(()));
        let factory = Arc::new(Factory {
            config,
            events: events_in,
            stuck: Arc::clone(&stuck),
            ports: Mutex::new(BTreeMap::new()),
        });
        let hive_config = HiveConfig {
            boot: 1,
            entropy_seed: [secret; 32],
            signer: Arc::new(NoSigner(id)),
            drivers: Arc::clone(&factory) as Arc<dyn DriverFactory>,
        };
        let children = vec![
            child(Address::Transport, Branch::Transport),
            child(Address::Roster(NETWORK), Branch::Network(NETWORK)),
        ];
        let hive = Hive::start(hive_config, children).await.unwrap();
        let addr = loopback;
        let mut node = Self {
            id,
            hive,
            keepsake,
            addr,
            stuck,
            factory,
            events,
            seen: Vec::new(),
        };
        node.tell(Letter::Transport(Command::Attach(NETWORK)));
        node.addr = node
            .expect("the bound addresses", |event| match event {
                Event::Letter(Letter::Roster(_, roster::Input::Bound(addrs))) => Some(addrs[0]),
                _ => None,
            })
            .await;
        node
    }

    pub(super) fn tell(&self, letter: Letter) {
        self.hive.tell(letter);
    }

    pub(super) fn command(&self, command: Command) {
        self.tell(Letter::Transport(command));
    }

    /// Speaks as a probe, which gets what comes back.
    pub(super) fn tell_as(&self, at: Address, effect: Effect) {
        let port = self.factory.ports.lock().unwrap().get(&at).unwrap().clone();
        port.post(vec![effect]);
    }

    /// Starts a probe and waits until it lives.
    pub(super) async fn probe(&mut self, at: Address) {
        self.hive.start_child(child(at, Branch::Node));
        self.expect("a probe's start", |event| match event {
            Event::Signal(who, Signal::Started(_)) if *who == at => Some(()),
            _ => None,
        })
        .await;
    }

    /// The first event, seen before or yet to come, that `wanted` takes. Others are kept.
    pub(super) async fn expect<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&Event) -> Option<T>,
    ) -> T {
        if let Some((at, found)) = self
            .seen
            .iter()
            .enumerate()
            .find_map(|(at, event)| Some((at, wanted(event)?)))
        {
            self.seen.remove(at);
            return found;
        }
        loop {
            let event = timeout(PATIENCE, self.events.recv()).await;
            let event = event.unwrap_or_else(|_| panic!("no {what}; seen: {:#?}", self.seen));
            let event = event.expect("the probes live");
            if let Some(found) = wanted(&event) {
                return found;
            }
            self.seen.push(event);
        }
    }

    /// Whether such an event arrived so far and was not taken.
    pub(super) fn saw(&mut self, wanted: impl Fn(&Event) -> bool) -> bool {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        self.seen.iter().any(wanted)
    }

    pub(super) fn dial(&self, network: NetworkId, to: &Self) {
        self.command(Command::Dial {
            network,
            peer: to.id,
            addrs: List::truncated([to.addr]),
        });
    }

    pub(super) async fn link_up(&mut self, network: NetworkId) -> (NodeId, LinkId, bool) {
        self.expect("LinkUp", |event| match event {
            Event::Letter(Letter::Roster(
                of,
                roster::Input::LinkUp {
                    peer,
                    link,
                    dialled,
                },
            )) if *of == network => Some((*peer, *link, *dialled)),
            _ => None,
        })
        .await
    }

    pub(super) fn send(&self, link: LinkId, network: NetworkId, frame: ControlFrame) {
        self.command(Command::Send {
            link,
            network,
            frame: Box::new(frame),
        });
    }

    pub(super) async fn session(&mut self, what: &str) -> peer_session::Input {
        self.expect(what, |event| match event {
            Event::Letter(Letter::Session(_, _, input))
                if !matches!(input, peer_session::Input::Path { .. }) =>
            {
                Some(input.clone())
            }
            _ => None,
        })
        .await
    }

    pub(super) async fn frame(&mut self) -> ControlFrame {
        match self.session("a frame").await {
            peer_session::Input::Frame { frame, .. } => frame,
            other => panic!("{other:?} instead of a frame"),
        }
    }

    pub(super) async fn down(&mut self, who: Address) {
        self.expect("a Down", |event| match event {
            Event::Signal(_, Signal::Down { who: down, .. }) if *down == who => Some(()),
            _ => None,
        })
        .await;
    }
}

/// Two nodes with an admitted session in [`NETWORK`]: the dialler first.
pub(super) async fn pair(a: &mut Node, b: &mut Node) -> (LinkId, LinkId) {
    let (link_a, link_b) = greet(a, b).await;
    for (node, link) in [(&mut *a, link_a), (&mut *b, link_b)] {
        node.send(link, NETWORK, ControlFrame::Admit(()));
    }
    assert_eq!(a.frame().await, ControlFrame::Admit(()));
    assert_eq!(b.frame().await, ControlFrame::Admit(()));
    (link_a, link_b)
}

/// Two nodes whose sessions said Hello.
pub(super) async fn greet(a: &mut Node, b: &mut Node) -> (LinkId, LinkId) {
    a.dial(NETWORK, b);
    let (peer, link_a, dialled) = a.link_up(NETWORK).await;
    assert_eq!((peer, dialled), (b.id, true));
    a.probe(Address::Session(NETWORK, b.id)).await;
    a.send(link_a, NETWORK, hello(1));
    let (peer, link_b, dialled) = b.link_up(NETWORK).await;
    assert_eq!((peer, dialled), (a.id, false));
    b.probe(Address::Session(NETWORK, a.id)).await;
    b.send(link_b, NETWORK, hello(2));
    assert_eq!(a.frame().await, hello(2));
    assert_eq!(b.frame().await, hello(1));
    (link_a, link_b)
}

pub(super) fn hello(boot: u64) -> ControlFrame {
    ControlFrame::Hello(Hello {
        version_min: 1,
        version_max: 1,
        features: 0,
        boot,
    })
}

pub(super) fn id_of(secret: u8) -> NodeId {
    NodeId(*SecretKey::from_bytes(&[secret; 32]).public().as_bytes())
}

pub(super) fn request(n: u64) -> RequestId {
    RequestId { boot: 1, n }
}

pub(super) fn job(origin: NodeId, n: u64, attempt: u32) -> Box<Job> {
    Box::new(Job {
        id: JobId {
            origin,
            request: request(n),
            attempt,
        },
        trace: TraceContext::begin([1, 2], 3),
        model: ModelId([1; 32]),
        prompt: Prompt::Raw(Text::from("once upon a time".to_owned())),
        template_time: Wall(0),
        sampling: Sampling {
            temperature_e6: 0,
            top_p_e6: 1_000_000,
            seed: 1,
        },
        max_tokens: None,
        resume: List::new(),
        expect: None,
        tenant: Digest::default(),
    })
}

pub(super) fn close(link: LinkId, network: NetworkId) -> Command {
    Command::Close {
        link,
        network,
        why: Label::truncated("done"),
    }
}

fn child(at: Address, under: Branch) -> Child {
    let restart = match at {
        Address::Transport => Restart::Permanent,
        _ => Restart::Temporary,
    };
    Child {
        at,
        seed: Seed::Driver,
        under,
        restart,
    }
}

/// An endpoint that speaks QUIC and nothing else of ours.
pub(super) async fn raw(secret: u8, alpn: &[u8]) -> Endpoint {
    raw_at(secret, alpn, "127.0.0.1:0").await
}

/// The same at an address of its own.
pub(super) async fn raw_at(secret: u8, alpn: &[u8], at: &str) -> Endpoint {
    Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(NetReportConfig::minimal())
        .secret_key(SecretKey::from_bytes(&[secret; 32]))
        .alpns(vec![alpn.to_vec()])
        .clear_ip_transports()
        .bind_addr(at)
        .unwrap()
        .bind()
        .await
        .unwrap()
}

pub(super) async fn connect(from: &Endpoint, to: &Node) -> Connection {
    let id = EndpointId::from_bytes(&to.id.0).unwrap();
    let addr = EndpointAddr::new(id).with_ip_addr(to.addr);
    from.connect(addr, messages::wire::latest::ALPN)
        .await
        .unwrap()
}
