//! The packet path against a real kernel, in network namespaces that lead nowhere.
//!
//! They send packets, and so they refuse to run where there is any interface but loopback; each then
//! makes one more namespace for itself, so that none can see or change another's.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use futures_util::TryStreamExt;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::{Handle, LinkUnspec, LinkVeth};

use super::*;
use crate::model::{FlowId, Port, Protocol, ReplyKind, RoundId, RttSource, SystemClock, Ttl, Unreachable};
use crate::wire::{Codec, MatchKey, Sources, TagKey};

const LOOPBACK: Sources = Sources { v4: Some(Ipv4Addr::LOCALHOST), v6: Some(Ipv6Addr::LOCALHOST) };
const BOTH: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

pub(super) fn codec(sources: Sources) -> Codec {
    Codec::new(TagKey::from_bytes([7; 16]), sources, Some("mailto:noc@example.net")).unwrap()
}

pub(super) fn echo(target: &str) -> Probe {
    Probe {
        round: RoundId(1),
        target: target.parse().unwrap(),
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(0),
        ttl: Ttl::TO_THE_END,
        attempt: 0,
    }
}

fn probe(target: IpAddr, protocol: Protocol, port: u16) -> Probe {
    Probe { protocol, port: Port::new(port), ..echo(&target.to_string()) }
}

/// Runs a test in a network namespace of its own, where only loopback is, and is up.
fn alone(test: impl FnOnce(&Network) + Send + 'static) {
    let outcome = std::thread::spawn(move || {
        assert_nothing_can_leave();
        unshare(CloneFlags::CLONE_NEWNET).expect("a namespace inside the namespace");
        assert_nothing_can_leave();
        let network = Network::new();
        network.set_up("lo");
        test(&network);
    })
    .join();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

/// Asked of the kernel in another way than the product does.
fn assert_nothing_can_leave() {
    let mut table = String::new();
    std::fs::File::open("/proc/thread-self/net/dev").unwrap().read_to_string(&mut table).unwrap();
    let names: Vec<&str> =
        table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    assert_eq!(
        names,
        ["lo"],
        "this test sends packets: run it in a network namespace of its own (unshare -Urn)"
    );
}

/// Sets up links in the namespace of the thread that made it.
struct Network {
    runtime: tokio::runtime::Runtime,
    handle: Handle,
}

impl Network {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            handle
        });
        Self { runtime, handle }
    }

    fn index(&self, name: &str) -> u32 {
        let mut links = self.handle.link().get().match_name(name.to_owned()).execute();
        self.runtime.block_on(links.try_next()).unwrap().unwrap().header.index
    }

    fn set_up(&self, name: &str) {
        let change = LinkUnspec::new_with_index(self.index(name)).up().build();
        self.runtime.block_on(self.handle.link().set(change).execute()).unwrap();
    }

    fn add_pair(&self, one: &str, other: &str) {
        let pair = LinkVeth::new(one, other).build();
        self.runtime.block_on(self.handle.link().add(pair).execute()).unwrap();
    }

    /// Gives an interface to the namespace of another thread.
    fn give_away(&self, name: &str, thread: u32) {
        let change = LinkUnspec::new_with_index(self.index(name)).setns_by_pid(thread).build();
        self.runtime.block_on(self.handle.link().set(change).execute()).unwrap();
    }
}

/// Sends one probe and collects what comes of it until it has left and been answered.
fn exchange(link: &mut impl Link, probe: Probe) -> (MonoTime, Vec<Arrival>) {
    let sent = link.send(Permit::for_test(probe)).unwrap();
    let deadline = sent.after(Duration::from_secs(5));
    let mut arrivals = Vec::new();
    while arrivals.len() < 2 && link.now() < deadline {
        arrivals.extend(link.wait(deadline));
    }
    (sent, arrivals)
}

fn raw_link() -> RawLink {
    let vantage = Vantage::find(Some("lo"), None, None).unwrap();
    assert_eq!(vantage.sources, LOOPBACK);
    RawLink::open(&vantage, codec(LOOPBACK), SystemClock::start()).unwrap()
}

