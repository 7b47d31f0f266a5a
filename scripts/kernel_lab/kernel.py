"""Namespaces, interfaces, system controls and processes: the only part that touches the kernel."""

import ctypes
import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

from scenario import Address

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
#: Groups of route messages over netlink, as bits (linux/rtnetlink.h).
ROUTES_OF_BOTH_FAMILIES = 0x40 | 0x400


class KernelRefuses(Exception):
    """The system lacks something that the lab needs."""


@contextmanager
def inside(node: str) -> Iterator[None]:
    """Runs what is within in a node's network namespace; new processes stay there."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{node}") as there:
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


def enter(namespace: int):
    if LIBC.setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


def run(command: list[str], text: str = "") -> str:
    """Runs a command to its end."""
    done = subprocess.run(command, input=text, text=True, capture_output=True)
    if done.returncode != 0:
        raise KernelRefuses(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ip(lines: list[str]):
    """Commands of `ip`, in the namespace where we are."""
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")


def sysctl(values: dict[str, int | str]):
    for name, value in values.items():
        Path("/proc/sys", name).write_text(str(value))


def has_sysctl(name: str) -> bool:
    return Path("/proc/sys", name).exists()


def has_netem(interface: str) -> bool:
    probe = ["tc", "qdisc", "add", "dev", interface, "root", "netem", "delay", "1ms"]
    if subprocess.run(probe, capture_output=True).returncode != 0:
        return False
    run(["tc", "qdisc", "del", "dev", interface, "root"])
    return True


class RouteMonitor:
    """Hears of every change of a route in any of these nodes."""

    def __init__(self, nodes: list[str]):
        self.poll = select.poll()
        self.sockets = {}
        for node in nodes:
            with inside(node):
                news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                news.setblocking(False)
                news.bind((0, ROUTES_OF_BOTH_FAMILIES))
            self.sockets[news.fileno()] = news
            self.poll.register(news, select.POLLIN)

    def hears(self, seconds: float) -> bool:
        """Whether any route changes within so many seconds."""
        ready = self.poll.poll(seconds * 1000)
        for number, _ in ready:
            self.drain(self.sockets[number])
        return bool(ready)

    @staticmethod
    def drain(news: socket.socket):
        try:
            while news.recv(65536):
                pass
        except BlockingIOError:
            pass
        except OSError as error:
            # Some were lost since there were too many: that is news enough.
            if error.errno != errno.ENOBUFS:
                raise

    def close(self):
        for news in self.sockets.values():
            news.close()


def listen(listeners: list[tuple[str, int]]):
    """In a process of its own: accepts connections and closes them. Returns when all listen."""
    sockets = []
    for address, port in listeners:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        sockets.append(listener)
    if sockets and os.fork() == 0:
        while True:
            for listener in select.select(sockets, [], [])[0]:
                listener.accept()[0].close()


def bgp_under_way(but_with: set[Address]) -> bool:
    """Whether a BGP connection of this namespace holds bytes that were not yet acknowledged, or not yet read;
    connections with some addresses do not count."""
    for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, remote, state, queues, *_ = line.split()
            is_bgp = 179 in (int(end.rpartition(":")[2], 16) for end in (local, remote))
            counts = is_bgp and state == "01" and address_of(remote) not in but_with
            if counts and queues != "00000000:00000000":
                return True
    return False


def address_of(end: str) -> Address:
    """An address as /proc/net/tcp writes it: words of the machine's own byte order, then a port."""
    words = bytes.fromhex(end.rpartition(":")[0])
    step = -1 if sys.byteorder == "little" else 1
    return ip_address(b"".join(words[at:at + 4][::step] for at in range(0, len(words), 4)))
