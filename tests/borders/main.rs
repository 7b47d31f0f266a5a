//! Whose router is it? Judged by the simulated Internet, which knows: on generated Internets of a thousand ASes with
//! links numbered by providers, answers with addresses of third parties, exchange points and silent routers.

mod aliases;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use etherparse::PacketBuilder;
use tetherline::analyse::aliases::{Aliases, Fingerprints};
use tetherline::analyse::borders::{Relations, router_ases};
use tetherline::analyse::origin::{ExchangePoint, ExchangePoints, OriginTable};
use tetherline::analyse::path::{Hop, HopAnswer, RouterAses, Trace, TraceEnd, TraceKey};
use tetherline::lab::{Recipe, Scenario, TrueEnd, TruePath, Truth, generate, write_origins};
use tetherline::model::{
    AsRelation, Asn, FlowId, Prefix, Protocol, ReplyKind, RoundId, Rtt, RttSource, Ttl, Unit, Untrusted,
};

/// A generated Internet, with what the world would know of it.
struct World {
    scenario: Scenario,
    origins: OriginTable,
    relations: Relations,
    /// One host of every AS that has any.
    hosts: Vec<IpAddr>,
    /// Of every address of a link, the AS of the router at the other end.
    other_ends: BTreeMap<IpAddr, Asn>,
}

fn asn(value: &toml::Value) -> Asn {
    u32::try_from(value.as_integer().unwrap()).ok().and_then(|number| Asn::try_from(number).ok()).unwrap()
}

fn list<'a>(table: &'a toml::Value, key: &str) -> impl Iterator<Item = &'a toml::Value> {
    table.get(key).and_then(toml::Value::as_array).into_iter().flatten()
}

impl World {
    fn new(seed: u64, ases: usize) -> Self {
        let recipe = Recipe { relations: None, ases: Some(ases), seed, vantage: None, target: None };
        let text = generate(&recipe).unwrap();
        let file: toml::Value = toml::from_str(&text).unwrap();
        let scenario = Scenario::parse("generated.toml", &text).unwrap();
        let origins = origins(&scenario).with_exchange_points(exchange_points(&file));
        let hosts = hosts(&file, &origins);
        let other_ends = other_ends(&file);
        Self { scenario, origins, relations: Relations::new(&relations(&file)), hosts, other_ends }
    }
}

fn origins(scenario: &Scenario) -> OriginTable {
    let mut table = Vec::new();
    write_origins(scenario, &mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    OriginTable::from_entries(table.lines().map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let prefix: Prefix = format!("{}/{}", fields[0], fields[1]).parse().unwrap();
        (prefix, vec![fields[2].parse().unwrap()])
    }))
}

fn relations(file: &toml::Value) -> Vec<AsRelation> {
    let of = |table: &toml::Value| {
        let own = asn(&table["number"]);
        let providers: Vec<_> = list(table, "providers")
            .map(|p| AsRelation::Transit { provider: asn(p), customer: own })
            .collect();
        let peers: Vec<_> = list(table, "peers").map(|peer| AsRelation::Peering(own, asn(peer))).collect();
        [providers, peers].concat()
    };
    list(file, "as").flat_map(of).collect()
}

/// As `PeeringDB` would have them: LANs and members, but of no member which address it has.
fn exchange_points(file: &toml::Value) -> ExchangePoints {
    let mut points: BTreeMap<Prefix, ExchangePoint> = BTreeMap::new();
    let is_lan = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets()[0] == 193,
        IpAddr::V6(address) => address.segments()[..2] == [0x2001, 0x7f8],
    };
    for router in list(file, "router") {
        let addresses = list(router, "addresses").filter_map(|text| text.as_str()?.parse::<IpAddr>().ok());
        for address in addresses.filter(is_lan) {
            let lan = Prefix::covering(address, if address.is_ipv4() { 18 } else { 64 }).unwrap();
            let point = points.entry(lan).or_default();
            point.name = Untrusted::new("exchange point");
            point.lans.insert(lan);
            point.members.insert(asn(&router["as"]));
        }
    }
    ExchangePoints::new(points.into_values().collect())
}

fn hosts(file: &toml::Value, origins: &OriginTable) -> Vec<IpAddr> {
    let mut by_as: BTreeMap<Asn, IpAddr> = BTreeMap::new();
    for host in list(file, "host") {
        for address in list(host, "addresses").filter_map(|text| text.as_str()?.parse::<IpAddr>().ok()) {
            if let Some(asn) = origins.lookup(address).asn().filter(|_| address.is_ipv4()) {
                by_as.entry(asn).or_insert(address);
            }
        }
    }
    by_as.into_values().collect()
}

