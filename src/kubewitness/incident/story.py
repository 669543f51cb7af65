"""The incident in words: headline (cause, actor, present state), sentences in order, status."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kubewitness.incident.blast import Touched
from kubewitness.incident.cascade import Effect
from kubewitness.incident.cause import opens
from kubewitness.incident.deeds import BINDINGS, WORKLOADS, kind_of
from kubewitness.incident.requests import Request
from kubewitness.incident.steps import StepDraft
from kubewitness.incident.when import moment
from kubewitness.model.incident import ObjectName, RootCause, Secret
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_SENTENCES = 5
_NAMED = 3


def standing_for(name: ObjectName) -> ObjectName:
    """What a change stays in: a container that was put into a running pod, in the pod until that is deleted."""
    return ObjectName("pods", name.namespace, name.name) if name.kind == "pods/ephemeralcontainers" else name


def workloads_left(touched: Touched) -> list[ObjectName]:
    """Workloads the intruder made and nobody was seen to delete."""
    return [o for o in touched.created if o.kind in WORKLOADS and (o.kind, o.namespace, o.name) not in touched.gone]


def others_left(touched: Touched) -> list[ObjectName]:
    """What else the intruder made or changed that stays: webhooks, bindings, accounts, patched workloads."""
    made = [o for o in touched.created if o.kind not in WORKLOADS]
    made += [o for o in map(standing_for, touched.changed) if o not in touched.created]
    return [o for o in dict.fromkeys(made) if "/" not in o.kind and (o.kind, o.namespace, o.name) not in touched.gone]


def headline(
    requests: Sequence[Request],
    causes: Sequence[RootCause],
    touched: Touched,
    techniques: Mapping[str, Collection[ObjectName]],
    accustomed: bool,
) -> Text:
    """Cause, actor and state in one line.

    `techniques` are those of the rules that matched, with the objects they matched on. `accustomed`: the identity
    worked from there all along, so its owner may have done it as well as a thief: the headline must accuse nobody.
    """
    first = requests[0]
    # The way in, as `cause.entry_point` has it: a probe that anybody may make opened nothing.
    accepted = [r for r in requests if r.succeeded and kind_of_name(r.identity) != "rejected"]
    allowed = next(filter(opens, accepted), accepted[0] if accepted else first)
    kind = kind_of_name(allowed.identity)
    if not any(r.succeeded for r in requests):
        return Text(
            f"{allowed.address or 'Somebody'} tried to get in and was refused",
            f"{allowed.address or '某来源'} 尝试入侵但被拒绝",
        )
    binding = next((c for c in causes if c.kind.endswith("Binding")), None)
    role = binding.role.partition(" ")[2] if binding else ""
    if accustomed and kind != "anonymous":
        en = f"{allowed.identity} did what intruders do, from where it always works"
        zh = f"{allowed.identity} 在其惯用地址执行了入侵者的典型操作"
    elif kind == "anonymous":
        power = Text(f"was {role}" if role else "was let in", f"拥有 {role} 权限" if role else "被放行")
        en, zh = f"Anyone without credentials {power.en}", f"任何人无需凭据即{power.zh}"
    elif kind == "serviceaccount":
        en = f"A token of {allowed.identity.removeprefix('system:serviceaccount:')} is in an intruder's hands"
        zh = f"{allowed.identity.removeprefix('system:serviceaccount:')} 的令牌落入入侵者之手"
    else:
        en, zh = (
            f"The credential of {allowed.identity} is in an intruder's hands",
            f"{allowed.identity} 的凭据落入入侵者之手",
        )
    left = workloads_left(touched)
    if left:
        deployed = _deployed(left, techniques)
        en, zh = f"{en}; {deployed.en} deployed and not seen removed", f"{zh}；已部署{deployed.zh}，未见被删除"
    elif touched.created:
        count = len(touched.created)
        made = "1 object was created" if count == 1 else f"{count} objects were created"
        en, zh = f"{en}; {made}", f"{zh}；创建了 {count} 个对象"
    elif any(thing.kind == "secrets" for thing in touched.read):
        en, zh = en + "; Secrets were read", zh + "；Secret 已被读取"
    elif touched.read:
        en, zh = en + "; ConfigMaps were read", zh + "；ConfigMap 已被读取"
    return Text(en, zh)


def _deployed(left: Sequence[ObjectName], techniques: Mapping[str, Collection[ObjectName]]) -> Text:
    """What stays, by what is known of just these workloads: a miner, a disguise."""
    mining, disguised = (
        [one for one in left if any(one in on for t, on in techniques.items() if t.startswith(technique))]
        for technique in ("T1496", "T1036")
    )
    if mining:
        return Text("a miner was", "挖矿程序")
    shown, more = (disguised or left)[0], len(left) - 1
    posing = Text(", posing as a system component,", "（伪装成系统组件）") if disguised else Text("", "")
    others = Text(f" and {more} more were" if more else " was", f"等 {more + 1} 个工作负载" if more else "")
    name = f"{kind_of(shown.kind)} {shown.name}"
    return Text(f"{name}{posing.en}{others.en}", f" {name}{posing.zh}{others.zh}")


def story(
    steps: Sequence[StepDraft],
    effects: Mapping[int, Effect],
    causes: Sequence[RootCause],
    severities: Sequence[Severity] = (),
) -> tuple[Text, ...]:
    """Sentences in order: the steps that matter most, then what opened the way.

    Of steps that matter alike the severest come first (`severities`, one a step), then the earliest.
    """
    grave = [SEVERITIES.index(one) for one in severities] or [0] * len(steps)
    ranked = sorted(enumerate(steps), key=lambda pair: (-_weight(pair[1]), -grave[pair[0]], pair[0]))[:_SENTENCES]
    shown = (
        sorted((pair for pair in ranked if _weight(pair[1])), key=lambda pair: pair[0]) or list(enumerate(steps))[:3]
    )
    sentences = []
    before: tuple[str, str] | None = None
    dated = len({draft.first.time[:10] for draft in steps}) > 1
    for index, draft in shown:
        request, phrase = draft.first, draft.phrase(names=2)
        who, where = request.identity or "(rejected credential)", request.address or "?"
        who_zh = request.identity or "被拒凭据"
        clock = f"{request.time[:10]} {request.time[11:19]}" if dated else request.time[11:19]
        effect = effects.get(index)
        extra = effect.texts()[0] if effect and effect.pods else Text("", "")
        if before == (who, where):
            en, zh = f"At {clock} it {phrase.en}", f"{clock}，{phrase.zh}"
        elif before and before[1] == where:
            en, zh = f"At {clock}, now as {who}, it {phrase.en}", f"{clock}，改用 {who_zh} 身份{phrase.zh}"
        else:
            en, zh = f"At {clock} {who} from {where} {phrase.en}", f"{clock}，{where} 以 {who_zh} 身份{phrase.zh}"
        before = (who, where)
        sentences.append(
            Text(en + (f"; {extra.en}" if extra.en else "") + ".", zh + (f"；{extra.zh}" if extra.zh else "") + "。")
        )
    if causes:
        sentences.append(causes[0].description)
    return tuple(sentences)


def _weight(draft: StepDraft) -> int:
    """How much a step matters to a story of five sentences; 0: it does not belong there."""
    act, resource = draft.deed.act, draft.first.resource
    if not any(request.succeeded for request in draft.requests):
        return 1 if act == "delete" else 0
    if act == "read":
        return 3 if resource == "secrets" else 0
    if resource in WORKLOADS | BINDINGS:
        return 4
    return 3 if act in ("create", "execute", "delete") else 2 if act == "change" else 0


def status(
    causes: Sequence[RootCause], touched: Touched, secrets: Sequence[Secret], effects: Mapping[int, Effect], end: str
) -> tuple[tuple[Text, Text], ...]:
    """Effect, way in, credentials: their state when the evidence ends."""
    left = workloads_left(touched)
    nodes = {node for effect in effects.values() for node in effect.nodes}
    out: list[tuple[Text, Text]] = []
    others = others_left(touched)
    if left:
        names, names_zh = _names(left)
        also, also_zh = _names(others) if others else ("", "")
        rest = Text(f"; nor undone: {also}" if also else "", f"；未见恢复：{also_zh}" if also else "")
        noun = "node" if len(nodes) == 1 else "nodes"
        on = Text(f", on {len(nodes)} {noun}" if nodes else "", f"，分布在 {len(nodes)} 个节点" if nodes else "")
        effect = Text(f"Not seen removed: {names}{on.en}{rest.en}", f"未见删除：{names_zh}{on.zh}{rest.zh}")
    elif others:
        names, names_zh = _names(others)
        effect = Text(f"Not seen removed or undone: {names}", f"未见删除或恢复：{names_zh}")
    elif any(o.kind in WORKLOADS for o in touched.created):
        effect = Text("What the intruder deployed was removed", "入侵者部署的工作负载已删除")
    elif touched.created:
        kept = any("/" not in o.kind for o in touched.created)  # tokens have a line of their own
        gone = Text("; what else was made is gone again", "；创建的其他对象已删除") if kept else Text("", "")
        effect = Text(f"No workload was made{gone.en}", f"未创建工作负载{gone.zh}")
    else:
        effect = Text("Nothing was created", "未创建任何对象")
    out.append((Text("Effect", "影响"), effect))
    if causes:
        out.append((Text("Way in", "入侵入口"), _way_in(causes[0], end)))
    out.append((Text("Credentials", "凭据"), to_rotate(secrets)))
    return tuple(out)


def to_rotate(secrets: Sequence[Secret]) -> Text:
    """The state of these credentials; all Secrets of a namespace or of the cluster are no single one."""
    if not secrets:
        return Text("None seen read or made", "未见被读取或签发")
    if any(not one.name and not one.namespace for one in secrets):
        return Text("Every credential of the cluster to rotate", "集群的全部凭据均需轮换")
    whole = [one.namespace for one in secrets if not one.name]
    n = len(secrets) - len(whole)
    if not whole:
        return Text(f"{n} to rotate", f"{n} 项需轮换")
    more = len(whole) - _NAMED
    en = ", ".join(whole[:_NAMED]) + (f" and {more} more namespaces" if more > 1 else " and 1 more" if more > 0 else "")
    zh = "、".join(whole[:_NAMED]) + (f" 等 {len(whole)} 个命名空间" if more > 0 else " ")
    return Text(
        f"All Secrets of {en}" + (f" and {n} other{'s' if n > 1 else ''}" if n else "") + " to rotate",
        f"{zh}的全部 Secret " + (f"及其他 {n} 项" if n else "") + "需轮换",
    )


def _names(objects: Sequence[ObjectName]) -> tuple[str, str]:
    named = [f"{kind_of(o.kind)} {f'{o.namespace}/' if o.namespace else ''}{o.name or '?'}" for o in objects[:_NAMED]]
    more = len(objects) - len(named)
    return (
        ", ".join(named) + (f" and {more} more" if more else ""),
        "、".join(named) + (f"等 {len(objects)} 个对象" if more else ""),
    )


def _way_in(cause: RootCause, end: str) -> Text:
    if cause.kind == "Credential":
        return Text(f"Credential of {cause.name}: not seen revoked", f"{cause.name} 的凭据：未见被吊销")
    if cause.deleted:
        by = cause.deleted_by or "?"
        return Text(
            f"{cause.kind} {cause.place}: deleted at {moment(cause.deleted)} by {by}",
            f"{cause.kind} {cause.place}：于 {moment(cause.deleted)} 被 {by} 删除",
        )
    return Text(
        f"{cause.kind} {cause.place}: not seen closed until the evidence ends ({moment(end)})",
        f"{cause.kind} {cause.place}：至证据结束（{moment(end)}）未见被关闭",
    )
