"""A scenario file as the kernel lab reads it: a second reading of docs/scenarios.md, on purpose not the product's.

It trusts that the file holds to the rules (`tetherline lab check FILE` says whether it does), and keeps a list of
what Linux and BIRD cannot express: every key that it does not know is on it.
"""

import re
import tomllib
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network

#: What an event may be, beside its time.
EVENTS = {
    "at", "added", "lost", "router_down", "router_up", "announce", "relation", "weight", "icmp_rate", "uplink",
    "hosts_down", "hosts_up",
}
#: What a router hashes unless it says otherwise.
FLOW = ["source", "destination", "protocol", "ports", "icmp", "flow-label"]

#: The scenarios that the program carries.
BUILT_INS = Path(__file__).resolve().parents[2] / "src/lab"
#: Of IPv6 (RFC 8200 §5).
SMALLEST_MTU = 1280


class BadScenario(Exception):
    """The file cannot be read as a scenario."""


class Table:
    """One table of the file. What is never asked for is left out of the lab."""

    def __init__(self, what: str, keys: dict):
        self.what = what
        self.keys = dict(keys)

    def need(self, key: str):
        if key not in self.keys:
            raise BadScenario(f"{self.what} has no {key}: tetherline lab check says what is wrong with a scenario")
        return self.keys.pop(key)

    def get(self, key: str, default=None):
        return self.keys.pop(key, default)


@dataclass
class As:
    number: int
    prefixes: list[Prefix]
    multipath: bool


@dataclass
class Rate:
    per_second: float
    burst: int


@dataclass
class Filter:
    protocol: str
    to: Prefix | None
    prohibited: bool


@dataclass
class Router:
    name: str
    asn: int
    own: list[Address]
    silent: bool
    balance_over: list[str]
    #: "inbound", "outbound", "router", or addresses.
    answers_from: str | list[Address]
    icmp_rate: Rate | None
    filters: list[Filter]


@dataclass
class Link:
    #: Counts from 1; both interfaces are called l and this number.
    number: int
    name: str | None
    ends: tuple[str, str]
    addresses: tuple[list[Address], list[Address]]
    delay_ms: float
    #: Mean and shape.
    jitter: tuple[float, str] | None
    loss: float
    duplicate: float
    mtu: int | None
    weight: int
    cost: int

    def far(self, router: str) -> str:
        return self.ends[1 - self.side(router)]

    def side(self, router: str) -> int:
        return self.ends.index(router)

    def at(self, router: str) -> list[Address]:
        return self.addresses[self.side(router)]


@dataclass
class Network:
    prefix: Prefix
    router: str
    announce_to: list[int] | None


@dataclass
class Host:
    addresses: list[Address]
    echo: bool
    open: list[int]
    silent: bool
    filtered: list[str]
    icmp_rate: Rate | None
    reply_ttl: int


@dataclass
class Vantage:
    addresses: list[Address]
    gateway: str
    delay_ms: float


@dataclass
class Scenario:
    vantage: Vantage
    ases: dict[int, As]
    #: What the second AS is to the first: "customer", "peer" or "provider".
    relations: dict[tuple[int, int], str]
    routers: dict[str, Router]
    links: list[Link]
    networks: list[Network]
    hosts: list[Host]
    #: As the file has them, in the order of time.
    events: list[dict]
    #: What the lab does not build, and where the file has it.
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def members(self, asn: int) -> list[Router]:
        return [router for router in self.routers.values() if router.asn == asn]

    def links_of(self, router: str) -> list[Link]:
        return [link for link in self.links if router in link.ends]

    def is_inner(self, link: Link) -> bool:
        one, other = link.ends
        return self.routers[one].asn == self.routers[other].asn

    def announced(self, asn: int) -> list[Prefix]:
        """All that an AS announces: its infrastructure, then the networks behind its routers."""
        behind = [network.prefix for network in self.networks if self.routers[network.router].asn == asn]
        return self.ases[asn].prefixes + behind

    def origin(self, address: Address) -> int | None:
        """The AS that announces the longest prefix which covers an address."""
        covering = [(prefix, asn) for asn in self.ases for prefix in self.announced(asn) if address in prefix]
        return max(covering, key=lambda found: found[0].prefixlen)[1] if covering else None

    def router_before(self, address: Address) -> str | None:
        """The router behind which a host is."""
        covering = [network for network in self.networks if address in network.prefix]
        return max(covering, key=lambda network: network.prefix.prefixlen).router if covering else None


