//! Defaults and hard limits. No file and no environment variable moves a limit: who needs more changes this
//! file and answers for it.

use std::time::Duration;

use crate::model::Bytes;

/// What a value may be, and what it is where the file does not say; both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit<T> {
    /// The lowest value allowed.
    pub lowest: T,
    /// The value where the file gives none.
    pub default: T,
    /// The highest value allowed.
    pub highest: T,
}

impl<T: PartialOrd> Limit<T> {
    /// Whether a value is allowed.
    pub fn allows(&self, value: &T) -> bool {
        *value >= self.lowest && *value <= self.highest
    }
}

const fn limit<T>(lowest: T, default: T, highest: T) -> Limit<T> {
    Limit { lowest, default, highest }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The largest file that is read, in bytes.
pub(super) const MAX_BYTES: u64 = 1 << 20;

/// All packets together, packets per second, in a lab. Path studies need tens.
pub(super) const TOTAL: Limit<f64> = limit(0.01, 100.0, 1_000_000.0);
/// Packets at once after a pause.
pub(super) const BURST: Limit<i64> = limit(1, 10, 10_000);
/// To one unit, packets per second, in a lab; near 1 for a /24, routers begin to limit their answers (Guo and
/// Heidemann 2018).
pub(super) const PER_UNIT: Limit<f64> = limit(0.01, 1.0, 1_000_000.0);
/// To be answered by one router or host, packets per second, in a lab.
pub(super) const PER_RESPONDER: Limit<f64> = limit(0.01, 1.0, 1_000_000.0);

/// What may be sent into a real network at most, each with its key and its unit. Only a census needs ten thousand
/// packets a second.
pub(in crate::measure::campaign) const CEILINGS: [(&str, f64, &str); 4] = [
    ("rates.total", 10_000.0, "packets per second"),
    ("rates.burst", 1_000.0, "packets at once"),
    ("rates.per_unit", 100.0, "packets per second"),
    ("rates.per_responder", 100.0, "packets per second"),
];

/// Echo and TCP packets to one unit, sustained, an hour (Trinocular: Quan, Heidemann and Pradkin 2013).
pub(super) const LIVENESS: Limit<f64> = limit(0.1, 20.0, 3_600.0);

/// Which seeds TOML can write.
pub(super) const SEED: Limit<i64> = limit(0, 1, i64::MAX);
/// How long a campaign may run; the default is unused, since without a limit it runs until it is stopped.
pub(super) const DURATION: Limit<Duration> = limit(seconds(1), seconds(0), seconds(10 * 31_557_600));

/// The largest set of which every address may be probed (`select = "all"`), in addresses.
pub const MAX_ALL: u64 = 65_536;
/// Units of a campaign at most.
pub const MAX_UNITS: u64 = 65_536;
/// Targets of a campaign at most.
pub const MAX_TARGETS: u64 = 1 << 20;
/// Target sets at most.
pub(super) const MAX_SETS: usize = 1_024;
/// Targets of each unit.
pub(super) const PER_UNIT_TARGETS: Limit<i64> = limit(1, 5, 65_536);

/// Probers at most.
pub(super) const MAX_PROBERS: usize = 64;
/// From one round of a prober to the next.
pub(super) const EVERY: Limit<Duration> = limit(seconds(10), seconds(1_800), seconds(30 * 86_400));
/// Jitter where the file gives none: a tenth of the shortest time between two rounds, but at most this.
pub(super) const DEFAULT_JITTER: Duration = seconds(30);
/// How long a reply is waited for.
pub(super) const TIMEOUT: Limit<Duration> = limit(Duration::from_millis(100), seconds(2), seconds(60));
/// Echoes to each target in a round.
pub(super) const ECHOES: Limit<i64> = limit(1, 1, 10);
/// Time between two echoes to a target.
pub(super) const SPACING: Limit<Duration> = limit(Duration::from_millis(100), seconds(1), seconds(60));
/// Ports of a TCP prober at most.
pub(super) const MAX_PORTS: usize = 16;
/// Packets to a port or hop at most, while none is answered; the default is that of a TCP prober.
pub(super) const TCP_ATTEMPTS: Limit<i64> = limit(1, 1, 5);
/// As [`TCP_ATTEMPTS`], for traces.
pub(super) const TRACE_ATTEMPTS: Limit<i64> = limit(1, 2, 5);
/// Flows of a trace to each target.
pub(super) const FLOWS: Limit<i64> = limit(1, 4, 64);
/// TTLs of a trace; the default is that of the last.
pub(super) const TTL: Limit<i64> = limit(1, 30, 64);
/// Silent hops in a row that end a trace.
pub(super) const GAP_LIMIT: Limit<i64> = limit(1, 5, 64);
/// Destination port of TCP traces where the file gives none.
pub(super) const TCP_TRACE_PORT: u16 = 443;
/// Probability with which all branches of a balancer are found.
pub(super) const CONFIDENCE: Limit<f64> = limit(0.5, 0.95, 0.9999);
/// Balancers on a way for which the confidence holds together; 1 for each alone.
pub(super) const BALANCERS: Limit<i64> = limit(1, 1, 64);
/// Share of flows of the narrowest branch.
pub(super) const NARROWEST_BRANCH: Limit<f64> = limit(0.001, 0.5, 0.5);
/// Routers tested in a round for a limit on their answers; the default is that of multipath searches and censuses.
pub(super) const LIMIT_TESTS: Limit<i64> = limit(0, 16, 64);
/// Packets of a census to a unit.
pub(super) const CENSUS_PACKETS: Limit<i64> = limit(10, 20_000, 1_000_000);
/// Packets of a multipath search to a target.
pub(super) const PACKETS: Limit<i64> = limit(10, 2_000, 100_000);

/// DNS look-ups a second.
pub(super) const QUERIES: Limit<f64> = limit(0.1, 5.0, 50.0);
/// How long an answer of the DNS is waited for.
pub(super) const DNS_TIMEOUT: Limit<Duration> = limit(Duration::from_millis(100), seconds(5), seconds(60));

/// In which time one false alarm is allowed.
pub(super) const ONE_FALSE_IN: Limit<Duration> =
    limit(seconds(3_600), seconds(30 * 86_400), seconds(10 * 31_557_600));

/// Room on the disk below which nothing is recorded: some 500,000 records.
pub(super) const MIN_FREE: Limit<Bytes> = limit(Bytes(0), Bytes(100 << 20), Bytes(1 << 40));

/// Declared events at most.
pub(super) const MAX_EVENTS: usize = 1_024;
/// The most overrides of origins that a campaign can hold.
pub(super) const MAX_OVERRIDES: usize = 1_024;
/// Characters of a text for people at most.
pub(super) const MAX_TEXT: usize = 200;
