//! An alarm as a line for people.

use super::super::number;
use crate::analyse::compare::{Alarm, AlarmKind};

/// Units that are named; of the others it is told how many they are.
const MOST_UNITS: usize = 3;

/// What happened, to whom, when, and how large it is: `alarm: 175.45.178.0/24 is down since 2017-10-01 …`.
#[must_use]
pub fn alarm_line(alarm: &Alarm) -> String {
    let begun = number::bracket((alarm.from, alarm.to));
    if let Some(over) = alarm.over {
        return format!("over: {}, between {}", ended(alarm), number::bracket(over));
    }
    let size = size(alarm).map(|size| format!("; {size}")).unwrap_or_default();
    format!("alarm: {}, between {begun}{size}", what(alarm))
}

fn what(alarm: &Alarm) -> String {
    let Alarm { subject, vantage, .. } = alarm;
    match alarm.kind {
        AlarmKind::LinkLost => format!("link {subject} lost for {}", units(alarm)),
        AlarmKind::LinkAdded => format!("link {subject} added for {}", units(alarm)),
        AlarmKind::Down => format!("{subject} went down"),
        AlarmKind::VantageUnwell => format!("{vantage} lost all of its control targets"),
        AlarmKind::Slower => format!("round-trip times to {subject} became longer"),
        AlarmKind::Faster => format!("round-trip times to {subject} became shorter"),
    }
}

fn ended(alarm: &Alarm) -> String {
    match alarm.kind {
        AlarmKind::VantageUnwell => format!("{} hears its control targets again", alarm.vantage),
        _ => format!("{} answers again", alarm.subject),
    }
}

fn units(alarm: &Alarm) -> String {
    let named: Vec<String> = alarm.units.iter().take(MOST_UNITS).map(ToString::to_string).collect();
    let more = alarm.units.len().saturating_sub(MOST_UNITS);
    if more > 0 { format!("{} and {more} more", named.join(", ")) } else { named.join(", ") }
}

/// From what to what, and how likely by chance; nothing of a silence.
fn size(alarm: &Alarm) -> Option<String> {
    let (before, after) = (alarm.before?, alarm.after?);
    let shown = |value: f64| match alarm.kind {
        AlarmKind::Slower | AlarmKind::Faster => number::milliseconds(value),
        _ => number::percent(value).map(|percent| format!("{percent} of flows")),
    };
    let chance = number::probability(alarm.p?).map(|p| format!(", p {p}")).unwrap_or_default();
    Some(format!("from {} to {}{chance}", shown(before)?, shown(after)?))
}
