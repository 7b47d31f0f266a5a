//! How fast sources of origins are read and asked, and how fast traces get their ASes. `scripts/bench-origins` runs this
//! beside pyasn. Time is processor time, of one core.

mod processor_time;

use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use processor_time::ProcessorTime;
use tetherline::analyse::aliases::{Aliases, Fingerprints};
use tetherline::analyse::borders::{Relations, router_ases};
use tetherline::analyse::origin::OriginTable;
use tetherline::analyse::path::{AsPath, Hop, HopAnswer, Trace, TraceEnd, TraceKey};
use tetherline::formats::origins::{OriginFile, load_origins};
use tetherline::model::{
    AsRelation, Asn, FlowId, Prefix, Protocol, ReplyKind, RoundId, Rtt, RttSource, Ttl, Unit,
};

/// The same numbers every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 32).unwrap()
    }
}

/// Rows like those of a full table: lengths mostly /24, nested, sorted, some with several origins.
fn rows(count: usize) -> Vec<(Prefix, Vec<u32>)> {
    let mut numbers = Numbers(1);
    let mut rows: Vec<(Prefix, Vec<u32>)> = Vec::new();
    while rows.len() < count {
        for _ in rows.len()..count {
            let length = match numbers.next() % 100 {
                0..60 => 24,
                60..75 => 22 + u8::try_from(numbers.next() % 2).unwrap(),
                _ => 12 + u8::try_from(numbers.next() % 10).unwrap(),
            };
            let address = Ipv4Addr::from((1 << 24) + numbers.next() % (223 << 24));
            let prefix = Prefix::covering(IpAddr::V4(address), length).unwrap();
            let mut origins = vec![numbers.next() % 60_000 + 1];
            if numbers.next().is_multiple_of(100) {
                origins.push(numbers.next() % 60_000 + 1);
            }
            rows.push((prefix, origins));
        }
        rows.sort_unstable();
        rows.dedup_by_key(|(prefix, _)| *prefix);
    }
    rows
}

fn write_pfx2as(path: &Path, rows: &[(Prefix, Vec<u32>)]) {
    let file = std::fs::File::create(path).unwrap();
    let gzip = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    let mut gzip = BufWriter::new(gzip);
    for (prefix, origins) in rows {
        let origins: Vec<String> = origins.iter().map(u32::to_string).collect();
        writeln!(gzip, "{}\t{}\t{}", prefix.network(), prefix.length(), origins.join("_")).unwrap();
    }
    gzip.into_inner().unwrap().finish().unwrap();
}

fn load(path: &Path) -> OriginTable {
    load_origins(&[OriginFile::new(path)], None).unwrap().table
}

fn tables(criterion: &mut Criterion<ProcessorTime>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.pfx2as.gz");
    write_pfx2as(&path, &rows(700_000));
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10).measurement_time(Duration::from_secs(8));
    group.bench_function("pfx2as, 700,000 rows, gz", |bench| bench.iter(|| black_box(load(&path))));
    if let Some(rib) = real("mrt/routeviews.route-views.jinx.ribs.1401487200.bz2") {
        group.bench_function("MRT, the full table of 30 May 2014, bz2", |bench| {
            bench.iter(|| black_box(load(&rib)));
        });
    }
    group.finish();
}

fn real(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("TETHERLINE_REAL_DATA")?).join(name);
    path.exists().then_some(path)
}

/// Rows like those of a full table of IPv6: half of them /48, the others /32 to /47.
fn rows_v6(count: usize) -> Vec<(Prefix, Vec<Asn>)> {
    let mut numbers = Numbers(5);
    let mut rows = Vec::new();
    for _ in 0..count {
        let length = if numbers.next().is_multiple_of(2) {
            48
        } else {
            32 + u8::try_from(numbers.next() % 16).unwrap()
        };
        let prefix = Prefix::covering(address_v6(&mut numbers), length).unwrap();
        rows.push((prefix, vec![Asn::try_from(numbers.next() % 60_000 + 1).unwrap()]));
    }
    rows
}

/// Some address of `2000::/6`.
fn address_v6(numbers: &mut Numbers) -> IpAddr {
    let (high, low) = (u128::from(numbers.next()), u128::from(numbers.next()));
    IpAddr::V6(Ipv6Addr::from((1 << 125) | (high << 90) | (low << 58)))
}

fn lookups_v6(criterion: &mut Criterion<ProcessorTime>) {
    let rows = rows_v6(200_000);
    let mut numbers = Numbers(11);
    // Of each a prefix, and an address in it.
    let addresses: Vec<IpAddr> = (0..1_000_000)
        .map(|_| {
            let (prefix, _) = &rows[usize::try_from(numbers.next()).unwrap() % rows.len()];
            let IpAddr::V6(network) = prefix.network() else { unreachable!("IPv6 only") };
            IpAddr::V6(Ipv6Addr::from(u128::from(network) | u128::from(numbers.next())))
        })
        .collect();
    let table = OriginTable::from_entries(rows);
    let mut group = criterion.benchmark_group("look up IPv6");
    group.sample_size(10).throughput(Throughput::Elements(1_000_000));
    let source = &table.sources()[0];
    group.bench_function("origins of random addresses among 200,000 prefixes", |bench| {
        bench.iter(|| addresses.iter().filter(|address| source.find(**address).is_some()).count());
    });
    group.bench_function("the AS of random addresses, by all rules of precedence", |bench| {
        bench.iter(|| addresses.iter().filter(|address| table.lookup(**address).asn().is_some()).count());
    });
    group.finish();
}

