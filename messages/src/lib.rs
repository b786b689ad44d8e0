//! Everything that crosses a mailbox or a wire, as plain data.
//!
//! Nothing here performs I/O, reads a clock or draws a number. A [`Letter`] is one message to one
//! actor; its [`Address`] is derived from it. The bytes between peers live in [`wire`]; what an
//! actor may be told lives in the module of its name; what a driver may be asked, and what it
//! reports, lives in [`ports`].

mod address;
mod base32;
mod bounded;
mod digest;
mod ids;
mod job;
mod letter;
mod neighbourhood;
mod record;
mod seed;
mod text;
mod ticket;
mod time;
mod trace;

pub mod gossip_store;
pub mod inference_worker;
pub mod limits;
pub mod observer;
pub mod peer_session;
pub mod ports;
pub mod request_proxy;
pub mod roster;
pub mod router;
pub mod wire;

pub use address::{Address, Branch};
pub use bounded::{Label, List, TooLong};
pub use digest::{Digest, Hasher};
pub use ids::{
    DeviceId, IdError, JobId, LinkId, ModelId, NetworkId, NodeId, QueryId, RequestId, StreamId,
    TicketKey, Token,
};
pub use job::{
    Compute, EndReason, Job, Message, Prompt, Refusal, Role, Sampling, TokenBatch, TokenId,
    TokenPiece, Usage,
};
pub use letter::{Class, Coalesce, Letter, WrongActor};
pub use neighbourhood::{KEEP_MAX, Neighbourhood, NeighbourhoodFault};
pub use record::{
    Accepting, BadPrefix, Capabilities, Kind, ModelAdvert, Prefix, Record, RecordClass,
    RecordError, RecordKey, SharedPrompt, Signature, SignedRecord, Stamp, ToolMode, ToolPermission,
};
pub use seed::Seed;
pub use text::Text;
pub use ticket::{Credential, Grant, SignedGrant, Ticket, TicketError, network_of};
pub use time::{Micros, Mono, Now, Wall};
pub use trace::TraceContext;
