//! Frames past the kernel's stack, against a real kernel: what leaves, to whom, and what is left to the
//! kernel. At the far end of the cable stands a packet socket, or a neighbour in another namespace.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Command;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::bind;
use socket2::{Domain, Socket, Type};

use super::*;

/// Locally administered hardware addresses that nobody has.
const ONE: &str = "02:00:00:00:00:0a";
const OTHER: &str = "02:00:00:00:00:0b";

const GATEWAYS: [&str; 2] = ["192.0.2.254", "2001:db8::254"];
const TARGETS: [&str; 2] = ["198.51.100.9", "2001:db8:9::9"];

/// Runs `ip` with these arguments, in the namespace of the calling thread.
fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split_whitespace()).status().expect("iproute2");
    assert!(done.success(), "ip {arguments}");
}

/// One end of a cable, and what arrives at the other.
struct Wired {
    link: RawLink,
    vantage: Vantage,
    far: Socket,
}

impl Wired {
    /// Both ends here, and a gateway of each family whose hardware address is known.
    fn new(network: &Network) -> Self {
        network.add_pair("near", "far");
        std::fs::write("/proc/sys/net/ipv6/conf/far/disable_ipv6", "1").unwrap();
        network.set_up("far");
        network.set_up_with("near", "192.0.2.1", "2001:db8::1");
        Self::lead();
        let vantage = Vantage::find(Some("near"), None, None).unwrap();
        let link = open(&vantage, PacketPath::Packet);
        let everything = socket2::Protocol::from(i32::from(3_u16.to_be()));
        let far = Socket::new(Domain::PACKET, Type::RAW, Some(everything)).unwrap();
        let mut ends = getifaddrs().unwrap().filter(|entry| entry.interface_name == "far");
        let end = ends.find_map(|entry| entry.address?.as_link_addr().copied()).unwrap();
        bind(far.as_raw_fd(), &end).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self { link, vantage, far }
    }

    /// The gateways, and the routes through them.
    fn lead() {
        for (gateway, target) in GATEWAYS.into_iter().zip(TARGETS) {
            ip(&format!("neighbour replace {gateway} lladdr {ONE} dev near nud permanent"));
            ip(&format!("route replace {target} via {gateway} dev near"));
        }
    }

    /// Waits until the link will read changed tables again.
    fn settle(&mut self) {
        let settled = self.link.now().after(Duration::from_millis(110));
        while self.link.now() < settled {
            self.link.wait(settled);
        }
    }

