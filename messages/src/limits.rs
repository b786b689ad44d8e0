//! The limits that both ends of a mailbox or a wire must agree on, each with its reason.

/// A control frame: a Hello, a verdict, a handful of records. 64 KiB holds 30 records of 2 KiB.
pub const CONTROL_FRAME_BYTES_MAX: usize = 64 * 1024;
/// A job as it is asked for. Any job within the limits fits, also when it is resumed at the end of
/// the longest answer: the sum is asserted below.
pub const JOB_FRAME_BYTES_MAX: usize = 1664 * 1024;
/// A reply: the largest batch of tokens, which the sum below fits in.
pub const REPLY_FRAME_BYTES_MAX: usize = 272 * 1024;
/// All messages of one prompt together: a context of [`TOKENS_MAX`] at seven bytes a token.
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
/// Members that are shown as dialled and not reached: for people, who look into the first few.
pub const UNREACHED_MAX: usize = 16;
/// Records in one Introductions frame: 32 records of at most 1.9 KiB fit a control frame.
pub const INTRODUCTIONS_MAX: usize = 32;
/// Bytes of one record's value: a prompt of a page. Of one author 4,096 of them are kept, 16 MiB.
pub const RECORD_BYTES_MAX: usize = 4096;
/// Bytes of what a node says of itself: 32 of them fit a frame.
pub const CAPABILITIES_BYTES_MAX: usize = 1024;
/// Bytes of one text of a shared prompt; all of it together is a record.
pub const PROMPT_TEXT_BYTES_MAX: usize = 3072;
/// Commands of a tool that are always accepted.
pub const COMMANDS_MAX: usize = 32;
/// Bytes of one of them.
pub const COMMAND_BYTES_MAX: usize = 512;
/// Members that a network's prompts and permissions are taken from, where not all are trusted.
pub const TRUSTED_MAX: usize = 64;
/// Job streams that one peer may hold open at a worker's node: a gateway's thousand clients over
/// one hop. What each may cost stands at the transport's windows and queues.
pub const JOBS_PER_PEER_MAX: usize = 1024;
/// Bytes of control frames that wait in one session's mailbox: sixteen of the largest. An honest
/// peer sends 128 KiB of members every 20 ms at most.
pub const FRAMES_WAITING_BYTES_MAX: usize = 1024 * 1024;
/// Networks that one node carries: each costs a digest per incoming stream, and a roster.
pub const NETWORKS_MAX: usize = 64;
/// Peers that may be in the handshake at once, per network: each costs a session and a deadline.
pub const HANDSHAKES_MAX: usize = 64;

/// The longest form of a `u32` in a frame.
const NUMBER_BYTES_MAX: usize = 5;
/// What a job holds besides messages and tokens: ids, digests, numbers.
const JOB_REST_BYTES: usize = 1024;

const _: () = assert!(
    PROMPT_BYTES_MAX
        + MESSAGES_MAX * (1 + NUMBER_BYTES_MAX)
        + TOKENS_MAX * NUMBER_BYTES_MAX
        + JOB_REST_BYTES
        <= JOB_FRAME_BYTES_MAX,
    "a job that was taken could not be resumed elsewhere"
);
const _: () = assert!(
    BATCH_TOKENS_MAX * (TOKEN_BYTES_MAX + 2 * NUMBER_BYTES_MAX) + JOB_REST_BYTES
        <= REPLY_FRAME_BYTES_MAX,
    "a batch of tokens could not be sent"
);
