"""How an original event is cited: its place, and the values at the JSON paths that carry the claim.

Paths are dotted as in rules ("annotations.authorization.k8s.io/reason"), so a key may itself contain dots: at each
level the longest key that fits is taken. Lists are walked, any element; a number picks one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from kubewitness.model.incident import Evidence, ObjectName
from kubewitness.report.blocks import Citation, Span, line, place, span

_MAX_VALUES = 8
_VALUE_CELLS = 200


def _values(value: Any, keys: list[str]) -> Iterator[Any]:
    if not keys:
        yield value
    elif isinstance(value, dict):
        for length in range(len(keys), 0, -1):
            key = ".".join(keys[:length])
            if key in value:
                yield from _values(value[key], keys[length:])
                return
    elif isinstance(value, list):
        if keys[0].isdigit():
            index = int(keys[0][:9])
            if index < len(value):
                yield from _values(value[index], keys[1:])
            return
        for element in value:
            yield from _values(element, keys)


def values_at(original: str, path: str) -> list[str]:
    """The JSON texts at `path` of an event, at most eight; none if the event or the path cannot be read."""
    try:
        event = msgspec.json.decode(original)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return []
    keys = path.replace("[", ".").replace("]", "").split(".")
    out: list[str] = []
    for value in _values(event, keys):
        out.append(value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8", "replace"))
        if len(out) == _MAX_VALUES:
            break
    return out


def cite(evidence: Evidence, *, with_original: bool) -> Citation:
    """`item:line` (offset where the format has no lines), auditID, what the event says, and its decisive fields."""
    parts: list[str | Span] = [place(evidence.item, evidence.line, evidence.offset)]
    if evidence.audit_id:
        parts += ["  ", span(f"auditID {evidence.audit_id}", "dim", 80)]
    decisive = tuple(
        (span(path, cells=100).text, span(", ".join(found), cells=_VALUE_CELLS).text)
        for path in evidence.decisive
        if evidence.original and (found := values_at(evidence.original, path))
    )
    summary = line(span(evidence.summary, "plain", _VALUE_CELLS))
    return Citation(line(*parts), summary, decisive, evidence.original if with_original else "")


def of_machine(evidence: Iterable[Evidence]) -> bool:
    """What machines showed, not requests: processes, lines and files are counted, and none of them was carried out."""
    return not any(one.audit_id for one in evidence)


def object_words(name: ObjectName) -> str:
    """`daemonsets kube-system/kube-controller`; `secrets kube-system/*` for all of a namespace."""
    where = f"{name.namespace}/{name.name or '*'}" if name.namespace else name.name
    return f"{name.kind} {where}".strip()
