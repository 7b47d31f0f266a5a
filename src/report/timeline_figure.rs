//! The timeline: for every unit, how its flows divided among its upstreams over time, and below it how
//! much of what was asked was answered. Time that was not measured stays blank; time in which nothing
//! answered is marked as such.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::analyse::compare::{Findings, OutageState, Reach, TimelinePoint, UnitFindings};
use crate::model::{Asn, WallTime};

use super::figure::{Anchor, FILLS, Figure, Rect};
use super::time_axis::{Axis, Column, Sample, columns};
use super::{number, wording};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 944.0;
/// Heights in pixels: the strip of upstreams, the lane of answers, the marks below it, and a panel with the space below it.
const STRIP: f64 = 50.0;
const LANE: f64 = 14.0;
const MARK: f64 = 6.0;
const PANEL: f64 = 94.0;
const LINE: f64 = 18.0;

/// The timeline.
pub(super) fn draw(findings: &Findings) -> Figure {
    let figure = Figure::new(
        "timeline",
        "Upstreams and answers over time",
        format!(
            "For each unit a strip divided among its upstreams, and below it the share of probes answered; {}. \
             The numbers are in timeline.csv and timeline_upstreams.csv.",
            wording::period(findings)
        ),
    );
    let Some(axis) = axis(findings) else { return nothing(figure) };
    let mut timeline =
        Timeline { findings, figure, axis, fills: fills(findings), cuts: cuts(findings), y: 8.0 };
    timeline.events();
    timeline.panels();
    timeline.ticks();
    timeline.legend();
    timeline.figure.sized(WIDTH, timeline.y)
}

fn nothing(mut figure: Figure) -> Figure {
    let text = "No round was recorded, so there is no timeline.";
    figure.text("note", (WIDTH / 2.0, 28.0), Anchor::Middle, text);
    figure.sized(WIDTH, 44.0)
}

/// From the first to the last moment of epochs and rounds; `None` if there was no round.
fn axis(findings: &Findings) -> Option<Axis> {
    let rounds = findings.timeline.iter().map(|point| point.at);
    let epochs = findings.epochs.iter().flat_map(|epoch| [epoch.start, epoch.end]);
    let first = rounds.clone().min()?.min(epochs.clone().min()?);
    let last = rounds.max()?.max(epochs.max()?);
    Some(Axis::new((first, last.max(first.after(Duration::from_secs(1)))), (LEFT, RIGHT)))
}

/// Which fill each upstream has: in the order in which units and epochs first name them.
fn fills(findings: &Findings) -> BTreeMap<Asn, usize> {
    let mut fills = BTreeMap::new();
    let named = findings.units.iter().flat_map(wording::upstreams);
    let traced = findings.timeline.iter().flat_map(|point| point.upstreams.keys().copied().flatten());
    for upstream in named.chain(traced) {
        let next = fills.len().min(FILLS);
        fills.entry(upstream).or_insert(next);
    }
    fills
}

fn cuts(findings: &Findings) -> Vec<WallTime> {
    findings.epochs.iter().skip(1).map(|epoch| epoch.start).collect()
}

struct Timeline<'a> {
    findings: &'a Findings,
    figure: Figure,
    axis: Axis,
    fills: BTreeMap<Asn, usize>,
    /// When the events were: no bar crosses them.
    cuts: Vec<WallTime>,
    /// How far down the figure is drawn.
    y: f64,
}

