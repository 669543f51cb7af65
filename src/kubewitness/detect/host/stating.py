"""Makes findings: the words of a rule's description, and what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from kubewitness.detect.host.descriptions import described
from kubewitness.detect.host.executions import told_reason
from kubewitness.detect.host.finding import HostFinding
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, HostFile, Process
from kubewitness.model.judgement import Confidence, Kind, Severity
from kubewitness.model.text import Text

MAX_PLACES = 8
_MAX_LINE = 400
_MAX_SUBJECT = 1000
_MAX_GROUPS = 200  # findings of one rule about processes; whoever starts 10,000 kinds of process gets no more
_MAX_LISTED = 500


class Suspicion(Struct, frozen=True):
    """Why one process is suspect. What is None is as the rule's description says."""

    process: Process
    reasons: tuple[Text, ...] = ()
    severity: Severity | None = None
    confidence: Confidence | None = None
    kind: Kind | None = None
    addresses: tuple[str, ...] = ()


def one_line(text: str, limit: int = _MAX_SUBJECT) -> str:
    """The text on one line, cut. Control characters stay: the report makes them harmless, and shows them."""
    line = " ".join(text[: 2 * limit].split("\n"))
    return line if len(line) <= limit and len(text) <= 2 * limit else line[: limit - 1] + "…"


def quoted(places: Iterable[tuple[Place, str]]) -> tuple[tuple[Place, str], ...]:
    """The first few places, their lines cut."""
    found = list[tuple[Place, str]]()
    for place, line in places:
        if len(found) == MAX_PLACES:
            break
        found.append((place, one_line(line, _MAX_LINE)))
    return tuple(found)


def state(
    name: str,
    host: Host,
    subject: str,
    places: Sequence[tuple[Place, str]],
    *,
    count: int = 0,
    first: str = "",
    last: str = "",
    severity: Severity | None = None,
    confidence: Confidence | None = None,
    kind: Kind | None = None,
    process: Process | None = None,
    reasons: Iterable[Text] = (),
    addresses: Iterable[str] = (),
    containers: Iterable[str] = (),
    commands: Iterable[str] = (),
) -> HostFinding:
    """A finding of the rule `host/<name>`; severity, confidence and kind as its file says unless given."""
    rule = described(name)
    concerned = tuple(dict.fromkeys(filter(None, containers)))[:_MAX_LISTED]
    container = concerned[0] if concerned else ""
    return HostFinding(
        rule=rule.id,
        title=rule.title,
        description=rule.description,
        severity=severity or rule.severity,
        confidence=confidence or rule.confidence,
        kind=kind or rule.kind,
        techniques=rule.techniques,
        host=host.name,
        first=first,
        last=last,
        subject=one_line(subject),
        process=process,
        container=container,
        pod_uid=_pod_of(container, process, host),
        places=quoted(places),
        count=count or len(places),
        runbook=rule.runbook,
        falsepositives=rule.falsepositives,
        reasons=tuple(dict.fromkeys(reasons))[:20],
        addresses=tuple(dict.fromkeys(addresses))[:100],
        containers=concerned,
        commands=tuple(one_line(command) for command in dict.fromkeys(commands))[:_MAX_LISTED],
    )


def about_processes(name: str, host: Host, suspicions: Iterable[Suspicion]) -> Iterator[HostFinding]:
    """A finding for each command line in each container, whatever the number of processes that run it."""
    groups = dict[tuple[str, str], list[Suspicion]]()
    for suspicion in suspicions:
        key = (suspicion.process.container, suspicion.process.command)
        if key not in groups and len(groups) >= _MAX_GROUPS:
            key = next(reversed(groups))  # the last group counts all the rest
        groups.setdefault(key, []).append(suspicion)
    for members in groups.values():
        best = members[0]
        started = sorted(s.process.started for s in members if is_time(s.process.started))
        yield state(
            name,
            host,
            best.process.command,
            [(s.process.place, s.process.command) for s in members[:MAX_PLACES]],
            count=len(members),
            first=started[0] if started else "",
            last=started[-1] if started else "",
            severity=best.severity,
            confidence=best.confidence,
            kind=best.kind,
            process=best.process,
            reasons=(*told_reason(best.process), *(reason for s in members[:MAX_PLACES] for reason in s.reasons)),
            addresses=(address for s in members for address in s.addresses),
            containers=(s.process.container for s in members),
            commands=(s.process.command for s in members[:MAX_PLACES]),
        )


def lines_of(file: HostFile) -> Iterator[tuple[Place, str]]:
    """The lines of a file with the place of each."""
    offset = 0
    for number, line in enumerate(file.text.split("\n")):
        length = len(line.encode("utf-8", "surrogateescape"))
        place = Place(file.place.item, file.place.line + number, file.place.offset + offset, length)
        yield place, line.removesuffix("\r")
        offset += length + 1


def is_time(text: str) -> bool:
    """It is a full time, not what `ps` prints for lack of room."""
    return len(text) >= 19 and text[4:5] == "-" and text[10:11] == "T"


def _pod_of(container: str, process: Process | None, host: Host) -> str:
    if process is not None:
        return process.pod_uid
    return next((p.pod_uid for p in host.processes if container and p.container == container and p.pod_uid), "")
