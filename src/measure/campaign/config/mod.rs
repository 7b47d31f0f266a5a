//! `probes.toml` → [`Campaign`]: all that one campaign asks for, checked.
//!
//! Three stages: text → the tables as they stand in the file (`raw`) → this type (`check`). Only this type
//! reaches the rest of the program, so whatever it holds is within the limits of `limits`. Reading sends
//! nothing, and no environment variable changes what a file says.

mod check;
mod limits;
mod probers;
mod raw;
mod target_sets;
mod targets;

pub(super) use probers::{count, tidy};

pub use limits::{Limit, MAX_ALL, MAX_TARGETS, MAX_UNITS};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::measure::guard::{AllowedTargets, Budget, GuardRules, OptOut, Territory};
use crate::measure::net::PacketPath;
use crate::measure::probe::{Algorithm, Way};
use crate::measure::schedule::{PacerRates, Schedule};
use crate::model::{
    Asn, Bytes, Event, FileError, FileErrors, Method, Name, Port, Pps, Prefix, SourceText, Unit,
};
use crate::multipath::StoppingRule;

/// All that one `probes.toml` asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Campaign {
    /// Its name.
    pub name: Name,
    /// What samples, order and jitter are drawn from: the same seed, the same campaign.
    pub seed: u64,
    /// When it ends by itself, counted from its first start; `None`: when it is stopped.
    pub duration: Option<Duration>,
    /// Who can be written to; without one, public space is closed outside the lab.
    pub operator: Option<Operator>,
    /// Who measures.
    pub vantage: VantageConfig,
    /// How fast.
    pub rates: Rates,
    /// Whether private space (RFC 1918, RFC 4193) may be probed.
    pub allow_private: bool,
    /// What is probed: at least one set; no two overlap.
    pub targets: Vec<TargetSet>,
    /// What is asked: at least one.
    pub probers: Vec<ProberSpec>,
    /// How addresses are told their ASes and names.
    pub origins: Origins,
    /// In which time one false alarm is allowed, on average; `None`: nobody looks while it runs.
    pub alarms: Option<Duration>,
    /// Declared events, in the order of time.
    pub events: Vec<Event>,
    /// The folder of the dataset.
    pub output: PathBuf,
    /// Room that must be left on its disk, or nothing is recorded and nothing sent.
    pub min_free: Bytes,
    /// The file of opt-outs.
    pub opt_outs: Option<PathBuf>,
}

/// Who can be written to about the campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// A person, group or institution.
    pub name: String,
    /// A mailbox that is read.
    pub contact: String,
    /// A page about the measurement; what RFC 9511 puts into probes.
    pub url: Option<String>,
    /// Why it measures, in one sentence.
    pub purpose: String,
}

/// The vantage that measures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VantageConfig {
    /// Its name in every record.
    pub name: Name,
    /// The interface that probes leave by; `None`: where the system's routes lead.
    pub interface: Option<String>,
    /// The source address of IPv4 probes; `None`: the system's choice.
    pub source_v4: Option<Ipv4Addr>,
    /// The source address of IPv6 probes; `None`: the system's choice.
    pub source_v6: Option<Ipv6Addr>,
    /// Which way packets leave.
    pub packet_path: PacketPath,
}

/// How fast packets leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of all packets together.
    pub total: Pps,
    /// Packets that may leave at once after a pause.
    pub burst: u32,
    /// To the targets of one unit.
    pub per_unit: Pps,
    /// That one router or host must answer.
    pub per_responder: Pps,
    /// Echo and TCP packets to one unit, sustained, an hour.
    pub liveness_per_unit_hour: f64,
}

/// A rate that is allowed in a lab alone.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{key} = {rate}: at most {most} {unit} may leave for a real network; more is for the lab")]
pub struct TooFast {
    key: &'static str,
    rate: f64,
    most: f64,
    unit: &'static str,
}

impl Rates {
    /// The first of these rates that is too high for a real network.
    #[must_use]
    pub fn too_high(&self) -> Option<TooFast> {
        let rates =
            [self.total.get(), f64::from(self.burst), self.per_unit.get(), self.per_responder.get()];
        let pairs = rates.into_iter().zip(limits::CEILINGS);
        pairs
            .filter(|(rate, (_, most, _))| rate > most)
            .map(|(rate, (key, most, unit))| TooFast { key, rate, most, unit })
            .next()
    }

