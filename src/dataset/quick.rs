//! Records from the columns of a batch, the quick way: a text is parsed once for all rows that share it, and a row is
//! then put together from what was parsed.
//!
//! It knows only rows as `cells` writes them. Of any other row it says nothing, and [`columns::record`](super::columns::record)
//! says what is wrong with it, or reads it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, DictionaryArray, PrimitiveArray, StringArray};

use super::ProbeRecord;
use super::columns::{self, COLUMNS};
use super::sealed::ColumnArray;
use crate::model::{
    FlowId, MatchQuality, Method, MplsLabel, Name, Outcome, Port, Probe, Protocol, Reply, ReplyKind,
    RoundId, Rtt, RttSource, Ttl, Unit, WallTime,
};

/// What the texts of the columns mean, as far as they have been read.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    vantage: Meaning<Name>,
    prober: Meaning<Name>,
    method: Meaning<Method>,
    protocol: Meaning<Protocol>,
    unit: Meaning<Unit>,
    target: Meaning<IpAddr>,
    outcome: Meaning<Word>,
    reply: Meaning<ReplyKind>,
    from: Meaning<IpAddr>,
    rtt_source: Meaning<RttSource>,
    mpls: Meaning<Vec<MplsLabel>>,
    matched: Meaning<MatchQuality>,
}

/// The outcomes that are read the quick way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Answered,
    Late,
    Silent,
}

/// What the texts of a column's dictionary mean. Batches of a row group share their dictionary.
#[derive(Debug)]
struct Meaning<T> {
    texts: Option<ArrayRef>,
    meant: Vec<Option<T>>,
}

impl<T> Default for Meaning<T> {
    fn default() -> Self {
        Self { texts: None, meant: Vec::new() }
    }
}

impl<T> Meaning<T> {
    fn of<'a>(
        &'a mut self,
        column: Option<&'a DictionaryArray<Int32Type>>,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Texts<'a, T>> {
        let Some(column) = column else { return Some(Texts { keys: None, meant: &[] }) };
        let texts = column.values();
        if self.texts.as_ref().is_none_or(|known| !Arc::ptr_eq(known, texts)) {
            let strings = texts.as_any().downcast_ref::<StringArray>()?;
            self.meant = strings.iter().map(|text| text.and_then(&parse)).collect();
            self.texts = Some(Arc::clone(texts));
        }
        Some(Texts { keys: Some(column.keys()), meant: &self.meant })
    }
}

/// A column of texts.
struct Texts<'a, T> {
    /// `None` where nothing stands in any row.
    keys: Option<&'a PrimitiveArray<Int32Type>>,
    meant: &'a [Option<T>],
}

impl<T> Texts<'_, T> {
    /// What stands in a row; `None` where nothing does, or nothing that has a meaning.
    fn at(&self, row: usize) -> Option<&T> {
        let key = usize::try_from(number(self.keys?, row)?).ok()?;
        self.meant.get(key)?.as_ref()
    }

    fn is_empty(&self, row: usize) -> bool {
        self.keys.is_none_or(|keys| keys.is_null(row))
    }
}

