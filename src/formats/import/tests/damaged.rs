//! Input that is cut, changed, hostile: what is whole is kept, what is not is told, and nothing panics.

use std::io::Write;

use super::*;

#[test]
fn a_record_cut_in_mid_air_costs_only_itself() {
    let whole = read(Format::Warts, TRACES);
    let records = record_starts(TRACES);
    // The second measurement loses its middle.
    let (start, end) = (records[3], records[4]);
    let cut = [&TRACES[..start + 40], &TRACES[end..]].concat();
    let batch = read(Format::Warts, &cut);
    assert_eq!(measurements(&batch).len(), measurements(&whole).len() - 1);
    assert_eq!(batch.faults.len(), 1);
    assert_eq!(batch.faults[0].offset, start as u64);
}

/// Where records begin.
fn record_starts(bytes: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        starts.push(at);
        at += 8 + u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
    }
    starts
}

#[test]
fn a_file_that_ends_early_gives_what_is_whole() {
    let whole = read(Format::Warts, TRACES);
    for length in 0..TRACES.len() {
        let batch = read(Format::Warts, &TRACES[..length]);
        let starts = record_starts(TRACES);
        let is_whole = length == 0 || starts.contains(&length);
        assert_eq!(batch.faults.is_empty(), is_whole, "{length}: {:?}", batch.faults);
        assert!(measurements(&batch).len() <= measurements(&whole).len());
    }
    let lines: Vec<&str> = ATLAS.lines().collect();
    let cut = &ATLAS[..lines[0].len() + 1 + 100];
    for text in [cut.to_owned(), format!("[{}", cut.replace('\n', ","))] {
        let batch = read(Format::Atlas, text.as_bytes());
        assert_eq!(measurements(&batch).len(), 1);
        assert_eq!(batch.faults.len(), 1, "{:?}", batch.faults);
    }
}

#[test]
fn an_object_that_is_cut_inside_an_array_costs_only_itself() {
    let lines: Vec<&str> = ATLAS.lines().collect();
    let cut = format!("[\n{},\n{}\n{}]", lines[0], &lines[0][..200], lines[1]);
    let batch = read(Format::Atlas, cut.as_bytes());
    assert_eq!(measurements(&batch).len(), 2);
    assert_eq!(batch.faults.len(), 1, "{:?}", batch.faults);
}

#[test]
fn compressed_files_that_are_cut_give_what_came_through() {
    let folder = tempfile::tempdir().unwrap();
    let text = ATLAS.repeat(400);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(text.as_bytes()).unwrap();
    let mut bz2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz2.write_all(text.as_bytes()).unwrap();
    for (name, bytes) in [("gz", gz.finish().unwrap()), ("bz2", bz2.finish().unwrap())] {
        let whole = in_file(folder.path(), name, &bytes);
        let cut = in_file(folder.path(), &format!("cut.{name}"), &bytes[..bytes.len() * 3 / 4]);
        let (_all, _, all) = imported(&[whole], &ImportOptions::default());
        let (_some, _, some) = imported(&[cut], &ImportOptions::default());
        assert!(all.files[0].faults.is_empty(), "{name}: {:?}", all.files[0].faults);
        assert!(some.records > 0 && some.records < all.records, "{name}");
        let faults = &some.files[0].faults;
        assert!(faults.iter().any(|fault| fault.reason.contains("cannot be read further")), "{faults:?}");
        assert!(faults.iter().all(|fault| fault.offset > 0), "{faults:?}");
    }
}

#[test]
fn a_bomb_of_one_endless_line_costs_no_memory_and_is_told() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![b'x'; 1 << 20];
    gz.write_all(b"{\"type\":\"traceroute\",\"a\":\"").unwrap();
    (0..8).for_each(|_| gz.write_all(&block).unwrap());
    gz.write_all(b"\n").unwrap();
    gz.write_all(ATLAS.as_bytes()).unwrap();
    let batch = read(Format::Atlas, &gz.finish().unwrap());
    assert!(batch.faults[0].reason.contains("longer than 4 MiB"), "{:?}", batch.faults);
    assert!(!measurements(&batch).is_empty());
}

