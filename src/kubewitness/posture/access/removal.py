"""How a grant is taken back: the command, and what it may break."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from kubewitness.model.posture import Remedy
from kubewitness.model.text import Text
from kubewitness.posture.access.state import Grant
from kubewitness.posture.rbac.nouns import Binding, Key

_NONE: Final = Text("", "")
_SHOWN: Final = 8  # bindings of one command


def removal(grants: Iterable[Grant], title: Text, breaks: Text, detail: Text = _NONE) -> Remedy:
    """Takes these grants back and no others."""
    by_binding = defaultdict[Key, list[Grant]](list)
    for grant in dict.fromkeys(grants):
        by_binding[grant.binding.key].append(grant)
    commands = [_command(some[0].binding, some) for _, some in sorted(by_binding.items())]
    fix = "; ".join(
        f"unbind {key}: {', '.join(sorted({str(one.who) for one in some}))}" for key, some in sorted(by_binding.items())
    )
    return Remedy(title, detail, "\n".join(one for one in commands[:_SHOWN] if one), safe=False, breaks=breaks, fix=fix)


def _command(binding: Binding, grants: list[Grant]) -> str:
    names = (binding.name, binding.namespace, *(grant.subject.name for grant in grants))
    if not all(name.isprintable() for name in names):
        return ""  # nothing that a shell or a screen could obey
    place = f" -n {shlex.quote(binding.namespace)}" if binding.namespace else ""
    kind = binding.key.kind.lower()
    name = _argument(binding.name)
    backup = f"kubectl get {kind} {name}{place} -o yaml > {shlex.quote(f'{kind}-{_file(binding.name)}.yaml')}"
    removed = {grant.position for grant in grants}
    if len(removed) >= len(binding.subjects):
        return f"{backup}\nkubectl delete {kind} {name}{place}"
    steps = [
        step
        for index in sorted(removed, reverse=True)  # from the end, so that the others keep their places
        for step in (
            {"op": "test", "path": f"/subjects/{index}/name", "value": binding.subjects[index].name},
            {"op": "remove", "path": f"/subjects/{index}"},
        )
    ]
    return f"{backup}\nkubectl patch {kind} {name}{place} --type=json -p {shlex.quote(json.dumps(steps))}"


def named(key: Key) -> str:
    """An object as arguments of kubectl; empty if its name could be obeyed by a shell or a screen."""
    if not (key.name.isprintable() and key.namespace.isprintable()):
        return ""
    place = f"-n {shlex.quote(key.namespace)} " if key.namespace else ""
    return f"{place}{key.kind.lower()} {_argument(key.name)}"


def _argument(name: str) -> str:
    """A name as an argument that is no option."""
    return shlex.quote(name) if not name.startswith("-") else f"-- {shlex.quote(name)}"


def _file(name: str) -> str:
    return "".join(one if one.isalnum() or one in "-._" else "_" for one in name)[:100]
