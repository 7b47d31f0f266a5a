//! Internets drawn from a seed for calibration: an origin AS with several lines, units with hosts, control networks, and
//! all that may be taken for an event and is none.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use tetherline::lab::Scenario;
use tetherline::model::{Asn, LinkChange, WallTime};

use crate::dice::Dice;

/// The origin of all units.
pub(crate) const ORIGIN: u32 = 900;
/// When it begins.
const START: &str = "2017-10-01T00:00:00Z";
/// From one round to the next.
pub(crate) const ROUND: Duration = Duration::from_secs(300);
pub(crate) const ROUNDS: u32 = 16;
/// Flows that are traced to each target.
const FLOWS: u32 = 4;

/// What happens in the campaign, beside noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plot {
    Nothing,
    Lost,
    Added,
}

/// A drawn Internet with its campaign.
pub(crate) struct Internet {
    pub(crate) scenario: Scenario,
    pub(crate) toml: String,
    pub(crate) campaign: String,
    /// The event: what happened to which link, and when.
    pub(crate) event: Option<(LinkChange, (Asn, Asn), WallTime)>,
    /// When the vantage's line was down.
    pub(crate) vantage_down: Option<(WallTime, WallTime)>,
    /// How many the balancers before the lines deal out to them: flows, or targets where one goes by destination.
    pub(crate) dealt: u32,
    truth: Lines,
}

/// The origin's lines, and what deals the flows out to them.
struct Lines {
    count: u32,
    near: u32,
    /// The weight of links, by name, from a moment on; 1 before.
    weights: BTreeMap<String, Vec<(WallTime, u32)>>,
    /// The link between the networks `.0` and `.1`.
    names: BTreeMap<(u32, u32), String>,
    event: Option<(LinkChange, u32, WallTime)>,
}

struct Draft {
    dice: Dice,
    toml: String,
    events: String,
    links: usize,
    /// Hosts of each unit that has any.
    hosts: u32,
    /// Whether a router before the lines goes by destination.
    by_destination: bool,
    truth: Lines,
}

/// A moment of the campaign, in seconds.
fn at(seconds: u64) -> WallTime {
    WallTime::parse_rfc3339(START).expect("a time").after(Duration::from_secs(seconds))
}

fn asn(number: u32) -> Asn {
    Asn::try_from(number).expect("an AS")
}

impl Internet {
    pub(crate) fn draw(seed: u64, plot: Plot) -> Self {
        let mut dice = Dice::new(seed, "verdict");
        let (near, count) = (dice.among(1..=2_u32), dice.among(2..=4_u32));
        let truth = Lines { count, near, weights: BTreeMap::new(), names: BTreeMap::new(), event: None };
        let hosts = dice.among(8..=16_u32);
        let (toml, events) = (String::new(), String::new());
        Draft { dice, toml, events, links: 0, hosts, by_destination: false, truth }.internet(seed, plot)
    }

    /// The share of the flows to the origin that its link to an AS carries, on average over these moments.
    pub(crate) fn share(&self, line: Asn, at: &[WallTime]) -> f64 {
        let share = |at: &WallTime| self.truth.share(line.get(), *at);
        at.iter().map(share).sum::<f64>() / f64::from(u32::try_from(at.len()).expect("few"))
    }

    /// When rounds begin during which the vantage is connected.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = WallTime> + '_ {
        let all = (0..ROUNDS).map(|round| at(ROUND.as_secs() * u64::from(round)));
        all.filter(|at| self.vantage_down.is_none_or(|(from, to)| *at < from || to <= *at))
    }

    /// The share of the link of the event while it is there.
    pub(crate) fn share_of_event(&self) -> Option<f64> {
        let (change, (line, _), at) = self.event?;
        let just_before = WallTime::from_nanos(at.as_nanos() - 1);
        Some(self.truth.share(line.get(), if change == LinkChange::Lost { just_before } else { at }))
    }
}

impl Lines {
    fn share(&self, line: u32, at: WallTime) -> f64 {
        let near: Vec<u32> = (200..200 + self.near).collect();
        let all = near.iter().map(|near| self.weight((100, *near), at)).sum::<f64>();
        near.iter()
            .map(|near| self.weight((100, *near), at) / all * self.share_behind(*near, line, at))
            .sum()
    }

