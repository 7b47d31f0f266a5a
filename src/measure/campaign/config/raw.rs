//! The tables of `probes.toml` as they stand in the file: what keys there are, and of which type. Values
//! carry their place, so that `check` can name the line; what they mean is documented in the shipped file.

use serde::Deserialize;
use toml::Spanned;

/// Declares a table of the file; every key that is not named is refused.
macro_rules! table {
    ($name:ident { $($key:ident: $type:ty,)+ }) => {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name { $(pub(super) $key: $type,)+ }
    };
}

/// As [`table!`], for a table that may be left out.
macro_rules! optional_table {
    ($name:ident { $($key:ident: $type:ty,)+ }) => {
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name { $(pub(super) $key: $type,)+ }
    };
}

pub(super) type Text = Spanned<String>;
pub(super) type Whole = Spanned<i64>;
pub(super) type Number = Spanned<f64>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) campaign: CampaignTable,
    pub(super) operator: Option<OperatorTable>,
    pub(super) vantage: VantageTable,
    #[serde(default)]
    pub(super) rates: RatesTable,
    #[serde(default)]
    pub(super) guard: GuardTable,
    #[serde(default)]
    pub(super) targets: Vec<TargetTable>,
    #[serde(default)]
    pub(super) probers: Vec<ProberTable>,
    #[serde(default)]
    pub(super) origins: OriginsTable,
    #[serde(default)]
    pub(super) alarms: AlarmsTable,
    #[serde(default)]
    pub(super) events: Vec<EventTable>,
    #[serde(default)]
    pub(super) output: OutputTable,
}

table!(CampaignTable { name: Text, seed: Option<Whole>, duration: Option<Text>, });
table!(OperatorTable { name: Text, contact: Text, url: Option<Text>, purpose: Text, });
table!(VantageTable {
    name: Text,
    interface: Option<Text>,
    source_v4: Option<Text>,
    source_v6: Option<Text>,
    packet_path: Option<Text>,
});
optional_table!(RatesTable {
    total: Option<Number>,
    burst: Option<Whole>,
    per_unit: Option<Number>,
    per_responder: Option<Number>,
    liveness_per_unit_hour: Option<Number>,
});
optional_table!(GuardTable { allow_private: bool, opt_outs: Option<Text>, });
table!(TargetTable {
    prefix: Text,
    unit_length: Option<Whole>,
    select: Option<Text>,
    per_unit: Option<Whole>,
    hitlist: Option<Vec<Text>>,
    control: Option<bool>,
});
table!(ProberTable {
    name: Text,
    kind: Text,
    every: Option<Text>,
    cron: Option<Text>,
    jitter: Option<Text>,
    timeout: Option<Text>,
    echoes: Option<Whole>,
    spacing: Option<Text>,
    ports: Option<Spanned<Vec<Whole>>>,
    attempts: Option<Whole>,
    protocol: Option<Text>,
    port: Option<Whole>,
    flows: Option<Whole>,
    first_ttl: Option<Whole>,
    max_ttl: Option<Whole>,
    gap_limit: Option<Whole>,
    algorithm: Option<Text>,
    confidence: Option<Number>,
    balancers: Option<Whole>,
    narrowest_branch: Option<Number>,
    packets: Option<Whole>,
    every_address: Option<Spanned<bool>>,
    limit_tests: Option<Whole>,
});
optional_table!(OriginsTable {
    tables: Vec<Text>,
    overrides: Vec<OverrideTable>,
    as_names: Vec<Text>,
    reverse_dns: Option<Spanned<bool>>,
    cymru: Option<Spanned<bool>>,
    resolver: Option<Text>,
    queries_per_second: Option<Number>,
    timeout: Option<Text>,
});
table!(OverrideTable { prefix: Text, asn: Spanned<toml::Value>, });
optional_table!(AlarmsTable { enabled: Option<bool>, one_false_in: Option<Text>, });
table!(EventTable { at: Spanned<toml::Value>, change: Text, link: Text, });
optional_table!(OutputTable { directory: Option<Text>, min_free: Option<Text>, });
