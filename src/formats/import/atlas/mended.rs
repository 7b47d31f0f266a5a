//! What can be kept of a result of which a value is not of its type: of the others the packet, hop or result about
//! which nothing can be said without it is left out.

use super::{Answer, Entry, Measured};
use crate::formats::import::mended::{Fields, LeftOut};

/// An object with nothing in it.
const NOTHING: &str = "{}";

/// The rest of a result; `None` if it would say something else.
pub(super) fn mend(result: &str, left_out: &mut LeftOut) -> Option<String> {
    let mut result = Fields::of(result)?;
    result.mend_list("result", |entry| Some(mend_entry(entry, left_out)));
    let bad = result.take_bad(left_out, |one| serde_json::from_str::<Measured<'_>>(one).is_ok());
    let decides = bad.iter().any(|key| matches!(key.as_str(), "type" | "proto" | "mode"));
    (!decides).then(|| result.text())
}

/// Of the packet of a ping of which nothing can be said its place stays.
fn mend_entry(entry: &str, left_out: &mut LeftOut) -> String {
    let Some(mut entry) = Fields::of(entry) else {
        left_out.count(1);
        return NOTHING.to_owned();
    };
    entry.mend_list("result", |answer| mend_answer(answer, left_out));
    let bad = entry.take_bad(left_out, |one| serde_json::from_str::<Entry<'_>>(one).is_ok());
    if bad.iter().any(|key| matches!(key.as_str(), "error" | "srcaddr" | "src_addr")) {
        entry.keep_only("dup");
    }
    entry.text()
}

/// `None` for a late one of which nothing can be said. Any other stands for a packet that was sent, and keeps its place.
fn mend_answer(answer: &str, left_out: &mut LeftOut) -> Option<String> {
    let Some(mut fields) = Fields::of(answer) else {
        left_out.count(1);
        return Some(NOTHING.to_owned());
    };
    let is_late = fields.has("late");
    let bad = fields.take_bad(left_out, |one| serde_json::from_str::<Answer<'_>>(one).is_ok());
    let decides =
        |key: &str| matches!(key, "late" | "err" | "error" | "flags") || (is_late && key == "edst");
    if bad.iter().any(|key| decides(key)) {
        fields.keep_only("dup");
        return (!is_late).then(|| fields.text());
    }
    Some(fields.text())
}