impl Timeline<'_> {
    /// The lines of the events, from their labels at the top down through all panels.
    fn events(&mut self) {
        let units = self.findings.units.len();
        let mut rows: Vec<f64> = Vec::new();
        let mut labels = Vec::new();
        for (index, epoch) in self.findings.epochs.iter().enumerate().skip(1) {
            let opening = wording::opening(self.findings, index);
            let text = format!("{}  {}", number::date_and_time(epoch.start).1, first_of(&opening));
            let label = Label::new(self.axis.x(epoch.start), text);
            let row = rows.iter().position(|end| *end < label.left).unwrap_or(rows.len());
            if let Some(end) = rows.get_mut(row) {
                *end = label.right;
            } else {
                rows.push(label.right);
            }
            labels.push((label, number::length(row)));
        }
        let top = self.y;
        self.y += LINE * number::length(rows.len()) + 10.0;
        let bottom = self.y + PANEL * number::length(units) + self.controls_heading() - 10.0;
        for (label, row) in labels {
            let y = top + LINE * row + 11.0;
            self.figure.line("event", (label.x, y + 4.0), (label.x, bottom));
            self.figure.text("small", (label.x + label.offset, y), label.anchor, &label.text);
        }
    }

    fn controls_heading(&self) -> f64 {
        if self.findings.units.iter().any(|unit| unit.control) { LINE + 6.0 } else { 0.0 }
    }

    fn panels(&mut self) {
        let (controls, units): (Vec<_>, Vec<_>) = self.findings.units.iter().partition(|unit| unit.control);
        for unit in units {
            self.panel(unit);
        }
        if !controls.is_empty() {
            self.figure.text("small", (0.0, self.y + 12.0), Anchor::Start, "Control units");
            self.y += self.controls_heading();
        }
        for unit in controls {
            self.panel(unit);
        }
    }

    fn panel(&mut self, unit: &UnitFindings) {
        let findings = self.findings;
        let points: Vec<&TimelinePoint> =
            findings.timeline.iter().filter(|point| point.unit == unit.unit).collect();
        self.figure.text("strong", (0.0, self.y + 16.0), Anchor::Start, &unit.unit.to_string());
        self.figure.text("small", (0.0, self.y + 33.0), Anchor::Start, "upstream of flows");
        self.strip(unit, &points);
        let lane = self.y + STRIP + 5.0;
        self.figure.text("small", (0.0, lane + 11.0), Anchor::Start, "probes answered");
        self.lane(unit, &points, lane);
        self.marks(unit, lane + LANE + 3.0);
        self.y += PANEL;
    }

    fn strip(&mut self, unit: &UnitFindings, points: &[&TimelinePoint]) {
        let order = self.in_order();
        let samples = points.iter().filter(|point| !point.upstreams.is_empty()).map(|point| {
            let flows = |key| point.upstreams.get(&key).copied().unwrap_or(0);
            let known = order.iter().map(|(_, asn)| flows(Some(*asn)));
            Sample { at: point.at, counts: known.chain(std::iter::once(flows(None))).collect() }
        });
        let drawn = columns(&self.axis, samples.collect(), &self.cuts);
        if drawn.is_empty() {
            self.note(self.y + STRIP / 2.0 + 4.0, "no trace towards this unit");
        }
        for column in &drawn {
            self.stack(column, &order);
        }
        self.frame(self.y, STRIP);
        if !drawn.is_empty() {
            self.direct_labels(unit, &drawn);
        }
    }

    /// One column of the strip, upstream over upstream; what is not known comes last.
    fn stack(&mut self, column: &Column, order: &[(usize, Asn)]) {
        let mut y = self.y;
        for (index, share) in column.shares().enumerate() {
            let height = share * STRIP;
            let rect = Rect { x: column.from, y, width: column.to - column.from, height };
            match order.get(index) {
                _ if height <= 0.0 => {}
                Some((fill, _)) => self.figure.filled(*fill, rect),
                None => self.figure.rect("unknown", rect),
            }
            y += height;
        }
    }

    /// Names the upstreams inside the strip, where the bars of an epoch and a share leave room for it.
    fn direct_labels(&mut self, unit: &UnitFindings, drawn: &[Column]) {
        for (epoch, found) in self.findings.epochs.iter().zip(&unit.by_epoch) {
            let (start, end) = (self.axis.x(epoch.start).round(), self.axis.x(epoch.end).round());
            let bars = || drawn.iter().filter(|bar| bar.from >= start && bar.from < end);
            let from = bars().map(|bar| bar.from).fold(f64::INFINITY, f64::min);
            let to = bars().map(|bar| bar.to).fold(f64::NEG_INFINITY, f64::max);
            let traced = number::real(found.traced.max(1));
            let mut shares: Vec<_> = found.upstreams.iter().collect();
            shares.sort_by_key(|share| (self.fills.get(&share.upstream).copied(), share.upstream));
            let mut y = self.y;
            for share in shares {
                let height = STRIP * number::real(share.flows) / traced;
                if height >= 17.0 && to - from >= 66.0 {
                    let at = (f64::midpoint(from, to), y + height / 2.0);
                    self.figure.tag("tagged", at, &share.upstream.to_string());
                }
                y += height;
            }
        }
    }

    /// The share of probes answered, from the bottom up.
    fn lane(&mut self, unit: &UnitFindings, points: &[&TimelinePoint], y: f64) {
        let samples = points.iter().filter(|point| point.probes > 0).map(|point| {
            let silent = point.probes.saturating_sub(point.answered);
            Sample { at: point.at, counts: vec![point.answered, silent] }
        });
        let drawn = columns(&self.axis, samples.collect(), &self.cuts);
        for column in &drawn {
            let share = column.shares().next().unwrap_or(0.0);
            let whole = Rect { x: column.from, y, width: column.to - column.from, height: LANE };
            let height = LANE * share;
            self.figure.rect(if share > 0.0 { "track" } else { "outage" }, whole);
            self.figure.rect("answer", Rect { y: y + LANE - height, height, ..whole });
        }
        if drawn.is_empty() {
            let observable = unit.by_epoch.iter().all(|epoch| epoch.reach != Reach::NotObservable);
            let why =
                if observable { "not measured" } else { "not observable: nothing there ever answered" };
            self.note(y + LANE - 3.0, why);
        }
        self.frame(y, LANE);
    }

    /// Below the lane: when the unit was down or silent for reasons unknown, and when the vantage was unwell.
    fn marks(&mut self, unit: &UnitFindings, y: f64) {
        let troubles = self.findings.troubles.iter().map(|trouble| {
            let (from, to) = (trouble.last_well, trouble.first_well);
            ("unwell", from.unwrap_or(trouble.first_silent), to.unwrap_or(trouble.last_silent))
        });
        let outages = unit.watches.iter().flat_map(|watch| &watch.outages).map(|outage| {
            let class = if outage.state == OutageState::Down { "outage" } else { "unsure" };
            (class, outage.begun_by, outage.first_up.unwrap_or(outage.ended_after))
        });
        let troubles = troubles.filter(|_| !unit.control);
        for (class, from, to) in troubles.chain(outages).collect::<Vec<_>>() {
            let (from, to) = (self.axis.x(from), self.axis.x(to));
            let width = (to - from).max(2.0);
            self.figure.rect(class, Rect { x: from.min(RIGHT - width), y, width, height: MARK });
        }
    }

    fn note(&mut self, y: f64, text: &str) {
        self.figure.text("note", (LEFT + 8.0, y), Anchor::Start, text);
    }

    fn frame(&mut self, y: f64, height: f64) {
        self.figure.rect("frame", Rect { x: LEFT, y, width: RIGHT - LEFT, height });
    }

    fn ticks(&mut self) {
        let y = self.y - 6.0;
        self.figure.line("axis", (LEFT, y), (RIGHT, y));
        for (at, text) in self.axis.ticks() {
            let x = self.axis.x(at);
            self.figure.line("axis", (x, y), (x, y + 5.0));
            self.figure.text("tick", (x, y + 18.0), Anchor::Middle, &text);
        }
        let (date, _) = number::date_and_time(self.axis.first());
        self.figure.text("tick", (0.0, y + 18.0), Anchor::Start, &format!("UTC, from {date}"));
        self.y += 28.0;
    }

    fn legend(&mut self) {
        let mut x = LEFT;
        for (swatch, text) in self.legend_entries() {
            let width = 38.0 + 6.4 * number::length(text.chars().count());
            if x + width > RIGHT && x > LEFT {
                x = LEFT;
                self.y += LINE;
            }
            let rect = Rect { x, y: self.y, width: 16.0, height: 11.0 };
            match swatch {
                Swatch::Fill(fill) => self.figure.filled(fill, rect),
                Swatch::Class(class) => self.figure.rect(class, rect),
            }
            self.figure.text("small", (x + 22.0, self.y + 10.0), Anchor::Start, &text);
            x += width;
        }
        self.y += LINE + 4.0;
    }

    fn legend_entries(&self) -> Vec<(Swatch, String)> {
        let upstreams = self.in_order().into_iter().map(|(fill, asn)| {
            let name = wording::as_name(self.findings, asn, 28);
            let name = name.map(|name| format!(", {name}")).unwrap_or_default();
            (Swatch::Fill(fill), format!("via {asn}{name}"))
        });
        let fixed = [
            ("unknown", "upstream not known"),
            ("answer", "answered"),
            ("track", "not answered"),
            ("outage", "nothing answered; below: down"),
        ];
        let outages =
            || self.findings.units.iter().flat_map(|unit| &unit.watches).flat_map(|watch| &watch.outages);
        let unsure = outages().any(|outage| outage.state != OutageState::Down);
        let unsure = unsure.then_some(("unsure", "below: silent, cause not sure"));
        let unwell =
            (!self.findings.troubles.is_empty()).then_some(("unwell", "below: vantage unwell, not judged"));
        let fixed = fixed
            .into_iter()
            .chain(unsure)
            .chain(unwell)
            .map(|(class, text)| (Swatch::Class(class), text.to_owned()));
        upstreams.chain(fixed).collect()
    }

    /// The upstreams in the order of their fills, which is the order in which they are stacked.
    fn in_order(&self) -> Vec<(usize, Asn)> {
        let mut order: Vec<(usize, Asn)> = self.fills.iter().map(|(asn, fill)| (*fill, *asn)).collect();
        order.sort_unstable();
        order
    }
}

enum Swatch {
    Fill(usize),
    Class(&'static str),
}

/// The first thing that opened an epoch; the table of epochs has the others, for which there is no room here.
fn first_of(opening: &str) -> String {
    opening.split_once("; ").map_or_else(|| opening.to_owned(), |(first, _)| format!("{first}; …"))
}

/// The label of an event: to the right of its line, or to the left where there is no room.
struct Label {
    x: f64,
    offset: f64,
    anchor: Anchor,
    left: f64,
    right: f64,
    text: String,
}

impl Label {
    fn new(x: f64, text: String) -> Self {
        let width = 6.0 * number::length(text.chars().count()) + 8.0;
        if x + width <= WIDTH {
            Self { x, offset: -1.0, anchor: Anchor::Start, left: x - 2.0, right: x + width, text }
        } else {
            Self { x, offset: 1.0, anchor: Anchor::End, left: x - width, right: x + 2.0, text }
        }
    }
}
