//! All ways that multipath searches and censuses of a dataset found, and how routers answered: as CSV, one row a
//! link, a hop, or a tested router. Nothing is judged here; `docs/formats.md` documents the columns.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use csv::{Terminator, Writer, WriterBuilder};

use super::recompute::{self, RecomputeError};
use crate::analyse::compare::{Findings, analyse_read};
use crate::analyse::origin::OriginTable;
use crate::analyse::voices::{Voice, Voices};
use crate::analyse::ways::{Censuses, Searches, UnitWays, Ways, WaysHop, WaysLink};
use crate::dataset::{Dataset, ProbeRecord, Read};
use crate::model::{Method, Name, RoundId, Ttl};

/// The columns that say which search a row is about.
const WHICH: [&str; 7] = ["vantage", "round", "prober", "method", "protocol", "unit", "target"];
const LINK: [&str; 7] = ["ttl", "from", "from_asn", "to", "to_asn", "flows", "share"];
const HOP: [&str; 8] = [
    "ttl",
    "routers",
    "flows_asked",
    "flows_answered",
    "per_packet",
    "narrowest_branch",
    "chance_missed",
    "left_open",
];
const VOICE: [&str; 10] = [
    "vantage",
    "round",
    "prober",
    "unit",
    "ttl",
    "router",
    "router_asn",
    "verdict",
    "asked_per_second",
    "answered_per_second",
];

/// The ways of a dataset, with what is known beside them.
#[derive(Debug)]
pub struct AllWays {
    searches: Vec<Ways>,
    units: Vec<UnitWays>,
    voices: Vec<Voice>,
    probers: BTreeMap<RoundId, Name>,
    origins: OriginTable,
}

/// All ways of a dataset, with these origin tables or, if there are none, with those that its campaign names.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub fn all_ways(dataset: &Dataset, origins: &[PathBuf]) -> Result<AllWays, RecomputeError> {
    let mut open = OpenWays::new(dataset)?;
    for record in dataset.records()?.read_ahead()? {
        record?.records().iter().for_each(|record| open.add(record));
    }
    open.finish(dataset, recompute::origin_table(dataset, origins)?)
}

/// The same together with the findings, for which the records are read but once.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub fn findings_and_ways(
    dataset: &Dataset,
    origins: &[PathBuf],
) -> Result<(Findings, AllWays), RecomputeError> {
    let mut open = OpenWays::new(dataset)?;
    let findings = recompute::from_records(dataset, origins, |question, table, read| {
        let noted = read.inspect(|read| {
            if let Read::Records(records) = read {
                for record in records {
                    open.add(record);
                }
            }
        });
        analyse_read(question, table, noted)
    })?;
    let ways = open.finish(dataset, recompute::origin_table(dataset, origins)?)?;
    Ok((findings, ways))
}

/// Ways in the making.
struct OpenWays {
    searches: Searches,
    censuses: Censuses,
    voices: Voices,
}

impl OpenWays {
    fn new(dataset: &Dataset) -> Result<Self, RecomputeError> {
        let mut censuses = Censuses::default();
        for round in dataset.rounds()?.iter().filter(|round| round.header.method == Method::Census) {
            let asked = dataset.asked(round.header.id)?;
            censuses.add_asked(&dataset.manifest().vantage, round.header.id, &asked);
        }
        Ok(Self { searches: Searches::default(), censuses, voices: Voices::default() })
    }

    fn add(&mut self, record: &ProbeRecord) {
        self.searches.add(record);
        self.censuses.add(record);
        self.voices.add(record);
    }

    fn finish(self, dataset: &Dataset, origins: OriginTable) -> Result<AllWays, RecomputeError> {
        let rounds = dataset.rounds()?.into_iter();
        let probers = rounds.map(|round| (round.header.id, round.header.prober)).collect();
        let (searches, units, voices) =
            (self.searches.finish(), self.censuses.finish(), self.voices.finish());
        Ok(AllWays { searches, units, voices, probers, origins })
    }
}

