"""From what the caller named to byte streams: files, directories, globs, stdin, archives, compressed or not.

`walk` lists sources in the order a person would read them (rotated files by the time of their first event, else by
name with numbers counted as numbers). A `Source` is opened as often as needed and yields decompressed bytes; what it
is was told from its content. Nothing raises for the sake of one bad file: what cannot be opened is a source with an
`error`, a stream that breaks ends there, keeps what was read and carries a `failure`.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from kubewitness.evidence.archives import Member, is_zip, tar_members, zip_members
from kubewitness.evidence.compression import BrokenError, decompressed
from kubewitness.evidence.failures import unreadable
from kubewitness.evidence.sniffing import Kind, sniff
from kubewitness.evidence.stretch import READ, Bytes, Spool, Stretch
from kubewitness.model.evidence import ParseFailure, Place

ARCHIVE_DEPTH: Final = 3
_HEAD: Final = 64 * 1024

Key = tuple[int, int]  # device and inode
State = tuple[str, int, str, ParseFailure | None]

_FIRST_TIME = re.compile(
    rb'"(?:requestReceivedTimestamp|timestamp|time|@timestamp|stageTimestamp)"\s*:\s*"(\d{4}-\d\d-\d\dT[\d:.]+)'
    rb"|^(\d{4}-\d\d-\d\dT[\d:.]+)",
    re.M,
)
_NUMBER = re.compile(r"(\d+)")


class Source:
    """One stream of evidence.

    Attributes:
        name: The path as given, or `archive!member`.
        size: Raw bytes.
        kind: What the decompressed content looks like.
        compression: "", "gzip", "zstd", or several joined by "+".
        path: Set only for plain uncompressed files, which can be read at any offset.
        error: Why it was not read, or not to its end; empty if all is well.
        failure: The place where the stream broke, known after it was read.
        sha256: Of the raw bytes, known after it was read once to its end.
    """

    def __init__(self, name: str, content: Bytes | None, error: str = "", path: Path | None = None) -> None:
        self.name, self.error = name, error
        self.size = content.size if content else 0
        self.sha256 = ""
        self.failure: ParseFailure | None = None
        self.compression = ""
        self.kind: Kind = "empty"
        self.first_time = b""
        self.path: Path | None = None
        self._content = content
        self._zip = False
        if content is not None:
            self._look(path)

    def __repr__(self) -> str:
        return f"<Source {self.name}>"

    def open(self) -> Iterator[bytes]:
        """Decompressed bytes, at most about 1 MiB at a time. Ends where the stream breaks; see `failure`."""
        if self._content is None:
            return
        raw, names, done = self._raw(), [""], 0
        try:
            for chunk in decompressed(raw, names):
                done += len(chunk)
                yield chunk
        except (BrokenError, OSError) as problem:
            self.error = str(problem)
            self.failure = unreadable(Place(self.name, 0, done), str(problem), kept=f"{done} bytes before it")
        for _ in raw:  # the rest belongs to the hash
            pass

    def state(self) -> State:
        """What reading has found out, to be carried from one process to another."""
        return (self.sha256, self.size, self.error, self.failure)

    def restore(self, state: State) -> None:
        """Take over what another process found out."""
        self.sha256, self.size, self.error, self.failure = state

    def _raw(self) -> Iterator[bytes]:
        """Raw bytes, hashed on the first reading."""
        if self._content is None:
            return
        digest, read = (None if self.sha256 else hashlib.sha256()), 0
        try:
            for chunk in self._content.chunks():
                if digest:
                    digest.update(chunk)
                read += len(chunk)
                yield chunk
        except OSError as problem:
            reason = problem.strerror or problem  # the path is said beside it
            raise BrokenError(f"cannot be read behind {read} bytes: {reason}" if read else f"{reason}") from problem
        if digest:
            self.sha256, self.size = digest.hexdigest(), read

    def _look(self, path: Path | None) -> None:
        names: list[str] = []
        head = b""
        try:
            for chunk in decompressed(self._raw(), names):
                head += chunk
                if len(head) >= _HEAD:
                    break
        except (BrokenError, OSError) as problem:
            if not head:
                self.error = str(problem)
        self.compression = "+".join(names)
        self.kind = sniff(head)
        self.path = path if not names else None
        found = _FIRST_TIME.search(head)
        self.first_time = (found[1] or found[2]) if found else b""
        self._zip = is_zip(head) and not names

    @property
    def is_archive(self) -> bool:
        """It has members instead of records."""
        return self.kind == "tar" or self._zip

    def members(self) -> Iterator[Member] | None:
        """The members, None if this is no archive."""
        if self._content is None or not self.is_archive:
            return None
        archive = self._content if isinstance(self._content, Stretch) and not self.compression else None
        if archive is None:
            try:
                spool = Spool(self.open())
            except OSError as problem:
                return iter([Member("…", None, f"cannot be unpacked: {problem}")])
            archive = Stretch(spool, 0, spool.size)
        return zip_members(archive) if self._zip else tar_members(archive)


def walk(paths: Sequence[str], stdin: BinaryIO | None = None, exclude: Sequence[Path] = ()) -> Iterator[Source]:
    """Every source behind `paths`, once each; "-" is `stdin`.

    Folder by folder as they come; within one, by the time of the first event, then by name. `exclude` are files and
    folders that are passed over when a folder or glob holds them (our own results), not when they are named.
    """
    seen: set[Key] = set()
    left_out = frozenset(key for path in exclude if (key := _key(path)) is not None)
    found = [
        inner
        for path in paths
        for source in _named(path, stdin, seen, left_out)
        for inner in _unpacked(source, ARCHIVE_DEPTH)
    ]
    folders = {folder: rank for rank, folder in reversed([*enumerate(map(_folder, found))])}
    yield from sorted(found, key=lambda source: (folders[_folder(source)], *_position(source)))


def anything_there(paths: Sequence[str]) -> bool:
    """Whether one of the paths or globs names something, "-" included."""
    return any(
        path == "-" or os.path.lexists(path) or next(glob.iglob(path, recursive=True), None) is not None  # noqa: PTH207
        for path in paths
    )


def _key(path: Path) -> Key | None:
    """What a file is known by under all its names; None if it is not there."""
    try:
        info = path.stat()
    except (OSError, ValueError):
        return None
    return info.st_dev, info.st_ino


def _folder(source: Source) -> str:
    return source.name.rpartition("/")[0]


def _position(source: Source) -> tuple[bytes, list[tuple[int, str]]]:
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(source.name) if part]
    return (source.first_time or b"~", parts)


def _unpacked(source: Source, depth: int) -> Iterator[Source]:
    members = source.members() if depth else None
    if members is None:
        if source.is_archive:
            source = Source(source.name, None, f"archives nested more than {ARCHIVE_DEPTH} deep, not opened")
        yield source
        return
    for member in members:
        inner = Source(f"{source.name}!{member.name}", member.content, member.refused)
        if member.content is None:
            yield inner
        else:
            yield from _unpacked(inner, depth - 1)
    if source.error:  # a compressed archive that broke while it was spooled
        yield Source(f"{source.name}!…", None, source.error)


def _named(path: str, stdin: BinaryIO | None, seen: set[Key], left_out: frozenset[Key]) -> Iterator[Source]:
    if path == "-":
        yield _spooled("stdin", stdin) if stdin else Source("stdin", None, "no standard input")
        return
    if os.path.lexists(path):
        yield from _entry(Path(path), path, seen, left_out, None)
        return
    matches = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 (absolute and relative patterns alike)
    for match in matches:
        if left_out and any(_key(one) in left_out for one in (Path(match), *Path(match).parents)):
            continue
        yield from _entry(Path(match), match, seen, left_out, None)
    if not matches:
        yield Source(path, None, "no such file or directory")


def _entry(path: Path, name: str, seen: set[Key], left_out: frozenset[Key], root: Path | None) -> Iterator[Source]:
    """One directory entry. `root` is the directory the caller named; None for what the caller named itself."""
    try:
        info = path.stat()
        outside = root is not None and path.is_symlink() and not path.resolve().is_relative_to(root)
    except (OSError, RuntimeError) as problem:  # RuntimeError: a loop of links, before Python 3.13
        reason = problem.strerror if isinstance(problem, OSError) else "a loop of symbolic links"
        yield Source(name, None, f"cannot be opened: {reason}")
        return
    if outside:  # the copied file system of another machine points into this one's
        yield Source(name, None, "symbolic link that leads out of the directory, not followed")
        return
    key = (info.st_dev, info.st_ino)
    if root is not None and key in left_out:
        return
    if key in seen:
        if stat.S_ISDIR(info.st_mode):
            yield Source(name, None, "directory already read (symbolic link or named twice)")
        return
    seen.add(key)
    if stat.S_ISDIR(info.st_mode):
        yield from _directory(path, name, seen, left_out, root)
    elif stat.S_ISREG(info.st_mode):
        yield Source(name, Stretch(path, 0, info.st_size), path=path)
    elif root is None and stat.S_ISFIFO(info.st_mode):  # process substitution of a shell
        with path.open("rb") as pipe:
            yield _spooled(name, pipe)
    else:
        yield Source(name, None, "special file (device, socket or pipe), not read")


def _directory(path: Path, name: str, seen: set[Key], left_out: frozenset[Key], root: Path | None) -> Iterator[Source]:
    try:
        children = sorted(path.iterdir())
        top = root or path.resolve()
    except OSError as problem:
        yield Source(name, None, f"directory cannot be read: {problem.strerror}")
        return
    if not children and root is None:
        yield Source(name, None, "empty directory")
    for child in children:
        yield from _entry(child, str(Path(name) / child.name), seen, left_out, top)


def _spooled(name: str, stream: BinaryIO) -> Source:
    try:
        spool = Spool(iter(lambda: stream.read(READ), b""))
    except OSError as problem:
        return Source(name, None, f"cannot be kept for reading: {problem}")
    return Source(name, Stretch(spool, 0, spool.size))