fn lookups(criterion: &mut Criterion<ProcessorTime>) {
    let rows = rows(1_000_000);
    let table = OriginTable::from_entries(rows.iter().map(|(prefix, origins)| {
        (*prefix, origins.iter().map(|number| Asn::try_from(*number).unwrap()).collect())
    }));
    let mut numbers = Numbers(7);
    let addresses: Vec<IpAddr> = (0..1_000_000)
        .map(|_| IpAddr::V4(Ipv4Addr::from((1 << 24) + numbers.next() % (223 << 24))))
        .collect();
    let mut group = criterion.benchmark_group("look up");
    group.sample_size(10).throughput(Throughput::Elements(1_000_000));
    let source = &table.sources()[0];
    group.bench_function("origins of random addresses among 1,000,000 prefixes", |bench| {
        bench.iter(|| addresses.iter().filter(|address| source.find(**address).is_some()).count());
    });
    group.bench_function("the AS of random addresses, by all rules of precedence", |bench| {
        bench.iter(|| addresses.iter().filter(|address| table.lookup(**address).asn().is_some()).count());
    });
    group.bench_function("the same, and why", |bench| {
        bench.iter(|| {
            let said = addresses.iter().map(|address| table.lookup(*address));
            said.filter(|said| said.asn().is_some() && said.reason().prefix().is_some()).count()
        });
    });
    group.finish();
}

/// ASes as a tree in which each has three customers: AS n has the network 20.0.0.0 + n × 256.
const ASES: u32 = 60_000;

fn address(asn: u32, last: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from((20 << 24) + asn * 256 + last))
}

/// Traces from AS 40,000 up the tree and down to others, two routers an AS, links numbered by providers.
fn traces(count: u32) -> Vec<Trace> {
    let mut numbers = Numbers(3);
    (0..count).map(|round| trace(round, numbers.next() % ASES + 1)).collect()
}

fn up(asn: u32) -> Vec<u32> {
    std::iter::successors(Some(asn), |asn| (*asn > 1).then(|| (*asn + 1) / 3)).collect()
}

fn trace(round: u32, target: u32) -> Trace {
    let (from, to) = (up(40_000), up(target));
    let mut addresses = Vec::new();
    for asn in from.iter().take_while(|asn| !to.contains(asn)) {
        addresses.extend([address(*asn, 1 + round % 2), address(*asn, 3)]);
    }
    let down: Vec<u32> = to.iter().copied().take_while(|asn| !from.contains(asn)).collect();
    for asn in down.iter().rev() {
        addresses.extend([address((*asn + 1) / 3, 100 + asn % 3), address(*asn, 5 + round % 3)]);
    }
    let hops: Vec<Hop> = (1_u8..).zip(addresses).map(|(ttl, from)| hop(ttl, from)).collect();
    let key = TraceKey {
        vantage: "vantage".parse().unwrap(),
        round: RoundId(u64::from(round)),
        target: address(target, 200),
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(0),
    };
    let unit = Unit(Prefix::covering(key.target, 24).unwrap());
    let end = TraceEnd::Gap { hops: 1 };
    let hops = std::sync::Arc::new(hops);
    Trace { key, unit, control: false, sent: None, heard: None, hops, end, rtt: None, looped: false }
}

fn hop(ttl: u8, from: IpAddr) -> Hop {
    let rtt = Rtt { span: Duration::from_millis(u64::from(ttl)), source: RttSource::Kernel };
    let answer = HopAnswer {
        attempt: 0,
        from,
        kind: ReplyKind::TimeExceeded,
        rtt,
        late: false,
        reply_ttl: None,
        quoted_ttl: Some(1),
        mpls: Vec::new(),
    };
    Hop {
        ttl: Ttl::new(ttl).unwrap(),
        answers: vec![answer],
        sent: 1,
        silent: 0,
        not_sent: 0,
        hidden: false,
    }
}

fn annotation(criterion: &mut Criterion<ProcessorTime>) {
    let asn = |number: u32| Asn::try_from(number).unwrap();
    let table = OriginTable::from_entries(
        (1..=ASES).map(|number| (Prefix::covering(address(number, 0), 24).unwrap(), vec![asn(number)])),
    );
    let transit =
        |number: u32| AsRelation::Transit { provider: asn((number + 1) / 3), customer: asn(number) };
    let relations: Vec<AsRelation> = (2..=ASES).map(transit).collect();
    let traces = traces(20_000);
    let mut group = criterion.benchmark_group("traces");
    group.sample_size(10).throughput(Throughput::Elements(traces.len() as u64));
    group.bench_function("by the rules for one trace", |bench| {
        bench.iter(|| {
            traces
                .iter()
                .map(|trace| AsPath::new(trace, &table).segments.len())
                .fold(0, usize::wrapping_add)
        });
    });
    group.bench_function("by the borders of all traces together", |bench| {
        bench.iter(|| {
            let routers = router_ases(
                &traces,
                &table,
                &Relations::new(&relations),
                &Aliases::new(&traces, &Fingerprints::default(), &table),
            );
            let paths = traces.iter().map(|trace| AsPath::with_routers(trace, &table, &routers));
            paths.map(|path| path.segments.len()).fold(0, usize::wrapping_add)
        });
    });
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime).warm_up_time(Duration::from_secs(1));
    targets = tables, lookups, lookups_v6, annotation
);
criterion_main!(benches);
