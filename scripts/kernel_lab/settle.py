"""Waits until routes have converged, by what can be seen of it, and never by sleeping for a while.

Converged means: every BGP session whose link is up is established, and no other one between ASes; every router's
picture of its AS (OSPF) is what is there; and since then no kernel route of any router has changed
for longer than BIRD ever waits before it works out routes (its OSPF tick of a second), while no
BGP connection holds bytes that were not acknowledged or not read.
"""

import time
from collections import defaultdict

import control
from kernel import RouteMonitor, bgp_under_way, inside
from layout import Layout
from scenario import Address, Router
from world import World

#: Longer than OSPF's tick.
QUIET_SECONDS = 1.6
#: Between two looks at what BIRD says of itself, which it does not announce.
LOOK_AGAIN_SECONDS = 0.1


class NotConverged(Exception):
    """The deadline came first."""


def settle(layout: Layout, world: World, deadline_seconds: float):
    """Returns when routes have converged."""
    deadline = time.monotonic() + deadline_seconds
    monitor = RouteMonitor(list(layout.scenario.routers))
    try:
        while (reason := not_yet(layout, world, monitor)) is not None:
            if time.monotonic() > deadline:
                raise NotConverged(f"not converged after {deadline_seconds:g} s: {reason}")
    finally:
        monitor.close()


def not_yet(layout: Layout, world: World, monitor: RouteMonitor) -> str | None:
    """Why routes have not converged; looks again at once if a route has changed, else after a moment."""
    if reason := first_difference(layout, world):
        monitor.hears(LOOK_AGAIN_SECONDS)
        return reason
    if monitor.hears(QUIET_SECONDS):
        return "kernel routes are still changing"
    for router in layout.scenario.routers.values():
        with inside(router.name):
            if bgp_under_way(but_with=out_of_reach(layout, world, router)):
                return f"{router.name} is still talking to a neighbour"
    return first_difference(layout, world)


def first_difference(layout: Layout, world: World) -> str | None:
    """What BIRD sees otherwise than it is."""
    for router in layout.scenario.routers.values():
        if reason := sessions(layout, world, router) or pictures(layout, world, router):
            return f"{router.name}: {reason}"
    return None


def sessions(layout: Layout, world: World, router: Router) -> str | None:
    states = control.established(router.name)
    for name, wanted in expected_sessions(layout, world, router).items():
        state = states.get(name, "not there")
        if (state == "Established") != wanted:
            return f"session {name} is {state}"
    return None


def expected_sessions(layout: Layout, world: World, router: Router) -> dict[str, bool]:
    """Whether each session must be established. Sessions inside an AS to routers that cannot be reached may be
    either: BGP finds out late, and OSPF makes their routes useless at once."""
    scenario = layout.scenario
    expected = {}
    for link in scenario.links_of(router.name):
        if not scenario.is_inner(link):
            expected |= {f"l{link.number}v{version}": world.is_up(link) for version in (4, 6)}
    for name in component(world, router):
        if name != router.name:
            expected |= {f"i{layout.numbers[name]}v{version}": True for version in (4, 6)}
    return expected


def out_of_reach(layout: Layout, world: World, router: Router) -> set[Address]:
    """The numbers of routers of the same AS that a router cannot reach inside it."""
    reached = component(world, router)
    lost = [other.name for other in layout.scenario.members(router.asn) if other.name not in reached]
    return {number for name in lost for number in layout.router_ids(name)}


def pictures(layout: Layout, world: World, router: Router) -> str | None:
    """Whether OSPF knows the routers that can be reached inside the AS, and the links between them."""
    scenario = layout.scenario
    if not any(scenario.is_inner(link) for link in scenario.links_of(router.name)):
        return None
    expected = {name: neighbours(world, name) for name in component(world, router)}
    names = {str(layout.router_ids(name)[0]): name for name in scenario.routers}
    for version in (4, 6):
        known = {
            names[number]: {names[other]: metric for other, metric in metrics.items()}
            for number, metrics in control.neighbourhoods(router.name, version).items()
        }
        if known != expected:
            return f"OSPF for IPv{version} does not know all links, or links that are gone"
    return None


def component(world: World, router: Router) -> dict[str, None]:
    """The routers of its AS that a router can reach inside it, itself the first."""
    reached = {router.name: None}
    for name in (queue := [router.name]):
        for other in neighbours(world, name):
            if other not in reached:
                reached[other] = None
                queue.append(other)
    return reached


def neighbours(world: World, name: str) -> dict[str, int]:
    """The routers of the same AS at the other ends of links that are up, each with the lowest cost."""
    costs: defaultdict[str, list[int]] = defaultdict(list)
    for link in world.scenario.links_of(name):
        if world.scenario.is_inner(link) and world.is_up(link):
            costs[link.far(name)].append(link.cost)
    return {other: min(of_links) for other, of_links in costs.items()}
