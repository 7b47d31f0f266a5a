//! Plays the inputs of one target and judges what its reader did.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use allocation_counter::measure;
use tetherline::model::{Clock, MonoTime, SystemClock};

use super::mutate::{Dice, changed};
use super::targets::Target;

/// What a reader said of an input: the kinds of its errors and of what it found. Of numbers only their length counts,
/// so that there are few of them.
#[derive(Debug, Default)]
pub(crate) struct Said(BTreeSet<String>);

impl Said {
    pub(crate) fn note(&mut self, what: impl Display) {
        let mut kind = String::new();
        for letter in what.to_string().chars().take(60) {
            match letter {
                '0'..='9' => kind.push('0'),
                _ if letter.is_ascii_alphabetic() => kind.push(letter),
                _ if !kind.ends_with(' ') => kind.push(' '),
                _ => {}
            }
        }
        self.0.insert(kind);
    }

    /// A number by its magnitude.
    pub(crate) fn count(&mut self, what: &str, number: u64) {
        let magnitude = u64::BITS - number.leading_zeros();
        self.0.insert(format!("{what} {magnitude}"));
    }
}

/// The most inputs that are changed further.
const MOST_KEPT: usize = 400;

pub(crate) struct Court {
    target: &'static Target,
    dice: Dice,
    said: BTreeSet<String>,
    pool: Vec<Vec<u8>>,
    /// Where an input lies that broke something, and where the one lies that is read.
    folder: PathBuf,
    verdict: Verdict,
}

/// What came of a pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) name: &'static str,
    pub(crate) inputs: u64,
    /// Inputs that made the reader say something new.
    pub(crate) kept: usize,
    /// In bytes.
    pub(crate) most_memory: u64,
    pub(crate) slowest: Duration,
    pub(crate) all: Duration,
    /// The first input that broke something, and what.
    pub(crate) failure: Option<String>,
}

impl Court {
    pub(crate) fn new(target: &'static Target, seed: u64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz").join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut hasher = DefaultHasher::new();
        (target.name, seed).hash(&mut hasher);
        let verdict = Verdict { name: target.name, ..Verdict::default() };
        let dice = Dice::new(hasher.finish());
        Self { target, dice, said: BTreeSet::new(), pool: Vec::new(), folder, verdict }
    }

    /// Plays what the target's reader is for, and its corpus.
    pub(crate) fn seeds(&mut self) {
        let seeds = (self.target.seeds)(self.target.name).into_iter().chain(corpus(self.target.name));
        seeds.for_each(|seed| self.hear(seed, true));
        assert!(!self.pool.is_empty(), "{} has no seeds", self.target.name);
    }

    /// Plays so many changed inputs.
    pub(crate) fn changes(&mut self, inputs: u64) {
        for _ in 0..inputs {
            let input = &self.pool[self.dice.below(self.pool.len())];
            let input = changed(input, &self.pool, &mut self.dice);
            self.hear(input, false);
            if self.verdict.failure.is_some() {
                return;
            }
        }
    }

    pub(crate) fn verdict(self) -> Verdict {
        self.verdict
    }

    fn hear(&mut self, input: Vec<u8>, is_seed: bool) {
        // Should the process die, this is why.
        let now = self.folder.join(format!("now-{:?}", std::thread::current().id()));
        std::fs::write(&now, &input).unwrap();
        let (mut said, clock) = (Ok(Said::default()), SystemClock::start());
        let used = measure(|| {
            said = catch_unwind(AssertUnwindSafe(|| (self.target.read)(&input)));
        });
        let took = clock.mono().since(MonoTime::default());
        let verdict = &mut self.verdict;
        verdict.inputs += 1;
        if took > verdict.slowest {
            verdict.slowest = took;
            std::fs::write(self.folder.join("slowest"), &input).unwrap();
        }
        verdict.all += took;
        verdict.most_memory = verdict.most_memory.max(used.bytes_max);
        let most = self.target.memory + 64 * input.len() as u64;
        match said {
            Err(panic) => self.fail(&input, &reason(panic.as_ref())),
            Ok(_) if used.bytes_max > most => {
                self.fail(&input, &format!("it held {} bytes; {most} are allowed", used.bytes_max));
            }
            Ok(said) => {
                let is_new = said.0.iter().any(|what| !self.said.contains(what));
                self.said.extend(said.0);
                if is_seed || is_new && self.pool.len() < MOST_KEPT {
                    self.keep(input, is_seed);
                }
            }
        }
        let _ = std::fs::remove_file(now);
    }

    fn keep(&mut self, input: Vec<u8>, is_seed: bool) {
        if !is_seed {
            self.verdict.kept += 1;
            if let Some(folder) = std::env::var_os("TETHERLINE_KEEP") {
                let folder = Path::new(&folder).join(self.target.name);
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name_of(&input)), &input).unwrap();
            }
        }
        self.pool.push(input);
    }

    fn fail(&mut self, input: &[u8], what: &str) {
        let path = self.folder.join(name_of(input));
        std::fs::write(&path, input).unwrap();
        let name = self.target.name;
        let failure = format!(
            "{name}: {what}\n  by {}: when it is mended, put it into tests/fuzz/corpus/{name}/",
            path.display()
        );
        self.verdict.failure.get_or_insert(failure);
    }
}

fn name_of(input: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn reason(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_default())
}

/// The kept inputs of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Prints what came of all passes, a line a target, and every failure. Gives the number of failures.
pub(crate) fn table(verdicts: &[Verdict]) -> usize {
    let mut of: BTreeMap<&str, Verdict> = BTreeMap::new();
    for verdict in verdicts {
        let sum = of.entry(verdict.name).or_default();
        sum.inputs += verdict.inputs;
        sum.kept += verdict.kept;
        sum.most_memory = sum.most_memory.max(verdict.most_memory);
        sum.slowest = sum.slowest.max(verdict.slowest);
        sum.all += verdict.all;
    }
    eprintln!(
        "{:20} {:>10} {:>8} {:>10} {:>10} {:>10}",
        "target", "inputs", "new", "memory, kB", "slowest, s", "all, s"
    );
    for (name, sum) in &of {
        let (slowest, all) = (sum.slowest.as_secs_f64(), sum.all.as_secs_f64());
        let memory = sum.most_memory / 1000;
        eprintln!("{name:20} {:>10} {:>8} {memory:>10} {slowest:>10.2} {all:>10.1}", sum.inputs, sum.kept);
    }
    let failures: Vec<&String> = verdicts.iter().filter_map(|verdict| verdict.failure.as_ref()).collect();
    for failure in &failures {
        eprintln!("{failure}");
    }
    failures.len()
}