    fn share_behind(&self, near: u32, line: u32, at: WallTime) -> f64 {
        let weight = |line| if self.is_up(line, at) { self.weight((near, line), at) } else { 0.0 };
        weight(line) / (300..300 + self.count).map(weight).sum::<f64>()
    }

    fn is_up(&self, line: u32, at: WallTime) -> bool {
        self.event
            .is_none_or(|(change, of, when)| of != line || (change == LinkChange::Lost) == (at < when))
    }

    fn weight(&self, between: (u32, u32), at: WallTime) -> f64 {
        let set = self.weights.get(&self.names[&between]).into_iter().flatten();
        f64::from(
            set.filter(|(from, _)| *from <= at)
                .max_by_key(|(from, _)| *from)
                .map_or(1, |(_, weight)| *weight),
        )
    }
}

impl Draft {
    fn internet(mut self, seed: u64, plot: Plot) -> Internet {
        let length = ROUND.as_secs() * u64::from(ROUNDS);
        self.head(seed, length);
        self.ases(self.truth.near, self.truth.count);
        self.units();
        let event = self.plot(plot, self.truth.count, length);
        let vantage_down = self.noise(self.truth.near, length);
        let toml = format!("{}{}", self.toml, self.events);
        let scenario = Scenario::parse("drawn.toml", &toml)
            .unwrap_or_else(|errors| panic!("a drawn scenario is refused:\n{errors}\n{toml}"));
        let targets = self.hosts * 2;
        let dealt = if self.by_destination { targets } else { targets * FLOWS };
        let campaign = campaign(seed, self.hosts);
        Internet { scenario, toml, campaign, event, vantage_down, dealt, truth: self.truth }
    }

    fn head(&mut self, seed: u64, length: u64) {
        let convergence = self.dice.among(0..=2000_u32);
        let _ = write!(
            self.toml,
            "seed = {}\nconvergence = \"{convergence}ms\"\n\n[clock]\nstart = \"{START}\"\nduration = \"{length}s\"\n\n\
             [vantage]\nname = \"vp\"\naddresses = [\"20.0.0.10\"]\ngateway = \"gate\"\n\n",
            seed & 0xffff_ffff
        );
    }

    /// The vantage's AS 100, near providers 200 and on, the origin's lines 300 and on, the origin, and two controls.
    fn ases(&mut self, near: u32, lines: u32) {
        let numbers = |first: u32, count: u32| {
            (first..first + count).map(|number| number.to_string()).collect::<Vec<_>>().join(", ")
        };
        self.asys(100, 20, &numbers(200, near));
        for number in 200..200 + near {
            self.asys(number, number - 200 + 30, "");
        }
        for number in 300..300 + lines {
            self.asys(number, number - 300 + 40, &numbers(200, near));
        }
        self.asys(ORIGIN, 90, &numbers(300, lines));
        self.asys(800, 80, &numbers(200, near));
        self.asys(801, 81, &numbers(300, 1));
        let gate = self.routers(100, 20, Some("gate"));
        let near: Vec<_> =
            (200..200 + near).map(|number| self.routers(number, number - 200 + 30, None)).collect();
        let lines: Vec<_> =
            (300..300 + lines).map(|number| self.routers(number, number - 300 + 40, None)).collect();
        let origin = self.routers(ORIGIN, 90, None);
        let controls = [self.routers(800, 80, None), self.routers(801, 81, None)];
        for ((near_in, near_out), near) in near.iter().zip(200..) {
            self.deal(&gate.1, near_in, (100, near));
            for ((line_in, _), line) in lines.iter().zip(300..) {
                self.deal(near_out, line_in, (near, line));
            }
            self.join(near_out, &controls[0].0, 1);
        }
        for (_, line) in &lines {
            self.join(line, &origin.0, 1);
        }
        self.join(&lines[0].1, &controls[1].0, 1);
    }

    /// A link of which it matters how many flows are dealt out to it.
    fn deal(&mut self, one: &str, other: &str, between: (u32, u32)) {
        let weight = self.dice.among(1..=3_u32);
        let start = WallTime::parse_rfc3339(START).expect("a time");
        let name = format!("link-{}", self.links);
        self.truth.weights.entry(name.clone()).or_default().push((start, weight));
        self.truth.names.insert(between, name);
        let router = self.toml.split(&format!("name = \"{one}\"")).nth(1).expect("a router");
        let keys = router.split("\n\n").next().expect("its keys");
        self.by_destination |= keys.contains("balance = \"per-destination\"");
        self.join(one, other, weight);
    }

