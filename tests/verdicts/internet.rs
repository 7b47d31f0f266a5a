//! Internets drawn from a seed for calibration: an origin AS with several lines, units with hosts, control networks, and
//! all that may be taken for an event and is none.

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
    near: u32,
    lines: u32,
}

struct Draft {
    dice: Dice,
    toml: String,
    events: String,
    links: usize,
    /// Hosts of each unit that has any.
    hosts: u32,
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
        let hosts = dice.among(8..=16_u32);
        Draft { dice, toml: String::new(), events: String::new(), links: 0, hosts }.internet(seed, plot)
    }

    /// The share of the flows to the origin that its first line carries, on average over these moments: routes that tie
    /// are used alike.
    pub(crate) fn share(&self, at: &[WallTime]) -> f64 {
        let (all, others) = (f64::from(self.lines).recip(), f64::from(self.lines - 1).recip());
        let share = |at: &WallTime| match self.event {
            Some((change, (_, to), when)) if (change == LinkChange::Lost) == (*at >= when) => {
                // All flows must do without the line, or those alone that come over one of the near providers.
                let without = if to == asn(ORIGIN) { 1.0 } else { f64::from(self.near).recip() };
                without * others + (1.0 - without) * all
            }
            _ => all,
        };
        let sum: f64 = at.iter().map(share).sum();
        sum / f64::from(u32::try_from(at.len()).expect("few"))
    }

    /// When rounds begin during which the vantage is connected.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = WallTime> + '_ {
        let all = (0..ROUNDS).map(|round| at(ROUND.as_secs() * u64::from(round)));
        all.filter(|at| self.vantage_down.is_none_or(|(from, to)| *at < from || to <= *at))
    }
}

impl Draft {
    fn internet(mut self, seed: u64, plot: Plot) -> Internet {
        let length = ROUND.as_secs() * u64::from(ROUNDS);
        self.head(seed, length);
        let near = self.dice.among(1..=2_u32);
        let lines = self.dice.among(2..=10_u32);
        self.ases(near, lines);
        self.units();
        let event = self.plot(plot, (near, lines), length);
        let vantage_down = self.noise(near, length);
        let toml = format!("{}{}", self.toml, self.events);
        let scenario = Scenario::parse("drawn.toml", &toml)
            .unwrap_or_else(|errors| panic!("a drawn scenario is refused:\n{errors}\n{toml}"));
        let campaign = campaign(seed, self.hosts);
        Internet { scenario, toml, campaign, event, vantage_down, near, lines }
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
        for (near_in, near_out) in &near {
            self.join(&gate.1, near_in);
            for (line, _) in &lines {
                self.join(near_out, line);
            }
            self.join(near_out, &controls[0].0);
        }
        for (_, line) in &lines {
            self.join(line, &origin.0);
        }
        self.join(&lines[0].1, &controls[1].0);
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
                self.join(&names[one], &names[other]);
            }
        } else {
            for pair in names.windows(2) {
                self.join(&pair[0], &pair[1]);
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

    fn join(&mut self, one: &str, other: &str) {
        let delay = self.dice.span(200..=9_000).as_micros();
        let name = format!("link-{}", self.links);
        self.links += 1;
        let _ = write!(
            self.toml,
            "[[link]]\nname = \"{name}\"\nbetween = [\"{one}\", \"{other}\"]\ndelay = \"{delay}us\"\n"
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

    /// Whether a router of an AS answers.
    fn answers(&self, number: u32) -> bool {
        let mut routers = self.toml.split("[[").filter(|table| table.starts_with("router"));
        routers.any(|router| router.contains(&format!("\nas = {number}\n")) && !router.contains("silent"))
    }

    fn event(&mut self, seconds: u64, what: &str) {
        let _ = write!(self.events, "[[event]]\nat = \"{}\"\n{what}\n\n", at(seconds));
    }

    /// A line into the origin, or the way from a near provider to one, which carries at least a tenth of the flows.
    fn plot(
        &mut self,
        plot: Plot,
        (near, lines): (u32, u32),
        length: u64,
    ) -> Option<(LinkChange, (Asn, Asn), WallTime)> {
        let seconds = self.dice.among(length / 4..=length * 3 / 4);
        // Never the one behind which a control stands alone, and none of which nobody can know that it is there.
        let heard: Vec<u32> = (301..300 + lines).filter(|line| self.answers(*line)).collect();
        let plot = if heard.is_empty() { Plot::Nothing } else { plot };
        let line = if heard.is_empty() { 0 } else { *self.dice.one_of(&heard) };
        let before: Vec<u32> = (200..200 + near).filter(|near| self.answers(*near)).collect();
        let further = near * lines <= 10 && !before.is_empty() && self.dice.chance(0.4);
        let (from, to) = if further { (*self.dice.one_of(&before), line) } else { (line, ORIGIN) };
        let (change, word) = match plot {
            Plot::Nothing => return None,
            Plot::Lost => (LinkChange::Lost, "lost"),
            Plot::Added => (LinkChange::Added, "added"),
        };
        self.event(seconds, &format!("{word} = \"AS{from}-AS{to}\""));
        Some((change, (asn(from), asn(to)), at(seconds)))
    }

    /// Weights that change, limits that come, a host that goes, the vantage's own line.
    fn noise(&mut self, near: u32, length: u64) -> Option<(WallTime, WallTime)> {
        for _ in 0..self.dice.among(0..=3_u32) {
            let (seconds, link) = (self.dice.among(1..=length - 1), self.dice.among(0..=self.links - 1));
            let weight = self.dice.among(1..=20_u32);
            self.event(seconds, &format!("weight = {{ link = \"link-{link}\", weight = {weight} }}"));
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
