//! What is said of round-trip times to a unit that changed.

use super::super::delay::{DelayChange, DelaySubject};
use super::super::number;
use crate::model::{Method, Unit};

/// Changes told; the others are counted.
const MOST: usize = 3;

/// One sentence a change, in the order of time. Of methods that show the same change, the surest speaks for all.
pub(super) fn sentences(unit: Unit, changes: &[DelayChange]) -> Vec<String> {
    let mut told: Vec<(&DelayChange, Vec<Method>)> = Vec::new();
    for change in changes {
        let DelaySubject::Unit(of, method) = change.subject else { continue };
        if of != unit {
            continue;
        }
        match told.iter_mut().find(|(other, _)| is_same(other, change)) {
            Some((surest, methods)) => {
                methods.push(method);
                if change.p < surest.p {
                    *surest = change;
                }
            }
            None => told.push((change, vec![method])),
        }
    }
    let more = told.len().saturating_sub(MOST);
    let mut sentences: Vec<String> =
        told.iter().take(MOST).map(|(change, by)| sentence(change, by)).collect();
    if more > 0 {
        sentences.push(format!("{more} more changes of round-trip times stand in delay_changes.csv"));
    }
    sentences
}

/// One vantage, one direction, and moments that overlap.
fn is_same(one: &DelayChange, other: &DelayChange) -> bool {
    one.vantage == other.vantage
        && one.difference.value.is_sign_negative() == other.difference.value.is_sign_negative()
        && one.from <= other.to
        && other.from <= one.to
}

/// `round trips from berlin became shorter between …: 270.1 ms to 170.4 ms (−99.7 ms [−101.2, −98.9]; median, by echo, tcp)`.
fn sentence(change: &DelayChange, methods: &[Method]) -> String {
    let way = if change.difference.value < 0.0 { "shorter" } else { "longer" };
    let by = methods.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    let milliseconds = |value| number::milliseconds(value).unwrap_or_default();
    format!(
        "round trips from {} became {way} between {}: {} to {} ms ({}; medians, by {by})",
        change.vantage,
        number::bracket((change.from, change.to)),
        milliseconds(change.before.value),
        milliseconds(change.after.value),
        number::milliseconds_more(&change.difference).unwrap_or_default(),
    )
}
