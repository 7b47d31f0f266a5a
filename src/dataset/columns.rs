//! The columns of a record: their names, types and order, the same in SQLite, Parquet and CSV.
//!
//! One table and two functions, [`cells`] and [`record`], say how a record is written and read, so that
//! the three forms cannot drift apart. Cells hold only numbers, addresses, prefixes, names of ours and
//! words of closed sets: no spreadsheet can take one for a formula. `docs/formats.md` is their
//! documentation.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use crate::model::{
    BlockRule, FlowId, MatchQuality, Method, MplsLabel, Outcome, Port, Probe, Protocol, Reply, ReplyKind,
    RoundId, Rtt, RttSource, SendFault, SkipReason, Ttl, Unit, WallTime,
};

use super::ProbeRecord;

/// The version of the format: of the columns and their meaning, of the catalogue and of the manifest.
/// A dataset with a higher one is refused.
pub const FORMAT_VERSION: u32 = 2;

/// The longest round-trip time that the `rtt_us` column holds (11.6 days); nothing waits longer.
const LONGEST_RTT: Duration = Duration::from_secs(1_000_000);

/// The longest label stack that is read back.
const MOST_LABELS: usize = 256;

const PROTOCOLS: [Protocol; 3] = [Protocol::Icmp, Protocol::Udp, Protocol::Tcp];

const MATCHES: [MatchQuality; 2] = [MatchQuality::Exact, MatchQuality::Tolerant];

const UNKNOWN_WORD: &str = "must be one of the words in docs/formats.md";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number that fits into 32 bits.
    Int32,
    /// A whole number that fits into 64 bits, with sign.
    Int64,
    /// A floating-point number of 64 bits, never infinite and never NaN.
    Real,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in every form.
    pub name: &'static str,
    /// What it holds.
    pub holds: ColumnType,
    /// Whether a cell of it may be empty, which means *not applicable*.
    pub optional: bool,
}

/// How many columns there were before answers were kept with their IP identification, which is the last. What was
/// written then is read as if its cells were empty.
pub const COLUMNS_ONCE: usize = 26;

/// The columns, in their order.
pub const COLUMNS: [Column; 27] = [
    always("vantage", ColumnType::Text),
    always("round", ColumnType::Int64),
    always("prober", ColumnType::Text),
    always("method", ColumnType::Text),
    always("protocol", ColumnType::Text),
    always("unit", ColumnType::Text),
    always("target", ColumnType::Text),
    always("control", ColumnType::Bool),
    always("flow", ColumnType::Int32),
    always("ttl", ColumnType::Int32),
    always("attempt", ColumnType::Int32),
    maybe("port", ColumnType::Int32),
    maybe("sent_at_ns", ColumnType::Int64),
    always("outcome", ColumnType::Text),
    maybe("reason", ColumnType::Text),
    maybe("reply", ColumnType::Text),
    maybe("from", ColumnType::Text),
    maybe("icmp_type", ColumnType::Int32),
    maybe("icmp_code", ColumnType::Int32),
    maybe("rtt_us", ColumnType::Real),
    maybe("rtt_source", ColumnType::Text),
    maybe("reply_ttl", ColumnType::Int32),
    maybe("quoted_ttl", ColumnType::Int32),
    maybe("mpls", ColumnType::Text),
    maybe("match", ColumnType::Text),
    maybe("reply_size", ColumnType::Int32),
    maybe("reply_ip_id", ColumnType::Int32),
];

const fn always(name: &'static str, holds: ColumnType) -> Column {
    Column { name, holds, optional: false }
}

const fn maybe(name: &'static str, holds: ColumnType) -> Column {
    Column { name, holds, optional: true }
}

/// One cell of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Not applicable.
    Empty,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    fn int(number: impl Into<i64>) -> Self {
        Self::Int(number.into())
    }

    fn maybe_int(number: Option<impl Into<i64>>) -> Self {
        number.map_or(Self::Empty, Self::int)
    }
}

