"""What every feature file offers: `FIELDS`, a table from documented field name to getter.

A getter never raises and does work linear in the size of the event at most. What several fields of one event share
(the pod specs of a body, its RBAC rules) is computed by a function marked `once` and kept on the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TypeVar, cast

from kubewitness.model.event import Event

Scalar = str | int | float | bool | None
Values = tuple[Scalar, ...]  # () = absent; None in it = JSON null
Getter = Callable[[Event], Values]
FieldTable = Mapping[str, Getter]

T = TypeVar("T")


def once(compute: Callable[[Event], T]) -> Callable[[Event], T]:
    """`compute`, run at most once per event."""
    key = f"{compute.__module__}.{compute.__qualname__}"

    @wraps(compute)
    def kept(event: Event) -> T:
        if key not in event.derived:
            event.derived[key] = compute(event)
        return cast("T", event.derived[key])

    return kept


def one(value: str) -> Values:
    """A text field of which an empty string means absent."""
    return (value,) if value else ()


def distinct(values: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The same texts in the same order, each once, empty ones left out."""
    return tuple(dict.fromkeys(value for value in values if value))
