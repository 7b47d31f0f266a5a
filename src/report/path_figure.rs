//! The path figure: for every epoch, over which ASes the traces ran from the vantage's AS at the left to
//! the origin AS at the right, and which links came and went. An AS stands in the same place in all epochs.

use std::collections::{BTreeMap, BTreeSet};

use crate::analyse::compare::{AsEdge, Findings};
use crate::model::Asn;

use super::figure::{self, Anchor, Figure, Point, Rect};
use super::path_layout::{Layout, Link, lay_out};
use super::{number, wording};

const WIDTH: f64 = 960.0;
/// The widest and the narrowest box of an AS, and its height, in pixels.
const WIDEST: f64 = 138.0;
const NARROWEST: f64 = 80.0;
const HEIGHT: f64 = 40.0;
/// Height of a row of ASes, and of the heading of an epoch, in pixels.
const ROW: f64 = 78.0;
const HEADING: f64 = 34.0;
/// Links with the fewest flows are left out beyond this many, and the figure says so.
const MOST_LINKS: usize = 60;

/// Use of one link in one epoch.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    flows: u64,
    /// Whether it was crossed without silent hops at least once.
    seen_directly: bool,
}

type Uses = BTreeMap<Link, Use>;

/// The path figure.
pub(super) fn draw(findings: &Findings) -> Figure {
    let figure = Figure::new(
        "paths",
        "AS paths in each epoch",
        "From left to right the ASes that traces crossed, from the vantage's AS to the origin AS, in each epoch, \
         with the links that are new and those that are gone. The numbers are in edges.csv.",
    );
    let (uses, left_out) = uses(findings);
    let links: BTreeSet<Link> = uses.iter().flat_map(|epoch| epoch.keys().copied()).collect();
    let origins: BTreeSet<Asn> = findings.units.iter().filter_map(|unit| unit.origin).collect();
    let layout = lay_out(&links, &origins);
    let mut paths = Paths { findings, figure, layout, uses, origins, y: 4.0 };
    if links.is_empty() {
        paths.note("No path between ASes was seen.");
    } else {
        paths.epochs();
        paths.legend();
    }
    if left_out > 0 {
        paths.note(&format!("{left_out} links with fewer flows are left out; they are in edges.csv."));
    }
    paths.figure.sized(WIDTH, paths.y)
}

/// The use of links by epoch, as far as they are drawn, and how many are not.
fn uses(findings: &Findings) -> (Vec<Uses>, usize) {
    let mut total: BTreeMap<Link, u64> = BTreeMap::new();
    for edge in &findings.edges {
        let flows = total.entry((edge.from, edge.to)).or_default();
        *flows = flows.saturating_add(edge.flows);
    }
    let mut busiest: Vec<(u64, Link)> = total.into_iter().map(|(link, flows)| (flows, link)).collect();
    busiest.sort_unstable_by(|one, other| other.cmp(one));
    let left_out = busiest.len().saturating_sub(MOST_LINKS);
    let drawn: BTreeSet<Link> = busiest.into_iter().take(MOST_LINKS).map(|(_, link)| link).collect();
    let mut uses = vec![Uses::new(); findings.epochs.len()];
    for edge in findings.edges.iter().filter(|edge| drawn.contains(&(edge.from, edge.to))) {
        if let Some(epoch) = uses.get_mut(edge.epoch) {
            count(epoch, edge);
        }
    }
    (uses, left_out)
}

fn count(epoch: &mut Uses, edge: &AsEdge) {
    let entry = epoch.entry((edge.from, edge.to)).or_default();
    entry.flows = entry.flows.saturating_add(edge.flows);
    entry.seen_directly |= !edge.across_gap;
}

struct Paths<'a> {
    findings: &'a Findings,
    figure: Figure,
    layout: Layout,
    uses: Vec<Uses>,
    origins: BTreeSet<Asn>,
    /// How far down the figure is drawn.
    y: f64,
}

