//! Where we measure from: the interface, and the addresses that probes carry as their source.
//!
//! One vantage is one interface. What the campaign names is taken, or refused with what there is
//! instead; what it leaves open is chosen by the kernel's own default routes: their interface, and the source
//! address that they prefer. An address that may expire in the middle of a campaign (RFC 8981) is chosen only
//! where there is no other.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use pnet::datalink::{self, NetworkInterface};
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::{self, NetlinkError};
use crate::wire::Sources;

/// Where we measure from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vantage {
    /// The name of the interface.
    pub interface: String,
    /// Its index in this network namespace.
    pub index: u32,
    /// The source addresses; at least one is there.
    pub sources: Sources,
}

/// Why no interface and address could be chosen.
#[derive(Debug, thiserror::Error)]
pub enum VantageError {
    /// The named interface is not there.
    #[error("there is no interface {name:?}: must be one of {present}")]
    NoSuchInterface {
        /// What was asked for.
        name: String,
        /// What there is.
        present: Present,
    },
    /// The named interface is down.
    #[error("interface {name:?} is down: set it up, or name another one of {present}")]
    InterfaceDown {
        /// What was asked for.
        name: String,
        /// What there is.
        present: Present,
    },
    /// The address is not on the interface, or, where none is named, on none.
    #[error("source address {address} is not on {}: must be one of {present}", on(interface.as_deref()))]
    AddressNotHere {
        /// What was asked for.
        address: IpAddr,
        /// Where it was looked for; `None` for everywhere.
        interface: Option<String>,
        /// What there is.
        present: Present,
    },
    /// The interface has no address to send from.
    #[error(
        "interface {name:?} has no address that reaches beyond its link: give it one, or name another one of {present}"
    )]
    NoAddress {
        /// The interface.
        name: String,
        /// What there is.
        present: Present,
    },
    /// No interface is of use.
    #[error("no interface is up and has an address that reaches beyond its link; there is {present}")]
    NoUsableInterface {
        /// What there is.
        present: Present,
    },
    /// The kernel did not tell.
    #[error(transparent)]
    Kernel(#[from] NetlinkError),
}

fn on(interface: Option<&str>) -> String {
    interface.map_or_else(|| "any interface that is up".to_owned(), |name| format!("interface {name:?}"))
}

/// What interfaces there are, for people: `eth0 (192.0.2.1, 2001:db8::1), eth1 (down)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present(String);

impl fmt::Display for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { &self.0 })
    }
}

impl Vantage {
    /// Chooses where to measure from, in the network namespace of the calling thread.
    ///
    /// # Errors
    /// If what was asked for is not there, or nothing is of use.
    pub fn find(
        interface: Option<&str>,
        v4: Option<Ipv4Addr>,
        v6: Option<Ipv6Addr>,
    ) -> Result<Self, VantageError> {
        let scene = Scene::look()?;
        scene.choose(&Wish { interface, v4, v6 })
    }
}

/// What the campaign asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Wish<'a> {
    interface: Option<&'a str>,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

/// What there is to choose from.
#[derive(Debug, Default)]
struct Scene {
    interfaces: Vec<NetworkInterface>,
    /// The preferred first.
    default_routes: Vec<DefaultRoute>,
    traits: Traits,
}

/// Where a default route leads out, and the source address that it prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DefaultRoute {
    index: u32,
    source: Option<IpAddr>,
}

/// What the kernel knows of its addresses, beyond that they are there.
#[derive(Debug, Default)]
struct Traits {
    /// IPv6 addresses that may go away, or are not ready.
    unsteady: BTreeSet<Ipv6Addr>,
    /// Addresses that somebody declared to be of use on this link or this host alone.
    confined: BTreeSet<IpAddr>,
}

impl Scene {
    fn look() -> Result<Self, NetlinkError> {
        Ok(Self {
            interfaces: datalink::interfaces(),
            default_routes: default_routes()?,
            traits: traits()?,
        })
    }

    fn choose(&self, wish: &Wish<'_>) -> Result<Vantage, VantageError> {
        let interface = self.interface(wish)?;
        let sources = Sources { v4: self.v4(interface, wish.v4)?, v6: self.v6(interface, wish.v6)? };
        if sources == Sources::default() {
            return Err(VantageError::NoAddress { name: interface.name.clone(), present: self.present() });
        }
        Ok(Vantage { interface: interface.name.clone(), index: interface.index, sources })
    }

