//! Echo without privilege: each probe is one ping of `surge-ping` through the kernel's datagram ICMP
//! sockets, behind the same permits as everything else.
//!
//! What it cannot do: other TTLs than the usual one, other protocols, the TTL of replies, ICMP errors
//! (they never reach it), and exact times: its round-trip times are taken in user space and are marked so.
//! The payload is the codec's own, with its attribution and tag, but replies are matched by `surge-ping`
//! alone: by address, sequence number, and the identifier that the kernel chose for the socket.
//!
//! ```text
//!   permit ─▶ ping: one future, polled once here, so that it is sent (or refused) before `send` returns
//!                    │ then finished by a thread of its own
//!   arrival ◀─ channel ◀─ reply, or nothing in time
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence, SurgeError};
use tokio::runtime::{self, Handle, Runtime};

use super::raw::fault_of;
use super::{Arrival, Link, NoEchoAccess, echo_access, fault_of_encoding};
use crate::measure::guard::Permit;
use crate::model::{
    Clock, MatchQuality, MonoTime, Probe, Protocol, Reply, ReplyKind, Rtt, RttSource, SendFault,
    SystemClock, Ttl,
};
use crate::wire::{Codec, Sources};

/// The longest [`Link::wait`].
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// How soon a new socket can be written to; it always can.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);

/// Bytes of an ICMP echo header.
const ECHO_HEADER: u16 = 8;

