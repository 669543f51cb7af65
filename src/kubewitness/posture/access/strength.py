"""Strong rights of those who are named one by one: users, groups and service accounts.

Who has everything is a list to know, no fault. Rights to escalate, wildcards over everything and rights of default
accounts are told where somebody other than Kubernetes and its known addons gave them, and low where the holder lives
in a namespace of the platform. A strong right inside one namespace is what `admin` and `edit` are for, and is not told
but for the two that have no other use than to gain rights: escalate and bind.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Final, NamedTuple

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Remedy, Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.access.rating import Grade, Worths, strong
from kubewitness.posture.access.removal import removal
from kubewitness.posture.access.state import (
    ACCOUNTS,
    ANONYMOUS,
    AUTHENTICATED,
    UNAUTHENTICATED,
    Grant,
    State,
    Who,
    state_of,
)
from kubewitness.posture.access.words import RIGHTS, filled, listed
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.platforms import is_platform
from kubewitness.posture.rbac.nouns import MASTERS, Key, PolicyRule

_ANYBODY: Final = frozenset({ANONYMOUS, UNAUTHENTICATED, AUTHENTICATED, ACCOUNTS})  # told by `grants`
_ONLY_TO_GAIN: Final = ("escalate_clusterroles", "escalate_roles", "bind_clusterroles")
_DEFAULT: Final = "default"
_OWN_USERS: Final = frozenset(("system:kube-proxy", "system:kube-scheduler", "system:kube-controller-manager"))
_OWN: Final = Text(
    "Kubernetes binds its own users and groups itself; each machine or component with this credential has these "
    "rights, and nobody looks for them there",
    "Kubernetes 自带的用户和组由其自身绑定；新增绑定会让持有该凭据的每台机器或组件都拥有这些权限，且不易察觉",
)
_NEEDS_NONE: Final = Text(
    "the group may do everything before any authorizer is asked, with or without this binding: it only makes it look "
    "as if removing it would help",
    "该组在鉴权之前即拥有全部权限，与此绑定无关；此绑定只会让人误以为删除即可收权",
)


def administrators(snapshot: Snapshot) -> Iterator[Result]:
    """Whoever has everything, by a grant that neither Kubernetes nor a known addon makes."""
    for state, grant in _strangers(snapshot):
        if not grant.scope and "everything" in state.rights(grant.role):
            observed = Text("{who} may do everything, by {role}", "{who} 通过 {role} 拥有全部权限")
            expected = Text("few, each of them known", "人数少且逐一可知")
            own = _is_own(grant.who)
            yield _fail(
                state,
                grant,
                _Claim(observed, expected, _OWN if own else _holder(grant.who), "high" if own else "informational"),
            )


def escalation(snapshot: Snapshot) -> Iterator[Result]:
    """Rights with which one gains others."""
    for state, grant in _strangers(snapshot):
        rights = state.rights(grant.role)
        if ("everything" in rights and not grant.scope) or grant.binding.key in state.defaults:
            continue  # in the list of administrators, or among what was altered
        names = [one for one in strong(rights) if not grant.scope or one in _ONLY_TO_GAIN]
        if not names:
            continue
        what = listed([RIGHTS[one] for one in names])
        account = grant.who.kind == "ServiceAccount" and not is_platform(grant.who.namespace)
        own = _is_own(grant.who) and not grant.binding.role_name.startswith("system:")
        severity: Severity = "medium" if (account or own) and not grant.scope else "low"
        observed = Text("{who} has, by {role}: {what}", "{who} 通过 {role} 拥有：{what}")
        expected = Text("only who must has rights with which one gains others", "仅必要者拥有可用于提权的权限")
        claim = _Claim(observed, expected, _OWN if own else _holder(grant.who), severity, what)
        yield _fail(state, grant, claim, _narrowed(grant.who) if account else None)


def wildcards(snapshot: Snapshot) -> Iterator[Result]:
    """Roles of others that allow every verb on everything of the core group, and that somebody has."""
    state = state_of(snapshot)
    if state is None:
        return
    seen = dict[Key, list[Grant]]()
    for grant in state.grants:
        if grant.role is not None and not state.maker(grant) and not state.role_maker(grant.role):
            seen.setdefault(grant.role, []).append(grant)
    for role, grants in sorted(seen.items()):
        bad = [index for index, rule in enumerate(state.rules(role)) if _is_wild(rule)]
        if not bad:
            continue
        platform = all(is_platform(one.who.namespace or one.scope) for one in grants)
        severity: Severity = "low" if platform or all(one.scope for one in grants) else "medium"
        count = len({one.who for one in grants})
        where = tuple(state.where(role, f"rules[{index}]") for index in bad[:3])
        yield Result(
            "fail", CLUSTER, str(role),
            Text(f"every verb on every resource, for {count} subject(s)", f"所有资源的所有动词，涉及 {count} 个主体"),
            Text("the verbs and resources that are needed, by name", "逐一列出所需的动词与资源"),
            where + tuple(state.where(one.binding.key) for one in grants[:3]), severity=severity,
        )  # fmt: skip


def default_accounts(snapshot: Snapshot) -> Iterator[Result]:
    """Rights of accounts called default, which every pod has that names no other."""
    worths: Worths | None = None
    for state, grant in _strangers(snapshot):
        worths = worths or Worths(state)
        if grant.who.kind != "ServiceAccount" or not grant.who.name.endswith(f"/{_DEFAULT}"):
            continue
        grade, what = worths.of(grant.role)
        if grade == Grade.NOTHING:
            continue
        severity: Severity = "low" if grade < Grade.CHANGES else "medium" if grant.scope else "high"
        # Operators of OpenShift and others run as it; the default account of kube-system is nobody's.
        if is_platform(grant.who.namespace) and grant.who.namespace != "kube-system":
            severity = "low"
        observed = Text("{who} has, by {role}: {what}", "{who} 通过 {role} 拥有：{what}")
        expected = Text("no rights of its own", "没有自己的权限")
        reason = Text(
            "every pod of the namespace that names no account is this", "该命名空间中未指定账号的 Pod 都使用它"
        )
        yield _fail(state, grant, _Claim(observed, expected, reason, severity, what))


def masters(snapshot: Snapshot) -> Iterator[Result]:
    """Bindings that name system:masters, which needs none and cannot be held back by any."""
    for state, grant in _strangers(snapshot):
        if grant.who == Who("Group", MASTERS):
            observed = Text("{who} is bound to {role}", "{who} 被绑定到 {role}")
            expected = Text("bound by Kubernetes' own cluster-admin only", "仅由 Kubernetes 自带的 cluster-admin 绑定")
            yield _fail(state, grant, _Claim(observed, expected, _NEEDS_NONE, "low"))


class _Claim(NamedTuple):
    """What is said of a grant; {who}, {role} and {what} are put in."""

    observed: Text
    expected: Text
    reason: Text
    severity: Severity
    what: Text = Text("", "")


def _strangers(snapshot: Snapshot) -> Iterator[tuple[State, Grant]]:
    """Grants to somebody in particular that nobody who is known makes."""
    state = state_of(snapshot)
    if state is None:
        return
    for grant in state.grants:
        if grant.who.name in _ANYBODY or (grant.who.kind == "Group" and grant.who.namespace):
            continue
        if not state.maker(grant):
            yield state, grant


def _is_own(who: Who) -> bool:
    """Whether it is one of Kubernetes' own users and groups, to which nobody else should bind anything."""
    return (who.kind == "User" and (who.name in _OWN_USERS or who.name.startswith("system:node:"))) or (
        who.kind == "Group" and who.name == "system:nodes"
    )


