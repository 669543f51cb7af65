"""What dumps of the cluster among the evidence hold for those who ask what would have stopped an intruder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from kubewitness.correlate.rbac.changes import changes_in
from kubewitness.correlate.rbac.state import History
from kubewitness.detect.ledger import Ledger
from kubewitness.evidence.opening import Source
from kubewitness.posture.rbac.objects import Dump, read_dump

_SIZE: Final = 64 * 1024 * 1024
_RBAC: Final = b"rbac.authorization.k8s.io"


def documents(sources: Iterable[Source], mark: bytes) -> Iterator[object]:
    """The JSON documents that hold the bytes `mark`; what is too large or is no JSON is passed over."""
    for source in sources:
        data = bytearray()
        for chunk in source.open():
            data += chunk
            if len(data) > _SIZE:
                break
        if len(data) > _SIZE or mark not in data:
            continue
        try:
            yield json.loads(data)
        except (ValueError, RecursionError):
            continue


def dumps_of(sources: Iterable[Source]) -> list[Dump]:
    """RBAC objects among items that are known to hold Kubernetes objects."""
    found = map(read_dump, documents(sources, _RBAC))
    return [one for one in found if one.objects or one.unreadable]


def history_of(ledger: Ledger, sources: Iterable[Source]) -> History:
    """Roles and bindings over time, as the ledger and the dumps tell."""
    return History(changes_in(ledger), dumps_of(sources))
