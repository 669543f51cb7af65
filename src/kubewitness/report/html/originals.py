"""An original event, unfolded for reading: indented, with the fields that carry the claim marked.

Parsed with the standard library because it can keep what a typed decoder would tidy away: duplicate keys, their
order, and numbers exactly as written. Strings are written again with every character that could deceive as a JSON
escape, so the text stays true JSON. What cannot be parsed (a cut-off event) is shown as it was found. Everything is
bounded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kubewitness.report.html.inert import visible

MOST_LINES = 400
MOST_CHARACTERS = 60_000  # of one original; longer ones are shown from their beginning, as found
MOST_STRING = 4_000
_INDEX = re.compile(r"\[\d*\]")


@dataclass(frozen=True)
class Line:
    """One printed line; `decisive` if it carries the claim."""

    text: str
    decisive: bool = False


@dataclass(frozen=True)
class Unfolded:
    """The lines of an original, and how many more it would have."""

    lines: tuple[Line, ...]
    cut: int = 0


class _Object(list[tuple[str, object]]):
    """A JSON object as its pairs: duplicate keys stay."""


class _Number(str):
    """A JSON number exactly as written."""

    __slots__ = ()


def unfold(original: str, decisive: tuple[str, ...]) -> Unfolded:
    """`original` indented, its `decisive` paths marked ("responseStatus.code"; list indices may be left out)."""
    if len(original) > MOST_CHARACTERS:
        return _raw(original)
    try:
        value = json.loads(
            original, object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except (ValueError, RecursionError):
        return _raw(original)
    paths = tuple(_INDEX.sub("", path) for path in decisive if path)
    lines: list[Line] = []
    more = 0
    try:
        for text, path in _written(value, "", 0, "", ""):
            if len(lines) >= MOST_LINES:
                more += 1
            else:
                lines.append(Line(text, _marked(path, paths)))
    except RecursionError:
        return _raw(original)
    return Unfolded(tuple(lines), more)


def reason_of(original: str) -> str:
    """The authorizer's reason in an original, empty if it has none."""
    if not original or len(original) > 4_000_000:
        return ""
    try:
        event = json.loads(original, parse_int=_Number)
    except (ValueError, RecursionError):
        return ""
    annotations = event.get("annotations") if isinstance(event, dict) else None
    reason = annotations.get("authorization.k8s.io/reason") if isinstance(annotations, dict) else None
    return reason if isinstance(reason, str) else ""


def _marked(path: str, paths: tuple[str, ...]) -> bool:
    return any(path == decisive or path.startswith(decisive + ".") for decisive in paths)


def _raw(original: str) -> Unfolded:
    shown = visible(original[:MOST_STRING]).splitlines()[:MOST_LINES]
    rest = len(original) - MOST_STRING
    return Unfolded(tuple(Line(text) for text in shown), 1 if rest > 0 else 0)


def _written(value: object, path: str, depth: int, before: str, after: str) -> Iterator[tuple[str, str]]:
    pad = "  " * depth
    if isinstance(value, _Object):
        if not value:
            yield f"{pad}{before}{{}}{after}", path
            return
        yield f"{pad}{before}{{", path
        for index, (key, inner) in enumerate(value):
            comma = "," if index + 1 < len(value) else ""
            yield from _written(inner, f"{path}.{key}" if path else key, depth + 1, f"{_string(key)}: ", comma)
        yield f"{pad}}}{after}", path if path else ""
    elif isinstance(value, list):
        if not value:
            yield f"{pad}{before}[]{after}", path
            return
        yield f"{pad}{before}[", path
        for index, inner in enumerate(value):
            yield from _written(inner, path, depth + 1, "", "," if index + 1 < len(value) else "")
        yield f"{pad}]{after}", path
    else:
        yield f"{pad}{before}{_scalar(value)}{after}", path


def _scalar(value: object) -> str:
    if isinstance(value, _Number):
        return visible(value[:MOST_STRING])
    return _string(value) if isinstance(value, str) else json.dumps(value)


def _string(text: str) -> str:
    cut = len(text) - MOST_STRING
    if cut > 0:
        text = text[:MOST_STRING] + f"… (+{cut:,})"
    written = json.dumps(text, ensure_ascii=False)
    if written.isprintable():
        return written
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in written)
