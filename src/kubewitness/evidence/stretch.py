"""Raw bytes that can be read any number of times: a file, a part of one (tar member), a spooled stream, a zip member.

Streams that can be read once only (stdin, a pipe, the inside of a compressed tar) are spooled to a temporary file that
has no name, so nothing of the evidence stays on disk and no name inside an archive ever becomes a path.
"""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Protocol

READ = 1024 * 1024
_HELD_OPEN: Final = 16  # zip archives


class Bytes(Protocol):
    """Something whose raw bytes can be read again and again."""

    @property
    def size(self) -> int:
        """How many there are."""

    def chunks(self) -> Iterator[bytes]:
        """All of them, at most READ at a time; raises OSError."""


class Spool:
    """A temporary file without a name; it is gone with the last reference."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._file = tempfile.TemporaryFile(prefix="kubewitness-")  # noqa: SIM115 (kept open: it has no name)
        for chunk in chunks:
            self._file.write(chunk)
        self._file.flush()
        self.size = self._file.tell()

    def fileno(self) -> int:
        """The open descriptor; read it with pread, forked readers share its position."""
        return self._file.fileno()


@dataclass(frozen=True, slots=True)
class Stretch:
    """`size` bytes at `offset` of a file on disk or a spool."""

    holder: Path | Spool
    offset: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The bytes; ends early if the file got shorter."""
        at, end = self.offset, self.offset + self.size
        descriptor = self._open()
        try:
            while at < end:
                chunk = os.pread(descriptor, min(READ, end - at), at)
                if not chunk:
                    return
                at += len(chunk)
                yield chunk
        finally:
            self._close(descriptor)

    def file(self) -> io.BufferedReader:
        """A seekable view, for readers of archives."""
        return io.BufferedReader(_View(self, self._open()), READ)

    def part(self, offset: int, size: int) -> Stretch:
        """A stretch inside this one."""
        offset = min(max(offset, 0), self.size)
        return Stretch(self.holder, self.offset + offset, min(max(size, 0), self.size - offset))

    def _open(self) -> int:
        if isinstance(self.holder, Spool):
            return self.holder.fileno()
        return os.open(self.holder, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def _close(self, descriptor: int) -> None:
        if not isinstance(self.holder, Spool):
            os.close(descriptor)


class _View(io.RawIOBase):
    def __init__(self, stretch: Stretch, descriptor: int) -> None:
        self._stretch, self._descriptor, self._at = stretch, descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._stretch.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        room = min(len(buffer), self._stretch.size - self._at)
        data = os.pread(self._descriptor, room, self._stretch.offset + self._at) if room > 0 else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stretch._close(self._descriptor)
        super().close()


class ZipDirectory:
    """The directory of a zip archive, read once for all its members: there may be many thousands, each read often.

    Only a few archives are held open; one that was let go, or sent to another process, is opened again when needed.
    """

    _open: ClassVar[list[ZipDirectory]] = []

    def __init__(self, archive: Stretch) -> None:
        self.archive = archive
        self._opened: zipfile.ZipFile | None = None

    def opened(self) -> zipfile.ZipFile:
        """The archive."""
        if self._opened is None:
            self._opened = zipfile.ZipFile(self.archive.file())
            self._open.append(self)
            while len(self._open) > _HELD_OPEN:
                self._open.pop(0)._opened = None
        return self._opened

    def __reduce__(self) -> tuple[type[ZipDirectory], tuple[Stretch]]:
        return ZipDirectory, (self.archive,)


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a zip archive, inflated while it is read."""

    directory: ZipDirectory
    index: int
    size: int

    def chunks(self) -> Iterator[bytes]:
        """The inflated bytes; damage is raised as OSError."""
        try:
            archive = self.directory.opened()
            with archive.open(archive.infolist()[self.index]) as member:
                while chunk := member.read(READ):
                    yield chunk
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError, IndexError) as problem:
            raise OSError(f"zip member cannot be read: {problem}") from problem
