use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::measure::guard::Guard;
use crate::measure::schedule::{Timetable, When};
use crate::model::{ClockPair, FlowId, MonoTime, Probe, Protocol, RoundId, Ttl, WallTime};

const SHIPPED: &str = include_str!("../../../../probes.toml");

fn shipped() -> Campaign {
    Campaign::parse("probes.toml", SHIPPED).unwrap()
}

/// A small file that is right, with lines of its tables replaced or added.
fn file(edits: &[(&str, &str)]) -> String {
    let mut text = "[campaign]\nname = \"c\"\n[vantage]\nname = \"v\"\n[rates]\n[guard]\n[[targets]]\n\
        prefix = \"175.45.176.0/22\"\n[[probers]]\nname = \"echo\"\nkind = \"echo\"\nevery = \"1h\"\n\
        [origins]\n[output]\n"
        .to_owned();
    for (line, by) in edits {
        assert!(text.contains(line), "{line}");
        text = text.replacen(line, by, 1);
    }
    text
}

fn errors(edits: &[(&str, &str)]) -> String {
    match Campaign::parse("probes.toml", &file(edits)) {
        Ok(_) => panic!("{edits:?} was taken"),
        Err(errors) => errors.to_string(),
    }
}

fn parsed(edits: &[(&str, &str)]) -> Campaign {
    Campaign::parse("probes.toml", &file(edits)).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_shipped_file_asks_for_what_the_readme_says() {
    let campaign = shipped();
    assert_eq!(campaign.name.as_str(), "north-korea-2017");
    assert_eq!(campaign.operator, None, "left empty on purpose");
    let units: Vec<String> =
        campaign.units().iter().map(|(unit, control)| format!("{unit} {control}")).collect();
    assert_eq!(
        units,
        [
            "175.45.176.0/24 false",
            "175.45.177.0/24 false",
            "175.45.178.0/24 false",
            "175.45.179.0/24 false",
            "210.52.109.0/24 true",
            "77.94.35.0/24 true",
        ]
    );
    assert_eq!(campaign.targets().len(), 4 * 5 + 2 * 3);
    let probers: Vec<_> = campaign.probers.iter().map(|prober| prober.name.as_str()).collect();
    assert_eq!(probers, ["echo", "tcp-443", "trace-icmp", "trace-tcp"]);
    let events: Vec<String> = campaign.events.iter().map(|event| format!("{} {event}", event.at)).collect();
    assert_eq!(
        events,
        [
            "2017-10-01T09:07:51Z link AS20485-AS131279 added",
            "2017-10-01T11:05:00Z link AS4837-AS131279 lost",
        ]
    );
}

/// Lists the keys that serde knows of a table, from serde itself.
mod keys {
    use serde::de::{Deserializer, Visitor, value::Error};

    pub(super) struct KeysOf<'a>(pub(super) &'a mut Vec<&'static str>);

    impl<'de> Deserializer<'de> for KeysOf<'_> {
        type Error = Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            self.0.extend(fields);
            Err(serde::de::Error::custom("only the keys were wanted"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("not a table"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }
}

fn keys_of<T: serde::de::DeserializeOwned>() -> Vec<&'static str> {
    let mut keys = Vec::new();
    let _ = T::deserialize(keys::KeysOf(&mut keys));
    assert!(!keys.is_empty());
    keys
}

/// The keys of each table of the shipped file, commented out or not.
fn documented() -> BTreeSet<(String, String)> {
    let mut table = String::new();
    let mut keys = BTreeSet::new();
    for line in SHIPPED.lines() {
        let line = line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '-'])).unwrap_or(line);
        if line.starts_with('[') {
            line.trim_matches(['[', ']']).clone_into(&mut table);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            keys.insert((table.clone(), key.to_owned()));
        }
    }
    keys
}

