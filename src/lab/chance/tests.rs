use super::{Leg, Rolls, means};
use crate::lab::scenario::Shape;

/// The share of all packets that are later than `late` means, by the definition of each shape.
fn later(shape: Shape, late: f64) -> f64 {
    match shape {
        Shape::Exponential => (-late).exp(),
        Shape::Uniform => 1.0 - late / 2.0,
        // A deviation of a third of the mean.
        Shape::Normal => statrs::function::erf::erfc((late - 1.0) * 3.0 / 2.0_f64.sqrt()) / 2.0,
        Shape::Pareto => (0.5 / late).powi(2).min(1.0),
    }
}

#[test]
fn delays_are_distributed_as_their_shape_says() {
    for shape in [Shape::Exponential, Shape::Uniform, Shape::Normal, Shape::Pareto] {
        for percent in 1..100 {
            let below = f64::from(percent) / 100.0;
            let found = 1.0 - later(shape, means(shape, below));
            // Cutting the tail of "pareto" moves the rest a little.
            assert!((found - below).abs() < 0.006, "{shape:?}: {found}, not {below}");
        }
    }
}

#[test]
fn the_mean_is_the_mean_and_no_delay_is_endless() {
    for shape in [Shape::Exponential, Shape::Uniform, Shape::Normal, Shape::Pareto] {
        let steps = 1_000_000;
        let total: f64 =
            (0..steps).map(|step| means(shape, (f64::from(step) + 0.5) / f64::from(steps))).sum();
        let mean = total / f64::from(steps);
        assert!((mean - 1.0).abs() < 0.002, "{shape:?}: {mean}");
        let ends = [0.0, 1.0 - f64::EPSILON / 2.0].map(|below| means(shape, below));
        assert!(ends.iter().all(|late| (0.0..=100.0).contains(late)), "{shape:?}: {ends:?}");
    }
}

#[test]
fn no_two_packets_and_no_two_ways_share_their_dice() {
    let draw = |number, leg| {
        let mut rolls = Rolls::new(7, number, leg);
        (rolls.identification(), rolls.identification())
    };
    let mut drawn: Vec<(u16, u16)> =
        (0..2000).flat_map(|number| [draw(number, Leg::There), draw(number, Leg::Back)]).collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert!(drawn.len() >= 3999);
}
