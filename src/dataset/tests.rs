//! What a user would lose if this module broke.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use crate::model::{
    Asked, Event, LinkChange, Method, Name, Outcome, Prefix, RoundId, RttSource, Ttl, Unit, WallTime,
};

use super::*;

mod crash;
mod trouble;

fn time(text: &str) -> WallTime {
    WallTime::parse_rfc3339(text).unwrap()
}

fn event() -> Event {
    let link = "AS20485-AS131279".parse().unwrap();
    Event { at: time("2017-10-01T09:07:51.000000001Z"), change: LinkChange::Added, link }
}

fn manifest() -> Manifest {
    Manifest {
        campaign: "kp-2017".parse().unwrap(),
        vantage: arbitrary::vantage(),
        seed: u64::MAX,
        started_at: time("2017-10-01T07:30:00Z"),
        program_version: "tetherline 0.1.0".to_owned(),
        key_fingerprint: "0123abcd".to_owned(),
        rehearsal: true,
        scenario: None,
        speed: 300.0,
        config_toml: "# '''quoted''' \"\"\"\n[campaign]\nname = \"kp\"\n".to_owned(),
        units: vec![UnitInfo { unit: Unit("175.45.176.0/24".parse().unwrap()), control: false }],
        events: vec![event()],
        origins: vec!["origins/lab.pfx2as".to_owned()],
        as_names: vec!["origins/lab.as-names.tsv".to_owned()],
        sources: vec!["188.1.144.10".parse().unwrap(), "2001:638:c:a001::10".parse().unwrap()],
    }
}

fn header(id: u64) -> RoundHeader {
    let prober: Name = "echo".parse().unwrap();
    let at = time("2017-10-01T23:59:59.5Z");
    RoundHeader { id: RoundId(id), prober, method: Method::Echo, due_at: at, started_at: at }
}

/// A record that differs from every other by its round and number.
fn record(round: u64, number: u64) -> ProbeRecord {
    let number = u32::try_from(number).unwrap();
    let target = std::net::Ipv4Addr::from_bits(0xAF2D_B000 + number).into();
    ProbeRecord {
        vantage: arbitrary::vantage(),
        prober: "echo".parse().unwrap(),
        method: Method::Echo,
        probe: crate::model::Probe {
            round: RoundId(round),
            target,
            protocol: crate::model::Protocol::Icmp,
            port: None,
            flow: crate::model::FlowId(0),
            ttl: crate::model::Ttl::TO_THE_END,
            attempt: 0,
        },
        unit: Unit(Prefix::covering(target, 24).unwrap()),
        control: false,
        sent_at: Some(WallTime::from_nanos(number.into())),
        outcome: crate::model::Outcome::Silent,
    }
}

fn records(round: u64, count: u64) -> Vec<ProbeRecord> {
    (0..count).map(|number| record(round, number)).collect()
}

fn ledger_of(count: u64) -> Ledger {
    Ledger { planned: count, sent: count, silent: count, ..Ledger::default() }
}

/// A new dataset inside a temporary folder.
fn new_dataset() -> (TempDir, Dataset) {
    let temporary = tempfile::tempdir().unwrap();
    let dataset = Dataset::create(&temporary.path().join("kp"), &manifest()).unwrap();
    (temporary, dataset)
}

fn with_round(dataset: &mut Dataset, id: u64, count: u64) {
    dataset.begin_round(&header(id)).unwrap();
    dataset.append(RoundId(id), &records(id, count), &ledger_of(count)).unwrap();
}

fn all(dataset: &Dataset) -> Vec<ProbeRecord> {
    dataset.records().unwrap().collect::<Result<_, _>>().unwrap()
}

fn sealed_path(dataset: &Dataset, id: u64) -> PathBuf {
    let rounds = dataset.rounds().unwrap();
    let round = rounds.iter().find(|round| round.header.id == RoundId(id)).unwrap();
    dataset.path().join(&round.file.as_ref().unwrap().name)
}