#[test]
fn every_key_is_explained_in_the_shipped_file() {
    let tables = [
        ("campaign", keys_of::<raw::CampaignTable>()),
        ("operator", keys_of::<raw::OperatorTable>()),
        ("vantage", keys_of::<raw::VantageTable>()),
        ("rates", keys_of::<raw::RatesTable>()),
        ("guard", keys_of::<raw::GuardTable>()),
        ("targets", keys_of::<raw::TargetTable>()),
        ("probers", keys_of::<raw::ProberTable>()),
        ("origins", keys_of::<raw::OriginsTable>()),
        ("alarms", keys_of::<raw::AlarmsTable>()),
        ("events", keys_of::<raw::EventTable>()),
        ("output", keys_of::<raw::OutputTable>()),
    ];
    assert_eq!(tables.each_ref().map(|(table, _)| *table)[..], keys_of::<raw::File>());
    let known: BTreeSet<(String, String)> = tables
        .iter()
        .flat_map(|(table, keys)| keys.iter().map(|key| ((*table).to_owned(), (*key).to_owned())))
        .collect();
    assert_eq!(known, documented());
}

#[test]
fn the_commented_examples_work_when_the_comment_is_taken_away() {
    let uncommented: Vec<String> = SHIPPED
        .lines()
        .filter(|line| !line.starts_with("#cron"))
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest.to_owned(),
            _ => line.to_owned(),
        })
        .collect();
    let text = uncommented.join("\n").replace("example.org", "uni-somewhere.edu");
    let campaign = Campaign::parse("probes.toml", &text).unwrap();
    assert!(campaign.operator.is_some() && campaign.opt_outs.is_some() && campaign.duration.is_some());
    let every = "every = \"30m\"\n";
    let by_cron = SHIPPED.replacen("#cron", "cron", 1).replacen(every, "", 1);
    let campaign = Campaign::parse("probes.toml", &by_cron).unwrap();
    assert!(matches!(campaign.probers[0].schedule.when, When::Cron(_)));
}

/// The defaults that the text of the shipped file tells are those that apply.
#[test]
fn what_a_short_file_leaves_out_is_as_the_shipped_file_says() {
    let (short, long) = (parsed(&[]), shipped());
    assert_eq!(short.rates, long.rates);
    assert_eq!(short.origins, long.origins);
    assert_eq!(short.alarms, long.alarms);
    assert_eq!(short.seed, 1);
    assert_eq!(short.targets[0].unit_length, long.targets[0].unit_length);
    assert_eq!(short.targets[0].select, long.targets[0].select);
    assert_eq!(short.probers[0].kind, long.probers[0].kind);
    assert_eq!(short.probers[0].timeout, long.probers[0].timeout);
    assert_eq!(short.probers[0].schedule.jitter, Duration::from_secs(30));
    assert_eq!(short.output, Path::new("c"));
    assert_eq!(short.min_free, long.min_free);
    let trace = parsed(&[("kind = \"echo\"", "kind = \"trace\"")]);
    assert_eq!(trace.probers[0].kind, long.probers[2].kind);
    let tcp = parsed(&[("kind = \"echo\"", "kind = \"tcp\"\nports = [443]")]);
    assert_eq!(tcp.probers[0].kind, long.probers[1].kind);
    let tcp_trace = parsed(&[("kind = \"echo\"", "kind = \"trace\"\nprotocol = \"tcp\"")]);
    assert_eq!(tcp_trace.probers[0].kind, long.probers[3].kind);
}

