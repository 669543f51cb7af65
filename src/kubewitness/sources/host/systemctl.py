"""Units as `systemctl cat` prints them: every file that makes the unit, each behind its path.

Format (systemd, `cat_files()` of src/shared/pretty-print.c): `# /path` (highlighted on a terminal), the file as it is,
an empty line, the next one. Each becomes a `HostFile` of its own, so that the configuration a unit starts with is
found from this alone. A comment of a unit may have the form of such a heading: only the first, or one behind
an empty line, that names a file of a unit below systemd's directories is taken for one. Somebody who writes units can
still make one up; where the file itself was copied too, the copy counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import HostFile
from kubewitness.sources.host.context import Context, Misfits
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.interface import Format

MAX_SECTIONS: Final = 5_000
MAX_TEXT: Final = 1024 * 1024  # of one file
_SUFFIX: Final = r"(?:service|socket|timer|target|mount|automount|swap|path|slice|scope|device|conf)"
_HEADING = re.compile(
    r"(?:\x1b\[[\d;]{0,20}m){0,4}"
    rf"# (/[^\s\x1b]{{0,300}}/systemd/[^\s\x1b]{{1,300}}\.{_SUFFIX})"
    r"(?:\x1b\[[\d;]{0,20}m){0,4}$"
)
_SECTION = re.compile(r"\[[A-Z][A-Za-z-]{1,30}\]\s*$")
_WARNING: Final = ("Warning: ", "# Warning: ", "No files found for ")


def _looks_like(lines: list[str], name: str) -> bool:
    if machine_path(name):  # a unit file somebody made out of such a listing is that unit
        return False
    first = next((number for number, line in enumerate(lines) if not line.startswith(_WARNING)), 0)
    return _HEADING.match(lines[first]) is not None and any(map(_SECTION.match, lines[first + 1 :]))


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[HostFile | ParseFailure]:
    """The files of the units, in the order printed."""
    misfits, count, last = Misfits(), 0, -1
    section: _Section | None = None
    for place, line in lines:
        heading = _HEADING.match(line) if section is None or last != place.line - 1 else None
        last = place.line
        if heading:
            if section and count <= MAX_SECTIONS:
                yield section.file(context)
            section = _Section(heading[1], place)
            count += 1
        elif section:
            section.add(place, line)
        elif not line.startswith(_WARNING) and (
            failure := misfits.add(unreadable(place, "in front of the first unit", line.encode()))
        ):
            yield failure
    if section and count <= MAX_SECTIONS:
        yield section.file(context)
    if failure := misfits.rest():
        yield failure
    if count > MAX_SECTIONS:
        context.note(Place(context.item, 0, 0), f"{count - MAX_SECTIONS} more files of units than are kept")


class _Section:
    """A file while its lines come in; empty lines do not come and are put back by number."""

    def __init__(self, path: str, heading: Place) -> None:
        self._path, self._heading = path, heading
        self._pieces: list[str] = []
        self._first: Place | None = None
        self._line, self._size, self._end = heading.line, 0, heading.offset
        self._over = False

    def add(self, place: Place, line: str) -> None:
        """The next line that is not empty."""
        empty = place.line - self._line - 1
        self._size += len(line) + empty + 1
        if self._size > MAX_TEXT:
            self._over = True
            return
        self._pieces += ["\n"] * empty
        self._pieces += [line, "\n"]
        if self._first is None:
            start = self._heading.offset + self._heading.length + 1
            self._first = Place(place.item, self._heading.line + 1, start)
        self._line, self._end = place.line, place.offset + place.length

    def file(self, context: Context) -> HostFile:
        """What was printed of it."""
        if self._over:
            context.note(self._heading, f"{self._path}: longer than {MAX_TEXT} characters, cut")
        heading = self._heading
        first = self._first or Place(heading.item, heading.line + 1, heading.offset + heading.length + 1)
        place = Place(first.item, first.line, first.offset, max(0, self._end - first.offset))
        return HostFile(self._path, "".join(self._pieces), place)


FORMATS: tuple[Format, ...] = (Format("systemctl cat", _looks_like, read),)
