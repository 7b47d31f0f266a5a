//! The whole measuring wing in virtual time, against the simulated Internet of October 2017: what a user
//! would lose if probers, engine, guard, packets, lab, dataset and analysis did not fit together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};

use etherparse::{NetHeaders, PacketHeaders, TransportHeader};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tetherline::analyse::compare::{Findings, Reach, UnitFindings};
use tetherline::dataset::{Dataset, ProbeRecord};
use tetherline::formats::csv::write_records;
use tetherline::lab::{Scenario, TrueEnd, Truth, VirtualInternet};
use tetherline::measure::campaign::{
    Campaign, Circumstances, Rehearsal, RunEnd, manifest, prepare_virtual, rehearse, station_order,
};
use tetherline::measure::net::VirtualLink;
use tetherline::model::{
    Asn, ClockPair, FlowId, Method, MonoTime, Outcome, Port, Protocol, ReplyKind, Underlay, Unreachable,
};
use tetherline::report;
use tetherline::wire::Codec;

use crate::played::{ORIGINS, origins, sources};

#[allow(dead_code, reason = "what one suite does not use, another does")]
mod played;

const CAMPAIGN: &str = include_str!("../probes.toml");

/// The simulated Internet, with a note of every packet that enters it.
struct Tap {
    internet: VirtualInternet,
    packets: Vec<(MonoTime, Vec<u8>)>,
}

impl Underlay for Tap {
    fn inject(&mut self, now: MonoTime, packet: &[u8]) {
        self.packets.push((now, packet.to_vec()));
        self.internet.inject(now, packet);
    }

    fn advance(&mut self, until: MonoTime) -> Option<(MonoTime, Vec<u8>)> {
        self.internet.advance(until)
    }
}

/// A rehearsal that is over.
struct Rehearsed {
    folder: tempfile::TempDir,
    records: Vec<ProbeRecord>,
    packets: Vec<(MonoTime, Vec<u8>)>,
    pair: ClockPair,
    codec: Codec,
}

impl Rehearsed {
    fn dataset(&self) -> Dataset {
        Dataset::open_read_only(&self.folder.path().join("demo")).expect("opened")
    }
}

/// Runs the shipped campaign over the built-in scenario.
fn rehearsed() -> Rehearsed {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = Scenario::october_2017().expect("the built-in scenario is valid");
    let mut campaign = Campaign::parse("probes.toml", CAMPAIGN).expect("the shipped file is valid");
    campaign.duration = Some(scenario.duration());
    let campaign = Arc::new(campaign);
    let internet = VirtualInternet::new(&scenario);
    let pair = internet.clock();
    let order = station_order(&campaign, pair.speed()).expect("there are no opt-outs");
    let (engine, codec, key_fingerprint) =
        prepare_virtual(order, campaign.seed, sources(&scenario), pair).expect("no target is refused");
    let circumstances = Circumstances {
        started_at: pair.wall(MonoTime::default()),
        key_fingerprint,
        rehearsal: true,
        scenario: Some("october-2017".to_owned()),
        speed: pair.speed(),
        origins: vec![ORIGINS.to_owned()],
        as_names: Vec::new(),
        sources: sources(&scenario),
    };
    let mut link =
        VirtualLink::new(Tap { internet, packets: Vec::new() }, codec.clone(), MonoTime::default());
    let dataset = create(&folder.path().join("demo"), &campaign, circumstances, &scenario);
    let rehearsal = Rehearsal { campaign: &campaign, engine, link: &mut link, pair, once: false };
    let (dataset, end) = rehearse(rehearsal, dataset, &mut |_| {}).expect("recorded");
    assert_eq!(end, RunEnd::Finished);
    let records = dataset.records().expect("readable").map(|record| record.expect("readable")).collect();
    let packets = link.underlay().packets.clone();
    Rehearsed { folder, records, packets, pair, codec }
}

fn create(path: &Path, campaign: &Campaign, circumstances: Circumstances, scenario: &Scenario) -> Dataset {
    let mut dataset = Dataset::create(path, &manifest(campaign, CAMPAIGN, circumstances)).expect("created");
    dataset.write_file(ORIGINS, &origins(scenario)).expect("written");
    dataset
}

