"""Talking to a router's BIRD, over its control socket."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path("/run/kernel-lab")


class BirdRefuses(Exception):
    """BIRD did not do what it was asked to."""


def ask(router: str, command: str) -> list[str]:
    """The lines of BIRD's answer, without their codes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(30)
        line.connect(str(socket_of(router)))
        answer = line.makefile("rw")
        lines = list(one_reply(router, "greeting", answer))
        answer.write(command + "\n")
        answer.flush()
        lines = list(one_reply(router, command, answer))
    return lines


def socket_of(router: str) -> Path:
    return FOLDER / f"{router}.ctl"


def one_reply(router: str, command: str, answer) -> Iterator[str]:
    """Lines begin with a code of four digits, or with a space where it is the same as before; behind the last
    code stands a space. Codes from 8000 on are errors."""
    for text in answer:
        text = text.rstrip("\n")
        code, end, rest = text[:4], text[4:5], text[5:]
        if not code.isdigit():
            yield text[1:]
            continue
        if int(code) >= 8000:
            raise BirdRefuses(f"{router}: bird says about {command!r}: {rest}")
        yield rest
        if end == " ":
            return
    raise BirdRefuses(f"{router}: bird has ended in the middle of {command!r}")


def established(router: str) -> dict[str, str]:
    """The state of each BGP session, by its name in the configuration."""
    states = {}
    for line in ask(router, "show protocols"):
        words = line.split()
        if len(words) > 3 and words[1] == "BGP":
            states[words[0]] = words[-1] if words[3] == "up" else " ".join(words[5:]) or words[3]
    return states


def neighbourhoods(router: str, version: int) -> dict[str, dict[str, int]]:
    """The routers that OSPF knows to be reachable from here, each with its neighbours and the metric to them."""
    known: dict[str, dict[str, int]] = {}
    reachable = True
    current = None
    for line in ask(router, f"show ospf topology igp{version}"):
        if match := re.fullmatch(r"\trouter (\S+)", line):
            current = known.setdefault(match[1], {})
        elif re.fullmatch(r"\t\tunreachable", line):
            known = {name: metrics for name, metrics in known.items() if metrics is not current}
            current = None
        elif current is not None and (match := re.fullmatch(r"\t\trouter (\S+) metric (\d+)", line)):
            current[match[1]] = min(int(match[2]), current.get(match[1], int(match[2])))
    return known


@dataclass
class Route:
    """A route that BGP brought."""

    prefix: str
    best: bool
    local_pref: int
    path: list[int]


def routes(router: str) -> list[Route]:
    found = []
    for version in (4, 6):
        prefix = ""
        for line in ask(router, f"show route table master{version} all where source = RTS_BGP"):
            if match := re.match(r"(\S*) +unicast \[.*?\] (\* )?\(", line):
                prefix = match[1] or prefix
                found.append(Route(prefix, match[2] is not None, 0, []))
            elif match := re.match(r"\s+BGP\.as_path: ?(.*)", line):
                found[-1].path = [int(number) for number in match[1].split()]
            elif match := re.match(r"\s+BGP\.local_pref: (\d+)", line):
                found[-1].local_pref = int(match[1])
    return found
