"""What stands between somebody outside and the kubelet, layer by layer: address, packet filter, listener, setting.

A machine is lost where all four are open, and only there: that is the one critical result, with every layer named. A
machine that is held by the packet filter alone is one `iptables -F` away from it: its own, milder result. In the second
incident the filter was empty and one line of the kubelet's unit was commented out; each alone would have changed
nothing.

What protects from further out, a cloud's security group or a router, cannot be seen in evidence of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import Machine, NodeCheck, Snapshot
from kubewitness.posture.exposed import ANONYMOUS, MODE, READ_ONLY, why
from kubewitness.posture.exposure import clauses, sentences
from kubewitness.posture.filling import filled
from kubewitness.posture.kubelet import KubeletConfiguration
from kubewitness.posture.kubelet_view import Setting, View
from kubewitness.posture.nodes.docker import engine
from kubewitness.posture.nodes.kubelet_door import SUBJECT, Stand, address_of, heard, keys, port_of, rated, stands
from kubewitness.posture.nodes.kubelet_settings import not_known, places, view_of, without_kubelet
from kubewitness.posture.nodes.network import Reach, addresses_of, listening, own_sockets, reach
from kubewitness.posture.nodes.telling import at_place, at_socket, failed, passed, same, unknown


@dataclass(frozen=True)
class Opening:
    """Something on the machine that serves whoever reaches it."""

    name: str  # "kubelet", "kubelet read-only port", "docker"
    port: int
    said: Text
    where: tuple[Where, ...]
    listens_on: str = "*"


def openings(machine: Machine) -> Iterator[Opening]:
    """Everything that asks nobody for a name and listens on more than loopback."""
    configuration = machine.kubelet
    if configuration is not None:
        view, _ = view_of(configuration, ANONYMOUS)
        anonymous, mode = (view.get(ANONYMOUS), view.get(MODE)) if view else (None, None)
        if view and anonymous and mode and anonymous.value == "true" and mode.value == "AlwaysAllow":
            sockets, address = heard(machine, view, port_of(view))
            if address:
                said = same(f"{ANONYMOUS}=true, {MODE}=AlwaysAllow")
                where = (*places(configuration, view, anonymous), *map(at_socket, sockets))
                yield Opening("kubelet", port_of(view), said, where, address)
        setting = view.get(READ_ONLY) if view else None
        if view and setting and setting.value.isdigit() and int(setting.value):
            sockets, address = heard(machine, view, int(setting.value))
            if address:
                where = (*places(configuration, view, setting), *map(at_socket, sockets))
                yield Opening(
                    "kubelet read-only port", int(setting.value), same(f"readOnlyPort={setting.value}"), where, address
                )
    found = engine(machine.host)
    if found.is_open:
        where = (*(one.where for one in found.addresses), *map(at_socket, found.sockets))
        ports = [*(one.local_port for one in found.sockets), *(one.port for one in found.addresses)]
        yield Opening(
            "docker",
            ports[0],
            Text("Docker over TCP without a certificate", "Docker 通过 TCP 提供服务且不要求证书"),
            where,
        )


def _reachable(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    """All layers at once."""
    configuration = machine.kubelet
    if configuration is None:
        yield without_kubelet(machine)
        return
    view, state = view_of(configuration, ANONYMOUS)
    anonymous, mode = (view.get(ANONYMOUS), view.get(MODE)) if view else (None, None)
    if view is None or anonymous is None or mode is None:
        yield unknown(machine, SUBJECT, not_known(configuration, ANONYMOUS))
        return
    if anonymous.value != "true" or mode.value != "AlwaysAllow":
        yield _held_by_setting(machine, configuration, view, anonymous, mode)
        return
    stand = stands(machine, view, snapshot)
    opening = next((one for one in openings(machine) if one.name == "kubelet"), None)
    if opening is None or stand.way is None:
        text = Text("it listens on loopback alone, or not at all", "它只监听 loopback 地址，或没有监听")
        yield passed(machine, SUBJECT, text, *map(at_socket, listening(machine.host, stand.port)))
        return
    way = stand.way
    if stand.width == "held":
        text = Text(
            f"the packet filter refuses port {opening.port} to strangers; nothing else does",
            f"包过滤规则拒绝外部访问 {opening.port} 端口，此外别无防护",
        )
        yield passed(machine, SUBJECT, text, *_of_filter(way))
        return
    severity, reason = rated(stand)
    layers = [_of_address(stand), _of_door(way, opening.port), _of_listener(opening), opening.said]
    causes = why(configuration, (anonymous, mode), state)
    yield failed(
        machine,
        SUBJECT,
        sentences([Text(f"{(said := clauses(layers)).en}.", f"{said.zh}。"), *causes]) if causes else clauses(layers),
        Text("at least two of the four layers closed", "四层防护中至少两层是关闭的"),
        *opening.where[:4],
        *([way.address.where] if way.address else []),
        *_of_filter(way),
        *opening.where[4:],
        severity=severity,
        reason=reason,
        includes=keys(machine, "kubelet_anonymous", "kubelet_authorization"),
        remedy=filled("nodes/kubelet_reachable_without_credential", {"NODE": address_of(machine, snapshot)}),
    )


def _held_by_setting(
    machine: Machine, configuration: KubeletConfiguration, view: View, anonymous: Setting, mode: Setting
) -> Result:
    text = same(f"{anonymous.name}={anonymous.value}, {mode.name}={mode.value}")
    return passed(machine, SUBJECT, text, *places(configuration, view, anonymous), *places(configuration, view, mode))


def _of_address(stand: Stand) -> Text:
    if stand.way is None or stand.way.address is None:
        return _NO_ADDRESS if stand.width == "inside" else _NO_ADDRESSES
    address = stand.way.address.address
    return Text(f"public address {address}", f"公网地址 {address}")


_NO_ADDRESS: Final = Text("no public address of its own", "自身没有公网地址")
_NO_ADDRESSES: Final = Text("its addresses are not in the evidence", "证据中没有其地址")


def _of_door(way: Reach, port: int) -> Text:
    return {
        "open": Text(f"the packet filter lets port {port} through", f"包过滤规则放行 {port} 端口"),
        "unseen": Text("the packet filter is not in the evidence", "证据中没有包过滤规则"),
        "unclear": Text("the packet filter was not fully understood", "包过滤规则未能完全解析"),
        "closed": Text(f"the packet filter refuses port {port}", f"包过滤规则拒绝 {port} 端口"),
    }[way.door.state]


def _of_listener(opening: Opening) -> Text:
    return Text(
        f"{opening.name} listens on {opening.listens_on}:{opening.port}",
        f"{opening.name} 监听 {opening.listens_on}:{opening.port}",
    )


def _of_filter(way: Reach) -> Iterator[Where]:
    for rule in way.door.rules[:2]:
        yield at_place(rule.place, rule.text)
    if way.door.policies:
        table, chain, policy = way.door.policies[0]
        yield at_place(way.door.dumps[0].place, f"{table} {chain} {policy}")


def _only_firewall(machine: Machine, snapshot: Snapshot) -> Iterator[Result]:
    """What would be open to strangers if the packet filter were gone."""
    found, addresses, held = list(openings(machine)), addresses_of(machine, snapshot), False
    for opening in found:
        way = reach(machine, addresses, opening.port, opening.listens_on)
        if way.door.state != "closed":
            continue
        held = True
        yield failed(
            machine,
            opening.name,
            Text(
                f"{opening.name} on port {opening.port} serves everybody ({opening.said.en}); only the packet filter "
                "keeps strangers away",
                f"{opening.name} 的 {opening.port} 端口对任何人提供服务（{opening.said.zh}），"
                "仅靠包过滤规则阻挡外部访问",
            ),
            Text("safe without the packet filter, too", "即使没有包过滤规则也安全"),
            *_of_filter(way),
            *opening.where,
            remedy=filled("nodes/only_firewall", {"NODE": address_of(machine, snapshot)}),
        )
    if held:
        return
    if found:
        text = Text("what serves everybody is not held back by it either", "对任何人开放的服务，包过滤规则也没有阻挡")
        yield passed(machine, "machine", text, *found[0].where[:2])
        return
    heard = any(socket.state == "LISTEN" for socket in own_sockets(machine.host))
    view, _ = view_of(machine.kubelet, ANONYMOUS) if machine.kubelet else (None, "")
    if not heard and view is None:
        reason = Text(
            "neither listening sockets nor the settings of a kubelet are in the evidence",
            "证据中既没有监听的套接字，也没有 kubelet 的设置",
        )
        yield unknown(machine, "machine", reason)
    else:
        text = Text("nothing that serves everybody listens beyond loopback", "loopback 之外没有对任何人开放的服务")
        yield passed(machine, "machine", text)


CHECKS: Final = (
    NodeCheck("checks/nodes/kubelet_reachable_without_credential", _reachable),
    NodeCheck("checks/nodes/only_firewall", _only_firewall),
)
