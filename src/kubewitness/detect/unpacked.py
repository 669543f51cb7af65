"""Streams that pass 2 reads often, unpacked once: a compressed log is read from its start for every line of it.

The second pass comes back to a log a dozen times, each time for other lines. The first time a compressed log (or a
member of an archive) is unpacked to a temporary file without a name, which then is read at any place like a plain log.
One file serves all logs, each in a stretch of its own, since there may be more of them than files can be open. There
is a bound, for a small file can unpack to a huge one, and half of the free space is left alone; a log that has no room
is read as a stream, slower and with the same result.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import IO, Final, NamedTuple

from kubewitness.evidence.opening import Source

_MOST: Final = 16 << 30  # bytes, of all logs together


class Stored(NamedTuple):
    """Where an unpacked log lies: a file's descriptor, and the log's first byte in it."""

    descriptor: int
    start: int


class Unpacked:
    """The unpacked logs of one scan. `most`: bytes that may be kept."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._file: IO[bytes] | None = None
        self._end = 0
        self._known: dict[int, Stored | None] = {}

    def of(self, number: int, source: Source, size: int) -> Stored | None:
        """A source, by its number in the scan, that has `size` unpacked bytes; None if it must be read as a stream."""
        if number not in self._known:
            self._known[number] = self._store(source, size)
        return self._known[number]

    def _store(self, source: Source, size: int) -> Stored | None:
        try:
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if size > self._most - self._end or size > free // 2:
                return None
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="kubewitness-", buffering=0)  # noqa: SIM115 (kept open)
            descriptor, start = self._file.fileno(), self._end
            if self._copy(source, descriptor, start, size) < size:  # it is not what it was in the first pass
                return None
        except OSError:  # no folder for it, or full after all
            return None
        self._end += size
        return Stored(descriptor, start)

    def _copy(self, source: Source, descriptor: int, start: int, size: int) -> int:
        done = 0
        for block in source.open():
            view = memoryview(block)[: size - done]
            while view:
                count = os.pwrite(descriptor, view, start + done)
                done, view = done + count, view[count:]
            if done >= size:
                break
        return done
