"""YARA rules over the programs and scripts among the evidence of a machine.

Collectors copy what is worth a look: executables that were deleted, that never were a file, that lie in temporary
folders. Those bytes are what a name, a path and a command line cannot disguise. Our own rules (`content/yara/*.yar`)
say in their metadata what a finding needs: title, description, runbook and falsepositives with their Chinese side
(`title_zh`), severity, confidence, kind, technique. Rules of others run as they are: what their metadata lacks is
medium, and activity. A finding cites the item with the offset and the names of the strings that were found, never the
bytes, and names the process whose executable has the same hash, so that its container and pod are known.

YARA-X is imported when there is something to scan. Everything is bounded: bytes of one item, seconds of one scan and of
all; what was left out is told.

Source: virustotal.github.io/yara-x/docs (language and Python API).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, get_args

from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.stating import MAX_PLACES, is_time, one_line
from kubewitness.detect.host.yara_rules import Scanned, YaraRules
from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import Note, Place
from kubewitness.model.host import Host, HostFile, Process
from kubewitness.model.judgement import SEVERITIES, Confidence, Kind, Severity
from kubewitness.model.text import Text
from kubewitness.rules.attack import techniques
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.hosts import HostEvidence

if TYPE_CHECKING:
    import yara_x

MAX_BYTES: Final = 64 * 1024 * 1024  # of one item
_ONE_SCAN: Final = 20  # seconds
_ALL_SCANS: Final = 600
_MATCHES: Final = 1000  # of one string; more are not counted
_FINDINGS: Final = 200  # of one machine
_CONTAINERS: Final = 50  # of one program, each with a finding of its own
_CONFIDENCES: Final[tuple[str, ...]] = get_args(Confidence)
_KINDS: Final[tuple[str, ...]] = get_args(Kind)
_UNKNOWN_FALSE: Final = Text("Not told by the rule", "规则未说明")
_RUNBOOK: Final = Text(
    "Keep the file with its hash and times; find out what it is and what started it.",
    "保留该文件及其哈希和时间戳，查明其用途以及由什么启动。",
)
_NOT_THERE: Final = Text(
    "Programs were not scanned with YARA: the library yara-x cannot be imported.",
    "未使用 YARA 扫描程序文件：无法导入 yara-x 库。",
)
_OUT_OF_TIME: Final = Text(
    "Not all programs were scanned with YARA: it took too long.", "YARA 扫描超时，部分程序文件未扫描。"
)


@dataclass(frozen=True)
class _Piece:
    """Something to scan."""

    host: Host
    item: str
    path: str  # on the machine, as far as it is known
    data: bytes
    offset: int = 0
    cut: bool = False
    sha256: str = ""


def scan(
    machines: HostEvidence, rules: YaraRules | None = None, clock: Callable[[], float] = time.monotonic
) -> Scanned:
    """Scan the programs and scripts of all machines."""
    result = Scanned()
    if not machines.executables and not any(_is_script(file) for host in machines.hosts for file in host.files):
        return result
    compiled = (rules or YaraRules()).rules
    if compiled is None:
        result.limitations.append(_NOT_THERE)
        return result
    import yara_x  # noqa: PLC0415 -- it is there: the rules are compiled

    scanner = yara_x.Scanner(compiled)
    result.rules = sum(1 for _ in compiled)
    scanner.set_timeout(_ONE_SCAN)
    scanner.max_matches_per_pattern(_MATCHES)
    begun, seen = clock(), set[tuple[str, str]]()
    for piece in _pieces(machines, result):
        if clock() - begun > _ALL_SCANS:
            result.limitations.append(_OUT_OF_TIME)
            break
        known = (piece.host.name, piece.sha256)
        if known in seen:
            continue  # the same program twice, deleted and copied
        seen.add(known)
        result.items += 1
        try:
            matches = scanner.scan(piece.data).matching_rules
        except (yara_x.ScanError, yara_x.TimeoutError) as problem:
            result.notes.append(Note(Place(piece.item, 0, 0), f"not scanned with YARA: {str(problem)[:200]}"))
            continue
        found = result.findings.setdefault(piece.host.name, [])
        for rule in sorted(matches, key=lambda rule: rule.identifier):
            found += _findings(rule, piece)
            if len(found) > _FINDINGS:
                result.notes.append(Note(Place(piece.item, 0, 0), "more matches of YARA rules than are told"))
                del found[_FINDINGS:]
                break
    return result


def _is_script(file: HostFile) -> bool:
    return file.text.startswith("#!") or hiding_of(file.path) is not None


def _pieces(machines: HostEvidence, result: Scanned) -> Iterator[_Piece]:
    """Programs, then scripts, in the order of the evidence; one in memory at a time."""
    for host, source in machines.executables:
        piece = _program(host, source)
        if piece.cut:
            text = f"only the first {MAX_BYTES} bytes were scanned with YARA"
            result.notes.append(Note(Place(source.name, 0, 0), text))
        yield piece
    for host in machines.hosts:
        for file in host.files:
            if _is_script(file):
                data = file.text.encode("utf-8", "surrogateescape")
                digest = hashlib.sha256(data).hexdigest()
                yield _Piece(host, file.place.item, file.path, data, file.place.offset, sha256=digest)


def _program(host: Host, source: Source) -> _Piece:
    data, digest, cut = bytearray(), hashlib.sha256(), False
    for chunk in source.open():
        digest.update(chunk)
        if len(data) < MAX_BYTES:
            data += chunk[: MAX_BYTES - len(data)]
        cut = cut or len(data) >= MAX_BYTES
    return _Piece(host, source.name, machine_path(source.name), bytes(data), 0, cut, digest.hexdigest())


def _findings(rule: yara_x.Rule, piece: _Piece) -> Iterator[HostFinding]:
    """One finding for each container in which it runs; one if no process is known."""
    told = dict(rule.metadata)
    runs = [process for process in piece.host.processes if _runs(process, piece)]
    groups = dict[str, list[Process]]()
    for process in runs:
        if process.container in groups or len(groups) < _CONTAINERS:
            groups.setdefault(process.container, []).append(process)
    places, names = _places(rule, piece)
    severity, confidence, kind = _weights(told)
    named = str(told.get("technique", told.get("mitre_attack", ""))).replace(" ", "").split(",")
    for processes in groups.values() or [[]]:
        first = processes[0] if processes else None
        times = sorted(process.started for process in processes if is_time(process.started))
        path = piece.path or (first.executable if first else "") or piece.item
        reasons = [Text(f"strings of the rule found: {', '.join(names)}", f"命中的规则字符串：{'、'.join(names)}")]
        reasons += [
            Text(f"it is the program of pid {process.pid}", f"它是进程 {process.pid} 的程序")
            for process in processes[:5]
        ]
        yield HostFinding(
            rule=f"yara/{rule.identifier[:200]}",
            title=_text(told, "title", Text(rule.identifier[:200], rule.identifier[:200])),
            description=_text(told, "description", Text("A YARA rule matches it.", "命中一条 YARA 规则。")),
            severity=severity,
            confidence=confidence,
            kind=kind,
            techniques=tuple(one for one in dict.fromkeys(named) if one in techniques()),
            host=piece.host.name,
            first=times[0] if times else "",
            last=times[-1] if times else "",
            subject=one_line(f"{path} (sha256 {piece.sha256})" if piece.sha256 and not piece.cut else path),
            process=first,
            container=first.container if first else "",
            pod_uid=first.pod_uid if first else "",
            places=places,
            count=max(1, len(processes)),
            runbook=_text(told, "runbook", _RUNBOOK),
            falsepositives=(_text(told, "falsepositives", _UNKNOWN_FALSE),),
            reasons=tuple(reasons),
            containers=(first.container,) if first and first.container else (),
        )


def _runs(process: Process, piece: _Piece) -> bool:
    """The process runs these bytes: by their hash, or by the path where no hash of the process is known."""
    if process.told_by:
        return False
    if process.sha256 or not piece.path:
        return bool(process.sha256) and process.sha256 == piece.sha256
    return not process.container and process.executable == piece.path


def _places(rule: yara_x.Rule, piece: _Piece) -> tuple[tuple[tuple[Place, str], ...], list[str]]:
    places, names = list[tuple[Place, str]](), list[str]()
    for pattern in rule.patterns:
        if not pattern.matches:
            continue
        name, first = pattern.identifier[:80], pattern.matches[0]
        names.append(name)
        if len(places) < MAX_PLACES:
            many = f"{len(pattern.matches)} times, first " if len(pattern.matches) > 1 else ""
            place = Place(piece.item, 0, piece.offset + first.offset, first.length)
            places.append((place, f"{rule.identifier[:80]} {name}: {many}at byte {first.offset}"))
    if not places:
        places.append((Place(piece.item, 0, piece.offset), f"{rule.identifier[:80]}: its condition holds"))
    return tuple(places), names[:40] or ["-"]


def _weights(told: Mapping[str, object]) -> tuple[Severity, Confidence, Kind]:
    """As the rule says; what it does not say is the middle. Many give a score of 0 to 100 instead of a word."""
    severity = str(told.get("severity", "")).lower()
    score = told.get("score")
    if severity not in SEVERITIES and isinstance(score, int):
        severity = "high" if score >= 80 else "medium" if score >= 50 else "low"
    confidence, kind = str(told.get("confidence", "")).lower(), str(told.get("kind", "")).lower()
    return (
        severity if severity in SEVERITIES else "medium",
        cast("Confidence", confidence if confidence in _CONFIDENCES else "medium"),
        cast("Kind", kind if kind in _KINDS else "activity"),
    )


def _text(told: Mapping[str, object], name: str, fallback: Text) -> Text:
    en, zh = told.get(name), told.get(f"{name}_zh")
    if not isinstance(en, str) or not en.strip():
        return fallback
    return Text(one_line(en, 600), one_line(zh, 600) if isinstance(zh, str) and zh.strip() else one_line(en, 600))
