//! What a probe costs inside of this program, without any network: the engine with its prober, guard, pacer and
//! matching, and the recording of what became of it. Prints processor time a probe.
//!
//! ```text
//!   engine turn PROBES       asked, permitted, answered by a mirror, matched, reported
//!   engine record RECORDS    made durable in batches, and sealed
//!   engine search WIDTHS     multipath searches to 1,024 addresses at 10,000 packets a second, the prober alone:
//!                            through hops of these widths, as in 1,8,1,16,1
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tetherline::dataset::{Dataset, Ledger, Manifest, ProbeRecord, RoundHeader};
use tetherline::measure::campaign::{Engine, EngineParts, Report, RoundOrder, SweptSoFar, drive};
use tetherline::measure::guard::{AllowedTargets, Budget, Guard, GuardRules, Permit, Territory};
use tetherline::measure::net::{Arrival, Link};
use tetherline::measure::probe::{
    Algorithm, EchoProber, MultipathOrder, MultipathProber, News, Next, Prober, Targets, Way,
};
use tetherline::measure::schedule::{Draw, Pacer, PacerRates};
use tetherline::model::{
    ClockPair, MatchQuality, Method, MonoTime, Name, Port, Pps, Prefix, Probe, Protocol, Reply, ReplyKind,
    RoundId, SendFault, Ttl, Unit, WallTime,
};
use tetherline::multipath::StoppingRule;
use tetherline::wire::{Answer, Codec, Sources, TagKey};

const ROUND: RoundId = RoundId(1);
const US: Sources = Sources { v4: Some(Ipv4Addr::new(192, 0, 2, 1)), v6: None };
const TARGETS: (Ipv4Addr, u8) = (Ipv4Addr::new(44, 0, 0, 0), 8);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["turn", probes] => turn(probes.parse()?).map(drop),
        ["record", records] => record(records.parse()?),
        ["search", widths] => search(&widths.split(',').map(str::parse).collect::<Result<Vec<_>, _>>()?),
        _ => {
            record(200_000)?;
            turn(1_000_000).map(drop)
        }
    }
}

/// A network in which everybody answers, 10 ms later, in a time that passes only here.
struct Mirror {
    codec: Codec,
    now: MonoTime,
    answers: VecDeque<(MonoTime, Answer)>,
}

impl Link for Mirror {
    fn now(&self) -> MonoTime {
        self.now
    }

    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        let probe = permit.probe();
        let answer = Answer {
            key: self.codec.key_of(probe),
            from: probe.target,
            kind: ReplyKind::EchoReply,
            icmp: Some((0, 0)),
            reply_ttl: 57,
            quoted: None,
            flow: Some(probe.flow),
            mpls: Vec::new(),
            size: 34,
            ip_id: Some(1),
        };
        self.answers.push_back((self.now.after(Duration::from_millis(10)), answer));
        Ok(self.now)
    }

    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        let first = self.answers.front().map_or(MonoTime::NEVER, |(at, _)| *at);
        let until = until.max(self.now);
        self.now = self.now.max(first.min(until));
        let (_, answer) = if first <= until { self.answers.pop_front()? } else { return None };
        Some(Arrival::Answer { answer, at: self.now, kernel: Some(self.now) })
    }

    fn kernel_drops(&self) -> u64 {
        0
    }
}

fn unit_of(address: IpAddr) -> Option<Unit> {
    Prefix::covering(address, 24).map(Unit)
}

fn engine(codec: &Codec) -> Result<Engine, Box<dyn Error>> {
    let prefix = Prefix::covering(TARGETS.0.into(), TARGETS.1).ok_or("no prefix")?;
    let fast = Pps::new(1_000_000.0).ok_or("no rate")?;
    let guard = Guard::new(GuardRules {
        territory: Territory::Lab,
        has_operator: false,
        allow_private: false,
        targets: vec![AllowedTargets { prefix, unit_length: 24 }],
        opt_outs: Vec::new(),
        budget: Budget { rate: fast, depth: 1_000 },
    });
    let rates = PacerRates { total: fast, burst: 256, per_unit: fast, per_responder: fast };
    Ok(Engine::new(EngineParts {
        vantage: "bench".parse()?,
        codec: Arc::new(codec.clone()),
        clock: ClockPair::new(MonoTime::default(), WallTime::from_nanos(1_500_000_000_000_000_000)),
        guard,
        pacer: Pacer::new(rates),
    }))
}

fn order(probes: u32) -> Result<RoundOrder, Box<dyn Error>> {
    let base = TARGETS.0.to_bits();
    let targets: Targets = (0..probes)
        .filter_map(|number| {
            let address = IpAddr::V4(Ipv4Addr::from_bits(base | (number & 0xFF_FFFF)));
            Some((address, (unit_of(address)?, false)))
        })
        .collect();
    let echo = EchoProber::new(ROUND, targets.addresses().to_vec(), 7, 1, Duration::ZERO);
    Ok(RoundOrder {
        id: ROUND,
        prober_name: "echo".parse()?,
        method: Method::Echo,
        prober: Box::new(echo),
        timeout: Duration::from_millis(100),
        targets: Arc::new(targets),
        ledger: Ledger::default(),
        swept: SweptSoFar::default(),
    })
}

