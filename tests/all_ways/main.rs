//! Multipath searches and censuses in virtual time: what they find of the simulated Internet, what they miss, and
//! that they make nothing up. `TETHERLINE_MORE_SEEDS=20` plays twenty times as many seeds; with `--nocapture` the
//! figures of `docs/measurements.md` are printed.

mod census;
mod exchange;
mod multipath;
#[allow(dead_code, reason = "what one suite does not use, another does")]
#[path = "../played/mod.rs"]
mod played;
mod stage;
