"""Files of a machine below a root, opened without being led astray.

Whoever had the machine may have laid links, pipes and devices where a collector looks. A path is resolved link by link
inside the root (an absolute link of another root's file system means that root); pipes and devices are never opened;
what was opened must be the file that was resolved. Access times stay as they were where the kernel lets us.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import IO, Final

_LINKS: Final = 40  # as the kernel
_ENTRIES: Final = 50_000  # that one pattern may look at


@dataclass(frozen=True)
class Root:
    """Where a machine's file system begins."""

    path: str = "/"

    def outer(self, inner: str) -> str:
        """The path to use for the path `inner` of the machine."""
        return inner if self.path == "/" else self.path.rstrip("/") + inner

    def resolved(self, inner: str) -> str:
        """The path of the machine without links in it, "" if it leads nowhere."""
        todo = deque(part for part in inner.split("/") if part)
        done: list[str] = []
        links = 0
        while todo:
            part = todo.popleft()
            if part in {".", ".."}:
                if part == ".." and done:
                    done.pop()
                continue
            here = "/" + "/".join([*done, part])
            try:
                target = link_target(self.outer(here))
            except OSError:
                done.append(part)
                continue
            links += 1
            if links > _LINKS:
                return ""
            if target.startswith("/"):
                done.clear()
            todo.extendleft(reversed([piece for piece in target.split("/") if piece]))
        return "/" + "/".join(done)

    @contextmanager
    def open(self, inner: str) -> Iterator[tuple[IO[bytes], os.stat_result]]:
        """The regular file at a path without links.

        Raises:
            OSError: it is none, or cannot be read.
        """
        path = self.outer(inner)
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError("not a regular file")
        try:
            descriptor = os.open(path, flags | os.O_NOATIME)
        except PermissionError:
            descriptor = os.open(path, flags)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise OSError("not a regular file")
            with suppress(FileNotFoundError):
                opened = link_target(f"/proc/self/fd/{descriptor}").removesuffix(" (deleted)")
                if opened != os.path.realpath(self.path).rstrip("/") + inner:
                    raise OSError("a link was laid in the way while it was opened")
            yield file, about

    def text(self, inner: str, limit: int = 1024 * 1024) -> str:
        """A small file's text, "" if there is none."""
        try:
            with self.open(self.resolved(inner)) as (file, _):
                return (file.read(limit) or b"").decode("utf-8", "backslashreplace")
        except OSError:
            return ""

    def matching(self, pattern: str) -> list[str]:
        """Paths of the machine that match a pattern, in order; `**` is any depth, never behind a link."""
        parts = [part for part in pattern.split("/") if part]
        if parts[-1] == "**":
            parts.append("*")
        found: list[str] = []
        room = [_ENTRIES]
        self._walk("", parts, found, room)
        return sorted(set(found))

    def _walk(self, folder: str, parts: list[str], found: list[str], room: list[int]) -> None:
        part, rest = parts[0], parts[1:]
        if not any(char in part for char in "*?["):
            path = f"{folder}/{part}"
            if rest:
                if (real := self.resolved(path)) and os.path.isdir(self.outer(real)):  # noqa: PTH112 - a Path raises
                    self._walk(path, rest, found, room)
            elif os.path.lexists(self.outer(path)):
                found.append(path)
            return
        if part == "**":
            self._walk(folder, rest, found, room)
        for entry in self.entries(folder or "/"):
            room[0] -= 1
            if room[0] < 0:
                return
            path = f"{folder}/{entry.name}"
            if part == "**":
                if entry.is_dir(follow_symlinks=False) and path.count("/") < 24:
                    self._walk(path, parts, found, room)
            elif fnmatchcase(entry.name, part):
                if not rest:
                    found.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    self._walk(path, rest, found, room)

    def entries(self, folder: str) -> list[os.DirEntry[str]]:
        """What a folder holds, by name; nothing if it cannot be read."""
        try:
            with os.scandir(self.outer(self.resolved(folder))) as found:
                entries: list[os.DirEntry[str]] = []
                for entry in found:
                    entries.append(entry)
                    if len(entries) >= _ENTRIES:
                        break
        except OSError:
            return []
        return sorted(entries, key=lambda entry: entry.name)


def link_target(path: str) -> str:
    """What a link says, letter for letter; a `Path` would tidy it."""
    return os.readlink(path)  # noqa: PTH115


def when(seconds: float) -> str:
    """RFC 3339 UTC."""
    try:
        return f"{datetime.fromtimestamp(int(seconds), UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return ""