impl AllWays {
    /// Whether no search, no census and no test of a router told anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.searches.is_empty() && self.units.is_empty() && self.voices.is_empty()
    }

    /// Writes one row a link that flows tell. RFC 4180, with a header line.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_links(&self, out: impl io::Write) -> io::Result<()> {
        let mut csv = writer(out, WHICH.iter().chain(&LINK))?;
        for ways in &self.searches {
            let which = self.of_search(ways);
            ways.links.iter().try_for_each(|link| row(&mut csv, which.iter().chain(&self.link(link))))?;
        }
        for ways in &self.units {
            let which = self.of_unit(ways);
            ways.links.iter().try_for_each(|link| row(&mut csv, which.iter().chain(&self.link(link))))?;
        }
        csv.flush()
    }

    /// Writes one row a hop: what was asked there, what was answered, and what may have been missed.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_hops(&self, out: impl io::Write) -> io::Result<()> {
        let mut csv = writer(out, WHICH.iter().chain(&HOP))?;
        for ways in &self.searches {
            let which = self.of_search(ways);
            let told = |hop: &WaysHop| told_hop(hop, None);
            ways.hops.iter().try_for_each(|hop| row(&mut csv, which.iter().chain(&told(hop))))?;
        }
        for ways in &self.units {
            let which = self.of_unit(ways);
            let open = |ttl: Ttl| ways.left_open.get(&ttl).copied().unwrap_or(0);
            let told = |hop: &WaysHop| told_hop(hop, Some(open(hop.ttl)));
            ways.hops.iter().try_for_each(|hop| row(&mut csv, which.iter().chain(&told(hop))))?;
        }
        csv.flush()
    }

    /// Writes one row a test of a router whose answers thinned out.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_limits(&self, out: impl io::Write) -> io::Result<()> {
        let mut csv = writer(out, &VOICE)?;
        self.voices.iter().try_for_each(|voice| row(&mut csv, &self.voice(voice)))?;
        csv.flush()
    }

    fn of_search(&self, ways: &Ways) -> [String; WHICH.len()] {
        let key = &ways.key;
        [
            key.vantage.to_string(),
            key.round.to_string(),
            maybe(self.probers.get(&key.round)),
            Method::Multipath.as_str().to_owned(),
            key.protocol.as_str().to_owned(),
            ways.unit.to_string(),
            key.target.to_string(),
        ]
    }

    fn of_unit(&self, ways: &UnitWays) -> [String; WHICH.len()] {
        let key = &ways.key;
        [
            key.vantage.to_string(),
            key.round.to_string(),
            maybe(self.probers.get(&key.round)),
            Method::Census.as_str().to_owned(),
            maybe(ways.carrier.map(|(protocol, _)| protocol.as_str())),
            key.unit.to_string(),
            String::new(),
        ]
    }

    fn link(&self, link: &WaysLink) -> [String; LINK.len()] {
        [
            link.ttl.to_string(),
            link.from.to_string(),
            maybe(self.origins.lookup(link.from).asn()),
            link.to.to_string(),
            maybe(self.origins.lookup(link.to).asn()),
            link.flows.to_string(),
            share(link.share),
        ]
    }

    fn voice(&self, voice: &Voice) -> [String; VOICE.len()] {
        [
            voice.vantage.to_string(),
            voice.round.to_string(),
            maybe(self.probers.get(&voice.round)),
            voice.unit.to_string(),
            voice.ttl.to_string(),
            maybe(voice.router),
            maybe(voice.router.and_then(|router| self.origins.lookup(router).asn())),
            voice.verdict.as_str().to_owned(),
            maybe(voice.asked_per_second.map(share)),
            maybe(voice.answered_per_second.map(share)),
        ]
    }
}

fn told_hop(hop: &WaysHop, left_open: Option<u64>) -> [String; HOP.len()] {
    [
        hop.ttl.to_string(),
        hop.routers.len().to_string(),
        hop.flows_asked.to_string(),
        hop.flows_answered.to_string(),
        hop.per_packet.to_string(),
        maybe(hop.narrowest.map(share)),
        share(hop.chance_missed),
        maybe(left_open),
    ]
}

fn writer<'h, W: io::Write>(out: W, head: impl IntoIterator<Item = &'h &'h str>) -> io::Result<Writer<W>> {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    csv.write_record(head).map_err(super::paths::of_writer)?;
    Ok(csv)
}

fn row<'c, W: io::Write>(
    csv: &mut Writer<W>,
    cells: impl IntoIterator<Item = &'c String>,
) -> io::Result<()> {
    csv.write_record(cells).map_err(super::paths::of_writer)
}

fn maybe(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Six digits behind the point.
fn share(number: f64) -> String {
    format!("{number:.6}")
}
