//! What is said of a scenario with a mistake in it, for every key: where it stands, what stands there, and
//! which rule it breaks.

use super::*;

pub(super) const EVERYTHING: &str = include_str!("../../../../tests/scenarios/everything.toml");

/// What is said when `new` stands in the first place of `old`, and the line of the mistake: that of the first
/// difference, unless `new` begins with other lines.
fn mistakes(old: &str, new: &str) -> (usize, FileErrors) {
    let at = EVERYTHING.find(old).unwrap_or_else(|| panic!("{old} is not in the scenario"));
    let same = old.bytes().zip(new.bytes()).take_while(|(old, new)| old == new).count();
    let line = EVERYTHING[..at + same].matches('\n').count() + 1;
    (line, errors(&EVERYTHING.replacen(old, new, 1)))
}

fn check(cases: &[(&str, &str, &str)]) {
    for (old, new, said) in cases {
        let (line, errors) = mistakes(old, new);
        let expected = format!("s.toml:{line}: {said}");
        let found = errors.0.iter().any(|error| error.to_string().starts_with(&expected));
        assert!(found, "{new}: not {expected}, but\n{errors}");
    }
}

#[test]
fn the_scenario_with_every_key_has_no_mistake() {
    Scenario::parse("everything.toml", EVERYTHING).unwrap();
}

#[test]
fn at_the_top_and_about_the_clock_and_the_vantage() {
    check(&[
        ("seed = 7", "seed = -7", "seed = -7: invalid value: integer `-7`"),
        ("convergence = \"400ms\"", "convergence = \"61s\"", "convergence = 1m 1s: must be at most 1m"),
        (
            "convergence_inside = \"50ms\"",
            "convergence_inside = \"2h\"",
            "convergence_inside = 2h: must be at most 1m",
        ),
        ("seed = 7", "speed = 7", "speed = 7: unknown field `speed`, expected one of `seed`"),
        ("speed = 10", "speed = 0", "clock.speed = 0: must be 1 to 100000 wall seconds per real second"),
        ("speed = 10", "speed = nan", "clock.speed = NaN: must be 1 to 100000"),
        ("duration = \"2h\"", "duration = \"2\"", "duration = \"2\": \"2\" is not a span of time"),
        ("duration = \"2h\"", "duration = \"20y\"", "clock.duration = 20years: must be at most"),
        (
            "start = \"2017-10-01T08:00:00Z\"",
            "start = \"2017-10-01T08:00:00\"",
            "start = \"2017-10-01T08:00:00\": ",
        ),
        ("name = \"here\"", "name = \"not a name\"", "name = \"not a name\": "),
        (
            "[\"192.0.2.10\", \"2001",
            "[\"100.64.0.9\", \"2001",
            "vantage.addresses = 100.64.0.9: must lie inside a prefix of the AS of the gateway",
        ),
        (
            "[\"192.0.2.10\", \"2001",
            "[\"192.0.2.1\", \"2001",
            "vantage.addresses = 192.0.2.1: must belong to nobody else: edge has it already",
        ),
        (
            "[\"192.0.2.10\", \"2001:db8:0:1::10\"]",
            "[\"192.0.2.10\", \"192.0.2.11\"]",
            "vantage.addresses = 192.0.2.11: must be at most one address of each family",
        ),
        (
            "gateway = \"edge\"",
            "gateway = \"ledge\"",
            "vantage.gateway = ledge: must be the name of a [[router]]",
        ),
        ("delay = \"200us\"", "delay = \"200\"", "delay = \"200\": \"200\" is not a span of time"),
    ]);
}

#[test]
fn about_ases() {
    check(&[
        ("number = 64501", "number = 0", "number = 0: "),
        ("number = 64501", "number = 64500", "as.number = AS64500: must be defined only once"),
        (
            "prefixes = [\"100.64.0.0/16\"]",
            "prefixes = [\"100.64.0.1/16\"]",
            "prefixes = [\"100.64.0.1/16\"]: ",
        ),
        (
            "prefixes = [\"100.65.0.0/16\"]",
            "prefixes = [\"100.64.0.0/16\"]",
            "as.prefixes = 100.64.0.0/16: must be announced only once",
        ),
        (
            "providers = [64501, 64502]",
            "providers = [64501, 64509]",
            "as.providers = AS64509: must be the number of an [[as]]",
        ),
        (
            "providers = [64501, 64502]",
            "providers = [64500, 64502]",
            "as.providers = AS64500: must be another AS",
        ),
        ("peers = [64502]", "peers = [64500]", "as.peers = AS64500: two ASes must have one relation"),
        (
            "multipath = true",
            "multipath = 1",
            "multipath = 1: invalid type: integer `1`, expected a boolean",
        ),
        (
            "symmetric_replies = true",
            "symmetrical = true",
            "symmetrical = true: unknown field `symmetrical`",
        ),
    ]);
}

