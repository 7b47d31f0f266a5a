use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;
use proptest::prelude::*;

use super::registry::registered_blocks;
use super::*;
use crate::model::{FlowId, Protocol, RoundId, Ttl, Untrusted};

fn rules(targets: &[&str]) -> GuardRules {
    let allowed = |text: &&str| {
        let prefix: Prefix = text.parse().unwrap();
        let unit_length = Unit::default_length(prefix.is_ipv4()).max(prefix.length());
        AllowedTargets { prefix, unit_length }
    };
    GuardRules {
        territory: Territory::Internet,
        has_operator: true,
        allow_private: false,
        targets: targets.iter().map(allowed).collect(),
        opt_outs: Vec::new(),
        budget: Budget { rate: Pps::per_hour(20.0).unwrap(), depth: 20 },
    }
}

fn probe(target: IpAddr) -> Probe {
    Probe {
        round: RoundId(1),
        target,
        protocol: Protocol::Icmp,
        port: None,
        flow: FlowId(0),
        ttl: Ttl::TO_THE_END,
        attempt: 0,
    }
}

fn verdict(guard: &mut Guard, target: &str) -> Result<(), BlockRule> {
    guard.examine(probe(target.parse().unwrap()), Method::Trace, MonoTime::default()).map(|_| ())
}

/// Everything is a target: only the other rules can refuse.
fn everything() -> GuardRules {
    GuardRules { allow_private: true, ..rules(&["0.0.0.0/0", "::/0"]) }
}

fn opt_out(text: &str) -> OptOut {
    OptOut::parse_file("optout.txt", text).unwrap().remove(0)
}

#[test]
fn only_targets_of_the_campaign_are_probed() {
    let mut guard = Guard::new(rules(&["175.45.176.0/22", "2a00:1450::/32"]));
    assert_eq!(verdict(&mut guard, "175.45.179.255"), Ok(()));
    assert_eq!(verdict(&mut guard, "2a00:1450::1"), Ok(()));
    assert_eq!(verdict(&mut guard, "175.45.180.0"), Err(BlockRule::NotATarget));
    assert_eq!(verdict(&mut guard, "2a00:1451::1"), Err(BlockRule::NotATarget));
}

#[test]
fn public_space_is_closed_until_somebody_can_be_written_to() {
    let nobody = GuardRules { has_operator: false, ..rules(&["175.45.176.0/22"]) };
    let mut guard = Guard::new(nobody.clone());
    assert_eq!(verdict(&mut guard, "175.45.176.1"), Err(BlockRule::NoOperator));
    let mut lab = Guard::new(GuardRules { territory: Territory::Lab, ..nobody });
    assert_eq!(verdict(&mut lab, "175.45.176.1"), Ok(()));
}

#[test]
fn private_space_needs_leave_but_no_operator() {
    let closed = GuardRules { has_operator: false, ..rules(&["10.0.0.0/24", "fd00::/48"]) };
    let mut guard = Guard::new(closed.clone());
    assert_eq!(verdict(&mut guard, "10.0.0.1"), Err(BlockRule::PrivateSpace));
    assert_eq!(verdict(&mut guard, "fd00::1"), Err(BlockRule::PrivateSpace));
    let mut open = Guard::new(GuardRules { allow_private: true, ..closed });
    assert_eq!(verdict(&mut open, "10.0.0.1"), Ok(()));
    assert_eq!(verdict(&mut open, "fd00::1"), Ok(()));
}

