//! How fast the lab is in real time: its thread has one core, a sender another one, and between them are the cable
//! and the kernel. Both are in a network namespace that this program makes for itself, from which nothing can leave.
//!
//! ```text
//!   real_time [PACKETS_PER_SECOND…]
//! ```
//!
//! A line for each kind of probe and each rate: what was sent and answered, and what processor time the lab needed for
//! a probe, in its own code and in the kernel's. Processor time is what can be compared between machines that are
//! otherwise idle and those that are not; it contains all that the kernel does with an answer until that waits for
//! its reader.

use std::array;
use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, IoSlice, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use etherparse::PacketBuilder;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::sockopt::SetBool;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, bind, sendmmsg, setsockopt};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};
use tetherline::lab::{Namespace, RealTimeLab, Scenario};
use tetherline::model::{Clock, SystemClock};

/// Ten routers in a row, and one host behind them.
const LINE: &str = include_str!("line.toml");

/// What is asked for where no rates are given, in packets a second.
const RATES: [u32; 5] = [50_000, 100_000, 200_000, 300_000, 1_000_000];

/// Frames that are sent in one system call.
const BATCH: usize = 64;

/// For how long each rate is kept.
const SPAN: Duration = Duration::from_secs(3);

/// What comes later than this is not counted.
const PATIENCE: Duration = Duration::from_millis(300);

const INTERFACE: &str = "vantage0";
/// Destination, source and type of a frame with IPv4: gateway, vantage.
const HEADER: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0x0a, 8, 0];
const OWN: [u8; 4] = [188, 1, 144, 10];
const TARGET: [u8; 4] = [175, 45, 176, 80];

/// The frame with a number.
type Build = fn(u16) -> Vec<u8>;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let rates = arguments.map(|rate| rate.parse()).collect::<std::result::Result<Vec<u32>, _>>()?;
    let rates = if rates.is_empty() { RATES.to_vec() } else { rates };
    let scenario = Scenario::parse("line.toml", LINE)?;
    let namespace = Namespace::enter()?;
    let clock = SystemClock::start();
    // A thread begins on the core of the one that starts it.
    run_on(0)?;
    let lab = RealTimeLab::start(&scenario, &namespace, clock)?;
    run_on(1)?;
    let kinds: [(&str, Build); 2] = [("echoes", echo), ("traces", trace)];
    for (name, frame) in kinds {
        let mut sender = Sender::new(frame)?;
        for rate in &rates {
            let outcome = measure(&mut sender, *rate, &clock)?;
            writeln!(io::stdout(), "{name}, {rate} a second: {outcome}")?;
        }
    }
    lab.shutdown();
    Ok(())
}

fn run_on(core: usize) -> Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cores)?)
}

/// To the host and back: ten routers each way.
fn echo(number: u16) -> Vec<u8> {
    let mut frame = HEADER.to_vec();
    let builder = PacketBuilder::ipv4(OWN, TARGET, 64).icmpv4_echo_request(number, 1);
    builder.write(&mut frame, &[0; 8]).expect("a packet");
    frame
}

/// To each of the ten routers in turn.
fn trace(number: u16) -> Vec<u8> {
    let mut frame = HEADER.to_vec();
    let ttl = u8::try_from(number % 10 + 1).expect("small");
    let builder = PacketBuilder::ipv4(OWN, TARGET, ttl).udp(30_000 + number, 33_434);
    builder.write(&mut frame, &[0; 8]).expect("a packet");
    frame
}

struct Outcome {
    sent: u64,
    lasted: Duration,
    answered: u64,
    used: Used,
}

impl fmt::Display for Outcome {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_packet = |used: Duration| used.as_secs_f64() * 1e6 / self.answered.max(1) as f64;
        let (all, kernel) = (per_packet(self.used.all), per_packet(self.used.kernel));
        write!(
            f,
            "sent {:.0} a second, answered {:.1} %; the lab needs {all:.2} us for each, {kernel:.2} of them in the \
             kernel, and so can answer {:.0} a second",
            self.sent as f64 / self.lasted.as_secs_f64(),
            self.answered as f64 / self.sent.max(1) as f64 * 100.0,
            1e6 / all,
        )
    }
}