/// Every file below a folder, with what is in it.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_record_comes_back_as_it_was_from_the_catalogue_and_from_parquet(
        given in proptest::collection::vec(arbitrary::record(RoundId(7)), 1..60)
    ) {
        let mut given = given;
        given.sort_by_key(|record| record.probe);
        given.dedup_by_key(|record| record.probe);
        let (_temporary, mut dataset) = new_dataset();
        dataset.begin_round(&header(7)).unwrap();
        dataset.append(RoundId(7), &given, &Ledger::default()).unwrap();
        prop_assert_eq!(&dataset.recorded(RoundId(7)).unwrap(), &given);
        dataset.seal(RoundId(7), &Ledger::default(), true).unwrap();
        prop_assert_eq!(&dataset.recorded(RoundId(7)).unwrap(), &given);
        prop_assert_eq!(&all(&dataset), &given);
        let ahead: Vec<Read> = dataset.records().unwrap().read_ahead().unwrap().map(Result::unwrap).collect();
        prop_assert!(matches!(ahead.last(), Some(Read::RoundOver)));
        let ahead: Vec<ProbeRecord> = ahead.into_iter().flat_map(Read::records).collect();
        prop_assert_eq!(&ahead, &given);
    }

    #[test]
    fn no_row_whatever_makes_reading_panic(
        given in arbitrary::record(RoundId(7)), column in 0..COLUMNS.len(), cell in any_cell()
    ) {
        let mut row = cells(&given);
        row[column] = cell;
        // A row that still reads must also be written as the same row.
        if let Ok(back) = columns::record(&row) {
            prop_assert_eq!(columns::record(&cells(&back)).unwrap(), back);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_row_is_read_the_quick_way_as_the_long_way_or_left_to_it(
        given in arbitrary::record(RoundId(7)), altered in proptest::option::of((0..COLUMNS.len(), any_cell()))
    ) {
        let mut row = cells(&given);
        let optional = |column: usize| COLUMNS[column].optional;
        match altered {
            Some((column, Cell::Empty)) if !optional(column) => {}
            Some((column, cell)) if optional(column) || fits(&cell, COLUMNS[column].holds) => row[column] = cell,
            _ => {}
        }
        let unaltered = row == cells(&given);
        let (quick, long) = sealed::both_ways(&row);
        match quick {
            Some(quick) => prop_assert_eq!(Ok(quick), long),
            // Only what is rare is left to the long way.
            None => prop_assert!(!unaltered || !is_usual(&given), "{:?}", given),
        }
    }
}

fn fits(cell: &Cell<'_>, holds: ColumnType) -> bool {
    matches!(
        (cell, holds),
        (Cell::Text(_), ColumnType::Text)
            | (Cell::Bool(_), ColumnType::Bool)
            | (Cell::Int(_), ColumnType::Int64)
            | (Cell::Real(_), ColumnType::Real)
    ) || matches!((cell, holds), (Cell::Int(number), ColumnType::Int32) if i32::try_from(*number).is_ok())
}

fn is_usual(record: &ProbeRecord) -> bool {
    match &record.outcome {
        Outcome::Silent => true,
        Outcome::Answered { rtt, .. } | Outcome::Late { rtt, .. } => rtt.source != RttSource::NotTold,
        _ => false,
    }
}

fn any_cell() -> impl Strategy<Value = Cell<'static>> {
    const WORDS: [&str; 8] = ["answered", "silent", "late", "1:2:3:4", "=1+1", "", "::1", "10.0.0.0/8"];
    prop_oneof![
        Just(Cell::Empty),
        any::<bool>().prop_map(Cell::Bool),
        any::<i64>().prop_map(Cell::Int),
        any::<f64>().prop_map(Cell::Real),
        proptest::sample::select(&WORDS[..]).prop_map(|word| Cell::Text(word.into())),
        ".*".prop_map(|text| Cell::Text(text.into())),
    ]
}

/// What a census says besides its records.
#[test]
fn blocks_and_the_decided_position_are_acknowledged_with_the_records_and_only_once() {
    let (_folder, mut dataset) = new_dataset();
    dataset.begin_round(&header(1)).unwrap();
    let block = |ttl, flows| Asked {
        unit: Unit("175.45.176.0/24".parse().unwrap()),
        ttl: Ttl::new(ttl).unwrap(),
        first_flow: 6,
        flows,
        first_attempt: 0,
        attempts: 1,
    };
    let asked = [(Some(3), block(2, 9)), (None, block(2, 40)), (Some(3), block(64, u16::MAX))];
    let rows = records(1, 3);
    let ledger = ledger_of(3);
    let progress = Progress { records: &rows, ledger: &ledger, asked: &asked, decided: 77 };
    dataset.advance(RoundId(1), &progress).unwrap();
    // Not knowing whether that was done, one tries again.
    dataset.advance(RoundId(1), &Progress { decided: 70, ..progress }).unwrap();
    assert_eq!(dataset.asked(RoundId(1)).unwrap(), asked);
    assert_eq!(dataset.open_rounds().unwrap()[0].decided, 77, "it never falls");
    assert_eq!(dataset.recorded(RoundId(1)).unwrap().len(), 3);
    dataset.seal(RoundId(1), &ledger, true).unwrap();
    assert_eq!(dataset.asked(RoundId(1)).unwrap(), asked, "also of a sealed round");
    assert_eq!(dataset.asked(RoundId(2)).unwrap(), []);
}

