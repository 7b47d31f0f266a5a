//! The simulator and Linux, asked the same about the same scenario, before and after each of its events.
//!
//! Linux hashes no field of an ICMP message, so echoes over IPv4 take one of the simulator's ways.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use tetherline::lab::{Flows, Scenario, Truth};
use tetherline::model::{Protocol, WallTime};

use super::campaign::CAMPAIGN;
use super::lab::{DIAMOND, Row, ask_all_in, rows};

/// Enough to meet two ways: that all take the same one has a chance of one in eight million.
const FLOWS: u16 = 24;

/// Targets that are traced together where the kernel answers. The simulator is a process beside them.
pub(super) const AT_A_TIME: usize = 4;

/// What is asked about: a target, by each protocol, TCP to this port.
pub(super) type Target = (&'static str, u16);

/// The addresses that are met at a TTL over all flows; `None` for silence.
type Hop = BTreeSet<Option<IpAddr>>;

/// A scenario at the moment of one of its events, or before them all, long enough after it that routes have
/// converged.
pub(super) struct Moment {
    pub(super) at: &'static str,
    pub(super) targets: &'static [Target],
}

pub(super) fn at(time: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-01T{time}Z")).expect("a time")
}

/// All targets by all protocols, as CSV; so many targets at a time that answers come in time on a slow machine, too.
pub(super) fn traces(targets: &[Target], flows: u16, at_a_time: usize) -> String {
    let trace = |(target, port): &Target| {
        ["icmp", "udp", "tcp"].map(|protocol| {
            let port = if protocol == "tcp" { format!("--port {port}") } else { String::new() };
            format!(
                "\"$T\" trace {target} --campaign \"$DIR/campaign.toml\" --protocol {protocol} {port} \
                 --flows {flows} --rate 400 --wait 1s --gap-limit 4 --format csv >\"$DIR/{protocol}-{target}.csv\" &\n"
            )
        })
    };
    let together = |targets: &[Target]| {
        let all: String = targets.iter().flat_map(trace).collect();
        format!("{all} wait\n")
    };
    let all: String = targets.chunks(at_a_time).map(together).collect();
    format!("{all} cat \"$DIR\"/*.csv\n rm \"$DIR\"/*.csv\n")
}

/// The probes of each flow, up to the first that ended its path.
fn up_to_the_end<'a>(rows: &'a [Row], target: IpAddr, protocol: &str) -> Vec<&'a Row> {
    let ends = |row: &Row| row.from == Some(target) || row.reply.starts_with("unreachable");
    let mine = rows.iter().filter(|row| row.target == target && row.protocol == protocol);
    let mut last: BTreeMap<u16, u8> = BTreeMap::new();
    for row in mine.clone().filter(|row| ends(row)) {
        let ttl = row.ttl.expect("a TTL");
        last.entry(row.flow).and_modify(|known| *known = ttl.min(*known)).or_insert(ttl);
    }
    mine.filter(|row| last.get(&row.flow).is_none_or(|last| row.ttl <= Some(*last))).collect()
}

/// What was met at each TTL, up to the last one at which anybody was.
fn met(rows: &[Row], target: IpAddr, protocol: &str) -> Vec<Hop> {
    let mut answers: BTreeMap<(u8, u16), Option<IpAddr>> = BTreeMap::new();
    for row in up_to_the_end(rows, target, protocol) {
        let answer = answers.entry((row.ttl.expect("a TTL"), row.flow)).or_default();
        *answer = row.from.or(*answer);
    }
    let mut hops: Vec<Hop> = Vec::new();
    for ((ttl, _), from) in answers {
        hops.resize(hops.len().max(usize::from(ttl)), Hop::new());
        hops[usize::from(ttl) - 1].insert(from);
    }
    without_silent_end(hops)
}

fn true_hops(truth: &Truth, target: IpAddr, protocol: Protocol, at: WallTime) -> Vec<Hop> {
    let ways = truth.ways(&Flows::to(target, protocol), at);
    without_silent_end(ways.hops.iter().map(|hop| hop.keys().copied().collect()).collect())
}

fn without_silent_end(mut hops: Vec<Hop>) -> Vec<Hop> {
    while hops.last().is_some_and(|hop| hop.iter().all(Option::is_none)) {
        hops.pop();
    }
    hops
}

/// Whether each router hashes in a way of its own. Otherwise, not all of a second one's ways may be met.
fn hashes_apart() -> bool {
    Path::new("/proc/sys/net/ipv4/fib_multipath_hash_seed").exists()
}

fn agree(linux: &[Hop], simulator: &[Hop], one_way: bool) -> bool {
    let within = linux.iter().zip(simulator).all(|(linux, simulator)| linux.is_subset(simulator));
    if one_way {
        // The simulator's other ways may be longer.
        return within && linux.len() <= simulator.len() && linux.iter().all(|hop| hop.len() == 1);
    }
    if hashes_apart() { linux == simulator } else { within && linux.len() == simulator.len() }
}