/// The columns of a batch.
pub(super) struct Batch<'a> {
    vantage: OneVantage<'a>,
    round: &'a PrimitiveArray<Int64Type>,
    prober: Texts<'a, Name>,
    method: Texts<'a, Method>,
    protocol: Texts<'a, Protocol>,
    unit: Texts<'a, Unit>,
    target: Texts<'a, IpAddr>,
    control: &'a BooleanArray,
    flow: &'a PrimitiveArray<Int32Type>,
    ttl: &'a PrimitiveArray<Int32Type>,
    attempt: &'a PrimitiveArray<Int32Type>,
    port: &'a PrimitiveArray<Int32Type>,
    sent_at: &'a PrimitiveArray<Int64Type>,
    outcome: Texts<'a, Word>,
    reason: Option<&'a DictionaryArray<Int32Type>>,
    reply: Texts<'a, ReplyKind>,
    from: Texts<'a, IpAddr>,
    icmp: [&'a PrimitiveArray<Int32Type>; 2],
    rtt: &'a PrimitiveArray<Float64Type>,
    rtt_source: Texts<'a, RttSource>,
    ttls: [&'a PrimitiveArray<Int32Type>; 2],
    mpls: Texts<'a, Vec<MplsLabel>>,
    matched: Texts<'a, MatchQuality>,
    size: &'a PrimitiveArray<Int32Type>,
    /// `None` in a file from before there was the column.
    ip_id: Option<&'a PrimitiveArray<Int32Type>>,
}

/// Who measured: the file's metadata say it for all rows, or a column for each.
enum OneVantage<'a> {
    All(&'a Name),
    Each(Texts<'a, Name>),
}

impl<'a> Batch<'a> {
    /// The columns, which are all but the first where all rows are of one vantage; `None` if they are not what they
    /// should be.
    pub(super) fn new(
        meanings: &'a mut Meanings,
        vantage: Option<&'a Name>,
        columns: &[ColumnArray<'a>],
    ) -> Option<Self> {
        let left_out = COLUMNS.len().checked_sub(columns.len())?;
        let named: BTreeMap<&str, &ColumnArray<'a>> =
            COLUMNS.iter().skip(left_out).map(|column| column.name).zip(columns).collect();
        let text = |name| named.get(name).and_then(|column| column.text());
        let int = |name| named.get(name).and_then(|column| column.int32());
        let vantage = match vantage {
            Some(name) => OneVantage::All(name),
            None => OneVantage::Each(meanings.vantage.of(text("vantage"), |text| text.parse().ok())?),
        };
        Some(Self {
            vantage,
            round: named.get("round")?.int64()?,
            prober: meanings.prober.of(text("prober"), |text| text.parse().ok())?,
            method: meanings.method.of(text("method"), columns::method)?,
            protocol: meanings.protocol.of(text("protocol"), columns::protocol)?,
            unit: meanings.unit.of(text("unit"), |text| text.parse().ok().map(Unit))?,
            target: meanings.target.of(text("target"), |text| text.parse().ok())?,
            control: named.get("control")?.truth()?,
            flow: int("flow")?,
            ttl: int("ttl")?,
            attempt: int("attempt")?,
            port: int("port")?,
            sent_at: named.get("sent_at_ns")?.int64()?,
            outcome: meanings.outcome.of(text("outcome"), Word::new)?,
            reason: text("reason"),
            reply: meanings.reply.of(text("reply"), ReplyKind::from_name)?,
            from: meanings.from.of(text("from"), |text| text.parse().ok())?,
            icmp: [int("icmp_type")?, int("icmp_code")?],
            rtt: named.get("rtt_us")?.real()?,
            rtt_source: meanings.rtt_source.of(text("rtt_source"), columns::rtt_source)?,
            ttls: [int("reply_ttl")?, int("quoted_ttl")?],
            mpls: meanings.mpls.of(text("mpls"), columns::labels)?,
            matched: meanings.matched.of(text("match"), columns::match_quality)?,
            size: int("reply_size")?,
            ip_id: int("reply_ip_id"),
        })
    }

    /// The record of a row; `None` where only the long way can say what it is.
    pub(super) fn record(&self, row: usize) -> Option<ProbeRecord> {
        let vantage = match &self.vantage {
            OneVantage::All(name) => *name,
            OneVantage::Each(names) => names.at(row)?,
        };
        let probe = Probe {
            round: RoundId(u64::try_from(number(self.round, row)?).ok()?),
            target: *self.target.at(row)?,
            protocol: *self.protocol.at(row)?,
            port: self.port(row).ok()?,
            flow: FlowId(narrow(self.flow, row)?),
            ttl: Ttl::new(narrow(self.ttl, row)?)?,
            attempt: narrow(self.attempt, row)?,
        };
        Some(ProbeRecord {
            vantage: vantage.clone(),
            prober: self.prober.at(row)?.clone(),
            method: *self.method.at(row)?,
            probe,
            unit: *self.unit.at(row)?,
            control: self.control.is_valid(row).then(|| self.control.value(row))?,
            sent_at: number(self.sent_at, row).map(WallTime::from_nanos),
            outcome: self.outcome(row)?,
        })
    }

    fn port(&self, row: usize) -> Result<Option<Port>, Unusual> {
        let port = optional(self.port, row)?;
        port.map(|port| Port::new(port).ok_or(Unusual)).transpose()
    }

    fn outcome(&self, row: usize) -> Option<Outcome> {
        let word = *self.outcome.at(row)?;
        if self.reason.is_some_and(|reason| reason.is_valid(row)) {
            return None;
        }
        if word == Word::Silent {
            return self.has_no_reply(row).then_some(Outcome::Silent);
        }
        let (reply, rtt) = (self.reply(row)?, self.rtt(row)?);
        Some(if word == Word::Late {
            Outcome::Late { reply, rtt }
        } else {
            Outcome::Answered { reply, rtt }
        })
    }

    fn has_no_reply(&self, row: usize) -> bool {
        let numbers = self.icmp.iter().chain(&self.ttls).chain([&self.size]).chain(&self.ip_id);
        self.reply.is_empty(row)
            && self.from.is_empty(row)
            && self.rtt.is_null(row)
            && self.rtt_source.is_empty(row)
            && self.mpls.is_empty(row)
            && self.matched.is_empty(row)
            && numbers.into_iter().all(|column| column.is_null(row))
    }

    fn reply(&self, row: usize) -> Option<Reply> {
        let [icmp_type, icmp_code] = self.icmp;
        let icmp = match (icmp_type.is_null(row), icmp_code.is_null(row)) {
            (true, true) => None,
            _ => Some((narrow(icmp_type, row)?, narrow(icmp_code, row)?)),
        };
        let [reply_ttl, quoted_ttl] = self.ttls;
        Some(Reply {
            from: *self.from.at(row)?,
            kind: *self.reply.at(row)?,
            icmp,
            reply_ttl: optional(reply_ttl, row).ok()?,
            quoted_ttl: optional(quoted_ttl, row).ok()?,
            mpls: if self.mpls.is_empty(row) { Vec::new() } else { self.mpls.at(row)?.clone() },
            size: optional(self.size, row).ok()?.unwrap_or_default(),
            ip_id: self.ip_id.map_or(Ok(None), |column| optional(column, row)).ok()?,
            matched: *self.matched.at(row)?,
        })
    }

    /// With a span that is told by a source that tells one.
    fn rtt(&self, row: usize) -> Option<Rtt> {
        let source = self.rtt_source.at(row).filter(|source| **source != RttSource::NotTold)?;
        Some(Rtt { span: columns::span(number(self.rtt, row)?)?, source: *source })
    }
}

impl Word {
    fn new(text: &str) -> Option<Self> {
        match text {
            "answered" => Some(Self::Answered),
            "late" => Some(Self::Late),
            "silent" => Some(Self::Silent),
            _ => None,
        }
    }
}

fn number<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>, row: usize) -> Option<T::Native> {
    column.is_valid(row).then(|| column.values().get(row).copied())?
}

fn narrow<T: TryFrom<i32>>(column: &PrimitiveArray<Int32Type>, row: usize) -> Option<T> {
    T::try_from(number(column, row)?).ok()
}

/// What only the long way can tell.
struct Unusual;

fn optional<T: TryFrom<i32>>(column: &PrimitiveArray<Int32Type>, row: usize) -> Result<Option<T>, Unusual> {
    if column.is_null(row) { Ok(None) } else { narrow(column, row).ok_or(Unusual).map(Some) }
}
