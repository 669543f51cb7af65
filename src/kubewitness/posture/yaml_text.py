"""YAML and JSON files of a machine: values, and the line of each.

The file is evidence and an intruder may have written it: it is bounded in size, depth and parts before anything is
built, and an alias refuses it. Only the first document counts, as for the components that read such files.
"""

from __future__ import annotations

from typing import Any, Final

import yaml
from msgspec import Struct

from kubewitness.evidence.yaml_bounds import first_document
from kubewitness.model.posture import Where
from kubewitness.posture.lines import MAX_TEXT

_DEPTH: Final = 60
_PARTS: Final = 100_000
_SHOWN: Final = 200
# In small letters, as sigs.k8s.io/yaml takes them.
BOOLEANS: Final = dict.fromkeys(("y", "yes", "on", "true"), True) | dict.fromkeys(("n", "no", "off", "false"), False)


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
    try:
        root = composed(text, _PARTS)
    except ValueError:
        return None
    return Document(root, where) if isinstance(root, yaml.MappingNode) else None


def composed(text: str, parts: int) -> yaml.Node | None:
    """The first document of the text of a file, of at most so many parts; None if there is none.

    Raises:
        ValueError: it is malformed, or longer, deeper or larger than such files are, or has an alias.
    """
    if len(text) > MAX_TEXT:
        raise ValueError("too long")
    return first_document(text, depth=_DEPTH, parts=parts)


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
    if text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if node.tag == "tag:yaml.org,2002:int" and len(text) < 15 and text.lstrip("+-").isdecimal():
        return int(text)
    return text
