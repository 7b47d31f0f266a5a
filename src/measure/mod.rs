//! From a campaign to records: the measuring wing.
//!
//! The way of the data: `campaign` says what is wanted, `schedule` when, `probe` which packets, `guard`
//! whether each may leave, `net` sends and receives. The wing knows the dataset, and nothing of `analyse`.

pub mod campaign;
pub mod guard;
pub mod net;
pub mod probe;
pub mod schedule;
