"""How a grant is taken back: the command, and what it may break."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from kubewitness.model.posture import Remedy
from kubewitness.model.text import Text
from kubewitness.posture.access.state import NOBODY, Grant
from kubewitness.posture.rbac.nouns import Binding, Key

_OF_NOBODY: Final = Text(
    "whoever calls the API without a credential through this grant; an audit log tells who does",
    "经此授权、不带凭据调用 API 的程序会失效；可由审计日志查明使用者",
)
_OF_SOMEBODY: Final = Text(
    "whatever uses these rights; give it a role of only what it needs first",
    "依赖这些权限的程序会失效；请先为其授予仅含所需权限的角色",
)
_NONE: Final = Text("", "")
NO_COMMAND: Final = Text(
    "A name in it holds characters that a shell or a screen could obey, so no command is given: edit it by hand.",
    "其名称含有可能被 shell 或终端执行的字符，因此不给出命令：请手动编辑。",
)
_SHOWN: Final = 8  # bindings of one command


def removal(grants: Iterable[Grant], title: Text, breaks: Text | None = None) -> Remedy:
    """Takes these grants back and no others."""
    grants = tuple(dict.fromkeys(grants))
    if breaks is None:
        breaks = _OF_NOBODY if all(grant.who in NOBODY for grant in grants) else _OF_SOMEBODY
    by_binding = defaultdict[Key, list[Grant]](list)
    for grant in grants:
        by_binding[grant.binding.key].append(grant)
    commands = [_command(some[0].binding, some) for _, some in sorted(by_binding.items())]
    fix = "; ".join(
        f"unbind {key}: {', '.join(sorted({str(one.who) for one in some}))}" for key, some in sorted(by_binding.items())
    )
    detail = _NONE if all(commands) else NO_COMMAND
    return Remedy(title, detail, "\n".join(one for one in commands[:_SHOWN] if one), safe=False, breaks=breaks, fix=fix)


def _command(binding: Binding, grants: list[Grant]) -> str:
    names = (binding.name, binding.namespace, *(grant.subject.name for grant in grants))
    if not all(name.isprintable() for name in names):
        return ""  # nothing that a shell or a screen could obey
    place = f" -n {shlex.quote(binding.namespace)}" if binding.namespace else ""
    target = _target(binding.key)
    copy = f"kubectl get {target}{place} -o yaml > {_file(binding.key)}"
    removed = {grant.position for grant in grants}
    if len(removed) >= len(binding.subjects):
        return f"{copy}\nkubectl delete {target}{place}"
    steps = [
        step
        for index in sorted(removed, reverse=True)  # from the end, so that the others keep their places
        for step in (
            {"op": "test", "path": f"/subjects/{index}/name", "value": binding.subjects[index].name},
            {"op": "remove", "path": f"/subjects/{index}"},
        )
    ]
    return f"{copy}\nkubectl patch {target}{place} --type=json -p {shlex.quote(json.dumps(steps))}"


def named(key: Key) -> str:
    """An object as arguments of kubectl; empty if its name could be obeyed by a shell or a screen."""
    if not (key.name.isprintable() and key.namespace.isprintable()):
        return ""
    place = f"-n {shlex.quote(key.namespace)} " if key.namespace else ""
    return f"{place}{_target(key)}"


def _target(key: Key) -> str:
    """An object as kubectl takes it; with its kind before it, a name that begins like an option is none."""
    between = "/" if key.name.startswith("-") else " "
    return f"{key.kind.lower()}{between}{shlex.quote(key.name)}"


def backup(key: Key) -> str:
    """The command that keeps a copy; empty if the name could be obeyed."""
    target = named(key)
    return f"kubectl get {target} -o yaml > {_file(key)}" if target else ""


def _file(key: Key) -> str:
    name = "-".join(part for part in (key.kind.lower(), key.namespace, key.name) if part)
    return "".join(one if one.isalnum() or one in "-._" else "_" for one in name)[:120] + ".yaml"
