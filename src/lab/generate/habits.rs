//! How routers differ: most are ordinary, some say nothing, some speak with another voice.
//!
//! Shares are those that surveys of traceroutes name: silent hops (Gunes and Sarac 2008), addresses of a third
//! party (Luckie et al. 2014), balancing per destination or per packet (Augustin et al. 2011), ICMP rate
//! limits (Ravaioli et al. 2015).

use super::dice::{Dice, Purpose};
use super::plan::{Habits, IpId, Plan, Role};

const SILENT: f64 = 0.1;
const BALANCES: &[(Option<&str>, f64)] =
    &[(None, 0.945), (Some("per-destination"), 0.04), (Some("per-packet"), 0.01), (Some("none"), 0.005)];
const VOICES: &[(Option<&str>, f64)] = &[(None, 0.92), (Some("outbound"), 0.05), (Some("router"), 0.03)];
const QUOTES: &[(Option<&str>, f64)] = &[(None, 0.6), (Some("\"rfc1812\""), 0.25), (Some("128"), 0.15)];
const RATES: &[(Option<(u64, u64)>, f64)] =
    &[(None, 0.75), (Some((500, 100)), 0.15), (Some((100, 50)), 0.08), (Some((10, 10)), 0.02)];

/// How routers number what they send. All that resolve aliases find counters over all interfaces on most routers that they
/// can make use of, 0, chance and the probe's own number on others, and counters of single interfaces (Keys et al. 2013;
/// Vermeulen et al. 2018): the shares are only of this order.
const COUNTERS: &[(&str, f64)] =
    &[("router", 0.55), ("interface", 0.05), ("zero", 0.15), ("copied", 0.05), ("random", 0.2)];
/// Nine doublings of sixteen steps each.
const RATE_STEPS: u64 = 144;

/// Gives every router its habits. The vantage's gateway is an ordinary one, and the innermost routers of the
/// target say nothing, as behind many borders.
pub(super) fn settle(plan: &mut Plan) {
    let mut dice = Dice::new(plan.seed, Purpose::Habits);
    let mut numbers = Dice::new(plan.seed, Purpose::Identifications);
    let (vantage, target) = (plan.vantage.home, plan.target);
    for router in &mut plan.routers {
        let mut habits = Habits {
            silent: dice.happens(SILENT),
            balance: dice.weighed(BALANCES).flatten(),
            answers_from: dice.weighed(VOICES).flatten(),
            quote: dice.weighed(QUOTES).flatten(),
            icmp_rate: dice.weighed(RATES).flatten(),
            ip_id: IpId::default(),
        };
        if router.home == vantage {
            habits = Habits::default();
        }
        if router.home == target {
            habits = Habits { silent: router.role == Role::Access, ..Habits::default() };
        }
        router.habits = Habits { ip_id: ip_id(&mut numbers), ..habits };
    }
}

fn ip_id(dice: &mut Dice) -> IpId {
    let tenths = dice.between(0, RATE_STEPS.saturating_sub(1));
    match dice.weighed(COUNTERS) {
        Some(over @ ("router" | "interface")) => IpId::Counter(over, busy(tenths)),
        Some(word @ ("zero" | "copied")) => IpId::Named(word),
        _ => IpId::Random,
    }
}

/// Tenths of packets in a second: from 0.2 to 100, as often near 1 as near 10.
fn busy(step: u64) -> u64 {
    let doublings = step / 16;
    let base = 2_u64.saturating_pow(u32::try_from(doublings).unwrap_or(u32::MAX)).saturating_mul(2);
    base.saturating_add(base.saturating_mul(step % 16) / 16)
}
