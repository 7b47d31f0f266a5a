//! What flows tell of load balancers: who answers at each hop of a way, which links there are, how the flows
//! are split, and when enough of them have been sent.
//!
//! Both wings stand on this: the multipath prober asks it what is still open, and the analysis asks it what
//! was found. Pure knowledge; it sends nothing and decides nothing.
//!
//! ```text
//! answers ──▶ FlowMap of Hops ──▶ Links         StoppingRule: how many flows are enough
//!                   ├──────────▶ Splits ────────────▲ where branches are not equal
//!                   └──────────▶ Ends ──────────────▲ where neighbouring targets have shown it
//! ```

mod ends;
mod flow_map;
mod hop;
mod links;
mod repeats;
mod splits;
mod stopping;

pub use ends::Ends;
pub use flow_map::FlowMap;
pub use hop::{Cell, Heard, Hop, SILENT_AFTER};
pub use links::{CERTAINLY_ALONE, Links, controlled};
pub use repeats::{answers_wanted, flows_behind_by_packet};
pub use splits::Splits;
pub use stopping::{BadConfidence, StoppingRule, chance_missed};
