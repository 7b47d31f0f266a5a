"""Who has which address, and which interface speaks with which.

The scenario's addresses stand on the loopback of their router as /32 and /128, and on each interface stands the
one with which the router answers there. Links between routers are numbered for the lab's own use beside
them: IPv4 from the benchmarking range (RFC 2544), with the scope "host", so that Linux never answers
with them; IPv6 by link-local addresses that we choose. Router numbers are addresses of the same kind
(IPv6: RFC 5180), and BGP inside an AS speaks between these.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import count

from scenario import Address, BadScenario, Link, Prefix, Router, Scenario

#: The lab's own ranges.
OWN_V4 = ip_network("198.18.0.0/15")
OWN_V6 = ip_network("2001:2::/48")
LINK_LOCAL = ip_network("fe80::/10")
#: Of both ends of every wire.
FE80 = (ip_address("fe80::1"), ip_address("fe80::2"))


@dataclass(frozen=True)
class End:
    """One end of a wire: an interface of a namespace."""

    node: str
    interface: str
    transfer: Address
    fe80: Address
    #: The addresses with which it answers.
    voices: tuple[Address, ...]


@dataclass(frozen=True)
class Wire:
    ends: tuple[End, End]
    #: None for the wires to the vantage and to hosts.
    link: Link | None

    def near(self, node: str) -> End:
        return self.ends[0] if self.ends[0].node == node else self.ends[1]

    def far(self, node: str) -> End:
        return self.ends[1] if self.ends[0].node == node else self.ends[0]


def hosts_node(router: str) -> str:
    """The namespace of all hosts behind a router."""
    return f"{router}.hosts"


class Layout:
    def __init__(self, scenario: Scenario):
        self.scenario = scenario
        check_own_ranges(scenario)
        self.numbers = {name: number for number, name in enumerate(scenario.routers, 1)}
        self.host_routers = list(dict.fromkeys(network.router for network in scenario.networks))
        self.transfers = count(int(OWN_V4.network_address), 2)
        self.wires: list[Wire] = [self.of_link(link) for link in scenario.links]
        gateway = scenario.vantage.gateway
        self.uplink = self.edge(gateway, "vantage", "vantage", "uplink", tuple(scenario.vantage.addresses))
        self.wires.append(self.uplink)
        self.to_hosts: dict[str, Wire] = {}
        for router in self.host_routers:
            wire = self.edge(router, "hosts", hosts_node(router), "router", tuple(self.hosts_behind(router)))
            self.to_hosts[router] = wire
            self.wires.append(wire)
        self.nodes = [*scenario.routers, "vantage", *map(hosts_node, self.host_routers)]

    def of_link(self, link: Link) -> Wire:
        ends = [(end, f"l{link.number}", voices(self.scenario.routers[end], link.at(end))) for end in link.ends]
        return self.wire(ends[0], ends[1], link)

    def edge(self, router: str, at_router: str, node: str, at_node: str, addresses: tuple[Address, ...]) -> Wire:
        speaks = voices(self.scenario.routers[router], [])
        return self.wire((router, at_router, speaks), (node, at_node, addresses), None)

    def wire(self, one: tuple, other: tuple, link: Link | None) -> Wire:
        first = ip_address(next(self.transfers))
        ends = [End(*end[:2], first + side, FE80[side], end[2]) for side, end in enumerate((one, other))]
        return Wire((ends[0], ends[1]), link)

    def router_ids(self, router: str) -> tuple[Address, Address]:
        number = self.numbers[router]
        return ip_address("198.19.0.0") + number, OWN_V6.network_address + number

    def own_addresses(self, router: Router) -> list[Address]:
        """All addresses of the scenario that a router has."""
        found = list(router.own)
        for link in self.scenario.links_of(router.name):
            found += link.at(router.name)
        if isinstance(router.answers_from, list):
            found += router.answers_from
        return list(dict.fromkeys(found))

    def hosts_behind(self, router: str) -> list[Address]:
        everyone = [address for host in self.scenario.hosts for address in host.addresses]
        return [address for address in everyone if self.scenario.router_before(address) == router]

    def wires_of(self, node: str) -> list[Wire]:
        return [wire for wire in self.wires if node in (wire.ends[0].node, wire.ends[1].node)]

    def across(self, router: Router) -> list[tuple[Prefix, Wire]]:
        """Addresses of this AS at the far ends of links into others."""
        found = []
        for wire in self.wires_of(router.name):
            if wire.link is None or self.scenario.is_inner(wire.link):
                continue
            theirs = wire.link.at(wire.far(router.name).node)
            ours = [address for address in theirs if self.scenario.origin(address) == router.asn]
            found += [(ip_network(address), wire) for address in ours]
        return found

    def here(self, router: Router) -> list[tuple[Prefix, Wire]]:
        """What this router alone leads to, beside its own addresses, and the wire over which it does."""
        found = self.across(router)
        if router.name == self.scenario.vantage.gateway:
            found += [(ip_network(address), self.uplink) for address in self.scenario.vantage.addresses]
        for network in self.scenario.networks:
            if network.router == router.name:
                found.append((network.prefix, self.to_hosts[router.name]))
        return found

    def own_in_as(self, router: Router) -> list[Prefix]:
        """The router's own addresses that its AS has numbered: the others are not known there."""
        known = [address for address in self.own_addresses(router) if self.scenario.origin(address) == router.asn]
        return [ip_network(address) for address in known]


def voices(router: Router, on_link: list[Address]) -> tuple[Address, ...]:
    """With which address of each family a router answers what comes in by an interface."""
    if isinstance(router.answers_from, list):
        wanted = router.answers_from
    elif router.answers_from == "router":
        wanted = router.own
    else:
        wanted = on_link
    chosen = {address.version: address for address in [*router.own, *wanted]}
    return tuple(chosen.values())


def check_own_ranges(scenario: Scenario):
    for asn in scenario.ases:
        for prefix in scenario.announced(asn):
            own = OWN_V4 if prefix.version == 4 else OWN_V6
            if prefix.overlaps(own):
                raise BadScenario(f"{prefix}: must not overlap with {own}: the kernel lab numbers its links from it")
