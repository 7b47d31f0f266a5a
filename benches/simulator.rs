//! How fast the simulated Internet is by itself, in virtual time: probes in, answers out, no sockets. An element is
//! a probe with its answer, and time is processor time, which a busy machine does not lengthen.

mod processor_time;

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use processor_time::ProcessorTime;
use tetherline::lab::{Scenario, VirtualInternet};
use tetherline::model::{MonoTime, Underlay};

/// Ten routers in a row, and one host behind them.
const LINE: &str = include_str!("line.toml");

const OWN_V4: [u8; 4] = [188, 1, 144, 10];
const TARGET_V4: [u8; 4] = [175, 45, 176, 80];
const OWN_V6: [u16; 8] = [0x2001, 0x638, 0xc, 0, 0, 0, 0, 0x10];
const TARGET_V6: [u16; 8] = [0x2001, 0xdf1, 0x4b00, 0, 0, 0, 0, 0x80];

/// Probes that are on their way together.
const TOGETHER: u16 = 1_000;

/// The probe with a number.
type Build = fn(u16) -> Vec<u8>;

fn echo_v4(number: u16, ttl: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(OWN_V4, TARGET_V4, ttl).icmpv4_echo_request(number, 1);
    builder.write(&mut packet, &[0; 8]).expect("a packet");
    packet
}

fn echo_v6(number: u16, ttl: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    let [own, target] = [OWN_V6, TARGET_V6].map(|words| std::net::Ipv6Addr::from(words).octets());
    let builder = PacketBuilder::ipv6(own, target, ttl).icmpv6_echo_request(number, 1);
    builder.write(&mut packet, &[0; 8]).expect("a packet");
    packet
}

fn udp(number: u16, ttl: u8) -> Vec<u8> {
    let mut packet = Vec::new();
    let builder = PacketBuilder::ipv4(OWN_V4, TARGET_V4, ttl).udp(30_000 + number, 33_434);
    builder.write(&mut packet, &[0; 8]).expect("a packet");
    packet
}

/// TTLs of a traceroute over all ten routers.
fn each_ttl(number: u16) -> u8 {
    u8::try_from(number % 10).unwrap_or(0) + 1
}

/// Sends probes a microsecond apart and counts what comes back.
fn run(lab: &mut VirtualInternet, now: &mut MonoTime, probes: &[Vec<u8>]) -> usize {
    for probe in probes {
        *now = now.after(Duration::from_micros(1));
        lab.inject(*now, probe);
    }
    *now = now.after(Duration::from_secs(2));
    let mut answers = 0;
    while lab.advance(*now).is_some() {
        answers += 1;
    }
    answers
}

fn probes(criterion: &mut Criterion<ProcessorTime>) {
    let line = Scenario::parse("line.toml", LINE).expect("a scenario");
    let october = Scenario::october_2017().expect("a scenario");
    let kinds: [(&str, &Scenario, Build); 5] = [
        ("ten routers, echo over IPv4", &line, |number| echo_v4(number, 64)),
        ("ten routers, echo over IPv6", &line, |number| echo_v6(number, 64)),
        ("ten routers, traces by UDP", &line, |number| udp(number, each_ttl(number))),
        ("ten routers, traces by echo over IPv6", &line, |number| echo_v6(number, each_ttl(number))),
        ("October 2017, traces by UDP", &october, |number| udp(number, each_ttl(number))),
    ];
    let mut group = criterion.benchmark_group("simulator");
    group.throughput(Throughput::Elements(u64::from(TOGETHER)));
    for (name, scenario, probe) in kinds {
        let probes: Vec<Vec<u8>> = (0..TOGETHER).map(probe).collect();
        let mut lab = VirtualInternet::new(scenario);
        let mut now = MonoTime::default();
        let answers = run(&mut lab, &mut now, &probes);
        assert!(answers * 10 >= probes.len() * 9, "{name}: {answers} answers");
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| (), |()| run(&mut lab, &mut now, &probes), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime).warm_up_time(Duration::from_secs(1));
    targets = probes
);
criterion_main!(benches);
