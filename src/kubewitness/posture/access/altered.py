"""Roles and bindings of Kubernetes' own that somebody altered, and others that are dressed up as such.

What differs is found by `bootstrap.compare`; here it is weighed: by the rights that were added, not by how the text
differs. What another version or a feature gate explains passes and says so; rules that are missing pass as well, for
later releases of the same minor version add some, and nobody gains by it. On OpenShift, whose roles are selected and
labelled in the same way, what carries its names counts low.

The name `system:controller:…` is one that only Kubernetes' controllers have. A role or binding of that name which no
version makes is a disguise; the one of the first incident was called system:controller:kube-controller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kubewitness.model.judgement import Severity
from kubewitness.model.posture import Remedy, Result
from kubewitness.model.text import Text
from kubewitness.posture.access.rating import Grade, grade_of, told
from kubewitness.posture.access.removal import named
from kubewitness.posture.access.restoring import deleted, restored, unlabelled
from kubewitness.posture.access.state import State, state_of
from kubewitness.posture.bootstrap.addons import addon_of
from kubewitness.posture.bootstrap.difference import Difference, Kind
from kubewitness.posture.check import CLUSTER, Snapshot
from kubewitness.posture.rbac.nouns import Binding, Key, PolicyRule, Role

_CONTROLLER: Final = "system:controller:"
# Made by add-ons of clusters on GCE, so never a disguise.
_KNOWN: Final = frozenset({"system:controller:glbc"})
_OPENSHIFT: Final = "system:openshift:"
_LINES: Final = 6
_REPAIRED: Final[frozenset[Kind]] = frozenset(
    {"extra_rule", "extra_subject", "swapped_role", "altered_aggregation", "missing_object", "missing_subject"}
)
_LACKING: Final[Kind] = "missing_rule"
_INJECTED: Final[Kind] = "injected_rule"


def altered_defaults(snapshot: Snapshot) -> Iterator[Result]:
    """What is not as this version of Kubernetes makes it."""
    state = state_of(snapshot)
    if state is None or not any(key in state.defaults for key in state.objects):
        return
    loud = {one.key for one in state.differences if one.finding and one.kind not in {"protected", _LACKING, _INJECTED}}
    for one in state.differences:
        if one.kind == _INJECTED:
            continue
        if one.finding and one.kind != _LACKING:
            yield _altered(state, one, also_else=one.key in loud)
        else:
            yield Result("pass", CLUSTER, str(one.key), one.text, where=(state.where(one.key),), aspect=one.kind)


def injected_rights(snapshot: Snapshot) -> Iterator[Result]:
    """Rights that roles of others put into Kubernetes' own roles by a label."""
    state = state_of(snapshot)
    if state is None:
        return
    for one in state.differences:
        if one.kind == _INJECTED and one.finding:
            rules = state.rules(one.key)
            read = {"view", "system:aggregate-to-view"} & set(one.into)
            severity: Severity = "high" if read or _everything(rules) else "medium"
            yield _result(state, one, "low" if _is_openshifts(state, one.key) else severity, rules)


def disguised(snapshot: Snapshot) -> Iterator[Result]:
    """Roles and bindings named like those of Kubernetes' controllers."""
    state = state_of(snapshot)
    if state is None:
        return
    for key, made in sorted(state.objects.items()):
        if not key.name.startswith(_CONTROLLER) or key in state.defaults or key.name in _KNOWN or addon_of(made):
            continue
        rules = made.rules if isinstance(made, Role) and made.selectors is None else state.rules(_role(made))
        grade = grade_of(rules)
        severity: Severity = "high" if grade == Grade.TAKES_OVER else "medium" if grade >= Grade.CHANGES else "low"
        what = told(rules)
        yield Result(
            "fail", CLUSTER, str(key),
            Text(f"named like one of Kubernetes' controllers; gives: {what.en}", f"仿冒控制器名称；授予：{what.zh}"),
            _NO_VERSION,
            (state.where(key),), severity=severity, remedy=deleted(key),
        )  # fmt: skip


def _role(made: Role | Binding) -> Key | None:
    return made.role if isinstance(made, Binding) else made.key


