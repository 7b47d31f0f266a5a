"""What of a scenario is there at a moment: the links that are up, the policies in force. A pure function of the
scenario and of what has happened so far."""

from dataclasses import dataclass
from ipaddress import ip_network

from scenario import Address, BadScenario, Link, Prefix, Rate, Scenario, asn, rate, relate

#: What a link may be called in an event: two AS numbers, two routers, or its name.
Called = frozenset | str


@dataclass
class World:
    scenario: Scenario
    links_up: set[int]
    relations: dict[tuple[int, int], str]
    announce_to: dict[Prefix, list[int] | None]
    weights: dict[int, int]
    icmp_rates: dict[str, Rate | None]
    uplink: bool
    #: Hosts that are off.
    hosts_down: set[Address]
    routers_down: set[str]

    def is_up(self, link: Link) -> bool:
        return link.number in self.links_up


def world(scenario: Scenario, happened: list[dict]) -> World:
    """The world after these events, which may be of the file or made by hand."""
    here = World(
        scenario=scenario,
        links_up=set(),
        relations=dict(scenario.relations),
        announce_to={network.prefix: network.announce_to for network in scenario.networks},
        weights={link.number: link.weight for link in scenario.links},
        icmp_rates={name: router.icmp_rate for name, router in scenario.routers.items()},
        uplink=True,
        hosts_down=set(),
        routers_down=set(),
    )
    absent = absent_at_first(scenario)
    hosts: dict[Prefix, bool] = {}
    for event in happened:
        for what, about in event.items():
            match what:
                case "added":
                    absent.discard(called(scenario, about))
                case "lost":
                    absent.add(called(scenario, about))
                case "router_down":
                    here.routers_down.add(about)
                case "router_up":
                    here.routers_down.discard(about)
                case "announce":
                    here.announce_to[ip_network(about["prefix"])] = [asn(number) for number in about["to"]]
                case "relation" if "peers" in about:
                    relate(here.relations, *map(asn, about["peers"]), "peer")
                case "relation":
                    relate(here.relations, asn(about["provider"]), asn(about["customer"]), "customer")
                case "weight":
                    which = called(scenario, about["link"])
                    here.weights.update({link.number: about["weight"] for link in meant(scenario, which)})
                case "icmp_rate":
                    here.icmp_rates[about["router"]] = rate(about.get("limit"))
                case "uplink":
                    here.uplink = about == "up"
                case "hosts_down":
                    hosts[ip_network(about)] = False
                case "hosts_up":
                    hosts[ip_network(about)] = True
    gone = {link.number for which in absent for link in meant(scenario, which)}
    for link in scenario.links:
        if link.number not in gone and not here.routers_down.intersection(link.ends):
            here.links_up.add(link.number)
    here.hosts_down = {address for host in scenario.hosts for address in host.addresses if is_off(address, hosts)}
    return here


def absent_at_first(scenario: Scenario) -> set[Called]:
    """What is called the same way in events, and is first added."""
    first: dict[Called, bool] = {}
    for event in scenario.events:
        for what in event.keys() & {"added", "lost"}:
            first.setdefault(called(scenario, event[what]), what == "added")
    return {which for which, added in first.items() if added}


def called(scenario: Scenario, about: str | list[str]) -> Called:
    """Which links an event means; there must be some."""
    if isinstance(about, list):
        which: Called = frozenset(about)
    elif all(part.upper().startswith("AS") and part[2:].isdigit() for part in about.split("-")):
        which = frozenset(asn(part) for part in about.split("-"))
    else:
        which = about
    if not meant(scenario, which):
        raise BadScenario(f"{about} is no link: must be AS1-AS2, two routers, or the name of a link")
    return which


def meant(scenario: Scenario, which: Called) -> list[Link]:
    def is_meant(link: Link) -> bool:
        between = frozenset(scenario.routers[end].asn for end in link.ends)
        return which in (link.name, frozenset(link.ends), between)

    return [link for link in scenario.links if is_meant(link)]


def is_off(address: Address, hosts: dict[Prefix, bool]) -> bool:
    about = [prefix for prefix in hosts if address in prefix]
    return bool(about) and not hosts[max(about, key=lambda prefix: prefix.prefixlen)]
