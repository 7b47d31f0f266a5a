//! Every reader of bytes that others wrote, against bytes that nobody should write.
//!
//! Each target has seeds: what its reader is for, and everything in `corpus/` under its name, which includes every
//! input that once broke something. They are changed at random, and whatever made the reader say something
//! that it had not said before is changed further. A reader must not panic, must hold no more than its target allows
//! however much it is given, and must keep the laws that its target checks.
//!
//! `cargo test` plays a fixed number of inputs, the same in every run. `scripts/fuzz` plays on.

mod court;
mod mutate;
mod targets;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tetherline::model::{Clock, MonoTime, SystemClock};

use court::{Court, Verdict};
use targets::{ALL, Target};

/// Inputs of a target in a test run, where the target does not say that they cost much.
const BRIEFLY: u64 = 1000;

/// Inputs of a pass of a target where time counts.
const PASS: u64 = 2000;

/// Plays the seeds and a few changes of them.
fn briefly(group: &str) {
    let of_group = ALL.iter().filter(|target| target.group == group);
    let failed: Vec<String> = of_group.filter_map(|target| play(target, 1, BRIEFLY).failure).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn play(target: &'static Target, seed: u64, inputs: u64) -> Verdict {
    let mut court = Court::new(target, seed);
    court.seeds();
    court.changes(inputs / target.costs);
    court.verdict()
}

#[test]
fn packets_survive_damage() {
    briefly("packets");
}

#[test]
fn measurements_of_others_survive_damage() {
    briefly("import");
}

#[test]
fn sources_of_origins_survive_damage() {
    briefly("origins");
}

#[test]
fn texts_that_people_write_survive_damage() {
    briefly("texts");
}

#[test]
fn datasets_survive_damage() {
    briefly("dataset");
}

/// Plays for `TETHERLINE_MINUTES`, all targets or that of `TETHERLINE_TARGET`, on all processors.
#[test]
#[ignore = "scripts/fuzz runs it"]
fn for_long() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let most = Duration::from_secs(60 * number("TETHERLINE_MINUTES").unwrap_or(10));
    let clock = SystemClock::start();
    let only = std::env::var("TETHERLINE_TARGET").ok();
    let chosen: Vec<&'static Target> =
        ALL.iter().filter(|target| only.as_deref().is_none_or(|name| name == target.name)).collect();
    assert!(!chosen.is_empty(), "TETHERLINE_TARGET names no target");
    let first = number("TETHERLINE_SEED").unwrap_or(2);
    let (turn, verdicts) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while clock.mono().since(MonoTime::default()) < most {
                    let turn = turn.fetch_add(1, Ordering::Relaxed);
                    let number = chosen.len() as u64;
                    let target = chosen[usize::try_from(turn % number).unwrap()];
                    let verdict = play(target, first + turn / number, PASS);
                    verdicts.lock().unwrap().push(verdict);
                }
            });
        }
    });
    let failed = court::table(&verdicts.into_inner().unwrap());
    assert_eq!(failed, 0, "{failed} inputs broke something");
}
