"""Contained or still active when the evidence ends.

Active is what is seen: processes of the intruder in the list that a collector took, workloads and persistence that
nobody removed, a way in that stands. Contained needs more than silence: the way in closed by somebody else than the
intruder (who shuts the door behind itself keeps rivals out), what was made removed, or requests that came again and
were all refused. A log that ends with the last act tells neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from kubewitness.detect.host.finding import HostFinding
from kubewitness.incident.blast import Touched
from kubewitness.incident.deeds import kind_of
from kubewitness.incident.requests import Request
from kubewitness.incident.story import others_left, workloads_left
from kubewitness.incident.verdicts.removals import Removals
from kubewitness.incident.verdicts.weighing import Sign, listed, sign, told, weight_of
from kubewitness.incident.when import moment, span
from kubewitness.model.event import parse_time
from kubewitness.model.incident import Incident, ObjectName, Verdict
from kubewitness.model.judgement import Confidence
from kubewitness.model.text import Text
from kubewitness.rules.features.identity import kind_of_name

_CLEAR: Final = 3
_QUIET: Final = 3_600.0  # seconds of log after the last act that say something
_STAYS: Final = ("T1053", "T1543", "T1098", "T1547", "T1574", "T1037")  # techniques that outlive a process


class Ending(NamedTuple):
    """What tells how an incident ended. `found`: what was found on machines of it; `end`: of the audit log."""

    incident: Incident
    requests: Sequence[Request]
    removed: Removals
    found: Sequence[HostFinding]
    end: str


def contained_or_active(ending: Ending) -> Verdict:
    """The verdict, from the audit log and the machines together."""
    seen = [*_running(ending), *_left(ending)]
    standing = [*seen, *_way_in(ending), *_credentials(ending)]
    over = [*_closed(ending), *_cleared(ending), *_refused(ending)]
    quiet = _quiet(ending)
    active, contained = weight_of(standing), weight_of(over)
    if active >= 2 or (active and not contained):
        sure: Confidence = "medium" if seen or active >= _CLEAR else "low"
        if weight_of(seen) >= _CLEAR or (seen and active >= _CLEAR + 1):
            sure = "high"
        return Verdict("active", sure, told(standing), told([*over, *quiet]), "contained_or_active")
    if contained >= 2 and contained > active:
        sure = "medium" if contained >= 3 or quiet else "low"
        return Verdict("contained", sure, told([*over, *quiet]), told(standing), "contained_or_active")
    return Verdict("undetermined", "low", told(standing), told([*over, *quiet]), "contained_or_active")


def _running(ending: Ending) -> list[Sign]:
    """Processes in a list that was taken of a machine, and what on it starts them again."""
    by_host = dict[str, set[int]]()
    for finding in ending.found:
        if finding.process and not finding.process.told_by and finding.kind in ("intrusion", "activity"):
            by_host.setdefault(finding.host, set()).add(finding.process.pid)
    out = list[Sign]()
    if by_host:
        n, hosts = sum(map(len, by_host.values())), listed(sorted(by_host))
        were = "process of it was" if n == 1 else "processes of it were"
        out.append(
            sign(
                f"{n} {were} running when evidence was taken from {hosts.en}.",
                f"在 {hosts.zh} 上取证时，仍有 {n} 个入侵者进程在运行。",
                3,
            )
        )
    stays = [f for f in ending.found if f.kind == "intrusion" and not f.process and _outlives(f)]
    if stays:
        names = listed([f"{one.host}: {one.title.en}" for one in stays])
        zh = listed([f"{one.host}：{one.title.zh}" for one in stays])
        out.append(
            sign(f"What brings it back stands on machines ({names.en}).", f"节点上仍留有持久化手段（{zh.zh}）。", 2)
        )
    return out


def _outlives(finding: HostFinding) -> bool:
    return any(one.startswith(_STAYS) for one in finding.techniques)


def _left(ending: Ending) -> list[Sign]:
    touched = Touched(ending.requests, ending.removed)
    out = list[Sign]()
    if workloads := workloads_left(touched):
        names = _names(workloads)
        out.append(sign(f"Nobody is seen to delete {names.en}.", f"未见任何人删除 {names.zh}。", 2))
    if others := others_left(touched):
        names = _names(others)
        out.append(sign(f"Nobody is seen to undo {names.en}.", f"未见任何人恢复或删除 {names.zh}。", 2))
    return out


def _names(objects: Sequence[ObjectName]) -> Text:
    return listed([f"{kind_of(o.kind)} {f'{o.namespace}/' if o.namespace else ''}{o.name or '?'}" for o in objects])


def _way_in(ending: Ending) -> list[Sign]:
    causes = ending.incident.root_causes
    doors = [cause for cause in causes if cause.kind != "Credential"]
    standing = [cause for cause in doors if not cause.deleted]
    if not standing:
        return []
    names = listed([f"{cause.kind} {cause.place}" for cause in standing])
    if any(cause.kind == "Credential" for cause in causes):  # what the binding allows its owner is no way in by itself
        return [
            sign(f"The stolen credential still has its rights by {names.en}.", f"被盗凭据仍由 {names.zh} 赋予权限。")
        ]
    return [sign(f"The way in is not seen closed: {names.en}.", f"未见入侵入口被关闭：{names.zh}。", 2)]


def _credentials(ending: Ending) -> list[Sign]:
    names = sorted({cause.name for cause in ending.incident.root_causes if cause.kind == "Credential"})
    minted = sorted(
        {
            f"{request.namespace}/{request.name}"
            for request in ending.requests
            if request.succeeded
            and request.verb == "create"
            and request.subresource == "token"
            and _valid(request, ending)
        }
    )
    signed = sorted(
        {
            request.name
            for request in ending.requests
            if request.resource == "certificatesigningrequests"
            and request.subresource == "approval"
            and request.succeeded
        }
    )
    out = list[Sign]()
    if names:
        said = listed(names)
        out.append(
            sign(f"Nothing shows that the credential of {said.en} was revoked.", f"未见 {said.zh} 的凭据被吊销。")
        )
    if minted:
        said = listed(minted)
        out.append(sign(f"Tokens it minted are still valid: {said.en}.", f"其签发的令牌仍然有效：{said.zh}。"))
    if signed:
        said = listed(signed)
        out.append(
            sign(
                f"Certificates it had signed stay valid until they expire, whatever is revoked: {said.en}.",
                f"其获批的证书在到期前一直有效，撤销权限也无法吊销：{said.zh}。",
            )
        )
    return out


def _valid(request: Request, ending: Ending) -> bool:
    """Whether a minted token outlives the evidence; one whose life is not told lives at least an hour."""
    body, made, end = request.final.response_object, parse_time(request.time), parse_time(ending.end)
    status = body.get("status") if isinstance(body, dict) else None
    told_end = status.get("expirationTimestamp") if isinstance(status, dict) else None
    until = parse_time(told_end) if isinstance(told_end, str) else None
    if until and end:
        return until > end
    return not (made and end) or (end - made).total_seconds() < 3_600


def _closed(ending: Ending) -> list[Sign]:
    own = {name for actor in ending.incident.actors for name in actor.identities}
    out = list[Sign]()
    for cause in ending.incident.root_causes:
        if not cause.deleted:
            continue
        name, when, by = f"{cause.kind} {cause.place}", moment(cause.deleted), cause.deleted_by or "?"
        if cause.deleted_by in own or kind_of_name(by) == "anonymous":
            out.append(
                sign(
                    f"{name} was deleted at {when} by the intruder itself: that shuts out others, not it.",
                    f"{name} 于 {when} 被入侵者自己删除：这只是排除他人，并不能阻止其本身。",
                    0,
                )
            )
        else:
            out.append(sign(f"{by} deleted {name} at {when}.", f"{by} 于 {when} 删除了 {name}。", 2))
    return out


def _cleared(ending: Ending) -> list[Sign]:
    touched = Touched(ending.requests, ending.removed)
    if not touched.created or workloads_left(touched) or others_left(touched):
        return []
    if ending.removed and (mine := [o for o in touched.created if o in ending.removed]):
        by, names = listed(sorted({ending.removed[o].identity for o in mine})), _names(mine)
        return [
            sign(f"What it made was removed by {by.en} ({names.en}).", f"{by.zh} 已删除其创建的对象（{names.zh}）。")
        ]
    return [sign("It removed what it had made.", "其创建的对象已由其自行删除。", 0)]


def _refused(ending: Ending) -> list[Sign]:
    requests = ending.requests
    allowed = [number for number, request in enumerate(requests) if request.succeeded]
    last = requests[allowed[-1] + 1 :] if allowed else []
    turned_away = [request for request in last if request.refused]
    if len(turned_away) < 2 or len(turned_away) < len(last):
        return []
    n, since = len(turned_away), moment(turned_away[0].time)
    return [
        sign(
            f"Its last {n} requests, from {since}, were all refused.", f"其自 {since} 起的最后 {n} 次请求均被拒绝。", 2
        )
    ]


def _quiet(ending: Ending) -> list[Sign]:
    last, end = parse_time(ending.incident.last), parse_time(ending.end)
    if not last or not end:
        return []
    seconds = (end - last).total_seconds()
    if seconds >= _QUIET:
        said = span(seconds)
        return [
            sign(f"The audit log shows nothing of it for its last {said.en}.", f"审计日志最后 {said.zh}内未见其活动。")
        ]
    if seconds < 0:
        return []
    said = span(seconds)
    en = f"The audit log ends {said.en} after the last act: it cannot tell whether it went on."
    return [sign(en, f"审计日志在最后一个操作后 {said.zh}即结束：无法判断其是否继续。", 0)]
