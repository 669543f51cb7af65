"""What ran inside a container: `kubectl exec` puts its argv in the query of the request, so it shows at any level.

Two roads lead into a container: `pods/exec` (argv as repeated `command=`) and the kubelet behind `nodes/proxy`, whose
paths are /exec/NAMESPACE/POD/CONTAINER (`command=`) and /run/... (one `cmd=` line). The verb says nothing: SPDY asks
with POST (create), WebSocket with GET (get).

Source: PodExecOptions in k8s.io/api/core/v1; kubelet pkg/kubelet/server/server.go and remotecommand.NewOptions.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kubewitness.model.event import Event
from kubewitness.rules.features.interface import FieldTable, Values, once, one
from kubewitness.rules.features.request import path_of, query_of
from kubewitness.rules.features.untyped import MAX_TEXT

# Anchored: behind the proxy of a service or pod the rest of the path is that service's own affair.
_POD_ROAD = re.compile(r"^/api/v1/namespaces/[^/]+/pods/[^/]+/(exec|attach)/?$")
_KUBELET_ROAD = re.compile(r"^/api/v1/nodes/[^/]+/proxy/(exec|run|attach)/[^/]*/[^/]*/(?:[^/]*/)?([^/]+)/?$")
_SET = frozenset({"1", "t", "T", "true", "TRUE", "True"})  # what Go's strconv.ParseBool takes for true


class Session(NamedTuple):
    """An exec, run or attach."""

    argv: tuple[str, ...]  # empty for an attach
    container: str
    stdin: bool
    tty: bool


@once
def session_of(event: Event) -> Session | None:
    """The session a request opens; None if it opens none."""
    path = path_of(event)[:4096]
    road = container = ""
    pod = _POD_ROAD.search(path)
    kubelet = _KUBELET_ROAD.search(path)
    if pod:
        road = pod[1]
    elif kubelet:
        road, container = kubelet[1], kubelet[2]
    else:
        return None
    query = query_of(event)
    argv = (
        ()
        if road == "attach"
        else tuple(value for name, value in query if name == ("cmd" if road == "run" else "command"))
    )
    switched_on = {name for name, value in query if value in _SET}
    return Session(
        argv=argv,
        container=next((value for name, value in query if name == "container" and value), container),
        stdin=bool(switched_on & {"stdin", "input"}),
        tty="tty" in switched_on,
    )


def command_of(event: Event) -> tuple[str, ...]:
    """The decoded argv of an exec or run; empty for anything else."""
    session = session_of(event)
    return session.argv if session else ()


def _flag(name: str, event: Event) -> Values:
    session = session_of(event)
    return (bool(getattr(session, name)),) if session else ()


FIELDS: FieldTable = {
    "exec.command": lambda event: one(" ".join(command_of(event))[:MAX_TEXT]),
    "exec.argv": command_of,
    "exec.container": lambda event: one(session.container) if (session := session_of(event)) else (),
    "exec.stdin": lambda event: _flag("stdin", event),
    "exec.tty": lambda event: _flag("tty", event),
}
