//! What drivers may be asked, and what they report: pairs of enums, the same in every world.

pub mod control;
pub mod engine;
pub mod gateway;
pub mod store;
pub mod stream;
pub mod transport;