def tables(path: Path) -> dict:
    """The tables of a file or of a built-in scenario, and of the one that it extends."""
    built_in = BUILT_INS / (str(path).replace("-", "_") + ".toml")
    where = built_in if not path.exists() and built_in.exists() else path
    try:
        own = tomllib.loads(where.read_text())
    except (OSError, ValueError) as error:
        raise BadScenario(f"{path}: {error}") from error
    if "extends" not in own:
        return own
    base = own.pop("extends")
    beside = where.parent / base
    return tables(beside if beside.exists() else Path(base)) | own


class Reader:
    """Turns tables into a scenario, and notes what it leaves out."""

    def __init__(self, tables: dict):
        file = Table("the scenario", tables)
        self.left_out: dict[str, list[str]] = {}
        for nothing in ("seed", "convergence", "convergence_inside", "clock"):
            file.get(nothing)
        ases = file.get("as", [])
        self.scenario = Scenario(
            vantage=self.vantage(file.need("vantage")),
            ases={asn(keys["number"]): self.asys(keys) for keys in ases},
            relations=relations(ases),
            routers={keys["name"]: self.router(keys) for keys in file.get("router", [])},
            links=[self.link(number, keys) for number, keys in enumerate(file.get("link", []), 1)],
            networks=[self.network(keys) for keys in file.get("network", [])],
            hosts=[self.host(keys) for keys in file.get("host", [])],
            events=sorted(file.get("event", []), key=lambda event: datetime.fromisoformat(event["at"])),
            left_out=self.left_out,
        )
        for link in self.scenario.links:
            if link.weight != 1 and not self.scenario.is_inner(link):
                self.left_out.setdefault("weight", []).append(f"link {' - '.join(link.ends)}")
        for event in self.scenario.events:
            for what in event.keys() - EVENTS:
                self.left_out.setdefault(f"event: {what}", []).append(event["at"])
        self.done(file)
        check_names(self.scenario)

    def done(self, table: Table):
        for key in table.keys:
            self.note(table, key)

    def note(self, table: Table, what: str):
        self.left_out.setdefault(what, []).append(table.what)

    def vantage(self, keys: dict) -> Vantage:
        table = Table("the vantage", keys)
        table.get("name")
        vantage = Vantage(
            addresses=addresses(table.need("addresses")),
            gateway=table.need("gateway"),
            delay_ms=span_ms(table.get("delay", "0ms")),
        )
        self.done(table)
        return vantage

    def asys(self, keys: dict) -> As:
        number = asn(keys["number"])
        table = Table(f"AS{number}", keys)
        for read_elsewhere in ("number", "name", "providers", "peers"):
            table.get(read_elsewhere)
        asys = As(
            number=number,
            prefixes=[ip_network(prefix) for prefix in table.get("prefixes", [])],
            multipath=table.get("multipath", False),
        )
        self.done(table)
        return asys

    def router(self, keys: dict) -> Router:
        table = Table(f"router {keys['name']}", keys)
        router = Router(
            name=table.need("name"),
            asn=asn(table.need("as")),
            own=addresses(table.get("addresses", [])),
            silent=table.get("silent", False),
            balance_over=self.balance(table),
            answers_from=self.answers_from(table),
            icmp_rate=rate(table.get("icmp_rate")),
            filters=[self.filter(table, keys) for keys in table.get("filters", [])],
        )
        # Linux quotes as RFC 1812 says.
        if table.keys.get("quote") == "rfc1812":
            table.get("quote")
        self.done(table)
        return router

    def filter(self, router: Table, keys: dict) -> Filter:
        table = Table(f"a filter of {router.what}", keys)
        to = table.get("to")
        found = Filter(
            protocol=table.need("protocol"),
            to=None if to is None else ip_network(to),
            prohibited=table.get("answer", "prohibited") == "prohibited",
        )
        self.done(table)
        return found

    def balance(self, table: Table) -> list[str]:
        """The fields that a router hashes, of those that Linux can hash."""
        balance = table.get("balance", "per-flow")
        over = table.get("balance_over", ["destination"] if balance == "per-destination" else FLOW)
        if balance not in ("per-flow", "per-destination"):
            self.note(table, f'balance = "{balance}" (it balances per flow)')
        if "tos" in over:
            self.note(table, 'balance_over = "tos"')
        return over

    def answers_from(self, table: Table) -> str | list[Address]:
        whence = table.get("answers_from", "inbound")
        if whence == "outbound":
            self.note(table, 'answers_from = "outbound" over IPv6')
        return addresses(whence) if isinstance(whence, list) else whence

    def link(self, number: int, keys: dict) -> Link:
        one, other = keys["between"]
        table = Table(f"link {one} - {other}", keys)
        at_one, at_other = table.get("addresses", [[], []])
        link = Link(
            number=number,
            name=table.get("name"),
            ends=tuple(table.need("between")),
            addresses=(addresses(at_one), addresses(at_other)),
            delay_ms=span_ms(table.need("delay")),
            jitter=self.jitter(table),
            loss=self.loss(table),
            duplicate=table.get("duplicate", 0.0),
            mtu=self.mtu(table),
            weight=table.get("weight", 1),
            cost=table.get("cost", 1),
        )
        self.done(table)
        return link

    def mtu(self, table: Table) -> int | None:
        mtu = table.get("mtu")
        if mtu is not None and mtu < SMALLEST_MTU:
            self.note(table, f"mtu = {mtu} (it is {SMALLEST_MTU}, since IPv6 takes no less)")
            return SMALLEST_MTU
        return mtu

    def jitter(self, table: Table) -> tuple[float, str] | None:
        jitter = table.get("jitter")
        if jitter is None:
            return None
        keys = {"mean": jitter} if isinstance(jitter, str) else jitter
        shape = keys.get("shape", "exponential")
        if shape not in ("uniform", "normal"):
            self.note(table, f"jitter of the shape {shape}")
            return None
        return span_ms(keys["mean"]), shape

    def loss(self, table: Table) -> float:
        loss = table.get("loss", 0.0)
        if isinstance(loss, dict):
            self.note(table, "loss in bursts (as often, but each packet by itself)")
            return loss["mean"]
        return loss

    def network(self, keys: dict) -> Network:
        table = Table(f"network {keys['prefix']}", keys)
        to = table.get("announce_to")
        network = Network(
            prefix=ip_network(table.need("prefix")),
            router=table.need("router"),
            announce_to=None if to is None else [asn(number) for number in to],
        )
        self.done(table)
        return network

    def host(self, keys: dict) -> Host:
        table = Table(f"host {keys['addresses'][0]}", keys)
        host = Host(
            addresses=addresses(table.need("addresses")),
            echo=table.get("echo", True),
            open=table.get("open", []),
            silent=table.get("closed", "refused") == "silent",
            filtered=table.get("filtered", []),
            icmp_rate=rate(table.get("icmp_rate")),
            reply_ttl=table.get("reply_ttl", 64),
        )
        self.done(table)
        return host


