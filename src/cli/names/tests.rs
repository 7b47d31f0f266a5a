//! Against a name server of our own on the loopback interface; nothing here asks any other.

use std::path::Path;

use super::*;
use crate::dataset::{Ledger, Manifest, RoundHeader, arbitrary};
use crate::formats::dns::name_server::{NameServer, PTR, Says, wire_name, wire_text};
use crate::model::{
    FlowId, Method, Probe, Protocol, Reply, ReplyKind, Rtt, RttSource, Ttl, Unit, WallTime,
};

const TARGET: &str = "175.45.176.10";
const TABLE: &[u8] = b"175.45.176.0\t24\t131279\n219.158.0.0\t16\t4837\n188.1.0.0\t16\t680\n";
const LONG: Duration = Duration::from_secs(20);

/// Hops of one trace: mapped, of no table, private, and the target.
const HOPS: [&str; 5] = ["188.1.144.1", "4.69.154.9", "10.1.2.3", "219.158.117.1", TARGET];

fn dataset(folder: &Path) -> Dataset {
    let origins = vec!["origins/table.pfx2as".to_owned()];
    let manifest = Manifest { origins, ..arbitrary::manifest() };
    let mut dataset = Dataset::create(folder, &manifest).unwrap();
    dataset.write_file("origins/table.pfx2as", TABLE).unwrap();
    dataset
}

/// Records one round with one trace over the hops.
fn record_round(dataset: &mut Dataset, id: u64) {
    let (id, at) = (RoundId(id), WallTime::from_nanos(0));
    let prober: crate::model::Name = "trace".parse().unwrap();
    let header =
        RoundHeader { id, prober: prober.clone(), method: Method::Trace, due_at: at, started_at: at };
    dataset.begin_round(&header).unwrap();
    let hop = |(ttl, hop): (u8, &&str)| {
        let kind = if *hop == TARGET { ReplyKind::EchoReply } else { ReplyKind::TimeExceeded };
        let reply = Reply::plain(hop.parse().unwrap(), kind);
        let (target, port, flow) = (TARGET.parse().unwrap(), None, FlowId(0));
        let ttl = Ttl::new(ttl).unwrap();
        ProbeRecord {
            vantage: arbitrary::vantage(),
            prober: prober.clone(),
            method: Method::Trace,
            probe: Probe { round: id, target, protocol: Protocol::Icmp, port, flow, ttl, attempt: 0 },
            unit: Unit("175.45.176.0/24".parse().unwrap()),
            control: false,
            sent_at: Some(at),
            outcome: Outcome::Answered {
                reply,
                rtt: Rtt { span: Duration::from_millis(1), source: RttSource::Kernel },
            },
        }
    };
    let records: Vec<ProbeRecord> = (1..).zip(&HOPS).map(hop).collect();
    dataset.append(id, &records, &Ledger::default()).unwrap();
    dataset.seal(id, &Ledger::default(), true).unwrap();
}

fn origins(server: &NameServer) -> Origins {
    Origins {
        tables: Vec::new(),
        overrides: Vec::new(),
        as_names: Vec::new(),
        reverse_dns: true,
        cymru: true,
        resolver: Some(server.address),
        queries_per_second: 50.0,
        timeout: LONG,
    }
}

/// Knows two names, and the AS of everything.
fn world(name: &str, kind: u16) -> Says {
    match (name, kind) {
        ("9.154.69.4.in-addr.arpa.", PTR) => Says::Records(vec![wire_name("ae-1=2.level3.example")]),
        ("1.144.1.188.in-addr.arpa.", PTR) => Says::Records(vec![wire_name("dfn.example")]),
        (_, PTR) => Says::NoSuchName,
        (name, _) if name.starts_with("as") => Says::Records(vec![wire_text(&[&format!(
            "{} | US | arin | 1992-12-01 | OF-{name}, US",
            digits(name)
        )])]),
        _ => Says::Records(vec![wire_text(&["3356 | 4.0.0.0/9 | US | arin | 1992-12-01"])]),
    }
}

/// `3356` of `as3356.asn.cymru.com.`.
fn digits(name: &str) -> String {
    name.chars().skip(2).take_while(char::is_ascii_digit).collect()
}

fn silence(_: &str, _: u16) -> Says {
    Says::NothingAtAll
}

#[test]
fn hops_get_their_names_and_those_of_no_table_their_as_and_nobody_is_asked_twice() {
    let (folder, server) = (tempfile::tempdir().unwrap(), NameServer::start(world));
    let mut dataset = dataset(folder.path());
    let names = Names::begin(&origins(&server), &dataset).unwrap().unwrap();
    record_round(&mut dataset, 1);
    assert_eq!(names.end(RunEnd::Finished), RunEnd::Finished);
    // The names of four, since 10.1.2.3 is nobody's business, one origin, and the names of four ASes.
    assert_eq!(server.asked(), 9);
    let known: Vec<String> = report::looked_up(&dataset)
        .unwrap()
        .as_names()
        .map(|(asn, name)| format!("{asn} {name}"))
        .collect();
    assert!(
        known.contains(&"AS3356 OF-as3356.asn.cymru.com., US".to_owned()) && known.len() == 4,
        "{known:?}"
    );
    let mut table = Vec::new();
    report::paths(&dataset, &[]).unwrap().write_csv(&mut table).unwrap();
    let table = String::from_utf8(table).unwrap();
    assert!(
        table.contains(",4.69.154.9,ae-1%5C%3D2.level3.example,AS3356,,looked_up,low,4.0.0.0/9,"),
        "{table}"
    );
    assert!(table.contains(",188.1.144.1,dfn.example,AS680,,single_origin,fair,188.1.0.0/16,"), "{table}");
    assert!(table.contains(",AS680 AS3356 ?1 AS4837 AS131279,reached,"), "{table}");
    record_round(&mut dataset, 2);
    let again = Names::begin(&origins(&server), &dataset).unwrap().unwrap();
    assert_eq!(again.end(RunEnd::Finished), RunEnd::Finished);
    assert_eq!(server.asked(), 9);
}

#[test]
fn a_resolver_that_never_answers_holds_up_neither_the_end_nor_a_stop() {
    let (folder, server) = (tempfile::tempdir().unwrap(), NameServer::start(silence));
    let mut dataset = dataset(folder.path());
    record_round(&mut dataset, 1);
    for (campaign, patience) in [
        (RunEnd::Finished, Duration::from_millis(50)),
        (RunEnd::Interrupted, LONG),
        (RunEnd::Terminated, LONG),
    ] {
        let clock = crate::model::SystemClock::start();
        let names = Names::begin(&origins(&server), &dataset).unwrap().unwrap();
        assert_eq!(names.end_within(campaign, patience), campaign);
        let taken = crate::model::Clock::mono(&clock).as_nanos();
        assert!(taken < 5_000_000_000, "{campaign:?} took {taken} ns");
    }
    assert!(report::looked_up(&dataset).unwrap().names().next().is_none());
}

#[test]
fn nothing_is_asked_unless_it_is_wanted() {
    let (folder, server) = (tempfile::tempdir().unwrap(), NameServer::start(world));
    let dataset = dataset(folder.path());
    let unwanted = Origins { reverse_dns: false, cymru: false, ..origins(&server) };
    assert!(Names::begin(&unwanted, &dataset).unwrap().is_none());
    dataset.write_names(b"{").unwrap();
    let refused = Names::begin(&origins(&server), &dataset).err().unwrap().to_string();
    assert!(refused.contains("dns.json: damaged; remove it"), "{refused}");
}