    /// As the pacer takes them.
    #[must_use]
    pub const fn pacer(&self) -> PacerRates {
        PacerRates {
            total: self.total,
            burst: self.burst,
            per_unit: self.per_unit,
            per_responder: self.per_responder,
        }
    }
}

/// A prefix, split into units, and which of its addresses are probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSet {
    /// The prefix.
    pub prefix: Prefix,
    /// The length of its units.
    pub unit_length: u8,
    /// Which addresses.
    pub select: Select,
    /// Addresses that are known to answer, inside of the prefix.
    pub hitlist: Vec<IpAddr>,
    /// Whether it is there to tell the vantage's own trouble apart.
    pub control: bool,
}

/// Which addresses of a unit are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// Every one.
    All,
    /// Those of the hit list, filled up with a seeded sample.
    Sample {
        /// To so many.
        per_unit: u32,
    },
    /// Those of the hit list.
    HitList,
}

/// An address to probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// The address.
    pub address: IpAddr,
    /// The unit about which it speaks.
    pub unit: Unit,
    /// Whether it is a control target.
    pub control: bool,
}

/// A prober and when its rounds are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct ProberSpec {
    /// Its name in every record.
    pub name: Name,
    /// What it asks.
    pub kind: ProberKind,
    /// How long it waits for a reply.
    pub timeout: Duration,
    /// How many routers are tested in a round for a limit on their answers, at most.
    pub limit_tests: u8,
    /// When.
    pub schedule: Schedule,
}

/// What a prober asks.
#[derive(Clone, Debug, PartialEq)]
pub enum ProberKind {
    /// ICMP echo.
    Echo {
        /// Packets to each target in a round.
        echoes: u8,
        /// Time from one to the next.
        spacing: Duration,
    },
    /// TCP SYN.
    Tcp {
        /// To these ports of each target.
        ports: Vec<Port>,
        /// Packets to a port at most, while none is answered.
        attempts: u8,
    },
    /// Paris traceroute.
    Trace {
        /// How routers are asked.
        way: Way,
        /// Pinned flows to each target.
        flows: u16,
    },
    /// Every path, with a known chance of missing one.
    Multipath {
        /// How routers are asked.
        way: Way,
        /// How next hops are enumerated.
        algorithm: Algorithm,
        /// When a balancer has been asked enough.
        stopping: StoppingRule,
        /// The share of flows of the narrowest branch that must be found; `None` for equal branches.
        narrowest: Option<f64>,
        /// Packets to a target at most.
        packets: u32,
    },
    /// Every path to all of a unit, with a known chance of missing one.
    Census {
        /// How routers are asked.
        way: Way,
        /// When a balancer has been asked enough, if it stands alone.
        stopping: StoppingRule,
        /// For how many balancers together that is to hold; `None`: as many as routers are found.
        balancers: Option<u32>,
        /// The share of flows of the narrowest branch that must be found; `None` for equal branches.
        narrowest: Option<f64>,
        /// Whether every address is asked, also where fewer would tell all ways.
        every_address: bool,
        /// Packets to a unit at most.
        packets: u32,
    },
}

impl ProberKind {
    /// As it stands in the `method` column.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self {
            Self::Echo { .. } => Method::Echo,
            Self::Tcp { .. } => Method::Tcp,
            Self::Trace { .. } => Method::Trace,
            Self::Multipath { .. } => Method::Multipath,
            Self::Census { .. } => Method::Census,
        }
    }

    /// The most packets that a round can send to one target.
    #[must_use]
    pub fn packets_per_target(&self) -> u64 {
        match self {
            Self::Echo { echoes, .. } => u64::from(*echoes),
            Self::Tcp { ports, attempts } => {
                u64::try_from(ports.len()).unwrap_or(u64::MAX).saturating_mul(u64::from(*attempts))
            }
            Self::Trace { way, flows } => u64::from(*flows)
                .saturating_mul(u64::from(way.hops()))
                .saturating_mul(u64::from(way.attempts)),
            Self::Multipath { packets, .. } | Self::Census { packets, .. } => u64::from(*packets),
        }
    }

    /// The most packets that a round can send to a unit with so many targets.
    #[must_use]
    pub fn packets_to_unit(&self, targets: u64) -> u64 {
        match self {
            Self::Census { packets, .. } => {
                if targets > 0 {
                    u64::from(*packets)
                } else {
                    0
                }
            }
            _ => targets.saturating_mul(self.packets_per_target()),
        }
    }
}

