//! A picture of a scenario in the language of Graphviz: ASes as boxes around their routers and networks, links
//! with what they do to packets, and dashed all that events change, with when and how.
//!
//! The vantage stands on the left, and every link leads away from it. The same scenario gives the same bytes.

mod changes;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write};

use self::changes::{Changes, Thing};
use self::words::{host_words, link_words, quoted, router_words};
use super::cover::Cover;
use super::scenario::{Announced, AsIndex, Link, Relation, RouterIndex, Scenario, Tunnel};
use crate::model::{Prefix, Untrusted};

/// Writes a scenario as a graph that `dot` lays out.
///
/// # Errors
/// Those of the writer.
pub fn write_picture(scenario: &Scenario, mut to: impl Write) -> io::Result<()> {
    let picture = Picture::new(scenario);
    to.write_all(HEAD.as_bytes())?;
    for index in 0..scenario.ases.len() {
        picture.asys(&mut to, AsIndex(index))?;
    }
    picture.vantage(&mut to)?;
    for (index, link) in scenario.numbered_links() {
        picture.link(&mut to, link, &picture.changes.of_link(scenario, (index, link)))?;
    }
    scenario.tunnels.iter().try_for_each(|tunnel| tunnel_arc(&mut to, tunnel))?;
    writeln!(to, "}}")?;
    to.flush()
}

const HEAD: &str = "\
digraph scenario {
  graph [rankdir=LR, fontname=\"Helvetica\", fontsize=11, nodesep=0.25, ranksep=0.9, labelloc=b, \
label=\"arrows lead to the provider, thick lines join peers; dotted arrows are tunnels; dashed is what events change\"]
  node [fontname=\"Helvetica\", fontsize=10, shape=box, style=filled, fillcolor=white, height=0.3, margin=\"0.08,0.04\"]
  edge [fontname=\"Helvetica\", fontsize=9, color=\"#404040\", fontcolor=\"#404040\", arrowsize=0.7]
";

/// What is drawn, and what is known about it as a whole.
struct Picture<'a> {
    scenario: &'a Scenario,
    changes: Changes,
    /// How many links each router is away from the gateway of the vantage.
    away: Vec<usize>,
    relations: BTreeMap<[AsIndex; 2], Relation>,
    /// Of each AS.
    routers: BTreeMap<AsIndex, Vec<RouterIndex>>,
    /// Of each AS, by their positions.
    prefixes: BTreeMap<AsIndex, Vec<usize>>,
    /// How many addresses answer in each prefix.
    hosts: BTreeMap<usize, usize>,
}

impl<'a> Picture<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut picture = Self {
            scenario,
            changes: Changes::of(scenario),
            away: distances(scenario),
            relations: BTreeMap::new(),
            routers: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            hosts: BTreeMap::new(),
        };
        for relation in &scenario.relations {
            picture.relations.insert(pair(relation.ends()), *relation);
        }
        for (index, router) in scenario.routers.iter().enumerate() {
            picture.routers.entry(router.home).or_default().push(RouterIndex(index));
        }
        for (index, announced) in scenario.prefixes.iter().enumerate() {
            picture.prefixes.entry(announced.origin).or_default().push(index);
        }
        let prefixes: Vec<Prefix> = scenario.prefixes.iter().map(|announced| announced.prefix).collect();
        let cover = Cover::of(&prefixes);
        let addresses = scenario.hosts.iter().flat_map(|host| &host.addresses);
        for prefix in addresses.filter_map(|(address, _)| cover.longest(*address)) {
            let count = picture.hosts.entry(prefix).or_default();
            *count = count.saturating_add(1);
        }
        picture
    }

    /// The box of an AS with its routers and networks.
    fn asys(&self, to: &mut impl Write, index: AsIndex) -> io::Result<()> {
        let Some(asys) = self.scenario.ases.get(index.0) else { return Ok(()) };
        let prefixes = self.prefixes.get(&index).map_or(&[][..], Vec::as_slice);
        let (networks, infrastructure): (Vec<usize>, Vec<usize>) =
            prefixes.iter().partition(|prefix| self.network_at(**prefix).is_some());
        let changed = infrastructure.iter().flat_map(|prefix| self.changes.about(&Thing::Prefix(*prefix)));
        let changed: Vec<String> = changed.cloned().collect();
        let style = style(&["rounded", "filled"], &changed);
        let title = format!("{} {}", asys.number, Untrusted::new(asys.name.as_str()));
        let label = quoted(&[vec![title], changed].concat());
        writeln!(to, "  subgraph cluster_as{} {{", index.0)?;
        writeln!(
            to,
            "    graph [color=\"#8a97a6\", fillcolor=\"#eef2f6\", labelloc=t, labeljust=l, label={label}{style}]"
        )?;
        for router in self.routers.get(&index).into_iter().flatten() {
            self.router(to, *router)?;
        }
        for prefix in networks {
            self.network(to, prefix)?;
        }
        writeln!(to, "  }}")
    }

    fn router(&self, to: &mut impl Write, index: RouterIndex) -> io::Result<()> {
        let Some(router) = self.scenario.routers.get(index.0) else { return Ok(()) };
        let changed = self.changes.about(&Thing::Router(index));
        let name = std::slice::from_ref(&router.name);
        let label = quoted(&[name, router_words(router).as_slice(), changed].concat());
        writeln!(to, "    r{} [label={label}{}]", index.0, style(&["rounded", "filled"], changed))
    }

    /// What is announced and the router behind which it is, if it is no infrastructure.
    fn network_at(&self, prefix: usize) -> Option<(&Announced, RouterIndex)> {
        let announced = self.scenario.prefixes.get(prefix)?;
        Some((announced, announced.router?))
    }

    /// A network hangs on its router.
    fn network(&self, to: &mut impl Write, prefix: usize) -> io::Result<()> {
        let Some((announced, router)) = self.network_at(prefix) else { return Ok(()) };
        let changed = self.changes.about(&Thing::Prefix(prefix));
        let hosts = self.hosts.get(&prefix).copied().unwrap_or(0);
        let mut lines = vec![announced.prefix.to_string(), host_words(hosts)];
        lines.extend(announced.only_to.as_ref().map(|only| words::told_to(self.scenario, only)));
        lines.extend(changed.iter().cloned());
        let (label, style) = (quoted(&lines), style(&["filled"], changed));
        writeln!(to, "    n{prefix} [shape=note, fillcolor=\"#fffbe6\", label={label}{style}]")?;
        writeln!(to, "    r{} -> n{prefix} [dir=none, color=\"#8a97a6\"]", router.0)
    }

    fn vantage(&self, to: &mut impl Write) -> io::Result<()> {
        let vantage = &self.scenario.vantage;
        let addresses = vantage.addresses.iter().map(|address| address.to_string());
        let lines: Vec<String> = std::iter::once(vantage.name.to_string()).chain(addresses).collect();
        let changed = self.changes.about(&Thing::Uplink);
        let uplink = quoted(&[&[words::span(vantage.delay)], changed].concat());
        let (label, style) = (quoted(&lines), style(&[], changed));
        writeln!(to, "  vantage [fillcolor=\"#dcedc8\", label={label}]")?;
        writeln!(to, "  vantage -> r{} [dir=none, label={uplink}{style}]", vantage.gateway.0)
    }

    /// From the end that is nearer to the vantage to the other one.
    fn link(&self, to: &mut impl Write, link: &Link, changed: &[String]) -> io::Result<()> {
        let away = |end: RouterIndex| self.away.get(end.0).copied();
        let [one, other] = link.ends;
        let (near, far) = if away(other) < away(one) { (other, one) } else { (one, other) };
        let level = if away(near) == away(far) { ", constraint=false" } else { "" };
        let relation = self.relation(near, far);
        let label = quoted(&[link_words(link).as_slice(), changed].concat());
        let style = style(&[], changed);
        writeln!(to, "  r{} -> r{} [{relation}, label={label}{level}{style}]", near.0, far.0)
    }

    /// How a link between these routers is drawn.
    fn relation(&self, near: RouterIndex, far: RouterIndex) -> &'static str {
        let home = |router: RouterIndex| self.scenario.routers.get(router.0).map(|router| router.home);
        let (Some(near), Some(far)) = (home(near), home(far)) else { return "dir=none" };
        match self.relations.get(&pair((near, far))) {
            Some(Relation::Peering(..)) => "dir=none, penwidth=2.5, color=\"#5b7fa6\"",
            Some(Relation::Transit { provider, .. }) if *provider == near => "dir=back, color=\"#5b7fa6\"",
            Some(Relation::Transit { .. }) => "dir=forward, color=\"#5b7fa6\"",
            None => "dir=none",
        }
    }
}

