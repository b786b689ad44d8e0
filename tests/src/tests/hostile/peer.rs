//! A member that is no `mesh-node`: it can say anything on the wire.

use iroh::endpoint::{Connection, PortmapperConfig, RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, EndpointId, NetReportConfig, RelayMode, SecretKey};
use messages::wire::latest::{
    ALPN, ControlFrame, Frame, HEADER_BYTES, Header, Hello, Introduction, Load, Preface, Purpose,
    network_tag,
};
use messages::{
    Capabilities, Credential, Kind, Label, List, ModelAdvert, NodeId, Record, RecordClass,
    Signature, SignedRecord, Stamp, Ticket,
};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// What both ends feed to TLS for the network's tag, as the protocol says.
/// Written again here, so that a change of the label is seen.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-mesh-node-network-tag";

/// Somebody with a ticket and a key.
pub(super) struct Peer {
    endpoint: Endpoint,
    secret: SecretKey,
    ticket: Ticket,
}

/// A link, and the control stream on it.
pub(super) struct Control {
    pub(super) conn: Connection,
    pub(super) send: SendStream,
    pub(super) recv: RecvStream,
}

impl Peer {
    /// A new identity with this ticket.
    pub(super) async fn new(ticket: &str) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let mut seed = [0x5a; 32];
        seed[0] = COUNT.fetch_add(1, Ordering::Relaxed);
        let secret = SecretKey::from_bytes(&seed);
        let endpoint = Endpoint::builder(presets::Minimal)
            .relay_mode(RelayMode::Disabled)
            .clear_address_lookup()
            .portmapper_config(PortmapperConfig::Disabled)
            .net_report_config(NetReportConfig::minimal())
            .secret_key(secret.clone())
            .alpns(vec![ALPN.to_vec()])
            .clear_ip_transports()
            .bind_addr("127.0.0.1:0")
            .unwrap();
        Self {
            endpoint: endpoint.bind().await.unwrap(),
            secret,
            ticket: Ticket::parse(ticket).unwrap(),
        }
    }

    pub(super) fn id(&self) -> NodeId {
        NodeId(*self.secret.public().as_bytes())
    }

    pub(super) async fn close(&self) {
        self.endpoint.close().await;
    }

    fn credential(&self) -> Credential {
        roster::join(&self.ticket, self.id())
    }

    /// A link to the ticket's issuer.
    pub(super) async fn connect(&self) -> Connection {
        let id = EndpointId::from_bytes(&self.ticket.issuer.0).unwrap();
        let addrs = self.ticket.addrs.iter();
        let addr = addrs.fold(EndpointAddr::new(id), |addr, at| addr.with_ip_addr(*at));
        self.endpoint.connect(addr, ALPN).await.unwrap()
    }

    /// A stream of the ticket's network.
    pub(super) async fn stream(
        &self,
        conn: &Connection,
        purpose: Purpose,
    ) -> (SendStream, RecvStream) {
        let mut exported = [0; 32];
        conn.export_keying_material(&mut exported, EXPORTER_LABEL, &[])
            .unwrap();
        let network = self.ticket.grant.grant.network();
        let tag = network_tag(network, &exported);
        let (mut send, recv) = conn.open_bi().await.unwrap();
        let preface = Preface { purpose, tag };
        send.write_all(&preface.encode()).await.unwrap();
        (send, recv)
    }

    /// A link on which it has said Hello, and nothing else.
    pub(super) async fn greet(&self) -> Control {
        let conn = self.connect().await;
        let (send, recv) = self.stream(&conn, Purpose::Control).await;
        let mut control = Control { conn, send, recv };
        control.say(&hello(0)).await;
        control
    }

    /// A link on which both sides have admitted each other.
    pub(super) async fn join(&self) -> Control {
        let mut control = self.greet().await;
        let (mut greeted, mut admitted, mut admits) = (false, false, false);
        while !(admitted && admits) {
            match control.hear().await.expect("the handshake goes on") {
                ControlFrame::Hello(theirs) => {
                    if greeted && theirs.features & Hello::ANSWER == 0 {
                        control.say(&hello(Hello::ANSWER)).await;
                    }
                    greeted = true;
                    control
                        .say(&ControlFrame::Proof(self.credential().into()))
                        .await;
                }
                ControlFrame::Proof(_) => {
                    control.say(&ControlFrame::Admit(())).await;
                    admits = true;
                }
                ControlFrame::Admit(()) => admitted = true,
                ControlFrame::Deny(why) => panic!("denied: {why}"),
                // A node begins to say these as soon as it has admitted the peer.
                ControlFrame::Ping(_)
                | ControlFrame::Pong(_)
                | ControlFrame::Introductions(_)
                | ControlFrame::Load(_)
                | ControlFrame::Revoke(_)
                | ControlFrame::Leave(_)
                | ControlFrame::Gossip(_) => {}
            }
        }
        control
    }

    /// Says that it has room for many jobs, and what it serves.
    pub(super) async fn advertise(&self, control: &mut Control, adverts: Vec<ModelAdvert>) {
        let capabilities = Capabilities {
            llms: List::truncated(adverts),
            ..Capabilities::default()
        };
        let record = Record {
            network: self.ticket.grant.grant.network(),
            class: RecordClass::Public,
            kind: Kind::CAPABILITIES,
            author: self.id(),
            id: Label::default(),
            stamp: Stamp(now_micros()),
            value: Some(capabilities.encode().unwrap()),
        };
        let signature = self.secret.sign(&record.signing_bytes());
        let signature = Signature::from_bytes(&signature.to_bytes());
        let introduction = Introduction {
            record: SignedRecord { record, signature },
            credential: self.credential(),
        };
        let load = Load {
            slots: 64,
            queue_max: 64,
            ..Load::default()
        };
        control.say(&ControlFrame::Load(load)).await;
        let introductions = List::truncated([introduction]);
        control
            .say(&ControlFrame::Introductions(introductions))
            .await;
    }
}