def asn(number: int | str) -> int:
    return int(str(number).upper().removeprefix("AS"))


def addresses(texts: list[str]) -> list[Address]:
    return [ip_address(text) for text in texts]


def rate(keys: dict | None) -> Rate | None:
    return None if keys is None else Rate(float(keys["per_second"]), keys["burst"])


def relations(ases: list[dict]) -> dict[tuple[int, int], str]:
    found = {}
    for keys in ases:
        me = asn(keys["number"])
        for provider in map(asn, keys.get("providers", [])):
            relate(found, provider, me, "customer")
        for peer in map(asn, keys.get("peers", [])):
            relate(found, peer, me, "peer")
    return found


def relate(found: dict[tuple[int, int], str], one: int, other: int, role: str):
    """Notes that `other` is to `one` a "customer" or "peer"."""
    found[one, other] = role
    found[other, one] = {"customer": "provider", "peer": "peer"}[role]


MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6, "d": 8.64e7}


def span_ms(text: str) -> float:
    """A span of time as humantime writes it, in milliseconds."""
    parts = re.findall(r"(\d+)\s*(ns|us|ms|s|m|h|d)", text)
    return sum(int(count) * MILLISECONDS[unit] for count, unit in parts)


def check_names(scenario: Scenario):
    """Names of routers become names of network namespaces."""
    for name in scenario.routers:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}", name) or name == "vantage":
            rule = "must be letters, digits, '.', '-' and '_', and not \"vantage\", for the kernel lab"
            raise BadScenario(f"router.name = {name}: {rule}")