/// As it stands in a CSV cell and in messages: nothing for an empty one.
impl std::fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Bool(truth) => truth.fmt(f),
            Self::Int(number) => number.fmt(f),
            Self::Real(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// A record as cells, in the order of [`COLUMNS`].
#[must_use]
pub fn cells(record: &ProbeRecord) -> [Cell<'_>; 27] {
    let probe = &record.probe;
    let (reply, rtt) = match &record.outcome {
        Outcome::Answered { reply, rtt } | Outcome::Late { reply, rtt } => (Some(reply), Some(rtt)),
        _ => (None, None),
    };
    let icmp = reply.and_then(|reply| reply.icmp);
    [
        Cell::text(record.vantage.as_str()),
        Cell::Int(i64::try_from(probe.round.0).unwrap_or(i64::MAX)),
        Cell::text(record.prober.as_str()),
        Cell::text(record.method.as_str()),
        Cell::text(probe.protocol.as_str()),
        Cell::text(record.unit.to_string()),
        Cell::text(probe.target.to_string()),
        Cell::Bool(record.control),
        Cell::int(probe.flow.0),
        Cell::int(probe.ttl.get()),
        Cell::int(probe.attempt),
        Cell::maybe_int(probe.port.map(Port::get)),
        Cell::maybe_int(record.sent_at.map(WallTime::as_nanos)),
        Cell::text(record.outcome.as_str()),
        record.outcome.reason().map_or(Cell::Empty, Cell::text),
        reply.map_or(Cell::Empty, |reply| Cell::text(reply.kind.as_str())),
        reply.map_or(Cell::Empty, |reply| Cell::text(reply.from.to_string())),
        Cell::maybe_int(icmp.map(|(icmp_type, _)| icmp_type)),
        Cell::maybe_int(icmp.map(|(_, code)| code)),
        rtt.and_then(Rtt::told).map_or(Cell::Empty, |span| Cell::Real(microseconds(span))),
        rtt.map_or(Cell::Empty, |rtt| Cell::text(rtt.source.as_str())),
        Cell::maybe_int(reply.and_then(|reply| reply.reply_ttl)),
        Cell::maybe_int(reply.and_then(|reply| reply.quoted_ttl)),
        reply.and_then(label_stack).map_or(Cell::Empty, Cell::text),
        reply.map_or(Cell::Empty, |reply| Cell::text(reply.matched.as_str())),
        Cell::maybe_int(reply.map(|reply| reply.size).filter(|size| *size > 0)),
        Cell::maybe_int(reply.and_then(|reply| reply.ip_id)),
    ]
}

/// Exact to the nanosecond: at most 10¹⁵ of them, fewer than the 2⁵³ that an `f64` counts.
fn microseconds(span: Duration) -> f64 {
    let span = span.min(LONGEST_RTT);
    let seconds = u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    (f64::from(seconds) * 1e9 + f64::from(span.subsec_nanos())) / 1e3
}

/// Outermost first, one space between two labels; `None` for an empty stack.
fn label_stack(reply: &Reply) -> Option<String> {
    let labels: Vec<String> = reply.mpls.iter().map(MplsLabel::to_string).collect();
    (!labels.is_empty()).then(|| labels.join(" "))
}

/// Why a row is not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{column} = {found:?}: {rule}")]
pub struct BadCell {
    /// The column.
    pub column: &'static str,
    /// What stands there, cut after 80 characters.
    pub found: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

/// Reads a record from its cells, in the order of [`COLUMNS`].
///
/// # Errors
/// The first cell that breaks the rule of its column.
pub fn record(cells: &[Cell<'_>]) -> Result<ProbeRecord, BadCell> {
    let mut row = Row { cells: cells.iter(), columns: COLUMNS.iter(), last: &Cell::Empty };
    let vantage = row.parse("must be a name")?;
    let round = RoundId(row.number("must be a whole number from 0")?);
    let prober = row.parse("must be a name")?;
    let method = row.one_of(&Method::ALL, Method::as_str)?;
    let protocol = row.one_of(&PROTOCOLS, Protocol::as_str)?;
    let unit = Unit(row.parse("must be a prefix without host bits")?);
    let target = row.parse("must be an address")?;
    let control = row.truth()?;
    let flow = FlowId(row.number("must be 0 to 65535")?);
    let ttl = row.number("must be 1 to 255").and_then(|ttl| row.rule(Ttl::new(ttl), "must be 1 to 255"))?;
    let attempt = row.number("must be 0 to 255")?;
    let port = row.optional_number("must be 1 to 65535")?;
    let port = port.map(|port| row.rule(Port::new(port), "must be 1 to 65535")).transpose()?;
    let sent_at = row.optional_number("must be nanoseconds in 64 bits")?.map(WallTime::from_nanos);
    let outcome = row.outcome()?;
    let probe = Probe { round, target, protocol, port, flow, ttl, attempt };
    Ok(ProbeRecord { vantage, prober, method, probe, unit, control, sent_at, outcome })
}

/// A row that is read from left to right.
struct Row<'c, 'a> {
    cells: std::slice::Iter<'c, Cell<'a>>,
    columns: std::slice::Iter<'static, Column>,
    last: &'c Cell<'a>,
}

impl<'c, 'a> Row<'c, 'a> {
    fn outcome(&mut self) -> Result<Outcome, BadCell> {
        let word = self.text()?;
        let outcome = match word {
            "answered" | "late" => return self.with_reply(word == "late"),
            "silent" => Outcome::Silent,
            "send_failed" => Outcome::SendFailed(self.reason(SendFault::from_name)?),
            "blocked" => Outcome::Blocked(self.reason(BlockRule::from_name)?),
            "skipped" => Outcome::Skipped(self.reason(SkipReason::from_name)?),
            _ => return Err(self.bad(UNKNOWN_WORD)),
        };
        while self.columns.len() > 0 {
            self.empty()?;
        }
        Ok(outcome)
    }

    fn with_reply(&mut self, late: bool) -> Result<Outcome, BadCell> {
        self.empty()?;
        let (reply, rtt) = self.reply()?;
        Ok(if late { Outcome::Late { reply, rtt } } else { Outcome::Answered { reply, rtt } })
    }

    fn reason<T>(&mut self, from_name: fn(&str) -> Option<T>) -> Result<T, BadCell> {
        let word = self.text()?;
        from_name(word).ok_or_else(|| self.bad("must be a reason of this outcome"))
    }

    fn reply(&mut self) -> Result<(Reply, Rtt), BadCell> {
        let word = self.text()?;
        let kind = self.rule(ReplyKind::from_name(word), UNKNOWN_WORD)?;
        let from = self.parse("must be an address")?;
        let icmp_type: Option<u8> = self.optional_number("must be 0 to 255")?;
        let icmp_code: Option<u8> = self.optional_number("must be 0 to 255")?;
        let both = icmp_type.is_some() == icmp_code.is_some();
        self.rule(both.then_some(()), "must be there if icmp_type is, and only then")?;
        let span = self.span()?;
        let source = self.one_of(&RttSource::ALL, RttSource::as_str)?;
        let told = span.is_some() == (source != RttSource::NotTold);
        self.rule(told.then_some(()), "must be not_told if rtt_us is empty, and only then")?;
        let span = span.unwrap_or_default();
        let reply_ttl = self.optional_number("must be 0 to 255")?;
        let quoted_ttl = self.optional_number("must be 0 to 255")?;
        let mpls = self.labels()?;
        let matched = self.one_of(&MATCHES, MatchQuality::as_str)?;
        let size = self.optional_number("must be 0 to 65535")?.unwrap_or_default();
        let ip_id = self.optional_number("must be 0 to 65535")?;
        let icmp = icmp_type.zip(icmp_code);
        let reply = Reply { from, kind, icmp, reply_ttl, quoted_ttl, mpls, size, ip_id, matched };
        Ok((reply, Rtt { span, source }))
    }

    /// `None` for an empty cell.
    fn span(&mut self) -> Result<Option<Duration>, BadCell> {
        const RULE: &str = "must be microseconds from 0 to 1000000000000";
        let number = match self.cell() {
            Cell::Empty => return Ok(None),
            Cell::Real(number) => Some(*number),
            _ => None,
        };
        number.and_then(span).map(Some).ok_or_else(|| self.bad(RULE))
    }

    fn labels(&mut self) -> Result<Vec<MplsLabel>, BadCell> {
        let Some(text) = self.optional_text()? else { return Ok(Vec::new()) };
        labels(text).ok_or_else(|| self.bad("must be labels as label:class:bottom:ttl, one space apart"))
    }

    fn parse<T: FromStr>(&mut self, rule: &'static str) -> Result<T, BadCell> {
        let text = self.text()?;
        text.parse().map_err(|_| self.bad(rule))
    }

    fn one_of<T: Copy>(&mut self, all: &[T], as_str: fn(T) -> &'static str) -> Result<T, BadCell> {
        let text = self.text()?;
        word(text, all, as_str).ok_or_else(|| self.bad(UNKNOWN_WORD))
    }

    fn number<T: TryFrom<i64>>(&mut self, rule: &'static str) -> Result<T, BadCell> {
        match self.optional_number(rule)? {
            Some(number) => Ok(number),
            None => Err(self.bad(rule)),
        }
    }

    fn optional_number<T: TryFrom<i64>>(&mut self, rule: &'static str) -> Result<Option<T>, BadCell> {
        match self.cell() {
            Cell::Empty => Ok(None),
            Cell::Int(number) => T::try_from(*number).map(Some).map_err(|_| self.bad(rule)),
            _ => Err(self.bad(rule)),
        }
    }

    fn truth(&mut self) -> Result<bool, BadCell> {
        match self.cell() {
            Cell::Bool(truth) => Ok(*truth),
            _ => Err(self.bad("must be true or false")),
        }
    }

    fn text(&mut self) -> Result<&'c str, BadCell> {
        let text = self.optional_text()?;
        text.ok_or_else(|| self.bad("must not be empty"))
    }

    fn optional_text(&mut self) -> Result<Option<&'c str>, BadCell> {
        match self.cell() {
            Cell::Empty => Ok(None),
            Cell::Text(text) => Ok(Some(text)),
            _ => Err(self.bad("must be a text")),
        }
    }

    fn empty(&mut self) -> Result<(), BadCell> {
        match self.cell() {
            Cell::Empty => Ok(()),
            _ => Err(self.bad("must be empty for this outcome")),
        }
    }

    /// The next cell; a row that ends early reads as empty cells.
    fn cell(&mut self) -> &'c Cell<'a> {
        self.columns.next();
        self.last = self.cells.next().unwrap_or(&Cell::Empty);
        self.last
    }

    fn rule<T>(&self, value: Option<T>, rule: &'static str) -> Result<T, BadCell> {
        value.ok_or_else(|| self.bad(rule))
    }

    /// An error about the cell that was read last.
    fn bad(&self, rule: &'static str) -> BadCell {
        let behind = self.columns.len();
        let column = COLUMNS.iter().rev().nth(behind).map_or("row", |column| column.name);
        BadCell { column, found: self.last.to_string().chars().take(80).collect(), rule }
    }
}

fn word<T: Copy>(text: &str, all: &[T], as_str: fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|one| as_str(*one) == text)
}