def _altered(state: State, one: Difference, *, also_else: bool) -> Result:
    made = state.objects.get(one.key)
    rules: tuple[PolicyRule, ...] = ()
    severity: Severity = "low"
    match one.kind:
        case "extra_rule":
            rules = state.added(one.key)
            severity = _SEVERITY[grade_of(rules)]
        case "altered_aggregation":
            rules = state.added(one.key)
            severity = _SEVERITY[grade_of(rules)] if rules else "low"
        case "extra_subject":
            rules = state.rules(_role(made)) if made else ()
            grade = grade_of(rules)
            severity = "high" if grade == Grade.TAKES_OVER else "medium" if grade >= Grade.READS else "low"
        case "swapped_role":
            rules = state.rules(_role(made)) if made else ()
            severity = "high" if grade_of(rules) >= Grade.CHANGES else "medium"
        case "missing_subject" | "missing_object":
            severity = "informational"
        case "protected":
            severity = "medium" if also_else else "low"
        case "foreign_label":
            rules = state.rules(_role(made)) if made else ()
            severity = "medium" if grade_of(rules) == Grade.TAKES_OVER else "low"
    return _result(state, one, "low" if _is_openshifts(state, one.key) else severity, rules)


def _result(state: State, one: Difference, severity: Severity, rules: Iterable[PolicyRule]) -> Result:
    after, before = _lines(one.after), _lines(one.before)
    observed = one.text
    if after:
        observed = Text(f"{one.text.en}: {after}", f"{one.text.zh}：{after}")
    expected = Text(f"as Kubernetes makes it: {before}", f"与 Kubernetes 默认一致：{before}") if before else _EXPECTED
    grade = grade_of(rules)
    reason = _REASON.get(grade, Text("", ""))
    return Result(
        "fail", CLUSTER, str(one.key), observed, expected, (state.where(one.key),), reason, severity,
        _remedy(state, one), aspect=one.kind,
    )  # fmt: skip


def _lines(lines: tuple[str, ...]) -> str:
    cut = [one if len(one) <= 200 else one[:197] + "…" for one in lines[:_LINES]]
    return "; ".join(cut) + (f" (+{len(lines) - _LINES})" if len(lines) > _LINES else "")


def _everything(rules: Iterable[PolicyRule]) -> bool:
    return any("*" in rule.verbs and "*" in rule.resources and not rule.names for rule in rules)


def _is_openshifts(state: State, key: Key) -> bool:
    made = state.objects.get(key)
    labelled = isinstance(made, Role) and any(name.startswith("olm.") for name, _ in made.labels)
    return state.is_openshift and (key.name.startswith((_OPENSHIFT, "openshift-", "cluster-")) or labelled)


def _remedy(state: State, one: Difference) -> Remedy | None:
    if one.kind in {"foreign_label", _INJECTED}:
        return deleted(one.key) if one.kind == "foreign_label" else unlabelled(state, one.key)
    target = named(one.key)
    if one.kind == "protected" and target:
        return Remedy(
            Text(f"Let the API server repair {one.key} again", f"恢复 API server 对 {one.key} 的自动修复"),
            command=f"kubectl annotate {target} rbac.authorization.kubernetes.io/autoupdate=true --overwrite",
            breaks=Text(
                "if somebody took rights away on purpose, they come back at the next start of an API server",
                "若曾有意删减权限，API server 下次启动时会恢复这些权限",
            ),
        )
    return restored(state, one.key) if one.kind in _REPAIRED else None


_NO_VERSION: Final = Text(
    "no version of Kubernetes makes an object of this name", "没有任何版本的 Kubernetes 会创建此名称的对象"
)
_EXPECTED: Final = Text("as Kubernetes makes it", "与 Kubernetes 默认一致")
_SEVERITY: Final[Mapping[Grade, Severity]] = {
    Grade.NOTHING: "low",
    Grade.HARMLESS: "low",
    Grade.READS: "low",
    Grade.CHANGES: "medium",
    Grade.TAKES_OVER: "high",
}
_REASON: Final[Mapping[Grade, Text]] = {
    Grade.CHANGES: Text("these rights change the cluster or read its Secrets", "这些权限可更改集群或读取 Secret"),
    Grade.TAKES_OVER: Text("these rights are enough to gain others", "凭这些权限可进一步提权"),
}
