//! The campaign as it goes into the dataset.

use std::net::IpAddr;

use super::config::Campaign;
use crate::dataset::{Manifest, UnitInfo};
use crate::model::WallTime;
use crate::wire::Sources;

/// How a campaign is being run, beyond what its file says.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// When it begins.
    pub started_at: WallTime,
    /// Names the key of the probes' tags.
    pub key_fingerprint: String,
    /// Whether the network is the lab.
    pub rehearsal: bool,
    /// The scenario, if time is virtual.
    pub scenario: Option<String>,
    /// How many times as fast as real time the wall clock runs.
    pub speed: f64,
    /// Origin tables; relative paths lie inside the dataset.
    pub origins: Vec<String>,
    /// Tables of AS names; relative paths lie inside the dataset.
    pub as_names: Vec<String>,
    /// Where the probes come from.
    pub sources: Sources,
}

/// The campaign as run: `config` is its file, word for word.
#[must_use]
pub fn manifest(campaign: &Campaign, config: &str, circumstances: Circumstances) -> Manifest {
    let Sources { v4, v6 } = circumstances.sources;
    let (v4, v6) = (v4.map(IpAddr::V4), v6.map(IpAddr::V6));
    let units = campaign.units().into_iter().map(|(unit, control)| UnitInfo { unit, control });
    Manifest {
        campaign: campaign.name.clone(),
        vantage: campaign.vantage.name.clone(),
        seed: campaign.seed,
        started_at: circumstances.started_at,
        program_version: concat!("tetherline ", env!("CARGO_PKG_VERSION")).to_owned(),
        key_fingerprint: circumstances.key_fingerprint,
        rehearsal: circumstances.rehearsal,
        scenario: circumstances.scenario,
        speed: circumstances.speed,
        config_toml: config.to_owned(),
        units: units.collect(),
        events: campaign.events.clone(),
        origins: circumstances.origins,
        as_names: circumstances.as_names,
        sources: v4.into_iter().chain(v6).collect(),
    }
}