    fn asys(&mut self, number: u32, net: u32, providers: &str) {
        let _ = write!(
            self.toml,
            "[[as]]\nnumber = {number}\nname = \"AS{number}\"\nprefixes = [\"{net}.0.0.0/16\"]\nproviders = [{providers}]\n\
             multipath = true\nsymmetric_replies = true\n\n"
        );
    }

    /// One to three routers in a row, or a diamond; the first and the last.
    fn routers(&mut self, number: u32, net: u32, first: Option<&str>) -> (String, String) {
        let shape = self.dice.among(0..=3);
        let count = [1, 2, 3, 4][shape];
        let names: Vec<String> = (0..count)
            .map(|index| match (index, first) {
                (0, Some(first)) => first.to_owned(),
                _ => format!("r{number}-{index}"),
            })
            .collect();
        for (index, name) in (1..).zip(&names) {
            let keys = self.habits(first.is_some());
            let _ = write!(
                self.toml,
                "[[router]]\nname = \"{name}\"\nas = {number}\naddresses = [\"{net}.0.0.{index}\"]\n{keys}\n"
            );
        }
        if shape == 3 {
            for (one, other) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
                self.join(&names[one], &names[other], 1);
            }
        } else {
            for pair in names.windows(2) {
                self.join(&pair[0], &pair[1], 1);
            }
        }
        (names[0].clone(), names[count - 1].clone())
    }

    fn habits(&mut self, at_home: bool) -> String {
        let mut keys = String::new();
        if self.dice.chance(0.25) && !at_home {
            let (rate, burst) = (self.dice.among(5..=60_u32), self.dice.among(1..=20_u32));
            let _ = writeln!(keys, "icmp_rate = {{ per_second = {rate}, burst = {burst} }}");
        } else if self.dice.chance(0.05) {
            keys.push_str("silent = true\n");
        }
        let balance = self.dice.one_of(&["per-flow", "per-flow", "per-destination", "per-packet"]);
        let _ = writeln!(keys, "balance = \"{balance}\"");
        keys
    }

    fn join(&mut self, one: &str, other: &str, weight: u32) {
        let delay = self.dice.span(200..=9_000).as_micros();
        let name = format!("link-{}", self.links);
        self.links += 1;
        let _ = write!(
            self.toml,
            "[[link]]\nname = \"{name}\"\nbetween = [\"{one}\", \"{other}\"]\ndelay = \"{delay}us\"\n\
             weight = {weight}\n"
        );
        if self.dice.chance(0.15) {
            let loss = self.dice.among(1..=40_u32);
            if self.dice.chance(0.5) {
                let _ = writeln!(self.toml, "loss = 0.{loss:03}");
            } else {
                let _ = writeln!(
                    self.toml,
                    "loss = {{ mean = 0.{loss:03}, burst = {}.5 }}",
                    self.dice.among(1..=6)
                );
            }
        }
        self.toml.push('\n');
    }

    /// Three units of the origin, of which in the third nobody answers, and two controls.
    fn units(&mut self) {
        for (third, hosts) in [(1, self.hosts), (2, self.hosts), (3, 0)] {
            let _ = write!(
                self.toml,
                "[[network]]\nprefix = \"90.1.{third}.0/24\"\nrouter = \"{}\"\n\n",
                self.last_of(ORIGIN)
            );
            self.hosts(&format!("90.1.{third}"), hosts);
        }
        for (number, net) in [(800, 80), (801, 81)] {
            let router = self.last_of(number);
            let _ =
                write!(self.toml, "[[network]]\nprefix = \"{net}.1.1.0/24\"\nrouter = \"{router}\"\n\n");
            self.hosts(&format!("{net}.1.1"), 3);
        }
    }

    fn hosts(&mut self, net: &str, count: u32) {
        if count > 0 {
            let all: Vec<String> = (0..count).map(|host| format!("\"{net}.{}\"", 10 + host)).collect();
            let _ = write!(self.toml, "[[host]]\naddresses = [{}]\nopen = [80]\n\n", all.join(", "));
        }
    }

    /// The last router of an AS that was drawn.
    fn last_of(&self, number: u32) -> String {
        let mark = format!("name = \"r{number}-");
        let last = self.toml.rmatch_indices(&mark).next().map(|(at, _)| &self.toml[at + 8..]);
        last.and_then(|rest| rest.split('"').next()).expect("a router").to_owned()
    }

    fn event(&mut self, seconds: u64, what: &str) {
        let _ = write!(self.events, "[[event]]\nat = \"{}\"\n{what}\n\n", at(seconds));
    }

    fn plot(&mut self, plot: Plot, lines: u32, length: u64) -> Option<(LinkChange, (Asn, Asn), WallTime)> {
        let seconds = self.dice.among(length / 4..=length * 3 / 4);
        // Never the one behind which a control stands alone.
        let line = 300 + self.dice.among(1..=lines - 1);
        let (change, word) = match plot {
            Plot::Nothing => return None,
            Plot::Lost => (LinkChange::Lost, "lost"),
            Plot::Added => (LinkChange::Added, "added"),
        };
        self.event(seconds, &format!("{word} = \"AS{line}-AS{ORIGIN}\""));
        self.truth.event = Some((change, line, at(seconds)));
        Some((change, (asn(line), asn(ORIGIN)), at(seconds)))
    }

    /// Weights that change, limits that come, a host that goes, the vantage's own line.
    fn noise(&mut self, near: u32, length: u64) -> Option<(WallTime, WallTime)> {
        for _ in 0..self.dice.among(0..=3_u32) {
            let (seconds, link) = (self.dice.among(1..=length - 1), self.dice.among(0..=self.links - 1));
            let weight = self.dice.among(1..=20_u32);
            self.event(seconds, &format!("weight = {{ link = \"link-{link}\", weight = {weight} }}"));
            self.truth.weights.entry(format!("link-{link}")).or_default().push((at(seconds), weight));
        }
        if self.dice.chance(0.4) {
            let seconds = self.dice.among(1..=length - 1);
            let router = format!("r{}-0", 200 + self.dice.among(0..=near - 1));
            self.event(
                seconds,
                &format!(
                    "icmp_rate = {{ router = \"{router}\", limit = {{ per_second = 3, burst = 2 }} }}"
                ),
            );
        }
        if self.dice.chance(0.3) {
            let seconds = self.dice.among(1..=length - 1);
            self.event(seconds, "hosts_down = \"90.1.1.10/32\"");
        }
        if self.dice.chance(0.3) {
            let from = self.dice.among(length / 8..=length * 7 / 8);
            let to = from + self.dice.among(20..=1500);
            self.event(from, "uplink = \"down\"");
            if to < length {
                self.event(to, "uplink = \"up\"");
            }
            return Some((at(from), at(to)));
        }
        None
    }
}

