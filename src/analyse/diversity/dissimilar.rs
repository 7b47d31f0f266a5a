//! How unlike paths are: effective path diversity (Rohrer, Jabbar, Sterbenz: *Path diversification for future
//! Internet end-to-end resilience and survivability*, Telecommunication Systems 56, 2014).
//!
//! A path is the set of its links and of the nodes between its ends. The diversity of a path towards another
//! is the part of the other that it does not share.

use std::collections::BTreeSet;

use super::spread::real;

/// How fast further diversity loses its worth: the λ of the paper, printed with every result.
pub const LAMBDA: f64 = 1.0;

/// The effective path diversity of paths between the same two ends, from 0 for one path towards 1: `1 − e^(−λk)`,
/// where `k` sums for each path but the shortest its least diversity towards those before it. They are taken
/// the shortest first, those of one length in their order. `None` of no path.
#[must_use]
pub fn effective_path_diversity<E: Ord>(paths: &BTreeSet<BTreeSet<E>>, lambda: f64) -> Option<f64> {
    let mut by_length: Vec<&BTreeSet<E>> = paths.iter().filter(|path| !path.is_empty()).collect();
    by_length.sort_by_key(|path| path.len());
    let later = by_length.iter().enumerate().skip(1);
    let sum: f64 =
        later.map(|(position, path)| least_diversity(path, by_length.iter().take(position))).sum();
    (!by_length.is_empty()).then(|| -(-lambda * sum).exp_m1())
}

fn least_diversity<'a, E: Ord + 'a>(
    path: &BTreeSet<E>,
    before: impl Iterator<Item = &'a &'a BTreeSet<E>>,
) -> f64 {
    let towards = |other: &&BTreeSet<E>| 1.0 - real(path.intersection(other).count()) / real(other.len());
    before.map(towards).min_by(f64::total_cmp).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epd(paths: &[&[u8]]) -> f64 {
        let paths = paths.iter().map(|path| path.iter().copied().collect()).collect();
        effective_path_diversity(&paths, 1.0).unwrap()
    }

    #[test]
    fn the_values_are_those_of_the_definition() {
        assert!(epd(&[&[1, 2, 3]]).abs() < 1e-12, "one path is no diversity");
        // Two disjoint paths: k = 1; three: k = 2.
        assert!((epd(&[&[1, 2], &[3, 4]]) - 0.632_121).abs() < 1e-6);
        assert!((epd(&[&[1, 2], &[3, 4], &[5, 6, 7]]) - 0.864_665).abs() < 1e-6);
        // The second shares half of the first: k = 1/2.
        assert!((epd(&[&[1, 2], &[2, 3, 4]]) - 0.393_469).abs() < 1e-6);
        // A third that adds nothing that one of the two has not: its least diversity is 1/3 towards {2, 3, 4}.
        assert!((epd(&[&[1, 2], &[2, 3, 4], &[2, 3, 5, 6]]) - (1.0 - (-5.0_f64 / 6.0).exp())).abs() < 1e-9);
    }

    #[test]
    fn no_path_is_no_number() {
        assert_eq!(effective_path_diversity::<u8>(&BTreeSet::new(), 1.0), None);
    }
}
