"""Pod Security of namespaces and workloads: what is enforced, what runs, and what would break.

Only pods are refused, when they are made; those that run go on. So a namespace without a level lets in whatever
somebody makes next, whether or not anything in it needs that today.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from kubewitness.model.cluster import KubeObject
from kubewitness.model.posture import Remedy, Result
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot, not_evaluated
from kubewitness.posture.control_plane.api_server import document_named
from kubewitness.posture.filling import filled
from kubewitness.posture.places import where_of
from kubewitness.posture.platforms import is_openshift, is_platform_or_agent
from kubewitness.posture.pod_security import Configuration, Enforced, Violation, evaluate, levels_of, sentence
from kubewitness.posture.pod_security import configuration_of as configured_by
from kubewitness.posture.pods.gathered import SYSTEM, Workload, workloads
from kubewitness.posture.reading import mapping, text

_SINCE: Final = 23
_LAST_POLICY: Final = 24
_SHOWN: Final = 300
_PATHS: Final = 8
_NAMED: Final = 5
_OPTION: Final = "admission-control-config-file"
_NAME: Final = re.compile(r"[a-z0-9-]{1,63}")
_ENGINES: Final = ("kyverno", "gatekeeper", "kubewarden", "polaris")


def baseline(snapshot: Snapshot) -> Iterator[Result]:
    """Workloads that the level baseline would not admit."""
    cluster = snapshot.cluster
    if cluster is None or is_openshift(cluster):
        if cluster is not None:
            yield Result("not_applicable", CLUSTER, "", reason=_OPENSHIFT)
        return
    levels = {one.name: levels_of(mapping(one.document, "metadata", "labels")) for one in cluster.of("Namespace")}
    for one in workloads(cluster):
        if one.is_platform:
            continue
        found = evaluate(one.pod, "baseline", _version(snapshot))
        if not found:
            continue
        told = sentence(found)[:_SHOWN]
        where = tuple(one.where(path) for violation in found for path in violation.paths[:2])[:_PATHS]
        level = levels.get(one.namespace, Enforced()).enforce.level
        reason = _UNKNOWN_SYSTEM if one.namespace == SYSTEM else _REFUSED if level != "privileged" else Text("", "")
        remedy = filled("workloads/baseline", {"NAMESPACE": one.namespace})
        yield Result("fail", CLUSTER, str(one), Text(told, told), _BASELINE, where, reason, remedy=remedy)


_BASELINE: Final = Text("a pod that baseline admits", "符合 baseline 级别的 Pod")
_UNKNOWN_SYSTEM: Final = Text(
    "in kube-system, and none of the addons known here by kind and name",
    "位于 kube-system，但按类型和名称不属于已知的附加组件",
)
_REFUSED: Final = Text(
    "its namespace refuses such pods by now: it goes on until it is made again",
    "其命名空间现已拒绝这样的 Pod：它会一直运行，直到被重建",
)
_OPENSHIFT: Final = Text(
    "OpenShift judges pods by its own security context constraints",
    "OpenShift 使用自己的 SecurityContextConstraints 判定 Pod",
)


def namespaces(snapshot: Snapshot) -> Iterator[Result]:
    """Which level each namespace enforces, and what would break at the next."""
    cluster = snapshot.cluster
    if cluster is None:
        return
    if is_openshift(cluster):
        yield Result("not_applicable", CLUSTER, "", reason=_OPENSHIFT)
        return
    if snapshot.minor is not None and snapshot.minor < _SINCE:
        yield from _before(snapshot)
        return
    if snapshot.minor is None and (newest := _newest_kubelet(snapshot)) is not None and newest + _SKEW < _SINCE:
        yield not_evaluated(CLUSTER, "", _TOO_OLD)
        return
    configuration, unread = _configuration(snapshot)
    known = Configuration() if configuration is None else configuration
    by_namespace = defaultdict[str, list[Workload]](list)
    for each in workloads(cluster):
        by_namespace[each.namespace].append(each)
    for one in sorted(cluster.of("Namespace"), key=lambda one: one.name):
        if is_platform_or_agent(one.name) or one.name in known.exemptions.namespaces or not by_namespace.get(one.name):
            continue
        labels = mapping(one.document, "metadata", "labels")
        level = levels_of(labels, known.defaults)
        if unread and "pod-security.kubernetes.io/enforce" not in labels:
            yield not_evaluated(CLUSTER, str(one), _UNREAD)
        elif level.enforce.level == "privileged":
            yield _unenforced(one, by_namespace[one.name], snapshot)
        else:
            text = Text(f"enforces {level.enforce}", f"已强制执行 {level.enforce}")
            yield Result("pass", CLUSTER, str(one), text, where=(where_of(one, "metadata.labels"),))


def _newest_kubelet(snapshot: Snapshot) -> int | None:
    """The highest minor version among the nodes' kubelets."""
    nodes = snapshot.cluster.of("Node") if snapshot.cluster else []
    found = [_VERSION.match(text(one.document, "status", "nodeInfo", "kubeletVersion")) for one in nodes]
    return max((int(one[1]) for one in found if one), default=None)