#[test]
fn an_error_names_file_line_key_value_and_rule() {
    assert_eq!(
        errors(&[("[rates]", "[rates]\nper_unit = 0")]),
        "probes.toml:6: rates.per_unit = 0: must be from 0.01 to 1000000 packets per second"
    );
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let shown = errors(&[("[rates]", "[rates]\nper_prefix = 3")]);
    assert!(shown.starts_with("probes.toml:6: per_prefix = 3: unknown field `per_prefix`"), "{shown}");
    let shown = errors(&[("[rates]", "[rate]")]);
    assert!(shown.starts_with("probes.toml:5: [rate]: unknown field `rate`"), "{shown}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_the_order_of_the_lines() {
    let shown = errors(&[
        ("name = \"c\"", "name = \"../c\"\nseed = -1"),
        ("[rates]", "[rates]\ntotal = 1e9\nburst = 0"),
        ("175.45.176.0/22", "175.45.177.0/22"),
        ("every = \"1h\"", "every = \"1h\"\ntimeout = \"5 parsecs\"\nflows = 3"),
    ]);
    let starts = [
        "probes.toml:2: campaign.name = \"../c\":",
        "probes.toml:3: campaign.seed = -1:",
        "probes.toml:7: rates.total = 1000000000:",
        "probes.toml:8: rates.burst = 0:",
        "probes.toml:11: targets.prefix = \"175.45.177.0/22\":",
        "probes.toml:16: probers.timeout = \"5 parsecs\":",
        "probes.toml:17: probers.flows = 3: belongs to kind = \"trace\", not to kind = \"echo\"",
    ];
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), starts.len(), "{shown}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

/// What a file says, and a part of the answer.
#[test]
fn impossible_and_conflicting_values_are_refused() {
    let target = "prefix = \"175.45.176.0/22\"";
    let prober = "every = \"1h\"";
    let cases: &[(&str, &str, &str)] = &[
        ("[rates]", "[rates]\ntotal = nan", "rates.total = NaN: must be from"),
        ("[rates]", "[rates]\ntotal = 2e6", "must be from 0.01 to 1000000 packets per second"),
        ("[rates]", "[rates]\ntotal = 1\nper_unit = 2", "must be at most rates.total, which is 1"),
        ("[rates]", "[rates]\ntotal = 5\nburst = 6", "allows in one second, which is 5 packets"),
        ("[rates]", "[rates]\nliveness_per_unit_hour = 1e5", "must be from 0.1 to 3600"),
        (target, "prefix = \"175.45.176.0/22\"\nunit_length = 20", "must be from 22"),
        (target, "prefix = \"175.45.176.0/22\"\nunit_length = 33", "must be from 22"),
        (target, "prefix = \"10.0.0.0/8\"\nselect = \"all\"", "more than 65536 addresses"),
        (target, "prefix = \"::/0\"\nselect = \"all\"", "more than 65536 addresses"),
        (target, "prefix = \"::/0\"", "must be at most 65536 in all"),
        (target, "prefix = \"0.0.0.0/8\"\nper_unit = 17", "must be at most 1048576 in all"),
        (target, "prefix = \"175.45.176.0/22\"\nselect = \"some\"", "must be \"sample\", \"all\" or"),
        (target, "prefix = \"1.0.0.0/24\"\nselect = \"all\"\nper_unit = 3", "contradicts select = \"all\""),
        (target, "prefix = \"1.0.0.0/24\"\nselect = \"hitlist\"", "needs addresses"),
        (target, "prefix = \"1.0.0.0/24\"\nhitlist = [\"1.0.1.1\"]", "lies outside of 1.0.0.0/24"),
        (target, "prefix = \"1.0.0.0/24\"\nhitlist = [\"1.0.0.1\", \"1.0.0.1\"]", "is listed twice"),
        (target, "prefix = \"1.0.0.0/24\"\nhitlist = [\"::ffff:1.0.0.1\"]", "lies outside"),
        (
            target,
            "prefix = \"1.0.0.0/24\"\nper_unit = 1\nhitlist = [\"1.0.0.1\", \"1.0.0.2\"]",
            "\"1.0.0.2\": is one more than targets.per_unit = 1 allows in 1.0.0.0/24",
        ),
        (
            target,
            "prefix = \"175.45.176.0/22\"\n[[targets]]\nprefix = \"175.45.177.0/24\"",
            "overlaps 175.45.176.0/22 above",
        ),
        (prober, "", "needs a schedule"),
        (prober, "every = \"1h\"\ncron = \"0 * * * *\"", "contradicts probers.every"),
        (prober, "every = \"1s\"", "from 10s to"),
        (prober, "every = \"99999999999years\"", "must be a time with its unit"),
        (prober, "cron = \"* * * * * *\"", "must be five fields"),
        (prober, "cron = \"0 0 30 2 *\"", "matches no two times"),
        (prober, "cron = \"0,2 * * * *\"\njitter = \"61s\"", "from 0s to 1m"),
        (prober, "every = \"1m\"\njitter = \"31s\"", "from 0s to 30s"),
        (prober, "every = \"1h\"\nechoes = 300", "must be a whole number from 1 to 10"),
        ("kind = \"echo\"", "kind = \"ping\"", "\"trace\", \"multipath\" or \"census\""),
        ("kind = \"echo\"", "kind = \"tcp\"", "needs probers.ports"),
        ("kind = \"echo\"", "kind = \"tcp\"\nports = []", "must be 1 to 16 ports"),
        ("kind = \"echo\"", "kind = \"tcp\"\nports = [0]", "must be a port from 1 to 65535"),
        ("kind = \"echo\"", "kind = \"tcp\"\nports = [80, 80]", "is listed twice"),
        ("kind = \"echo\"", "kind = \"trace\"\nport = 80", "contradicts protocol = \"icmp\""),
        ("kind = \"echo\"", "kind = \"trace\"\nprotocol = \"sctp\"", "must be \"icmp\", \"udp\" or"),
        ("kind = \"echo\"", "kind = \"trace\"\nmax_ttl = 300", "from 1 to 64"),
        ("kind = \"echo\"", "kind = \"trace\"\nfirst_ttl = 9\nmax_ttl = 8", "probers.max_ttl, which is 8"),
        ("kind = \"echo\"", "kind = \"trace\"\nechoes = 2", "belongs to kind = \"echo\", not to"),
        ("kind = \"echo\"", "kind = \"multipath\"\nconfidence = 1.0", "must be from 0.5 to 0.9999"),
        ("kind = \"echo\"", "kind = \"multipath\"\nnarrowest_branch = 0.0", "must be from 0.001 to 0.5"),
        (
            "kind = \"echo\"",
            "kind = \"multipath\"\nalgorithm = \"paris\"",
            "must be \"mda-lite\" or \"mda\"",
        ),
        ("kind = \"echo\"", "kind = \"multipath\"\nflows = 4", "belongs to kind = \"trace\""),
        ("kind = \"echo\"", "kind = \"multipath\"\nbalancers = 0", "must be a whole number from 1 to 64"),
        (
            "kind = \"echo\"",
            "kind = \"multipath\"\npackets = 100",
            "must be at least 180: the stopping rule wants 6",
        ),
        (
            "kind = \"echo\"",
            "kind = \"multipath\"\nnarrowest_branch = 0.001",
            "probers.packets is 2000: must be at",
        ),
        ("[origins]", "[origins]\nresolver = \"dns.org\"", "must be the address of a resolver"),
        ("[origins]", "[origins]\nreverse_dns = true", "needs origins.resolver: the system's own is never"),
        ("[origins]", "[origins]\ncymru = true", "needs origins.resolver: the system's own is never"),
        ("[output]", "[output]\nmin_free = \"100\"", "must be a size with its unit"),
        ("[output]", "[output]\nmin_free = \"2000GiB\"", "must be from 0 KiB to 1024 GiB"),
        ("[guard]", "[guard]\nopt_outs = \"\"", "must be a path"),
        ("name = \"v\"", "name = \"v\"\nsource_v4 = \"::1\"", "must be an IPv4 address"),
        ("name = \"v\"", "name = \"v\"\nsource_v6 = \"127.0.0.1\"", "must be an IPv6 address"),
        ("name = \"v\"", "name = \"v\"\ninterface = \"eth0/../x\"", "must be the name of an interface"),
        ("name = \"v\"", "name = \"v\"\npacket_path = \"fast\"", "must be \"auto\", \"packet\" or \"raw\""),
        (
            "[[probers]]",
            "[[events]]\nat = 2017\nchange = \"lost\"\nlink = \"AS1-AS2\"\n[[probers]]",
            "RFC 3339",
        ),
        (
            "[[probers]]",
            "[[events]]\nat = 2017-10-01T11:05:00\nchange = \"lost\"\nlink = \"AS1-AS2\"\n[[probers]]",
            "must be RFC 3339 with a zone",
        ),
        (
            "[[probers]]",
            "[[events]]\nat = \"2017-10-01T11:05:00Z\"\nchange = \"cut\"\nlink = \"AS1-AS1\"\n[[probers]]",
            "must be \"added\" or \"lost\"",
        ),
    ];
    for (line, by, answer) in cases {
        let shown = errors(&[(line, by)]);
        assert!(shown.contains(answer), "{by}\n{shown}");
        assert!(shown.starts_with("probes.toml:"), "{shown}");
    }
}

/// What a plan refuses of a census before anything is sent.
#[test]
fn a_census_that_cannot_keep_its_promise_is_refused() {
    let cases = [
        ("confidence = 1.0", "must be from 0.5 to 0.9999"),
        ("confidence = 0.0", "must be from 0.5 to 0.9999"),
        ("first_ttl = 9\nmax_ttl = 8", "probers.max_ttl, which is 8"),
        ("flows = 0", "belongs to kind = \"trace\""),
        ("attempts = 2", "belongs to kind = \"tcp\" or \"trace\""),
        ("balancers = 65", "must be a whole number from 1 to 64"),
        ("narrowest_branch = 0.6", "must be from 0.001 to 0.5"),
        ("packets = 200", "must be at least 330: the stopping rule wants 11"),
        ("balancers = 1\npackets = 100", "must be at least 180: the stopping rule wants 6"),
        ("protocol = \"icmp\"\nport = 80", "which has no ports"),
        ("protocol = \"gre\"", "must be \"icmp\", \"udp\" or \"tcp\""),
    ];
    for (keys, answer) in cases {
        let shown = errors(&[("kind = \"echo\"", &format!("kind = \"census\"\n{keys}"))]);
        assert!(shown.contains(answer), "{keys}\n{shown}");
    }
    let shown = errors(&[("kind = \"echo\"", "kind = \"trace\"\nflows = 0")]);
    assert!(shown.contains("must be a whole number from 1 to 64"), "{shown}");
    let campaign = Campaign::parse("p", &file(&[("kind = \"echo\"", "kind = \"census\"")])).unwrap();
    assert_eq!(campaign.probers[0].kind.packets_to_unit(256), 20_000);
}

#[test]
fn a_file_without_targets_or_probers_is_refused() {
    let text = "[campaign]\nname = \"c\"\n[vantage]\nname = \"v\"\n";
    let shown = Campaign::parse("probes.toml", text).unwrap_err().to_string();
    assert!(shown.contains("nothing to probe") && shown.contains("nothing to ask"), "{shown}");
}

#[test]
fn an_operator_that_nobody_could_write_to_is_refused() {
    let operator = |contact: &str, url: &str| {
        let table =
            format!("[operator]\nname = \"n\"\ncontact = \"{contact}\"\nurl = \"{url}\"\npurpose = \"p\"");
        file(&[("[vantage]", &format!("{table}\n[vantage]"))])
    };
    let good = Campaign::parse("p", &operator("probing@uni.edu", "https://probing.uni.edu/why")).unwrap();
    assert_eq!(good.operator.unwrap().contact, "probing@uni.edu");
    for (contact, url) in [
        ("probing@example.org", "https://uni.edu"),
        ("probing@mail.example.com", "https://uni.edu"),
        ("probing", "https://uni.edu"),
        ("", "https://uni.edu"),
        ("probing@uni.edu", "https://example.net/x"),
        ("probing@uni.edu", "ftp://uni.edu"),
        ("probing@uni.edu\\n", "https://uni.edu/\\u0000"),
    ] {
        assert!(Campaign::parse("p", &operator(contact, url)).is_err(), "{contact} {url}");
    }
}

#[test]
fn a_campaign_beyond_the_sustained_budget_is_refused_with_the_arithmetic() {
    let shown = errors(&[("every = \"1h\"", "every = \"10m\"")]);
    assert_eq!(
        shown,
        "probes.toml:10: rates.liveness_per_unit_hour = 20: 175.45.176.0/24 would get 30 packets an hour: \
         echo 5 targets x 1 packets x 6 rounds; probe fewer targets a unit, or less often"
    );
    let rare = parsed(&[("every = \"1h\"", "cron = \"0 3 * * *\"\nechoes = 10")]);
    assert_eq!(rare.budget().depth, 100, "two rounds of fifty");
    let trace = parsed(&[("kind = \"echo\"\nevery = \"1h\"", "kind = \"trace\"\nevery = \"1m\"")]);
    assert_eq!(trace.probers.len(), 1, "traces have the pacer");
}

#[test]
fn targets_are_the_hit_list_and_then_a_sample_that_never_changes() {
    let campaign = shipped();
    let of = |unit: &str| -> Vec<String> {
        let unit = Unit(unit.parse().unwrap());
        let targets = campaign.targets().into_iter().filter(|target| target.unit == unit);
        targets.map(|target| target.address.to_string()).collect()
    };
    assert_eq!(
        of("175.45.176.0/24"),
        ["175.45.176.21", "175.45.176.22", "175.45.176.68", "175.45.176.69", "175.45.176.71"]
    );
    assert_eq!(of("175.45.177.0/24")[0], "175.45.177.10");
    assert_eq!(of("175.45.177.0/24").len(), 5);
    assert_eq!(of("210.52.109.0/24"), ["210.52.109.10", "210.52.109.20", "210.52.109.30"]);
    assert_eq!(campaign.targets(), shipped().targets());
    let reseeded = Campaign::parse("p", &SHIPPED.replace("seed = 1", "seed = 2")).unwrap();
    assert_ne!(campaign.targets(), reseeded.targets());
}

#[test]
fn all_means_every_address_of_every_unit() {
    let all = parsed(&[
        ("prefix = \"175.45.176.0/22\"", "prefix = \"175.45.176.0/22\"\nselect = \"all\""),
        ("kind = \"echo\"", "kind = \"trace\""),
    ]);
    let targets = all.targets();
    assert_eq!(targets.len(), 1024);
    assert_eq!(targets[0].address.to_string(), "175.45.176.0");
    assert_eq!(targets[1023].address.to_string(), "175.45.179.255");
}

#[test]
fn relative_paths_start_at_the_folder_of_the_file() {
    let text = file(&[
        (
            "[origins]",
            "[origins]\ntables = [\"mrt:tables/a.txt\", \"/srv/b.txt\"]\noverrides = [{ prefix = \"10.1.0.0/16\", asn = 64500 }]",
        ),
        ("[guard]", "[guard]\nopt_outs = \"optout.txt\""),
    ]);
    let campaign = Campaign::parse("/etc/campaigns/probes.toml", &text).unwrap();
    assert_eq!(campaign.origins.tables[0], Path::new("mrt:/etc/campaigns/tables/a.txt"));
    assert_eq!(campaign.origins.tables[1], Path::new("/srv/b.txt"));
    assert_eq!(campaign.opt_outs.unwrap(), Path::new("/etc/campaigns/optout.txt"));
    assert_eq!(campaign.output, Path::new("/etc/campaigns/c"));
}

#[test]
fn a_missing_or_huge_file_is_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probes.toml");
    assert!(Campaign::load(&path).unwrap_err().to_string().contains("probes.toml: cannot be read"));
    std::fs::write(&path, "#".repeat((1 << 20) + 1)).unwrap();
    assert!(Campaign::load(&path).unwrap_err().to_string().contains("must be at most 1 MiB"));
    std::fs::write(&path, SHIPPED).unwrap();
    assert_eq!(Campaign::load(&path).unwrap().output, folder.path().join("north-korea-2017"));
}

