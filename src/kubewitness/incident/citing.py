"""Citations: from events to `Evidence`, with the fields that carry the claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kubewitness.incident.masking import mask
from kubewitness.incident.requests import Request
from kubewitness.model.event import Event
from kubewitness.model.evidence import Place
from kubewitness.model.incident import Evidence
from kubewitness.rules.fields import RAW_ROOTS
from kubewitness.rules.ir import Rule

_ALWAYS = ("verb", "user.username", "sourceIPs", "responseStatus.code", "annotations.authorization.k8s.io/reason")
_BODY_ROOTS = ("podSpec", "rbac", "csr", "webhook", "lookalike", "secret", "configmap", "service", "patch", "sar")
_DECISIVE = 8
_ORIGINAL = 200_000  # bytes; a larger event is cited, not shown
SHOWN = 4  # requests cited for one step or finding: the first ones and the last ...
_KINDS = 8  # ... and the first of each kind, if it folds unlike ones


class Citer:
    """Makes citations; embeds originals until `budget` of them are used up."""

    def __init__(self, hashes: Mapping[str, str], budget: int) -> None:
        self._hashes = hashes
        self._budget = budget

    def event(self, event: Event, decisive: Iterable[str] = ()) -> Evidence:
        """Cite one event."""
        place = event.place
        original, masked = "", False
        if self._budget > 0 and event.original and len(event.original) <= _ORIGINAL:
            self._budget -= 1
            original, masked = mask(event.original, event.resource == "secrets")
        return Evidence(
            audit_id=event.audit_id,
            item=place.item,
            line=place.line,
            offset=place.offset,
            time=event.record.requestReceivedTimestamp,
            stage=event.stage,
            sha256=self._hashes.get(place.item, ""),
            summary=summary(event),
            decisive=tuple(dict.fromkeys([*_ALWAYS, *decisive]))[:_DECISIVE],
            original=original,
            masked=masked,
        )

    def place(self, place: Place, audit_id: str) -> Evidence:
        """Cite an event by its place alone."""
        return Evidence(
            audit_id, place.item, place.line, place.offset, "", sha256=self._hashes.get(place.item, ""), summary=""
        )

    def requests(self, requests: Sequence[Request], rules: Iterable[Rule] = ()) -> tuple[Evidence, ...]:
        """Cite the first few requests, the last and the first of each kind, each by its final event."""
        fields = decisive_fields(rules)
        kinds = dict[tuple[str, ...], int]()
        for number, request in enumerate(requests):
            kinds.setdefault((request.verb, request.resource, request.subresource), number)
        numbers = {*range(min(SHOWN - 1, len(requests))), len(requests) - 1, *list(kinds.values())[:_KINDS]}
        return tuple(self.event(requests[number].final, fields) for number in sorted(numbers) if number >= 0)


def decisive_fields(rules: Iterable[Rule]) -> list[str]:
    """Raw event paths the rules looked at; a derived field stands for the body it was read from."""
    out: dict[str, None] = {}
    for rule in rules:
        for field in rule.fields:
            root = field.partition(".")[0]
            if root in RAW_ROOTS:
                out[field] = None
            elif root in _BODY_ROOTS:
                out["requestObject"] = None
            elif root in ("exec", "request"):
                out["requestURI"] = None
    return list(out)


def summary(event: Event) -> str:
    """One line: what was asked, by whom, from where, how it ended."""
    what = event.resource or event.record.requestURI.partition("?")[0]
    if event.subresource:
        what += "/" + event.subresource
    name = "/".join(part for part in (event.namespace, event.name) if part)
    who = event.identity or "(rejected credential)"
    code = f": {event.code}" if event.code else ""
    return f"{event.verb} {what}{' ' + name if name else ''} by {who} from {event.address or '?'}{code}"