#[test]
fn a_campaign_is_read_back_as_it_was_run() {
    let (_temporary, dataset) = new_dataset();
    let dir = dataset.path().to_owned();
    drop(dataset);
    let dataset = Dataset::open(&dir).unwrap();
    assert_eq!(dataset.manifest(), &manifest());
    assert_eq!(dataset.events().unwrap(), [(event(), EventSource::Declared)]);
    assert_eq!(dataset.origin_paths(), [dir.join("origins/lab.pfx2as")]);
    assert_eq!(dataset.last_round_id().unwrap(), None);
}

#[test]
fn a_dataset_can_be_handed_to_a_thread_of_its_own() {
    fn can_be_sent<T: Send>(_: &T) {}
    let (_temporary, dataset) = new_dataset();
    can_be_sent(&dataset);
}

#[test]
fn a_round_lies_in_the_partition_of_its_vantage_and_of_the_utc_day_on_which_it_began() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 12, 3);
    dataset.seal(RoundId(12), &ledger_of(3), true).unwrap();
    let expected = dataset.path().join("rounds/vantage=vp-1/date=2017-10-01/00000012.parquet");
    assert_eq!(sealed_path(&dataset, 12), expected);
    assert!(expected.is_file());
}

#[test]
fn an_interrupted_round_is_found_again_with_its_ledger_and_records() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 2);
    dataset.seal(RoundId(1), &ledger_of(2), true).unwrap();
    with_round(&mut dataset, 2, 5);
    let dir = dataset.path().to_owned();
    drop(dataset);
    let mut dataset = Dataset::open(&dir).unwrap();
    assert_eq!(
        dataset.open_rounds().unwrap(),
        [OpenRound { header: header(2), ledger: ledger_of(5), decided: 0 }]
    );
    assert_eq!(dataset.recorded(RoundId(2)).unwrap(), records(2, 5));
    assert_eq!(dataset.last_round_id().unwrap(), Some(RoundId(2)));
    dataset.seal(RoundId(2), &ledger_of(5), false).unwrap();
    let rounds = dataset.rounds().unwrap();
    let states: Vec<RoundState> = rounds.iter().map(|round| round.state).collect();
    assert_eq!(states, [RoundState::Complete, RoundState::Interrupted]);
    assert_eq!(rounds.iter().map(|round| round.rows).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(dataset.total_ledger().unwrap(), ledger_of(7));
}

#[test]
fn what_belongs_to_no_round_is_added_up_kept_and_in_the_ledger() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 2);
    dataset.seal(RoundId(1), &ledger_of(2), true).unwrap();
    let beside =
        Ledger { duplicates: 1, unmatched: 2, malformed: 3, kernel_dropped: 4, ..Ledger::default() };
    dataset.add_beside(&beside).unwrap();
    dataset.add_beside(&beside).unwrap();
    let dir = dataset.path().to_owned();
    drop(dataset);
    let mut dataset = Dataset::open_read_only(&dir).unwrap();
    let total = dataset.total_ledger().unwrap();
    assert_eq!(total, [ledger_of(2), beside, beside].into_iter().sum());
    assert!(total.balances());
    assert!(matches!(dataset.add_beside(&beside), Err(DatasetError::ReadOnly { .. })));
}

#[test]
fn a_round_in_which_the_kernel_dropped_packets_stays_flagged() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 2);
    with_round(&mut dataset, 2, 2);
    dataset.add_drops(RoundId(1), 3).unwrap();
    dataset.seal(RoundId(1), &ledger_of(2), true).unwrap();
    dataset.add_drops(RoundId(1), 4).unwrap();
    let dir = dataset.path().to_owned();
    drop(dataset);
    let dataset = Dataset::open_read_only(&dir).unwrap();
    let dropped: Vec<u64> = dataset.rounds().unwrap().iter().map(|round| round.dropped).collect();
    assert_eq!(dropped, [7, 0]);
    assert_eq!(dataset.total_ledger().unwrap().kernel_dropped, 0, "the flag counts nothing twice");
}

