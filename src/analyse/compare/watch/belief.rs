//! What is believed of a block after each probe: Trinocular's Bayesian inference (Quan, Heidemann and Pradkin,
//! SIGCOMM 2013), with the parameters of CAIDA's implementation.

/// The probability that a block is up. Never quite certain, so that news can always change it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Belief(f64);

/// What a belief comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Uncertain,
    Down,
}

/// Least and greatest belief.
const BOUNDS: (f64, f64) = (0.01, 0.99);
const UP: f64 = 0.9;
const DOWN: f64 = 0.1;
/// How likely an answer is although the block is down: one part in a hundred of the 256 addresses of a /24.
const ANSWERED_IF_DOWN: f64 = (1.0 - 0.01) / 256.0;

impl Belief {
    /// Before anything is known.
    pub(super) const START: Self = Self(BOUNDS.1);

    /// After a probe; `availability` is how often an address of the block answers while the block is up.
    pub(super) fn after(self, answered: bool, availability: f64) -> Self {
        let (if_up, if_down) = if answered {
            (availability, ANSWERED_IF_DOWN)
        } else {
            (1.0 - availability, 1.0 - ANSWERED_IF_DOWN)
        };
        let (up, down) = (if_up * self.0, if_down * (1.0 - self.0));
        let belief = if up + down > 0.0 { up / (up + down) } else { self.0 };
        Self(belief.clamp(BOUNDS.0, BOUNDS.1))
    }

    pub(super) fn state(self) -> State {
        if self.0 > UP {
            State::Up
        } else if self.0 < DOWN {
            State::Down
        } else {
            State::Uncertain
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn after_silence(availability: f64, probes: usize) -> f64 {
        (0..probes).fold(Belief::START, |belief, _| belief.after(false, availability)).0
    }

    #[test]
    fn silence_lowers_the_belief_as_in_the_reference() {
        for (availability, expected) in [
            (0.9, vec![0.908_579, 0.499_425, 0.091_039, 0.01]),
            (0.5, vec![0.980_273, 0.961_453, 0.926_034, 0.862_716]),
            (0.2, vec![0.987_579, 0.984_58, 0.980_872, 0.976_294]),
        ] {
            for (probes, expected) in (1..).zip(expected) {
                let found = after_silence(availability, probes);
                assert!((found - expected).abs() < 1e-6, "{availability}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn a_block_is_down_after_as_many_silent_probes_as_in_the_reference() {
        let needed = [
            (0.95, 3),
            (0.9, 3),
            (0.85, 4),
            (0.8, 5),
            (0.75, 5),
            (0.7, 6),
            (0.65, 7),
            (0.6, 8),
            (0.55, 9),
            (0.5, 10),
            (0.45, 12),
            (0.4, 14),
            (0.35, 16),
            (0.3, 20),
            (0.25, 24),
            (0.2, 31),
            (0.15, 43),
            (0.1, 67),
            (0.05, 144),
        ];
        for (availability, expected) in needed {
            let down = |probes: &usize| after_silence(availability, *probes) < DOWN;
            assert_eq!((1..200).find(down), Some(expected), "{availability}");
        }
    }

    #[test]
    fn one_answer_does_not_raise_the_belief_to_up_again() {
        for (availability, expected) in
            [(0.9, 0.7016), (0.5, 0.5663), (0.3, 0.4393), (0.2, 0.3431), (0.1, 0.2071)]
        {
            let found = Belief(0.01).after(true, availability);
            assert!((found.0 - expected).abs() < 5e-5 && found.state() == State::Uncertain);
        }
    }

    proptest! {
        #[test]
        fn a_belief_stays_within_its_bounds(
            answers in prop::collection::vec((any::<bool>(), 0.0..=1.0_f64), 0..50),
        ) {
            let end = answers.iter().fold(Belief::START, |belief, (answered, a)| belief.after(*answered, *a));
            prop_assert!((BOUNDS.0..=BOUNDS.1).contains(&end.0));
        }
    }
}
