//! What the control socket asks of the node itself.

use crate::networks::{membership_of, seed};
use driver_control::{About, Duties};
use driver_http::{Addresses, Readiness};
use driver_store::Database;
use host::Clock;
use kernel::Child;
use messages::{DeviceId, Neighbourhood, NetworkId, NodeId};
use std::fmt;
use std::sync::Arc;
use tokio::sync::Notify;

/// What the control socket asks of the node itself.
pub(crate) struct NodeDuties {
    pub(crate) me: NodeId,
    pub(crate) boot: u64,
    pub(crate) version: String,
    pub(crate) devices: Vec<DeviceId>,
    pub(crate) neighbourhood: Neighbourhood,
    pub(crate) database: Database,
    pub(crate) addresses: Addresses,
    pub(crate) ready: Readiness,
    pub(crate) clock: Clock,
    pub(crate) stop: Arc<Notify>,
}

impl Duties for NodeDuties {
    fn about(&self) -> About {
        About {
            node: self.me,
            boot: self.boot,
            version: self.version.clone(),
            api: self.addresses.api.to_string(),
            console: self.addresses.console.to_string(),
            why_not: self.ready.why_not(),
        }
    }

    fn join(&self, ticket: &str) -> Result<(NetworkId, [Child; 2]), String> {
        let wall = self.clock.now().wall;
        let membership = membership_of(ticket, self.me, wall).map_err(|error| error.to_string())?;
        let network = membership.network();
        self.database
            .join(&membership)
            .map_err(|error| error.to_string())?;
        let seed = seed(
            membership,
            self.me,
            self.boot,
            &self.devices,
            self.neighbourhood,
            &self.version,
        );
        Ok((network, tree::network_children(seed)))
    }

    fn stop(&self) {
        self.stop.notify_one();
    }
}

impl fmt::Debug for NodeDuties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeDuties")
            .field("me", &self.me)
            .finish_non_exhaustive()
    }
}
