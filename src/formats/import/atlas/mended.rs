//! Results of which a value is not of its type. The others are kept: a bad value is left out as if it were not told, and
//! with it the packet, hop or result about which nothing can be said without it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Answer, Batch, Entry, Measured, take};

/// The longest object that is mended, in bytes: as a tree it takes up to eighty times as much memory.
const LONGEST_MENDED: usize = 256 << 10;

/// Reads an object that could not be read as it stands, for this reason.
pub(super) fn read(object: &[u8], error: &serde_json::Error, offset: u64, batch: &mut Batch) {
    let is_small = object.len() <= LONGEST_MENDED;
    let mut value = if is_small { serde_json::from_slice(object).unwrap_or_default() } else { Value::Null };
    let left_out = mend(&mut value);
    match (left_out, Measured::deserialize(&value)) {
        (Some(left_out), Ok(result)) => {
            batch.fault(offset, format_args!("a part of this result of RIPE Atlas is left out: {error}"));
            batch.count_many("values left out of results that are kept otherwise", left_out);
            take(&result, offset, batch);
        }
        _ => batch.fault(offset, format_args!("no result of RIPE Atlas: {error}")),
    }
}

/// Takes out what cannot be read, and says how much that was; `None` if the rest would say something else.
fn mend(value: &mut Value) -> Option<u64> {
    let result = value.as_object_mut()?;
    let mut left_out: u64 = 0;
    if let Some(Value::Array(entries)) = result.get_mut("result") {
        for entry in entries {
            mend_entry(entry, &mut left_out);
        }
    }
    let bad = take_bad(result, |one| Measured::deserialize(one).is_ok());
    let decides = bad.iter().any(|key| matches!(key.as_str(), "type" | "proto" | "mode"));
    (!decides).then_some(left_out.saturating_add(bad.len() as u64))
}

/// Of the packet of a ping of which nothing can be said its place stays.
fn mend_entry(entry: &mut Value, left_out: &mut u64) {
    let Some(entry) = entry.as_object_mut() else {
        *left_out = left_out.saturating_add(1);
        *entry = Value::Object(Map::new());
        return;
    };
    if let Some(Value::Array(answers)) = entry.get_mut("result") {
        answers.retain_mut(|answer| mend_answer(answer, left_out));
    }
    let bad = take_bad(entry, |one| Entry::deserialize(one).is_ok());
    *left_out = left_out.saturating_add(bad.len() as u64);
    if bad.iter().any(|key| matches!(key.as_str(), "error" | "srcaddr" | "src_addr")) {
        entry.retain(|key, _| key == "dup");
    }
}

/// False for a late one of which nothing can be said. Any other stands for a packet that was sent, and keeps its place.
fn mend_answer(answer: &mut Value, left_out: &mut u64) -> bool {
    let Some(fields) = answer.as_object_mut() else {
        *left_out = left_out.saturating_add(1);
        *answer = Value::Object(Map::new());
        return true;
    };
    let is_late = fields.contains_key("late");
    let bad = take_bad(fields, |one| Answer::deserialize(one).is_ok());
    *left_out = left_out.saturating_add(bad.len() as u64);
    let decides =
        |key: &str| matches!(key, "late" | "err" | "error" | "flags") || (is_late && key == "edst");
    if bad.iter().any(|key| decides(key)) {
        fields.retain(|key, _| key == "dup");
        return !is_late;
    }
    true
}

/// Takes out the fields that cannot be read.
fn take_bad(fields: &mut Map<String, Value>, is_sound: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut bad = Vec::new();
    for (key, value) in std::mem::take(fields) {
        let one = Value::Object(Map::from_iter([(key, value)]));
        let sound = is_sound(&one);
        let Value::Object(one) = one else { continue };
        if sound {
            fields.extend(one);
        } else {
            bad.extend(one.into_iter().map(|(key, _)| key));
        }
    }
    bad
}
