"""What nftables does in a router and before hosts: filters, loss, silence, limits.

The lab's own traffic (BGP, OSPF, neighbour discovery) passes untouched.
"""

from collections.abc import Iterable

from layout import Layout, OWN_V4, OWN_V6, LINK_LOCAL, Wire
from scenario import Address, Filter, Host, Rate, Router
from world import World

OWN_TRAFFIC = f"""        ip saddr {OWN_V4} accept
        ip6 saddr {{ {LINK_LOCAL}, {OWN_V6} }} accept
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept"""
#: The errors that are a router's own, and not the answer of an address that was asked.
COMPLAINTS = {
    4: ("icmp type time-exceeded", "icmp type destination-unreachable icmp code != port-unreachable"),
    6: ("icmpv6 type time-exceeded", "icmpv6 type destination-unreachable icmpv6 code != port-unreachable"),
}
PROTOCOL = {"icmp": "meta l4proto { icmp, icmpv6 }", "udp": "meta l4proto udp", "tcp": "meta l4proto tcp"}
TTL = {4: "ip ttl", 6: "ip6 hoplimit"}
#: Tokens of the limiter that Linux has by itself, which can say only how fast they come in.
LINUX_BURST = 6


def of_router(layout: Layout, world: World, router: Router) -> str:
    wires = layout.wires_of(router.name)
    early = [*losses(router, wires), *voiceless(router, wires), *before_the_ttl(router.filters)]
    rate = world.icmp_rates[router.name]
    late = [reject(one) for one in router.filters if one.prohibited]
    return table([
        chain("early", "prerouting", -150, early),
        chain("late", "forward", 0, late),
        chain("out", "output", 0, ["drop"] if router.silent else limited(rate), first=unspoken(router)),
        "    chain errors {\n" + errors(rate) + "    }",
    ])


def losses(router: Router, wires: list[Wire]) -> Iterable[str]:
    for wire in wires:
        if wire.link is not None and wire.link.loss > 0:
            share = round(wire.link.loss * 1_000_000)
            yield f'iifname "{wire.near(router.name).interface}" numgen random mod 1000000 < {share} drop'


def voiceless(router: Router, wires: list[Wire]) -> Iterable[str]:
    """Where a router has no address of a family, it does not complain about what came in there. Linux would take
    an address from elsewhere; the mark is carried over to its errors (fwmark_reflect)."""
    for wire in wires:
        near = wire.near(router.name)
        for version in {4, 6} - {address.version for address in near.voices}:
            yield f'iifname "{near.interface}" meta nfproto ipv{version} meta mark set 1'


def before_the_ttl(filters: list[Filter]) -> Iterable[str]:
    """Filters come before the TTL (RFC 1812 §5.2.1), but what Linux refuses in "forward" has passed that
    already: it gets one TTL more, which is counted down again before it is quoted. Only packets with a
    route are filtered, and none to the router itself."""
    for one in filters:
        met = f"{matches(one)} fib daddr type unicast"
        if not one.prohibited:
            yield f"{met} drop"
            continue
        for version, ttl in TTL.items():
            if one.to is None or one.to.version == version:
                yield f"{met} {ttl} 1 {ttl} set 2"


def matches(one: Filter) -> str:
    to = "" if one.to is None else f"{'ip' if one.to.version == 4 else 'ip6'} daddr {one.to} "
    return to + PROTOCOL[one.protocol]


def reject(one: Filter) -> str:
    return f"{matches(one)} reject with icmpx type admin-prohibited"


def unspoken(router: Router) -> Iterable[str]:
    """Errors that the router has no address for, even if Linux has found one."""
    marked = "" if router.silent else "meta mark 1 "
    return (f"{marked}{kind} drop" for kinds in COMPLAINTS.values() for kind in kinds)


def limited(rate: Rate | None) -> Iterable[str]:
    if rate is not None:
        for version in (4, 6):
            if version == 6 or icmp_ratelimit(rate) is None:
                family = "icmp" if version == 4 else "icmpv6"
                yield f"{family} type {{ time-exceeded, destination-unreachable }} jump errors"


def errors(rate: Rate | None) -> str:
    return "" if rate is None else f"        {limit(rate)} drop\n"


def icmp_ratelimit(rate: Rate | None) -> int | None:
    """Milliseconds between two ICMP errors, if Linux's own limiter can keep this rate; 0 is no limit."""
    if rate is None:
        return 0
    milliseconds = 1000 / rate.per_second if rate.per_second else 0
    fits = rate.burst == LINUX_BURST and milliseconds >= 1 and milliseconds == int(milliseconds)
    return int(milliseconds) if fits else None


def limit(rate: Rate) -> str:
    """What comes on top of a rate, in whole numbers as nftables wants them."""
    for unit, seconds in (("second", 1), ("minute", 60), ("hour", 3600), ("day", 86400)):
        if (count := rate.per_second * seconds) >= 1 and abs(count - round(count)) < 0.01 * count:
            return f"limit rate over {round(count)}/{unit} burst {rate.burst} packets"
    return f"limit rate over 1/day burst {rate.burst} packets"


def of_hosts(layout: Layout, world: World, router: str) -> str:
    """For all hosts behind one router."""
    arriving, leaving = [], []
    here = set(layout.hosts_behind(router))
    for host in layout.scenario.hosts:
        for version in (4, 6):
            addresses = [address for address in host.addresses if address in here and address.version == version]
            if addresses:
                arriving += accepted(host, addresses, world)
                leaving += answers(host, addresses)
    return table([chain("in", "input", 0, arriving), chain("out", "output", 0, leaving)])


def accepted(host: Host, addresses: list[Address], world: World) -> Iterable[str]:
    off = [address for address in addresses if address in world.hosts_down]
    if off:
        yield f"{among('daddr', off)} drop"
    to = among("daddr", addresses)
    for protocol in host.filtered:
        yield f"{to} {PROTOCOL[protocol]} drop"
    if not host.echo:
        kind = "icmp" if addresses[0].version == 4 else "icmpv6"
        yield f"{to} {kind} type echo-request drop"
    if host.silent:
        open_ports = f"tcp dport != {{ {', '.join(map(str, host.open))} }} " if host.open else PROTOCOL["tcp"] + " "
        yield f"{to} {open_ports}drop"
        yield f"{to} {PROTOCOL['udp']} drop"


def answers(host: Host, addresses: list[Address]) -> Iterable[str]:
    yield f"{among('saddr', addresses)} {TTL[addresses[0].version]} set {host.reply_ttl}"
    if host.icmp_rate is not None:
        for address in addresses:
            yield f"{among('saddr', [address])} {PROTOCOL['icmp']} {limit(host.icmp_rate)} drop"


def among(side: str, addresses: list[Address]) -> str:
    return f"{'ip' if addresses[0].version == 4 else 'ip6'} {side} {{ {', '.join(map(str, addresses))} }}"


def chain(name: str, hook: str, priority: int, rules: Iterable[str], first: Iterable[str] = ()) -> str:
    """The rules hold for all but the lab's own traffic; those that come first hold for that too."""
    before, behind = ("".join(f"        {rule}\n" for rule in some) for some in (first, rules))
    head = f"    chain {name} {{\n        type filter hook {hook} priority {priority};\n"
    return f"{head}{before}{OWN_TRAFFIC}\n{behind}    }}"


def table(chains: list[str]) -> str:
    """A whole ruleset, in one step: what was there before is gone."""
    # Created first, so that the deletion cannot fail.
    before = "table inet lab\ndelete table inet lab\n"
    return before + "table inet lab {\n" + "\n".join(reversed(chains)) + "\n}\n"
