"""Logs of containers as the runtime keeps them: CRI lines and docker's json-file.

    2021-03-23T02:10:01.123456789Z stdout F <text>      below /var/log/pods/<namespace>_<pod>_<uid>/<container>/
    {"log":"<text>\\n","stream":"stdout","time":"2021-03-23T02:10:01.123456789Z"}      below /var/lib/docker/containers/

`P` instead of `F`, or a text without line end, says that the line goes on in the next of its stream. What a container
prints is its own: as large as it likes and whatever it likes. So no line is an entry of a log here but those that a
miner prints (`miner_output`); the others are counted on their bytes. Of each form the first lines and the last one are
kept. Which pod and container it was, the path tells.

Source: https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md, docker json-file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from kubewitness.evidence.opening import Source
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import LogLine
from kubewitness.sources.host import containerd, klog, logs, miner_output
from kubewitness.sources.host.context import Context, stamp
from kubewitness.sources.host.interface import Format, Frames
from kubewitness.sources.host.lines import MAX_LINE, Lines

KIND: Final = "container log"
MAX_KEPT: Final = 50  # lines of one form and item
_DOCKER = re.compile(r'"stream":"(?:stdout|stderr)"(?:,"attrs":\{.{0,2000}\})?,"time":"\d{4}-\d\d-\d\dT')
_AUDIT = re.compile(r'auditID\\*"\s*:|stageTimestamp\\*"\s*:')
_POD = re.compile(r"/pods/([a-z0-9.-]{1,63})_([a-z0-9.-]{1,253})_([0-9a-f-]{32,36})/([a-z0-9.-]{1,253})/[^/]{1,100}$")
_LINK = re.compile(
    r"/containers/([a-z0-9.-]{1,253})_([a-z0-9.-]{1,63})_([a-z0-9.-]{1,253})-([0-9a-f]{64})\.log[^/]{0,40}$"
)
_ID = re.compile(r"/containers/([0-9a-f]{64})/")


class _Docker(Struct):
    log: str
    stream: str = ""
    time: str = ""


@dataclass(frozen=True)
class _Line:
    place: Place
    moment: datetime | None
    stream: str
    text: str
    ended: bool


class Wanted:
    """Looks at the bytes of each line of one log; remembers whether a line goes on in the next."""

    def __init__(self) -> None:
        self._open = False

    def __call__(self, line: bytes) -> bool:
        """Whether it may be a miner's, or is a piece of a longer line."""
        goes_on = line.find(b" P ", 20, 50) >= 0 or (line.startswith(b'{"log":"') and b'\\n","' not in line)
        if goes_on or self._open:
            self._open = goes_on
            return True
        return miner_output.may_be(line)


def frames(source: Source) -> Frames:
    """The lines that are wanted, each with its neighbours if it goes on."""
    return Lines(source, MAX_LINE, Wanted())


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[LogLine | ParseFailure]:
    """The telling lines of a container's output, in its order."""
    whose = _whose(context.item)
    kept, last, dropped = dict[str, int](), dict[str, LogLine](), 0
    for line in _joined(lines):
        said = miner_output.parse(line.text)
        if said is None:
            continue
        form = said["form"]
        fields = {**whose, **({"stream": line.stream} if line.stream else {}), **said}
        text = line.text[: miner_output.MAX_TEXT]
        found = LogLine("container", stamp(line.moment), "info", text, fields, line.place)
        kept[form] = kept.get(form, 0) + 1
        if kept[form] > MAX_KEPT:
            last[form] = found
        elif context.room.takes(True, len(text)):
            yield found
        else:
            dropped += 1
    yield from sorted(last.values(), key=lambda one: one.place.offset)
    more = dropped + sum(max(number - MAX_KEPT - 1, 0) for number in kept.values())
    if more:
        context.note(Place(context.item, 0, 0), f"{more} more lines of a miner than are kept of one container")


def looks_like(lines: list[str], _: str) -> bool:
    """Mostly lines as a runtime writes them, and neither audit events nor the log of a component in them."""
    written, klogs = 0, 0
    for line in lines:
        if line.startswith('{"log":"') and _DOCKER.search(line, max(len(line) - 2200, 8)):
            written += 1
        elif prefix := logs.CRI.match(line):
            written += 1
            klogs += klog.HEAD.match(line, prefix.end()) is not None
            if line.startswith("{", prefix.end()) and _AUDIT.search(line):
                return False
    return 2 * written >= len(lines) and 4 * klogs < len(lines)


def _joined(lines: Iterator[tuple[Place, str]]) -> Iterator[_Line]:
    """Whole lines: pieces are put together by stream, up to a limit."""
    held = dict[str, _Line]()
    for place, line in lines:
        piece = _parsed(place, line)
        if before := held.pop(piece.stream, None):
            text = (before.text + piece.text)[:MAX_LINE]
            piece = _Line(before.place, before.moment, piece.stream, text, piece.ended or len(text) >= MAX_LINE)
        if piece.ended:
            yield piece
        else:
            held[piece.stream] = piece
    yield from held.values()


def _parsed(place: Place, line: str) -> _Line:
    """A line taken apart; one that is of no runtime's form is text without a time."""
    if prefix := logs.CRI.match(line):
        head = line[: prefix.end()].split(" ", 3)
        return _Line(place, containerd.instant(prefix[1]), head[1], line[prefix.end() :], head[2][0] == "F")
    if line.startswith("{"):
        try:
            found = msgspec.json.decode(line.encode("utf-8", "backslashreplace"), type=_Docker)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return _Line(place, None, "", line, True)
        stream = found.stream if found.stream in ("stdout", "stderr") else ""
        return _Line(place, containerd.instant(found.time), stream, found.log.rstrip("\n"), found.log.endswith("\n"))
    return _Line(place, None, "", line, True)


def _whose(item: str) -> dict[str, str]:
    """Pod and container, as far as the path tells."""
    name = "/" + item.replace("!", "/")
    if found := _POD.search(name):
        return {"pod": f"{found[1]}/{found[2]}", "podUID": found[3], "containerName": found[4]}
    if found := _LINK.search(name):
        return {"pod": f"{found[2]}/{found[1]}", "containerName": found[3], "containerID": found[4]}
    if found := _ID.search(name):
        return {"containerID": found[1]}
    return {}


FORMATS: tuple[Format, ...] = (Format(KIND, looks_like, read, frames=frames),)
