//! Deterministic simulation: whole campaigns in virtual time, each drawn from a seed with the world that it measures
//! and all that goes wrong, and judged by a court that believes the lab and not the product.
//!
//! ```text
//! seed ─▶ world ─▶ campaign ─▶ faults ─▶ stage (rehearse, killed and resumed) ─▶ invariants, truth
//! ```
//!
//! `docs/testing.md` says what is checked and what is not. A seed that breaks a rule is replayed by
//! `scripts/soak --seed N`.

mod campaign;
mod dead_vantage;
mod dice;
mod faults;
mod invariants;
mod planted;
#[allow(dead_code, reason = "what one suite does not use, another does")]
#[path = "../played/mod.rs"]
mod played;
mod reading;
mod soak;
mod stage;
mod trial;
mod truth;
mod world;
