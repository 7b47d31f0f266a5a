//! What is wanted: a campaign, read from `probes.toml`, and what it would send.

pub mod config;
pub mod plan;

pub use config::{
    Campaign, Operator, Origins, ProberKind, ProberSpec, Rates, Select, Target, TargetSet, VantageConfig,
};
pub use plan::Plan;