/// How many packets of 36 hours the guard refuses for the budget, in a rehearsal at 300 times the speed.
fn budget_refusals(campaign: &Campaign) -> usize {
    let start = WallTime::parse_rfc3339("2017-10-01T07:30:00Z").unwrap();
    let clock = ClockPair::new(MonoTime::from_nanos(7), start).squeezed(300.0);
    let mut guard = Guard::new(campaign.guard_rules(Territory::Lab, vec![], clock.speed()));
    let mut timetable = Timetable::new(&campaign.schedules(), campaign.seed, start);
    let targets = campaign.targets();
    let mut refusals = 0;
    while let Some(due) = timetable.peek().and_then(|at| timetable.next(at)) {
        if due.at.since(start) > Duration::from_secs(36 * 3_600) {
            break;
        }
        let kind = &campaign.probers[due.prober].kind;
        let packets = if kind.method() == Method::Trace { 1 } else { kind.packets_per_target() };
        for target in targets.iter().flat_map(|target| (0..packets).map(move |_| target)) {
            let verdict = guard.examine(probe(target.address), kind.method(), clock.mono(due.at));
            refusals += usize::from(verdict.is_err());
        }
    }
    refusals
}

fn probe(target: IpAddr) -> Probe {
    let (protocol, flow, ttl) = (Protocol::Icmp, FlowId(0), Ttl::TO_THE_END);
    Probe { round: RoundId(1), target, protocol, port: None, flow, ttl, attempt: 0 }
}

