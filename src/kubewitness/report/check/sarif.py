"""SARIF 2.1.0 for code scanning and pipelines: a rule a check, a result a failure.

`fingerprints` are `Result.key`, so that a viewer knows a failure again; waivers are suppressions, a baseline gives
`baselineState`, an attack path is a code flow. What was not evaluated is a notification of the run: a result would look
like a failure. Places in evidence are artifacts with a line; objects of a cluster are logical locations too.

Source: SARIF 2.1.0 (OASIS Standard, 27 March 2020), sections 3.27, 3.34, 3.35, 3.49, 3.58.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import CheckInfo, PostureReport, Remedy, Result, Where
from kubewitness.model.text import Language, Text
from kubewitness.report.check import words
from kubewitness.report.check.commands import in_chinese
from kubewitness.report.check.fixes import info_of, of_status, reasons, remedy_of, severity_of
from kubewitness.report.document import inert_json

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVEL: Final[dict[Severity, str]] = {
    "critical": "error", "high": "error", "medium": "warning", "low": "note", "informational": "note",
}  # fmt: skip
# What GitHub sorts by: critical from 9.0, high from 7.0, medium from 4.0.
_SCORE: Final[dict[Severity, str]] = {
    "critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.5", "informational": "0.5",
}  # fmt: skip
_FINGERPRINT: Final = "kubewitnessKey/v1"
_PLACES: Final = 20
_ARTIFACTS: Final = 1_000


@dataclass(frozen=True)
class _Run:
    """The report, and where its checks and items stand in the log."""

    report: PostureReport
    language: Language
    infos: dict[str, CheckInfo]
    rules: dict[str, int]
    items: dict[str, int]


def render(report: PostureReport, language: Language) -> bytes:
    """The report as a SARIF log."""
    rules = {info.id: number for number, info in enumerate(report.checks)}
    items = {item.name: number for number, item in enumerate(report.items[:_ARTIFACTS])}
    about = _Run(report, language, info_of(report), rules, items)
    results = [_result(one, about) for one in of_status(report, "fail")]
    results += [
        _result(one, about) | {"baselineState": "absent", "kind": "pass", "level": "none"} for one in report.gone
    ]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "kubewitness",
                "semanticVersion": report.tool.rpartition(" ")[2],
                "rules": [_rule(info, language) for info in report.checks],
            }
        },
        "invocations": [
            {
                "executionSuccessful": report.complete,
                "endTimeUtc": report.generated,
                "toolExecutionNotifications": _notifications(about),
            }
        ],
        "artifacts": [_artifact(one.name, one.sha256, one.size) for one in report.items[:_ARTIFACTS]],
        "language": "zh-CN" if language == "zh" else "en-US",
        "columnKind": "unicodeCodePoints",
        "results": results,
        "automationDetails": {"id": f"kubewitness check/{report.cluster}/"},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return inert_json(json.dumps(_clean(log), indent=2, ensure_ascii=False)).encode() + b"\n"


def _clean(value: Any) -> Any:
    """Lone surrogates, which evidence may hold, are no Unicode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list) else value


