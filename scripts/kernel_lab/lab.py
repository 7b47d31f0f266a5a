"""The lab itself: built once, changed by events, asked by commands."""

import json
from pathlib import Path

import bird
import control
import filters
import kernel
from layout import End, Layout, Wire, hosts_node
from scenario import BadScenario, Reader, Router, tables
from settle import settle
from world import World, world

#: What a command in the lab must know of it.
STATE = control.FOLDER / "state.json"
CONVERGENCE_SECONDS = 90
#: Of a kernel route behind all others.
LAST_METRIC = 0xFFFF_FFFF
#: In every namespace, before there is any interface.
EVERYWHERE = {
    "net/ipv4/icmp_msgs_per_sec": 1_000_000,
    "net/ipv4/icmp_msgs_burst": 1_000_000,
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
    "net/ipv4/conf/all/send_redirects": 0,
    "net/ipv4/conf/default/send_redirects": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/accept_dad": 0,
    # Addresses stay when a link goes, and are there when it comes back.
    "net/ipv6/conf/all/keep_addr_on_down": 1,
    "net/ipv6/conf/default/keep_addr_on_down": 1,
    # Link-local addresses are ours to choose.
    "net/ipv6/conf/default/addr_gen_mode": 1,
}
ROUTER = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/conf/default/forwarding": 1,
    "net/ipv4/ip_default_ttl": 255,
    "net/ipv6/conf/default/hop_limit": 255,
    "net/ipv4/icmp_errors_use_inbound_ifaddr": 1,
    "net/ipv4/fwmark_reflect": 1,
    "net/ipv6/fwmark_reflect": 1,
    # By the fields of the packet alone. The plain 5-tuple policy would take a hash that the sender's socket
    # drew at random, which travels with a packet over a veth, but over no wire.
    "net/ipv4/fib_multipath_hash_policy": 3,
    "net/ipv6/fib_multipath_hash_policy": 3,
}
#: Bits of fib_multipath_hash_fields (Documentation/networking/ip-sysctl.rst).
HASH_FIELDS = {"source": 0x1, "destination": 0x2, "protocol": 0x4, "flow-label": 0x8, "ports": 0x30}
#: Every router its own hash, or all would send the same flows the same way. Since Linux 6.11.
HASH_SEED = "net/ipv4/fib_multipath_hash_seed"