_VERSION: Final = re.compile(r"v1\.(\d{1,3})\.")
_SKEW: Final = 3  # a kubelet may be so much older than its API server
_TOO_OLD: Final = Text(
    "the version of the API server is not known; by those of its nodes it has no Pod Security levels (since 1.23)",
    "API server 版本未知；从节点版本看，它尚不支持 Pod Security 级别（1.23 起才有）",
)


def _unenforced(one: KubeObject, inside: list[Workload], snapshot: Snapshot) -> Result:
    broken = dict[str, list[str]]()
    for level in ("baseline", "restricted"):
        refused: list[tuple[Workload, list[Violation]]] = [
            (each, found) for each in inside if (found := evaluate(each.pod, level, _version(snapshot)))
        ]
        broken[level] = [f"{each.kind} {each.name}" for each, _ in refused]
    wanted = "baseline" if broken["restricted"] else "restricted"
    first, second = _list(broken["baseline"]), _list(broken["restricted"])
    observed = Text(
        f"enforces nothing; workloads: {len(inside)}, refused by baseline: {first.en}, by restricted: {second.en}",
        f"未强制执行任何级别；共 {len(inside)} 个工作负载，baseline 会拒绝 {first.zh}，restricted 会拒绝 {second.zh}",
    )
    name = one.name if _NAME.fullmatch(one.name) else _SPACE
    command = (
        f"# {_DRY.en}\n"
        f"kubectl label --dry-run=server --overwrite ns {name} pod-security.kubernetes.io/enforce={wanted}\n"
        f"# {_THEN.en}\nkubectl label --overwrite ns {name} pod-security.kubernetes.io/enforce={wanted}"
    )
    breaks = Text(
        f"{', '.join(broken[wanted][:_NAMED])}: refused when made again",
        f"{'、'.join(broken[wanted][:_NAMED])}：重建时会被拒绝",
    )
    remedy = Remedy(
        Text(f"Enforce {wanted}", f"强制执行 {wanted}"), _DETAIL, command, safe=not broken[wanted],
        breaks=breaks if broken[wanted] else Text("", ""), fix="pod_security_levels",
        comments=(_DRY, _THEN), blanks=(_SPACE,) if name == _SPACE else (),
    )  # fmt: skip
    engines = sorted({word for word in _ENGINES for each in _webhooks(snapshot) if word in each})
    reason = Text("", "")
    if engines:
        names = ", ".join(engines)
        reason = Text(
            f"{names} may refuse such pods instead; its policies are not judged here",
            f"{names} 可能代为拒绝此类 Pod；此处未评估其策略",
        )
    expected = Text("at least baseline", "至少为 baseline")
    where = (where_of(one, "metadata.labels"),)
    return Result("fail", CLUSTER, str(one), observed, expected, where, reason, remedy=remedy)


_SPACE: Final = "NAMESPACE"  # in place of a name that a shell or a screen could obey
_DRY: Final = Text("tells what would break, changes nothing", "列出会受影响的 Pod，不做任何更改")
_THEN: Final = Text("then", "然后")
_DETAIL: Final = Text(
    "Begin with warn and audit at the level above; pods that run are not touched.",
    "可先在更高级别上设置 warn 和 audit；正在运行的 Pod 不受影响。",
)


def _list(names: list[str]) -> Text:
    if not names:
        return Text("0", "0")
    more = "" if len(names) <= _NAMED else ", …"
    named = names[:_NAMED]
    return Text(
        f"{len(names)} ({', '.join(named)}{more})",
        f"{len(names)} 个（{'、'.join(named)}{'等' if more else ''}）",
    )


