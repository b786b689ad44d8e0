//! The driver over real sockets on loopback, between probes in place of its neighbours.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test names the one thing it waits for"
)]

mod bounds;
mod hostile;
mod jobs;
mod links;
mod measure;
mod world;
