//! Campaigns against a drawn world, written as users write them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tetherline::measure::campaign::Campaign;
use tetherline::model::{Prefix, Unit};

use crate::dice::Dice;
use crate::world::World;

/// A campaign, and what the judge must know of it.
pub(crate) struct Order {
    pub(crate) toml: String,
    pub(crate) campaign: Arc<Campaign>,
    /// Every address that may be probed, as the judge makes it out, and its unit.
    pub(crate) targets: BTreeMap<IpAddr, Unit>,
    /// Who had opted out before the campaign began.
    pub(crate) opt_outs: Vec<Prefix>,
}

impl Order {
    pub(crate) fn draw(seed: u64, world: &World, opt_out_file: &std::path::Path) -> Self {
        let mut draft = Draft {
            dice: Dice::new(seed, "campaign"),
            world,
            toml: String::new(),
            targets: BTreeMap::new(),
            tcp_and_echo: 0.0,
        };
        draft.order(seed, opt_out_file)
    }
}

struct Draft<'a> {
    dice: Dice,
    world: &'a World,
    toml: String,
    targets: BTreeMap<IpAddr, Unit>,
    /// Packets to one target a wall second, at most.
    tcp_and_echo: f64,
}

impl Draft<'_> {
    fn order(&mut self, seed: u64, opt_out_file: &std::path::Path) -> Order {
        let faster = self.world.speed;
        let wall = self.world.length.mul_f64(faster);
        let targets = self.target_sets();
        let probers = self.probers(wall);
        let mut per_unit: BTreeMap<Unit, u32> = BTreeMap::new();
        for unit in self.targets.values() {
            *per_unit.entry(*unit).or_default() += 1;
        }
        let most = per_unit.values().copied().max().unwrap_or(1);
        let per_hour = (f64::from(most) * self.tcp_and_echo * 3600.0).ceil().clamp(1.0, 3600.0);
        let total = (f64::from(self.dice.among(40_u32..=400)) / faster).max(1.0);
        let burst = self.dice.among(1..=20_u32).min(whole(total));
        let in_unit = (f64::from(self.dice.among(10_u32..=200)) / faster).clamp(0.01, 100.0).min(total);
        let responder = (f64::from(self.dice.among(10_u32..=200)) / faster).clamp(0.01, 100.0).min(total);
        let opt_outs = self.opt_outs(opt_out_file);
        let guard = format!("[guard]\nopt_outs = \"{}\"\n\n", opt_out_file.display());
        let url = if self.dice.chance(0.3) {
            "[operator]\nname = \"A group\"\ncontact = \"probing@measurement.net\"\n\
             url = \"https://measurement.net/probing\"\npurpose = \"To see\"\n\n"
        } else {
            ""
        };
        self.toml = format!(
            "[campaign]\nname = \"seed-{seed}\"\nseed = {}\nduration = \"{}s\"\n\n{url}[vantage]\nname = \"vp\"\n\n\
             [rates]\ntotal = {total:.3}\nburst = {burst}\nper_unit = {in_unit:.3}\nper_responder = {responder:.3}\n\
             liveness_per_unit_hour = {per_hour}\n\n{guard}{targets}{probers}[output]\nmin_free = \"0KiB\"\n",
            seed & 0xffff_ffff,
            wall.as_secs().max(1),
        );
        let campaign = Campaign::parse("probes.toml", &self.toml)
            .unwrap_or_else(|errors| panic!("a drawn campaign is refused:\n{errors}"));
        Order {
            toml: std::mem::take(&mut self.toml),
            campaign: Arc::new(campaign),
            targets: std::mem::take(&mut self.targets),
            opt_outs,
        }
    }

    /// Some of the networks, by hit lists that also name addresses that nobody has.
    fn target_sets(&mut self) -> String {
        let mut toml = String::new();
        let mut networks: Vec<usize> = (0..self.world.networks.len()).collect();
        self.dice.shuffle(&mut networks);
        networks.truncate(self.dice.among(1..=3));
        for index in networks {
            let network = &self.world.networks[index];
            let mut hosts = network.hosts.clone();
            self.dice.shuffle(&mut hosts);
            hosts.truncate(self.dice.among(1..=3));
            if !network.translated && self.dice.chance(0.3) {
                hosts.push(nobody(network.prefix));
            }
            let shortest = network.prefix.length();
            let unit_length =
                if self.dice.chance(0.3) { shortest + self.dice.among(1..=3) } else { shortest };
            let list: Vec<String> = hosts.iter().map(|host| format!("\"{host}\"")).collect();
            let _ = write!(
                toml,
                "[[targets]]\nprefix = \"{}\"\nunit_length = {unit_length}\nselect = \"hitlist\"\nhitlist = [{}]\n\
                 control = {}\n\n",
                network.prefix,
                list.join(", "),
                self.dice.chance(0.2)
            );
            for host in hosts {
                let unit = Prefix::covering(host, unit_length).expect("a unit");
                self.targets.insert(host, Unit(unit));
            }
        }
        toml
    }

    /// Never all of the targets: that campaign would be refused.
    fn opt_outs(&mut self, file: &std::path::Path) -> Vec<Prefix> {
        std::fs::write(file, "# who asked not to be probed\n").expect("written");
        let targets: Vec<IpAddr> = self.targets.keys().copied().collect();
        if targets.len() < 2 || !self.dice.chance(0.2) {
            return Vec::new();
        }
        let out = Prefix::host(*self.dice.one_of(&targets));
        std::fs::write(file, format!("{out}  # asked before\n")).expect("written");
        vec![out]
    }

    fn probers(&mut self, wall: Duration) -> String {
        let mut kinds = ["echo", "tcp", "trace", "trace", "multipath"];
        self.dice.shuffle(&mut kinds);
        let count = self.dice.among(1..=3);
        let mut toml = String::new();
        for (index, kind) in kinds.into_iter().take(count).enumerate() {
            let rounds = self.dice.among(1..=4_u64);
            // Four targets to a unit and two such probers stay below one packet a second.
            let least = match kind {
                "echo" => 24,
                "tcp" => 48,
                _ => 10,
            };
            let every = (wall.as_secs() / rounds).max(least);
            // Short enough that some answers come late; but where chance has no part, none does, since that depends on
            // its way back.
            let timeouts = if self.world.calm {
                &[1_000, 2_000]
            } else {
                &[100, 100, 200, 300, 500, 1_000, 2_000][..]
            };
            let timeout = self.dice.one_of(timeouts);
            let _ = write!(
                toml,
                "[[probers]]\nname = \"p{index}\"\nkind = \"{kind}\"\nevery = \"{every}s\"\n\
                 jitter = \"{}s\"\ntimeout = \"{timeout}ms\"\n",
                self.dice.among(0..=every / 10)
            );
            match kind {
                "echo" => self.echo(&mut toml, every),
                "tcp" => self.tcp(&mut toml, every),
                "trace" => {
                    self.way(&mut toml);
                    let _ = writeln!(toml, "flows = {}", self.dice.among(1..=5));
                }
                _ => self.multipath(&mut toml),
            }
            toml.push('\n');
        }
        toml
    }

    fn echo(&mut self, toml: &mut String, every: u64) {
        let echoes = self.dice.among(1..=3_u32);
        let _ = writeln!(toml, "echoes = {echoes}\nspacing = \"{}ms\"", self.dice.among(1..=10) * 100);
        self.tcp_and_echo += f64::from(echoes) / seconds(every);
    }

    fn tcp(&mut self, toml: &mut String, every: u64) {
        let ports = self.dice.one_of(&[vec![443_u16], vec![443, 80]]).clone();
        let attempts = self.dice.among(1..=3_u32);
        let _ = writeln!(toml, "ports = {ports:?}\nattempts = {attempts}");
        let packets = attempts * u32::try_from(ports.len()).expect("few");
        self.tcp_and_echo += f64::from(packets) / seconds(every);
    }

    fn way(&mut self, toml: &mut String) {
        let protocol = self.dice.one_of(&["icmp", "udp", "tcp"]);
        let first = self.dice.among(1..=2);
        let _ = writeln!(
            toml,
            "protocol = \"{protocol}\"\nfirst_ttl = {first}\nmax_ttl = {}\ngap_limit = {}\nattempts = {}",
            self.dice.among(8..=20),
            self.dice.among(2..=5),
            self.dice.among(1..=2)
        );
    }

    fn multipath(&mut self, toml: &mut String) {
        self.way(toml);
        let algorithm = self.dice.one_of(&["mda", "mda-lite"]);
        let packets = self.dice.among(200..=500);
        let _ = writeln!(toml, "algorithm = \"{algorithm}\"\npackets = {packets}");
    }
}

/// An address of a network that no host has.
fn nobody(prefix: Prefix) -> IpAddr {
    let text = prefix.network().to_string();
    let end = if prefix.is_ipv4() { text.trim_end_matches('0').to_owned() + "251" } else { text + "ff" };
    end.parse().expect("an address")
}

#[allow(clippy::cast_precision_loss, reason = "a few hours")]
fn seconds(every: u64) -> f64 {
    every as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 400")]
fn whole(rate: f64) -> u32 {
    rate as u32
}
