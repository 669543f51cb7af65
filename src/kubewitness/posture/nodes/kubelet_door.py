"""How far the kubelet's door stands open where its settings refuse nobody.

Anonymous access, the authorization mode and what lies before the port are checks of their own, and one door: each is
rated by where the door leads, so that whichever is asked says the same as the others. `stands` looks from the kubelet
outwards: loopback, no listener, the packet filter, no public address, and then nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

from kubewitness.model.host import Socket
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture import reading
from kubewitness.posture.check import Machine, Snapshot, key
from kubewitness.posture.control_plane.addresses import is_loopback
from kubewitness.posture.kubelet_view import View
from kubewitness.posture.nodes.network import ALL, Reach, addresses_of, is_local, listening, own_sockets, reach

SUBJECT: Final = "kubelet"
_PORT: Final = 10250

Width = Literal["loopback", "silent", "held", "inside", "unknown", "outside"]


@dataclass(frozen=True)
class Stand:
    """How far it stands open. `way` is None where nothing listens for others."""

    width: Width
    port: int
    listens_on: str = ""
    sockets: tuple[Socket, ...] = ()
    way: Reach | None = None


def stands(machine: Machine, view: View, snapshot: Snapshot) -> Stand:
    """Who reaches the kubelet's port."""
    port = port_of(view)
    sockets, address = heard(machine, view, port)
    if not address:
        here = is_loopback(view.value("address")) or any(
            one.local_port == port and one.state == "LISTEN" and is_local(one.local_address)
            for one in own_sockets(machine.host)
        )
        return Stand("loopback" if here else "silent", port)
    found = addresses_of(machine, snapshot)
    way = reach(machine, found, port, address)
    width: Width = "outside"
    if way.door.state == "closed":
        width = "held"
    elif way.address is None:
        width = "inside" if found.known else "unknown"
    return Stand(width, port, address, tuple(sockets), way)


def heard(machine: Machine, view: View, port: int) -> tuple[list[Socket], str]:
    """The sockets of a port beyond loopback and the widest address; an empty one: nobody else reaches it."""
    host = machine.host
    sockets = listening(host, port)
    if sockets:
        return sockets, next(
            (one.local_address for one in sockets if one.local_address in ALL), sockets[0].local_address
        )
    if any(socket.state == "LISTEN" for socket in own_sockets(host)):
        return [], ""  # listed, and not among them
    address = view.value("address") or "*"
    return [], "" if is_local(address) else address


def port_of(view: View) -> int:
    """The port of the kubelet's API."""
    text = view.value("port")
    return int(text) if text.isdigit() and int(text) else _PORT


def rated(stand: Stand) -> tuple[Severity, Text]:
    """How severe it is that this door refuses nobody, and why."""
    if stand.width == "outside" and stand.way is not None and stand.way.door.state != "open":
        return "critical", _UNSEEN
    return _RATED[stand.width]


def keys(machine: Machine, *checks: str) -> tuple[str, ...]:
    """The keys of results that speak of the same door of this machine."""
    return tuple(key(f"checks/nodes/{name}", Result("fail", machine.target, SUBJECT)) for name in checks)


def address_of(machine: Machine, snapshot: Snapshot) -> str:
    """By what others reach the machine, as a URL has it: as the API or the kubelet names it, else its own name."""
    name = machine.host.name
    node = snapshot.cluster.get("Node", "", name) if snapshot.cluster else None
    found = [
        reading.text(given, "address")
        for _, given in (reading.nodes(node.document, "status", "addresses") if node else ())
        if reading.text(given, "type") == "InternalIP"
    ]
    process = machine.kubelet.process if machine.kubelet else None
    if process and (told := _NODE_IP.search(process.command)):
        found.append(told[1])
    found += [one.address for one in addresses_of(machine, snapshot).own]
    for one in found:
        try:
            return f"[{address}]" if (address := ip_address(one)).version == 6 else str(address)
        except ValueError:
            continue
    return name if _NAME.fullmatch(name) else ""


_NODE_IP: Final = re.compile(r"--node-ip[= ]([0-9A-Fa-f.:]{2,45})(?![^\s,])")
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_UNSEEN: Final = Text(
    "whether the packet filter refuses it is not known; nothing else does",
    "无法得知包过滤规则是否拒绝，此外别无防护",
)
_RATED: Final[Mapping[Width, tuple[Severity, Text]]] = {
    "loopback": (
        "medium",
        Text("only the node itself reaches the address it listens on", "它监听的地址只有节点自身能访问"),
    ),
    "silent": (
        "high",
        Text(
            "nothing listens on its port in this evidence; once it does, whoever reaches it runs commands in every "
            "container of the node",
            "证据中没有程序监听该端口；一旦开始监听，任何能访问它的人都可以在该节点的每个容器中执行命令",
        ),
    ),
    "held": (
        "high",
        Text(
            "the packet filter alone keeps strangers from running commands in every container of the node",
            "仅靠包过滤规则阻挡外部人员在该节点的每个容器中执行命令",
        ),
    ),
    "inside": (
        "high",
        Text(
            "no public address of its own leads to it, but every pod and every machine of the network reaches it and "
            "runs commands in every container of the node",
            "它自身没有可访问的公网地址，但每个 Pod 和同一网络中的每台机器都能访问它，并在该节点的每个容器中执行命令",
        ),
    ),
    "unknown": (
        "critical",
        Text(
            "whether it has a public address is not known; every pod and every machine of the network reaches it and "
            "runs commands in every container of the node",
            "无法得知它是否有公网地址；每个 Pod 和同一网络中的每台机器都能访问它，并在该节点的每个容器中执行命令",
        ),
    ),
    "outside": (
        "critical",
        Text(
            "whoever reaches the address runs commands in every container of the node; no audit log shows it",
            "任何能访问该地址的人都可以在该节点的每个容器中执行命令，且审计日志中不会留下记录",
        ),
    ),
}
