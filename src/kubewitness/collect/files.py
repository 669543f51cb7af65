"""Files of the machine into the archive, under their own paths.

A file is copied once, whatever pattern and link lead to it. Links stand in the listing with their targets; where a
link is the customary form (logs of containers, /etc/resolv.conf) its target is copied in its place. What holds a
private key is left out, with its hash and the subjects of certificates in it, which the machine's own openssl reads:
the standard library has no parser of certificates that is public. Small files are taken whole into memory, so that
secrets are seen; logs are streamed, from the end if they are too large.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import translate
from typing import IO, Final

from kubewitness.collect.archive import About, Archive, harmless
from kubewitness.collect.commands import PATH
from kubewitness.collect.plan import NEVER, Pick
from kubewitness.collect.repetition import KEPT, repeats
from kubewitness.collect.rooted import Root, link_target, when
from kubewitness.collect.secrets import Redactor, holds_private_key
from kubewitness.model.collection import ROOT, FileRecord, Omitted

_WHOLE: Final = 4 * 1024 * 1024  # up to this a file is looked at whole before anything of it is written
_CHUNK: Final = 1024 * 1024
_LINE_START: Final = 64 * 1024
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,20000}-----END CERTIFICATE-----")
_NEVER: Final = re.compile("|".join(map(translate, NEVER)))
_KINDS: Final = {
    stat.S_IFDIR: "directory", stat.S_IFLNK: "link", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
    stat.S_IFSOCK: "socket",
    stat.S_IFIFO: "pipe",
}  # fmt: skip


@dataclass
class Files:
    """Copies files of a machine.

    Attributes:
        seen: Links and special files that were met, for the listing.
    """

    root: Root
    archive: Archive
    stopped: Callable[[], bool] = lambda: False
    seen: list[FileRecord] = field(default_factory=list)
    _done: set[tuple[int, int]] = field(default_factory=set)

    def take(self, pick: Pick) -> None:
        """All files of a kind."""
        paths = {path: None for pattern in pick.patterns for path in self.root.matching(pattern)}
        wanted = [one for path in paths if (one := self._target(path, pick)) is not None]
        if pick.newest:
            wanted.sort(key=lambda one: (-one[2].st_mtime, one[0]))
        room = pick.total
        for path, real, about in wanted:
            if self.stopped():
                self.archive.omit(Omitted(path, "time was up", about.st_size))
                continue
            if room <= 0:
                self.archive.omit(Omitted(path, "the limit of size of its kind was reached", about.st_size))
                continue
            room -= self._copy(path, real, pick, min(pick.each, room))

    def _target(self, path: str, pick: Pick) -> tuple[str, str, os.stat_result] | None:
        """The path it is stored under and the file that is copied, None if none is."""
        try:
            about = os.lstat(self.root.outer(path))
        except OSError as error:
            self.archive.omit(Omitted(path, f"cannot be read: {error.strerror or error}"))
            return None
        real = self.root.resolved(path)
        if stat.S_ISLNK(about.st_mode):
            self.seen.append(record_of(self.root, path, about))
            if not real.startswith(pick.follow):
                return None
            try:
                about = os.lstat(self.root.outer(real))
            except OSError:
                return None
        if stat.S_ISDIR(about.st_mode):
            return None
        if never(real) or never(path):
            self._left_out(path, real, about)
            return None
        if not stat.S_ISREG(about.st_mode):
            self.seen.append(record_of(self.root, path, about))
            self.archive.omit(Omitted(path, f"not a regular file but a {kind_of(about)}"))
            return None
        if (about.st_dev, about.st_ino) in self._done:
            return None
        self._done.add((about.st_dev, about.st_ino))
        return path, real, about

    def _left_out(self, path: str, real: str, about: os.stat_result) -> None:
        digest = ""
        if (
            stat.S_ISREG(about.st_mode)
            and about.st_size <= _WHOLE
            and not real.startswith(("/proc/", "/sys/", "/dev/"))
        ):
            with suppress(OSError), self.root.open(real) as (file, _):
                digest = hashlib.sha256(file.read(_WHOLE) or b"").hexdigest()
        # Of password hashes not even the hash: it tells whether a guess is right.
        digest = "" if "shadow" in real else digest
        self.archive.omit(Omitted(path, "holds credentials and is never copied", about.st_size, digest))

    def _copy(self, path: str, real: str, pick: Pick, limit: int) -> int:
        """Bytes taken."""
        try:
            with self.root.open(real) as (file, about):
                if about.st_size <= min(limit, _WHOLE) and not repeats(file, about.st_size, about.st_size):
                    return self._small(path, real, file, about, pick)
                return self._large(path, real, file, about, pick, limit)
        except OSError as error:
            self.archive.omit(Omitted(path, f"cannot be read: {error.strerror or error}"))
            return 0

    def _small(self, path: str, real: str, file: IO[bytes], about: os.stat_result, pick: Pick) -> int:
        data = _read(file, _WHOLE)
        if holds_private_key(data) and pick.configuration:
            digest = hashlib.sha256(data).hexdigest()
            self.archive.omit(
                Omitted(path, "holds a private key and is never copied", len(data), digest, subjects(data))
            )
            return 0
        if path.endswith(".key") and b"-----BEGIN" not in data and not data.isascii():
            digest = hashlib.sha256(data).hexdigest()
            self.archive.omit(Omitted(path, "looks like a private key and is not copied", len(data), digest))
            return 0
        redactor = Redactor(configuration=pick.configuration)
        kept = data if pick.binary else redactor.whole(data)
        original = hashlib.sha256(data).hexdigest() if kept != data else ""
        self.archive.add(f"{ROOT}{path}", kept, _about(real, about, redacted=redactor.count, original=original))
        return len(kept)

    def _large(self, path: str, real: str, file: IO[bytes], about: os.stat_result, pick: Pick, limit: int) -> int:  # noqa: PLR0917
        size = min(about.st_size, limit)
        if repeats(file, about.st_size, size):
            size = min(size, KEPT)
        if pick.tail and size < about.st_size:
            file.seek(about.st_size - size)
            if not pick.binary:  # begin with a whole line
                first = file.read(_LINE_START) or b""
                size -= first.find(b"\n") + 1
                file.seek(about.st_size - size)
        redactor = Redactor(configuration=pick.configuration)
        chunks = _limited(file, size)
        told = _about(real, about, cut=about.st_size - size)
        self.archive.stream(f"{ROOT}{path}", size, chunks if pick.binary else redactor.chunks(chunks), told)
        if redactor.count:
            self.archive.omit(Omitted(path, f"{redactor.count} secret values were overwritten in the copy"))
        return size


def never(path: str) -> bool:
    """A path whose content is never copied."""
    return _NEVER.match(path) is not None


def kind_of(about: os.stat_result) -> str:
    """What sort of thing it is."""
    return _KINDS.get(stat.S_IFMT(about.st_mode), "file")


def record_of(root: Root, path: str, about: os.stat_result, sha256: str = "") -> FileRecord:
    """A line of the listing."""
    target = ""
    if stat.S_ISLNK(about.st_mode):
        with suppress(OSError):
            target = harmless(link_target(root.outer(path)))
    return FileRecord(
        harmless(path), kind_of(about), about.st_size if stat.S_ISREG(about.st_mode) else -1,
        stat.filemode(about.st_mode),
        about.st_uid, when(about.st_mtime), when(about.st_ctime), sha256, target,
    )  # fmt: skip


def subjects(data: bytes) -> str:
    """Subject, issuer and end of the certificates in a text, as the machine's openssl tells them; "" without it."""
    told: list[str] = []
    for found in list(_CERTIFICATE.finditer(data))[:5]:
        with suppress(OSError, subprocess.SubprocessError):
            done = subprocess.run(
                ["openssl", "x509", "-noout", "-subject", "-issuer", "-enddate"],  # noqa: S607 - the fixed PATH below
                input=found[0], capture_output=True, timeout=5, check=False, env={"PATH": PATH, "LC_ALL": "C"},
            )  # fmt: skip
            told.append("; ".join(done.stdout[:2000].decode("utf-8", "backslashreplace").split("\n")).strip("; "))
    return " | ".join(filter(None, told))


def _about(real: str, about: os.stat_result, *, cut: int = 0, redacted: int = 0, original: str = "") -> About:
    return About(
        real,
        cut,
        redacted,
        original,
        when(about.st_mtime),
        stat.filemode(about.st_mode),
        f"{about.st_uid}:{about.st_gid}",
    )


def _read(file: IO[bytes], limit: int) -> bytes:
    pieces: list[bytes] = []
    while limit > 0 and (piece := file.read(min(limit, _CHUNK))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _limited(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (piece := file.read(min(size, _CHUNK))):
        yield piece
        size -= len(piece)