def _webhooks(snapshot: Snapshot) -> list[str]:
    return (
        [] if snapshot.cluster is None else [one.name for one in snapshot.cluster.of("ValidatingWebhookConfiguration")]
    )


def _before(snapshot: Snapshot) -> Iterator[Result]:
    """Up to 1.22 there are policies of another kind, or nothing."""
    assert snapshot.cluster is not None
    policies = snapshot.cluster.of("PodSecurityPolicy")
    if policies:
        names = ", ".join(one.name for one in policies[:_NAMED])
        text = Text(f"PodSecurityPolicy: {names}", f"PodSecurityPolicy：{names}")
        yield Result(
            "pass", CLUSTER, "PodSecurityPolicy", text, where=tuple(where_of(one) for one in policies[:_NAMED])
        )
        return
    observed = Text(
        f"version {snapshot.cluster.version} judges no pod", f"{snapshot.cluster.version} 版本不判定任何 Pod"
    )
    if not snapshot.cluster.has_all("PodSecurityPolicy"):
        yield not_evaluated(CLUSTER, "PodSecurityPolicy", _NOT_SEEN)
        return
    yield Result("fail", CLUSTER, "PodSecurityPolicy", observed, _POLICY)


_NOT_SEEN: Final = Text(
    "until 1.24 there is PodSecurityPolicy, which the evidence does not hold: kubectl get psp -o json",
    "1.24 及更早版本使用 PodSecurityPolicy，证据中未包含：kubectl get psp -o json",
)
_POLICY: Final = Text(
    "an upgrade to 1.25 or later, where namespaces enforce a level; until then PodSecurityPolicy",
    "升级到 1.25 及以上，由命名空间强制执行级别；在此之前使用 PodSecurityPolicy",
)


def policies(snapshot: Snapshot) -> Iterator[Result]:
    """PodSecurityPolicy, which an upgrade to 1.25 takes away without a word."""
    cluster, minor = snapshot.cluster, snapshot.minor
    found = [] if cluster is None else sorted(cluster.of("PodSecurityPolicy"), key=lambda one: one.name)
    for one in found:
        if minor is not None and minor < _DEPRECATED:
            observed = Text("in force where somebody may use it", "对有权使用它的主体生效")
            yield Result("pass", CLUSTER, str(one), observed, where=(where_of(one),))
        elif minor is not None and minor <= _LAST_POLICY:
            yield Result("fail", CLUSTER, str(one), _GOING, _LABELS, (where_of(one),))
        else:
            yield Result("fail", CLUSTER, str(one), _GONE, _LABELS, (where_of(one),), severity="low")
    if found:
        return
    if minor is not None and minor > _LAST_POLICY:
        yield Result("not_applicable", CLUSTER, "", reason=_NO_API)
    elif cluster is None or not cluster.has_all("PodSecurityPolicy"):
        yield not_evaluated(CLUSTER, "", _NOT_SEEN)


_DEPRECATED: Final = 21
_NO_API: Final = Text("1.25 and later have no PodSecurityPolicy", "1.25 及以上没有 PodSecurityPolicy")
_GOING: Final = Text("in force until 1.24; 1.25 has no such API", "在 1.24 及之前有效；1.25 中没有这个 API")
_GONE: Final = Text("a manifest of an API that 1.25 and later do not have", "该清单使用的 API 在 1.25 及以上已不存在")
_LABELS: Final = Text(
    "labels pod-security.kubernetes.io/enforce on namespaces", "在命名空间上使用标签 pod-security.kubernetes.io/enforce"
)


def _configuration(snapshot: Snapshot) -> tuple[Configuration | None, bool]:
    """What the API server was started with, and whether there is something that could not be read."""
    unread = False
    for one in snapshot.components:
        if one.program != "kube-apiserver":
            continue
        given = one.ask(_OPTION)
        if given is None or not given.value:
            continue
        document = document_named(one, given, snapshot)
        value = None if document is None else document.value
        found = configured_by(value) if isinstance(value, dict) else None
        if found is not None:
            return found, False
        unread = unread or value is None
    return None, unread


_UNREAD: Final = Text(
    "the API server has a configuration of admission, which may set a level for every namespace; it is not in the "
    "evidence",
    "API server 使用了准入配置文件，其中可能为所有命名空间设置了级别；该文件不在证据中",
)


def _version(snapshot: Snapshot) -> tuple[int, int] | None:
    return None if snapshot.minor is None else (1, snapshot.minor)
