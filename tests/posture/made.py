"""Snapshots made by hand: objects of a cluster and machines, with nothing but what a check looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kubewitness.model.cluster import Cluster, KubeObject
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.posture import Result, Status
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Machine, Snapshot, run
from kubewitness.posture.registry import CHECKS

_CORE = "v1"


def kube_object(document: dict[str, Any], line: int = 1) -> KubeObject:
    """An object as a dump holds it."""
    meta = document.get("metadata", {})
    return KubeObject(
        document["kind"],
        document.get("apiVersion", _CORE),
        meta.get("namespace", ""),
        meta.get("name", ""),
        document,
        Place("dump.json", line, 0),
    )


def snapshot(
    objects: Sequence[dict[str, Any]] = (),
    hosts: Iterable[Host] = (),
    version: str = "",
    whole: Iterable[str] = (),
    command_lines: Sequence[str] = (),
) -> Snapshot:
    """A snapshot. `whole`: kinds of which these are all objects there are."""
    cluster = None
    if objects or version or whole or command_lines:
        cluster = Cluster(
            objects=[kube_object(one, number) for number, one in enumerate(objects, 1)],
            whole=set(whole),
            version=version,
            command_lines=[(line, Place("flags.txt", number, 0)) for number, line in enumerate(command_lines, 1)],
        )
    return Snapshot(cluster, tuple(Machine(one) for one in hosts))


def results(name: str, of: Snapshot, status: Status | None = None) -> list[Result]:
    """What the check of that name ("control_plane/insecure_port") says, worst first."""
    check = next(one for one in CHECKS if one.id == f"checks/{name}")
    return [one for one in run([check], catalogue(), of) if status in (None, one.status)]