#[test]
fn about_routers_and_their_habits() {
    check(&[
        ("name = \"left-2\"", "name = \"left-1\"", "router.name = left-1: must be defined only once"),
        ("as = 64500\n", "as = 64599\n", "router.as = AS64599: must be the number of an [[as]]"),
        (
            "addresses = [\"100.64.0.3\"]",
            "addresses = [\"100.64.0.2\"]",
            "router.addresses = 100.64.0.2: must belong to nobody else: left-1 has it already",
        ),
        ("silent = true", "silent = \"yes\"", "silent = \"yes\": invalid type"),
        (
            "balance = \"per-packet\"",
            "balance = \"per-wish\"",
            "balance = \"per-wish\": unknown variant `per-wish`, expected one of `per-flow`, `per-destination`, `per-packet`, `none`",
        ),
        (
            "\"flow-label\", \"tos\"",
            "\"flow-label\", \"icmp\"",
            "router.balance_over = icmp: must name each field only once",
        ),
        ("\"flow-label\", \"tos\"", "\"flow-label\", \"ttl\"", "balance_over = [\"source\", "),
        (
            "answers_from = \"outbound\"",
            "answers_from = \"outside\"",
            "answers_from = \"outside\": must be \"inbound\", \"outbound\", \"router\", or a list",
        ),
        (
            "answers_from = [\"198.51.100.1\"]",
            "answers_from = [\"100.64.0.1\"]",
            "router.answers_from = 100.64.0.1: must belong to nobody else: left-in has it already",
        ),
        (
            "per_second = 100, burst",
            "per_second = -1, burst",
            "router.icmp_rate.per_second = -1: must be 0 to 1000000 messages in a real second",
        ),
        (
            "per_second = 100, burst",
            "per_second = inf, burst",
            "router.icmp_rate.per_second = inf: must be 0 to 1000000",
        ),
        ("burst = 10 }", "burst = 0 }", "router.icmp_rate.burst = 0: must be 1 to 1000000 messages"),
        (
            "burst = 10 }",
            "bust = 10 }",
            "icmp_rate = { per_second = 100, bust = 10 }: unknown field `bust`",
        ),
    ]);
}

