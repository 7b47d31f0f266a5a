use super::*;
use crate::analyse::origin::{ExchangePoint, ExchangePoints};
use crate::analyse::path::{AsPath, Confidence, RouterRule};
use crate::analyse::sheet::{asn, ip, origins, traces};
use crate::model::{AsRelation, Asn};

/// AS3356 sells transit to AS4837 and AS680, and AS4837 to AS131279.
fn relations() -> Relations {
    let sold = [(3356, 4837), (3356, 680), (4837, 131_279)];
    let transit =
        |(provider, customer)| AsRelation::Transit { provider: asn(provider), customer: asn(customer) };
    Relations::new(&sold.map(transit))
}

fn told(
    lines: &[(&str, &str)],
    table: &OriginTable,
    address: &str,
) -> (Option<Asn>, RouterRule, Confidence) {
    let routers = router_ases(&traces(lines), table, &relations(), &Aliases::default());
    let router = routers.get(ip(address)).unwrap();
    (router.asn, router.rule, router.confidence)
}

const KP: &str = "175.45.178.10";

#[test]
fn an_address_of_the_provider_before_only_its_customer_is_on_the_customers_router() {
    let lines = [
        (KP, "188.1.144.1 4.69.154.9 4.69.1.2 219.158.117.1 219.158.102.214 * * *"),
        (KP, "188.1.144.1 4.69.154.9 4.69.1.2 219.158.117.1 219.158.102.214 * * *"),
    ];
    let (asn_told, rule, _) = told(&lines, &origins(), "4.69.1.2");
    assert_eq!((asn_told, rule), (Some(asn(4837)), RouterRule::Customer));
    let (inside, ..) = told(&lines, &origins(), "4.69.154.9");
    assert_eq!(inside, Some(asn(3356)), "behind which another of its own stands");
    let routers = router_ases(&traces(&lines), &origins(), &relations(), &Aliases::default());
    let trace = &traces(&lines)[0];
    let path = AsPath::with_routers(trace, &origins(), &routers);
    assert_eq!(path.to_string(), "AS680 AS3356 AS4837 *3");
    assert_eq!(path.hops[2].rule.as_str(), "router_of_customer");
    assert_eq!(path.hops[2].alternatives, [asn(3356)], "the AS of the address is not forgotten");
    assert_eq!(path.hops[4].asn, Some(asn(4837)), "nothing of the target's AS answered");
    assert_eq!(path.hops[4].alternatives, [asn(131_279)]);
}

#[test]
fn a_router_behind_which_all_is_its_own_is_told_with_high_confidence() {
    let lines = [(KP, "188.1.144.1 4.69.154.9 4.69.1.2 4.69.1.6 219.158.117.1 *")];
    assert_eq!(
        told(&lines, &origins(), "4.69.154.9"),
        (Some(asn(3356)), RouterRule::Votes, Confidence::High)
    );
}

#[test]
fn an_address_of_the_customer_before_its_provider_stays_the_customers() {
    let lines = [("4.69.9.9", "188.1.144.1 188.1.241.21 4.69.154.9 4.69.1.2 *")];
    let (asn_told, rule, _) = told(&lines, &origins(), "188.1.241.21");
    assert_eq!((asn_told, rule), (Some(asn(680)), RouterRule::Upward));
}

#[test]
fn the_last_router_goes_by_where_its_packets_went_and_by_who_answered_behind_it() {
    let silent = [(KP, "188.1.144.1 4.69.154.9 219.158.117.1 219.158.1.2 * * *")];
    let (asn_told, rule, confidence) = told(&silent, &origins(), "219.158.1.2");
    assert_eq!((asn_told, rule), (Some(asn(131_279)), RouterRule::LastDestination));
    assert_eq!(confidence, Confidence::Low);
    let served = [(KP, "188.1.144.1 4.69.154.9 219.158.117.1 219.158.1.2 175.45.178.10=")];
    assert_eq!(told(&served, &origins(), "219.158.1.2").1, RouterRule::Serves);
}

#[test]
fn before_a_silent_router_the_address_decides() {
    let lines = [(KP, "188.1.144.1 4.69.154.9 4.69.1.2 * 219.158.117.1 219.158.102.214 *")];
    let (asn_told, rule, _) = told(&lines, &origins(), "4.69.1.2");
    assert_eq!((asn_told, rule), (Some(asn(3356)), RouterRule::BeforeSilence));
}

