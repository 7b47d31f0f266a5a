//! What a campaign would send, before anything is sent: packets, rates, durations, the load on each unit, and
//! what the guard refuses and why. Pure; the numbers are upper bounds, since traces end early and answered
//! questions are not repeated.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::config::{Campaign, ProberKind, ProberSpec, Rates, Target, count, tidy};
use crate::measure::guard::{Guard, REGISTRY_DATE};
use crate::model::{BlockRule, Method, Name, Pps, Unit};

/// What a campaign would send.
///
/// Targets that the guard refuses send nothing and are not counted, except where only the operator's name is
/// missing: there the plan shows what naming one would set going.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The campaign.
    pub campaign: Name,
    /// Who would measure.
    pub vantage: Name,
    /// The rates that hold.
    pub rates: Rates,
    /// The most packets a second that can leave, over more than a moment.
    pub peak: Pps,
    /// Targets that are counted.
    pub targets: u64,
    /// Packets an hour at most, of all probers.
    pub packets_per_hour: f64,
    /// One entry a prober, in the order of the file.
    pub probers: Vec<ProberPlan>,
    /// One entry a unit, in the order of the file.
    pub units: Vec<UnitPlan>,
    /// What the guard refuses, by reason.
    pub refused: Vec<Refused>,
}

/// What a prober would send.
#[derive(Clone, Debug, PartialEq)]
pub struct ProberPlan {
    /// The prober.
    pub name: Name,
    /// What it asks.
    pub method: Method,
    /// Rounds an hour where they lie closest.
    pub rounds_per_hour: f64,
    /// Packets in a round at most.
    pub packets_per_round: u64,
    /// Packets an hour at most.
    pub packets_per_hour: f64,
    /// How long those packets take at the campaign's rates, if no other prober sends.
    pub round_takes: Duration,
    /// The rate that makes it so.
    pub held_by: HeldBy,
}

impl ProberPlan {
    /// Whether a round can take longer than the time to the next, so that rounds may be missed.
    #[must_use]
    pub fn may_overrun(&self) -> bool {
        self.round_takes.as_secs_f64() * self.rounds_per_hour > 3_600.0
    }
}

/// Which rate a round waits for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// `rates.total`.
    Total,
    /// `rates.per_unit`.
    PerUnit,
    /// `rates.per_responder`: of a trace, at the first router, which all its flows cross.
    PerResponder,
    /// `probers.spacing`.
    Spacing,
}

impl HeldBy {
    /// The key in the campaign file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "rates.total",
            Self::PerUnit => "rates.per_unit",
            Self::PerResponder => "rates.per_responder",
            Self::Spacing => "probers.spacing",
        }
    }
}

/// What a unit would get.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitPlan {
    /// The unit.
    pub unit: Unit,
    /// Whether it is a control unit.
    pub control: bool,
    /// Targets that are counted.
    pub targets: u64,
    /// Packets an hour at most.
    pub packets_per_hour: f64,
    /// Of them echo and TCP, which `rates.liveness_per_unit_hour` bounds.
    pub liveness_per_hour: f64,
}

/// Addresses that the guard refuses for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The rule.
    pub rule: BlockRule,
    /// The block or opt-out that is meant, and what can be done, if anything.
    pub explanation: String,
    /// How many addresses.
    pub addresses: u64,
    /// The first of them.
    pub first: IpAddr,
}

impl Plan {
    /// Reckons what a campaign would send under a guard.
    #[must_use]
    pub fn new(campaign: &Campaign, guard: &Guard) -> Self {
        let (counted, refused) = sort_out(campaign.targets(), guard);
        let mut by_unit: BTreeMap<Unit, u64> = BTreeMap::new();
        for target in &counted {
            let count = by_unit.entry(target.unit).or_default();
            *count = count.saturating_add(1);
        }
        let probers: Vec<ProberPlan> =
            campaign.probers.iter().map(|prober| prober_plan(prober, &by_unit, campaign.rates)).collect();
        let unit_plan = |(unit, control)| {
            let targets = by_unit.get(&unit).copied().unwrap_or(0);
            unit_plan(campaign, (unit, control), targets)
        };
        Self {
            campaign: campaign.name.clone(),
            vantage: campaign.vantage.name.clone(),
            rates: campaign.rates,
            peak: peak(campaign.rates, by_unit.len()),
            targets: by_unit.values().sum(),
            packets_per_hour: probers.iter().map(|prober| prober.packets_per_hour).sum(),
            probers,
            units: campaign.units().into_iter().map(unit_plan).collect(),
            refused,
        }
    }

