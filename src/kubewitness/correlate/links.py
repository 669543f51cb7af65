"""Links: the ways in which one thing is tied to another. Data, one a file in `content/links`.

A link says what it joins (`from`, `to`), by which values (`keys`), how sure that is (`confidence`), within what time
(`window`, seconds, where time matters) and why, in words. The code that looks for a link calls it by its name; what is
surer than `PROVEN` is told as fact, the rest as inferred and drawn so. Nothing is tied together by nearness in time
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from kubewitness.model.errors import ContentError
from kubewitness.model.incident import Edge, Entity, Evidence
from kubewitness.model.text import Text
from kubewitness.rules.cache import remembered
from kubewitness.rules.loader import content_folder

PROVEN: Final = 0.9  # below that a link is inferred and drawn so


class Link(Struct, frozen=True):
    """One link as its file gives it."""

    id: str  # "links/cgroup_process"
    title: Text
    source: str  # kind of entity
    target: str
    keys: tuple[str, ...]
    confidence: float
    why: Text  # with {places} for values
    window: int = 0  # seconds; 0: time does not matter


class _Words(Struct, forbid_unknown_fields=True):
    title: str
    why: str


class _File(Struct, forbid_unknown_fields=True, rename={"source": "from", "target": "to"}):
    title: str
    source: str
    target: str
    keys: list[str]
    confidence: float
    why: str
    references: list[str]
    zh: _Words
    window: int = 0


@cache
def links() -> Mapping[str, Link]:
    """All links by name.

    Raises:
        ContentError: a shipped file is wrong.
    """
    paths = sorted((content_folder() / "links").glob("*.yml"))
    read = remembered(paths, "links", tuple[Link, ...], lambda: tuple(map(_read, paths)), ())
    return MappingProxyType({path.stem: link for path, link in zip(paths, read, strict=True)})


def edge(
    name: str,
    source: Entity,
    target: Entity,
    keys: Mapping[str, str],
    evidence: Iterable[Evidence] = (),
    *,
    confidence: float | None = None,
    **values: str,
) -> Edge:
    """The edge that link `name` makes of two entities. `values` fill what the link's words leave open."""
    link = links()[name]
    sure = link.confidence if confidence is None else confidence
    return Edge(
        link=link.id,
        source=source,
        target=target,
        keys=dict(keys),
        confidence=sure,
        why=said(name, source=_named(source), target=_named(target), **values),
        inferred=sure < PROVEN,
        evidence=tuple(evidence),
    )


def machine_and_rest(name: str) -> tuple[str, str]:
    """The machine's name before the first slash, and what stands behind it.

    No host name holds a slash, but of two machines of one name each bears its folder: `web1 (case/first)/31337`.
    """
    machine, end, rest = name.partition(")/")
    host, folder, _ = machine.partition(" (")
    if end and folder and "/" not in host:
        return f"{machine})", rest
    machine, _, rest = name.partition("/")
    return machine, rest


def short_name(entity: Entity) -> str:
    """An entity's name as a sentence about one machine has it: ids as short as the runtimes' tools show them."""
    name = entity.name
    if entity.kind == "container":
        return machine_and_rest(name)[1][:12]
    if entity.kind == "process":
        return f"pid {machine_and_rest(name)[1]}"
    if entity.kind == "socket":
        return machine_and_rest(name)[1]
    if entity.kind == "file":
        return name.partition(":")[2]
    if entity.kind == "step":
        return name.rpartition("/")[2]
    if entity.kind == "setting":
        return name.rpartition(":")[2]
    return name.replace("/", " ", 1) if entity.kind == "object" else name


def _named(entity: Entity) -> str | Text:
    """An entity as the words of a link have it: only steps are called otherwise in the other language."""
    name = short_name(entity)
    return Text(f"step {name}", f"步骤 {name}") if entity.kind == "step" else name


def said(name: str, **values: str | Text) -> Text:
    """Why two things are tied together, in words; values in it are hostile."""
    why = links()[name].why
    en = {key: value.en if isinstance(value, Text) else value for key, value in values.items()}
    zh = {key: value.zh if isinstance(value, Text) else value for key, value in values.items()}
    return Text(_sentence(_filled(why.en, en)), _filled(why.zh, zh))


def _sentence(text: str) -> str:
    """A sentence of ours begins large, also where it begins with a step."""
    return f"S{text[1:]}" if text.startswith("step ") else text


def _filled(text: str, values: Mapping[str, str]) -> str:
    return "".join(said + (values.get(name, "?") if name else "") for said, name, _, _ in Formatter().parse(text))


def _read(path: Path) -> Link:
    (document,) = import_module("kubewitness.rules.documents").read_documents(path)  # brings the YAML reader
    try:
        file = msgspec.convert(document.value, _File)
    except msgspec.ValidationError as error:
        raise document.error(str(error)) from error
    if not 0 < file.confidence <= 1:
        raise ContentError("confidence is not between 0 and 1", path, document.line("confidence"))
    return Link(
        id=f"links/{path.stem}",
        title=Text(file.title, file.zh.title),
        source=file.source,
        target=file.target,
        keys=tuple(file.keys),
        confidence=file.confidence,
        why=Text(file.why, file.zh.why),
        window=file.window,
    )
