//! Where ASes and their routers are: regions on a globe, and how long light takes between them.

use std::time::Duration;

use super::dice::{Dice, Purpose};
use super::graph::AsGraph;
use super::numbers::{as_f64, milliseconds, rounded};

/// Position of a region in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Region(pub(super) usize);

/// All regions. The first are the largest: their sizes follow Zipf's law.
#[derive(Debug)]
pub(super) struct Regions {
    /// Latitude and longitude of each, in radians.
    places: Vec<[f64; 2]>,
    sizes: Vec<(Region, f64)>,
}

/// Exponent of the sizes.
const ZIPF: f64 = 0.8;
/// Latitude and longitude of the middle of each continent in degrees, and its share of the regions.
const CONTINENTS: [([f64; 2], f64); 6] = [
    ([50.0, 12.0], 0.32),
    ([39.0, -92.0], 0.26),
    ([32.0, 118.0], 0.2),
    ([-18.0, -52.0], 0.1),
    ([8.0, 90.0], 0.08),
    ([-2.0, 25.0], 0.04),
];
/// Regions lie so far from the middle of their continent at most, in degrees.
const BREADTH: f64 = 14.0;
const EARTH_RADIUS_KM: f64 = 6371.0;
/// Light in glass: two thirds of its speed in the void.
const KM_PER_MS: f64 = 200.0;
/// Cables are so much longer than the way as the crow flies.
const DETOUR: f64 = 1.4;

impl Regions {
    /// The regions of a world with so many ASes.
    pub(super) fn new(ases: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed, Purpose::Places);
        let count = rounded(as_f64(ases).powf(0.4)).max(2);
        let place = |_| {
            let middle = dice.weighed(&CONTINENTS).unwrap_or_default();
            middle.map(|angle| (angle + BREADTH * (2.0 * dice.share() - 1.0)).to_radians())
        };
        let size = |index: usize| (Region(index), as_f64(index.saturating_add(1)).powf(-ZIPF));
        Self { places: (0..count).map(place).collect(), sizes: (0..count).map(size).collect() }
    }

    /// One of them, the large ones more often.
    pub(super) fn draw(&self, dice: &mut Dice) -> Region {
        dice.weighed(&self.sizes).unwrap_or_default()
    }

    /// One way from one to another; nothing inside one.
    pub(super) fn delay(&self, from: Region, to: Region) -> Duration {
        let (Some(one), Some(other)) = (self.places.get(from.0), self.places.get(to.0)) else {
            return Duration::ZERO;
        };
        milliseconds(kilometres(*one, *other) * DETOUR / KM_PER_MS)
    }

    /// The nearest of several to one.
    pub(super) fn nearest(&self, to: Region, among: &[Region]) -> Option<Region> {
        among.iter().copied().min_by_key(|region| (self.delay(to, *region), *region))
    }
}

/// How often an AS is where one of its providers is.
const NEAR_PROVIDER: f64 = 0.6;

/// A region for every AS of a graph that does not say where they are: mostly near a provider.
pub(super) fn settle(graph: &AsGraph, world: &Regions, seed: u64) -> Vec<Region> {
    let mut dice = Dice::new(seed, Purpose::Growth);
    let own: Vec<Region> = graph.ids().map(|_| world.draw(&mut dice)).collect();
    let region = |id: usize| {
        let provider = dice.pick(&graph.at(id).providers).filter(|_| dice.happens(NEAR_PROVIDER));
        own.get(provider.unwrap_or(id)).copied().unwrap_or_default()
    };
    graph.ids().map(region).collect()
}

/// Along a great circle.
fn kilometres([south, west]: [f64; 2], [north, east]: [f64; 2]) -> f64 {
    let half = |angle: f64| (angle / 2.0).sin().powi(2);
    let chord = half(north - south) + south.cos() * north.cos() * half(east - west);
    2.0 * EARTH_RADIUS_KM * chord.clamp(0.0, 1.0).sqrt().asin()
}
