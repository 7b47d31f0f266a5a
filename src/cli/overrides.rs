//! What the operator says of prefixes, in `probes.toml`: it goes into the dataset as a table like others, so that
//! reports are made with it whoever makes them.

use std::fmt::Write as _;

use crate::analyse::origin::{OriginSource, OriginSourceBuilder, SourceClass};
use crate::dataset::{Dataset, DatasetError};
use crate::measure::campaign::{Campaign, Circumstances};

/// Where the table lies in a dataset.
const FILE: &str = "origins/overrides.txt";

/// The same circumstances, with the table of overrides if the campaign has any.
pub(super) fn with_overrides(campaign: &Campaign, mut now: Circumstances) -> Circumstances {
    if !campaign.origins.overrides.is_empty() {
        now.origins.push(format!("overrides:{FILE}"));
    }
    now
}

/// Puts the table into a new dataset.
pub(super) fn keep(campaign: &Campaign, dataset: &mut Dataset) -> Result<(), DatasetError> {
    if campaign.origins.overrides.is_empty() || dataset.path().join(FILE).exists() {
        return Ok(());
    }
    let mut table = String::from("# Overrides of the campaign: prefix, AS.\n");
    for (prefix, asn) in &campaign.origins.overrides {
        let _ = writeln!(table, "{prefix}\t{}", asn.get());
    }
    dataset.write_file(FILE, table.as_bytes()).map(drop)
}

/// As a source, where there is no dataset; `None` if there are none.
pub(super) fn source(campaign: &Campaign) -> Option<OriginSource> {
    let mut source = OriginSourceBuilder::default();
    for (prefix, asn) in &campaign.origins.overrides {
        source.add(*prefix, &[(*asn).into()]);
    }
    (!source.is_empty()).then(|| source.finish("probes.toml", SourceClass::Override))
}
