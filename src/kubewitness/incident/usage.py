"""Who used which identity and credential, out of audit logs: pass 1 without a rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from kubewitness.detect.profile import MANY
from kubewitness.detect.run import Scan, default_workers, scan
from kubewitness.evidence.opening import Source
from kubewitness.posture.usage import Usage, Used
from kubewitness.rules.compile import Matcher
from kubewitness.rules.loader import RuleSet
from kubewitness.sources.host.recognise import HEAD, holds_audit_events

_ADDRESSES = 10


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
    rules = RuleSet()
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
    return Usage(first, found.last, _together(identities), _together(credentials))


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
