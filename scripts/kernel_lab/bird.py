"""What BIRD is told: OSPF inside an AS, BGP between them, and the rules of Gao and Rexford as filters.

A router's preferences are those of docs/scenarios.md: routes of customers before those of peers before those of
providers (local preference), then the shortest path, then the neighbour with the lowest number (as MED,
which is compared between all of them), then the nearest way out (OSPF's distance).
"""

from ipaddress import ip_network

import control
from layout import Layout, OWN_V4, Wire
from scenario import Address, Prefix, Router
from world import World

PREFERENCE = {"customer": 300, "peer": 200, "provider": 100}
#: Kernel routes over equally good ways.
MOST_WAYS = 64
#: BIRD's weights end here; ours at 1000.
HEAVIEST = 256


class Configuration:
    """The configuration of one router's BIRD in a world."""

    def __init__(self, layout: Layout, world: World, router: Router):
        self.layout = layout
        self.scenario = layout.scenario
        self.world = world
        self.router = router
        self.wires = [wire for wire in layout.wires_of(router.name) if wire.link is not None]

    def text(self) -> str:
        number, _ = self.layout.router_ids(self.router.name)
        # Otherwise it would write to the log of the machine.
        log = f'log "{control.FOLDER}/{self.router.name}.log" {{ warning, error, fatal, bug }};'
        parts = [log, f"router id {number};", "protocol device {}"]
        parts += [self.kernel(version) for version in (4, 6)]
        parts += [self.statics(version) for version in (4, 6)]
        parts += [self.inside(version) for version in (4, 6) if self.inner_wires()]
        for wire in self.outer_wires():
            parts += [self.outside(wire, version) for version in (4, 6)]
        for other in self.scenario.members(self.router.asn):
            if other.name != self.router.name:
                parts += [self.to_colleague(other, version) for version in (4, 6)]
        return "\n".join(parts) + "\n"

    def inner_wires(self) -> list[Wire]:
        return [wire for wire in self.wires if self.scenario.is_inner(wire.link)]

    def outer_wires(self) -> list[Wire]:
        return [wire for wire in self.wires if not self.scenario.is_inner(wire.link)]

    def kernel(self, version: int) -> str:
        """All routes that lead somewhere; what leads nowhere must stay "net unreachable"."""
        return f"""protocol kernel kernel{version} {{
    merge paths yes limit {MOST_WAYS};
    ipv{version} {{ import none; export where dest = RTD_UNICAST; }};
}}"""

    def statics(self, version: int) -> str:
        """What only this router leads to, and what its AS announces."""
        here = [(prefix, wire) for prefix, wire in self.layout.here(self.router) if prefix.version == version]
        ways = [f"    route {prefix} via {self.next_hop(prefix, wire)};" for prefix, wire in here]
        announced = [prefix for prefix in self.scenario.announced(self.router.asn) if prefix.version == version]
        origins = [f"    route {prefix} unreachable;" for prefix in announced]
        return "\n".join([
            f"protocol static here{version} {{\n    ipv{version};\n    check link yes;", *ways, "}",
            f"protocol static announced{version} {{\n    ipv{version} {{ preference 1; }};", *origins, "}",
        ])

    def next_hop(self, prefix: Prefix, wire: Wire) -> str:
        near, far = wire.near(self.router.name), wire.far(self.router.name)
        if wire is self.layout.uplink:
            return f'"{near.interface}"'
        return str(far.transfer) if prefix.version == 4 else f"{far.fe80}%'{near.interface}'"

    def inside(self, version: int) -> str:
        """OSPF over the links inside the AS."""
        hosts = [ip_network(number) for number in self.layout.router_ids(self.router.name)]
        known = hosts + self.layout.own_in_as(self.router) + [prefix for prefix, _ in self.layout.here(self.router)]
        stubs = [f"        stubnet {prefix} {{ cost 0; }};" for prefix in known if prefix.version == version]
        interfaces = [self.inner_interface(wire, version) for wire in self.inner_wires()]
        return "\n".join([
            f"protocol ospf v{2 if version == 4 else 3} igp{version} {{",
            f"    ipv{version} {{ import all; export none; }};",
            f"    ecmp yes limit {MOST_WAYS};\n    tick 1;\n    area 0 {{",
            *stubs, *interfaces, "    };\n}",
        ])

    def inner_interface(self, wire: Wire, version: int) -> str:
        subnet = f" {OWN_V4}" if version == 4 else ""
        weight = self.bird_weight(wire)
        return f"""        interface "{wire.near(self.router.name).interface}"{subnet} {{
            type ptp; cost {wire.link.cost}; hello 1; dead count 4; ecmp weight {weight}; check link yes;
        }};"""

    def bird_weight(self, wire: Wire) -> int:
        weights = [self.world.weights[inner.link.number] for inner in self.inner_wires()]
        scale = max(1.0, max(weights) / HEAVIEST)
        return max(1, round(self.world.weights[wire.link.number] / scale))

    def outside(self, wire: Wire, version: int) -> str:
        """BGP with the neighbour at the other end of a link."""
        near, far = wire.near(self.router.name), wire.far(self.router.name)
        them = self.scenario.routers[far.node].asn
        role = self.world.relations[self.router.asn, them]
        med = 0 if self.scenario.ases[self.router.asn].multipath else them
        ends = (near.transfer, far.transfer) if version == 4 else (near.fe80, far.fe80)
        return self.session(f"{near.interface}v{version}", ends, them, version, f"""
    interface "{near.interface}";
    ipv{version} {{
        next hop self;
        import filter {{ bgp_local_pref = {PREFERENCE[role]}; bgp_med = {med}; accept; }};
        export filter {{ {self.told(them, role, version)} }};
    }};""")

    def told(self, them: int, role: str, version: int) -> str:
        """A neighbour hears of our own prefixes, as far as they are announced to it, and of our customers';
        a customer of everything."""
        ours = [prefix for prefix in self.scenario.announced(self.router.asn) if prefix.version == version]
        shown = [prefix for prefix in ours if self.is_announced_to(prefix, them)]
        own = f"if net ~ [ {', '.join(map(str, shown))} ] then accept; reject;" if shown else "reject;"
        from_customer = f"bgp_local_pref = {PREFERENCE['customer']}"
        others = "accept;" if role == "customer" else f"if {from_customer} then accept; reject;"
        return f"if source != RTS_BGP then {{ {own} }} {others}"

    def is_announced_to(self, prefix: Prefix, them: int) -> bool:
        only = self.world.announce_to.get(prefix)
        return only is None or them in only

    def to_colleague(self, other: Router, version: int) -> str:
        """BGP with another router of the AS, between router numbers."""
        ends = [self.layout.router_ids(name)[0 if version == 4 else 1] for name in (self.router.name, other.name)]
        return self.session(f"i{self.layout.numbers[other.name]}v{version}", ends, self.router.asn, version, f"""
    multihop;
    ipv{version} {{ next hop self; import all; export where source = RTS_BGP; }};""")

    def session(self, name: str, ends: tuple[Address, Address], asn: int, version: int, rest: str) -> str:
        return f"""protocol bgp {name} {{
    local {ends[0]} as {self.router.asn};
    neighbor {ends[1]} as {asn};
    strict bind yes;
    med metric yes;
    connect delay time 1; connect retry time 1; error wait time 1, 2;{rest}
}}"""