#[test]
fn steps_of_the_wall_clock_are_kept_in_the_order_in_which_they_were_noticed() {
    let (_temporary, mut dataset) = new_dataset();
    let slept = ClockStep { at: time("2017-10-02T08:03:00Z"), by_ns: 28_980_000_000_000 };
    let set_back = ClockStep { at: time("2017-10-01T09:00:00Z"), by_ns: -3_600_000_000_000 };
    for step in [slept, set_back] {
        dataset.add_clock_step(step).unwrap();
    }
    assert_eq!(dataset.clock_steps().unwrap(), [slept, set_back]);
    assert_eq!(slept.to_string(), "8h 3m forward at 2017-10-02T08:03:00Z");
    assert_eq!(set_back.to_string(), "1h back at 2017-10-01T09:00:00Z");
}

#[test]
fn a_probe_recorded_twice_stands_once_and_as_it_was_first_recorded() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 3);
    let mut again = records(1, 4);
    again[0].sent_at = None;
    dataset.append(RoundId(1), &again, &ledger_of(4)).unwrap();
    assert_eq!(dataset.recorded(RoundId(1)).unwrap(), records(1, 4));
}

#[test]
fn what_does_not_belong_to_a_round_is_refused_whole() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 1);
    let mixed = [record(1, 8), record(2, 9)];
    let refused = dataset.append(RoundId(1), &mixed, &ledger_of(3)).unwrap_err();
    assert!(matches!(refused, DatasetError::ForeignRecord { .. }), "{refused}");
    let refused = dataset.append(RoundId(3), &[], &ledger_of(0)).unwrap_err();
    assert!(matches!(refused, DatasetError::NoSuchRound { .. }), "{refused}");
    assert!(matches!(dataset.begin_round(&header(1)), Err(DatasetError::RoundState { .. })));
    assert_eq!(all(&dataset), records(1, 1));
    dataset.seal(RoundId(1), &ledger_of(1), true).unwrap();
    let refused = dataset.append(RoundId(1), &[], &ledger_of(0)).unwrap_err();
    assert!(refused.to_string().ends_with("round 1 is sealed already"), "{refused}");
}

#[test]
fn a_second_writer_is_refused_and_a_reader_is_not() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 2);
    let refused = Dataset::open(dataset.path()).unwrap_err();
    assert!(matches!(refused, DatasetError::Busy { .. }), "{refused}");
    let reader = Dataset::open_read_only(dataset.path()).unwrap();
    assert_eq!(all(&reader), records(1, 2));
}

#[test]
fn a_reader_sees_every_record_once_although_its_round_is_sealed_meanwhile() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 2);
    with_round(&mut dataset, 2, 3);
    let reader = Dataset::open_read_only(dataset.path()).unwrap();
    let mut reading = reader.records().unwrap();
    let first = reading.next().unwrap().unwrap();
    dataset.seal(RoundId(1), &ledger_of(2), true).unwrap();
    dataset.seal(RoundId(2), &ledger_of(3), true).unwrap();
    with_round(&mut dataset, 3, 1);
    let rest: Vec<ProbeRecord> = reading.map(Result::unwrap).collect();
    let seen: Vec<ProbeRecord> = std::iter::once(first).chain(rest).collect();
    assert_eq!(seen, [records(1, 2), records(2, 3)].concat());
}

#[test]
fn nothing_is_written_through_a_dataset_opened_to_be_read_but_opt_outs_and_events_are_heard() {
    let (_temporary, mut dataset) = new_dataset();
    let mut reader = Dataset::open_read_only(dataset.path()).unwrap();
    assert!(matches!(reader.begin_round(&header(1)), Err(DatasetError::ReadOnly { .. })));
    assert!(matches!(reader.write_file("x", b""), Err(DatasetError::ReadOnly { .. })));
    let prefix: Prefix = "175.45.178.0/24".parse().unwrap();
    let at = time("2017-10-02T00:00:00Z");
    let expected = OptOut { prefix, reference: "mail of 2 October".to_owned(), at };
    let again = OptOut { at: time("2017-10-03T00:00:00Z"), ..expected.clone() };
    reader.add_opt_outs(&[expected.clone(), again]).unwrap();
    reader.add_event(&Event { at, ..event() }, EventSource::Detected).unwrap();
    assert_eq!(dataset.opt_outs().unwrap(), [expected], "once, from when it first held");
    assert_eq!(dataset.events().unwrap().len(), 2);
    with_round(&mut dataset, 1, 1);
}