/// An echo to each address of each unit every five minutes, and four flows traced to it.
fn campaign(seed: u64, hosts: u32) -> String {
    let targets = |prefix: &str, hosts: u32, control: bool| {
        let net = prefix.trim_end_matches("0/24");
        let list: Vec<String> = (10..10 + hosts).map(|host| format!("\"{net}{host}\"")).collect();
        format!(
            "[[targets]]\nprefix = \"{prefix}\"\nselect = \"hitlist\"\nhitlist = [{}]\ncontrol = {control}\n\n",
            list.join(", ")
        )
    };
    let units: String = [
        targets("90.1.1.0/24", hosts, false),
        targets("90.1.2.0/24", hosts, false),
        targets("90.1.3.0/24", 2, false),
        targets("80.1.1.0/24", 1, true),
        targets("81.1.1.0/24", 1, true),
    ]
    .concat();
    format!(
        "[campaign]\nname = \"drawn\"\nseed = {}\nduration = \"{}s\"\n\n[vantage]\nname = \"vp\"\n\n[rates]\ntotal = 200\n\
         burst = 10\nper_unit = 50\nper_responder = 50\nliveness_per_unit_hour = 600\n\n{units}\
         [[probers]]\nname = \"echo\"\nkind = \"echo\"\nevery = \"5m\"\n\n\
         [[probers]]\nname = \"trace\"\nkind = \"trace\"\nevery = \"5m\"\nflows = {FLOWS}\nattempts = 2\ngap_limit = 3\n\n\
         [output]\nmin_free = \"0KiB\"\n",
        seed & 0xffff_ffff,
        ROUND.as_secs() * u64::from(ROUNDS),
    )
}
