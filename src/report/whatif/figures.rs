//! The figures of a prediction as rows: of what, of whom, and its values before and after for each way to break ties.

use std::collections::{BTreeMap, BTreeSet};

use crate::analyse::topology::{Both, Outlook, Prediction, Ties, Uphill};
use crate::model::Asn;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    Reach,
    Without,
    MeanLength,
    Catchment,
    Share,
    Hegemony,
    Upstreams,
    DisjointUp,
    Cut,
}

impl Metric {
    /// As it stands in files.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Reach => "reach",
            Self::Without => "without_route",
            Self::MeanLength => "mean_length",
            Self::Catchment => "catchment",
            Self::Share => "share",
            Self::Hegemony => "hegemony",
            Self::Upstreams => "upstreams",
            Self::DisjointUp => "disjoint_up",
            Self::Cut => "cut",
        }
    }
}

/// Before and after, for one way to break ties.
pub(super) type Value = (Ties, Both<Option<f64>>);

/// One figure for all ways to break ties.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) metric: Metric,
    pub(super) asn: Option<Asn>,
    /// The first is by the lowest AS number.
    pub(super) values: Vec<Value>,
}

/// ASes on which less of the ways depends are not told of, unless they are upstreams.
const LEAST_HEGEMONY: f64 = 0.05;

/// All figures of a prediction; about upstreams and about those on whom ways depend most, the most first.
pub(super) fn rows(prediction: &Prediction) -> Vec<Row> {
    let outlooks = &prediction.outlooks;
    let of = |metric, asn, make: &dyn Fn(&Outlook) -> Option<f64>| {
        let values = outlooks.iter().map(|(ties, both)| (*ties, both.map(make))).collect();
        Row { metric, asn, values }
    };
    let mut rows = vec![
        of(Metric::Reach, None, &|outlook| Some(float(outlook.reach))),
        of(Metric::Without, None, &|outlook| Some(float(outlook.without))),
        of(Metric::MeanLength, None, &Outlook::mean_length),
    ];
    let upstreams = upstreams(prediction);
    for asn in &upstreams {
        let asn = *asn;
        let count = |outlook: &Outlook| Some(outlook.catchment.get(&asn).copied().map_or(0.0, float));
        rows.push(of(Metric::Catchment, Some(asn), &count));
        rows.push(of(Metric::Share, Some(asn), &|outlook| outlook.share(asn)));
    }
    for asn in upstreams.iter().copied().chain(depended_on(prediction, &upstreams)) {
        rows.push(of(Metric::Hegemony, Some(asn), &|outlook| outlook.hegemony(asn)));
    }
    rows.extend(uphill_rows(prediction));
    rows
}

fn uphill_rows(prediction: &Prediction) -> Vec<Row> {
    let lowest = |metric, asn, make: &dyn Fn(&Uphill) -> Option<f64>| Row {
        metric,
        asn,
        values: vec![(Ties::LowestAsn, prediction.uphill.map(make))],
    };
    let mut rows = vec![
        lowest(Metric::Upstreams, None, &|uphill| Some(float(uphill.upstreams))),
        lowest(Metric::DisjointUp, None, &|uphill| (!uphill.is_at_top).then(|| float(uphill.disjoint))),
    ];
    let Both { before, after } = &prediction.uphill;
    let cut: BTreeSet<Asn> = before.cut.iter().chain(&after.cut).copied().collect();
    for asn in cut {
        let is_in = |uphill: &Uphill| Some(if uphill.cut.contains(&asn) { 1.0 } else { 0.0 });
        rows.push(lowest(Metric::Cut, Some(asn), &is_in));
    }
    rows
}

fn both_of(prediction: &Prediction) -> impl Iterator<Item = &Outlook> {
    prediction.outlooks.iter().flat_map(|(_, both)| [&both.before, &both.after])
}

/// Those through whom anybody comes, the most used first.
fn upstreams(prediction: &Prediction) -> Vec<Asn> {
    let mut most: BTreeMap<Asn, u64> = BTreeMap::new();
    for (asn, count) in both_of(prediction).flat_map(|outlook| &outlook.catchment) {
        let known = most.entry(*asn).or_default();
        *known = (*known).max(*count);
    }
    let mut ranked: Vec<(u64, Asn)> = most.into_iter().map(|(asn, count)| (count, asn)).collect();
    ranked.sort_unstable_by_key(|(count, asn)| (std::cmp::Reverse(*count), *asn));
    ranked.into_iter().map(|(_, asn)| asn).collect()
}

/// The others on whom ways depend.
fn depended_on(prediction: &Prediction, upstreams: &[Asn]) -> Vec<Asn> {
    let mut most: BTreeMap<Asn, f64> = BTreeMap::new();
    for outlook in both_of(prediction) {
        for (asn, _) in outlook.crossings.iter().filter(|(asn, _)| !upstreams.contains(asn)) {
            let hegemony = outlook.hegemony(*asn).unwrap_or(0.0);
            if hegemony >= LEAST_HEGEMONY {
                let known = most.entry(*asn).or_default();
                *known = known.max(hegemony);
            }
        }
    }
    let mut ranked: Vec<(f64, Asn)> = most.into_iter().map(|(asn, hegemony)| (hegemony, asn)).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(&other.1)));
    ranked.into_iter().map(|(_, asn)| asn).collect()
}

/// Counts of ASes are far below 2^32.
pub(super) fn float(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// A value and the range that it has over all ways to break ties.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    /// `None` where nothing has a value.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        values.fold(None, |range, value| match range {
            None => Some(Self { value, low: value, high: value }),
            Some(Self { value: first, low, high }) => {
                Some(Self { value: first, low: low.min(value), high: high.max(value) })
            }
        })
    }
}

impl Row {
    pub(super) fn range(&self) -> Both<Option<Range>> {
        let of = |pick: fn(&Both<Option<f64>>) -> Option<f64>| {
            Range::of(self.values.iter().filter_map(|(_, both)| pick(both)))
        };
        Both { before: of(|both| both.before), after: of(|both| both.after) }
    }
}