/// Why the unprivileged engine could not be started.
#[derive(Debug, thiserror::Error)]
pub enum UnprivilegedError {
    /// Datagram ICMP sockets are closed to this process.
    #[error(transparent)]
    Access(#[from] NoEchoAccess),
    /// The socket of a source address could not be opened.
    #[error("cannot open an echo socket on {source_address}")]
    Socket {
        /// Where it was to send from.
        source_address: IpAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The engine's thread could not be started.
    #[error("cannot start the thread of the echo engine")]
    Thread(#[source] io::Error),
}

/// A link for echo probes without privilege.
#[derive(Debug)]
pub struct UnprivilegedLink {
    clock: SystemClock,
    codec: Codec,
    /// How long each ping listens.
    patience: Duration,
    engine: Engine,
    /// Sequence numbers that wait for a reply.
    busy: BTreeSet<u16>,
    finished: mpsc::Receiver<Finished>,
    report: mpsc::Sender<Finished>,
    /// The packet being built, kept for its capacity.
    packet: Vec<u8>,
}

/// A ping that has ended.
#[derive(Debug)]
struct Finished {
    sequence: u16,
    /// `None` if nothing came in time.
    reply: Option<(Probe, Reply, Duration)>,
}

/// A ping that is on its way.
type Ping = Pin<Box<dyn Future<Output = Result<(IcmpPacket, Duration), SurgeError>> + Send>>;

impl UnprivilegedLink {
    /// Opens one socket a family. Each ping listens for `patience`, which should cover the time-out of the
    /// prober and what is still recorded as late; `clock` is the one that the caller reads.
    ///
    /// # Errors
    /// If the system does not give the sockets; the error says what to grant.
    pub fn open(
        sources: Sources,
        codec: Codec,
        patience: Duration,
        clock: SystemClock,
    ) -> Result<Self, UnprivilegedError> {
        echo_access()?;
        let (report, finished) = mpsc::channel();
        let engine = Engine::start(sources)?;
        let (busy, packet) = (BTreeSet::new(), Vec::new());
        Ok(Self { clock, codec, patience, engine, busy, finished, report, packet })
    }

    /// The tag's low half where it is free, so that it cannot be guessed; else the next free number.
    fn free_sequence(&self, probe: &Probe) -> Option<u16> {
        let [_, _, high, low] = self.codec.key_of(probe).tag.to_be_bytes();
        free(&self.busy, u16::from_be_bytes([high, low]))
    }

    fn ping(&mut self, probe: &Probe, sequence: u16) -> Result<Ping, SendFault> {
        self.codec.encode(probe, &mut self.packet).map_err(fault_of_encoding)?;
        let headers = ip_header(probe.target).saturating_add(ECHO_HEADER);
        let payload = self.packet.get(usize::from(headers)..).unwrap_or_default().to_vec();
        let client = self.engine.client(probe.target).ok_or(SendFault::NoSource)?;
        let (target, patience) = (probe.target, self.patience);
        Ok(Box::pin(async move {
            // The identifier is the kernel's; the one given here is not used.
            let mut pinger = client.pinger(target, PingIdentifier(0)).await;
            pinger.timeout(patience).ping(PingSequence(sequence), &payload).await
        }))
    }

    /// Lets the engine wait for the rest of a ping that has been sent.
    fn follow(&mut self, probe: Probe, sequence: u16, ping: Ping) {
        self.busy.insert(sequence);
        let report = self.report.clone();
        self.engine.handle.spawn(async move {
            let reply = ping.await.ok().and_then(|(packet, rtt)| Some((probe, reply_of(&packet)?, rtt)));
            // Nobody listens any more when the link is being closed.
            let _ = report.send(Finished { sequence, reply });
        });
    }
}

impl Link for UnprivilegedLink {
    fn now(&self) -> MonoTime {
        self.clock.mono()
    }

    /// [`SendFault::Forbidden`] for what this engine cannot send.
    fn send(&mut self, permit: Permit) -> Result<MonoTime, SendFault> {
        let probe = *permit.probe();
        if probe.protocol != Protocol::Icmp || probe.ttl != Ttl::TO_THE_END {
            return Err(SendFault::Forbidden);
        }
        let sequence = self.free_sequence(&probe).ok_or(SendFault::NoBuffer)?;
        let mut ping = self.ping(&probe, sequence)?;
        let at = self.now();
        match self.engine.poll_once(&mut ping) {
            Poll::Pending => self.follow(probe, sequence, ping),
            // A near target may have answered already.
            Poll::Ready(Ok(reply)) => self.follow(probe, sequence, Box::pin(std::future::ready(Ok(reply)))),
            Poll::Ready(Err(SurgeError::IOError(error))) => return Err(fault_of(&error)),
            Poll::Ready(Err(_)) => return Err(SendFault::Other),
        }
        Ok(at)
    }

    fn wait(&mut self, until: MonoTime) -> Option<Arrival> {
        let deadline = until.min(self.now().after(LONGEST_WAIT));
        loop {
            let finished = self.finished.recv_timeout(deadline.since(self.now())).ok()?;
            self.busy.remove(&finished.sequence);
            if let Some((probe, reply, span)) = finished.reply {
                let rtt = Rtt { span, source: RttSource::UserSpace };
                return Some(Arrival::Matched { probe, reply, rtt });
            }
        }
    }

    fn kernel_drops(&self) -> u64 {
        0
    }
}

fn free(busy: &BTreeSet<u16>, wanted: u16) -> Option<u16> {
    (wanted..=u16::MAX).chain(0..wanted).find(|sequence| !busy.contains(sequence))
}

/// Its sockets, and the thread that waits for replies.
struct Engine {
    v4: Option<Client>,
    v6: Option<Client>,
    handle: Handle,
    /// There until the engine is dropped.
    runtime: Option<Runtime>,
}

impl Engine {
    fn start(sources: Sources) -> Result<Self, UnprivilegedError> {
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("echo")
            .enable_all()
            .build()
            .map_err(UnprivilegedError::Thread)?;
        let handle = runtime.handle().clone();
        let mut engine = Self { v4: None, v6: None, handle, runtime: Some(runtime) };
        engine.v4 = sources.v4.map(|source| engine.open(source.into(), ICMP::V4)).transpose()?;
        engine.v6 = sources.v6.map(|source| engine.open(source.into(), ICMP::V6)).transpose()?;
        Ok(engine)
    }

    fn open(&self, source_address: IpAddr, kind: ICMP) -> Result<Client, UnprivilegedError> {
        let config = Config::builder()
            .kind(kind)
            .bind(SocketAddr::new(source_address, 0))
            .ttl(u32::from(Ttl::TO_THE_END.get()))
            .build();
        let _inside = self.handle.enter();
        let client =
            Client::new(&config).map_err(|source| UnprivilegedError::Socket { source_address, source })?;
        self.settle(&client, kind);
        Ok(client)
    }

    /// Waits until the runtime knows that the socket can be written to, so that the first poll of each
    /// ping does send it. The kernel refuses a datagram that is too short for an ICMP header before it
    /// looks at the address; nothing is sent.
    fn settle(&self, client: &Client, kind: ICMP) {
        let nowhere = match kind {
            ICMP::V4 => IpAddr::from(Ipv4Addr::LOCALHOST),
            ICMP::V6 => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        let (settled, wait) = mpsc::channel();
        let socket = client.get_socket();
        self.handle.spawn(async move {
            let refused = socket.send_to(&mut [], &SocketAddr::new(nowhere, 0)).await;
            let _ = settled.send(refused.is_err());
        });
        let _ = wait.recv_timeout(SETTLES_WITHIN);
    }

    fn client(&self, target: IpAddr) -> Option<Client> {
        let client = match target {
            IpAddr::V4(_) => &self.v4,
            IpAddr::V6(_) => &self.v6,
        };
        client.clone()
    }

    fn poll_once(&self, ping: &mut Ping) -> Poll<Result<(IcmpPacket, Duration), SurgeError>> {
        let _inside = self.handle.enter();
        ping.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }
}

impl Drop for Engine {
    /// Leaves pings alone that still wait, and does not block, wherever it is dropped.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// `None` if it is no echo reply.
fn reply_of(packet: &IcmpPacket) -> Option<Reply> {
    let (from, icmp, size) = match packet {
        IcmpPacket::V4(packet) => {
            let icmp = (packet.get_icmp_type().0, packet.get_icmp_code().0);
            (IpAddr::from(packet.get_source()), icmp, packet.get_size())
        }
        IcmpPacket::V6(packet) => {
            let icmp = (packet.get_icmpv6_type().0, packet.get_icmpv6_code().0);
            (IpAddr::from(packet.get_source()), icmp, packet.get_size())
        }
    };
    let echo_reply = if from.is_ipv4() { 0 } else { 129 };
    (icmp.0 == echo_reply).then(|| Reply {
        from,
        kind: ReplyKind::EchoReply,
        icmp: Some(icmp),
        reply_ttl: None,
        quoted_ttl: None,
        mpls: Vec::new(),
        size: u16::try_from(size).unwrap_or(u16::MAX).saturating_add(ip_header(from)),
        ip_id: None,
        matched: MatchQuality::Exact,
    })
}

/// Bytes of an IP header without options.
const fn ip_header(address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(_) => 20,
        IpAddr::V6(_) => 40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_number_is_never_used_twice_at_a_time() {
        let wanted = 7;
        let busy = BTreeSet::from([7, 8]);
        assert_eq!(free(&busy, wanted), Some(9));
        assert_eq!(free(&BTreeSet::from([u16::MAX]), u16::MAX), Some(0));
        assert_eq!(free(&(0..=u16::MAX).collect(), wanted), None);
    }
}
