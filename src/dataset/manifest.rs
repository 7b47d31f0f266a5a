//! `campaign.toml`: the campaign as it was run. Written once, when the dataset is made, and never changed.

use std::net::IpAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::model::{AsLink, Event, LinkChange, Name, SourceText, Unit, WallTime};

use super::DatasetError;
use super::columns::FORMAT_VERSION;

/// The campaign as it was run.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The campaign.
    pub campaign: Name,
    /// Who measures.
    pub vantage: Name,
    /// What every random choice of the campaign was drawn from.
    pub seed: u64,
    /// When it began.
    pub started_at: WallTime,
    /// The program that measured, with its version.
    pub program_version: String,
    /// Tells whether two campaigns tagged their probes with the same key, and not the key.
    pub key_fingerprint: String,
    /// True if the network was the lab.
    pub rehearsal: bool,
    /// The scenario, if time was virtual: then the dataset cannot be gone on with.
    pub scenario: Option<String>,
    /// How many times as fast as real time the wall clock ran; 1 outside the lab.
    pub speed: f64,
    /// The `probes.toml`, word for word.
    pub config_toml: String,
    /// The blocks about which the campaign speaks.
    pub units: Vec<UnitInfo>,
    /// The events that were declared.
    pub events: Vec<Event>,
    /// Paths of origin tables; relative ones lie inside the dataset.
    pub origins: Vec<String>,
    /// Paths of tables of AS names; relative ones lie inside the dataset.
    pub as_names: Vec<String>,
    /// The addresses from which was probed: at most one of each family.
    pub sources: Vec<IpAddr>,
}

/// A unit of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitInfo {
    /// The block.
    pub unit: Unit,
    /// Whether it is there to tell the vantage's own trouble apart.
    pub control: bool,
}

impl Manifest {
    /// As it stands in `campaign.toml`.
    pub(super) fn to_toml(&self, path: &Path) -> Result<String, DatasetError> {
        let file = ManifestFile {
            format: FORMAT_VERSION.into(),
            campaign: self.campaign.clone(),
            vantage: self.vantage.clone(),
            seed: self.seed.to_string(),
            started_at: self.started_at.to_string(),
            program_version: self.program_version.clone(),
            key_fingerprint: self.key_fingerprint.clone(),
            rehearsal: self.rehearsal,
            scenario: self.scenario.clone(),
            speed: self.speed,
            origins: self.origins.clone(),
            as_names: self.as_names.clone(),
            sources: self.sources.clone(),
            config: self.config_toml.clone(),
            units: self.units.clone(),
            events: self.events.iter().map(EventFile::from).collect(),
        };
        toml::to_string_pretty(&file).map_err(|error| DatasetError::damaged(path, error))
    }

    /// Reads `campaign.toml`; refuses one of a newer format before anything else in it is looked at.
    pub(super) fn from_toml(path: &Path, text: &str) -> Result<Self, DatasetError> {
        let name = path.display().to_string();
        let source = SourceText::new(&name, text);
        let version: VersionOnly = source.parse().map_err(|error| DatasetError::damaged(path, error))?;
        if version.format > u64::from(FORMAT_VERSION) {
            let (path, found) = (path.to_owned(), version.format);
            return Err(DatasetError::Newer { path, found, known: FORMAT_VERSION });
        }
        let file: ManifestFile = source.parse().map_err(|error| DatasetError::damaged(path, error))?;
        file.manifest().map_err(|reason| DatasetError::damaged(path, reason))
    }
}

#[derive(Deserialize)]
struct VersionOnly {
    format: u64,
}

/// The file. The seed is a text because TOML has no whole numbers above 2⁶³.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ManifestFile {
    format: u64,
    campaign: Name,
    vantage: Name,
    seed: String,
    started_at: String,
    program_version: String,
    key_fingerprint: String,
    rehearsal: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scenario: Option<String>,
    speed: f64,
    origins: Vec<String>,
    as_names: Vec<String>,
    sources: Vec<IpAddr>,
    config: String,
    #[serde(default)]
    units: Vec<UnitInfo>,
    #[serde(default)]
    events: Vec<EventFile>,
}

impl ManifestFile {
    fn manifest(self) -> Result<Manifest, String> {
        let seed = self.seed.parse().map_err(|_| "seed: must be a whole number from 0".to_owned())?;
        let started_at = WallTime::parse_rfc3339(&self.started_at).map_err(|error| error.to_string())?;
        let events: Result<_, String> = self.events.into_iter().map(EventFile::event).collect();
        Ok(Manifest {
            campaign: self.campaign,
            vantage: self.vantage,
            seed,
            started_at,
            program_version: self.program_version,
            key_fingerprint: self.key_fingerprint,
            rehearsal: self.rehearsal,
            scenario: self.scenario,
            speed: self.speed,
            config_toml: self.config,
            units: self.units,
            events: events?,
            origins: self.origins,
            as_names: self.as_names,
            sources: self.sources,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventFile {
    at: String,
    change: LinkChange,
    link: AsLink,
}

impl From<&Event> for EventFile {
    fn from(event: &Event) -> Self {
        Self { at: event.at.to_string(), change: event.change, link: event.link }
    }
}

impl EventFile {
    fn event(self) -> Result<Event, String> {
        let at = WallTime::parse_rfc3339(&self.at).map_err(|error| error.to_string())?;
        Ok(Event { at, change: self.change, link: self.link })
    }
}
