"""Settings out of a kubelet configuration file (YAML or JSON), each with its line.

The file is evidence: an intruder may have written it. It is bounded in size, depth and parts before anything is
built, and aliases refuse it. Only the first document counts, the last of two equal keys wins, and `yes` and `on` are
true, as in the kubelet's own reader. Keys are compared exactly.

Source: KubeletConfiguration in k8s.io/kubelet/config/v1beta1/types.go; the YAML reader is sigs.k8s.io/yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import yaml
from msgspec import Struct

from kubewitness.model.host import HostFile
from kubewitness.posture.kubelet_settings import KNOWN, Known
from kubewitness.posture.lines import MAX_TEXT, Line, lines
from kubewitness.posture.yaml_text import BOOLEANS, composed

_PARTS: Final = 50_000
# At the top of YAML, or as a key of JSON; indented in YAML it is a text inside something else, such as a ConfigMap.
_KIND: Final = re.compile(r"""(?:^kind[ \t]*:[ \t]*["']?|[{,]\s*"kind"\s*:\s*")KubeletConfiguration\b""", re.M)
_GROUP: Final = re.compile(r"kubelet\.config\.k8s\.io/")
_CONFIGZ: Final = re.compile(r'\s*\{\s*"kubeletconfig"\s*:')


class FileSetting(Struct, frozen=True):
    """A setting as a file gives it."""

    known: Known
    value: str | None  # None: of the wrong type, the kubelet refuses the file
    line: Line


def looks_like_configuration(file: HostFile) -> bool:
    """Whether the file is a KubeletConfiguration, wherever it lies."""
    head = file.text[:MAX_TEXT]
    return bool(_KIND.search(head) and _GROUP.search(head))


def is_configz(file: HostFile) -> bool:
    """Whether the file is an answer of the kubelet's /configz."""
    return _CONFIGZ.match(file.text) is not None


def file_settings(file: HostFile) -> tuple[FileSetting, ...] | None:
    """The settings in the file, later ones of equal keys last; None if it cannot be read."""
    try:
        node = composed(file.text, _PARTS)
    except ValueError:
        return None
    if node is None:
        return ()
    if not isinstance(node, yaml.MappingNode):
        return None
    if is_configz(file):
        node = next((value for key, value in _pairs(node) if key == "kubeletconfig"), node)
    own = list(lines(file))
    return tuple(
        FileSetting(known, _value(known, found), own[min(found.start_mark.line, len(own) - 1)])
        for known in KNOWN
        for found in _at(node, known.name.split("."))
        if not _is_absent(known, found)
    )


def _pairs(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, value


def _at(node: yaml.Node, path: list[str]) -> Iterator[yaml.Node]:
    """All nodes at `path`: of two equal keys both, in order."""
    for key, value in _pairs(node):
        if key == path[0]:
            if len(path) == 1:
                yield value
            else:
                yield from _at(value, path[1:])


def _is_absent(known: Known, node: yaml.Node) -> bool:
    """A null, or an empty value where that means "use the default"."""
    if not isinstance(node, yaml.ScalarNode):
        return False
    if node.tag == "tag:yaml.org,2002:null":
        return True
    return known.empty_is_default and known.with_config not in ("", "0") and node.value in ("", "0")


def _value(known: Known, node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        return None
    quoted = node.style in ("'", '"')
    if known.form == "bool":
        said = None if quoted else BOOLEANS.get(node.value.lower())
        return None if said is None else str(said).lower()
    if known.form == "int":
        fits = not quoted and node.value.isascii() and node.value.isdigit() and len(node.value) < 10
        return str(int(node.value)) if fits else None
    return str(node.value)