    fn interface(&self, wish: &Wish<'_>) -> Result<&NetworkInterface, VantageError> {
        if let Some(name) = wish.interface {
            return self.named(name);
        }
        let address = wish.v4.map(IpAddr::from).or(wish.v6.map(IpAddr::from));
        match address {
            Some(address) => self.holding(address),
            None => self.preferred(),
        }
    }

    fn named(&self, name: &str) -> Result<&NetworkInterface, VantageError> {
        let (name, present) = (name.to_owned(), self.present());
        match self.interfaces.iter().find(|interface| interface.name == name) {
            None => Err(VantageError::NoSuchInterface { name, present }),
            Some(interface) if !interface.is_up() => Err(VantageError::InterfaceDown { name, present }),
            Some(interface) => Ok(interface),
        }
    }

    fn holding(&self, address: IpAddr) -> Result<&NetworkInterface, VantageError> {
        self.interfaces.iter().find(|interface| interface.is_up() && has(interface, address)).ok_or_else(
            || VantageError::AddressNotHere { address, interface: None, present: self.present() },
        )
    }

    /// The interface of the best default route, or else the first that leads anywhere.
    fn preferred(&self) -> Result<&NetworkInterface, VantageError> {
        let useful = |interface: &&NetworkInterface| {
            let reaches_out = self.usable(interface).next().is_some();
            interface.is_up() && !interface.is_loopback() && reaches_out
        };
        let by_index =
            |route: &DefaultRoute| self.interfaces.iter().find(|interface| interface.index == route.index);
        let by_route = self.default_routes.iter().filter_map(by_index).find(useful);
        by_route
            .or_else(|| self.interfaces.iter().find(useful))
            .ok_or_else(|| VantageError::NoUsableInterface { present: self.present() })
    }

    fn v4(
        &self,
        interface: &NetworkInterface,
        wish: Option<Ipv4Addr>,
    ) -> Result<Option<Ipv4Addr>, VantageError> {
        if let Some(address) = wish {
            return self.confirm(interface, address.into()).map(|()| Some(address));
        }
        let usable = self.usable(interface).filter_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        // `min_by_key` keeps the first of equals: the kernel's own order decides.
        Ok(usable.min_by_key(|address| self.rank_by_routes(interface, (*address).into())))
    }

    fn v6(
        &self,
        interface: &NetworkInterface,
        wish: Option<Ipv6Addr>,
    ) -> Result<Option<Ipv6Addr>, VantageError> {
        if let Some(address) = wish {
            return self.confirm(interface, address.into()).map(|()| Some(address));
        }
        let usable = self.usable(interface).filter_map(|address| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        });
        Ok(usable.min_by_key(|address| {
            let by_routes = self.rank_by_routes(interface, (*address).into());
            (by_routes, self.traits.unsteady.contains(address), address.is_unique_local())
        }))
    }

    /// The lower the better: how many default routes of the interface prefer other sources before this one.
    fn rank_by_routes(&self, interface: &NetworkInterface, address: IpAddr) -> usize {
        let here = self.default_routes.iter().filter(|route| route.index == interface.index);
        let mut sources = here.filter_map(|route| route.source);
        sources.position(|source| source == address).unwrap_or(usize::MAX)
    }

    /// Addresses that probes can leave from; on the loopback interface its own.
    fn usable<'a>(&'a self, interface: &'a NetworkInterface) -> impl Iterator<Item = IpAddr> + 'a {
        let loopback = interface.is_loopback();
        let addresses = interface.ips.iter().map(pnet::ipnetwork::IpNetwork::ip);
        addresses.filter(move |address| {
            let reaches_out = reaches_beyond_link(*address) && !self.traits.confined.contains(address);
            reaches_out || (loopback && address.is_loopback())
        })
    }

    fn confirm(&self, interface: &NetworkInterface, address: IpAddr) -> Result<(), VantageError> {
        if has(interface, address) {
            return Ok(());
        }
        let (interface, present) = (Some(interface.name.clone()), self.present());
        Err(VantageError::AddressNotHere { address, interface, present })
    }

    fn present(&self) -> Present {
        let described = self.interfaces.iter().map(|interface| {
            let down = (!interface.is_up()).then(|| "down".to_owned());
            let addresses = interface.ips.iter().map(|net| net.ip().to_string());
            let words: Vec<String> = down.into_iter().chain(addresses).collect();
            let words = if words.is_empty() { "no address".to_owned() } else { words.join(", ") };
            format!("{} ({words})", interface.name)
        });
        Present(described.collect::<Vec<_>>().join(", "))
    }
}

