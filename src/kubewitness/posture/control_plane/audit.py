"""Checks of the audit log: whether there is one, what its policy keeps, and what gets lost on the way.

Source: k8s.io/apiserver/pkg/server/options/audit.go and plugin/pkg/audit of 1.18 to 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kubewitness.model.posture import Result, Where
from kubewitness.model.text import Text
from kubewitness.posture.check import CLUSTER, Snapshot, not_evaluated
from kubewitness.posture.control_plane.api_server import document_named, not_collected
from kubewitness.posture.control_plane.audit_policy import LEVELS, Policy, Rule, policy_of
from kubewitness.posture.control_plane.audit_questions import QUESTIONS, Person, Question
from kubewitness.posture.control_plane.judging import absent, passed, provider, said, told, unseen
from kubewitness.posture.control_plane.nouns import Component, Given

_SERVER: Final = "kube-apiserver"
_POLICY: Final = "audit-policy-file"
_DAYS: Final = 30
_MEGABYTES: Final = 500
_BUFFER: Final = 1_000  # events; the default is ten times that
_PER_SECOND: Final = 400  # events a webhook is sent; by default it is ten times that
_WITHOUT: Final = Text(
    "the next investigation cannot tell who did what through the API: neither the way in nor what was read, changed "
    "and deleted; only what is still there, and the node's own logs, would speak",
    "下一次调查将无法得知谁通过 API 做了什么：入口、读取、修改和删除均无记录，只剩下仍存在的对象和节点自身的日志可查",
)


def audit_log(snapshot: Snapshot) -> Iterator[Result]:
    """Whether the API server keeps a record of who asked for what."""
    found = [one for one in snapshot.components if one.program == _SERVER]
    if not found:
        who = provider(snapshot)
        if not who:
            yield absent(_SERVER, snapshot)
            return
        reason = Text(
            f"{who} runs the API server: whether its audit log is kept, and for how long, is a setting there",
            f"API server 由 {who} 托管：是否保存审计日志以及保存多久，是该平台的一项设置",
        )
        yield not_evaluated(CLUSTER, _SERVER, reason)
    for one in found:
        yield from _kept(one)


def _kept(component: Component) -> Iterator[Result]:
    policy, path, hook = (component.ask(one) for one in (_POLICY, "audit-log-path", "audit-webhook-config-file"))
    if policy is None or path is None or hook is None:
        yield unseen(component, _POLICY)
        return
    expected = Text(
        "--audit-policy-file, and --audit-log-path or --audit-webhook-config-file",
        "--audit-policy-file，以及 --audit-log-path 或 --audit-webhook-config-file",
    )
    if not policy.value:
        yield told(component, said(policy), expected, policy.where, reason=_WITHOUT)
    elif not path.value and not hook.value:
        text = Text(
            "there is a policy, but neither a file nor a webhook to write to",
            "有审计策略，但没有指定写入的文件或 webhook",
        )
        yield told(component, text, expected, policy.where, reason=_WITHOUT)
    else:
        yield passed(component, said(path if path.value else hook), policy.where, (path if path.value else hook).where)


def audit_policy(component: Component, snapshot: Snapshot) -> Iterator[Result]:
    """Whether the policy keeps what an investigation asks for."""
    given = component.ask(_POLICY)
    if given is None:
        yield unseen(component, _POLICY)
        return
    if not given.value:
        reason = Text("there is no audit policy: see the check of the audit log", "没有审计策略：参见审计日志检查项")
        yield Result("not_applicable", CLUSTER, component.subject, reason=reason)
        return
    document = document_named(component, given, snapshot)
    policy = policy_of(document) if document else None
    if policy is None:
        yield not_collected(component, given)
        return
    for question in QUESTIONS:
        yield from _answered(component, policy, question)


def _answered(component: Component, policy: Policy, question: Question) -> Iterator[Result]:
    lost: dict[Rule, list[Person]] = {}
    shallow, deep, cut = list[Rule](), list[Rule](), list[Rule]()
    for person in question.people:
        for asked in question.asked_by(person):
            rule = policy.decide(asked)
            omitted = policy.omitted | rule.omitted
            if rule.level == "None" or _nothing_left(omitted, question):
                if person not in lost.setdefault(rule, []):
                    lost[rule].append(person)
            elif "ResponseComplete" in omitted:
                cut.append(rule)
            elif question.body and LEVELS.index(rule.level) < LEVELS.index("Request"):
                shallow.append(rule)
            elif LEVELS.index(rule.level) > LEVELS.index(question.deepest):
                deep.append(rule)
    en, zh = question.words.en, question.words.zh
    expected = Text(f"the log tells {en}", f"日志能说明{zh}")
    aspect = question.id
    if lost:
        people = list(dict.fromkeys(person for some in lost.values() for person in some))
        every = len(people) == len(question.people)
        rules = list(lost)
        text = Text(
            f"{_rules_en(rules)}: not recorded"
            + ("" if every else f" for {', '.join(one.words.en for one in people)}"),
            f"{_rules_zh(rules)}：不记录" + ("" if every else f"，涉及：{'、'.join(one.words.zh for one in people)}"),
        )
        yield told(component, text, expected, *_places(rules), severity=question.severity, aspect=aspect)
    elif cut:
        text = Text(
            f"{_rules_en(cut)}: stage ResponseComplete is left out, so no outcome is recorded",
            f"{_rules_zh(cut)}：省略了 ResponseComplete 阶段，因此不记录结果",
        )
        yield told(component, text, expected, *_places(cut), severity="low", aspect=aspect)
    elif deep:
        text = Text(
            f"{_rules_en(deep)}: bodies are recorded, and with them the credentials themselves",
            f"{_rules_zh(deep)}：记录了正文，凭据本身也随之写入日志",
        )
        wanted = Text("level Metadata", "级别 Metadata")
        yield told(component, text, wanted, *_places(deep), severity="medium", aspect=aspect)
    elif shallow:
        text = Text(
            f"{_rules_en(shallow)}: only metadata, not what was written",
            f"{_rules_zh(shallow)}：仅记录元数据，不记录写入的内容",
        )
        wanted = Text("level Request or RequestResponse", "级别 Request 或 RequestResponse")
        yield told(component, text, wanted, *_places(shallow), severity="low", aspect=aspect)
    else:
        yield passed(component, expected, policy.where, aspect=aspect)


def audit_losses(component: Component, _: Snapshot) -> Iterator[Result]:
    """Whether records are dropped, cut or thrown away before anybody asks for them."""
    path, hook = component.ask("audit-log-path"), component.ask("audit-webhook-config-file")
    if path is None or hook is None:
        yield unseen(component, "audit-log-path")
        return
    if not path.value and not hook.value:
        reason = Text("there is no audit log: see its check", "没有审计日志：参见其检查项")
        yield Result("not_applicable", CLUSTER, component.subject, reason=reason)
        return
    found = [*_file_losses(component, path), *_queue_losses(component, path, "log", "blocking")]
    found += _queue_losses(component, hook, "webhook", "batch")
    yield from found
    if not found:
        shown = path if path.value else hook
        yield passed(component, said(shown), shown.where)


def _file_losses(component: Component, path: Given) -> Iterator[Result]:
    if not path.value or path.value == "-":
        return
    age, backups, size = (_number(component, f"audit-log-{one}", 0) for one in ("maxage", "maxbackup", "maxsize"))
    if age and 0 < age[0] < _DAYS:
        text = Text(f"files older than {age[0]} days are deleted", f"超过 {age[0]} 天的文件会被删除")
        expected = Text(f"{_DAYS} days or more, or 0", f"不少于 {_DAYS} 天，或 0")
        yield told(component, text, expected, age[1], aspect="maxage")
    if backups and size and backups[0] > 0:
        kept = (backups[0] + 1) * (size[0] or 100)  # 100 MB is the default of the writer behind it
        if kept < _MEGABYTES:
            text = Text(
                f"no more than {kept} MB are kept: whoever makes enough requests pushes their own out",
                f"最多只保留 {kept} MB：入侵者只要发出足够多的请求，就能把自己的记录挤出去",
            )
            expected = Text(f"{_MEGABYTES} MB or more, or shipped away", f"不少于 {_MEGABYTES} MB，或转存到别处")
            yield told(component, text, expected, backups[1], size[1], aspect="size")


def _queue_losses(component: Component, target: Given, kind: str, usual: str) -> Iterator[Result]:
    """A queue that overflows drops events; so does a throttle that is too tight."""
    if not target.value:
        return
    mode = component.ask(f"audit-{kind}-mode", usual)
    if mode is None or mode.value != "batch":
        return
    buffer = _number(component, f"audit-{kind}-batch-buffer-size", 10_000)
    if buffer and buffer[0] < _BUFFER:
        text = Text(
            f"a queue of {buffer[0]} events: what overflows it is dropped", f"队列仅容纳 {buffer[0]} 个事件，溢出即丢弃"
        )
        expected = Text(f"{_BUFFER} or more", f"不少于 {_BUFFER}")
        yield told(component, text, expected, buffer[1], mode.where, aspect=f"{kind} buffer")
    throttled = component.ask(f"audit-{kind}-batch-throttle-enable", "true" if kind == "webhook" else "false")
    rate = _number(component, f"audit-{kind}-batch-throttle-qps", 10)
    batch = _number(component, f"audit-{kind}-batch-max-size", 400 if kind == "webhook" else 1)
    if throttled and throttled.truth and rate and batch and rate[0] * batch[0] < _PER_SECOND:
        text = Text(
            f"no more than {rate[0] * batch[0]} events a second leave the queue",
            f"每秒最多发出 {rate[0] * batch[0]} 个事件",
        )
        expected = Text(f"{_PER_SECOND} or more", f"不少于 {_PER_SECOND}")
        yield told(component, text, expected, rate[1], batch[1], aspect=f"{kind} throttle")


def _number(component: Component, name: str, default: int) -> tuple[int, Where] | None:
    given = component.ask(name, str(default))
    if given is None or not given.value.isascii() or not given.value.isdecimal() or len(given.value) > 9:
        return None
    return int(given.value), given.where


def _nothing_left(omitted: frozenset[str], question: Question) -> bool:
    stages = {"RequestReceived", "ResponseComplete", *(("ResponseStarted",) if question.long else ())}
    return stages <= omitted


def _places(rules: list[Rule]) -> tuple[Where, ...]:
    return tuple(dict.fromkeys(one.where for one in rules))[:5]


def _numbers(rules: list[Rule]) -> list[int]:
    return sorted({one.number for one in rules})


def _rules_en(rules: list[Rule]) -> str:
    return "; ".join(f"rule {one}" if one else "no rule fits" for one in _numbers(rules)[:5])


def _rules_zh(rules: list[Rule]) -> str:
    return "；".join(f"规则 {one}" if one else "没有规则匹配" for one in _numbers(rules)[:5])
