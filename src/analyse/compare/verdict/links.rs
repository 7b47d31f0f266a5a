//! What is said of links between addresses that changed while those between ASes stayed.

use super::super::findings::FoundLink;
use super::super::number;
use super::found::clause;
use crate::model::Unit;

/// Links told by name for each moment, and moments told; the others are counted.
const MOST: usize = 3;

/// One sentence a moment, in the order of time.
pub(super) fn sentences(unit: Unit, links: &[FoundLink]) -> Vec<String> {
    let alone: Vec<&FoundLink> =
        links.iter().filter(|link| link.found.unit == unit && link.with.is_none()).collect();
    let mut moments: Vec<Vec<&FoundLink>> = Vec::new();
    for link in alone {
        match moments.iter_mut().find(|moment| moment.iter().all(|other| is_same(other, link))) {
            Some(moment) => moment.push(link),
            None => moments.push(vec![link]),
        }
    }
    let more = moments.len().saturating_sub(MOST);
    let mut sentences: Vec<String> =
        moments.iter_mut().take(MOST).filter_map(|moment| sentence(moment)).collect();
    if more > 0 {
        sentences.push(format!("{more} more changes of links between addresses stand in found_links.csv"));
    }
    sentences
}

/// One vantage, and times that overlap.
fn is_same(one: &FoundLink, other: &FoundLink) -> bool {
    let (one, other) = (&one.found, &other.found);
    one.vantage == other.vantage && one.from <= other.to && other.from <= one.to
}

/// Those at a border first.
fn sentence(moment: &mut [&FoundLink]) -> Option<String> {
    moment.sort_by_key(|link| link.border().is_none());
    let first = moment.first()?;
    let clauses = moment.iter().take(MOST).map(|link| clause(&link.found, &name(link)));
    let told = clauses.collect::<Vec<_>>().join(", ");
    let more = moment.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(", and {more} more in found_links.csv") } else { String::new() };
    let bracket = number::bracket((first.found.from, first.found.to));
    Some(format!("the way changed between {bracket} while no link between ASes came or went: {told}{rest}"))
}

/// `219.158.39.42-175.45.177.217 of AS4837-AS131279`.
fn name(link: &FoundLink) -> String {
    let (near, far) = link.found.link;
    match (link.holders, link.border()) {
        (_, Some((from, to))) => format!("{near}-{far} of {from}-{to}"),
        ((Some(asn), Some(_)), None) => format!("{near}-{far} within {asn}"),
        _ => format!("{near}-{far}"),
    }
}