fn other_ends(file: &toml::Value) -> BTreeMap<IpAddr, Asn> {
    let routers: BTreeMap<&str, Asn> = list(file, "router")
        .filter_map(|router| Some((router["name"].as_str()?, asn(&router["as"]))))
        .collect();
    let mut ends = BTreeMap::new();
    for link in list(file, "link") {
        let Some([one, other]) = link["between"].as_array().map(Vec::as_slice) else { continue };
        let of = |name: &toml::Value| name.as_str().and_then(|name| routers.get(name)).copied();
        for (addresses, across) in list(link, "addresses").zip([of(other), of(one)]) {
            let texts = addresses.as_array().into_iter().flatten().filter_map(toml::Value::as_str);
            ends.extend(texts.filter_map(|text| Some((text.parse().ok()?, across?))));
        }
    }
    ends
}

fn echo(from: IpAddr, to: IpAddr) -> Vec<u8> {
    let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) else { panic!("IPv4 only") };
    let builder = PacketBuilder::ipv4(from.octets(), to.octets(), 64).icmpv4_echo_request(7, 7);
    let mut packet = Vec::new();
    builder.write(&mut packet, &[0; 8]).unwrap();
    packet
}

/// What a traceroute sees of a way that packets take.
fn trace(path: &TruePath, target: IpAddr, round: u64) -> Trace {
    let visible: Vec<_> = path.hops.iter().filter(|hop| hop.counts_ttl).collect();
    let mut hops: Vec<Hop> = (1_u8..)
        .zip(&visible)
        .map(|(ttl, hop)| hop_of(ttl, hop.answers_from, ReplyKind::TimeExceeded))
        .collect();
    // Three of four targets answer.
    let answers = path.end == TrueEnd::Arrived && !target.to_string().ends_with('0');
    let ttl = u8::try_from(hops.len() + 1).unwrap();
    hops.push(hop_of(ttl, answers.then_some(target), ReplyKind::EchoReply));
    let ttl = Ttl::new(ttl).unwrap();
    let end = if answers { TraceEnd::Reached { ttl } } else { TraceEnd::Gap { hops: 1 } };
    let key = TraceKey {
        vantage: format!("vantage-{round}").parse().unwrap(),
        round: RoundId(round),
        target,
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(0),
    };
    let unit = Unit(Prefix::covering(target, 24).unwrap());
    let hops = std::sync::Arc::new(hops);
    Trace { key, unit, control: false, sent: None, heard: None, hops, end, rtt: None, looped: false }
}

fn hop_of(ttl: u8, from: Option<IpAddr>, kind: ReplyKind) -> Hop {
    let rtt = Rtt { span: Duration::from_millis(u64::from(ttl)), source: RttSource::Kernel };
    let answer = |from| HopAnswer {
        attempt: 0,
        from,
        kind,
        rtt,
        late: false,
        reply_ttl: None,
        quoted_ttl: Some(1),
        mpls: Vec::new(),
    };
    let answers: Vec<HopAnswer> = from.into_iter().map(answer).collect();
    let silent = u32::from(answers.is_empty());
    Hop { ttl: Ttl::new(ttl).unwrap(), answers, sent: 1, silent, not_sent: 0, hidden: false }
}

/// The routers that were seen: whose they are, and whether a neighbour on any trace is another AS's.
#[derive(Default)]
struct Seen {
    traces: Vec<Trace>,
    routers: BTreeMap<IpAddr, (Asn, bool)>,
    /// Of each address, what its router is called.
    names: BTreeMap<IpAddr, String>,
    /// Of each trace, the addresses and their routers.
    paths: Vec<Vec<(IpAddr, String)>>,
}

impl Seen {
    /// From so many vantages towards one host of every AS.
    fn new(world: &World, vantages: usize) -> Self {
        let truth = Truth::new(&world.scenario);
        let mut seen = Self::default();
        let own = world.scenario.vantage_address(true);
        let every = world.hosts.len() / vantages;
        let others = world.hosts.iter().copied().step_by(every.max(1));
        for (from, round) in own.into_iter().chain(others).take(vantages).zip(1..) {
            for to in &world.hosts {
                let path = truth.path(&echo(from, *to), world.scenario.start()).unwrap();
                seen.add(&path);
                seen.traces.push(trace(&path, *to, round));
            }
        }
        seen
    }