/// Checks that a probe left, was answered by its target, and that both ends are stamped by the kernel on
/// one clock; returns what the answer says.
fn answer_to(link: &mut RawLink, probe: Probe) -> ReplyKind {
    let (sent, arrivals) = exchange(link, probe);
    let [Arrival::Departed { key, kernel: left }, Arrival::Answer { answer, at, kernel: Some(came) }] =
        arrivals.as_slice()
    else {
        panic!("{probe:?}: {arrivals:?}")
    };
    let expected: MatchKey = codec(LOOPBACK).key_of(&probe);
    assert_eq!((*key, answer.key, answer.from), (expected, expected, probe.target));
    assert!(came >= left && came.since(*left) <= at.since(sent), "{left} to {came}");
    answer.kind
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_echo_is_seen_leaving_and_coming_back_with_the_kernels_stamps() {
    alone(|_| {
        let mut link = raw_link();
        for target in BOTH {
            assert_eq!(answer_to(&mut link, probe(target, Protocol::Icmp, 0)), ReplyKind::EchoReply);
        }
        assert_eq!((link.receive_errors(), link.send_retries(), link.kernel_drops()), (0, 0, 0));
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_open_port_says_syn_ack_and_a_closed_one_rst() {
    alone(|_| {
        let mut link = raw_link();
        for target in BOTH {
            let listener = TcpListener::bind(SocketAddr::new(target, 0)).unwrap();
            let open = listener.local_addr().unwrap().port();
            assert_eq!(answer_to(&mut link, probe(target, Protocol::Tcp, open)), ReplyKind::SynAck);
            assert_eq!(answer_to(&mut link, probe(target, Protocol::Tcp, 1)), ReplyKind::Rst);
        }
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_closed_udp_port_says_so() {
    alone(|_| {
        let mut link = raw_link();
        for target in BOTH {
            let kind = answer_to(&mut link, probe(target, Protocol::Udp, 33_434));
            assert_eq!(kind, ReplyKind::Unreachable(Unreachable::Port));
        }
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_vantage_without_a_route_is_told_so_and_not_met_with_silence() {
    alone(|_| {
        let mut link = raw_link();
        for target in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!(link.send(Permit::for_test(echo(target))), Err(SendFault::NoRoute), "{target}");
        }
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn waiting_ends_in_time_and_strangers_are_counted() {
    alone(|_| {
        let mut link = raw_link();
        let mut stranger = RawLink::open(
            &Vantage::find(Some("lo"), None, None).unwrap(),
            Codec::new(TagKey::from_bytes([8; 16]), LOOPBACK, None).unwrap(),
            SystemClock::start(),
        )
        .unwrap();
        drop(std::net::TcpStream::connect("127.0.0.1:1"));
        stranger.wait(stranger.now().after(Duration::from_millis(5)));
        let before = link.now();
        while link.wait(before.after(Duration::from_millis(20))).is_some() {}
        let waited = link.now().since(before);
        assert!((Duration::from_millis(20)..Duration::from_secs(2)).contains(&waited), "{waited:?}");
        assert!(link.foreign() > 0);
        let before = link.now();
        assert!(link.wait(MonoTime::NEVER).is_none());
        assert!(link.now().since(before) < Duration::from_secs(2));
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn the_unprivileged_engine_pings_both_families_and_refuses_what_it_cannot_do() {
    alone(|_| {
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").unwrap();
        let patience = Duration::from_secs(2);
        let mut link =
            UnprivilegedLink::open(LOOPBACK, codec(LOOPBACK), patience, SystemClock::start()).unwrap();
        for target in BOTH {
            let wanted = probe(target, Protocol::Icmp, 0);
            link.send(Permit::for_test(wanted)).unwrap();
            let deadline = link.now().after(patience);
            let arrival = std::iter::from_fn(|| (link.now() < deadline).then(|| link.wait(deadline)))
                .flatten()
                .next();
            let Some(Arrival::Matched { probe, reply, rtt }) = arrival else { panic!("{arrival:?}") };
            assert_eq!((probe, reply.from, reply.kind), (wanted, target, ReplyKind::EchoReply));
            assert_eq!((reply.reply_ttl, rtt.source), (None, RttSource::UserSpace));
        }
        for forbidden in [
            probe(BOTH[0], Protocol::Tcp, 80),
            probe(BOTH[1], Protocol::Udp, 33_434),
            Probe { ttl: Ttl::FIRST, ..probe(BOTH[0], Protocol::Icmp, 0) },
        ] {
            assert_eq!(link.send(Permit::for_test(forbidden)), Err(SendFault::Forbidden));
        }
        assert_eq!(link.send(Permit::for_test(echo("192.0.2.1"))), Err(SendFault::NoRoute));
        assert_eq!(link.send(Permit::for_test(echo("2001:db8::1"))), Err(SendFault::NoRoute));
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn without_the_group_range_the_unprivileged_engine_says_what_to_grant() {
    alone(|_| {
        // The kernel's default in a new namespace: no group at all.
        let refused =
            UnprivilegedLink::open(LOOPBACK, codec(LOOPBACK), Duration::ZERO, SystemClock::start());
        assert!(refused.unwrap_err().to_string().contains("net.ipv4.ping_group_range"));
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_namespace_is_closed_only_while_all_its_cables_end_in_it() {
    alone(|network| {
        assert_eq!(territory().unwrap(), Territory::Isolated);
        network.add_pair("one", "other");
        assert_eq!(territory().unwrap(), Territory::Lab);
        network.set_up("one");
        network.set_up("other");
        assert_eq!(territory().unwrap(), Territory::Lab);
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_cable_that_ends_elsewhere_is_a_way_out() {
    alone(|network| {
        network.add_pair("one", "other");
        in_another_namespace(|thread| {
            network.give_away("other", thread);
            assert_eq!(territory().unwrap(), Territory::Internet);
        });
    });
}

/// Runs `act` while a thread, whose number it is given, stays in a namespace of its own.
fn in_another_namespace(act: impl FnOnce(u32)) {
    let (tell, told) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let stay = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        tell.send(u32::try_from(nix::unistd::gettid().as_raw()).unwrap()).unwrap();
        let _ = released.recv();
    });
    act(told.recv().unwrap());
    drop(release);
    stay.join().unwrap();
}
