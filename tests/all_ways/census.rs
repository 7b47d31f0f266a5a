//! Censuses in virtual time, against the truth of the simulated Internet: what they find, what they cost, and that
//! they never make anything up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use tetherline::analyse::voices::Voices;
use tetherline::analyse::ways::UnitWays;
use tetherline::dataset::Ledger;
use tetherline::lab::{Flows, Scenario, Truth};
use tetherline::limits::Verdict;
use tetherline::measure::campaign::{Campaign, Engine, EngineParts, Report, RoundOrder, Step, SweptSoFar};
use tetherline::measure::guard::{AllowedTargets, Guard, GuardRules, Territory};
use tetherline::measure::probe::{CensusOrder, CensusProber, CensusProgress, Targets, Way};
use tetherline::measure::schedule::{Pacer, PacerRates};
use tetherline::model::{
    Asked, ClockPair, Method, MonoTime, Pps, Prefix, Protocol, RoundId, Ttl, Unit, WallTime,
};
use tetherline::multipath::StoppingRule;
use tetherline::wire::{Codec, Sources, TagKey};

use crate::stage::{Link, Round, measure_by, seeds};

const SMALL: &str = include_str!("../scenarios/census.toml");

/// A campaign of one prober; `{}` stands for its table.
const CAMPAIGN: &str = r#"
[campaign]
name = "census"
[vantage]
name = "here"
[rates]
total = 10000
per_unit = 100
per_responder = 100
[[targets]]
prefix = "175.45.176.0/22"
select = "all"
[[targets]]
prefix = "2001:df1:4b00::/48"
hitlist = ["2001:df1:4b00::10"]
per_unit = 40
[[probers]]
name = "p"
every = "1h"
"#;

fn measure(scenario: &Scenario, prober: &str) -> Round {
    measure_by(scenario, &format!("{CAMPAIGN}{prober}"))
}

/// All links on the ways to any target, and those of them that lie between routers.
fn truth(
    scenario: &Scenario,
    protocol: Protocol,
    at: (WallTime, WallTime),
) -> (BTreeSet<Link>, BTreeSet<Link>) {
    let campaign = Campaign::parse("probes.toml", &format!("{CAMPAIGN}kind = \"census\"")).expect("valid");
    let truth = Truth::new(scenario);
    let (mut all, mut targets) = (BTreeSet::new(), BTreeSet::new());
    for target in campaign.targets() {
        all.extend(truth.ways_during(&Flows::to(target.address, protocol), at).visible_links());
        targets.insert(target.address);
    }
    let routers = all.iter().copied().filter(|(from, to)| !targets.contains(from) && !targets.contains(to));
    let routers = routers.collect();
    (all, routers)
}

fn small(change: impl Fn(&str) -> String) -> Scenario {
    Scenario::parse("census.toml", &change(SMALL)).expect("valid")
}

#[test]
fn a_census_finds_all_that_lies_on_the_way_to_every_address_in_any_protocol() {
    let scenario = small(str::to_owned);
    for (prober, protocol) in [
        ("kind = \"census\"", Protocol::Icmp),
        ("kind = \"census\"\nprotocol = \"udp\"", Protocol::Udp),
        ("kind = \"census\"\nprotocol = \"tcp\"\nport = 80", Protocol::Tcp),
    ] {
        let round = measure(&scenario, prober);
        let (all, _) = truth(&scenario, protocol, round.at);
        let found = round.links();
        assert_eq!(&found - &all, BTreeSet::new(), "made up, by {protocol:?}");
        assert_eq!(&all - &found, BTreeSet::new(), "missed, by {protocol:?}");
        let v6 = found.iter().filter(|(from, _)| from.is_ipv6()).count();
        assert!(v6 > 10, "{v6} links over IPv6");
        for unit in round.units() {
            assert!(unit.chance_missed <= 0.05, "{}: {}", unit.key.unit, unit.chance_missed);
            assert!(unit.left_open.is_empty());
        }
    }
}

/// Every link loses so many of the packets, and duplicates, delays and reorders some.
fn with_hazards(text: &str, loss: f64) -> String {
    let hazards = format!(
        "delay = \"1ms\"\njitter = \"2ms\"\nloss = {loss}\nduplicate = 0.01\n\
         reorder = {{ probability = 0.01, by = \"20ms\" }}"
    );
    text.replace("delay = \"1ms\"", &hazards)
}

#[test]
fn with_loss_reordering_and_duplicates_nothing_is_made_up_and_hardly_anything_missed() {
    const SEEDS: u64 = 20;
    let prober = "kind = \"census\"\nevery_address = false";
    let mut whole = 0;
    for seed in 0..SEEDS {
        let scenario = small(|text| with_hazards(text, 0.0005)).with_seed(seed);
        let round = measure(&scenario, prober);
        let (all, routers) = truth(&scenario, Protocol::Icmp, round.at);
        let found = round.links();
        assert_eq!(&found - &all, BTreeSet::new(), "made up, seed {seed}");
        whole += u64::from(found.is_superset(&routers));
    }
    assert!(whole * 100 >= SEEDS * 95, "{whole} of {SEEDS} whole");
}

