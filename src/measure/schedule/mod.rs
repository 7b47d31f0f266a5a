//! When: rounds by interval or cron, the order of probes within a round, and the pace at which they leave.
//!
//! Everything here is pure and seeded: times come in as arguments, and the same seed gives the same
//! timetable and the same order on every machine and after every restart. Nothing here waits.

mod bucket;
mod pacer;
mod permutation;
mod seed;
mod spread;
mod timetable;

pub use bucket::{Bucket, Buckets, Refill};
pub use pacer::{Gate, Pacer, PacerRates};
pub use permutation::Permutation;
pub use seed::Draw;
pub use spread::Spread;
pub use timetable::{Due, Schedule, Timetable, When};
