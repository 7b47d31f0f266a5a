//! The judge is tshark, which reads every packet that left the vantage.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::lab::{END, PROTOCOLS, Row, rows, run, trace};

/// An address that nobody has, in the network of the targets, so that each hop from there on is asked more
/// than once.
const SILENT: [&str; 2] = ["10.66.9.77", "fd66:9::77"];

const FLOWS: u16 = 4;

/// What is asked of tshark, by its names: first what tells a packet, then what load balancers hash and what
/// must therefore be the same in all packets of a flow, then what tshark thinks of the checksums.
const FIELDS: [&str; 26] = [
    "ip.ttl",
    "ipv6.hlim",
    "tcp.flags",
    "_ws.malformed",
    // hashed
    "ip.src",
    "ip.dst",
    "ipv6.src",
    "ipv6.dst",
    "ip.proto",
    "ipv6.nxt",
    "ip.dsfield",
    "ipv6.tclass",
    "ipv6.flow",
    "udp.srcport",
    "udp.dstport",
    "tcp.srcport",
    "tcp.dstport",
    "icmp.type",
    "icmp.code",
    "icmp.checksum",
    "icmpv6.type",
    // judged
    "ip.checksum.status",
    "udp.checksum.status",
    "tcp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
];
const HASHED: std::ops::Range<usize> = 4..21;
const JUDGED: std::ops::Range<usize> = 21..26;

/// Captures at the vantage while its arguments run; done when a last packet, which nobody else sends, can be
/// read in the file. Then prints the fields of all packets that left, except for the talk of neighbours.
fn captured(commands: &str) -> String {
    let fields: String = FIELDS.iter().map(|field| format!(" -e {field}")).collect();
    format!(
        "tshark -q -i uplink -w \"$DIR/all.pcapng\" 2>\"$DIR/tshark.log\" &
        judge=$!
        attempts=0
        until grep -q 'Capture started' \"$DIR/tshark.log\"; do
            attempts=$((attempts+1)); [ $attempts -lt 200 ]; sleep 0.1
        done
        {commands}
        python3 -c 'import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b\"end\", (\"10.66.1.2\", 9))'
        until tshark -r \"$DIR/all.pcapng\" -Y 'udp.dstport == 9' 2>/dev/null | grep -q .; do
            attempts=$((attempts+1)); [ $attempts -lt 400 ]; sleep 0.1
        done
        kill -INT $judge; wait $judge || true
        tshark -r \"$DIR/all.pcapng\" -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE \
            -o tcp.check_checksum:TRUE -T fields -E separator=, -E occurrence=f {fields} \
            -Y '(ip || ipv6) && !(udp.dstport == 9) && !(icmpv6.type >= 133)' >\"$DIR/left.csv\""
    )
}

/// One packet that left: its fields in the order of [`FIELDS`], empty where it has none.
struct Packet(Vec<String>);

impl Packet {
    fn field(&self, name: &str) -> &str {
        let index = FIELDS.iter().position(|field| *field == name).expect("a field");
        &self.0[index]
    }

    fn either(&self, v4: &str, v6: &str) -> &str {
        if self.field(v4).is_empty() { self.field(v6) } else { self.field(v4) }
    }

    fn ttl(&self) -> u8 {
        self.either("ip.ttl", "ipv6.hlim").parse().expect("a TTL")
    }

    /// By whom: the error messages that come in quote what went out, and tshark's filters find that, too.
    fn is_ours(&self) -> bool {
        ["10.66.1.1", "fd66:1::1"].contains(&self.either("ip.src", "ipv6.src"))
    }

    fn target(&self) -> &str {
        self.either("ip.dst", "ipv6.dst")
    }

    fn protocol(&self) -> &'static str {
        match self.either("ip.proto", "ipv6.nxt") {
            "17" => "udp",
            "6" => "tcp",
            _ => "icmp",
        }
    }

    /// What the kernel says by itself to a SYN-ACK that it did not ask for.
    fn is_reset(&self) -> bool {
        self.field("tcp.flags") == "0x0004"
    }
}

/// Traces two targets with everything that we have, and returns what we say that we sent, and what left.
fn traced() -> (Vec<Row>, Vec<Packet>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut commands = String::new();
    for target in SILENT.into_iter().chain(super::lab::TARGETS) {
        for protocol in PROTOCOLS {
            let trace = trace(protocol, target, FLOWS);
            commands += &format!("{} --wait 300ms --max-ttl 8\n", trace.trim_end());
        }
    }
    let rows = rows(&run(folder.path(), &captured(&commands)));
    let left = fs::read_to_string(folder.path().join("left.csv")).expect("what left");
    let packets = left.lines().map(|line| Packet(line.split(',').map(str::to_owned).collect()));
    (rows, packets.filter(Packet::is_ours).collect())
}

/// How many packets went to each target, by protocol and TTL.
type Census = BTreeMap<(String, String, u8), usize>;

/// Not of the kernel's resets: over a veth it leaves their checksums to a card that is not there.
fn check_checksums(packets: &[Packet]) {
    for packet in packets.iter().filter(|packet| !packet.is_reset()) {
        let verdicts: Vec<&str> =
            packet.0[JUDGED].iter().map(String::as_str).filter(|verdict| !verdict.is_empty()).collect();
        let layers = if packet.field("ip.ttl").is_empty() { 1 } else { 2 };
        // 1 is "Good"; 0 would be "Bad", 2 "Unverified".
        assert_eq!(verdicts, vec!["1"; layers], "{:?}", packet.0);
        assert_eq!(packet.field("_ws.malformed"), "", "{:?}", packet.0);
    }
}

/// The TTLs at which each value of what load balancers hash left.
type Flows<'a> = BTreeMap<&'a [String], BTreeSet<u8>>;

/// As many different values of what load balancers hash as there are flows, each of them at all TTLs.
fn check_flows(packets: &[Packet]) {
    let mut flows: BTreeMap<(&str, &str), Flows<'_>> = BTreeMap::new();
    for packet in packets.iter().filter(|packet| !packet.is_reset()) {
        let of_target = flows.entry((packet.target(), packet.protocol())).or_default();
        of_target.entry(&packet.0[HASHED]).or_default().insert(packet.ttl());
    }
    assert_eq!(flows.len(), 12);
    for (target, flows) in flows {
        assert_eq!(flows.len(), usize::from(FLOWS), "{target:?}: {:?}", flows.keys());
        for (hashed, ttls) in flows {
            assert!((1..=END).all(|ttl| ttls.contains(&ttl)), "{target:?} {hashed:?}: {ttls:?}");
        }
    }
}

#[test]
#[ignore = "needs the kernel lab: scripts/test runs it"]
fn every_packet_that_left_was_asked_for_has_right_checksums_and_keeps_to_its_flow() {
    let (rows, packets) = traced();
    let attempts = rows.iter().filter(|row| row.outcome == "silent").count();
    assert!(attempts > 0, "the silent target answered");

    let mut asked = Census::new();
    for row in &rows {
        let key = (row.protocol.clone(), row.target.to_string(), row.ttl.expect("a TTL"));
        *asked.entry(key).or_default() += 1;
    }
    let mut left = Census::new();
    for packet in packets.iter().filter(|packet| !packet.is_reset()) {
        let key = (packet.protocol().to_owned(), packet.target().to_owned(), packet.ttl());
        *left.entry(key).or_default() += 1;
    }
    assert_eq!(left, asked, "what left, and what we say that we sent");
    check_checksums(&packets);
    check_flows(&packets);
}
