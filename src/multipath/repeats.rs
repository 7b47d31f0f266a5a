//! How often one flow must be asked at a hop before it is believed to go one way only: what tells a balancer
//! that goes by flows from one that goes packet by packet.

use super::hop::Hop;
use super::links::Links;
use super::splits::Splits;
use super::stopping::StoppingRule;

/// Answers that a flow must get from one router before crossing links are believed to be links, and not
/// balancing packet by packet: by chance one in 2¹⁵.
const REPEATS_IF_MESHED: usize = 16;
/// The chance that is left of taking a balancer that goes packet by packet for one that goes by flows.
const UNNOTICED_PER_PACKET: f64 = 0.002;

/// How often a flow must be answered at a hop before it is believed to go one way; 0 where that is not in
/// question.
#[must_use]
pub fn answers_wanted(index: usize, hops: &[Hop], links: &Links, splits: &Splits) -> usize {
    if links.is_meshed_at(index) {
        return REPEATS_IF_MESHED;
    }
    let before = index.checked_sub(1).and_then(|before| hops.get(before));
    if before.is_some_and(Hop::is_wide) {
        return 0;
    }
    let parted_at = before.into_iter().flat_map(|before| before.vertices().keys());
    if parted_at.clone().any(|router| splits.goes_by_flow(*router)) {
        return 0;
    }
    let narrowest = parted_at.filter_map(|router| splits.narrowest(*router)).min_by(f64::total_cmp);
    let branches = hops.get(index).map_or(1, |hop| hop.vertices().len());
    repeats(branches, narrowest)
}

/// How many flows must be answered by the one router that is known at a hop, where one before it sends the packets to
/// other targets one by one, before it is believed to send these all one way; 0 where that is not in question.
#[must_use]
pub fn flows_behind_by_packet(hop: &Hop, before: Option<&Hop>, splits: &Splits) -> usize {
    let mut routers = before.into_iter().flat_map(|before| before.vertices().keys());
    let in_question = !hop.is_wide() && routers.any(|router| splits.goes_by_packet(*router));
    if in_question { StoppingRule::missing_at_most(UNNOTICED_PER_PACKET).flows(1, None) } else { 0 }
}

/// How many answers of one flow, all from one router, rule out balancing packet by packet over so many branches.
fn repeats(branches: usize, narrowest: Option<f64>) -> usize {
    const MOST: usize = 64;
    let Ok(others) = u32::try_from(branches.saturating_sub(1)) else { return MOST };
    if others == 0 {
        return 0;
    }
    let equal = 1.0 / (f64::from(others) + 1.0);
    let narrow = narrowest.map_or(equal, |share| share.min(equal));
    let widest = 1.0 - narrow * f64::from(others);
    let unnoticed = |answers: usize| {
        let answers = i32::try_from(answers).unwrap_or(i32::MAX);
        widest.powi(answers) + f64::from(others) * narrow.powi(answers)
    };
    (2..MOST).find(|answers| unnoticed(*answers) <= UNNOTICED_PER_PACKET).unwrap_or(MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_branches_want_ten_answers_and_unequal_ones_more() {
        assert_eq!((repeats(1, None), repeats(2, None)), (0, 10));
        assert!(repeats(3, None) < 8 && repeats(16, None) <= 4, "many branches show themselves soon");
        assert!(repeats(2, Some(0.1)) > 40);
    }
}
