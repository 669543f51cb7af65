"""Grants to those whom anybody can be: without a credential, with any credential, with the token of any pod.

Every way of naming them counts: the user system:anonymous, the groups, a Role or a ClusterRole, one that aggregates
others, a binding of the cluster or of a namespace. What makes a grant bad is what the role allows. What Kubernetes,
kubeadm or OpenShift make so is benign, by content; a changed role or a further subject is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.access.rating import Grade, Worths
from kubewitness.posture.access.removal import removal
from kubewitness.posture.access.restoring import mended
from kubewitness.posture.access.state import (
    ACCOUNTS,
    AUTHENTICATED,
    NOBODY,
    Grant,
    State,
    Who,
    state_of,
)
from kubewitness.posture.access.words import filled
from kubewitness.posture.check import CLUSTER, Snapshot, not_evaluated
from kubewitness.posture.platforms import is_platform

_SEVERITY_OF_NOBODY: Final[Mapping[Grade, Severity]] = {
    Grade.NOTHING: "low",
    Grade.HARMLESS: "low",
    Grade.READS: "high",
    Grade.CHANGES: "critical",
    Grade.TAKES_OVER: "critical",
}
_SEVERITY_OF_EVERYBODY: Final[Mapping[Grade, Severity]] = {
    Grade.NOTHING: "informational",
    Grade.HARMLESS: "informational",
    Grade.READS: "medium",
    Grade.CHANGES: "high",
    Grade.TAKES_OVER: "critical",
}


def to_anonymous(snapshot: Snapshot) -> Iterator[Result]:
    """Every grant that reaches requests without a credential; and what could be one and cannot be read."""
    state = state_of(snapshot)
    for one in state.unreadable[:_UNREADABLE] if state else ():
        yield not_evaluated(CLUSTER, str(one), _NO_OBJECT)
    yield from _grants(snapshot, lambda who: who in NOBODY, _SEVERITY_OF_NOBODY)


def to_everybody(snapshot: Snapshot) -> Iterator[Result]:
    """Every grant to system:authenticated, and to all service accounts of the cluster or of a namespace."""
    yield from _grants(snapshot, _is_everybody, _SEVERITY_OF_EVERYBODY)


def _is_everybody(who: Who) -> bool:
    return who.kind == "Group" and (who.name in {AUTHENTICATED, ACCOUNTS} or who.name.startswith(f"{ACCOUNTS}:"))


def _grants(
    snapshot: Snapshot, wanted: Callable[[Who], bool], severities: Mapping[Grade, Severity]
) -> Iterator[Result]:
    state = state_of(snapshot)
    if state is None:
        return
    worths = Worths(state)
    for grant in state.grants:
        if wanted(grant.who):
            yield _judged(state, grant, worths, severities)


def _judged(state: State, grant: Grant, worths: Worths, severities: Mapping[Grade, Severity]) -> Result:
    key, role = grant.binding.key, grant.role
    subject, aspect = str(key), str(grant.who)
    where: tuple[Where, ...] = (state.where(key, f"subjects[{grant.position}]", grant.subject.name),)
    if role is not None:
        where += (state.where(role),)
    referred = f"{grant.binding.role_kind} {grant.binding.role_name}"
    if maker := state.maker(grant):
        return Result(
            "pass", CLUSTER, subject, Text(f"{aspect}: {referred}", f"{aspect}：{referred}"), where=where,
            reason=Text(f"as {maker} makes it, by content", f"内容与 {maker} 的默认一致"), aspect=aspect,
        )  # fmt: skip
    if not state.is_known(role):
        reason = Text(
            f"the evidence has no {role}: what it gives {aspect} is not known",
            f"证据中没有 {role}：无法得知它授予 {aspect} 什么权限",
        )
        return not_evaluated(CLUSTER, subject, reason)
    grade, what = worths.of(role)
    severity = _milder(grant, grade, severities[grade])
    observed = filled(
        Text("{who} has {role}{place}: {what}", "{who} 拥有 {role}{place}：{what}"),
        who=Text(aspect, aspect),
        role=Text(referred, referred),
        place=Text(f" in namespace {grant.scope}", f"（命名空间 {grant.scope}）") if grant.scope else Text("", ""),
        what=what,
    )
    remedy = mended(state, role) if role and state.is_default(grant) else None  # the role was altered, not the binding
    remedy = remedy or removal(state.fellows(grant), Text(f"Take {aspect} out of {key}", f"从 {key} 中移除 {aspect}"))
    return Result("fail", CLUSTER, subject, observed, _EXPECTED, where, _REASON[grade], severity, remedy, aspect=aspect)


def _milder(grant: Grant, grade: Grade, severity: Severity) -> Severity:
    """Accounts of one namespace that work in it are a habit; reading in one of the platform is its own doing."""
    if grade <= Grade.READS and grant.scope and (is_platform(grant.scope) or grant.who.namespace == grant.scope):
        return "low" if grant.who in NOBODY else "informational"
    if grant.who.namespace:
        if is_platform(grant.who.namespace):
            return "low"
        return "medium" if grade >= Grade.CHANGES and grant.scope else ("high" if grade >= Grade.CHANGES else "low")
    return severity


_UNREADABLE: Final = 20
_NO_OBJECT: Final = Text(
    "its fields are of other types than the API server's", "其字段类型与 API server 不符，无法读取"
)
_EXPECTED: Final = Text("no grant but those that Kubernetes makes itself", "除 Kubernetes 自带授权外，不应有其他授权")
_REASON: Final[Mapping[Grade, Text]] = {
    Grade.NOTHING: Text(
        "the role gives nothing now, but whoever may change it decides that", "该角色目前没有权限，但可被修改"
    ),
    Grade.HARMLESS: Text("what it gives is hardly worth anything", "所授权限几乎无害"),
    Grade.READS: Text("it tells what runs where", "可得知集群中运行的内容"),
    Grade.CHANGES: Text("it lets them change the cluster or read its Secrets", "可更改集群或读取 Secret"),
    Grade.TAKES_OVER: Text(
        "these rights are enough to gain others, up to the whole cluster", "凭这些权限可进一步提权，直至控制整个集群"
    ),
}
