"""Bindings that point at nothing: a role that is not there, a service account or namespace that is not there.

Nothing is granted now. But whoever may make the missing thing, which seems harmless, gets what the binding gives: a
service account of that name, a role of that name with whatever rules. Bindings that Kubernetes makes are left out: it
makes those of its controllers before their accounts, and some for accounts that may never be.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Result
from kubewitness.model.text import Text
from kubewitness.posture.access.rating import strong
from kubewitness.posture.access.removal import removal
from kubewitness.posture.access.state import Grant, State, state_of
from kubewitness.posture.bootstrap.addons import addon_of
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.rbac.nouns import Binding

_BREAKS: Final = Text("nothing, unless the missing is made again", "无影响，除非缺失的对象会被重新创建")


def dangling(snapshot: Snapshot) -> Iterator[Result]:
    """Bindings to roles, and subjects, that do not exist."""
    state = state_of(snapshot)
    if state is None:
        return
    accounts = {(one.namespace, one.name) for one in state.cluster.of("ServiceAccount")}
    for grant in state.grants:
        if state.maker(grant) or _is_made(state, grant.binding):
            continue
        if grant.role is None or (grant.role not in state.policy.objects and state.is_known(grant.role)):
            yield _no_role(state, grant)
        elif (
            grant.who.kind == "ServiceAccount"
            and state.cluster.has_all("ServiceAccount")
            and (grant.who.namespace, grant.who.name.partition("/")[2]) not in accounts
        ):
            yield _nobody(state, grant)


def _is_made(state: State, binding: Binding) -> bool:
    return binding.key in state.defaults or bool(addon_of(binding))


class _Claim(NamedTuple):
    """What is missing, and what that means."""

    missing: str
    expected: Text
    reason: Text
    severity: Severity
    aspect: str


def _no_role(state: State, grant: Grant) -> Result:
    referred = f"{grant.binding.role_kind} {grant.binding.role_name}"
    expected = Text("a role that exists", "指向存在的角色")
    return _result(state, grant, _Claim(referred, expected, _WHO_MAKES_THE_ROLE, "low", "role"))


def _nobody(state: State, grant: Grant) -> Result:
    takes_over = bool(strong(state.rights(grant.role))) and not grant.scope
    expected = Text("subjects that exist", "主体存在")
    claim = _Claim(str(grant.who), expected, _WHO_MAKES_THE_ACCOUNT, "medium" if takes_over else "low", str(grant.who))
    return _result(state, grant, claim)


def _result(state: State, grant: Grant, claim: _Claim) -> Result:
    key = grant.binding.key
    grants = [grant] if claim.aspect != "role" else state.by_binding[key]
    title = Text(f"Take back the dangling grant of {key}", f"清除 {key} 的悬空授权")
    return Result(
        "fail",
        CLUSTER,
        str(key),
        Text(f"{claim.missing} does not exist", f"{claim.missing} 不存在"),
        claim.expected,
        (state.where(key, f"subjects[{grant.position}]", grant.subject.name),),
        claim.reason,
        claim.severity,
        removal(grants, title, _BREAKS),
        aspect=claim.aspect,
    )


_WHO_MAKES_THE_ROLE: Final = Text(
    "whoever makes a role of this name decides what the subjects may do", "创建同名角色者即可决定这些主体的权限"
)
_WHO_MAKES_THE_ACCOUNT: Final = Text(
    "whoever may create service accounts in that namespace gets these rights",
    "能在该命名空间创建服务账号者即可获得这些权限",
)
