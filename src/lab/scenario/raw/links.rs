//! The table `[[link]]` as it is written.

use std::net::IpAddr;

use serde::Deserialize;
use toml::Spanned;

use super::Span;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Link {
    pub(in crate::lab::scenario) between: Spanned<[Spanned<String>; 2]>,
    pub(in crate::lab::scenario) addresses: Option<[Vec<Spanned<IpAddr>>; 2]>,
    pub(in crate::lab::scenario) delay: Spanned<Span>,
    pub(in crate::lab::scenario) jitter: Option<Spanned<Span>>,
    pub(in crate::lab::scenario) loss: Option<Spanned<f64>>,
    pub(in crate::lab::scenario) cost: Option<Spanned<u32>>,
}
