"""Who used which identity and credential, and who approved certificates, out of audit logs: pass 1 with one rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from kubewitness.detect.profile import MANY
from kubewitness.detect.run import Scan, default_workers, scan
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import Place
from kubewitness.model.posture import Where
from kubewitness.posture.usage import Approval, Usage, Used
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import content_folder, load_rules
from kubewitness.sources.host.recognise import HEAD, holds_audit_events

_ADDRESSES = 10
_APPROVED = "detections/k8s_audit/credential_access/certificate_request_approved.yml"


def audit_logs(sources: Iterable[Source]) -> list[Source]:
    """Those that hold audit events of Kubernetes among their first lines."""
    return [source for source in sources if not source.is_archive and holds_audit_events(_head(source))]


def _head(source: Source) -> bytes:
    head = b""
    for chunk in source.open():
        head += chunk
        if len(head) >= HEAD:
            break
    return head[:HEAD]


def read_usage(sources: Sequence[Source]) -> tuple[Usage, Scan]:
    """What these logs tell, and what was read of them."""
    rules = load_rules([content_folder() / _APPROVED])
    found = scan(sources, rules, Matcher(rules.rules), default_workers(), lambda _bytes, _events: None)
    return usage_of(found), found


def usage_of(found: Scan) -> Usage:
    """Who used what, as pass 1 tells it."""
    identities = defaultdict[str, list[tuple[Used, str]]](list)
    credentials = defaultdict[str, list[tuple[Used, str]]](list)
    for key, profile in found.profiles.by_key.items():
        first = "" if profile.first == "~" else profile.first
        if key.identity and key.identity != MANY:
            identities[key.identity].append((Used(profile.requests, first, profile.last), key.address))
        for credential, spell in (profile.credentials or {}).items():
            began = "" if spell.first == "~" else spell.first
            credentials[credential].append((Used(spell.requests, began, spell.last), key.address))
    first = "" if found.first == "~" else found.first
    return Usage(first, found.last, _together(identities), _together(credentials), _approvals(found))


def _approvals(found: Scan) -> dict[str, tuple[Approval, ...]]:
    """Who approved which signing request by hand, in the order of time."""
    out = defaultdict[str, list[Approval]](list)
    for key, group in found.matches.items():
        place = min(group.samples)[0] if group.samples else Place("", 0, 0)
        for name in group.names:
            where = Where(place.item, place.line, f"CertificateSigningRequest {name}")
            who, address = key.accessor.identity, key.accessor.address
            out[name].append(Approval(who, "" if address == MANY else address, group.first, group.last, where))
    return {name: tuple(sorted(some, key=lambda one: (one.last, one.who, one.address))) for name, some in out.items()}


def _together(parts: dict[str, list[tuple[Used, str]]]) -> dict[str, Used]:
    out = dict[str, Used]()
    for name, some in sorted(parts.items()):
        # the address of the last request comes last
        when = dict[str, str]()
        for used, address in some:
            if address and address != MANY:
                when[address] = max(when.get(address, ""), used.last)
        addresses = sorted(when, key=lambda one: (when[one], one))[-_ADDRESSES:]
        first = min((used.first for used, _ in some if used.first), default="")
        last = max(used.last for used, _ in some)
        out[name] = Used(sum(used.requests for used, _ in some), first, last, tuple(addresses))
    return out
