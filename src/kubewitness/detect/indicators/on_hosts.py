"""Indicators on a machine: in what runs, in its connections, events, logs, files and hashes.

One finding for each indicator and kind of place, one for all of a campaign in one file, one for a whole list (see
`folding`). Who only reads, searches or blocks a value (`grep`, `iptables`, a hosts file that sends a name nowhere) has
it because it is known to be bad: such lines are passed over. What weighs as a step by itself is only the exact hash of
a known program (see `wording`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from kubewitness.detect.host.commands import READERS, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import MAX_PLACES, is_time, lines_of, one_line, quoted
from kubewitness.detect.indicators.folding import Seen, folded
from kubewitness.detect.indicators.index import Index, Sighting
from kubewitness.detect.indicators.wording import (
    LIST,
    RUNBOOK,
    also,
    description,
    harmless,
    list_words,
    matched,
    named,
    rule_of,
    title,
    weight,
)
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.judgement import SEVERITIES

_FILES: Final = 32 * 1024 * 1024  # characters of files read word by word
_MAX_EVENTS: Final = 200_000
_MAX_ADDRESSES: Final = 20
_MAX_CONTAINERS: Final = 200
_BLOCKERS: Final = READERS | {
    "iptables", "ip6tables", "nft", "ufw", "ipset", "firewall-cmd", "fail2ban-client", "tcpdump", "dig", "nslookup",
}  # fmt: skip
_BLOCKED = re.compile(
    r"^\s{0,20}(?:0\.0\.0\.0|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1?)\s|\b(?:DROP|REJECT|deny|blackhole)\b"
)


def findings(host: Host, index: Index, executables: Iterable[Source] = (), now: str = "") -> list[HostFinding]:
    """What of the indicators is on the machine. `now`: for what has no time, when it was looked at."""
    return [
        _of_list(host, group.seen) if group.is_list else _finding(host, group.seen, now)
        for group in folded(_all(host, index, executables))
    ]


def _all(host: Host, index: Index, executables: Iterable[Source]) -> Iterator[Seen]:
    yield from _of_processes(host, index)
    for socket in host.sockets:
        pids = {pid for _, pid in socket.owners}
        for one in index.of_address(socket.peer_address, socket.peer_port):
            owner = next((process for process in host.processes if process.pid in pids), None)
            ends = f"{socket.local_address}:{socket.local_port} → {socket.peer_address}:{socket.peer_port}"
            text = f"{socket.protocol} {socket.state} {ends}"
            yield Seen(one, socket.place, text, "socket", process=owner, container=owner.container if owner else "")
    yield from _of_events(host, index)
    for line in host.logs:
        text = " ".join((line.message, *line.fields.values()))
        for one in index.of_text(text):
            container = line.fields.get("containerID", "")
            told = f"{line.message} {line.fields.get('cmd', '')}".rstrip()
            yield Seen(one, line.place, told, "log", line.time, container=container, thing=text)
    for entry in host.listing:
        for one in (*index.of_path(entry.path), *(index.of_hash(entry.sha256) if entry.sha256 else ())):
            yield Seen(one, entry.place, entry.path, "listing", entry.modified)
    for schedule in host.schedules:
        for one in _of_command(schedule.command, index):
            yield Seen(one, schedule.place, f"{schedule.schedule} {schedule.command}", "cron", thing=schedule.command)
    yield from _of_files(host, index)
    for source in executables:
        digest = source.sha256
        for one in index.of_hash(digest) if digest and not source.compression else ():
            yield Seen(one, Place(source.name, 0, 0), f"{source.name} {digest}", "executable")


def _of_processes(host: Host, index: Index) -> Iterator[Seen]:
    for process in host.processes:
        found = list(index.of_hash(process.sha256)) if process.sha256 else []
        first = process.command.split(None, 1)[:1]
        found += index.of_process(process.name or (first[0] if first else ""))
        if process.executable:
            found += index.of_path(process.executable)
        started = process.started if is_time(process.started) else ""
        for one, thing in _with_text(found, process.command, index):
            place, command = process.place, process.command
            yield Seen(one, place, command, "process", started, process, process.container, thing)


def _with_text(found: Iterable[Sighting], command: str, index: Index) -> Iterator[tuple[Sighting, str]]:
    """What was found, each once, then what else the command names, with the command."""
    known = dict.fromkeys(found)
    yield from ((one, "") for one in known)
    yield from ((one, command) for one in _of_command(command, index) if one not in known)


def _of_events(host: Host, index: Index) -> Iterator[Seen]:
    for number, event in enumerate(host.events):
        if number >= _MAX_EVENTS:
            break
        found = list[Sighting]()
        if event.address:
            found += index.of_address(event.address, event.port if event.category == "network_connection" else 0)
        for path in (event.path, event.image):
            found += index.of_path(path) if path else ()
        container = event.container if len(event.container) == 64 else ""
        text = event.command or event.message or event.path or event.address
        for one, thing in _with_text(found, event.command, index):
            yield Seen(one, event.place, text, "event", event.time, container=container, thing=thing)


def _of_files(host: Host, index: Index) -> Iterator[Seen]:
    room = _FILES
    for file in host.files:
        for one in index.of_path(file.path):
            yield Seen(one, file.place, file.path, "file")
        if len(file.text) > room:
            continue
        room -= len(file.text)
        words = index.words_in(file.text)
        if not words:
            continue
        for place, line in lines_of(file):
            if ("" in words or any(word in line for word in words)) and not _BLOCKED.search(line[:2000]):
                for one in index.of_text(line):
                    yield Seen(one, place, line, "file", thing=file.path)


def _of_command(command: str, index: Index) -> list[Sighting]:
    found = list(index.of_text(command)) if command else []
    return [] if found and _only_reads(command) else found


def _only_reads(command: str) -> bool:
    """It looks at text, or shuts somebody out: the values in it are known to be bad."""
    segments = [one for one in segments_of(command) if one.words]
    return bool(segments) and all(one.program in _BLOCKERS for one in segments)


def _finding(host: Host, some: Sequence[Seen], now: str) -> HostFinding:
    times = sorted(seen.time for seen in some if seen.time)
    when = times[-1] if times else now
    best = max(some, key=lambda seen: (SEVERITIES.index(weight(seen.sighting, when).severity), bool(seen.process)))
    one = best.sighting.indicator
    judged = weight(best.sighting, when)
    known = list(dict.fromkeys(seen.sighting.indicator for seen in some))  # several: all of them of one campaign
    containers = tuple(dict.fromkeys(seen.container for seen in some if seen.container))[:_MAX_CONTAINERS]
    container = best.container or next(iter(containers), "")
    pod = best.process.pod_uid if best.process else ""
    pod = pod or next((p.pod_uid for p in host.processes if container and p.container == container and p.pod_uid), "")
    return HostFinding(
        rule=rule_of(one),
        title=title(one, len(known)),
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
        reasons=named(known) if len(known) > 1 else (),
        addresses=tuple(other.value for other in known if other.type in ("address", "domain"))[:_MAX_ADDRESSES],
        containers=containers,
        matched=(*matched(best.sighting), *also(one, known)),
    )


def _of_list(host: Host, some: Sequence[Seen]) -> HostFinding:
    """Values of several campaigns in one text: nothing that one of them left there."""
    times = sorted(seen.time for seen in some if seen.time)
    first = some[0]
    known = list(dict.fromkeys(seen.sighting.indicator for seen in some))
    told = list_words(known, in_file=first.where == "file")
    return HostFinding(
        rule=LIST,
        title=told.title,
        description=told.description,
        severity="informational",
        confidence="low",
        kind="activity",
        techniques=(),
        host=host.name,
        first=times[0] if times else "",
        last=times[-1] if times else "",
        subject=one_line(first.thing),
        process=first.process,
        container=first.container,
        pod_uid=first.process.pod_uid if first.process else "",
        places=quoted(dict.fromkeys((seen.place, seen.text) for seen in some[: 4 * MAX_PLACES])),
        count=len(some),
        runbook=told.runbook,
        reasons=named(known),
        matched=told.matched,
    )