#[test]
fn several_ways_into_one_router_are_not_taken_for_its_customers() {
    let lines = [
        (KP, "188.1.144.1 4.69.154.9 4.69.1.2 219.158.117.1 219.158.102.214 *"),
        (KP, "188.1.144.1 4.69.154.13 4.69.1.6 219.158.117.1 219.158.102.214 *"),
    ];
    let (asn_told, rule, _) = told(&lines, &origins(), "4.69.1.2");
    assert_eq!((asn_told, rule), (Some(asn(3356)), RouterRule::WaysIn));
}

#[test]
fn of_equals_the_one_that_has_relations_to_all_others_wins() {
    let lines = [
        ("9.9.9.8", "62.115.0.1 4.69.154.9 188.1.144.1 * * *"),
        ("9.9.9.9", "62.115.0.1 4.69.154.9 219.158.117.1 * * *"),
    ];
    let (asn_told, rule, confidence) = told(&lines, &origins(), "4.69.154.9");
    assert_eq!((asn_told, rule, confidence), (Some(asn(3356)), RouterRule::Tie, Confidence::Low));
}

#[test]
fn an_address_of_an_exchange_point_is_the_port_of_who_is_said_to_have_it_and_else_goes_by_what_is_behind() {
    let lines = [(KP, "188.1.144.1 4.69.154.9 80.249.208.7 219.158.117.1 219.158.102.214 *")];
    let lan = |ports: &[(&str, u32)]| {
        let point = ExchangePoint {
            lans: ["80.249.208.0/21".parse().unwrap()].into(),
            ports: ports.iter().map(|(address, number)| (ip(address), asn(*number))).collect(),
            members: [asn(3356), asn(4837)].into(),
            ..ExchangePoint::default()
        };
        origins().with_exchange_points(ExchangePoints::new(vec![point]))
    };
    let (asn_told, rule, _) = told(&lines, &lan(&[("80.249.208.7", 4837)]), "80.249.208.7");
    assert_eq!((asn_told, rule), (Some(asn(4837)), RouterRule::ExchangePort));
    assert_eq!(told(&lines, &lan(&[]), "80.249.208.7").0, Some(asn(4837)));
    assert_eq!(told(&lines, &lan(&[]), "4.69.154.9").0, Some(asn(3356)), "a member before the LAN");
    let path = AsPath::new(&traces(&lines)[0], &lan(&[]));
    assert_eq!(path.to_string(), "AS680 AS3356 AS4837 *1");
    assert_eq!(path.hops[2].rule.as_str(), "exchange_member");
}

#[test]
fn private_addresses_and_targets_are_no_routers() {
    let routers = router_ases(
        &traces(&[(KP, "10.0.0.1 188.1.144.1 175.45.178.10=")]),
        &origins(),
        &relations(),
        &Aliases::default(),
    );
    assert!(routers.get(ip("10.0.0.1")).is_none() && routers.get(ip(KP)).is_none());
    assert_eq!(routers.len(), 1);
}

fn all(lines: &[(&str, &str)], relations: &Relations) -> RouterAses {
    router_ases(&traces(lines), &origins(), relations, &Aliases::default())
}

/// AS3356 with these as its peers, in the order of numbers.
fn peers(of: &[u32]) -> Relations {
    let peering = |number: &u32| AsRelation::Peering(asn(3356), asn(*number));
    Relations::new(&of.iter().map(peering).collect::<Vec<_>>())
}

/// One address of AS3356, behind which three addresses of AS4837 stand and one of AS1299.
const FANNED_OUT: [(&str, &str); 4] = [
    ("9.9.9.1", "188.1.144.1 4.69.154.9 219.158.1.1 219.158.9.1 *"),
    ("9.9.9.2", "188.1.144.1 4.69.154.9 219.158.1.2 219.158.9.1 *"),
    ("9.9.9.3", "188.1.144.1 4.69.154.9 219.158.1.3 219.158.9.1 *"),
    ("9.9.9.4", "188.1.144.1 4.69.154.9 62.115.0.1 62.115.0.2 *"),
];

