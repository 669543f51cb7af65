"""The noun of a weakness that a machine's state shows, and the sentences it is put together from."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from kubewitness.model.evidence import Place
from kubewitness.model.incident import Technique
from kubewitness.model.judgement import Confidence, Severity
from kubewitness.model.text import Text


class Exposure(Struct, frozen=True):
    """A setting that opens a machine, with the reason it is so."""

    id: str  # "kubelet_anonymous_always_allow"
    title: Text
    description: Text
    severity: Severity
    confidence: Confidence
    host: str
    setting: str
    observed: str
    expected: str
    places: tuple[tuple[Place, str], ...]  # with the text of the line
    remediation: Text
    techniques: tuple[Technique, ...] = ()
    latent: bool = False  # not open now, but after the next restart


def sentences(texts: Iterable[Text]) -> Text:
    """One after the other: Chinese needs no space between."""
    found = tuple(texts)
    return Text(" ".join(text.en for text in found), "".join(text.zh for text in found))


def clauses(texts: Iterable[Text]) -> Text:
    """Clauses joined by semicolons."""
    found = tuple(texts)
    return Text("; ".join(text.en for text in found), "；".join(text.zh for text in found))
