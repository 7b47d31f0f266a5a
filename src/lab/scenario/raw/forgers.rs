//! The table `[[forger]]` as it is written.

use serde::Deserialize;
use toml::Spanned;

use crate::lab::scenario::Forgery;
use crate::model::Prefix;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::lab::scenario) struct Forger {
    pub(in crate::lab::scenario) per_second: Spanned<f64>,
    pub(in crate::lab::scenario) says: Spanned<Vec<Forgery>>,
    pub(in crate::lab::scenario) from: Spanned<Prefix>,
    pub(in crate::lab::scenario) about: Spanned<Prefix>,
}
