//! The list of traces against the findings, which are computed from the same routes.

use super::*;
use crate::analyse::compare::{analyse, routed_traces};
use crate::analyse::sheet::{Aim, Sheet, asn, origins, time, traces, unit};
use crate::dataset::Ledger;
use crate::model::{Event, LinkChange};

const UNICOM: &str = "188.1.144.1 4.69.154.9 219.158.117.1 * * * 175.45.176.10=";
const TTK: &str = "188.1.144.1 62.115.114.88 188.43.225.153 * * *";
const REFUSED: &str = "188.1.144.1 62.115.114.88!N";
const UNSENT: &str = "x x x";

fn question() -> Question {
    let link = "AS20485-AS131279".parse().unwrap();
    let added = Event { at: time("2017-10-01T09:07:51Z"), change: LinkChange::Added, link };
    Question {
        started_at: crate::model::WallTime::from_nanos(0),
        campaign: "october".parse().unwrap(),
        vantages: vec!["de".parse().unwrap()],
        vantage_as: BTreeMap::new(),
        rehearsal: true,
        speed: 1.0,
        units: vec![(unit("175.45.176.0/24"), false)],
        events: vec![added],
        opt_outs: Vec::new(),
        clock_steps: Vec::new(),
        dropped: Vec::new(),
        ledger: Ledger::default(),
        rounds: (3, 0),
        names: BTreeMap::new(),
        confidence: 0.95,
        seed: 7,
        asked: Vec::new(),
    }
}

/// Two epochs, a trace across the event, one refused and one that was not sent.
fn sheet() -> Sheet {
    let mut sheet = Sheet::new();
    let lines = [
        ("2017-10-01T08:00:00Z", UNICOM),
        ("2017-10-01T08:30:00Z", REFUSED),
        ("2017-10-01T09:07:49Z", UNICOM),
        ("2017-10-01T09:30:00Z", TTK),
        ("2017-10-01T10:00:00Z", UNICOM),
        ("2017-10-01T10:30:00Z", UNSENT),
    ];
    for (round, (at, line)) in (1..).zip(lines) {
        sheet.trace(Aim { round, at: time(at), target: "175.45.176.10", flow: 0 }, line);
    }
    sheet
}

#[test]
fn every_trace_is_listed_and_those_with_an_upstream_are_those_that_the_report_counts() {
    let (question, origins, sheet) = (question(), origins(), sheet());
    let listed = routed_traces(&question, &origins, sheet.records.clone());
    let reasons: Vec<_> = listed.iter().map(|routed| routed.upstream.err()).collect();
    let refused = Some(NoUpstream::Refused(Some(asn(1299)), crate::model::Unreachable::Net));
    let (across, unsent) = (Some(NoUpstream::AcrossEvent), Some(NoUpstream::NotMeasured));
    assert_eq!(reasons, [None, refused, across, None, None, unsent]);
    let mut counted: BTreeMap<(usize, Asn), u64> = BTreeMap::new();
    for routed in &listed {
        if let (Some(epoch), Ok(upstream)) = (routed.epoch, routed.upstream) {
            *counted.entry((epoch, upstream.asn)).or_default() += 1;
        }
    }
    let findings = analyse(&question, &origins, sheet.records);
    let by_epoch = findings.units[0].by_epoch.iter().enumerate();
    let shares = by_epoch.flat_map(|(epoch, found)| {
        found.upstreams.iter().map(move |share| ((epoch, share.upstream), share.flows))
    });
    assert_eq!(counted, shares.collect());
    assert_eq!(findings.straddling, 1);
}

#[test]
fn a_router_of_which_nobody_tells_where_it_stands_makes_no_way_longer_and_no_way_of_its_own() {
    let lines = [
        "188.1.144.1 4.69.154.9@0 * 219.158.117.1 175.45.176.10=",
        "188.1.144.1 4.69.154.9@0 4.69.154.9 219.158.117.1 175.45.176.10=",
        "188.1.144.1 4.69.154.9@0 62.115.114.88 219.158.117.1 175.45.176.10=",
    ];
    let ways: Vec<_> = traces(&lines.map(|line| ("175.45.176.10", line))).iter().map(routers).collect();
    let [unsure, let_through, quotes_0] = ways.as_slice() else { panic!("{ways:?}") };
    assert_eq!(unsure.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true]);
    for whole in [let_through, quotes_0] {
        let fits = |(seen, of): (&Option<IpAddr>, &Option<IpAddr>)| seen.is_none() || seen == of;
        assert!(unsure.len() == whole.len() && unsure.iter().zip(whole).all(fits), "{whole:?}");
    }
}
