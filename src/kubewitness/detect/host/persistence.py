"""What brings an intruder back: preloaded libraries, cron, units, keys.

Cron and units are judged by what they run (`scripts`), not by what they mention: `find /tmp -delete` every night is
housekeeping, and a nightly `wget https://…/wp-cron.php` is a web site's. Authorised keys are told as context: who
owns them only people know.

Sources: ld.so(8) on /etc/ld.so.preload, crontab(5), cron.d of cronie and Debian, systemd.service(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from posixpath import basename

from kubewitness.detect.host.addresses import nature_of
from kubewitness.detect.host.commands import script_segments, segments_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.scripts import ShellSign, shell_signs
from kubewitness.detect.host.stating import Suspicion, about_processes, lines_of, state
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.judgement import SEVERITIES, Severity
from kubewitness.model.text import Text
from kubewitness.sources.host import crontab

_SCRIPTS = re.compile(r"/etc/cron\.(?:hourly|daily|weekly|monthly)/.+")
_UNIT = re.compile(r"/(?:etc|usr/lib|lib|run)/systemd/(?:system|user)/.+\.(?:service|conf)")
_RUNS = re.compile(r"Exec(?:Start|StartPre|StartPost|Reload|Stop)\s*=\s*[-@:+!|]{0,4}\s*(.{1,8000})", re.DOTALL)
_KEYS = re.compile(r"(?:/root|/home/[^/]{1,64}|/var/lib/[^/]{1,64}|)/\.ssh/authorized_keys2?")
_TRUSTED = re.compile(
    r"(?:libarmmem\S{0,20}|libsnoopy|libjemalloc|libtcmalloc\S{0,20}|liboneagentproc|libmimalloc|libfakeroot\S{0,12})\.so[\d.]*"
)
# Set for single programs: allocators, clocks, tracers, sandboxes and agents that measure
_HARMLESS = re.compile(
    rf"(?:{_TRUSTED.pattern}|libjemalloc\S{{0,12}}\.so[\d.]*|libfaketime\S{{0,8}}\.so[\d.]*|lib(?:eatmydata|nss_wrapper|uid_wrapper|gcompat"
    r"|stdbuf|proxychains\d?|asan|tsan|ubsan|lsan|vglfaker|dlfaker|snoopy|gtk3-nocsd|hugetlbfs|cuda|nccl|SegFault|otel\w{0,12}"
    r"|datadog\S{0,20}|dd_\w{0,20}|sgxsim|numa|iomp5|gomp|stdc\+\+|dtrace\w{0,8}|loader\w{0,8})\.so[\d.]*"
    r"|launcher\.preload\.so|liboneagent\w{0,20}\.so)"
)
_LIBRARIES = ("/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/", "/$LIB/", "/usr/$LIB/", "/opt/")
_MAX_FOUND = 200
_CONCEALED = Text(
    "a carriage return in the line hides what stands before it from a terminal",
    "该行含有回车符，在终端中会掩盖其前面的内容",
)


def ld_preload(host: Host) -> Iterator[HostFinding]:
    """A library that is loaded into every program."""
    for file in host.files:
        if file.path != "/etc/ld.so.preload":
            continue
        lines = [(place, line) for place, line in lines_of(file) if line.strip() and not line.lstrip().startswith("#")]
        libraries = [word for _, line in lines for word in re.split(r"[\s:]+", line[:4096].partition("#")[0]) if word]
        if libraries:
            severities: list[Severity] = [_library(path) for path in libraries]
            severity = max(severities, key=SEVERITIES.index)
            yield state(
                "ld_preload",
                host,
                " ".join(libraries[:20]),
                lines,
                count=len(libraries),
                severity=severity,
                kind="intrusion" if severity == "high" else "activity",
                reasons=[
                    Text(f"loaded into every program: {path[:200]}", f"被加载到所有程序：{path[:200]}")
                    for path in libraries[:5]
                ],
            )


def ld_preload_environment(host: Host) -> Iterator[HostFinding]:
    """Processes that are made to load a library by their environment."""
    yield from about_processes("ld_preload_environment", host, _preloaded(host))


def _preloaded(host: Host) -> Iterator[Suspicion]:
    for process in host.processes:
        for variable in process.environment[:2000]:
            name, _, value = variable[:4096].partition("=")
            if name != "LD_PRELOAD":
                continue
            libraries = [path for path in re.split(r"[\s:]+", value) if path]
            if not libraries:  # a collector that leaves values out; images preload allocators all the time
                said = Text("LD_PRELOAD is set; its value was left out", "设置了 LD_PRELOAD，其值未采集")
                severity: Severity = "informational" if process.container else "low"
                yield Suspicion(process, (said,), severity, kind="context" if process.container else None)
                continue
            odd = [path for path in libraries if not _HARMLESS.fullmatch(basename(path))]
            if not odd:
                continue
            hidden = any(hiding_of(path) or "processhider" in path for path in odd)
            inside = process.container and all(path.startswith(_LIBRARIES) or "/" not in path for path in odd)
            severity = "medium" if hidden else "informational" if inside else "low"
            shown = " ".join(odd)[:200]
            yield Suspicion(
                process,
                (Text(f"LD_PRELOAD={shown}", f"LD_PRELOAD={shown}"),),
                severity,
                confidence="medium" if hidden else "low",
                kind="context" if severity == "informational" else "activity",
            )


def cron_persistence(host: Host) -> Iterator[HostFinding]:
    """Crontabs that fetch and run, or run what lies hidden, or have lines that hide."""
    number = 0
    for path, found, command in _schedules(host):
        signs = list(shell_signs(script_segments(command)))
        concealed = "\r" in command.rstrip("\r")
        if (signs or concealed) and number < _MAX_FOUND:
            number += 1
            reasons = [_CONCEALED] if concealed else []
            yield _persists("cron_persistence", host, path, found, signs, more=reasons)


def _schedules(host: Host) -> Iterator[tuple[str, tuple[Place, str], str]]:
    """What cron starts: the table, its line with the place, and the shell text."""
    files = {file.place.item: file for file in host.files}
    read = {entry.place.item for entry in host.schedules}
    known = dict[str, dict[Place, str]]()  # the lines of each file, by their place without length
    for entry in host.schedules:
        item, file = entry.place.item, files.get(entry.place.item)
        if file is not None and item not in known:
            known[item] = {_start(place): line for place, line in lines_of(file)}
        written = f"{entry.schedule} {entry.user} {entry.command}".replace("  ", " ")
        line = known.get(item, {}).get(_start(entry.place), written)
        yield entry.path or (file.path if file else item), (entry.place, line), _shell_text(entry.command)
    for file in host.files:
        script = _SCRIPTS.fullmatch(file.path)
        if file.place.item in read or not (script or crontab.is_table(file.path)):
            continue
        for place, line in lines_of(file):
            if script:
                yield file.path, (place, line), "" if line.lstrip().startswith("#") else line[:8192].strip()
            elif cron := crontab.entry_of(file.path, line, place):
                yield file.path, (place, line), _shell_text(cron.command)


def _start(place: Place) -> Place:
    return Place(place.item, place.line, 0)


def _shell_text(command: str) -> str:
    """A command of a table with its input on lines of its own: after `sh%` that is a script."""
    return re.sub(r"(?<!\\)%", "\n", command).replace("\\%", "%")


def unit_persistence(host: Host) -> Iterator[HostFinding]:
    """Units of systemd that fetch and run, or run what lies hidden."""
    number = 0
    for file in host.files:
        if not _UNIT.fullmatch(file.path):
            continue
        for place, line in lines_of(file):
            runs = _RUNS.match(line.strip())
            signs = list(shell_signs(segments_of(runs[1]))) if runs else []
            if signs and number < _MAX_FOUND:
                number += 1
                yield _persists("unit_persistence", host, file.path, (place, line), signs)


def authorized_keys(host: Host) -> Iterator[HostFinding]:
    """Keys that may log in, for people to recognise."""
    for file in host.files:
        if _KEYS.fullmatch(file.path):
            keys = [
                (place, line) for place, line in lines_of(file) if line.strip() and not line.lstrip().startswith("#")
            ]
            if keys:
                names = [line.split()[-1][:80] for _, line in keys[:20]]
                said = Text(f"{len(keys)} keys: {', '.join(names)}", f"共 {len(keys)} 个密钥：{'、'.join(names)}")
                yield state("authorized_keys", host, file.path, keys, reasons=[said])


def _library(path: str) -> Severity:
    if _TRUSTED.fullmatch(basename(path)):
        return "low"
    if hiding_of(path) or not path.startswith(_LIBRARIES) or "processhider" in path:
        return "high"
    return "medium"


def _persists(
    rule: str, host: Host, path: str, found: tuple[Place, str], signs: list[ShellSign], *, more: Sequence[Text] = ()
) -> HostFinding:
    severities: list[Severity] = [sign.severity for sign in signs] + (["medium"] if more else [])
    severity = max(severities, key=SEVERITIES.index)
    reasons = [*(sign.reason for sign in signs), *more]
    name = basename(path)
    if rule == "cron_persistence" and name.startswith("."):
        reasons.append(Text(f"the file's name begins with a dot: {name[:80]}", f"文件名以点开头：{name[:80]}"))
        severity = "high" if severity == "medium" else severity
    outside = (name for sign in signs for name in sign.hosts if nature_of(name) not in ("loopback", "cluster"))
    return state(
        rule,
        host,
        f"{path}: {found[1].strip()}",
        [found],
        severity=severity,
        confidence="high" if severity == "high" else "medium",
        kind="intrusion" if severity == "high" else "activity",
        reasons=reasons,
        addresses=outside,
        commands=(found[1].strip(),),
    )
