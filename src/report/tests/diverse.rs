//! Synthetic findings about diversity, for the units of October 2017 that are no controls: one upstream, two, one.

use crate::analyse::diversity::{
    By, Contrast, CutMember, Difference, DiversityFindings, Drawn, EpochDiversity, Figure, Interval, Level,
    Measure, NamedCut, Reading, Spot, TotalDiversity, UnitDiversity, Why,
};
use crate::model::Unit;

use super::october::asn;

pub(super) fn diversity() -> DiversityFindings {
    let told = ["175.45.176.0/24", "175.45.178.0/24"].map(told);
    let untold = untold("175.45.177.0/24");
    let total = |(epoch, value)| TotalDiversity { epoch, level: Level::As, value, pairs: 2 };
    DiversityFindings {
        units: vec![told[0].clone(), untold, told[1].clone()],
        total: [(0, Some(0.0)), (1, Some(0.632_12)), (2, None)].map(total).to_vec(),
    }
}

fn unit(text: &str) -> Unit {
    Unit(text.parse().unwrap())
}

fn figure(value: f64, ends: Option<(f64, f64)>) -> Figure {
    let interval = ends.map(|(low, high)| Interval { low, high, by: By::Bootstrap(Drawn::Flows) });
    Figure { value, interval: interval.ok_or(Why::NoSpread), effort: 32 }
}

fn readings(upstreams: Figure, hegemony: Figure) -> Vec<Reading> {
    let count = |value| Ok(Figure { interval: Err(Why::CountOfSeen), ..figure(value, None) });
    let reading = |level, measure, judged| Reading { level, measure, judged };
    vec![
        reading(Level::As, Measure::EffectiveUpstreams, Ok(upstreams)),
        reading(Level::As, Measure::Hegemony(asn(4837)), Ok(hegemony)),
        reading(Level::As, Measure::Disjoint, count(upstreams.value.round())),
        reading(Level::Address, Measure::SmallestCut, count(1.0)),
        reading(Level::Address, Measure::Persistence, Err(Why::OneRound)),
    ]
}

fn told(name: &str) -> UnitDiversity {
    let epoch = |readings| EpochDiversity {
        flows: 32,
        traces: 64,
        readings,
        cuts: vec![
            NamedCut { level: Level::As, members: vec![CutMember::As(asn(4837))] },
            NamedCut {
                level: Level::Address,
                members: vec![CutMember::Address("219.158.102.214".parse().unwrap())],
            },
            NamedCut {
                level: Level::Link,
                members: vec![CutMember::Link((
                    Spot::Address("219.158.102.214".parse().unwrap()),
                    Spot::Unit,
                ))],
            },
        ],
        single_addresses: vec!["188.1.144.1".parse().unwrap()],
    };
    let contrast = |epoch, measure, (before, after), ends| Contrast {
        epoch,
        level: Level::As,
        measure,
        judged: Ok(Difference { before, after, change: figure(after - before, ends) }),
    };
    UnitDiversity {
        unit: unit(name),
        control: false,
        by_epoch: vec![
            epoch(readings(figure(1.0, None), figure(1.0, None))),
            epoch(readings(figure(1.98, Some((1.81, 2.0))), figure(0.58, Some((0.51, 0.66))))),
            epoch(readings(figure(1.0, None), figure(0.0, None))),
        ],
        contrasts: vec![
            Contrast {
                epoch: 2,
                level: Level::As,
                measure: Measure::EffectiveUpstreams,
                judged: Err(Why::Untold),
            },
            contrast(1, Measure::EffectiveUpstreams, (1.0, 1.98), Some((0.91, 1.0))),
            contrast(1, Measure::Hegemony(asn(4837)), (1.0, 0.58), Some((-0.49, -0.35))),
        ],
    }
}

fn untold(name: &str) -> UnitDiversity {
    let none =
        Reading { level: Level::As, measure: Measure::EffectiveUpstreams, judged: Err(Why::NotTraced) };
    let epoch = EpochDiversity { readings: vec![none], ..EpochDiversity::default() };
    UnitDiversity { unit: unit(name), control: false, by_epoch: vec![epoch; 3], contrasts: Vec::new() }
}

/// Numbers as only a mistake could make them.
pub(super) fn spoil(diversity: &mut DiversityFindings) {
    let broken = Interval { low: f64::NAN, high: f64::INFINITY, by: By::Chao };
    let broken = Figure { value: f64::NAN, interval: Ok(broken), effort: 0 };
    for unit in &mut diversity.units {
        for reading in unit.by_epoch.iter_mut().flat_map(|epoch| &mut epoch.readings) {
            reading.judged = Ok(broken);
        }
        for contrast in &mut unit.contrasts {
            contrast.judged = Ok(Difference { before: f64::NAN, after: f64::NEG_INFINITY, change: broken });
        }
    }
    diversity.total.iter_mut().for_each(|total| total.value = Some(f64::NAN));
}
