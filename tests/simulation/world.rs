//! Worlds: scenarios drawn from a seed, written in the language that users write them in, together with
//! what the judge must know of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use tetherline::lab::Scenario;
use tetherline::model::{MonoTime, Prefix, WallTime};

use crate::dice::Dice;

/// A scenario, and what the judge must know of it.
pub(crate) struct World {
    /// The scenario as a file.
    pub(crate) toml: String,
    pub(crate) scenario: Scenario,
    /// Whether nothing that it answers depends on chance, and nothing ever changes. Answers still come back over ways
    /// that differ from packet to packet, since balancers look at their checksums.
    pub(crate) calm: bool,
    /// Wall seconds in a real one.
    pub(crate) speed: f64,
    pub(crate) start: WallTime,
    /// Real time.
    pub(crate) length: Duration,
    pub(crate) routers: Vec<Router>,
    pub(crate) networks: Vec<Network>,
    /// When something changes, or is still being learnt: begin and end.
    pub(crate) unrest: Vec<(MonoTime, MonoTime)>,
    /// Whether a router draws the way of each packet by itself.
    pub(crate) per_packet: bool,
}

#[allow(clippy::struct_excessive_bools, reason = "habits of a router, which it has or has not")]
pub(crate) struct Router {
    pub(crate) name: String,
    home: usize,
    /// All addresses with which it may speak.
    pub(crate) addresses: BTreeSet<IpAddr>,
    pub(crate) silent: bool,
    /// Whether it sends on a packet whose TTL has run out.
    pub(crate) zero_ttl: bool,
    /// Whether its quotes show something wrongly.
    pub(crate) mangles: BTreeSet<&'static str>,
    /// Whether it quotes the whole of a probe.
    pub(crate) quotes_all: bool,
    pub(crate) limited: bool,
    pub(crate) translates: bool,
}

/// A block with hosts, or with addresses that are translated.
pub(crate) struct Network {
    pub(crate) prefix: Prefix,
    pub(crate) hosts: Vec<IpAddr>,
    pub(crate) translated: bool,
}

impl World {
    pub(crate) fn draw(seed: u64) -> Self {
        Draft::new(seed).world()
    }

    /// A calm world, but for the vantage's own line, which goes down half-way and does not come back.
    pub(crate) fn with_a_dead_vantage(seed: u64) -> Self {
        let mut draft = Draft::new(seed);
        (draft.calm, draft.dead_half_way) = (true, true);
        (draft.speed, draft.length) = (60.0, Duration::from_secs(30));
        draft.world()
    }

    /// Who may speak with an address.
    pub(crate) fn router_with(&self, address: IpAddr) -> Option<usize> {
        self.routers.iter().position(|router| router.addresses.contains(&address))
    }

    /// Whether nothing changed, and nobody was still learning, from one time to the other.
    pub(crate) fn is_quiet(&self, from: MonoTime, to: MonoTime) -> bool {
        self.unrest.iter().all(|(begin, end)| to < *begin || from > *end)
    }
}

/// An AS in the making.
struct As {
    number: u32,
    /// Nobody's customer ranks lower than its provider.
    rank: usize,
    providers: Vec<usize>,
    peers: Vec<usize>,
    routers: Vec<usize>,
}

struct Link {
    ends: [usize; 2],
    name: Option<String>,
    keys: String,
}

#[allow(clippy::struct_excessive_bools, reason = "properties of a world, which it has or has not")]
struct Draft {
    dice: Dice,
    calm: bool,
    v4: bool,
    v6: bool,
    speed: f64,
    length: Duration,
    convergence: Duration,
    ases: Vec<As>,
    routers: Vec<Router>,
    router_keys: Vec<String>,
    links: Vec<Link>,
    networks: Vec<Network>,
    /// Tables behind those of routers and links.
    rest: String,
    home: usize,
    gateway: usize,
    unrest: Vec<(MonoTime, MonoTime)>,
    per_packet: bool,
    /// Whether the vantage's own line goes down half-way.
    dead_half_way: bool,
    nat_blocks: usize,
}

