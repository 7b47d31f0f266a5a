//! The lab, and what must be seen in it.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Command;

use etherparse::PacketBuilder;
use tempfile::TempDir;
use tetherline::lab::{Scenario, TrueEnd, Truth};
use tetherline::model::WallTime;

/// The target, in each family.
pub(crate) const TARGETS: [&str; 2] = ["175.45.176.71", "2001:df1:4b00::10"];

const DIAMONDS: &str = include_str!("../scenarios/diamonds.toml");

/// The vantage, in each family.
const OWN: [&str; 2] = ["188.1.144.10", "2001:638:c::10"];

/// Who answers at each TTL; the target last.
pub(crate) type Path = Vec<IpAddr>;

/// What a balancer sees of a probe.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flow {
    /// Source and destination port.
    Udp(u16, u16),
    /// Source and destination port.
    Tcp(u16, u16),
    /// The identifier of an echo request, which decides on its checksum.
    Echo(u16),
}

impl Flow {
    /// Flows of its kind that go every way that there is: that one of six ways is missed by all has a chance of
    /// one in 10^20.
    fn many(self) -> impl Iterator<Item = Self> {
        (0..256).map(move |number| match self {
            Self::Udp(source, port) => Self::Udp(source.wrapping_add(number), port),
            Self::Tcp(source, port) => Self::Tcp(source.wrapping_add(number), port),
            Self::Echo(id) => Self::Echo(id.wrapping_add(number)),
        })
    }

    /// A packet of this flow.
    fn packet(self, target: &str) -> Vec<u8> {
        let octets = |address: &str| address.parse::<IpAddr>().expect("an address");
        let is_ipv6 = target.contains(':');
        let builder = match (octets(OWN[usize::from(is_ipv6)]), octets(target)) {
            (IpAddr::V4(own), IpAddr::V4(target)) => PacketBuilder::ipv4(own.octets(), target.octets(), 64),
            (IpAddr::V6(own), IpAddr::V6(target)) => PacketBuilder::ipv6(own.octets(), target.octets(), 64),
            _ => unreachable!("one family"),
        };
        let mut packet = Vec::new();
        let written = match self {
            Self::Udp(source, port) => builder.udp(source, port).write(&mut packet, &[0; 8]),
            Self::Tcp(source, port) => builder.tcp(source, port, 0, 0).syn().write(&mut packet, &[]),
            Self::Echo(id) if is_ipv6 => builder.icmpv6_echo_request(id, 1).write(&mut packet, &[0; 8]),
            Self::Echo(id) => builder.icmpv4_echo_request(id, 1).write(&mut packet, &[0; 8]),
        };
        written.expect("a packet");
        packet
    }
}

/// A scenario, and the truth about it.
pub(crate) struct Lab {
    folder: TempDir,
    truth: Truth,
    start: WallTime,
}

impl Lab {
    /// Two load balancers in a row.
    pub(crate) fn diamonds() -> Self {
        Self::of(DIAMONDS)
    }

    /// The same routers, of which none balances.
    pub(crate) fn straight() -> Self {
        let over = "balance_over = [\"source\", \"destination\", \"protocol\", \"ports\", \"icmp\"]";
        assert_eq!(DIAMONDS.matches(over).count(), 2);
        Self::of(&DIAMONDS.replace(over, "balance = \"none\""))
    }

    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("scenario.toml"), text).expect("written");
        let scenario = Scenario::parse("scenario.toml", text).expect("a scenario");
        Self { folder, truth: Truth::new(&scenario), start: scenario.start() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("scenario.toml")
    }

    /// Runs a shell script in the lab; its standard output.
    pub(crate) fn run(&self, script: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tetherline"));
        command.arg("lab").arg(self.file()).args(["--", "sh", "-euc", script]);
        let output = command.current_dir(self.folder.path()).output().expect("the lab starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{said}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The path of a flow.
    pub(crate) fn path(&self, target: &str, flow: Flow) -> Path {
        let path = self.truth.path(&flow.packet(target), self.start).expect("a packet");
        assert_eq!(path.end, TrueEnd::Arrived);
        let answers = path.hops.iter().map(|hop| hop.answers_from.expect("nobody is silent"));
        answers.chain([target.parse().expect("an address")]).collect()
    }

    /// The only path, where nobody balances.
    pub(crate) fn only_path(&self, target: &str) -> Path {
        let mut paths = self.paths(target, Flow::Echo(0));
        assert_eq!(paths.len(), 1, "{paths:?}");
        paths.pop_first().expect("one")
    }

    /// All paths of flows of a kind.
    pub(crate) fn paths(&self, target: &str, kind: Flow) -> BTreeSet<Path> {
        kind.many().map(|flow| self.path(target, flow)).collect()
    }

    /// Everybody who may answer at each TTL.
    pub(crate) fn hops(&self, target: &str, kind: Flow) -> Vec<BTreeSet<IpAddr>> {
        let mut hops = Vec::new();
        for path in self.paths(target, kind) {
            hops.resize(path.len(), BTreeSet::new());
            hops.iter_mut().zip(path).for_each(|(hop, address)| _ = hop.insert(address));
        }
        hops
    }

    /// Every two that answer one behind the other.
    pub(crate) fn links(&self, target: &str, kind: Flow) -> BTreeSet<(IpAddr, IpAddr)> {
        let paths = self.paths(target, kind);
        paths.iter().flat_map(|path| path.iter().copied().zip(path.iter().skip(1).copied())).collect()
    }
}

#[test]
fn the_scenario_has_two_ways_then_three_in_both_families() {
    let lab = Lab::diamonds();
    for target in TARGETS {
        for kind in [Flow::Udp(40_000, 33_434), Flow::Tcp(40_000, 80), Flow::Echo(1)] {
            let branches: Vec<usize> = lab.hops(target, kind).iter().map(BTreeSet::len).collect();
            assert_eq!(branches, [1, 1, 2, 2, 3, 1, 1, 1], "{target} {kind:?}");
        }
    }
}
