"""What lies in temporary folders: every entry with its times, small files with their hash, scripts themselves.

Breadth first, so that a folder flooded with files does not hide the one beside it; bounded in entries, bytes and time.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from kubewitness.collect.archive import Archive
from kubewitness.collect.files import Files, never, record_of
from kubewitness.collect.plan import Pick
from kubewitness.collect.processes import is_temporary
from kubewitness.collect.rooted import Root
from kubewitness.model.collection import FileRecord, Omitted

_ENTRIES: Final = 20_000
_IN_ONE: Final = 5_000  # of one folder
_DEPTH: Final = 12
_HASHED: Final = 16 * 1024 * 1024
_PROGRAM: Final = 128 * 1024 * 1024
_ALL_HASHED: Final = 1024 * 1024 * 1024
_SECONDS: Final = 15.0
_SCRIPT: Final = 256 * 1024
_SCRIPTS: Final = 500
_ENDINGS: Final = (".sh", ".py", ".pl", ".php", ".rb", ".lua", ".ps1", ".service", ".timer", ".cron")
_SETTINGS: Final = (".json", ".conf", ".ini", ".cfg", ".yaml", ".yml", ".toml", ".txt", ".log")


@dataclass
class Listing:
    """Lists folders.

    Args:
        watched: Folders of odd processes: settings that lie there are copied, too.
    """

    root: Root
    archive: Archive
    files: Files
    watched: frozenset[str] = frozenset()
    stopped: Callable[[], bool] = lambda: False
    _entries: int = 0
    _room: int = _ALL_HASHED
    _until: float = 0.0
    _unhashed: int = 0
    _scripts: list[str] = field(default_factory=list)

    def of(self, folders: Iterable[str]) -> Iterator[FileRecord]:
        """What lies in the watched folders, and everything below these folders."""
        self._until = time.monotonic() + _SECONDS
        flat = [folder for folder in sorted(self.watched) if not is_temporary(f"{folder}/")]
        todo = deque([*((folder, _DEPTH) for folder in flat), *((folder, 0) for folder in dict.fromkeys(folders))])
        while todo:
            folder, depth = todo.popleft()
            if self._entries >= _ENTRIES or self.stopped():
                self.archive.omit(Omitted(folder, "not listed: more entries than are listed, or time was up"))
                break
            real = self.root.resolved(folder).rstrip("/")
            entries = self.root.entries(real or "/")
            if len(entries) > _IN_ONE:
                self.archive.omit(Omitted(folder, f"{len(entries) - _IN_ONE} of its entries are not listed"))
            for entry in entries[:_IN_ONE]:
                path = f"{folder.rstrip('/')}/{entry.name}"
                with suppress(OSError):
                    about = os.lstat(self.root.outer(path))
                    if (about.st_dev, about.st_ino) == self.archive.identity:
                        continue
                    self._entries += 1
                    yield record_of(self.root, path, about, self._hash(path, f"{real}/{entry.name}", about))
                    if stat.S_ISDIR(about.st_mode) and depth < _DEPTH:
                        todo.append((path, depth + 1))

    def copy_scripts(self) -> None:
        """The scripts that were met."""
        if self._unhashed:
            what = (
                f"{self._unhashed} files are listed without their hash, and no script among them is copied: time was up"
            )
            self.archive.omit(Omitted("temporary folders", what))
        for script in self._scripts:
            self.files.take(Pick((_literal(script),), _SCRIPT))

    def _hash(self, path: str, real: str, about: os.stat_result) -> str:
        if not stat.S_ISREG(about.st_mode) or never(real):
            return ""
        if time.monotonic() > self._until:
            self._unhashed += 1
            return ""
        with suppress(OSError), self.root.open(real) as (file, now):
            head = file.read(4096) or b""
            program = head.startswith(b"\x7fELF")
            if now.st_size > (_PROGRAM if program else _HASHED) or now.st_size > self._room:
                return ""
            self._room -= now.st_size
            if not program and self._is_script(path, head, now) and len(self._scripts) < _SCRIPTS:
                self._scripts.append(path)
            digest = hashlib.sha256(head)
            left = now.st_size - len(head)
            while left > 0 and (piece := file.read(min(left, 1024 * 1024))):
                digest.update(piece)
                left -= len(piece)
            return digest.hexdigest()
        return ""

    def _is_script(self, path: str, head: bytes, about: os.stat_result) -> bool:
        if about.st_size > _SCRIPT or b"\0" in head or not about.st_size:
            return False
        folder, _, name = path.rpartition("/")
        if folder in self.watched and name.endswith(_SETTINGS):
            return True
        if not is_temporary(path):
            return False
        return (
            head.startswith(b"#!") or name.endswith(_ENDINGS) or bool(about.st_mode & 0o111)
            or (name.startswith(".") and path.count("/") < 4)
        )  # fmt: skip


def _literal(path: str) -> str:
    """A path as a pattern that matches nothing else."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)
