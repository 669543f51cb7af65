"""A cut in words: what is taken away, what it would have refused, and whose work it would have broken."""

from __future__ import annotations

from kubewitness.model.incident import Cut
from kubewitness.model.text import Text

_KINDS = {"clusterrolebindings": "ClusterRoleBinding", "rolebindings": "RoleBinding"}
_KINDS |= {"clusterroles": "ClusterRole", "roles": "Role"}
_NAMED = 3
_NAME = 80

HEADING = Text("What would have stopped it", "怎样本可阻止入侵")
INTRODUCTION = Text(
    "Every request was judged again by the roles and bindings of its time, each time without the ones named; "
    "what everybody may ask is not counted.",
    "用各请求当时的角色与绑定重新判定，每次去掉所列对象；任何人都可发出的请求不计在内。",
)

COLON = Text(": ", "：")


def taken(cut: Cut) -> str:
    """What is taken away."""
    names = [
        f"{_KINDS.get(name.kind, name.kind)} {f'{name.namespace}/' if name.namespace else ''}{name.name}"
        for name in cut.objects
    ]
    return " + ".join(names)


def effect(cut: Cut) -> Text:
    """What of the intruder's it refuses, and what of everybody else's."""
    all_of_them = cut.refused == cut.total
    if cut.total == 1:
        en, zh = "the intruder's one request would have been refused", "入侵者的唯一请求会被拒绝"
    elif all_of_them:
        en, zh = (
            f"all {cut.total} requests of the intruder would have been refused",
            f"入侵者的全部 {cut.total} 个请求都会被拒绝",
        )
    else:
        en = f"{cut.refused} of the intruder's {cut.total} requests would have been refused"
        zh = f"入侵者 {cut.total} 个请求中的 {cut.refused} 个会被拒绝"
    broken_en, broken_zh = _broken(cut)
    en, zh = f"{en}; {broken_en}", f"{zh}；{broken_zh}"
    if cut.broken > cut.refused:
        en += ". That is no remedy"
        zh += "。这不是可行的补救"
    if any(name.name.startswith("system:") for name in cut.objects):
        en += ". It is part of Kubernetes itself: leave it, and take the credential away"
        zh += "。它属于 Kubernetes 自身：请保留，应收回的是凭据"
    if cut.uncertain:
        en += ". Uncertain: it rests on roles or bindings that the evidence does not show"
        zh += "。不确定：涉及证据中看不到内容的角色或绑定"
    return Text(f"{en}.", f"{zh}。")


def _broken(cut: Cut) -> tuple[str, str]:
    if not cut.broken:
        return "nobody else's in this log", "本日志中其他人不受影响"
    named = [f"{who[:_NAME]} {count}" for who, count in list(cut.by.items())[:_NAMED]]
    left = cut.identities - len(named)
    most_en, most_zh = ("at most ", "至多 ") if cut.at_most else ("", "")
    noun = "request" if cut.broken == 1 else "requests"
    more_en, more_zh = (f" and {left} more", f"，另有 {left} 个身份") if left > 0 else ("", "")
    return (
        f"so would {most_en}{cut.broken} legitimate {noun} ({', '.join(named)}{more_en})",
        f"{most_zh}{cut.broken} 个正常请求也会被拒绝（{'、'.join(named)}{more_zh}）",
    )
