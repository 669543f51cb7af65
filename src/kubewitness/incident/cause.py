"""The way in and what opened it.

The authorizer writes into each audit event which binding allowed the request; that string is the proof. The bindings
that allowed an intruder's requests, less the ones the intruder made itself and the ones every cluster grants
everybody or its own components, are root causes. For a named identity the credential comes first: the binding did what
it should, in the wrong hands. What was done in another's name was opened by who may take names on (`impersonation`),
not by what the other one may do.

Source: the reason format of k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac (RuleAllows).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kubewitness.detect.ledger import Entry, Ledger
from kubewitness.detect.reading import event_of
from kubewitness.incident.citing import Citer
from kubewitness.incident.deeds import deed_of
from kubewitness.incident.impersonation import disguises
from kubewitness.incident.requests import Request, credential_ids
from kubewitness.incident.steps import StepDraft
from kubewitness.incident.untold import Likely, likely_bindings
from kubewitness.model.event import AuditRecord, Event
from kubewitness.model.incident import EntryPoint, Evidence, RootCause
from kubewitness.model.text import Text
from kubewitness.rules.attack import technique
from kubewitness.rules.features.identity import kind_of_name

_REASON = re.compile(
    r'^RBAC: allowed by (?P<kind>ClusterRoleBinding|RoleBinding) "(?P<name>[^"]+)" of (?P<role_kind>ClusterRole|Role) '
    r'"(?P<role>[^"]+)" to (?P<subject_kind>User|Group|ServiceAccount) "(?P<subject>[^"]+)"'
)
_RESOURCES = {"ClusterRoleBinding": "clusterrolebindings", "RoleBinding": "rolebindings"}
# What Kubernetes grants everybody; being let in by these is no way in.
EVERYBODY = frozenset(
    ("system:public-info-viewer", "system:discovery", "system:basic-user", "kubeadm:bootstrap-signer-clusterinfo",
     "system:service-account-issuer-discovery", "system:openshift:public-info-viewer")
)  # fmt: skip

_GROUPS = frozenset(("system:nodes", "system:monitoring"))  # of components alone


class Binding(NamedTuple):
    """A binding as the authorizer names it."""

    kind: str
    namespace: str
    name: str
    role: str
    subject: str


def binding_of(request: Request) -> Binding | None:
    """The binding that allowed the request, None if RBAC did not (system:masters, Node authorizer, not logged)."""
    return _parsed(request.final.reason, request.namespace)


def _parsed(reason: str, home: str) -> Binding | None:
    match = _REASON.match(reason)
    if match is None:
        return None
    name, namespace = match["name"], ""
    if match["kind"] == "RoleBinding":
        # Written as "name/namespace".
        name, _, namespace = name.rpartition("/") if "/" in name else (name, "", home)
    who = match["subject"]
    if match["subject_kind"] == "ServiceAccount":  # written as "name/namespace" too
        account, _, its = who.partition("/")
        who = f"{its}/{account}" if its else account
    subject = f"{match['subject_kind']} {who}"
    return Binding(match["kind"], namespace, name, f"{match['role_kind']} {match['role']}", subject)


def ships(binding: Binding) -> bool:
    """A binding that Kubernetes or its installer makes for a component of its own, to the role of the same name.

    Whoever took the component's credential has its rights; the binding is as it must be and no cause. A binding with
    such a name that gives another role, or gives it to somebody else, is somebody's work and may be one.
    """
    kind, _, subject = binding.subject.partition(" ")
    _, _, role = binding.role.partition(" ")
    if role != binding.name or not role.startswith(("system:", "kubeadm:")):
        return False
    if kind == "ServiceAccount":
        return subject.startswith("kube-system/")
    return kind_of_name(subject) in ("controlPlane", "node") or subject in _GROUPS


def opens(request: Request) -> bool:
    """A request that proves the way in: carried out, and not merely what everybody may ask."""
    if not request.succeeded or request.path.startswith(("/healthz", "/livez", "/readyz", "/version")):
        return False
    binding = binding_of(request)
    if binding is not None and binding.name in EVERYBODY:
        return False
    return bool(request.resource) or kind_of_name(request.identity) != "anonymous" or binding is not None


def entry_point(steps: Sequence[StepDraft], citer: Citer) -> EntryPoint | None:
    """The first request of the intruder that was let through."""
    candidates = [request for draft in steps for request in draft.requests if opens(request)]
    if not candidates:
        return None
    request = min(candidates, key=lambda one: (one.time, one.audit_id))
    kind = kind_of_name(request.identity)
    if kind != "anonymous":  # a credential that is accepted is the way in, whatever it was first used for
        who_came = (request.identity, request.address)
        same = [one for draft in steps for one in draft.requests if (one.identity, one.address) == who_came]
        request = min((one for one in same if one.succeeded), key=lambda one: (one.time, one.audit_id))
    phrase = deed_of(request).phrase
    who = {
        "anonymous": Text("without any credential", "未使用任何凭据"),
        "serviceaccount": Text("with a service account's token", "使用 ServiceAccount 令牌"),
    }.get(kind, Text("with valid credentials", "使用有效凭据"))
    techniques = {
        "anonymous": ("T1190", "T1078.001"),
        "serviceaccount": ("T1078", "T1528"),
    }.get(kind, ("T1078",))
    description = Text(
        f"{request.identity} came in from {request.address or 'an unrecorded address'} {who.en} and {phrase.en}.",
        f"{request.identity} 从 {request.address or '未记录的地址'} {who.zh}进入，并{phrase.zh}。",
    )
    return EntryPoint(
        request.time,
        request.identity,
        request.address,
        description,
        tuple(technique(t) for t in techniques),
        (citer.event(request.final, ("annotations.authorization.k8s.io/reason",)),),
    )


def root_causes(
    requests: Sequence[Request], ledger: Ledger, citer: Citer, accustomed: bool = False
) -> tuple[RootCause, ...]:
    """What opened the way in, first cause first. `accustomed`: the credential was used from where it always is."""
    allowed = [request for request in requests if opens(request)]
    if not allowed:
        return ()
    granted = [request for request in requests if not request.refused]
    made_here = {
        r.object.name for r in requests if r.succeeded and r.resource in _RESOURCES.values() and r.verb == "create"
    }
    mine = {r.audit_id for r in requests}
    first = allowed[0]
    causes: list[RootCause] = []
    if kind_of_name(first.identity) != "anonymous":
        causes.append(_credential(first, granted, citer, accustomed))
    groups: dict[Binding, list[Request]] = {}
    own = [request for request in allowed if not request.impersonated]
    taken = disguises(granted, ledger) if len(own) < len(allowed) else []
    for request in own if causes or taken else allowed:
        binding = binding_of(request)
        if binding is not None:
            groups.setdefault(binding, []).append(request)
    counted = Counter(binding_of(request) for request in granted)
    for binding, authorised in groups.items():
        entries = ledger.of(_RESOURCES[binding.kind], binding.namespace, binding.name)
        if binding.name in made_here or any(entry.made and entry.audit_id in mine for entry in entries):
            continue
        if causes and ships(binding):
            continue
        causes.append(_binding(binding, authorised[0], (counted[binding], len(granted)), entries, citer))
    for one in taken:
        binding = _parsed(one.reason, "")
        if binding is None or binding in groups or binding.name in made_here:
            continue
        entries = ledger.of(_RESOURCES[binding.kind], binding.namespace, binding.name)
        causes.append(_binding(binding, one.first, (one.requests, len(granted)), entries, citer, in_names=True))
    if not causes:
        causes += [_likely(one, first, granted, citer) for one in likely_bindings(first, ledger)]
    if not causes:
        causes.append(_setting(first, granted, citer))
    return tuple(causes)


def share(part: int, total: int) -> str:
    """How many of the requests, in English."""
    return "the one request" if part == total == 1 else f"{part} of the {total} requests"


def _binding(
    binding: Binding, first: Request, counts: tuple[int, int], entries: Sequence[Entry], citer: Citer,
    *, in_names: bool = False,
) -> RootCause:  # fmt: skip
    """`first` is the first request that it let through; `counts`: granted requests it authorised, and all granted.

    `in_names`: what it authorised is to act in other people's names.
    """
    authorised, total = counts
    made = next((entry for entry in entries if entry.made), None)
    gone = next((entry for entry in reversed(entries) if entry.verb in ("delete", "deletecollection")), None)
    place = f"{binding.namespace}/{binding.name}" if binding.namespace else binding.name
    en = (
        f"{binding.kind} {place} gave {binding.role} to {binding.subject}. "
        f"It authorised {share(authorised, total)} the intruder was allowed."
    )
    zh = (
        f"{binding.kind} {place} 将 {binding.role} 授予 {binding.subject}；"
        f"入侵者获准的 {total} 次请求中有 {authorised} 次由它授权。"
    )
    if in_names:
        en += " With its verb impersonate they were done in other people's names."
        zh += "这些请求凭其 impersonate 权限以他人名义执行。"
    if made is None:
        en += " It is older than this log, or its making was not logged."
        zh += "它早于本日志，或其创建未被记录。"
    decisive = "impersonatedUser" if in_names else "annotations.authorization.k8s.io/reason"
    evidence = [citer.event(first.final, (decisive,))]
    evidence += [cite_entry(entry, citer) for entry in (made, gone) if entry is not None]
    return RootCause(
        binding.kind,
        binding.name,
        binding.namespace,
        binding.role,
        binding.subject,
        Text(en, zh),
        authorised,
        total,
        made.time if made else "",
        made.identity if made else "",
        gone.time if gone else "",
        gone.identity if gone else "",
        tuple(evidence),
    )


def cite_entry(entry: Entry, citer: Citer) -> Evidence:
    """Cite a ledger entry."""
    event = event_of(entry.original, entry.place)
    if event is None:
        record = AuditRecord(auditID=entry.audit_id, requestReceivedTimestamp=entry.time, verb=entry.verb)
        event = Event(record, entry.place, entry.original)
    return citer.event(event, ("requestObject",))


def _credential(first: Request, granted: Sequence[Request], citer: Citer, accustomed: bool) -> RootCause:
    same = [request for request in granted if request.identity == first.identity]
    ids = credential_ids(first.final)
    token = kind_of_name(first.identity) == "serviceaccount"
    masters = "system:masters" in first.final.user.groups
    what = Text("A token of service account", "ServiceAccount 令牌") if token else Text("A credential of", "凭据")
    shown, shown_zh = (f" ({', '.join(ids)})", f"（{'、'.join(ids)}）") if ids else ("", "")
    of = f"的 {what.zh}" if token else f"的{what.zh}"
    en = f"{what.en} {first.identity}{shown} was used by the intruder from {first.address or 'an unrecorded address'}."
    zh = f"入侵者从 {first.address or '未记录的地址'} 使用了 {first.identity} {of}{shown_zh}。"
    if accustomed:
        en = f"{what.en} {first.identity}{shown} was used from its accustomed address {first.address}, "
        en += "by its owner or by a thief."
        zh = f"{first.identity} {of}{shown_zh}在其惯用地址 {first.address} 被使用：可能是本人，也可能被盗用。"
    if masters:
        en += " It belongs to system:masters, which no RBAC change can restrain: only a new CA revokes it."
        zh += "它属于 system:masters，任何 RBAC 修改都无法限制，只有更换 CA 才能吊销。"
    return RootCause(
        "Credential",
        first.identity,
        subject=", ".join(ids),
        description=Text(en, zh),
        requests_authorised=len(same),
        requests_total=len(granted),
        evidence=(citer.event(first.final),),
    )


def _likely(one: Likely, first: Request, granted: Sequence[Request], citer: Citer) -> RootCause:
    """No request is known to have been authorised by it."""
    return RootCause(
        one.kind,
        one.name,
        one.namespace,
        one.role,
        one.subject,
        one.description(first.identity),
        requests_total=len(granted),
        created=one.entry.time,
        created_by=one.entry.identity,
        evidence=(citer.event(first.final), cite_entry(one.entry, citer)),
    )


def _setting(first: Request, granted: Sequence[Request], citer: Citer) -> RootCause:
    return RootCause(
        "Setting",
        "authorization",
        subject=f"User {first.identity}",
        description=Text(
            f"{first.identity} was allowed without a named binding: the authorizer gives no reason in this log. "
            "Look at --authorization-mode, --anonymous-auth and webhook authorizers of the API server.",
            f"{first.identity} 被放行，但日志未给出绑定。请检查 API server 的 --authorization-mode、"
            "--anonymous-auth 与鉴权 webhook。",
        ),
        requests_authorised=sum(request.identity == first.identity for request in granted),
        requests_total=len(granted),
        evidence=(citer.event(first.final),),
    )
