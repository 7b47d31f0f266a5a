//! The packet path against a real kernel, in network namespaces that lead nowhere.
//!
//! They send packets, and so they refuse to run where there is any interface but loopback; each then
//! makes one more namespace for itself, so that none can see or change another's.

mod frames;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use futures_util::TryStreamExt;
use nix::sched::{CloneFlags, unshare};
use rtnetlink::packet_route::address::AddressHeaderFlags;
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
pub(super) fn alone(test: impl FnOnce(&Network) + Send + 'static) {
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

/// Interfaces that are down are no way out: some kernels put tunnels into every namespace.
fn assert_nothing_can_leave() {
    let ways = pnet::datalink::interfaces().into_iter().filter(|i| i.is_up() && !i.is_loopback());
    let names: Vec<String> = ways.map(|interface| interface.name).collect();
    assert!(names.is_empty(), "packets could leave by {names:?}: run this test under `unshare -Urn`");
}

/// Sets up links in the namespace of the thread that made it.
pub(super) struct Network {
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

    fn set_down(&self, name: &str) {
        let change = LinkUnspec::new_with_index(self.index(name)).down().build();
        self.runtime.block_on(self.handle.link().set(change).execute()).unwrap();
    }

    /// With an address of each family, usable at once (no duplicate address detection).
    fn set_up_with(&self, name: &str, v4: &str, v6: &str) {
        self.set_up(name);
        let index = self.index(name);
        for (address, length) in [(v4, 24), (v6, 64)] {
            let mut add = self.handle.address().add(index, address.parse().unwrap(), length);
            // Usable at once: even where nobody else is asked, the kernel checks for duplicates some time later.
            add.message_mut().header.flags.insert(AddressHeaderFlags::Nodad);
            self.runtime.block_on(add.execute()).unwrap();
        }
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

fn open(vantage: &Vantage, path: PacketPath) -> RawLink {
    let rate = Pps::new(100.0).unwrap();
    RawLink::open(vantage, codec(vantage.sources), SystemClock::start(), path, rate).unwrap()
}

fn raw_link() -> RawLink {
    let vantage = Vantage::find(Some("lo"), None, None).unwrap();
    assert_eq!(vantage.sources, LOOPBACK);
    open(&vantage, PacketPath::Auto)
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
    assert!(came >= left && came.since(*left) <= at.since(sent), "{left:?} to {came:?}");
    answer.kind
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_echo_is_seen_leaving_and_coming_back_with_the_kernels_stamps_in_a_namespace() {
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
fn an_open_port_says_syn_ack_and_a_closed_one_rst_in_a_namespace() {
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
fn a_closed_udp_port_says_so_in_a_namespace() {
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
fn a_vantage_without_a_route_is_told_so_and_not_met_with_silence_in_a_namespace() {
    alone(|_| {
        let mut link = raw_link();
        for target in ["192.0.2.1", "2001:db8::1"] {
            assert_eq!(link.send(Permit::for_test(echo(target))), Err(SendFault::NoRoute), "{target}");
        }
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn waiting_ends_in_time_and_strangers_are_counted_in_a_namespace() {
    alone(|_| {
        let mut link = raw_link();
        // A host's own business, from a port that no flow has.
        let stranger = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        stranger.bind(&SocketAddr::new(BOTH[0], 20_000).into()).unwrap();
        assert!(stranger.connect(&SocketAddr::new(BOTH[0], 1).into()).is_err());
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
fn the_unprivileged_engine_pings_both_families_and_refuses_what_it_cannot_do_in_a_namespace() {
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
fn without_the_group_range_the_unprivileged_engine_says_what_to_grant_in_a_namespace() {
    alone(|_| {
        // The kernel's default in a new namespace: no group at all.
        let refused =
            UnprivilegedLink::open(LOOPBACK, codec(LOOPBACK), Duration::ZERO, SystemClock::start());
        assert!(refused.unwrap_err().to_string().contains("net.ipv4.ping_group_range"));
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn the_kernels_own_choice_of_a_source_is_taken_in_a_namespace() {
    alone(|network| {
        network.add_pair("one", "other");
        network.set_up("one");
        network.set_up("other");
        for command in [
            "address add 198.18.0.1/32 dev one scope host",
            "address add 192.0.2.7/24 dev one",
            "address add 192.0.2.8/32 dev one",
            "address add 2001:db8::7/64 dev one nodad",
            "route add default via 192.0.2.1 dev one src 192.0.2.8",
        ] {
            ip(command);
        }
        let sources = Vantage::find(None, None, None).unwrap().sources;
        let expected = Sources { v4: "192.0.2.8".parse().ok(), v6: "2001:db8::7".parse().ok() };
        assert_eq!(sources, expected);
        ip("route replace default via 192.0.2.1 dev one");
        assert_eq!(Vantage::find(None, None, None).unwrap().sources.v4, "192.0.2.7".parse().ok());
    });
}

fn ip(arguments: &str) {
    let status = std::process::Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_namespace_is_closed_only_while_all_its_cables_end_in_it_in_a_namespace() {
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
fn a_cable_that_ends_elsewhere_is_a_way_out_in_a_namespace() {
    alone(|network| {
        network.add_pair("one", "other");
        let elsewhere = Elsewhere::new();
        network.give_away("other", elsewhere.thread);
        assert_eq!(territory().unwrap(), Territory::Internet);
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_neighbour_over_a_cable_is_found_and_answers_in_a_namespace() {
    alone(|network| {
        network.add_pair("near", "far");
        let neighbour = Elsewhere::new();
        network.give_away("far", neighbour.thread);
        neighbour.set_up("far", "192.0.2.2", "2001:db8::2");
        network.set_up_with("near", "192.0.2.1", "2001:db8::1");
        let vantage = Vantage::find(None, None, None).unwrap();
        assert_eq!(vantage.interface, "near");
        let mut link = open(&vantage, PacketPath::Raw);
        for target in ["192.0.2.2", "2001:db8::2"] {
            let (_, arrivals) = exchange(&mut link, echo(target));
            let [Arrival::Departed { .. }, Arrival::Answer { answer, kernel: Some(_), .. }] =
                arrivals.as_slice()
            else {
                panic!("{target}: {arrivals:?}")
            };
            assert_eq!((answer.from, answer.kind), (target.parse().unwrap(), ReplyKind::EchoReply));
        }
        network.set_down("near");
        for target in ["192.0.2.2", "2001:db8::2"] {
            let refused = link.send(Permit::for_test(echo(target)));
            assert_eq!(refused, Err(SendFault::NoRoute), "{target}: a cable that is out is no silence");
        }
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_interface_that_went_down_and_came_up_again_is_measured_on_in_a_namespace() {
    alone(|network| {
        let mut link = raw_link();
        network.set_down("lo");
        while link.wait(link.now()).is_some() {}
        network.set_up("lo");
        assert_eq!(answer_to(&mut link, echo("127.0.0.1")), ReplyKind::EchoReply);
        assert!(link.receive_errors() > 0, "the kernel told of it, and the loop went on");
    });
}

#[test]
fn links_can_be_given_to_a_thread() {
    fn can<T: Send>() {}
    can::<RawLink>();
    can::<UnprivilegedLink>();
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn every_packet_of_many_batches_keeps_its_kernel_stamp_in_a_namespace() {
    const PROBES: u64 = 1_000;
    alone(|_| {
        let mut link = raw_link();
        let (mut left, mut came) = (0, 0);
        for round in 0..PROBES {
            link.send(Permit::for_test(Probe { round: RoundId(round), ..echo("127.0.0.1") })).unwrap();
        }
        let deadline = link.now().after(Duration::from_secs(60));
        while let Some(arrival) = link.wait(deadline) {
            match arrival {
                Arrival::Departed { .. } => left += 1,
                Arrival::Answer { kernel: Some(_), .. } => came += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((left, came), (PROBES, PROBES));
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn packets_that_the_kernel_drops_are_counted_in_a_namespace() {
    alone(|_| {
        let mut link = raw_link();
        for round in 0..40_000 {
            link.send(Permit::for_test(Probe { round: RoundId(round), ..echo("127.0.0.1") })).unwrap();
        }
        let deadline = link.now().after(Duration::from_secs(60));
        while link.wait(deadline).is_some() {}
        assert!(link.kernel_drops() > 0, "as many packets as this fit into the buffer");
    });
}

/// A thread in a namespace of its own, beside that of the test.
struct Elsewhere {
    /// Its number.
    thread: u32,
    orders: mpsc::Sender<[String; 3]>,
    done: mpsc::Receiver<()>,
}

impl Elsewhere {
    fn new() -> Self {
        let (tell, told) = mpsc::channel();
        let (orders, ordered) = mpsc::channel::<[String; 3]>();
        let (report, done) = mpsc::channel();
        std::thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell.send(u32::try_from(nix::unistd::gettid().as_raw()).unwrap()).unwrap();
            while let Ok([name, v4, v6]) = ordered.recv() {
                Network::new().set_up_with(&name, &v4, &v6);
                report.send(()).unwrap();
            }
        });
        Self { thread: told.recv().unwrap(), orders, done }
    }

    fn set_up(&self, name: &str, v4: &str, v6: &str) {
        self.orders.send([name, v4, v6].map(str::to_owned)).unwrap();
        self.done.recv().unwrap();
    }
}