const START: &str = "2017-10-01T07:30:00Z";

impl Draft {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed, "world");
        let family = dice.among(0..=9);
        let calm = dice.chance(0.25);
        let faster = *dice.one_of(&[1.0, 1.0, 10.0, 60.0]);
        let length = Duration::from_secs(dice.among(15..=45));
        let convergence = Duration::from_millis(dice.among(0..=2000));
        Self {
            dice,
            calm,
            v4: family < 8,
            v6: family > 4,
            speed: faster,
            length,
            convergence,
            ases: Vec::new(),
            routers: Vec::new(),
            router_keys: Vec::new(),
            links: Vec::new(),
            networks: Vec::new(),
            rest: String::new(),
            home: 0,
            gateway: 0,
            unrest: Vec::new(),
            per_packet: false,
            dead_half_way: false,
            nat_blocks: 0,
        }
    }

    fn world(mut self) -> World {
        self.draw_ases();
        for asys in 0..self.ases.len() {
            self.draw_inside(asys);
        }
        self.join_ases();
        self.home = self.dice.among(0..=self.ases.len() - 1);
        self.gateway = *self.dice.one_of(&self.ases[self.home].routers.clone());
        for router in 0..self.routers.len() {
            self.draw_habits(router);
        }
        self.draw_networks();
        self.draw_tunnels();
        if !self.calm {
            self.draw_forgers();
            self.draw_events();
        }
        if self.dead_half_way {
            let wall =
                WallTime::parse_rfc3339(START).expect("a time").after(self.length.mul_f64(self.speed) / 2);
            let _ = writeln!(self.rest, "[[event]]\nat = \"{wall}\"\nuplink = \"down\"");
        }
        let toml = self.toml();
        let scenario = Scenario::parse("scenario.toml", &toml)
            .unwrap_or_else(|errors| panic!("a drawn scenario is refused:\n{errors}"));
        World {
            toml,
            scenario,
            calm: self.calm,
            speed: self.speed,
            start: WallTime::parse_rfc3339(START).expect("a time"),
            length: self.length,
            routers: self.routers,
            networks: self.networks,
            unrest: self.unrest,
            per_packet: self.per_packet,
        }
    }

    fn draw_ases(&mut self) {
        let count = self.dice.among(2..=12);
        let mut ranks: Vec<usize> = (0..count).collect();
        self.dice.shuffle(&mut ranks);
        for (index, rank) in ranks.into_iter().enumerate() {
            let number = 100 + u32::try_from(index).expect("few") * 7;
            let (providers, peers, routers) = (Vec::new(), Vec::new(), Vec::new());
            self.ases.push(As { number, rank, providers, peers, routers });
        }
        for index in 1..count {
            let most = self.dice.among(1..=3).min(index);
            let mut others: Vec<usize> = (0..index).collect();
            self.dice.shuffle(&mut others);
            for other in others.into_iter().take(most) {
                let (low, high) = if self.ases[index].rank < self.ases[other].rank {
                    (index, other)
                } else {
                    (other, index)
                };
                if self.dice.chance(0.2) {
                    self.ases[low].peers.push(high);
                } else {
                    self.ases[low].providers.push(high);
                }
            }
        }
    }

    /// A few routers: alone, in a row, as diamonds, or all with all.
    fn draw_inside(&mut self, asys: usize) {
        let first = self.new_router(asys);
        match self.dice.among(0..=9) {
            0..=3 => {}
            4..=5 => {
                let mut last = first;
                for _ in 0..self.dice.among(1..=3) {
                    let next = self.new_router(asys);
                    self.new_link([last, next]);
                    last = next;
                }
            }
            6..=8 => {
                let mut open = first;
                for _ in 0..self.dice.among(1..=2) {
                    open = self.diamond(asys, open);
                }
            }
            _ => {
                let others: Vec<usize> =
                    (0..self.dice.among(2..=3)).map(|_| self.new_router(asys)).collect();
                let all: Vec<usize> = std::iter::once(first).chain(others).collect();
                for (index, one) in all.iter().enumerate() {
                    for other in &all[index + 1..] {
                        self.new_link([*one, *other]);
                    }
                }
            }
        }
    }

    /// Equal ways from a router to a new one, which is returned.
    fn diamond(&mut self, asys: usize, open: usize) -> usize {
        let ways: Vec<usize> = (0..self.dice.among(2..=4)).map(|_| self.new_router(asys)).collect();
        let close = self.new_router(asys);
        for way in ways {
            self.new_link([open, way]);
            self.new_link([way, close]);
        }
        close
    }

    fn join_ases(&mut self) {
        for asys in 0..self.ases.len() {
            let others: Vec<usize> =
                self.ases[asys].providers.iter().chain(&self.ases[asys].peers).copied().collect();
            for other in others {
                for _ in 0..=u8::from(self.dice.chance(0.25)) {
                    let ends =
                        [asys, other].map(|asys| *self.dice.one_of(&self.ases[asys].routers.clone()));
                    self.new_link(ends);
                }
            }
        }
    }

    fn new_router(&mut self, asys: usize) -> usize {
        let index = self.routers.len();
        let place = self.ases[asys].routers.len() + 1;
        let mut addresses = BTreeSet::new();
        if self.v4 && self.dice.chance(0.97) {
            addresses.insert(format!("{}.1.0.{place}", 20 + asys).parse().expect("an address"));
        }
        if self.v6 && self.dice.chance(0.97) {
            addresses.insert(format!("2a00:{:x}:0:{place:x}::1", asys + 1).parse().expect("an address"));
        }
        self.router_keys.push(format!("addresses = [{}]\n", quoted(&addresses)));
        self.routers.push(Router {
            name: format!("r{index}"),
            home: asys,
            addresses,
            silent: false,
            zero_ttl: false,
            mangles: BTreeSet::new(),
            quotes_all: false,
            limited: false,
            translates: false,
        });
        self.ases[asys].routers.push(index);
        index
    }

    fn new_link(&mut self, ends: [usize; 2]) {
        let index = self.links.len();
        let far = !self.calm && self.dice.chance(0.12);
        let delay = self.dice.span(if far { 20_000..=200_000 } else { 100..=15_000 });
        let mut keys = format!("delay = \"{}us\"\n", delay.as_micros());
        if self.dice.chance(0.7) {
            let numbers = [self.interface(ends[0], index, 1), self.interface(ends[1], index, 2)];
            let [one, other] = numbers.map(|addresses| quoted(&addresses));
            let _ = writeln!(keys, "addresses = [[{one}], [{other}]]");
        }
        if !self.calm {
            keys.push_str(&self.hazards());
        }
        if self.dice.chance(0.2) {
            let _ = writeln!(keys, "weight = {}", self.dice.among(2..=9));
        }
        if self.dice.chance(0.1) {
            let _ = writeln!(keys, "cost = {}", self.dice.among(1..=3));
        }
        if !self.calm && self.dice.chance(0.05) {
            let _ = writeln!(keys, "mtu = {}", self.dice.among(68..=1500));
        }
        let name = self.dice.chance(0.2).then(|| format!("link-{index}"));
        self.links.push(Link { ends, name, keys });
    }

    /// Addresses of a router on a link, numbered by its own AS.
    fn interface(&mut self, router: usize, link: usize, side: usize) -> BTreeSet<IpAddr> {
        let asys = self.routers[router].home;
        let mut addresses = BTreeSet::new();
        if self.v4 {
            let text = format!("{}.1.{}.{}", 20 + asys, 1 + link / 60, (link % 60) * 4 + side);
            addresses.insert(text.parse().expect("an address"));
        }
        if self.v6 {
            let text = format!("2a00:{:x}:1:{link:x}::{side}", asys + 1);
            addresses.insert(text.parse().expect("an address"));
        }
        self.routers[router].addresses.extend(addresses.iter().copied());
        addresses
    }

    fn hazards(&mut self) -> String {
        let mut keys = String::new();
        if self.dice.chance(0.3) {
            let mean = self.dice.among(10..=8_000);
            let shape = self.dice.one_of(&["exponential", "uniform", "normal", "pareto"]);
            let _ = writeln!(keys, "jitter = {{ mean = \"{mean}us\", shape = \"{shape}\" }}");
        }
        match self.dice.among(0..=19) {
            0..=1 => {
                let _ = writeln!(keys, "loss = 0.{:02}", self.dice.among(1..=30));
            }
            2 => {
                let burst = self.dice.among(1..=8);
                let _ = writeln!(keys, "loss = {{ mean = 0.1, burst = {burst}.5 }}");
            }
            _ => {}
        }
        if self.dice.chance(0.08) {
            let by = self.dice.among(1..=60);
            let _ = writeln!(keys, "reorder = {{ probability = 0.2, by = \"{by}ms\" }}");
        }
        if self.dice.chance(0.08) {
            let _ = writeln!(keys, "duplicate = 0.{:02}", self.dice.among(1..=20));
        }
        keys
    }

    fn draw_habits(&mut self, index: usize) {
        let mut keys = std::mem::take(&mut self.router_keys[index]);
        let calm = self.calm;
        let dice = &mut self.dice;
        let router = &mut self.routers[index];
        if dice.chance(0.07) {
            router.silent = true;
            keys.push_str("silent = true\n");
        }
        match dice.among(0..=39) {
            0..=2 => keys.push_str("answers_from = \"outbound\"\n"),
            3..=4 if keys.contains('"') => keys.push_str("answers_from = \"router\"\n"),
            5 => {
                let mut one_each: BTreeMap<bool, IpAddr> = BTreeMap::new();
                one_each.extend(router.addresses.iter().map(|address| (address.is_ipv4(), *address)));
                let _ = writeln!(keys, "answers_from = [{}]", quoted(one_each.values()));
            }
            _ => {}
        }
        match dice.among(0..=9) {
            0..=2 => {
                router.quotes_all = true;
                keys.push_str("quote = \"rfc1812\"\n");
            }
            3 => {
                let _ = writeln!(keys, "quote = {}", dice.among(28..=200));
            }
            _ => {}
        }
        if dice.chance(0.12) {
            let mangles = ["ip-id-zero", "length-swapped", "tos-zero", "ttl-zero", "ip-checksum-zero"];
            let more = ["ip-id-swapped", "checksum-zero"];
            for _ in 0..dice.among(1..=2) {
                let from = if dice.chance(0.7) { &mangles[..] } else { &more[..] };
                router.mangles.insert(*dice.one_of(from));
            }
            if router.mangles.contains("ip-id-zero") {
                router.mangles.remove("ip-id-swapped");
            }
            // One identification in 256 stays itself when it is swapped: whether a match is exact would be chance.
            if calm && router.mangles.remove("ip-id-swapped") {
                router.mangles.insert("ip-id-zero");
            }
            let _ = writeln!(keys, "mangles = [{}]", quoted(&router.mangles));
        }
        if dice.chance(0.05) {
            router.zero_ttl = true;
            keys.push_str("forwards_zero_ttl = true\n");
        }
        if dice.chance(0.06) {
            let labels: Vec<u32> = (0..dice.among(1..=3)).map(|_| dice.among(16..=0xf_ffff)).collect();
            let _ = writeln!(keys, "labels = {labels:?}");
        }
        if dice.chance(0.05) {
            let protocol = dice.one_of(if calm { &["udp", "tcp"] } else { &["udp", "tcp", "icmp"][..] });
            let answer = dice.one_of(&["prohibited", "silent"]);
            let _ = writeln!(keys, "filters = [{{ protocol = \"{protocol}\", answer = \"{answer}\" }}]");
        }
        if !calm && dice.chance(0.1) {
            router.limited = true;
            let (rate, burst) = (dice.among(1..=40), dice.among(1..=10));
            let _ = writeln!(keys, "icmp_rate = {{ per_second = {rate}, burst = {burst} }}");
        }
        match dice.among(0..=29) {
            0 if !calm => {
                self.per_packet = true;
                keys.push_str("balance = \"per-packet\"\n");
            }
            1..=2 => keys.push_str("balance = \"per-destination\"\n"),
            3 => keys.push_str("balance = \"none\"\n"),
            4..=6 => {
                let mut fields = ["source", "destination", "protocol", "ports", "icmp", "flow-label"];
                dice.shuffle(&mut fields);
                let some = &fields[..dice.among(1..=fields.len())];
                let _ = writeln!(keys, "balance_over = [{}]", quoted(some));
            }
            _ => {}
        }
        self.router_keys[index] = keys;
    }

    fn draw_networks(&mut self) {
        let count = self.dice.among(2..=6);
        for number in 0..count {
            let asys = self.dice.among(0..=self.ases.len() - 1);
            let router = *self.dice.one_of(&self.ases[asys].routers.clone());
            let v6 = self.v6 && (!self.v4 || self.dice.chance(0.5));
            let prefix = if v6 {
                format!("2a00:{:x}:f{number:03x}::/48", asys + 1)
            } else {
                format!("{}.1.{}.0/24", 20 + asys, 100 + number)
            };
            let announce_to = self.announced_to(asys);
            let _ = write!(
                self.rest,
                "[[network]]\nprefix = \"{prefix}\"\nrouter = \"{}\"\n{announce_to}\n",
                self.routers[router].name
            );
            let base = prefix.rsplit_once(if v6 { ":/" } else { "0/" }).expect("a prefix").0.to_owned();
            let hosts: Vec<IpAddr> = (0..self.dice.among(1..=4))
                .map(|host| {
                    let last = 10 + host * 20;
                    let text = if v6 { format!("{base}:{last:x}") } else { format!("{base}{last}") };
                    text.parse().expect("an address")
                })
                .collect();
            for host in &hosts {
                let table = self.host(*host);
                self.rest.push_str(&table);
            }
            self.networks.push(Network {
                prefix: prefix.parse().expect("a prefix"),
                hosts,
                translated: false,
            });
        }
        if self.v4 && self.dice.chance(0.2) {
            self.draw_nat();
        }
    }

    fn announced_to(&mut self, asys: usize) -> String {
        let neighbours = self.neighbours(asys);
        if neighbours.len() < 2 || self.dice.chance(0.8) {
            return String::new();
        }
        let some = &neighbours[..self.dice.among(1..=neighbours.len())];
        format!("announce_to = {some:?}\n")
    }

    fn neighbours(&self, asys: usize) -> Vec<u32> {
        let mine = &self.ases[asys];
        let of_mine = mine.providers.iter().chain(&mine.peers).map(|other| self.ases[*other].number);
        let of_others =
            self.ases.iter().filter(|other| other.providers.contains(&asys) || other.peers.contains(&asys));
        of_mine.chain(of_others.map(|other| other.number)).collect()
    }

    fn host(&mut self, address: IpAddr) -> String {
        let dice = &mut self.dice;
        let mut table = format!("[[host]]\naddresses = [\"{address}\"]\n");
        if dice.chance(0.1) {
            table.push_str("echo = false\n");
        }
        if dice.chance(0.6) {
            table.push_str("open = [443]\n");
        }
        if dice.chance(0.3) {
            table.push_str("closed = \"silent\"\n");
        }
        if dice.chance(0.1) {
            let _ = writeln!(table, "filtered = [\"{}\"]", dice.one_of(&["icmp", "udp", "tcp"]));
        }
        if dice.chance(0.3) {
            let _ = writeln!(table, "delay = \"{}us\"", dice.among(10..=3_000));
        }
        if dice.chance(0.3) {
            let _ = writeln!(table, "reply_ttl = {}", dice.one_of(&[32, 64, 128, 255]));
        }
        if !self.calm && dice.chance(0.1) {
            let _ = writeln!(table, "icmp_rate = {{ per_second = {}, burst = 2 }}", dice.among(1..=20));
        }
        table
    }

    /// A block of outside addresses on a router, and a private network behind another of its AS.
    fn draw_nat(&mut self) {
        let asys = self.dice.among(0..=self.ases.len() - 1);
        let members = self.ases[asys].routers.clone();
        let (border, behind) = (*self.dice.one_of(&members), *self.dice.one_of(&members));
        let block = self.nat_blocks;
        self.nat_blocks += 1;
        let pairs: Vec<(String, String)> = (1..=self.dice.among(1..=3))
            .map(|host| (format!("{}.1.25{block}.{host}", 20 + asys), format!("10.0.{block}.{host}")))
            .collect();
        let keys: Vec<String> = pairs
            .iter()
            .map(|(outside, inside)| format!("{{ outside = \"{outside}\", inside = \"{inside}\" }}"))
            .collect();
        let _ = writeln!(self.router_keys[border], "nat = [{}]", keys.join(", "));
        let quotes = self.dice.one_of(&["translated", "inside"]);
        let errors = self.dice.one_of(&["kept", "outside", "router"]);
        let _ = writeln!(self.router_keys[border], "nat_quotes = \"{quotes}\"\nnat_errors = \"{errors}\"");
        self.routers[border].translates = true;
        let name = self.routers[behind].name.clone();
        let _ = write!(
            self.rest,
            "[[network]]\nprefix = \"10.0.{block}.0/24\"\nrouter = \"{name}\"\nannounce_to = []\n"
        );
        for (_, inside) in &pairs {
            let table = self.host(inside.parse().expect("an address"));
            self.rest.push_str(&table);
        }
        self.networks.push(Network {
            prefix: format!("{}.1.25{block}.0/24", 20 + asys).parse().expect("a prefix"),
            hosts: pairs.iter().map(|(outside, _)| outside.parse().expect("an address")).collect(),
            translated: true,
        });
    }

    /// Now and then a tunnel over three routers in a row.
    fn draw_tunnels(&mut self) {
        if !self.dice.chance(0.35) {
            return;
        }
        let rows = self.rows_of_three();
        if rows.is_empty() {
            return;
        }
        let row = self.dice.one_of(&rows).map(|router| self.routers[router].name.clone());
        let kind = *self.dice.one_of(&["explicit", "implicit", "opaque", "invisible"]);
        let _ = writeln!(self.rest, "[[tunnel]]\nrouters = [{}]\nkind = \"{kind}\"", quoted(&row));
        if matches!(kind, "explicit" | "opaque") {
            let _ = writeln!(self.rest, "labels = [{}]", self.dice.among(16..=0xf_ffff));
        }
    }

    fn rows_of_three(&self) -> Vec<[usize; 3]> {
        let inside = |one: usize, other: usize| {
            self.routers[one].home == self.routers[other].home
                && self.links.iter().any(|link| link.ends == [one, other] || link.ends == [other, one])
        };
        let all = 0..self.routers.len();
        let mut rows = Vec::new();
        for one in all.clone() {
            for middle in all.clone().filter(|middle| inside(one, *middle)) {
                rows.extend(
                    all.clone()
                        .filter(|last| *last != one && inside(middle, *last))
                        .map(|last| [one, middle, last]),
                );
            }
        }
        rows
    }

    fn draw_forgers(&mut self) {
        if !self.dice.chance(0.15) {
            return;
        }
        let about = self.dice.one_of(&self.networks).prefix;
        let from = if about.is_ipv4() { "20.1.0.0/24" } else { "2a00:1::/48" };
        let all = ["time-exceeded", "port-unreachable", "echo-reply", "syn-ack", "rst"];
        let says = &all[..self.dice.among(1..=all.len())];
        let rate = self.dice.among(1..=20);
        let _ = write!(
            self.rest,
            "[[forger]]\nper_second = {rate}\nsays = [{}]\nfrom = \"{from}\"\nabout = \"{about}\"\n",
            quoted(says)
        );
    }

    /// Things that go, each at a time of its own, and mostly come back.
    fn draw_events(&mut self) {
        let mut events: Vec<(Duration, String)> = Vec::new();
        let mut subjects = BTreeSet::new();
        for _ in 0..self.dice.among(0..=5) {
            let (subject, [goes, comes]) = self.happening();
            if !subjects.insert(subject) {
                continue;
            }
            let length = u64::try_from(self.length.as_micros()).expect("short");
            let at = self.dice.span(length / 20..=length * 7 / 10);
            events.push((at, goes));
            if !comes.is_empty() && self.dice.chance(0.7) {
                let back = at + self.dice.span(100_000..=length / 4);
                events.push((back, comes));
            }
        }
        events.sort();
        for (at, what) in events {
            let wall = WallTime::parse_rfc3339(START).expect("a time").after(at.mul_f64(self.speed));
            let _ = writeln!(self.rest, "[[event]]\nat = \"{wall}\"\n{what}");
            let begin = MonoTime::default().after(at);
            // The times of a file are whole nanoseconds of the wall clock.
            let early = MonoTime::from_nanos(begin.as_nanos().saturating_sub(1_000));
            self.unrest.push((early, begin.after(self.convergence).after(Duration::from_micros(1))));
        }
    }

    /// What is meant, how it goes, and how it comes back; empty if it need not.
    fn happening(&mut self) -> (String, [String; 2]) {
        let pair = |subject: String, [goes, comes]: [&str; 2]| {
            let lines = [format!("{goes} = {subject}"), format!("{comes} = {subject}")];
            (subject, lines)
        };
        match self.dice.among(0..=9) {
            0..=1 => {
                let asys = self.dice.among(0..=self.ases.len() - 1);
                let other = *self.dice.one_of(&self.neighbours(asys));
                let (low, high) = (self.ases[asys].number.min(other), self.ases[asys].number.max(other));
                let order = if self.dice.chance(0.3) { ["added", "lost"] } else { ["lost", "added"] };
                pair(format!("\"AS{low}-AS{high}\""), order)
            }
            2..=3 if !self.links.is_empty() => {
                let link = self.dice.among(0..=self.links.len() - 1);
                let named = self.links[link].name.as_ref().map(|name| format!("\"{name}\""));
                let ends = self.links[link].ends.map(|end| self.routers[end].name.clone());
                pair(named.unwrap_or_else(|| format!("[{}]", quoted(&ends))), ["lost", "added"])
            }
            4 => {
                let router = self.dice.among(0..=self.routers.len() - 1);
                let name = &self.routers[router].name;
                pair(format!("\"{name}\""), ["router_down", "router_up"])
            }
            5 => {
                let plain: Vec<&Network> =
                    self.networks.iter().filter(|network| !network.translated).collect();
                let network = self.dice.one_of(&plain).prefix;
                pair(format!("\"{network}\""), ["hosts_down", "hosts_up"])
            }
            6 => ("uplink".to_owned(), ["uplink = \"down\"".to_owned(), "uplink = \"up\"".to_owned()]),
            7 => {
                let router = self.dice.among(0..=self.routers.len() - 1);
                self.routers[router].limited = true;
                let name = &self.routers[router].name;
                let slow = format!(
                    "icmp_rate = {{ router = \"{name}\", limit = {{ per_second = 2, burst = 2 }} }}"
                );
                (format!("rate of {name}"), [slow, format!("icmp_rate = {{ router = \"{name}\" }}")])
            }
            8 => {
                let link = self.dice.among(0..=self.links.len() - 1);
                let ends = self.links[link].ends.map(|end| self.routers[end].name.clone());
                let to =
                    |weight: u32| format!("weight = {{ link = [{}], weight = {weight} }}", quoted(&ends));
                (format!("weight of {ends:?}"), [to(20), to(1)])
            }
            _ => self.policy(),
        }
    }

    /// A customer that becomes a peer, or a peer a customer.
    fn policy(&mut self) -> (String, [String; 2]) {
        let low = self.dice.among(0..=self.ases.len() - 1);
        let high = self.ases[low].providers.first().or(self.ases[low].peers.first()).copied();
        let Some(high) = high else {
            return ("uplink".to_owned(), ["uplink = \"down\"".to_owned(), "uplink = \"up\"".to_owned()]);
        };
        let (one, other) = (self.ases[low].number, self.ases[high].number);
        let peers = format!("relation = {{ peers = [{one}, {other}] }}");
        let transit = format!("relation = {{ provider = {other}, customer = {one} }}");
        let order =
            if self.ases[low].providers.contains(&high) { [peers, transit] } else { [transit, peers] };
        (format!("relation of {one} and {other}"), order)
    }

    fn toml(&mut self) -> String {
        let mut toml = String::new();
        let seed: u64 = self.dice.among(0..=u64::from(u32::MAX));
        let millis = self.convergence.as_millis();
        let wall = self.length.mul_f64(self.speed);
        let _ = write!(
            toml,
            "seed = {seed}\nconvergence = \"{millis}ms\"\nconvergence_inside = \"{}ms\"\n\n\
             [clock]\nstart = \"{START}\"\nspeed = {}\nduration = \"{}s\"\n\n",
            millis / 3,
            self.speed,
            wall.as_secs()
        );
        let mut own: Vec<String> = Vec::new();
        if self.v4 {
            own.push(format!("{}.1.0.200", 20 + self.home));
        }
        if self.v6 {
            own.push(format!("2a00:{:x}:0:ff::c8", self.home + 1));
        }
        let _ = write!(
            toml,
            "[vantage]\nname = \"here\"\naddresses = [{}]\ngateway = \"{}\"\ndelay = \"{}us\"\n\n",
            quoted(&own),
            self.routers[self.gateway].name,
            self.dice.among(0..=2_000)
        );
        for (index, asys) in self.ases.iter().enumerate() {
            let mut prefixes = Vec::new();
            if self.v4 {
                prefixes.push(format!("{}.1.0.0/16", 20 + index));
            }
            if self.v6 {
                prefixes.push(format!("2a00:{:x}::/32", index + 1));
            }
            let numbers = |others: &[usize]| -> Vec<u32> {
                others.iter().map(|other| self.ases[*other].number).collect()
            };
            let _ = write!(
                toml,
                "[[as]]\nnumber = {}\nname = \"AS {index}\"\nprefixes = [{}]\nproviders = {:?}\npeers = {:?}\n",
                asys.number,
                quoted(&prefixes),
                numbers(&asys.providers),
                numbers(&asys.peers)
            );
            if self.dice.chance(0.3) {
                toml.push_str("multipath = true\n");
            }
            if self.dice.chance(0.2) {
                toml.push_str("symmetric_replies = true\n");
            }
            toml.push('\n');
        }
        for (router, keys) in self.routers.iter().zip(&self.router_keys) {
            let number = self.ases[router.home].number;
            let _ = write!(toml, "[[router]]\nname = \"{}\"\nas = {number}\n{keys}\n", router.name);
        }
        for link in &self.links {
            let ends = link.ends.map(|end| self.routers[end].name.clone());
            let _ = write!(toml, "[[link]]\nbetween = [{}]\n{}", quoted(&ends), link.keys);
            if let Some(name) = &link.name {
                let _ = writeln!(toml, "name = \"{name}\"");
            }
            toml.push('\n');
        }
        toml.push_str(&self.rest);
        toml
    }
}

fn quoted<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("\"{}\"", item.to_string())).collect();
    items.join(", ")
}
