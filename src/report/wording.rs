//! What the reports say, in words and cells, before it is set for a terminal, a page or a paper.
//!
//! A unit is told as a small table: one row a question, one cell an epoch. "Not measured", "not seen",
//! "not observable" and "none" are different answers and stay so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::analyse::compare::{
    Change, Epoch, Estimate, Findings, Metric, Reach, Reachability, Trouble, UnitEpoch, UnitFindings,
};
use crate::dataset::ClockStep;
use crate::model::{AsLink, Asn, LinkChange, Method, Untrusted};

use super::number;

/// What stands where an estimate should be and is none.
pub(super) const NOT_KNOWN: &str = "not known";

/// One answer: what is said, and its interval or condition beside it (may be empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) aside: String,
}

impl Cell {
    fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), aside: String::new() }
    }

    /// Both parts in one line.
    pub(super) fn joined(&self) -> String {
        if self.aside.is_empty() { self.text.clone() } else { format!("{} {}", self.text, self.aside) }
    }
}

/// One question about a unit, answered for every epoch.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) cells: Vec<Cell>,
}

/// One difference between two epochs.
#[derive(Clone, Debug)]
pub(super) struct ChangeRow {
    pub(super) epochs: String,
    pub(super) what: String,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) difference: String,
    pub(super) interval: String,
}

/// A text from another room or from outside, word by word made safe to print.
pub(super) fn safe_text(text: &str) -> String {
    let words: Vec<String> = text.split(' ').map(|word| Untrusted::new(word).to_string()).collect();
    words.join(" ")
}

/// At most `length` characters of the name of an AS; `None` where it has none.
pub(super) fn as_name(findings: &Findings, asn: Asn, length: usize) -> Option<String> {
    let name = findings.names.get(&asn).filter(|name| !name.is_empty())?.to_string();
    if name.chars().count() <= length {
        return Some(name);
    }
    let kept: String = name.chars().take(length.saturating_sub(1)).collect();
    Some(format!("{}\u{2026}", kept.trim_end()))
}

/// Who measured, when, and whether it was real.
pub(super) fn vantages(findings: &Findings) -> String {
    let names: Vec<&str> = findings.vantages.iter().map(crate::model::Name::as_str).collect();
    match names.len() {
        0 => "no vantage".to_owned(),
        1 => format!("vantage {}", names.concat()),
        _ => format!("vantages {}", names.join(", ")),
    }
}

/// From the first to the last probe, UTC.
pub(super) fn period(findings: &Findings) -> String {
    let (Some(first), Some(last)) = (findings.epochs.first(), findings.epochs.last()) else {
        return "no time".to_owned();
    };
    let (first_date, first_time) = number::date_and_time(first.start);
    let (last_date, last_time) = number::date_and_time(last.end);
    if first_date == last_date {
        format!("{first_date}, {first_time} to {last_time} UTC")
    } else {
        format!("{first_date} {first_time} to {last_date} {last_time} UTC")
    }
}

/// A warning that the network was the lab; `None` where it was the Internet.
pub(super) fn rehearsal(findings: &Findings) -> Option<String> {
    if !findings.rehearsal {
        return None;
    }
    let mut note =
        "A rehearsal: the network was simulated, nothing here was measured on the Internet.".to_owned();
    let squeezed = findings.speed > 1.0;
    if let Some(speed) = number::quantity(findings.speed).filter(|_| squeezed) {
        let _ = write!(
            note,
            " Its clock ran {speed} times as fast as real time; round-trip times are as they were."
        );
    }
    Some(note)
}

/// What opened an epoch: what was declared, and what was found, the links into the networks that were measured first.
pub(super) fn opening(findings: &Findings, epoch: usize) -> String {
    const MOST: usize = 3;
    let Some(Epoch { opened_by, found, .. }) = findings.epochs.get(epoch) else { return String::new() };
    let origins: BTreeSet<Asn> = findings.units.iter().filter_map(|unit| unit.origin).collect();
    let mut found: Vec<(LinkChange, AsLink)> = found.clone();
    found.retain(|(change, link)| {
        !opened_by.iter().any(|event| (event.change, event.link) == (*change, *link))
    });
    found.sort_by_key(|(_, link)| !origins.iter().any(|origin| link.other_end(*origin).is_some()));
    let more = found.len().saturating_sub(MOST);
    let declared = opened_by.iter().map(ToString::to_string);
    let told =
        found.iter().take(MOST).map(|(change, link)| format!("found: link {link} {}", change.as_str()));
    let rest = (more > 0).then(|| format!("found: {more} more"));
    let all: Vec<String> = declared.chain(told).chain(rest).collect();
    match (all.is_empty(), epoch) {
        (true, 0) => "the first probe".to_owned(),
        (true, _) => "no event named".to_owned(),
        _ => all.join("; "),
    }
}