    /// Whether everything that is counted waits for an operator to be named.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        self.refused.iter().any(|refused| refused.rule == BlockRule::NoOperator)
    }
}

/// Parts the targets that count from the refused ones.
fn sort_out(targets: Vec<Target>, guard: &Guard) -> (Vec<Target>, Vec<Refused>) {
    let mut counted = Vec::new();
    let mut reasons: BTreeMap<(BlockRule, String), Refused> = BTreeMap::new();
    for target in targets {
        let Err(refusal) = guard.check(target.address) else {
            counted.push(target);
            continue;
        };
        let (rule, explanation) = (refusal.rule, refusal.explanation);
        if rule == BlockRule::NoOperator {
            counted.push(target);
        }
        let reason = reasons.entry((rule, explanation.clone())).or_insert(Refused {
            rule,
            explanation,
            addresses: 0,
            first: target.address,
        });
        reason.addresses = reason.addresses.saturating_add(1);
    }
    (counted, reasons.into_values().collect())
}

/// The total rate, unless the units' rates together are less.
fn peak(rates: Rates, units: usize) -> Pps {
    let units = count(u64::try_from(units).unwrap_or(u64::MAX));
    Pps::new(rates.per_unit.get() * units).filter(|sum| *sum < rates.total).unwrap_or(rates.total)
}

fn unit_plan(campaign: &Campaign, (unit, control): (Unit, bool), targets: u64) -> UnitPlan {
    let (traces, liveness): (Vec<&ProberSpec>, Vec<&ProberSpec>) =
        campaign.probers.iter().partition(|prober| !prober.kind.method().is_liveness());
    let load = |probers: &[&ProberSpec]| -> f64 {
        probers.iter().map(|prober| prober.hourly_packets(targets)).sum()
    };
    let liveness_per_hour = load(&liveness);
    UnitPlan {
        unit,
        control,
        targets,
        packets_per_hour: liveness_per_hour + load(&traces),
        liveness_per_hour,
    }
}

fn prober_plan(prober: &ProberSpec, by_unit: &BTreeMap<Unit, u64>, rates: Rates) -> ProberPlan {
    let to_units: u64 = by_unit.values().map(|targets| prober.kind.packets_to_unit(*targets)).sum();
    let tests = if to_units > 0 { prober.packets_of_tests() } else { 0 };
    let packets_per_round = to_units.saturating_add(tests);
    let (held_by, round_takes) = round_time(&prober.kind, rates, by_unit);
    ProberPlan {
        name: prober.name.clone(),
        method: prober.kind.method(),
        rounds_per_hour: prober.rounds_per_hour(),
        packets_per_round,
        packets_per_hour: count(packets_per_round) * prober.rounds_per_hour(),
        round_takes,
        held_by,
    }
}

