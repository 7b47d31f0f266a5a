//! Many seeds at once: those of every test run, and as many as wanted in a soak.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tetherline::model::{Clock, MonoTime, SystemClock};

use crate::faults::copy;
use crate::invariants::{Broken, Seen};
use crate::planted::Plant;
use crate::stage::{Trouble, play};
use crate::trial::try_seed;

/// The seeds of every test run.
const SEEDS: Range<u64> = 0..200;

/// What came of many seeds.
#[derive(Default)]
struct Summary {
    seeds: u64,
    seen: Seen,
    broken: Vec<(u64, Vec<Broken>)>,
    took: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (seed, broken) in &self.broken {
            writeln!(f, "seed {seed}: scripts/soak --seed {seed}")?;
            for broken in broken {
                writeln!(f, "  {broken}")?;
            }
        }
        let seen = &self.seen;
        let each = self.took.as_secs_f64() / u32::try_from(self.seeds.max(1)).map_or(1.0, f64::from);
        let rows = [
            ("seeds", self.seeds),
            ("seeds with a broken rule", self.broken.len() as u64),
            ("packets", seen.packets),
            ("answers held against the lab", seen.answers),
            ("of them late", seen.late),
            ("duplicates beside them", seen.duplicates),
            ("hops held against the truth", seen.hops),
            ("links held against the truth", seen.links),
            ("links that were none, and that nobody could tell", seen.links_seeming),
            ("links not judged, since ways changed meanwhile", seen.links_unjudged),
            ("forged packets", seen.forged),
            ("runs that ended before their time", seen.kills),
            ("steps of the wall clock that were noted", seen.clock_steps),
            ("seeds played twice", seen.twins),
            ("seeds killed and resumed, and compared", seen.resumed),
        ];
        for (what, count) in rows {
            writeln!(f, "{what:<50} {count:>10}")?;
        }
        writeln!(f, "{:<50} {:>9.1}s", "time", self.took.as_secs_f64())?;
        write!(f, "{:<50} {:>9.3}s", "time a seed, all cores together", each)
    }
}

/// Tries seeds on all cores until there are none, or it is enough.
fn try_all(
    seeds: Range<u64>,
    enough: &(dyn Fn() -> bool + Sync),
    progress: &(dyn Fn(&Summary) + Sync),
) -> Summary {
    let clock = SystemClock::start();
    let next = AtomicU64::new(seeds.start);
    let summary = Mutex::new(Summary::default());
    let work = || {
        while !enough() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            let trial = try_seed(seed);
            let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
            summary.seeds += 1;
            summary.seen.add(&trial.seen);
            summary.took = clock.mono().since(MonoTime::default());
            if !trial.broken.is_empty() {
                summary.broken.push((seed, trial.broken));
            }
            progress(&summary);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(work))));
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    summary.broken.sort_by_key(|(seed, _)| *seed);
    summary
}

#[test]
fn hundreds_of_seeds_break_no_rule() {
    let summary = try_all(SEEDS, &|| false, &|_| {});
    assert!(summary.broken.is_empty(), "\n{summary}");
    let Seen { answers, late, hops, links, kills, clock_steps, twins, resumed, .. } = summary.seen;
    // A court that has nothing to judge finds nothing.
    let enough = answers > 20_000 && late > 300 && hops > 5_000 && links > 2_000 && kills > 200;
    assert!(enough && clock_steps > 20 && twins > 20 && resumed > 30, "too little was seen\n{summary}");
}

#[test]
#[ignore = "replays the seeds of TETHERLINE_SEEDS: use scripts/soak"]
fn soak() {
    let words = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let seeds = words("TETHERLINE_SEEDS").map_or(0..u64::MAX, |text| range(&text));
    let seeds_kept = seeds.clone();
    let minutes = words("TETHERLINE_MINUTES")
        .map(|text| text.parse::<u64>().expect("TETHERLINE_MINUTES is a number"));
    let clock = SystemClock::start();
    let limit = minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let stopped = AtomicBool::new(false);
    let is_over = || {
        let late = limit.is_some_and(|limit| clock.mono().since(MonoTime::default()) > limit);
        late || stopped.load(Ordering::Relaxed)
    };
    let told = AtomicU64::new(0);
    let progress = |summary: &Summary| tell(summary, &told);
    let (done, over) = tokio::sync::oneshot::channel::<()>();
    let summary = std::thread::scope(|scope| {
        scope.spawn(|| wait_for_interrupt(&stopped, over));
        let summary = try_all(seeds, &is_over, &progress);
        drop(done);
        summary
    });
    say(&format!("\n{summary}"));
    if let Some(folder) = words("TETHERLINE_KEEP") {
        keep(seeds_kept, Path::new(&folder));
    }
    assert!(summary.broken.is_empty(), "{} seeds broke a rule", summary.broken.len());
}

/// What breaks is told at once; how far it is, where somebody looks.
fn tell(summary: &Summary, told: &AtomicU64) {
    let broken = summary.broken.len() as u64;
    if told.swap(broken, Ordering::Relaxed) != broken
        && let Some((seed, rules)) = summary.broken.last()
    {
        let rules: Vec<String> = rules.iter().map(|broken| format!("\n  {broken}")).collect();
        say(&format!("seed {seed}: scripts/soak --seed {seed}{}", rules.concat()));
    }
    if std::io::stderr().is_terminal() {
        let line =
            format!("\r{} seeds, {broken} broken, {:.0} s ", summary.seeds, summary.took.as_secs_f64());
        let _gone = std::io::stderr().write_all(line.as_bytes());
    } else if summary.seeds.is_multiple_of(200) {
        say(&format!("{} seeds, {broken} broken, {:.0} s", summary.seeds, summary.took.as_secs_f64()));
    }
}

/// Plays the first seed once more, and keeps what a person needs to look into it.
fn keep(seeds: Range<u64>, folder: &Path) {
    let seed = seeds.start;
    let played = play(seed, Trouble::Drawn, Plant::Nothing);
    std::fs::create_dir_all(folder).expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
    write("scenario.toml", &played.world.toml);
    write("probes.toml", &played.order.toml);
    write("faults.txt", &format!("{:#?}\n", played.faults));
    let runs = played.runs.iter().map(|run| format!("{:?} to {:?}: {:?}\n", run.began, run.ended, run.how));
    write("runs.txt", &runs.collect::<String>());
    copy(&played.dataset, &folder.join("dataset"));
    say(&format!("seed {seed}: kept in {}", folder.display()));
}

fn say(text: &str) {
    let _gone = writeln!(std::io::stderr(), "{text}");
}

/// Ctrl-C lets the seeds that are being tried come to their end, and then tells what came of all.
fn wait_for_interrupt(stopped: &AtomicBool, over: tokio::sync::oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => stopped.store(true, Ordering::Relaxed),
            _ = over => {}
        }
    });
}

/// `7` or `7..100`.
fn range(text: &str) -> Range<u64> {
    let number = |text: &str| text.trim().parse::<u64>().expect("TETHERLINE_SEEDS is N or FROM..TO");
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(text)..number(text) + 1,
    }
}
