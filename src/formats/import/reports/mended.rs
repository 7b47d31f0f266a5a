//! What can be kept of a report of which a value is not of its type: the hops that tell what was sent and answered.

use super::{Hub, Mtr, MtrCall, MtrReport, Trippy, TrippyHop, TrippyInfo};
use crate::formats::import::mended::{Fields, LeftOut};

/// The rest of a report of mtr; `None` if nothing is left.
pub(super) fn mtr(text: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut whole = Fields::of(text)?;
    whole.mend_object("report", |report| {
        let mut report = Fields::of(report)?;
        report.mend_object("mtr", |call| {
            let is_sound = |one: &str| serde_json::from_str::<MtrCall<'_>>(one).is_ok();
            Some(Fields::sound(call, left_out, &["dst"], is_sound)?.text())
        });
        report.mend_list("hubs", |hub| {
            let is_sound = |one: &str| serde_json::from_str::<Hub<'_>>(one).is_ok();
            Some(Fields::sound(hub, left_out, &[], is_sound)?.text())
        });
        let bad = report.take_bad(left_out, |one| serde_json::from_str::<MtrReport<'_>>(one).is_ok());
        bad.is_empty().then(|| report.text())
    });
    let bad = whole.take_bad(left_out, |one| serde_json::from_str::<Mtr<'_>>(one).is_ok());
    bad.is_empty().then(|| whole.text())
}

/// The rest of a report of trippy; `None` if nothing is left.
pub(super) fn trippy(text: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut whole = Fields::of(text)?;
    whole.mend_object("info", |info| {
        let is_sound = |one: &str| serde_json::from_str::<TrippyInfo<'_>>(one).is_ok();
        Some(Fields::sound(info, left_out, &["target"], is_sound)?.text())
    });
    whole.mend_list("hops", |hop| {
        let is_sound = |one: &str| serde_json::from_str::<TrippyHop<'_>>(one).is_ok();
        Some(Fields::sound(hop, left_out, &[], is_sound)?.text())
    });
    let bad = whole.take_bad(left_out, |one| serde_json::from_str::<Trippy<'_>>(one).is_ok());
    bad.is_empty().then(|| whole.text())
}
