"""What is done in the lab: it is built and a command runs in it, or it is changed and asked."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import control
from control import BirdRefuses
from kernel import KernelRefuses
from lab import Lab
from scenario import BadScenario
from settle import NotConverged

#: What can go wrong without being a mistake of this program.
FAILURES = (BadScenario, BirdRefuses, KernelRefuses, NotConverged, OSError)


def build_and_run(script: Path, node: str, events: str, scenario: str, *command: str) -> int:
    """As the first process of namespaces of our own; `script` is what `lab` runs."""
    lab = Lab.of_file(Path(scenario), int(events))
    if node not in lab.layout.nodes:
        raise BadScenario(f"{node} is no node: must be one of {', '.join(lab.layout.nodes)}")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for folder in (Path("/run/netns"), control.FOLDER):
        folder.mkdir()
    lab.build()
    for what, where in lab.left_out.items():
        shown = ", ".join(where[:3]) + (f" and {len(where) - 3} more" if len(where) > 3 else "")
        print(f"kernel-lab: left out: {what}: {shown}", file=sys.stderr)
    # A terminal sends ^C to all: the command decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["PATH"] = f"{helper(script)}:{os.environ['PATH']}"
    return at_node(node, command)


def helper(script: Path) -> Path:
    """A folder with the command `lab` in it."""
    folder = control.FOLDER / "bin"
    folder.mkdir()
    command = folder / "lab"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" --lab "$@"\n')
    command.chmod(0o755)
    return folder


def at_node(node: str, command: tuple[str, ...]) -> int:
    def as_usual():
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    code = subprocess.run(["ip", "netns", "exec", node, *command], preexec_fn=as_usual).returncode
    return code if code >= 0 else 128 - code


def of_lab(*words: str) -> int | None:
    """One of the commands of `lab`; None if there is no such command."""
    match words:
        case ["bird", router, *command]:
            print("\n".join(control.ask(router, " ".join(command))))
        case ["mrt", router, file]:
            path = Path(file).absolute()
            control.ask(router, f'mrt dump table "master*" to "{path}" where source = RTS_BGP')
        case ["in", node, *command] if command:
            return at_node(node, tuple(command))
        case ["event"]:
            events(1)
        case ["event", count] if count.isdigit():
            events(int(count))
        case ["lose" | "add" as what, *about] if 1 <= len(about) <= 2:
            Lab.running().happens({"lost" if what == "lose" else "added": called(about)})
        case ["settle"]:
            Lab.running().settle()
        case ["settle", seconds] if seconds.isdigit():
            Lab.running().settle(int(seconds))
        case ["rib", *routers]:
            rib(routers or list(Lab.running().scenario.routers))
        case _:
            return None
    return 0


def events(count: int):
    lab = Lab.running()
    for _ in range(count):
        lab.happens(lab.next_event())


def called(about: list[str]) -> str | list[str]:
    """As events of a scenario call links."""
    are_ases = all(name.upper().startswith("AS") and name[2:].isdigit() for name in about)
    return "-".join(about) if len(about) == 1 or are_ases else about


def rib(routers: list[str]):
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(["router", "prefix", "best", "local_pref", "path"])
    for router in routers:
        for route in control.routes(router):
            path = " ".join(map(str, route.path))
            table.writerow([router, route.prefix, str(route.best).lower(), route.local_pref, path])
