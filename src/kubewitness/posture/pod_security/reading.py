"""A pod as the checks see it: a document that may be anything, as the API server's decoder and defaults leave it.

- A field of another type than the API's is absent. An API server refuses such a document whole, so no cluster ever
  held it, and there is no answer of upstream's to agree with. Nothing here raises.
- `null` is absent, but as an element of a list it is the empty value: `containers: [null]` is one nameless container.
- Numbers that do not fit the API's integers are of another type.
- Two defaults of the API server change verdicts and are applied, so that a manifest gets the answer its pod would get:
  with hostNetwork a container's port is its host port too (not an ephemeral container's), and a volume without a
  source is an emptyDir. Those of a pod read from a cluster are there already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

Fields = Mapping[str, object]

_EMPTY: Final[Fields] = {}
_LISTS: Final = (("initContainers", True), ("containers", True), ("ephemeralContainers", False))


class Container(NamedTuple):
    """A container of any of the three lists; `security` is empty where there is none, which upstream never tells."""

    name: str
    path: str  # spec.containers[0]
    fields: Fields
    security: Fields
    takes_host_ports: bool  # the default of hostNetwork applies to it


class Pod(NamedTuple):
    """A pod or a template of one."""

    annotations: Mapping[str, str]
    spec: Fields
    security: Fields
    containers: tuple[Container, ...]  # upstream's order: init, main, ephemeral


def read_pod(document: Mapping[str, object]) -> Pod:
    """The pod of `{"metadata": …, "spec": …}`."""
    spec = mapping_at(document, "spec") or _EMPTY
    containers = tuple(
        Container(
            text_at(fields, "name") or "",
            f"spec.{key}[{number}]",
            fields,
            mapping_at(fields, "securityContext") or _EMPTY,
            defaulted,
        )
        for key, defaulted in _LISTS
        for number, fields in mappings_at(spec, key)
    )
    annotations = mapping_at(mapping_at(document, "metadata") or _EMPTY, "annotations") or _EMPTY
    texts = {key: value or "" for key, value in annotations.items() if value is None or isinstance(value, str)}
    return Pod(
        {key: value for key, value in texts.items() if isinstance(key, str)},
        spec,
        mapping_at(spec, "securityContext") or _EMPTY,
        containers,
    )


def mapping_at(fields: Fields, key: str) -> Fields | None:
    """The object at `key`; None unless it is one. An empty object is there, and is not None."""
    value = fields.get(key)
    if value is None or isinstance(
        value, dict
    ):  # the look-up in an abstract class is slow, and this is most of the time
        return value
    return value if isinstance(value, Mapping) else None


def mappings_at(fields: Fields, key: str) -> Iterator[tuple[int, Fields]]:
    """The objects of a list, each with its place."""
    for number, one in enumerate(_list_at(fields, key)):
        if one is None:
            yield number, _EMPTY
        elif isinstance(one, Mapping):
            yield number, one


def texts_at(fields: Fields, key: str) -> Iterator[tuple[int, str]]:
    """The strings of a list, each with its place."""
    for number, one in enumerate(_list_at(fields, key)):
        if one is None or isinstance(one, str):
            yield number, one or ""


def text_at(fields: Fields, key: str) -> str | None:
    """The string at `key`."""
    value = fields.get(key)
    return value if isinstance(value, str) else None


def flag_at(fields: Fields, key: str) -> bool | None:
    """The boolean at `key`."""
    value = fields.get(key)
    return value if isinstance(value, bool) else None


def number_at(fields: Fields, key: str, bits: int) -> int | None:
    """The signed integer of `bits` bits at `key`."""
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if -(1 << bits - 1) <= value < 1 << bits - 1 else None


def _list_at(fields: Fields, key: str) -> Sequence[object]:
    value = fields.get(key)
    return value if isinstance(value, (list, tuple)) else ()
