//! Before and after a change, for several ways to break ties: what a person asks for.

use super::change::{Absent, Change};
use super::graph::Topology;
use super::key::Ties;
use super::outlook::Outlook;
use super::routes::{Announcement, Routes};
use super::uphill::Uphill;

/// Something before and after a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Both<T> {
    /// Before.
    pub before: T,
    /// After.
    pub after: T,
}

impl<T> Both<T> {
    /// The same made of both.
    pub fn map<U>(&self, make: impl Fn(&T) -> U) -> Both<U> {
        Both { before: make(&self.before), after: make(&self.after) }
    }
}

/// What a change does in one topology.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// ASes in the topology before.
    pub ases: u64,
    /// What of the change is not there: it changes nothing.
    pub absent: Vec<Absent>,
    /// Ways up; ties do not matter for them.
    pub uphill: Both<Uphill>,
    /// One entry for each way to break ties.
    pub outlooks: Vec<(Ties, Both<Outlook>)>,
}

/// Predicts what a change does.
///
/// # Errors
/// An origin that is not in the topology.
pub fn predict(
    topology: &Topology,
    announcement: &Announcement,
    change: &Change,
    ties: &[Ties],
) -> Result<Prediction, Absent> {
    topology.check_as(announcement.origin)?;
    let changed = topology.with(&change.add);
    let absent = absent((topology, &changed), change);
    let top = Both { before: topology.top(), after: changed.top() };
    let mut uphill = Both::default();
    let mut outlooks = Vec::with_capacity(ties.len());
    for ties in ties {
        let before = Routes::to(topology, announcement, *ties);
        let after = Routes::to(&changed, announcement, *ties);
        let Some((before, mut after)) = before.zip(after) else { continue };
        // Never undone: these routes end here.
        drop(after.lose_all(&change.lose));
        if outlooks.is_empty() {
            uphill = Both { before: before.uphill(&top.before), after: after.uphill(&top.after) };
        }
        outlooks.push((*ties, Both { before: before.outlook(), after: after.outlook() }));
    }
    Ok(Prediction { ases: topology.len() as u64, absent, uphill, outlooks })
}

/// ASes of what is added must be there before it is; what is lost may have been added.
fn absent((topology, changed): (&Topology, &Topology), change: &Change) -> Vec<Absent> {
    let ends = change.add.iter().map(crate::model::AsRelation::ends).flat_map(|(one, other)| [one, other]);
    let added = ends.filter_map(|asn| topology.check_as(asn).err());
    let lost = change.lose.iter().filter_map(|lost| changed.check(*lost).err());
    added.chain(lost).collect()
}