fn pair((one, other): (AsIndex, AsIndex)) -> [AsIndex; 2] {
    [one.min(other), one.max(other)]
}

/// The attribute for something that looks like this, and is dashed if events change it.
fn style(looks: &[&str], changed: &[String]) -> String {
    let dashed = if changed.is_empty() { &[][..] } else { &["dashed"] };
    let all = [looks, dashed].concat();
    if all.is_empty() { String::new() } else { format!(", style=\"{}\"", all.join(",")) }
}

fn tunnel_arc(to: &mut impl Write, tunnel: &Tunnel) -> io::Result<()> {
    let (Some(ingress), Some(egress)) = (tunnel.routers.first(), tunnel.routers.last()) else {
        return Ok(());
    };
    let label = quoted(&[format!("{} tunnel", tunnel.kind.as_str())]);
    writeln!(to, "  r{} -> r{} [style=dotted, constraint=false, label={label}]", ingress.0, egress.0)
}

/// Breadth first, over all links that are ever there; what is never reached is far away.
fn distances(scenario: &Scenario) -> Vec<usize> {
    let mut beside: Vec<Vec<RouterIndex>> = vec![Vec::new(); scenario.routers.len()];
    for link in &scenario.links {
        let [one, other] = link.ends;
        for (me, them) in [(one, other), (other, one)] {
            if let Some(list) = beside.get_mut(me.0) {
                list.push(them);
            }
        }
    }
    let mut away = vec![usize::MAX; scenario.routers.len()];
    let mut open = VecDeque::from([(scenario.vantage.gateway, 0_usize)]);
    while let Some((router, distance)) = open.pop_front() {
        if let Some(place) = away.get_mut(router.0).filter(|place| **place == usize::MAX) {
            *place = distance;
            let next = beside.get(router.0).into_iter().flatten();
            open.extend(next.map(|next| (*next, distance.saturating_add(1))));
        }
    }
    away
}

#[cfg(test)]
mod tests;