fn has(interface: &NetworkInterface, address: IpAddr) -> bool {
    interface.ips.iter().any(|net| net.ip() == address)
}

fn reaches_beyond_link(address: IpAddr) -> bool {
    let only_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(only_local || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

/// All default routes: IPv4 before IPv6, then by metric.
fn default_routes() -> Result<Vec<DefaultRoute>, NetlinkError> {
    let mut routes = Vec::new();
    for (rank, family) in [AddressFamily::Inet, AddressFamily::Inet6].into_iter().enumerate() {
        let mut question = RouteMessage::default();
        question.header.address_family = family;
        netlink::dump(RouteNetlinkMessage::GetRoute(question), |message| {
            if let RouteNetlinkMessage::NewRoute(route) = message
                && route.header.address_family == family
                && route.header.destination_prefix_length == 0
            {
                let (metric, source) = (metric(&route), source(&route));
                routes.extend(exits(&route).map(|index| (rank, metric, DefaultRoute { index, source })));
            }
        })?;
    }
    routes.sort_by_key(|(rank, metric, route)| (*rank, *metric, route.index));
    Ok(routes.into_iter().map(|(_, _, route)| route).collect())
}

fn source(route: &RouteMessage) -> Option<IpAddr> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::PrefSource(RouteAddress::Inet(address)) => Some((*address).into()),
        RouteAttribute::PrefSource(RouteAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    })
}

fn metric(route: &RouteMessage) -> u32 {
    let metrics = route.attributes.iter().filter_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    metrics.min().unwrap_or(0)
}

fn exits(route: &RouteMessage) -> impl Iterator<Item = u32> {
    route.attributes.iter().flat_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => vec![*index],
        RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
        _ => Vec::new(),
    })
}

fn traits() -> Result<Traits, NetlinkError> {
    let mut traits = Traits::default();
    netlink::dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()), |message| {
        if let RouteNetlinkMessage::NewAddress(entry) = message {
            traits.add(&entry);
        }
    })?;
    Ok(traits)
}

impl Traits {
    /// Unsteady are IPv6 addresses that are temporary (RFC 8981), deprecated, or not yet known to be unique
    /// (RFC 4862).
    fn add(&mut self, entry: &AddressMessage) {
        // The same bit says "secondary" of an IPv4 address and "temporary" of an IPv6 one.
        let unsteady = AddressHeaderFlags::Secondary
            | AddressHeaderFlags::Deprecated
            | AddressHeaderFlags::Tentative
            | AddressHeaderFlags::Dadfailed;
        let confined = !matches!(entry.header.scope, AddressScope::Universe | AddressScope::Site);
        for address in own_addresses(entry) {
            if let IpAddr::V6(address) = address
                && entry.header.flags.intersects(unsteady)
            {
                self.unsteady.insert(address);
            }
            if confined {
                self.confined.insert(address);
            }
        }
    }
}

