"""The intruder's own addresses, seen on a machine: logins and connections.

Only what an incident of the audit log knows makes these findings: the same login is everyday without it. Private
addresses are left out, too many share them; and so is the API server's own port, where a connection is the request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import state
from kubewitness.incident.node.view import NodeView
from kubewitness.model.host import HostEvent, Process, Socket
from kubewitness.model.incident import Incident
from kubewitness.model.text import Text
from kubewitness.rules.features.address import scope_of

_API: Final = frozenset((6443, 8443, 443))  # the API server's ports, as far as its own process listens there
_SERVERS: Final = ("kube-apiserver", "haproxy", "nginx", "envoy", "k3s")


def with_sightings(views: Sequence[NodeView], incidents: Sequence[Incident]) -> tuple[NodeView, ...]:
    """The views with what of the incidents' addresses shows on each machine, one finding an address and kind."""
    actors = [actor for incident in incidents for actor in incident.actors]
    theirs = sorted({one for actor in actors for one in actor.addresses if scope_of(one) == "public"})
    out = list[NodeView]()
    for view in views:
        seen = [found for one in theirs for found in (*_logins(one, view), *_connections(one, view))]
        out.append(view._replace(findings=(*view.findings, *seen)))
    return tuple(out)


def _logins(address: str, view: NodeView) -> Iterator[HostFinding]:
    events = [one for one in view.host.events if one.category == "login" and one.address == address]
    if not events:
        return
    got_in = [one for one in events if one.succeeded]
    chosen = got_in or events
    users = ", ".join(dict.fromkeys(one.user for one in chosen if one.user)) or "?"
    reason = (
        Text(f"{len(got_in)} of {len(events)} logins succeeded", f"{len(events)} 次登录中有 {len(got_in)} 次成功")
        if got_in
        else Text(f"all {len(events)} logins failed", f"{len(events)} 次登录均失败")
    )
    yield state(
        "login_from_intruder",
        view.host,
        f"{users} from {address}",
        [(one.place, one.message or one.command or f"{one.user} {one.address}") for one in chosen],
        count=sum(one.count for one in events),
        first=min((one.time for one in chosen if one.time), default=""),
        last=max((one.last or one.time for one in chosen), default=""),
        severity=None if got_in else "low",
        reasons=[reason],
        addresses=[address],
    )


def _connections(address: str, view: NodeView) -> Iterator[HostFinding]:
    sockets = [one for one in view.host.sockets if one.peer_address == address and not _is_request(one)]
    events = [one for one in view.host.events if one.category == "network_connection" and one.address == address]
    if not sockets and not events:
        return
    places = [(one.place, _shown(one)) for one in sockets]
    places += [(one.place, _told(one)) for one in events]
    yield state(
        "connection_with_intruder",
        view.host,
        places[0][1],
        places,
        count=len(sockets) + sum(one.count for one in events),
        first=min((one.time for one in events if one.time), default=""),
        last=max((one.last or one.time for one in events), default=""),
        process=_owner(sockets, view),
        addresses=[address],
    )


def _is_request(socket: Socket) -> bool:
    return socket.local_port in _API and (not socket.owners or any(name in _SERVERS for name, _ in socket.owners))


def _owner(sockets: list[Socket], view: NodeView) -> Process | None:
    pids = {pid for socket in sockets for _, pid in socket.owners}
    return next((process for process in view.host.processes if process.pid in pids), None)


def _shown(socket: Socket) -> str:
    ends = f"{socket.local_address}:{socket.local_port} → {socket.peer_address}:{socket.peer_port}"
    owner = ", ".join(f"{name}/{pid}" for name, pid in socket.owners[:3])
    return f"{socket.protocol} {socket.state} {ends} {owner}".rstrip()


def _told(event: HostEvent) -> str:
    return event.message or f"{event.image or event.command} → {event.address}:{event.port}"
