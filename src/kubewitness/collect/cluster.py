"""The API side of an incident: what a cluster says of itself, read-only, into one archive.

Lists are asked page by page, and each page is cleaned of secret values and written before the next one is asked, so
memory holds one page of a cluster of any size. A list that changed too much under the reader (410 Gone) is begun anew.
A page that is too large is asked again in smaller pieces. What is not permitted, not there or does not come is left
out, said so in the manifest, and the rest goes on; when nobody answers any more, the archive ends there.

Of Secrets only the server's table of names is asked for (`kube.kubectl`); no value comes to this machine.

Members: `cluster/<group>/<resource>.json`, each one List with an object a line; `cluster/version.json`,
`cluster/discovery.json`, and the manifest as in the archive of a node (`model.collection`).
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import msgspec

from kubewitness import __version__
from kubewitness.collect.archive import About, Archive, Written
from kubewitness.collect.cluster_plan import CONFIGMAPS, PLAN, VERSIONED, Wanted
from kubewitness.collect.cluster_wire import Group, Groups, Page, Resources, Version
from kubewitness.collect.objects import Cleaner
from kubewitness.kube.interface import (
    Answer,
    Api,
    ApiError,
    Busy,
    Call,
    Expired,
    Garbled,
    NotFound,
    NotLoggedIn,
    TimedOut,
    TooLarge,
    Unreachable,
    Whereabouts,
)
from kubewitness.model.collection import FORMAT_CLUSTER, Command, Header, Omitted
from kubewitness.model.text import Text

PAGE: Final = 500
_PAGES: Final = 20_000  # of one list; a server that never ends
_ATTEMPTS: Final = 3
_SILENT: Final = 3  # requests in a row that nobody answered
_IN_MEMORY: Final = 8 * 1024 * 1024
_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True)
class Options:
    """How to collect. `now` and `pause` are injected for tests."""

    namespaces: tuple[str, ...] = ()  # only these; empty: all
    max_size: int = 2 * 1024**3
    page: int = PAGE
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Collected:
    """What came of it."""

    written: Written
    objects: int
    redacted: int
    missing: tuple[Omitted, ...]  # what should be there and is not
    absent: tuple[Omitted, ...]  # what this cluster does not have
    advice: tuple[Text, ...]  # what to do about what is missing, each once


Progress = Callable[[str, int], None]  # the member being written, objects in it so far


_page: Final = msgspec.json.Decoder(Page).decode
_encode: Final = msgspec.json.Encoder().encode


@dataclass
class _State:
    """What the run has come to."""

    objects: int = 0
    missing: list[Omitted] = field(default_factory=list)
    absent: list[Omitted] = field(default_factory=list)
    advice: list[Text] = field(default_factory=list)
    silent: int = 0


class _GoneError(Exception):
    """Nobody answers any more: no use in asking on."""


def file_name(where: Whereabouts, moment: datetime) -> str:
    """The archive's name without its suffix; its top folder has the same one."""
    name = _NAME.sub("-", where.cluster or "cluster").strip("-.")[:60] or "cluster"
    return f"kubewitness-cluster-{name}-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def collect(api: Api, folder: Path, options: Options, progress: Progress, target: Path | None = None) -> Collected:
    """Write the archive of a cluster.

    Args:
        api: Whom to ask.
        folder: Where the archive goes under a name of its own.
        options: See `Options`.
        progress: Told after every page.
        target: The archive's path, instead of `folder`.

    Raises:
        ApiError: not even its version could be had; nothing is written.
        CollectError: the archive cannot be written; nothing is left of it.
    """
    started = options.now()
    version = api.get("/version")  # an error here means that nothing can be had
    where = api.whereabouts()
    name = file_name(where, started)
    first, uid = _identity(api)
    header = Header(
        FORMAT_CLUSTER, f"kubewitness {__version__}", where.cluster or "cluster", _stamp(started), machine_id=uid,
        options=_told(where, version.body, options),
    )  # fmt: skip
    archive = Archive(target or folder / f"{name}.tar.zst", name, header, max_size=options.max_size)
    try:
        collector = _Collector(api, archive, options, progress)
        for call in (version.call, *first):
            collector.note(call)
        complete = collector.everything(version.body)
        written = archive.finish(_stamp(options.now()), complete=complete)
    except BaseException:
        archive.abandon()
        raise
    state = collector.state
    return Collected(
        written, state.objects, collector.redacted, tuple(state.missing), tuple(state.absent), tuple(state.advice)
    )