#[test]
fn the_shipped_campaign_never_hits_its_own_budget() {
    assert_eq!(budget_refusals(&shipped()), 0);
}

fn any_prefix() -> impl Strategy<Value = (Prefix, u8)> {
    let v4 = (any::<u32>(), 16_u8..=32, 0_u8..8)
        .prop_map(|(bits, length, more)| (IpAddr::V4(Ipv4Addr::from_bits(bits)), length, more, 32));
    let v6 = (any::<u128>(), 16_u8..=128, 0_u8..8)
        .prop_map(|(bits, length, more)| (IpAddr::V6(Ipv6Addr::from_bits(bits)), length, more, 128));
    prop_oneof![v4, v6].prop_map(|(address, length, more, most)| {
        (Prefix::covering(address, length).unwrap(), length.saturating_add(more).min(most))
    })
}

proptest! {
    #[test]
    fn targets_lie_in_their_units_and_never_come_twice(
        (prefix, unit_length) in any_prefix(), per_unit in 1_u32..40, seed in 0_u64..1000,
    ) {
        let set =
            TargetSet { prefix, unit_length, select: Select::Sample { per_unit }, hitlist: vec![], control: true };
        let campaign = Campaign { seed, targets: vec![set], ..shipped() };
        let targets = campaign.targets();
        let units: BTreeSet<Unit> = campaign.units().into_iter().map(|(unit, _)| unit).collect();
        prop_assert_eq!(units.len(), 1 << (unit_length - prefix.length()));
        prop_assert!(targets.iter().all(|target| target.unit.0.contains(target.address)
            && prefix.covers(&target.unit.0) && units.contains(&target.unit) && target.control));
        let distinct: BTreeSet<IpAddr> = targets.iter().map(|target| target.address).collect();
        prop_assert_eq!(distinct.len(), targets.len());
        let counts = campaign.targets_by_unit();
        prop_assert!(counts.len() == units.len() && counts.values().all(|count| *count <= u64::from(per_unit)));
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What the file's check lets through, the guard lets through as well, packet by packet.
    #[test]
    fn a_campaign_that_is_taken_never_hits_its_own_budget(
        seed in 0_u64..100_000,
        packets in (1_u32..10, 1_u32..5),
        minutes in 10_u64..300,
        pattern in prop::sample::select(vec!["0,1,2,3 * * * *", "0,59 * * * *", "*/15 3 * * *", "0 3,4 * * *"]),
        allowed in 1_u32..60,
    ) {
        let text = file(&[
            ("name = \"c\"", &format!("name = \"c\"\nseed = {seed}")),
            ("[rates]", &format!("[rates]\nliveness_per_unit_hour = {allowed}.5")),
            ("[[targets]]", &format!("[[targets]]\nper_unit = {}", packets.0)),
            ("every = \"1h\"", &format!(
                "every = \"{minutes}m\"\njitter = \"{}s\"\n[[probers]]\nname = \"tcp\"\nkind = \"tcp\"\n\
                 ports = [80]\nattempts = {}\ncron = \"{pattern}\"", minutes * 30, packets.1,
            )),
        ]);
        let Ok(campaign) = Campaign::parse("probes.toml", &text) else { return Ok(()) };
        prop_assert_eq!(budget_refusals(&campaign), 0);
    }
}

proptest! {
    /// A line of the shipped file broken at random must give an error or a campaign, never a panic.
    #[test]
    fn no_file_makes_the_reader_panic(at in 0..SHIPPED.len(), junk in "[\\PC\n]{0,8}") {
        let cut = (0..=at).rev().find(|at| SHIPPED.is_char_boundary(*at)).unwrap_or(0);
        let text = format!("{}{junk}{}", &SHIPPED[..cut], &SHIPPED[cut..]);
        if let Err(errors) = Campaign::parse("probes.toml", &text) {
            prop_assert!(errors.0.iter().all(|error| !error.rule.is_empty()));
        }
    }
}

#[test]
fn what_only_a_lab_may_be_sent_is_named_with_the_most_that_a_real_network_may() {
    let rates = |text: &str| parsed(&[("[rates]", &format!("[rates]\n{text}"))]).rates;
    assert_eq!(shipped().rates.too_high(), None);
    assert_eq!(rates("total = 10000\nper_unit = 100\nper_responder = 100\nburst = 1000").too_high(), None);
    let told = |text: &str| rates(text).too_high().map(|too_fast| too_fast.to_string());
    assert_eq!(
        told("total = 10001").as_deref(),
        Some(
            "rates.total = 10001: at most 10000 packets per second may leave for a real network; more is for the lab"
        )
    );
    for text in
        ["total = 5000\nburst = 1001", "total = 200\nper_unit = 101", "total = 200\nper_responder = 101"]
    {
        assert!(told(text).is_some(), "{text}");
    }
}
