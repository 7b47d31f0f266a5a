//! An AS path as the steps from AS to AS, as graphs want it.

use super::as_path::{AsPath, Segment};
use crate::model::Asn;

/// A path from AS to AS, from the vantage outward.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Walk {
    /// The steps; no two in a row are of the same AS.
    pub steps: Vec<Step>,
}

/// One AS on a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The AS.
    pub asn: Asn,
    /// Whether hops that name no AS lie between it and the step before, or the vantage.
    pub after_gap: bool,
}

impl Walk {
    /// The steps of a path that began in the AS `own`, if that is known: it is put first where it did not
    /// answer itself, since every path begins there.
    #[must_use]
    pub fn new(path: &AsPath, own: Option<Asn>) -> Self {
        let mut walk = Self::default();
        if let Some(own) = own {
            walk.steps.push(Step { asn: own, after_gap: false });
        }
        let mut after_gap = false;
        for segment in &path.segments {
            match segment {
                Segment::As { asn, .. } => {
                    walk.push(Step { asn: *asn, after_gap });
                    after_gap = false;
                }
                Segment::Gap { .. } | Segment::Unmapped { .. } => after_gap = true,
            }
        }
        walk
    }

    /// The same walk up to and with `origin`. Where it was not seen to get there it is assumed to, behind a
    /// gap: to be called only for a path whose upstream is told.
    #[must_use]
    pub fn to_origin(mut self, origin: Asn) -> Self {
        match self.steps.iter().position(|step| step.asn == origin) {
            Some(position) => self.steps.truncate(position.saturating_add(1)),
            None => self.steps.push(Step { asn: origin, after_gap: true }),
        }
        self
    }

    /// The same walk up to what lies before `origin`, if it comes there.
    #[must_use]
    pub fn before(mut self, origin: Asn) -> Self {
        if let Some(position) = self.steps.iter().position(|step| step.asn == origin) {
            self.steps.truncate(position);
        }
        self
    }

    /// The steps from one AS to the next: from, to, and whether a gap lies between.
    pub fn links(&self) -> impl Iterator<Item = (Asn, Asn, bool)> {
        self.steps.iter().zip(self.steps.iter().skip(1)).map(|(from, to)| (from.asn, to.asn, to.after_gap))
    }

    fn push(&mut self, step: Step) {
        if self.steps.last().map(|last| last.asn) != Some(step.asn) {
            self.steps.push(step);
        }
    }
}