/// The rehearsal that most tests look at: what they ask of it, none of them changes.
fn shared() -> &'static Rehearsed {
    static SHARED: OnceLock<Rehearsed> = OnceLock::new();
    SHARED.get_or_init(rehearsed)
}

fn exported(rehearsed: &Rehearsed) -> Vec<u8> {
    let mut csv = Vec::new();
    write_records(&mut csv, rehearsed.dataset().records().expect("readable")).expect("written");
    csv
}

#[test]
fn every_round_is_sealed_whole_and_the_ledger_agrees_with_the_rows() {
    let Rehearsed { records, packets, .. } = shared();
    let dataset = shared().dataset();
    let ledger = dataset.total_ledger().expect("a ledger");
    assert!(ledger.balances(), "{ledger}");
    let rows = |name: &str| records.iter().filter(|record| record.outcome.as_str() == name).count() as u64;
    assert_eq!(rows("answered"), ledger.answered);
    assert_eq!(rows("late"), ledger.late);
    assert_eq!(rows("silent"), ledger.silent);
    assert_eq!((rows("send_failed"), ledger.send_failed), (0, 0));
    assert_eq!((rows("blocked"), ledger.blocked), (0, 0), "the campaign is within its own budget");
    assert_eq!((ledger.in_flight, ledger.sent), (0, packets.len() as u64));
    assert!(dataset.open_rounds().expect("readable").is_empty());
    let distinct: BTreeSet<_> = records.iter().map(|record| record.probe).collect();
    assert_eq!(distinct.len(), records.len(), "no probe is recorded twice");
    for round in dataset.rounds().expect("readable") {
        assert!(round.ledger.balances());
        let of_round = records.iter().filter(|record| record.probe.round == round.header.id).count();
        assert_eq!(round.rows, of_round as u64);
        assert_eq!(round.ledger.sent, round.rows, "round {}", round.header.id);
    }
}

#[test]
fn the_same_seed_gives_the_same_packets_and_the_same_rows_byte_for_byte() {
    let (first, second) = (shared(), rehearsed());
    assert!(first.packets == second.packets, "the packets differ");
    assert!(exported(first) == exported(&second), "the rows differ");
}

#[test]
fn no_packet_goes_to_an_address_that_is_not_a_target() {
    let campaign = Campaign::parse("probes.toml", CAMPAIGN).expect("valid");
    let targets: BTreeSet<IpAddr> = campaign.targets().iter().map(|target| target.address).collect();
    for (_, packet) in &shared().packets {
        let (_, destination) = ends(packet);
        assert!(targets.contains(&destination), "{destination} is no target");
    }
}

/// Source and destination.
fn ends(packet: &[u8]) -> (IpAddr, IpAddr) {
    match PacketHeaders::from_ip_slice(packet).expect("an IP packet").net {
        Some(NetHeaders::Ipv4(header, _)) => (header.source.into(), header.destination.into()),
        Some(NetHeaders::Ipv6(header, _)) => (header.source.into(), header.destination.into()),
        _ => panic!("no IP packet"),
    }
}

/// What a load balancer may hash, and what belongs to a flow: RFC 792 and RFC 4443 checksums for ICMP, ports for
/// TCP and UDP.
fn hashed(packet: &[u8]) -> Vec<u8> {
    let headers = PacketHeaders::from_ip_slice(packet).expect("an IP packet");
    let (source, destination) = ends(packet);
    let mut fields = format!("{source} {destination} ").into_bytes();
    match headers.transport.expect("a transport header") {
        TransportHeader::Icmpv4(header) => fields.extend(&header.to_bytes()[..4]),
        TransportHeader::Icmpv6(header) => fields.extend(&header.to_bytes()[..4]),
        TransportHeader::Tcp(header) => fields.extend(&header.to_bytes()[..4]),
        TransportHeader::Igmp(_) => panic!("not a probe"),
        TransportHeader::Udp(header) => fields.extend(&header.to_bytes()[..4]),
    }
    if let Some(NetHeaders::Ipv6(header, _)) = headers.net {
        fields.extend(header.flow_label.value().to_be_bytes());
    }
    fields
}

