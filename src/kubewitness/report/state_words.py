"""Roles and bindings of a moment in words: what held for whom, who changed it, and answers with what they rest on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from kubewitness.correlate.rbac.changes import Change
from kubewitness.correlate.rbac.state import State
from kubewitness.model.text import Language, Text
from kubewitness.posture.rbac.evaluate import Answer
from kubewitness.posture.rbac.nouns import Binding, Key, PolicyRule, Subject

_RULES: Final = 8
_UNCERTAINTIES: Final = 5
_SYSTEM: Final = "system:"
# Who writes Kubernetes' own roles and bindings.
_OWN_WRITERS: Final = ("system:apiserver", "system:serviceaccount:kube-system:clusterrole-aggregation-controller")

BASE: Final[dict[str, Text]] = {
    "dump": Text("from a dump of the cluster and the log's writes", "依据集群导出与日志中的写操作"),
    "log": Text("from the log, which begins with the cluster's first objects", "依据日志（自集群最初的对象开始）"),
    "defaults": Text(
        "from the log's writes over the defaults of Kubernetes {version}: what else stood before the log is not known. "
        "Add a dump: kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json",
        "依据日志中的写操作，并以 Kubernetes {version}的默认对象为基础：日志开始前的其他内容未知。可补充导出："
        "kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json",
    ),
    "none": Text(
        "from the log's writes alone: what stood before it is not known; Kubernetes' own defaults are not listed. "
        "Add a dump: kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json",
        "仅依据日志中的写操作：日志开始前的内容未知，也未列出 Kubernetes 自带的默认对象。可补充导出："
        "kubectl get clusterroles,clusterrolebindings,roles,rolebindings -A -o json",
    ),
}
_DECISION: Final[dict[str, Text]] = {
    "allow": Text("allowed", "允许"),
    "deny": Text("refused", "拒绝"),
    "not_evaluated": Text(
        "not evaluated: RBAC does not grant it, but the Node authorizer may",
        "未判定：RBAC 未授予，但 Node 鉴权器可能允许",
    ),
}
_MASTERS: Final = Text("group system:masters is let through before any rule", "system:masters 组在所有规则之前放行")
_UNCERTAIN: Final = Text("uncertain", "不确定")
_UNKNOWN: Final = Text("changed, content not in the log", "已变更，日志中无内容")
_VERB: Final[dict[str, Text]] = {
    "create": Text("created", "创建"),
    "change": Text("changed", "修改"),
    "delete": Text("deleted", "删除"),
}


def base(state: State, language: Language) -> str:
    """Where a state comes from."""
    said, made = BASE[state.base].in_(language), state.defaults
    if made is None:
        return said
    zh = language == "zh"
    near = f"（以 1.{made.minor} 代替）" if zh else f" (1.{made.minor} in its place)"
    exact = " " if zh else ""  # a space stands between a number and Chinese words
    return said.format(version=f"{made.version or f'1.{made.minor}'}{exact if made.exact else near}")


def answer(question: str, given: Answer, state: State, language: Language) -> list[str]:
    """A question with its answer, why, and what could turn it."""
    colon = "：" if language == "zh" else ": "
    out = [f"{question}{colon}{_DECISION[given.decision].in_(language)}"]
    if given.grant:
        out.append(f"  {given.grant.reason}")
    elif given.allowed:
        out.append(f"  {_MASTERS.in_(language)}")
    unsure = list(_doubts(given, state, language))
    out += [f"  {_UNCERTAIN.in_(language)}{colon}{why}" for why in unsure[:_UNCERTAINTIES]]
    if left := len(unsure) - _UNCERTAINTIES:
        out += [f"  … +{left}"] if left > 0 else []
    return out


def doubts(given: Answer, state: State) -> list[str]:
    """What could turn an answer, in English."""
    return list(_doubts(given, state, "en"))


def _doubts(given: Answer, state: State, language: Language) -> Iterator[str]:
    if state.partial and not given.allowed:
        yield base(state, language)
    for key in given.doubts:
        yield f"{key}（{_UNKNOWN.zh}）" if language == "zh" else f"{key} ({_UNKNOWN.en})"


def bindings_of(state: State, who: Collection[str]) -> list[Binding]:
    """Bindings in order; only those that name one of `who`, if it is not empty."""
    found = [one for _, one in sorted(state.policy.objects.items()) if isinstance(one, Binding)]
    if not who:
        return found
    return [one for one in found if any(_name(subject, one) in who for subject in one.subjects)]


def changes_of(state: State, changes: Sequence[Change], bindings: Sequence[Binding], *, some: bool) -> list[Change]:
    """The writes until the moment; only those of these bindings and their roles, if `some`."""
    names = {binding.key for binding in bindings} | {binding.role for binding in bindings}
    return [one for one in changes if one.time <= state.time and (not some or one.key in names)]


def told(state: State, changes: Sequence[Change], who: Collection[str], language: Language) -> list[str]:
    """The bindings of a moment, with `who` their roles' rules too, and the writes until then."""
    zh = language == "zh"
    found = bindings_of(state, who)
    until = changes_of(state, changes, found, some=bool(who))
    foreign = {one.key for one in until if one.identity not in _OWN_WRITERS}
    shown = [one for one in found if who or one.key in foreign or not _is_own(one)]
    out = [f"{state.time:%Y-%m-%dT%H:%M:%SZ} · {base(state, language)}", ""]
    out.append(f"绑定（{len(shown)}）" if zh else f"Bindings ({len(shown)})")
    for binding in shown:
        subjects = ("、" if zh else ", ").join(f"{one.kind} {_name(one, binding)}" for one in binding.subjects) or "-"
        unsure = f"  [{_UNCERTAIN.in_(language)}]" if binding.key in state.policy.doubts else ""
        out.append(f"  {binding.key} → {binding.role_kind} {binding.role_name} → {subjects}{unsure}")
        if who:
            out += [f"      {line}" for line in _rules(state, binding.role, language)]
    if left := len(found) - len(shown):
        out.append(
            f"  … 另有 {left} 个 Kubernetes 自带的绑定，见 --who 或 --format json"
            if zh
            else f"  … and {left} of Kubernetes' own, with --who or --format json"
        )
    unknown = sorted(state.policy.doubts.difference(state.policy.objects))
    out += [f"  {key}  [{_UNKNOWN.in_(language)}]" for key in unknown]
    mine = [one for one in until if who or one.identity not in _OWN_WRITERS]
    out += ["", f"此前的变更（{len(mine)}）" if zh else f"Changed until then ({len(mine)})"]
    for one in mine:
        by = f"{one.identity}（{one.address}）" if zh else f"{one.identity} from {one.address}"
        place = f"{one.place.item}:{one.place.line}"
        out.append(f"  {one.time:%Y-%m-%dT%H:%M:%SZ}  {_VERB[one.verb].in_(language)}  {one.key}  {by}  {place}")
    return out


