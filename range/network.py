"""The range's network: one bridge, and a network namespace for every machine on it.

A host is a network namespace with one address and everything else on link, so that any host reaches any other
directly and each peer address the API server sees belongs to exactly one host. Pod networks are routed through their
nodes. The bridge hangs in the sandbox's network namespace, which has no way out.
"""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from range.sandbox import RangeError

BRIDGE = "range0"
CONTROL_PLANE = "10.77.0.10"
FILE_SERVER = "203.0.113.35"


def node_address(number: int) -> str:
    """The address of the node with `number`, from 1."""
    return f"10.77.0.{10 + number}"


def pod_network(number: int) -> str:
    """The pod network of the node with `number`, from 1."""
    return f"10.244.{number}.0/24"


def make_network(hosts: Mapping[str, str], pods: Mapping[str, str]) -> None:
    """Make a namespace for each of `hosts` (name → IPv4 address) and routes to `pods` (network → node's address).

    Raises:
        RangeError: the kernel refused.
    """
    Path("/run/netns").mkdir(exist_ok=True)
    lines = [f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up", "link set lo up"]
    for number, (name, address) in enumerate(hosts.items()):
        ipaddress.IPv4Address(address)
        lines += [
            f"netns add {name}",
            f"link add veth{number} type veth peer name eth0 netns {name}",
            f"link set veth{number} master {BRIDGE} up",
        ]
    _batch(lines)
    for name, address in hosts.items():
        # Everything is on link: a host asks the bridge for any address and the one that has it answers.
        inside = [
            f"address add {address}/32 dev eth0",
            "link set lo up",
            "link set eth0 up",
            "route add default dev eth0",
        ]
        inside += [
            f"route add {network} via {gateway} dev eth0 onlink"
            for network, gateway in pods.items()
            if gateway != address
        ]
        _batch(inside, name)


def on_host(name: str) -> list[str]:
    """The words before a command that make it run in the network of host `name`."""
    return ["nsenter", f"--net=/run/netns/{name}", "--"]


def _batch(lines: Sequence[str], namespace: str = "") -> None:
    command = ["ip", *(["-n", namespace] if namespace else []), "-batch", "-"]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False)
    if done.returncode:
        raise RangeError(f"the network could not be made: {done.stderr.strip()}")