#[test]
fn an_ipv4_address_cannot_hide_in_an_ipv6_one() {
    let mut guard = Guard::new(everything());
    for smuggled in
        ["::ffff:127.0.0.1", "::ffff:175.45.176.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "::127.0.0.1"]
    {
        assert_eq!(verdict(&mut guard, smuggled), Err(BlockRule::SpecialPurpose), "{smuggled}");
    }
}

#[test]
fn an_opt_out_beats_everything_and_counts_at_once() {
    let mut guard = Guard::new(everything());
    assert_eq!(verdict(&mut guard, "175.45.177.10"), Ok(()));
    guard.opt_out(opt_out("175.45.177.0/24 # noc, ticket 17"));
    assert_eq!(verdict(&mut guard, "175.45.177.10"), Err(BlockRule::OptOut));
    guard.opt_out(opt_out("127.0.0.1"));
    assert_eq!(verdict(&mut guard, "127.0.0.1"), Err(BlockRule::OptOut));
}

#[test]
fn a_refusal_names_the_block_or_the_reference() {
    let opted_out = GuardRules { opt_outs: vec![opt_out("9.9.9.0/24 # noc, ticket 17")], ..everything() };
    let guard = Guard::new(opted_out);
    let shown = |address: &str| guard.check(address.parse().unwrap()).unwrap_err().to_string();
    assert_eq!(
        shown("127.0.0.1"),
        "127.0.0.1: lies in 127.0.0.0/8 (Loopback, RFC 1122 §3.2.1.3), which is never probed"
    );
    assert_eq!(shown("9.9.9.9"), "9.9.9.9: opted out: 9.9.9.0/24 (noc, ticket 17)");
    assert!(shown("ff02::1").contains("ff00::/8 (Multicast"));
}

#[test]
fn a_unit_gets_its_sustained_budget_and_no_more() {
    let mut guard = Guard::new(rules(&["175.45.176.0/22"]));
    let mut allowed = 0_u32;
    // Ten hours of a prober gone wild: one echo a second, over all addresses of one /24.
    for second in 0..36_000_u32 {
        let target = IpAddr::from([175, 45, 176, second.to_be_bytes()[3]]);
        let now = MonoTime::default().after(Duration::from_secs(second.into()));
        allowed += u32::from(guard.examine(probe(target), Method::Echo, now).is_ok());
    }
    assert!((200..=220).contains(&allowed), "{allowed} packets in ten hours");
    let end = MonoTime::default().after(Duration::from_secs(35_999));
    let mut ask =
        |target: [u8; 4], method| guard.examine(probe(IpAddr::from(target)), method, end).map(|_| ());
    assert_eq!(ask([175, 45, 176, 1], Method::Tcp), Err(BlockRule::Budget));
    assert_eq!(ask([175, 45, 176, 1], Method::Trace), Ok(()), "traces have the pacer");
    assert_eq!(ask([175, 45, 177, 1], Method::Tcp), Ok(()), "the next unit has its own budget");
}

#[test]
fn a_refused_probe_costs_no_budget() {
    let mut guard = Guard::new(GuardRules { has_operator: false, ..rules(&["175.45.176.0/22"]) });
    let target = IpAddr::from([175, 45, 176, 1]);
    for _ in 0..100 {
        assert!(guard.examine(probe(target), Method::Echo, MonoTime::default()).is_err());
    }
    assert!(
        guard.budgets.earliest(MonoTime::default(), guard.rules.unit_of(target).unwrap())
            == MonoTime::default()
    );
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        (any::<u32>(), prop::sample::select(vec![0, 0xffff_u128 << 32, 0x64_ff9b_u128 << 96]))
            .prop_map(|(low, high)| IpAddr::V6(Ipv6Addr::from_bits(high | u128::from(low)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// The judge here is the standard library, which knows these blocks on its own.
    #[test]
    fn no_permit_for_what_the_standard_library_calls_special(address in any_address()) {
        let mut guard = Guard::new(GuardRules { allow_private: false, ..everything() });
        let special = match address {
            IpAddr::V4(v4) => {
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_multicast()
                    || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified()
            }
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_multicast() || v6.is_unspecified() || v6.is_unique_local()
                    || v6.is_unicast_link_local() || v6.to_ipv4().is_some()
            }
        };
        let permitted = guard.examine(probe(address), Method::Trace, MonoTime::default()).is_ok();
        prop_assert!(!(special && permitted), "{address}");
        prop_assert_eq!(permitted, guard.check(address).is_ok());
    }
}

/// Addresses at the ends of everything that a rule can be about, asked of one guard in both directions.
#[test]
fn what_was_found_of_one_address_is_told_of_no_other_that_a_rule_tells_apart() {
    let opt_outs = "175.45.177.0/25\n175.45.177.64/26\n2a00:1450:1::/48\n";
    let targets = ["175.45.176.0/22", "10.0.0.0/9", "192.0.0.0/8", "2a00:1450::/32", "2001::/16"];
    let mut guard = Guard::new(GuardRules {
        opt_outs: OptOut::parse_file("optout.txt", opt_outs).unwrap(),
        has_operator: false,
        territory: Territory::Lab,
        ..rules(&targets)
    });
    let prefixes = opt_outs.lines().chain(targets).map(|text| text.parse::<IpNet>().unwrap());
    let mut addresses: Vec<IpAddr> = prefixes
        .chain(registered_blocks())
        .flat_map(|net| match net {
            IpNet::V4(net) => [net.network(), net.broadcast()]
                .iter()
                .flat_map(|end| {
                    [end.to_bits().saturating_sub(1), end.to_bits(), end.to_bits().saturating_add(1)]
                })
                .map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)))
                .collect::<Vec<_>>(),
            IpNet::V6(net) => [net.network(), net.broadcast()]
                .iter()
                .flat_map(|end| {
                    [end.to_bits().saturating_sub(1), end.to_bits(), end.to_bits().saturating_add(1)]
                })
                .map(|bits| IpAddr::from(Ipv6Addr::from_bits(bits)))
                .collect::<Vec<_>>(),
        })
        .collect();
    addresses.extend(addresses.clone().into_iter().rev());
    for address in addresses {
        let leaves = guard.examine(probe(address), Method::Trace, MonoTime::default()).is_ok();
        assert_eq!(leaves, guard.check(address).is_ok(), "{address}");
    }
}

proptest! {
    #[test]
    fn a_permit_is_for_the_probe_that_was_examined(last: u8, flow: u16, attempt: u8) {
        let mut guard = Guard::new(rules(&["175.45.176.0/22"]));
        let asked = Probe { flow: FlowId(flow), attempt, ..probe(IpAddr::from([175, 45, 176, last])) };
        let permit = guard.examine(asked, Method::Echo, MonoTime::default()).unwrap();
        prop_assert_eq!(*permit.probe(), asked);
    }

    /// Opt-outs arrive in the middle of a campaign, in any order and nesting.
    #[test]
    fn nothing_leaves_for_a_prefix_after_its_opt_out(
        steps in prop::collection::vec((any::<bool>(), any::<u8>(), any::<u8>(), 16_u8..=32), 1..200),
    ) {
        let mut guard = Guard::new(rules(&["175.45.0.0/16"]));
        let mut closed: HashSet<Prefix> = HashSet::new();
        for (opts_out, third, last, length) in steps {
            let address = IpAddr::from([175, 45, third, last]);
            if opts_out && length > 20 {
                let prefix = Prefix::covering(address, length).unwrap();
                guard.opt_out(OptOut { prefix, reference: Untrusted::default() });
                closed.insert(prefix);
            }
            let expected = closed.iter().any(|prefix| prefix.contains(address));
            let refused = guard.check(address).is_err();
            prop_assert_eq!(expected, refused, "{}", address);
            let leaves = guard.examine(probe(address), Method::Trace, MonoTime::default()).is_ok();
            prop_assert_eq!(leaves, !expected, "{}", address);
        }
    }
}
