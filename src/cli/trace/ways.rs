//! The text of all ways to a target: one line a router, and from which routers of the hop before it is reached.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use console::Style;

use super::answer;
use super::text::{headline, remark};
use super::view::Labels;
use crate::analyse::voices::Voices;
use crate::analyse::ways::{Ways, WaysHop, WaysRouter};
use crate::dataset::ProbeRecord;
use crate::limits::{Train, Verdict};
use crate::model::Outcome;

/// The whole text, with a line break behind each line.
pub(super) fn text(ways: &Ways, records: &[ProbeRecord], labels: Labels<'_>, colours: bool) -> String {
    let mut rows: Vec<Row> = ways.hops.iter().flat_map(|hop| rows(hop, ways, records, labels)).collect();
    let limited = limited(records);
    for row in rows.iter_mut().filter(|row| limited.contains(&row.address)) {
        row.remark.push_str(" limits its answers");
    }
    let mut text = String::new();
    let probe = records.first().map(|record| record.probe);
    let title = probe.map_or_else(String::new, |probe| headline("all ways", &probe));
    let _ = writeln!(text, "{title}");
    rows.insert(0, Row::heading(&rows));
    let layout = Layout::of(&rows);
    for row in &rows {
        let _ = writeln!(text, "{}", layout.line(row, colours));
    }
    let _ = writeln!(text, "{}", summary(ways));
    text
}

/// The routers that were found to limit their answers, as they are shown.
fn limited(records: &[ProbeRecord]) -> BTreeSet<String> {
    let mut voices = Voices::default();
    for record in records {
        voices.add(record);
    }
    let limited = voices.finish().into_iter().filter(|voice| voice.verdict == Verdict::Limited);
    limited.filter_map(|voice| voice.router).map(|router| router.to_string()).collect()
}

/// One router of a hop, or the silence there.
struct Row {
    /// The TTL, in the first row of each hop.
    ttl: String,
    /// The letter of the router, where the hop has several.
    letter: String,
    address: String,
    owner: String,
    rtt: String,
    /// In the first row of each hop: packets that were not answered, of those sent.
    loss: String,
    flows: String,
    from: String,
    remark: String,
    is_target: bool,
}

fn rows(hop: &WaysHop, ways: &Ways, records: &[ProbeRecord], labels: Labels<'_>) -> Vec<Row> {
    let here: Vec<&ProbeRecord> =
        records.iter().filter(|record| record.probe.ttl == hop.ttl && counts(record)).collect();
    let mut rows: Vec<Row> = (0..)
        .zip(&hop.routers)
        .map(|(index, router)| row(index, router, hop, ways, &here, labels))
        .collect();
    if rows.is_empty() {
        rows.push(Row { address: "*".to_owned(), ..Row::empty() });
    }
    if let Some(first) = rows.first_mut() {
        first.ttl = hop.ttl.get().to_string();
        first.loss = loss(&here);
        if hop.per_packet {
            first.remark.push_str(" packet by packet");
        }
    }
    rows
}

/// Whether a record tells of the way, and was sent. Packets that test a router are lost by design.
fn counts(record: &ProbeRecord) -> bool {
    record.sent_at.is_some() && Train::of(record.probe.attempt).is_none()
}

impl Row {
    const fn empty() -> Self {
        Self {
            ttl: String::new(),
            letter: String::new(),
            address: String::new(),
            owner: String::new(),
            rtt: String::new(),
            loss: String::new(),
            flows: String::new(),
            from: String::new(),
            remark: String::new(),
            is_target: false,
        }
    }

    /// What stands above the columns of these rows; nothing above those that are empty.
    fn heading(rows: &[Self]) -> Self {
        let above = |name: &str, cell: fn(&Self) -> &String| {
            let is_used = rows.iter().any(|row| !cell(row).is_empty());
            if is_used { name.to_owned() } else { String::new() }
        };
        Self {
            ttl: "TTL".to_owned(),
            address: "router".to_owned(),
            owner: above("AS", |row| &row.owner),
            rtt: above("median RTT", |row| &row.rtt),
            loss: above("lost", |row| &row.loss),
            flows: above("flows", |row| &row.flows),
            ..Self::empty()
        }
    }
}

fn row(
    index: usize,
    router: &WaysRouter,
    hop: &WaysHop,
    ways: &Ways,
    here: &[&ProbeRecord],
    labels: Labels<'_>,
) -> Row {
    let answers =
        here.iter().filter_map(|record| answer(record)).filter(|(reply, _)| reply.from == router.address);
    let mut spans: Vec<Duration> = answers.clone().map(|(_, rtt)| rtt.span).collect();
    spans.sort_unstable();
    let target = ways.key.target;
    let several = hop.routers.len() > 1;
    Row {
        letter: if several { letter(index) } else { String::new() },
        address: router.address.to_string(),
        owner: owner(router.address, labels),
        rtt: median(&spans).map_or_else(String::new, |rtt| format!("{:.3} ms", rtt.as_secs_f64() * 1000.0)),
        flows: if several { format!("{} of {}", router.flows, hop.flows_answered) } else { String::new() },
        from: from(router.address, hop, ways),
        remark: answers.clone().next().map_or("", |(reply, _)| remark(reply, target)).to_owned(),
        is_target: router.address == target,
        ..Row::empty()
    }
}

