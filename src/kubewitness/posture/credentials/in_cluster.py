"""Checks of credentials that an API server holds: tokens without an end, tokens to join with, issued certificates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from kubewitness.model.event import parse_time
from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Remedy, Result
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot, not_evaluated
from kubewitness.posture.credentials.objects import (
    KUBELET,
    BootstrapToken,
    SigningRequest,
    TokenSecret,
    bootstrap_tokens,
    signing_requests,
    token_secrets,
)
from kubewitness.posture.credentials.on_machines import KUBEADM, MASTERS
from kubewitness.posture.exposure import clauses
from kubewitness.posture.filling import filled
from kubewitness.posture.reading import text
from kubewitness.posture.usage import Approval

_ITS_OWN_UNTIL: Final = 23  # each account had a Secret with its token
_TRACKED_SINCE: Final = 27  # LegacyServiceAccountTokenTracking
_UNUSED: Final = timedelta(days=90)
_LONG: Final = timedelta(days=30)
_SHOWN: Final = 10
_ANONYMOUS: Final = "system:anonymous"
_NODE: Final = "system:node:"
_COMPONENTS: Final = frozenset(
    {"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", "system:admin",
     "kube-apiserver-kubelet-client"}
)  # fmt: skip
_ACCOUNT: Final = "system:serviceaccount:"
# OpenShift's own operators ask for the certificates of the accounts they look after: (who asks, for whom).
_LOOKED_AFTER: Final = (
    ("openshift-monitoring:cluster-monitoring-operator", "openshift-monitoring:"),
    ("openshift-authentication-operator:authentication-operator", "openshift-oauth-apiserver:"),
)
_NO_CLOCK: Final = 2000


def secrets(snapshot: Snapshot) -> Iterator[Result]:
    """Tokens of service accounts that end only with their Secret."""
    if snapshot.cluster is None:
        return
    made = defaultdict[str, list[TokenSecret]](list)
    for one in token_secrets(snapshot.cluster):
        if one.made_by_itself and not one.invalid_since:
            made[one.source.namespace].append(one)
            continue
        text = Text(f"token of service account {one.account or '?'}", f"ServiceAccount {one.account or '?'} 的令牌")
        if one.invalid_since:
            text = Text(
                f"{text.en}, refused since {one.invalid_since}", f"{text.zh}，自 {one.invalid_since} 起已被拒绝"
            )
            yield Result("pass", CLUSTER, str(one.source), text, where=(one.where,))
        else:
            use, reason = _use(one, snapshot)
            observed = Text(f"{text.en}, {use.en}", f"{text.zh}，{use.zh}")
            known = {"NAME": one.source.name, "NAMESPACE": one.source.namespace, "ACCOUNT": one.account}
            remedy = filled("credentials/token_secret", known)
            yield Result("fail", CLUSTER, str(one.source), observed, _BOUND, (one.where,), reason, remedy=remedy)
    minor = snapshot.minor
    for namespace, some in sorted(made.items()):
        names = ", ".join(one.source.name for one in some[:_SHOWN]) + (", …" if len(some) > _SHOWN else "")
        where = tuple(one.where for one in some[:_SHOWN])
        observed = Text(
            f"{len(some)} that Kubernetes made by itself (until 1.23): {names}",
            f"{len(some)} 个由 Kubernetes 自动创建（1.23 及更早版本）：{names}",
        )
        subject = f"Namespace {namespace}"
        if minor is None or minor <= _ITS_OWN_UNTIL:
            yield Result("pass", CLUSTER, subject, observed, where=where, aspect="made by itself")
        else:
            yield Result("fail", CLUSTER, subject, observed, _BOUND, where, _LEFT, aspect="made by itself")


_BOUND: Final = Text(
    "tokens that end by themselves (kubectl create token, projected volumes)",
    "使用会自行过期的令牌（kubectl create token、projected 卷）",
)
_LEFT: Final = Text(
    "left over from before the upgrade; since 1.24 pods have tokens that end",
    "升级前遗留；自 1.24 起 Pod 使用会过期的令牌",
)


def _use(one: TokenSecret, snapshot: Snapshot) -> tuple[Text, Text]:
    last, made = parse_time(one.last_used), parse_time(one.created)
    known = snapshot.now.year >= _NO_CLOCK
    if last is not None:
        use = Text(f"last used on {one.last_used}", f"最后一次使用于 {one.last_used}")
        return use, _NOBODY if known and snapshot.now - last > _UNUSED else _NEVER_ENDS
    if snapshot.minor is not None and snapshot.minor >= _TRACKED_SINCE:
        old = known and made is not None and snapshot.now - made > _UNUSED
        return Text("no label tells of a use", "没有标签表明其曾被使用"), _NOBODY if old else _NEVER_ENDS
    return Text("when it was last used is not tracked", "未记录其最后一次使用时间"), _NEVER_ENDS


_NOBODY: Final = Text("nobody seems to have used it for three months", "似乎已有三个月无人使用")
_NEVER_ENDS: Final = Text("it never ends, whoever has copied it", "它永不过期，无论被谁复制走")


def bootstrap(snapshot: Snapshot) -> Iterator[Result]:
    """Tokens with which a machine joins the cluster."""
    if snapshot.cluster is None:
        return
    for one in bootstrap_tokens(snapshot.cluster):
        subject = str(one.source)
        if not one.has_values:
            reason = Text(
                "only its name is in the evidence; its end is told by kubectl get secret -n kube-system -o yaml, or "
                "kubeadm token list",
                "证据中只有其名称；可用 kubectl get secret -n kube-system -o yaml 或 kubeadm token list 查看其有效期",
            )
            yield Result("not_evaluated", CLUSTER, subject, where=(one.where,), reason=reason)
        elif not one.signs_in:
            yield Result("pass", CLUSTER, subject, _NO_SIGN_IN, where=(one.where,))
        elif one.expires is None:
            yield Result("fail", CLUSTER, subject, _NO_END, _A_DAY, (one.where,), remedy=_deleted(one))
        else:
            until = one.expires.strftime("%Y-%m-%dT%H:%M:%SZ")
            observed = Text(f"valid until {until}", f"有效期至 {until}")
            if snapshot.now.year >= _NO_CLOCK and one.expires - snapshot.now > _LONG:
                yield Result(
                    "fail", CLUSTER, subject, observed, _A_DAY, (one.where,), severity="low", remedy=_deleted(one)
                )
            else:
                yield Result("pass", CLUSTER, subject, observed, where=(one.where,))


def _deleted(one: BootstrapToken) -> Remedy | None:
    return filled("credentials/bootstrap_token", {"ID": one.source.name.removeprefix("bootstrap-token-")})


_NO_SIGN_IN: Final = Text("it authenticates nobody", "它不能用于身份认证")
_NO_END: Final = Text("it has no end", "没有设置过期时间")
_A_DAY: Final = Text("a day, as kubeadm makes them", "一天，即 kubeadm 的默认值")


def requests(snapshot: Snapshot) -> Iterator[Result]:
    """Certificates that were issued for somebody's request."""
    if snapshot.cluster is None:
        return
    for one in signing_requests(snapshot.cluster):
        if not one.makes_client or one.state != "Approved":
            continue
        made = one.issued or one.asked
        subject = str(one.source)
        if made is None:
            reason = Text("what it asks for cannot be read", "无法读取其请求内容")
            yield not_evaluated(CLUSTER, subject, reason)
            continue
        groups = ", ".join(made.groups)
        observed = Text(
            f"approved ({one.reason or 'no reason told'}): {one.requester or '?'} asked for a certificate of "
            f"{made.user or '?'}" + (f" in {groups}" if groups else ""),
            f"已批准（{one.reason or '未注明原因'}）：{one.requester or '?'} 申请了用户 {made.user or '?'} 的证书"
            + (f"，所属组为 {groups}" if groups else ""),
        )
        approvals = _approved(one, snapshot)
        if approvals:
            observed = clauses([observed, *map(_told, approvals)])
        where = (one.where, *(approval.where for approval in approvals))
        severity, reason_ = _judged(one, made.user, made.groups)
        if severity != "critical" and any(approval.who == _ANONYMOUS for approval in approvals):
            severity, reason_ = "critical", _BY_NOBODY
        if severity is None:
            yield Result("pass", CLUSTER, subject, observed, where=where)
        else:
            remedy = filled("credentials/signing_request", {"REQUEST": one.source.name, "USER": made.user})
            yield Result("fail", CLUSTER, subject, observed, _ONESELF, where, reason_, severity, remedy)


