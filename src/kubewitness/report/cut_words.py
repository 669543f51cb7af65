"""A cut in words: what is taken away or set, what it would have refused, and whose work it would have broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

from kubewitness.model.incident import Cut, CutPart, ObjectName
from kubewitness.model.text import Text

_KINDS = {"clusterrolebindings": "ClusterRoleBinding", "rolebindings": "RoleBinding"}
_KINDS |= {"clusterroles": "ClusterRole", "roles": "Role"}
_NAMED = 3
_NAME = 80
_RIGHTS = 6
_LONG = 200

HEADING = Text("What would have stopped it", "怎样本可阻止入侵")
INTRODUCTION = Text(
    "What could have been taken away or set otherwise, what of the intruder's it would have refused, and whose work it "
    "would have broken. Requests were judged again by the roles and bindings of their time; what everybody may ask is "
    "not counted.",
    "逐项列出可收回或改设的内容、它会拒绝入侵者的什么，以及会影响谁的正常使用。"
    "请求均按当时的角色与绑定重新判定；任何人都可发出的请求不计在内。",
)

COLON = Text(": ", "：")


class _Noun(NamedTuple):
    """What a cut counts, in both languages. `zh` has its measure word."""

    one: str
    many: str
    zh: str


_NOUNS: Final = {
    "requests": _Noun("request", "requests", "个请求"),
    "commands": _Noun("command", "commands", "条命令"),
    "pods": _Noun("pod specification", "pod specifications", "个 Pod 规格"),
}


def taken(cut: Cut) -> Text:
    """What is taken away or set."""
    parts = cut.parts or tuple(CutPart("binding", name) for name in cut.objects)
    groups = [(kind, list(some)) for (kind, _), some in groupby(parts, key=lambda part: (part.kind, part.object))]
    said = [text for kind, some in groups for text in _taken(kind, some)]
    return Text(" + ".join(one.en for one in said), " + ".join(one.zh for one in said))


def _taken(kind: str, parts: Sequence[CutPart]) -> Iterator[Text]:
    name, values = parts[0].object, [part.what[:_LONG] for part in parts if part.what]
    listed, listed_zh = ", ".join(values[:_RIGHTS]), "、".join(values[:_RIGHTS])
    if len(values) > _RIGHTS:
        left = len(values) - _RIGHTS
        listed, listed_zh = f"{listed} and {left} more", f"{listed_zh} 等另外 {left} 项"
    match kind:
        case "subject":
            yield Text(f"{listed} in {_shown(name)}", f"{_shown(name)} 中的 {listed_zh}")
        case "right":
            yield Text(f"the right to {listed} in {_shown(name)}", f"{_shown(name)} 中的权限 {listed_zh}")
        case "credential":
            ids, ids_zh = (f" ({listed})", f"（{listed_zh}）") if listed else ("", "")
            yield Text(f"the credential of {name.name[:_LONG]}{ids}", f"{name.name[:_LONG]} 的凭据{ids_zh}")
        case "api_server":
            yield from (_api_server(value) for value in values)
        case "kubelet":
            yield Text(f"kubelet of {name.name} with {listed}", f"{name.name} 的 kubelet 设置 {listed_zh}")
        case "pod_security":
            yield Text(
                f"Pod Security {listed} for namespace {name.name}",
                f"命名空间 {name.name} 设置 Pod Security {listed_zh}",
            )
        case _:
            yield Text(_shown(name), _shown(name))


def _shown(name: ObjectName) -> str:
    return f"{_KINDS.get(name.kind, name.kind)} {f'{name.namespace}/' if name.namespace else ''}{name.name}"[:_LONG]


def _api_server(setting: str) -> Text:
    flag, _, paths = setting.partition("=")
    if flag != "anonymous.conditions":
        return Text(f"API server with {setting}", f"API server 设置 {setting}")
    return Text(
        f"API server whose AuthenticationConfiguration lets anonymous requests in at {paths.replace(',', ', ')} alone "
        "(Kubernetes 1.32)",
        f"API server 用 AuthenticationConfiguration 只允许匿名访问 {paths.replace(',', '、')}（Kubernetes 1.32 起）",
    )


def effect(cut: Cut) -> Text:
    """What of the intruder's it refuses, and what of everybody else's."""
    noun = _NOUNS[cut.of]
    if cut.total == 1:
        en, zh = f"the intruder's one {noun.one} would have been refused", f"入侵者的唯一{noun.zh[1:]}会被拒绝"
    elif cut.refused == cut.total:
        en, zh = (
            f"all {cut.total} {noun.many} of the intruder would have been refused",
            f"入侵者的全部 {cut.total} {noun.zh}都会被拒绝",
        )
    else:
        en = f"{cut.refused} of the intruder's {cut.total} {noun.many} would have been refused"
        zh = f"入侵者 {cut.total} {noun.zh}中的 {cut.refused} {noun.zh[0]}会被拒绝"
    broken_en, broken_zh = _broken(cut, noun)
    said = [Text(f"{en}; {broken_en}", f"{zh}；{broken_zh}"), *_remarks(cut)]
    return Text("".join(f"{one.en}. " for one in said).strip(), "".join(f"{one.zh}。" for one in said))


def _remarks(cut: Cut) -> Iterator[Text]:
    kinds = {part.kind for part in cut.parts}
    credential = "credential" in kinds
    if cut.broken > cut.refused and not credential:
        yield Text("It would have broken more than it stopped", "它影响的正常使用比阻止的更多")
    if credential and cut.broken:
        yield Text("Its owner needs a new one first", "须先为其所有者换发新的凭据")
    if credential and any(part.what.startswith("X509SHA256=") for part in cut.parts):
        yield Text(
            "Kubernetes cannot revoke a certificate: take the bindings of its name away, or replace the CA",
            "Kubernetes 无法吊销证书：请删除授予该名称的绑定，或更换 CA",
        )
    if any(name.name.startswith("system:") for name in cut.objects):
        yield Text(
            "It is part of Kubernetes itself: leave it, and take the credential away",
            "它属于 Kubernetes 自身：请保留，应收回的是凭据",
        )
    if "pod_security" in kinds:
        yield Text(
            "Enforcement refuses pods, not the workloads that make them",
            "强制级别拒绝的是 Pod，而不是创建 Pod 的工作负载",
        )
    if "pod_security" in kinds and any(name.name == "kube-system" for name in cut.objects):
        yield Text(
            "The cluster's own pods in kube-system need what it forbids: keep others from making pods there instead",
            "kube-system 中集群自身的 Pod 需要它所禁止的权限：应改为禁止他人在其中创建 Pod",
        )
    if cut.uncertain and "kubelet" in kinds:
        yield Text(
            "Uncertain: a kubelet's log names no caller, so one with a credential may have sent them",
            "不确定：kubelet 日志不记录调用方，也可能由持有凭据者发出",
        )
    elif cut.uncertain:
        yield Text(
            "Uncertain: it rests on roles or bindings that the evidence does not show",
            "不确定：涉及证据中看不到内容的角色或绑定",
        )


def _broken(cut: Cut, noun: _Noun) -> tuple[str, str]:
    if cut.unknown and not cut.broken:
        return "whose work else it would have broken is not recorded", "证据没有记录其他人是否会受影响"
    if not cut.broken:
        return "nobody else's in this log", "本日志中其他人不受影响"
    named = [f"{who[:_NAME]} {count}" for who, count in list(cut.by.items())[:_NAMED]]
    left = cut.identities - len(named)
    bound, bound_zh = ("at most ", "至多 ") if cut.at_most else ("at least ", "至少 ") if cut.unknown else ("", "")
    more, more_zh = (f" and {left} more", f"，另有 {left} 项") if left > 0 else ("", "")
    return (
        f"so would {bound}{cut.broken} legitimate {noun.one if cut.broken == 1 else noun.many} "
        f"({', '.join(named)}{more})",
        f"{bound_zh}{cut.broken} {noun.zh[0]}正常{noun.zh[1:]}也会被拒绝（{'、'.join(named)}{more_zh}）",
    )
