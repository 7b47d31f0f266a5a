//! The table `[[link]]` as it is written.

use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::Span;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Link {
    pub(in crate::lab::scenario) name: Option<Spanned<String>>,
    pub(in crate::lab::scenario) between: Spanned<[Spanned<String>; 2]>,
    pub(in crate::lab::scenario) addresses: Option<[Vec<Spanned<IpAddr>>; 2]>,
    pub(in crate::lab::scenario) delay: Spanned<Span>,
    pub(in crate::lab::scenario) jitter: Option<Spanned<Jitter>>,
    pub(in crate::lab::scenario) loss: Option<Spanned<Loss>>,
    pub(in crate::lab::scenario) reorder: Option<Spanned<Reorder>>,
    pub(in crate::lab::scenario) duplicate: Option<Spanned<f64>>,
    pub(in crate::lab::scenario) mtu: Option<Spanned<u64>>,
    pub(in crate::lab::scenario) weight: Option<Spanned<u64>>,
    pub(in crate::lab::scenario) cost: Option<Spanned<u32>>,
}

/// A mean alone is that of an exponential distribution.
#[derive(Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a span of time with its unit, as in \"200us\", or { mean = \"200us\", shape = \"exponential\" | \"uniform\" | \"normal\" | \"pareto\" }"
)]
pub(in crate::lab::scenario) enum Jitter {
    Mean(Span),
    Shaped(Shaped),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Shaped {
    pub(in crate::lab::scenario) mean: Span,
    pub(in crate::lab::scenario) shape: Shape,
}

/// How the delays on top of a link's own are distributed around their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::lab) enum Shape {
    /// Many short, few long.
    #[default]
    Exponential,
    /// Anything from nothing to twice the mean.
    Uniform,
    /// A bell around the mean; its standard deviation is a third of the mean.
    Normal,
    /// At least half the mean, and a tail of index 2: its variance grows without end.
    Pareto,
}

/// A probability alone is that of each packet by itself.
#[derive(Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "must be a probability, as in 0.01, or { mean = 0.01, burst = 5 }, with the mean number of packets in a run of losses"
)]
pub(in crate::lab::scenario) enum Loss {
    Independent(f64),
    Bursts(Bursts),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Bursts {
    pub(in crate::lab::scenario) mean: f64,
    pub(in crate::lab::scenario) burst: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Reorder {
    pub(in crate::lab::scenario) probability: Spanned<f64>,
    pub(in crate::lab::scenario) by: Spanned<Span>,
}