#[test]
fn other_peoples_folders_and_datasets_are_not_taken_over() {
    let temporary = tempfile::tempdir().unwrap();
    fs::write(temporary.path().join("thesis.tex"), "years of work").unwrap();
    let before = contents(temporary.path());
    let refused = Dataset::create(temporary.path(), &manifest()).unwrap_err();
    assert!(matches!(refused, DatasetError::NotEmpty { .. }), "{refused}");
    assert!(matches!(Dataset::open(temporary.path()), Err(DatasetError::NotADataset { .. })));
    let missing = temporary.path().join("nowhere");
    assert!(matches!(Dataset::open(&missing), Err(DatasetError::NotADataset { .. })));
    assert_eq!(contents(temporary.path()), before);
    let (_kept, dataset) = new_dataset();
    let refused = Dataset::create(dataset.path(), &manifest()).unwrap_err();
    assert!(matches!(refused, DatasetError::AlreadyThere { .. }), "{refused}");
}

#[test]
fn making_a_dataset_can_be_tried_again_after_it_was_interrupted_anywhere() {
    let (_temporary, mut dataset) = new_dataset();
    let dir = dataset.path().to_owned();
    fs::remove_file(dir.join("campaign.toml")).unwrap();
    fs::write(dir.join(".campaign.toml.part"), "camp").unwrap();
    assert!(Dataset::create(&dir, &manifest()).is_ok());
    // But not where rounds were recorded: a lost manifest must not cost them.
    drop(dataset);
    dataset = Dataset::open(&dir).unwrap();
    with_round(&mut dataset, 1, 1);
    fs::remove_file(dir.join("campaign.toml")).unwrap();
    assert!(matches!(Dataset::create(&dir, &manifest()), Err(DatasetError::NotEmpty { .. })));
}

#[test]
fn a_newer_dataset_is_refused_before_anything_is_touched() {
    let (_temporary, dataset) = new_dataset();
    let dir = dataset.path().to_owned();
    drop(dataset);
    let manifest = fs::read_to_string(dir.join("campaign.toml")).unwrap();
    let newer = manifest.replace("format = 2\n", "format = 3\nunheard_of = true\n");
    assert_ne!(manifest, newer);
    fs::write(dir.join("campaign.toml"), newer).unwrap();
    let before = contents(&dir);
    for refused in [Dataset::open(&dir).unwrap_err(), Dataset::open_read_only(&dir).unwrap_err()] {
        assert!(matches!(refused, DatasetError::Newer { found: 3, .. }), "{refused}");
        assert!(refused.to_string().contains("campaign.toml: format 3, newer than 2"), "{refused}");
    }
    assert_eq!(contents(&dir), before);
}

/// A dataset that a program of version 1 imported.
fn of_version_1(dir: &Path) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dataset/tests/version-1");
    fs::create_dir_all(dir.join("rounds/imported")).unwrap();
    fs::copy(folder.join("campaign.toml"), dir.join("campaign.toml")).unwrap();
    fs::copy(folder.join("00000001.parquet"), dir.join("rounds/imported/00000001.parquet")).unwrap();
    let packed = fs::File::open(folder.join("catalog.sqlite.gz")).unwrap();
    let mut catalogue = fs::File::create(dir.join("catalog.sqlite")).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut catalogue).unwrap();
}

#[test]
fn a_dataset_of_version_1_is_read_and_what_is_written_to_it_makes_it_one_of_version_2() {
    let folder = tempfile::tempdir().unwrap();
    of_version_1(folder.path());
    let version = || {
        let connection = rusqlite::Connection::open(folder.path().join("catalog.sqlite")).unwrap();
        connection.query_row("PRAGMA user_version", [], |row| row.get::<_, u32>(0)).unwrap()
    };
    let read = |dataset: &Dataset| {
        let records: Vec<ProbeRecord> = dataset.records().unwrap().collect::<Result<_, _>>().unwrap();
        assert!(dataset.total_ledger().unwrap().balances());
        let answered = records.iter().filter(|record| matches!(record.outcome, Outcome::Answered { .. }));
        (records.len(), answered.count(), dataset.rounds().unwrap().len())
    };
    assert_eq!(read(&Dataset::open_read_only(folder.path()).unwrap()), (35, 23, 5));
    assert_eq!(version(), 1);
    assert_eq!(read(&Dataset::open(folder.path()).unwrap()), (35, 23, 5));
    assert_eq!(version(), FORMAT_VERSION);
    assert_eq!(read(&Dataset::open_read_only(folder.path()).unwrap()), (35, 23, 5));
}