    /// By longest match, whose addresses were seen most often directly before each.
    fn most_before(&self, world: &World) -> BTreeMap<IpAddr, Asn> {
        let mut counts: BTreeMap<IpAddr, BTreeMap<Asn, u32>> = BTreeMap::new();
        for trace in &self.traces {
            for pair in trace.hops.windows(2) {
                let (Some(before), Some(address)) = (pair[0].address(), pair[1].address()) else {
                    continue;
                };
                let Some(asn) = world.origins.lookup(before).asn() else { continue };
                *counts.entry(address).or_default().entry(asn).or_default() += 1;
            }
        }
        let most = |counts: BTreeMap<Asn, u32>| counts.into_iter().max_by_key(|(_, count)| *count);
        counts.into_iter().filter_map(|(address, counts)| Some((address, most(counts)?.0))).collect()
    }

    fn add(&mut self, path: &TruePath) {
        let seen = path.hops.iter().filter(|hop| hop.counts_ttl);
        let answers = seen.filter_map(|hop| Some((hop.answers_from?, hop.router.clone())));
        self.paths.push(answers.collect());
        for (place, hop) in path.hops.iter().enumerate() {
            let Some(address) = hop.answers_from.filter(|_| hop.counts_ttl) else { continue };
            let beside = [place.checked_sub(1), Some(place + 1)].into_iter().flatten();
            let mut beside = beside.filter_map(|place| path.hops.get(place));
            let at_border = beside.any(|other| other.asn != hop.asn);
            let router = self.routers.entry(address).or_insert((hop.asn, false));
            router.1 |= at_border;
            self.names.insert(address, hop.router.clone());
        }
    }
}

/// How many were right, of how many that were told, of how many there are.
#[derive(Clone, Copy, Default)]
struct Score {
    right: u32,
    told: u32,
    all: u32,
}

impl Score {
    fn add(&mut self, told: Option<Asn>, truth: Asn) {
        self.all += 1;
        self.told += u32::from(told.is_some());
        self.right += u32::from(told == Some(truth));
    }

    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from(self.told.max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from(self.all.max(1))
    }
}

/// Scores of everything, ours and those of longest match alone.
#[derive(Default)]
struct Scores(BTreeMap<String, (Score, Score)>);

impl Scores {
    fn add(&mut self, what: &str, (ours, naive): (Option<Asn>, Option<Asn>), truth: Asn) {
        let scores = self.0.entry(what.to_owned()).or_default();
        scores.0.add(ours, truth);
        scores.1.add(naive, truth);
    }

    fn of(&self, what: &str) -> Score {
        self.0.get(what).copied().unwrap_or_default().0
    }

    fn naive(&self, what: &str) -> Score {
        self.0.get(what).copied().unwrap_or_default().1
    }

    fn judge(&mut self, world: &World, seen: &Seen, routers: &RouterAses) {
        for (address, (truth, at_border)) in &seen.routers {
            let found = routers.get(*address);
            let by_address = world.origins.lookup(*address).asn();
            let both = (found.and_then(|router| router.asn), by_address);
            self.add("all routers", both, *truth);
            self.add(if *at_border { "at a border" } else { "inside an AS" }, both, *truth);
            if by_address == Some(*truth) {
                self.add("where the address decides", both, *truth);
            }
            let Some(found) = found else { continue };
            self.add(&format!("rule {}", found.rule.as_str()), both, *truth);
            let sure = found.confidence.as_str();
            self.add(&format!("confidence {sure}"), both, *truth);
            self.add(&format!("rule {}, {sure}", found.rule.as_str()), both, *truth);
        }
    }

    /// Which AS is at the other end of the link of an address; and of links between ASes, whether both are told. Beside
    /// it the longest match of most addresses before.
    fn judge_links(&mut self, world: &World, seen: &Seen, routers: &RouterAses) {
        let before = seen.most_before(world);
        for (address, (truth, _)) in &seen.routers {
            let Some(other) = world.other_ends.get(address).copied() else { continue };
            let found = routers.get(*address);
            let connected = found.and_then(|router| router.connected);
            let naive = before.get(address).copied();
            self.add("connected AS", (connected, naive), other);
            let pair =
                |own: Option<Asn>, other: Option<Asn>| own.zip(other).filter(|(own, other)| own != other);
            let told = pair(found.and_then(|router| router.asn), connected);
            let by_address = pair(world.origins.lookup(*address).asn(), naive);
            let is_right = |pair: Option<(Asn, Asn)>| pair == Some((*truth, other)) && *truth != other;
            let borders = self.0.entry("links between ASes, both".to_owned()).or_default();
            for (score, pair) in [(&mut borders.0, told), (&mut borders.1, by_address)] {
                score.all += u32::from(*truth != other);
                score.told += u32::from(pair.is_some());
                score.right += u32::from(is_right(pair));
            }
        }
    }

