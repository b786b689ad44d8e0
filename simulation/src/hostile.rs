//! What members do that keep no rule, what a network does to connections, and what a human asks
//! of a node: written as packets and letters, so that it passes the same doors as all else.

mod frames;
mod records;

pub use frames::{Forged, Garbage};
pub use records::Unfit;

use crate::event::{NodeIndex, Occurrence};
use crate::mesh::{ClientId, Mesh};
use crate::network::{Body, Packet};
use bytes::Bytes;
use kernel::{Signer, scripted};
use messages::limits::CAPABILITIES_BYTES_MAX;
use messages::peer_session::{Input as Session, LinkLoss};
use messages::ports::engine::Event;
use messages::ports::store::{Asker, Table};
use messages::request_proxy::Input as Proxy;
use messages::roster::Input as Roster;
use messages::wire::latest::{ControlFrame, Frame, JobReply, JobRequest};
use messages::{
    Address, Credential, Digest, Job, JobId, Kind, Label, Letter, LinkId, List, Message, Prompt,
    Record, RecordClass, RequestId, Role, Sampling, SignedRecord, Stamp, StreamId, Text,
    TraceContext, Wall, inference_worker,
};

/// Numbers of streams that a hostile member opens: no honest end mints any as high.
const STREAMS_FROM: u64 = 1 << 60;

impl Mesh {
    /// The connections that a node has with another, as that node sees it.
    #[must_use]
    pub fn links(&self, node: NodeIndex, peer: NodeIndex) -> Vec<u64> {
        let boot = self.world.nodes[node].boot.as_ref();
        let peer = self.id(peer);
        boot.map_or_else(Vec::new, |boot| {
            boot.drivers.transport.connections_with(peer)
        })
    }

    /// Every connection between two nodes is reset at both ends, at once. Tells how many.
    pub fn reset_links(&mut self, one: NodeIndex, two: NodeIndex) -> usize {
        self.disturb();
        let ends = [(one, two), (two, one)];
        let links: Vec<_> = ends
            .iter()
            .flat_map(|(at, peer)| {
                self.links(*at, *peer)
                    .into_iter()
                    .map(|it| (*at, *peer, it))
            })
            .collect();
        for (at, peer, connection) in &links {
            let close = self.packet(*peer, *at, *connection, Body::Close);
            let arrive = Occurrence::Arrive(Box::new(close));
            self.world.schedule(self.world.time, *at, arrive);
        }
        links.len()
    }

    /// A node sends these bytes as a control frame to another. Tells whether they are connected.
    pub fn send_control(&mut self, from: NodeIndex, to: NodeIndex, bytes: Vec<u8>) -> bool {
        self.disturb();
        let network = self.network;
        self.send_on_link(from, to, |_| Body::Control { network, bytes })
    }

    /// A node opens a job stream to another with these bytes as its request.
    pub fn send_job(&mut self, from: NodeIndex, to: NodeIndex, bytes: Vec<u8>) -> bool {
        let network = self.network;
        self.send_on_link(from, to, |number| Body::JobOpen {
            network,
            stream: StreamId(STREAMS_FROM + number),
            bytes,
        })
    }

    /// A well-formed request for this many tokens, as bytes: the `number`th of a member that asks
    /// past its own request actors.
    #[must_use]
    pub fn job_bytes(&self, from: NodeIndex, number: u64, tokens: u32) -> Vec<u8> {
        let job = self.job(from, number, tokens);
        JobRequest::Open(Box::new(job)).encode().unwrap_or_default()
    }

    /// The job of [`Mesh::job_bytes`].
    pub(crate) fn job(&self, from: NodeIndex, number: u64, tokens: u32) -> Job {
        let request = RequestId {
            boot: u64::MAX,
            n: number,
        };
        let message = Message {
            role: Role::User,
            content: Text::from("hello"),
        };
        Job {
            id: JobId {
                origin: self.id(from),
                request,
                attempt: 1,
            },
            trace: TraceContext::begin([u64::MAX, number], number),
            model: scripted::model(),
            prompt: Prompt::Chat(List::truncated([message])),
            template_time: Wall(0),
            sampling: Sampling {
                temperature_e6: 1_000_000,
                top_p_e6: 1_000_000,
                seed: number,
            },
            max_tokens: Some(tokens),
            resume: List::default(),
            expect: None,
            tenant: Digest::default(),
        }
    }

    /// A member opens so many job streams to another: jobs for this many tokens each, or streams on
    /// which nothing is said. Tells whether they are connected.
    pub fn send_jobs(
        &mut self,
        (from, to): (NodeIndex, NodeIndex),
        count: u64,
        tokens: Option<u32>,
    ) -> bool {
        let mut any = false;
        for number in 0..count {
            let bytes = tokens.map(|tokens| self.job_bytes(from, number, tokens));
            any |= self.send_job(from, to, bytes.unwrap_or_default());
        }
        any
    }

    /// Every connection that a node has lost speaks once more: frames, an end, a job. Tells how
    /// many there are.
    pub fn stale_letters(&mut self, node: NodeIndex) -> usize {
        let boot = self.world.nodes[node].boot.as_ref();
        let gone = boot.map_or_else(Vec::new, |boot| boot.drivers.transport.gone());
        for (link, peer) in &gone {
            for input in stale(*link) {
                self.tell(node, Letter::Session(self.network, *peer, input));
            }
        }
        gone.len()
    }

