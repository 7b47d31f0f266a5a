//! Writes a plan as a scenario: TOML, in the order ASes, routers, links, networks, hosts. The same plan gives the
//! same bytes.

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::graph::Id;
use super::plan::{HostPlan, IpId, LinkPlan, NetworkPlan, Plan, Role, RouterId, RouterPlan};
use crate::lab::scenario::Addresses;
use crate::model::Asn;

impl Plan {
    /// The text of the scenario, behind these lines of comment.
    pub(super) fn write(&self, about: &str) -> Result<String, fmt::Error> {
        let mut to = String::new();
        for line in about.lines() {
            writeln!(to, "# {line}")?;
        }
        writeln!(to, "seed = {}\n", self.seed)?;
        writeln!(to, "[clock]\nstart = \"2024-01-01T00:00:00Z\"\nduration = \"24h\"\n")?;
        self.write_vantage(&mut to)?;
        for id in self.graph.ids() {
            self.write_as(&mut to, id)?;
        }
        for router in &self.routers {
            self.write_router(&mut to, router)?;
        }
        for link in &self.links {
            self.write_link(&mut to, link)?;
        }
        for network in self.ases.iter().flat_map(|asys| &asys.placed) {
            self.write_network(&mut to, network)?;
        }
        for host in &self.hosts {
            write_host(&mut to, host)?;
        }
        Ok(to)
    }

    fn write_vantage(&self, to: &mut String) -> fmt::Result {
        let gateway = self.asys(self.vantage.home).and_then(|asys| asys.access.first().copied());
        writeln!(to, "[vantage]\nname = \"vantage\"\naddresses = {}", List(&self.vantage.addresses))?;
        writeln!(to, "gateway = \"{}\"\n", self.name(gateway.unwrap_or_default()))
    }

    fn write_as(&self, to: &mut String, id: Id) -> fmt::Result {
        let (Some(number), Some(asys)) = (self.graph.number(id), self.asys(id)) else { return Ok(()) };
        let neighbours = self.graph.at(id);
        let prefixes: Vec<String> = asys.prefixes.iter().map(|prefix| format!("\"{prefix}\"")).collect();
        writeln!(to, "[[as]]\nnumber = {}\nname = \"{}\"", number.get(), self.as_name(id))?;
        writeln!(to, "prefixes = [{}]", prefixes.join(", "))?;
        self.write_neighbours(to, "providers", &neighbours.providers)?;
        // Each peering stands with one of both.
        let peers: Vec<Id> = neighbours.peers.iter().copied().filter(|peer| *peer > id).collect();
        self.write_neighbours(to, "peers", &peers)?;
        if asys.multipath {
            writeln!(to, "multipath = true")?;
        }
        writeln!(to)
    }

    fn write_neighbours(&self, to: &mut String, key: &str, ids: &[Id]) -> fmt::Result {
        if ids.is_empty() {
            return Ok(());
        }
        let numbers: Vec<String> = ids
            .iter()
            .filter_map(|id| self.graph.number(*id))
            .map(|number| number.get().to_string())
            .collect();
        writeln!(to, "{key} = [{}]", numbers.join(", "))
    }

    fn as_name(&self, id: Id) -> String {
        let kind = if id == self.target {
            "Target"
        } else if id == self.vantage.home {
            "Vantage"
        } else if self.graph.at(id).providers.is_empty() && !self.graph.is_stub(id) {
            "Top"
        } else if self.graph.is_stub(id) {
            "Stub"
        } else {
            "Transit"
        };
        let number = self.graph.number(id).map_or(0, Asn::get);
        format!("{kind} {number}")
    }

    fn write_router(&self, to: &mut String, router: &RouterPlan) -> fmt::Result {
        let number = self.graph.number(router.home).map_or(0, Asn::get);
        writeln!(to, "[[router]]\nname = \"{}\"\nas = {number}", self.name_of(router))?;
        writeln!(to, "addresses = {}", List(&router.own))?;
        let habits = &router.habits;
        if habits.silent {
            writeln!(to, "silent = true")?;
        }
        for (key, word) in [("balance", habits.balance), ("answers_from", habits.answers_from)] {
            if let Some(word) = word {
                writeln!(to, "{key} = \"{word}\"")?;
            }
        }
        if let Some(quote) = habits.quote {
            writeln!(to, "quote = {quote}")?;
        }
        if let Some((per_second, burst)) = habits.icmp_rate {
            writeln!(to, "icmp_rate = {{ per_second = {per_second}.0, burst = {burst} }}")?;
        }
        match habits.ip_id {
            IpId::Random => {}
            IpId::Named(word) => writeln!(to, "ip_id = \"{word}\"")?,
            IpId::Counter(over, tenths) => {
                let (whole, tenth) = (tenths / 10, tenths % 10);
                writeln!(to, "ip_id = {{ counter = \"{over}\", per_second = {whole}.{tenth} }}")?;
            }
        }
        writeln!(to)
    }

    fn write_link(&self, to: &mut String, link: &LinkPlan) -> fmt::Result {
        let [one, other] = link.ends.map(|end| self.name(end));
        writeln!(to, "[[link]]\nbetween = [\"{one}\", \"{other}\"]")?;
        if link.numbered_by.is_some() {
            let [near, far] = &link.addresses;
            writeln!(to, "addresses = [{}, {}]", List(near), List(far))?;
        }
        writeln!(to, "delay = \"{}\"\njitter = \"{}\"", Span(link.delay), Span(link.jitter))?;
        if let Some(loss) = link.loss {
            writeln!(to, "loss = {loss}")?;
        }
        for (key, value) in [("weight", link.weight), ("cost", link.cost)] {
            if value != 1 {
                writeln!(to, "{key} = {value}")?;
            }
        }
        writeln!(to)
    }

    fn write_network(&self, to: &mut String, network: &NetworkPlan) -> fmt::Result {
        writeln!(
            to,
            "[[network]]\nprefix = \"{}\"\nrouter = \"{}\"\n",
            network.prefix,
            self.name(network.router)
        )
    }

    fn name(&self, router: RouterId) -> String {
        self.router(router).map(|router| self.name_of(router)).unwrap_or_default()
    }

    /// The number of the AS, and what the router is for: `3356-c2`, or `3356-x5` at the exchange of a region.
    fn name_of(&self, router: &RouterPlan) -> String {
        let number = self.graph.number(router.home).map_or(0, Asn::get);
        let which = match router.role {
            Role::Exchange(region) => region.0.saturating_add(1),
            _ => router.number,
        };
        format!("{number}-{}{which}", router.role.letter())
    }
}

fn write_host(to: &mut String, host: &HostPlan) -> fmt::Result {
    writeln!(to, "[[host]]\naddresses = [")?;
    for line in host.addresses.chunks(8) {
        let line: Vec<String> = line.iter().map(|address| format!("\"{address}\"")).collect();
        writeln!(to, "  {},", line.join(", "))?;
    }
    writeln!(to, "]")?;
    for line in host.manners {
        writeln!(to, "{line}")?;
    }
    writeln!(to)
}

/// Addresses as a list.
struct List<'a>(&'a Addresses);

impl Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<String> = self.0.iter().map(|address| format!("\"{address}\"")).collect();
        write!(f, "[{}]", addresses.join(", "))
    }
}

/// A span of time in whole microseconds.
struct Span(Duration);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us", self.0.as_micros())
    }
}