/// `a` to `z`, then `a2` and so on.
fn letter(index: usize) -> String {
    let letters = (b'a'..=b'z').cycle().nth(index).map_or('?', char::from);
    match index.div_euclid(26) {
        0 => letters.to_string(),
        turn => format!("{letters}{}", turn.saturating_add(1)),
    }
}

fn owner(address: IpAddr, labels: Labels<'_>) -> String {
    let Some(asn) = labels.asn(address) else { return String::new() };
    labels.name(asn).map_or_else(|| asn.to_string(), |name| format!("{asn} {name}"))
}

fn median(sorted: &[Duration]) -> Option<Duration> {
    sorted.get(sorted.len().div_euclid(2)).copied()
}

fn loss(here: &[&ProbeRecord]) -> String {
    let (sent, unanswered) = losses(here.iter().copied());
    if unanswered == 0 { String::new() } else { format!("{unanswered} of {sent}") }
}

/// Of these packets how many were sent to learn of the way, and how many of them nobody answered in time.
pub(super) fn losses<'a>(records: impl Iterator<Item = &'a ProbeRecord>) -> (usize, usize) {
    let sent: Vec<&ProbeRecord> = records.filter(|record| counts(record)).collect();
    let answered = sent.iter().filter(|record| matches!(record.outcome, Outcome::Answered { .. })).count();
    (sent.len(), sent.len().saturating_sub(answered))
}

/// Which routers of the hop before lead here, where there are several of them.
fn from(address: IpAddr, hop: &WaysHop, ways: &Ways) -> String {
    let Some(before) = ways.hops.iter().rev().find(|before| before.ttl < hop.ttl) else {
        return String::new();
    };
    let adjacent = before.ttl.get().saturating_add(1) == hop.ttl.get();
    if !adjacent || before.routers.len() < 2 {
        return String::new();
    }
    let links = ways.links.iter().filter(|link| link.ttl == before.ttl && link.to == address);
    let letters =
        links.filter_map(|link| before.routers.iter().position(|router| router.address == link.from));
    let letters: Vec<String> = letters.map(letter).collect();
    match letters.len() {
        0 => String::new(),
        count if count == before.routers.len() => "from all".to_owned(),
        _ => format!("from {}", letters.join(",")),
    }
}

fn summary(ways: &Ways) -> String {
    let routers: usize = ways.hops.iter().map(|hop| hop.routers.len()).sum();
    let silent = ways.hops.iter().filter(|hop| hop.routers.is_empty()).count();
    let mut text = format!("{routers} routers and {} links in {} hops", ways.links.len(), ways.hops.len());
    if silent > 0 {
        let _ = write!(text, ", {silent} of them silent");
    }
    let end = if ways.reached { "the target answered" } else { "no answer from the target" };
    let chance = ways.chance_missed * 100.0;
    let _ = write!(text, "; {end}; chance of a missed router at most {chance:.1} %");
    text
}

/// The widths of the columns: no wider than what stands in them.
struct Layout {
    widths: [usize; 6],
}

impl Layout {
    fn of(rows: &[Row]) -> Self {
        let widest =
            |cell: fn(&Row) -> &str| rows.iter().map(|row| console::measure_text_width(cell(row))).max();
        let widths = [
            widest(|row| &row.letter),
            widest(|row| &row.address),
            widest(|row| &row.owner),
            widest(|row| &row.rtt),
            widest(|row| &row.loss),
            widest(|row| &row.flows),
        ];
        Self { widths: widths.map(|width| width.unwrap_or(0)) }
    }

    fn line(&self, row: &Row, colours: bool) -> String {
        let [letter, address, owner, rtt, loss, flows] = self.widths;
        let pad = |text: &str, width: usize| {
            console::pad_str(text, width, console::Alignment::Left, None).into_owned()
        };
        let right = |text: &str, width: usize| {
            console::pad_str(text, width, console::Alignment::Right, None).into_owned()
        };
        let style = |style: Style| style.force_styling(colours);
        let target = if row.is_target { Style::new().green().bold() } else { Style::new() };
        let cells = [
            (format!("{:>3}", row.ttl), style(Style::new().dim())),
            (pad(&row.letter, letter), style(Style::new().yellow())),
            (pad(&row.address, address), style(target)),
            (pad(&row.owner, owner), style(Style::new().cyan())),
            (right(&row.rtt, rtt), Style::new()),
            (pad(&row.loss, loss), style(Style::new().red())),
            (pad(&row.flows, flows), style(Style::new().dim())),
            (row.from.clone(), style(Style::new().yellow())),
            (row.remark.clone(), style(Style::new().red())),
        ];
        let shown = cells.iter().filter(|(text, _)| !text.is_empty());
        let shown: Vec<String> = shown.map(|(text, style)| style.apply_to(text).to_string()).collect();
        shown.join("  ").trim_end().to_owned()
    }
}
