"""Which files make a systemd unit, in which order, and the settings of its `[Service]` sections with their lines.

A unit is one main file, the first found in systemd's directories, and the drop-ins of all of them:
`NAME.service.d/*.conf`, read in the order of their *file names* whatever their directory; of two with one name only
the one in the higher directory is read. Lines beginning with `#` or `;` are comments even between two lines joined by
a backslash.

Source: systemd.unit(5), systemd.syntax(7); behaviour of config_parse() in systemd 252 to 257.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from kubewitness.model.host import HostFile
from kubewitness.posture.lines import Line, lines
from kubewitness.posture.words import COMMENTS, WHITESPACE

# Highest first: of two files with one name the earlier counts.
DIRECTORIES: Final = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator.late",
)


class UnitSetting(Struct, frozen=True):
    """`key=value`, joined over continued lines."""

    key: str  # empty: nothing but comments
    value: str
    starts: tuple[int, ...]  # where in `value` each of `lines` begins
    lines: tuple[Line, ...]
    comments: tuple[Line, ...] = ()  # before it
    inner_comments: tuple[Line, ...] = ()  # between its lines

    @property
    def line(self) -> Line:
        """Where it begins."""
        return self.lines[0]

    def line_at(self, offset: int) -> Line:
        """The line that the character at `offset` of the value stands on."""
        return self.lines[max(0, bisect_right(self.starts, offset) - 1)]


class UnitFiles(Struct, frozen=True):
    """The files of a unit."""

    main: HostFile | None
    drop_ins: tuple[HostFile, ...]  # as read
    hidden: tuple[HostFile, ...]  # drop-ins that another of the same name hides, with other content


def unit_files(files: Sequence[HostFile], unit: str) -> UnitFiles:
    """The files of `unit` (`kubelet.service`) among all files of the machine."""
    by_path = {file.path: file for file in files}
    main = next(
        (by_path[path] for path in (f"{directory}/{unit}" for directory in DIRECTORIES) if path in by_path), None
    )
    # service.d is for all services: lower than any directory of the unit's own.
    owners = [f"{directory}/{owner}.d" for owner in (unit, unit.rpartition(".")[2]) for directory in DIRECTORIES]
    ranks = {path: rank for rank, path in enumerate(owners)}
    found: list[tuple[str, int, HostFile]] = []
    for path, file in by_path.items():
        directory, _, name = path.rpartition("/")
        if directory in ranks and name.endswith(".conf") and not name.startswith("."):
            found.append((name, ranks[directory], file))
    found.sort(key=lambda entry: entry[:2])
    read: dict[str, HostFile] = {}
    hidden: list[HostFile] = []
    for name, _rank, file in found:
        if name not in read:
            read[name] = file
        elif file.text != read[name].text:  # /lib is /usr/lib on most machines: the same file twice hides nothing
            hidden.append(file)
    return UnitFiles(main, tuple(read.values()), tuple(hidden))


def service_settings(file: HostFile) -> Iterator[UnitSetting]:
    """The settings of the [Service] sections of `file`, in order; comments after the last as one without a key."""
    in_service = False
    comments: list[Line] = []
    for whole, parts, before, inside in _joined(file):
        if in_service:
            comments += before
        else:
            comments = []
        content = whole.strip(WHITESPACE)
        key, equals, value = content.partition("=")
        if content.startswith("["):
            if comments:
                yield UnitSetting("", "", (0,), (comments[-1],), tuple(comments))
            comments, in_service = [], content == "[Service]"
        elif in_service and equals:
            value = value.lstrip(WHITESPACE)
            skipped = len(whole.rstrip(WHITESPACE)) - len(value)
            starts = tuple(max(0, start - skipped) for start, _ in parts)
            yield UnitSetting(
                key.rstrip(WHITESPACE), value, starts, tuple(line for _, line in parts), tuple(comments), tuple(inside)
            )
            comments = []
    if comments:
        yield UnitSetting("", "", (0,), (comments[-1],), tuple(comments))


def _joined(file: HostFile) -> Iterator[tuple[str, list[tuple[int, Line]], list[Line], list[Line]]]:
    """Logical lines: text, its physical lines and where they begin in it, the comments before and within."""
    pieces: list[str] = []
    parts: list[tuple[int, Line]] = []
    before: list[Line] = []
    inside: list[Line] = []
    size = 0
    for line in lines(file):
        if line.text.lstrip(WHITESPACE)[:1] in tuple(COMMENTS):
            (inside if parts else before).append(line)
            continue
        text = line.text.removeprefix("\ufeff")
        continued = (len(text) - len(text.rstrip("\\"))) % 2 == 1
        if continued:
            text = text[:-1] + " "
        parts.append((size, line))
        pieces.append(text)
        size += len(text)
        if not continued:
            yield "".join(pieces), parts, before, inside
            pieces, parts, before, inside, size = [], [], [], [], 0
    yield "".join(pieces), parts, before, inside