/// Where addresses get their ASes and names from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origins {
    /// Sources of origins and of exchange points, in the order in which they are believed within their class; a
    /// path, or a kind and a path as in `mrt:rib.bz2`.
    pub tables: Vec<PathBuf>,
    /// What the operator says of prefixes; believed before all tables.
    pub overrides: Vec<(Prefix, Asn)>,
    /// Tables of the names of ASes, the first that knows an AS deciding.
    pub as_names: Vec<PathBuf>,
    /// Whether host names of hops are looked up.
    pub reverse_dns: bool,
    /// Whether Team Cymru's DNS service is asked for what the tables do not know.
    pub cymru: bool,
    /// The resolver to ask; never `None` where look-ups are wanted.
    pub resolver: Option<SocketAddr>,
    /// Look-ups a second at most.
    pub queries_per_second: f64,
    /// How long an answer is waited for; probing never waits.
    pub timeout: Duration,
}

impl Campaign {
    /// Reads the text of a file. Relative paths in it are taken from the folder of `file`.
    ///
    /// # Errors
    /// What does not read as TOML, the first unknown key or wrong type; and if there is none, everything
    /// else that is wrong, in the order of the lines.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileErrors> {
        let source = SourceText::new(file, text);
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        check::campaign(source, folder, &source.parse()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// As [`Campaign::parse`]; also a file that cannot be read or is larger than 1 MiB.
    pub fn load(path: &Path) -> Result<Self, FileErrors> {
        let file = path.display().to_string();
        let whole = |rule: String| {
            FileErrors(vec![FileError { file: file.clone(), line: None, found: String::new(), rule }])
        };
        let text = read_bounded(path).map_err(|error| whole(format!("cannot be read: {error}")))?;
        let text = text.ok_or_else(|| whole("must be at most 1 MiB".to_owned()))?;
        Self::parse(&file, &text)
    }

    /// What the guard goes by in this campaign.
    #[must_use]
    pub fn guard_rules(&self, territory: Territory, opt_outs: Vec<OptOut>, speed: f64) -> GuardRules {
        let allowed = |set: &TargetSet| AllowedTargets { prefix: set.prefix, unit_length: set.unit_length };
        GuardRules {
            territory,
            has_operator: self.operator.is_some(),
            allow_private: self.allow_private,
            targets: self.targets.iter().map(allowed).collect(),
            opt_outs,
            budget: self.budget().squeezed(speed),
        }
    }

    /// The schedules of the probers, in their order.
    #[must_use]
    pub fn schedules(&self) -> Vec<Schedule> {
        self.probers.iter().map(|prober| prober.schedule.clone()).collect()
    }

    /// The sustained budget of each unit. At once it gives an hour's worth and one round of every echo and
    /// TCP prober, but at least two such rounds: then neither jitter nor a cron pattern that bunches its
    /// rounds costs a probe.
    fn budget(&self) -> Budget {
        const MOST: u64 = 3_600;
        let per_hour = self.rates.liveness_per_unit_hour;
        let per_target: u64 = self.liveness_probers().map(|prober| prober.kind.packets_per_target()).sum();
        let round = self.most_targets_in_a_unit().saturating_mul(per_target);
        let hour = (1..=MOST).find(|whole| count(*whole) >= per_hour).unwrap_or(MOST);
        let depth = round.saturating_add(hour).max(round.saturating_mul(2));
        Budget {
            rate: Pps::per_hour(per_hour).unwrap_or(self.rates.per_unit),
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
        }
    }

    /// The probers that ask whether somebody is there.
    fn liveness_probers(&self) -> impl Iterator<Item = &ProberSpec> {
        self.probers.iter().filter(|prober| prober.kind.method().is_liveness())
    }
}

/// The text of a file; `None` if it is larger than 1 MiB.
fn read_bounded(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(limits::MAX_BYTES.saturating_add(1)).read_to_string(&mut text)?;
    let fits = u64::try_from(text.len()).is_ok_and(|length| length <= limits::MAX_BYTES);
    Ok(fits.then_some(text))
}

#[cfg(test)]
mod tests;
