//! Crashes: at random moments, by SIGKILL, and between every two steps of sealing.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use crate::model::{Clock, SystemClock};

use super::*;

const FOLDER: &str = "TETHERLINE_TEST_CRASH_FOLDER";
const BATCH: u64 = 7;
const BATCHES: u64 = 6;
const KILLS: u32 = 50;

/// Measures until it is killed; says on standard output what is acknowledged.
#[test]
#[ignore = "the process that `fifty_kills_lose_nothing_acknowledged_and_duplicate_nothing` kills"]
fn victim() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let mut dataset = Dataset::open(Path::new(&dir)).unwrap();
    let mut say = std::io::stdout();
    loop {
        let (round, done) = match dataset.open_rounds().unwrap().first() {
            Some(open) => (open.header.id, dataset.recorded(open.header.id).unwrap().len() as u64),
            None => (begin_next(&mut dataset), 0),
        };
        for batch in done / BATCH..BATCHES {
            let range = batch * BATCH..(batch + 1) * BATCH;
            let records: Vec<ProbeRecord> = range.clone().map(|number| record(round.0, number)).collect();
            dataset.append(round, &records, &ledger_of(range.end)).unwrap();
            writeln!(say, "\nacknowledged {round} {}", range.end).unwrap();
        }
        dataset.seal(round, &ledger_of(BATCH * BATCHES), true).unwrap();
        writeln!(say, "\nsealed {round} {}", BATCH * BATCHES).unwrap();
    }
}

fn begin_next(dataset: &mut Dataset) -> RoundId {
    let last = dataset.last_round_id().unwrap().map_or(0, |round| round.0);
    dataset.begin_round(&header(last + 1)).unwrap();
    RoundId(last + 1)
}

#[test]
fn fifty_kills_lose_nothing_acknowledged_and_duplicate_nothing() {
    let (_temporary, dataset) = new_dataset();
    let dir = dataset.path().to_owned();
    drop(dataset);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut acknowledged = std::collections::BTreeMap::new();
    for _ in 0..KILLS {
        let mut child = start_victim(&dir);
        let wanted = random.random_range(1..2 * BATCHES);
        kill_after(&mut child, wanted, random.random_range(0..3_000_000), &mut acknowledged);
        check(&dir, &acknowledged);
    }
    assert!(acknowledged.len() > 20, "the victim did too little to be worth killing");
}

fn start_victim(dir: &Path) -> Child {
    let arguments = ["--ignored", "--exact", "--nocapture", "dataset::tests::crash::victim"];
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments).env(FOLDER, dir).stdout(Stdio::piped()).spawn().unwrap()
}

