//! What a dataset gives to what-if: the ways that were measured, and the events that predictions can be held against.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;

use csv::{Terminator, WriterBuilder};

use crate::analyse::compare::{
    CampaignBacktest, Estimate, Grounds, MeasuredWalk, RoutedTrace, UnitBacktest, routed_traces,
};
use crate::analyse::path::Walk;
use crate::analyse::topology::MeasuredWay;
use crate::dataset::{Dataset, Read};
use crate::model::Event;
use crate::report::number;
use crate::report::recompute::{self, RecomputeError};

/// The ways of a dataset, with these origin tables or those that its campaign names.
///
/// # Errors
/// If the dataset or a table cannot be read.
pub fn measured_walks(dataset: &Dataset, origins: &[PathBuf]) -> Result<Vec<MeasuredWalk>, RecomputeError> {
    recompute::from_records(dataset, origins, |question, table, read| {
        let records = read.flat_map(Read::records);
        let walk = |routed: RoutedTrace| {
            let own = question.vantage_as.get(&routed.trace.key.vantage).copied();
            let upstream = routed.upstream.ok().filter(|_| !routed.trace.control)?;
            let (epoch, origin) = routed.epoch.zip(routed.origin)?;
            let walk = Walk::new(&routed.path, own).to_origin(origin);
            let way = MeasuredWay { walk, entered: upstream.seen_entering };
            Some(MeasuredWalk { epoch, way })
        };
        routed_traces(question, table, records).into_iter().filter_map(walk).collect()
    })
}

fn listed(events: &[Event]) -> String {
    let events: Vec<String> = events.iter().map(|event| format!("{} {event}", event.at)).collect();
    events.join(", ")
}

/// How good predictions of a campaign's events were, as text.
#[must_use]
pub fn campaign_text(found: &CampaignBacktest) -> String {
    let mut text =
        String::from("Predictions of the campaign's events, held against what was measured after them\n\n");
    if found.grounds.is_empty() {
        text.push_str("No event was recorded in it: there is nothing to hold a prediction against.\n");
    }
    for grounds in &found.grounds {
        let Grounds { known, assumed, unseen, .. } = grounds;
        let _ = writeln!(text, "{}", listed(&grounds.events));
        let _ = writeln!(
            text,
            "  of the links measured before, the tables have {known}; the relation of {assumed} is assumed, {unseen} of which nobody saw"
        );
        if grounds.measured {
            line(&mut text, ["unit", "upstream", "foretold", "before", "after, measured"]);
        } else {
            text.push_str("  cannot be judged: no way was measured before\n");
        }
        for unit in found.units.iter().filter(|unit| unit.epoch == grounds.epoch) {
            unit_lines(&mut text, unit);
        }
        text.push('\n');
    }
    text.push_str(ABOUT);
    text
}

fn unit_lines(text: &mut String, unit: &UnitBacktest) {
    for (asn, share) in &unit.shares {
        let after = share.after.map_or_else(|| "not measured".to_owned(), estimate);
        let cells = [percent(share.foretold), percent(share.before)];
        line(text, [&unit.unit.to_string(), &asn.to_string(), &cells[0], &cells[1], &after]);
    }
    if let Some((foretold, unchanged)) = unit.wrong {
        let (foretold, unchanged) = (percent(foretold), percent(unchanged));
        let _ = writeln!(
            text,
            "  {:<24}went elsewhere than foretold: {foretold}; than before: {unchanged}",
            ""
        );
    }
}

const ABOUT: &str = "\
Foretold: of all orders in which ASes may break ties, in how many the vantage's AS comes through an upstream. The model knows one way
an AS; what balancers split over several, it cannot foretell. Routes of single prefixes are foretold as those of the whole origin, unless
--only-to says otherwise.
";

fn percent(share: f64) -> String {
    number::percent(share).unwrap_or_else(|| "–".to_owned())
}

fn estimate(estimate: Estimate) -> String {
    let interval = number::percent_interval(&estimate).filter(|_| estimate.high > 0.0);
    format!("{} {}", percent(estimate.value), interval.unwrap_or_default()).trim_end().to_owned()
}

fn line(text: &mut String, [unit, upstream, foretold, before, after]: [&str; 5]) {
    let line = format!("  {unit:<24}{upstream:<14}{foretold:<12}{before:<12}{after}");
    let _ = writeln!(text, "{}", line.trim_end());
}

/// The same as CSV: one row an event, unit and upstream.
///
/// # Errors
/// If it cannot be written.
pub fn write_campaign_csv(found: &CampaignBacktest, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    writer.write_record([
        "events",
        "unit",
        "upstream",
        "foretold",
        "before",
        "after",
        "after_low",
        "after_high",
    ])?;
    let decimals = |value: f64| format!("{value:.5}");
    for unit in &found.units {
        let grounds = found.grounds.iter().find(|grounds| grounds.epoch == unit.epoch);
        for (asn, share) in &unit.shares {
            let after = share
                .after
                .map(|after| [after.value, after.low, after.high].map(decimals))
                .unwrap_or_default();
            let [value, low, high] = after;
            writer.write_record([
                grounds.map(|grounds| listed(&grounds.events)).unwrap_or_default(),
                unit.unit.to_string(),
                asn.get().to_string(),
                decimals(share.foretold),
                decimals(share.before),
                value,
                low,
                high,
            ])?;
        }
    }
    writer.flush()
}
