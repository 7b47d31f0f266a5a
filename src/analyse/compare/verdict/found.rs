//! What is said of changes that were found on the way and not at the upstream.

use super::super::findings::FoundChange;
use super::super::number;
use crate::model::LinkChange;

/// Changes told by name; the others are counted.
const MOST: usize = 4;

/// Changes of one moment, none of them at the upstream.
pub(super) fn sentence(changes: &[&FoundChange]) -> Option<String> {
    let first = changes.first()?;
    let name = |found: &FoundChange| format!("{}-{}", found.link.0, found.link.1);
    let clauses = changes.iter().take(MOST).map(|found| clause(found, &name(found)));
    let told = clauses.collect::<Vec<_>>().join(", ");
    let more = changes.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(", and {more} more in found.csv") } else { String::new() };
    let unlike = if first.at_once { "" } else { ", not all flows at one moment" };
    let bracket = number::bracket((first.from, first.to));
    Some(format!("the way changed between {bracket}{unlike}: {told}{rest}"))
}

/// `link AS3356-AS4837 fell out of use (0 of 16 flows, was 9 of 16)`.
pub(super) fn clause<N>(found: &FoundChange<N>, link: &str) -> String {
    let of = |part: u64, whole: u64| format!("{} of {}", number::count(part), number::count(whole));
    let (used, unused) = (of(found.used, found.flows), of(0, found.others));
    let whose = if found.whole_vantage { " towards all units" } else { "" };
    match found.change {
        LinkChange::Added => {
            format!("link {link} came into use ({used} flows{whose}, was {unused})")
        }
        LinkChange::Lost => {
            format!("link {link} fell out of use ({unused} flows{whose}, was {used})")
        }
    }
}