#[test]
fn about_what_routers_show_filter_and_translate() {
    check(&[
        (
            "quote = \"full\"",
            "quote = \"half\"",
            "quote = \"half\": must be \"rfc792\", \"rfc1812\", \"full\", or a number of bytes from 28 to 1472",
        ),
        ("quote = 128", "quote = 27", "router.quote = 27: must be 28 to 1472 bytes of the packet"),
        (
            "mangles = [\"ip-id-swapped\"]",
            "mangles = [\"ip-id-gone\"]",
            "mangles = [\"ip-id-gone\"]: unknown variant `ip-id-gone`",
        ),
        (
            "mangles = [\"ip-id-swapped\"]",
            "mangles = [\"tos-zero\", \"tos-zero\"]",
            "router.mangles = tos-zero: must be named only once",
        ),
        (
            "mangles = [\"ip-id-swapped\"]",
            "mangles = [\"ip-id-zero\", \"ip-id-swapped\"]",
            "router.mangles = ip-id-swapped: must not stand beside ip-id-zero",
        ),
        (
            "ip_id = { counter = \"router\", per_second = 12.5 }",
            "ip_id = \"rising\"",
            "ip_id = \"rising\": must be \"random\", \"zero\", \"copied\", or { counter = ",
        ),
        (
            "ip_id = { counter = \"router\", per_second = 12.5 }",
            "ip_id = { counter = \"router\", per_second = 12.5, step = 2 }",
            "ip_id = { counter = \"router\", per_second = 12.5, step = 2 }: must be \"random\", ",
        ),
        (
            "ip_id = { counter = \"router\", per_second = 12.5 }",
            "ip_id = { counter = \"router\", per_second = -1.5 }",
            "router.ip_id.per_second = -1.5: must be 0 to 1000000 packets in a real second",
        ),
        (
            "labels = [24017, 16003]",
            "labels = [24017, 1048576]",
            "router.labels = 1048576: must be at most 1048575 (20 bits)",
        ),
        (
            "labels = [24017, 16003]",
            "labels = [1, 2, 3, 4, 5, 6, 7, 8, 9]",
            "router.labels = 9: must be at most 8 labels",
        ),
        (
            "{ protocol = \"udp\", to",
            "{ protocol = \"sctp\", to",
            "{ protocol = \"sctp\", to = \"203.0.113.0/24\" },: unknown variant `sctp`",
        ),
        (
            "answer = \"silent\" }",
            "answer = \"rude\" }",
            "{ protocol = \"tcp\", to = \"203.0.114.0/24\", answer = \"rude\" },: unknown variant `rude`",
        ),
        (
            "outside = \"203.0.112.100\"",
            "outside = \"198.18.0.1\"",
            "router.nat.outside = 198.18.0.1: must lie inside a prefix of the router's AS",
        ),
        (
            "inside = \"10.0.0.10\"",
            "inside = \"10.9.9.9\"",
            "router.nat.inside = 10.9.9.9: must lie inside a [[network]] of the router's AS",
        ),
        ("inside = \"10.0.0.10\"", "inside = \"2001:db8::9\"", "nat = [{ outside"),
        (
            "nat_quotes = \"inside\"",
            "nat_quotes = \"outside\"",
            "nat_quotes = \"outside\": unknown variant `outside`, expected `translated` or `inside`",
        ),
        (
            "nat_errors = \"router\"",
            "nat_errors = \"lost\"",
            "nat_errors = \"lost\": unknown variant `lost`",
        ),
        (
            "silent = true",
            "nat_errors = \"kept\"",
            "router.nat_errors = kept: needs nat = [{ outside = …, inside = … }]",
        ),
    ]);
}

#[test]
fn fields_to_balance_over_are_only_for_flows() {
    let (line, errors) = mistakes("\"per-flow\"", "\"per-packet\"");
    let said = format!("s.toml:{}: router.balance_over = source, destination, ", line + 1);
    assert!(errors.to_string().starts_with(&said), "{errors}");
    assert!(
        errors.to_string().ends_with("must stand only beside balance = \"per-flow\", not \"per-packet\"")
    );
}

#[test]
fn about_links_and_their_hazards() {
    check(&[
        (
            "name = \"upper\"",
            "name = \"AS1-AS2\"",
            "link.name = AS1-AS2: must be a name, and none that reads as a link between two ASes",
        ),
        ("name = \"lower\"", "name = \"upper\"", "link.name = upper: must be the name of only one link"),
        (
            "between = [\"edge\", \"left-in\"]",
            "between = [\"edge\", \"nobody\"]",
            "link.between = nobody: must be the name of a [[router]]",
        ),
        (
            "between = [\"edge\", \"left-in\"]",
            "between = [\"edge\"]",
            "between = [\"edge\"]: invalid length 1, expected an array of length 2",
        ),
        (
            "between = [\"edge\", \"left-in\"]",
            "between = [\"edge\", \"far-out\"]",
            "link.between = edge, far-out: the ASes of both routers must be provider and customer, or peers",
        ),
        (
            "addresses = [[\"100.64.1.1\"], [\"100.64.1.2\"]]",
            "addresses = [[\"100.64.1.1\"], [\"100.64.1.1\"]]",
            "link.addresses = 100.64.1.1: must belong to nobody else: edge has it already",
        ),
        ("delay = \"5ms\"", "delay = \"5min\"", "link.delay = 5m: must be at most 1m"),
        (
            "jitter = \"200us\"",
            "jitter = 200",
            "jitter = 200: must be a span of time with its unit, as in \"200us\", or { mean",
        ),
        (
            "shape = \"uniform\" }",
            "shape = \"square\" }",
            "jitter = { mean = \"200us\", shape = \"square\" }: must be a span of time",
        ),
        ("jitter = \"200us\"", "jitter = \"2m\"", "link.jitter = 2m: must be at most 1m"),
        ("loss = 0.001", "loss = 1.001", "link.loss = 1.001: must be a probability: 0 to 1"),
        ("loss = 0.001", "loss = nan", "link.loss = NaN: must be a probability: 0 to 1"),
        (
            "burst = 5 }\n\n[[link]]",
            "burst = 0.5 }\n\n[[link]]",
            "link.loss.burst = 0.5: must be 1 to 10000 packets",
        ),
        (
            "mean = 0.01, burst = 5",
            "mean = 0.9, burst = 5",
            "link.loss.mean = 0.9: must be 0 to burst / (burst + 1), which is 0.833 here",
        ),
        (
            "{ probability = 0.01, by",
            "{ probability = 2, by",
            "link.reorder.probability = 2: must be a probability",
        ),
        ("by = \"2ms\"", "by = \"0s\"", "link.reorder.by = 0s: must be longer than nothing"),
        ("duplicate = 0.001", "duplicate = -0.1", "link.duplicate = -0.1: must be a probability"),
        ("mtu = 1500", "mtu = 67", "link.mtu = 67: must be 68 to 65535"),
        ("weight = 3", "weight = 0", "link.weight = 0: must be 1 to 1000"),
        ("weight = 3", "weight = 1001", "link.weight = 1001: must be 1 to 1000"),
        ("cost = 10", "cost = 70000", "link.cost = 70000: must be 1 to 65535"),
    ]);
}

