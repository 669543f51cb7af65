"""What an investigation was given: every item, and what each turned out to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kubewitness.evidence.opening import Source, walk
from kubewitness.model.evidence import EvidenceItem
from kubewitness.sources.host.hosts import HostEvidence, read_hosts
from kubewitness.sources.kube_objects import KIND, KubeObjects, read_objects


class Given(NamedTuple):
    """All items, sorted.

    Attributes:
        everything: Every item, in the order in which a person would read them.
        machines: Evidence of machines.
        objects: Dumps of Kubernetes objects.
        logs: What is read as an audit log: the rest.
        read: Items that were read to their end already, because they are no log.
        dumps: Items that hold objects of a cluster.
    """

    everything: Sequence[Source]
    machines: HostEvidence
    objects: KubeObjects
    logs: Sequence[Source]
    read: Sequence[EvidenceItem]
    dumps: Sequence[Source]

    @property
    def size(self) -> int:
        """Raw bytes of all items, compressed where they are."""
        return sum(source.size for source in self.everything)


def given(paths: Sequence[str], year: int, stdin: BinaryIO | None = None, exclude: Sequence[Path] = ()) -> Given:
    """Everything behind `paths`.

    Args:
        paths: files, directories, globs, "-" for `stdin`, archives.
        year: of the investigation, for logs that write none.
        stdin: what "-" means.
        exclude: what is passed over where a folder or glob holds it.
    """
    everything = list(walk(paths, stdin, exclude))
    machines = read_hosts(everything, year)
    objects = read_objects([source for source in everything if source.name not in machines.items])
    kinds = {**machines.items, **objects.items}
    return Given(
        everything,
        machines,
        objects,
        logs=[source for source in everything if source.name not in kinds],
        read=[_item(source, kinds[source.name]) for source in everything if source.name in kinds],
        dumps=[source for source in everything if objects.items.get(source.name) == KIND],
    )


def _item(source: Source, kind: str) -> EvidenceItem:
    return EvidenceItem(source.name, source.sha256, source.size, source.compression, kind)