/// What a pinned flow is pinned by.
type Flow = (IpAddr, Protocol, Option<Port>, FlowId);

#[test]
fn a_flow_looks_the_same_to_every_load_balancer_at_every_ttl_and_in_every_round() {
    let packets = by_key(shared());
    let mut flows: BTreeMap<Flow, BTreeMap<Vec<u8>, usize>> = BTreeMap::new();
    let mut rounds = BTreeSet::new();
    for record in shared().records.iter().filter(|record| record.method == Method::Trace) {
        let probe = record.probe;
        let (_, packet) = packets[&shared().codec.key_of(&probe)];
        let looks = flows.entry((probe.target, probe.protocol, probe.port, probe.flow)).or_default();
        *looks.entry(hashed(packet)).or_default() += 1;
        rounds.insert(probe.round);
    }
    assert!(rounds.len() > 5 && flows.len() > 50, "{} rounds, {} flows", rounds.len(), flows.len());
    for (flow, looks) in &flows {
        assert_eq!(looks.len(), 1, "{flow:?} has {} looks", looks.len());
    }
    let looks: BTreeSet<&Vec<u8>> = flows.values().flat_map(BTreeMap::keys).collect();
    assert_eq!(looks.len(), flows.len(), "two flows look alike");
}

/// The packets by the keys of their probes.
fn by_key(rehearsed: &Rehearsed) -> HashMap<tetherline::wire::MatchKey, (MonoTime, &Vec<u8>)> {
    let key = |packet: &[u8]| match rehearsed.codec.decode(packet) {
        Ok(tetherline::wire::Received::OwnProbe(key)) => key,
        other => panic!("not one of our probes: {other:?}"),
    };
    rehearsed.packets.iter().map(|(at, packet)| (key(packet), (*at, packet))).collect()
}

#[test]
fn whoever_is_said_to_have_answered_really_stood_there_at_that_time() {
    let truth = Truth::new(&Scenario::october_2017().expect("valid"));
    let rehearsed = shared();
    let packets = by_key(rehearsed);
    let (mut hops, mut arrivals) = (0, 0);
    for record in &rehearsed.records {
        let (Outcome::Answered { reply, .. } | Outcome::Late { reply, .. }) = &record.outcome else {
            continue;
        };
        let (at, packet) = packets[&rehearsed.codec.key_of(&record.probe)];
        let path = truth.path(packet, rehearsed.pair.wall(at)).expect("an IP packet");
        let last = path.hops.last().and_then(|hop| hop.answers_from);
        let hop = path.hops.get(usize::from(record.probe.ttl.get()) - 1).and_then(|hop| hop.answers_from);
        let from_target = reply.from == record.target();
        let is_true = match reply.kind {
            ReplyKind::TimeExceeded => {
                hops += 1;
                hop == Some(reply.from)
            }
            ReplyKind::Unreachable(Unreachable::Port) => path.end == TrueEnd::Arrived && from_target,
            ReplyKind::Unreachable(_) => path.end != TrueEnd::Arrived && last == Some(reply.from),
            _ => {
                arrivals += 1;
                path.end == TrueEnd::Arrived && from_target
            }
        };
        assert!(
            is_true,
            "{:?} was answered by {} ({:?}); the truth is {path:?}",
            record.probe, reply.from, reply.kind
        );
    }
    assert!(hops > 1_000 && arrivals > 200, "{hops} hops, {arrivals} arrivals");
}

fn findings() -> &'static Findings {
    static FINDINGS: OnceLock<Findings> = OnceLock::new();
    FINDINGS.get_or_init(|| report::findings(&shared().dataset(), &[]).expect("findings"))
}

fn unit(prefix: &str) -> &'static UnitFindings {
    findings().units.iter().find(|unit| unit.unit.to_string() == prefix).expect("a unit of the campaign")
}

fn asn(number: u32) -> Option<Asn> {
    Asn::try_from(number).ok()
}

fn upstreams(unit: &UnitFindings, epoch: usize) -> BTreeSet<u32> {
    unit.by_epoch[epoch].upstreams.iter().map(|share| share.upstream.get()).collect()
}

