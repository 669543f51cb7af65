"""Traces removed: the shell's history, logs; by a command, by a setting, or as the files themselves show.

`history_wiped` has the deeds: somebody ran or typed a command that clears, or a start-up file of a shell that keeps it
from writing. `logs_emptied` has the state: a history or a log of logins that is a link to /dev/null, a log of logins
that is empty though the machine is not new, and one that ends inside of a record. Logs are rotated, so an empty one
with its predecessor beside it is housekeeping, as is btmp, which is empty where nobody failed; so is what logrotate,
journald and rsyslog do themselves.

Source: bash(1) HISTFILE, wtmp(5), journalctl(1) --vacuum-*, logrotate(8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from posixpath import basename

from msgspec import Struct

from kubewitness.detect.host.commands import MAX_COMMAND, READERS, Segment, script_segments, segments_of
from kubewitness.detect.host.execs import failed_execs
from kubewitness.detect.host.finding import HostFinding
from kubewitness.detect.host.stating import lines_of, state
from kubewitness.model.evidence import Place
from kubewitness.model.host import FileEntry, Host, HostEvent
from kubewitness.model.text import Text

_HISTORY_FILE = re.compile(r"/\.\w{1,12}_history$")
_LOGS = re.compile(r"/var/log(?:/(?:audit|wtmp|btmp|lastlog|auth\.log|secure|messages|syslog|journal|\*).{0,60}|/?)")
_LOGINS = re.compile(r"/var/log/(?:wtmp|lastlog|auth\.log|secure|audit/audit\.log)")
_OLD = re.compile(r"\.(?:[1-9]|gz|xz)$|-\d{8}$")
_RECORDS = ("/var/log/wtmp", "/var/log/btmp")
_RECORD_SIZES = (384, 400)  # of struct utmp on x86-64, and on arm64 and with musl
_MARKS = ("HIST", "hist", "/var/log", "vacuum")  # what no line that is meant lacks
_UNSET = re.compile(r"HISTFILE=(?:/dev/null|\"\"|'')?|HISTSIZE=0|HISTFILESIZE=0")
_PROFILE = re.compile(
    r"/(?:root|home/[^/]{1,64})/\.(?:bash_?\w{0,12}|profile|zsh\w{0,6})|/etc/(?:profile(?:\.d/.+)?|bash\.?bashrc)"
)
_VACUUM = re.compile(r"--vacuum-(?:time|size|files)(?:=(\S{0,20}))?")
_NOTHING = re.compile(r"[01](?:[smKM]|ms|min|sec)?")
_KEEPERS = re.compile(
    r"(?:logrotate|savelog|systemd-\w{1,20}|journalctl|rsyslogd?|syslog-ng|dpkg|rpm|yum|dnf|apt\S{0,12}|fluent\S{0,8})"
)
_REMOVES = re.compile(r"unlink|truncate|delete", re.IGNORECASE)


class _Deed(Struct, frozen=True):
    place: Place
    line: str
    said: Text
    command: str = ""
    container: str = ""
    times: tuple[str, ...] = ()
    count: int = 1


def history_wiped(host: Host) -> Iterator[HostFinding]:
    """Commands and settings that take away or prevent a history or a log."""
    # A process and an event may tell of the same line of evidence; the event, which comes later, knows the time.
    deeds = list({(deed.place, deed.line): deed for deed in (*_run(host), *_kept_in_files(host))}.values())
    if deeds:
        times = sorted(time for deed in deeds for time in deed.times if time)
        commands = [deed.command for deed in deeds]
        yield state(
            "history_wiped",
            host,
            "; ".join(dict.fromkeys(commands[:20])),
            [(deed.place, deed.line) for deed in deeds[:8]],
            count=sum(deed.count for deed in deeds),
            first=times[0] if times else "",
            last=times[-1] if times else "",
            containers=(deed.container for deed in deeds),
            commands=commands,
            reasons=(deed.said for deed in deeds),
        )


def logs_emptied(host: Host) -> Iterator[HostFinding]:
    """Histories and logs that lead to /dev/null, or are empty or cut where they should not be."""
    paths = {entry.path for entry in host.listing}
    lived = any(path.startswith("/var/log/") and _OLD.search(path) for path in paths)
    found = [(entry, said) for entry in host.listing if (said := _lacks(entry, paths, lived=lived))]
    if found:
        severe = any(entry.kind == "link" for entry, _ in found)
        shown = [(entry.place, f"{entry.mode} {entry.owner} {entry.size} {_arrow(entry)}") for entry, _ in found]
        yield state(
            "logs_emptied",
            host,
            "; ".join(dict.fromkeys(line for _, line in shown[:20])),
            shown[:8],
            count=len(found),
            severity="medium" if severe else "low",
            confidence="medium" if severe else "low",
            reasons=(said for _, said in found),
        )


def _arrow(entry: FileEntry) -> str:
    return f"{entry.path[:300]} -> {entry.target[:300]}" if entry.target else entry.path[:300]


def _lacks(entry: FileEntry, paths: set[str], *, lived: bool) -> Text | None:
    """What a log or a history lacks."""
    path = entry.path[:300]
    if entry.kind == "link":
        if entry.target == "/dev/null" and (_HISTORY_FILE.search(path) or _LOGS.fullmatch(path)):
            return Text(f"{path} leads to /dev/null", f"{path} 指向 /dev/null")
        return None
    if entry.kind != "file":
        return None
    if entry.size == 0 and lived and _LOGINS.fullmatch(path) and not _rotated(path, paths):
        return Text(f"{path} is empty, though the machine is not new", f"{path} 为空，而该主机并非新装")
    if path in _RECORDS and entry.size > 0 and all(entry.size % size for size in _RECORD_SIZES):
        return Text(
            f"{path} ends inside of a record: it was cut or edited", f"{path} 在一条记录中间结束：曾被截断或修改"
        )
    return None


def _rotated(path: str, paths: set[str]) -> bool:
    """Its predecessor lies beside it."""
    start = path.removesuffix(".log")
    return any(
        other.startswith((f"{path}.", f"{path}-", f"{start}-", f"{start}.log")) and other != path for other in paths
    )


def _run(host: Host) -> Iterator[_Deed]:
    for process in host.processes:
        if said := _wipes(segments_of, process.command):
            yield _Deed(process.place, process.command, said, process.command, process.container)
    for run in failed_execs(host):
        if said := _wipes(segments_of, run.command):
            yield _Deed(run.place, run.line, said, run.command, run.container, (run.time,))
    for event in host.events:
        said = None
        if event.category == "command":
            said = _wipes(script_segments, event.command)
        elif event.category == "process_creation":
            said = _wipes(segments_of, event.command)
        elif event.category == "file_event":
            said = _removed(event)
        if said:
            line = event.command or f"{event.image} {event.message} {event.path}"
            yield _Deed(event.place, line, said, line.strip(), event.container, (event.time, event.last), event.count)


def _removed(event: HostEvent) -> Text | None:
    """A sensor saw a log or a history go."""
    told = f"{event.message} {event.fields.get('event', '')} {event.fields.get('syscall', '')}"
    if not (_HISTORY_FILE.search(event.path) or _LOGINS.fullmatch(event.path)) or not _REMOVES.search(told):
        return None
    program = basename(event.image)
    if _KEEPERS.fullmatch(program) or (_HISTORY_FILE.search(event.path) and program in ("bash", "zsh")):
        return None  # a shell truncates its own history when it grows too long
    return Text(f"a history or log is removed: {event.path[:100]}", f"历史或日志被删除：{event.path[:100]}")


def _kept_in_files(host: Host) -> Iterator[_Deed]:
    read = {event.place.item for event in host.events if event.category == "command"}
    for file in host.files:
        history = _HISTORY_FILE.search(file.path) is not None and file.place.item not in read
        if not history and not _PROFILE.fullmatch(file.path):
            continue
        for place, line in lines_of(file):
            if not history and ("HIST" not in line or line.lstrip().startswith("#")):
                continue
            if said := _wipes(script_segments, line):
                yield _Deed(place, line, said, line.strip())


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
        if said := _one(segment):
            return said
    return None


def _one(segment: Segment) -> Text | None:
    words = segment.words
    if segment.program == "history" and any(word.startswith("-") and "c" in word for word in words[1:3]):
        return Text("the shell's history is cleared: history -c", "清除 shell 历史：history -c")
    if segment.program == "unset" and "HISTFILE" in words:
        return Text("the shell keeps no history: unset HISTFILE", "shell 不保存历史：unset HISTFILE")
    if segment.program == "journalctl":
        for word, after in zip(words, (*words[1:], ""), strict=True):
            if (found := _VACUUM.fullmatch(word)) and _NOTHING.fullmatch(found[1] if found[1] is not None else after):
                return Text(f"the journal is emptied: {word[:60]}", f"清空 journal 日志：{word[:60]}")
    if segment.program in ("rm", "shred", "truncate", "unlink"):
        for word in words[1:20]:
            if _HISTORY_FILE.search(word) or _LOGS.fullmatch(word):
                return Text(f"a history or log is removed: {word[:100]}", f"历史或日志被删除：{word[:100]}")
    if path := _emptied(segment):
        return Text(f"a history or log is emptied: {path[:100]}", f"历史或日志被清空：{path[:100]}")
    return None


def _emptied(segment: Segment) -> str:
    """The log that nothing is written into (`> x`, `cat /dev/null > x`) or that becomes a link to nowhere."""
    words = segment.words[:30]
    if segment.program == "ln":
        if "/dev/null" in words[1:-1] and (_HISTORY_FILE.search(words[-1]) or _LOGS.fullmatch(words[-1])):
            return words[-1]
        return ""
    if segment.program == "cp" and words[1:2] == ("/dev/null",):
        return next((word for word in words[2:] if _HISTORY_FILE.search(word) or _LOGINS.fullmatch(word)), "")
    at = next((number for number, word in enumerate(words) if word.startswith(">") and not word.startswith(">>")), -1)
    if at < 0 or (at + 1 >= len(words) and len(words[at]) < 2):
        return ""
    path = words[at][1:] or words[at + 1]
    empty = at == 0 or words[:at] in (("echo",), (":",), ("true",), ("cat", "/dev/null"), ("echo", "-n"), ("printf",))
    return path if empty and (_HISTORY_FILE.search(path) or _LOGS.fullmatch(path)) else ""
