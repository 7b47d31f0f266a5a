//! Arguments of `whatif`.

use std::path::PathBuf;

use clap::Args;

use crate::model::Asn;

/// How links and ASes are written.
pub(in crate::cli) const SYNTAX: &str = "\
What is lost:   AS4837 (an AS with all its links), AS4837-AS131279 (a link), or the name of a set in --sets
What is added:  AS20485-AS131279:transit (the first sells transit to the second), AS1-AS2:peering,
                AS1-AS2:siblings; of a link that is there already, its new relation

Figures are predicted by a model from inferred relations. docs/whatif.md has the model, its limits and
the columns of the CSV.";

/// Arguments of `whatif`.
#[derive(Args, Debug)]
pub(in crate::cli) struct WhatifArgs {
    /// Tables of AS relationships (CAIDA as-rel and its like, plain, gz or bz2); several are several snapshots
    #[arg(long, value_name = "FILE", required_unless_present = "dataset", num_args = 1..)]
    pub(super) as_rel: Vec<PathBuf>,
    /// The AS to which routes lead
    #[arg(long, value_name = "ASN")]
    pub(super) origin: Asn,
    /// What is lost; can be given several times
    #[arg(long, value_name = "WHAT")]
    pub(super) lose: Vec<String>,
    /// What is added; can be given several times
    #[arg(long, value_name = "LINK:RELATION")]
    pub(super) add: Vec<String>,
    /// Named sets of links and ASes, as TOML or CSV
    #[arg(long, value_name = "FILE")]
    pub(super) sets: Option<PathBuf>,
    /// The only neighbours that the origin tells of the prefix in question [default: all]
    #[arg(long, value_name = "ASN", value_delimiter = ',')]
    pub(super) only_to: Vec<Asn>,
    /// Over how many random orders of neighbours figures are shown as a range
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub(super) seeds: u32,
    /// Rank the links and ASes whose loss hurts most, after what is lost and added; show so many [default: 10]
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10")]
    pub(super) rank: Option<usize>,
    /// Also rank them in pairs
    #[arg(long, requires = "rank")]
    pub(super) pairs: bool,
    /// How many of the most used links and ASes are tried
    #[arg(long, value_name = "N", default_value_t = 200, requires = "rank")]
    pub(super) candidates: usize,
    /// A dataset whose measured links are added to the tables, where they are missing
    #[arg(long, value_name = "DIR")]
    pub(super) dataset: Option<PathBuf>,
    /// Prefix-to-AS tables instead of those that the dataset's campaign names
    #[arg(long, value_name = "FILE", requires = "dataset")]
    pub(super) origins: Vec<PathBuf>,
    /// Hold predictions against what came: against later tables (without --lose and --add, of what became of the
    /// origin's links), or of the events of a dataset
    #[arg(long, conflicts_with = "rank")]
    pub(super) backtest: bool,
    /// The later tables, one for each of --as-rel
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "backtest", conflicts_with = "dataset")]
    pub(super) after: Vec<PathBuf>,
    /// Tables of the names of ASes
    #[arg(long, value_name = "FILE")]
    pub(super) as_names: Vec<PathBuf>,
    /// Also write every value into this file
    #[arg(long, value_name = "FILE")]
    pub(super) csv: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long, conflicts_with = "backtest")]
    pub(super) json: bool,
}
