//! How fast the packet path is, on a real interface. It floods, and so refuses to run where anything that is
//! sent could reach anybody: only in a network namespace that leads nowhere. `scripts/bench-peers` makes one,
//! and runs it beside other people's programs.
//!
//! ```text
//!   packet_path send PACKETS [raw]                    as fast as it goes
//!   packet_path pace RATE BURST SECONDS [raw]         at a rate
//! ```
//!
//! Packets are minimal ICMP echo requests to different addresses, each examined by the guard, built, and handed
//! over as `run` does it. One line of `key=value` pairs tells what came of it.

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use tetherline::measure::guard::{AllowedTargets, Budget, Guard, GuardRules, Permit, Territory};
use tetherline::measure::net::{Link, PacketPath, RawLink, Vantage, territory};
use tetherline::measure::schedule::{Pacer, PacerRates};
use tetherline::model::{
    BlockRule, FlowId, Method, MonoTime, Pps, Prefix, Probe, Protocol, RoundId, SystemClock, Ttl, Unit,
};
use tetherline::wire::{Codec, TagKey};

/// Handed over at one time, as by the engine.
const TOGETHER: usize = 64;

/// What is sent to: ordinary public space, which cannot be reached from a namespace that leads nowhere.
const TARGETS: (Ipv4Addr, u8) = (Ipv4Addr::new(44, 0, 0, 0), 9);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (path, arguments) = match arguments.split_last() {
        Some((&"raw", rest)) => (PacketPath::Raw, rest),
        _ => (PacketPath::Packet, arguments.as_slice()),
    };
    match arguments {
        ["send", packets] => send(packets.parse()?, path),
        ["pace", rate, burst, seconds] => pace(rate.parse()?, burst.parse()?, seconds.parse()?, path),
        _ => {
            writeln!(std::io::stderr(), "this floods a network: run it by scripts/bench-peers")?;
            Ok(())
        }
    }
}

/// All that stands between a probe and the interface.
struct Bench {
    link: RawLink,
    guard: Guard,
    permits: Vec<Permit>,
    next: u32,
    sent: u64,
    failed: u64,
}

impl Bench {
    fn open(path: PacketPath, rate: f64) -> Result<Self, Box<dyn Error>> {
        if !territory()?.is_closed() {
            return Err("packets could leave this network namespace: nothing is sent".into());
        }
        let vantage = Vantage::find(None, None, None)?;
        let codec = Codec::new(TagKey::from_bytes([7; 16]), vantage.sources, None)?;
        let rate = Pps::new(rate).ok_or("a rate is above 0 and at most 1000000")?;
        let link = RawLink::open(&vantage, codec, SystemClock::start(), path, rate)?;
        let prefix = Prefix::covering(TARGETS.0.into(), TARGETS.1).ok_or("no prefix")?;
        let guard = Guard::new(GuardRules {
            territory: Territory::Lab,
            has_operator: false,
            allow_private: false,
            targets: vec![AllowedTargets { prefix, unit_length: 24 }],
            opt_outs: Vec::new(),
            budget: Budget { rate: Pps::SLOWEST, depth: 1 },
        });
        Ok(Self { link, guard, permits: Vec::with_capacity(TOGETHER), next: 0, sent: 0, failed: 0 })
    }

    /// Puts one more probe, which the guard has let out, to those that are handed over.
    fn draw(&mut self, now: MonoTime) -> Result<(), Box<dyn Error>> {
        let probe = Probe {
            round: RoundId(1),
            target: IpAddr::V4(Ipv4Addr::from_bits(TARGETS.0.to_bits() | (self.next & 0x7F_FFFF))),
            protocol: Protocol::Icmp,
            port: None,
            flow: FlowId(0),
            ttl: Ttl::TO_THE_END,
            attempt: 0,
        };
        self.next = self.next.wrapping_add(1);
        let permit = self.guard.examine(probe, Method::Trace, now).map_err(BlockRule::as_str)?;
        self.permits.push(permit);
        Ok(())
    }

    fn hand_over(&mut self) {
        let (sent, failed) = (&mut self.sent, &mut self.failed);
        self.link.send_all(&mut self.permits, &mut |_, result| match result {
            Ok(_) => *sent += 1,
            Err(_) => *failed += 1,
        });
    }

    fn listen(&mut self, until: MonoTime) {
        let mut until = until;
        while self.link.wait(until).is_some() {
            until = MonoTime::default();
        }
    }

    fn tell(&self, what: &str, took: Duration) -> Result<(), Box<dyn Error>> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let seconds = took.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "counts of packets are far below 2^53")]
        let rate = self.sent as f64 / seconds;
        writeln!(
            std::io::stdout(),
            "{what} sent={} failed={} framed={} seconds={seconds:.4} rate={rate:.1} user_us={} system_us={} drops={}",
            self.sent,
            self.failed,
            self.link.framed(),
            usage.user_time().num_microseconds(),
            usage.system_time().num_microseconds(),
            self.link.kernel_drops(),
        )?;
        Ok(())
    }
}

fn send(packets: u64, path: PacketPath) -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::open(path, 1_000_000.0)?;
    let begun = bench.link.now();
    while bench.sent + bench.failed < packets {
        let now = bench.link.now();
        for _ in 0..TOGETHER {
            bench.draw(now)?;
        }
        bench.hand_over();
    }
    bench.tell("send", bench.link.now().since(begun))
}

fn pace(rate: f64, burst: u32, seconds: u64, path: PacketPath) -> Result<(), Box<dyn Error>> {
    let mut bench = Bench::open(path, rate)?;
    let fast = Pps::new(1_000_000.0).ok_or("a rate")?;
    let total = Pps::new(rate).ok_or("a rate is above 0 and at most 1000000")?;
    let mut pacer = Pacer::new(PacerRates { total, burst, per_unit: fast, per_responder: fast });
    let unit = Unit(Prefix::covering(TARGETS.0.into(), 24).ok_or("no unit")?);
    if pacer.is_tight() {
        bench.link.be_punctual();
    }
    let begun = bench.link.now();
    let end = begun.after(Duration::from_secs(seconds));
    loop {
        let now = bench.link.now();
        if now >= end {
            break;
        }
        while bench.permits.len() < TOGETHER && pacer.earliest_total(now) <= now {
            pacer.spend(now, unit, None);
            bench.draw(now)?;
        }
        if bench.permits.is_empty() {
            bench.listen(pacer.wake(now).min(end));
        } else {
            bench.hand_over();
        }
    }
    bench.tell(&format!("pace asked={rate} burst={burst}"), bench.link.now().since(begun))
}
