"""Which component listens where, and which of them strangers reach.

A port says little about who is behind it: the owner of the socket decides, and the usual port only where the list has
no owners. What is meant to be reached by other machines passes unless it is open to the whole Internet: an own public
address and a packet filter that lets strangers through. `kubectl proxy` is another matter: whoever reaches it has all
the rights of the person who started it.

Source: kubernetes.io/docs/reference/networking/ports-and-protocols; kubectl-proxy(1).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from kubewitness.model.host import Host, Process, Socket
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.nodes.network import addresses_of, listening, own_sockets, reach
from kubewitness.posture.nodes.telling import at_place, at_socket, failed, passed, unknown


class Listener(Struct, frozen=True):
    """A component that listens."""

    name: str
    ports: tuple[int, ...]
    owners: tuple[str, ...]
    severity: Severity  # where strangers reach it


KNOWN: Final = (
    Listener("kubelet", (10250,), ("kubelet", "k3s", "k3s-server", "k3s-agent", "kubelite"), "low"),
    Listener("etcd", (2379, 2380, 2381), ("etcd",), "medium"),
    Listener("kube-apiserver", (6443, 8443, 16443), ("kube-apiserver", "k3s-server", "hyperkube"), "informational"),
    Listener("kube-controller-manager", (10257, 10252), ("kube-controller", "kube-controller-manager"), "low"),
    Listener("kube-scheduler", (10259, 10251), ("kube-scheduler",), "low"),
    Listener("kube-proxy", (10249,), ("kube-proxy",), "low"),
    Listener("docker", (2376,), ("dockerd",), "low"),
    Listener("cAdvisor", (4194,), ("cadvisor",), "medium"),
    Listener("dashboard", (), ("dashboard", "kubernetes-dash", "headlamp", "weave-scope", "scope"), "medium"),
    Listener("containerd metrics", (1338,), ("containerd",), "low"),
)
_PROXY: Final = "kubectl"
_MOST: Final = 40  # ports, each led through all rules


def component(socket: Socket) -> Listener | None:
    """Which component a socket is of."""
    names = {name for name, _ in socket.owners}
    for known in KNOWN:
        if names & set(known.owners) and (not known.ports or socket.local_port in known.ports):
            return known
    if names:
        return None
    return next((known for known in KNOWN if socket.local_port in known.ports), None)


def _open_ports(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    host = machine.host
    if not any(socket.state == "LISTEN" for socket in own_sockets(host)):
        yield unknown(machine, "ports", _NO_SOCKETS)
        return
    addresses = addresses_of(machine, snapshot)
    heard: dict[tuple[str, int, str], tuple[Listener, Socket]] = {}
    for socket in listening(host):
        known = component(socket)
        if known is not None:
            heard.setdefault((known.name, socket.local_port, socket.local_address), (known, socket))
    first = sorted(heard.values(), key=lambda one: not one[0].ports)  # others may be named like it, and be many
    for known, socket in first[:_MOST]:
        subject, observed = f"{known.name} port {socket.local_port}", _listens(socket)
        way = reach(machine, addresses, socket.local_port, socket.local_address)
        if way.address is None or way.door.state == "closed":
            rules = [at_place(rule.place, rule.text) for rule in way.door.rules[:2]]
            reason = _PRIVATE if way.address is None else _REFUSED
            yield passed(machine, subject, observed, at_socket(socket), *rules, reason=reason)
        elif way.door.state == "open":
            yield failed(
                machine, subject, observed,
                Text("reached by the machines that need it alone", "仅允许需要的机器访问"),
                at_socket(socket), way.address.where, at_place(way.door.dumps[0].place, way.door.dumps[0].source),
                severity=known.severity,
                reason=Text(
                    f"{way.address.address} is public and the packet filter lets everybody through",
                    f"{way.address.address} 是公网地址，而包过滤规则对所有人放行",
                ),
            )  # fmt: skip
        else:
            yield unknown(
                machine,
                subject,
                Text(
                    f"{way.address.address} is public; whether the packet filter refuses the port is not known",
                    f"{way.address.address} 是公网地址；无法得知包过滤规则是否拒绝该端口",
                ),
                at_socket(socket),
                way.address.where,
            )


def _proxies(machine: Machine, _: Snapshot) -> Iterator[Result]:
    """`kubectl proxy` for others than the machine itself."""
    host = machine.host
    found = [socket for socket in listening(host) if any(name == _PROXY for name, _ in socket.owners)]
    for socket in found:
        started = _started(host, socket)
        yield failed(
            machine,
            f"kubectl port {socket.local_port}",
            _listens(socket),
            Text("127.0.0.1 alone", "仅 127.0.0.1"),
            *([at_place(started.place, started.command)] if started else []),
            at_socket(socket),
        )
    if not found and not any(socket.state == "LISTEN" for socket in own_sockets(host)):
        yield unknown(machine, "kubectl", _NO_SOCKETS)


def _started(host: Host, socket: Socket) -> Process | None:
    pids = {pid for _, pid in socket.owners}
    return next((process for process in host.processes if process.pid in pids), None)


def _public(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    """The machine's public addresses."""
    found = addresses_of(machine, snapshot)
    for one in found.public[:_MOST]:
        if one.own:
            where_en, where_zh = one.interface or "a socket", one.interface or "某个套接字"
            observed = Text(f"{one.address} on {where_en}", f"{one.address}（{where_zh}）")
        else:
            observed = Text(f"{one.address}, translated on the way", f"{one.address}（途中经过地址转换）")
        expected = Text("no public address: people come in over a gateway", "没有公网地址：通过网关访问")
        yield failed(machine, one.address, observed, expected, one.where)
    if found.public:
        return
    if found.known:
        yield passed(machine, "addresses", Text("no public address", "没有公网地址"))
    else:
        reason = Text(
            "the addresses of its interfaces are not in the evidence (`ip -j addr`), and no Node object is",
            "证据中没有其接口地址（`ip -j addr`），也没有对应的 Node 对象",
        )
        yield unknown(machine, "addresses", reason)


def _listens(socket: Socket) -> Text:
    owners = ", ".join(name for name, _ in socket.owners[:2])
    at = f"{socket.local_address}:{socket.local_port}"
    return Text(
        f"listens on {at}" + (f" ({owners})" if owners else ""), f"监听 {at}" + (f"（{owners}）" if owners else "")
    )


_PRIVATE: Final = Text("no public address of its own is known", "未发现其自身拥有公网地址")
_REFUSED: Final = Text("the packet filter refuses strangers", "包过滤规则拒绝外部访问")
_NO_SOCKETS: Final = Text("no listening socket is in the evidence (ss -tunap)", "证据中没有监听的套接字（ss -tunap）")

CHECKS: Final = (
    NodeCheck("checks/nodes/open_ports", _open_ports),
    NodeCheck("checks/nodes/kubectl_proxy", _proxies),
    NodeCheck("checks/nodes/public_address", _public),
)
