"""The inventory: every credential that the evidence tells of, whom it makes, until when, and who used it last.

The credential itself is never in it. An API server's audit log names the credential of a request since 1.30 (tokens)
and 1.32 (certificates); where it does not, the use of its identity is told, which other credentials may have had too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.model.posture import Credential, Where
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.credentials.der import Certificate
from kubewitness.posture.credentials.material import Material, materials
from kubewitness.posture.credentials.objects import bootstrap_tokens, signing_requests, token_secrets
from kubewitness.posture.usage import Usage, Used

_ACCOUNT: Final = "system:serviceaccount:"
_NONE: Final = Certificate(())
# Files that no collector copies, by the names that API servers, K3s and RKE2 give them.
_TOKENS: Final = re.compile(r"/(?:[^/]{0,100}(?:token|basic_auth)[^/]{0,100}\.csv|(?:node-|agent-)?token)$")
_MOST: Final = 20_000
_STATES: Final = {"Approved": "CSR", "Denied": "CSR (denied)", "Failed": "CSR (failed)", "": "CSR (pending)"}


def inventory(snapshot: Snapshot) -> tuple[Credential, ...]:
    """Every credential of a snapshot, machines first."""
    out = list[Credential]()
    for one in _all(snapshot):
        if len(out) >= _MOST:
            break
        out.append(one)
    return tuple(out)


def _all(snapshot: Snapshot) -> Iterator[Credential]:
    usage = snapshot.usage
    yield from (_of_material(one, usage) for one in materials(snapshot.machines))
    for machine in snapshot.machines:
        for key in sorted(machine.host.keys, key=lambda key: key.path):
            if _TOKENS.search(key.path):
                where = Where(key.place.item, key.place.line, path=key.path)
                yield Credential("token file", key.path[:300], machine.target, where=(where,))
    for component in snapshot.components:
        given = component.ask("token-auth-file")
        if component.program == "kube-apiserver" and given is not None and given.value:
            yield Credential("token file", given.value[:300], CLUSTER, where=(given.where,))
    if snapshot.cluster is None:
        return
    for request in signing_requests(snapshot.cluster):
        if not request.makes_client:
            continue
        issued = request.issued or _NONE
        made = request.issued or request.asked or _NONE
        last = _used(usage, made.user, f"X509SHA256={issued.fingerprint}" if request.issued else "")
        yield Credential(
            _STATES[request.state], request.source.name, CLUSTER, made.user, made.groups, request.signer,
            issued.not_before, issued.not_after, issued.fingerprint, *last, where=(request.where,),
        )  # fmt: skip
    for secret in token_secrets(snapshot.cluster):
        one = secret.source
        identity = f"{_ACCOUNT}{one.namespace}:{secret.account}" if secret.account else ""
        last_used, address, requests = _used(usage, identity)
        yield Credential(
            "token Secret", f"{one.namespace}/{one.name}", CLUSTER, identity, not_before=secret.created,
            last_used=last_used or secret.last_used, last_from=address, requests=requests, where=(secret.where,),
        )  # fmt: skip
    for token in bootstrap_tokens(snapshot.cluster):
        name = token.source.name.removeprefix("bootstrap-token-")
        identity = f"system:bootstrap:{name}"
        until = token.expires.strftime("%Y-%m-%dT%H:%M:%SZ") if token.expires else ""
        yield Credential(
            "bootstrap token", token.source.name, CLUSTER, identity, ("system:bootstrappers", *token.groups), "", "",
            until, "", *_used(usage, identity), where=(token.where,),
        )  # fmt: skip


def _of_material(one: Material, usage: Usage | None) -> Credential:
    made = one.certificate
    fingerprint = made.fingerprint if made else ""
    name = f"{one.path} ({one.name})" if one.name else one.path
    kind = one.kind if one.means in {"certificate", ""} else f"{one.kind} ({one.means})"
    return Credential(
        kind, name, one.target, one.user, one.groups, one.issuer, made.not_before if made else "",
        made.not_after if made else "", fingerprint,
        *_used(usage, one.user, f"X509SHA256={fingerprint}" if fingerprint else ""), where=(one.where,),
    )  # fmt: skip


def _used(usage: Usage | None, identity: str, credential: str = "") -> tuple[str, str, int]:
    """When last, from where, how often: of the credential itself if the log names credentials, else of its identity."""
    if usage is None or not identity:
        return "", "", -1
    used: Used | None = usage.credentials.get(credential) if credential else None
    if used is None:
        named = any(key.startswith("X509SHA256=") for key in usage.credentials) if credential else False
        used = None if named else usage.identities.get(identity)
    if used is None:
        return "", "", 0
    return used.last, used.addresses[-1] if used.addresses else "", used.requests