#[test]
fn behind_a_balancer_that_goes_packet_by_packet_and_links_that_lose_no_link_is_made_up() {
    let name = "name = \"fork\"";
    for seed in 0..10 {
        let per_packet = |text: &str| {
            with_hazards(text, 0.01).replace(name, &format!("{name}\nbalance = \"per-packet\""))
        };
        let scenario = small(per_packet).with_seed(seed);
        let round = measure(&scenario, "kind = \"census\"\nevery_address = false");
        let (all, _) = truth(&scenario, Protocol::Icmp, round.at);
        assert_eq!(&round.links() - &all, BTreeSet::new(), "made up, seed {seed}");
        let told = |unit: &UnitWays| unit.hops.iter().any(|hop| hop.per_packet);
        assert!(round.units().iter().all(told), "not recognised in some unit, seed {seed}");
    }
}

/// Also in memory, in the prober's own tests; this one gives the figures of docs/measurements.md.
#[test]
#[ignore = "takes minutes"]
fn a_census_costs_less_than_a_tenth_of_a_search_for_each_address() {
    let v4 = CAMPAIGN.split("[[targets]]\nprefix = \"2001").next().expect("the head");
    let file = |prober: &str| format!("{v4}[[probers]]\nname = \"p\"\nevery = \"1h\"\n{prober}");
    let scenario = small(str::to_owned);
    let each = measure_by(&scenario, &file("kind = \"multipath\"\nalgorithm = \"mda\"")).ledger().sent;
    let together = measure_by(&scenario, &file("kind = \"census\"\nevery_address = false")).ledger().sent;
    let addresses = measure_by(&scenario, &file("kind = \"census\"")).ledger().sent;
    eprintln!("MDA for each address {each}, census {together}, with every address {addresses}");
    assert!(together * 10 <= each, "{together} and {each}");
}

#[test]
fn links_and_hops_are_written_as_they_were_found() {
    let round = measure(&small(str::to_owned), "kind = \"census\"\nevery_address = false");
    let ways = tetherline::report::all_ways(&round.dataset, &[]).expect("readable");
    let (mut links, mut hops, mut limits) = (Vec::new(), Vec::new(), Vec::new());
    ways.write_links(&mut links).expect("written");
    ways.write_hops(&mut hops).expect("written");
    ways.write_limits(&mut limits).expect("written");
    let rows = |csv: &[u8]| csv.split(|byte| *byte == b'\n').count() - 2;
    let units = round.units();
    assert_eq!(rows(&links), units.iter().map(|unit| unit.links.len()).sum::<usize>());
    assert_eq!(rows(&hops), units.iter().map(|unit| unit.hops.len()).sum::<usize>());
    let limits = String::from_utf8(limits).expect("UTF-8");
    assert!(!limits.contains(",limited,"), "nobody limits anything here: {limits}");
    let text = String::from_utf8(links).expect("UTF-8");
    assert!(text.contains(",census,icmp,175.45.176.0/24,,2,4.69.0.1,AS3356,4.69.1.1,AS3356,"), "{text}");
}

/// What the tests of routers say, by router.
fn verdicts(round: &Round) -> BTreeMap<IpAddr, Verdict> {
    let mut voices = Voices::default();
    for record in round.dataset.records().expect("readable") {
        voices.add(&record.expect("readable"));
    }
    voices.finish().into_iter().filter_map(|voice| Some((voice.router?, voice.verdict))).collect()
}

const V4_ONLY: &str = r#"
[campaign]
name = "limits"
[vantage]
name = "here"
[rates]
total = 1000
per_unit = 100
per_responder = 100
[[targets]]
prefix = "175.45.176.0/22"
per_unit = 12
[[probers]]
name = "p"
every = "1h"
"#;

const PROBERS: [&str; 3] =
    ["kind = \"census\"", "kind = \"multipath\"", "kind = \"trace\"\nlimit_tests = 8\nmax_ttl = 12"];

#[test]
fn a_router_that_limits_its_answers_is_recognised_by_every_prober_that_asks_routers() {
    let middle: IpAddr = "4.69.2.1".parse().expect("an address");
    let (mut tried, mut recognised) = (0, 0);
    for prober in PROBERS {
        for (seed, (rate, burst)) in (0..seeds(4)).flat_map(|seed| [(seed, (10, 3)), (seed, (25, 5))]) {
            let limited = |text: &str| {
                let name = "name = \"middle\"";
                let rate = format!("icmp_rate = {{ per_second = {rate}, burst = {burst} }}");
                text.replace(name, &format!("{name}\n{rate}"))
                    .replace("delay = \"1ms\"", "delay = \"1ms\"\nloss = 0.001")
            };
            let round = measure_by(&small(limited).with_seed(seed), &format!("{V4_ONLY}{prober}"));
            assert!(round.ledger().balances());
            let verdicts = verdicts(&round);
            tried += 1;
            recognised += u32::from(verdicts.get(&middle) == Some(&Verdict::Limited));
            let others = verdicts.iter().filter(|(router, _)| **router != middle);
            let wrong: Vec<_> = others.filter(|(_, verdict)| **verdict == Verdict::Limited).collect();
            assert!(wrong.is_empty(), "{prober}, seed {seed}: {wrong:?}");
        }
    }
    eprintln!("{recognised} of {tried} recognised");
    assert!(recognised * 100 >= tried * 95, "{recognised} of {tried}");
}