#[test]
fn a_router_before_nothing_but_peers_of_its_address_is_its_address_s_though_one_peer_is_seen_more_often() {
    let told = |relations: &Relations| {
        let routers = all(&FANNED_OUT, relations);
        let router = routers.get(ip("4.69.154.9")).unwrap();
        (router.asn, router.rule)
    };
    assert_eq!(told(&peers(&[4837, 1299])), (Some(asn(3356)), RouterRule::BeforePeers));
    let (_, rule) = told(&peers(&[4837]));
    assert_ne!(rule, RouterRule::BeforePeers, "half of those behind it are no peers");
    let mut many = FANNED_OUT.to_vec();
    many.push(("9.9.9.5", "188.1.144.1 4.69.154.9 219.158.1.4 219.158.9.1 *"));
    let routers = all(&many, &peers(&[4837, 1299]));
    let router = routers.get(ip("4.69.154.9")).unwrap();
    assert_eq!((router.asn, router.rule), (Some(asn(4837)), RouterRule::Votes), "four times as often");
}

#[test]
fn the_far_side_of_a_border_says_to_whom_it_is_connected_whoever_numbered_the_link() {
    let line = "188.1.144.1 4.69.154.9 4.69.1.2 219.158.117.1 219.158.102.214 * * *";
    let routers = all(&[(KP, line), (KP, line)], &relations());
    let ends = |address: &str| {
        let router = routers.get(ip(address)).unwrap();
        (router.asn, router.connected)
    };
    assert_eq!(ends("188.1.144.1"), (Some(asn(680)), None), "before which nothing was seen");
    assert_eq!(ends("4.69.154.9"), (Some(asn(3356)), Some(asn(680))));
    assert_eq!(
        ends("4.69.1.2"),
        (Some(asn(4837)), Some(asn(3356))),
        "the provider's address, the customer's router"
    );
    assert_eq!(ends("219.158.117.1"), (Some(asn(4837)), Some(asn(4837))), "inside");
    let path = AsPath::with_routers(&traces(&[(KP, line)])[0], &origins(), &routers);
    assert_eq!(path.hops[2].connected, Some(asn(3356)));
}

#[test]
fn who_answered_before_silence_tells_no_other_end_where_something_else_was_seen_directly_behind_it() {
    let lines = [
        (KP, "188.1.144.1 4.69.154.9 4.69.1.2 219.158.117.1 *"),
        (KP, "188.1.144.1 4.69.154.9 * 62.115.0.1 62.115.0.2 *"),
    ];
    assert_eq!(all(&lines, &relations()).get(ip("62.115.0.1")).unwrap().connected, None);
    assert_eq!(all(&lines[1..], &relations()).get(ip("62.115.0.1")).unwrap().connected, Some(asn(3356)));
}

#[test]
fn of_several_routers_before_an_interface_most_decide_and_of_equals_its_own_as() {
    let before = |names: &[&str]| {
        let line = |name: &&str| (KP, format!("{name} 219.158.117.1 219.158.102.214 *"));
        let lines: Vec<(&str, String)> = names.iter().map(line).collect();
        let lines: Vec<(&str, &str)> = lines.iter().map(|(to, line)| (*to, line.as_str())).collect();
        all(&lines, &relations()).get(ip("219.158.117.1")).unwrap().connected
    };
    let (one, two, own) = ("188.1.144.1 188.1.144.2", "188.1.144.1 188.1.144.3", "219.158.3.1 219.158.3.2");
    assert_eq!(before(&[one, two, own]), Some(asn(680)));
    assert_eq!(before(&[one, own]), Some(asn(4837)));
}

#[test]
fn an_address_of_an_exchange_point_has_no_one_at_the_other_end() {
    let point =
        ExchangePoint { lans: ["80.249.208.0/21".parse().unwrap()].into(), ..ExchangePoint::default() };
    let table = origins().with_exchange_points(ExchangePoints::new(vec![point]));
    let lines = [(KP, "188.1.144.1 4.69.154.9 80.249.208.7 219.158.117.1 219.158.102.214 *")];
    let routers = router_ases(&traces(&lines), &table, &relations(), &Aliases::default());
    assert_eq!(routers.get(ip("80.249.208.7")).unwrap().connected, None);
}