    /// Every hop of every trace counts: a router that is on a thousand traces a thousand times.
    fn judge_hops(&mut self, world: &World, seen: &Seen, routers: &RouterAses) {
        let hops = seen.traces.iter().flat_map(|trace| trace.hops.iter()).filter_map(Hop::address);
        for address in hops {
            let Some((truth, _)) = seen.routers.get(&address) else { continue };
            let by_address = world.origins.lookup(address).asn();
            let both = (routers.get(address).and_then(|router| router.asn), by_address);
            self.add("hops", both, *truth);
            if by_address == Some(*truth) {
                self.add("hops where the address decides", both, *truth);
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "what                             routers  precision recall   longest match: precision recall\n",
        );
        for (what, (ours, naive)) in &self.0 {
            let _ = writeln!(
                text,
                "{what:<32} {:>7}  {:>8.2}% {:>6.2}%  {:>22.2}% {:>6.2}%",
                ours.all,
                ours.precision() * 100.0,
                ours.recall() * 100.0,
                naive.precision() * 100.0,
                naive.recall() * 100.0
            );
        }
        text
    }
}

fn judged(number: u64, ases: usize, vantages: usize) -> Scores {
    let world = World::new(number, ases);
    let seen = Seen::new(&world, vantages);
    let aliases = Aliases::new(&seen.traces, &Fingerprints::default(), &world.origins);
    let routers = router_ases(&seen.traces, &world.origins, &world.relations, &aliases);
    let mut scores = Scores::default();
    scores.judge(&world, &seen, &routers);
    scores.judge_links(&world, &seen, &routers);
    scores.judge_hops(&world, &seen, &routers);
    scores
}

/// What the project promises of every such Internet.
fn hold(scores: &Scores) {
    let address = scores.of("hops where the address decides");
    assert!(address.all > 10_000 && address.recall() >= 0.99, "{:.4}", address.recall());
    let border = scores.of("at a border");
    assert!(border.recall() >= 0.95 && border.precision() >= 0.95, "{:.4}", border.recall());
    assert!(scores.naive("at a border").recall() < 0.6, "there is something to tell");
    let links = scores.of("links between ASes, both");
    assert!(links.precision() >= 0.9 && links.recall() >= 0.8, "{:.4}", links.recall());
    assert!(
        scores.naive("links between ASes, both").recall() < 0.1,
        "an address stands on one of both sides"
    );
    let sure = scores.of("confidence high");
    assert!(
        sure.all > scores.of("all routers").all / 4 && sure.precision() >= 0.995,
        "{:.4}",
        sure.precision()
    );
}

/// Also what `cargo test --test borders -- --nocapture` prints.
#[test]
fn of_a_thousand_ases_nearly_all_borders_are_told_rightly_and_longest_match_is_worse() {
    let scores = judged(1, 1000, 6);
    eprintln!("{}", scores.text());
    hold(&scores);
}

/// The least, the mean and the most of some shares, in per cent.
fn spread(shares: impl Iterator<Item = f64>) -> String {
    let shares: Vec<f64> = shares.map(|share| share * 100.0).collect();
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    let mean = shares.iter().sum::<f64>() / f64::from(u32::try_from(shares.len()).unwrap());
    format!("{least:>7.2} {mean:>6.2} {most:>6.2}")
}

/// The table of docs/measurements.md; `FIRST_SEED` says where to begin.
#[test]
#[ignore = "takes minutes"]
fn of_ten_internets_nearly_all_borders_are_told_rightly() {
    let first = std::env::var("FIRST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(11);
    let all: Vec<Scores> = (first..first + 10).map(|seed| judged(seed, 1000, 6)).collect();
    let what: BTreeSet<&String> = all.iter().flat_map(|scores| scores.0.keys()).collect();
    eprintln!("seeds {first} to {}: least, mean and most, in per cent", first + 9);
    eprintln!(
        "{:<34} {:>7} {:>22} {:>22} {:>22}",
        "", "number", "precision", "recall", "longest match: recall"
    );
    for what in what {
        let seen: Vec<(Score, Score)> =
            all.iter().filter_map(|scores| scores.0.get(what).copied()).collect();
        let number: u32 = seen.iter().map(|(ours, _)| ours.all).sum();
        let precision = spread(seen.iter().map(|(ours, _)| ours.precision()));
        let recall = spread(seen.iter().map(|(ours, _)| ours.recall()));
        let naive = spread(seen.iter().map(|(_, naive)| naive.precision()));
        let naive_recall = spread(seen.iter().map(|(_, naive)| naive.recall()));
        eprintln!("{what:<34} {number:>7} {precision} {recall} {naive} {naive_recall}");
    }
    all.iter().for_each(hold);
}
