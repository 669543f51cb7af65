"""Naming what is readable but no audit event, so a person sees at once that the wrong file was given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from kubewitness.evidence.plain_text import name_of_line
from kubewitness.sources.interface import Foreign, Found
from kubewitness.sources.values import Fields, string


def _kubernetes_object(fields: Fields) -> str:
    kind = string(fields.get("kind"))
    if kind == "Event" and string(fields.get("apiVersion")).startswith("audit.k8s.io/"):
        return "audit event without ID, user or request"
    if kind == "Event":
        return "Kubernetes Event object (kubectl get events), no audit event"
    if kind == "Policy" and string(fields.get("apiVersion")).startswith("audit.k8s.io/"):
        return "audit policy, no audit event"
    return f"Kubernetes object of kind {kind[:40]}, no audit event" if kind else ""


def _message(fields: Fields) -> str:
    text = string(fields.get("message")) or string(fields.get("MESSAGE")) or string(fields.get("log"))
    return name_of_line(text.encode("utf-8", "replace")) if text else ""


# Ordered: the specific before the general.
_OBJECTS: Final[tuple[tuple[Callable[[Fields], bool], str], ...]] = (
    (
        lambda f: "audit.linux" in f or string(f.get("log_source")) == "auditd",
        "Linux auditd record, no Kubernetes audit event",
    ),
    (lambda f: string(f.get("log_source")) == "ovn", "OVN network policy log, no Kubernetes audit event"),
    (
        lambda f: "systemd" in f or "_SYSTEMD_UNIT" in f or "SYSLOG_IDENTIFIER" in f,
        "systemd journal entry, no audit event",
    ),
    (lambda f: "eventSource" in f and "eventName" in f, "AWS CloudTrail record, no Kubernetes audit event"),
    (lambda f: "rule" in f and "priority" in f and "output" in f, "Falco alert, no audit event"),
    (lambda f: "kubernetes" in f and ("message" in f or "log" in f), "container log, no audit event"),
)


@dataclass(frozen=True, slots=True)
class KubernetesList:
    """`kubectl get … -o json`: refused as a whole, not once per object in it."""

    format: str = ""

    def recognises(self, fields: Fields) -> bool:
        """A kind that ends in List, except the batches of the audit webhook."""
        kind = string(fields.get("kind"))
        return kind.endswith("List") and "items" in fields and not (kind == "EventList" and _is_audit(fields))

    def open(self, fields: Fields) -> Iterator[Found]:
        """Its kind."""
        yield Foreign(f"Kubernetes list of kind {string(fields['kind'])[:40]}, no audit events")


def _is_audit(fields: Fields) -> bool:
    version = string(fields.get("apiVersion"))
    return not version or version.startswith("audit.k8s.io/")


@dataclass(frozen=True, slots=True)
class OtherLog:
    """Known formats that hold no audit events."""

    format: str = ""

    def recognises(self, fields: Fields) -> bool:
        """Whether it has a name."""
        return bool(_name(fields))

    def open(self, fields: Fields) -> Iterator[Found]:
        """Its name."""
        yield Foreign(_name(fields))


def _name(fields: Fields) -> str:
    known = next((reason for test, reason in _OBJECTS if test(fields)), "")
    if known:
        return known
    if "apiVersion" in fields and "kind" in fields:
        return _kubernetes_object(fields)
    return _message(fields)
