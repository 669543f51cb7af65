"""The archive while it is written: a tar in Zstandard that grows member by member, and the manifest that proves it.

Nothing but the archive is written. It grows under a hidden name beside its place, readable by its owner only, and gets
its name when it is whole and on the disk; a failure leaves nothing. A name that exists is never overwritten. What is
not known in size beforehand is spooled in a file that has no name. The size is bounded on the disk: what might not fit
is left out and said.

A tar member's size stands before its bytes. A file that shrinks while it is read is filled up with zero bytes and
named; one that grows is read as far as it was long. Names of members are made harmless (control characters, bytes that
are no UTF-8 and `..` are written out), because an intruder chooses file names: the same text stands in the manifest.

Source of the format: POSIX.1-2001 pax; RFC 8878.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec
import zstandard

from kubewitness.model.collection import MANIFEST, Command, End, Header, Item, Omitted, Record
from kubewitness.model.errors import KubewitnessError, UsageError

_RESERVE: Final = 1024 * 1024  # for what the compressor still holds
_IN_MEMORY: Final = 8 * 1024 * 1024  # of a spool, before it goes to the nameless file
_CHUNK: Final = 1024 * 1024
_MAX_ITEMS: Final = 90_000  # readers of archives take so many
# Readers of archives, ours too, take what inflates much more than logs do for a bomb and read no further. Whoever had
# the machine could fill logs with zeros to have the rest of the archive thrown away.
_PLAIN: Final = 192 * 1024 * 1024
_RATIO: Final = 200
_MAX_OMITTED: Final = 50_000


Sink = tempfile.SpooledTemporaryFile[bytes]


class CollectError(KubewitnessError):
    """The archive cannot be written."""


@dataclass(frozen=True)
class Written:
    """What came out."""

    path: Path
    size: int
    sha256: str  # of the archive file
    manifest_sha256: str  # of the manifest inside it
    items: int
    omitted: int
    full: bool  # the limit of size was reached


@dataclass(frozen=True)
class About:
    """What the manifest tells of a member besides its name and bytes."""

    origin: str = ""
    cut: int = 0
    redacted: int = 0
    original_sha256: str = ""
    modified: str = ""
    mode: str = ""
    owner: str = ""


def harmless(name: str) -> str:
    """A name as it can stand in a tar, a manifest and on a screen; what cannot is written as \\xNN."""
    if not (name.isascii() and name.isprintable()):
        data = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        name = "".join(
            char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "replace"))
            for char in data
        )
    parts = [part.replace("..", "\\x2e\\x2e") if part == ".." else part for part in name.split("/")]
    return "/".join(parts)


class Archive:
    """An archive that is being written.

    Args:
        target: Its final path.
        folder: The name of the folder at its top.
        header: The first line of the manifest.
        max_size: Of the file on the disk.
        changed: Is told the bytes written so far, after every member.
    """

    def __init__(
        self, target: Path, folder: str, header: Header, *, max_size: int, changed: Callable[[int], None] | None = None
    ) -> None:
        self.target, self.folder, self.full = target, harmless(folder), False
        self._max, self._changed = max_size, changed
        self._items = self._omitted = self._made = 0
        self._names: set[str] = set()
        self._encode = msgspec.json.Encoder().encode
        self._hash = hashlib.sha256()
        if target.exists() or target.is_symlink():
            raise UsageError(f"{target} exists; nothing is ever overwritten")
        self._temporary: Path | None = None
        with self._disk():
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:200]}.")  # mode 0600
            self._temporary = Path(name)
            self._file: IO[bytes] = os.fdopen(descriptor, "w+b")
            self._zstd = zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(
                self._file, closefd=False, write_size=128 * 1024
            )
            self._lines = self._spool()
        about = os.fstat(self._file.fileno())
        self.identity = (about.st_dev, about.st_ino)  # so that it does not list itself
        self._clock = int(about.st_mtime)
        self._record(header)

    @property
    def written(self) -> int:
        """Bytes on the disk so far."""
        return self._file.tell()

    def room(self, size: int) -> bool:
        """Whether a member of that size surely fits."""
        return self.written + size + _RESERVE + self._lines.tell() < self._max and self._items < _MAX_ITEMS

    def add(self, path: str, data: bytes, about: About = About()) -> bool:
        """A member from memory; False: it was left out, and the manifest says so."""
        return self.stream(path, len(data), iter((data,)), about)

    def stream(self, path: str, size: int, chunks: Iterable[bytes], about: About = About()) -> bool:
        """A member of a size known beforehand, out of `chunks`; what is beyond the size is not read."""
        reason = "" if self.room(size) else "the archive has reached its limit of size"
        if not reason and self._made + size > max(_PLAIN, _RATIO * self.written):
            reason = "the archive would hold so much repetition that readers took it for a decompression bomb"
        if reason:
            self.full = True
            self.omit(Omitted(about.origin or path, reason, size))
            return False
        self._made += size
        path = self._own(harmless(path))
        digest, left = hashlib.sha256(), size
        self._head(path, size)
        for chunk in chunks:
            piece = chunk[:left]
            self._put(piece)
            digest.update(piece)
            left -= len(piece)
            if not left:
                break
        short = left
        while left:
            piece = bytes(min(left, _CHUNK))
            self._put(piece)
            digest.update(piece)
            left -= len(piece)
        self._put(bytes(-size % tarfile.BLOCKSIZE))
        self._items += 1
        self._record(
            Item(
                path, size, digest.hexdigest(), harmless(about.origin), about.cut, about.redacted,
                about.original_sha256, about.modified, about.mode, about.owner,
            )
        )  # fmt: skip
        if short:
            self.omit(Omitted(path, f"became shorter while it was read: its last {short} bytes are zero", short))
        if self._changed:
            self._changed(self.written)
        return True

    @contextmanager
    def growing(self, path: str, about: About = About()) -> Iterator[Sink]:
        """A member whose size shows only when all of it is there: write into what this gives."""
        with self._spool() as spool:
            yield spool
            size = spool.tell()
            spool.seek(0)
            self.stream(path, size, iter(lambda: spool.read(_CHUNK), b""), about)

    def command(self, record: Command) -> None:
        """A command that was run."""
        self._record(record)

    def omit(self, record: Omitted) -> None:
        """Something that is not in the archive."""
        self._omitted += 1
        if self._omitted <= _MAX_OMITTED:
            self._record(msgspec.structs.replace(record, path=harmless(record.path)))

    def finish(self, finished: str, *, complete: bool) -> Written:
        """The manifest, the end, and the file's own name."""
        assert self._temporary is not None
        if self._omitted > _MAX_OMITTED:
            self._record(Omitted("…", f"{self._omitted - _MAX_OMITTED} more omissions are not listed"))
        end = End(finished, self._items, self._hash.hexdigest(), complete and not self.full)
        self._record(end)
        size = self._lines.tell()
        self._lines.seek(0)
        manifest = hashlib.sha256()
        self._head(MANIFEST, size)
        for piece in iter(lambda: self._lines.read(_CHUNK), b""):
            manifest.update(piece)
            self._put(piece)
        self._put(bytes(-size % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE))
        digest = hashlib.sha256()
        with self._disk():
            self._zstd.close()  # type: ignore[no-untyped-call]
            self._file.flush()
            os.fsync(self._file.fileno())
            length = self._file.seek(0, os.SEEK_END)
            self._file.seek(0)
            for piece in iter(lambda: self._file.read(_CHUNK), b""):
                digest.update(piece)
            try:  # a link fails where a name exists, a rename would replace it
                os.link(self._temporary, self.target)
                self._temporary.unlink()
            except FileExistsError:
                raise
            except OSError:  # a file system without hard links
                if self.target.exists():
                    raise
                self._temporary.rename(self.target)
            self._temporary = None
        self._file.close()
        self._lines.close()
        return Written(
            self.target, length, digest.hexdigest(), manifest.hexdigest(), self._items, self._omitted, self.full
        )

    def abandon(self) -> None:
        """Leave nothing behind; harmless after `finish`."""
        with suppress(OSError):
            self._lines.close()
        with suppress(OSError):
            self._file.close()
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()
            self._temporary = None

    def _own(self, path: str) -> str:
        name, number = path, 1
        while name in self._names:
            number += 1
            name = f"{path}~{number}"
        self._names.add(name)
        return name

    def _head(self, path: str, size: int) -> None:
        info = tarfile.TarInfo(f"{self.folder}/{path}")
        info.size, info.mode, info.mtime = size, 0o600, self._clock
        self._put(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def _put(self, data: bytes) -> None:
        with self._disk():
            self._zstd.write(data)

    def _record(self, record: Record) -> None:
        line = self._encode(record) + b"\n"
        if not isinstance(record, End):
            self._hash.update(line)
        with self._disk():
            self._lines.write(line)

    def _spool(self) -> tempfile.SpooledTemporaryFile[bytes]:
        return tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.target.parent))

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Errors of the place it is written to are ours to explain."""
        try:
            yield
        except FileExistsError as error:
            raise CollectError(f"{self.target} appeared while it was collected; nothing was overwritten") from error
        except OSError as error:
            self.abandon() if hasattr(self, "_lines") else None
            raise CollectError(
                f"{self.target} could not be written: {error.strerror or error}. Nothing is left of it. "
                "Give --output a place with more room (another disk, a mounted share), or a smaller --max-size."
            ) from error
