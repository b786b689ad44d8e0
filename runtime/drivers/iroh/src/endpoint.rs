//! The endpoint: where it listens, and whom it lets in.

use crate::links::{
    LINKS_MAX, STRANGER_STREAMS, STRANGERS_MAX, STRANGERS_PER_SOURCE_MAX, UNPROVED_MAX,
    UNPROVED_PER_SOURCE_MAX,
};
use crate::reach::reachable;
use crate::shared::{Shared, code};
use iroh::endpoint::{
    BindOpts, Builder, IdleTimeout, Incoming, IncomingAddr, PortmapperConfig, QuicTransportConfig,
    VarInt, presets,
};
use iroh::{Endpoint, NetReportConfig, RelayMode, SecretKey};
use messages::limits::NETWORKS_MAX;
use messages::wire::latest::ALPN;
use messages::{List, NetworkId, roster};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Unread bytes of one stream: at 100 ms round trip a stream still carries 640 KB a second, which
/// is ten times what the fastest tokens need, and a prompt of 64 KB arrives in one round trip.
///
/// A connection's window is this times the streams that the peer may hold open, so that streams
/// which nobody reads (their clients are slow) never take a session's frames the room: each of
/// them stops at its own window. The product is what one hostile member can make this node hold of
/// a link, 65 MiB, and the reason why this is no larger.
pub(crate) const STREAM_WINDOW: u32 = 64 * 1024;

impl Shared {
    /// Binds the endpoint and begins to take connections.
    ///
    /// # Errors
    /// A sentence: it cannot listen there.
    pub(crate) async fn bind(self: &Arc<Self>) -> Result<(), String> {
        let mut tries = 0;
        let endpoint = loop {
            match timeout(BIND_WAIT, self.builder()?.bind()).await {
                Ok(Ok(endpoint)) => break endpoint,
                // An earlier life may not have let go of the port yet.
                Ok(Err(_)) if tries < BIND_TRIES => sleep(BIND_PAUSE).await,
                Ok(Err(error)) => {
                    return Err(format!(
                        "the transport cannot listen at {:?}: {error}; choose another address",
                        self.config.bind
                    ));
                }
                Err(_) => return Err("binding the endpoint took too long".to_owned()),
            }
            tries += 1;
        };
        self.config
            .keepsake
            .remember_bound(endpoint.bound_sockets());
        let _ = self.endpoint.set(endpoint.clone());
        self.spawn(Arc::clone(self).take_connections(endpoint));
        self.spawn(Arc::clone(self).keep_up());
        Ok(())
    }

    fn builder(&self) -> Result<Builder, String> {
        let mut builder = Endpoint::builder(presets::Minimal)
            .relay_mode(RelayMode::Disabled)
            .clear_address_lookup()
            .portmapper_config(PortmapperConfig::Disabled)
            .net_report_config(NetReportConfig::minimal())
            .transport_config(self.transport_config()?)
            .secret_key(SecretKey::from_bytes(&self.config.secret_key))
            .alpns(vec![ALPN.to_vec()]);
        let bind = self.config.keepsake.bound().unwrap_or(&self.config.bind);
        if !bind.is_empty() {
            builder = builder.clear_ip_transports();
        }
        for (at, addr) in bind.iter().enumerate() {
            let first = bind[..at]
                .iter()
                .all(|earlier| earlier.is_ipv4() != addr.is_ipv4());
            builder = builder
                .bind_addr_with_opts(*addr, opts(addr, first))
                .map_err(|error| format!("the transport cannot listen at {addr}: {error}"))?;
        }
        Ok(builder)
    }

    fn transport_config(&self) -> Result<QuicTransportConfig, String> {
        let idle = IdleTimeout::try_from(self.config.idle_timeout)
            .map_err(|_| "the transport's idle time is too long".to_owned())?;
        Ok(QuicTransportConfig::builder()
            .max_idle_timeout(Some(idle))
            .keep_alive_interval(self.config.keep_alive)
            .default_path_keep_alive_interval(self.config.keep_alive)
            // A stranger's limits: admission raises them.
            .max_concurrent_bidi_streams(VarInt::from_u32(STRANGER_STREAMS))
            .receive_window(VarInt::from_u32(STRANGER_STREAMS * STREAM_WINDOW))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
            .datagram_receive_buffer_size(None)
            .build())
    }