#[test]
fn the_report_says_what_the_scenario_did() {
    let [before, gained, lost] = [0, 1, 2];
    assert_eq!(findings().epochs.len(), 3);
    for prefix in ["175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24", "175.45.179.0/24"] {
        assert_eq!(upstreams(unit(prefix), before), [4837].into(), "{prefix} before");
        assert_eq!(unit(prefix).origin, asn(131_279));
    }
    for prefix in ["175.45.176.0/24", "175.45.178.0/24", "175.45.179.0/24"] {
        assert_eq!(upstreams(unit(prefix), gained), [4837, 20485].into(), "{prefix} after the gain");
        assert_eq!(upstreams(unit(prefix), lost), [20485].into(), "{prefix} after the loss");
    }
    let never_second = unit("175.45.177.0/24");
    assert_eq!(upstreams(never_second, gained), [4837].into());
    assert_eq!(upstreams(never_second, lost), [].into());
    let reach = |prefix, epoch: usize| unit(prefix).by_epoch[epoch].reach;
    assert_eq!(reach("175.45.177.0/24", gained), Reach::Reachable);
    assert_eq!(reach("175.45.177.0/24", lost), Reach::Unreachable);
    for prefix in ["175.45.176.0/24", "175.45.178.0/24", "210.52.109.0/24", "77.94.35.0/24"] {
        for epoch in [before, gained, lost] {
            assert_eq!(reach(prefix, epoch), Reach::Reachable, "{prefix} in epoch {epoch}");
        }
    }
    for epoch in [before, gained, lost] {
        assert_eq!(reach("175.45.179.0/24", epoch), Reach::NotObservable, "nobody ever answered there");
    }
}

