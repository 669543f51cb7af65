"""Certificates that an intruder had issued, and what can be done about them.

The API server asks no list of revoked certificates: one lives until its own end, whatever becomes of the signing
request. What can be taken away is what its name and groups are bound to. That does not help where the name is a part of
the cluster, which needs its bindings, or where a group is let in without any: then only a new CA ends it.

Source: "Certificates and Certificate Signing Requests" and "PKI certificates and requirements" in the Kubernetes
documentation; k8s.io/apiserver (system:masters), plugin/pkg/auth/authorizer/node.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any, Final, NamedTuple

from kubewitness.incident.command_names import doubt_of_object, escaped, file_name, is_seen, left_out, target, why
from kubewitness.incident.requests import Request
from kubewitness.model.incident import Action, ObjectName
from kubewitness.model.text import Text
from kubewitness.rules.features.csr import signing_requests
from kubewitness.rules.features.identity import kind_of_name
from kubewitness.rules.features.untyped import mapping, number

CSR: Final = "certificatesigningrequests"
_GROUP: Final = "certificates.k8s.io"
_LONGEST: Final = 10 * 365 * 86_400  # seconds; a longer wish is no lifetime that a signer would grant
_WITHOUT_RBAC: Final = ("system:masters", "system:nodes")  # let in by no binding
_NAMED: Final = 3
_EACH: Final = 12


class Issued(NamedTuple):
    """A signing request that the intruder approved; `user` and `groups` empty where no body tells them."""

    request: str
    since: str
    user: str = ""
    groups: tuple[str, ...] = ()
    seconds: int = 0  # it may live; 0 if not told
    deleted: bool = False


def issued(requests: Sequence[Request]) -> tuple[Issued, ...]:
    """The certificates that the intruder had issued, in the order of approval."""
    approved = dict[str, str]()  # signing request → since when
    told, deleted = dict[str, Issued](), set[str]()
    for request in requests:
        if request.resource != CSR or not request.succeeded:
            continue
        name = request.name
        if request.verb == "delete" and not request.subresource:
            deleted.add(name)
        if request.verb not in ("create", "update", "patch"):
            continue
        known = told.get(name, Issued(name, ""))
        for signing in signing_requests(request.final):
            user, groups = signing.subject
            known = known._replace(user=user or known.user, groups=groups or known.groups)
        told[name] = known._replace(seconds=seconds_of(request.final.request_object) or known.seconds)
        # Without a body an approval cannot be told from a denial, which no intruder needs.
        denied = any("Denied" in signing.conditions for signing in signing_requests(request.final))
        if request.subresource == "approval" and not denied:
            approved.setdefault(name, request.time)
            deleted.discard(name)
    return tuple(told[name]._replace(since=since, deleted=name in deleted) for name, since in approved.items())


def seconds_of(body: Any) -> int:
    """`spec.expirationSeconds` of a signing request or TokenRequest; 0 if it is not there or no lifetime."""
    value = number(mapping(mapping(body).get("spec")).get("expirationSeconds"))
    return value if value and 0 < value <= _LONGEST else 0


def advice(certificates: Sequence[Issued]) -> list[Action]:
    """What to do: strip their names of rights, keep and delete the requests; or that only a new CA helps."""
    if not certificates:
        return []
    users = list(dict.fromkeys(one.user for one in certificates if one.user))
    groups = list(dict.fromkeys(group for one in certificates for group in one.groups))
    names = [*users, *groups]
    bare = [name for name in names if _keeps_rights(name)]
    left = [name for name in names if name not in bare]
    requests = [ObjectName(CSR, "", one.request, _GROUP) for one in certificates]
    gone = {one.request for one in certificates if one.deleted}
    unseen = [name for name in left if not is_seen(name)]
    unnamed = why("unseen", unseen) if unseen else Text("", "")
    said = left_out(requests)
    parts = [
        Text(
            "A certificate cannot be revoked by itself: only a new CA ends it before its time.",
            "证书无法单独吊销：在到期之前，只有更换 CA 才能使其失效。",
        ),
        _stripped(left, bare, bool(users)),
        Text(
            " Keep the signing requests as evidence, then delete them; deleting them voids nothing.",
            "签名请求先留作证据再删除；删除它们并不会使证书失效。",
        )
        if len(gone) < len(certificates)
        else Text(
            " The signing requests are deleted already: what the audit log holds of them is the evidence.",
            "签名请求已被删除：审计日志中的记录即为证据。",
        ),
        Text(unnamed.en and f" {unnamed.en}", unnamed.zh),
        said,
    ]
    return [
        Action(
            "revoke",
            _title(len(certificates), users, renew=bool(bare)),
            Text("".join(one.en for one in parts), "".join(one.zh for one in parts)),
            "\n".join(_commands(requests, gone, [name for name in left if is_seen(name)], bare)),
            safe=False,
            breaks=Text(
                "With a new CA, all other certificates that the old one signed: nodes, components, people",
                "更换 CA 后，旧 CA 签发的其他全部证书（节点、组件、人员）均需更换",
            )
            if bare
            else Text("Whoever is bound under the same name or group", "以相同用户名或用户组获得授权的使用者"),
            undo=Text(
                "None: trusting the old CA again arms the certificates again", "无：重新信任旧 CA 会使这些证书恢复有效"
            )
            if bare
            else Text("kubectl apply -f of the saved copies", "用保存的副本执行 kubectl apply -f"),
        )
    ]


def _keeps_rights(name: str) -> bool:
    """Whether taking bindings away does not help, or would stop the cluster."""
    return name in _WITHOUT_RBAC or kind_of_name(name) in ("controlPlane", "node")


def _title(count: int, users: Sequence[str], *, renew: bool) -> Text:
    certificates = "1 certificate" if count == 1 else f"{count} certificates"
    shown = [escaped(name) for name in users[:_NAMED]]
    en, zh = ", ".join(shown), "、".join(shown)
    of = Text(f" for {en}" if en else "", f"（{zh}）" if zh else "")
    stays = "s" if count == 1 else ""
    if renew:
        return Text(f"Renew the CA: {certificates}{of.en} stay{stays} valid", f"更换 CA：{count} 份证书{of.zh}持续有效")
    return Text(f"Disarm {certificates} issued{of.en}", f"使已签发的 {count} 份证书{of.zh}失去权限")


def _stripped(left: Sequence[str], bare: Sequence[str], known: bool) -> Text:
    en, zh = "", ""
    left, bare = [escaped(name) for name in left], [escaped(name) for name in bare]
    if left:
        en = f" Until then take all bindings from {', '.join(left[:_EACH])}."
        zh = f"在此之前，请移除 {'、'.join(left[:_EACH])} 的全部绑定。"
    if bare:
        has = "have" if len(bare) > 1 else "has"
        en += f" {', '.join(bare[:_EACH])} {has} rights that the cluster itself needs or that no binding gives: leave "
        en += "Kubernetes' own bindings as they are and renew the CA."
        zh += f"{'、'.join(bare[:_EACH])} 的权限为集群自身所必需，或并非由绑定授予：请保留 Kubernetes 自带的绑定，"
        zh += "更换 CA。"
    if not known:
        en += " The log does not tell whom they are for: look at the signing requests, or at who acts with an unknown "
        en += "certificate from now on."
        zh += "日志未记录证书的用户名：请查看签名请求，并留意今后使用未知证书的访问者。"
    return Text(en, zh)


def _commands(requests: Sequence[ObjectName], gone: set[str], left: Sequence[str], bare: Sequence[str]) -> list[str]:
    lines = list[str]()
    for one in requests[:_EACH]:
        if doubt_of_object(one):
            continue
        if one.name in gone:
            lines.append(f"# deleted already: {target(one)}")
            continue
        lines.append(f"kubectl get {target(one)} -o yaml > {file_name(CSR, one.name)}")
        lines.append(f"kubectl delete {target(one)} --ignore-not-found")
    for name in left[:_EACH]:  # -F -e: the name is text to look for, whatever it begins with
        lines.append(f"kubectl get clusterrolebindings,rolebindings -A -o wide | grep -F -e {quote(name)}")
    if left:
        lines.append("# take the name out of each of these bindings (kubectl edit), or delete the binding")
    if bare:
        lines.append(
            "# on a control plane of kubeadm, what signs now: openssl x509 -in /etc/kubernetes/pki/ca.crt -text"
        )
    return lines
