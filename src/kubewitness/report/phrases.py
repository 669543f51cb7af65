"""Phrases that the overview and the details share: bounded, in both languages, out of parts of the document."""

from __future__ import annotations

from kubewitness.model.incident import EntryPoint, Finding, Incident, RootCause, Secret, Step
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Language, Text
from kubewitness.report import words
from kubewitness.report.blocks import (
    Inline,
    Span,
    joined,
    line,
    span,
)
from kubewitness.report.document import Document
from kubewitness.report.hostile import short


def rank(severity: Severity) -> int:
    """Order of severities, worst first."""
    return -SEVERITIES.index(severity)


def by_severity(document: Document) -> list[Incident]:
    """Incidents, the worst first, otherwise in the order of the document."""
    return sorted(document.incidents, key=lambda incident: rank(incident.severity))


def severity_span(severity: Severity, language: Language) -> Span:
    """The word for a severity in its colour."""
    return span(words.SEVERITY[severity].in_(language), severity)


def more(left: int, language: Language) -> Inline:
    """How many were left out: "… and 7 more, in the details"."""
    return line(
        span(f"… 另有 {left:,} 项，见详情" if language == "zh" else f"… and {left:,} more, in the details", "dim")
    )


def said(text: Text, language: Language, cells: int = 300) -> Span:
    """A text of the document, bounded: names in it may be as long as an intruder likes."""
    return span(text.in_(language), "plain", cells)


def names(values: tuple[str, ...], language: Language, most: int = 3, cells: int = 60) -> Inline:
    """The first few of a list of evidence strings, and how many more there are."""
    shown = joined((span(value, "code", cells) for value in values[:most]), "、" if language == "zh" else ", ")
    left = len(values) - most
    if left <= 0:
        return shown
    return (*shown, span(f" 等共 {len(values)} 个" if language == "zh" else f" and {left} more", "dim"))


def root_cause_words(cause: RootCause, language: Language) -> Inline:
    """What it gives to whom: "ClusterRoleBinding x gives ClusterRole cluster-admin to User system:anonymous"."""
    parts: list[str | Span] = [f"{cause.kind} ", span(cause.place, "strong", 80)]
    role, subject = span(cause.role, "code", 60), span(cause.subject, "code", 80)
    zh = language == "zh"
    if cause.role and cause.subject:
        parts += [" 把 ", role, " 授予 ", subject] if zh else [" gives ", role, " to ", subject]
    elif cause.role:
        parts += [" 授予 " if zh else " gives ", role]
    elif cause.subject:  # a credential: what it is known by
        parts += ["  ", subject]
    return line(*parts)


def root_cause_life(cause: RootCause, language: Language) -> str:
    """How much it was used, and when it was made and deleted, by whom; empty if none of it is known."""
    zh = language == "zh"
    parts: list[str] = []
    if cause.requests_total:
        used, total = words.number(cause.requests_authorised), words.number(cause.requests_total)
        if cause.requests_authorised == cause.requests_total == 1:
            parts.append("入侵者唯一获准的请求由它放行" if zh else "Allowed the intruder's one granted request")
        elif zh:
            parts.append(f"入侵者获准的 {total} 个请求中有 {used} 个由它放行")
        else:
            parts.append(f"Allowed {used} of the intruder's {total} granted requests")
    for when, by, en, chinese in (
        (cause.created, cause.created_by, "made", "创建于"),
        (cause.deleted, cause.deleted_by, "deleted", "删除于"),
    ):
        if when:
            at = words.moment(when, language)
            author = words.who(by, language) if by else ""
            parts.append((f"{chinese} {at}" if zh else f"{en} {at}") + (_by(author, zh) if author else ""))
    if cause.role and cause.subject and not cause.created:
        parts.insert(1, "早于本日志，或其创建未被记录" if zh else "older than this log, or its making was not logged")
    return ("；" if zh else "; ").join(parts)


def _by(author: str, zh: bool) -> str:
    return f"（{author}）" if zh else f" by {author}"


def secret_name(secret: Secret) -> Span:
    """What to rotate, before why: `namespace/name  `, `namespace/*  `; nothing where the whole cluster is meant."""
    if not secret.namespace and not secret.name:
        return Span("")
    name = f"{secret.namespace}/{secret.name or '*'}" if secret.namespace else secret.name
    return Span(f"{short(name, 60)}  ", "code")


def technique_ids(source: EntryPoint | Step | Finding) -> str:
    """The ATT&CK ids of something, with commas."""
    return ", ".join(technique.id for technique in source.techniques)