/// Turns the engine until every probe is answered and reported; gives the records back.
fn turn(probes: u32) -> Result<Vec<ProbeRecord>, Box<dyn Error>> {
    let codec = Codec::new(TagKey::from_bytes([7; 16]), US, None)?;
    let mut engine = engine(&codec)?;
    engine.start(order(probes)?);
    let mut link = Mirror { codec, now: MonoTime::default(), answers: VecDeque::new() };
    let mut records = Vec::with_capacity(usize::try_from(probes)?);
    let used = Used::begin()?;
    while !engine.is_idle() {
        let until = link.now().after(Duration::from_millis(20));
        drive(&mut engine, &mut link, until, &|| true, &mut |reports| {
            records.extend(reports.into_iter().filter_map(|report| match report {
                Report::Record(record) => Some(record),
                _ => None,
            }));
        })?;
    }
    used.tell("turn", records.len())?;
    Ok(records)
}

/// As the recording thread does it: batches of as many as come in 200 ms at 100,000 a second.
fn record(records: u32) -> Result<(), Box<dyn Error>> {
    let records = turn(records)?;
    let folder = tempfile::tempdir()?;
    let mut dataset = Dataset::create(&folder.path().join("bench"), &manifest()?)?;
    let prober: Name = "echo".parse()?;
    let at = WallTime::from_nanos(0);
    dataset.begin_round(&RoundHeader {
        id: ROUND,
        prober,
        method: Method::Echo,
        due_at: at,
        started_at: at,
    })?;
    let mut ledger = Ledger::default();
    let used = Used::begin()?;
    for batch in records.chunks(20_000) {
        for record in batch {
            ledger.count_record(&record.outcome);
        }
        dataset.append(ROUND, batch, &ledger)?;
    }
    used.tell("record", records.len())?;
    let used = Used::begin()?;
    dataset.seal(ROUND, &ledger, true)?;
    used.tell("seal", records.len())
}

/// Searches for all ways to the addresses of a /22, through hops of which each router is linked to each of the next.
fn search(widths: &[u64]) -> Result<(), Box<dyn Error>> {
    const EACH: Duration = Duration::from_micros(100);
    let base = TARGETS.0.to_bits();
    let targets = (0..1024).map(|number| IpAddr::V4(Ipv4Addr::from_bits(base | number))).collect();
    let way = Way {
        protocol: Protocol::Udp,
        port: Some(Port::TRACEROUTE),
        first_ttl: Ttl::FIRST,
        max_ttl: Ttl::new(32).ok_or("no TTL")?,
        gap_limit: 5,
        attempts: 2,
    };
    let mut prober = MultipathProber::new(MultipathOrder {
        round: ROUND,
        targets,
        way,
        algorithm: Algorithm::Lite,
        stopping: StoppingRule::per_hop(0.95)?,
        narrowest: None,
        budget: 5_000,
        seed: 3,
    });
    let (mut now, mut answers) = (MonoTime::default(), BTreeMap::new());
    let mut sent = 0;
    let used = Used::begin()?;
    loop {
        let due = answers.first_key_value().filter(|((at, _), _)| *at <= now).map(|(key, _)| *key);
        if let Some((probe, reply)) = due.and_then(|key| answers.remove(&key)) {
            prober.settle(&probe, News::Reply(&reply), now);
            continue;
        }
        match prober.next(now) {
            Next::Probe(probe) => {
                let (after, reply) = answer(widths, &probe);
                answers.insert((now.after(after), sent), (probe, reply));
                sent += 1;
            }
            Next::Wait(_) => {}
            Next::Done => break,
        }
        now = now.after(EACH);
    }
    used.tell("search", sent)
}

/// Who answers a probe, and how much later.
fn answer(widths: &[u64], probe: &Probe) -> (Duration, Reply) {
    let hop = usize::from(probe.ttl.get()) - 1;
    let IpAddr::V4(target) = probe.target else { unreachable!("IPv4 was asked") };
    let from = widths.get(hop).map_or(probe.target, |width| {
        let draw = Draw::new(hop as u64, 1);
        let place = draw.up_to(width - 1, target.to_bits().into(), probe.flow.0.into());
        let [.., high, low] = place.to_be_bytes();
        IpAddr::from([10, u8::try_from(hop).unwrap_or(u8::MAX), high, low])
    });
    let arrived = from == probe.target;
    let reply = Reply {
        from,
        kind: if arrived { ReplyKind::EchoReply } else { ReplyKind::TimeExceeded },
        icmp: None,
        reply_ttl: Some(60),
        quoted_ttl: Some(1),
        mpls: Vec::new(),
        size: 56,
        ip_id: None,
        matched: MatchQuality::Exact,
    };
    (Duration::from_millis(10).saturating_mul(u32::from(probe.ttl.get()).min(6)), reply)
}

fn manifest() -> Result<Manifest, Box<dyn Error>> {
    Ok(Manifest {
        campaign: "bench".parse()?,
        vantage: "bench".parse()?,
        seed: 1,
        started_at: WallTime::from_nanos(0),
        program_version: "bench".to_owned(),
        key_fingerprint: String::new(),
        rehearsal: true,
        scenario: None,
        speed: 1.0,
        config_toml: String::new(),
        units: Vec::new(),
        events: Vec::new(),
        origins: Vec::new(),
        as_names: Vec::new(),
        sources: Vec::new(),
    })
}

/// Processor time used since a moment, in microseconds.
struct Used(i64);

impl Used {
    fn begin() -> Result<Self, Box<dyn Error>> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        Ok(Self(usage.user_time().num_microseconds() + usage.system_time().num_microseconds()))
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    fn tell(&self, what: &str, count: usize) -> Result<(), Box<dyn Error>> {
        let used = Self::begin()?.0 - self.0;
        let each = used as f64 / count as f64;
        writeln!(std::io::stdout(), "{what} count={count} cpu_us={used} us_each={each:.3}")?;
        Ok(())
    }
}