def _rule(info: CheckInfo, language: Language) -> dict[str, Any]:
    title, why = _say(info.title, language), _say(info.why, language)
    remedy = info.remedy
    safe = words.SAFE if remedy.safe else words.UNSAFE
    steps = [_say(remedy.title, language), _say(remedy.detail, language)]
    steps.append(" ".join(one for one in (f"({_say(safe, language)})", _say(remedy.breaks, language)) if one))
    command = _command(remedy, language)
    if command and remedy.blanks:
        steps.append(_say(words.FILL_IN, language).format(", ".join(remedy.blanks)))
    text = "\n\n".join(one for one in steps if one)
    tags = [*info.techniques, *(f"{name} {point}" for name, points in info.frameworks.items() for point in points)]
    return {
        "id": info.id,
        "name": "".join(part.capitalize() for part in info.id.rpartition("/")[2].split("_")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": why or title},
        "help": {
            "text": f"{why}\n\n{text}" + (f"\n\n{command}" if command else ""),
            "markdown": f"{why}\n\n{text}" + (f"\n\n```sh\n{command}\n```" if command else ""),
        },
        "defaultConfiguration": {"level": _LEVEL[info.severity]},
        "properties": {
            "tags": list(dict.fromkeys(["security", info.group, *tags])),
            "security-severity": _SCORE[info.severity],
            "precision": "very-high",
        },
    }


def _result(one: Result, about: _Run) -> dict[str, Any]:
    info, report, language = about.infos.get(one.check), about.report, about.language
    severity = severity_of(one)
    out: dict[str, Any] = {"ruleId": one.check, "kind": "fail", "level": _LEVEL[severity]}
    if one.check in about.rules:
        out["ruleIndex"] = about.rules[one.check]
    out["message"] = {"text": _message(one, info, language)}
    out["locations"] = [_location(about, where, one) for where in one.where[:1]] or [_logical(one.target, one.subject)]
    if one.where[1:]:
        more = enumerate(one.where[1:_PLACES], 1)
        out["relatedLocations"] = [_location(about, where, one) | {"id": number} for number, where in more]
    if one.hops:
        steps = [_hop(about, number, one) for number in range(len(one.hops))]
        out["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    out["fingerprints"] = {_FINGERPRINT: one.key}
    if one.waiver:
        justification = f"{one.waiver.owner}: {one.waiver.reason} ({one.waiver.expires})"
        out["suppressions"] = [{"kind": "external", "status": "accepted", "justification": justification}]
    if report.baseline:
        out["baselineState"] = "unchanged" if one.known else "new"
    out["properties"] = {"target": one.target, "severity": severity, "security-severity": _SCORE[severity]}
    if one.includes:
        out["properties"]["includes"] = list(one.includes)  # fingerprints of results that this one tells too
    if info:
        remedy = remedy_of(one, about.infos)
        out["properties"] |= {
            "remedy": _say(remedy.title, language), "command": _command(remedy, language), "safe": remedy.safe,
        }  # fmt: skip
        if remedy.blanks:
            out["properties"]["blanks"] = list(remedy.blanks)
    return out


def _command(remedy: Remedy, language: Language) -> str:
    return (in_chinese(remedy.command, remedy.comments) if language == "zh" else remedy.command).strip("\n")


def _message(one: Result, info: CheckInfo | None, language: Language) -> str:
    colon = "：" if language == "zh" else ": "
    name = _say(info.title, language) if info else one.check
    parts = [f"{name}{colon}{' '.join(part for part in (one.target, one.subject) if part)}"]
    for label, text in ((words.OBSERVED, one.observed), (words.EXPECTED, one.expected), (words.BECAUSE, one.reason)):
        if _say(text, language):
            parts.append(f"{_say(label, language)}{colon}{_say(text, language)}")
    return "\n".join(parts)


def _location(about: _Run, where: Where, one: Result) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if where.item:
        physical: dict[str, Any] = {"artifactLocation": {"uri": uri(where.item)}}
        if where.item in about.items:
            physical["artifactLocation"]["index"] = about.items[where.item]
        if where.line:
            physical["region"] = {"startLine": where.line}
            if where.text:
                physical["region"]["snippet"] = {"text": where.text}
        out["physicalLocation"] = physical
    name = " ".join(part for part in (where.object, where.path) if part) or one.subject or one.target
    out["logicalLocations"] = [{"fullyQualifiedName": f"{one.target}/{name}", "kind": "resource"}]
    if where.text:
        out["message"] = {"text": where.text}
    return out


def _logical(target: str, subject: str) -> dict[str, Any]:
    return {"logicalLocations": [{"fullyQualifiedName": f"{target}/{subject}".rstrip("/"), "kind": "resource"}]}


def _hop(about: _Run, number: int, one: Result) -> dict[str, Any]:
    hop = one.hops[number]
    place = _location(about, hop.where[0], one) if hop.where else _logical(one.target, hop.target)
    text = f"{hop.source} → {hop.target} ({hop.means}) {hop.description.en}".strip()
    return {"location": place | {"message": {"text": text}}, "executionOrder": number + 1}


def _notifications(about: _Run) -> list[dict[str, Any]]:
    """What was not evaluated, and what could not be read."""
    report, language = about.report, about.language
    out: list[dict[str, Any]] = []
    for reason in reasons(of_status(report, "not_evaluated")):
        label = words.NOT_EVALUATED.in_(language)
        for check in reason.checks:
            text = _say(reason.text, language) or words.NO_REASON.in_(language)
            rule = {"id": check} | ({"index": about.rules[check]} if check in about.rules else {})
            out.append({"level": "warning", "message": {"text": f"{label}: {text}"}, "associatedRule": rule})
    for failure in report.parse_failures[:100]:
        place: dict[str, Any] = {"artifactLocation": {"uri": uri(failure.place.item)}}
        if failure.place.line:
            place["region"] = {"startLine": failure.place.line}
        told = {"text": failure.reason}
        out.append({"level": "error", "message": told, "locations": [{"physicalLocation": place}]})
    out += [{"level": "warning", "message": {"text": one}} for one in report.waivers_expired[:100]]
    return out


def _artifact(name: str, sha256: str, size: int) -> dict[str, Any]:
    out: dict[str, Any] = {"location": {"uri": uri(name)}}
    if sha256:
        out |= {"hashes": {"sha-256": sha256}, "length": size}
    return out


def uri(item: str) -> str:
    """The name of an item as a URI reference: an intruder's file names hold anything."""
    path = quote(item.encode("utf-8", "replace"), safe="/!")
    return f"file://{path}" if path.startswith("/") else path


def _say(text: Text, language: Language) -> str:
    return text.in_(language) or text.en
