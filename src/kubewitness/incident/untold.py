"""What opened the way in where the log does not tell which binding did: annotations were left out, or not yet written.

The authorizer's reason is an annotation, and shippers and exporters leave annotations out. Then the bindings that were
written in this log before the way in, and named who came in, are what it was likely opened by. It is no proof: an older
binding, or no RBAC at all (AlwaysAllow), would look the same. That is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from kubewitness.detect.ledger import Entry, Ledger
from kubewitness.detect.reading import event_of
from kubewitness.incident.requests import Request
from kubewitness.incident.when import moment
from kubewitness.model.text import Text
from kubewitness.rules.features.rbac import Grant, grant_of

_KINDS: Final = {"clusterrolebindings": "ClusterRoleBinding", "rolebindings": "RoleBinding"}
_NAMED: Final = 3
_GIVEN_TO_ALL: Final = frozenset(  # roles that Kubernetes itself gives everybody
    ("system:public-info-viewer", "system:discovery", "system:basic-user", "kubeadm:bootstrap-signer-clusterinfo",
     "system:service-account-issuer-discovery")
)  # fmt: skip


class Likely(NamedTuple):
    """A binding that may have let somebody in."""

    kind: str
    namespace: str
    name: str
    role: str
    subject: str
    entry: Entry

    def description(self, identity: str) -> Text:
        """What it gave, and that it is not proven to be the one."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        when, who = moment(self.entry.time), self.entry.identity
        return Text(
            f"{self.kind} {place}, written by {who} at {when}, gave {self.role} to {self.subject}. The log has no "
            f"reasons of the authorizer, so that it let {identity} in is likely, not proven: an older binding or "
            "--authorization-mode may have.",
            f"{who} 于 {when} 写入的 {self.kind} {place} 将 {self.role} 授予 {self.subject}。日志未记录鉴权理由，"
            f"因此 {identity} 很可能由它放行，但未经证实：也可能是更早的绑定或 --authorization-mode 所致。",
        )


def likely_bindings(first: Request, ledger: Ledger) -> list[Likely]:
    """Bindings that stood when `first` was let in without a reason told, and named who asked; the earliest first."""
    if first.final.reason:
        return []
    found = [one for resource in _KINDS for one in _of_kind(resource, first, ledger)]
    return sorted(found, key=lambda one: (one.entry.time, one.name))[:_NAMED]


def _of_kind(resource: str, first: Request, ledger: Ledger) -> Iterator[Likely]:
    names = {f"User {first.identity}", *(f"Group {group}" for group in first.final.user.groups)}
    for (namespace, name), entries in ledger.of_kind(resource).items():
        before = [entry for entry in entries if entry.time < first.time]
        if namespace not in ("", first.namespace) or not before or _is_gone(before):
            continue
        for entry in reversed(before):
            grant = _grant(entry)
            subject = next((who for who in _subjects(grant) if who in names), "")
            if subject and grant.role_name and grant.role_name not in _GIVEN_TO_ALL:
                role = f"{grant.role_kind or 'ClusterRole'} {grant.role_name}"
                yield Likely(_KINDS[resource], namespace, name, role, subject, entry)
                break


def _is_gone(entries: Sequence[Entry]) -> bool:
    return entries[-1].verb in ("delete", "deletecollection")


def _grant(entry: Entry) -> Grant:
    event = event_of(entry.original, entry.place)
    return grant_of(event) if event is not None else Grant()


def _subjects(grant: Grant) -> Iterator[str]:
    for one in grant.subjects:
        yield f"{one.kind} {one.name}" if one.kind != "ServiceAccount" else ""
