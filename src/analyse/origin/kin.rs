//! What ASes are to each other, as far as it tells which of several origins of a prefix has an address.

use std::collections::{BTreeSet, HashMap};

use crate::model::{AsRelation, Asn};

/// Which ASes are of one organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organisations {
    /// Of each AS that has siblings one with a lower number, in the end the lowest.
    lower: HashMap<Asn, Asn>,
}

impl Organisations {
    /// Whether no two ASes are known to be of one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// The organisation of an AS, named by the lowest of its ASes.
    #[must_use]
    pub fn of(&self, mut asn: Asn) -> Asn {
        while let Some(lower) = self.lower.get(&asn) {
            asn = *lower;
        }
        asn
    }

    /// Makes the organisations of two ASes one.
    pub fn join(&mut self, one: Asn, other: Asn) {
        let (one, other) = (self.of(one), self.of(other));
        if one != other {
            self.lower.insert(one.max(other), one.min(other));
        }
    }
}

/// Organisations and providers.
#[derive(Clone, Debug, Default)]
pub(super) struct Kin {
    pub(super) organisations: Organisations,
    providers: HashMap<Asn, Vec<Asn>>,
}

/// By what one of several origins was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Choice {
    /// Nothing is known of what ASes are to each other: the first of the table.
    Unknown,
    /// They are neither of one organisation, nor is one a customer of all others: the first of the table.
    First,
    /// All are of one organisation: the first of the table.
    Organisation,
    /// This one is a customer of all others, or a customer of their customers.
    Customer,
}

impl Kin {
    pub(super) fn add(&mut self, relation: AsRelation) {
        match relation {
            AsRelation::Siblings(one, other) => self.organisations.join(one, other),
            AsRelation::Transit { provider, customer } => {
                self.providers.entry(customer).or_default().push(provider);
            }
            AsRelation::Peering(..) => {}
        }
    }

    /// Which of several origins it is, by its position, and why.
    pub(super) fn choose(&self, origins: &[Asn]) -> (usize, Choice) {
        if self.organisations.is_empty() && self.providers.is_empty() {
            return (0, Choice::Unknown);
        }
        let organisation = |asn: &Asn| self.organisations.of(*asn);
        let first = origins.first().map(organisation);
        if origins.iter().all(|asn| Some(organisation(asn)) == first) {
            return (0, Choice::Organisation);
        }
        let is_below_all = |asn: &Asn| {
            let above = self.above(*asn, origins);
            origins.iter().all(|other| organisation(other) == organisation(asn) || above.contains(other))
        };
        match origins.iter().position(is_below_all) {
            Some(customer) => (customer, Choice::Customer),
            None => (0, Choice::First),
        }
    }

    /// The providers of an AS, their providers, and so on, until all that are looked for are among them.
    fn above(&self, asn: Asn, wanted: &[Asn]) -> BTreeSet<Asn> {
        let mut above = BTreeSet::new();
        let mut open = vec![asn];
        while let Some(next) = open.pop() {
            let providers = self.providers.get(&next).into_iter().flatten().copied();
            open.extend(providers.filter(|provider| above.insert(*provider)));
            if wanted.iter().all(|wanted| *wanted == asn || above.contains(wanted)) {
                break;
            }
        }
        above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asn(number: u32) -> Asn {
        Asn::try_from(number).unwrap()
    }

    fn choice(relations: &[AsRelation], origins: &[u32]) -> (u32, Choice) {
        let mut kin = Kin::default();
        for relation in relations {
            kin.add(*relation);
        }
        let origins: Vec<Asn> = origins.iter().map(|number| asn(*number)).collect();
        let (place, choice) = kin.choose(&origins);
        (origins[place].get(), choice)
    }

    fn sold(provider: u32, customer: u32) -> AsRelation {
        AsRelation::Transit { provider: asn(provider), customer: asn(customer) }
    }

    #[test]
    fn of_several_origins_the_organisation_counts_first_and_then_who_is_a_customer_of_all_others() {
        assert_eq!(choice(&[], &[7, 3]), (7, Choice::Unknown));
        let known =
            [AsRelation::Siblings(asn(3), asn(7)), AsRelation::Siblings(asn(7), asn(9)), sold(1, 2)];
        assert_eq!(choice(&known, &[9, 3]), (9, Choice::Organisation));
        assert_eq!(choice(&known, &[9, 4]), (9, Choice::First), "nobody's customer");
        let chain = [sold(1, 2), sold(2, 3), sold(5, 3), AsRelation::Siblings(asn(3), asn(4))];
        assert_eq!(choice(&chain, &[1, 3]), (3, Choice::Customer));
        assert_eq!(choice(&chain, &[1, 5, 3]), (3, Choice::Customer));
        assert_eq!(choice(&chain, &[1, 3, 4]), (3, Choice::Customer), "beside a sibling of it");
        assert_eq!(choice(&chain, &[5, 2]), (5, Choice::First));
    }

    #[test]
    fn providers_of_each_other_end() {
        assert_eq!(choice(&[sold(1, 2), sold(2, 1)], &[1, 3]), (1, Choice::First));
    }
}