#[test]
fn about_tunnels() {
    check(&[
        (
            "routers = [\"right-in\", \"right-mid\", \"right-out\"]",
            "routers = [\"right-in\", \"right-out\"]",
            "tunnel.routers = right-in, right-out: must be 3 to 64 routers",
        ),
        (
            "routers = [\"right-in\", \"right-mid\", \"right-out\"]",
            "routers = [\"right-in\", \"nobody\", \"right-out\"]",
            "tunnel.routers = nobody: must be the name of a [[router]]",
        ),
        (
            "routers = [\"right-in\", \"right-mid\", \"right-out\"]",
            "routers = [\"right-in\", \"right-out\", \"right-mid\"]",
            "tunnel.routers = right-out: must have a [[link]] to the router before it",
        ),
        (
            "routers = [\"right-in\", \"right-mid\", \"right-out\"]",
            "routers = [\"right-in\", \"right-mid\", \"right-in\"]",
            "tunnel.routers = right-in: must come only once",
        ),
        (
            "routers = [\"right-in\", \"right-mid\", \"right-out\"]",
            "routers = [\"right-in\", \"left-in\", \"left-1\"]",
            "tunnel.routers = left-in: must be in the AS of the first router",
        ),
        (
            "routers = [\"right-out\", \"right-mid\", \"right-in\"]",
            "routers = [\"right-in\", \"right-mid\", \"right-out\"]",
            "tunnel.routers = right-in, right-mid, right-out: must be defined only once",
        ),
        (
            "kind = \"explicit\"",
            "kind = \"secret\"",
            "kind = \"secret\": unknown variant `secret`, expected one of `explicit`, `implicit`, `opaque`, `invisible`",
        ),
        (
            "kind = \"implicit\"",
            "kind = \"explicit\"",
            "tunnel.kind = explicit: needs labels = […] to show",
        ),
        (
            "kind = \"opaque\"",
            "kind = \"invisible\"",
            "tunnel.kind = invisible: shows no labels: leave labels out",
        ),
        ("labels = [24000]", "labels = [2000000]", "tunnel.labels = 2000000: must be at most 1048575"),
    ]);
}