    /// The next frame that carries this packet.
    fn frame_with(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 2_048];
        loop {
            let length = self.far.read(&mut frame).expect("a frame");
            if &frame[14..length] == packet {
                return frame[..length].to_vec();
            }
        }
    }

    fn built(&self, probe: &Probe) -> Vec<u8> {
        let mut packet = Vec::new();
        codec(self.vantage.sources).encode(probe, &mut packet).unwrap();
        packet
    }

    /// Sends a probe and says to which hardware address it went, and whether past the kernel.
    fn sent_to(&mut self, probe: Probe) -> (String, bool) {
        self.settle();
        let before = self.link.framed();
        self.link.send(Permit::for_test(probe)).unwrap();
        let frame = self.frame_with(&self.built(&probe));
        let octets: Vec<String> = frame[..6].iter().map(|octet| format!("{octet:02x}")).collect();
        (octets.join(":"), self.link.framed() > before)
    }

    fn expect_sent(&mut self, round: u64, expected: &str, past_the_kernel: bool, why: &str) {
        for target in TARGETS {
            let probe = Probe { round: RoundId(round), ..echo(target) };
            assert_eq!(self.sent_to(probe), (expected.to_owned(), past_the_kernel), "{target}: {why}");
        }
    }
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_frame_carries_byte_for_byte_what_was_built_in_a_namespace() {
    alone(|network| {
        let mut wired = Wired::new(network);
        let own = pnet::datalink::interfaces().into_iter().find(|one| one.name == "near").unwrap();
        let own = own.mac.unwrap().octets();
        for (target, kind) in TARGETS.into_iter().zip([[0x08, 0x00], [0x86, 0xdd]]) {
            for protocol in [Protocol::Icmp, Protocol::Udp, Protocol::Tcp] {
                let probe = Probe { flow: FlowId(3), ..probe(target.parse().unwrap(), protocol, 33_434) };
                wired.link.send(Permit::for_test(probe)).unwrap();
                let built = wired.built(&probe);
                let expected = [[2, 0, 0, 0, 0, 0x0a].as_slice(), &own, &kind, &built].concat();
                assert_eq!(wired.frame_with(&built), expected, "{probe:?}");
            }
        }
        assert_eq!(wired.link.framed(), 6, "none was left to the kernel");
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn of_many_probes_each_is_told_of_once_and_leaves_in_its_turn_in_a_namespace() {
    alone(|network| {
        let mut wired = Wired::new(network);
        let probes: Vec<Probe> = (0..150)
            .map(|round| Probe { round: RoundId(round), ..echo(TARGETS[usize::from(round % 7 == 0)]) })
            .collect();
        let too_high = Probe { flow: FlowId(u16::MAX), ..probes[0] };
        let mut permits: Vec<Permit> =
            probes.iter().chain([&too_high]).map(|probe| Permit::for_test(*probe)).collect();
        let mut told = Vec::new();
        wired.link.send_all(&mut permits, &mut |probe, sent| told.push((*probe, sent.is_ok())));
        assert!(permits.is_empty());
        told.sort_unstable();
        let mut expected: Vec<(Probe, bool)> = probes.iter().map(|probe| (*probe, true)).collect();
        expected.push((too_high, false));
        expected.sort_unstable();
        assert_eq!(told, expected);
        for probe in &probes {
            wired.frame_with(&wired.built(probe));
        }
        let mut departed = 0;
        while let Some(arrival) = wired.link.wait(wired.link.now().after(Duration::from_millis(50))) {
            assert!(matches!(arrival, Arrival::Departed { .. }), "{arrival:?}");
            departed += 1;
        }
        assert_eq!(departed, 150, "the driver stamped each of them, once");
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn changes_of_routes_and_neighbours_are_followed_in_a_namespace() {
    alone(|network| {
        let mut wired = Wired::new(network);
        wired.expect_sent(1, ONE, true, "at first");
        for gateway in GATEWAYS {
            ip(&format!("neighbour replace {gateway} lladdr {OTHER} dev near nud permanent"));
        }
        wired.expect_sent(2, OTHER, true, "the gateway has another hardware address");
        for (gateway, target) in ["192.0.2.253", "2001:db8::253"].into_iter().zip(TARGETS) {
            ip(&format!("neighbour replace {gateway} lladdr {ONE} dev near nud permanent"));
            ip(&format!("route replace {target} via {gateway} dev near"));
        }
        wired.expect_sent(3, ONE, true, "another gateway");
        Wired::lead();
        let seconds = ["192.0.2.253", "2001:db8::253"];
        for ((first, second), target) in GATEWAYS.into_iter().zip(seconds).zip(TARGETS) {
            let hops = format!("nexthop via {first} dev near nexthop via {second} dev near");
            ip(&format!("route replace {target} {hops}"));
        }
        wired.expect_sent(4, ONE, false, "which of several next hops, only the kernel knows");
        Wired::lead();
        wired.expect_sent(5, ONE, true, "one gateway again");
        ip("rule add from 203.0.113.1 lookup 100");
        ip("-6 rule add from 2001:db8:ffff::1 lookup 100");
        wired.expect_sent(6, ONE, false, "rules beside the tables are the kernel's business");
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn an_interface_that_was_down_sends_frames_again_in_a_namespace() {
    alone(|network| {
        let mut wired = Wired::new(network);
        network.set_down("near");
        for target in TARGETS {
            let refused = wired.link.send(Permit::for_test(echo(target)));
            assert!(
                matches!(refused, Err(SendFault::NoRoute | SendFault::InterfaceDown)),
                "{target}: {refused:?}"
            );
        }
        network.set_up("near");
        ip("address replace 2001:db8::1/64 dev near nodad");
        Wired::lead();
        wired.expect_sent(1, ONE, true, "up again");
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn a_neighbour_is_found_by_the_kernel_and_then_gets_frames_in_a_namespace() {
    alone(|network| {
        network.add_pair("near", "far");
        let neighbour = Elsewhere::new();
        network.give_away("far", neighbour.thread);
        neighbour.set_up("far", "192.0.2.2", "2001:db8::2");
        network.set_up_with("near", "192.0.2.1", "2001:db8::1");
        let vantage = Vantage::find(None, None, None).unwrap();
        let mut link = open(&vantage, PacketPath::Packet);
        for (target, framed) in ["192.0.2.2", "2001:db8::2"].into_iter().zip([1, 2]) {
            for attempt in 0..2 {
                let (sent, arrivals) = exchange(&mut link, Probe { attempt, ..echo(target) });
                let [
                    Arrival::Departed { kernel: left, .. },
                    Arrival::Answer { answer, at, kernel: Some(came) },
                ] = arrivals.as_slice()
                else {
                    panic!("{target}: {arrivals:?}")
                };
                assert_eq!((answer.from, answer.kind), (target.parse().unwrap(), ReplyKind::EchoReply));
                assert!(came >= left && came.since(*left) <= at.since(sent), "{left:?} to {came:?}");
                while link.wait(link.now().after(Duration::from_millis(2))).is_some() {}
            }
            assert_eq!(link.framed(), framed, "{target}: the first packet made the kernel look");
        }
    });
}

#[test]
#[ignore = "needs its own network namespace: scripts/test runs it there"]
fn where_there_is_no_ethernet_packets_go_through_the_kernel_in_a_namespace() {
    alone(|_| {
        let vantage = Vantage::find(Some("lo"), None, None).unwrap();
        let mut link = open(&vantage, PacketPath::Packet);
        assert_eq!(answer_to(&mut link, echo("127.0.0.1")), ReplyKind::EchoReply);
        assert_eq!(link.framed(), 0);
    });
}
