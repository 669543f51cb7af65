"""The pod inside each kind of object that makes pods: the nine kinds that Pod Security itself looks into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TEMPLATE: Final = ("spec", "template")
_APPS: Final = frozenset({"apps", "extensions"})  # extensions/v1beta1 was their home until 1.16
_KINDS: Final[dict[str, tuple[frozenset[str], tuple[str, ...]]]] = {
    "Pod": (frozenset({""}), ()),
    "PodTemplate": (frozenset({""}), ("template",)),
    "ReplicationController": (frozenset({""}), _TEMPLATE),
    "ReplicaSet": (_APPS, _TEMPLATE),
    "Deployment": (_APPS, _TEMPLATE),
    "StatefulSet": (_APPS, _TEMPLATE),
    "DaemonSet": (_APPS, _TEMPLATE),
    "Job": (frozenset({"batch"}), _TEMPLATE),
    "CronJob": (frozenset({"batch"}), ("spec", "jobTemplate", "spec", "template")),
}


def pod_of(document: Mapping[str, object]) -> tuple[Mapping[str, object], str] | None:
    """The pod or pod template in `document`, and what to put before its paths (`spec.template.`; empty for a Pod).

    None for every other kind, for a kind of that name of another API group (a custom resource), and for an object
    that has no template. An object without apiVersion, as in the lists of an API server, is taken for Kubernetes' own.
    """
    kind, version = document.get("kind"), document.get("apiVersion")
    if not isinstance(kind, str) or kind not in _KINDS:
        return None
    groups, keys = _KINDS[kind]
    if isinstance(version, str) and (version.rpartition("/")[0] not in groups):
        return None
    found = document
    for key in keys:
        below = found.get(key)
        if not isinstance(below, Mapping):
            return None
        found = below
    return found, "".join(f"{key}." for key in keys)