#[test]
fn zeros_without_end_behind_a_record_are_given_up_and_told() {
    let endless = std::io::Read::chain(Cursor::new(TRACES), std::io::repeat(0));
    let mut input = Input::new(std::io::BufReader::new(endless)).unwrap();
    let (mut reader, mut batch) = (warts::Reader::giving_up_after(1 << 20), Batch::default());
    while reader.read(&mut input, &mut batch) {}
    assert_eq!(measurements(&batch), measurements(&read(Format::Warts, TRACES)));
    let fault = batch.faults.last().unwrap();
    assert!(fault.reason.contains("in 1048576 bytes no warts record begins"), "{fault:?}");
    assert_eq!(fault.offset, TRACES.len() as u64);
    assert!(input.offset() < 3 << 20, "it is not read any further");
}

/// A value of no type that any field has.
fn nonsense() -> serde_json::Value {
    serde_json::json!({"nonsense": [true]})
}

/// The paths to all values that are not made of others.
fn paths(value: &serde_json::Value, to: &str, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| paths(value, &format!("{to}/{key}"), found));
        }
        serde_json::Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| paths(value, &format!("{to}/{at}"), found));
        }
        _ => found.push(to.to_owned()),
    }
}

type Told = (&'static str, Option<(IpAddr, ReplyKind)>);

/// What is told of a packet: who answered, and what that says.
fn told_of(sent: &Sent) -> Told {
    let says = match &sent.outcome {
        Outcome::Answered { reply, .. } | Outcome::Late { reply, .. } => Some((reply.from, reply.kind)),
        _ => None,
    };
    (sent.outcome.as_str(), says)
}

fn told(measurement: &Measurement) -> BTreeMap<(Ttl, u8), Told> {
    measurement.probes.iter().map(|sent| ((sent.ttl, sent.attempt), told_of(sent))).collect()
}

#[test]
fn a_bad_value_in_a_result_of_atlas_costs_what_rests_on_it_and_makes_nothing_else_of_the_rest() {
    for line in ATLAS.lines().take(4) {
        let whole = serde_json::from_str::<serde_json::Value>(line).unwrap();
        let batch = read(Format::Atlas, line.as_bytes());
        let sound = told(measurements(&batch)[0]);
        let mut all = Vec::new();
        paths(&whole, "", &mut all);
        for path in all {
            let mut damaged = whole.clone();
            *damaged.pointer_mut(&path).unwrap() = nonsense();
            let batch = read(Format::Atlas, damaged.to_string().as_bytes());
            let depth = path.matches('/').count();
            let Some(kept) = batch.measurements.first() else {
                assert_eq!(depth, 1, "{path} costs the whole result");
                continue;
            };
            let kept = told(kept);
            let was_late = |key: &(Ttl, u8)| sound.get(key).is_some_and(|(word, _)| *word == "late");
            for (key, now) in &kept {
                let is_same = sound.get(key) == Some(now) || (was_late(key) && now.0 == "silent");
                assert!(is_same, "{path}: {key:?} {now:?}, and was {:?}", sound.get(key));
            }
            let most = if path.ends_with("/hop") { 6 } else { 1 };
            assert!(depth < 3 || kept.len() + most >= sound.len(), "{path} costs more than its packet");
        }
    }
}

/// What is told of each packet, however they are numbered.
fn told_by_hop(measurement: &Measurement) -> Vec<(Ttl, Told)> {
    measurement.probes.iter().map(|sent| (sent.ttl, told_of(sent))).collect()
}

/// Objects of the other formats of JSON, of every kind of measurement.
fn objects() -> impl Iterator<Item = (Format, serde_json::Value)> {
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let scamper = TRACES_JSON.lines().chain(DIAMONDS_JSON.lines().filter(|line| line.len() < 50_000));
    let scamper = scamper.map(move |line| (Format::ScamperJson, read(line)));
    scamper.chain([(Format::Mtr, read(MTR)), (Format::Trippy, read(TRIPPY))])
}

#[test]
fn a_bad_value_in_json_of_scamper_mtr_or_trippy_costs_what_rests_on_it_and_makes_nothing_else_of_the_rest()
{
    const DECIDE: &[&str] =
        &["/type", "/method", "/dst", "/start/", "/ttl", "/report/mtr/dst", "/info/target/ip"];
    for (format, whole) in objects() {
        let sound = read(format, whole.to_string().as_bytes());
        let Some(sound) = sound.measurements.first().map(told_by_hop) else { continue };
        let mut all = Vec::new();
        paths(&whole, "", &mut all);
        // Values that stand beside others like them are damaged alike.
        for path in all.iter().enumerate().filter(|(at, _)| *at < 60 || at % 31 == 0).map(|(_, path)| path)
        {
            let mut damaged = whole.clone();
            *damaged.pointer_mut(path).unwrap() = nonsense();
            let batch = read(format, damaged.to_string().as_bytes());
            let Some(kept) = batch.measurements.first().map(told_by_hop) else {
                assert!(
                    DECIDE.iter().any(|key| path.starts_with(key)),
                    "{path} costs the whole of {format:?}"
                );
                assert_eq!(batch.faults.len(), 1, "{path}");
                continue;
            };
            let mut rest = sound.clone();
            for one in &kept {
                let place = rest.iter().position(|other| other == one);
                rest.remove(
                    place.unwrap_or_else(|| panic!("{path} of {format:?} makes {one:?} of something")),
                );
            }
            let answers_lost = rest.iter().filter(|(_, told)| told.1.is_some()).count();
            // Reports tell of a hop, load-balancer traces of an address, what many packets found.
            let one =
                format == Format::ScamperJson && !(path.contains("/links/") && path.ends_with("/addr"));
            assert!(
                answers_lost <= if one { 1 } else { 16 },
                "{path} of {format:?} costs {answers_lost} answers"
            );
        }
    }
}

#[test]
fn where_an_answer_of_scamper_cannot_be_read_nothing_is_called_silent() {
    let line = TRACES_JSON.lines().find(|line| line.contains(r#""type":"trace""#)).unwrap();
    let of = |line: &str| {
        let batch = read(Format::ScamperJson, line.as_bytes());
        let probes = &measurements(&batch)[0].probes;
        (
            probes.len(),
            probes.iter().filter(|sent| sent.outcome == Outcome::Silent).count(),
            batch.faults.len(),
        )
    };
    let (all, silent, _) = of(line);
    assert_eq!(silent, 0);
    assert_eq!(of(&line.replacen(r#""addr":"188.1.144.1""#, r#""addr":[1]"#, 1)), (all - 1, 0, 1));
    assert_eq!(of(&line.replacen(r#""rtt":"#, r#""rtt":"x","was":"#, 1)), (all, 0, 1));
    // It would have been asked up to the ninth hop; who knows.
    let longer = line.replacen(r#""hop_count":5"#, r#""hop_count":9"#, 1);
    assert_eq!(of(&longer).1, 8);
    assert_eq!(of(&longer.replacen(r#""firsthop":1"#, r#""firsthop":{}"#, 1)), (all, 0, 1));
}

#[test]
fn a_long_object_with_a_bad_value_is_kept_as_a_short_one_is() {
    let line = ATLAS.lines().next().unwrap();
    let bad = line.replacen(r#""ttl":253"#, r#""ttl":[253]"#, 1);
    assert_ne!(bad, line);
    let long = format!(r#"{{"padding":"{}",{}"#, "x".repeat(1 << 20), &bad[1..]);
    let (short, long) = (read(Format::Atlas, bad.as_bytes()), read(Format::Atlas, long.as_bytes()));
    assert_eq!(long.measurements, short.measurements);
    assert_eq!((long.measurements.len(), long.faults.len()), (1, 1));
}

#[test]
fn a_bad_value_is_told_with_its_place_and_the_rest_of_the_result_is_kept() {
    let text = ATLAS.replacen(r#""ttl":253,"size":140"#, r#""ttl":[253],"size":140"#, 1);
    let batch = read(Format::Atlas, format!("\n{text}").as_bytes());
    assert_eq!(batch.faults.len(), 1, "{:?}", batch.faults);
    assert_eq!(batch.faults[0].offset, 1);
    assert_eq!(count(&batch, "values left out of results that are kept otherwise"), 1);
    let (before, now) = (read(Format::Atlas, ATLAS.as_bytes()), measurements(&batch));
    assert_eq!(told(now[0]), told(measurements(&before)[0]));
}

#[test]
fn json_nested_deeply_is_refused_and_not_followed() {
    let deep = format!("{{\"type\":\"traceroute\",\"result\":{}\n{ATLAS}", "[".repeat(100_000));
    let batch = read(Format::Atlas, deep.as_bytes());
    assert_eq!(batch.faults.len(), 1, "{:?}", batch.faults);
    assert_eq!(measurements(&batch).len(), measurements(&read(Format::Atlas, ATLAS.as_bytes())).len());
}

#[test]
fn a_reference_to_address_four_billion_is_told() {
    // A trace whose destination is an address that nobody named.
    let body = [&[0x80, 0x80, 0x80, 0x20, 0, 5, 0][..], &u32::MAX.to_be_bytes()].concat();
    let record =
        [&[0x12, 0x05, 0, 6][..], &u32::try_from(body.len()).unwrap().to_be_bytes(), &body].concat();
    let batch = read(Format::Warts, &[&record, TRACES].concat());
    assert!(batch.faults[0].reason.contains("address 4294967295"), "{:?}", batch.faults);
    assert_eq!(batch.faults[0].offset, 0);
    assert_eq!(measurements(&batch), measurements(&read(Format::Warts, TRACES)));
}

/// Some bytes of an input changed, taken out or put in.
fn mutated(input: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), 0_u8..4, any::<u8>(), 0_usize..40);
    prop::collection::vec(change, 1..12).prop_map(move |changes| {
        let mut bytes = input.to_vec();
        for (at, what, value, length) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            let end = (at + length).min(bytes.len());
            match what {
                0 => drop(bytes.drain(at..end)),
                1 => bytes.insert(at, value),
                2 => bytes[at..end].fill(value),
                _ => bytes.truncate(at.max(8)),
            }
        }
        bytes
    })
}

/// No probe is recorded that scamper or Atlas could not have sent, so that a small file makes no large dataset.
fn is_in_proportion(batch: &Batch, bytes: usize) -> bool {
    let probes: usize = measurements(batch).iter().map(|one| one.probes.len()).sum();
    probes <= 2600 * measurements(batch).len() + bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_warts_never_panic(bytes in prop_oneof![mutated(TRACES), mutated(DIAMONDS), mutated(PINGS)]) {
        let batch = read(Format::Warts, &bytes);
        prop_assert!(is_in_proportion(&batch, bytes.len()));
    }

    #[test]
    fn changed_atlas_results_never_panic(bytes in mutated(ATLAS.as_bytes())) {
        let batch = read(Format::Atlas, &bytes);
        prop_assert!(is_in_proportion(&batch, bytes.len()));
    }

    #[test]
    fn changed_json_of_scamper_never_panics(
        bytes in prop_oneof![mutated(TRACES_JSON.as_bytes()), mutated(DIAMONDS_JSON.as_bytes())]
    ) {
        let batch = read(Format::ScamperJson, &bytes);
        prop_assert!(is_in_proportion(&batch, bytes.len()));
    }

    #[test]
    fn changed_text_of_yarrp_and_caracal_never_panics(
        yarrp in mutated(YARRP.as_bytes()), caracal in mutated(CARACAL.as_bytes())
    ) {
        for (format, bytes) in [(Format::Yarrp, yarrp), (Format::Caracal, caracal)] {
            prop_assert!(is_in_proportion(&read(format, &bytes), bytes.len()));
        }
    }

    #[test]
    fn changed_reports_never_panic(mtr in mutated(MTR.as_bytes()), trippy in mutated(TRIPPY.as_bytes())) {
        for (format, bytes) in [(Format::Mtr, mtr), (Format::Trippy, trippy)] {
            prop_assert!(is_in_proportion(&read(format, &bytes), bytes.len()));
        }
    }

    #[test]
    fn bytes_that_are_nothing_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        for format in Format::ALL {
            read(format, &bytes);
        }
    }
}

/// A warts record of this type.
fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[0x12, 0x05, 0, kind][..], &u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

#[test]
fn a_ping_with_a_low_ttl_is_a_trace_of_one_hop_and_says_nothing_of_the_target() {
    let ping = |ttl: u8| {
        // Parameters 5 (time), 13 (TTL), 15 (how many were sent) and 21 (target): flags of seven bits a byte.
        let flags = [0x80 | 1 << 4, 0x80 | 1 << 5, 1 | 1 << 6];
        let params = [&[0, 0, 0, 9, 0, 0, 0, 0, ttl, 0, 2][..], &[4, 1, 192, 0, 2, 9]].concat();
        let length = u16::try_from(params.len()).unwrap().to_be_bytes();
        let body = [&flags[..], &length, &params, &[0, 0]].concat();
        read(Format::Warts, &record(7, &body))
    };
    let low = ping(7);
    assert_eq!(measurements(&low)[0].method, Method::Trace, "{:?}", low.faults);
    assert!(measurements(&low)[0].probes.iter().all(|sent| sent.ttl.get() == 7));
    assert_eq!(count(&low, "pings with a TTL below 32, which are traces of one hop"), 1);
    assert_eq!(measurements(&ping(64))[0].method, Method::Echo);
    assert_eq!(measurements(&ping(32))[0].probes.len(), 2);
}
