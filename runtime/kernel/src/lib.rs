//! The pure half of the runtime: what a machine is, what it may do, and what becomes of its
//! letters and of itself.
//!
//! A turn of a [`Machine`] is a function of (state, now, input, own random stream). Its effects
//! leave after it succeeded, through the [`Switchboard`], which knows who lives, who restarts and
//! who watches whom. Both worlds use the same switchboard: production puts a concurrent fast path
//! before it, simulation calls it directly.

mod directory;
mod effect;
mod entropy;
mod machine;
mod mailbox;
mod page;
mod restart;
mod switchboard;
mod trace;

pub mod marks;
pub mod scripted;

pub use directory::Directory;
pub use effect::{
    Child, Effect, Exit, How, Incarnation, Outbox, Restart, ReturnReason, Signal, Source,
};
pub use entropy::Entropy;
pub use machine::{
    Ctx, Deadline, DynMachine, Erased, Failure, Machine, Signed, Signer, Turn, View,
};
pub use mailbox::{Depth, Limits, Shed, admit, limits_of};
pub use messages::{Micros, Mono, Now, Wall};
pub use restart::{Decision, History, decide};
pub use switchboard::{Action, Mail, Switchboard};
pub use trace::{Trace, TraceEvent};