fn measure(sender: &mut Sender, rate: u32, clock: &SystemClock) -> Result<Outcome> {
    let (used, received) = (Used::now()?, received()?);
    let start = clock.mono();
    let mut sent = 0_u64;
    let lasted = loop {
        let passed = clock.mono().since(start);
        if passed >= SPAN {
            break passed;
        }
        let due = u64::try_from(passed.as_micros() * u128::from(rate) / 1_000_000)?;
        if due >= sent + BATCH as u64 {
            sent += sender.send()?;
        }
    };
    let end = clock.mono();
    while clock.mono().since(end) < PATIENCE {
        std::thread::yield_now();
    }
    let used = Used::now()?.since(&used);
    Ok(Outcome { sent, lasted, answered: self::received()? - received, used })
}

/// A socket that sends whole frames, and what it sends.
struct Sender {
    socket: Socket,
    headers: MultiHeaders<()>,
    frames: Vec<Vec<u8>>,
    next: usize,
}

/// The queue in front of the interface would drop frames as soon as it is full.
#[derive(Clone, Copy, Debug)]
struct PastTheQueue;

nix::setsockopt_impl!(PastTheQueue, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, bool, SetBool);

impl Sender {
    fn new(frame: Build) -> Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        setsockopt(&socket, PastTheQueue, &true)?;
        let mut named = getifaddrs()?.filter(|entry| entry.interface_name == INTERFACE);
        let address = named.find_map(|entry| entry.address?.as_link_addr().copied());
        bind(socket.as_raw_fd(), &address.ok_or(Errno::ENODEV)?)?;
        let frames = (0..20_000).map(frame).collect();
        Ok(Self { socket, headers: MultiHeaders::preallocate(BATCH, None), frames, next: 0 })
    }

    fn send(&mut self) -> Result<u64> {
        let mut frames = self.frames.iter().cycle().skip(self.next);
        let batch: [_; BATCH] =
            array::from_fn(|_| [IoSlice::new(frames.next().map_or(&[], Vec::as_slice))]);
        let nothing_beside: [ControlMessage<'_>; 0] = [];
        let socket = self.socket.as_raw_fd();
        let flags = MsgFlags::empty();
        let sent =
            sendmmsg(socket, &mut self.headers, &batch, [None; BATCH], nothing_beside, flags)?.count();
        self.next = (self.next + sent) % self.frames.len();
        Ok(sent as u64)
    }
}

/// Frames that the vantage's interface has received.
fn received() -> Result<u64> {
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    let line = table.lines().find_map(|line| line.trim().strip_prefix(INTERFACE)?.strip_prefix(':'));
    let frames = line.and_then(|line| line.split_whitespace().nth(1)).ok_or("no such interface")?;
    Ok(frames.parse()?)
}

/// Processor time of the lab's thread.
struct Used {
    all: Duration,
    kernel: Duration,
}

impl Used {
    fn now() -> Result<Self> {
        for thread in fs::read_dir("/proc/self/task")? {
            let folder = thread?.path();
            if fs::read_to_string(folder.join("comm"))?.trim() != "lab" {
                continue;
            }
            let schedule = fs::read_to_string(folder.join("schedstat"))?;
            let all = schedule.split_whitespace().next().ok_or("no schedstat")?.parse()?;
            let ticks = fs::read_to_string(folder.join("stat"))?;
            let ticks: Vec<&str> = ticks.rsplit(')').next().unwrap_or("").split_whitespace().collect();
            let [user, kernel] =
                [11, 12].map(|field: usize| ticks.get(field).and_then(|text| text.parse().ok()));
            let (user, kernel): (f64, f64) = user.zip(kernel).ok_or("no processor time")?;
            let all = Duration::from_nanos(all);
            // Ticks are coarse, but their proportion holds.
            return Ok(Self { all, kernel: all.mul_f64(kernel / (user + kernel).max(1.0)) });
        }
        Err("the lab has no thread".into())
    }

    fn since(&self, before: &Self) -> Self {
        let since = |now: Duration, before| now.saturating_sub(before);
        Self { all: since(self.all, before.all), kernel: since(self.kernel, before.kernel) }
    }
}
