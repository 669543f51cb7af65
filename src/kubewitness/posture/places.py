"""Where an object of a cluster, or something in it, was read."""

from __future__ import annotations

from typing import Final

from kubewitness.model.cluster import KubeObject
from kubewitness.model.posture import Where

_SHOWN: Final = 200


def where_of(one: KubeObject, path: str = "", shown: str = "") -> Where:
    """Its place, with the path inside its item and what stands there."""
    inner = f"{one.path}.{path}" if one.path and path else one.path or path
    return Where(one.place.item, one.place.line, str(one), inner, shown[:_SHOWN])