#[test]
fn about_networks_hosts_and_forgers() {
    check(&[
        (
            "prefix = \"203.0.114.0/24\"",
            "prefix = \"203.0.113.0/24\"",
            "network.prefix = 203.0.113.0/24: must be announced only once",
        ),
        (
            "router = \"far-out\"",
            "router = \"far-off\"",
            "network.router = far-off: must be the name of a [[router]]",
        ),
        (
            "announce_to = [64501]",
            "announce_to = [64500]",
            "network.announce_to = AS64500: must be a provider, peer or customer of the AS of the network's router",
        ),
        (
            "\"203.0.113.11\"",
            "\"203.0.113.10\"",
            "host.addresses = 203.0.113.10: must belong to nobody else: another host has it already",
        ),
        (
            "\"203.0.113.11\"",
            "\"198.18.0.1\"",
            "host.addresses = 198.18.0.1: must lie inside a [[network]]",
        ),
        ("open = [80, 443]", "open = [80, 0]", "open = [80, 0]: "),
        ("open = [80, 443]", "open = [80, 65536]", "open = [80, 65536]: "),
        (
            "closed = \"silent\"",
            "closed = \"open\"",
            "closed = \"open\": must be \"refused\", \"silent\", or a list of the ports that refuse",
        ),
        ("closed = [23, 25]", "closed = [22, 25]", "host.closed = 22: must not be among the open ports"),
        (
            "filtered = [\"udp\"]",
            "filtered = [\"quic\"]",
            "filtered = [\"quic\"]: unknown variant `quic`, expected one of `icmp`, `udp`, `tcp`",
        ),
        ("reply_ttl = 128", "reply_ttl = 0", "host.reply_ttl = 0: must be 1 to 255"),
        ("delay = \"300us\"", "delay = \"3 weeks\"", "host.delay = 21days: must be at most 1m"),
        (
            "{ per_second = 5, burst = 5 }",
            "{ per_second = 5, burst = 9999999 }",
            "host.icmp_rate.burst = 9999999: must be 1 to 1000000 messages",
        ),
        ("echo = false", "echo = 0", "echo = 0: invalid type"),
        (
            "per_second = 2.5",
            "per_second = 0",
            "forger.per_second = 0: must be 0.001 to 100000 packets in a real second",
        ),
        ("says = [\"time-exceeded\", ", "says = [\"nonsense\", ", "says = [\"nonsense\", "),
        (
            "about = \"203.0.113.0/24\"",
            "about = \"2001:db8:1000::/48\"",
            "forger.about = 2001:db8:1000::/48: must be of the same family as from",
        ),
    ]);
    let silent = EVERYTHING.replace(
        "says = [\"time-exceeded\", \"port-unreachable\", \"echo-reply\", \"syn-ack\", \"rst\"]",
        "says = []",
    );
    assert!(
        errors(&silent).to_string().contains("forger.says = []: must name at least one kind of packet")
    );
}

#[test]
fn about_events() {
    check(&[
        (
            "at = \"2017-10-01T08:05:00Z\"",
            "at = \"2017-10-01T10:05:00Z\"",
            "event.at = 2017-10-01T10:05:00Z: must be from 2017-10-01T08:00:00Z to 2017-10-01T10:00:00Z",
        ),
        (
            "added = \"AS64502-AS64503\"",
            "added = \"AS64500-AS64503\"",
            "event.added = AS64500-AS64503: must be a link between ASes that are provider and customer, or peers",
        ),
        (
            "added = \"AS64502-AS64503\"",
            "added = \"upside\"",
            "event.added = upside: must be the name of a [[link]], two ASes",
        ),
        (
            "lost = [\"edge\", \"left-in\"]",
            "lost = [\"edge\", \"far-out\"]",
            "event.lost = edge, far-out: must be two routers with a [[link]] between them",
        ),
        (
            "lost = [\"edge\", \"left-in\"]",
            "lost = [\"edge\"]",
            "lost = [\"edge\"]: must be \"AS1-AS2\", the names of two routers, or the name of a link",
        ),
        (
            "router_down = \"right-mid\"",
            "router_down = \"nobody\"",
            "event.router_down = nobody: must be the name of a [[router]]",
        ),
        (
            "announce = { prefix = \"203.0.113.0/24\", to",
            "announce = { prefix = \"203.0.113.0/25\", to",
            "event.announce.prefix = 203.0.113.0/25: must be a prefix of the scenario",
        ),
        (
            "to = [64502] }",
            "to = [64500] }",
            "event.announce.to = AS64500: must be a provider, peer or customer of the AS of the network",
        ),
        (
            "relation = { peers = [64502, 64503] }",
            "relation = { peers = [64500, 64503] }",
            "event.relation = AS64500, AS64503: must be two ASes that are provider and customer, or peers",
        ),
        (
            "relation = { peers = [64502, 64503] }",
            "relation = { friends = [64502, 64503] }",
            "relation = { friends = [64502, 64503] }: must be { provider = 1, customer = 2 } or { peers = [1, 2] }",
        ),
        (
            "weight = { link = \"upper\", weight = 10 }",
            "weight = { link = \"upper\", weight = 5000 }",
            "event.weight.weight = 5000: must be 1 to 1000",
        ),
        (
            "weight = { link = \"upper\", weight = 10 }",
            "weight = { link = \"inner\", weight = 10 }",
            "event.weight.link = inner: must be the name of a [[link]]",
        ),
        (
            "icmp_rate = { router = \"left-1\" }",
            "icmp_rate = { router = \"left-9\" }",
            "event.icmp_rate.router = left-9: must be the name of a [[router]]",
        ),
        (
            "limit = { per_second = 1, burst = 1 }",
            "limit = { per_second = -1, burst = 1 }",
            "event.icmp_rate.limit.per_second = -1: must be 0 to 1000000",
        ),
        (
            "uplink = \"down\"",
            "uplink = \"sideways\"",
            "uplink = \"sideways\": unknown variant `sideways`, expected `down` or `up`",
        ),
        (
            "hosts_down = \"203.0.113.0/24\"",
            "hosts_down = \"198.18.0.0/15\"",
            "event.hosts_down = 198.18.0.0/15: must hold an address of a [[host]]",
        ),
        (
            "lost = \"lower\"",
            "lots = \"lower\"",
            "lots = \"lower\": unknown field `lots`, expected one of `at`",
        ),
    ]);
}

