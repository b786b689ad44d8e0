//! The version that this program speaks first. Re-exports are explicit: a new version is a new
//! folder and an edit of this list.

pub use super::v1::control::{ControlFrame, Deny, Hello, Introduction, Load};
pub use super::v1::frame::{Frame, FrameError, HEADER_BYTES, Header};
pub use super::v1::gossip::{
    AUTHORS_MAX, AskId, BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BRANCHES, ENTRIES_MAX, Entry, Gossip,
    PLACES_MAX, Part, Roots, batch,
};
pub use super::v1::job::{Accepted, Beacon, End, JobReply, JobRequest, Refused};
pub use super::v1::preface::{Preface, Purpose, network_tag};
pub use super::v1::{ALPN, EXPORTER_LABEL, VERSION};