#[test]
fn one_percent_of_loss_is_not_called_a_limit() {
    let lossy = |text: &str| {
        text.replace(
            "between = [\"edge\", \"fork\"]\ndelay = \"1ms\"",
            "between = [\"edge\", \"fork\"]\ndelay = \"1ms\"\nloss = 0.01",
        )
    };
    for prober in PROBERS {
        for seed in 0..seeds(4) {
            let round = measure_by(&small(lossy).with_seed(seed), &format!("{V4_ONLY}{prober}"));
            let wrong: Vec<_> =
                verdicts(&round).into_iter().filter(|(_, verdict)| *verdict == Verdict::Limited).collect();
            assert!(wrong.is_empty(), "{prober}, seed {seed}: {wrong:?}");
        }
    }
}

/// The most memory that this process ever held, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// Every address of a /12 at every one of 32 TTLs, all on their way at the same time into a network that swallows them.
#[test]
#[ignore = "takes minutes"]
fn a_million_targets_at_32_ttls_on_their_way_take_less_than_200_mb() {
    let before = peak_memory();
    let unit = |third: u32| Prefix::covering(Ipv4Addr::from_bits((45 << 24) | (third << 8)).into(), 24);
    let units: Vec<Unit> = (0..4096).filter_map(unit).map(Unit).collect();
    let of_unit = |unit: &Unit| {
        let (unit, IpAddr::V4(first)) = (*unit, unit.0.network()) else { panic!("IPv4") };
        (0..256).map(move |last| (IpAddr::V4(Ipv4Addr::from_bits(first.to_bits() | last)), (unit, false)))
    };
    let targets: Arc<Targets> = Arc::new(units.iter().flat_map(of_unit).collect());
    assert_eq!(targets.addresses().len(), 1 << 20);
    let (first_ttl, max_ttl) = (Ttl::FIRST, Ttl::new(32).expect("a TTL"));
    let way = Way { protocol: Protocol::Icmp, port: None, first_ttl, max_ttl, gap_limit: 5, attempts: 1 };
    let blocks = units.iter().flat_map(|unit| {
        (1..=32).filter_map(Ttl::new).map(|ttl| {
            let asked =
                Asked { unit: *unit, ttl, first_flow: 0, flows: 256, first_attempt: 0, attempts: 1 };
            (0, asked)
        })
    });
    let progress = CensusProgress { asked: blocks.collect(), decided: 0 };
    let order = CensusOrder {
        round: RoundId(1),
        targets: Arc::clone(&targets),
        way,
        stopping: StoppingRule::per_hop(0.95).expect("a confidence"),
        balancers: None,
        narrowest: None,
        every_address: false,
        budget: u32::MAX,
        flow_seed: 1,
        seed: 1,
    };
    let prober = Box::new(CensusProber::resumed(order, &progress));
    drop(progress);
    let rate = Pps::new(1_000_000.0).expect("a rate");
    let allowed = AllowedTargets { prefix: "45.0.0.0/12".parse().expect("a prefix"), unit_length: 24 };
    let rules = GuardRules { territory: Territory::Lab, targets: vec![allowed], ..GuardRules::closed() };
    let sources = Sources { v4: Some(Ipv4Addr::new(188, 1, 144, 10)), v6: None };
    let key = TagKey::from_bytes([7; 16]);
    let mut engine = Engine::new(EngineParts {
        vantage: "here".parse().expect("a name"),
        codec: Arc::new(Codec::new(key, sources, None).expect("a codec")),
        clock: ClockPair::new(MonoTime::default(), WallTime::from_nanos(0)),
        guard: Guard::new(rules),
        pacer: Pacer::new(PacerRates { total: rate, burst: 1000, per_unit: rate, per_responder: rate }),
    });
    engine.start(RoundOrder {
        id: RoundId(1),
        prober_name: "census".parse().expect("a name"),
        method: Method::Census,
        prober,
        timeout: std::time::Duration::from_secs(60),
        targets,
        ledger: Ledger::default(),
        swept: SweptSoFar::default(),
    });
    let (mut now, mut sent) = (MonoTime::default(), 0_u64);
    while sent < 32 << 20 {
        match engine.poll(now) {
            Step::Send(permit) => {
                engine.sent(permit.probe(), Ok(now), now);
                sent += 1;
            }
            Step::Wait(until) => now = until,
            Step::Idle => panic!("the round is over"),
        }
        assert!(!engine.take_reports().iter().any(|report| matches!(report, Report::Swept { .. })));
    }
    let peak = peak_memory();
    eprintln!("{sent} probes on their way: {peak} KiB at the most, {before} KiB before");
    assert!(peak < 200_000, "{peak} KiB");
}
