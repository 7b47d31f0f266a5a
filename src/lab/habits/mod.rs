//! Habits of routers that a prober meets: from which address they answer, how often, what their quotes show
//! wrongly, how they number what they send, how they translate addresses, and what their tunnels hide.
//!
//! Everything here is pure, and serves the simulator and the truth alike; only the tokens of a
//! [`rate::Bucket`] and what is counted change, and those are the simulator's.

pub(super) mod identification;
pub(super) mod mangle;
pub(super) mod nat;
pub(super) mod rate;

pub(super) mod tunnel;
pub(super) mod voice;

pub use identification::TrueIpIds;