/// Something that happens twice, or says nothing, is told by its time.
#[test]
fn about_events_beside_each_other() {
    let at = |what: &str| {
        let text = format!("{EVERYTHING}\n[[event]]\nat = \"2017-10-01T09:59:00Z\"\n{what}\n");
        let line = text.lines().position(|line| line.contains("09:59:00")).unwrap() + 1;
        let errors = errors(&text).to_string();
        let start = format!("s.toml:{line}: event.at = 2017-10-01T09:59:00Z: ");
        errors.strip_prefix(&start).unwrap_or_else(|| panic!("{errors}")).to_owned()
    };
    let turns = "must come only while it is away, and go only while it is there";
    assert_eq!(at("added = [\"edge\", \"left-in\"]"), format!("a link: {turns}"));
    assert_eq!(at("lost = \"lower\""), format!("a link: {turns}"));
    assert_eq!(at("router_up = \"left-1\""), format!("a router: {turns}"));
    assert_eq!(at("uplink = \"up\""), format!("the vantage's uplink: {turns}"));
    assert_eq!(at("hosts_up = \"203.0.114.0/24\""), format!("hosts: {turns}"));
    assert!(at("").starts_with("an event must say exactly one thing: added, lost, router_down, "));
    assert!(at("uplink = \"down\"\nlost = \"upper\"").starts_with("an event must say exactly one thing"));
    let circle =
        "relation: must not make an AS a customer of its own customers, directly or through others";
    let text = format!(
        "{EVERYTHING}\n[[as]]\nnumber = 64504\nname = \"Low\"\nproviders = [64500, 64501]\n[[router]]\nname = \"low\"\nas = 64504\n\
         [[link]]\nbetween = [\"low\", \"edge\"]\ndelay = \"1ms\"\n[[link]]\nbetween = [\"low\", \"left-in\"]\ndelay = \"1ms\"\n\
         [[event]]\nat = \"2017-10-01T09:59:00Z\"\nrelation = {{ provider = 64504, customer = 64501 }}\n"
    );
    assert!(errors(&text).to_string().ends_with(circle), "{}", errors(&text));
}

#[test]
fn a_name_that_nothing_has_hides_no_other_mistake() {
    // One in each table, and names that do not exist in all that refer to others.
    let wrong = [
        ("gateway = \"edge\"", "gateway = \"no-1\""),
        ("providers = [64501, 64502]", "providers = [64501, 64509]"),
        ("as = 64500\n", "as = 64599\n"),
        ("quote = 128", "quote = 1"),
        ("between = [\"edge\", \"right-in\"]", "between = [\"no-2\", \"no-3\"]"),
        ("mtu = 1500", "mtu = 1"),
        ("labels = [300000]", "labels = [3000000]"),
        ("router = \"far-out\"", "router = \"no-4\""),
        ("reply_ttl = 128", "reply_ttl = 1000"),
        ("per_second = 2.5", "per_second = 0"),
        ("lost = \"lower\"", "lost = \"no-5\""),
        ("router_down = \"right-mid\"", "router_down = \"no-6\""),
        ("weight = { link = \"upper\", weight = 10 }", "weight = { link = \"upper\", weight = 0 }"),
    ];
    let text = wrong.iter().fold(EVERYTHING.to_owned(), |text, (old, new)| text.replacen(old, new, 1));
    let errors = errors(&text);
    for (_, new) in wrong {
        let line = text.lines().position(|line| line.contains(new.trim_end())).unwrap() + 1;
        assert!(
            errors.0.iter().any(|error| error.line == Some(line)),
            "nothing is said of {new}:\n{errors}"
        );
    }
    assert!(errors.0.is_sorted_by_key(|error| error.line));
}