def _is_own(binding: Binding) -> bool:
    """Looks like one of Kubernetes' own, by all it says."""
    named = binding.name.startswith(_SYSTEM) or binding.name == "cluster-admin"
    return named and all(
        subject.name.startswith(_SYSTEM) or (subject.kind == "ServiceAccount" and subject.namespace == "kube-system")
        for subject in binding.subjects
    )


def _rules(state: State, role: Key | None, language: Language) -> Iterator[str]:
    rules = state.policy.rules_of(role) if role else None
    if rules is None:
        yield "角色不存在，不授予任何权限" if language == "zh" else "no such role: grants nothing"
        return
    yield from (_rule(rule) for rule in rules[:_RULES])
    if len(rules) > _RULES:
        yield f"… +{len(rules) - _RULES}"


def _rule(rule: PolicyRule) -> str:
    what = rule.urls or tuple(
        f"{resource}.{group}" if group else resource for group in rule.groups for resource in rule.resources
    )
    named = f" [{', '.join(rule.names)}]" if rule.names else ""
    return f"{', '.join(rule.verbs)}: {', '.join(what[:20])}{' …' if len(what) > 20 else ''}{named}"


def _name(subject: Subject, binding: Binding) -> str:
    if subject.kind != "ServiceAccount":
        return subject.name
    return f"system:serviceaccount:{subject.namespace or binding.namespace}:{subject.name}"
