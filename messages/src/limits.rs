//! The limits that both ends of a mailbox or a wire must agree on, each with its reason.

/// A control frame: a Hello, a verdict, a handful of records. 64 KiB holds 30 records of 2 KiB.
pub const CONTROL_FRAME_BYTES_MAX: usize = 64 * 1024;
/// A data frame: a prompt of the largest size, or a batch of tokens.
pub const DATA_FRAME_BYTES_MAX: usize = 1024 * 1024;
/// All messages of one prompt together: under the data frame, with room for the rest of the job.
pub const PROMPT_BYTES_MAX: usize = 960 * 1024;
/// Messages of one chat: longer ones exceed every context we serve.
pub const MESSAGES_MAX: usize = 4096;
/// Tokens of one request, and so of a resume log: the largest context in common use.
pub const TOKENS_MAX: usize = 131_072;
/// Tokens of one frame: a decode step yields one per job; a re-sent backlog is cut at this.
pub const BATCH_TOKENS_MAX: usize = 256;
/// Bytes of one token: the longest in published vocabularies is under 300.
pub const TOKEN_BYTES_MAX: usize = 1024;
/// Stop strings of one request: the field's API allows 4; a few clients send more.
pub const STOPS_MAX: usize = 16;
/// Bytes of one stop string.
pub const STOP_BYTES_MAX: usize = 256;
/// Models one node advertises.
pub const MODELS_MAX: usize = 64;
/// Addresses one node advertises: interfaces times address families, reflected ones included.
pub const ADDRS_MAX: usize = 16;
/// Bytes of a name (model, network, ticket).
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a reason shown to a person.
pub const REASON_BYTES_MAX: usize = 256;
/// Members of one network that a node remembers; a mesh of this cut holds 10,000.
pub const MEMBERS_MAX: usize = 16_384;
/// Records in one Introductions frame: 32 records of at most 1.9 KiB fit a control frame.
pub const INTRODUCTIONS_MAX: usize = 32;
/// Bytes of one record's value.
pub const RECORD_BYTES_MAX: usize = 1024;
/// Job streams that one peer may hold open at a worker's node.
pub const JOBS_PER_PEER_MAX: usize = 256;
/// Peers that may be in the handshake at once, per network: each costs a session and a deadline.
pub const HANDSHAKES_MAX: usize = 64;
