//! What is done for every probe allocates nothing: at a hundred thousand probes a second, each allocation
//! would be paid for a hundred thousand times, and memory would grow with what was sent.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use tetherline::dataset::Ledger;
use tetherline::measure::campaign::{Engine, EngineParts, Report, RoundOrder, SweptSoFar, drive};
use tetherline::measure::guard::{AllowedTargets, Budget, Guard, GuardRules, Permit, Territory};
use tetherline::measure::net::{Arrival, Link, PacketPath, RawLink, Vantage, territory};
use tetherline::measure::probe::{EchoProber, Targets};
use tetherline::measure::schedule::{Pacer, PacerRates};
use tetherline::model::{
    ClockPair, FlowId, Method, MonoTime, Pps, Prefix, Probe, Protocol, ReplyKind, RoundId, SendFault,
    SystemClock, Ttl, Unit, WallTime,
};
use tetherline::wire::{Answer, Codec, Sources, TagKey};

const US: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::new(44, 0, 0, 0).to_bits() | number))
}

fn guard() -> Guard {
    Guard::new(GuardRules {
        territory: Territory::Lab,
        has_operator: false,
        allow_private: false,
        targets: vec![AllowedTargets { prefix: "44.0.0.0/9".parse().unwrap(), unit_length: 24 }],
        opt_outs: Vec::new(),
        budget: Budget { rate: fast(), depth: 1_000 },
    })
}

fn fast() -> Pps {
    Pps::new(1_000_000.0).unwrap()
}

fn codec(source: Ipv4Addr) -> Codec {
    Codec::new(TagKey::from_bytes([7; 16]), Sources { v4: Some(source), v6: None }, None).unwrap()
}

/// A network in which everybody answers at once, in a time that passes only here.
struct Mirror {
    codec: Codec,
    now: MonoTime,
    answers: VecDeque<Answer>,
}

impl Link for Mirror {
    fn now(&self) -> MonoTime {
        self.now
    }

    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        let probe = permit.probe();
        self.answers.push_back(Answer {
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
        });
        Ok(self.now)
    }

    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        let answer = self.answers.pop_front();
        if answer.is_none() {
            self.now = self.now.max(until);
        }
        answer.map(|answer| Arrival::Answer { answer, at: self.now, kernel: Some(self.now) })
    }

    fn kernel_drops(&self) -> u64 {
        0
    }
}

/// Turns the engine for so long; returns what was recorded.
fn turn(engine: &mut Engine, link: &mut Mirror, time: Duration) -> u64 {
    let until = link.now.after(time);
    let mut records = 0;
    let mut count = |reports: Vec<Report>| records += reports.len() as u64;
    drive(engine, link, until, &|| true, &mut count).unwrap();
    records
}

#[test]
fn an_engine_that_has_found_its_stride_allocates_for_what_it_passes_on_and_not_for_probes() {
    let unit = |address| Unit(Prefix::covering(address, 24).unwrap());
    let targets: Targets = (0..400_000).map(address).map(|at| (at, (unit(at), false))).collect();
    let prober = EchoProber::new(RoundId(1), targets.addresses().to_vec(), 7, 1, Duration::ZERO);
    let rates = PacerRates { total: fast(), burst: 256, per_unit: fast(), per_responder: fast() };
    let mut engine = Engine::new(EngineParts {
        vantage: "here".parse().unwrap(),
        codec: Arc::new(codec(US)),
        clock: ClockPair::new(MonoTime::default(), WallTime::from_nanos(0)),
        guard: guard(),
        pacer: Pacer::new(rates),
    });
    engine.start(RoundOrder {
        id: RoundId(1),
        prober_name: "echo".parse().unwrap(),
        method: Method::Echo,
        prober: Box::new(prober),
        timeout: Duration::from_millis(10),
        targets: Arc::new(targets),
        ledger: Ledger::default(),
        swept: SweptSoFar::default(),
    });
    let mut link = Mirror { codec: codec(US), now: MonoTime::default(), answers: VecDeque::new() };
    turn(&mut engine, &mut link, Duration::from_millis(100));
    let mut records = 0;
    let used = measure(|| records = turn(&mut engine, &mut link, Duration::from_millis(100)));
    assert!(records > 50_000, "{records} records");
    // Reports are passed on 256 at a time, each time in a vector of their own.
    assert!(used.count_total <= records / 256 + 1, "{} allocations for {records} probes", used.count_total);
    assert!(used.count_max < 100, "what is held does not grow: {}", used.count_max);
}

/// A cable at whose far end nobody listens, in a namespace of the calling thread's own.
fn lay_cable() {
    assert!(territory().unwrap().is_closed(), "packets could leave: run this test by scripts/test");
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    for step in [
        "link add near type veth peer name far",
        "link set near addrgenmode none",
        "address add 192.0.2.1/24 dev near",
        "link set far up",
        "link set near up",
        "neighbour add 192.0.2.254 lladdr 02:00:00:00:00:fe dev near nud permanent",
        "route add default via 192.0.2.254",
    ] {
        let done = Command::new("ip").args(step.split_whitespace()).status().expect("iproute2");
        assert!(done.success(), "ip {step}");
    }
}

/// Sends so many probes by so many and listens in between; returns what that allocated.
fn send(link: &mut RawLink, guard: &mut Guard, numbers: std::ops::Range<u32>) -> AllocationInfo {
    let mut permits = Vec::with_capacity(64);
    let mut sent = 0;
    let expected = numbers.len();
    let used = measure(|| {
        for number in numbers {
            let probe = Probe {
                round: RoundId(1),
                target: address(number),
                protocol: Protocol::Icmp,
                port: None,
                flow: FlowId(0),
                ttl: Ttl::TO_THE_END,
                attempt: 0,
            };
            permits.push(guard.examine(probe, Method::Trace, link.now()).unwrap());
            if permits.len() == 64 {
                link.send_all(&mut permits, &mut |_, result| sent += usize::from(result.is_ok()));
                while link.wait(MonoTime::default()).is_some() {}
            }
        }
    });
    assert_eq!(sent, expected);
    used
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn nothing_is_allocated_for_a_packet_on_either_path_in_a_namespace() {
    let outcome = std::thread::spawn(|| {
        lay_cable();
        for path in [PacketPath::Raw, PacketPath::Packet] {
            let vantage = Vantage::find(Some("near"), None, None).unwrap();
            let mut link =
                RawLink::open(&vantage, codec(US), SystemClock::start(), path, Pps::new(100.0).unwrap())
                    .unwrap();
            let mut guard = guard();
            send(&mut link, &mut guard, 0..6_400);
            let used = send(&mut link, &mut guard, 6_400..12_800);
            // When news of the link come, the routes are read again.
            assert!(used.count_total < 128, "{path:?}: {} for 6,400 packets", used.count_total);
            assert_eq!(link.framed() > 0, path == PacketPath::Packet);
        }
    })
    .join();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
