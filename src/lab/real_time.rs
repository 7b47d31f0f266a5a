//! The lab in real time: a thread that plays the Internet behind a pair of virtual interfaces, so that real
//! sockets, and other people's tools, run against the simulator.
//!
//! ```text
//! start ──▶ running ──▶ stopped (by `shutdown`, or when dropped)
//! ```
//!
//! Its time is the monotonic clock; its wall time is the scenario's start plus what has passed, times the
//! scenario's speed. IP frames from the vantage to the gateway are answered, and questions for the gateway's
//! hardware address; all else is ignored.

mod neighbours;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::socket::sockopt::{self, SetBool};
use nix::sys::socket::{MsgFlags, recv, send, setsockopt};
use pnet::datalink;
use socket2::{Domain, Socket, Type};

use super::namespace::{self, Cable, GATEWAY_MAC, Namespace, NoNamespace, VANTAGE_MAC};
use super::packet::complete_checksum;
use super::scenario::Scenario;
use super::simulator::Simulator;
use crate::model::{Clock, ClockPair, MonoTime, SystemClock, Underlay};

/// A running lab.
#[derive(Debug)]
pub struct RealTimeLab {
    clock: ClockPair,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Why the lab does not run.
#[derive(Debug, thiserror::Error)]
pub enum NoRealTimeLab {
    /// The namespace could not be wired.
    #[error(transparent)]
    Namespace(#[from] NoNamespace),
    /// The lab's end of the cable could not be opened.
    #[error("cannot open a packet socket on {INTERNET}")]
    Socket(#[source] io::Error),
    /// The system made no thread.
    #[error("cannot start the thread of the lab")]
    Thread(#[source] io::Error),
}

/// The two ends of the cable.
const VANTAGE: &str = "vantage0";
const INTERNET: &str = "internet0";
/// How often the stop flag is looked at when nothing happens.
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// Frames read in one go before answers that are due are sent.
const BATCH: usize = 64;
/// Room for some 20,000 small frames while the thread does not run.
const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;
/// Ethernet header: destination, source, type.
const HEADER: usize = 14;
/// Ethernet types.
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const LARGEST_FRAME: usize = 65_536 + HEADER;

impl RealTimeLab {
    /// Lays the cable in a namespace and starts the lab: its wall clock shows the scenario's start now.
    /// `clock` is the one that the caller measures with.
    ///
    /// # Errors
    /// What the system refused.
    pub fn start(
        scenario: &Scenario,
        namespace: &Namespace,
        clock: SystemClock,
    ) -> Result<Self, NoRealTimeLab> {
        let addresses = [true, false].into_iter().filter_map(|is_ipv4| addresses(scenario, is_ipv4));
        let addresses: Vec<(IpAddr, IpAddr)> = addresses.collect();
        let gateways = addresses.iter().map(|(_, gateway)| *gateway).collect();
        let cable = Cable { vantage: VANTAGE, internet: INTERNET, addresses };
        namespace::lay(namespace, &cable)?;
        let socket = packet_socket().map_err(NoRealTimeLab::Socket)?;
        let simulator = Simulator::new(scenario);
        let origin = clock.mono();
        let stop = Arc::new(AtomicBool::new(false));
        let internet = Internet { simulator, socket, gateways, clock, origin, stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new().name("lab".to_owned());
        let thread = thread.spawn(|| internet.run()).map_err(NoRealTimeLab::Thread)?;
        let clock = ClockPair::new(origin, scenario.start()).squeezed(scenario.speed());
        Ok(Self { clock, stop, thread: Some(thread) })
    }

    /// The lab's wall time over the caller's monotonic time.
    #[must_use]
    pub const fn clock(&self) -> ClockPair {
        self.clock
    }

    /// Stops the lab; packets on their way are lost. The interfaces stay.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for RealTimeLab {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported where it happened.
            let _ = thread.join();
        }
    }
}

/// The vantage's address and its gateway's. The gateway's is only a name for its hardware address, so one
/// of the link's own will do where the router has none.
fn addresses(scenario: &Scenario, is_ipv4: bool) -> Option<(IpAddr, IpAddr)> {
    let own = scenario.vantage_address(is_ipv4)?;
    let gateway = scenario.routers.get(scenario.vantage.gateway.0)?.addresses.of(is_ipv4);
    let nameless = match own {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::new(169, 254, 0, 1)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
    };
    Some((own, gateway.unwrap_or(nameless)))
}

/// Frames go straight to the other end. The queue in front of an interface drops all of them until the kernel
/// finds the time to start it (packet(7)).
#[derive(Clone, Copy, Debug)]
struct PastTheQueue;

nix::setsockopt_impl!(PastTheQueue, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, bool, SetBool);

/// A socket that sees every frame on the lab's end. `pnet` binds it; reading and writing are done here,
/// many frames a wake-up, and with waits shorter than the milliseconds of its channel.
fn packet_socket() -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    setsockopt(&socket, PastTheQueue, &true)?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    }
    let mut interfaces = datalink::interfaces().into_iter();
    let interface = interfaces.find(|interface| interface.name == INTERNET);
    let interface = interface.ok_or(io::ErrorKind::NotFound)?;
    // The channel closes the descriptor that it was given; the other one stays bound.
    let given_away = socket.try_clone()?.into_raw_fd();
    let config = datalink::Config { socket_fd: Some(given_away), ..datalink::Config::default() };
    datalink::channel(&interface, config)?;
    Ok(socket.into())
}

/// What the thread has.
struct Internet {
    simulator: Simulator,
    socket: OwnedFd,
    /// The addresses that the gateway's hardware address belongs to.
    gateways: Vec<IpAddr>,
    clock: SystemClock,
    /// When the simulator's time began.
    origin: MonoTime,
    stop: Arc<AtomicBool>,
}

impl Internet {
    fn run(mut self) {
        let mut frame = vec![0; LARGEST_FRAME];
        while !self.stop.load(Ordering::Relaxed) {
            self.receive(&mut frame);
            self.answer();
            self.wait();
        }
    }

