//! What ASes are to each other, as the annotation of routers asks for it: providers, customers, peers,
//! organisations and customer cones.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use crate::analyse::origin::{Organisations, OriginTable};
use crate::model::{AsRelation, Asn, Keyed};

/// Relations between ASes.
#[derive(Clone, Debug, Default)]
pub struct Relations {
    customers: Keyed<Asn, BTreeSet<Asn>>,
    providers: Keyed<Asn, BTreeSet<Asn>>,
    peers: Keyed<Asn, BTreeSet<Asn>>,
    organisations: Organisations,
    cones: RefCell<Keyed<Asn, Rc<BTreeSet<Asn>>>>,
}

/// What one AS is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kin {
    Provider,
    Customer,
    Peer,
}

impl Relations {
    /// These relations.
    #[must_use]
    pub fn new(relations: &[AsRelation]) -> Self {
        let mut all = Self::default();
        for relation in relations {
            match *relation {
                AsRelation::Transit { provider, customer } => {
                    all.customers.entry(provider).or_default().insert(customer);
                    all.providers.entry(customer).or_default().insert(provider);
                }
                AsRelation::Peering(one, other) => {
                    all.peers.entry(one).or_default().insert(other);
                    all.peers.entry(other).or_default().insert(one);
                }
                AsRelation::Siblings(one, other) => all.organisations.join(one, other),
            }
        }
        all
    }

    /// What this table knows, organisations too.
    #[must_use]
    pub fn of(origins: &OriginTable) -> Self {
        Self { organisations: origins.organisations().clone(), ..Self::new(origins.relations()) }
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customers.is_empty() && self.peers.is_empty() && self.organisations.is_empty()
    }

    /// The organisation of an AS, named by one of its ASes.
    pub(super) fn organisation(&self, asn: Asn) -> Asn {
        self.organisations.of(asn)
    }

    pub(super) fn same_organisation(&self, one: Asn, other: Asn) -> bool {
        one == other || self.organisation(one) == self.organisation(other)
    }

    /// What `other` is to `asn`.
    pub(super) fn kin(&self, asn: Asn, other: Asn) -> Option<Kin> {
        let has = |of: &Keyed<Asn, BTreeSet<Asn>>| of.get(&asn).is_some_and(|set| set.contains(&other));
        if has(&self.customers) {
            Some(Kin::Customer)
        } else if has(&self.providers) {
            Some(Kin::Provider)
        } else if has(&self.peers) {
            Some(Kin::Peer)
        } else {
            None
        }
    }

    /// Whether two ASes are neighbours, or of one organisation.
    pub(super) fn are_related(&self, one: Asn, other: Asn) -> bool {
        self.same_organisation(one, other) || self.kin(one, other).is_some()
    }

    pub(super) fn customers(&self, asn: Asn) -> impl Iterator<Item = Asn> + '_ {
        self.customers.get(&asn).into_iter().flatten().copied()
    }

    pub(super) fn providers(&self, asn: Asn) -> impl Iterator<Item = Asn> + '_ {
        self.providers.get(&asn).into_iter().flatten().copied()
    }

    /// The AS, its customers, their customers, and so on.
    pub(super) fn cone(&self, asn: Asn) -> Rc<BTreeSet<Asn>> {
        if let Some(cone) = self.cones.borrow().get(&asn) {
            return Rc::clone(cone);
        }
        let mut cone = BTreeSet::from([asn]);
        let mut open = vec![asn];
        while let Some(next) = open.pop() {
            open.extend(self.customers(next).filter(|customer| cone.insert(*customer)));
        }
        let cone = Rc::new(cone);
        self.cones.borrow_mut().insert(asn, Rc::clone(&cone));
        cone
    }

    pub(super) fn cone_size(&self, asn: Asn) -> usize {
        self.cone(asn).len()
    }
}
