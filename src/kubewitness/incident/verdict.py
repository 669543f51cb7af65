"""Worm or hands-on: a judgement with reasons for and against, each a countable fact of the incident."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from kubewitness.incident.requests import Request
from kubewitness.incident.steps import StepDraft
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Verdict
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_BURST = 60.0  # seconds: a pause longer than this ends a burst
_PERSON = 20.0  # seconds between acts that a person at a keyboard needs


def verdict(requests: Sequence[Request], steps: Sequence[StepDraft]) -> Verdict:
    """The verdict. Reasons are listed whatever it is, so that a reader can disagree."""
    worm: list[Text] = []
    person: list[Text] = []
    families = list(dict.fromkeys(request.agent.partition("/")[0].lower() for request in requests if request.agent))
    scripted = [f for f in families if f.startswith(("python", "curl", "go-http-client", "wget", "okhttp", "zgrab"))]
    if len(families) >= 3 and scripted:
        chain = " → ".join(families[:5])
        worm.append(
            Text(
                f"Changes of agent as in a scripted tool chain: {chain}.",
                f"客户端依次切换，符合脚本化工具链：{chain}。",
            )
        )
    elif scripted and len(families) <= 2 and not any(f == "kubectl" for f in families):
        worm.append(Text(f"Only scripted agents: {', '.join(scripted)}.", f"仅使用脚本客户端：{'、'.join(scripted)}。"))
    missing = [r for r in requests if r.verb == "delete" and r.missing]
    if len(missing) >= 2:
        named = dict.fromkeys(r.name for r in missing if r.name)
        worm.append(
            Text(
                f"Deletes {len(missing)} objects that never existed here ({', '.join(named)}): "
                "a list of rivals carried along.",
                f"删除了 {len(missing)} 个此处从不存在的对象（{'、'.join(named)}）：自带的竞争对手清单。",
            )
        )
    gaps, paced = _gaps(steps), list[Text]()
    busy = [gap for gap in gaps if gap <= _BURST]
    if len(busy) >= 4:
        median = sorted(busy)[len(busy) // 2]
        if median < _PERSON / 2:
            paced.append(
                Text(
                    f"Acts follow each other every {median:.1f} s at the median.", f"操作间隔中位数仅 {median:.1f} 秒。"
                )
            )
            worm += paced
        else:
            person.append(
                Text(
                    f"Pauses of {median:.0f} s between acts, as at a keyboard.",
                    f"操作间隔约 {median:.0f} 秒，符合人工操作。",
                )
            )
    pauses = sum(gap > _BURST * 2 for gap in gaps)
    if pauses >= 3:
        person.append(Text(f"{pauses} pauses of more than two minutes.", f"有 {pauses} 次超过两分钟的停顿。"))
    commands = {r.command for r in requests if r.command}
    if len(commands) >= 3:
        person.append(
            Text(
                f"{len(commands)} different commands run in containers.", f"在容器中执行了 {len(commands)} 条不同命令。"
            )
        )
    if any(kind_of_name(r.identity) not in ("anonymous", "rejected", "serviceaccount") for r in requests):
        person.append(
            Text("Uses a named user's credential, chosen for this cluster.", "使用了属于本集群具名用户的凭据。")
        )
    if paced == worm and not person:  # a person's script acts as quickly as a worm's
        return Verdict("undetermined", "low", tuple(worm), ())
    if len(worm) > len(person):
        return Verdict("worm", "high" if len(worm) >= 3 and not person else "medium", tuple(worm), tuple(person))
    if len(person) > len(worm):
        return Verdict("hands_on", "high" if len(person) >= 3 and not worm else "medium", tuple(person), tuple(worm))
    return Verdict("undetermined", "low", tuple(worm), tuple(person))


def _gaps(steps: Sequence[StepDraft]) -> list[float]:
    times = [when for draft in steps if (when := parse_time(draft.first.time))]
    return [(b - a).total_seconds() for a, b in pairwise(times)]