impl Control {
    pub(super) async fn say(&mut self, frame: &ControlFrame) {
        self.send.write_all(&frame.encode().unwrap()).await.unwrap();
    }

    /// The next frame; none where the stream or the link is over. A Ping is answered too.
    pub(super) async fn hear(&mut self) -> Option<ControlFrame> {
        let frame = read_frame(&mut self.recv).await?;
        if let ControlFrame::Ping(number) = &frame {
            let pong = ControlFrame::Pong(*number).encode().unwrap();
            // Who is being cut off cannot answer.
            let _ = self.send.write_all(&pong).await;
        }
        Some(frame)
    }

    /// Reads on until a frame is wanted.
    pub(super) async fn hear_until<T>(
        &mut self,
        wanted: impl Fn(ControlFrame) -> Option<T>,
    ) -> Option<T> {
        loop {
            if let Some(found) = wanted(self.hear().await?) {
                return Some(found);
            }
        }
    }
}

/// The next frame of a known kind on a stream; none at its end.
pub(super) async fn read_frame<F: Frame>(recv: &mut RecvStream) -> Option<F> {
    loop {
        let mut head = [0; HEADER_BYTES];
        recv.read_exact(&mut head).await.ok()?;
        let header = Header::parse(head, F::BYTES_MAX).expect("the node's frames are proper");
        let mut body = vec![0; header.body];
        recv.read_exact(&mut body).await.ok()?;
        let frame = F::decode_body(header.kind, &body).expect("the node's frames are proper");
        if frame.is_some() {
            return frame;
        }
    }
}

fn hello(features: u64) -> ControlFrame {
    ControlFrame::Hello(Hello {
        version_min: 1,
        version_max: 1,
        features,
        boot: 1,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "records are stamped by the clock of the machine"
)]
fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}