class _Collector:
    def __init__(self, api: Api, archive: Archive, options: Options, progress: Progress) -> None:
        self._api, self._archive, self._options, self._progress = api, archive, options, progress
        self._served: dict[tuple[str, str], set[str]] | None = None  # (group, resource) → versions
        self.state = _State()
        self.redacted = 0

    def everything(self, version: bytes) -> bool:
        """Ask for all there is; whether all of it came."""
        self._archive.add("cluster/version.json", version, About("/version"))
        try:
            self._discover()
            for wanted in PLAN:
                self._list(wanted)
            self._secrets()
            self._configmaps()
        except _GoneError:
            self._missing("cluster", "the API server stopped answering; what comes after it was not asked for")
        except KeyboardInterrupt:
            self._missing("cluster", "interrupted; what comes after it was not asked for")
        return not self.state.missing

    # -- one request -------------------------------------------------------------------------------------------------

    def note(self, call: Call, member: str = "") -> None:
        """A call into the manifest."""
        self._archive.command(
            Command(call.argv, call.exit_code, call.seconds, member, call.error[:400], call.timed_out)
        )

    def _ask(self, ask: Callable[[], Answer], member: str) -> Answer:
        """The answer, with patience for a busy server."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = ask()
            except ApiError as error:
                if error.call:
                    self.note(error.call)
                if not isinstance(error, NotFound | Expired) and error.step not in self.state.advice:
                    self.state.advice.append(error.step)
                if isinstance(error, NotLoggedIn | Unreachable | TimedOut):
                    self.state.silent += 1
                    if self.state.silent >= _SILENT:
                        self._missing(member, error.happened.en)
                        raise _GoneError from error
                if isinstance(error, Busy) and attempt < _ATTEMPTS:
                    self._options.pause(attempt)
                    continue
                raise
            self.state.silent = 0
            self.note(answer.call, member)
            return answer
        raise AssertionError

    def _get(self, path: str, member: str) -> bytes:
        return self._ask(lambda: self._api.get(path), member).body

    def _missing(self, member: str, reason: str) -> None:
        self._omit(self.state.missing, member, reason)

    def _omit(self, kept: list[Omitted], member: str, reason: str) -> None:
        omitted = Omitted(member, reason)
        self._archive.omit(omitted)
        kept.append(omitted)

    def _failed(self, member: str, error: ApiError, had: int = 0) -> None:
        if isinstance(error, NotFound):
            self._omit(self.state.absent, member, "not served by this API server")
        else:
            self._missing(member, f"{f'after {had} objects: ' if had else ''}{error.happened.en}")

    # -- what the server has -----------------------------------------------------------------------------------------

    def _discover(self) -> None:
        """Which resources are served in which versions; where it cannot be told, the newest is asked for."""
        member = "cluster/discovery.json"
        served: dict[tuple[str, str], set[str]] = {}
        lists: list[bytes] = []
        try:
            groups = msgspec.json.decode(self._get("/apis", member), type=Groups).groups
            everything = [Group("", [Version("v1", "v1")]), *groups]
            for group in everything[:500]:
                for one in group.versions[:10]:
                    path = f"/apis/{quote(one.group_version)}" if group.name else "/api/v1"
                    body = self._resources(path, member)
                    lists += [body] if body else []
                    for resource in msgspec.json.decode(body, type=Resources).resources if body else ():
                        served.setdefault((group.name, resource.name), set()).add(one.version)
        except ApiError as error:
            self._failed(member, error)
            return
        except _JSON:
            self._missing(member, Garbled().happened.en)
            return
        self._served = served
        self._archive.add(
            member, b'{"kind":"List","apiVersion":"v1","items":[\n' + b",\n".join(lists) + b"\n]}\n", About("/apis")
        )

    def _resources(self, path: str, member: str) -> bytes:
        """What a group has; an extension API whose server is down costs only itself."""
        try:
            body = self._get(path, member).strip()
            msgspec.json.decode(body, type=Resources)
        except ApiError as error:
            self._missing(member, f"{path}: {error.happened.en}")
            return b""
        except _JSON:
            self._missing(member, f"{path}: {Garbled().happened.en}")
            return b""
        return body

    def _version(self, wanted: Wanted) -> str:
        if self._served is None or not any(group == wanted.group for group, _ in self._served):
            return wanted.versions[0]
        has = self._served.get((wanted.group, wanted.resource), set())
        return next((version for version in wanted.versions if version in has), "")

    # -- lists -------------------------------------------------------------------------------------------------------

    def _list(self, wanted: Wanted) -> None:
        version = self._version(wanted)
        if not version:
            self._omit(self.state.absent, wanted.member, "not served by this API server")
            return
        namespaces = self._options.namespaces if wanted.namespaced else ()
        paths = [wanted.path(version, namespace) for namespace in namespaces or ("",)]
        with _Lines(wanted, self._archive.target.parent) as lines:
            for path in paths:
                try:
                    self._pages(path, lines)
                except ApiError as error:
                    self._failed(wanted.member, error, lines.count)
                except (_GoneError, KeyboardInterrupt):
                    self._write(lines, wanted.member, " ".join(paths))
                    raise
            self._write(lines, wanted.member, " ".join(paths))

    def _write(self, lines: _Lines, member: str, origin: str) -> None:
        if lines.kind:
            size, chunks = lines.finished()
            if not self._archive.stream(member, size, chunks, About(origin[:1000], redacted=lines.cleaner.count)):
                self.state.missing.append(Omitted(member, "the archive has reached its limit of size", size))
                return
            self.state.objects += lines.count
            self.redacted += lines.cleaner.count

    def _pages(self, path: str, lines: _Lines) -> None:
        begun = lines.mark()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._walk(path, lines)
            except Expired:
                if attempt == _ATTEMPTS:
                    raise  # with what came before it expired
                lines.back(begun)
        return None

    def _walk(self, path: str, lines: _Lines) -> None:
        token, size, member = "", self._options.page, lines.wanted.member
        for _ in range(_PAGES):
            query = f"{path}?limit={size}" + (f"&continue={quote(token, safe='')}" if token else "")
            try:
                body = self._get(query, member)
                page = _page(body)
                if page.items is None:
                    page.items = []
            except TooLarge:
                if size == 1:
                    raise
                size = max(1, size // 10)
                continue
            except _JSON as error:
                raise Garbled from error
            before = lines.mark()
            lines.add(page)
            if not self._archive.room(lines.size):
                lines.back(before)
                raise TooLarge("the archive has reached its limit of size")
            self._progress(member, lines.count)
            if not page.metadata.continue_ or page.metadata.continue_ == token:
                return
            token = page.metadata.continue_
        raise TooLarge(f"more than {_PAGES} pages")

    # -- names -------------------------------------------------------------------------------------------------------

    def _secrets(self) -> None:
        member = "cluster/core/secrets.json"
        items: list[dict[str, Any]] = []
        came = False
        for namespace in self._options.namespaces or ("",):
            try:
                table = self._ask(lambda where=namespace: self._api.names("secrets", where), member).body  # type: ignore[misc]
                items += rows(table, namespace, kind=True)
                came = True
            except ApiError as error:
                self._failed(member, error, len(items))
        if came:
            self._names(member, "SecretList", items)

    def _configmaps(self) -> None:
        member = "cluster/core/configmaps.json"
        items: list[dict[str, Any]] = []
        cleaner = Cleaner()
        for namespace, known in CONFIGMAPS.items():
            listed: list[dict[str, Any]] | None = None
            try:
                table = self._ask(lambda where=namespace: self._api.names("configmaps", where), member).body  # type: ignore[misc]
                listed = list(rows(table, namespace, kind=False))
            except ApiError as error:
                self._failed(member, error)
            names = [one["metadata"]["name"] for one in listed] if listed is not None else known
            for index, name in enumerate(names):
                whole = self._configmap(namespace, name, member, cleaner) if _is_known(namespace, name) else None
                if whole is not None:
                    items.append(whole)
                elif listed is not None:
                    items.append(listed[index])
        self.redacted += cleaner.count
        if items:
            self._names(member, "ConfigMapList", items, cleaner.count)

    def _configmap(self, namespace: str, name: str, member: str, cleaner: Cleaner) -> dict[str, Any] | None:
        try:
            body = self._get(f"/api/v1/namespaces/{namespace}/configmaps/{quote(name)}", member)
            found = cleaner.object(msgspec.json.decode(body, type=dict[str, Any]))
        except NotFound:
            return None
        except ApiError as error:
            self._missing(member, f"{namespace}/{name}: {error.happened.en}")
            return None
        except _JSON:
            self._missing(member, f"{namespace}/{name}: {Garbled().happened.en}")
            return None
        assert isinstance(found, dict)
        data = found.get("data")
        if isinstance(data, dict):
            found["data"] = {
                key: cleaner.configuration(text) if isinstance(text, str) else text for key, text in data.items()
            }
        return found

    def _names(self, member: str, kind: str, items: list[dict[str, Any]], redacted: int = 0) -> None:
        body = b",\n".join(_encode(item) for item in items)
        head = _encode({"kind": kind, "apiVersion": "v1", "metadata": {}})[:-1]
        self._archive.add(member, head + b',"items":[\n' + body + b"\n]}\n", About("names", redacted=redacted))
        self.state.objects += len(items)
        self._progress(member, len(items))


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


def rows(table: bytes, namespace: str, *, kind: bool) -> Iterator[dict[str, Any]]:
    """Objects by name, out of the server's table: namespace (if all were asked), name, type, data, age, labels.

    Args:
        table: What `Api.names` gave.
        namespace: The one that was asked, empty for all.
        kind: There is a column for the type; it is free text and may have blanks.
    """
    for line in table.decode("utf-8", "replace").splitlines():
        words = line.split()
        where = namespace or (words.pop(0) if words else "")
        if len(words) < 4 + kind or not words[-3].isdecimal():
            continue
        name, *middle, keys, age, labels = words
        metadata: dict[str, Any] = {"namespace": where, "name": name}
        if labels != "<none>":
            metadata["labels"] = dict(pair.partition("=")[::2] for pair in labels.split(","))
        yield {"metadata": metadata, **({"type": " ".join(middle)} if kind else {}), "keys": int(keys[:9]), "age": age}


def _is_known(namespace: str, name: str) -> bool:
    return name in CONFIGMAPS[namespace] or (namespace == "kube-system" and VERSIONED.fullmatch(name) is not None)


def _identity(api: Api) -> tuple[list[Call], str]:
    """The uid of kube-system, which is the closest to an identity a cluster has; empty if it may not be read."""
    try:
        answer = api.get("/api/v1/namespaces/kube-system")
        found = msgspec.json.decode(answer.body, type=dict[str, Any])
    except ApiError as error:
        return [error.call] if error.call else [], ""
    except _JSON:
        return [answer.call], ""
    metadata = found.get("metadata")
    return [answer.call], str(metadata.get("uid", ""))[:64] if isinstance(metadata, dict) else ""


def _told(where: Whereabouts, version: bytes, options: Options) -> dict[str, str]:
    try:
        git = str(msgspec.json.decode(version, type=dict[str, Any]).get("gitVersion", ""))[:60]
    except _JSON:
        git = ""
    told = {
        "server": where.server, "context": where.context, "user": where.user, "kubernetes": git,
        "namespaces": " ".join(options.namespaces)[:1000], "max_size": str(options.max_size),
    }  # fmt: skip
    return {key: value for key, value in told.items() if value}


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