impl Paths<'_> {
    fn epochs(&mut self) {
        let none = Uses::new();
        let epochs = self.uses.clone();
        for (index, now) in epochs.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| epochs.get(before));
            self.heading(index);
            self.links(now, before);
            let taken = self.nodes(index, now, before.unwrap_or(&none));
            self.labels(now, before, taken);
            self.y += ROW * number::length(self.layout.rows) + 10.0;
        }
    }

    fn heading(&mut self, index: usize) {
        let title = format!("Epoch {}", index.saturating_add(1));
        let since =
            self.findings.epochs.get(index).map(|epoch| number::moment(epoch.start)).unwrap_or_default();
        let since = format!("from {since} UTC: {}", wording::opening(self.findings, index));
        self.figure.line("grid", (0.0, self.y), (WIDTH, self.y));
        self.figure.text("strong", (0.0, self.y + 20.0), Anchor::Start, &title);
        self.figure.text("small", (66.0, self.y + 20.0), Anchor::Start, &since);
        self.y += HEADING;
    }

    fn links(&mut self, now: &Uses, before: Option<&Uses>) {
        let most = number::real(now.values().map(|used| used.flows).max().unwrap_or(1).max(1));
        let gone = before.into_iter().flatten().filter(|(link, _)| !now.contains_key(*link));
        for (link, _) in gone {
            let points = self.route(*link);
            self.figure.titled(&format!("{} to {}: not seen any more", link.0, link.1), |figure| {
                figure.curve("gone", &points, 1.6);
            });
        }
        for (link, used) in now {
            let points = self.route(*link);
            let is_new = before.is_some_and(|before| !before.contains_key(link));
            let class = link_class(is_new, used.seen_directly);
            let width = 2.0 + 8.0 * number::real(used.flows) / most;
            let flows = number::count(used.flows);
            self.figure.titled(&format!("{} to {}: {flows} flows", link.0, link.1), |figure| {
                figure.curve(class, &points, if used.seen_directly { width } else { width.min(6.0) });
            });
        }
    }

    /// What is written on the links, over everything else, each where it covers neither an AS nor another.
    fn labels(&mut self, now: &Uses, before: Option<&Uses>, mut taken: Vec<Rect>) {
        let mut texts: Vec<(Link, &str, String)> = Vec::new();
        for (link, _) in before.into_iter().flatten().filter(|(link, _)| !now.contains_key(*link)) {
            texts.push((*link, "warn", "gone".to_owned()));
        }
        for (link, used) in now {
            let flows = number::count(used.flows);
            if before.is_some_and(|before| !before.contains_key(link)) {
                texts.push((*link, "news", format!("{flows}, new")));
            } else {
                texts.push((*link, "tagged", flows));
            }
        }
        for (link, class, text) in texts {
            let free = |at: &Point| {
                let patch = figure::tag_box(*at, &text);
                !taken.iter().any(|other| other.meets(&patch))
            };
            let places = self.label_places(link);
            if let Some(at) = places.iter().copied().find(free).or(places.first().copied()) {
                taken.push(figure::tag_box(at, &text));
                self.figure.tag(class, at, &text);
            }
        }
    }

    /// Where the label of a link may stand, the best first: near its start, where links that cross are still
    /// apart.
    fn label_places(&self, link: Link) -> Vec<Point> {
        const SHARES: [f64; 9] = [0.38, 0.33, 0.26, 0.6, 0.67, 0.5, 0.2, 0.74, 0.8];
        let points = self.route(link);
        let bends: Vec<(Point, Point)> =
            points.iter().copied().zip(points.iter().copied().skip(1)).step_by(2).collect();
        let places = SHARES
            .iter()
            .flat_map(|share| bends.iter().map(|(from, to)| figure::on_bend(*from, *to, *share)));
        places.collect()
    }

    /// The ASes, and what they cover.
    fn nodes(&mut self, epoch: usize, now: &Uses, before: &Uses) -> Vec<Rect> {
        let mut taken = Vec::new();
        let seen = ends(now);
        let first: BTreeSet<Asn> =
            seen.iter().copied().filter(|asn| !now.keys().any(|(_, to)| to == asn)).collect();
        for asn in seen.union(&ends(before)) {
            let (units, of) = self.cut_units(epoch, *asn);
            let class = if !seen.contains(asn) {
                "ghost"
            } else if first.contains(asn) || self.origins.contains(asn) {
                "end"
            } else if units > 0 {
                "cut"
            } else {
                "node"
            };
            taken.push(self.node(*asn, class));
            if units > 0 {
                let (x, y) = self.centre(*asn);
                let text = format!("in all paths: {units} of {of} units");
                let below = y + HEIGHT / 2.0;
                self.figure.text("warn halo", (x, below + 13.0), Anchor::Middle, &text);
                taken.push(figure::tag_box((x, below + 9.0), &text));
            }
        }
        taken
    }

    /// For how many units, of all that were traced, an AS lies in every path.
    fn cut_units(&self, epoch: usize, asn: Asn) -> (usize, usize) {
        let units = self.findings.units.iter().filter(|unit| !unit.control);
        let found =
            units.filter_map(|unit| unit.by_epoch.get(epoch)).filter(|found| found.as_disjoint.is_some());
        let found: Vec<_> = found.collect();
        (found.iter().filter(|found| found.single_points.contains(&asn)).count(), found.len())
    }

    fn node(&mut self, asn: Asn, class: &'static str) -> Rect {
        let (x, y) = self.centre(asn);
        let width = self.node_width();
        let box_of = Rect { x: x - width / 2.0, y: y - HEIGHT / 2.0, width, height: HEIGHT };
        let whole = wording::as_name(self.findings, asn, 200);
        let title = whole.map_or_else(|| asn.to_string(), |name| format!("{asn} {name}"));
        let short = wording::as_name(self.findings, asn, if width < WIDEST { 12 } else { 18 });
        self.figure.titled(&title, |figure| {
            figure.rounded(class, box_of);
            let lift = if short.is_some() { 3.0 } else { -4.5 };
            figure.text("strong", (x, y - lift), Anchor::Middle, &asn.to_string());
            if let Some(name) = &short {
                figure.text("small", (x, y + 13.0), Anchor::Middle, name);
            }
        });
        box_of
    }

    fn centre(&self, asn: Asn) -> Point {
        self.place(self.layout.places.get(&asn).copied().unwrap_or_default())
    }

    /// From steps of the layout to pixels.
    fn place(&self, (layer, row): Point) -> Point {
        let middle = self.y + ROW * number::length(self.layout.rows) / 2.0;
        let first = 4.0 + self.node_width() / 2.0;
        (first + layer / self.last_layer() * (WIDTH - 2.0 * first), middle + row * ROW)
    }

    fn last_layer(&self) -> f64 {
        number::length(self.layout.layers.saturating_sub(1)).max(1.0)
    }

    /// Narrower where there are many layers, so that links have room between them.
    fn node_width(&self) -> f64 {
        (WIDTH / (self.last_layer() + 1.0) * 0.58).clamp(NARROWEST, WIDEST)
    }

    /// The points of a link: from the right edge of its first AS to the left edge of its last, and straight
    /// past the ASes of the layers between.
    fn route(&self, link: Link) -> Vec<Point> {
        let steps = self.layout.routes.get(&link).map(Vec::as_slice).unwrap_or_default();
        let half = self.node_width() / 2.0;
        let edges = steps.iter().flat_map(|step| {
            let (x, y) = self.place(*step);
            [(x - half, y), (x + half, y)]
        });
        let inner = steps.len().saturating_mul(2).saturating_sub(2);
        edges.skip(1).take(inner).collect()
    }

    fn legend(&mut self) {
        let y = self.y + 10.0;
        let entries: [(&str, f64, &str); 4] = [
            ("edge", 6.0, "seen; width and figure: flows"),
            ("gained", 6.0, "new: not seen in the epoch before"),
            ("gone", 1.6, "gone: seen in the epoch before"),
            ("edge gap", 5.0, "across silent hops"),
        ];
        let mut x = 4.0;
        for (class, width, text) in entries {
            self.figure.curve(class, &[(x, y), (x + 34.0, y)], width);
            self.figure.text("small", (x + 42.0, y + 4.0), Anchor::Start, text);
            x += 42.0 + 6.0 * number::length(text.chars().count()) + 22.0;
        }
        self.y += 26.0;
    }

    fn note(&mut self, text: &str) {
        self.figure.text("note", (4.0, self.y + 16.0), Anchor::Start, text);
        self.y += 28.0;
    }
}

const fn link_class(is_new: bool, seen_directly: bool) -> &'static str {
    match (is_new, seen_directly) {
        (true, true) => "gained",
        (true, false) => "gained gap",
        (false, true) => "edge",
        (false, false) => "edge gap",
    }
}

fn ends(uses: &Uses) -> BTreeSet<Asn> {
    uses.keys().flat_map(|(from, to)| [*from, *to]).collect()
}
