//! What is said of outages: each by itself where they are few, together where they are many.

use std::time::Duration;

use super::super::findings::{Outage, OutageState, PathThen, Watch, Watched};
use super::super::number;
use super::super::unit::UnitView;
use super::{Weighed, Weight};

/// More outages than this are told together.
const FEW: usize = 3;

/// All sentences about the outages of a unit, vantage by vantage.
pub(super) fn sentences(view: &UnitView<'_>) -> Vec<Weighed> {
    let several = view.watches.len() > 1;
    let told = view.watches.iter().flat_map(|watch| {
        let from = if several { format!("seen from {}, ", watch.vantage) } else { String::new() };
        of_watch(watch).into_iter().map(move |(weight, text)| (weight, format!("{from}{text}")))
    });
    told.collect()
}

fn of_watch(watch: &Watch) -> Vec<Weighed> {
    let mut sentences = Vec::new();
    if watch.watched == Watched::TooRarely {
        let text = "up and down cannot be told apart: what is there answers at most one probe in ten";
        sentences.push((Weight::Unjudged, text.to_owned()));
    }
    for state in [OutageState::Down, OutageState::HostsUnsure, OutageState::VantageUnsure] {
        let outages: Vec<&Outage> = watch.outages.iter().filter(|outage| outage.state == state).collect();
        let weight = if state == OutageState::Down { Weight::Reach } else { Weight::Lesser };
        sentences.extend(of_state(&outages, state).into_iter().map(|text| (weight, text)));
    }
    for (method, from, to) in &watch.silent_methods {
        let (from, to) = (number::moment(*from), number::moment(*to));
        let text = format!(
            "{} alone was silent from {from} to {to} UTC, while other probes were answered: a filter or a limit, not an \
             outage",
            method.as_str()
        );
        sentences.push((Weight::Lesser, text));
    }
    sentences
}

fn of_state(outages: &[&Outage], state: OutageState) -> Vec<String> {
    let word = if state == OutageState::Down { "down" } else { "silent" };
    if outages.len() <= FEW {
        return outages
            .iter()
            .map(|outage| format!("{word} {}: {}", span(outage), evidence(outage)))
            .collect();
    }
    let (Some(first), Some(last)) = (outages.first(), outages.last()) else { return Vec::new() };
    let Some(longest) = outages.iter().max_by_key(|outage| shortest(outage)) else { return Vec::new() };
    let sum = |length: fn(&Outage) -> Duration| {
        outages.iter().fold(Duration::ZERO, |sum, outage| sum.saturating_add(length(outage)))
    };
    let (from, to) = (number::moment(first.silent.0), number::moment(last.silent.1));
    vec![format!(
        "{word} {} times between {from} and {to} UTC, {} to {} in all; the longest {}: {}; all of them stand in outages.csv",
        outages.len(),
        number::span(sum(shortest)),
        number::span(sum(greatest)),
        span(longest),
        evidence(longest),
    )]
}

/// It lasted no less.
fn shortest(outage: &Outage) -> Duration {
    outage.ended_after.since(outage.begun_by)
}

/// From the last answer before to the first behind it: it lasted no longer.
fn greatest(outage: &Outage) -> Duration {
    let from = outage.last_up.unwrap_or(outage.silent.0);
    outage.first_up.unwrap_or(outage.silent.1).since(from)
}

/// `from 2017-10-01 10:47:32 ± 2 min 30 s to 10:51:02 ± 2 min 30 s`.
fn span(outage: &Outage) -> String {
    let from = match outage.last_up {
        Some(up) => format!("from {}", number::give_or_take((up, outage.begun_by))),
        None => "from the first probe on".to_owned(),
    };
    let to = match outage.first_up {
        Some(up) => format!("to {} UTC", number::give_or_take((outage.ended_after, up))),
        None => "to the end".to_owned(),
    };
    format!("{from} {to}")
}

fn evidence(outage: &Outage) -> String {
    let addresses = if outage.addresses == 1 { "1 address" } else { "addresses" };
    let count = if outage.addresses == 1 { String::new() } else { format!("{} ", outage.addresses) };
    let mut text = format!("{} probes to {count}{addresses} unanswered", number::count(outage.probes));
    text += match outage.path {
        PathThen::Cut => ", and the traces of that time ended before any upstream",
        PathThen::AsBefore => ", though traces of that time still entered its network",
        PathThen::NotTold => "",
    };
    text += match (outage.state, outage.controlled) {
        (OutageState::Down, true) => "",
        (OutageState::Down, false) => {
            "; no control targets were probed, so trouble at the vantage is not ruled out"
        }
        (OutageState::HostsUnsure, _) => {
            "; that these hosts were in trouble by themselves is not ruled out"
        }
        (OutageState::VantageUnsure, true) => {
            "; no control target was heard in that time either, so it may be the vantage's trouble"
        }
        (OutageState::VantageUnsure, false) => {
            "; nobody else was heard in that time and no control targets were probed, so it may be the vantage's trouble"
        }
    };
    if !outage.seen_up_from.is_empty() {
        let from: Vec<&str> = outage.seen_up_from.iter().map(crate::model::Name::as_str).collect();
        text.extend(["; it was unreachable from some only: from ", &from.join(" and "), " it answered"]);
    }
    text
}
