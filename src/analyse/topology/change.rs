//! What is lost and what is added, in the words of a user, and what of it a topology knows.

use std::fmt;
use std::str::FromStr;

use super::graph::Topology;
use super::loss::Lost;
use crate::model::{AsLink, AsRelation, Asn};

/// What happens to a topology.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What goes.
    pub lose: Vec<Lost>,
    /// What comes; of a pair that is there already, its new relation.
    pub add: Vec<AsRelation>,
}

/// Why a text names nothing that can be lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be lost: must be an AS as in AS4837, or a link as in AS4837-AS131279")]
pub struct BadLost(String);

impl FromStr for Lost {
    type Err = BadLost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lost = text.parse().map(Self::As).or_else(|_| text.parse().map(Self::Link));
        lost.map_err(|_: crate::model::BadAsLink| BadLost(shortened(text)))
    }
}

/// Why a text names nothing that can be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be added: must be a link with its relation, as in AS20485-AS131279:transit (the first sells \
     transit to the second), AS1-AS2:peering or AS1-AS2:siblings"
)]
pub struct BadAdded(String);

/// Reads a link with its relation: `AS20485-AS131279:transit`, provider first, or `:peering` or `:siblings`.
///
/// # Errors
/// A text that is none.
pub fn added(text: &str) -> Result<AsRelation, BadAdded> {
    let relation = || {
        let (link, relation) = text.split_once(':')?;
        let (one, other) = link.split_once('-')?;
        let (one, other): (Asn, Asn) = (one.parse().ok()?, other.parse().ok()?);
        AsLink::new(one, other)?;
        match relation {
            "transit" => Some(AsRelation::Transit { provider: one, customer: other }),
            "peering" => Some(AsRelation::Peering(one.min(other), one.max(other))),
            "siblings" => Some(AsRelation::Siblings(one.min(other), one.max(other))),
            _ => None,
        }
    };
    relation().ok_or_else(|| BadAdded(shortened(text)))
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Something that is not in a topology, and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// An AS, and those whose numbers are the most like its own.
    As(Asn, Vec<Asn>),
    /// A link, and links of its ends that are the most like it.
    Link(AsLink, Vec<AsLink>),
}

impl std::error::Error for Absent {}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::As(asn, like) => write!(f, "{asn}: is not there; the most like it are {}", listed(like)),
            Self::Link(link, like) => {
                write!(f, "{link}: is not there; the links most like it are {}", listed(like))
            }
        }
    }
}

fn listed<T: ToString>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// How many that are like it are named.
const LIKE: usize = 3;

impl Topology {
    /// Whether an AS is there.
    ///
    /// # Errors
    /// The AS, and those most like it.
    pub fn check_as(&self, asn: Asn) -> Result<(), Absent> {
        if self.has(asn) {
            return Ok(());
        }
        let key = |other: &Asn| (edits(&digits(asn), &digits(*other)), other.get().abs_diff(asn.get()));
        Err(Absent::As(asn, nearest(self.asns().iter().copied(), key)))
    }

    /// Whether something that is to be lost is there.
    ///
    /// # Errors
    /// What is not there.
    pub fn check(&self, lost: Lost) -> Result<(), Absent> {
        let link = match lost {
            Lost::As(asn) => return self.check_as(asn),
            Lost::Link(link) => link,
        };
        let (low, high) = link.ends();
        self.check_as(low)?;
        self.check_as(high)?;
        if self.relation(link).is_some() {
            return Ok(());
        }
        let of = |near: Asn| {
            let far = link.other_end(near).unwrap_or(near);
            let key = |other: &Asn| (edits(&digits(far), &digits(*other)), other.get().abs_diff(far.get()));
            nearest(self.neighbours_of(near).into_iter(), key)
                .into_iter()
                .filter_map(move |other| AsLink::new(near, other))
        };
        Err(Absent::Link(link, of(low).chain(of(high)).collect()))
    }