/// The level of the intervals: `95 %`.
pub(super) fn confidence(findings: &Findings) -> String {
    let percent = number::quantity(findings.confidence * 100.0);
    percent.map_or_else(|| NOT_KNOWN.to_owned(), |level| format!("{level} %"))
}

/// How many rounds are whole, and how many are not.
pub(super) fn rounds(findings: &Findings) -> String {
    let (sealed, interrupted) = findings.rounds;
    format!("{} rounds whole, {} interrupted", number::count(sealed), number::count(interrupted))
}

/// When the wall clock of the vantage was not where it should have been; `None` if it always was.
pub(super) fn clock_steps(findings: &Findings) -> Option<String> {
    const MOST: usize = 20;
    let shown = |step: &ClockStep| {
        let by = number::span(Duration::from_nanos(step.by_ns.unsigned_abs()));
        format!("{by} {} at {}", if step.by_ns < 0 { "back" } else { "forward" }, number::moment(step.at))
    };
    let steps: Vec<String> = findings.clock_steps.iter().take(MOST).map(shown).collect();
    let more = findings.clock_steps.len().saturating_sub(MOST);
    let rest = if more > 0 { format!("; {more} more") } else { String::new() };
    (!steps.is_empty()).then(|| {
        format!(
            "The vantage's wall clock was set, or the vantage slept: {}{rest}. What was sent before is dated by the \
             clock as it was before; round-trip times do not depend on it.",
            steps.join("; ")
        )
    })
}

/// When vantages were unwell; `None` if they never were.
pub(super) fn troubles(findings: &Findings) -> Option<String> {
    const MOST: usize = 10;
    let shown = |trouble: &Trouble| {
        let end = trouble.first_well.map(|at| format!("until {}", number::moment(at)));
        format!(
            "{} from {} {}",
            trouble.vantage,
            number::moment(trouble.last_well.unwrap_or(trouble.first_silent)),
            end.unwrap_or_else(|| "to the end".to_owned())
        )
    };
    let shown: Vec<String> = findings.troubles.iter().take(MOST).map(shown).collect();
    let more = findings.troubles.len().saturating_sub(MOST);
    let rest = if more > 0 { format!("; {more} more in troubles.csv") } else { String::new() };
    (!shown.is_empty()).then(|| {
        format!(
            "None of the control targets was heard, so the vantage was unwell, and what it did not hear then is not judged: \
             {}{rest}.",
            shown.join("; ")
        )
    })
}

/// In which rounds the kernel dropped packets; `None` if in none.
pub(super) fn dropped(findings: &Findings) -> Option<String> {
    const MOST: usize = 20;
    let shown = findings.dropped.iter().take(MOST).map(|(round, prober, packets)| {
        format!("round {round} of {prober} ({} packets)", number::count(*packets))
    });
    let shown: Vec<String> = shown.collect();
    let more = findings.dropped.len().saturating_sub(MOST);
    let rest = if more > 0 { format!("; {more} more") } else { String::new() };
    (!shown.is_empty()).then(|| {
        format!(
            "The vantage's kernel dropped packets while these rounds ran, so that answers may be missing from them: \
             {}{rest}.",
            shown.join("; ")
        )
    })
}

/// What was not to be probed any more, and from when on; `None` if nobody asked.
pub(super) fn opt_outs(findings: &Findings) -> Option<String> {
    const MOST: usize = 20;
    let shown = findings.opt_outs.iter().take(MOST);
    let shown: Vec<String> =
        shown.map(|(prefix, at)| format!("{prefix} from {}", number::moment(*at))).collect();
    let more = findings.opt_outs.len().saturating_sub(MOST);
    let rest = if more > 0 { format!("; {more} more in opt_outs.csv") } else { String::new() };
    (!shown.is_empty())
        .then(|| format!("Opted out, and not probed from then on: {}{rest}.", shown.join("; ")))
}

/// Why there is nothing to compare; `None` where there is.
pub(super) fn nothing_to_compare(findings: &Findings) -> Option<&'static str> {
    if findings.units.is_empty() {
        Some("No unit was measured, so nothing can be said.")
    } else if findings.epochs.len() < 2 {
        Some(
            "There is one epoch only: no event and no change of a link between ASes falls into the time measured, so there is no before and after to compare.",
        )
    } else {
        None
    }
}

