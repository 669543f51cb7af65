"""Worm or hands-on: a judgement with reasons for and against, each a countable fact of the incident.

A worm brings its list along and does the same everywhere; a person looks first and then takes what is here. So what
weighs most is whether names were brought (rivals that never existed here) or picked (objects of this cluster, after
they had been read). Speed weighs least: a person's script acts as quickly as a worm's.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from kubewitness.incident.deeds import BINDINGS, WORKLOADS, kind_of
from kubewitness.incident.requests import Request
from kubewitness.incident.steps import StepDraft
from kubewitness.incident.verdicts.weighing import Sign, listed, sign, told, weight_of
from kubewitness.model.event import parse_time
from kubewitness.model.incident import ObjectName, Verdict
from kubewitness.model.judgement import Confidence
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_BURST: Final = 60.0  # seconds: a pause longer than this ends a burst
_PERSON: Final = 20.0  # seconds between acts that a person at a keyboard needs
_PICKED: Final = 4  # objects: more are no choice
_SCRIPTED: Final = ("python", "curl", "go-http-client", "wget", "okhttp", "zgrab")
_ENTERED: Final = ("exec", "attach", "portforward", "ephemeralcontainers")
_NO_PERSON: Final = ("anonymous", "rejected", "serviceaccount", "node", "controlPlane")
_AT_ONCE: Final = Text("within less than 0.1 s", "不足 0.1 秒")
_REFUSED_AS_WRONG: Final = (400, 409, 415, 422)  # by validation, not by authorization


def verdict(requests: Sequence[Request], steps: Sequence[StepDraft], pods: Sequence[ObjectName] = ()) -> Verdict:
    """The verdict. Reasons are listed whatever it is, so that a reader can disagree.

    Args:
        requests: The intruder's.
        steps: The same, folded.
        pods: Pods entered or made, through whichever API.
    """
    paced, pauses = _pace(steps)
    worm = [*_agents(requests), *_brought(requests), *paced]
    person = [*pauses, *_picked(requests, pods), *_corrected(requests), *_commands(requests), *_named(requests)]
    if paced == worm and not person:  # a person's script acts as quickly as a worm's
        return Verdict("undetermined", "low", told(worm), ())
    automatic, by_hand = weight_of(worm), weight_of(person)
    if automatic > by_hand:
        sure: Confidence = "high" if automatic >= 3 and not person else "medium" if automatic - by_hand > 1 else "low"
        return Verdict("worm", sure, told(worm), told(person))
    if by_hand > automatic:
        sure = "high" if by_hand >= 3 and not worm else "medium"
        return Verdict("hands_on", sure, told(person), told(worm))
    return Verdict("undetermined", "low", told(worm), told(person))


def _agents(requests: Sequence[Request]) -> list[Sign]:
    families = list(dict.fromkeys(request.agent.partition("/")[0].lower() for request in requests if request.agent))
    scripted = [f for f in families if f.startswith(_SCRIPTED)]
    if len(families) >= 3 and scripted:
        chain = " → ".join(families[:5])
        return [
            sign(
                f"Changes of agent as in a scripted tool chain: {chain}.",
                f"客户端依次切换，符合脚本化工具链：{chain}。",
            )
        ]
    if scripted and len(families) <= 2 and not any(f == "kubectl" for f in families):
        return [sign(f"Only scripted agents: {', '.join(scripted)}.", f"仅使用脚本客户端：{'、'.join(scripted)}。")]
    return []


def _brought(requests: Sequence[Request]) -> list[Sign]:
    known = {r.object for r in requests if r.succeeded}  # who deletes what was there twice brought no list along
    missing = [r for r in requests if r.verb == "delete" and r.missing and r.object not in known]
    if len(missing) < 2:
        return []
    named = dict.fromkeys(r.name for r in missing if r.name)
    return [
        sign(
            f"Tried {len(missing)} times to delete what was not there ({', '.join(named)}): as from a list of rivals "
            "carried along.",
            f"{len(missing)} 次尝试删除并不存在的对象（{'、'.join(named)}），像是照着自带的竞争对手清单。",
            2,
        )
    ]


def _pace(steps: Sequence[StepDraft]) -> tuple[list[Sign], list[Sign]]:
    """The rhythm: signs of a worm, signs of a person."""
    gaps, quick, slow = _gaps(steps), list[Sign](), list[Sign]()
    busy = [gap for gap in gaps if gap <= _BURST]
    if len(busy) >= 4:
        median = sorted(busy)[len(busy) // 2]
        if median < _PERSON / 2:
            every = Text(f"every {median:.1f} s", f"仅 {median:.1f} 秒") if median >= 0.05 else _AT_ONCE
            said = f"Acts follow each other {every.en} at the median."
            quick.append(sign(said, f"操作间隔中位数{every.zh}。"))
        else:
            said = f"Pauses of {median:.0f} s between acts, as at a keyboard."
            slow.append(sign(said, f"操作间隔约 {median:.0f} 秒，符合人工操作。"))
    pauses = sum(gap > _BURST * 2 for gap in gaps)
    if pauses >= 3:
        slow.append(sign(f"{pauses} pauses of more than two minutes.", f"有 {pauses} 次超过两分钟的停顿。"))
    return quick, slow


def _gaps(steps: Sequence[StepDraft]) -> list[float]:
    times = [when for draft in steps if (when := parse_time(draft.first.time))]
    return [(b - a).total_seconds() for a, b in pairwise(times)]


def _picked(requests: Sequence[Request], pods: Sequence[ObjectName]) -> list[Sign]:
    """Objects of this cluster that were changed, entered or read by name after a look at what there is."""
    made = {(r.resource, r.namespace, r.name) for r in requests if r.succeeded and _makes(r)}
    looked: set[str] = set()
    picked: dict[ObjectName, None] = {}
    for request in requests:
        if not request.succeeded and request.resource != "nodes":
            continue
        if request.verb in ("list", "watch") or (request.subresource == "proxy" and request.verb == "get"):
            looked.add(request.resource)
        elif _acts(request) and _seen(request.resource, looked) and not _own(request, made):
            picked[ObjectName(request.resource, request.home, request.name)] = None
    if "nodes" in looked:  # commands passed on to a kubelet name the pod in their path
        picked |= {pod: None for pod in pods if not _descends(pod.kind, pod.namespace, pod.name, made)}
    if not 0 < len(picked) <= _PICKED:
        return []
    names = listed([f"{kind_of(o.kind)} {f'{o.namespace}/' if o.namespace else ''}{o.name}" for o in picked])
    en = f"Looked around first and then took what is here: {names.en}. A worm's list of targets is made before."
    return [sign(en, f"先查看集群，再针对其中已有的对象下手：{names.zh}。蠕虫的目标清单是事先写好的。", 2)]


def _seen(resource: str, looked: set[str]) -> bool:
    return resource in looked or (resource == "pods" and not WORKLOADS.isdisjoint(looked))


def _makes(request: Request) -> bool:
    return (request.verb == "create" and not request.subresource) or request.code == 201


def _acts(request: Request) -> bool:
    if not request.name or request.resource in BINDINGS:
        return False
    if request.subresource:
        return request.subresource in _ENTERED
    changes = request.verb in ("update", "patch") and request.code != 201
    return changes or (request.resource == "secrets" and request.verb == "get")


def _own(request: Request, made: set[tuple[str, str, str]]) -> bool:
    return _descends(request.resource, request.namespace, request.name, made)


def _descends(resource: str, namespace: str, name: str, made: set[tuple[str, str, str]]) -> bool:
    """Whether the intruder made it, or a workload whose pod it is."""
    if (resource, namespace, name) in made:
        return True
    return resource == "pods" and any(where == namespace and name.startswith(f"{one}-") for _, where, one in made)


def _corrected(requests: Sequence[Request]) -> list[Sign]:
    failed: dict[tuple[str, str, str], Request] = {}
    for request in requests:
        key = (request.resource, request.namespace, request.name)
        if request.verb not in ("create", "update", "patch") or not request.name or request.subresource:
            continue
        if request.code in _REFUSED_AS_WRONG:
            failed[key] = request
        elif request.succeeded and key in failed:
            name = f"{kind_of(request.resource)} {request.name}"
            return [
                sign(
                    f"{name} was refused as wrong ({failed[key].code}) and then sent again, put right.",
                    f"{name} 因内容有误被拒绝（{failed[key].code}），修正后再次提交。",
                )
            ]
    return []


def _commands(requests: Sequence[Request]) -> list[Sign]:
    n = len({r.command for r in requests if r.command})
    return [sign(f"{n} different commands run in containers.", f"在容器中执行了 {n} 条不同命令。")] if n >= 3 else []


def _named(requests: Sequence[Request]) -> list[Sign]:
    if all(kind_of_name(r.identity) in _NO_PERSON for r in requests):
        return []
    return [sign("Uses a named user's credential, chosen for this cluster.", "使用了属于本集群具名用户的凭据。")]
