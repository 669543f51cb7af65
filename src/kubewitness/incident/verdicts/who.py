"""Insider or intruder: whether the owner of an identity did it, or somebody who should not be there at all.

For an insider speaks the accustomed: the identity at its own address, with its own client, at work before and after.
For an intruder speak a way in without any credential, an identity at a place where it never worked, an address of which
the log knows nothing else, mining, disguise and traces removed. Neither is proof: an owner's machine may be taken over,
so an insider is never named with high confidence; and an owner may work from elsewhere for once, so an intruder is not
either where nothing but the place speaks for one.

Who opened the door is a question of its own. Whoever bound `system:anonymous` or commented out a line of a kubelet's
unit mostly made a mistake, hours or months before; that person is told as a reason and is no part of the intruder.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from kubewitness.detect.profile import AccessorKey, Profile
from kubewitness.incident.identity.suspects import Cluster
from kubewitness.incident.requests import Request
from kubewitness.incident.step_rules import poses
from kubewitness.incident.verdicts.weighing import Sign, listed, sign, told, weight_of
from kubewitness.incident.when import moment, span
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Incident, RootCause, Step, Verdict
from kubewitness.model.judgement import Confidence
from kubewitness.rules.features.address import scope_of
from kubewitness.rules.features.identity import kind_of_name

_VISIT: Final = 30 * 60.0  # seconds: all that ever came from an address, in so short a time, is a visit
_SURE: Final = 4
_NOBODY: Final = ("anonymous", "rejected")
_MALICE: Final = ("T1496", "T1046", "T1041")  # mining, scanning others, sending data out
_HIDING: Final = ("T1036", "T1070", "T1564")  # the first of a step in kube-system too, which hides nothing by itself
_GRAVE: Final = ("high", "critical")
_OPEN_TO_ALL: Final = ("User system:anonymous", "Group system:unauthenticated", "Group system:authenticated")

_ELSEWHERE: Final = sign(
    "Only the place speaks for it: an owner who works from elsewhere for once looks the same. Ask the owner.",
    "只有来源地点支持这一判断：本人临时换地点操作也会如此。请向其本人核实。",
    0,
)

Profiles = Mapping[AccessorKey, Profile]


def insider_or_intruder(
    incident: Incident, cluster: Cluster | None, requests: Sequence[Request], profiles: Profiles
) -> Verdict:
    """The verdict. `cluster` and `requests` are those of an incident of the audit log; none for one of nodes alone."""
    accustomed = bool(cluster and cluster.accustomed)
    done = [*_malice(incident.steps), *_hiding(incident.steps)]
    place, own = list[Sign](), list[Sign]()
    if cluster is not None:
        done += [*_without_credential(requests), *_rejected(requests)]
        place += [] if accustomed else [*_new_place(cluster, requests, profiles), *_visit(cluster, requests, profiles)]
        own += _at_home(cluster, requests, profiles) if accustomed else []
    foreign = [*done, *place]
    makers = list(_makers(incident))
    by_stranger, by_owner = weight_of(foreign), weight_of(own)
    if by_stranger - by_owner >= 2:
        sure: Confidence = "high" if by_stranger >= _SURE and done and not own else "medium"
        return _said("intruder", sure, [*foreign, *makers], own if done else [*own, _ELSEWHERE])
    if by_owner - by_stranger >= 2:
        return _said("insider", "medium" if not foreign else "low", own, foreign)
    return (
        _said("undetermined", "low", [*own, *makers], foreign) if own else _said("undetermined", "low", makers, foreign)
    )


def _said(verdict: str, sure: Confidence, reasons: Sequence[Sign], against: Sequence[Sign]) -> Verdict:
    named = verdict if verdict in ("insider", "intruder") else "undetermined"
    return Verdict(named, sure, told(reasons), told(against), "insider_or_intruder")  # type: ignore[arg-type]


def _without_credential(requests: Sequence[Request]) -> list[Sign]:
    first = next((r for r in requests if r.succeeded and r.resource and kind_of_name(r.identity) == "anonymous"), None)
    if first is None:
        return []
    where = first.address or "?"
    if scope_of(where) == "public":
        return [
            sign(
                f"Came without any credential from a public address ({where}): who belongs here has a credential.",
                f"未使用任何凭据，从公网地址（{where}）进入：内部人员拥有凭据。",
                2,
            )
        ]
    return [
        sign(
            "Came without any credential: who belongs here has one.", "未使用任何凭据进入：内部人员拥有凭据。"
        )
    ]  # fmt: skip


def _rejected(requests: Sequence[Request]) -> list[Sign]:
    n = sum(kind_of_name(r.identity) == "rejected" for r in requests)
    if not n:
        return []
    tried = "a credential that was rejected" if n == 1 else f"credentials that were rejected ({n} times)"
    return [
        sign(f"Tried {tried}: its owner would know a valid one.", f"尝试过 {n} 次被拒绝的凭据：本人会使用有效凭据。")
    ]


def _new_place(cluster: Cluster, requests: Sequence[Request], profiles: Profiles) -> list[Sign]:
    """Identities at a place where they never worked, or service accounts worked by hand from outside."""
    out = list[Sign]()
    since = requests[0].time if requests else ""
    for identity, address in sorted(cluster.pairs):
        if kind_of_name(identity) in _NOBODY or not address:
            continue
        homes = sorted(
            {key.address for key, profile in profiles.items() if key.identity == identity and profile.first < since}
            - {place for _, place in cluster.pairs}
        )
        scope = scope_of(address)
        if homes and scope == "public":
            known = listed(homes)
            out.append(
                sign(
                    f"{identity} had worked from {known.en} until then, never from {address}.",
                    f"{identity} 此前在 {known.zh} 工作，从未使用过 {address}。",
                    2,
                )
            )
        elif kind_of_name(identity) == "serviceaccount" and scope == "public":
            out.append(
                sign(
                    f"{identity} is an account for programs in pods, and was used from the public address {address}.",
                    f"{identity} 是供 Pod 内程序使用的账号，却从公网地址 {address} 使用。",
                    2,
                )
            )
    return out[:3]


def _visit(cluster: Cluster, requests: Sequence[Request], profiles: Profiles) -> list[Sign]:
    """Addresses of which the log knows nothing but these requests, within minutes."""
    addresses = sorted({address for _, address in cluster.pairs if address})
    # A pod that was taken over lives where it is: only who came from outside is a visitor.
    addresses = [address for address in addresses if scope_of(address) == "public"] or addresses
    requests = [request for request in requests if request.address in addresses] or requests
    begin, end = parse_time(requests[0].time), parse_time(max(request.time for request in requests))
    every = sum(profile.requests for key, profile in profiles.items() if key.address in addresses)
    if not begin or not end or not addresses or every > len(requests) or (end - begin).total_seconds() > _VISIT:
        return []
    names, took = listed(addresses), span((end - begin).total_seconds())
    return [
        sign(
            f"All that ever came from {names.en} are these {len(requests)} requests within {took.en}: a visit, "
            "no workplace.",
            f"{names.zh} 在全部日志中只有 {took.zh}内的这 {len(requests)} 次请求：是一次造访，而非日常工作地点。",
        )
    ]


def _at_home(cluster: Cluster, requests: Sequence[Request], profiles: Profiles) -> list[Sign]:
    """The accustomed: identity, address, client; work before and after."""
    out = list[Sign]()
    pairs = {(key.identity, key.address) for key in cluster.partial}
    known = {key: profile for key, profile in profiles.items() if (key.identity, key.address) in pairs}
    if not known or not requests:
        return out
    names, places = listed(sorted({i for i, _ in pairs})), listed(sorted({a for _, a in pairs}))
    first = min(profile.first for profile in known.values())
    out.append(
        sign(
            f"{names.en} has worked from {places.en} since {moment(first)}.",
            f"{names.zh} 自 {moment(first)} 起一直在 {places.zh} 工作。",
            2,
        )
    )
    agents = sorted({r.agent.partition(" ")[0] for r in requests if r.agent})
    new = [
        agent
        for agent in agents
        if all(p.first >= requests[0].time for k, p in known.items() if k.agent.partition(" ")[0] == agent)
    ]
    if agents and not new:
        said = listed(agents)
        out.append(sign(f"With the client it always uses ({said.en}).", f"使用其惯用客户端（{said.zh}）。"))
    own = sum((request.identity, request.address) in pairs for request in requests)
    other = sum(profile.requests for profile in known.values()) - own
    end = max(request.time for request in requests)
    before, after = first < requests[0].time, max(profile.last for profile in known.values()) > end
    if other > 0 and before and after:
        out.append(
            sign(
                f"It did {other:,} other requests there, before and after: ordinary work.",
                f"其前后在该处还有 {other:,} 次其他请求，属于日常工作。",
            )
        )
    return out


def _malice(steps: Sequence[Step]) -> list[Sign]:
    grave = [step for step in steps if step.severity in _GRAVE and _is(step, _MALICE)]
    if not grave:
        return []
    done = listed(list(dict.fromkeys(t.name for step in grave for t in step.techniques if t.id.startswith(_MALICE))))
    return [
        sign(
            f"What was done serves nobody who runs this cluster: {done.en}.",
            f"其行为对集群的使用者毫无益处：{done.zh}。",
            2,
        )
    ]  # fmt: skip


def _hiding(steps: Sequence[Step]) -> list[Sign]:
    names = dict[str, None]()
    for step in steps:
        if step.severity in _GRAVE and step.act != "refused":
            ways = _HIDING if any(map(poses, step.rules)) or step.act == "effect" else _HIDING[1:]
            names.update(dict.fromkeys(t.name for t in step.techniques if t.id.startswith(ways)))
    if not names:
        return []
    done = listed(list(names))
    return [sign(f"It hid itself or removed traces: {done.en}.", f"隐藏自身或清除痕迹：{done.zh}。")]


def _is(step: Step, techniques: tuple[str, ...]) -> bool:
    return any(technique.id.startswith(techniques) for technique in step.techniques)


def _makers(incident: Incident) -> Iterable[Sign]:
    """Who opened the door, as far as that is not the intruder."""
    own = {name for actor in incident.actors for name in actor.identities}
    for cause in incident.root_causes:
        if cause.kind.endswith("Binding") and cause.created_by and cause.created_by not in own:
            if kind_of_name(cause.created_by) in _NOBODY:
                continue
            yield _binder(cause)
            return
        elif cause.kind == "Setting" and cause.subject and not incident.audit_ids:
            yield sign(
                f"That {cause.name} was open on {cause.subject} is the mistake of whoever set that machine up, as far "
                "as the evidence tells: no act of this intrusion opened it.",
                f"{cause.subject} 的 {cause.name} 处于开放状态，就现有证据而言是配置者的失误："
                "未见入侵者为打开它而采取的操作。",
                0,
            )
            return


def _binder(cause: RootCause) -> Sign:
    who, when = cause.created_by, moment(cause.created)
    if cause.subject in _OPEN_TO_ALL:
        return sign(
            f"{who} made {cause.kind} {cause.place} at {when}, which opened the door to everybody: more likely an "
            "insider's mistake, and no part of the intruder. Ask why it was made.",
            f"{who} 于 {when} 创建了 {cause.kind} {cause.place}，向所有人敞开了大门：更可能是内部人员的失误，"
            "不属于入侵者。请向其核实原因。",
            0,
        )
    return sign(
        f"{who} made {cause.kind} {cause.place} at {when}: who gave these rights is no part of the intruder.",
        f"{who} 于 {when} 创建了 {cause.kind} {cause.place}：授予这些权限的人不属于入侵者。",
        0,
    )
