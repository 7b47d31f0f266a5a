//! How much there is in a scenario.

use super::Scenario;

/// How many of each thing a scenario has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// ASes.
    pub ases: usize,
    /// Routers.
    pub routers: usize,
    /// Links, also those that are there only for a while.
    pub links: usize,
    /// Those of them whose ends are in different ASes.
    pub links_between_ases: usize,
    /// Prefixes in which hosts can be.
    pub networks: usize,
    /// Addresses of hosts; the vantage is not counted.
    pub hosts: usize,
    /// MPLS tunnels.
    pub tunnels: usize,
    /// Forgers of answers.
    pub forgers: usize,
    /// Events.
    pub events: usize,
}

impl Scenario {
    /// How many of each thing there are.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let home = |end: super::RouterIndex| self.routers.get(end.0).map(|router| router.home);
        let crosses = |link: &&super::Link| home(link.ends[0]) != home(link.ends[1]);
        Summary {
            ases: self.ases.len(),
            routers: self.routers.len(),
            links: self.links.len(),
            links_between_ases: self.links.iter().filter(crosses).count(),
            networks: self.prefixes.iter().filter(|announced| announced.router.is_some()).count(),
            hosts: self.hosts.iter().map(|host| host.addresses.len()).sum(),
            tunnels: self.tunnels.len(),
            forgers: self.forgers.len(),
            events: self.changes.len(),
        }
    }
}
