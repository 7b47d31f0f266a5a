//! Whose loss hurts most: each link and AS by itself, and in pairs. Everything is put back after each loss, and only
//! what changes is worked out anew.

use super::graph::Node;
use super::loss::{Journal, Lost};
use super::routes::Routes;

/// What a loss does. Neither figure but `crossed` depends on how ties are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Harm {
    /// What is lost.
    pub lost: Lost,
    /// ASes whose way crosses it, itself not counted.
    pub crossed: u64,
    /// Those of them that have no route then, and are not lost themselves.
    pub cut_off: u64,
    /// Links that the ways of all others have more than before; below zero where they are shorter.
    pub longer: i64,
}

/// What the loss of two does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PairHarm {
    /// What is lost.
    pub lost: [Lost; 2],
    /// ASes that have no route then, and are not lost themselves.
    pub cut_off: u64,
    /// Those that would keep one if only either were lost.
    pub only_together: u64,
    /// Links that the ways of all others have more than before.
    pub longer: i64,
}

impl Routes<'_> {
    /// The links that most ways cross, the most used first, at most so many.
    #[must_use]
    pub fn busiest_links(&self, most: usize) -> Vec<Lost> {
        self.used_links().into_iter().take(most).map(|(link, _)| Lost::Link(link)).collect()
    }

    /// The ASes that most ways cross, the most crossed first, at most so many.
    #[must_use]
    pub fn busiest_ases(&self, most: usize) -> Vec<Lost> {
        let mut crossed = self.outlook().crossings;
        crossed.sort_unstable_by_key(|(asn, count)| (std::cmp::Reverse(*count), *asn));
        crossed.into_iter().take(most).map(|(asn, _)| Lost::As(asn)).collect()
    }

    /// What the loss of one does.
    pub fn harm(&mut self, lost: Lost) -> Harm {
        let journal = self.lose(lost);
        let harm =
            Harm { lost, crossed: journal.affected, cut_off: journal.cut_off(), longer: journal.longer };
        self.undo(journal);
        harm
    }

    /// What the loss of each one does, the worst first.
    pub fn rank(&mut self, candidates: &[Lost]) -> Vec<Harm> {
        let mut harms: Vec<Harm> = candidates.iter().map(|lost| self.harm(*lost)).collect();
        harms.sort_by_key(|harm| (std::cmp::Reverse((harm.cut_off, harm.longer, harm.crossed)), harm.lost));
        harms
    }

    /// What the loss of each two does, the worst first, at most `most`. `go_on` is told how many of the candidates are
    /// through with all the others, and says whether to go on.
    pub fn rank_pairs(
        &mut self,
        candidates: &[Lost],
        most: usize,
        go_on: &mut dyn FnMut(usize) -> bool,
    ) -> Vec<PairHarm> {
        let alone: Vec<Alone> = candidates.iter().map(|lost| self.alone(*lost)).collect();
        let mut worst: Vec<PairHarm> = Vec::new();
        for (first, done) in alone.iter().zip(1_usize..) {
            self.pairs_with(first.lost, alone.get(done..).unwrap_or_default(), &mut worst);
            if worst.len() > most.saturating_add(candidates.len()) {
                keep_worst(&mut worst, most);
            }
            if !go_on(done) {
                break;
            }
        }
        keep_worst(&mut worst, most);
        worst
    }

    fn alone(&mut self, lost: Lost) -> Alone {
        let journal = self.lose(lost);
        let mut cut_off = journal.cut.clone();
        cut_off.sort_unstable();
        self.undo(journal);
        Alone { lost, cut_off }
    }

    fn pairs_with(&mut self, first: Lost, others: &[Alone], pairs: &mut Vec<PairHarm>) {
        let one = self.lose(first);
        for second in others {
            let other = self.lose(second.lost);
            pairs.push(self.together(&one, &other, (first, second)));
            self.undo(other);
        }
        self.undo(one);
    }
}

impl Routes<'_> {
    /// What two losses, one after the other, come to. Who is cut off by one stays so when more is lost.
    fn together(&mut self, one: &Journal, other: &Journal, (first, second): (Lost, &Alone)) -> PairHarm {
        let is_second = |node: &&Node| self.topology.asn(**node).map(Lost::As) == Some(second.lost);
        let lost_besides = one.cut.iter().filter(is_second).count();
        let before = one.cut.len().saturating_sub(lost_besides);
        let not_alone = |node: &&Node| second.cut_off.binary_search(node).is_err();
        let only_together = other.cut.iter().filter(not_alone).count();
        PairHarm {
            lost: [first, second.lost],
            cut_off: before.saturating_add(other.cut.len()) as u64,
            only_together: only_together as u64,
            longer: self.longer(one.writes.iter().chain(&other.writes)),
        }
    }
}

/// Whom a loss cuts off by itself, in ascending order.
struct Alone {
    lost: Lost,
    cut_off: Vec<Node>,
}

fn keep_worst(pairs: &mut Vec<PairHarm>, most: usize) {
    pairs.sort_by_key(|pair| {
        (std::cmp::Reverse((pair.cut_off, pair.only_together, pair.longer)), pair.lost)
    });
    pairs.truncate(most);
}
