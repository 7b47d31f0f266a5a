//! Hosts: a few in every network of a stub, more in those of the target.

use super::addresses::address_in;
use super::dice::{Dice, Purpose};
use super::graph::Id;
use super::plan::{HostPlan, NetworkPlan, Plan};

/// How hosts behave, with shares. All of them answer something.
const MANNERS: [(&[&str], f64); 4] = [
    (&["open = [80, 443]", "closed = \"silent\""], 0.45),
    (&["open = [22]", "delay = \"300us\""], 0.25),
    (&["closed = \"silent\"", "delay = \"1ms\""], 0.2),
    (&["echo = false", "open = [443]", "closed = \"silent\""], 0.1),
];
/// Last bits of the addresses of hosts.
const ADDRESSES: [u8; 16] = [10, 11, 25, 53, 67, 69, 71, 80, 81, 91, 100, 129, 161, 165, 200, 250];
/// How many hosts the networks of the target have: some are full, some nearly empty.
const OF_TARGET: [usize; 4] = [16, 6, 3, 1];
/// How many others have at most.
const OF_OTHERS: usize = 3;

/// Puts hosts into all networks, and the vantage into the first of its AS.
pub(super) fn move_in(plan: &mut Plan) {
    let mut dice = Dice::new(plan.seed, Purpose::Hosts);
    let mut hosts: Vec<HostPlan> =
        MANNERS.iter().map(|(manners, _)| HostPlan { addresses: Vec::new(), manners }).collect();
    let shares: Vec<(usize, f64)> = MANNERS.iter().map(|(_, share)| *share).enumerate().collect();
    for (id, asys) in plan.ases.iter().enumerate() {
        for (number, networks) in
            asys.placed.chunk_by(|one, next| one.prefix.is_ipv4() && !next.prefix.is_ipv4()).enumerate()
        {
            let count = count(plan, (id, number), &mut dice);
            for last in ADDRESSES.into_iter().take(count) {
                let manners = dice.weighed(&shares).and_then(|index| hosts.get_mut(index));
                if let Some(host) = manners {
                    host.addresses.extend(networks.iter().map(|network| address_in(network.prefix, last)));
                }
            }
        }
    }
    hosts.retain(|host| !host.addresses.is_empty());
    plan.hosts = hosts;
    place_vantage(plan);
}

fn count(plan: &Plan, (id, number): (Id, usize), dice: &mut Dice) -> usize {
    if id == plan.target {
        return OF_TARGET.iter().copied().cycle().nth(number).unwrap_or(1);
    }
    dice.below(OF_OTHERS).saturating_add(1)
}

/// The last address of its network; hosts have others.
fn place_vantage(plan: &mut Plan) {
    let networks: Vec<NetworkPlan> =
        plan.asys(plan.vantage.home).map(|asys| asys.placed.clone()).unwrap_or_default();
    for network in networks.iter().rev() {
        match address_in(network.prefix, 254) {
            std::net::IpAddr::V4(v4) => plan.vantage.addresses.v4 = Some(v4),
            std::net::IpAddr::V6(v6) => plan.vantage.addresses.v6 = Some(v6),
        }
    }
}