class Lab:
    def __init__(self, tables: dict, happened: list[dict]):
        self.tables = tables
        self.scenario = Reader(tables).scenario
        self.layout = Layout(self.scenario)
        self.happened = happened
        self.now = world(self.scenario, happened)
        self.left_out = dict(self.scenario.left_out)

    @classmethod
    def of_file(cls, path: Path, events: int) -> "Lab":
        """A lab that is still to be built, after the first events of its scenario."""
        read = tables(path)
        return cls(read, Reader(read).scenario.events[:events])

    @classmethod
    def running(cls) -> "Lab":
        """The lab in which we are."""
        return cls(*json.loads(STATE.read_text()))

    def build(self):
        """Makes everything, and returns when routes have converged."""
        self.namespaces()
        self.wires()
        for router in self.scenario.routers.values():
            self.addresses(router)
        self.end_system("vantage", self.layout.uplink)
        for router, wire in self.layout.to_hosts.items():
            self.end_system(hosts_node(router), wire)
        self.delays()
        self.apply(before=None)
        for router in self.scenario.routers:
            self.start_bird(router)
        self.listeners()
        settle(self.layout, self.now, CONVERGENCE_SECONDS)

    def namespaces(self):
        kernel.ip([f"netns add {node}" for node in self.layout.nodes])
        for node in self.layout.nodes:
            router = self.scenario.routers.get(node)
            with kernel.inside(node):
                kernel.sysctl(EVERYWHERE | (self.controls(router) if router else {}))

    def controls(self, router: Router) -> dict[str, int | str]:
        fields = sum(HASH_FIELDS.get(field, 0) for field in router.balance_over)
        without_label = fields & ~HASH_FIELDS["flow-label"]
        own = {
            "net/ipv4/fib_multipath_hash_fields": without_label or HASH_FIELDS["protocol"],
            "net/ipv6/fib_multipath_hash_fields": fields or HASH_FIELDS["protocol"],
        }
        if kernel.has_sysctl(HASH_SEED):
            own[HASH_SEED] = self.layout.numbers[router.name]
        if router.answers_from == "outbound":
            own["net/ipv4/icmp_errors_use_inbound_ifaddr"] = 0
        return ROUTER | own

    def wires(self):
        def cable(wire: Wire) -> str:
            one, other = (f"{end.interface} netns {end.node}" for end in wire.ends)
            return f"link add {one} type veth peer name {other}"

        kernel.ip([cable(wire) for wire in self.layout.wires])

    def addresses(self, router: Router):
        own = [f"address add {address} dev lo{nodad(address)}" for address in self.layout.own_addresses(router)]
        v4, v6 = self.layout.router_ids(router.name)
        # Deprecated, so that it is no source of anything that does not ask for it.
        own += [f"address add {v4} dev lo scope host", f"address add {v6} dev lo nodad preferred_lft 0"]
        # What nobody has in a prefix of ours is "net unreachable", and must not follow a shorter prefix elsewhere.
        ours = self.scenario.announced(router.asn)
        throws = [f"route add throw {prefix} metric {LAST_METRIC}" for prefix in ours]
        lines = ["link set lo up", *own, *throws]
        for wire in self.layout.wires_of(router.name):
            lines += interface(wire.near(router.name))
            if wire.link and wire.link.mtu:
                lines.append(f"link set {wire.near(router.name).interface} mtu {wire.link.mtu}")
        with kernel.inside(router.name):
            kernel.ip(lines)

    def end_system(self, node: str, wire: Wire):
        """The vantage, or the hosts behind a router."""
        with kernel.inside(node):
            kernel.ip(["link set lo up", *interface(wire.near(node))])

    def delays(self):
        """What netem does, where the kernel has it."""
        with kernel.inside("vantage"):
            if not kernel.has_netem("uplink"):
                self.left_out["delays, jitter and duplicates (this kernel has no netem)"] = ["everywhere"]
                return
        for wire in self.layout.wires:
            if told := netem(wire, self.scenario.vantage.delay_ms if wire is self.layout.uplink else 0.0):
                for end in wire.ends:
                    with kernel.inside(end.node):
                        kernel.run(["tc", "qdisc", "add", "dev", end.interface, "root", "netem", *told])

    def apply(self, before: World | None):
        """Makes the lab what the world is now; does not wait until routes have converged."""
        STATE.write_text(json.dumps([self.tables, self.happened]))
        for wire in self.layout.wires:
            self.plug(wire, before)
        for router in self.scenario.routers.values():
            rate = filters.icmp_ratelimit(self.now.icmp_rates[router.name])
            with kernel.inside(router.name):
                kernel.run(["nft", "-f", "-"], filters.of_router(self.layout, self.now, router))
                kernel.sysctl({"net/ipv4/icmp_ratelimit": rate or 0})
            self.configure_bird(router, running=before is not None)
        for router in self.layout.host_routers:
            with kernel.inside(hosts_node(router)):
                kernel.run(["nft", "-f", "-"], filters.of_hosts(self.layout, self.now, router))

    def plug(self, wire: Wire, before: World | None):
        there = self.is_plugged(wire, self.now)
        if before is not None and there == self.is_plugged(wire, before):
            return
        for near, far in (wire.ends, wire.ends[::-1]):
            lines = [f"link set {near.interface} {'up' if there else 'down'}"]
            # What Linux forgets with the cable.
            lines += [f"address replace {near.fe80}/64 dev {near.interface} nodad"] if there else []
            lines += default_routes(near, far) if there and near.node not in self.scenario.routers else []
            with kernel.inside(near.node):
                kernel.ip(lines)

    def is_plugged(self, wire: Wire, then: World) -> bool:
        if wire.link is not None:
            return then.is_up(wire.link)
        is_dead = any(end.node in then.routers_down for end in wire.ends)
        return not is_dead and (wire is not self.layout.uplink or then.uplink)

    def configure_bird(self, router: Router, running: bool):
        path = control.FOLDER / f"{router.name}.conf"
        text = bird.Configuration(self.layout, self.now, router).text()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            if running:
                control.ask(router.name, f'configure "{path}"')

    def start_bird(self, router: str):
        """BIRD puts itself into the background once it has read its configuration."""
        conf, pid = (str(control.FOLDER / f"{router}.{what}") for what in ("conf", "pid"))
        with kernel.inside(router):
            kernel.run(["bird", "-c", conf, "-s", str(control.socket_of(router)), "-P", pid])

    def listeners(self):
        for router in self.layout.host_routers:
            here = set(self.layout.hosts_behind(router))
            open_ports = []
            for host in self.scenario.hosts:
                mine = [str(address) for address in host.addresses if address in here]
                open_ports += [(address, port) for address in mine for port in host.open]
            with kernel.inside(hosts_node(router)):
                kernel.listen(open_ports)

    def next_event(self) -> dict:
        """The first event of the scenario that has not happened yet."""
        to_come = [event for event in self.scenario.events if event not in self.happened]
        if not to_come:
            raise BadScenario("no event of the scenario is left")
        return to_come[0]

    def happens(self, event: dict):
        before = self.now
        self.happened.append(event)
        self.now = world(self.scenario, self.happened)
        self.apply(before)

    def settle(self, seconds: float = CONVERGENCE_SECONDS):
        settle(self.layout, self.now, seconds)


def interface(end: End) -> list[str]:
    """The addresses of an interface, the one with which it answers first."""
    voices = [f"address add {voice} dev {end.interface}{nodad(voice)}" for voice in end.voices]
    # The vantage has none but its own, for programs that look for a source among the addresses of an interface.
    transfer = [] if end.node == "vantage" else [f"address add {end.transfer}/31 dev {end.interface} scope host"]
    return voices + transfer


def default_routes(near: End, far: End) -> list[str]:
    """Of the vantage, or of hosts: everything goes to their router."""
    v4 = [voice for voice in near.voices if voice.version == 4]
    source = f" src {v4[0]}" if v4 else ""
    return [
        f"route replace default via {far.transfer} dev {near.interface} onlink{source}",
        f"route replace default via {far.fe80} dev {near.interface}",
    ]


def netem(wire: Wire, delay_ms: float) -> list[str]:
    """What netem is told about a wire, each way; nothing if there is nothing to do."""
    link = wire.link
    told = []
    if link is not None:
        mean, shape = link.jitter or (0.0, "none")
        delay_ms = link.delay_ms + mean
        told = {"uniform": [f"{mean}ms"], "normal": [f"{mean / 3}ms", "distribution", "normal"]}.get(shape, [])
    told = ["delay", f"{delay_ms}ms", *told] if delay_ms else []
    if link is not None and link.duplicate:
        told += ["duplicate", f"{100 * link.duplicate}%"]
    return told


def nodad(address) -> str:
    return " nodad" if address.version == 6 else ""
