"""YAML and JSON files of a machine: values, and the line of each.

The file is evidence and an intruder may have written it: it is bounded in size, depth and parts before anything is
built, and an alias refuses it. Only the first document counts, as for the components that read such files.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from msgspec import Struct

from kubewitness.model.posture import Where
from kubewitness.posture.lines import MAX_TEXT

_DEPTH: Final = 60
_PARTS: Final = 100_000
_SHOWN: Final = 200
_TRUE: Final = frozenset(("y", "yes", "on", "true"))
_FALSE: Final = frozenset(("n", "no", "off", "false"))


class Document(Struct, frozen=True):
    """A document and where it stands."""

    root: Any  # yaml.Node, which msgspec does not know
    where: Where  # of the file
    size: int = 0

    @property
    def value(self) -> object:
        """The whole of it as plain values."""
        return _plain(self.root)

    def at(self, *keys: str | int) -> Where:
        """Where the innermost of `keys` that exists stands."""
        node = self.root
        for key in keys:
            found = _child(node, key)
            if found is None:
                break
            node = found
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        line = (self.where.line or 1) + node.start_mark.line
        return Where(self.where.item, line, self.where.object, self.where.path, text[:_SHOWN])


def read(text: str, where: Where) -> Document | None:
    """The first document of `text`; None if it cannot be read or is none."""
    if len(text) > MAX_TEXT:
        return None
    try:
        if not _bounded(text):
            return None
        root = next(iter(yaml.compose_all(text, Loader=yaml.CSafeLoader)), None)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    return Document(root, where) if isinstance(root, yaml.MappingNode) else None


def _bounded(text: str) -> bool:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.CSafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentEndEvent):
            return True
        if isinstance(event, yaml.AliasEvent) or depth > _DEPTH or count > _PARTS:
            return False
    return True


def _child(node: yaml.Node, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        found: yaml.Node | None = None
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                found = value  # of equal keys the last counts
        return found
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        one: yaml.Node = node.value[key]
        return one
    return None


def _plain(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _plain(value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one) for one in node.value]
    return _scalar(node)


def _scalar(node: yaml.Node) -> object:
    text = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style in ("'", '"', "|", ">"):
        return text
    low = text.lower()
    if low in _TRUE or low in _FALSE:
        return low in _TRUE
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag == "tag:yaml.org,2002:int" and len(text) < 15 and text.lstrip("+-").isdecimal():
        return int(text)
    return text
