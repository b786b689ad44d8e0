//! How much of what a node serves its own record has room for.

use driver_llama::LlamaConfig;
use messages::limits::CAPABILITIES_BYTES_MAX;
use messages::{Capabilities, Compute, Label, List, ModelAdvert};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

#[cfg(test)]
mod tests;

/// What a human is told where peers do not learn of all models; nothing where they do.
pub(crate) fn left_out(config: &LlamaConfig, version: &str) -> Option<String> {
    let models = config.models.iter();
    let adverts = models.map(|model| model.advert(config.context_max, Compute::default()));
    sentence(&adverts.collect::<Vec<_>>(), version)
}

fn sentence(adverts: &[ModelAdvert], version: &str) -> Option<String> {
    let told = room_for(adverts, version);
    (told < adverts.len()).then(|| {
        format!(
            "peers are told of the first {told} or so of the {} models here, for what a node says \
             of itself has at most {CAPABILITIES_BYTES_MAX} bytes: the others serve this node's \
             own clients alone",
            adverts.len()
        )
    })
}

/// How many of these models fit a record, from the first. The roster leaves out the last, too; it
/// knows the addresses, of which this takes an ordinary machine's.
fn room_for(adverts: &[ModelAdvert], version: &str) -> usize {
    let ipv4 = SocketAddr::from((Ipv4Addr::BROADCAST, u16::MAX));
    let ipv6 = SocketAddr::from((Ipv6Addr::LOCALHOST, u16::MAX));
    let mut said = Capabilities {
        llms: List::truncated(adverts.iter().cloned()),
        app_version: Label::truncated(version),
        addrs: List::truncated([ipv4, ipv6]),
        ..Capabilities::default()
    };
    while said.encode().is_err() && !said.llms.is_empty() {
        let mut llms = said.llms.into_vec();
        llms.pop();
        said.llms = List::truncated(llms);
    }
    said.llms.len()
}
