"""Campaigns: how known intruders went about it, step by step. Data, one a file in `content/campaigns`.

A step says where it can be seen (`seen_in`: kinds of evidence) and what shows it (`any`: patterns, one of which is
enough). All that a pattern names must hold of one thing seen: `rule` of ours, `act`, `object`
(resource/namespace/name, `*` for anything), `command` (RE2, in a command or a line quoted), `identity`, `indicator`
(campaign/type of ours), `link` of an edge. `distinctive` are steps that nobody else takes so; without one of these a
campaign is never told. `unordered` are those whose time says nothing, because only their latest run is seen.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

import msgspec
import re2
from msgspec import Struct

from kubewitness.model.errors import ContentError
from kubewitness.model.text import Text
from kubewitness.rules.cache import remembered
from kubewitness.rules.loader import content_folder

SourceKind = Literal[
    "k8s_audit", "kubelet_log", "kubelet_requests", "processes", "sockets", "files", "host_events", "network_flows"
]
_QUIET: Final = re2.Options()
_QUIET.log_errors = False


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """What shows a step; all that is given must hold of one thing seen."""

    rule: str = ""
    act: str = ""
    object: str = ""
    command: str = ""
    identity: str = ""
    indicator: str = ""
    link: str = ""


class TemplateStep(Struct, frozen=True):
    """One step of a campaign."""

    title: Text
    seen_in: tuple[SourceKind, ...]
    patterns: tuple[Pattern, ...]
    technique: str = ""
    distinctive: bool = False
    unordered: bool = False


class Template(Struct, frozen=True):
    """One campaign."""

    id: str  # "campaigns/rbac_buster"
    name: Text
    active: str
    sources: tuple[str, ...]
    steps: tuple[TemplateStep, ...]


class _Words(Struct, forbid_unknown_fields=True):
    name: str
    aliases: list[str] = []


class _Step(Struct, forbid_unknown_fields=True, rename={"patterns": "any"}):
    title: str
    zh: str
    seen_in: list[SourceKind]
    technique: str = ""
    patterns: list[Pattern] = []
    distinctive: bool = False
    unordered: bool = False


class _File(Struct, forbid_unknown_fields=True):
    name: str
    zh: _Words
    active: str
    sources: list[str]
    steps: list[_Step]
    aliases: list[str] = []


@cache
def templates() -> tuple[Template, ...]:
    """All campaigns, by name.

    Raises:
        ContentError: a shipped file is wrong.
    """
    paths = sorted((content_folder() / "campaigns").glob("*.yml"))
    return remembered(paths, "campaigns", tuple[Template, ...], lambda: tuple(map(read, paths)), ())


def read(path: Path) -> Template:
    """One campaign's file.

    Raises:
        ContentError: the file is wrong.
    """
    (document,) = import_module("kubewitness.rules.documents").read_documents(path)  # brings the YAML reader
    try:
        file = msgspec.convert(document.value, _File)
    except msgspec.ValidationError as error:
        raise document.error(str(error)) from error
    if not any(step.distinctive for step in file.steps):
        raise ContentError("no step is distinctive: the campaign could never be told", path, document.line("steps"))
    for number, step in enumerate(file.steps):
        for pattern in step.patterns:
            if pattern == Pattern():
                raise ContentError("a pattern that holds of everything", path, document.line("steps", number))
            try:
                re2.compile(pattern.command, _QUIET)
            except re2.error as error:
                raise ContentError(f"command: {error}", path, document.line("steps", number)) from error
    steps = tuple(
        TemplateStep(
            Text(step.title, step.zh),
            tuple(step.seen_in),
            tuple(step.patterns),
            step.technique,
            step.distinctive,
            step.unordered,
        )
        for step in file.steps
    )
    aliases = [one for one in file.aliases if one not in file.name]
    also = f" ({', '.join(aliases)})" if aliases else ""
    chinese = file.zh.aliases or aliases
    also_zh = f"（{'、'.join(chinese)}）" if chinese else ""
    name = Text(file.name + also, file.zh.name + also_zh)
    return Template(f"campaigns/{path.stem}", name, file.active, tuple(file.sources), steps)