def _narrowed(account: Who) -> Remedy | None:
    """What an operator needs is not taken away from it but named: without it, what it keeps running stops."""
    if not account.name.isprintable():
        return None
    name = shlex.quote(f"system:serviceaccount:{account.name.replace('/', ':', 1)}")
    return Remedy(
        Text("Give a role of only what is needed", "改用只含所需权限的角色"),
        Text(
            "An operator whose work needs them keeps them: then guard its namespace, where whoever may make pods "
            "or exec gets its token.",
            "若 operator 的工作确实需要这些权限，可予保留：此时应保护其命名空间，"
            "能在其中创建 Pod 或执行 exec 者即可取得其令牌。",
        ),
        f"# {_ALL.en}\nkubectl auth can-i --list --as={name}",
        breaks=Text("what is needed and not named", "未列入的用途会失效"),
        comments=(_ALL,),
    )


_ALL: Final = Text("all it may do", "它拥有的全部权限")


def _fail(state: State, grant: Grant, claim: _Claim, remedy: Remedy | None = None) -> Result:
    key = grant.binding.key
    referred = f"{grant.binding.role_kind} {grant.binding.role_name}"
    place = Text(f" in namespace {grant.scope}", f"（命名空间 {grant.scope}）") if grant.scope else Text("", "")
    where: tuple[Where, ...] = (state.where(key, f"subjects[{grant.position}]", grant.subject.name),)
    if grant.role is not None:
        where += (state.where(grant.role),)
    said = filled(
        claim.observed,
        who=Text(str(grant.who), str(grant.who)),
        role=Text(referred + place.en, referred + place.zh),
        what=claim.what,
    )
    remedy = remedy or removal([grant], Text(f"Take {grant.who} out of {key}", f"从 {key} 中移除 {grant.who}"))
    return Result(
        "fail", CLUSTER, str(key), said, claim.expected, where, claim.reason, claim.severity, remedy,
        aspect=str(grant.who),
    )  # fmt: skip


def _holder(who: Who) -> Text:
    if who.kind == "ServiceAccount":
        return Text("whoever gets into a pod of it has these rights", "攻入其 Pod 者即拥有这些权限")
    if who.kind == "Group":
        return Text(
            "whoever is in the group has these rights; who is, the cluster does not know",
            "组内成员即拥有这些权限；集群并不知道成员是谁",
        )
    return Text("whoever has the credential has these rights", "持有其凭据者即拥有这些权限")


def _is_wild(rule: PolicyRule) -> bool:
    return "*" in rule.verbs and "*" in rule.resources and not rule.names and not {"", "*"}.isdisjoint(rule.groups)
