//! That alarms are kept as they were told, and what people read of them.

use super::*;
use crate::analyse::compare::AlarmKind;
use crate::model::Unit;

fn at(text: &str) -> WallTime {
    WallTime::parse_rfc3339(&format!("2017-10-01T{text}Z")).unwrap()
}

fn alarm(kind: AlarmKind, subject: &str) -> Alarm {
    let units = ["175.45.176.0/24", "175.45.177.0/24", "175.45.178.0/24", "175.45.179.0/24"];
    Alarm {
        kind,
        vantage: "de".parse().unwrap(),
        subject: subject.to_owned(),
        units: units.map(|unit| Unit(unit.parse().unwrap())).to_vec(),
        from: at("09:05:10.25"),
        to: at("09:10:40"),
        over: None,
        before: Some(0.0),
        after: Some(0.5),
        p: Some(3.2e-9),
    }
}

#[test]
fn a_line_says_what_happened_to_whom_when_and_how_much() {
    let link = alarm(AlarmKind::LinkAdded, "AS20485-AS131279");
    assert_eq!(
        alarm_line(&link),
        "alarm: link AS20485-AS131279 added for 175.45.176.0/24, 175.45.177.0/24, 175.45.178.0/24 and 1 more, \
         between 2017-10-01 09:05:10 and 09:10:40 UTC; from 0.0 % of flows to 50.0 % of flows, p 3.2e-9"
    );
    let slower = Alarm {
        before: Some(210.0),
        after: Some(262.5),
        ..alarm(AlarmKind::Slower, "175.45.176.0/24 echo")
    };
    assert!(alarm_line(&slower).contains("round-trip times to 175.45.176.0/24 echo became longer"));
    let down = Alarm { before: None, after: None, p: None, ..alarm(AlarmKind::Down, "175.45.176.0/24") };
    assert_eq!(
        alarm_line(&down),
        "alarm: 175.45.176.0/24 went down, between 2017-10-01 09:05:10 and 09:10:40 UTC"
    );
    let over = Alarm { over: Some((at("09:30:00"), at("09:35:00"))), ..down };
    assert_eq!(
        alarm_line(&over),
        "over: 175.45.176.0/24 answers again, between 2017-10-01 09:30:00 and 09:35:00 UTC"
    );
}

#[test]
fn alarms_are_read_back_as_they_were_told_and_a_damaged_line_is_named() {
    let path = std::path::Path::new("kp/alarms.csv");
    assert_eq!(table::read(b"", path).unwrap(), []);
    let told = [
        alarm(AlarmKind::LinkLost, "AS4837-AS131279"),
        Alarm {
            over: Some((at("10:00:00"), at("10:05:00"))),
            before: None,
            after: None,
            p: None,
            units: Vec::new(),
            ..alarm(AlarmKind::VantageUnwell, "")
        },
        alarm(AlarmKind::Faster, "4.69.154.9-219.158.117.1"),
    ];
    let file = table::file(&told).unwrap();
    assert_eq!(table::read(&file, path).unwrap(), told);
    let damaged = String::from_utf8(file).unwrap().replace("vantage_unwell", "vantage_bored");
    let error = table::read(damaged.as_bytes(), path).unwrap_err().to_string();
    assert_eq!(
        error,
        "kp/alarms.csv: line 3: damaged (not an alarm); remove the file and go on without it"
    );
}
