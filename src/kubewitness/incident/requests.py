"""Requests: the events of one auditID and moment, judged together.

A request is logged at up to three stages. Its last stage tells how it ended; its earliest tells when it arrived. A
401 may exist only as ResponseStarted, a cut log may hold only RequestReceived: then that is what is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Final

from kubewitness.model.event import Event
from kubewitness.model.incident import ObjectName
from kubewitness.rules.features.exec_command import command_of

TURNED_AWAY: Final = (401, 403, 404)  # of calls passed on to a kubelet; a command that failed (500) was run
_ORDER = {"RequestReceived": 0, "ResponseStarted": 1, "ResponseComplete": 3, "Panic": 2}


def credential_ids(event: Event) -> tuple[str, ...]:
    """Ids of the credential in use: "JTI=…" for tokens (Kubernetes 1.30), "X509SHA256=…" for certificates (1.32)."""
    value = event.user.extra.get("authentication.kubernetes.io/credential-id")
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def issued_credential_id(event: Event) -> str:
    """Id of the token that a TokenRequest gave out (Kubernetes 1.30); empty if the log does not tell."""
    value = event.annotations.get("authentication.kubernetes.io/issued-credential-id")
    return value if isinstance(value, str) else ""


class Request:
    """One request with its events, final stage last."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = sorted(events, key=lambda e: (_ORDER.get(e.stage, 0), e.record.stageTimestamp))
        self.final = self.events[-1]
        self.audit_id = self.final.audit_id
        self.key = (*self.final.request, self.final.record.requestURI)
        self.time = min(e.record.requestReceivedTimestamp for e in self.events)
        self.verb, self.resource, self.subresource = self.final.verb, self.final.resource, self.final.subresource
        self.namespace = self.final.namespace
        self.identity, self.address = self.final.identity, self.final.address
        self.agent = self.final.record.userAgent

    @cached_property
    def name(self) -> str:
        """The object's name; for generateName and server-chosen names, from the response."""
        if self.final.name:
            return self.final.name
        for body in (self.final.response_object, self.final.request_object):
            if isinstance(body, dict) and isinstance(meta := body.get("metadata"), dict):
                name = meta.get("name")
                if isinstance(name, str) and name:
                    return name
        return ""

    @property
    def home(self) -> str:
        """The namespace its object lies in: a Namespace lies in none, though all but its making name itself there."""
        return "" if self.resource == "namespaces" else self.namespace

    @property
    def object(self) -> ObjectName:
        """What it was about."""
        kind = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return ObjectName(kind, self.home, self.name, self.final.object_ref.apiGroup)

    @property
    def code(self) -> int:
        """HTTP status, 0 if the log does not tell."""
        return self.final.code

    @property
    def refused(self) -> bool:
        """Turned away: not authenticated or not authorised."""
        return self.final.decision == "forbid"

    @property
    def succeeded(self) -> bool:
        """Carried out."""
        return self.final.succeeded

    @cached_property
    def impersonated(self) -> str:
        """In whose name it was asked, empty if in the asker's own."""
        other = self.final.impersonated
        return other.username if other is not None else ""

    @property
    def missing(self) -> bool:
        """Allowed, but what it named did not exist."""
        return self.code == 404 and not self.refused

    @cached_property
    def path(self) -> str:
        """URI without its query."""
        return self.final.record.requestURI.partition("?")[0]

    @cached_property
    def command(self) -> str:
        """The command of an exec, decoded; empty for anything else."""
        return " ".join(command_of(self.final))


def requests_of(events: Iterable[Event]) -> list[Request]:
    """Events grouped into requests, in time order. Events without an auditID stand alone."""
    groups: dict[object, list[Event]] = {}
    for number, event in enumerate(events):
        groups.setdefault((event.request, event.record.requestURI) if event.audit_id else number, []).append(event)
    return sorted((Request(group) for group in groups.values()), key=lambda r: (r.time, r.audit_id))
