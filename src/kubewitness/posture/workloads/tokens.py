"""Checks of tokens in pods that open nothing, and of static pods nobody knows.

A token with the rights of everybody opens nothing, but it proves to a stranger's pod that he is inside, names the
account, and is there when somebody binds a role to that account later, as the first incident's intruder did.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from kubewitness.model.posture import Remedy, Result
from kubewitness.model.text import Text
from kubewitness.posture.access.state import ACCOUNTS, AUTHENTICATED, Who, state_of
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.filling import filled
from kubewitness.posture.platforms import is_platform_or_agent
from kubewitness.posture.pods.gathered import SYSTEM, Tokens, Workload, workloads
from kubewitness.posture.reading import at, mapping, nodes, text

NEEDS: Final = ("Pod", "ServiceAccount", "RoleBinding", "ClusterRoleBinding")
_NAMED: Final = 5
_STATIC: Final = re.compile(
    r"(?:etcd|etcd-events|etcd-manager-.{1,20}|kube-apiserver|kube-apiserver-healthcheck|kube-controller-manager"
    r"|kube-scheduler|kube-proxy|kube-vip|haproxy|keepalived|nginx-proxy|nginx-lb|cloud-controller-manager"
    r"|kube-addon-manager|konnectivity-server|l7-lb-controller|fluentd-gcp|kube-vip-cloud-provider|kops-controller"
    r"|secondary-scheduler|aws-iam-authenticator|aws-encryption-provider)(?:-.{1,253})?"
)
_MIRROR: Final = "kubernetes.io/config.mirror"


def useless(snapshot: Snapshot) -> Iterator[Result]:
    """Tokens that open nothing, by namespace."""
    cluster, state = snapshot.cluster, state_of(snapshot)
    if cluster is None or state is None or any(not cluster.has_all(kind) for kind in NEEDS):
        return
    holders = {grant.who for grant in state.grants if grant.role is not None and not state.maker(grant)}
    if {Who("Group", ACCOUNTS), Who("Group", AUTHENTICATED)} & holders:
        return  # somebody gave every account rights: a check of access tells
    holders |= {grant.who for grant in state.grants if grant.who.kind == "ServiceAccount"}
    tokens = Tokens(cluster)
    found = defaultdict[str, list[tuple[Workload, str]]](list)
    for one in workloads(cluster):
        if is_platform_or_agent(one.namespace) or one.made_by_node:
            continue
        account = one.account
        own = {Who("ServiceAccount", f"{one.namespace}/{account}"), Who("Group", f"{ACCOUNTS}:{one.namespace}")}
        if tokens.lies_in(one.namespace, one.spec) and not own & holders and not _asks_for_one(one):
            found[one.namespace].append((one, account))
    for namespace, some in sorted(found.items()):
        names = ", ".join(f"{one.kind} {one.name} ({account})" for one, account in some[:_NAMED])
        names_zh = "、".join(f"{one.kind} {one.name}（{account}）" for one, account in some[:_NAMED])
        more = len(some) - _NAMED
        observed = Text(
            f"workloads that hold the token of an account without rights: {len(some)} ({names}"
            + (f", and {more} more)" if more > 0 else ")"),
            f"{len(some)} 个工作负载持有无任何权限的账户的令牌：{names_zh}" + (f"，另有 {more} 个" if more > 0 else ""),
        )
        where = tuple(one.where("spec.automountServiceAccountToken") for one, _ in some[:_NAMED])
        remedy = _unmounted(namespace, [account for _, account in some])
        yield Result("fail", CLUSTER, f"Namespace {namespace}", observed, _OFF, where, remedy=remedy)


def _unmounted(namespace: str, accounts: Sequence[str]) -> Remedy | None:
    """Each account told not to have its token mounted; None: a name is such that no command can be given."""
    names = list(dict.fromkeys(accounts))[:_ACCOUNTS]
    made = [filled("workloads/useless_token", {"NAMESPACE": namespace, "ACCOUNT": name}) for name in names]
    ready = [one for one in made if one is not None and not one.blanks]
    return replace(ready[0], command="\n".join(one.command.strip() for one in ready)) if ready else None


_ACCOUNTS: Final = 20
_OFF: Final = Text("automountServiceAccountToken: false", "automountServiceAccountToken: false")


def _asks_for_one(one: Workload) -> bool:
    """Whether its makers ask for a token of their own, for another audience: such one proves itself elsewhere."""
    return any(
        text(source, "serviceAccountToken", "audience")
        for _, volume in nodes(one.spec, "volumes")
        for _, source in nodes(volume, "projected", "sources")
    )


def static_pods(snapshot: Snapshot) -> Iterator[Result]:
    """Pods that a node makes out of a file: no API server is asked, nobody is in its log."""
    if snapshot.cluster is None:
        return
    for one in workloads(snapshot.cluster):
        mirror = _MIRROR in mapping(one.source.document, "metadata", "annotations")
        if not (one.made_by_node or mirror) or one.source.kind != "Pod":
            continue
        known = one.namespace == SYSTEM and _STATIC.fullmatch(one.name) is not None
        if known or (one.namespace != SYSTEM and is_platform_or_agent(one.namespace)):
            continue
        place = text(one.spec, "nodeName") or "?"
        image = next((text(box, "image") for _, box in one.boxes()), "")[:200]
        observed = Text(f"a file of node {place} makes it, image {image}", f"由节点 {place} 上的文件创建，镜像 {image}")
        path = "metadata.annotations" if at(one.source.document, "metadata", "annotations") else "metadata"
        yield Result("fail", CLUSTER, str(one), observed, _CONTROL_PLANE, (one.where(path),))


_CONTROL_PLANE: Final = Text("static pods of the control plane alone", "只有控制平面使用静态 Pod")
