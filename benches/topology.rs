//! How fast what-if is: a table of 60,000 ASes read, routes to one origin worked out, 1,000 links lost one by one, and 200 links
//! in all pairs. The table is the file that `TETHERLINE_AS_REL` names, and the origin `TETHERLINE_ORIGIN`; without them, a table
//! that is grown from a fixed seed. Time is processor time, of one core.

mod processor_time;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use processor_time::ProcessorTime;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tetherline::analyse::topology::{Announcement, Routes, Ties, Topology};
use tetherline::formats::as_rel::load_as_rel;
use tetherline::model::Asn;

/// ASes of the grown table.
const ASES: u32 = 60_000;

/// ASes that join one after the other: each buys from one to three earlier ones, those with many customers more often, and the
/// larger ones peer with each other.
fn grown() -> String {
    let mut dice = ChaCha8Rng::seed_from_u64(6);
    let mut text = String::new();
    let mut drawn: Vec<u32> = (1..=12).collect();
    let mut pairs = BTreeSet::new();
    for one in 1..=12_u32 {
        for other in one + 1..=12 {
            pairs.insert((one, other));
            writeln!(text, "{one}|{other}|0").expect("text");
        }
    }
    for asn in 13..=ASES {
        for _ in 0..dice.random_range(1..=3) {
            let provider = drawn[dice.random_range(0..drawn.len())];
            if provider != asn && pairs.insert((provider, asn)) {
                writeln!(text, "{provider}|{asn}|-1").expect("text");
                drawn.push(provider);
            }
        }
        if dice.random_range(0..8) == 0 {
            drawn.push(asn);
        }
    }
    for _ in 0..150_000 {
        let (one, other) =
            (drawn[dice.random_range(0..drawn.len())], drawn[dice.random_range(0..drawn.len())]);
        if one != other && pairs.insert((one.min(other), one.max(other))) {
            writeln!(text, "{one}|{other}|0").expect("text");
        }
    }
    text
}

fn what_if(criterion: &mut Criterion<ProcessorTime>) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = std::env::var_os("TETHERLINE_AS_REL").map_or_else(
        || {
            let path = folder.path().join("grown.txt");
            fs::write(&path, grown()).expect("a file");
            path
        },
        PathBuf::from,
    );
    let origin: Asn =
        std::env::var("TETHERLINE_ORIGIN").map_or(ASES.try_into(), |text| text.parse()).expect("an AS");
    let read = || Topology::of(&load_as_rel(&path).expect("a table").relations);
    let topology = read();
    let announcement = Announcement::of(origin);
    let routes = || Routes::to(&topology, &announcement, Ties::LowestAsn).expect("the origin is there");
    let mut kept = routes();
    let outlook = kept.outlook();
    eprintln!(
        "{} ASes, {:?}, {} with a route to {origin}",
        topology.len(),
        topology.counts(),
        outlook.reach
    );
    let busiest = kept.busiest_links(1000);
    let mut group = criterion.benchmark_group("what-if");
    group.sample_size(10);
    group.bench_function("a table is read", |bencher| bencher.iter(|| black_box(read())));
    group.bench_function("routes to one origin", |bencher| bencher.iter(|| black_box(routes())));
    group.bench_function("outlook", |bencher| bencher.iter(|| black_box(kept.outlook())));
    group.bench_function("1,000 links lost one by one", |bencher| {
        bencher.iter(|| black_box(kept.rank(&busiest)));
    });
    let pairs = busiest.get(..200).expect("200 links are used");
    group.bench_function("200 links in all pairs", |bencher| {
        bencher.iter(|| black_box(kept.rank_pairs(pairs, 100, &mut |_| true)));
    });
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime).warm_up_time(Duration::from_secs(1));
    targets = what_if
);
criterion_main!(benches);