#[test]
fn a_newer_catalogue_is_refused() {
    let (_temporary, dataset) = new_dataset();
    let dir = dataset.path().to_owned();
    drop(dataset);
    let connection = rusqlite::Connection::open(dir.join("catalog.sqlite")).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    drop(connection);
    let refused = Dataset::open(&dir).unwrap_err();
    assert!(matches!(refused, DatasetError::Newer { found: 9, .. }), "{refused}");
}

#[test]
fn a_truncated_or_altered_round_is_named_and_the_others_are_still_read() {
    let (_temporary, mut dataset) = new_dataset();
    for id in 1..=3 {
        with_round(&mut dataset, id, 4);
        dataset.seal(RoundId(id), &ledger_of(4), true).unwrap();
    }
    let path = sealed_path(&dataset, 2);
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    let longer = [whole.as_slice(), b"x"].concat();
    for damaged in [&whole[..whole.len() - 1], &whole[..10], &[], &flipped, &longer] {
        fs::write(&path, damaged).unwrap();
        let read: Vec<_> = dataset.records().unwrap().collect();
        let errors: Vec<String> =
            read.iter().filter_map(|one| Some(one.as_ref().err()?.to_string())).collect();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].starts_with(&format!("{}: damaged: ", path.display())), "{errors:?}");
        assert_eq!(read.iter().filter(|one| one.is_ok()).count(), 8);
    }
}

/// Whoever forges a round can forge its checksum too, and the Parquet reader panics over some files.
#[test]
fn a_forged_round_is_damaged_at_worst() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 40);
    dataset.seal(RoundId(1), &ledger_of(40), true).unwrap();
    let path = sealed_path(&dataset, 1);
    let whole = fs::read(&path).unwrap();
    let footer = u32::from_le_bytes(whole[whole.len() - 8..][..4].try_into().unwrap()) as usize + 8;
    let mut state = 20_171_001_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for number in 0..1500 {
        let mut forged = whole.clone();
        let reach = if number % 3 == 0 { whole.len() } else { footer };
        let at = whole.len() - 1 - draw(reach);
        forged[at] = u8::try_from(draw(256)).unwrap();
        fs::write(&path, &forged).unwrap();
        let reader = sealed::Reader::read(fs::File::open(&path).unwrap(), &path);
        let batches =
            |mut reader: sealed::Reader| std::iter::from_fn(move || reader.next_batch()).collect();
        let read: Result<Vec<Vec<ProbeRecord>>, DatasetError> = reader.and_then(batches);
        let refused = read.err().map(|error| error.to_string());
        let named = refused.as_ref().is_none_or(|error| error.starts_with(&path.display().to_string()));
        assert!(named, "byte {at}: {refused:?}");
    }
}

#[test]
fn a_missing_round_is_named() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 4);
    dataset.seal(RoundId(1), &ledger_of(4), true).unwrap();
    let path = sealed_path(&dataset, 1);
    fs::remove_file(&path).unwrap();
    let error = dataset.recorded(RoundId(1)).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
}

#[test]
fn a_row_that_breaks_a_rule_is_named_with_its_number_and_column() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 3);
    let connection = rusqlite::Connection::open(dataset.path().join("catalog.sqlite")).unwrap();
    let given = records(1, 3);
    let mut rows: Vec<_> = given.iter().map(cells).collect();
    rows[1][9] = Cell::Int(0);
    let bytes = batch::encode(rows.into_iter());
    let values = rusqlite::params![bytes, batch::checksum(&bytes)];
    connection.execute("UPDATE in_flight SET records = ?, crc32 = ?", values).unwrap();
    let error = dataset.recorded(RoundId(1)).unwrap_err();
    assert!(matches!(error, DatasetError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("in_flight 1, row 2: ttl = \"0\": must be 1 to 255"), "{error}");
}