    /// The topology with these relations added; those that it had between the same pairs go.
    #[must_use]
    pub fn with(&self, add: &[AsRelation]) -> Self {
        let replaced: Vec<AsLink> = add.iter().filter_map(AsRelation::link).collect();
        let stays = |relation: &AsRelation| relation.link().is_some_and(|link| !replaced.contains(&link));
        let relations: Vec<AsRelation> =
            self.relations().filter(stays).chain(add.iter().copied()).collect();
        Self::of(&relations)
    }
}

fn nearest<K: Ord>(candidates: impl Iterator<Item = Asn>, key: impl Fn(&Asn) -> K) -> Vec<Asn> {
    let mut ranked: Vec<(K, Asn)> = candidates.map(|asn| (key(&asn), asn)).collect();
    ranked.sort_unstable();
    ranked.into_iter().take(LIKE).map(|(_, asn)| asn).collect()
}

fn digits(asn: Asn) -> Vec<u8> {
    asn.get().to_string().into_bytes()
}

/// How many digits must be changed, put in or left out to make one number of the other (Levenshtein 1966).
fn edits(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (digit, done) in one.iter().zip(1_usize..) {
        let mut before = done;
        let mut above_left = done.saturating_sub(1);
        for (place, theirs) in row.iter_mut().skip(1).zip(other) {
            let changed = above_left.saturating_add(usize::from(digit != theirs));
            above_left = *place;
            *place = changed.min(before.saturating_add(1)).min(above_left.saturating_add(1));
            before = *place;
        }
        if let Some(first) = row.first_mut() {
            *first = done;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{link, n, peers, transit};
    use super::*;

    #[test]
    fn links_ases_and_relations_are_read_and_anything_else_is_told_how_to_be_written() {
        assert_eq!("AS4837".parse(), Ok(Lost::As(n(4837))));
        assert_eq!("131279-AS4837".parse(), Ok(Lost::Link(link(4837, 131_279))));
        assert_eq!(added("AS20485-AS131279:transit"), Ok(transit(20485, 131_279)));
        assert_eq!(added("9-7:peering"), Ok(peers(7, 9)));
        assert_eq!(added("9-7:siblings"), Ok(AsRelation::Siblings(n(7), n(9))));
        for text in ["AS20485-AS131279", "AS1-AS1:transit", "AS1:peering", "1-2:friends", ""] {
            let error = added(text).unwrap_err().to_string();
            assert!(error.contains("AS20485-AS131279:transit"), "{error}");
        }
        let error = "KP".parse::<Lost>().unwrap_err().to_string();
        assert!(error.starts_with("\"KP\" cannot be lost: must be an AS"), "{error}");
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is_most_like_it() {
        let topology = Topology::of(&[transit(4837, 131_279), transit(4837, 20485), peers(131_297, 7)]);
        let error = topology.check(Lost::As(n(131_278))).unwrap_err();
        assert_eq!(error, Absent::As(n(131_278), vec![n(131_279), n(131_297), n(4837)]));
        let error = topology.check(Lost::Link(link(20485, 131_279))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "AS20485-AS131279: is not there; the links most like it are AS4837-AS20485, AS4837-AS131279"
        );
        assert_eq!(topology.check(Lost::Link(link(131_279, 4837))), Ok(()));
    }

    #[test]
    fn edits_are_counted_as_a_person_would() {
        for (one, other, expected) in [
            ("131279", "131279", 0),
            ("131279", "131297", 2),
            ("4837", "48370", 1),
            ("", "12", 2),
            ("12", "", 2),
        ] {
            assert_eq!(edits(one.as_bytes(), other.as_bytes()), expected, "{one} {other}");
        }
    }

    #[test]
    fn a_relation_that_is_added_takes_the_place_of_the_old_one() {
        let topology = Topology::of(&[transit(1, 2), transit(1, 3)]).with(&[peers(1, 2), transit(3, 4)]);
        let relations: Vec<AsRelation> = topology.relations().collect();
        assert_eq!(relations, [transit(1, 3), peers(1, 2), transit(3, 4)]);
    }
}