/// A control unit in a line: its states, its answers in all epochs together, its upstreams.
pub(super) fn control(unit: &UnitFindings) -> String {
    let mut states: Vec<&str> = unit.by_epoch.iter().map(|epoch| reach(epoch.reach)).collect();
    states.dedup();
    let throughout = if states.len() == 1 && unit.by_epoch.len() > 1 { " in every epoch" } else { "" };
    let mut parts = vec![format!("{}{throughout}", states.join(", then "))];
    let answers: Vec<String> =
        methods(unit).into_iter().map(|method| of_all_epochs(unit, method)).collect();
    parts.extend((!answers.is_empty()).then(|| answers.join(", ")));
    let through: Vec<String> = upstreams(unit).iter().map(ToString::to_string).collect();
    parts.extend((!through.is_empty()).then(|| format!("via {}", through.join(", "))));
    parts.join("; ")
}

fn of_all_epochs(unit: &UnitFindings, method: Method) -> String {
    let counts = unit.by_epoch.iter().filter_map(|epoch| of_method(epoch, method));
    let (answered, probes) = counts.fold((0_u64, 0_u64), |(answered, probes), of| {
        (answered.saturating_add(of.answered), probes.saturating_add(of.probes))
    });
    format!("{} {}/{}", method_name(method), number::count(answered), number::count(probes))
}

/// The unit with the AS that originates it.
pub(super) fn unit_title(unit: &UnitFindings) -> String {
    match unit.origin {
        Some(origin) => format!("{} ({origin})", unit.unit),
        None => format!("{} (origin AS not known)", unit.unit),
    }
}

/// The sentences about a unit; never none.
pub(super) fn verdicts(unit: &UnitFindings) -> Vec<String> {
    if unit.verdict.is_empty() {
        return vec!["Cannot be judged: the analysis came to no conclusion here.".to_owned()];
    }
    unit.verdict.iter().map(|sentence| as_sentence(&safe_text(sentence))).collect()
}

/// With a capital letter and a full stop, where the findings leave them out.
fn as_sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase().to_string()).unwrap_or_default();
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", characters.as_str())
}

/// All that is said about a unit, one row a question.
pub(super) fn unit_rows(unit: &UnitFindings) -> Vec<Row> {
    let mut rows = vec![row("state", unit, |epoch| Cell::plain(reach(epoch.reach)))];
    for method in methods(unit) {
        rows.push(row(&format!("{} answered", method_name(method)), unit, |epoch| answered(epoch, method)));
        if unit.by_epoch.iter().filter_map(|epoch| of_method(epoch, method)).any(|entry| entry.probes > 0) {
            rows.push(row(&format!("{} probes", method_name(method)), unit, |epoch| probes(epoch, method)));
        }
    }
    for upstream in upstreams(unit) {
        rows.push(row(&format!("via {upstream}"), unit, |epoch| through(epoch, upstream)));
    }
    rows.push(row("traces", unit, |epoch| Cell::plain(number::count(epoch.traced))));
    if unit.by_epoch.iter().any(|epoch| epoch.traced > 0) {
        rows.extend(path_rows(unit));
    }
    rows
}

fn path_rows(unit: &UnitFindings) -> [Row; 7] {
    let traced = |label: &str, answer: fn(&UnitEpoch) -> String| {
        row(label, unit, |epoch| {
            Cell::plain(if epoch.traced == 0 { "not traced".to_owned() } else { answer(epoch) })
        })
    };
    [
        traced("upstream known", |epoch| out_of(known_flows(epoch), epoch.traced)),
        traced("seen entering", |epoch| out_of(entering_flows(epoch), known_flows(epoch))),
        traced("longest silent gap", |epoch| match epoch.longest_gap {
            None => "not applicable".to_owned(),
            Some(0) => "none".to_owned(),
            Some(1) => "1 hop".to_owned(),
            Some(hops) => format!("{hops} hops"),
        }),
        traced("AS paths", |epoch| number::count(epoch.paths.autonomous_system)),
        traced("address paths", |epoch| number::count(epoch.paths.address)),
        traced("AS-disjoint paths", |epoch| match epoch.as_disjoint {
            None => "no path seen".to_owned(),
            Some(paths) => format!("at least {paths}"),
        }),
        traced("in every path", single_points),
    ]
}

fn row(label: &str, unit: &UnitFindings, cell: impl Fn(&UnitEpoch) -> Cell) -> Row {
    Row { label: label.to_owned(), cells: unit.by_epoch.iter().map(cell).collect() }
}

pub(super) const fn reach(reach: Reach) -> &'static str {
    match reach {
        Reach::Reachable => "reachable",
        Reach::Unreachable => "unreachable",
        Reach::NotObservable => "not observable",
        Reach::NotMeasured => "not measured",
    }
}

pub(super) const fn method_name(method: Method) -> &'static str {
    match method {
        Method::Echo => "echo",
        Method::Tcp => "TCP",
        Method::Udp => "UDP",
        Method::Timestamp => "time stamp",
        Method::Trace => "trace",
        Method::Multipath => "multipath",
        Method::Census => "census",
    }
}

