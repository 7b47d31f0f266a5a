"""How long BGPy takes to read a table of AS relationships and to work out the routes to one origin. Time is processor time.

  bench_bgpy.py AS_REL ORIGIN

Prints the times of three propagations, how many ASes have a route then, and how many by their last AS before the origin. Of equal
routes BGPy keeps the one from the neighbour with the lowest number, too.
"""

import bz2
import collections
import gc
import gzip
import sys
import time
from importlib.metadata import version

from bgpy.as_graphs.base import ASGraph, ASGraphInfo, CustomerProviderLink, PeerLink
from bgpy.simulation_engine import BGP, Announcement, SimulationEngine

PREFIX = "175.45.176.0/24"


class Scenario:
    """As little of a scenario as the engine asks for."""

    def __init__(self, origin: int) -> None:
        self.announcements = (Announcement(prefix=PREFIX, as_path=(origin,)),)

    def get_policy_cls(self, _as: object) -> type[BGP]:
        return BGP


def read(path: str) -> ASGraphInfo:
    opened = {"gz": gzip.open, "bz2": bz2.open}.get(path.rsplit(".", 1)[-1], open)
    transit, peers = set(), set()
    with opened(path, "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            one, other, kind = line.strip().split("|")[:3]
            if kind == "-1":
                transit.add(CustomerProviderLink(provider_asn=int(one), customer_asn=int(other)))
            elif kind == "0":
                peers.add(PeerLink(int(one), int(other)))
    return ASGraphInfo(customer_provider_links=frozenset(transit), peer_links=frozenset(peers))


def main(path: str, origin: int) -> None:
    began = time.process_time()
    graph = ASGraph(read(path), store_customer_cone_size=False)
    print(f"BGPy {version('bgpy_pkg')}, Python {sys.version.split()[0]}")
    print(f"a table is read: {time.process_time() - began:.2f} s")
    for _ in range(3):
        engine = SimulationEngine(graph)
        scenario = Scenario(origin)
        gc.collect()
        began = time.process_time()
        engine.setup(scenario)
        set_up = time.process_time()
        engine.run(0, scenario)
        ended = time.process_time()
        print(f"routes to one origin: {ended - set_up:.3f} s, and {set_up - began:.3f} s to set up")
    routes = [asys.policy.local_rib.get(PREFIX) for asys in graph if asys.asn != origin]
    paths = [route.as_path for route in routes if route is not None]
    last = collections.Counter(path[-2] for path in paths)
    print(f"with a route: {len(paths)}; by the last AS: {dict(last.most_common(4))}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
