//! How routers differ: most are ordinary, some say nothing, some speak with another voice.
//!
//! Shares are those that surveys of traceroutes name: silent hops (Gunes and Sarac 2008), addresses of a third
//! party (Luckie et al. 2014), balancing per destination or per packet (Augustin et al. 2011), ICMP rate
//! limits (Ravaioli et al. 2015).

use super::dice::{Dice, Purpose};
use super::plan::{Habits, Plan, Role};

const SILENT: f64 = 0.1;
const BALANCES: &[(Option<&str>, f64)] =
    &[(None, 0.945), (Some("per-destination"), 0.04), (Some("per-packet"), 0.01), (Some("none"), 0.005)];
const VOICES: &[(Option<&str>, f64)] = &[(None, 0.92), (Some("outbound"), 0.05), (Some("router"), 0.03)];
const QUOTES: &[(Option<&str>, f64)] = &[(None, 0.6), (Some("\"rfc1812\""), 0.25), (Some("128"), 0.15)];
const RATES: &[(Option<(u64, u64)>, f64)] =
    &[(None, 0.75), (Some((500, 100)), 0.15), (Some((100, 50)), 0.08), (Some((10, 10)), 0.02)];

/// Gives every router its habits. The vantage's gateway is an ordinary one, and the innermost routers of the
/// target say nothing, as behind many borders.
pub(super) fn settle(plan: &mut Plan) {
    let mut dice = Dice::new(plan.seed, Purpose::Habits);
    let (vantage, target) = (plan.vantage.home, plan.target);
    for router in &mut plan.routers {
        let mut habits = Habits {
            silent: dice.happens(SILENT),
            balance: dice.weighed(BALANCES).flatten(),
            answers_from: dice.weighed(VOICES).flatten(),
            quote: dice.weighed(QUOTES).flatten(),
            icmp_rate: dice.weighed(RATES).flatten(),
        };
        if router.home == vantage {
            habits = Habits::default();
        }
        if router.home == target {
            habits = Habits { silent: router.role == Role::Access, ..Habits::default() };
        }
        router.habits = habits;
    }
}