#[test]
fn records_in_flight_that_were_altered_are_damaged() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 3);
    let connection = rusqlite::Connection::open(dataset.path().join("catalog.sqlite")).unwrap();
    connection.execute("UPDATE in_flight SET records = zeroblob(26)", []).unwrap();
    let error = dataset.recorded(RoundId(1)).unwrap_err();
    assert!(matches!(error, DatasetError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("in_flight 1: its CRC-32 is not the one"), "{error}");
    assert!(dataset.seal(RoundId(1), &ledger_of(3), true).is_err(), "and never sealed");
}

#[test]
fn a_catalogue_that_is_no_database_is_damaged_and_not_overwritten() {
    let (_temporary, dataset) = new_dataset();
    let dir = dataset.path().to_owned();
    drop(dataset);
    fs::write(dir.join("catalog.sqlite"), "this is not a database, whatever its name says").unwrap();
    let before = contents(&dir);
    let error = Dataset::open(&dir).unwrap_err();
    assert!(matches!(error, DatasetError::Damaged { .. }), "{error}");
    assert_eq!(contents(&dir), before);
}

#[test]
fn files_go_into_the_dataset_and_nowhere_else() {
    let (_temporary, mut dataset) = new_dataset();
    let path = dataset.write_file("origins/lab.pfx2as", b"175.45.176.0\t22\t131279\n").unwrap();
    assert_eq!(path, dataset.path().join("origins/lab.pfx2as"));
    dataset.write_file("origins/lab.pfx2as", b"second").unwrap();
    assert_eq!(fs::read(path).unwrap(), b"second");
    let own = ["campaign.toml", "catalog.sqlite-wal", "rounds/x"];
    for bad in own.into_iter().chain(["", "/etc/x", "../x", "a/../../x", "a//b", ".hidden", "a/"]) {
        let refused = dataset.write_file(bad, b"").unwrap_err();
        assert!(matches!(refused, DatasetError::BadFileName { .. }), "{bad:?}: {refused}");
    }
}

#[test]
fn a_link_planted_where_a_file_will_be_is_not_followed() {
    let (temporary, mut dataset) = new_dataset();
    let victim = temporary.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    let link = |to: &Path, from: PathBuf| std::os::unix::fs::symlink(to, from);
    link(&victim, dataset.path().join(".notes.part")).unwrap();
    link(&victim, dataset.path().join("notes")).unwrap();
    dataset.write_file("notes", b"ours").unwrap();
    link(temporary.path(), dataset.path().join("elsewhere")).unwrap();
    assert!(dataset.write_file("elsewhere/victim", b"ours").is_err());
    link(temporary.path(), dataset.path().join("rounds")).unwrap();
    with_round(&mut dataset, 1, 1);
    assert!(dataset.seal(RoundId(1), &ledger_of(1), true).is_err());
    assert_eq!(all(&dataset), records(1, 1));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_full_disk_is_called_so_and_costs_nothing_that_was_acknowledged() {
    let (_temporary, mut dataset) = new_dataset();
    with_round(&mut dataset, 1, 10);
    dataset.keep_catalogue_from_growing();
    let many: Vec<ProbeRecord> = (10..5000).map(|number| record(1, number)).collect();
    let error = dataset.append(RoundId(1), &many, &ledger_of(5000)).unwrap_err();
    assert!(matches!(error, DatasetError::Full { .. }), "{error}");
    assert!(error.to_string().contains("catalog.sqlite: no space left"), "{error}");
    let dir = dataset.path().to_owned();
    drop(dataset);
    let mut dataset = Dataset::open(&dir).unwrap();
    assert_eq!(dataset.open_rounds().unwrap()[0].ledger, ledger_of(10));
    assert_eq!(all(&dataset), records(1, 10));
    dataset.append(RoundId(1), &many, &ledger_of(5000)).unwrap();
    assert_eq!(all(&dataset), records(1, 5000));
}

#[test]
fn a_newer_parquet_file_is_refused_and_one_without_a_version_is_damaged() {
    use parquet::file::metadata::KeyValue;
    let pair = |version: &str| KeyValue::new("tetherline.format".to_owned(), version.to_owned());
    let path = Path::new("x.parquet");
    let refused = sealed::check_version(path, &[pair("3")]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "x.parquet: format 3, newer than 2, which this program knows; use a newer tetherline"
    );
    for pairs in [vec![], vec![pair("one")]] {
        let refused = sealed::check_version(path, &pairs).unwrap_err();
        assert!(matches!(refused, DatasetError::Damaged { .. }), "{refused}");
    }
    assert!(sealed::check_version(path, &[pair("1")]).is_ok());
}
