"""Indicators on a machine: in what runs, in its connections, events, logs, files and hashes.

One finding for each indicator. Who only reads, searches or blocks a value (`grep`, `iptables`, a hosts
file that sends a name nowhere) has it because it is known to be bad: such lines are passed over. What weighs as a
step by itself is only the exact hash of a known program (see `wording`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from kubewitness.detect.host.commands import READERS, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import MAX_PLACES, is_time, lines_of, one_line, quoted
from kubewitness.detect.indicators.index import Index, Sighting
from kubewitness.detect.indicators.indicator import Indicator
from kubewitness.detect.indicators.wording import RUNBOOK, description, harmless, matched, rule_of, title, weight
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host, Process

_FILES: Final = 32 * 1024 * 1024  # characters of files read word by word
_MAX_EVENTS: Final = 200_000
_MAX_FINDINGS: Final = 500
_MAX_CONTAINERS: Final = 200
_BLOCKERS: Final = READERS | {
    "iptables", "ip6tables", "nft", "ufw", "ipset", "firewall-cmd", "fail2ban-client", "tcpdump", "dig", "nslookup",
}  # fmt: skip
_BLOCKED = re.compile(
    r"^\s{0,20}(?:0\.0\.0\.0|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1?)\s|\b(?:DROP|REJECT|deny|blackhole)\b"
)


class _Seen(NamedTuple):
    """A sighting with where it was."""

    sighting: Sighting
    place: Place
    text: str
    time: str = ""
    process: Process | None = None
    container: str = ""


def findings(host: Host, index: Index, executables: Iterable[Source] = (), now: str = "") -> list[HostFinding]:
    """What of the indicators is on the machine. `now`: for what has no time, when it was looked at."""
    groups = dict[Indicator, list[_Seen]]()
    for seen in _all(host, index, executables):
        one = seen.sighting.indicator
        if one in groups or len(groups) < _MAX_FINDINGS:
            groups.setdefault(one, []).append(seen)
    return [_finding(host, some, now) for some in groups.values()]


def _all(host: Host, index: Index, executables: Iterable[Source]) -> Iterator[_Seen]:
    yield from _of_processes(host, index)
    for socket in host.sockets:
        pids = {pid for _, pid in socket.owners}
        for one in index.of_address(socket.peer_address, socket.peer_port):
            owner = next((process for process in host.processes if process.pid in pids), None)
            ends = f"{socket.local_address}:{socket.local_port} → {socket.peer_address}:{socket.peer_port}"
            text = f"{socket.protocol} {socket.state} {ends}"
            yield _Seen(one, socket.place, text, process=owner, container=owner.container if owner else "")
    yield from _of_events(host, index)
    for line in host.logs:
        text = " ".join((line.message, *line.fields.values()))
        for one in index.of_text(text):
            container = line.fields.get("containerID", "")
            told = f"{line.message} {line.fields.get('cmd', '')}".rstrip()
            yield _Seen(one, line.place, told, line.time, container=container)
    for entry in host.listing:
        for one in (*index.of_path(entry.path), *(index.of_hash(entry.sha256) if entry.sha256 else ())):
            yield _Seen(one, entry.place, entry.path, entry.modified)
    for schedule in host.schedules:
        for one in _of_command(schedule.command, index):
            yield _Seen(one, schedule.place, f"{schedule.schedule} {schedule.command}")
    yield from _of_files(host, index)
    for source in executables:
        digest = source.sha256
        for one in index.of_hash(digest) if digest and not source.compression else ():
            yield _Seen(one, Place(source.name, 0, 0), f"{source.name} {digest}")


def _of_processes(host: Host, index: Index) -> Iterator[_Seen]:
    for process in host.processes:
        found = list(index.of_hash(process.sha256)) if process.sha256 else []
        first = process.command.split(None, 1)[:1]
        found += index.of_process(process.name or (first[0] if first else ""))
        if process.executable:
            found += index.of_path(process.executable)
        found += _of_command(process.command, index)
        for one in dict.fromkeys(found):
            started = process.started if is_time(process.started) else ""
            yield _Seen(one, process.place, process.command, started, process, process.container)


def _of_events(host: Host, index: Index) -> Iterator[_Seen]:
    for number, event in enumerate(host.events):
        if number >= _MAX_EVENTS:
            break
        found = list[Sighting]()
        if event.address:
            found += index.of_address(event.address, event.port if event.category == "network_connection" else 0)
        for path in (event.path, event.image):
            found += index.of_path(path) if path else ()
        found += _of_command(event.command, index)
        for one in dict.fromkeys(found):
            container = event.container if len(event.container) == 64 else ""
            text = event.command or event.message or event.path or event.address
            yield _Seen(one, event.place, text, event.time, container=container)


def _of_files(host: Host, index: Index) -> Iterator[_Seen]:
    room = _FILES
    for file in host.files:
        for one in index.of_path(file.path):
            yield _Seen(one, file.place, file.path)
        if len(file.text) > room:
            continue
        room -= len(file.text)
        words = index.words_in(file.text)
        if not words:
            continue
        for place, line in lines_of(file):
            if ("" in words or any(word in line for word in words)) and not _BLOCKED.search(line[:2000]):
                for one in index.of_text(line):
                    yield _Seen(one, place, line)


def _of_command(command: str, index: Index) -> list[Sighting]:
    found = list(index.of_text(command)) if command else []
    return [] if found and _only_reads(command) else found


def _only_reads(command: str) -> bool:
    """It looks at text, or shuts somebody out: the values in it are known to be bad."""
    segments = [one for one in segments_of(command) if one.words]
    return bool(segments) and all(one.program in _BLOCKERS for one in segments)


def _finding(host: Host, some: Sequence[_Seen], now: str) -> HostFinding:
    best = next((seen for seen in some if seen.process is not None), some[0])
    one = best.sighting.indicator
    times = sorted(seen.time for seen in some if seen.time)
    judged = weight(best.sighting, times[-1] if times else now)
    containers = tuple(dict.fromkeys(seen.container for seen in some if seen.container))[:_MAX_CONTAINERS]
    container = best.container or next(iter(containers), "")
    pod = best.process.pod_uid if best.process else ""
    pod = pod or next((p.pod_uid for p in host.processes if container and p.container == container and p.pod_uid), "")
    return HostFinding(
        rule=rule_of(one),
        title=title(one),
        description=description(best.sighting, judged),
        severity=judged.severity,
        confidence=judged.confidence,
        kind=judged.kind,
        techniques=(),
        host=host.name,
        first=times[0] if times else "",
        last=times[-1] if times else "",
        subject=one_line(best.text),
        process=best.process,
        container=container,
        pod_uid=pod,
        places=quoted(dict.fromkeys((seen.place, seen.text) for seen in some[: 4 * MAX_PLACES])),
        count=len(some),
        runbook=RUNBOOK,
        falsepositives=harmless(one),
        addresses=(one.value,) if one.type in ("address", "domain") else (),
        containers=containers,
        matched=matched(best.sighting),
    )
