"""What an API server sends, as far as the collector reads it."""

from __future__ import annotations

from typing import Any

import msgspec


class ListMeta(msgspec.Struct, frozen=True, rename={"continue_": "continue", "version": "resourceVersion"}):
    """Where a list stands: its version, and the token of its next page."""

    continue_: str = ""
    version: str = ""


class Page(msgspec.Struct, rename={"version": "apiVersion"}):
    """One page of a list."""

    items: list[dict[str, Any]] | None
    kind: str = ""
    version: str = ""
    metadata: ListMeta = ListMeta()


class Resource(msgspec.Struct):
    """One resource of it."""

    name: str


class Resources(msgspec.Struct):
    """The resources of a group and version (discovery)."""

    resources: list[Resource] = []


class Version(msgspec.Struct, rename={"group_version": "groupVersion"}):
    """A version of a group."""

    group_version: str
    version: str


class Group(msgspec.Struct):
    """One group of it."""

    name: str
    versions: list[Version] = []


class Groups(msgspec.Struct):
    """The groups of an API server (discovery)."""

    groups: list[Group] = []