/// How long the packets of a round take, and why.
fn round_time(kind: &ProberKind, rates: Rates, by_unit: &BTreeMap<Unit, u64>) -> (HeldBy, Duration) {
    let targets: u64 = by_unit.values().sum();
    let to_units = by_unit.values().map(|targets| kind.packets_to_unit(*targets));
    let busiest_responder = match kind {
        ProberKind::Trace { flows, .. } => count(targets) * f64::from(*flows),
        ProberKind::Multipath { stopping, narrowest, .. } => {
            count(targets.saturating_mul(stopping.flows(1, *narrowest) as u64))
        }
        ProberKind::Census { stopping, narrowest, .. } => {
            count((by_unit.len() as u64).saturating_mul(stopping.flows(1, *narrowest) as u64))
        }
        ProberKind::Echo { .. } | ProberKind::Tcp { .. } => count(kind.packets_per_target()),
    };
    let spacing = match kind {
        ProberKind::Echo { echoes, spacing } => spacing.as_secs_f64() * f64::from(echoes.saturating_sub(1)),
        _ => 0.0,
    };
    let bounds = [
        (HeldBy::Total, count(to_units.clone().sum()) / rates.total.get()),
        (HeldBy::PerUnit, count(to_units.max().unwrap_or(0)) / rates.per_unit.get()),
        (HeldBy::PerResponder, busiest_responder / rates.per_responder.get()),
        (HeldBy::Spacing, spacing),
    ];
    let longest = bounds.into_iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
    let (held_by, seconds) = longest.unwrap_or((HeldBy::Total, 0.0));
    let seconds = if targets == 0 { 0.0 } else { seconds };
    (held_by, Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = self.units.len();
        writeln!(
            f,
            "campaign {} from {}: {} targets in {sets} units",
            self.campaign, self.vantage, self.targets
        )?;
        writeln!(
            f,
            "at most {} packets an hour; peak {} packets a second (rates.total {}, burst {})",
            tidy(self.packets_per_hour),
            tidy(self.peak.get()),
            tidy(self.rates.total.get()),
            self.rates.burst,
        )?;
        writeln!(f)?;
        write_table(f, &self.prober_table())?;
        self.write_overruns(f)?;
        writeln!(f)?;
        write_table(f, &self.unit_table())?;
        write!(f, "\nnever probed: special-purpose space as registered with IANA on {REGISTRY_DATE}")?;
        self.write_refused(f)
    }
}

impl Plan {
    fn prober_table(&self) -> Vec<Vec<String>> {
        let head = ["prober", "method", "rounds/h", "packets/round", "packets/h", "round takes", "held by"];
        let row = |prober: &ProberPlan| {
            vec![
                prober.name.to_string(),
                prober.method.as_str().to_owned(),
                tidy(prober.rounds_per_hour),
                prober.packets_per_round.to_string(),
                tidy(prober.packets_per_hour),
                whole_seconds(prober.round_takes),
                prober.held_by.as_str().to_owned(),
            ]
        };
        with_head(&head, self.probers.iter().map(row))
    }

    fn unit_table(&self) -> Vec<Vec<String>> {
        let allowed = format!("echo+tcp/h (of {})", tidy(self.rates.liveness_per_unit_hour));
        let head = ["unit", "targets", "packets/h", &allowed, ""];
        let row = |unit: &UnitPlan| {
            vec![
                unit.unit.to_string(),
                unit.targets.to_string(),
                tidy(unit.packets_per_hour),
                tidy(unit.liveness_per_hour),
                if unit.control { "control" } else { "" }.to_owned(),
            ]
        };
        with_head(&head, self.units.iter().map(row))
    }

    fn write_overruns(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for prober in self.probers.iter().filter(|prober| prober.may_overrun()) {
            writeln!(
                f,
                "{}: a round can take longer than the time to the next, which is then missed; \
                 it waits for {}",
                prober.name,
                prober.held_by.as_str()
            )?;
        }
        Ok(())
    }