    fn now(&self) -> MonoTime {
        MonoTime::default().after(self.clock.mono().since(self.origin))
    }

    fn receive(&mut self, frame: &mut [u8]) {
        for _ in 0..BATCH {
            let received = recv(self.socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT);
            let Ok(length) = received else { return };
            let Some(frame) = frame.get_mut(..length) else { return };
            if let Some(answer) = neighbours::answer(frame, &self.gateways) {
                self.send(&answer);
                continue;
            }
            let Some(packet) = from_vantage(frame) else { continue };
            complete_checksum(packet);
            let now = self.now();
            self.simulator.inject(now, packet);
        }
    }

    fn answer(&mut self) {
        let now = self.now();
        while let Some((_, packet)) = self.simulator.advance(now) {
            self.send(&to_vantage(&packet));
        }
    }

    /// A frame that the system does not take is lost, as on a full link.
    fn send(&self, frame: &[u8]) {
        let _ = send(self.socket.as_raw_fd(), frame, MsgFlags::MSG_DONTWAIT);
    }

    fn wait(&self) {
        let due = self.simulator.next_due().unwrap_or(MonoTime::NEVER);
        let wait = due.since(self.now()).min(LONGEST_WAIT);
        let mut sources = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // An interrupted wait is only a shorter one.
        let _ = ppoll(&mut sources, Some(wait.into()), None);
    }
}

/// The IP packet of a frame from the vantage to the gateway; `None` for any other frame, also for those
/// that the lab itself has sent.
fn from_vantage(frame: &mut [u8]) -> Option<&mut [u8]> {
    let (header, packet) = frame.split_at_mut_checked(HEADER)?;
    let to_gateway = header.starts_with(&GATEWAY_MAC);
    let is_ip = header.ends_with(&IPV4) || header.ends_with(&IPV6);
    (to_gateway && is_ip).then_some(packet)
}

fn to_vantage(packet: &[u8]) -> Vec<u8> {
    let is_ipv6 = packet.first().is_some_and(|first| first >> 4 == 6);
    let kind = if is_ipv6 { IPV6 } else { IPV4 };
    [VANTAGE_MAC.as_slice(), &GATEWAY_MAC, &kind, packet].concat()
}

#[cfg(test)]
mod tests;