    /// Carries a network, and says where this node listens.
    pub(crate) fn attach(&self, network: NetworkId) {
        let mut links = self.links();
        if links.attached.len() >= NETWORKS_MAX && !links.attached.contains(&network) {
            // The node refuses to join one network more: this is for a database of another making.
            tracing::error!(network = %network.short(), "too many networks: not carried");
            return;
        }
        links.attached.insert(network);
        let addrs = self.addrs();
        // Interfaces may not be known yet: then it is told when they are.
        if !addrs.is_empty() {
            self.tell_roster(network, roster::Input::Bound(List::truncated(addrs)));
        }
    }

    /// Where peers can reach this node.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        let Some(endpoint) = self.endpoint.get() else {
            return Vec::new();
        };
        let known = reachable(endpoint.addr().ip_addrs().copied());
        if !known.is_empty() {
            return known;
        }
        reachable(endpoint.bound_sockets())
    }

    async fn take_connections(self: Arc<Self>, endpoint: Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            self.take_connection(incoming);
        }
        self.port.fail("the endpoint closed by itself".to_owned());
    }

    fn take_connection(self: &Arc<Self>, incoming: Incoming) {
        let mut links = self.links();
        let strangers = links.strangers();
        let source = match incoming.remote_addr() {
            IncomingAddr::Ip(addr) => source_of(addr.ip()),
            // There is no other way to this endpoint.
            IncomingAddr::Relay { .. } | IncomingAddr::Custom(_) | _ => return incoming.refuse(),
        };
        let alike = links.strangers_from(source);
        let crowded = strangers >= STRANGERS_MAX || alike >= STRANGERS_PER_SOURCE_MAX;
        let doubted = strangers >= UNPROVED_MAX || alike >= UNPROVED_PER_SOURCE_MAX;
        if !crowded && doubted && !incoming.remote_addr_validated() {
            // The sender has to show that it receives at its address before it costs more.
            drop(incoming.retry());
            return;
        }
        if crowded || links.links.len() + links.handshakes.len() >= LINKS_MAX {
            self.counts().no_room.add();
            return incoming.refuse();
        }
        links.handshakes.push(source);
        drop(links);
        self.spawn(Arc::clone(self).shake_hands(incoming, source));
    }

    async fn shake_hands(self: Arc<Self>, incoming: Incoming, source: IpAddr) {
        let accepted = async { incoming.accept().ok()?.await.ok() };
        let conn = timeout(HANDSHAKE_WAIT, accepted).await.ok().flatten();
        let mut links = self.links();
        if let Some(at) = links.handshakes.iter().position(|from| *from == source) {
            links.handshakes.swap_remove(at);
        }
        match conn {
            Some(conn) if conn.remote_id().as_bytes() == &self.me.0 => {
                conn.close(code::OVER, b"this node does not speak with itself");
            }
            Some(conn) => drop(self.add_link(&mut links, conn, Some(source))),
            None => self.counts().handshakes.add(),
        }
    }
}

/// Who counts as one stranger's address: whoever has an IPv6 address has the rest of its /64.
pub(crate) fn source_of(addr: IpAddr) -> IpAddr {
    match addr.to_canonical() {
        IpAddr::V4(addr) => IpAddr::V4(addr),
        IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() >> 64 << 64)),
    }
}

/// The first address of a family takes what no other one is nearer to.
fn opts(addr: &SocketAddr, first: bool) -> BindOpts {
    match addr {
        _ if first => BindOpts::default(),
        SocketAddr::V4(_) => BindOpts::default().set_prefix_len(24),
        SocketAddr::V6(_) => BindOpts::default().set_prefix_len(64),
    }
}

/// Binding takes milliseconds.
const BIND_WAIT: Duration = Duration::from_secs(5);
/// Tries, with [`BIND_PAUSE`] between them: an earlier life lets go of its port within a second.
const BIND_TRIES: u32 = 30;
const BIND_PAUSE: Duration = Duration::from_millis(100);
/// Two and a half of the longest round trips that a session could be held over.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(5);
