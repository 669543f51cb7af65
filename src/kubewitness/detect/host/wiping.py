"""Traces removed: the shell's history, logs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from kubewitness.detect.host.commands import MAX_COMMAND, READERS, Segment, script_segments, segments_of
from kubewitness.detect.host.execs import failed_execs
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import lines_of, state
from kubewitness.model.evidence import Place
from kubewitness.model.host import Host
from kubewitness.model.text import Text

_HISTORY_FILE = re.compile(r"/\.\w{1,12}_history$")
_LOGS = re.compile(r"/var/log(?:/(?:audit|wtmp|btmp|lastlog|auth\.log|secure|messages|syslog|journal|\*).{0,60}|/?)")
_MARKS = ("HIST", "hist", "/var/log")  # what no line that is meant lacks
_UNSET = re.compile(r"HISTFILE=(?:/dev/null|\"\"|'')?|HISTSIZE=0|HISTFILESIZE=0")


def history_wiped(host: Host) -> Iterator[HostFinding]:
    """Commands that take away or prevent a history or a log."""
    found = list[tuple[Place, str, Text]]()
    commands = list[str]()
    containers, times = list[str](), list[str]()
    for process in host.processes:
        if said := _wipes(segments_of, process.command):
            found.append((process.place, process.command, said))
            commands.append(process.command)
            containers.append(process.container)
    for run in failed_execs(host):
        if said := _wipes(segments_of, run.command):
            found.append((run.place, run.line, said))
            commands.append(run.command)
            containers.append(run.container)
            times.append(run.time)
    for file in host.files:
        if _HISTORY_FILE.search(file.path):
            for place, line in lines_of(file):
                if said := _wipes(script_segments, line):
                    found.append((place, line, said))
                    commands.append(line.strip())
    if found:
        times = sorted(filter(None, times))
        yield state(
            "history_wiped",
            host,
            "; ".join(dict.fromkeys(commands[:20])),
            [(place, line) for place, line, _ in found[:8]],
            count=len(found),
            first=times[0] if times else "",
            last=times[-1] if times else "",
            containers=containers,
            commands=commands,
            reasons=(said for _, _, said in found),
        )


def _wipes(cut: Callable[[str], tuple[Segment, ...]], text: str) -> Text | None:
    text = text[:MAX_COMMAND]
    if not any(mark in text for mark in _MARKS):
        return None
    segments = cut(text)
    if "HIST" in text and segments and segments[0].program not in READERS:
        for word in text.split():
            if _UNSET.fullmatch(word.rstrip(";")):
                return Text(f"the shell keeps no history: {word[:60]}", f"shell 不保存历史：{word[:60]}")
    for segment in segments:
        words = segment.words
        if segment.program == "history" and any(word.startswith("-") and "c" in word for word in words[1:3]):
            return Text("the shell's history is cleared: history -c", "清除 shell 历史：history -c")
        if segment.program == "unset" and "HISTFILE" in words:
            return Text("the shell keeps no history: unset HISTFILE", "shell 不保存历史：unset HISTFILE")
        if segment.program in ("rm", "shred", "truncate", "unlink"):
            for word in words[1:20]:
                if _HISTORY_FILE.search(word) or _LOGS.fullmatch(word):
                    return Text(f"a history or log is removed: {word[:100]}", f"历史或日志被删除：{word[:100]}")
    return None
