"""What an intruder might have read besides: its rights to Secrets that it is not seen to have used.

The roles and bindings of its time are asked (`posture.rbac`) about each identity it used, at the moments it used it.
One answer says it for a namespace, or for the cluster; nobody is helped by a line for each Secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from kubewitness.correlate.rbac.state import History
from kubewitness.incident.cause import binding_of
from kubewitness.incident.exposure.requests import Exposures
from kubewitness.incident.requests import Request
from kubewitness.model.event import parse_time
from kubewitness.model.incident import ObjectName
from kubewitness.model.text import Text
from kubewitness.posture.rbac.evaluate import evaluate
from kubewitness.posture.rbac.nouns import MASTERS, Attributes
from kubewitness.rules.features.identity import kind_of_name

_IDENTITIES: Final = 10
_MOMENTS: Final = 6
_NAMESPACES: Final = 200
_NAMED: Final = 5


def from_rights(out: Exposures, requests: Sequence[Request], history: History) -> None:
    """Add what the rights allowed, where nothing surer is known."""
    everywhere = ObjectName("secrets", "", "")
    if out.has(everywhere):
        return
    asked = _askers(requests)
    namespaces = sorted({r.namespace for r in requests if r.namespace} | _bound(history))[:_NAMESPACES]
    allowed = dict[str, Request]()  # namespace → by whom
    for request, moments in asked:
        if _all_powerful(request) or any(_may(request, "", when, history) for when in moments):
            out.add(everywhere, "possible", _said(request), request=request)
            return
        for namespace in namespaces:
            if namespace not in allowed and any(_may(request, namespace, when, history) for when in moments):
                allowed[namespace] = request
    left = [one for one in allowed if not out.has(ObjectName("secrets", one, ""))]
    for number, namespace in enumerate(left[:_NAMED], 1):
        more = len(left) - _NAMED if number == _NAMED else 0
        out.add(ObjectName("secrets", namespace, ""), "possible", _said(allowed[namespace], more),
                request=allowed[namespace])  # fmt: skip


def _said(request: Request, more: int = 0) -> Text:
    also, also_zh = (f"; so of {more} more namespaces", f"；另有 {more} 个命名空间亦然") if more > 0 else ("", "")
    return Text(
        f"{request.identity} had the right to read all Secrets here, and is not seen to have read others than those "
        f"listed{also}",
        f"{request.identity} 有权读取此处的全部 Secret，除已列出者外未见其读取{also_zh}",
    )


def _askers(requests: Sequence[Request]) -> list[tuple[Request, list[datetime]]]:
    """The last request of each identity, with moments at which it was at work."""
    by = dict[str, list[Request]]()
    for request in requests:
        if kind_of_name(request.identity) != "rejected" and not request.refused:
            by.setdefault(request.identity, []).append(request)
    out = list[tuple[Request, list[datetime]]]()
    for some in list(by.values())[:_IDENTITIES]:
        step = max(1, len(some) // _MOMENTS)
        times = [when for one in (*some[::step], some[-1]) if (when := parse_time(one.time))]
        strongest = next((one for one in some if _all_powerful(one)), some[-1])
        out.append((strongest, times))
    return out


def _all_powerful(request: Request) -> bool:
    """By what the authorizer itself wrote, whether or not the roles are in the evidence."""
    binding = binding_of(request)
    by_role = (
        binding is not None and binding.kind == "ClusterRoleBinding" and binding.role == "ClusterRole cluster-admin"
    )
    return by_role or MASTERS in request.final.user.groups


def _may(request: Request, namespace: str, when: datetime, history: History) -> bool:
    user = request.final.user
    asked = Attributes(request.identity, tuple(user.groups), "list", "", "secrets", "", "", namespace)
    return evaluate(history.around(when).policy, asked).allowed


def _bound(history: History) -> set[str]:
    return {change.key.namespace for change in history.changes if change.key.namespace} | set(_of_state(history))


def _of_state(history: History) -> Iterable[str]:
    latest = history.changes[-1].time if history.changes else None
    policy = history.at(latest).policy if latest else None
    return (key.namespace for key in policy.objects if key.namespace) if policy else ()
