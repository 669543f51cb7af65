"""Logs of components written as JSON, a line an entry, plain or behind what the container runtime put in front.

They are kubelet, containerd and control plane logs like those of klog and logfmt, under the same names and read by the
same reader; only how they are told from the JSON of any other program is here: by the keys, and where many programs
have these, by the file's name, the words of a runtime or the source files of etcd.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from kubewitness.model.host import Component
from kubewitness.sources.host import json_entry, logs
from kubewitness.sources.host.interface import Format

_KINDS: Final[dict[Component, str]] = {
    "kubelet": "kubelet log", "containerd": "containerd log", "control_plane": "control plane log",
    "other": "component log",
}  # fmt: skip
_SAMPLE: Final = 60
_RUNTIME = re.compile(r"io\.containerd\.|RunPodSandbox|StartContainer for|containerd|dockerd")
_AUDIT = re.compile(r'auditID\\*"\s*:|stageTimestamp\\*"\s*:')


def component_of(lines: list[str], name: str) -> Component | None:
    """The component whose JSON log begins with these lines, None if it is none."""
    entries = list[json_entry.Entry]()
    sample = lines[:_SAMPLE]
    for line in sample:
        prefix = logs.CRI.match(line)
        text = line[prefix.end() :] if prefix else line
        if text.startswith("{"):
            if _AUDIT.search(text):
                return None
            if entry := json_entry.parse(text):
                entries.append(entry)
    if not entries or 2 * len(entries) < len(sample):
        return None
    form = entries[0].form
    if any(entry.form != form for entry in entries):
        return None
    named = next(
        (found for part in reversed(re.split("[/!]", name)[-3:]) if (found := logs.component_of(part)) != "other"), None
    )
    told = next((found for entry in entries if (found := json_entry.component_of(entry)) != "other"), None)
    if form == "klog":
        return named or told or "other"
    if form == "zap":
        return "control_plane" if told or (named == "control_plane" and "etcd" in name) else None
    words = any(_RUNTIME.search(entry.message) for entry in entries)
    return "containerd" if named == "containerd" or (named is None and words) else None


def _test(component: Component) -> Callable[[list[str], str], bool]:
    return lambda lines, name: component_of(lines, name) == component


FORMATS: tuple[Format, ...] = tuple(
    Format(kind, _test(component), logs.read, logs.wanted) for component, kind in _KINDS.items()
)
