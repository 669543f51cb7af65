"""Bodies that tests run in a sandbox without a cluster: `python -m tests.range_live.sandboxed BODY WORK`.

A program of its own, for a process that has made a sandbox can start no further children.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from range.network import make_network, on_host
from range.sandbox import CGROUPS, RangeError, cgroup, run_inside

_LISTEN = (
    "import socket; s = socket.create_server(('', 8080)); print('up', flush=True); s.accept()[0].sendall(b'hello')"
)
_CONNECT = """
import socket, sys, time
started = time.monotonic()
try:
    with socket.create_connection((sys.argv[1], 8080), 1) as found:
        print(found.recv(9).decode())
except OSError as error:
    print(type(error).__name__)
assert time.monotonic() - started < 2
"""


def litter() -> int:
    """Leaves a detached process, a mount, a network namespace and a nested cgroup with a process in it."""
    make_network({"actor0": "203.0.113.9"}, {})
    Path("/run/litter").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/litter"], check=True)
    inner = CGROUPS / "memory" / cgroup() / "pod" / "container"
    inner.mkdir(parents=True)
    stays = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    (inner / "cgroup.procs").write_text(str(stays.pid))
    _say("littered")
    return 7


def stay() -> int:
    """Litters and then goes on for ever."""
    litter()
    time.sleep(3600)
    return 0


def refuse() -> int:
    """Ends as a range that cannot go on."""
    litter()
    raise RangeError("the made-up reason")


def break_down() -> int:
    """Ends as a program with a mistake in it."""
    litter()
    raise ValueError("the made-up mistake")


def look() -> int:
    """Prints what of the world can be seen and reached from the sandbox and from an actor's host."""
    make_network({"actor0": "203.0.113.9", "office": "10.77.20.5"}, {})
    seen: dict[str, object] = {}
    for name, before in (("sandbox", []), ("host", on_host("actor0"))):
        links = json.loads(_said([*before, "ip", "-j", "link"]))
        seen[f"{name} links"] = [link["ifname"] for link in links]
        seen[f"{name} routes"] = _said([*before, "ip", "route"])
    with subprocess.Popen([*on_host("office"), sys.executable, "-c", _LISTEN], stdout=subprocess.PIPE) as server:
        assert server.stdout
        server.stdout.readline()
        seen["a neighbour"] = _said([*on_host("actor0"), sys.executable, "-c", _CONNECT, "10.77.20.5"]).strip()
    seen["nobody"] = _said([*on_host("actor0"), sys.executable, "-c", _CONNECT, "192.0.2.250"]).strip()
    try:
        socket.create_connection(("192.0.2.250", 8080), 1)
    except OSError as error:
        seen["nobody, from the sandbox"] = error.strerror
    seen["processes"] = len([path for path in Path("/proc").iterdir() if path.name.isdigit()])
    _say(json.dumps(seen))
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _said(words: list[str]) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


BODIES: dict[str, Callable[[], int]] = {body.__name__: body for body in (litter, stay, refuse, break_down, look)}

if __name__ == "__main__":
    sys.exit(run_inside(Path(sys.argv[2]), BODIES[sys.argv[1]]))