/// Kills the victim so many nanoseconds after its `wanted`th message, and notes all that it said.
fn kill_after(
    child: &mut Child,
    wanted: u64,
    nanos: u64,
    acknowledged: &mut std::collections::BTreeMap<u64, u64>,
) {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut note = |line: String| {
        let words: Vec<&str> = line.split(' ').collect();
        if let ["acknowledged" | "sealed", round, count] = words[..] {
            acknowledged.insert(round.parse().unwrap(), count.parse().unwrap());
            return 1;
        }
        0
    };
    let mut heard = 0;
    while heard < wanted {
        heard += note(lines.next().expect("the victim ended by itself"));
    }
    let clock = SystemClock::start();
    while clock.mono().as_nanos() < nanos {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    lines.for_each(|line| heard += note(line));
    child.wait().unwrap();
}

/// Everything acknowledged is there, in order and once; beyond it there is at most one batch.
fn check(dir: &Path, acknowledged: &std::collections::BTreeMap<u64, u64>) {
    let dataset = Dataset::open(dir).unwrap();
    let mut seen = 0;
    for round in dataset.rounds().unwrap() {
        let id = round.header.id;
        let found = dataset.recorded(id).unwrap();
        let count = found.len() as u64;
        let promised = acknowledged.get(&id.0).copied().unwrap_or(0);
        assert!(count == promised || count == promised + BATCH, "round {id}: {count} of {promised}");
        assert_eq!(found, records(id.0, count), "round {id}");
        assert_eq!((round.rows, round.ledger), (count, ledger_of(count)), "round {id}");
        assert!(!round.state.is_sealed() || count == BATCH * BATCHES, "round {id} was sealed short");
        seen += count;
    }
    assert_eq!(all(&dataset).len() as u64, seen);
    assert_eq!(parquet_files(dir), dataset.rounds().unwrap().iter().filter(|r| r.file.is_some()).count());
}

/// What a reader of `rounds/**/*.parquet` sees, and whatever else lies there.
fn parquet_files(dir: &Path) -> usize {
    let rounds = dir.join("rounds");
    if rounds.exists() { contents(&rounds).len() } else { 0 }
}

#[test]
fn a_crash_between_any_two_steps_of_sealing_leaves_the_round_open_or_sealed() {
    type Crash = fn(&mut Dataset);
    let half_written: Crash = |dataset| {
        let file = dataset.write_part(&header(1), 5).unwrap();
        let part = folder::part_path(&dataset.path().join(file.name));
        let written = fs::read(&part).unwrap();
        fs::write(part, &written[..written.len() / 2]).unwrap();
    };
    let written: Crash = |dataset| drop(dataset.write_part(&header(1), 5).unwrap());
    let renamed: Crash = |dataset| {
        let file = dataset.write_part(&header(1), 5).unwrap();
        let path = dataset.path().join(file.name);
        Disk::default().publish(&folder::part_path(&path), &path).unwrap();
    };
    for crash in [half_written, written, renamed] {
        let (_temporary, mut dataset) = new_dataset();
        with_round(&mut dataset, 1, 5);
        crash(&mut dataset);
        let dir = dataset.path().to_owned();
        drop(dataset);
        let mut dataset = Dataset::open(&dir).unwrap();
        assert_eq!(parquet_files(&dir), 0, "a file of a round that is not sealed stayed");
        assert_eq!(all(&dataset), records(1, 5));
        dataset.append(RoundId(1), &records(1, 8), &ledger_of(8)).unwrap();
        dataset.seal(RoundId(1), &ledger_of(8), true).unwrap();
        dataset.seal(RoundId(1), &ledger_of(8), true).unwrap();
        assert_eq!(all(&dataset), records(1, 8));
        assert_eq!(parquet_files(&dir), 1);
    }
}

#[test]
#[ignore = "needs a namespace for a small disk of its own: scripts/test runs it there"]
fn a_disk_that_fills_up_loses_nothing_acknowledged_and_seals_when_there_is_room_in_a_namespace() {
    let disk = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=1500k none \"$0\" && exec \"$@\"";
    let test = "dataset::tests::crash::on_a_small_disk";
    let done = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script])
        .arg(disk.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", test])
        .env(FOLDER, disk.path())
        .status()
        .unwrap();
    assert!(done.success());
}

#[test]
#[ignore = "the process that `a_disk_that_fills_up_…` starts on a small disk"]
fn on_a_small_disk() {
    let Some(disk) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![0; 500_000]).unwrap();
    let mut dataset = Dataset::create(&disk.join("kp"), &manifest()).unwrap();
    dataset.begin_round(&header(1)).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        let next: Vec<_> = (acknowledged..acknowledged + 50).map(|number| record(1, number)).collect();
        match dataset.append(RoundId(1), &next, &ledger_of(acknowledged + 50)) {
            Ok(()) => acknowledged += 50,
            Err(error) => break error,
        }
        assert!(acknowledged < 100_000, "the disk never filled up");
    };
    assert!(matches!(error, DatasetError::Full { .. }), "{error}");
    assert_eq!(all(&dataset), records(1, acknowledged));
    let error = dataset.seal(RoundId(1), &ledger_of(acknowledged), false).unwrap_err();
    assert!(matches!(error, DatasetError::Full { .. }), "{error}");
    drop(dataset);
    fs::remove_file(ballast).unwrap();
    let mut dataset = Dataset::open(&disk.join("kp")).unwrap();
    assert_eq!(dataset.open_rounds().unwrap()[0].ledger, ledger_of(acknowledged));
    dataset.seal(RoundId(1), &ledger_of(acknowledged), false).unwrap();
    assert_eq!(all(&dataset), records(1, acknowledged));
}