/// The methods that were used in any epoch.
pub(super) fn methods(unit: &UnitFindings) -> Vec<Method> {
    let used = unit.by_epoch.iter().flat_map(|epoch| &epoch.reachability).map(|entry| entry.method);
    let used: std::collections::BTreeSet<Method> = used.collect();
    used.into_iter().collect()
}

/// The upstreams of all epochs, in the order in which they were first seen.
pub(super) fn upstreams(unit: &UnitFindings) -> Vec<Asn> {
    let mut seen = Vec::new();
    for share in unit.by_epoch.iter().flat_map(|epoch| &epoch.upstreams) {
        if !seen.contains(&share.upstream) {
            seen.push(share.upstream);
        }
    }
    seen
}

fn of_method(epoch: &UnitEpoch, method: Method) -> Option<&Reachability> {
    epoch.reachability.iter().find(|entry| entry.method == method)
}

fn answered(epoch: &UnitEpoch, method: Method) -> Cell {
    match of_method(epoch, method).map(|entry| entry.share) {
        Some(Some(share)) => estimate(&share),
        Some(None) => Cell::plain("nothing to count"),
        None => Cell::plain("not measured"),
    }
}

fn probes(epoch: &UnitEpoch, method: Method) -> Cell {
    Cell::plain(match of_method(epoch, method) {
        Some(entry) => out_of(entry.answered, entry.probes),
        None => "not measured".to_owned(),
    })
}

fn through(epoch: &UnitEpoch, upstream: Asn) -> Cell {
    if known_flows(epoch) == 0 {
        return Cell::plain(if epoch.traced == 0 { "not traced" } else { NOT_KNOWN });
    }
    match epoch.upstreams.iter().find(|share| share.upstream == upstream) {
        Some(share) => estimate(&share.share),
        None => Cell::plain("not seen"),
    }
}

/// An estimate with its interval, as a cell.
pub(super) fn estimate(estimate: &Estimate) -> Cell {
    Cell {
        text: number::percent(estimate.value).unwrap_or_else(|| NOT_KNOWN.to_owned()),
        aside: number::percent_interval(estimate).unwrap_or_default(),
    }
}

fn out_of(part: u64, whole: u64) -> String {
    format!("{} of {}", number::count(part), number::count(whole))
}

/// Flows whose upstream could be told.
pub(super) fn known_flows(epoch: &UnitEpoch) -> u64 {
    epoch.traced.saturating_sub(epoch.unattributed)
}

fn entering_flows(epoch: &UnitEpoch) -> u64 {
    epoch.upstreams.iter().map(|share| share.seen_entering).fold(0, u64::saturating_add)
}

fn single_points(epoch: &UnitEpoch) -> String {
    if epoch.as_disjoint.is_none() {
        return "no path seen".to_owned();
    }
    let names: Vec<String> = epoch.single_points.iter().map(ToString::to_string).collect();
    if names.is_empty() { "no AS".to_owned() } else { names.join(", ") }
}

/// The differences of a unit, in the order of the findings: largest effect first.
pub(super) fn change_rows(unit: &UnitFindings) -> Vec<ChangeRow> {
    unit.changes.iter().map(change_row).collect()
}

fn change_row(change: &Change) -> ChangeRow {
    let known = |text: Option<String>| text.unwrap_or_else(|| NOT_KNOWN.to_owned());
    let share = is_share(change.metric);
    let value = |value| if share { number::percent(value) } else { number::quantity(value) };
    let difference = if share { number::points } else { number::signed_quantity };
    ChangeRow {
        epochs: format!("{} \u{2192} {}", change.epoch, change.epoch.saturating_add(1)),
        what: metric(change.metric),
        before: known(value(change.before)),
        after: known(value(change.after)),
        difference: known(difference(change.difference)),
        interval: match change.interval {
            Some(ends) if share => known(number::points_interval(ends)),
            Some((low, high)) => known(quantity_interval(low, high)),
            None => "(a count)".to_owned(),
        },
    }
}

fn quantity_interval(low: f64, high: f64) -> Option<String> {
    Some(format!("[{}, {}]", number::signed_quantity(low)?, number::signed_quantity(high)?))
}

/// Whether a metric is a share, between 0 and 1; the others are counts.
pub(super) const fn is_share(metric: Metric) -> bool {
    matches!(metric, Metric::Answered(_) | Metric::Upstream(_))
}

fn metric(metric: Metric) -> String {
    match metric {
        Metric::Answered(method) => format!("{} answered", method_name(method)),
        Metric::Upstream(upstream) => format!("via {upstream}"),
        Metric::AsPaths => "AS paths".to_owned(),
        Metric::AsDisjoint => "disjoint paths".to_owned(),
    }
}
