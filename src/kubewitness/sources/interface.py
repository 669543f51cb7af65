"""What a source is: it says whether it knows an object, and opens it.

A source never sees bytes from a file and never yields events itself: it hands back what is inside (`Inner`, to be read
again), an event it put together (`Rebuilt`), or the plain word that this is something else (`Foreign`). Numbering,
places, failures and the limits on nesting are the business of `records` alone, so they are the same for all formats.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kubewitness.sources.values import Fields


@dataclass(frozen=True, slots=True)
class Inner:
    """Text or JSON found inside a wrapper."""

    data: bytes
    time: str = ""  # RFC 3339; used only if the event itself has no time


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """An audit event put together from a format that renames, flattens or drops fields of the original."""

    fields: Fields  # named as in audit.k8s.io/v1
    missing: tuple[str, ...] = ()  # what this format does not carry: said once per item
    time: str = ""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Readable, but no audit event."""

    reason: str


@dataclass(frozen=True, slots=True)
class Known:
    """Evidence of another kind: no audit event, and no failure either."""

    format: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """A control message of the wrapper: neither evidence nor a failure."""


Found = Inner | Rebuilt | Foreign | Known | Nothing


class Source(Protocol):
    """One wrapper family."""

    @property
    def format(self) -> str:
        """The name people read in the report; empty for a format that can hold no audit event."""

    def recognises(self, fields: Fields) -> bool:
        """Cheap test on the names of the members."""

    def open(self, fields: Fields) -> Iterator[Found]:
        """What is inside, in order."""