/// Of a point-to-point link, `Address` is the other end's, and `Local` our own.
fn own_addresses(entry: &AddressMessage) -> Vec<IpAddr> {
    let local = entry.attributes.iter().filter_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let any = entry.attributes.iter().filter_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    let local: Vec<IpAddr> = local.collect();
    if local.is_empty() { any.collect() } else { local }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: u32 = 1;
    const LOOPBACK: u32 = 8;

    fn interface(index: u32, name: &str, flags: u32, addresses: &[&str]) -> NetworkInterface {
        NetworkInterface {
            name: name.to_owned(),
            description: String::new(),
            index,
            mac: None,
            ips: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            flags,
        }
    }

    fn scene() -> Scene {
        Scene {
            interfaces: vec![
                interface(1, "lo", UP | LOOPBACK, &["127.0.0.1/8", "::1/128"]),
                interface(
                    2,
                    "eth0",
                    UP,
                    &["192.0.2.7/24", "fe80::1/64", "fd00::1/64", "2001:db8::99/64", "2001:db8::1/64"],
                ),
                interface(3, "eth1", UP, &["198.51.100.7/24"]),
                interface(4, "eth2", 0, &["203.0.113.7/24"]),
                interface(5, "eth3", UP, &["169.254.0.1/16", "fe80::2/64"]),
            ],
            default_routes: vec![DefaultRoute { index: 3, source: None }],
            traits: Traits {
                unsteady: BTreeSet::from(["2001:db8::99".parse().unwrap()]),
                confined: BTreeSet::new(),
            },
        }
    }

    fn chosen(wish: Wish<'_>) -> Vantage {
        scene().choose(&wish).unwrap()
    }

    #[test]
    fn the_default_route_chooses_where_the_campaign_does_not() {
        assert_eq!(chosen(Wish::default()).interface, "eth1");
        let without_route = Scene { default_routes: vec![], ..scene() };
        assert_eq!(without_route.choose(&Wish::default()).unwrap().interface, "eth0");
    }

    #[test]
    fn an_address_that_expires_or_stays_local_is_the_last_choice() {
        let vantage = chosen(Wish { interface: Some("eth0"), ..Wish::default() });
        assert_eq!(vantage.sources.v4, Some("192.0.2.7".parse().unwrap()));
        assert_eq!(vantage.sources.v6, Some("2001:db8::1".parse().unwrap()));
        let mut only_temporary = scene();
        only_temporary.interfaces[1].ips.truncate(4);
        only_temporary.interfaces[1].ips.remove(2);
        let vantage = only_temporary.choose(&Wish { interface: Some("eth0"), ..Wish::default() }).unwrap();
        assert_eq!(vantage.sources.v6, Some("2001:db8::99".parse().unwrap()));
    }

    #[test]
    fn a_default_route_says_which_of_several_addresses_to_send_from() {
        let mut scene = scene();
        scene.interfaces[1].ips.push("192.0.2.8/24".parse().unwrap());
        let prefer = |source: &str| DefaultRoute { index: 2, source: Some(source.parse().unwrap()) };
        scene.default_routes = vec![prefer("192.0.2.8"), prefer("fd00::1")];
        let sources = scene.choose(&Wish::default()).unwrap().sources;
        let expected = Sources { v4: "192.0.2.8".parse().ok(), v6: "fd00::1".parse().ok() };
        assert_eq!(sources, expected);
        scene.default_routes = vec![prefer("203.0.113.200")];
        assert_eq!(scene.choose(&Wish::default()).unwrap().sources.v4, "192.0.2.7".parse().ok());
    }

    #[test]
    fn an_address_for_this_host_alone_sends_nothing_out() {
        let mut scene = scene();
        scene.interfaces[1].ips.insert(0, "198.18.0.1/32".parse().unwrap());
        scene.traits.confined.insert("198.18.0.1".parse().unwrap());
        let vantage = scene.choose(&Wish { interface: Some("eth0"), ..Wish::default() }).unwrap();
        assert_eq!(vantage.sources.v4, "192.0.2.7".parse().ok());
    }

    #[test]
    fn a_named_address_finds_its_interface() {
        let v6 = "2001:db8::99".parse().ok();
        let vantage = chosen(Wish { v6, ..Wish::default() });
        assert_eq!((vantage.interface.as_str(), vantage.sources.v6), ("eth0", v6));
    }

    #[test]
    fn loopback_is_taken_only_by_name() {
        let vantage = chosen(Wish { interface: Some("lo"), ..Wish::default() });
        assert_eq!(vantage.sources.v6, Some(Ipv6Addr::LOCALHOST));
        let alone = Scene { interfaces: scene().interfaces.drain(..1).collect(), ..Scene::default() };
        assert!(matches!(alone.choose(&Wish::default()), Err(VantageError::NoUsableInterface { .. })));
    }

    #[test]
    fn each_refusal_says_what_there_is_instead() {
        let v4 = "192.0.2.7".parse().ok();
        let wishes = [
            Wish { interface: Some("eth9"), ..Wish::default() },
            Wish { interface: Some("eth2"), ..Wish::default() },
            Wish { interface: Some("eth3"), ..Wish::default() },
            Wish { interface: Some("eth1"), v4, ..Wish::default() },
            Wish { v4: "203.0.113.7".parse().ok(), ..Wish::default() },
        ];
        for wish in wishes {
            let sentence = scene().choose(&wish).unwrap_err().to_string();
            assert!(sentence.contains("eth1 (198.51.100.7), eth2 (down, 203.0.113.7)"), "{sentence}");
        }
    }
}
