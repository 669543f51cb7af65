"""A record cut out of a byte stream."""

from __future__ import annotations

import msgspec

from kubewitness.model.evidence import Place


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One record's bytes and where they lie."""

    data: bytes
    place: Place