    fn write_refused(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.refused.is_empty() {
            return write!(f, "\nthe guard refuses nothing");
        }
        write!(f, "\nrefused by the guard:")?;
        for refused in &self.refused {
            let others = match refused.addresses.saturating_sub(1) {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            let rule = refused.rule.as_str();
            write!(f, "\n  {}{others}: {rule}: {}", refused.first, refused.explanation)?;
        }
        if self.needs_operator() {
            write!(
                f,
                "\nthe tables show what would be sent once [operator] names somebody; now it is not"
            )?;
        }
        Ok(())
    }
}

fn with_head(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Vec<Vec<String>> {
    std::iter::once(head.iter().map(|cell| (*cell).to_owned()).collect()).chain(rows).collect()
}

/// Columns of even width, two blanks apart, without blanks at the ends of lines.
fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    for row in rows {
        let cells = row.iter().enumerate();
        let padded: Vec<String> =
            cells.map(|(i, cell)| format!("{cell:<0$}", width(i).unwrap_or(0))).collect();
        writeln!(f, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}

/// Rounded up: `20m`.
fn whole_seconds(time: Duration) -> String {
    let started = u64::from(time.subsec_nanos() > 0);
    humantime::format_duration(Duration::from_secs(time.as_secs().saturating_add(started))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::guard::{OptOut, Territory};

    const SHIPPED: &str = include_str!("../../../probes.toml");

    fn shipped() -> Campaign {
        Campaign::parse("probes.toml", SHIPPED).unwrap()
    }

    fn plan(campaign: &Campaign, territory: Territory, opt_outs: &str) -> Plan {
        let opt_outs = OptOut::parse_file("optout.txt", opt_outs).unwrap();
        Plan::new(campaign, &Guard::new(campaign.guard_rules(territory, opt_outs, 1.0)))
    }

    #[test]
    fn the_numbers_are_those_that_a_person_would_reckon() {
        let plan = plan(&shipped(), Territory::Lab, "");
        assert_eq!(plan.targets, 26);
        let rounds: Vec<u64> = plan.probers.iter().map(|prober| prober.packets_per_round).collect();
        assert_eq!(rounds, [26, 26, 26 * 4 * 30 * 2, 26 * 4 * 30 * 2]);
        let takes: Vec<u64> = plan.probers.iter().map(|prober| prober.round_takes.as_secs()).collect();
        assert_eq!(takes, [5, 5, 1_200, 1_200]);
        assert_eq!(plan.probers[2].held_by, HeldBy::PerUnit);
        assert!((plan.packets_per_hour - f64::from(52 + 52 + 6_240 + 6_240)).abs() < 1e-6);
        assert!((plan.units[0].liveness_per_hour - 20.0).abs() < 1e-9);
        assert!((plan.units[5].packets_per_hour - f64::from(6 + 6 + 2 * 720)).abs() < 1e-6);
        assert!((plan.peak.get() - 6.0).abs() < 1e-9, "six units at one packet a second each");
        assert!(plan.refused.is_empty() && !plan.probers.iter().any(ProberPlan::may_overrun));
    }

    #[test]
    fn what_is_refused_is_named_with_its_rule_and_not_counted() {
        let named = SHIPPED.replacen(
            "[vantage]",
            "[operator]\nname = \"n\"\ncontact = \"probing@uni.edu\"\npurpose = \"p\"\n[vantage]",
            1,
        );
        let campaign = Campaign::parse("probes.toml", &named).unwrap();
        let plan = plan(&campaign, Territory::Internet, "175.45.177.0/24 # noc, 2026-11-01, ticket 17");
        assert_eq!((plan.targets, plan.units[1].targets), (21, 0));
        assert_eq!(plan.refused.len(), 1);
        assert_eq!((plan.refused[0].rule, plan.refused[0].addresses), (BlockRule::OptOut, 5));
        let shown = plan.to_string();
        let line =
            "175.45.177.10 and 4 more: opt_out: opted out: 175.45.177.0/24 (noc, 2026-11-01, ticket 17)";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn without_an_operator_the_plan_says_that_nothing_is_sent() {
        let plan = plan(&shipped(), Territory::Internet, "");
        assert!(plan.needs_operator());
        assert_eq!(plan.refused[0].addresses, 26);
        let shown = plan.to_string();
        assert!(shown.contains("fill in [operator]") && shown.ends_with("now it is not"), "{shown}");
        assert!(shown.lines().all(|line| line.len() <= 120 && !line.ends_with(' ')), "{shown}");
    }

    #[test]
    fn rounds_that_cannot_end_in_time_are_named() {
        let hasty = SHIPPED.replace("every = \"60m\"", "every = \"15m\"");
        let campaign = Campaign::parse("probes.toml", &hasty).unwrap();
        let plan = plan(&campaign, Territory::Lab, "");
        assert!(plan.probers[3].may_overrun());
        assert!(plan.to_string().contains("trace-tcp: a round can take longer"));
    }
}