#[test]
fn the_single_points_of_failure_are_the_upstreams_that_stand_alone() {
    let points = |epoch: usize| &unit("175.45.176.0/24").by_epoch[epoch].single_points;
    assert!(points(0).ends_with(&[asn(4837).expect("an AS")]), "{:?}", points(0));
    assert!(points(2).ends_with(&[asn(20485).expect("an AS")]), "{:?}", points(2));
    for number in [4837, 20485] {
        assert!(!points(1).contains(&asn(number).expect("an AS")), "{:?}", points(1));
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_tetherline");

/// A small campaign of echoes every five minutes and traces every hour, over the four networks and both
/// control networks.
const SMALL: &str = r#"
[campaign]
name = "small"
seed = 5
duration = "13h"

[vantage]
name = "de"

[[targets]]
prefix = "175.45.176.0/22"
per_unit = 1
hitlist = ["175.45.176.80", "175.45.178.161"]

[[targets]]
prefix = "77.94.35.0/24"
per_unit = 1
hitlist = ["77.94.35.10"]
control = true

[[probers]]
name = "echo"
kind = "echo"
every = "5m"

[[probers]]
name = "trace"
kind = "trace"
every = "60m"
flows = 4
"#;

/// `tetherline run probes.toml --rehearse SCENARIO --output DATA` in a folder.
fn rehearsing(folder: &Path, campaign: &str, scenario: &str, data: &str) -> Command {
    fs::write(folder.join("probes.toml"), campaign).expect("written");
    let mut command = Command::new(PROGRAM);
    command.args(["run", "probes.toml", "--rehearse", scenario, "--output", data]);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

fn rehearsed_into(folder: &Path, campaign: &str, scenario: &str, data: &str) -> Output {
    rehearsing(folder, campaign, scenario, data).output().expect("started")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every file of a folder with what is in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("inside").display().to_string();
                found.insert(name, fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

/// What differs between two folders.
fn differing(one: &Path, other: &Path) -> Vec<String> {
    let (one, other) = (files(one), files(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

#[test]
fn the_same_seeds_give_the_same_dataset_byte_for_byte_and_other_seeds_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    for data in ["one", "two"] {
        let output = rehearsed_into(path, SMALL, "october-2017-exact", data);
        assert!(output.status.success(), "{}", said(&output));
    }
    let whole = files(&path.join("one"));
    assert!(whole.len() > 150 && whole.contains_key("catalog.sqlite"), "{} files", whole.len());
    assert_eq!(differing(&path.join("one"), &path.join("two")), [""; 0]);

    let hour = SMALL.replace("13h", "1h");
    let dice = "extends = \"october-2017\"\nseed = 99\n";
    fs::write(path.join("dice.toml"), dice).expect("written");
    fs::write(path.join("same.toml"), dice.replace("seed", "#")).expect("written");
    let reseeded = hour.replace("seed = 5", "seed = 6");
    for (data, campaign, scenario) in
        [("hour", &hour, "same.toml"), ("dice", &hour, "dice.toml"), ("reseeded", &reseeded, "same.toml")]
    {
        let output = rehearsed_into(path, campaign, scenario, data);
        assert!(output.status.success(), "{}", said(&output));
    }
    let parquet = |name: &String| name.ends_with(".parquet");
    for other in ["dice", "reseeded"] {
        let differ = differing(&path.join("hour"), &path.join(other));
        assert!(differ.iter().filter(|name| parquet(name)).count() > 5, "{other}: {differ:?}");
    }
}

#[test]
fn a_rehearsal_says_that_it_is_one_and_mixes_with_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, data) = (folder.path(), folder.path().join("data"));
    let hour = SMALL.replace("13h", "1h");
    let output = rehearsed_into(path, &hour, "december-2014", "data");
    assert!(output.status.success() && said(&output).contains("sent "), "{}", said(&output));
    let dataset = Dataset::open_read_only(&data).expect("opened");
    let manifest = dataset.manifest();
    assert!(manifest.rehearsal);
    assert_eq!(manifest.scenario.as_deref(), Some("december-2014"));
    assert_eq!(manifest.started_at.to_string(), "2014-12-20T00:00:00Z");
    assert!((manifest.speed - 1.0).abs() < f64::EPSILON, "nothing is squeezed");
    let report = report::findings(&dataset, &[]).expect("findings");
    assert!(report.rehearsal && report.units.iter().any(|unit| unit.origin == asn(131_279)));

    let before = files(&data);
    let again = rehearsed_into(path, &hour, "december-2014", "data");
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("holds a campaign already"), "{}", said(&again));
    assert_eq!(files(&data), before);
    let homeless = Command::new(PROGRAM)
        .args(["run", "probes.toml", "--rehearse", "december-2014"])
        .current_dir(path)
        .output()
        .expect("started");
    assert_eq!(homeless.status.code(), Some(2));
    let unknown = rehearsed_into(path, &hour, "december-2015", "other");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(!path.join("other").exists());
}

#[test]
fn a_rehearsal_once_runs_each_prober_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = rehearsing(folder.path(), SMALL, "october-2017", "data");
    assert!(command.arg("--once").output().expect("started").status.success());
    let rounds = Dataset::open_read_only(&folder.path().join("data")).expect("opened").rounds();
    let rounds = rounds.expect("readable").into_iter();
    let probers: Vec<String> = rounds.map(|round| round.header.prober.to_string()).collect();
    assert_eq!(probers, ["echo", "trace"]);
}

#[test]
fn an_interrupted_rehearsal_stops_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    for (signal, code, data) in [(Signal::SIGINT, 130, "one"), (Signal::SIGTERM, 143, "two")] {
        let endless = SMALL.replace("13h", "3650days");
        let mut command = rehearsing(folder.path(), &endless, "october-2017", data);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("started");
        let mut talk = BufReader::new(child.stderr.take().expect("piped")).lines();
        let first = talk.next().expect("a line").expect("text");
        assert!(first.starts_with("rehearsing over october-2017 in virtual time"), "{first}");
        kill(Pid::from_raw(i32::try_from(child.id()).expect("small")), signal).expect("sent");
        assert_eq!(child.wait().expect("ended").code(), Some(code));
        let last = talk.last().expect("a line").expect("text");
        assert!(last.contains("stopped; what was recorded is safe"), "{last}");
        let dataset = Dataset::open_read_only(&folder.path().join(data)).expect("opened");
        assert!(dataset.total_ledger().expect("a ledger").balances());
    }
}
