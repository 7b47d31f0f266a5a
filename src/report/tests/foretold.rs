//! How good predictions of the events were.

use std::collections::BTreeMap;

use super::october;
use crate::analyse::compare::{CampaignBacktest, Estimate, Findings, ForetoldShare, Grounds, UnitBacktest};
use crate::model::{Asn, Event, LinkChange, WallTime};
use crate::report::foretold::{score_rows, sentences, share_rows};

fn asn(number: u32) -> Asn {
    number.try_into().unwrap()
}

/// As in October 2017: half of the flows were foretold to come over the new line, and three fifths did.
fn foretold() -> Findings {
    let link = "AS20485-AS131279".parse().unwrap();
    let at = WallTime::parse_rfc3339("2017-10-01T09:07:51Z").unwrap();
    let grounds = Grounds {
        epoch: 1,
        origin: asn(131_279),
        events: vec![Event { at, change: LinkChange::Added, link }],
        known: 5,
        assumed: 1,
        unseen: 1,
        measured: true,
    };
    let after = |value, low, high| Some(Estimate { value, low, high });
    let share = |foretold, before, after| ForetoldShare { foretold, before, after };
    let unit = UnitBacktest {
        epoch: 1,
        unit: crate::model::Unit("175.45.176.0/24".parse().unwrap()),
        origin: asn(131_279),
        shares: BTreeMap::from([
            (asn(4837), share(0.5, 1.0, after(0.4, 0.3, 0.51))),
            (asn(20_485), share(0.5, 0.0, after(0.6, 0.49, 0.7))),
        ]),
        wrong: Some((0.1, 0.6)),
    };
    Findings {
        foretold: CampaignBacktest { grounds: vec![grounds], units: vec![unit] },
        ..october::october()
    }
}

#[test]
fn how_good_a_prediction_was_stands_on_the_page_at_the_terminal_and_in_the_files() {
    let findings = foretold();
    let expected = "2017-10-01 09:07:51 UTC, link AS20485-AS131279 added: foretold AS4837 50.0 %, AS20485 50.0 %; \
        measured AS4837 40.0 %, AS20485 60.0 %; wrong 10.0 % (had nothing changed: 60.0 %)";
    assert_eq!(sentences(&findings), [("175.45.176.0/24".to_owned(), expected.to_owned())]);
    let page = crate::report::html(&findings).unwrap();
    assert!(
        page.contains("How good predictions have been") && page.contains("data-head=\"Wrong\">10.0 %</td>")
    );
    let text = crate::report::terminal(&findings, crate::report::Style::PLAIN);
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ");
    assert!(text.contains("PREDICTIONS") && words.contains("wrong 10.0 %"), "{text}");
    assert_eq!(score_rows(&findings), [["2", "175.45.176.0/24", "0.10000", "0.60000", "5", "1", "1"]]);
    let first = ["2", "175.45.176.0/24", "AS4837", "0.50000", "1.00000", "0.40000", "0.30000", "0.51000"];
    assert_eq!(share_rows(&findings)[0], first);
}

#[test]
fn where_nothing_was_foretold_nothing_is_said() {
    let findings = october::october();
    assert!(!crate::report::html(&findings).unwrap().contains("How good predictions have been"));
    assert!(!crate::report::terminal(&findings, crate::report::Style::PLAIN).contains("PREDICTIONS"));
}