/// Reads a method.
pub(super) fn method(text: &str) -> Option<Method> {
    word(text, &Method::ALL, Method::as_str)
}

/// Reads a protocol.
pub(super) fn protocol(text: &str) -> Option<Protocol> {
    word(text, &PROTOCOLS, Protocol::as_str)
}

/// Reads the source of a round-trip time.
pub(super) fn rtt_source(text: &str) -> Option<RttSource> {
    word(text, &RttSource::ALL, RttSource::as_str)
}

/// Reads how well an answer fits.
pub(super) fn match_quality(text: &str) -> Option<MatchQuality> {
    word(text, &MATCHES, MatchQuality::as_str)
}

/// Reads a number of microseconds as the column has it.
pub(super) fn span(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number / 1e6).ok().filter(|span| *span <= LONGEST_RTT)
}

/// Reads a label stack, outermost first.
pub(super) fn labels(text: &str) -> Option<Vec<MplsLabel>> {
    let labels: Option<Vec<MplsLabel>> = text.split(' ').map(label).collect();
    labels.filter(|labels| labels.len() <= MOST_LABELS)
}

/// Reads `label:class:bottom:ttl` (RFC 3032 §2.1: 20, 3, 1 and 8 bits).
fn label(text: &str) -> Option<MplsLabel> {
    let mut parts = text.split(':');
    let label = parts.next()?.parse().ok().filter(|label: &u32| *label < 1 << 20)?;
    let class = parts.next()?.parse().ok().filter(|class: &u8| *class < 8)?;
    let bottom = match parts.next()? {
        "0" => false,
        "1" => true,
        _ => return None,
    };
    let ttl = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(MplsLabel { label, class, bottom, ttl })
}