pub(super) fn check(rows: &[Row], truth: &Truth, moment: &Moment) {
    for (target, _) in moment.targets {
        let target: IpAddr = target.parse().expect("an address");
        for (protocol, name) in [(Protocol::Icmp, "icmp"), (Protocol::Udp, "udp"), (Protocol::Tcp, "tcp")] {
            let (linux, simulator) =
                (met(rows, target, name), true_hops(truth, target, protocol, at(moment.at)));
            let one_way = protocol == Protocol::Icmp && target.is_ipv4();
            assert!(
                agree(&linux, &simulator, one_way),
                "{name} to {target} at {}:\nlinux     {linux:?}\nsimulator {simulator:?}",
                moment.at
            );
        }
    }
}

/// Takes Linux through a scenario, event by event, and compares what is met with the truth.
fn compare(scenario: &str, folder: &Path, moments: &[Moment]) {
    fs::write(folder.join("campaign.toml"), CAMPAIGN).expect("written");
    let script = |(events, moment): (usize, &Moment)| {
        let then = if events > 0 { "lab event\nlab settle\n" } else { "" };
        format!("{then}{}", traces(moment.targets, FLOWS, AT_A_TIME))
    };
    let scripts: Vec<String> = moments.iter().enumerate().map(script).collect();
    let truth = Truth::new(&Scenario::load(Path::new(scenario)).expect("a scenario"));
    for (moment, said) in moments.iter().zip(ask_all_in(scenario, folder, &scripts)) {
        check(&rows(&said), &truth, moment);
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn both_branches_of_a_diamond_are_met_and_after_the_loss_of_one_the_other() {
    let targets = &[("10.66.9.10", 80), ("fd66:9::10", 81)];
    let moments = [Moment { at: "07:30:00", targets }, Moment { at: "08:15:00", targets }];
    compare(DIAMOND, tempfile::tempdir().expect("a folder").path(), &moments);
}

const HABITS: &str = "tests/kernel_lab/habits.toml";
/// Hosts that answer this and that, an address that nobody has in a network, one that nobody has in none (IPv6
/// only, since Linux says "no route" over IPv4 but once a second), and addresses of routers.
const ANYBODY: [Target; 11] = [
    ("10.3.8.10", 80),
    ("10.3.9.10", 80),
    ("10.3.9.11", 80),
    ("10.3.9.77", 80),
    ("10.3.0.6", 80),
    ("10.2.4.2", 80),
    ("fd03:8::10", 81),
    ("fd03:9::10", 80),
    ("fd03:9::77", 80),
    ("fd03:7::1", 80),
    ("fd02:0:4::2", 80),
];

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn every_habit_that_linux_has_too_shows_the_same_hops_through_all_events() {
    let two = &[("10.3.8.10", 80), ("fd03:8::10", 80)];
    let moments = [
        Moment { at: "07:30:00", targets: &ANYBODY },
        Moment { at: "08:15:00", targets: two },
        Moment { at: "08:45:00", targets: two },
        Moment { at: "09:15:00", targets: two },
        Moment { at: "09:45:00", targets: two },
        Moment { at: "10:15:00", targets: &[("fd03:9::10", 80)] },
        Moment { at: "10:45:00", targets: &[("fd03:8::10", 80)] },
    ];
    compare(HABITS, tempfile::tempdir().expect("a folder").path(), &moments);
}

/// What was said at a TTL about a target, by a protocol.
type Said = BTreeSet<(IpAddr, String, u8, Option<IpAddr>, String, String)>;

fn said(rows: &[Row]) -> Said {
    let mut all = Said::new();
    let questions: BTreeSet<_> = rows.iter().map(|row| (row.target, row.protocol.clone())).collect();
    for (target, protocol) in questions {
        for row in up_to_the_end(rows, target, &protocol) {
            let (outcome, reply) = (row.outcome.clone(), row.reply.clone());
            all.insert((target, protocol.clone(), row.ttl.expect("a TTL"), row.from, outcome, reply));
        }
    }
    all
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn the_simulator_behind_real_sockets_says_word_for_word_what_linux_says() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("campaign.toml"), CAMPAIGN).expect("written");
    let linux = ask_all_in(HABITS, folder.path(), &[traces(&ANYBODY, FLOWS, AT_A_TIME)]);
    let simulator = Command::new(env!("CARGO_BIN_EXE_tetherline"))
        .args(["lab", HABITS, "--", "sh", "-euc", &traces(&ANYBODY, FLOWS, 2)])
        .env("T", env!("CARGO_BIN_EXE_tetherline"))
        .env("DIR", folder.path())
        .output()
        .expect("the lab starts");
    assert!(simulator.status.success(), "{}", String::from_utf8_lossy(&simulator.stderr));
    let linux = said(&rows(&linux[0]));
    let simulator = said(&rows(&String::from_utf8(simulator.stdout).expect("text")));
    let differs: Vec<_> = linux.symmetric_difference(&simulator).collect();
    let missed = |word: &&&(IpAddr, String, u8, Option<IpAddr>, String, String)| {
        // The other way of the first router, which echoes over IPv4 do not take.
        let other_way = word.0.is_ipv4() && word.1 == "icmp" && word.4 == "answered" && word.2 <= 4;
        !(other_way && simulator.contains(**word))
    };
    let differs: Vec<_> = differs.iter().filter(missed).collect();
    assert!(differs.is_empty(), "{differs:#?}");
}
