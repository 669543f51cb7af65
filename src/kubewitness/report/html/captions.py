"""What stands in the picture: captions under marks, how lines end, and whose power a binding is."""

from __future__ import annotations

from kubewitness.model.incident import Step
from kubewitness.model.text import Text
from kubewitness.report.html import lanes
from kubewitness.report.html.axis import Mark
from kubewitness.report.html.inert import clipped, one_line
from kubewitness.report.html.words import WORDS, kind_word, word

_SHORT_KINDS = {
    "clusterrolebindings": Text("binding", "绑定"),
    "rolebindings": Text("binding", "绑定"),
    "clusterroles": Text("role", "角色"),
    "roles": Text("role", "角色"),
    "serviceaccounts": Text("account", "账号"),
    "serviceaccounts/token": Text("token", "令牌"),
    "mutatingwebhookconfigurations": Text("webhook", "webhook"),
    "validatingwebhookconfigurations": Text("webhook", "webhook"),
    "certificatesigningrequests": Text("CSR", "CSR"),
    "pods/exec": Text("exec", "exec"),
}


def bounded(text: Text) -> Text:
    """`text` inert, on one line, of bounded length."""
    return Text(one_line(text.en, 300), one_line(text.zh, 300))


def identity_of(grants: str) -> str:
    """The identity a binding's subject stands for: "Group system:unauthenticated" is who nobody logged in is."""
    name = grants.removeprefix("User ").removeprefix("Group ")
    if name == "system:unauthenticated":
        return "system:anonymous"
    if name.startswith("ServiceAccount "):
        return "system:serviceaccount:" + name.removeprefix("ServiceAccount ").replace("/", ":", 1)
    return name


def manner_of(mark: Mark, manner: str) -> str:
    """How the line ends: an object's life knows reads only, the step knows whether it was refused or a command ran."""
    acts = {step.act for step in mark.steps}
    if manner in ("read", "missing") and acts == {"refused"}:
        return "refused"
    return "execute" if manner == "read" and acts == {"execute"} else manner


def reaches_node(step: Step) -> bool:
    """The step that put something on a node: a command in a pod, or a workload made or changed."""
    workloads = ("pods", "daemonsets", "deployments", "jobs", "cronjobs", "statefulsets", "replicasets")
    return step.act == "execute" or (
        step.act in ("create", "change") and any(name.kind in workloads for name in step.objects)
    )


def captions(mark: Mark) -> list[Text]:
    """What to write under a mark, longest first; the last is nothing."""
    acts = {step.act for step in mark.steps}
    if len(acts) > 1:
        several = word("step_count", n=len(mark.steps))
        return [several, lanes.same(f"×{len(mark.steps)}")]
    act = WORDS[f"act_{mark.step.act}"]
    times = lanes.same(f"×{mark.requests}") if mark.requests > 1 else lanes.same("")
    kinds = {name.kind for step in mark.steps for name in step.objects}
    candidates = []
    if len(kinds) == 1 and mark.step.act not in ("refused", "execute"):
        kind = kinds.pop()
        thing = _SHORT_KINDS.get(kind, lanes.same(kind_word(kind) if kind in ("secrets",) else clipped(kind, 16)))
        candidates += [_spaced(act, thing, times), _spaced(act, thing)]
    return [*candidates, _spaced(act, times), act, times]


def _spaced(*parts: Text) -> Text:
    return Text(" ".join(p.en for p in parts if p.en), " ".join(p.zh for p in parts if p.zh))
