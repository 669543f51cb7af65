"""Listings of files: `ls -l` (also -a, -R, -i, -s, -Z and every time style), `find -ls`, and the bodyfile of mactime.

    /tmp:                                                                   ls -R: the folder of what follows
    -rwsr-xr-x  1 root root 48144 Mar 23 15:05 .x                           ls; `name -> target` for a link
    -rw-r--r-- 1 0 0 9 2021-03-23 15:05:36.670951000 +0800 'a b'            --time-style=full-iso, quoted
    131074  4 drwxrwxrwt  9 root root 4096 Nov 22 06:00 /tmp                find -ls: inode and blocks before
    0|/tmp/.x|50360451|-rwxr-xr-x|0|0|48144|atime|mtime|ctime|crtime        bodyfile, seconds since 1970

A time without a year is within the twelve months before the collection, on the machine's wall clock. A file system has
millions of files: of those that lie where intruders put things, are hidden or run as their owner many are kept, of the
rest few; what is left out is counted.

Source: ls(1), find(1), stat(1) of GNU coreutils and busybox; the bodyfile format of The Sleuth Kit 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from kubewitness.evidence.failures import unreadable
from kubewitness.model.evidence import ParseFailure, Place
from kubewitness.model.host import FileEntry
from kubewitness.sources.host import cgroups
from kubewitness.sources.host.context import Context, Misfits, month, stamp
from kubewitness.sources.host.folders import machine_path
from kubewitness.sources.host.interface import Format

MAX_TELLING: Final = 200_000
MAX_OTHERS: Final = 20_000
_KINDS: Final = {
    "-": "file", "d": "directory", "l": "link", "b": "device", "c": "device", "s": "socket", "p": "pipe",
}  # fmt: skip
_LINE = re.compile(
    r"\s{0,12}(?:\d{1,20}\s{1,12})?(?:\d[\d.]{0,11}[KMGT]?\s{1,12})?"  # inode, blocks
    r"([-dlbcsp][-rwxsStT]{9})[.+@]?\s{1,8}(?:\d{1,9}\s{1,12})?"  # mode, links
    r"(\S{1,64})\s{1,40}(?:(\S{1,64})\s{1,40})?(?:(?!\d)(\S{1,128}:\S{1,128})\s{1,20})?"
    r"(\d{1,6},\s{0,8}\d{1,9}|\d[\d.,]{0,20}[KMGT]?)\s{1,8}"  # size, or the numbers of a device
    r"([A-Z][a-z]{2} {1,2}\d{1,2} {1,2}(?:\d\d:\d\d(?::\d\d)?|\d{4})"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: [+-]\d{4})?)?"
    r"|\d\d-\d\d \d\d:\d\d) {1,2}(\S.{0,4500})",
    re.DOTALL,
)
_ZONED = re.compile(r"\d [+-]\d{4} ")
_FOLDER = re.compile(r"[\"']?(/[^\n]{0,4000}?|\.{1,2}(?:/[^\n]{0,4000}?)?)[\"']?:\s*")
_TOTAL = re.compile(r"total \d[\d.]{0,15}[KMGT]?\s*")
_MODE = re.compile(r"(?:[-rdlbcsphwvV]/)?([-rdlbcsphwvV])([-rwxsStT]{9})")
_ITEM = re.compile(r"ls_-.{0,40}?_+(dev_shm|var_tmp|run_shm|tmp)(?:\.\w{1,5}){0,2}$")
_TELLING = re.compile(
    r"(?:/var)?/tmp/|/dev/(?:shm|mqueue)/|/run/shm/|/etc/(?:cron|ld\.so|systemd/|init\.d/|profile|rc\.local|sudoers|ssh/)"
    r"|/var/spool/cron|/var/log/[^/]*$|/root/|/home/[^/]{1,64}/\.|/usr/local/|/opt/|/(?:usr/)?lib/systemd/"
)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


def read(lines: Iterator[tuple[Place, str]], context: Context) -> Iterator[FileEntry | ParseFailure]:
    """The files of a listing, in its order."""
    misfits, folder, blocked = Misfits(), _folder_of(context.item), 0
    room, left_out, guessed = {True: MAX_TELLING, False: MAX_OTHERS}, 0, Place("", 0, 0)
    for place, line in lines:
        if _TOTAL.fullmatch(line):
            continue
        found = _body(line, place) if line.count("|") >= 10 else _listed(line, place, folder, context)
        if found is None:
            if heading := _FOLDER.fullmatch(line):
                folder = heading[1].rstrip("/") + "/"
            elif "Permission denied" in line or "cannot access" in line or "No such file" in line:
                blocked += 1
            elif failure := misfits.add(
                unreadable(place, "no line of a file listing", line.encode("utf-8", "replace"))
            ):
                yield failure
            continue
        telling = _is_telling(found)
        if not room[telling]:
            left_out += 1
            continue
        room[telling] -= 1
        if not guessed.item and found.modified and "|" not in line[:70] and not _ZONED.search(line[:300]):
            guessed = place
        yield found
    if failure := misfits.rest():
        yield failure
    if blocked:
        context.note(Place(context.item, 0, 0), f"{blocked} files or folders could not be listed")
    if left_out:
        context.note(Place(context.item, 0, 0), f"{left_out} more files than are kept of a listing, left out")
    if guessed.item and context.clock.zone is None:
        context.note(guessed, "times of the listing are the machine's wall clock, time zone unknown: taken as UTC")


def _listed(line: str, place: Place, folder: str, context: Context) -> FileEntry | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    mode, owner, _, _, size, when, name = found.groups()
    path, target = _names(name, mode[0] == "l")
    if not path.startswith("/"):
        if path in (".", ".."):  # ls -a: the folder itself, and the one above it
            path = folder.rstrip("/") or "/" if path == "." else "/.."
        else:
            path = folder + path.removeprefix("./")
    number = int(size) if size.isascii() and size.isdecimal() and len(size) < 19 else -1
    return FileEntry(path, place, _KINDS[mode[0]], number, mode, owner, _time(when, context), target=target)


def _names(name: str, link: bool) -> tuple[str, str]:
    """Name and target, without the quotes GNU ls puts around names with blanks and the escapes of find."""
    target = ""
    if link and " -> " in name:
        name, _, target = name.partition(" -> ")
    return _plain(name), _plain(target)


def _plain(name: str) -> str:
    if len(name) > 1 and name[0] == name[-1] and name[0] in "'\"":
        name = name[1:-1]
    return name.replace("\\ ", " ") if "\\ " in name else name


def _time(text: str, context: Context) -> str:
    """The time of a line in UTC; a day alone is its midnight."""
    clock = context.clock
    try:
        if text[0].isdigit():
            return _of_digits(text, context)
        name, day, rest = text.split()
        if ":" in rest:
            moment = clock.without_year(f"{month(name):02d}{int(day):02d} {rest if len(rest) > 5 else rest + ':00'}")
            return stamp(moment)
        return stamp(clock.utc(datetime(int(rest), month(name), int(day), tzinfo=UTC)))
    except ValueError:
        return ""


def _of_digits(text: str, context: Context) -> str:
    if text[2] == "-":  # --time-style=iso
        return stamp(context.clock.without_year(f"{text[:2]}{text[3:5]} {text[6:]}:00"))
    whole, _, zone = text.partition(" +") if " +" in text else text.partition(" -")
    if zone:
        sign = "-" if " -" in text else "+"
        return stamp(datetime.fromisoformat(f"{_micro(whole)}{sign}{zone[:2]}:{zone[2:]}"))
    return stamp(context.clock.utc(datetime.fromisoformat(_micro(whole))))


def _micro(text: str) -> str:
    whole, dot, fraction = text.partition(".")
    return f"{whole}.{fraction[:6]:0<6}" if dot else whole


def _body(line: str, place: Place) -> FileEntry | None:
    """A line of a bodyfile; a name may hold the separator."""
    first, _, rest = line.partition("|")
    parts = rest.rsplit("|", 9)
    if len(parts) != 10:
        return None
    name, _, mode, owner, _, size, _, modified, changed, _ = parts
    found = _MODE.fullmatch(mode)
    if found is None or not size.isdecimal():
        return None
    kind = "-" if found[1] in "rhvV" else found[1]
    path, arrow, target = name.partition(" -> ") if kind == "l" else (name, "", "")
    return FileEntry(
        path=path.removesuffix(" (deleted)"),
        place=place,
        kind=_KINDS.get(kind, "file"),
        size=int(size) if len(size) < 19 else -1,
        mode=kind + found[2],
        owner=owner,
        modified=_epoch(modified),
        changed=_epoch(changed),
        sha256=first.lower() if _SHA256.fullmatch(first) else "",
        target=target if arrow else "",
    )


@lru_cache(maxsize=65536)  # files of a package share their times
def _epoch(text: str) -> str:
    whole = text.partition(".")[0]
    if not whole.isascii() or not whole.isdecimal() or not 0 < int(whole[:12]) < 253_402_300_800:
        return ""
    return stamp(datetime.fromtimestamp(int(whole[:12]), UTC))


def _is_telling(entry: FileEntry) -> bool:
    return (
        _TELLING.match(entry.path) is not None
        or "/." in entry.path
        or (entry.kind == "file" and ("s" in entry.mode[1:7] or "S" in entry.mode[1:7]))
    )


def _folder_of(item: str) -> str:
    """The folder that was listed, where the name of the item tells it."""
    found = _ITEM.search(re.split("[/!]", item)[-1])
    return f"/{found[1].replace('_', '/')}/" if found else ""


def looks_like(lines: list[str], name: str) -> bool:
    """Mostly lines of `ls -l` or of a bodyfile; links of /proc are another listing's, files of a machine none."""
    if machine_path(name):
        return False
    rows = [line for line in lines[:100] if not _TOTAL.fullmatch(line) and not _FOLDER.fullmatch(line)]
    if not rows or sum(cgroups.LINK.match(line) is not None for line in rows) * 2 >= len(rows):
        return False
    place = Place("", 0, 0)
    good = sum(
        _LINE.fullmatch(row) is not None or (row.count("|") >= 10 and _body(row, place) is not None) for row in rows
    )
    return good * 4 >= len(rows) * 3


FORMATS: tuple[Format, ...] = (Format("file listing", looks_like, read),)
