"""A role that others already hold gets wildcards: everybody bound to it rises, and no binding is written.

The ledger has the bodies of what was written to each role. Where an earlier body is there, the two are compared. Where
the role is older than the log, a change that brings a wildcard is all that can be said, at lower confidence.

Only rules for all API groups, the core group or RBAC's own count: an operator with all rights on its own group is
ordinary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubewitness.detect.detection import Detection
from kubewitness.detect.detectors.interface import described, event_of
from kubewitness.detect.ledger import Entry
from kubewitness.detect.profile import AccessorKey
from kubewitness.detect.run import Scan
from kubewitness.model.event import Event
from kubewitness.model.incident import ObjectName
from kubewitness.rules.features.body import documents
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.features.rbac import grant_of
from kubewitness.rules.features.untyped import mappings, texts
from kubewitness.rules.ir import Rule

_GROUP = "rbac.authorization.k8s.io"
_POWERFUL_GROUPS = frozenset({"", "*", _GROUP})

Wildcard = tuple[str, str]  # verb, resource; one of them is "*"


def role_raised(scan: Scan) -> Iterator[Detection]:
    """Roles that came to allow more by a wildcard."""
    for resource in ("clusterroles", "roles"):
        for (namespace, name), entries in scan.ledger.of_kind(resource).items():
            before: set[Wildcard] | None = None  # what the role is known to allow by wildcards
            known = False
            for entry in entries:
                if entry.verb.startswith("delete"):
                    continue  # made again under the same name, it still serves the bindings that name it
                event = event_of(entry)
                if event is None or not _tells_rules(event):
                    continue
                now = wildcards(event)
                raised = {pair for pair in now if not _allowed(pair, before or set())}
                if raised and _outsider(entry) and (known or not entry.made):
                    rule = described("role_raised_to_wildcard" if known else "older_role_given_wildcard")
                    yield _detection(rule, entry, event, ObjectName(resource, namespace, name, _GROUP))
                # A JSON patch adds to what was there; everything else replaces the list of rules.
                partial = isinstance(event.request_object, list)
                before = now | (before or set()) if partial else now
                known = known or not partial or entry.made


def wildcards(event: Event) -> set[Wildcard]:
    """The wildcards a role's body has on API groups that matter."""
    return {
        (verb, resource)
        for rule in _rules(event)
        if _groups(rule) & _POWERFUL_GROUPS
        for verb in texts(rule.get("verbs"))
        for resource in texts(rule.get("resources"))
        if (verb == "*" and resource in _WORTH) or resource == "*"
    }


# With every verb, these give away the cluster; every verb on "leases" does not.
_WORTH = frozenset(
    {
        "*", "secrets", "pods", "pods/exec", "nodes", "nodes/proxy", "serviceaccounts", "serviceaccounts/token",
        "roles", "clusterroles", "rolebindings", "clusterrolebindings", "daemonsets", "deployments",
    }
)  # fmt: skip


def _rules(event: Event) -> list[dict[str, Any]]:
    return [rule for document in documents(event) for rule in mappings(document.get("rules"))]


def _groups(rule: dict[str, Any]) -> set[str]:
    """The API groups of a rule; the core group if it does not say (a patch of one rule's verbs)."""
    value = rule.get("apiGroups")
    return {group for group in value if isinstance(group, str)} if isinstance(value, list) else {""}


def _tells_rules(event: Event) -> bool:
    """Whether the body says what the role allows (one that changes labels only does not)."""
    return (
        bool(_rules(event)) or (event.verb != "patch" and bool(documents(event))) or bool(grant_of(event).permissions)
    )


def _allowed(pair: Wildcard, before: set[Wildcard]) -> bool:
    verb, resource = pair
    return bool({pair, ("*", "*"), ("*", resource), (verb, "*")} & before)


def _outsider(entry: Entry) -> bool:
    """Not the control plane, which keeps default roles in order and fills aggregated ones."""
    return kind_of_name(entry.identity) not in ("controlPlane", "node")


def _detection(rule: Rule, entry: Entry, event: Event, role: ObjectName) -> Detection:
    return Detection(
        rule,
        entry.identity,
        entry.address,
        (AccessorKey(entry.identity, entry.address, event.record.userAgent),),
        1,
        entry.time,
        entry.time,
        frozenset({entry.audit_id}),
        (role,),
        ((entry.place, entry.original),),
    )
