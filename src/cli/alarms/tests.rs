//! Beside a dataset that grows; nothing is sent.

use super::*;
use crate::dataset::{Ledger, ProbeRecord, RoundHeader, arbitrary};
use crate::model::{
    FlowId, Method, Name, Outcome, Probe, Protocol, Reply, ReplyKind, RoundId, Rtt, RttSource, Ttl, Unit,
    WallTime,
};

const MONTH: Option<Duration> = Some(Duration::from_secs(30 * 86_400));

fn dataset(folder: &std::path::Path) -> Dataset {
    Dataset::create(folder, &arbitrary::manifest()).unwrap()
}

fn record_round(dataset: &mut Dataset, id: u64, answered: bool) {
    begin_round(dataset, id);
    end_round(dataset, id, answered);
}

/// An hour from round to round.
fn round_at(id: u64) -> WallTime {
    WallTime::from_nanos(0).after(Duration::from_secs(3600 * id))
}

fn begin_round(dataset: &mut Dataset, id: u64) {
    let (id, at, prober) = (RoundId(id), round_at(id), "echo".parse().unwrap());
    let header = RoundHeader { id, prober, method: Method::Echo, due_at: at, started_at: at };
    dataset.begin_round(&header).unwrap();
}

/// Echoes to five hosts of a unit and to a control, which always answers.
fn end_round(dataset: &mut Dataset, id: u64, answered: bool) {
    let (round, at) = (RoundId(id), round_at(id));
    let prober: Name = "echo".parse().unwrap();
    let record = |(second, host): (u64, &str)| {
        let target = host.parse().unwrap();
        let control = host.starts_with("77.");
        let rtt = Rtt { span: Duration::from_millis(20), source: RttSource::Kernel };
        let reply = Reply::plain(target, ReplyKind::EchoReply);
        ProbeRecord {
            vantage: arbitrary::vantage(),
            prober: prober.clone(),
            method: Method::Echo,
            probe: Probe {
                round,
                target,
                protocol: Protocol::Icmp,
                port: None,
                flow: FlowId(0),
                ttl: Ttl::TO_THE_END,
                attempt: 0,
            },
            unit: Unit(if control { "77.94.35.0/24" } else { "175.45.176.0/24" }.parse().unwrap()),
            control,
            sent_at: Some(at.after(Duration::from_secs(second))),
            outcome: if answered || control { Outcome::Answered { reply, rtt } } else { Outcome::Silent },
        }
    };
    let hosts =
        ["175.45.176.1", "175.45.176.2", "77.94.35.1", "175.45.176.3", "175.45.176.4", "175.45.176.5"];
    let records: Vec<ProbeRecord> = (0..).zip(hosts).map(record).collect();
    dataset.append(round, &records, &Ledger::default()).unwrap();
    dataset.seal(round, &Ledger::default(), true).unwrap();
}

fn kinds(dataset: &Dataset) -> Vec<String> {
    let file = String::from_utf8(dataset.read_alarms().unwrap().unwrap_or_default()).unwrap();
    file.lines().skip(1).filter_map(|row| row.split(',').next().map(str::to_owned)).collect()
}

#[test]
fn what_happened_up_to_the_end_of_a_campaign_is_told_and_the_next_run_does_not_tell_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = dataset(&folder.path().join("data"));
    (1..=20).for_each(|id| record_round(&mut dataset, id, true));
    let watcher = Watcher::begin(MONTH, &dataset, &ProgressBar::hidden()).unwrap().unwrap();
    (21..=23).for_each(|id| record_round(&mut dataset, id, false));
    watcher.end(true);
    assert_eq!(kinds(&dataset), ["down"]);

    let watcher = Watcher::begin(MONTH, &dataset, &ProgressBar::hidden()).unwrap().unwrap();
    record_round(&mut dataset, 24, false);
    watcher.end(true);
    assert_eq!(kinds(&dataset), ["down"]);
}

#[test]
fn a_round_that_ends_after_one_that_began_later_is_looked_at_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = dataset(&folder.path().join("data"));
    (1..=20).for_each(|id| record_round(&mut dataset, id, true));
    let reader = Dataset::open_read_only(dataset.path()).unwrap();
    let mut lookout = Lookout::from_now_on(reader, MONTH.unwrap()).unwrap();
    begin_round(&mut dataset, 21);
    record_round(&mut dataset, 22, false);
    assert_eq!(lookout.look(None).unwrap(), [], "one silent round is not enough");
    end_round(&mut dataset, 21, false);
    assert_eq!(lookout.look(None).unwrap().len(), 1);
}

#[test]
fn where_no_alarms_are_wanted_nobody_looks_and_an_unreadable_file_of_them_is_named_before_anything_is_sent()
{
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(&folder.path().join("data"));
    assert!(Watcher::begin(None, &dataset, &ProgressBar::hidden()).unwrap().is_none());
    dataset.write_alarms(b"kind,vantage\r\nbored,vp\r\n").unwrap();
    let refused = Watcher::begin(MONTH, &dataset, &ProgressBar::hidden()).err().unwrap();
    assert!(refused.to_string().contains("alarms.csv: line 2: damaged"), "{refused}");
}
