"""Whoever does not know an image tries them all: the kubelet was made to run commands in containers.

A worm that runs commands through the kubelet tries the package managers of all distributions in every container. Most
do not exist there, and each that does not leaves an error with the whole command. Probes and hooks repeat one command
and know their image. Where a package manager exists it leaves no line, so two kinds that failed may have been three
that were tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from posixpath import basename

from kubewitness.detect.host.addresses import nature_of
from kubewitness.detect.host.commands import Fetch, Segment, fetch_of, host_of, script_segments, segments_of
from kubewitness.detect.host.execs import Exec, failed_execs, seconds_of
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.paths import hiding_of
from kubewitness.detect.host.stating import state
from kubewitness.model.host import Host
from kubewitness.model.judgement import Severity
from kubewitness.model.text import Text

_WITHIN = 300.0  # seconds
_MANAGERS = {
    **dict.fromkeys(("apt", "apt-get", "aptitude", "dpkg"), "apt"),
    **dict.fromkeys(("yum", "dnf", "microdnf", "tdnf", "rpm"), "yum"),
    "apk": "apk",
    "zypper": "zypper",
    "pacman": "pacman",
    "opkg": "opkg",
}
_REPEATED = 3  # the same command so often in one container: a probe


def kubelet_exec_fan_out(host: Host) -> Iterator[HostFinding]:
    """Several kinds of package managers tried in one container within minutes."""
    tried = dict[str, list[tuple[Exec, str]]]()
    for found in failed_execs(host):
        if family := _family(found):
            tried.setdefault(found.container, []).append((found, family))
    kinds = {container: _most_kinds(runs) for container, runs in tried.items()}
    containers = [container for container, number in kinds.items() if number >= 2]
    if not containers:
        return
    runs = [found for container in containers for found, _ in tried[container]]
    most = max(kinds.values())
    several = len(containers)
    times = sorted(filter(None, (run.time for run in runs)))
    yield state(
        "kubelet_exec_fan_out",
        host,
        "; ".join(dict.fromkeys(run.command for run in runs)),
        [(run.place, run.line) for run in runs],
        first=times[0] if times else "",
        last=times[-1] if times else "",
        severity=None if most >= 3 else "medium",
        confidence=None if most >= 3 else "low",
        kind=None if most >= 3 else "activity",
        containers=containers,
        commands=(run.command for run in runs),
        reasons=(
            Text(
                f"{most} kinds of package managers were tried in one container",
                f"在同一容器内尝试了 {most} 种包管理器",
            ),
            Text(
                f"{several} container{'s' if several != 1 else ''}, {len(runs)} commands that failed to start",
                f"涉及 {several} 个容器，{len(runs)} 条命令未能启动",
            ),
        ),
    )


def exec_download(host: Host) -> Iterator[HostFinding]:
    """Downloads that the kubelet was made to run in containers, and that failed to start."""
    groups = dict[str, list[Exec]]()
    for found in failed_execs(host):
        if _fetches(found):
            groups.setdefault(found.command, []).append(found)
    for runs in list(groups.values())[:200]:
        fetches = _fetches(runs[0])
        hosts = tuple(dict.fromkeys(host_of(url) for fetch in fetches for url in fetch.urls))
        outside = tuple(host for host in hosts if nature_of(host) in ("public address", "name", "private", "metadata"))
        severity = _severity(runs, outside)
        if severity is None:
            continue
        times = sorted(filter(None, (run.time for run in runs)))
        yield state(
            "exec_download",
            host,
            runs[0].command,
            [(run.place, run.line) for run in runs],
            first=times[0] if times else "",
            last=times[-1] if times else "",
            severity=severity,
            kind="intrusion" if severity == "high" else "activity",
            addresses=outside,
            containers=(run.container for run in runs),
            commands=(runs[0].command,),
            reasons=[Text(f"it fetches from {host}", f"下载来源为 {host}") for host in outside[:5]],
        )


def _family(found: Exec) -> str:
    """The kind of package manager a command calls, also behind `sh -c`."""
    for segment in _segments(found):
        if family := _MANAGERS.get(segment.program):
            return family
    return ""


def _segments(found: Exec) -> tuple[Segment, ...]:
    if len(found.argv) == 3 and found.argv[1] in ("-c", "-lc", "-ec"):
        return script_segments(found.argv[2])
    return segments_of(found.command)


def _most_kinds(runs: Sequence[tuple[Exec, str]]) -> int:
    """The most different kinds within five minutes. Lines without a time count as of the time before."""
    most, start, now = 0, 0, 0.0
    times = list[float]()
    window = Counter[str]()
    for found, family in runs:
        seconds = seconds_of(found.time)
        now = now if seconds is None else seconds
        times.append(now)
        window[family] += 1
        while times[start] < now - _WITHIN:
            window[runs[start][1]] -= 1
            start += 1
        most = max(most, sum(1 for number in window.values() if number))
    return most


def _fetches(found: Exec) -> list[Fetch]:
    return [fetch for segment in _segments(found) if (fetch := fetch_of(segment)) is not None and fetch.urls]


def _severity(runs: Sequence[Exec], outside: Sequence[str]) -> Severity | None:
    """None: a health check of the container itself."""
    if not outside:
        return None
    often = Counter(run.container for run in runs)
    if max(often.values()) >= _REPEATED:
        return "low"
    fetches = [fetch for run in runs[:20] for fetch in _fetches(run)]
    urls = [url for fetch in fetches for url in fetch.urls]
    script = any(basename(url.partition("?")[0]).endswith((".sh", ".py", ".pl")) for url in urls)
    hidden = any(hiding_of(fetch.output) for fetch in fetches)
    strange = any(nature_of(host) in ("public address", "metadata") for host in outside)
    if hidden or (script and strange):
        return "high"
    return "medium" if strange or script else "low"