    /// A reply reaches a request that no stream brought. Tells whether the request is alive.
    pub fn forge_reply(&mut self, client: ClientId, reply: JobReply) -> bool {
        let who = Address::Proxy(client.request);
        let is_alive = self.addresses(client.node).contains(&who);
        let letter = Letter::Proxy(client.request, Proxy::Reply(reply));
        self.tell(client.node, letter);
        is_alive
    }

    /// A node's engines serve no model any more; nobody told the worker before.
    pub fn unload(&mut self, node: NodeIndex) {
        for who in self.addresses(node) {
            if let Address::Engine(device) = who {
                let models = List::default();
                let input = inference_worker::Input::Engine(Event::Ready { models });
                self.tell(node, Letter::Worker(device, input));
            }
        }
    }

    /// A node begins to leave, as the real one stops: new work is refused, running answers have
    /// ten seconds to end, and then its process ends in good order.
    pub fn drain(&mut self, node: NodeIndex) {
        self.disturb();
        for who in self.addresses(node) {
            if let Address::Worker(device) = who {
                let drain = inference_worker::Input::Drain;
                self.tell(node, Letter::Worker(device, drain));
            } else if let Address::Roster(network) = who {
                self.tell(node, Letter::Roster(network, Roster::Leave));
            }
        }
        self.end_when_idle(node);
    }

    /// What a node that leaves says to its peers.
    pub(crate) fn leave_peers(&mut self, node: NodeIndex) {
        for who in self.addresses(node) {
            if let Address::Session(network, peer) = who {
                self.tell(node, Letter::Session(network, peer, Session::Leave));
            }
        }
    }

    /// Some record of the owner's, of a kilobyte: a peer can do nothing with it.
    pub(crate) fn own_record(&self, number: u64) -> SignedRecord {
        let record = Record {
            network: self.network,
            class: RecordClass::Public,
            kind: Kind::REVOCATION,
            author: self.owner,
            id: Label::truncated(&number.to_string()),
            stamp: Stamp(self.world.now(0).wall.0),
            value: Some(Bytes::from(vec![0; CAPABILITIES_BYTES_MAX])),
        };
        let signature = self.world.nodes[0].signer.sign(&record.signing_bytes());
        SignedRecord { record, signature }
    }

    /// The owner's word that a node's ticket is withdrawn reaches the owner's own roster.
    pub fn revoke(&mut self, node: NodeIndex) {
        self.disturb();
        let Credential::Ticket { grant, .. } = self.credential(self.id(node)) else {
            return;
        };
        let owner = &self.world.nodes[0].signer;
        let record = Record {
            network: self.network,
            class: RecordClass::Public,
            kind: Kind::REVOCATION,
            author: self.owner,
            id: Label::truncated(&grant.grant.ticket.to_string()),
            stamp: Stamp(self.world.now(0).wall.0),
            value: Some(Bytes::new()),
        };
        let signature = owner.sign(&record.signing_bytes());
        let record = SignedRecord { record, signature };
        let from = self.owner;
        self.tell(
            0,
            Letter::Roster(
                self.network,
                Roster::Revoked {
                    from,
                    record: record.into(),
                },
            ),
        );
    }

    /// Whether a node's disk holds the owner's word that another's ticket is withdrawn.
    #[must_use]
    pub fn knows_revoked(&self, at: NodeIndex, node: NodeIndex) -> bool {
        let Credential::Ticket { grant, .. } = self.credential(self.id(node)) else {
            return false;
        };
        let ticket = grant.grant.ticket;
        let rows = self.world.nodes[at].disk.load(Asker::Roster(self.network));
        let mut keys = rows.iter().map(|(key, _)| key);
        keys.any(|key| key.table == Table::Revoked && key.row.as_ref() == ticket.0)
    }

    /// Whether an actor or driver of a node lives now.
    #[must_use]
    pub fn is_alive(&self, node: NodeIndex, who: Address) -> bool {
        let boot = self.world.nodes[node].boot.as_ref();
        boot.is_some_and(|boot| boot.switchboard.live(who).is_some())
    }

    /// Dials that a node has begun since the world began.
    #[must_use]
    pub fn dials(&self, node: NodeIndex) -> u64 {
        self.world.network.dials.get(&node).copied().unwrap_or(0)
    }

    fn send_on_link(
        &mut self,
        from: NodeIndex,
        to: NodeIndex,
        body: impl FnOnce(u64) -> Body,
    ) -> bool {
        let links = self.links(from, to);
        let Some(connection) = links.last() else {
            return false;
        };
        let body = body(self.world.network.packets);
        let packet = self.packet(from, to, *connection, body);
        self.world.send(vec![packet]);
        true
    }

    const fn packet(&self, from: NodeIndex, to: NodeIndex, connection: u64, body: Body) -> Packet {
        Packet {
            from,
            to,
            connection,
            body,
        }
    }
}

/// What a connection could still have said.
fn stale(link: LinkId) -> [Session; 4] {
    [
        Session::Frame {
            link,
            frame: ControlFrame::Ping(1),
        },
        Session::Frame {
            link,
            frame: ControlFrame::Leave(true),
        },
        Session::BadFrame {
            link,
            why: Label::truncated("a frame of the past"),
        },
        Session::LinkDown {
            link,
            why: LinkLoss::Reset,
        },
    ]
}
