"""The whole road of a check once: evidence → a cluster and its machines → checks → one report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from kubewitness import __version__
from kubewitness.evidence.opening import Source, walk
from kubewitness.model.evidence import EvidenceItem
from kubewitness.model.posture import CheckInfo, Group, PostureReport, Scope
from kubewitness.posture.catalogue import catalogue
from kubewitness.posture.check import Machine, Snapshot, run
from kubewitness.posture.registry import CHECKS
from kubewitness.sources.host.hosts import read_hosts
from kubewitness.sources.kube_cluster import read_cluster

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Options:
    """What to check. `now` is injected so that the same input gives the same bytes."""

    scopes: tuple[Scope, ...] = ()  # empty: all
    groups: tuple[Group, ...] = ()  # empty: all
    checks: tuple[str, ...] = ()  # ids or their last parts; empty: all
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    exclude: tuple[Path, ...] = ()
    version: str = ""  # of the API server, where the evidence does not tell it


def assess(paths: Sequence[str], options: Options, stdin: BinaryIO | None = None) -> PostureReport:
    """Check evidence.

    Args:
        paths: archives, dumps, manifests, folders of them; "-" for `stdin`.
        options: see `Options`.
        stdin: what "-" means.

    Raises:
        EvidenceError: nothing of what was named can be opened.
    """
    everything = list(walk(paths, stdin, options.exclude))
    machines = read_hosts(everything, options.now.year)
    rest = [source for source in everything if source.name not in machines.items]
    objects = read_cluster(rest)
    cluster = objects.cluster
    if cluster is not None and options.version:
        cluster.version = options.version
    snapshot = Snapshot(cluster, tuple(Machine(host) for host in machines.hosts), None, options.now)
    infos = catalogue()
    chosen = [check for check in CHECKS if _wanted(infos[check.id], options)]
    return PostureReport(
        SCHEMA_VERSION,
        f"kubewitness {__version__}",
        options.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        tuple(machine.target for machine in snapshot.machines),
        cluster.name if cluster else "",
        cluster.version if cluster else "",
        tuple(infos[check.id] for check in chosen),
        run(chosen, infos, snapshot),
        items=tuple(_item(one, {**machines.items, **objects.items}) for one in everything),
        notes=(*machines.notes, *objects.notes),
        parse_failures=(*machines.failures, *objects.failures),
        complete=not (machines.failures or objects.failures or any(one.error for one in everything)),
    )


def _wanted(info: CheckInfo, options: Options) -> bool:
    name = info.id.rpartition("/")[2]
    return (
        (not options.scopes or info.scope in options.scopes)
        and (not options.groups or info.group in options.groups)
        and (not options.checks or info.id in options.checks or name in options.checks)
    )


def _item(source: Source, kinds: dict[str, str]) -> EvidenceItem:
    return EvidenceItem(source.name, source.sha256, source.size, source.compression, kinds.get(source.name, ""))
