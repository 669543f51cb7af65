"""Naming what is readable but no audit event, so a person sees at once that the wrong file was given.

Kubernetes objects are evidence of their own (`kube_objects`) and no failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from kubewitness.evidence.plain_text import name_of_line
from kubewitness.sources.interface import Foreign, Found, Known
from kubewitness.sources.kube_objects import KIND, is_objects
from kubewitness.sources.values import UNDECODABLE, Fields, fields_of, string


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


_DISCOVERY: Final = {"APIResourceList": "resources", "APIGroupList": "groups", "APIVersions": "versions"}
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
    """`kubectl get … -o json`: known as a whole, its objects are not looked at."""

    format: str = ""

    def recognises(self, fields: Fields) -> bool:
        """A kind that ends in List, except the batches of the audit webhook; discovery has members of its own."""
        kind, version = string(fields.get("kind")), string(fields.get("apiVersion"))
        if kind in _DISCOVERY:
            return _DISCOVERY[kind] in fields
        return is_objects(kind, version, fields.get("items", b""))

    def open(self, fields: Fields) -> Iterator[Found]:
        """Nothing but its name; a list without a version may be anybody's."""
        kind = string(fields["kind"])
        if kind in _DISCOVERY or string(fields.get("apiVersion")):
            yield Known(KIND)
        else:
            yield Foreign(f"Kubernetes list of kind {kind[:40]}, no audit events")


@dataclass(frozen=True, slots=True)
class OtherLog:
    """Known formats that hold no audit events."""

    format: str = ""

    def recognises(self, fields: Fields) -> bool:
        """Whether it has a name."""
        return _is_object(fields) or bool(_name(fields))

    def open(self, fields: Fields) -> Iterator[Found]:
        """Its name."""
        yield Known(KIND) if _is_object(fields) else Foreign(_name(fields))


def _is_object(fields: Fields) -> bool:
    """One object with a name, or what GET /version answers; a Kube Event given as a log is told instead."""
    if {"gitVersion", "gitCommit", "goVersion", "platform"} <= fields.keys():
        return True
    version, kind = string(fields.get("apiVersion")), string(fields.get("kind"))
    if not version or not kind or kind == "Event" or version.startswith("audit.k8s.io/"):
        return False
    try:
        return bool(string(fields_of(fields.get("metadata", b"")).get("name")))
    except UNDECODABLE:
        return False


def _name(fields: Fields) -> str:
    known = next((reason for test, reason in _OBJECTS if test(fields)), "")
    if known:
        return known
    if "apiVersion" in fields and "kind" in fields:
        return _kubernetes_object(fields)
    return _message(fields)