def _approved(one: SigningRequest, snapshot: Snapshot) -> tuple[Approval, ...]:
    """Who approved it by hand, as the log tells; of another one of its name that was before it, nothing is told."""
    since = text(one.source.document, "metadata", "creationTimestamp")
    some = snapshot.usage.approvals.get(one.source.name, ()) if snapshot.usage else ()
    return tuple(approval for approval in some if approval.last[:19] >= since[:19])[-_APPROVERS:]


def _told(one: Approval) -> Text:
    at = one.last[:19]
    return Text(
        f"approved by {one.who or '?'} from {one.address or '?'} at {at}Z",
        f"{at}Z 由 {one.who or '?'}（来自 {one.address or '?'}）批准",
    )


_APPROVERS: Final = 3
_BY_NOBODY: Final = Text("nobody knows who approved it", "批准者身份未知")
_ONESELF: Final = Text(
    "certificates for persons, and for each node its own", "只为个人签发证书，且每个节点只获得自己的证书"
)
_NOTHING: Final = Text("", "")


def _judged(one: SigningRequest, user: str, groups: tuple[str, ...]) -> tuple[Severity | None, Text]:
    if MASTERS in groups:
        return "critical", Text(
            f"{MASTERS} may do everything before RBAC is asked, and no certificate can be revoked",
            f"{MASTERS} 在 RBAC 之前就拥有全部权限，且证书无法吊销",
        )
    if one.requester == _ANONYMOUS:
        return "critical", Text("nobody knows who asked", "申请者身份未知")
    if KUBEADM in groups:
        return "high", Text(f"{KUBEADM} is bound to cluster-admin", f"{KUBEADM} 绑定到 cluster-admin")
    if one.signer == KUBELET:
        other = one.requester.startswith(_NODE) and user != one.requester
        return ("high", _OTHER_NODE) if other else (None, _NOTHING)
    if user == one.requester or _looks_after(one.requester, user):
        return None, _NOTHING
    if user in _COMPONENTS or user.startswith("system:serviceaccount:") or user.startswith(_NODE):
        return "high", Text(
            "it is somebody else's identity, of a part of the cluster: a way to stay that no change of roles shows",
            "这是集群组件或他人的身份：一种不改动任何角色即可持久驻留的手段",
        )
    return None, _NOTHING


def _looks_after(requester: str, user: str) -> bool:
    return any(
        requester == f"{_ACCOUNT}{asks}" and user.startswith(f"{_ACCOUNT}{whom}") for asks, whom in _LOOKED_AFTER
    )


_OTHER_NODE: Final = Text("a node got the certificate of another", "一个节点获得了另一个节点的证书")
