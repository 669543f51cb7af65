"""Whole lists of a cluster: page by page, each cleaned and written before the next one is asked.

A list that changed too much under the reader (410 Gone) is begun anew; a page that is too large is asked again in
smaller pieces.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import msgspec

from kubewitness.collect.archive import About
from kubewitness.collect.cluster_asking import ATTEMPTS, NOT_JSON, Asking, GoneError
from kubewitness.collect.cluster_plan import Wanted
from kubewitness.collect.cluster_wire import Page
from kubewitness.collect.objects import Cleaner
from kubewitness.kube.interface import ApiError, Expired, Garbled, TooLarge
from kubewitness.model.collection import Omitted

Served = Mapping[tuple[str, str], set[str]]  # (group, resource) → versions
_PAGES: Final = 20_000  # of one list; a server that never ends
_IN_MEMORY: Final = 8 * 1024 * 1024
_page: Final = msgspec.json.Decoder(Page).decode
_encode: Final = msgspec.json.Encoder().encode


class Lists:
    """Asks for lists. `served`: None if it cannot be told what is served; then the newest version is asked for."""

    def __init__(self, asking: Asking, served: Served | None) -> None:
        self._asking, self._served = asking, served

    def collect(self, wanted: Wanted) -> None:
        """All objects of a kind into the archive."""
        version = self._version(wanted)
        if not version:
            self._asking.absent(wanted.member)
            return
        namespaces = self._asking.options.namespaces if wanted.namespaced else ()
        paths = [wanted.path(version, namespace) for namespace in namespaces or ("",)]
        with _Lines(wanted, self._asking.archive.target.parent) as lines:
            for path in paths:
                try:
                    self._pages(path, lines)
                except ApiError as error:
                    self._asking.failed(wanted.member, error, lines.count)
                except (GoneError, KeyboardInterrupt):
                    self._write(lines, wanted.member, " ".join(paths))
                    raise
            self._write(lines, wanted.member, " ".join(paths))

    def _version(self, wanted: Wanted) -> str:
        if self._served is None or not any(group == wanted.group for group, _ in self._served):
            return wanted.versions[0]
        has = self._served.get((wanted.group, wanted.resource), set())
        return next((version for version in wanted.versions if version in has), "")

    def _write(self, lines: _Lines, member: str, origin: str) -> None:
        if lines.kind:
            size, chunks = lines.finished()
            about, state = About(origin[:1000], redacted=lines.cleaner.count), self._asking.state
            if not self._asking.archive.stream(member, size, chunks, about):
                state.missing.append(Omitted(member, "the archive has reached its limit of size", size))
                return
            state.objects += lines.count
            state.redacted += lines.cleaner.count

    def _pages(self, path: str, lines: _Lines) -> None:
        begun = lines.mark()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._walk(path, lines)
            except Expired:
                if attempt == ATTEMPTS:
                    raise  # with what came before it expired
                lines.back(begun)
        return None

    def _walk(self, path: str, lines: _Lines) -> None:
        token, size, member = "", self._asking.options.page, lines.wanted.member
        for _ in range(_PAGES):
            query = f"{path}?limit={size}" + (f"&continue={quote(token, safe='')}" if token else "")
            try:
                body = self._asking.get(query, member)
                page = _page(body)
                if page.items is None:
                    page.items = []
            except TooLarge:
                if size == 1:
                    raise
                size = max(1, size // 10)
                continue
            except NOT_JSON as error:
                raise Garbled from error
            before = lines.mark()
            lines.add(page)
            if not self._asking.archive.room(lines.size):
                lines.back(before)
                raise TooLarge("the archive has reached its limit of size")
            self._asking.progress(member, lines.count)
            if not page.metadata.continue_ or page.metadata.continue_ == token:
                return
            token = page.metadata.continue_
        raise TooLarge(f"more than {_PAGES} pages")


class _Lines:
    """A list while it grows: an object a line, in a file without a name."""

    def __init__(self, wanted: Wanted, folder: Path) -> None:
        self.wanted, self.cleaner = wanted, Cleaner()
        self.count, self.kind = 0, ""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder))  # noqa: SIM115 -- in __exit__

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._file.tell()

    def add(self, page: Page) -> None:
        """The objects of a page."""
        if not self.kind:
            self.kind = page.kind or "List"
            head = {
                "kind": self.kind, "apiVersion": page.version, "metadata": {"resourceVersion": page.metadata.version},
            }  # fmt: skip
            self._file.write(_encode(head)[:-1] + b',"items":[')
        for item in page.items or ():
            clean = self.cleaner.object(self.wanted.trim(item) if self.wanted.trim else item)
            self._file.write((b",\n" if self.count else b"\n") + _encode(clean))
            self.count += 1

    def mark(self) -> tuple[int, int, int, str]:
        """A place to come back to."""
        return self._file.tell(), self.count, self.cleaner.count, self.kind

    def back(self, mark: tuple[int, int, int, str]) -> None:
        """Forget what came after a mark."""
        at, self.count, self.cleaner.count, self.kind = mark
        self._file.seek(at)
        self._file.truncate()

    def finished(self) -> tuple[int, Iterator[bytes]]:
        """Its size and its bytes."""
        self._file.write(b"\n]}\n")
        size = self._file.tell()
        self._file.seek(0)
        return size, iter(lambda: self._file.read(1024 * 1024), b"")
