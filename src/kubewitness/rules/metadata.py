"""What a rule says about itself: titles in two languages, severity, confidence, kind, techniques.

Standard Sigma keys give the English side and the severity (`level`); our optional block `kubewitness` adds the rest:

    kubewitness: {confidence: high, kind: intrusion, runbook: "...", zh: {title: ..., description: ..., runbook: ...,
                  falsepositives: [...]}}

Rules of others have no such block: they count as `activity` with medium confidence (low if their level is low or
informational), and Chinese falls back to their own words.

Source: Sigma specification 2.x (title, description, level, tags, falsepositives).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast, get_args

import msgspec

from kubewitness.model.errors import ContentError
from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Text
from kubewitness.rules.documents import Document

Choice = TypeVar("Choice", bound=str)

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
# broad: why a rule looks at every event; first_seen: see `rules.first_seen`
_BLOCK_KEYS = frozenset({"confidence", "kind", "runbook", "broad", "first_seen", "zh"})
_ZH_KEYS = frozenset({"title", "description", "runbook", "falsepositives"})


class Metadata(msgspec.Struct, frozen=True):
    """The parts of a rule that do not decide whether it matches."""

    title: Text
    description: Text
    severity: Severity
    confidence: Confidence
    kind: Kind
    techniques: tuple[str, ...]
    falsepositives: tuple[Text, ...]
    runbook: Text
    names: tuple[str, ...]  # what other documents may call it: its `name`, its `id`
    kind_given: bool  # the file says which kind it is


def read_metadata(document: Document, errors: list[ContentError]) -> Metadata:
    """The metadata of a rule document; complaints are added to `errors` (the result is then not to be used)."""
    reader = _Reader(document, errors)
    block = reader.mapping("kubewitness", allowed=_BLOCK_KEYS)
    zh = reader.mapping("kubewitness", "zh", allowed=_ZH_KEYS)
    title = reader.text("title")
    if not title:
        errors.append(document.error("a rule needs a title", "title"))
    severity: Severity = reader.choice(Severity, "medium", "level")
    falsepositives = reader.texts("falsepositives")
    falsepositives_zh = reader.texts("kubewitness", "zh", "falsepositives")
    runbook = reader.text("kubewitness", "runbook")
    weak = severity in ("informational", "low")
    return Metadata(
        title=_both(title, reader.text("kubewitness", "zh", "title")),
        description=_both(reader.text("description"), reader.text("kubewitness", "zh", "description")),
        severity=severity,
        confidence=reader.choice(Confidence, "low" if weak else "medium", "kubewitness", "confidence"),
        kind=reader.choice(Kind, "activity", "kubewitness", "kind"),
        techniques=tuple(m[1].upper() for tag in reader.texts("tags") if (m := _TECHNIQUE.fullmatch(tag))),
        falsepositives=tuple(
            _both(en, falsepositives_zh[i] if i < len(falsepositives_zh) else "") for i, en in enumerate(falsepositives)
        ),
        runbook=_both(runbook, reader.text("kubewitness", "zh", "runbook") if zh else ""),
        names=tuple(name for key in ("name", "id") if (name := reader.text(key))),
        kind_given="kind" in block,
    )


def _both(en: str, zh: str) -> Text:
    return Text(en.strip(), zh.strip() or en.strip())


class _Reader:
    """Typed reads from a document; whatever has the wrong type is a complaint and reads as empty."""

    def __init__(self, document: Document, errors: list[ContentError]) -> None:
        self._document, self._errors = document, errors

    def complain(self, message: str, *keys: str) -> None:
        self._errors.append(self._document.error(message, *keys))

    def _find(self, *keys: str) -> object:
        value: object = self._document.value
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def mapping(self, *keys: str, allowed: frozenset[str]) -> Mapping[str, object]:
        value = self._find(*keys)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.complain(f"{'.'.join(keys)} must be a mapping", *keys)
            return {}
        for key in value:
            if key not in allowed:
                self.complain(f"unknown key {key!r} in {'.'.join(keys)}", *keys, str(key))
        return value

    def text(self, *keys: str) -> str:
        value = self._find(*keys)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.complain(f"{'.'.join(keys)} must be text", *keys)
            return ""
        return value

    def choice(self, choices: Any, default: Choice, *keys: str) -> Choice:
        """One of a Literal's values."""
        value = self.text(*keys) or default
        for choice in get_args(choices):
            if choice == value:
                return cast("Choice", choice)
        self.complain(f"{keys[-1]} {value!r} is none of {', '.join(get_args(choices))}", *keys)
        return default

    def texts(self, *keys: str) -> tuple[str, ...]:
        value = self._find(*keys)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.complain(f"{'.'.join(keys)} must be a list of texts", *keys)
            return ()
        return tuple(value)
