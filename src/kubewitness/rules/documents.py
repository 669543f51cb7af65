"""YAML documents of content files, with the line of every key.

One pass of libyaml gives both the values and the node tree; the tree is kept only to answer "in which line is this
key", so that every complaint about a rule can name its place. Strict where YAML is lax: a key written twice is an error
(the second would silently replace the first, which in a rule drops a condition).

Source: YAML 1.1 as PyYAML reads it; rule files of others are hostile input, hence the limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from kubewitness.model.errors import ContentError

_SIZE_LIMIT = 1 << 20  # bytes; the largest rule file in public collections is below 100 kB
_DEPTH_LIMIT = 100  # nesting; checked before libyaml's recursive composer sees the text


@dataclass(frozen=True)
class Document:
    """One YAML document that is a mapping."""

    path: Path
    value: Mapping[str, object]
    node: yaml.MappingNode

    def line(self, *keys: str | int) -> int:
        """The line of the innermost of `keys` that exists (a path of mapping keys and list positions)."""
        node: yaml.Node = self.node
        line = node.start_mark.line + 1
        for key in keys:
            if isinstance(node, yaml.MappingNode):
                pair = next(((k, v) for k, v in node.value if getattr(k, "value", None) == str(key)), None)
                if pair is None:
                    break
                line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
                node = node.value[key]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def error(self, message: str, *keys: str | int) -> ContentError:
        """A complaint at the line of `keys`."""
        return ContentError(message, self.path, self.line(*keys))


def read_documents(path: Path) -> tuple[Document, ...]:
    """The documents of a file; empty ones are left out.

    Raises:
        ContentError: the file is not readable, not YAML, not made of mappings, or repeats a key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContentError(f"cannot be read: {error.strerror or error}", path) from error
    if len(data) > _SIZE_LIMIT:
        raise ContentError(f"larger than {_SIZE_LIMIT} bytes, no rule file", path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContentError("not UTF-8", path, data.count(b"\n", 0, error.start) + 1) from error
    try:
        _check_depth(text, path)
        return tuple(_compose(text, path))
    except yaml.MarkedYAMLError as error:
        # The end of the text counts as a line of its own; name the last one instead.
        line = min(error.problem_mark.line, text.rstrip("\n").count("\n")) + 1 if error.problem_mark else 1
        raise ContentError(f"not valid YAML: {error.problem or error.context}", path, line) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContentError(f"not valid YAML: {str(error).splitlines()[0]}", path, 1) from error


def _check_depth(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEPTH_LIMIT:
                mark = event.start_mark
                raise ContentError("nested too deeply", path, mark.line + 1 if mark else 1)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _compose(text: str, path: Path) -> Iterator[Document]:
    loader = yaml.CSafeLoader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
                continue
            if not isinstance(node, yaml.MappingNode):
                raise ContentError("not a mapping of keys to values", path, node.start_mark.line + 1)
            _refuse_repeated_keys(node, path)
            yield Document(path, loader.construct_document(node), node)
    finally:
        loader.dispose()


def _refuse_repeated_keys(root: yaml.Node, path: Path) -> None:
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:  # an alias: the same node again
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending.extend(node.value)
        elif isinstance(node, yaml.MappingNode):
            keys = set[str]()
            for key, value in node.value:
                name = str(key.value)
                if name in keys:
                    raise ContentError(f"key {name!r} is written twice", path, key.start_mark.line + 1)
                keys.add(name)
                pending.append(value)
